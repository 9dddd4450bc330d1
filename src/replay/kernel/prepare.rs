//! A captured packet made ready to be sent, or the reason why it is not.

use super::SkipReason;
use crate::packet::checksum::Sum;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The router's own addresses: answers of REJECT come from them.
pub(super) use crate::replay::world::{STANDING_V4 as ROUTER_V4, STANDING_V6 as ROUTER_V6};

/// A packet that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ready {
    /// From the IP header on, no longer than the header says.
    pub bytes: Vec<u8>,
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// A checksum was put right.
    pub fixed: bool,
}

impl Ready {
    /// Takes a packet as captured.
    pub fn new(packet: &[u8], keep_checksums: bool) -> Result<Self, SkipReason> {
        let mut bytes = cut_to_length(packet)?;
        let (src, dst) = addresses(&bytes).ok_or(SkipReason::NotIp)?;
        check_addresses(src, dst)?;
        let fixed = !keep_checksums && fix_checksums(&mut bytes, src, dst).unwrap_or(false);
        Ok(Self { bytes, src, dst, fixed })
    }

    /// Adds one to TTL or hop limit, because a router takes one off before the FORWARD hook. 255 has no higher number.
    pub fn raise_ttl(&mut self) {
        match self.bytes.as_mut_slice() {
            [first, _, _, _, _, _, _, hop_limit, ..] if *first >> 4 == 6 => *hop_limit = hop_limit.saturating_add(1),
            [_, _, _, _, _, _, _, _, ttl, _, high, low, ..] if *ttl < 255 => {
                *ttl += 1;
                // RFC 1624, equation 3: what was wrong stays wrong.
                let sum = u32::from(!u16::from_be_bytes([*high, *low])) + 0x0100;
                [*high, *low] = (!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes();
            }
            _ => {}
        }
    }
}

/// The packet without padding. A length of 0 (segmentation offload) becomes what was captured.
fn cut_to_length(packet: &[u8]) -> Result<Vec<u8>, SkipReason> {
    let version = packet.first().ok_or(SkipReason::NotIp)? >> 4;
    let (header, place) = match version {
        4 => (20, 2..4),
        6 => (40, 4..6),
        _ => return Err(SkipReason::NotIp),
    };
    if packet.len() < header {
        return Err(SkipReason::NotIp);
    }
    let beside = if version == 4 { 0 } else { 40 };
    let told =
        packet.get(place.clone()).and_then(<[u8]>::first_chunk).map_or(0, |b| usize::from(u16::from_be_bytes(*b)));
    if told > 0 {
        return packet.get(..told + beside).map(<[u8]>::to_vec).ok_or(SkipReason::Truncated);
    }
    let mut bytes = packet.to_vec();
    if let (Ok(len), Some(field)) = (u16::try_from(packet.len() - beside), bytes.get_mut(place)) {
        field.copy_from_slice(&len.to_be_bytes());
    }
    Ok(bytes)
}

/// Source and destination of an IP packet.
pub(super) fn addresses(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    match packet.first()? >> 4 {
        4 => {
            let (src, dst) = (*packet.get(12..)?.first_chunk::<4>()?, *packet.get(16..)?.first_chunk::<4>()?);
            Some((Ipv4Addr::from(src).into(), Ipv4Addr::from(dst).into()))
        }
        6 => {
            let (src, dst) = (*packet.get(8..)?.first_chunk::<16>()?, *packet.get(24..)?.first_chunk::<16>()?);
            Some((Ipv6Addr::from(src).into(), Ipv6Addr::from(dst).into()))
        }
        _ => None,
    }
}

fn check_addresses(src: IpAddr, dst: IpAddr) -> Result<(), SkipReason> {
    if src.is_loopback() || dst.is_loopback() {
        return Err(SkipReason::Loopback);
    }
    if src.is_multicast() || dst.is_multicast() {
        return Err(SkipReason::Multicast);
    }
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            if src.is_unspecified() || dst.is_unspecified() || dst.is_broadcast() {
                return Err(SkipReason::BroadcastOrZero);
            }
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            if src.is_unicast_link_local() || dst.is_unicast_link_local() || src.is_unspecified() {
                return Err(SkipReason::LinkLocal);
            }
        }
        _ => return Err(SkipReason::NotIp),
    }
    let own = [IpAddr::V4(ROUTER_V4), IpAddr::V6(ROUTER_V6)];
    if own.contains(&src) || own.contains(&dst) { Err(SkipReason::BenchAddress) } else { Ok(()) }
}

/// Puts right the IPv4 header's checksum and that of TCP, UDP or ICMP in a packet that is no fragment. `Some(true)` if
/// that changed the packet; `None` if its headers are cut.
fn fix_checksums(packet: &mut [u8], src: IpAddr, dst: IpAddr) -> Option<bool> {
    let (header, protocol) = if src.is_ipv4() {
        let header = usize::from(packet.first()? & 15) * 4;
        if header < 20 {
            return None;
        }
        (header, *packet.get(9)?)
    } else {
        (40, *packet.get(6)?)
    };
    let mut changed = false;
    if src.is_ipv4() {
        changed = write_checksum(packet.get_mut(..header)?, 10, Sum::default(), false)?;
        let fragment = u16::from_be_bytes(*packet.get(6..)?.first_chunk()?) & 0x3fff;
        if fragment != 0 {
            return Some(changed);
        }
    }
    let above = packet.get_mut(header..)?;
    Some(changed | fix_transport(above, protocol, src, dst).unwrap_or(false))
}

/// Puts right the checksum of a transport. `None` if it has none that can be put right.
fn fix_transport(above: &mut [u8], protocol: u8, src: IpAddr, dst: IpAddr) -> Option<bool> {
    let place = match protocol {
        6 => 16,
        17 => {
            let [_, _, _, _, high, low, sum @ ..] = *above.first_chunk::<8>()?;
            let not_summed = sum == [0, 0] && src.is_ipv4();
            if not_summed || usize::from(u16::from_be_bytes([high, low])) != above.len() {
                return None;
            }
            6
        }
        1 | 58 => 2,
        _ => return None,
    };
    let start = match protocol {
        1 => Sum::default(),
        _ => Sum::default().add_pseudo_header(src, dst, protocol, above.len()),
    };
    write_checksum(above, place, start, protocol == 17)
}

/// Writes the checksum over `bytes` at `place`; tells if it is another than before.
fn write_checksum(bytes: &mut [u8], place: usize, start: Sum, zero_means_none: bool) -> Option<bool> {
    let before: [u8; 2] = *bytes.get(place..)?.first_chunk()?;
    *bytes.get_mut(place..)?.first_chunk_mut()? = [0, 0];
    let sum = match start.add(bytes).checksum() {
        [0, 0] if zero_means_none => [0xff, 0xff],
        sum => sum,
    };
    *bytes.get_mut(place..)?.first_chunk_mut()? = sum;
    Some(sum != before)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // tests
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A UDP datagram with right checksums, as a resolver got it.
    fn datagram() -> Vec<u8> {
        let mut packet = vec![
            0x45, 0, 0, 32, 0x12, 0x34, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 0, 53, 0, 12, 0, 0,
        ];
        packet.extend(b"abcd");
        packet[26] = 1; // so that it counts as summed
        let ready = Ready::new(&packet, false).unwrap();
        assert!(ready.fixed);
        ready.bytes
    }

    #[test]
    fn right_checksums_are_left_and_wrong_ones_put_right() {
        let right = datagram();
        assert!(!Ready::new(&right, false).unwrap().fixed);
        let mut wrong = right.clone();
        wrong[27] ^= 0x55;
        let fixed = Ready::new(&wrong, false).unwrap();
        assert!(fixed.fixed);
        assert_eq!(fixed.bytes, right);
        assert_eq!(Ready::new(&wrong, true).unwrap().bytes, wrong);
    }

    #[test]
    fn a_raised_ttl_keeps_the_header_checksum_right() {
        for ttl in [0, 1, 63, 64, 127, 254, 255] {
            let mut packet = datagram();
            packet[8] = ttl;
            let mut ready = Ready::new(&packet, false).unwrap();
            ready.raise_ttl();
            assert_eq!(ready.bytes[8], ttl.saturating_add(1));
            assert!(Sum::default().add(&ready.bytes[..20]).is_right(), "ttl {ttl}");
        }
    }

    #[test]
    fn padding_is_cut_and_offload_gets_a_length() {
        let mut padded = datagram();
        padded.extend([0; 14]);
        assert_eq!(Ready::new(&padded, false).unwrap().bytes, datagram());
        let mut offload = datagram();
        offload[2..4].copy_from_slice(&[0, 0]);
        assert_eq!(Ready::new(&offload, false).unwrap().bytes[2..4], [0, 32]);
    }

    #[test]
    fn what_is_not_routed_is_named() {
        let reason = |src: [u8; 4], dst: [u8; 4]| {
            let mut packet = datagram();
            packet[12..16].copy_from_slice(&src);
            packet[16..20].copy_from_slice(&dst);
            Ready::new(&packet, false).unwrap_err()
        };
        assert_eq!(reason([127, 0, 0, 1], [10, 0, 0, 1]), SkipReason::Loopback);
        assert_eq!(reason([10, 0, 0, 1], [224, 0, 0, 251]), SkipReason::Multicast);
        assert_eq!(reason([0, 0, 0, 0], [255, 255, 255, 255]), SkipReason::BroadcastOrZero);
        assert_eq!(reason([10, 0, 0, 1], [192, 0, 2, 254]), SkipReason::BenchAddress);
        assert_eq!(Ready::new(&datagram()[..31], false).unwrap_err(), SkipReason::Truncated);
        assert_eq!(Ready::new(&[], false).unwrap_err(), SkipReason::NotIp);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(version in prop_oneof![Just(0x45u8), Just(0x4f), Just(0x60), any::<u8>()],
                                          rest in proptest::collection::vec(any::<u8>(), 0..120), keep: bool) {
            let mut packet = rest;
            if let Some(first) = packet.first_mut() { *first = version }
            if let Ok(mut ready) = Ready::new(&packet, keep) {
                prop_assert!(ready.bytes.len() <= packet.len());
                ready.raise_ttl();
                prop_assert!(addresses(&ready.bytes) == Some((ready.src, ready.dst)));
            }
        }
    }
}
