//! Elements: `{ 10.0.0.1 timeout 10s counter : accept, … }`.

use super::super::ast::{Element, Expr, ExprKind, Stmt};
use super::define::{at, flattened};
use super::expr::Mode;
use super::{Parsed, Parser};

impl Parser<'_> {
    /// Elements in braces, over any number of lines.
    pub(super) fn elements(&mut self) -> Parsed<Vec<Element>> {
        self.expect("{")?;
        let mut elements = Vec::new();
        loop {
            self.skip_newlines();
            if self.accept("}") {
                return Ok(flattened(elements));
            }
            elements.push(self.element(Mode::Right)?);
            self.skip_newlines();
            if !self.accept(",") && !self.is("}") {
                return Err(self.unexpected("`,` or `}` after an element"));
            }
        }
    }

    /// The one element of `add @set { … }` or a meter: its key is asked of the packet.
    pub(super) fn dynamic_element(&mut self) -> Parsed<Element> {
        self.expect("{")?;
        self.skip_newlines();
        let element = self.dynamic_key()?;
        self.skip_newlines();
        self.expect("}")?;
        Ok(element)
    }

    /// The same without braces.
    pub(super) fn dynamic_key(&mut self) -> Parsed<Element> {
        self.element(Mode::Value)
    }

    fn element(&mut self, mode: Mode) -> Parsed<Element> {
        let pos = self.pos();
        let key = self.element_key(mode)?;
        let mut element =
            Element { pos, key, timeout: None, expires: None, comment: None, statements: Vec::new(), data: None };
        while self.element_option(&mut element)? {}
        if self.accept(":") {
            self.skip_newlines();
            element.data = Some(self.element_data(mode)?);
            while self.element_option(&mut element)? {}
        }
        Ok(element)
    }

    fn element_key(&mut self, mode: Mode) -> Parsed<Expr> {
        let pos = self.pos();
        if self.accept("*") {
            return Ok(at(pos, ExprKind::Wildcard));
        }
        if self.is("{") {
            return self.set_or_name();
        }
        self.concat(mode)
    }

    fn element_data(&mut self, mode: Mode) -> Parsed<Expr> {
        let pos = self.pos();
        if let Some(verdict) = self.verdict()? {
            return Ok(at(pos, ExprKind::Verdict(verdict)));
        }
        self.concat(mode)
    }

    /// `timeout`, `expires`, `comment` or a statement, if one stands here.
    fn element_option(&mut self, element: &mut Element) -> Parsed<bool> {
        if self.accept_word("timeout") {
            element.timeout = Some(self.time("a time like `10s`")?);
        } else if self.accept_word("expires") {
            element.expires = Some(self.time("a time like `10s`")?);
        } else if self.accept_word("comment") {
            element.comment = Some(self.text("a comment in quotes")?);
        } else if let Some(statement) = self.stateful()? {
            element.statements.push(statement);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// A statement that a set may keep for each element, if one stands here.
    pub(super) fn stateful(&mut self) -> Parsed<Option<Stmt>> {
        let pos = self.pos();
        let kind = match self.word() {
            Some("counter") => self.counter()?,
            Some("limit") => self.limit()?,
            Some("quota") => self.quota()?,
            Some("last") => self.last()?,
            Some("ct") if self.word_at(1) == Some("count") => self.ct_count()?,
            _ => return Ok(None),
        };
        Ok(Some(Stmt { pos, kind }))
    }
}
