//! Expressions: operators, concatenations, ranges, sets, maps and literals.

use super::super::ast::{BinaryOp, Expr, ExprKind, Name};
use super::super::lexer::Kind;
use super::define::at;
use super::{Parsed, Parser};

/// What may stand where an expression is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Left side of a match: something that is asked of the packet.
    Left,
    /// Right side of a match or element of a set: a value. Words are values, unless they can only be a question.
    Right,
    /// Value of `set` or `to`: as `Right`, but `mark` means `meta mark`, and there may be a map.
    Value,
}

impl<'a> Parser<'a> {
    /// Left side of a match, `typeof` and the like.
    pub(super) fn left_side(&mut self) -> Parsed<Expr> {
        self.concat(Mode::Left)
    }

    /// Right side of a match: set, name of a set, list of flags, or value.
    pub(super) fn right_side(&mut self) -> Parsed<Expr> {
        let pos = self.pos();
        if self.is("{") || self.is_set_name() {
            return self.set_or_name();
        }
        let first = self.concat(Mode::Right)?;
        let first = self.listed(first, Mode::Right)?;
        if !self.accept("/") {
            return Ok(first);
        }
        let mask = self.concat(Mode::Right)?;
        let mask = self.listed(mask, Mode::Right)?;
        Ok(at(pos, ExprKind::Masked { value: Box::new(first), mask: Box::new(mask) }))
    }

    /// Value that is set or that an address is taken from.
    pub(super) fn value(&mut self) -> Parsed<Expr> {
        let pos = self.pos();
        let first = self.concat(Mode::Value)?;
        if self.accept_word("map") {
            let map = self.nested(Self::set_or_name)?;
            return Ok(at(pos, ExprKind::Map { key: Box::new(first), map: Box::new(map) }));
        }
        self.listed(first, Mode::Value)
    }

    /// `{ … }`, `@name` or a variable that holds a set.
    pub(super) fn set_or_name(&mut self) -> Parsed<Expr> {
        let pos = self.pos();
        if self.is("{") {
            return Ok(at(pos, ExprKind::Set(self.nested(Self::elements)?)));
        }
        if self.accept("@") {
            return Ok(at(pos, ExprKind::SetRef(self.name("the name of a set or map")?)));
        }
        if self.is("$") {
            return self.variable();
        }
        Err(self.unexpected("`{` or `@` and the name of a set or map"))
    }

    fn is_set_name(&self) -> bool {
        self.is("@") && !self.is_raw_payload()
    }

    /// `, b, c` after a first value.
    fn listed(&mut self, first: Expr, mode: Mode) -> Parsed<Expr> {
        if !self.is(",") {
            return Ok(first);
        }
        let pos = first.pos;
        let mut list = vec![first];
        while self.accept(",") {
            list.push(self.binary(mode, 1)?);
        }
        Ok(at(pos, ExprKind::List(list)))
    }

    /// `a . b . c`.
    pub(super) fn concat(&mut self, mode: Mode) -> Parsed<Expr> {
        let first = self.component(mode)?;
        if !self.is(".") {
            return Ok(first);
        }
        let pos = first.pos;
        let mut list = vec![first];
        while self.accept(".") {
            list.push(self.component(mode)?);
        }
        Ok(at(pos, ExprKind::Concat(list)))
    }

    /// A value, range or prefix.
    fn component(&mut self, mode: Mode) -> Parsed<Expr> {
        let first = self.binary(mode, 1)?;
        let pos = first.pos;
        if mode != Mode::Left && self.accept("-") {
            let last = self.binary(Mode::Right, 1)?;
            return Ok(at(pos, ExprKind::Range(Box::new(first), Box::new(last))));
        }
        if mode != Mode::Left && self.is("/") && matches!(self.token_at(1).kind, Kind::Number(_)) {
            self.bump();
            let length = self.number("the length of a prefix")?;
            return Ok(at(pos, ExprKind::Prefix(Box::new(first), length)));
        }
        Ok(first)
    }

    /// Operators bind as in nft: shifts, then `&`, `^`, `|`.
    fn binary(&mut self, mode: Mode, least: u8) -> Parsed<Expr> {
        let depth = self.depth;
        let mut left = self.operand(mode)?;
        while let Some((op, strength)) = self.operator().filter(|(_, strength)| *strength >= least) {
            self.deeper()?;
            self.bump();
            // What follows an operator is a value, even on the left side: `tcp flags & syn`.
            let right_mode = if mode == Mode::Left { Mode::Right } else { mode };
            let right = self.binary(right_mode, strength + 1)?;
            left = at(left.pos, ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) });
        }
        self.depth = depth;
        Ok(left)
    }

    fn operator(&self) -> Option<(BinaryOp, u8)> {
        let (Kind::Punct(text) | Kind::Word(text)) = self.peek() else { return None };
        Some(match text {
            "|" | "or" => (BinaryOp::Or, 1),
            "^" | "xor" => (BinaryOp::Xor, 2),
            "&" | "and" => (BinaryOp::And, 3),
            "<<" | "lshift" => (BinaryOp::ShiftLeft, 4),
            ">>" | "rshift" => (BinaryOp::ShiftRight, 4),
            _ => return None,
        })
    }

    fn operand(&mut self, mode: Mode) -> Parsed<Expr> {
        let pos = self.pos();
        if self.accept("(") {
            let inner = self.nested(|parser| {
                let inner = parser.concat(mode)?;
                parser.listed(inner, mode)
            })?;
            self.expect(")")?;
            return Ok(at(pos, ExprKind::Group(Box::new(inner))));
        }
        if let Some(kind) = self.question(mode)? {
            return Ok(at(pos, kind));
        }
        if mode == Mode::Left {
            return self.left_literal();
        }
        self.literal()
    }

    /// The left side may be a constant in the grammar, but only where no word is meant to be a question.
    fn left_literal(&mut self) -> Parsed<Expr> {
        match self.peek() {
            Kind::Word(word) => Err(self.not_a_question(word)),
            Kind::Number(_) | Kind::Text(_) | Kind::Punct("$") => self.literal(),
            _ => Err(self.unexpected("a match or a statement")),
        }
    }

    /// A constant.
    pub(super) fn literal(&mut self) -> Parsed<Expr> {
        let pos = self.pos();
        let kind = match self.peek() {
            Kind::Word("meta") => return Err(self.not_a_question("meta")),
            Kind::Word(text) => ExprKind::Symbol(text.to_owned()),
            Kind::WordPrefix(text) => ExprKind::SymbolPrefix(text.to_owned()),
            Kind::Text(text) => ExprKind::Text(text.to_owned()),
            Kind::Number(text) => ExprKind::Number(text.to_owned()),
            Kind::Time(text) => ExprKind::Time(text.to_owned()),
            Kind::Ipv4(address, text) => ExprKind::Ipv4(address, text.to_owned()),
            Kind::Ipv6(address, text) => ExprKind::Ipv6(address, text.to_owned()),
            Kind::Mac(address, text) => ExprKind::Mac(address, text.to_owned()),
            Kind::Punct("$") => return self.variable(),
            Kind::Punct("[") => return self.bracketed(),
            _ => return Err(self.unexpected("a value")),
        };
        self.bump();
        Ok(at(pos, kind))
    }

    /// `[fe80::1]`.
    fn bracketed(&mut self) -> Parsed<Expr> {
        let pos = self.bump().pos;
        let Kind::Ipv6(address, text) = self.peek() else { return Err(self.unexpected("an IPv6 address")) };
        self.bump();
        self.expect("]")?;
        Ok(at(pos, ExprKind::Ipv6(address, text.to_owned())))
    }

    fn not_a_question(&self, word: &str) -> super::RuleError {
        let next = self.word_at(1).map_or_else(|| "something else".to_owned(), |next| format!("`{next}`"));
        let expected = |what: &str, known: &[&str]| {
            let message = format!("expected {what} after `{word}` ({}), found {next}", super::one_of(known));
            self.error_at(self.token_at(1).pos, message)
        };
        match word {
            "meta" => expected("a key", super::words::META),
            "ct" => expected("a key", super::words::CT),
            _ => match super::words::fields(word).or_else(|| super::words::extension_fields(word)) {
                Some(known) => expected("a field", known),
                None => self.unexpected("a match or a statement"),
            },
        }
    }

    /// A name in a place of its own, for fields and keys.
    pub(super) fn here(&mut self) -> Name {
        let text = match self.peek() {
            Kind::Word(text) | Kind::Number(text) | Kind::Text(text) => text.to_owned(),
            _ => String::new(),
        };
        Name { pos: self.bump().pos, text }
    }
}
