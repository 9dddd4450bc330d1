//! Rules against packets, and what the real kernel counted for them (kernel 6.18, nft 1.0.6): captures are replayed
//! through a router with `eth0` outside and `eth1` inside.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod acts;
mod arbitrary;
mod build;
mod headers;
mod micro;
mod sets;
mod timing;

use super::{Act, PreparedTable};
use crate::replay::conntrack::{Conntrack, Settings};
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Routes, World};
use crate::ruleset::error::Place;
use crate::ruleset::model::{Body, Chain, ChainId, Engine, Family, Hook, Rule, Table};
use crate::ruleset::nft::{Object, Set, Statement};
use std::net::IpAddr;

/// Frames of a little-endian pcap file: nanoseconds and bytes.
fn frames(mut pcap: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let word = |bytes: &[u8], at: usize| i64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    let mut found = Vec::new();
    pcap = &pcap[24..];
    while pcap.len() >= 16 {
        let len = word(pcap, 8) as usize;
        let time = word(pcap, 0) * 1_000_000_000 + word(pcap, 4) * 1000;
        found.push((time, pcap[16..16 + len].to_vec()));
        pcap = &pcap[16 + len..];
    }
    found
}

fn table(family: Family, rules: Vec<Vec<Statement>>, sets: Vec<Set>, objects: Vec<Object>) -> Table {
    let rules = rules.into_iter().enumerate().map(|(n, statements)| Rule {
        n: n as u32 + 1,
        text: String::new(),
        place: Place::default(),
        body: Body::Nft(statements),
        unknown: Vec::new(),
        comment: None,
    });
    let chain = Chain { name: "f".into(), base: None, rules: rules.collect(), place: Place::default() };
    Table {
        family,
        name: "t".into(),
        engine: Engine::Nftables,
        dormant: false,
        chains: vec![chain],
        sets,
        objects,
        place: Place::default(),
    }
}

/// How a capture is replayed.
struct Replay {
    inside: &'static [&'static str],
    track: bool,
    /// Numbers of the packets that never come to the chain.
    without: &'static [usize],
}

impl Replay {
    /// Sends the packets of one family through every rule of the first chain; per rule the numbers of the packets
    /// that hit it.
    fn run(&self, table: &Table, pcap: &[u8]) -> (PreparedTable, Vec<Vec<usize>>) {
        let inside: Vec<IpAddr> = self.inside.iter().map(|addr| addr.parse().unwrap()).collect();
        let routes = Routes {
            inside: inside.iter().map(|addr| (*addr, if addr.is_ipv4() { 32 } else { 128 })).collect(),
            inside_if: "eth1".into(),
            outside_if: "eth0".into(),
            ..Routes::default()
        };
        let mut prepared = PreparedTable::new(table);
        let mut conntrack = Conntrack::new(Settings::default());
        let mut hits = vec![Vec::new(); prepared.rules(ChainId(0))];
        for (n, (time, frame)) in frames(pcap).iter().enumerate() {
            let mut skb = Skb::new(&frame[14..], &frame[..14], *time).unwrap();
            if skb.is_v6() == (table.family == Family::Ip) || self.without.contains(&(n + 1)) {
                continue;
            }
            if self.track {
                conntrack.track(&mut skb);
            }
            let name = |addr: IpAddr| Some(if inside.contains(&addr) { "eth1".into() } else { "eth0".into() });
            let hook = HookContext { hook: Hook::Forward, in_if: name(skb.src()), out_if: name(skb.dst()) };
            for (rule, hits) in hits.iter_mut().enumerate() {
                let mut world = World {
                    connections: &mut conntrack,
                    routes: &routes,
                    shared: &mut Default::default(),
                    strings: &mut Default::default(),
                };
                let judged = prepared.run_rule(ChainId(0), rule, &mut skb, &hook, &mut world);
                assert_eq!(judged.act, Act::Continue);
                if judged.hit {
                    hits.push(n + 1);
                }
            }
            if self.track {
                conntrack.confirm(&mut skb);
            }
        }
        (prepared, hits)
    }

    /// Runs rules, each followed by a counter, and compares with the numbers of packets that the kernel counted.
    fn check(&self, family: Family, rules: Vec<(&str, Vec<Statement>, &str)>, sets: Vec<Set>, pcap: &[u8]) {
        let counted = |mut statements: Vec<Statement>| {
            statements.push(Statement::Counter { packets: 0, bytes: 0 });
            statements
        };
        let statements = rules.iter().map(|(_, statements, _)| counted(statements.clone())).collect();
        let (_, hits) = self.run(&table(family, statements, sets, Vec::new()), pcap);
        let wrong: Vec<String> = rules
            .iter()
            .zip(hits)
            .filter(|((.., expected), hits)| numbers(expected) != *hits)
            .map(|((text, _, expected), hits)| format!("{text}: {hits:?}, the kernel: {expected}"))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// `1-3,7` as numbers.
fn numbers(ranges: &str) -> Vec<usize> {
    let ends = ranges.split(',').filter(|range| !range.is_empty()).map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse().unwrap()..=last.parse().unwrap()
    });
    ends.flatten().collect()
}
