//! Changing packets: `nft_payload_set_eval` of `nft_payload.c`, and the setting and removing of TCP options of
//! `nft_exthdr.c`. Checksums that were right stay right.

use super::exthdr::{TcpOption, tcp_option};
use super::packet::{Info, Read, inner_offset, protocol};
use super::state::Then;
use super::value::number_of;
use crate::replay::skb::Skb;
use crate::ruleset::nft::PayloadBase;

/// `TCPOPT_NOP`.
const NOP: u8 = 1;

/// `TCPOPT_MSS`.
const MSS: u8 = 2;

/// Writes a field of the packet. What stands in the link-layer header is left alone: it is the capture's.
pub(super) fn set_payload(skb: &mut Skb, info: &Info, field: &Read, value: &[u8]) -> Then {
    let from = match field.base() {
        PayloadBase::Link => return Then::Go,
        PayloadBase::Network => Some(0),
        PayloadBase::Transport if info.protocol.is_none() || info.fragment != 0 => None,
        PayloadBase::Transport => Some(info.transport as usize),
        PayloadBase::Inner => inner_offset(skb, info),
    };
    let Some(at) = from.map(|from| from + field.first()) else { return Then::Break };
    let Some(old) = skb.at(at, field.span()) else { return Then::Break };
    let Some(new) = merged(field, old, value) else { return Then::Break };
    // A new address changes the sum over it too; UDP's may be missing.
    let is_address = field.base() == PayloadBase::Network && at >= if skb.is_v6() { 8 } else { 12 };
    let is_summed = is_address && info.fragment == 0 && matches!(info.protocol, Some(protocol::TCP | protocol::ICMPV6));
    let check = checksum_offset(info).filter(|_| is_summed || field.base() == PayloadBase::Transport);
    if check.is_some_and(|check| skb.at(info.transport as usize + check, 2).is_none()) {
        return Then::Break;
    }
    write(skb, info, at, &new);
    Then::Go
}

/// The field's bytes with the value put in.
fn merged(field: &Read, old: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    if field.is_whole() {
        let skipped = value.len().checked_sub(old.len())?;
        return value.get(skipped..).map(<[u8]>::to_vec);
    }
    let mask = field.mask().checked_shl(field.shift()).unwrap_or(0);
    let put = number_of(value)?.checked_shl(field.shift()).unwrap_or(0) & mask;
    let new = (number_of(old)? & !mask | put).to_be_bytes();
    new.get(new.len().checked_sub(old.len())?..).map(<[u8]>::to_vec)
}

/// Writes a TCP option's field, as far as it is there. A maximum segment size only shrinks.
pub(super) fn set_tcp_option(skb: &mut Skb, info: &Info, kind: u8, first: usize, value: &[u8]) -> Then {
    let (place, len) = match tcp_option(skb, info, kind) {
        TcpOption::Found { place, len } => (place, len),
        TcpOption::Missing => return Then::Go,
        TcpOption::NoHeader | TcpOption::TooLong => return Then::Break,
    };
    let at = place + first;
    let Some(old) = skb.at(at, value.len()).filter(|old| first + old.len() <= len) else { return Then::Break };
    if kind == MSS && value.len() == 2 && old <= value {
        return Then::Go;
    }
    write(skb, info, at, value);
    Then::Go
}

/// Overwrites a TCP option with no-operations.
pub(super) fn reset_tcp_option(skb: &mut Skb, info: &Info, kind: u8) -> Then {
    match tcp_option(skb, info, kind) {
        TcpOption::Found { place, len } => write(skb, info, place, &vec![NOP; len]),
        TcpOption::Missing => {}
        TcpOption::NoHeader => return Then::Break,
        TcpOption::TooLong => return Then::Drop,
    }
    Then::Go
}

/// Writes bytes and mends the checksums over them.
fn write(skb: &mut Skb, info: &Info, at: usize, new: &[u8]) {
    let Some(old) = skb.at(at, new.len()).map(<[u8]>::to_vec) else { return };
    let transport = info.transport as usize;
    let is_v6 = skb.is_v6();
    let bytes = skb.bytes.to_mut();
    let Some(place) = bytes.get_mut(at..at + new.len()) else { return };
    place.copy_from_slice(new);
    let past = at + new.len();
    let in_header = at < skb.headers.transport as usize;
    if in_header && !is_v6 {
        mend(bytes, 10, at, &old, new);
    }
    let addresses = if is_v6 { 8..40 } else { 12..20 };
    let touches_addresses = at < addresses.end && past > addresses.start;
    let check = checksum_offset(info).filter(|check| {
        let unused = info.protocol == Some(protocol::UDP)
            && bytes.get(transport + check..transport + check + 2) == Some(&[0, 0]);
        let without_addresses = info.protocol == Some(protocol::ICMP) && in_header;
        info.fragment == 0 && !unused && !without_addresses
    });
    if let Some(check) = check.filter(|_| !in_header || touches_addresses) {
        mend(bytes, transport + check, at, &old, new);
    }
    if in_header {
        // A header that no longer reads as IP stays known as it was.
        let _ = skb.find_headers();
    }
}

/// Where the transport's header has its checksum.
fn checksum_offset(info: &Info) -> Option<usize> {
    match info.protocol? {
        protocol::TCP => Some(16),
        protocol::UDP => Some(6),
        protocol::ICMP | protocol::ICMPV6 => Some(2),
        _ => None,
    }
}

/// Changes a checksum by what changed under it (RFC 1624), unless it was itself written.
fn mend(bytes: &mut [u8], check: usize, at: usize, old: &[u8], new: &[u8]) {
    if at < check + 2 && at + new.len() > check {
        return;
    }
    let Some(field) = bytes.get_mut(check..).and_then(|rest| rest.first_chunk_mut::<2>()) else { return };
    let weight = |place: usize| if place.abs_diff(check).is_multiple_of(2) { 256 } else { 1 };
    let sum = |bytes: &[u8]| bytes.iter().zip(at..).map(|(byte, place)| i64::from(*byte) * weight(place)).sum::<i64>();
    let before = i64::from(!u16::from_be_bytes(*field));
    let after = (before + sum(new) - sum(old)).rem_euclid(0xffff);
    *field = (!u16::try_from(after).unwrap_or(0)).to_be_bytes();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::ruleset::nft::Payload;

    /// An ICMP echo request; every checksum in it is right.
    const ECHO: &str = "4500002000070000400100000a581e010a581e020800000000050001 70696e67";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
    }

    fn sum(bytes: &[u8]) -> u16 {
        let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
        let sum = words.sum::<u32>();
        let folded = (sum & 0xffff) + (sum >> 16);
        !((folded & 0xffff) + (folded >> 16)) as u16
    }

    fn echo() -> Vec<u8> {
        let mut packet = bytes(ECHO);
        let header = sum(&packet[..20]);
        packet[10..12].copy_from_slice(&header.to_be_bytes());
        let whole = sum(&packet[20..]);
        packet[22..24].copy_from_slice(&whole.to_be_bytes());
        packet
    }

    fn written(base: PayloadBase, offset: u32, bits: u32, value: &[u8]) -> Vec<u8> {
        let packet = echo();
        let mut skb = Skb::new(&packet, &[], 0).unwrap();
        let info = Info::of(&skb);
        let field = Read::new(&Payload { base, offset, bits }).unwrap();
        assert_eq!(set_payload(&mut skb, &info, &field, value), Then::Go);
        skb.bytes.into_owned()
    }

    #[test]
    fn checksums_stay_right() {
        let packet = written(PayloadBase::Network, 64, 8, &[5]);
        assert_eq!((packet[8], sum(&packet[..20]), sum(&packet[20..])), (5, 0, 0));
        let packet = written(PayloadBase::Transport, 32, 16, &[0x12, 0x34]);
        assert_eq!((&packet[24..26], sum(&packet[20..])), (&[0x12, 0x34][..], 0));
        let packet = written(PayloadBase::Transport, 40, 8, &[0x77]);
        assert_eq!((packet[25], sum(&packet[20..])), (0x77, 0));
    }

    #[test]
    fn bits_beside_the_field_stay() {
        let packet = written(PayloadBase::Network, 8, 6, &[46]);
        assert_eq!((packet[1], sum(&packet[..20])), (46 << 2, 0));
    }

    #[test]
    fn nothing_is_written_beyond_the_packet() {
        let packet = echo();
        let mut skb = Skb::new(&packet, &[], 0).unwrap();
        let info = Info::of(&skb);
        let field = Read::new(&Payload { base: PayloadBase::Transport, offset: 96, bits: 8 }).unwrap();
        assert_eq!(set_payload(&mut skb, &info, &field, &[1]), Then::Break);
    }
}
