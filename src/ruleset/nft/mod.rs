//! nftables: scripts and JSON in; tables of the rule model out, and scripts again.
//!
//! [`Statement`] and [`Expr`] are what the kernel's nf_tables is handed, with names resolved and one difference: every
//! value is the big-endian bytes of its type (the kernel keeps marks and the like in host order and turns them where
//! order matters), so that comparing bytes is comparing numbers.

pub mod ast;
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
mod types;

pub use json::{json_to_script, read_json};
pub use lower::{Lowered, lower};
pub use parser::parse_script;
pub use printer::{print, print_rule};

use super::error::Place;
use super::model::{Family, ObjectId, SetId, Verdict};
use std::net::IpAddr;
use std::sync::Arc;

/// A value: big-endian bytes. Fields of a concatenation stand one after the other, each in its own type's length.
pub type Value = Vec<u8>;

/// Something that a packet, its connection or the kernel answers. If it cannot, the rule does not match ("breaks").
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A constant.
    Constant(Value),
    /// Bits of the packet. The value has `ceil(bits / 8)` bytes, right-aligned.
    Payload(Payload),
    /// About the packet.
    Meta(Meta),
    /// About its connection; `direction`: `Some(true)` original, `Some(false)` reply.
    Ct {
        /// What.
        key: Ct,
        /// Of which direction's tuple or counters.
        direction: Option<bool>,
    },
    /// A field of an IPv6 extension header, by protocol number; `exists` gives 0 or 1 instead.
    ExtHdr {
        /// Next-header number: 0 hop-by-hop, 43 routing, 44 fragment, 60 destination, 135 mobility, 51 ah.
        header: u8,
        /// First bit within the header.
        offset: u32,
        /// Bits.
        bits: u32,
        /// Only whether it is there.
        exists: bool,
    },
    /// A field of a TCP option; `exists` gives 0 or 1 instead.
    TcpOption {
        /// Option kind.
        kind: u8,
        /// First bit within the option (kind and length are its first bytes).
        offset: u32,
        /// Bits.
        bits: u32,
        /// Only whether it is there.
        exists: bool,
    },
    /// A field of an IPv4 option (lsrr 131, ra 148, rr 7, ssrr 137).
    IpOption {
        /// Option type.
        kind: u8,
        /// First bit within the option.
        offset: u32,
        /// Bits.
        bits: u32,
        /// Only whether it is there.
        exists: bool,
    },
    /// A field of the first SCTP chunk of a type.
    SctpChunk {
        /// Chunk type.
        kind: u8,
        /// First bit within the chunk.
        offset: u32,
        /// Bits.
        bits: u32,
        /// Only whether it is there.
        exists: bool,
    },
    /// DCCP option exists (0 or 1).
    DccpOption {
        /// Option type.
        kind: u8,
    },
    /// Routing table lookup.
    Fib {
        /// `NFTA_FIB_F_*` bits: saddr 1, daddr 2, mark 4, iif 8, oif 16, present 32.
        flags: u32,
        /// What is asked.
        result: FibResult,
    },
    /// Route of the packet: classid, nexthop (v4, v6), mtu, ipsec.
    Rt(String),
    /// Socket of the packet.
    Socket(String),
    /// Passive fingerprint.
    Osf,
    /// IPsec state.
    Xfrm(String),
    /// `numgen`: counts up (`random` false), or random.
    NumGen {
        /// Random instead of incrementing.
        random: bool,
        /// Values 0 to modulus − 1.
        modulus: u32,
        /// Added to each.
        offset: u32,
    },
    /// `jhash` of an expression, or of the connection's tuple (`symhash`).
    Hash {
        /// What is hashed; `None` for symhash.
        of: Option<Box<Expr>>,
        /// Seed; `None` if the kernel draws one (then the answer is unknown).
        seed: Option<u32>,
        /// Values 0 to modulus − 1.
        modulus: u32,
        /// Added to each.
        offset: u32,
    },
    /// `(of & mask) ^ xor`; all of one length.
    Bitwise {
        /// Operand.
        of: Box<Expr>,
        /// Mask.
        mask: Value,
        /// Flipped afterwards.
        xor: Value,
    },
    /// Shift by a number of bits within the value's length.
    Shift {
        /// Operand.
        of: Box<Expr>,
        /// To the left.
        left: bool,
        /// Bits.
        by: u32,
    },
    /// Bitwise operation of two expressions: `&`, `|`, `^`.
    Binary {
        /// `&`, `|` or `^`.
        op: char,
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
    },
    /// Fields one after the other.
    Concat(Vec<Expr>),
    /// Value of a map at a key. Breaks if there is none.
    Map {
        /// Key.
        key: Box<Expr>,
        /// The map.
        set: SetId,
    },
    /// Not modelled: breaks.
    Unknown(String),
}

/// Bits of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Payload {
    /// What the offset counts from.
    pub base: PayloadBase,
    /// First bit.
    pub offset: u32,
    /// Number of bits.
    pub bits: u32,
}

/// What a payload's offset counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadBase {
    /// Link-layer header.
    Link,
    /// Network header.
    Network,
    /// Transport header.
    Transport,
    /// Payload of the transport (`@ih`).
    Inner,
}

/// Keys of `meta`. Lengths in bytes: mark, priority, iif, oif, iiftype, oiftype… as nft's types; names 16 bytes padded with NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // words of nft(8)
pub enum Meta {
    Length,
    NfProto,
    L4Proto,
    Protocol,
    Priority,
    Mark,
    Iif,
    IifName,
    IifType,
    IifKind,
    IifGroup,
    Oif,
    OifName,
    OifType,
    OifKind,
    OifGroup,
    SkUid,
    SkGid,
    NfTrace,
    RtClassId,
    SecMark,
    IbrName,
    ObrName,
    IbrPvid,
    IbrVproto,
    PktType,
    Cpu,
    CGroup,
    Random,
    SecPath,
    SdIf,
    SdIfName,
    /// Nanoseconds since 1970, 8 bytes.
    Time,
    /// 0 Sunday … 6 Saturday, 1 byte.
    Day,
    /// Seconds of the day, 4 bytes.
    Hour,
    BriBroute,
}

/// Keys of `ct`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // words of nft(8)
pub enum Ct {
    /// `NF_CT_STATE_BIT` bits in 4 bytes: invalid 1, established 2, related 4, new 8, untracked 64.
    State,
    /// 1 byte: 0 original, 1 reply.
    Direction,
    /// `IPS_*` bits, 4 bytes.
    Status,
    /// 4 bytes.
    Mark,
    /// Milliseconds left, 4 bytes.
    Expiration,
    /// 16 bytes.
    Helper,
    /// 16 bytes, bit n of 128.
    Label,
    /// 1 byte, nfproto 2 or 10.
    L3Proto,
    /// 1 byte.
    Protocol,
    /// Address by the table's family: 4 or 16 bytes.
    Src,
    Dst,
    SrcIp,
    DstIp,
    SrcIp6,
    DstIp6,
    /// 2 bytes.
    ProtoSrc,
    ProtoDst,
    /// 8 bytes.
    Packets,
    Bytes,
    AvgPkt,
    /// 2 bytes.
    Zone,
    /// 4 bytes.
    EventMask,
    Id,
    SecMark,
    /// Connections with… (`ct count` is a statement, this is not it).
    Count,
}

/// What `fib` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FibResult {
    /// Interface index.
    Oif,
    /// Interface name, 16 bytes.
    OifName,
    /// `RTN_*`, 4 bytes: unicast 1, local 2, broadcast 3, anycast 4, multicast 5, blackhole 6, unreachable 7, prohibit 8.
    Type,
}

/// Comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // what they say
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

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

/// Where nftables takes an address for a family: length in bytes.
pub fn address_bytes(addr: IpAddr) -> Value {
    match addr {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
