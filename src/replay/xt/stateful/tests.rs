//! Rules against packets, and what the real kernel counted for them (kernel 6.18, iptables 1.8.9): captures are replayed
//! through a router with `eth0` outside and `eth1` inside, at their own speed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // tests

mod build;
mod connections;
mod layer7;
mod rates;
mod sets;

use crate::replay::machine::{Judge, Machine, Settings};
use crate::replay::skb::Skb;
use crate::replay::wiring::Wiring;
use crate::replay::world::Routes;
use crate::replay::xt::Backend;
use crate::ruleset::ipset;
use crate::ruleset::model::*;
use crate::ruleset::xt::RuleBody;
use std::sync::Arc;

/// A ruleset of a chain FORWARD of table filter and one that rules may call.
pub fn ruleset(forward: Vec<RuleBody>, other: Vec<RuleBody>, sets: &str) -> Arc<Ruleset> {
    let rules = |bodies: Vec<RuleBody>| {
        let rule = |(n, body)| Rule {
            n,
            text: String::new(),
            place: Default::default(),
            body: Body::Xt(Box::new(body)),
            unknown: Vec::new(),
            comment: None,
        };
        (1..).zip(bodies).map(rule).collect()
    };
    let base =
        Base { kind: ChainKind::Filter, hook: Hook::Forward, priority: 0, policy: Policy::Accept, devices: Vec::new() };
    let chains = vec![
        Chain { name: "FORWARD".into(), base: Some(base), rules: rules(forward), place: Default::default() },
        Chain { name: "other".into(), base: None, rules: rules(other), place: Default::default() },
    ];
    let table = Table {
        family: Family::Ip,
        name: "filter".into(),
        engine: Engine::Xtables,
        dormant: false,
        chains,
        sets: Vec::new(),
        objects: Vec::new(),
        place: Default::default(),
    };
    let mut ruleset = Ruleset { tables: vec![table], ..Ruleset::default() };
    ipset::parse(sets, &Arc::from("test.ipset"), &mut ruleset.ipsets, &mut ruleset.notes).unwrap();
    Arc::new(ruleset)
}

/// A router with a ruleset.
pub fn router(ruleset: Arc<Ruleset>, inside: &[(&str, u8)], backend: Backend) -> Machine {
    let inside = inside.iter().map(|(network, bits)| (network.parse().unwrap(), *bits)).collect();
    let routes = Routes { inside, inside_if: "eth1".into(), outside_if: "eth0".into(), ..Routes::default() };
    let wiring = Wiring { routes, ..Wiring::default() };
    Machine::new(ruleset, &Settings { wiring, backend, ..Settings::default() })
}

/// Frames of a little-endian pcap file of Ethernet: nanoseconds and bytes.
pub fn frames(pcap: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let word = |bytes: &[u8], at: usize| i64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    let unit = if pcap[0] == 0x4d { 1 } else { 1000 };
    let mut found = Vec::new();
    let mut rest = &pcap[24..];
    while rest.len() >= 16 {
        let len = word(rest, 8) as usize;
        found.push((word(rest, 0) * 1_000_000_000 + word(rest, 4) * unit, rest[16..16 + len].to_vec()));
        rest = &rest[16 + len..];
    }
    found
}

/// Runs a capture through a router.
pub fn run(machine: &mut Machine, pcap: &[u8]) {
    for (time, frame) in frames(pcap) {
        if let Some(skb) = Skb::new(&frame[14..], &frame[..14], time) {
            machine.run(skb, &mut Vec::new());
        }
    }
}

/// What each rule counted.
pub fn counted(machine: &Machine) -> Vec<(u64, u64)> {
    (0..machine.rule_count() as u32).map(|rule| machine.counters(rule)).collect()
}

/// Runs a capture through rules, and compares with the numbers of the packets (`1-3,7`) that the kernel counted.
pub fn check_packets(rules: Vec<(RuleBody, &str)>, sets: &str, inside: &[(&str, u8)], pcap: &[u8]) {
    let (bodies, expected): (Vec<_>, Vec<_>) = rules.into_iter().unzip();
    let mut machine = router(ruleset(bodies, Vec::new(), sets), inside, Backend::Nft);
    let mut hits = vec![Vec::new(); expected.len()];
    for (number, (time, frame)) in (1..).zip(frames(pcap)) {
        let mut of_packet = Vec::new();
        let skb = Skb::new(&frame[14..], &frame[..14], time).unwrap();
        machine.run(skb, &mut of_packet);
        of_packet.iter().for_each(|rule| hits[*rule as usize].push(number));
    }
    let wrong: Vec<String> = (1..)
        .zip(hits.iter().map(|hits| ranges(hits)).zip(expected))
        .filter(|(_, (is, expected))| is != expected)
        .map(|(n, (is, expected))| format!("rule {n}: {is}, the kernel: {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Numbers as `1-3,7`.
fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    let texts: Vec<String> = runs
        .map(|run| match run {
            [one] => one.to_string(),
            [first, .., last] => format!("{first}-{last}"),
            [] => String::new(),
        })
        .collect();
    texts.join(",")
}
