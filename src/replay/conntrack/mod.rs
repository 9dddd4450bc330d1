//! Connections as the kernel tracks them: `net/netfilter/nf_conntrack_core.c` and the protocol trackers beside it.

mod tcp;

pub use tcp::TcpState;

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
