//! Translated packets, byte by byte, against those that the kernel sent out.
//!
//! `data/nat.truth` was recorded with the rules of [`rules`]; it has a line `> hex` for each packet that came out. Ports
//! that the kernel draws at random are not compared.

use super::*;
use crate::replay::conntrack::{Manip, NatRange, NatStep};
use crate::ruleset::model::Hook;
use std::net::IpAddr;

/// Packets whose port, or ICMP id, the kernel drew: another connection had theirs.
const DRAWN: [usize; 8] = [6, 7, 32, 33, 34, 35, 39, 55];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn to(first: &str, last: &str) -> NatRange {
    NatRange { addresses: Some((ip(first), ip(last))), ..NatRange::default() }
}

/// What the recording ruleset says: `None` if no rule matches.
fn rules(skb: &Skb<'_>, hook: Hook) -> Option<NatRange> {
    let port = skb.transport().get(2..4).map(|port| u16::from_be_bytes(port.try_into().unwrap()));
    let protocol = skb.headers.protocol;
    let inside = match skb.src() {
        IpAddr::V4(src) => src.octets()[..2] == [10, 88],
        IpAddr::V6(src) => src.segments()[..3] == [0x2001, 0xdb8, 0x88],
    };
    match (hook, protocol, port) {
        (Hook::Prerouting, Some(6), Some(8080)) if skb.dst() == ip("203.0.113.5") => {
            Some(NatRange { ports: Some((80, 80)), ..to("10.88.1.9", "10.88.1.9") })
        }
        (Hook::Prerouting, Some(17), Some(55)) => {
            Some(NatRange { ports: Some((100, 101)), ..to("172.20.0.1", "172.20.0.9") })
        }
        (Hook::Postrouting, _, _) if !inside => None,
        (Hook::Postrouting, Some(6), _) => Some(to("203.0.113.5", "203.0.113.5")),
        (Hook::Postrouting, Some(1), _) => Some(to("192.0.2.254", "192.0.2.254")),
        (Hook::Postrouting, Some(17), Some(53)) if skb.is_v6() => Some(to("2001:db8:ffff::99", "2001:db8:ffff::99")),
        (Hook::Postrouting, Some(17), Some(54)) if skb.is_v6() => Some(to("2001:db8:ffff::10", "2001:db8:ffff::40")),
        (Hook::Postrouting, Some(17), Some(53)) => Some(to("198.18.0.1", "198.18.0.20")),
        (Hook::Postrouting, Some(17), Some(54)) => {
            Some(NatRange { ports: Some((6000, 6002)), ..to("198.18.0.1", "198.18.0.1") })
        }
        _ => None,
    }
}

fn translate(tracker: &mut Conntrack, skb: &mut Skb<'_>, hook: Hook) -> Verdict {
    match tracker.nat_begin(skb, hook) {
        NatStep::Done(verdict) => verdict,
        NatStep::Ask => {
            if let Some(range) = rules(skb, hook) {
                assert_eq!(tracker.nat_setup(skb, Manip::of(hook), &range), Verdict::Accept);
            }
            tracker.nat_finish(skb, hook)
        }
    }
}

/// The packet that came out, if it did.
fn forward(tracker: &mut Conntrack, skb: &mut Skb<'_>) -> Option<Vec<u8>> {
    let passed = tracker.track(skb) == Verdict::Accept
        && translate(tracker, skb, Hook::Prerouting) == Verdict::Accept
        && translate(tracker, skb, Hook::Postrouting) == Verdict::Accept
        && tracker.confirm(skb) == Verdict::Accept;
    if !passed {
        tracker.forget(skb);
    }
    passed.then(|| skb.bytes.to_vec())
}

/// Without what depends on a drawn port.
fn without_port(mut packet: Vec<u8>) -> Vec<u8> {
    let at = if packet[9] == 1 { 22..26 } else { 20..28 };
    if packet[9] == 6 {
        packet[36..38].fill(0);
    }
    packet[at].fill(0);
    packet
}

#[test]
fn packets_come_out_as_from_the_kernel() {
    let file = include_bytes!("data/nat.pcap");
    let mut lines = include_str!("data/nat.truth").lines().peekable();
    let mut tracker = Conntrack::new(Settings::default());
    let mut wrong = String::new();
    for (n, (now_ns, packet)) in (1..).zip(packets(file)) {
        assert!(lines.next().unwrap().starts_with(&format!("{n} ")));
        let theirs: Option<Vec<u8>> = lines.next_if(|line| line.starts_with("> ")).map(|line| {
            let hex = line.as_bytes()[2..].as_chunks::<2>().0;
            hex.iter().map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
        });
        let mut skb = Skb::new(packet, &[], now_ns).unwrap();
        let mut ours = forward(&mut tracker, &mut skb);
        let mut theirs = theirs;
        if DRAWN.contains(&n) {
            (ours, theirs) = (ours.map(without_port), theirs.map(without_port));
        }
        if ours != theirs {
            let hex = |bytes: Option<Vec<u8>>| bytes.map(|b| b.iter().map(|b| format!("{b:02x}")).collect::<String>());
            writeln!(wrong, "{n}\n  here:   {:?}\n  kernel: {:?}", hex(ours), hex(theirs)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
