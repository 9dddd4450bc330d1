//! Expressions: what a packet is asked, and the values it is compared with.

use super::super::Op;
use super::{Name, Pos, Rule, Stmt};
use std::net::{Ipv4Addr, Ipv6Addr};

/// An expression where it stands.
#[derive(Debug, Clone)]
pub struct Expr {
    /// Where it begins.
    pub pos: Pos,
    /// What it is.
    pub kind: ExprKind,
}

/// What an expression is.
#[derive(Debug, Clone)]
pub enum ExprKind {
    /// A bare word: `established`, `tcp`, `http`, `eth0`; its type decides what it means. Also `1:10` (tc class).
    Symbol(String),
    /// Bare word that ends in `*` (the star is taken off): `eth*`.
    SymbolPrefix(String),
    /// Text in quotes, a trailing `*` left on it (`\*` is a star that is meant): `"eth*"`, `"18:00"`.
    Text(String),
    /// `22`, `0x16`, as long as it likes.
    Number(String),
    /// `1h30m`, `100ms`: as written.
    Time(String),
    /// `10.0.0.1`.
    Ipv4(Ipv4Addr, String),
    /// `fe80::1`, with or without brackets: address and its text without brackets.
    Ipv6(Ipv6Addr, String),
    /// `00:11:22:33:44:55`: address and its text.
    Mac([u8; 6], String),
    /// `10.0.0.0/8`.
    Prefix(Box<Expr>, u32),
    /// `1-5`.
    Range(Box<Expr>, Box<Expr>),
    /// `*`: any (element of a set).
    Wildcard,
    /// `@name`.
    SetRef(Name),
    /// `{ … }`: anonymous set or map.
    Set(Vec<Element>),
    /// `key map { … }`, `key map @m`.
    Map {
        /// Key.
        key: Box<Expr>,
        /// [`ExprKind::Set`] or [`ExprKind::SetRef`].
        map: Box<Expr>,
    },
    /// `a . b`: two or more.
    Concat(Vec<Expr>),
    /// `a,b`: two or more; flags of a bit mask.
    List(Vec<Expr>),
    /// `a & b`.
    Binary {
        /// Operator.
        op: BinaryOp,
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
    },
    /// `( … )`.
    Group(Box<Expr>),
    /// `value / mask`: right side of `tcp flags syn / syn,ack`.
    Masked {
        /// Value.
        value: Box<Expr>,
        /// Mask.
        mask: Box<Expr>,
    },
    /// A verdict in a map.
    Verdict(Verdict),
    /// Bits of the packet.
    Payload(Payload),
    /// `meta KEY`, with or without the word `meta`; the key in its present name.
    Meta(Name),
    /// `ct KEY`.
    Ct(CtExpr),
    /// `frag id`, `rt0 addr[1]`; `exthdr frag` has no field (then `exists` or `missing` follows).
    ExtHdr {
        /// `hbh`, `rt`, `rt0`, `rt2`, `rt4`, `srh`, `frag`, `dst`, `mh`, …
        header: Name,
        /// Field.
        field: Option<Name>,
        /// Index in brackets.
        index: Option<u32>,
    },
    /// `tcp option`.
    TcpOption(TcpOption),
    /// `ip option lsrr addr`; no field: `exists` follows.
    IpOption {
        /// `lsrr`, `ra`, `rr`, `ssrr`.
        option: Name,
        /// Field.
        field: Option<Name>,
    },
    /// `sctp chunk data tsn`; no field: `exists` follows.
    SctpChunk {
        /// `data`, `init`, …
        chunk: Name,
        /// Field.
        field: Option<Name>,
    },
    /// `dccp option 5`; `exists` follows.
    DccpOption(Name),
    /// `fib saddr . iif oif`.
    Fib {
        /// `saddr`, `daddr`, `mark`, `iif`, `oif`.
        flags: Vec<Name>,
        /// `oif`, `oifname`, `type`; `check` (newer nft).
        result: Name,
    },
    /// `rt classid`, `rt ip nexthop`, `rt mtu`, `rt ipsec`.
    Rt {
        /// `ip` or `ip6`.
        family: Option<Name>,
        /// Key.
        key: Name,
    },
    /// `socket transparent`, `socket cgroupv2 level 2`.
    Socket {
        /// Key.
        key: Name,
        /// Level of `cgroupv2`.
        level: Option<u32>,
    },
    /// `osf ttl loose name`.
    Osf {
        /// `loose` or `skip`.
        ttl: Option<Name>,
        /// `name` or `version`.
        key: Name,
    },
    /// `ipsec in spnum 1 ip saddr`.
    Ipsec {
        /// `in` or `out`.
        direction: Name,
        /// Which of the states.
        spnum: Option<u32>,
        /// `ip` or `ip6`.
        family: Option<Name>,
        /// `spi`, `reqid`, `saddr`, `daddr`.
        key: Name,
    },
    /// `numgen inc mod 4 offset 1`.
    Numgen {
        /// `random`, not `inc`.
        random: bool,
        /// Values 0 to modulus − 1.
        modulus: u32,
        /// Added to each.
        offset: Option<u32>,
    },
    /// `jhash ip saddr . ip daddr mod 4 seed 0x7 offset 1`.
    Jhash {
        /// What is hashed.
        of: Box<Expr>,
        /// Values 0 to modulus − 1.
        modulus: u32,
        /// Seed, if given.
        seed: Option<u32>,
        /// Added to each.
        offset: Option<u32>,
    },
    /// `symhash mod 4 offset 1`.
    Symhash {
        /// Values 0 to modulus − 1.
        modulus: u32,
        /// Added to each.
        offset: Option<u32>,
    },
}

/// Operator between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // what they say
pub enum BinaryOp {
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

impl BinaryOp {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::And => "&",
            Self::Or => "|",
            Self::Xor => "^",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
        }
    }
}

/// Comparison of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelOp {
    /// Nothing is written: equal, in the set, within the range or, for flags, any of the bits.
    Implicit,
    /// `==`, `!=`, `<`, …: as written.
    Op(Op),
    /// `!`: none of the flags.
    Not,
}

impl RelOp {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Implicit => "",
            Self::Op(Op::Eq) => "==",
            Self::Op(Op::Ne) => "!=",
            Self::Op(Op::Lt) => "<",
            Self::Op(Op::Le) => "<=",
            Self::Op(Op::Gt) => ">",
            Self::Op(Op::Ge) => ">=",
            Self::Not => "!",
        }
    }
}

/// Bits of the packet.
#[derive(Debug, Clone)]
pub struct Payload {
    /// Tunnel that the header lies in: `vxlan`, `geneve`, `gre`, `gretap`.
    pub tunnel: Option<Name>,
    /// Which bits.
    pub field: PayloadField,
}

/// Which bits of a packet.
#[derive(Debug, Clone)]
pub enum PayloadField {
    /// `ip saddr`, `th dport`.
    Named {
        /// `ether`, `vlan`, `arp`, `ip`, `icmp`, `igmp`, `ip6`, `icmpv6`, `ah`, `esp`, `comp`, `udp`, `udplite`, `tcp`,
        /// `dccp`, `sctp`, `th`, `vxlan`, `geneve`, `gre`.
        protocol: Name,
        /// Field.
        field: Name,
    },
    /// `@th,16,16`.
    Raw {
        /// `ll`, `nh`, `th`, `ih`.
        base: Name,
        /// First bit.
        offset: u32,
        /// Number of bits.
        bits: u32,
    },
}

/// `ct original ip saddr`.
#[derive(Debug, Clone)]
pub struct CtExpr {
    /// `Some(true)` original, `Some(false)` reply.
    pub original: Option<bool>,
    /// `ip` or `ip6` before an address.
    pub family: Option<Name>,
    /// `state`, `saddr`, …
    pub key: Name,
}

/// A TCP option.
#[derive(Debug, Clone)]
pub struct TcpOption {
    /// `maxseg`, `sack0`, … or a number.
    pub option: Name,
    /// Which part; the whole is asked for by `exists` or `missing`, which follows.
    pub field: TcpOptionField,
}

/// Part of a TCP option.
#[derive(Debug, Clone)]
pub enum TcpOptionField {
    /// None.
    Whole,
    /// `size`.
    Named(Name),
    /// `@254,16,8`: bits from the option's begin.
    Raw {
        /// First bit.
        offset: u32,
        /// Number of bits.
        bits: u32,
    },
}

/// What is decided.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// `accept`
    Accept,
    /// `drop`
    Drop,
    /// `continue`
    Continue,
    /// `return`
    Return,
    /// `jump CHAIN`
    Jump(Name),
    /// `goto CHAIN`
    Goto(Name),
    /// `jump { … }` or `goto { … }`: into a chain without a name. Only as a statement, never in a map.
    Block {
        /// `goto`, not `jump`.
        goto: bool,
        /// Its rules.
        rules: Vec<Rule>,
    },
}

/// An element of a set or map, of a block, a rule or `add @set { … }`.
#[derive(Debug, Clone)]
pub struct Element {
    /// Where it begins.
    pub pos: Pos,
    /// Key; [`ExprKind::Wildcard`] for all that no other element covers.
    pub key: Expr,
    /// `timeout`, milliseconds.
    pub timeout: Option<u64>,
    /// `expires`, milliseconds.
    pub expires: Option<u64>,
    /// Comment.
    pub comment: Option<String>,
    /// `counter`, `limit`, `quota`, `ct count`, `last` of its own.
    pub statements: Vec<Stmt>,
    /// What a map gives for it.
    pub data: Option<Expr>,
}
