//! Translated packets: `net/netfilter/nf_nat_proto.c`.

use super::super::Tuple;
use super::super::sums::{mended, sctp_sum};
use super::super::track::Verdict;
use super::super::tuple::{Transport, protocol};
use super::Manip;
use crate::packet::checksum::Sum;
use std::net::IpAddr;

/// Rewrites the address and port of an IP packet that begins at a place of `bytes`, and mends its checksums. What of its
/// transport is missing, because the capture or an ICMP error cut it, is passed over.
pub(super) fn rewrite(bytes: &mut [u8], at: usize, v6: bool, target: &Tuple, manip: Manip) -> Verdict {
    let Some(packet) = bytes.get_mut(at..) else { return Verdict::Drop };
    let transport = Transport::of(packet, usize::MAX, v6);
    let (address, port) = match manip {
        Manip::Src => (target.src, target.src_port),
        Manip::Dst => (target.dst, target.dst_port),
    };
    let (place, size) = match (v6, manip) {
        (false, Manip::Src) => (12, 4),
        (false, Manip::Dst) => (16, 4),
        (true, Manip::Src) => (8, 16),
        (true, Manip::Dst) => (24, 16),
    };
    let mut new = [0; 16];
    match address {
        IpAddr::V4(address) => new.iter_mut().zip(address.octets()).for_each(|(to, from)| *to = from),
        IpAddr::V6(address) => new = address.octets(),
    }
    let Some(old) = packet.get(place..place + size).map(<[u8]>::to_vec) else { return Verdict::Drop };
    let new = new.get(..size).unwrap_or_default();
    if let Some(Transport { protocol, offset }) = transport {
        let port = if matches!(protocol, protocol::ICMP | protocol::ICMPV6) { target.src_port } else { port };
        let rest = packet.get_mut(offset..).unwrap_or_default();
        rewrite_transport(rest, protocol, port, manip, &old, new);
    }
    if let Some(field) = packet.get_mut(place..place + size) {
        field.copy_from_slice(new);
    }
    if !v6 && let Some(sum) = packet.get(10..12).and_then(<[u8]>::first_chunk::<2>).copied() {
        set(packet, 10, mended(sum, &old, new));
    }
    Verdict::Accept
}

fn rewrite_transport(transport: &mut [u8], protocol: u8, port: u16, manip: Manip, old: &[u8], new: &[u8]) {
    let (port_at, sum_at) = match (protocol, manip) {
        (protocol::TCP, _) => (port_place(manip), Some(16)),
        (protocol::UDP | protocol::UDPLITE, _) => (port_place(manip), Some(6)),
        (protocol::SCTP, _) => (port_place(manip), None),
        (protocol::ICMP | protocol::ICMPV6, _) => {
            let kind = transport.first().copied().unwrap_or_default();
            let v6 = protocol == protocol::ICMPV6;
            let has_id = if v6 { matches!(kind, 128 | 129) } else { matches!(kind, 0 | 8 | 13..=18) };
            (if has_id { 4 } else { usize::MAX }, Some(2))
        }
        _ => return,
    };
    let port = port.to_be_bytes();
    let old_port = transport.get(port_at..).and_then(<[u8]>::first_chunk::<2>).copied();
    if old_port.is_some() {
        set(transport, port_at, port);
    }
    if protocol == protocol::SCTP
        && let Some(sum) = sctp_sum(transport)
    {
        set(transport, 8, sum);
    }
    let Some(sum_at) = sum_at else { return };
    let Some(mut sum) = transport.get(sum_at..).and_then(<[u8]>::first_chunk::<2>).copied() else { return };
    if protocol == protocol::UDP && sum == [0, 0] {
        return;
    }
    if protocol != protocol::ICMP {
        sum = mended(sum, old, new);
    }
    if let Some(old_port) = old_port {
        sum = mended(sum, &old_port, &port);
    }
    let means_none = matches!(protocol, protocol::UDP | protocol::UDPLITE) && sum == [0, 0];
    set(transport, sum_at, if means_none { [0xff, 0xff] } else { sum });
}

fn port_place(manip: Manip) -> usize {
    match manip {
        Manip::Src => 0,
        Manip::Dst => 2,
    }
}

/// Sums an ICMP message anew whose quoted packet changed.
pub(super) fn sum_icmp(packet: &mut [u8], transport: usize, v6: bool) {
    let addresses = Tuple::of(packet, Transport { protocol: 0, offset: transport }, v6);
    let Some(message) = packet.get_mut(transport..) else { return };
    set(message, 2, [0, 0]);
    let sum = match (v6, addresses) {
        (true, Some(tuple)) => Sum::default().add_pseudo_header(tuple.src, tuple.dst, protocol::ICMPV6, message.len()),
        _ => Sum::default(),
    };
    let sum = sum.add(message).checksum();
    set(message, 2, sum);
}

fn set<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(field) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<N>) {
        *field = value;
    }
}
