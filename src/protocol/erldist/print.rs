//! Terms as Erlang prints them: `io:format("~0tp")` on a node started with `+pc unicode`.
//!
//! Two things differ. Identifiers carry the full name of their node (`<ejabberd@host.9.0>`), for a reader of a capture
//! is not on any node. And what a decoder did not keep shows as `...`, an unknown atom as `'?slot'`.

use super::numbers::{write_big_integer, write_float};
use super::term::Term;
use std::fmt::{self, Display, Write};

/// Words that are not atoms unless quoted (OTP 25).
const RESERVED: &[&str] = &[
    "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case", "catch", "cond", "div",
    "end", "fun", "if", "let", "not", "of", "or", "orelse", "receive", "rem", "try", "when", "xor",
];

impl Term {
    /// The term in Erlang syntax, cut after `max_chars` characters with `...`. The work is bounded by the limit too.
    pub fn to_text(&self, max_chars: usize) -> String {
        self.to_text_within(max_chars).unwrap_or_else(|cut| cut)
    }

    /// The same; an error with the text as far as it goes where it had to be cut.
    pub fn to_text_within(&self, max_chars: usize) -> Result<String, String> {
        let mut text = Limited { text: String::new(), left: max_chars };
        match write!(text, "{self}") {
            Ok(()) => Ok(text.text),
            Err(_) => Err(text.text + "..."),
        }
    }
}

/// Takes so many characters and then refuses.
struct Limited {
    text: String,
    left: usize,
}

impl Write for Limited {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        // So many bytes are so many characters at most.
        if piece.len() <= self.left && piece.is_ascii() {
            self.text.push_str(piece);
            self.left -= piece.len();
            return Ok(());
        }
        match piece.char_indices().nth(self.left) {
            Some((end, _)) => {
                self.text.push_str(piece.get(..end).unwrap_or_default());
                self.left = 0;
                Err(fmt::Error)
            }
            None => {
                self.text.push_str(piece);
                self.left -= piece.chars().count();
                Ok(())
            }
        }
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Atom(name) => write_atom(f, name),
            Self::Integer(value) => write!(f, "{value}"),
            Self::BigInteger { negative, magnitude } => write_big_integer(f, *negative, magnitude),
            Self::Float(value) => write_float(f, *value),
            Self::Binary { bytes, bits } => write_binary(f, bytes, *bits),
            Self::String(bytes) => write_byte_list(f, bytes),
            Self::List(elements, tail) => write_list(f, elements, tail.as_deref()),
            Self::Tuple(elements) => {
                f.write_char('{')?;
                write_separated(f, elements)?;
                f.write_char('}')
            }
            Self::Map(pairs) => write_map(f, pairs),
            Self::Pid { node, id, serial, .. } => write!(f, "<{node}.{id}.{serial}>"),
            Self::Port { node, id, .. } => write!(f, "#Port<{node}.{id}>"),
            Self::Reference { node, ids, .. } => {
                write!(f, "#Ref<{node}")?;
                ids.iter().rev().try_for_each(|id| write!(f, ".{id}"))?;
                f.write_char('>')
            }
            Self::Fun { module, index, uniq, .. } => {
                f.write_str("#Fun<")?;
                write_atom(f, module)?;
                write!(f, ".{index}.{uniq}>")
            }
            Self::Export { module, function, arity } => {
                f.write_str("fun ")?;
                write_atom(f, module)?;
                f.write_char(':')?;
                write_atom(f, function)?;
                write!(f, "/{arity}")
            }
            Self::UnknownAtom(slot) => write!(f, "'?{slot}'"),
            Self::Elided => f.write_str("..."),
        }
    }
}

fn write_separated(f: &mut fmt::Formatter<'_>, elements: &[Term]) -> fmt::Result {
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            f.write_char(',')?;
        }
        element.fmt(f)?;
    }
    Ok(())
}

fn write_list(f: &mut fmt::Formatter<'_>, elements: &[Term], tail: Option<&Term>) -> fmt::Result {
    if tail.is_none() && !elements.is_empty() && elements.iter().all(|element| printable(element).is_some()) {
        f.write_char('"')?;
        elements.iter().filter_map(printable).try_for_each(|character| write_escaped(f, character, '"'))?;
        return f.write_char('"');
    }
    f.write_char('[')?;
    write_separated(f, elements)?;
    if let Some(tail) = tail {
        f.write_char('|')?;
        tail.fmt(f)?;
    }
    f.write_char(']')
}

fn write_byte_list(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    if bytes.is_empty() || !bytes.iter().all(|byte| is_printable(char::from(*byte))) {
        f.write_char('[')?;
        write_numbers(f, bytes)?;
        return f.write_char(']');
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => write_quoted(f, text, '"'),
        _ => write_quoted_characters(f, bytes.iter().map(|byte| char::from(*byte)), '"'),
    }
}

fn write_binary(f: &mut fmt::Formatter<'_>, bytes: &[u8], bits: u8) -> fmt::Result {
    f.write_str("<<")?;
    match std::str::from_utf8(bytes) {
        _ if bytes.is_empty() => {}
        Ok(text) if bits == 8 && text.chars().all(is_printable) => {
            write_quoted(f, text, '"')?;
            if !text.is_ascii() {
                f.write_str("/utf8")?;
            }
        }
        Err(_) if bits == 8 && bytes.iter().all(|byte| is_printable(char::from(*byte))) => {
            write_quoted_characters(f, bytes.iter().map(|byte| char::from(*byte)), '"')?;
        }
        _ if bits == 8 => write_numbers(f, bytes)?,
        _ => write_bits(f, bytes, bits)?,
    }
    f.write_str(">>")
}

/// A bit string: its whole bytes, then the bits of the last one, right-aligned.
fn write_bits(f: &mut fmt::Formatter<'_>, bytes: &[u8], bits: u8) -> fmt::Result {
    let Some((last, whole)) = bytes.split_last() else { return Ok(()) };
    write_numbers(f, whole)?;
    if !whole.is_empty() {
        f.write_char(',')?;
    }
    let value = last.checked_shr(8u32.saturating_sub(u32::from(bits))).unwrap_or_default();
    write!(f, "{value}:{bits}")
}

/// Bytes as numbers, a few dozen at a time: binaries are long.
fn write_numbers(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    const AT_A_TIME: usize = 64;

    let mut piece = String::with_capacity(AT_A_TIME * 4);
    for (number, bytes) in bytes.chunks(AT_A_TIME).enumerate() {
        piece.clear();
        for (at, byte) in bytes.iter().enumerate() {
            if number + at > 0 {
                piece.push(',');
            }
            let [hundreds, tens] = [byte / 100, byte / 10 % 10];
            for digit in [hundreds, tens].into_iter().skip_while(|digit| *digit == 0) {
                piece.push(char::from(b'0' + digit));
            }
            piece.push(char::from(b'0' + byte % 10));
        }
        f.write_str(&piece)?;
    }
    Ok(())
}

fn write_map(f: &mut fmt::Formatter<'_>, pairs: &[(Term, Term)]) -> fmt::Result {
    f.write_str("#{")?;
    for (at, (key, value)) in pairs.iter().enumerate() {
        if at > 0 {
            f.write_char(',')?;
        }
        key.fmt(f)?;
        f.write_str(" => ")?;
        value.fmt(f)?;
    }
    f.write_char('}')
}

fn write_atom(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    if is_bare_atom(name) { f.write_str(name) } else { write_quoted(f, name, '\'') }
}

/// Only Latin-1 letters go without quotes.
fn is_bare_atom(name: &str) -> bool {
    let lower = |c: char| matches!(c, 'a'..='z' | '\u{df}'..='\u{f6}' | '\u{f8}'..='\u{ff}');
    let upper = |c: char| matches!(c, 'A'..='Z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{de}');
    let inner = |c: char| lower(c) || upper(c) || c.is_ascii_digit() || matches!(c, '_' | '@');
    let mut characters = name.chars();
    characters.next().is_some_and(lower) && characters.all(inner) && !RESERVED.contains(&name)
}

/// Text in quotes. What needs no escape goes out in one piece up to the next that does.
fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str, quote: char) -> fmt::Result {
    f.write_char(quote)?;
    let mut rest = text;
    while let Some((at, character)) = rest.char_indices().find(|(_, character)| is_escaped(*character, quote)) {
        f.write_str(rest.get(..at).unwrap_or_default())?;
        write_escaped(f, character, quote)?;
        rest = rest.get(at + character.len_utf8()..).unwrap_or_default();
    }
    f.write_str(rest)?;
    f.write_char(quote)
}

fn write_quoted_characters(
    f: &mut fmt::Formatter<'_>,
    mut characters: impl Iterator<Item = char>,
    quote: char,
) -> fmt::Result {
    f.write_char(quote)?;
    characters.try_for_each(|character| write_escaped(f, character, quote))?;
    f.write_char(quote)
}

/// Whether a character is written otherwise than by itself.
fn is_escaped(character: char, quote: char) -> bool {
    character == '\\' || character == quote || character.is_control()
}

fn write_escaped(f: &mut fmt::Formatter<'_>, character: char, quote: char) -> fmt::Result {
    match character {
        '\\' => f.write_str("\\\\"),
        _ if character == quote => write!(f, "\\{quote}"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\u{b}' => f.write_str("\\v"),
        '\u{8}' => f.write_str("\\b"),
        '\u{c}' => f.write_str("\\f"),
        '\u{1b}' => f.write_str("\\e"),
        '\u{7f}' => f.write_str("\\d"),
        '\0'..='\u{1f}' | '\u{80}'..='\u{9f}' => write!(f, "\\{:03o}", u32::from(character)),
        _ => f.write_char(character),
    }
}

/// The character that a list element stands for, if it may stand in a string.
fn printable(element: &Term) -> Option<char> {
    let code = u32::try_from(element.integer()?).ok()?;
    char::from_u32(code).filter(|character| is_printable(*character))
}

/// As `io_lib:printable_unicode_list/1`.
fn is_printable(character: char) -> bool {
    matches!(character, ' '..='~' | '\n' | '\r' | '\t' | '\u{b}' | '\u{8}' | '\u{c}' | '\u{1b}')
        || (character >= '\u{a0}' && !matches!(character, '\u{fffe}' | '\u{ffff}'))
}
