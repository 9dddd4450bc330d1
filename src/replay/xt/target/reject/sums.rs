//! Whether the kernel would take a packet's checksum for right (`nf_reject_verify_csum`, `nf_ip_checksum`): it answers
//! nothing that is damaged.
//!
//! Captures are full of segments whose checksum the network card had yet to fill in. So a whole TCP, UDP or ICMP packet
//! is taken to be right unless the settings say otherwise; what no card would have completed is summed up: fragments,
//! cut headers, other protocols.

use super::super::super::super::conntrack::Checksums;
use super::super::super::super::skb::Skb;
use super::super::header::checksum;
use super::number;

/// `at` is where the transport header begins, `protocol` its number.
pub fn is_right(skb: &Skb<'_>, protocol: u8, at: usize, checksums: Checksums) -> bool {
    let payload = skb.bytes.get(at..).unwrap_or_default();
    let is_cut = skb.bytes.len() < skb.len as usize;
    let is_assumed = || checksums != Checksums::Verified && is_whole(skb, protocol, payload);
    is_cut || has_no_sum(protocol, payload) || is_assumed() || sums_up(skb, protocol, payload)
}

/// Protocols without a checksum over all of their data, and UDP that does without. DCCP went with kernel 6.16.
fn has_no_sum(protocol: u8, payload: &[u8]) -> bool {
    match (protocol, payload) {
        (number::UDP, [_, _, _, _, _, _, high, low, ..]) => (high, low) == (&0, &0),
        (number::GRE | number::ESP | number::AUTH | number::SCTP | number::UDPLITE, _) => true,
        _ => false,
    }
}

fn is_whole(skb: &Skb<'_>, protocol: u8, payload: &[u8]) -> bool {
    if skb.headers.is_fragment {
        return false;
    }
    match (protocol, payload) {
        (number::UDP, [_, _, _, _, high, low, _, _, ..]) => {
            usize::from(u16::from_be_bytes([*high, *low])) == payload.len()
        }
        (number::TCP, _) => payload.len() >= 18,
        (number::ICMP | number::ICMPV6, _) => payload.len() >= 4,
        _ => false,
    }
}

/// IPv4 has a pseudo header for TCP and UDP alone, IPv6 for all.
fn sums_up(skb: &Skb<'_>, protocol: u8, payload: &[u8]) -> bool {
    let addresses = match (skb.is_v6(), protocol) {
        (true, _) => skb.at(8, 32),
        (false, number::TCP | number::UDP) => skb.at(12, 8),
        // Summed from the IP header on, which makes nothing and zeros right too.
        (false, _) => return matches!(checksum(&[payload]), 0 | 0xffff),
    };
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    checksum(&[addresses.unwrap_or_default(), &len, &[0, protocol], payload]) == 0
}
