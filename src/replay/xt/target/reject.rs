//! The packet that REJECT answers with: `nf_reject_ipv4.c`, `nf_reject_ipv6.c`, `__icmp_send`, `icmp6_send`.
//!
//! Who may answer is in no capture: limits on the rate of ICMP errors are taken to be off, checksums to be right.

use super::super::super::skb::Skb;
use super::super::super::world::Routes;
use super::super::view::{Missing, find_header};
use super::header::checksum;
use std::net::IpAddr;

/// What REJECT answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectKind {
    /// A TCP segment with RST.
    TcpReset,
    /// ICMP destination unreachable with this code.
    Icmp(u8),
    /// ICMPv6 destination unreachable with this code.
    Icmp6(u8),
}

/// Longest ICMP error (RFC 1812), and ICMPv6 error (the least MTU).
const LONGEST: usize = 576;
const LONGEST_V6: usize = 1280;

/// Hop limit of what the host sends.
const TTL: u8 = 64;

mod number {
    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const ICMPV6: u8 = 58;
}

impl RejectKind {
    /// By the name that `--reject-with` gives; unknown names are port unreachable, the default.
    pub fn new(name: &str, v6: bool) -> Self {
        let name = name.trim_start_matches("icmp6-").trim_start_matches("icmp-");
        match (v6, name) {
            (_, "tcp-reset" | "tcp-rst") => Self::TcpReset,
            (false, "net-unreachable" | "net-unreach") => Self::Icmp(0),
            (false, "host-unreachable" | "host-unreach") => Self::Icmp(1),
            (false, "proto-unreachable" | "proto-unreach") => Self::Icmp(2),
            (false, "net-prohibited" | "net-prohib") => Self::Icmp(9),
            (false, "host-prohibited" | "host-prohib") => Self::Icmp(10),
            (false, "admin-prohibited" | "admin-prohib") => Self::Icmp(13),
            (false, _) => Self::Icmp(3),
            (true, "no-route") => Self::Icmp6(0),
            (true, "adm-prohibited") => Self::Icmp6(1),
            (true, "not-neighbour") => Self::Icmp6(2),
            (true, "addr-unreachable" | "addr-unreach") => Self::Icmp6(3),
            (true, "policy-fail") => Self::Icmp6(5),
            (true, "reject-route") => Self::Icmp6(6),
            (true, _) => Self::Icmp6(4),
        }
    }
}

/// The answer to a packet, from its IP header on. `None` where the kernel sends none: to a reset, to an ICMP error, to a
/// fragment that is not the first, to what was not meant for one host.
///
/// It goes through OUTPUT and POSTROUTING on its own, with the connection of the packet that it answers.
pub fn reject_reply(skb: &Skb<'_>, kind: RejectKind, routes: &Routes) -> Option<Vec<u8>> {
    match kind {
        RejectKind::TcpReset if skb.is_v6() => reset_v6(skb),
        RejectKind::TcpReset => reset_v4(skb),
        RejectKind::Icmp(code) if !skb.is_v6() => unreachable_v4(skb, code, routes),
        RejectKind::Icmp6(code) if skb.is_v6() => unreachable_v6(skb, code, routes),
        RejectKind::Icmp(_) | RejectKind::Icmp6(_) => None,
    }
}

/// `nf_send_reset`.
fn reset_v4(skb: &Skb<'_>) -> Option<Vec<u8>> {
    let at = skb.headers.transport as usize;
    if skb.headers.protocol != Some(number::TCP) || skb.headers.fragment_offset != 0 || is_for_many(skb.dst()) {
        return None;
    }
    let segment = reset(skb, at)?;
    Some(v4_packet(0, 0x4000, number::TCP, skb.dst(), skb.src(), segment))
}

/// `nf_send_reset6`.
fn reset_v6(skb: &Skb<'_>) -> Option<Vec<u8>> {
    if !is_unicast(skb.src()) || !is_unicast(skb.dst()) {
        return None;
    }
    let found = find_header(skb, None, false).ok()?;
    if found.kind != number::TCP || found.fragment != 0 {
        return None;
    }
    let segment = reset(skb, found.offset)?;
    Some(v6_packet(number::TCP, skb.dst(), skb.src(), segment))
}

/// `nf_reject_ip_tcphdr_put`, without checksum.
fn reset(skb: &Skb<'_>, at: usize) -> Option<Vec<u8>> {
    let header = skb.array::<20>(at)?;
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, ..] = header;
    let (fin, syn, rst, ack) = (flags & 1, flags >> 1 & 1, flags & 4 != 0, flags & 16 != 0);
    if rst {
        return None;
    }
    let data = (skb.len as usize).saturating_sub(at).wrapping_sub(usize::from(offset >> 4) * 4);
    let past = u32::from_be_bytes([q0, q1, q2, q3])
        .wrapping_add(u32::from(syn))
        .wrapping_add(u32::from(fin))
        .wrapping_add(data as u32);
    let (seq, acked, flags) = if ack { ([a0, a1, a2, a3], [0; 4], 4) } else { ([0; 4], past.to_be_bytes(), 0x14) };
    let head = [d0, d1, s0, s1];
    Some([&head[..], &seq, &acked, &[0x50, flags, 0, 0, 0, 0, 0, 0]].concat())
}

/// `nf_send_unreach`, `__icmp_send`.
fn unreachable_v4(skb: &Skb<'_>, code: u8, routes: &Routes) -> Option<Vec<u8>> {
    if skb.headers.fragment_offset != 0 || is_for_many(skb.dst()) || is_for_many(skb.src()) {
        return None;
    }
    if skb.headers.protocol == Some(number::ICMP) {
        let kind = skb.byte(skb.headers.transport as usize)?;
        if !matches!(kind, 0 | 8 | 13..=18) {
            return None;
        }
    }
    let quoted = quoted(skb, LONGEST - 28);
    let mut message = [&[3, code, 0, 0, 0, 0, 0, 0], quoted.as_slice()].concat();
    let sum = checksum(&[&message]);
    message.get_mut(2..4)?.copy_from_slice(&sum.to_be_bytes());
    let tos = skb.byte(1)? & 0x1e | 0xc0;
    Some(v4_packet(tos, 0, number::ICMP, own_address(skb, routes), skb.src(), message))
}

/// `nf_send_unreach6`, `icmp6_send`.
fn unreachable_v6(skb: &Skb<'_>, code: u8, routes: &Routes) -> Option<Vec<u8>> {
    if skb.src().is_unspecified() || skb.src().is_multicast() || skb.dst().is_multicast() {
        return None;
    }
    match find_header(skb, None, false) {
        Ok(found) if found.fragment != 0 => return None,
        Ok(found) if found.offset >= skb.len as usize => return None,
        Ok(found) if found.kind == number::ICMPV6 && skb.byte(found.offset)? & 0x80 == 0 => return None,
        Err(Missing::Cut | Missing::NotThere) => return None,
        Ok(_) => {}
    }
    let message = [&[1, code, 0, 0, 0, 0, 0, 0], quoted(skb, LONGEST_V6 - 48).as_slice()].concat();
    Some(v6_packet(number::ICMPV6, own_address(skb, routes), skb.src(), message))
}

/// The beginning of a packet. What the capture cut reads as zeros, so that the length is right.
fn quoted(skb: &Skb<'_>, most: usize) -> Vec<u8> {
    let mut quoted: Vec<u8> = skb.bytes.iter().copied().take(most).collect();
    quoted.resize(most.min(skb.len as usize), 0);
    quoted
}

/// The address that an error comes from: the packet's destination if it is the host's own, else one of the host's.
fn own_address(skb: &Skb<'_>, routes: &Routes) -> IpAddr {
    let dst = skb.dst();
    if routes.is_local(dst) {
        return dst;
    }
    routes.local.iter().copied().find(|addr| addr.is_ipv6() == dst.is_ipv6()).unwrap_or(dst)
}

fn is_for_many(addr: IpAddr) -> bool {
    let is_broadcast = matches!(addr, IpAddr::V4(addr) if addr.is_broadcast());
    is_broadcast || addr.is_multicast()
}

fn is_unicast(addr: IpAddr) -> bool {
    !addr.is_multicast() && !addr.is_unspecified()
}

fn v4_packet(tos: u8, flags: u16, protocol: u8, src: IpAddr, dst: IpAddr, mut payload: Vec<u8>) -> Vec<u8> {
    let (src, dst) = (octets(src), octets(dst));
    if protocol == number::TCP {
        put_checksum(&mut payload, 16, &src, &dst, protocol);
    }
    let [high, low] = u16::try_from(payload.len() + 20).unwrap_or(u16::MAX).to_be_bytes();
    let [f0, f1] = flags.to_be_bytes();
    let mut packet = vec![0x45, tos, high, low, 0, 0, f0, f1, TTL, protocol, 0, 0];
    packet.extend(src);
    packet.extend(dst);
    let [high, low] = checksum(&[&packet]).to_be_bytes();
    if let Some(place) = packet.get_mut(10..12) {
        place.copy_from_slice(&[high, low]);
    }
    packet.extend(payload);
    packet
}

fn v6_packet(protocol: u8, src: IpAddr, dst: IpAddr, mut payload: Vec<u8>) -> Vec<u8> {
    let (src, dst) = (octets(src), octets(dst));
    let place = if protocol == number::TCP { 16 } else { 2 };
    put_checksum(&mut payload, place, &src, &dst, protocol);
    let [high, low] = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0x60, 0, 0, 0, high, low, protocol, TTL][..], &src, &dst, &payload].concat()
}

/// A checksum over a payload that is 0 where the checksum goes, and the pseudo header.
fn put_checksum(payload: &mut [u8], place: usize, src: &[u8], dst: &[u8], protocol: u8) {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let sum = checksum(&[src, dst, &len, &[0, protocol], payload]);
    if let Some(place) = payload.get_mut(place..place + 2) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}
