//! Text of an nftables script in, tokens with their places out. Follows nft's `scanner.l`: words may hold `/`, `-` and `.`
//! (`kbytes/second`, `port-unreachable`, `eth0.100`), so operators between words need blanks around them.

use super::super::error::RuleError;
use super::ast::Pos;
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind<'a> {
    /// Bare word, or `1:10` (tc class).
    Word(&'a str),
    /// Bare word with a `*` at its end, which is taken off.
    WordPrefix(&'a str),
    /// Text in quotes, or a bare word with `\*`.
    Text(&'a str),
    /// Digits, or `0x` and hexadecimal digits.
    Number(&'a str),
    /// `1h30m`.
    Time(&'a str),
    /// Address and its text.
    Ipv4(Ipv4Addr, &'a str),
    /// Address and its text.
    Ipv6(Ipv6Addr, &'a str),
    /// Address and its text.
    Mac([u8; 6], &'a str),
    /// Operator or bracket.
    Punct(&'static str),
    /// `# Warning: table … is managed by …`.
    Notice(&'a str),
    /// End of a line.
    Newline,
    /// End of the script.
    End,
}

/// A token where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    /// Where it begins.
    pub pos: Pos,
    /// What it is.
    pub kind: Kind<'a>,
}

/// A script cut into tokens.
pub(super) struct Tokens<'a> {
    /// In order; the last one is [`Kind::End`].
    pub list: Vec<Token<'a>>,
    /// `# handle N` at the end of a line, by line.
    pub handles: HashMap<u32, u64>,
}

/// Longer ones first.
const PUNCTUATION: [&str; 26] = [
    "==", "!=", "<=", ">=", "<<", ">>", "{", "}", "(", ")", "[", "]", ",", ";", ":", ".", "+", "-", "&", "|", "^", "!",
    "<", ">", "=", "/",
];

/// Cuts a script into tokens.
pub(super) fn tokens<'a>(text: &'a str, file: &Arc<str>) -> Result<Tokens<'a>, RuleError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let start = Pos { line: 1, column: 1 };
    let mut lexer = Lexer { rest: text, pos: start, shell: false, line_start: true, handles: HashMap::new(), file };
    let mut list = Vec::new();
    loop {
        let token = lexer.next()?;
        lexer.line_start = token.kind == Kind::Newline;
        list.push(token);
        if token.kind == Kind::End {
            return Ok(Tokens { list, handles: lexer.handles });
        }
    }
}

struct Lexer<'a, 'f> {
    rest: &'a str,
    pos: Pos,
    /// Within a line of a shell script, `nft add rule …`: its quoting is taken off.
    shell: bool,
    line_start: bool,
    handles: HashMap<u32, u64>,
    file: &'f Arc<str>,
}

impl<'a> Lexer<'a, '_> {
    fn next(&mut self) -> Result<Token<'a>, RuleError> {
        self.skip_blanks();
        let pos = self.pos;
        let Some(first) = self.rest.chars().next() else { return Ok(Token { pos, kind: Kind::End }) };
        let kind = match first {
            '\n' => {
                self.take(1);
                self.shell = false;
                Kind::Newline
            }
            '#' => return Ok(self.comment()),
            '"' => self.text()?,
            '*' => self.punct("*"),
            '@' => self.punct("@"),
            '$' => self.punct("$"),
            _ if first.is_ascii_digit() => match self.address()? {
                Some(kind) => kind,
                None => self.number(),
            },
            ':' | 'a'..='z' | 'A'..='Z' | '_' => match self.address()? {
                Some(kind) => kind,
                None if first == ':' => self.punct(":"),
                None => self.word(),
            },
            _ => self.operator()?,
        };
        if self.line_start && matches!(kind, Kind::Word("nft")) {
            self.shell = true;
        }
        Ok(Token { pos, kind })
    }

    /// Goes over `length` bytes, which end at a character's border.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        for character in taken.chars() {
            if character == '\n' {
                self.pos = Pos { line: self.pos.line.saturating_add(1), column: 1 };
            } else {
                self.pos.column = self.pos.column.saturating_add(1);
            }
        }
        self.rest = rest;
        taken
    }

    fn punct(&mut self, text: &'static str) -> Kind<'a> {
        self.take(text.len());
        Kind::Punct(text)
    }

    fn skip_blanks(&mut self) {
        loop {
            let blanks = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r']).len();
            self.take(blanks);
            let continued = ["\\\n", "\\\r\n"].into_iter().find(|end| self.rest.starts_with(end));
            let quoting = self.shell && (self.rest.starts_with('\'') || self.rest.starts_with('\\'));
            match continued {
                Some(end) => self.take(end.len()),
                None if quoting => self.take(1),
                None => return,
            };
        }
    }

    fn comment(&mut self) -> Token<'a> {
        let pos = self.pos;
        let (line_start, line) = (self.line_start, pos.line);
        let length = self.rest.find('\n').unwrap_or(self.rest.len());
        let text = self.take(length).trim_end();
        if let Some(handle) = text.strip_prefix("# handle ").and_then(|handle| handle.parse().ok()) {
            self.handles.insert(line, handle);
        }
        if line_start && text.starts_with("# Warning: table ") {
            return Token { pos, kind: Kind::Notice(text) };
        }
        match self.rest.is_empty() {
            true => Token { pos: self.pos, kind: Kind::End },
            false => {
                let pos = self.pos;
                self.take(1);
                self.shell = false;
                Token { pos, kind: Kind::Newline }
            }
        }
    }

    fn text(&mut self) -> Result<Kind<'a>, RuleError> {
        let end = self.rest.get(1..).and_then(|inner| inner.find('"'));
        let inner = end.and_then(|end| self.rest.get(1..end + 1));
        let Some(inner) = inner.filter(|inner| !inner.contains('\n')) else {
            return Err(self.error("this text is not closed: expected `\"` on the same line"));
        };
        self.take(inner.len() + 2);
        Ok(Kind::Text(inner))
    }

    fn number(&mut self) -> Kind<'a> {
        // The only words that begin with a digit: types of VLAN frames.
        if let Some(word) = ["8021ad", "8021q"].into_iter().find(|word| self.rest.starts_with(word)) {
            return Kind::Word(self.take(word.len()));
        }
        let bytes = self.rest.as_bytes();
        if matches!(bytes, [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit()) {
            let digits = bytes.iter().skip(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
            return Kind::Number(self.take(digits + 2));
        }
        match time_length(self.rest) {
            0 => {
                let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
                Kind::Number(self.take(digits))
            }
            length => Kind::Time(self.take(length)),
        }
    }

    fn word(&mut self) -> Kind<'a> {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(byte);
        let length = self.rest.bytes().take_while(is_word).count();
        let after = self.rest.get(length..).unwrap_or("");
        if after.starts_with("\\*") {
            return Kind::Text(self.take(length + 2));
        }
        if after.starts_with('*') {
            let word = self.take(length);
            self.take(1);
            return Kind::WordPrefix(word);
        }
        Kind::Word(self.take(length))
    }

    fn operator(&mut self) -> Result<Kind<'a>, RuleError> {
        match PUNCTUATION.into_iter().find(|text| self.rest.starts_with(text)) {
            Some(text) => Ok(self.punct(text)),
            None => {
                let found = self.rest.chars().next().unwrap_or(' ');
                Err(self.error(format!("expected a word, a number or an operator, found {found:?}")))
            }
        }
    }

    /// An address or tc class, if one stands here: the longest one.
    fn address(&mut self) -> Result<Option<Kind<'a>>, RuleError> {
        /// More than the longest address has: bounds the tries.
        const LONGEST: usize = 46;
        let is_address = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
        let run = self.rest.bytes().take_while(is_address).take(LONGEST).count();
        let run = self.rest.get(..run).unwrap_or("");
        if !run.contains(':') && run.matches('.').count() < 3 {
            return Ok(None);
        }
        for length in (2..=run.len()).rev() {
            let Some(text) = run.get(..length) else { continue };
            if self.rest.as_bytes().get(length).is_some_and(u8::is_ascii_alphanumeric) {
                continue;
            }
            let kind = if let Some(mac) = mac(text) {
                Kind::Mac(mac, text)
            } else if let Ok(v6) = text.parse() {
                Kind::Ipv6(v6, text)
            } else if let Ok(v4) = text.parse() {
                Kind::Ipv4(v4, text)
            } else if is_class(text, self.rest.as_bytes().get(length)) {
                Kind::Word(text)
            } else {
                continue;
            };
            self.take(length);
            return Ok(Some(kind));
        }
        let quad = run.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match quad && run.matches('.').count() == 3 {
            true => Err(self.error(format!("`{run}` is not an IPv4 address: expected four numbers up to 255"))),
            false => Ok(None),
        }
    }

    fn error(&self, message: impl Into<String>) -> RuleError {
        RuleError::new(self.pos.place(self.file), message)
    }
}

/// Bytes of a time like `1d2h3m4s5ms` that the text begins with: units in this order, at least one.
fn time_length(text: &str) -> usize {
    let mut length = 0;
    for unit in ["d", "h", "m", "s", "ms"] {
        let rest = text.get(length..).unwrap_or("");
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let after = rest.get(digits..).unwrap_or("");
        let minutes_of_ms = unit == "m" && after.starts_with("ms");
        if digits > 0 && after.starts_with(unit) && !minutes_of_ms {
            length += digits + unit.len();
        }
    }
    // `1day` or `5minutes` are no times but a number and a word.
    let next = text.as_bytes().get(length);
    if next.is_some_and(|byte| byte.is_ascii_alphabetic()) { 0 } else { length }
}

/// `00:11:22:33:44:55`.
fn mac(text: &str) -> Option<[u8; 6]> {
    let mut address = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut address {
        let part = parts.next().filter(|part| (1..=2).contains(&part.len()))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(address)
}

/// `1:10`, if what follows cannot go on with it.
fn is_class(text: &str, next: Option<&u8>) -> bool {
    let part = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let ends = next.is_none_or(|byte| b" \t\r\n:-},;)/".contains(byte));
    ends && text.split_once(':').is_some_and(|(major, minor)| part(major) && part(minor))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind<'_>> {
        tokens(text, &Arc::from("t")).unwrap().list.iter().map(|token| token.kind).collect()
    }

    #[test]
    fn words_keep_slashes_and_dashes() {
        use Kind::{End, Number, Punct, Time, Word};
        assert_eq!(kinds("1 kbytes/second"), [Number("1"), Word("kbytes/second"), End]);
        assert_eq!(kinds("10/minute"), [Number("10"), Punct("/"), Word("minute"), End]);
        assert_eq!(
            kinds("1h30m 5ms 10m 5minutes"),
            [Time("1h30m"), Time("5ms"), Time("10m"), Number("5"), Word("minutes"), End]
        );
    }

    #[test]
    fn addresses_are_the_longest_that_fit() {
        let v4 = |text: &'static str| Kind::Ipv4(text.parse().unwrap(), text);
        let v6 = |text: &'static str| Kind::Ipv6(text.parse().unwrap(), text);
        let (colon, end) = (Kind::Punct(":"), Kind::End);
        assert_eq!(kinds("10.0.0.1:80"), [v4("10.0.0.1"), colon, Kind::Number("80"), end]);
        assert_eq!(kinds("10.0.0.1:dccp"), [v4("10.0.0.1"), colon, Kind::Word("dccp"), end]);
        assert_eq!(kinds("::ffff:10.0.0.1"), [v6("::ffff:10.0.0.1"), end]);
        assert_eq!(kinds("::/0"), [v6("::"), Kind::Punct("/"), Kind::Number("0"), end]);
        assert_eq!(kinds("1:10,"), [Kind::Word("1:10"), Kind::Punct(","), end]);
        assert_eq!(kinds("22:accept"), [Kind::Number("22"), colon, Kind::Word("accept"), end]);
        assert_eq!(kinds("0:1:2:3:4:f"), [Kind::Mac([0, 1, 2, 3, 4, 15], "0:1:2:3:4:f"), end]);
        assert!(tokens("10.0.0.256", &Arc::from("t")).is_err());
    }

    #[test]
    fn handles_are_found_by_line() {
        let found = tokens("a # handle 7\nb # handles\n", &Arc::from("t")).unwrap();
        assert_eq!(found.handles, HashMap::from([(1, 7)]));
    }
}
