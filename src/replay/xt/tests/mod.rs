//! Rules against what kernel 6.18 counted for them, packet by packet: iptables 1.8.9 with either backend, in a namespace
//! that forwards from eth0 to eth1.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod damaged;
mod guarded;
mod micro;
mod rules;
mod targets;
mod v4;
mod v6;

use super::super::conntrack::{Conn, ConnId, CtInfo};
use super::super::skb::{HookContext, Skb};
use super::super::world::{Answer, Connections, Routes, World};
use super::stateful::Shared;
use super::strings::Strings;
use super::{Act, Backend, Preparation, PreparedRule};
use crate::ruleset::model::{Hook, Ruleset};
use crate::ruleset::xt::RuleBody;
use rules::Row;

/// A table of connections in which there are none.
struct Untracked;

impl Connections for Untracked {
    fn get(&self, _id: ConnId) -> Option<&Conn> {
        None
    }

    fn get_mut(&mut self, _id: ConnId) -> Option<&mut Conn> {
        None
    }
}

/// A chain of rules, and the world around it.
struct Bench {
    rules: Vec<PreparedRule>,
    shared: Shared,
    strings: Strings,
    routes: Routes,
    hook: HookContext,
}

impl Bench {
    fn new(bodies: &[RuleBody], v6: bool, backend: Backend) -> Self {
        let (mut shared, mut strings, ruleset) = (Shared::default(), Strings::default(), Ruleset::default());
        let mut with = Preparation { v6, backend, ruleset: &ruleset, shared: &mut shared, strings: &mut strings };
        let rules = bodies.iter().map(|body| PreparedRule::new(body, &mut with)).collect();
        let local = vec!["192.0.2.254".parse().unwrap(), "2001:db8:ffff::1".parse().unwrap()];
        let routes = Routes { local, inside_if: "eth1".into(), outside_if: "eth0".into(), ..Routes::default() };
        let hook = HookContext { hook: Hook::Forward, in_if: Some("eth0".into()), out_if: Some("eth1".into()) };
        Self { rules, shared, strings, routes, hook }
    }

    /// Sends a packet down the chain; which rules counted it, from 0, and how it ended.
    fn send(&mut self, skb: &mut Skb<'_>) -> (Vec<usize>, Act) {
        self.strings.next_packet();
        let mut world = World {
            connections: &mut Untracked,
            routes: &self.routes,
            shared: &mut self.shared,
            strings: &mut self.strings,
        };
        let mut counted = Vec::new();
        for (n, rule) in self.rules.iter_mut().enumerate() {
            match rule.matches(skb, &self.hook, &mut world) {
                Answer::No => continue,
                Answer::HotDrop => return (counted, Act::Drop),
                Answer::Yes => counted.push(n),
            }
            match rule.act(skb, &self.hook, &mut world) {
                Act::Continue => {}
                end => return (counted, end),
            }
        }
        (counted, Act::Accept)
    }
}

/// Frames of a capture as they are forwarded: a TTL of 255 cannot be raised before it is lowered.
fn frames(capture: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rest = &capture[24..];
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<16>() {
        let len = u32::from_le_bytes(head[8..12].try_into().unwrap()) as usize;
        let (link, packet) = after[..len].split_at(14);
        let mut packet = packet.to_vec();
        let ttl = if packet[0] >> 4 == 4 { 8 } else { 7 };
        packet[ttl] = packet[ttl].min(254);
        frames.push((link.to_vec(), packet));
        rest = &after[len..];
    }
    frames
}

/// Compares every row with the kernel, for both backends.
fn compare(capture: &[u8], v6: bool, rows: &[Row]) {
    let frames = frames(capture);
    let bodies: Vec<RuleBody> = rows.iter().map(|row| row.body.clone()).collect();
    for backend in [Backend::Nft, Backend::Legacy] {
        let mut bench = Bench::new(&bodies, v6, backend);
        let mut found = vec![Vec::new(); rows.len()];
        for (n, (link, packet)) in frames.iter().enumerate() {
            let Some(mut skb) = Skb::new(packet, link, 0) else { continue };
            if skb.is_v6() == v6 {
                let (counted, _) = bench.send(&mut skb);
                counted.iter().for_each(|rule| found[*rule].push(n + 1));
            }
        }
        for (row, found) in rows.iter().zip(found) {
            assert_eq!(rules::ranges(&found), row.expected(backend), "{backend:?}: {}", row.text);
        }
    }
}
