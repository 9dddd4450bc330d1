//! Connections as the kernel tracks them: `net/netfilter/nf_conntrack_core.c` and the protocol trackers beside it, of
//! kernel 6.18.
//!
//! Whole packets come in (`super::defrag` puts fragments together first); each gets its connection and its part in it.
//!
//! | file | does |
//! |---|---|
//! | `settings` | what `sysctl` sets |
//! | `tuple` | what of a packet names its connection |
//! | `table` | entries by tuple, expiry, the bound on memory |
//! | `track` | the way of a packet: found, made, judged, confirmed |
//! | `tcp`, `sctp`, `datagrams` | what each protocol allows, and how long it keeps an entry |
//! | `errors` | ICMP errors and neighbour discovery |
//! | `nat` | address translation: which tuple replies will have, and what that makes of packets |
//! | `sums` | checksums |
//!
//! A hook's use: [`Conntrack::track`] at PREROUTING (or [`Conntrack::track_output`] at OUTPUT), after the last chain of
//! INPUT or POSTROUTING [`Conntrack::confirm`]; [`Conntrack::forget`] when a packet is dropped. NAT is asked by
//! [`Conntrack::nat_begin`]. Helpers (FTP, SIP …) are not modelled: nothing is ever expected.

mod datagrams;
mod errors;
mod nat;
mod sctp;
mod settings;
mod sums;
mod table;
mod tcp;
#[cfg(test)]
mod tests;
mod track;
mod tuple;

pub use nat::{Manip, NatRange, NatStep};
pub use settings::{Checksums, SctpTimeouts, Settings, TcpTimeouts, Timeouts};
pub use tcp::TcpState;
pub use track::{Conntrack, Counts, Verdict, Zone};

use std::net::IpAddr;

/// Name of an entry; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    /// Slot of the table.
    pub index: u32,
    /// Number of the entry since the start: tells entries of one slot apart.
    pub serial: u64,
}

/// A packet's part in its connection (`enum ip_conntrack_info`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CtInfo {
    /// Not tracked: invalid, or tracking has not run.
    #[default]
    None,
    /// `NOTRACK`.
    Untracked,
    /// First packets of a connection without a reply yet.
    New,
    /// Of a connection with a reply, in the opener's direction.
    Established,
    /// The reply direction.
    EstablishedReply,
    /// New, but expected by or about another connection; in the direction of the connection's opener.
    Related,
    /// As `Related`, the other direction (an ICMP error about a reply).
    RelatedReply,
}

impl CtInfo {
    /// `CTINFO2DIR`: `true` for the reply direction.
    pub fn is_reply(self) -> bool {
        matches!(self, Self::EstablishedReply | Self::RelatedReply)
    }
}

/// One direction's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// IP protocol.
    pub protocol: u8,
    /// Source port; ICMP: id; GRE: key.
    pub src_port: u16,
    /// Destination port; ICMP: type << 8 | code.
    pub dst_port: u16,
    /// Zone.
    pub zone: u16,
}

/// Bits of a connection's status (`enum ip_conntrack_status`).
#[allow(missing_docs)] // the kernel's names
pub mod status {
    pub const EXPECTED: u32 = 1;
    pub const SEEN_REPLY: u32 = 1 << 1;
    pub const ASSURED: u32 = 1 << 2;
    pub const CONFIRMED: u32 = 1 << 3;
    pub const SRC_NAT: u32 = 1 << 4;
    pub const DST_NAT: u32 = 1 << 5;
    pub const SEQ_ADJUST: u32 = 1 << 6;
    pub const SRC_NAT_DONE: u32 = 1 << 7;
    pub const DST_NAT_DONE: u32 = 1 << 8;
    pub const DYING: u32 = 1 << 9;
    pub const FIXED_TIMEOUT: u32 = 1 << 10;
    pub const TEMPLATE: u32 = 1 << 11;
    pub const UNTRACKED: u32 = 1 << 12;
    pub const HELPER: u32 = 1 << 13;
    pub const OFFLOAD: u32 = 1 << 14;
}

/// A connection: what rules may ask. What the protocol trackers keep is theirs.
#[derive(Debug, Clone)]
pub struct Conn {
    /// Its name.
    pub id: ConnId,
    /// Addresses of packets in the original direction, and in the reply direction (NAT makes them differ).
    pub tuples: [Tuple; 2],
    /// [`status`] bits.
    pub status: u32,
    /// `ct mark`.
    pub mark: u32,
    /// Labels, bit n of 128.
    pub labels: u128,
    /// Packets and bytes, original and reply.
    pub counters: [(u64, u64); 2],
    /// Capture time in nanoseconds when it goes.
    pub expires_ns: i64,
    /// The connection that expected it.
    pub master: Option<ConnId>,
    /// Helper that follows it.
    pub helper: Option<&'static str>,
}

/// What the protocol trackers keep of a connection.
#[derive(Debug, Clone, Default)]
enum Proto {
    #[default]
    Plain,
    Tcp(tcp::Connection),
    Udp(datagrams::Udp),
    Sctp(sctp::Association),
}

/// A packet as the protocol trackers see it.
struct Seen<'p> {
    /// From the transport header on; shorter than `len` if the capture cut it.
    payload: &'p [u8],
    /// Bytes from the transport header on.
    len: u32,
    /// Where that is, from the IP header.
    transport: usize,
    protocol: u8,
    v6: bool,
    src: IpAddr,
    dst: IpAddr,
    /// It goes in the reply direction.
    reply: bool,
    /// At PREROUTING: it came from outside, its checksums are not ours.
    arriving: bool,
    now_ns: i64,
}

/// What a protocol tracker decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The packet is INVALID.
    Invalid,
    /// It belongs to the connection; neither time nor counters move.
    Keep,
    /// It belongs to the connection, which lives on for so many nanoseconds.
    Refresh(i64),
    /// It belongs to the connection, which ends with it.
    Die,
    /// It begins a new connection with the same addresses.
    Reopen,
}
