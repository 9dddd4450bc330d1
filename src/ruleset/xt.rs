//! What an iptables rule is made of: the matches and targets of xtables with their parameters.
//!
//! Parameters are kept as the kernel module gets them, so that a rule can be printed as `iptables-save` prints it and
//! judged as the kernel judges it.

use super::l7::Pattern;
use super::model::{ChainId, Verdict};
use std::net::IpAddr;
use std::sync::Arc;

/// A value that may be negated with `!`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Inv<T> {
    /// `!` stands before it.
    pub not: bool,
    /// The value.
    pub value: T,
}

/// An address and a mask of any shape (iptables allows non-contiguous ones).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Masked {
    /// Address, already masked.
    pub addr: IpAddr,
    /// Mask, same family.
    pub mask: IpAddr,
}

/// An inclusive range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range<T> {
    /// First.
    pub low: T,
    /// Last.
    pub high: T,
}

/// An interface name, or what it begins with (`eth+`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IfName {
    /// Name without the `+`.
    pub name: Arc<str>,
    /// Any interface that begins so.
    pub prefix: bool,
}

/// A rule's body.
#[derive(Debug, Clone)]
pub struct RuleBody {
    /// The part that is compared before any extension.
    pub head: Head,
    /// Extensions in order.
    pub matches: Vec<Match>,
    /// What to do; [`Target::None`] for a rule that only counts.
    pub target: Target,
}

/// `-s -d -i -o -p -f`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Source.
    pub src: Option<Inv<Masked>>,
    /// Destination.
    pub dst: Option<Inv<Masked>>,
    /// Interface in.
    pub in_if: Option<Inv<IfName>>,
    /// Interface out.
    pub out_if: Option<Inv<IfName>>,
    /// Protocol; `None` for any. IPv6: the header after the extension headers.
    pub protocol: Option<Inv<u8>>,
    /// `-f` (`true` with `!`): second and further fragments.
    pub fragment: Option<Inv<()>>,
}

/// A match extension. Bits, flags and modes are the kernel's numbers where a name is not of use.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // one variant an extension, fields named as its options in iptables-extensions(8)
pub enum Match {
    AddrType {
        src: Option<Inv<u16>>,
        dst: Option<Inv<u16>>,
        limit_iface_in: bool,
        limit_iface_out: bool,
    },
    /// `res` as IPv6 only.
    Ah {
        spi: Inv<Range<u32>>,
        length: Option<Inv<u32>>,
        reserved: bool,
    },
    /// Classic BPF: code, jt, jf, k.
    Bpf {
        program: Vec<(u16, u8, u8, u32)>,
    },
    Cluster {
        total: u32,
        node_mask: Inv<u32>,
        seed: u32,
    },
    Comment(String),
    ConnBytes {
        range: Inv<Range<u64>>,
        mode: ConnBytesMode,
        direction: ConnBytesDirection,
    },
    ConnLabel {
        label: Inv<u16>,
        name: String,
        set: bool,
    },
    /// `limit.not` means `upto`; mask as a prefix length.
    ConnLimit {
        limit: Inv<u32>,
        mask: u8,
        by_destination: bool,
    },
    ConnMark {
        mark: Inv<u32>,
        mask: u32,
    },
    ConnTrack(Box<ConnTrack>),
    Cpu(Inv<u32>),
    DevGroup {
        src: Option<Inv<(u32, u32)>>,
        dst: Option<Inv<(u32, u32)>>,
    },
    Dccp {
        sports: Option<Inv<Range<u16>>>,
        dports: Option<Inv<Range<u16>>>,
        types: Option<Inv<u16>>,
        option: Option<Inv<u8>>,
    },
    Dscp(Inv<u8>),
    /// IPv6 destination options: length, and options as (type, length) in order.
    Dst {
        length: Option<Inv<u32>>,
        options: Vec<(u8, Option<u8>)>,
        strict: bool,
    },
    Hbh {
        length: Option<Inv<u32>>,
        options: Vec<(u8, Option<u8>)>,
        strict: bool,
    },
    Ecn {
        tcp_cwr: Option<Inv<()>>,
        tcp_ece: Option<Inv<()>>,
        ip_ect: Option<Inv<u8>>,
    },
    Esp {
        spi: Inv<Range<u32>>,
    },
    Eui64,
    /// IPv6 fragment header.
    Frag {
        id: Inv<Range<u32>>,
        length: Option<Inv<u32>>,
        reserved: bool,
        first: Option<bool>,
        more: Option<bool>,
    },
    HashLimit(Box<HashLimit>),
    Helper(Inv<String>),
    /// Hop limit (`hl`) and `ttl`: comparison and value.
    Ttl {
        op: TtlOp,
        value: u8,
    },
    /// ICMP and ICMPv6; code range 0–255 for any; type 255 is any (IPv4).
    Icmp {
        icmp_type: Inv<(u8, Range<u8>)>,
    },
    IpRange {
        src: Option<Inv<Range<IpAddr>>>,
        dst: Option<Inv<Range<IpAddr>>>,
    },
    /// Mask of `MASK_*` bits as in `ip6t_ipv6header.h`; `soft`: at least these.
    Ipv6Header {
        headers: Inv<u8>,
        soft: bool,
    },
    /// l7-filter.
    Layer7 {
        pattern: Inv<Arc<Pattern>>,
        packets: Option<u32>,
    },
    Length(Inv<Range<u16>>),
    Limit(RateLimit),
    Mac(Inv<[u8; 6]>),
    Mark {
        mark: Inv<u32>,
        mask: u32,
    },
    Mh(Inv<Range<u8>>),
    MultiPort {
        side: PortSide,
        ports: Inv<Vec<Range<u16>>>,
    },
    /// Flags of `xt_physdev.h`: is-in 1, is-out 2, is-bridged.
    PhysDev {
        in_if: Option<Inv<IfName>>,
        out_if: Option<Inv<IfName>>,
        is_in: Option<Inv<()>>,
        is_out: Option<Inv<()>>,
        is_bridged: Option<Inv<()>>,
    },
    /// `PACKET_*` numbers of `if_packet.h`: host 0, broadcast 1, multicast 2.
    PktType(Inv<u8>),
    /// A match without a security association: `--pol none` is what a capture can answer; the rest is unknown.
    Policy {
        outbound: bool,
        none: bool,
        options: String,
    },
    Quota {
        quota: Inv<u64>,
    },
    Realm {
        realm: Inv<u32>,
        mask: u32,
    },
    Recent(Box<Recent>),
    RpFilter {
        loose: bool,
        validmark: bool,
        accept_local: bool,
        invert: bool,
    },
    /// IPv6 routing header.
    Rt {
        routing_type: Option<Inv<u32>>,
        segments_left: Inv<Range<u32>>,
        length: Option<Inv<u32>>,
        reserved: bool,
        addresses: Vec<IpAddr>,
        not_strict: bool,
    },
    Sctp {
        sports: Option<Inv<Range<u16>>>,
        dports: Option<Inv<Range<u16>>>,
        chunks: Option<Inv<SctpChunks>>,
    },
    Set(Box<SetMatch>),
    Socket {
        transparent: bool,
        nowildcard: bool,
        restore_skmark: bool,
    },
    /// Bits as in [`CtState`].
    State(Inv<u8>),
    Statistic(Statistic),
    String(Box<StringMatch>),
    Tcp {
        sports: Option<Inv<Range<u16>>>,
        dports: Option<Inv<Range<u16>>>,
        flags: Option<Inv<(u8, u8)>>,
        option: Option<Inv<u8>>,
    },
    TcpMss(Inv<Range<u16>>),
    Time(Box<Time>),
    Tos {
        value: Inv<u8>,
        mask: u8,
    },
    U32(Inv<Vec<U32Test>>),
    Udp {
        sports: Option<Inv<Range<u16>>>,
        dports: Option<Inv<Range<u16>>>,
    },
    /// Not modelled, with its options as written: taken as not matching.
    Unknown {
        name: String,
        options: String,
    },
}

/// What `connbytes` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the option's words
pub enum ConnBytesMode {
    Packets,
    Bytes,
    AvgPkt,
}

/// Whose packets `connbytes` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the option's words
pub enum ConnBytesDirection {
    Original,
    Reply,
    Both,
}

/// State bits of `--ctstate` and `--state`.
pub struct CtState;

#[allow(missing_docs)] // the option's words
impl CtState {
    pub const INVALID: u8 = 1;
    pub const ESTABLISHED: u8 = 2;
    pub const RELATED: u8 = 4;
    pub const NEW: u8 = 8;
    pub const UNTRACKED: u8 = 16;
    pub const SNAT: u8 = 32;
    pub const DNAT: u8 = 64;
}

/// `-m conntrack`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // fields named as the options of the match
pub struct ConnTrack {
    /// [`CtState`] bits.
    pub state: Option<Inv<u8>>,
    /// `IPS_*` bits of `nf_conntrack_common.h`; 0 with `none` set for NONE.
    pub status: Option<Inv<u32>>,
    pub protocol: Option<Inv<u8>>,
    pub orig_src: Option<Inv<Masked>>,
    pub orig_dst: Option<Inv<Masked>>,
    pub repl_src: Option<Inv<Masked>>,
    pub repl_dst: Option<Inv<Masked>>,
    pub orig_src_port: Option<Inv<Range<u16>>>,
    pub orig_dst_port: Option<Inv<Range<u16>>>,
    pub repl_src_port: Option<Inv<Range<u16>>>,
    pub repl_dst_port: Option<Inv<Range<u16>>>,
    /// Seconds that the entry has left.
    pub expire: Option<Inv<Range<u32>>>,
    /// `true` for ORIGINAL.
    pub original: Option<Inv<bool>>,
}

/// A token bucket of packets, as `-m limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// `XT_LIMIT_SCALE` (10,000) / packets a second, as user space computes it.
    pub average: u32,
    /// Packets at once.
    pub burst: u32,
}

/// `-m hashlimit`, revision 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashLimit {
    /// Name of the table in /proc, shared by rules with the same.
    pub name: String,
    /// `above` instead of `upto`.
    pub above: bool,
    /// `XT_HASHLIMIT_*` bits: destination address 1, destination port 2, source address 4, source port 8.
    pub mode: u32,
    /// Counts bytes.
    pub bytes: bool,
    /// As user space hands it over: `XT_HASHLIMIT_SCALE_v2` (1,000,000) / rate; for bytes `2^32 / rate * 16` style cost.
    pub average: u64,
    /// Packets, or bytes in the unit the kernel uses.
    pub burst: u64,
    /// Prefix lengths of addresses.
    pub src_mask: u8,
    /// Prefix lengths of addresses.
    pub dst_mask: u8,
    /// Hash table: buckets, 0 if not given.
    pub size: u32,
    /// Most entries, 0 if not given.
    pub max: u32,
    /// Milliseconds between collections, 0 if not given.
    pub gc_interval: u32,
    /// Milliseconds until an idle entry goes, 0 if not given.
    pub expire: u32,
    /// `--hashlimit-rate-match` and `--hashlimit-rate-interval` in seconds.
    pub rate_match: Option<u32>,
}

/// `=`, `<`, `>` of ttl and hl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // words of the option
pub enum TtlOp {
    Eq,
    Ne,
    Lt,
    Gt,
}

/// Which ports `multiport` compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // words of the option
pub enum PortSide {
    Source,
    Destination,
    Either,
}

/// `-m recent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// Name of the list.
    pub name: String,
    /// `!` before the check.
    pub not: bool,
    /// What to do.
    pub action: RecentAction,
    /// Only entries seen within so many seconds.
    pub seconds: Option<u32>,
    /// Forget what is older than `seconds`.
    pub reap: bool,
    /// Only entries seen so often.
    pub hit_count: Option<u32>,
    /// Only entries with the same TTL.
    pub rttl: bool,
    /// By destination instead of source.
    pub by_destination: bool,
    /// Address mask.
    pub mask: IpAddr,
}

/// What `recent` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // words of the option
pub enum RecentAction {
    Set,
    RCheck,
    Update,
    Remove,
}

/// `--chunk-types`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SctpChunks {
    /// 0 any, 1 all, 2 only (`SCTP_CHUNK_MATCH_*` order: any, all, only).
    pub mode: u8,
    /// Chunk type, and flags as (mask, wanted).
    pub chunks: Vec<(u8, Option<(u8, u8)>)>,
}

/// `-m set`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetMatch {
    /// Name, and `!`.
    pub set: Inv<Arc<str>>,
    /// For each dimension `true` if by source.
    pub flags: Vec<bool>,
    /// `--return-nomatch`.
    pub return_nomatch: bool,
    /// `! --update-counters`.
    pub no_update_counters: bool,
    /// `! --update-subcounters`.
    pub no_update_subcounters: bool,
    /// Comparison of the entry's packet counter.
    pub packets: Option<(CounterOp, u64)>,
    /// Comparison of the entry's byte counter.
    pub bytes: Option<(CounterOp, u64)>,
}

/// Comparisons of `--packets-eq` and its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // words of the option
pub enum CounterOp {
    Eq,
    Ne,
    Lt,
    Gt,
}

/// `-m statistic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// Chance of 2^31 (the kernel's number).
    Random(Inv<u32>),
    /// Every `every`th packet, beginning with `packet`.
    Nth {
        /// `--every`, with `!`.
        every: Inv<u32>,
        /// `--packet`.
        packet: u32,
    },
}

/// `-m string`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringMatch {
    /// Bytes to find (not folded), with `!`.
    pub pattern: Inv<Vec<u8>>,
    /// `--hex-string` was used, or must be to print it.
    pub hex: bool,
    /// `bm` or `kmp`.
    pub kmp: bool,
    /// First offset from the IP header.
    pub from: u32,
    /// End of the window; 65,535 if not given.
    pub to: u32,
    /// `--icase`.
    pub icase: bool,
}

/// `-m time`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970, first and last.
    pub date: Option<Range<u32>>,
    /// Seconds of the day, first and last; first > last wraps over midnight.
    pub daytime: Option<Range<u32>>,
    /// Bit n (1–31): day of the month n.
    pub monthdays: Option<Inv<u32>>,
    /// Bit n (1–7): Monday is 1.
    pub weekdays: Option<Inv<u8>>,
    /// `--kerneltz`.
    pub kernel_tz: bool,
    /// `--contiguous`.
    pub contiguous: bool,
}

/// One test of `-m u32`: location, then ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct U32Test {
    /// First number, then operations.
    pub location: Vec<(U32Op, u32)>,
    /// The value lies within one of these.
    pub ranges: Vec<Range<u32>>,
}

/// Operation before a number in a `u32` location. The first is always `And` by convention and not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // `&`, `<<`, `>>`, `@`
pub enum U32Op {
    And,
    LeftShift,
    RightShift,
    At,
}

/// A target. Terminating or not is said by `replay`.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // one variant a target, fields named as its options in iptables-extensions(8)
pub enum Target {
    /// No `-j`: counts only.
    None,
    /// ACCEPT, DROP, RETURN, or a chain of the table.
    Verdict(Verdict),
    /// A chain, by `-j` or `-g`; kept apart from built-in verdicts for printing.
    Chain {
        chain: ChainId,
        goto: bool,
    },
    /// `accept 0, drop 1, reject 2`.
    Audit {
        kind: u8,
    },
    Checksum,
    Classify {
        class: u32,
    },
    ConnMark {
        op: ConnMarkOp,
        ct_mask: u32,
        nf_mask: u32,
        value: u32,
        shift: Option<(bool, u8)>,
    },
    Ct {
        notrack: bool,
        helper: Option<String>,
        ctevents: Option<String>,
        expevents: Option<String>,
        zone: Option<String>,
        timeout: Option<String>,
    },
    /// Destination NAT.
    Dnat(NatRange),
    Dscp {
        value: u8,
    },
    /// `--ecn-tcp-remove`.
    Ecn {
        remove: bool,
    },
    Log {
        level: u8,
        prefix: String,
        flags: u8,
    },
    /// MARK: `mark = (mark & !mask) ^ value`.
    Mark {
        mask: u32,
        value: u32,
    },
    Masquerade {
        ports: Option<Range<u16>>,
        random: bool,
        random_fully: bool,
    },
    Netmap {
        to: IpAddr,
        prefix: u8,
    },
    Nflog {
        group: u16,
        prefix: String,
        range: Option<u32>,
        size: Option<u32>,
        threshold: Option<u16>,
    },
    /// `bypass`: accept when no program listens; without it the packet is dropped then.
    Nfqueue {
        first: u16,
        total: u16,
        bypass: bool,
        cpu_fanout: bool,
    },
    Redirect {
        ports: Option<Range<u16>>,
        random: bool,
    },
    /// Name as `--reject-with` gives it.
    Reject {
        with: String,
    },
    Set {
        add: Option<(Arc<str>, Vec<bool>)>,
        del: Option<(Arc<str>, Vec<bool>)>,
        map: Option<(Arc<str>, Vec<bool>)>,
        exist: bool,
        timeout: Option<u32>,
        map_flags: Vec<String>,
    },
    /// Source NAT.
    Snat(NatRange),
    SynProxy {
        options: String,
    },
    /// `None`: `--clamp-mss-to-pmtu`.
    TcpMss {
        mss: Option<u16>,
    },
    TcpOptStrip {
        options: Vec<u8>,
    },
    Tee {
        gateway: IpAddr,
        oif: Option<String>,
    },
    /// `tos = (tos & !mask) ^ value`.
    Tos {
        value: u8,
        mask: u8,
    },
    Tproxy {
        options: String,
    },
    Trace,
    /// TTL and HL.
    Ttl {
        op: TtlChange,
        value: u8,
    },
    /// Passes the packet on and changes nothing that a later rule sees (LED, IDLETIMER, RATEEST, SECMARK …), as written.
    Passive {
        name: String,
        options: String,
    },
    /// Not modelled, as written: the packet goes on.
    Unknown {
        name: String,
        options: String,
    },
}

/// What `CONNMARK` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // words of the option
pub enum ConnMarkOp {
    Set,
    Save,
    Restore,
}

/// What `TTL` and `HL` do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // words of the option
pub enum TtlChange {
    Set,
    Inc,
    Dec,
}

/// Where `SNAT` and `DNAT` lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatRange {
    /// Addresses.
    pub addresses: Option<Range<IpAddr>>,
    /// Ports.
    pub ports: Option<Range<u16>>,
    /// Port base of shifted ranges (`--to-destination :1000-2000/3000`).
    pub port_base: Option<u16>,
    /// `--random`.
    pub random: bool,
    /// `--random-fully`.
    pub random_fully: bool,
    /// `--persistent`.
    pub persistent: bool,
}
