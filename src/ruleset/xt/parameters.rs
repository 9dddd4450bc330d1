//! Parameters of match extensions that have many.

use super::{Inv, Masked, Range};
use std::net::IpAddr;
use std::sync::Arc;

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
