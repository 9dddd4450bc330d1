//! What captures cannot show: full sets, IPv6, memory.
#![allow(clippy::unwrap_used)] // tests

use super::element::Shape;
use super::member::Gain;
use super::store::Store;
use super::{Question, Sets, TestOptions};
use crate::replay::skb::{HookContext, Skb};
use crate::ruleset::ipset::parse;
use crate::ruleset::model::{Family, Hook};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

fn sets(script: &str) -> Sets {
    let mut read = Vec::new();
    parse(script, &Arc::from("test"), &mut read, &mut Vec::new()).unwrap();
    Sets::new(&read)
}

fn packet(src: Ipv4Addr) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(src.octets());
    packet.extend([10, 9, 9, 9, 0, 1, 0, 53, 0, 8, 0, 0]);
    packet
}

fn packet6(src: Ipv6Addr) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
    packet.extend(src.octets());
    packet.extend([0; 15]);
    packet.extend([1, 0, 1, 0, 53, 0, 8, 0, 0]);
    packet
}

const HOOK: HookContext = HookContext { hook: Hook::Forward, in_if: None, out_if: None };

/// Asks something of a set about a packet by source.
fn ask<T>(bytes: &[u8], then: impl FnOnce(&Question<'_>) -> T) -> T {
    let skb = Skb::new(bytes, &[], 0).unwrap();
    let family = if skb.is_v6() { Family::Ip6 } else { Family::Ip };
    then(&Question { skb: &skb, hook: &HOOK, family, sources: &[true, true] })
}

fn has(sets: &mut Sets, bytes: &[u8]) -> bool {
    let at = sets.find("s").unwrap();
    ask(bytes, |question| sets.test(at, question, &TestOptions::default()).is_some())
}

fn add(sets: &mut Sets, bytes: &[u8]) -> bool {
    let at = sets.find("s").unwrap();
    ask(bytes, |question| sets.add(at, question, false, None))
}

#[test]
fn a_full_set_takes_no_more_unless_it_must() {
    let addresses = [1, 2, 3].map(|n| packet(Ipv4Addr::new(10, 0, 0, n)));
    let mut full = sets("create s hash:ip maxelem 2");
    assert_eq!(addresses.each_ref().map(|one| add(&mut full, one)), [true, true, false]);
    assert_eq!(addresses.each_ref().map(|one| has(&mut full, one)), [true, true, false]);
    let mut forced = sets("create s hash:ip maxelem 2 forceadd");
    assert_eq!(addresses.each_ref().map(|one| add(&mut forced, one)), [true, true, true]);
    assert_eq!(addresses.each_ref().map(|one| has(&mut forced, one)), [false, true, true]);
}

#[test]
fn networks_of_ipv6_by_longest_prefix() {
    let mut nets = sets("create s hash:net family inet6\nadd s 2001:db8::/32\nadd s 2001:db8:1::/48 nomatch");
    let cases = [("2001:db8::1", true), ("2001:db8:1::1", false), ("2001:db9::1", false)];
    for (address, expected) in cases {
        assert_eq!(has(&mut nets, &packet6(address.parse().unwrap())), expected, "{address}");
    }
    assert!(!has(&mut nets, &packet(Ipv4Addr::new(32, 1, 13, 184))));
    let mut all = sets("create s hash:net,port family inet6\nadd s ::1/1,udp:1");
    assert!(has(&mut all, &packet6("2001:db8::1".parse().unwrap())));
    assert!(!has(&mut all, &packet6("fe80::1".parse().unwrap())));
}

#[test]
fn a_rule_that_names_too_few_directions_matches_nothing() {
    let mut ports = sets("create s hash:ip,port\nadd s 10.0.0.1,udp:1");
    let bytes = packet(Ipv4Addr::new(10, 0, 0, 1));
    assert!(has(&mut ports, &bytes));
    let at = ports.find("s").unwrap();
    ask(&bytes, |question| {
        let short = Question { sources: &[true], ..*question };
        assert!(ports.test(at, &short, &TestOptions::default()).is_none());
    });
}

/// Members that are refreshed with every packet must not fill the memory with their former ends.
#[test]
fn ends_of_the_past_are_forgotten() {
    let mut read = Vec::new();
    parse("create s hash:ip timeout 10", &Arc::from("test"), &mut read, &mut Vec::new()).unwrap();
    let shape = Shape::of(&read[0]);
    let mut store = Store::new(shape.clone(), 10, false);
    let bytes = packet(Ipv4Addr::new(10, 0, 0, 1));
    let element = ask(&bytes, |question| shape.of_packet(question)).unwrap();
    let gain = Gain { seconds: Some(10), ..Gain::default() };
    for now in 0..10_000 {
        assert!(store.add(element, &gain, true, now));
    }
    assert!(store.remembered_ends() < 200);
}
