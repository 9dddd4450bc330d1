//! JSON text in (RFC 8259), a tree of values out. Unlike serde_json it keeps what this reader needs: where in the file a
//! value stands, and the order of an object's members (nft merges the statements of an element into one object, and they
//! run in that order). Depth is bounded; time and memory are linear.

use super::super::ast::Pos;
use super::{Fault, Read};

/// Lists and objects within each other. What nft prints of rules that people write has about a dozen.
const DEEPEST: u32 = 64;

/// A value where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) pos: Pos,
    pub(super) value: Value,
}

/// A value.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// Reads a document.
pub(super) fn document(text: &str) -> Read<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { rest: text, pos: Pos { line: 1, column: 1 }, depth: 0 };
    let root = reader.node()?;
    reader.skip_blanks();
    match reader.rest.is_empty() {
        true => Ok(root),
        false => Err(reader.expected("the end of the file")),
    }
}

struct Reader<'a> {
    rest: &'a str,
    pos: Pos,
    depth: u32,
}

impl Reader<'_> {
    fn node(&mut self) -> Read<Node> {
        self.skip_blanks();
        let pos = self.pos;
        let value = match self.peek() {
            Some('{') => self.nested(Self::object)?,
            Some('[') => self.nested(Self::list)?,
            Some('"') => Value::Text(self.text()?),
            Some('-' | '0'..='9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Node { pos, value })
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let next = rest.next()?;
        self.rest = rest.as_str();
        self.pos = match next {
            '\n' => Pos { line: self.pos.line.saturating_add(1), column: 1 },
            _ => Pos { column: self.pos.column.saturating_add(1), ..self.pos },
        };
        Some(next)
    }

    fn accept(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let is = self.peek() == Some(wanted);
        if is {
            self.bump();
        }
        is
    }

    fn expect(&mut self, wanted: char) -> Read<()> {
        if self.accept(wanted) { Ok(()) } else { Err(self.expected(&format!("`{wanted}`"))) }
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.bump();
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Read<Value>) -> Read<Value> {
        if self.depth >= DEEPEST {
            let message = format!("too deep: more than {DEEPEST} lists and objects within each other");
            return Err(Fault { pos: self.pos, message });
        }
        self.depth = self.depth.saturating_add(1);
        let value = read(self);
        self.depth = self.depth.saturating_sub(1);
        value
    }

    fn object(&mut self) -> Read<Value> {
        self.expect('{')?;
        let mut members = Vec::new();
        if self.accept('}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_blanks();
            if self.peek() != Some('"') {
                return Err(self.expected("a member's name in quotes"));
            }
            let name = self.text()?;
            self.expect(':')?;
            members.push((name, self.node()?));
            if !self.accept(',') {
                self.expect('}')?;
                return Ok(Value::Object(members));
            }
        }
    }

    fn list(&mut self) -> Read<Value> {
        self.expect('[')?;
        let mut list = Vec::new();
        if self.accept(']') {
            return Ok(Value::List(list));
        }
        loop {
            list.push(self.node()?);
            if !self.accept(',') {
                self.expect(']')?;
                return Ok(Value::List(list));
            }
        }
    }

    fn text(&mut self) -> Read<String> {
        let begin = self.pos;
        self.bump();
        let mut text = String::new();
        loop {
            match self.bump() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(letter) if letter >= ' ' => text.push(letter),
                _ => return Err(Fault { pos: begin, message: "this text is not closed: expected `\"`".to_owned() }),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let pos = self.pos;
        let letter = match self.bump() {
            Some(letter @ ('"' | '\\' | '/')) => Some(letter),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('u') => self.unicode(),
            _ => None,
        };
        letter.ok_or_else(|| Fault { pos, message: "expected an escape of JSON like `\\n` or `\\u00e4`".to_owned() })
    }

    /// Four hexadecimal digits, or twice four: a pair of surrogates.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        let escaped = self.bump() == Some('\\') && self.bump() == Some('u');
        let second = if escaped { self.hex()? } else { return None };
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((first & 0x3ff) << 10) + low)
    }

    fn hex(&mut self) -> Option<u32> {
        let mut number = 0;
        for _ in 0..4 {
            number = number << 4 | self.bump()?.to_digit(16)?;
        }
        Some(number)
    }

    fn number(&mut self) -> Read<Value> {
        let length = self.rest.bytes().take_while(|byte| b"+-.eE0123456789".contains(byte)).count();
        let digits = self.rest.get(..length).unwrap_or("").to_owned();
        let whole = digits.strip_prefix('-').unwrap_or(&digits);
        if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.expected("a whole number"));
        }
        for _ in digits.chars() {
            self.bump();
        }
        Ok(Value::Number(digits))
    }

    fn word(&mut self) -> Read<Value> {
        let words = [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))];
        for (word, value) in words {
            if self.rest.starts_with(word) {
                for _ in word.chars() {
                    self.bump();
                }
                return Ok(value);
            }
        }
        Err(self.expected("a value of JSON"))
    }

    fn expected(&self, what: &str) -> Fault {
        let found = self.peek().map_or_else(|| "the end of the file".to_owned(), |found| format!("`{found}`"));
        Fault { pos: self.pos, message: format!("expected {what}, found {found}") }
    }
}
