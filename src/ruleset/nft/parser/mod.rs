//! Tokens of a script in, its syntax tree out: recursive descent after nft's grammar (`parser_bison.y` of 1.0.6, and what
//! later versions list). Time and memory are linear in the text, depth is bounded, and the first error ends it.
//!
//! Defines are expanded while reading, as nft does: a name stands for what it was when the line is read, so there are no
//! cycles. What all expansions give together is bounded.

mod action;
mod block;
mod command;
mod define;
mod element;
mod expr;
mod object;
mod packet;
mod set;
mod stmt;
mod thing;
mod words;

use super::super::error::RuleError;
use super::super::model::Family;
use super::ast::{Name, Pos, Script};
use super::lexer::{self, Kind, Token};
use define::Defines;
use std::collections::HashMap;
use std::sync::Arc;
pub(super) use words::LISTED_BARE;

/// Brackets within brackets, operators in a row and the like. Rules that people write have a handful.
const DEEPEST: u32 = 32;

/// Reads a script.
pub fn parse_script(text: &str, file: &Arc<str>) -> Result<Script, RuleError> {
    parse(lexer::tokens(text, file)?, file)
}

/// Reads a script that stands at one place of another document: what is in it is all there.
pub(super) fn parse_at(text: &str, pos: Pos, file: &Arc<str>) -> Result<Script, RuleError> {
    let mut tokens = lexer::tokens(text, file)?;
    tokens.handles.clear();
    tokens.list.iter_mut().for_each(|token| token.pos = pos);
    parse(tokens, file)
}

fn parse(tokens: lexer::Tokens<'_>, file: &Arc<str>) -> Result<Script, RuleError> {
    let end = tokens.list.last().map_or(Pos::default(), |token| token.pos);
    let mut parser = Parser {
        tokens: tokens.list,
        handles: tokens.handles,
        end: Token { pos: end, kind: Kind::End },
        at: 0,
        depth: 0,
        defines: Defines::default(),
        file: Arc::clone(file),
    };
    parser.script()
}

/// Where reading stands.
struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    /// Handles of a listing, by line.
    handles: HashMap<u32, u64>,
    end: Token<'a>,
    at: usize,
    depth: u32,
    defines: Defines,
    file: Arc<str>,
}

type Parsed<T> = Result<T, RuleError>;

impl<'a> Parser<'a> {
    fn token_at(&self, ahead: usize) -> Token<'a> {
        self.at.checked_add(ahead).and_then(|at| self.tokens.get(at)).copied().unwrap_or(self.end)
    }

    fn peek(&self) -> Kind<'a> {
        self.token_at(0).kind
    }

    fn pos(&self) -> Pos {
        self.token_at(0).pos
    }

    fn bump(&mut self) -> Token<'a> {
        let token = self.token_at(0);
        self.at = self.at.saturating_add(1).min(self.tokens.len());
        token
    }

    /// The bare word that stands here.
    fn word(&self) -> Option<&'a str> {
        self.word_at(0)
    }

    fn word_at(&self, ahead: usize) -> Option<&'a str> {
        match self.token_at(ahead).kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn is(&self, punct: &str) -> bool {
        self.is_at(0, punct)
    }

    fn is_at(&self, ahead: usize, punct: &str) -> bool {
        matches!(self.token_at(ahead).kind, Kind::Punct(found) if found == punct)
    }

    fn accept(&mut self, punct: &str) -> bool {
        let is = self.is(punct);
        if is {
            self.bump();
        }
        is
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let is = self.word() == Some(word);
        if is {
            self.bump();
        }
        is
    }

    /// The word that stands here, if it is one of these.
    fn accept_any(&mut self, words: &[&str]) -> Option<Name> {
        let found = self.word().filter(|word| words.contains(word))?;
        let pos = self.bump().pos;
        Some(Name { pos, text: found.to_owned() })
    }

    fn expect(&mut self, punct: &str) -> Parsed<()> {
        if self.accept(punct) { Ok(()) } else { Err(self.unexpected(&format!("`{punct}`"))) }
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.accept_word(word) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    fn expect_any(&mut self, words: &[&str]) -> Parsed<Name> {
        self.accept_any(words).ok_or_else(|| self.unexpected(&one_of(words)))
    }

    /// A name: bare word, text in quotes, or a variable that holds one.
    fn name(&mut self, what: &str) -> Parsed<Name> {
        let pos = self.pos();
        let text = match self.peek() {
            Kind::Word(text) | Kind::Text(text) => text.to_owned(),
            Kind::Punct("$") => return self.variable_name(what),
            _ => return Err(self.unexpected(what)),
        };
        self.bump();
        Ok(Name { pos, text })
    }

    /// A name, or a number that stands for one.
    fn name_or_number(&mut self, what: &str) -> Parsed<Name> {
        match self.peek() {
            Kind::Number(text) => Ok(Name { pos: self.bump().pos, text: text.to_owned() }),
            _ => self.name(what),
        }
    }

    fn text(&mut self, what: &str) -> Parsed<String> {
        Ok(self.name(what)?.text)
    }

    /// A number no larger than its type holds.
    fn number<T: TryFrom<u64>>(&mut self, what: &str) -> Parsed<T> {
        let Kind::Number(text) = self.peek() else { return Err(self.unexpected(what)) };
        let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let value = hex.map_or_else(|| text.parse(), |hex| u64::from_str_radix(hex, 16));
        let value = value.ok().and_then(|value| T::try_from(value).ok());
        let value = value.ok_or_else(|| self.error(format!("`{text}` is too large: expected {what}")))?;
        self.bump();
        Ok(value)
    }

    /// A time in milliseconds; a bare number is seconds.
    fn time(&mut self, what: &str) -> Parsed<u64> {
        let millis = match self.peek() {
            Kind::Time(text) => words::millis(text),
            Kind::Number(text) => text.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1000)),
            _ => return Err(self.unexpected(what)),
        };
        let millis = millis.ok_or_else(|| self.error(format!("this time is too long: expected {what}")))?;
        self.bump();
        Ok(millis)
    }

    /// A family, if one stands here.
    fn family(&mut self) -> Option<Family> {
        let family = match self.word()? {
            "ip" => Family::Ip,
            "ip6" => Family::Ip6,
            "inet" => Family::Inet,
            "arp" => Family::Arp,
            "bridge" => Family::Bridge,
            "netdev" => Family::Netdev,
            _ => return None,
        };
        self.bump();
        Some(family)
    }

    fn skip_newlines(&mut self) {
        while matches!(self.peek(), Kind::Newline | Kind::Notice(_)) {
            self.bump();
        }
    }

    /// End of lines and semicolons, any number.
    fn skip_separators(&mut self) {
        while matches!(self.peek(), Kind::Newline | Kind::Punct(";") | Kind::Notice(_)) {
            self.bump();
        }
    }

    /// What stands here ends a statement of a block or script.
    fn at_end(&self) -> bool {
        matches!(self.peek(), Kind::Newline | Kind::End | Kind::Punct(";" | "}") | Kind::Notice(_))
    }

    /// A statement of a block or script has to end here.
    fn end_of_statement(&mut self, expected: &str) -> Parsed<()> {
        match self.at_end() {
            true => Ok(()),
            false => Err(self.unexpected(expected)),
        }
    }

    /// Reads something that may hold the like of itself.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.deeper()?;
        let result = read(self);
        self.depth = self.depth.saturating_sub(1);
        result
    }

    fn deeper(&mut self) -> Parsed<()> {
        if self.depth >= DEEPEST {
            return Err(self.error(format!("too deep: more than {DEEPEST} brackets or operators within each other")));
        }
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    /// Handle that a listing shows on a line.
    fn handle(&self, line: u32) -> Option<u64> {
        self.handles.get(&line).copied()
    }

    fn unexpected(&self, expected: &str) -> RuleError {
        self.error(format!("expected {expected}, found {}", found(self.peek())))
    }

    fn error(&self, message: impl Into<String>) -> RuleError {
        self.error_at(self.pos(), message)
    }

    fn error_at(&self, pos: Pos, message: impl Into<String>) -> RuleError {
        RuleError::new(pos.place(&self.file), message)
    }
}

/// A token in words for a message.
fn found(kind: Kind<'_>) -> String {
    match kind {
        Kind::Word(text) | Kind::Number(text) | Kind::Time(text) | Kind::Ipv4(_, text) => format!("`{text}`"),
        Kind::Ipv6(_, text) | Kind::Mac(_, text) => format!("`{text}`"),
        Kind::WordPrefix(text) => format!("`{text}*`"),
        Kind::Text(text) => format!("`\"{text}\"`"),
        Kind::Punct(text) => format!("`{text}`"),
        Kind::Notice(_) => "a comment".to_owned(),
        Kind::Newline => "the end of the line".to_owned(),
        Kind::End => "the end of the file".to_owned(),
    }
}

/// "`a`, `b` or `c`".
fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
