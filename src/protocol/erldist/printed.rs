//! What a process prints: the arguments of an I/O request in, the text that appears on the terminal out.
//!
//! Follows stdlib "The Erlang I/O Protocol" (`put_chars` with characters, or with a formatter that the device is to
//! call) and `io_lib:format/2`. Of formats, width and precision are not kept: the words count, not their columns.

use super::term::Term;
use std::fmt::Write;

/// Longest text that is made of one request.
const MAX_CHARS: usize = 64 << 10;

/// The text of a `put_chars` request's arguments; `None` if it is made in a way that is not known.
pub fn printed(arguments: &Term) -> Option<String> {
    match &*arguments.list()? {
        [characters] => characters.text(),
        [encoding, characters] if encoding.atom().is_some() => characters.text(),
        [module, function, arguments] => formatted_by(module, function, arguments),
        [_encoding, module, function, arguments] => formatted_by(module, function, arguments),
        _ => None,
    }
}

fn formatted_by(module: &Term, function: &Term, arguments: &Term) -> Option<String> {
    if !module.is_atom("io_lib") || !matches!(function.atom(), Some("format" | "fwrite")) {
        return None;
    }
    match &*arguments.list()? {
        [format, values] => format_text(&format.text()?, &values.list()?),
        [format] => format_text(&format.text()?, &[]),
        _ => None,
    }
}

/// `io_lib:format/2`; `None` where it would raise `badarg`, or the sequence is not known.
fn format_text(format: &str, values: &[Term]) -> Option<String> {
    let mut text = String::new();
    let mut values = values.iter();
    let mut rest = format.chars();
    while let Some(character) = rest.next() {
        if text.len() > MAX_CHARS {
            text.push_str("...");
            break;
        }
        if character != '~' {
            text.push(character);
            continue;
        }
        let control = loop {
            match rest.next()? {
                // A width or precision given as a value.
                '*' => {
                    values.next()?;
                }
                // Padding may be any character behind the second dot; the usual ones are these.
                '0'..='9' | '-' | '.' | 't' | 'l' | 'k' | 'K' => {}
                other => break other,
            }
        };
        match control {
            '~' => text.push('~'),
            'n' => text.push('\n'),
            'i' => {
                values.next()?;
            }
            'c' => text.push(u32::try_from(values.next()?.integer()?).ok().and_then(char::from_u32)?),
            's' => match values.next()? {
                Term::Atom(name) => text.push_str(name),
                value => text.push_str(&value.text()?),
            },
            'p' | 'w' | 'b' | 'B' | 'x' | 'X' | '#' | '+' | 'e' | 'f' | 'g' => {
                text.push_str(&values.next()?.to_text(MAX_CHARS));
            }
            'P' | 'W' => {
                let value = values.next()?;
                values.next()?;
                write!(text, "{}", value.to_text(MAX_CHARS)).ok()?;
            }
            _ => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    fn atom(name: &str) -> Term {
        Term::Atom(name.into())
    }

    fn text(content: &str) -> Term {
        Term::String(content.as_bytes().into())
    }

    fn list(elements: &[Term]) -> Term {
        Term::List(elements.to_vec(), None)
    }

    #[test]
    fn formats_are_filled_in() {
        let values = list(&[atom("ejabberd@host"), atom("started"), text("23.01"), Term::Integer(7)]);
        let format = list(&[text("The node ~p is ~w: ~-10.3ts~~ ~B~n"), values]);
        let request = list(&[atom("unicode"), atom("io_lib"), atom("format"), format]);
        assert_eq!(printed(&request).unwrap(), "The node ejabberd@host is started: 23.01~ 7\n");
    }

    #[test]
    fn characters_are_taken_as_they_are() {
        let nested = list(&[text("ab"), list(&[Term::Integer(0x263a), text("c")])]);
        assert_eq!(printed(&list(&[atom("unicode"), nested])).unwrap(), "ab☺c");
    }

    #[test]
    fn what_would_be_badarg_is_no_text() {
        let short = list(&[text("~p ~p"), list(&[atom("one")])]);
        assert_eq!(printed(&list(&[atom("latin1"), atom("io_lib"), atom("format"), short])), None);
        assert_eq!(printed(&list(&[atom("unicode"), atom("other"), atom("format"), list(&[])])), None);
    }
}
