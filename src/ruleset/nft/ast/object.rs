//! What has a name in a table beside chains: sets, maps, flowtables, counters and the like.

use super::super::ObjectKind;
use super::{ByteCount, Element, Expr, LimitStmt, Name, Pos, Priority, Stmt};

/// Kind of a named object.
pub type ObjectType = ObjectKind;

/// A set or map.
#[derive(Debug, Clone)]
pub struct Set {
    /// Where it begins.
    pub pos: Pos,
    /// Name.
    pub name: Name,
    /// `# handle N` of a listing.
    pub handle: Option<u64>,
    /// `map`, not `set`.
    pub map: bool,
    /// `meter`: a dynamic set that a rule made (listings of older versions).
    pub meter: bool,
    /// What its keys are.
    pub key: Option<KeyType>,
    /// What a map gives.
    pub data: Option<DataType>,
    /// `constant`, `interval`, `timeout`, `dynamic`.
    pub flags: Vec<Name>,
    /// `timeout`, milliseconds.
    pub timeout: Option<u64>,
    /// `gc-interval`, milliseconds.
    pub gc_interval: Option<u64>,
    /// Most elements.
    pub size: Option<u64>,
    /// `performance` or `memory`.
    pub policy: Option<Name>,
    /// `auto-merge`.
    pub auto_merge: bool,
    /// Comment.
    pub comment: Option<String>,
    /// `counter` and the like, for each element.
    pub statements: Vec<Stmt>,
    /// `elements = { … }`.
    pub elements: Vec<Element>,
}

/// How a type is given.
#[derive(Debug, Clone)]
pub enum KeyType {
    /// `type ipv4_addr . inet_service`.
    Type(Vec<Name>),
    /// `typeof ip saddr . tcp dport`.
    TypeOf(Expr),
}

/// What a map gives.
#[derive(Debug, Clone)]
pub enum DataType {
    /// `: verdict`.
    Verdict,
    /// `: mark`, `: ipv4_addr . inet_service`, `: interval ipv4_addr`.
    Type {
        /// `interval`: ranges of them (NAT).
        interval: bool,
        /// Types.
        types: Vec<Name>,
    },
    /// `: meta mark` of a `typeof` map.
    TypeOf {
        /// `interval`: ranges of them (NAT).
        interval: bool,
        /// Example.
        of: Expr,
    },
    /// `: counter`, `: quota`, `: limit`, `: secmark`, `: synproxy`, `: ct helper` …
    Object(ObjectType),
}

/// A flowtable.
#[derive(Debug, Clone)]
pub struct Flowtable {
    /// Where it begins.
    pub pos: Pos,
    /// Name.
    pub name: Name,
    /// `# handle N` of a listing.
    pub handle: Option<u64>,
    /// `hook ingress priority filter`.
    pub hook: Option<(Name, Priority)>,
    /// `devices = { … }`.
    pub devices: Vec<Name>,
    /// `flags offload`.
    pub flags: Vec<Name>,
    /// `counter`.
    pub counter: bool,
}

/// A named object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Where it begins.
    pub pos: Pos,
    /// Name.
    pub name: Name,
    /// `# handle N` of a listing.
    pub handle: Option<u64>,
    /// Comment.
    pub comment: Option<String>,
    /// What it is.
    pub body: ObjectBody,
}

/// What a named object holds.
#[derive(Debug, Clone)]
pub enum ObjectBody {
    /// `counter NAME { packets 0 bytes 0 }`; `None` if the numbers are left out.
    Counter(Option<(u64, u64)>),
    /// `quota NAME { over 25 mbytes used 0 bytes }`.
    Quota(QuotaValue),
    /// `limit NAME { rate 400/minute burst 5 packets }`.
    Limit(LimitStmt),
    /// `ct helper NAME { type "sip" protocol udp; l3proto ip; }`.
    CtHelper {
        /// Helper: `sip`, `ftp`, …
        helper: Name,
        /// `tcp` or `udp`.
        protocol: Name,
        /// `ip`, `ip6`, `inet`; the table's if not given.
        l3proto: Option<Name>,
    },
    /// `ct timeout NAME { protocol tcp; l3proto ip; policy = { established : 100 } }`.
    CtTimeout {
        /// `tcp` or `udp`.
        protocol: Name,
        /// `ip`, `ip6`, `inet`; the table's if not given.
        l3proto: Option<Name>,
        /// State and seconds.
        policy: Vec<(Name, u64)>,
    },
    /// `ct expectation NAME { protocol tcp; dport 5432; timeout 1h; size 12; l3proto ip; }`.
    CtExpectation {
        /// `tcp` or `udp`.
        protocol: Name,
        /// Port.
        dport: u16,
        /// Milliseconds.
        timeout: u64,
        /// Most expectations.
        size: u64,
        /// `ip`, `ip6`, `inet`; the table's if not given.
        l3proto: Option<Name>,
    },
    /// `secmark NAME { "system_u:object_r:ssh_server_packet_t:s0" }`.
    SecMark(String),
    /// `synproxy NAME { mss 1460 wscale 7 timestamp sack-perm }`.
    Synproxy(SynproxyValue),
}

impl ObjectBody {
    /// Its kind.
    pub fn kind(&self) -> ObjectType {
        match self {
            Self::Counter(_) => ObjectKind::Counter,
            Self::Quota(_) => ObjectKind::Quota,
            Self::Limit(_) => ObjectKind::Limit,
            Self::CtHelper { .. } => ObjectKind::CtHelper,
            Self::CtTimeout { .. } => ObjectKind::CtTimeout,
            Self::CtExpectation { .. } => ObjectKind::CtExpectation,
            Self::SecMark(_) => ObjectKind::SecMark,
            Self::Synproxy(_) => ObjectKind::Synproxy,
        }
    }
}

/// `over 25 mbytes used 1 mbytes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaValue {
    /// `over`, not `until`.
    pub over: bool,
    /// Limit.
    pub limit: ByteCount,
    /// Used so far.
    pub used: Option<ByteCount>,
}

/// `mss 1460 wscale 7 timestamp sack-perm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SynproxyValue {
    /// Maximum segment size.
    pub mss: Option<u16>,
    /// Window scale.
    pub wscale: Option<u8>,
    /// Timestamps.
    pub timestamp: bool,
    /// Selective acknowledgements.
    pub sack_perm: bool,
}
