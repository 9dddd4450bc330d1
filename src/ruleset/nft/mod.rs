//! nftables: scripts and JSON in; tables of the rule model out, and scripts again.
//!
//! [`Statement`] and [`Expr`] are what the kernel's nf_tables is handed, with names resolved and one difference: every
//! value is the big-endian bytes of its type (the kernel keeps marks and the like in host order and turns them where
//! order matters), so that comparing bytes is comparing numbers.

pub mod ast;
mod expr;
mod fields;
mod json;
mod lexer;
mod lower;
mod parser;
mod printer;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod round_trip;
mod set;
mod statement;
mod types;
mod words;

pub use expr::{Ct, Expr, FibResult, Meta, Op, Payload, PayloadBase, Value, address_bytes};
pub use json::{json_to_script, read_json};
pub use lower::{Lowered, lower};
pub use parser::parse_script;
pub use printer::{print, print_rule};
pub use set::{Element, ElementData, Object, ObjectBody, ObjectKind, Set, SetData};
pub use statement::{DynSetOp, Limit, Nat, NatKind, Quota, Reject, Statement};
