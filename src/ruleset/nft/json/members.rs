//! Members of an object, by the type that they must have.

use super::super::ast::{Name, Pos};
use super::document::{Node, Value};
use super::{Fault, Read};
use std::str::FromStr;

/// An object's members.
#[derive(Debug, Clone, Copy)]
pub(super) struct Members<'a> {
    pub(super) pos: Pos,
    pub(super) list: &'a [(String, Node)],
}

impl Node {
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { pos: self.pos, message: message.into() }
    }

    /// "expected …, found …".
    pub(super) fn unexpected(&self, expected: &str) -> Fault {
        let found = match &self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(digits) => digits.chars().take(24).collect(),
            Value::Text(text) => format!("{:?}", text.chars().take(48).collect::<String>()),
            Value::List(_) => "a list".to_owned(),
            Value::Object(members) => match members.first() {
                Some((name, _)) => format!("an object with {:?}", name.chars().take(48).collect::<String>()),
                None => "an empty object".to_owned(),
            },
        };
        self.fault(format!("expected {expected}, found {found}"))
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(super) fn members(&self, expected: &str) -> Read<Members<'_>> {
        match &self.value {
            Value::Object(list) => Ok(Members { pos: self.pos, list }),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// Name and value of the only member: how statements and expressions are told apart.
    pub(super) fn only_member(&self, expected: &str) -> Read<(&str, &Node)> {
        match &self.value {
            Value::Object(list) => match list.as_slice() {
                [(name, value)] => Ok((name, value)),
                _ => Err(self.fault(format!("expected {expected} with one member, found {}", list.len()))),
            },
            _ => Err(self.unexpected(expected)),
        }
    }

    pub(super) fn list(&self, expected: &str) -> Read<&[Node]> {
        match &self.value {
            Value::List(list) => Ok(list),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// A list, or the one thing that stands in place of a list of one.
    pub(super) fn one_or_more(&self) -> &[Node] {
        match &self.value {
            Value::List(list) => list,
            _ => std::slice::from_ref(self),
        }
    }

    /// Text that can stand between quotes in a script.
    pub(super) fn text(&self, expected: &str) -> Read<&str> {
        let Value::Text(text) = &self.value else { return Err(self.unexpected(expected)) };
        match text.contains(|letter: char| letter == '"' || letter.is_control()) {
            true => Err(self.fault(format!("expected {expected} without quotes and control characters in it"))),
            false => Ok(text),
        }
    }

    pub(super) fn name(&self, expected: &str) -> Read<Name> {
        Ok(Name { pos: self.pos, text: self.text(expected)?.to_owned() })
    }

    /// A name, or a number that stands for one.
    pub(super) fn name_or_number(&self, expected: &str) -> Read<Name> {
        match &self.value {
            Value::Number(digits) => Ok(Name { pos: self.pos, text: digits.clone() }),
            _ => self.name(expected),
        }
    }

    pub(super) fn number<T: FromStr>(&self, expected: &str) -> Read<T> {
        let Value::Number(digits) = &self.value else { return Err(self.unexpected(expected)) };
        digits.parse().map_err(|_| self.unexpected(expected))
    }

    /// One name, or a list of them.
    pub(super) fn names(&self, expected: &str) -> Read<Vec<Name>> {
        self.one_or_more().iter().map(|node| node.name(expected)).collect()
    }
}

impl<'a> Members<'a> {
    /// A member that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.list.iter().find(|(known, _)| known == name).map(|(_, node)| node).filter(|node| !node.is_null())
    }

    pub(super) fn need(&self, name: &str) -> Read<&'a Node> {
        self.get(name).ok_or_else(|| Fault { pos: self.pos, message: format!("expected a member {name:?}") })
    }

    pub(super) fn name(&self, name: &str) -> Read<Option<Name>> {
        self.get(name).map(|node| node.name("text")).transpose()
    }

    pub(super) fn need_name(&self, name: &str) -> Read<Name> {
        self.need(name)?.name("text")
    }

    pub(super) fn text(&self, name: &str) -> Read<Option<String>> {
        Ok(self.name(name)?.map(|name| name.text))
    }

    pub(super) fn number<T: FromStr>(&self, name: &str) -> Read<Option<T>> {
        self.get(name).map(|node| node.number("a number no larger than its place holds")).transpose()
    }

    pub(super) fn need_number<T: FromStr>(&self, name: &str) -> Read<T> {
        self.need(name)?.number("a number no larger than its place holds")
    }

    /// A member whose 0 means the same as none.
    pub(super) fn number_but_zero(&self, name: &str) -> Read<Option<u32>> {
        Ok(self.number(name)?.filter(|number| *number != 0))
    }

    /// Seconds as milliseconds.
    pub(super) fn seconds(&self, name: &str) -> Read<Option<u64>> {
        let Some(node) = self.get(name) else { return Ok(None) };
        let seconds: u64 = node.number("a number of seconds")?;
        seconds.checked_mul(1000).map(Some).ok_or_else(|| node.fault("more milliseconds than 64 bits hold"))
    }

    /// A switch: absent means no.
    pub(super) fn is(&self, name: &str) -> Read<bool> {
        match self.get(name) {
            None => Ok(false),
            Some(Node { value: Value::Bool(is), .. }) => Ok(*is),
            Some(node) => Err(node.unexpected("true or false")),
        }
    }

    pub(super) fn names(&self, name: &str) -> Read<Vec<Name>> {
        self.get(name).map_or(Ok(Vec::new()), |node| node.names("text"))
    }
}
