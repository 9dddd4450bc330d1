//! Tuples: what of a packet names its connection (`nf_ct_get_tuple`, `nf_ct_invert_tuple`).

use super::Tuple;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IP protocol numbers that have a tracker of their own.
#[allow(missing_docs)] // as IANA names them
pub(super) mod protocol {
    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const GRE: u8 = 47;
    pub const ICMPV6: u8 = 58;
    pub const SCTP: u8 = 132;
    pub const UDPLITE: u8 = 136;
}

/// Where a packet's transport begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transport {
    pub protocol: u8,
    /// From the IP header on.
    pub offset: usize,
}

impl Transport {
    /// `ipv4_get_l4proto`, `ipv6_get_l4proto`: `None` for what cannot be tracked. `len` is the packet's length, of which
    /// `packet` may hold less. The family is the caller's word: in an ICMP error the kernel does not ask the packet.
    pub fn of(packet: &[u8], len: usize, v6: bool) -> Option<Self> {
        let found = if v6 { Self::of_v6(packet)? } else { Self::of_v4(packet)? };
        (found.offset <= len).then_some(found)
    }

    fn of_v4(packet: &[u8]) -> Option<Self> {
        let head = packet.first_chunk::<20>()?;
        let fragment_offset = u16::from_be_bytes([head[6], head[7]]) & 0x1fff;
        (fragment_offset == 0).then_some(Self { protocol: head[9], offset: usize::from(head[0] & 15) * 4 })
    }

    /// As `ipv6_skip_exthdr` walks: unlike in `ipv6_find_hdr` a mobility header is a transport here.
    fn of_v6(packet: &[u8]) -> Option<Self> {
        let head = packet.first_chunk::<40>()?;
        let (mut protocol, mut offset) = (head[6], 40_usize);
        loop {
            let size = match protocol {
                0 | 43 | 60 => (usize::from(*packet.get(offset.checked_add(1)?)?) + 1) * 8,
                51 => (usize::from(*packet.get(offset.checked_add(1)?)?) + 2) * 4,
                44 => {
                    let [_, _, high, low, ..] = *packet.get(offset..)?.first_chunk::<8>()?;
                    if u16::from_be_bytes([high, low]) & 0xfff8 != 0 {
                        return None;
                    }
                    8
                }
                59 => return None,
                _ => return Some(Self { protocol, offset }),
            };
            protocol = *packet.get(offset)?;
            offset = offset.checked_add(size)?;
        }
    }
}

impl Tuple {
    /// Tuple of a packet; its zone is 0. `None` if the packet is too short for it.
    pub(super) fn of(packet: &[u8], transport: Transport, v6: bool) -> Option<Self> {
        let (src, dst) = addresses(packet, v6)?;
        let (src_port, dst_port) = ports(packet.get(transport.offset..).unwrap_or_default(), transport.protocol)?;
        Some(Self { src, dst, protocol: transport.protocol, src_port, dst_port, zone: 0 })
    }

    /// The tuple of answers. `None` for ICMP messages that have no answer.
    pub(super) fn inverted(&self) -> Option<Self> {
        let (src_port, dst_port) = match self.protocol {
            protocol::ICMP | protocol::ICMPV6 => {
                let [kind, code] = self.dst_port.to_be_bytes();
                let answer = icmp_answer(self.protocol == protocol::ICMPV6, kind)?;
                (self.src_port, u16::from_be_bytes([answer, code]))
            }
            _ => (self.dst_port, self.src_port),
        };
        Some(Self { src: self.dst, dst: self.src, src_port, dst_port, ..*self })
    }

    /// ICMP type.
    pub(super) fn icmp_type(&self) -> u8 {
        self.dst_port.to_be_bytes()[0]
    }

    /// The same in another zone.
    pub(super) fn in_zone(self, zone: u16) -> Self {
        Self { zone, ..self }
    }
}

/// Source and destination.
fn addresses(packet: &[u8], v6: bool) -> Option<(IpAddr, IpAddr)> {
    if v6 {
        let at = |from| packet.get(from..)?.first_chunk::<16>().map(|bytes| IpAddr::V6(Ipv6Addr::from(*bytes)));
        Some((at(8)?, at(24)?))
    } else {
        let at = |from| packet.get(from..)?.first_chunk::<4>().map(|bytes| IpAddr::V4(Ipv4Addr::from(*bytes)));
        Some((at(12)?, at(16)?))
    }
}

/// What stands for ports, from the transport header.
fn ports(transport: &[u8], protocol: u8) -> Option<(u16, u16)> {
    match protocol {
        protocol::TCP | protocol::UDP | protocol::UDPLITE | protocol::SCTP => {
            let [a, b, c, d] = *transport.first_chunk::<4>()?;
            Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
        }
        protocol::ICMP | protocol::ICMPV6 => {
            let [kind, code, _, _, a, b, ..] = *transport.first_chunk::<8>()?;
            Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([kind, code])))
        }
        protocol::GRE => gre_keys(transport),
        _ => Some((0, 0)),
    }
}

/// GRE has keys only in its version 1, as PPTP uses it; the source's is known to PPTP's helper alone.
fn gre_keys(transport: &[u8]) -> Option<(u16, u16)> {
    match *transport {
        [_, flags, high, low, _, _, a, b, ..] if flags & 7 == 1 => {
            ([high, low] == [0x88, 0x0b]).then_some((0, u16::from_be_bytes([a, b])))
        }
        _ => Some((0, 0)),
    }
}

/// Type that answers an ICMP request, and that asks for an answer.
fn icmp_answer(v6: bool, kind: u8) -> Option<u8> {
    let pairs: &[(u8, u8)] = if v6 { &[(128, 129), (139, 140)] } else { &[(8, 0), (13, 14), (15, 16), (17, 18)] };
    pairs.iter().find_map(|&(ask, answer)| match kind {
        _ if kind == ask => Some(answer),
        _ if kind == answer => Some(ask),
        _ => None,
    })
}

/// A tuple packed for hashing: derived hashing of addresses costs several times more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key([u64; 5]);

impl From<&Tuple> for Key {
    fn from(tuple: &Tuple) -> Self {
        let halves = |bytes: u128| ((bytes >> 64) as u64, bytes as u64);
        let (family, (src_high, src_low), (dst_high, dst_low)) = match (tuple.src, tuple.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => (4, (0, u64::from(u32::from(src))), (0, u64::from(u32::from(dst)))),
            (src, dst) => (6, halves(wide(src)), halves(wide(dst))),
        };
        let rest = u64::from(tuple.src_port) << 48
            | u64::from(tuple.dst_port) << 32
            | u64::from(tuple.zone) << 16
            | u64::from(tuple.protocol) << 8
            | family;
        Self([src_high, src_low, dst_high, dst_low, rest])
    }
}

/// An address as a number.
fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}
