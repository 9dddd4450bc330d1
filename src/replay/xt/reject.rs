//! What REJECT answers: `nf_reject_ipv4.c`, `nf_reject_ipv6.c`.

use crate::replay::skb::Skb;
use crate::ruleset::nft::Reject;

const TCP: u8 = 6;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// Longest ICMP error (RFC 1812, 4.3.2.3) and ICMPv6 error (RFC 4443, 2.4).
const ICMP_BYTES: usize = 576;
const ICMPV6_BYTES: usize = 1280;

/// The answer, from its IP header on; `None` where the kernel stays silent.
pub fn reject_reply(skb: &Skb<'_>, how: Reject) -> Option<Vec<u8>> {
    if skb.headers.fragment_offset > 0 {
        return None;
    }
    let v6 = skb.is_v6();
    match how {
        Reject::TcpReset => reset(skb),
        Reject::Icmp(code) if !v6 => unreachable_v4(skb, code),
        Reject::Icmpv6(code) if v6 => unreachable_v6(skb, code),
        Reject::Icmpx(code) if v6 => unreachable_v6(skb, *[0, 4, 3, 1].get(usize::from(code)).unwrap_or(&4)),
        Reject::Icmpx(code) => unreachable_v4(skb, *[0, 3, 1, 13].get(usize::from(code)).unwrap_or(&3)),
        _ => None,
    }
}

/// A reset to whoever sent a TCP segment, unless it was one itself.
fn reset(skb: &Skb<'_>) -> Option<Vec<u8>> {
    const RST: u8 = 4;
    const ACK: u8 = 16;
    if skb.headers.protocol != Some(TCP) {
        return None;
    }
    let at = skb.headers.transport as usize;
    let head = skb.array::<20>(at)?;
    let flags = head[13];
    if flags & RST != 0 {
        return None;
    }
    let [sp1, sp2, dp1, dp2, s1, s2, s3, s4, a1, a2, a3, a4, ..] = head;
    let mut tcp = vec![dp1, dp2, sp1, sp2];
    if flags & ACK != 0 {
        tcp.extend([a1, a2, a3, a4, 0, 0, 0, 0, 0x50, RST]);
    } else {
        let payload = skb.len.saturating_sub(at as u32).saturating_sub(u32::from(head[12] >> 4) * 4);
        let taken = payload + u32::from(flags & 2 != 0) + u32::from(flags & 1 != 0);
        tcp.extend([0; 4]);
        tcp.extend(u32::from_be_bytes([s1, s2, s3, s4]).wrapping_add(taken).to_be_bytes());
        tcp.extend([0x50, RST | ACK]);
    }
    tcp.extend([0; 6]);
    Some(with_header(skb, TCP, tcp))
}

/// An IP header from the destination back to the source.
fn with_header(skb: &Skb<'_>, protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    const TTL: u8 = 64;
    let mut packet = Vec::with_capacity(40 + payload.len());
    if skb.is_v6() {
        packet.extend([0x60, 0, 0, 0]);
        packet.extend((payload.len() as u16).to_be_bytes());
        packet.extend([protocol, TTL]);
        packet.extend(skb.array::<16>(24).unwrap_or_default());
        packet.extend(skb.array::<16>(8).unwrap_or_default());
    } else {
        packet.extend([0x45, 0]);
        packet.extend((payload.len() as u16 + 20).to_be_bytes());
        packet.extend([0, 0, 0x40, 0, TTL, protocol, 0, 0]);
        packet.extend(skb.array::<4>(16).unwrap_or_default());
        packet.extend(skb.array::<4>(12).unwrap_or_default());
    }
    packet.extend(payload);
    packet
}

/// Quotes the packet, as much as fits. Errors are not answered with errors (RFC 1122, 3.2.2).
fn unreachable_v4(skb: &Skb<'_>, code: u8) -> Option<Vec<u8>> {
    const ERRORS: [u8; 5] = [3, 4, 5, 11, 12];
    let kind = skb.byte(skb.headers.transport as usize);
    if skb.headers.protocol == Some(ICMP) && kind.is_none_or(|kind| ERRORS.contains(&kind)) {
        return None;
    }
    let quoted = (skb.len as usize).min(ICMP_BYTES - 28);
    let mut icmp = vec![3, code, 0, 0, 0, 0, 0, 0];
    icmp.extend(skb.bytes.get(..quoted).unwrap_or(&skb.bytes));
    icmp.resize(8 + quoted, 0);
    // The class of service of a router's own messages: internetwork control.
    let mut packet = with_header(skb, ICMP, icmp);
    if let Some(tos) = packet.get_mut(1) {
        *tos = skb.byte(1).unwrap_or(0) & 0x1e | 0xc0;
    }
    Some(packet)
}

fn unreachable_v6(skb: &Skb<'_>, code: u8) -> Option<Vec<u8>> {
    let kind = skb.byte(skb.headers.transport as usize);
    if skb.headers.protocol == Some(ICMPV6) && kind.is_none_or(|kind| kind < 128) {
        return None;
    }
    let quoted = (skb.len as usize).min(ICMPV6_BYTES - 48);
    let mut icmp = vec![1, code, 0, 0, 0, 0, 0, 0];
    icmp.extend(skb.bytes.get(..quoted).unwrap_or(&skb.bytes));
    icmp.resize(8 + quoted, 0);
    Some(with_header(skb, ICMPV6, icmp))
}
