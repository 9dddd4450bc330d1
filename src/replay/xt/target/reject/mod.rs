//! The packet that REJECT answers with: `nf_reject_ipv4.c`, `nf_reject_ipv6.c`, `__icmp_send`, `icmp6_send`.
//!
//! Limits on the rate of ICMP errors are taken to be off.

mod sums;

use super::super::super::conntrack::Checksums;
use super::super::super::skb::Skb;
use super::super::super::world::Routes;
use super::super::view::find_header;
use super::header::checksum;
use crate::ruleset::nft::Reject;
use std::net::IpAddr;

/// Longest ICMP error (RFC 1812), and ICMPv6 error (the least MTU).
const LONGEST: usize = 576;
const LONGEST_V6: usize = 1280;

/// Hop limit of what the host sends.
const TTL: u8 = 64;

mod number {
    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const GRE: u8 = 47;
    pub const ESP: u8 = 50;
    pub const AUTH: u8 = 51;
    pub const ICMPV6: u8 = 58;
    pub const SCTP: u8 = 132;
    pub const UDPLITE: u8 = 136;
}

/// By the name that `--reject-with` gives; unknown names are port unreachable, the default.
pub(super) fn of_name(name: &str, v6: bool) -> Reject {
    let name = name.trim_start_matches("icmp6-").trim_start_matches("icmp-");
    match (v6, name) {
        (_, "tcp-reset" | "tcp-rst") => Reject::TcpReset,
        (false, "net-unreachable" | "net-unreach") => Reject::Icmp(0),
        (false, "host-unreachable" | "host-unreach") => Reject::Icmp(1),
        (false, "proto-unreachable" | "proto-unreach") => Reject::Icmp(2),
        (false, "net-prohibited" | "net-prohib") => Reject::Icmp(9),
        (false, "host-prohibited" | "host-prohib") => Reject::Icmp(10),
        (false, "admin-prohibited" | "admin-prohib") => Reject::Icmp(13),
        (false, _) => Reject::Icmp(3),
        (true, "no-route") => Reject::Icmpv6(0),
        (true, "adm-prohibited" | "admin-prohibited") => Reject::Icmpv6(1),
        (true, "not-neighbour") => Reject::Icmpv6(2),
        (true, "addr-unreachable" | "addr-unreach") => Reject::Icmpv6(3),
        (true, "policy-fail") => Reject::Icmpv6(5),
        (true, "reject-route") => Reject::Icmpv6(6),
        (true, _) => Reject::Icmpv6(4),
    }
}

/// The answer to a packet, from its IP header on. `None` where the kernel sends none: to a reset, to an ICMP error, to a
/// fragment that is not the first, to what was not meant for one host.
///
/// It goes through OUTPUT and POSTROUTING on its own, with the connection of the packet that it answers.
pub fn reject_reply(skb: &Skb<'_>, how: Reject, routes: &Routes, checksums: Checksums) -> Option<Vec<u8>> {
    /// Codes of a family-independent answer (`nft_reject_icmp_code`, `nft_reject_icmpv6_code`).
    const ANY_V4: [u8; 4] = [0, 3, 1, 13];
    const ANY_V6: [u8; 4] = [0, 4, 3, 1];
    match (how, skb.is_v6()) {
        (Reject::TcpReset, true) => reset_v6(skb, checksums),
        (Reject::TcpReset, false) => reset_v4(skb, checksums),
        (Reject::Icmp(code), false) => unreachable_v4(skb, code, routes, checksums),
        (Reject::Icmpv6(code), true) => unreachable_v6(skb, code, routes, checksums),
        (Reject::Icmpx(code), false) => unreachable_v4(skb, *ANY_V4.get(usize::from(code))?, routes, checksums),
        (Reject::Icmpx(code), true) => unreachable_v6(skb, *ANY_V6.get(usize::from(code))?, routes, checksums),
        (Reject::Icmp(_), true) | (Reject::Icmpv6(_), false) => None,
    }
}

/// `nf_send_reset`.
fn reset_v4(skb: &Skb<'_>, checksums: Checksums) -> Option<Vec<u8>> {
    let at = skb.headers.transport as usize;
    if skb.headers.protocol != Some(number::TCP) || skb.headers.fragment_offset != 0 || is_for_many(skb.dst()) {
        return None;
    }
    let segment = reset(skb, at, checksums)?;
    Some(v4_packet(
        Header { tos: 0, flags: 0x4000, protocol: number::TCP, options: &[] },
        skb.dst(),
        skb.src(),
        segment,
    ))
}

/// `nf_send_reset6`.
fn reset_v6(skb: &Skb<'_>, checksums: Checksums) -> Option<Vec<u8>> {
    if !is_unicast(skb.src()) || !is_unicast(skb.dst()) {
        return None;
    }
    let found = find_header(skb, None, false).ok()?;
    if found.kind != number::TCP || found.fragment != 0 {
        return None;
    }
    let segment = reset(skb, found.offset, checksums)?;
    Some(v6_packet(number::TCP, skb.dst(), skb.src(), segment))
}

/// `nf_reject_ip_tcphdr_put`, without checksum.
fn reset(skb: &Skb<'_>, at: usize, checksums: Checksums) -> Option<Vec<u8>> {
    let header = skb.array::<20>(at)?;
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, ..] = header;
    if !sums::is_right(skb, number::TCP, at, checksums) {
        return None;
    }
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
fn unreachable_v4(skb: &Skb<'_>, code: u8, routes: &Routes, checksums: Checksums) -> Option<Vec<u8>> {
    if skb.headers.fragment_offset != 0 || is_for_many(skb.dst()) || is_for_many(skb.src()) {
        return None;
    }
    let (protocol, at) = (skb.headers.protocol?, skb.headers.transport as usize);
    if protocol == number::ICMP && !matches!(skb.byte(at)?, 0 | 8 | 13..=18) {
        return None;
    }
    if !sums::is_right(skb, protocol, at, checksums) {
        return None;
    }
    let options = echoed_options(skb);
    let quoted = quoted(skb, LONGEST - 28 - options.len());
    let mut message = [&[3, code, 0, 0, 0, 0, 0, 0], quoted.as_slice()].concat();
    let sum = checksum(&[&message]);
    message.get_mut(2..4)?.copy_from_slice(&sum.to_be_bytes());
    let tos = skb.byte(1)? & 0x1e | 0xc0;
    let header = Header { tos, flags: 0, protocol: number::ICMP, options: &options };
    Some(v4_packet(header, own_address(skb, routes), skb.src(), message))
}

/// `__ip_options_echo`, as far as it is still met: recorded routes and times go back with the answer.
fn echoed_options(skb: &Skb<'_>) -> Vec<u8> {
    let (record_route, timestamp) = (7, 68);
    let mut rest = skb.bytes.get(20..skb.headers.transport as usize).unwrap_or_default();
    let mut echoed = Vec::new();
    while let Some((kind, after)) = rest.split_first() {
        rest = match (kind, after) {
            (0, _) => break,
            (1, _) => after,
            (_, [len, ..]) => {
                let Some((option, after)) = rest.split_at_checked(usize::from(*len).max(1)) else { break };
                if *kind == record_route || *kind == timestamp {
                    echoed.extend_from_slice(option);
                }
                after
            }
            _ => break,
        };
    }
    echoed.resize(echoed.len().next_multiple_of(4), 0);
    echoed
}

/// `nf_send_unreach6`, `icmp6_send`.
fn unreachable_v6(skb: &Skb<'_>, code: u8, routes: &Routes, checksums: Checksums) -> Option<Vec<u8>> {
    if skb.src().is_unspecified() || skb.src().is_multicast() || skb.dst().is_multicast() {
        return None;
    }
    let found = find_header(skb, None, false).ok()?;
    if found.fragment != 0 || found.offset >= skb.len as usize {
        return None;
    }
    if found.kind == number::ICMPV6 && skb.byte(found.offset)? & 0x80 == 0 {
        return None;
    }
    if !sums::is_right(skb, found.kind, found.offset, checksums) {
        return None;
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
    routes.first_local(dst.is_ipv6()).unwrap_or(Routes::standing(dst.is_ipv6()))
}

fn is_for_many(addr: IpAddr) -> bool {
    let is_broadcast = matches!(addr, IpAddr::V4(addr) if addr.is_broadcast());
    is_broadcast || addr.is_multicast()
}

fn is_unicast(addr: IpAddr) -> bool {
    !addr.is_multicast() && !addr.is_unspecified()
}

/// What an IPv4 header says besides addresses.
struct Header<'o> {
    tos: u8,
    flags: u16,
    protocol: u8,
    options: &'o [u8],
}

fn v4_packet(header: Header<'_>, src: IpAddr, dst: IpAddr, mut payload: Vec<u8>) -> Vec<u8> {
    let Header { tos, flags, protocol, options } = header;
    let (src, dst) = (octets(src), octets(dst));
    if protocol == number::TCP {
        put_checksum(&mut payload, 16, &src, &dst, protocol);
    }
    let header_len = 20 + options.len();
    let [high, low] = u16::try_from(header_len + payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    let [f0, f1] = flags.to_be_bytes();
    let first = 0x40 | u8::try_from(header_len / 4).unwrap_or(15);
    let head = [first, tos, high, low, 0, 0, f0, f1, TTL, protocol, 0, 0];
    let mut packet = [&head[..], &src, &dst, options].concat();
    let sum = checksum(&[&packet]).to_be_bytes();
    if let Some(place) = packet.get_mut(10..12) {
        place.copy_from_slice(&sum);
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

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    const HOST: &str = "192.0.2.254";

    fn routes() -> Routes {
        Routes { local: vec![HOST.parse().unwrap(), "2001:db8:ffff::1".parse().unwrap()], ..Routes::default() }
    }

    fn v4(protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
        let len = u16::try_from(20 + options.len() + payload.len()).unwrap().to_be_bytes();
        let first = 0x45 + u8::try_from(options.len() / 4).unwrap();
        let addresses = [10, 1, 2, 1, 10, 88, 30, 2];
        [&[first, 0, len[0], len[1], 0, 7, 0, 0, 64, protocol, 0, 0][..], &addresses, options, payload].concat()
    }

    fn v6(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let addresses = [0x20, 1, 13, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].repeat(2);
        [&[0x60, 0, 0, 0, len[0], len[1], protocol, 64][..], &addresses, payload].concat()
    }

    fn answer(packet: &[u8], kind: Reject) -> Option<Vec<u8>> {
        reject_reply(&Skb::new(packet, &[], 0).unwrap(), kind, &routes(), Checksums::Assumed)
    }

    fn udp(len: usize) -> Vec<u8> {
        let all = u16::try_from(8 + len).unwrap().to_be_bytes();
        [&[0, 1, 0, 53, all[0], all[1], 0, 0][..], &vec![0; len]].concat()
    }

    fn tcp(flags: u8, data: usize) -> Vec<u8> {
        [&[0, 1, 20, 102, 0, 0, 0, 1, 0, 0, 0, 9, 0x50, flags, 4, 0, 0, 0, 0, 0][..], &vec![0; data]].concat()
    }

    /// Lengths as the kernel's OUTPUT chain counted them.
    #[test]
    fn errors_quote_what_fits() {
        let len = |packet: Vec<u8>| answer(&packet, Reject::Icmp(3)).map(|answer| answer.len());
        for (data, expected) in [(0, 56), (1, 57), (500, 556), (520, 576), (521, 576), (3000, 576)] {
            assert_eq!(len(v4(17, &[], &udp(data))), Some(expected));
        }
        assert_eq!(len(v4(17, &[0x94, 4, 0, 0], &udp(0))), Some(60));
        assert_eq!(len(v4(17, &[7, 7, 4, 0, 0, 0, 0, 0], &udp(0))), Some(72), "the recorded route goes back");
        assert_eq!(len(v4(50, &[], b"abc")), Some(51));
        let len = |packet: Vec<u8>| answer(&packet, Reject::Icmpv6(4)).map(|answer| answer.len());
        for (data, expected) in [(0, 96), (1, 97), (1184, 1280), (3000, 1280)] {
            assert_eq!(len(v6(17, &udp(data))), Some(expected));
        }
        assert_eq!(len(v6(59, b"ab")), None, "no checksum could be right");
        assert_eq!(len(v6(17, b"abc")), None);
        assert_eq!(len(v6(59, b"")), None);
    }

    #[test]
    fn errors_are_not_answered_with_errors() {
        let is_answered = |kind: u8| answer(&v4(1, &[], &[kind, 0, 0, 0, 0, 0, 0, 0]), Reject::Icmp(3)).is_some();
        let answered: Vec<u8> = (0..=255).filter(|kind| is_answered(*kind)).collect();
        assert_eq!(answered, [0, 8, 13, 14, 15, 16, 17, 18]);
        let is_answered = |kind: u8| answer(&v6(58, &[kind, 0, 0, 0, 0, 0, 0, 0]), Reject::Icmpv6(4)).is_some();
        assert!((0..128).all(|kind| !is_answered(kind)) && (128..=255).all(is_answered));
    }

    #[test]
    fn a_reset_answers_a_segment() {
        let reset = |flags, data| {
            let packet = answer(&v4(6, &[], &tcp(flags, data)), Reject::TcpReset)?;
            let number = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
            assert_eq!((packet.len(), &packet[20..24]), (40, &[20, 102, 0, 1][..]));
            Some((packet[33], number(24), number(28)))
        };
        assert_eq!(reset(2, 0), Some((0x14, 0, 2)));
        assert_eq!(reset(1, 2), Some((0x14, 0, 4)));
        assert_eq!(reset(0x18, 50), Some((4, 9, 0)));
        assert_eq!(reset(4, 0), None);
        let v6 = answer(&v6(6, &tcp(2, 0)), Reject::TcpReset).unwrap();
        assert_eq!(v6.len(), 60);
    }

    #[test]
    fn answers_are_sound_packets() {
        let error = answer(&v4(17, &[], &udp(4)), Reject::Icmp(13)).unwrap();
        assert_eq!((checksum(&[&error[..20]]), checksum(&[&error[20..]])), (0, 0));
        let skb = Skb::new(&error, &[], 0).unwrap();
        assert_eq!((skb.src().to_string(), skb.dst().to_string(), skb.ttl()), (HOST.into(), "10.1.2.1".into(), 64));
        let reset = answer(&v4(6, &[], &tcp(2, 0)), Reject::TcpReset).unwrap();
        assert_eq!(checksum(&[&reset[12..20], &[0, 6, 0, 20], &reset[20..]]), 0);
        let error = answer(&v6(17, &udp(4)), Reject::Icmpv6(1)).unwrap();
        let len = u16::try_from(error.len() - 40).unwrap().to_be_bytes();
        assert_eq!(checksum(&[&error[8..40], &len, &[0, 58], &error[40..]]), 0);
    }
}
