//! Captured packets for random rules: some in a row, and what rules may ask of them.

use super::dice::{Dice, Scene};
use super::packets::{START_NS, STEP_NS, link};
use super::{OwnedPacket, Vantage};
use jabberscope::replay::skb::Skb;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// At most this many of each kind: more would seldom meet.
const MOST: usize = 12;

/// Packets in a row, as fast as the kernel gets them.
pub fn window(d: &mut Dice, packets: &[OwnedPacket], most: usize) -> Vec<OwnedPacket> {
    let start = d.below(packets.len().saturating_sub(most) as u64 + 1) as usize;
    let mut some: Vec<_> = packets.iter().skip(start).take(most).cloned().collect();
    for (packet, at) in some.iter_mut().zip(0..) {
        // Whatever was before it, the bench sends Ethernet.
        (packet.time_ns, packet.link) = (START_NS + STEP_NS * at, link(&packet.ip));
    }
    some
}

/// What is in the packets.
pub fn scene(packets: &[OwnedPacket]) -> Scene {
    let (mut addresses, mut ports, mut words) = ([BTreeSet::new(), BTreeSet::new()], BTreeSet::new(), BTreeSet::new());
    for skb in packets.iter().filter_map(|packet| Skb::new(&packet.ip, &[], 0)) {
        addresses[usize::from(skb.is_v6())].extend([skb.src(), skb.dst()]);
        let transport = skb.transport();
        if let (Some(6 | 17 | 132), [a, b, c, d, ..]) = (skb.headers.protocol, transport) {
            ports.extend([u64::from(u16::from_be_bytes([*a, *b])), u64::from(u16::from_be_bytes([*c, *d]))]);
        }
        let texts = transport.split(|byte| !byte.is_ascii_alphanumeric()).filter(|text| text.len() > 2);
        words.extend(texts.take(2).map(|text| String::from_utf8_lossy(&text[..text.len().min(24)]).into_owned()));
    }
    Scene {
        addresses: addresses.map(|of| of.into_iter().take(MOST).collect()),
        ports: ports.into_iter().take(MOST).collect(),
        words: words.into_iter().take(MOST).collect(),
    }
}

/// One of the ends, or a gateway before it.
pub fn vantage(d: &mut Dice, packets: &[OwnedPacket], host: bool) -> Vantage {
    let ends: Vec<IpAddr> =
        packets.iter().filter_map(|packet| Skb::new(&packet.ip, &[], 0)).map(|skb| skb.dst()).collect();
    let end = if ends.is_empty() { IpAddr::from([10, 1, 0, 1]) } else { d.pick(&ends) };
    match host {
        true => Vantage::Host { local: vec![end] },
        false => Vantage::Gateway { inside: vec![(end, if end.is_ipv6() { 64 } else { 24 })] },
    }
}
