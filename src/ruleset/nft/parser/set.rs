//! Blocks of sets, maps and meters.

use super::super::ast::{DataType, ExprKind, KeyType, Name, Set};
use super::super::lexer::Kind;
use super::{Parsed, Parser};

impl Parser<'_> {
    /// `set NAME { … }`.
    pub(super) fn set(&mut self) -> Parsed<Set> {
        let mut set = self.set_head()?;
        set.name = self.name("the name of a set or map")?;
        self.set_body(&mut set)?;
        Ok(set)
    }

    /// The word `set`, `map` or `meter`; the name is still to come.
    pub(super) fn set_head(&mut self) -> Parsed<Set> {
        let pos = self.pos();
        let word = self.expect_any(&["set", "map", "meter"])?;
        Ok(Set {
            pos,
            name: Name { pos, text: String::new() },
            handle: None,
            map: word.text == "map",
            meter: word.text == "meter",
            key: None,
            data: None,
            flags: Vec::new(),
            timeout: None,
            gc_interval: None,
            size: None,
            policy: None,
            auto_merge: false,
            comment: None,
            statements: Vec::new(),
            elements: Vec::new(),
        })
    }

    /// The block, which follows the name.
    pub(super) fn set_body(&mut self, set: &mut Set) -> Parsed<()> {
        set.handle = self.handle(self.pos().line);
        self.expect("{")?;
        self.scoped(|parser| {
            loop {
                parser.skip_separators();
                if parser.accept("}") {
                    return Ok(());
                }
                if !parser.define()? {
                    parser.set_part(set)?;
                }
                parser.end_of_statement("the end of the line or `;`")?;
            }
        })?;
        match set.key {
            Some(_) => Ok(()),
            None => Err(self.error_at(set.name.pos, "expected `type` or `typeof` in the block of this set")),
        }
    }

    fn set_part(&mut self, set: &mut Set) -> Parsed<()> {
        while let Some(statement) = self.stateful()? {
            set.statements.push(statement);
            if self.at_end() {
                return Ok(());
            }
        }
        let word = self.word().unwrap_or("");
        match word {
            "type" | "typeof" | "flags" | "timeout" | "gc-interval" | "size" | "policy" | "auto-merge" | "comment"
            | "elements" => self.bump(),
            _ => return Err(self.unexpected("a property of a set like `type`, `flags` or `elements`, or `}`")),
        };
        match word {
            "type" => (set.key, set.data) = self.types()?,
            "typeof" => (set.key, set.data) = self.types_of()?,
            "flags" => set.flags = self.words("a flag like `interval`")?,
            "timeout" => set.timeout = Some(self.time("a time like `10s`")?),
            "gc-interval" => set.gc_interval = Some(self.time("a time like `10s`")?),
            "size" => set.size = Some(self.number("a number of elements")?),
            "policy" => set.policy = Some(self.expect_any(&["performance", "memory"])?),
            "auto-merge" => set.auto_merge = true,
            "comment" => set.comment = Some(self.text("a comment in quotes")?),
            _ => {
                self.expect("=")?;
                let elements = self.nested(Self::set_or_name)?;
                let ExprKind::Set(elements) = elements.kind else {
                    return Err(self.error_at(elements.pos, "expected elements in `{ }`"));
                };
                set.elements.extend(elements);
            }
        }
        Ok(())
    }

    fn types(&mut self) -> Parsed<(Option<KeyType>, Option<DataType>)> {
        let key = KeyType::Type(self.type_names()?);
        if !self.accept(":") {
            return Ok((Some(key), None));
        }
        if let Some(data) = self.simple_data() {
            return Ok((Some(key), Some(data)));
        }
        let interval = self.accept_word("interval");
        Ok((Some(key), Some(DataType::Type { interval, types: self.type_names()? })))
    }

    fn types_of(&mut self) -> Parsed<(Option<KeyType>, Option<DataType>)> {
        let key = KeyType::TypeOf(self.left_side()?);
        if !self.accept(":") {
            return Ok((Some(key), None));
        }
        if let Some(data) = self.simple_data() {
            return Ok((Some(key), Some(data)));
        }
        let interval = self.accept_word("interval");
        Ok((Some(key), Some(DataType::TypeOf { interval, of: self.left_side()? })))
    }

    /// `ipv4_addr . inet_service`.
    fn type_names(&mut self) -> Parsed<Vec<Name>> {
        let mut types = vec![self.name("the name of a type like `ipv4_addr`")?];
        while self.accept(".") {
            types.push(self.name("the name of a type like `ipv4_addr`")?);
        }
        Ok(types)
    }

    /// `verdict` or a kind of objects, if one stands here alone.
    fn simple_data(&mut self) -> Option<DataType> {
        if self.accept_word("verdict") {
            return Some(DataType::Verdict);
        }
        let ends = |parser: &Self, ahead| {
            matches!(parser.token_at(ahead).kind, Kind::Newline | Kind::End | Kind::Punct(";" | "}"))
        };
        let two_words = self.word() == Some("ct") && ends(self, 2);
        let kind = if two_words || ends(self, 1) { self.object_kind() } else { None };
        kind.map(DataType::Object)
    }
}
