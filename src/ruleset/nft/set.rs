//! Sets, maps and named objects.

use super::expr::Value;
use super::statement::{Limit, Quota, Statement};
use crate::ruleset::error::Place;
use crate::ruleset::model::{ObjectId, Verdict};
use std::sync::Arc;

/// A set or map, named or anonymous.
#[derive(Debug, Clone)]
pub struct Set {
    /// Name; `None` for an anonymous set.
    pub name: Option<Arc<str>>,
    /// Bytes of each field of a key.
    pub key: Vec<u32>,
    /// What a key leads to.
    pub data: SetData,
    /// `flags interval`: keys are ranges.
    pub interval: bool,
    /// `flags dynamic`: rules may add.
    pub dynamic: bool,
    /// `flags constant` or anonymous.
    pub constant: bool,
    /// Milliseconds that an element lives, if `flags timeout` or `timeout` is set.
    pub timeout: Option<u64>,
    /// `flags timeout`.
    pub has_timeout: bool,
    /// Most elements.
    pub size: Option<u32>,
    /// Statements that each element runs when it is found (`counter`, `limit`, …).
    pub statements: Vec<Statement>,
    /// Elements in order.
    pub elements: Vec<Element>,
    /// Where it is declared.
    pub place: Place,
}

/// What a map gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetData {
    /// A set.
    None,
    /// Verdicts.
    Verdict,
    /// Values of so many bytes.
    Value(u32),
    /// Objects.
    Object(ObjectKind),
}

/// An element.
#[derive(Debug, Clone)]
pub struct Element {
    /// First and last of each field; `None` is the catch-all `*`.
    pub key: Option<Vec<(Value, Value)>>,
    /// What it gives.
    pub data: ElementData,
    /// Milliseconds to live, if not the set's own.
    pub timeout: Option<u64>,
    /// Milliseconds left at the start.
    pub expires: Option<u64>,
    /// Statements of its own, with numbers to start from.
    pub statements: Vec<Statement>,
    /// Comment.
    pub comment: Option<String>,
}

/// What an element gives.
#[derive(Debug, Clone, PartialEq)]
pub enum ElementData {
    /// Nothing: it is in a set.
    None,
    /// A verdict.
    Verdict(Verdict),
    /// A value.
    Value(Value),
    /// Last of a range of values (NAT maps).
    Range(Value, Value),
    /// An object.
    Object(ObjectId),
}

/// A named object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Name.
    pub name: Arc<str>,
    /// What it is.
    pub object: ObjectBody,
    /// Where it is declared.
    pub place: Place,
}

/// Kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // words of nft(8)
pub enum ObjectKind {
    Counter,
    Quota,
    Limit,
    CtHelper,
    CtTimeout,
    CtExpectation,
    SecMark,
    Synproxy,
    FlowTable,
}

/// What an object holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ObjectBody {
    /// Counter with numbers to start from.
    Counter {
        /// Packets.
        packets: u64,
        /// Bytes.
        bytes: u64,
    },
    /// Quota.
    Quota(Quota),
    /// Limit.
    Limit(Limit),
    /// Not modelled.
    Other(ObjectKind),
}
