//! What makes packets one conversation.
//!
//! Both directions have one key. Tunnels are not part of it, as in Wireshark: a conversation seen inside and outside
//! of a VLAN is one.

use crate::evidence::Transport;
use crate::packet::Packet;
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, SocketAddr};

/// Order-free key of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// IP protocol.
    pub transport: Transport,
    /// The end with the smaller address and port.
    pub low: SocketAddr,
    /// The other end.
    pub high: SocketAddr,
}

impl FlowKey {
    /// The key of a packet, and its source and destination as conversation ends (for ICMP, ports stand for the message
    /// type and that of its answer, as Community ID has it).
    pub fn of(packet: &Packet) -> (Self, SocketAddr, SocketAddr) {
        let transport = Transport::from_number(packet.protocol);
        Self::of_ends(transport, (packet.src, packet.src_port), (packet.dst, packet.dst_port))
    }

    /// The key of a packet from its addresses and ports (ICMP: type and code), as [`FlowKey::of`].
    pub fn of_ends(transport: Transport, src: (IpAddr, u16), dst: (IpAddr, u16)) -> (Self, SocketAddr, SocketAddr) {
        let (src_port, dst_port) = match transport {
            Transport::Icmp | Transport::Icmpv6 => icmp_ports(transport, src.1, dst.1),
            Transport::Tcp | Transport::Udp | Transport::Sctp => (src.1, dst.1),
            Transport::Other(_) => (0, 0),
        };
        let src = SocketAddr::new(src.0, src_port);
        let dst = SocketAddr::new(dst.0, dst_port);
        let (low, high) = if src <= dst { (src, dst) } else { (dst, src) };
        (Self { transport, low, high }, src, dst)
    }

    /// Which of `shards` owns the conversation. The same for every run: the assignment decides in which order rows
    /// of equal time are written.
    pub fn shard(&self, shards: usize) -> usize {
        let state = foldhash::fast::FixedState::with_seed(0x6a61_6262_6572);
        let mut hasher = state.build_hasher();
        hash_end(self.low, &mut hasher);
        hash_end(self.high, &mut hasher);
        std::hash::Hasher::write_u8(&mut hasher, self.transport.number());
        (std::hash::Hasher::finish(&hasher) % shards.max(1) as u64) as usize
    }
}

fn hash_end(end: SocketAddr, hasher: &mut impl std::hash::Hasher) {
    match end.ip() {
        IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
        IpAddr::V6(address) => address.octets().hash(hasher),
    }
    hasher.write_u16(end.port());
}

/// Message type and that of its counterpart; for messages without one, type and code.
fn icmp_ports(transport: Transport, kind: u16, code: u16) -> (u16, u16) {
    match icmp_counterpart(transport, kind) {
        Some(counterpart) => (kind, counterpart),
        None => (kind, code),
    }
}

/// The message type that answers `kind` (Community ID specification, section on ICMP).
pub(super) fn icmp_counterpart(transport: Transport, kind: u16) -> Option<u16> {
    let pairs: &[(u16, u16)] = match transport {
        Transport::Icmp => &[(8, 0), (13, 14), (15, 16), (17, 18), (10, 9)],
        Transport::Icmpv6 => &[(128, 129), (133, 134), (135, 136), (130, 131), (144, 145), (139, 140)],
        _ => &[],
    };
    pairs.iter().find_map(|&(ask, answer)| match kind {
        kind if kind == ask => Some(answer),
        kind if kind == answer => Some(ask),
        _ => None,
    })
}
