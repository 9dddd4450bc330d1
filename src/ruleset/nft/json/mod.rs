//! What `nft -j list ruleset` prints (libnftables-json(5)) in, the syntax tree of the text form out: lowering and printing
//! are then the same for both.
//!
//! | file | reads |
//! |---|---|
//! | `document` | JSON, with the places of its values |
//! | `members` | members of an object, by the type that they must have |
//! | `command` | commands and the bare objects of a listing, put together to tables |
//! | `object` | tables, chains, sets, flowtables, counters and the like |
//! | `thing` | what `delete`, `flush` and the like name |
//! | `stmt`, `action` | statements |
//! | `expr`, `question` | expressions |
//! | `literal` | values, in the form that nft's text has for their type |
//! | `left_out` | what nft 1.0.6 does not print, found from the rules |
//!
//! An error is told by the path of the value (`nftables[3].rule.expr[0].match`) beside its place, for nft prints all on
//! one line.

mod action;
mod command;
mod document;
mod expr;
mod left_out;
mod literal;
mod members;
mod object;
mod question;
mod stmt;
#[cfg(test)]
mod tests;
mod thing;

use super::ast::{Pos, Script};
use super::lower::{Lowered, lower};
use crate::ruleset::error::RuleError;
use crate::ruleset::model::Family;
use document::{Node, Value};
use std::sync::Arc;

/// Expressions within each other. Rules that people write have a handful.
const DEEPEST: u32 = 24;

/// Reads a document to the syntax tree that the same rules have as text.
pub fn json_to_script(text: &str, file: &Arc<str>) -> Result<Script, RuleError> {
    let root = document::document(text).map_err(|fault| fault.error(file))?;
    script(&root).map_err(|fault| at_path(fault.error(file), &root))
}

/// Reads a document and carries it out.
pub fn read_json(text: &str, file: &Arc<str>) -> Result<Lowered, RuleError> {
    let root = document::document(text).map_err(|fault| fault.error(file))?;
    let script = script(&root).map_err(|fault| at_path(fault.error(file), &root))?;
    lower(&script, file).map_err(|error| at_path(error, &root))
}

fn script(root: &Node) -> Read<Script> {
    let mut script = command::script(root)?;
    left_out::complete(&mut script);
    Ok(script)
}

/// What is wrong, and where.
#[derive(Debug)]
struct Fault {
    pos: Pos,
    message: String,
}

impl Fault {
    fn error(self, file: &Arc<str>) -> RuleError {
        RuleError::new(self.pos.place(file), self.message)
    }
}

type Read<T> = Result<T, Fault>;

/// Puts the path of the value at an error's place before its message.
fn at_path(error: RuleError, root: &Node) -> RuleError {
    let wanted = Pos { line: error.place.line, column: error.place.column };
    let mut path = String::new();
    let mut node = root;
    while node.pos < wanted {
        let next = match &node.value {
            Value::List(list) => {
                let at = list.partition_point(|child| child.pos <= wanted).checked_sub(1);
                at.and_then(|at| Some((format!("[{at}]"), list.get(at)?)))
            }
            Value::Object(members) => {
                let at = members.partition_point(|(_, child)| child.pos <= wanted).checked_sub(1);
                let dot = if path.is_empty() { "" } else { "." };
                at.and_then(|at| members.get(at)).map(|(name, child)| (format!("{dot}{name}"), child))
            }
            _ => None,
        };
        let Some((step, child)) = next else { break };
        path.push_str(&step);
        node = child;
    }
    match path.is_empty() {
        true => error,
        false => RuleError { message: format!("{path}: {}", error.message), ..error },
    }
}

/// Where reading stands.
struct Reader {
    /// Family of the table at hand: some of nft's short forms go by it.
    family: Family,
    depth: u32,
}

impl Reader {
    fn new(family: Family) -> Self {
        Self { family, depth: 0 }
    }

    /// Reads something that may hold the like of itself.
    fn nested<T>(&mut self, pos: Pos, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= DEEPEST {
            let message = format!("too deep: more than {DEEPEST} expressions within each other");
            return Err(Fault { pos, message });
        }
        self.depth = self.depth.saturating_add(1);
        let result = read(self);
        self.depth = self.depth.saturating_sub(1);
        result
    }
}
