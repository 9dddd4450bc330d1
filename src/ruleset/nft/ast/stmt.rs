//! Statements: the steps of a rule.

use super::super::{DynSetOp, NatKind};
use super::{Element, Expr, Name, ObjectType, Pos, QuotaValue, RelOp, SynproxyValue, Verdict};

/// A step of a rule where it stands.
#[derive(Debug, Clone)]
pub struct Stmt {
    /// Where it begins.
    pub pos: Pos,
    /// What it is.
    pub kind: StmtKind,
}

/// What a statement is.
#[derive(Debug, Clone)]
pub enum StmtKind {
    /// `tcp dport 22`, `ct state != established`, `tcp flags syn / syn,ack`.
    Match {
        /// What is asked.
        left: Expr,
        /// How it is compared.
        op: RelOp,
        /// Value, set, range, list, [`super::ExprKind::Masked`].
        right: Expr,
    },
    /// `accept`, `jump c`.
    Verdict(Verdict),
    /// `tcp dport vmap { … }`, `ip saddr vmap @m`.
    Vmap {
        /// Key.
        key: Expr,
        /// [`super::ExprKind::Set`] or [`super::ExprKind::SetRef`].
        map: Expr,
    },
    /// `counter`, `counter packets 1 bytes 40`.
    Counter(Option<(u64, u64)>),
    /// `limit rate …`.
    Limit(LimitStmt),
    /// `quota over 1 mbytes`.
    Quota(QuotaValue),
    /// `ct count over 3`.
    CtCount {
        /// More than.
        over: bool,
        /// Connections.
        count: u32,
    },
    /// `last`, `last used never`, `last used 5s`: milliseconds since.
    Last(LastUsed),
    /// `log …`.
    Log(LogStmt),
    /// `reject …`.
    Reject(RejectWith),
    /// `snat`, `dnat`, `masquerade`, `redirect`.
    Nat(NatStmt),
    /// `meta mark set …`; the key in its present name.
    SetMeta {
        /// Key.
        key: Name,
        /// Value.
        value: Expr,
    },
    /// `ct mark set …`.
    SetCt {
        /// `Some(true)` original, `Some(false)` reply.
        original: Option<bool>,
        /// Key.
        key: Name,
        /// Value.
        value: Expr,
    },
    /// `ip ttl set 1`, `tcp option maxseg size set rt mtu`, `exthdr` fields: the left side is the field.
    SetField {
        /// Payload, TCP option or extension header expression.
        field: Expr,
        /// Value.
        value: Expr,
    },
    /// `reset tcp option sack-permitted`.
    ResetTcpOption(Name),
    /// `notrack`.
    NoTrack,
    /// `dup to 10.0.0.1 device "eth0"`.
    Dup {
        /// Address, or device in netdev tables.
        to: Option<Expr>,
        /// Device.
        device: Option<Expr>,
    },
    /// `fwd to "eth0"`, `fwd ip to 10.0.0.1 device "eth0"`.
    Fwd {
        /// `ip` or `ip6`.
        family: Option<Name>,
        /// Device, or address if there is a family.
        to: Expr,
        /// Device, if there is a family.
        device: Option<Expr>,
    },
    /// `tproxy ip to 127.0.0.1:50080`.
    Tproxy {
        /// `ip` or `ip6`.
        family: Option<Name>,
        /// Address.
        address: Option<Expr>,
        /// Port.
        port: Option<Expr>,
    },
    /// `queue …`.
    Queue {
        /// `fanout`, `bypass`.
        flags: Vec<Name>,
        /// Number, range or expression.
        to: Option<Expr>,
        /// Written `queue num 1`, not `queue to 1`.
        num: bool,
    },
    /// `synproxy …`.
    Synproxy(SynproxyValue),
    /// `flow add @ft`.
    FlowAdd(Name),
    /// `add @set { key … : data }`, `update`, `delete`.
    DynSet {
        /// What.
        op: DynSetOp,
        /// The set or map.
        set: Name,
        /// Key, options, statements and data.
        element: Box<Element>,
    },
    /// `meter m size 100 { ip saddr limit rate 1/second }`: adds to a set that it makes itself.
    Meter {
        /// Name.
        name: Name,
        /// Most elements.
        size: Option<u32>,
        /// Key, options and statements.
        element: Box<Element>,
    },
    /// `counter name "c"`, `limit name tcp dport map { … }`, `ct helper set "sip"`.
    Object {
        /// Kind.
        kind: ObjectType,
        /// [`super::ExprKind::Text`], [`super::ExprKind::Symbol`] or [`super::ExprKind::Map`].
        name: Expr,
    },
    /// `xt match "string"`, `xt target "LOG"`: something of iptables-nft that a listing cannot spell out.
    Xt {
        /// `match`, `target`, `watcher`.
        kind: Name,
        /// Name of the extension.
        name: Name,
    },
}

/// `limit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitStmt {
    /// `over`.
    pub over: bool,
    /// Packets or, with a unit, bytes.
    pub rate: Amount,
    /// Per what time.
    pub per: TimeUnit,
    /// `burst`, if given.
    pub burst: Option<Amount>,
}

/// Packets or bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many packets.
    Packets(u64),
    /// So many bytes.
    Bytes(ByteCount),
}

/// `25 mbytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteCount {
    /// Number of units.
    pub number: u64,
    /// Unit.
    pub unit: ByteUnit,
}

impl ByteCount {
    /// Bytes; `None` if they are more than 64 bits hold.
    pub fn bytes(self) -> Option<u64> {
        self.number.checked_mul(self.unit.bytes())
    }
}

/// Unit of a number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteUnit {
    /// `bytes`
    Bytes,
    /// `kbytes`, 1,024 bytes
    KBytes,
    /// `mbytes`, 1,048,576 bytes
    MBytes,
}

impl ByteUnit {
    /// Bytes of one.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Bytes => 1,
            Self::KBytes => 1 << 10,
            Self::MBytes => 1 << 20,
        }
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::KBytes => "kbytes",
            Self::MBytes => "mbytes",
        }
    }
}

/// Unit of a rate's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // what they say
pub enum TimeUnit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
}

impl TimeUnit {
    /// Seconds of one.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
            Self::Week => 604_800,
        }
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }
}

/// `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastUsed {
    /// Nothing is written.
    Unsaid,
    /// `used never`.
    Never,
    /// `used 5s`: milliseconds ago.
    Ago(u64),
}

/// `log`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogStmt {
    /// `prefix`.
    pub prefix: Option<String>,
    /// `group`.
    pub group: Option<u16>,
    /// `snaplen`.
    pub snaplen: Option<u32>,
    /// `queue-threshold`.
    pub queue_threshold: Option<u16>,
    /// `level`: `warn`, `audit`, …
    pub level: Option<String>,
    /// `flags`: `tcp sequence`, `tcp options`, `ip options`, `skuid`, `ether`, `all`.
    pub flags: Vec<String>,
}

/// How a packet is rejected.
#[derive(Debug, Clone)]
pub enum RejectWith {
    /// Nothing is written.
    Unsaid,
    /// `with tcp reset`.
    TcpReset,
    /// `with icmp port-unreachable`, `with icmpx type admin-prohibited`.
    Icmp {
        /// `icmp`, `icmpv6` or `icmpx`.
        protocol: Name,
        /// The old word `type` stands before the code.
        with_type: bool,
        /// Code: symbol or number.
        code: Expr,
    },
}

/// `snat`, `dnat`, `masquerade`, `redirect`.
#[derive(Debug, Clone)]
pub struct NatStmt {
    /// Which.
    pub kind: NatKind,
    /// `ip` or `ip6` before `to`.
    pub family: Option<Name>,
    /// `addr . port` (older nft) before `to`: the map gives both.
    pub addr_port: bool,
    /// `interval` before `to`: the map gives ranges of addresses.
    pub interval: bool,
    /// `prefix` before `to`: addresses are mapped one to one.
    pub prefix: bool,
    /// Address, range, prefix or map (which may give address and port).
    pub address: Option<Expr>,
    /// Port, range or map after a colon.
    pub port: Option<Expr>,
    /// `random`, `fully-random`, `persistent`.
    pub flags: Vec<Name>,
}
