//! Steps of rules.

use super::expr::{Ct, Expr, Meta, Op, Payload, Value};
use super::set::ObjectKind;
use crate::ruleset::model::{Family, ObjectId, SetId, Verdict};
use std::sync::Arc;

/// A step of a rule.
#[derive(Debug, Clone)]
pub enum Statement {
    /// Goes on if the comparison holds. A prefix match of an interface name (`eth*`) is a shorter value: only its bytes
    /// are compared.
    Compare {
        /// Left side.
        left: Expr,
        /// Operator.
        op: Op,
        /// Right side.
        right: Value,
    },
    /// Goes on if the two are equal (or as `op` says).
    CompareExprs {
        /// Left side.
        left: Expr,
        /// Operator.
        op: Op,
        /// Right side.
        right: Expr,
    },
    /// Goes on if the value lies within (`not`: outside) the bounds.
    Range {
        /// Value.
        of: Expr,
        /// Outside instead.
        not: bool,
        /// First.
        low: Value,
        /// Last.
        high: Value,
    },
    /// Goes on if the value is (`not`: is not) in the set.
    Lookup {
        /// Value.
        of: Expr,
        /// Is not.
        not: bool,
        /// The set.
        set: SetId,
    },
    /// Counts. Several in a rule count each.
    Counter {
        /// Numbers to start from.
        packets: u64,
        /// Numbers to start from.
        bytes: u64,
    },
    /// Goes on within (or over) a rate.
    Limit(Limit),
    /// Goes on until (or after) so many bytes.
    Quota(Quota),
    /// Goes on while connections of this key (rule: of all) are at most (over: more than) so many.
    ConnLimit {
        /// Connections.
        count: u32,
        /// More than.
        over: bool,
    },
    /// Time of the last match; always goes on.
    Last,
    /// A named object: counter, quota, limit, ct helper …
    Object(ObjectId),
    /// A named object chosen by a map.
    ObjectMap {
        /// Kind.
        kind: ObjectKind,
        /// Key.
        key: Expr,
        /// Map to objects.
        set: SetId,
    },
    /// Ends or jumps.
    Verdict(Verdict),
    /// Verdict at a key of a map; goes on if there is none.
    VerdictMap {
        /// Key.
        key: Expr,
        /// Map to verdicts.
        set: SetId,
    },
    /// `meta X set`.
    SetMeta {
        /// Key.
        key: Meta,
        /// Value.
        value: Expr,
    },
    /// `ct X set`.
    SetCt {
        /// Key.
        key: Ct,
        /// Direction, for `zone`.
        direction: Option<bool>,
        /// Value.
        value: Expr,
    },
    /// Rewrites the packet.
    SetPayload {
        /// Where.
        field: Payload,
        /// Value.
        value: Expr,
    },
    /// Rewrites a TCP option.
    SetTcpOption {
        /// Option kind.
        kind: u8,
        /// First bit within the option.
        offset: u32,
        /// Bits.
        bits: u32,
        /// Value.
        value: Expr,
    },
    /// Removes a TCP option.
    ResetTcpOption {
        /// Option kind.
        kind: u8,
    },
    /// No connection tracking for this packet.
    NoTrack,
    /// Logs; always goes on.
    Log,
    /// Drops and answers.
    Reject(Reject),
    /// Rewrites addresses.
    Nat(Box<Nat>),
    /// Copies the packet elsewhere; goes on.
    Dup,
    /// Sends the packet out of another device; ends (netdev).
    Fwd,
    /// To a local socket; ends.
    Tproxy,
    /// To a program.
    Queue {
        /// Goes on as accepted when no program listens; else dropped.
        bypass: bool,
    },
    /// Answers handshakes itself.
    Synproxy,
    /// Flow offload to a flowtable: not modelled, goes on.
    FlowOffload(Arc<str>),
    /// Adds to, updates in or deletes from a set. Goes on, unless it could not add, or a statement in it does not match.
    DynSet {
        /// What.
        op: DynSetOp,
        /// The set.
        set: SetId,
        /// Key.
        key: Expr,
        /// Value, for maps.
        data: Option<Expr>,
        /// Milliseconds to live, if not the set's own.
        timeout: Option<u64>,
        /// Run for the entry, with its own state: counter, limit, quota, connlimit, last.
        statements: Vec<Statement>,
    },
    /// Not modelled. `stops`: taken as not matching; else it has no effect and the rule goes on.
    Unknown {
        /// As written.
        what: String,
        /// The rule does not match.
        stops: bool,
    },
}

/// What a [`Statement::DynSet`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // what they say
pub enum DynSetOp {
    Add,
    Update,
    Delete,
}

/// `limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Packets or bytes in `per` seconds.
    pub rate: u64,
    /// 1 second, 60 minute, 3,600 hour, 86,400 day, 604,800 week.
    pub per: u64,
    /// Packets (default 5) or bytes at once.
    pub burst: u32,
    /// Counts bytes.
    pub bytes: bool,
    /// `over`.
    pub over: bool,
}

/// `quota`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes.
    pub bytes: u64,
    /// Used at the start.
    pub used: u64,
    /// `over`.
    pub over: bool,
}

/// How a packet is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reject {
    /// TCP reset.
    TcpReset,
    /// ICMP destination unreachable, by code.
    Icmp(u8),
    /// ICMPv6 destination unreachable, by code.
    Icmpv6(u8),
    /// Family-independent: 0 no route, 1 port, 2 host, 3 admin prohibited (`NFT_REJECT_ICMPX_*`).
    Icmpx(u8),
}

/// NAT statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Nat {
    /// snat, dnat, masquerade, redirect.
    pub kind: NatKind,
    /// Family of the addresses in an inet table.
    pub family: Option<Family>,
    /// First and last address.
    pub addresses: Option<(Expr, Option<Expr>)>,
    /// First and last port.
    pub ports: Option<(Expr, Option<Expr>)>,
    /// `random`, `fully-random`, `persistent`, `prefix`.
    pub flags: Vec<String>,
}

/// Kind of NAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // what they say
pub enum NatKind {
    Snat,
    Dnat,
    Masquerade,
    Redirect,
}
