//! Values that are written out in source: tokens in, terms out; nothing where a variable or a call stands among them.

use super::{atom_token, category, symbol};
use crate::protocol::erldist::term::Term;

/// Nesting of values.
const MAX_DEPTH: usize = 64;

/// Reads values that are written out.
pub(super) struct Values<'a> {
    tokens: &'a [Term],
}

impl<'a> Values<'a> {
    /// Reads from the first token on.
    pub(super) fn of(tokens: &'a [Term]) -> Self {
        Self { tokens }
    }

    fn take(&mut self) -> Option<&Term> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn peek(&self) -> &str {
        self.tokens.first().map(category).unwrap_or_default()
    }

    /// Values and commas up to a closing bracket, which is taken too.
    pub(super) fn until(&mut self, close: &str, depth: usize) -> Option<Vec<Term>> {
        let mut values = Vec::new();
        if self.peek() == close {
            self.take()?;
            return Some(values);
        }
        loop {
            values.push(self.value(depth)?);
            match category(self.take()?) {
                "," => {}
                end if end == close => return Some(values),
                _ => return None,
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Term> {
        if depth > MAX_DEPTH {
            return None;
        }
        let token = self.take()?;
        match category(token) {
            "atom" | "integer" | "float" | "char" => symbol(token).cloned(),
            "string" => {
                let text = symbol(token).cloned()?;
                // Texts side by side are one.
                (self.peek() != "string").then_some(text)
            }
            "[" => Some(Term::List(self.until("]", depth + 1)?, None)),
            "{" => Some(Term::Tuple(self.until("}", depth + 1)?)),
            "<<" => self.binary(),
            _ => None,
        }
    }

    /// `<<"text">>`, also with a type.
    fn binary(&mut self) -> Option<Term> {
        let bytes = match category(self.tokens.first()?) {
            "string" => symbol(self.take()?)?.text()?.into_bytes(),
            _ => Vec::new(),
        };
        if self.peek() == "/" {
            self.take()?;
            atom_token(self.take()?)?;
        }
        (category(self.take()?) == ">>").then(|| Term::Binary { bytes: bytes.into(), bits: 8 })
    }
}
