//! `hash:net,iface`: networks with the interface that a packet of theirs comes in or goes out by.
//!
//! The longest network that has an entry for any interface decides: shorter ones are not asked then, unless the last
//! entry was the packet's and did not let it (`multi` in `ip_set_hash_netiface.c`).

use super::element::{Element, Shape};
use super::member::{Gain, Member};
use super::store::Prefixes;
use super::{Found, Question, TestOptions};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Interfaces of one network (`AHASH_MAX_TUNED`): they are compared one after the other.
const MOST_PER_NETWORK: usize = 64;

/// Networks.
#[derive(Debug)]
pub(super) struct Interfaces {
    shape: Shape,
    networks: HashMap<Element, Vec<Entry>, RandomState>,
    prefixes: Prefixes,
    len: usize,
    most: usize,
}

#[derive(Debug)]
struct Entry {
    name: String,
    /// Any name that begins so.
    wildcard: bool,
    member: Member,
}

impl Interfaces {
    pub fn new(shape: Shape, most: usize) -> Self {
        Self { shape, networks: HashMap::default(), prefixes: Prefixes::new(), len: 0, most }
    }

    pub fn start(&mut self, now: i64) {
        self.networks.values_mut().flatten().for_each(|entry| entry.member.start(now));
    }

    /// The packet's interface: that it came in by if by source.
    fn interface<'a>(ask: &Question<'a>) -> Option<&'a str> {
        let side = if *ask.sources.get(1)? { &ask.hook.in_if } else { &ask.hook.out_if };
        side.as_deref().filter(|name| !name.is_empty())
    }

    pub fn test(&mut self, ask: &Question<'_>, options: &TestOptions, counters: bool, now: i64) -> Found {
        let (Some(element), Some(interface)) = (self.shape.of_packet(ask), Self::interface(ask)) else {
            return Found::No;
        };
        for &prefix in self.prefixes.longest_first() {
            let cut = self.shape.cut(&element, [prefix, self.shape.width]);
            let Some(entries) = self.networks.get_mut(&cut) else { continue };
            let mut decides = false;
            for entry in entries {
                let fits =
                    if entry.wildcard { interface.starts_with(&entry.name) } else { interface == entry.name.as_str() };
                if fits && entry.member.lets(ask.skb.len, options, counters, now) {
                    return if entry.member.nomatch { Found::Exception } else { Found::Yes(entry.member.info()) };
                }
                decides = !fits;
            }
            if decides {
                return Found::No;
            }
        }
        Found::No
    }

    fn own_element(&self, ask: &Question<'_>) -> Option<Element> {
        let longest = self.prefixes.longest_first().first().copied().unwrap_or(self.shape.width);
        Some(self.shape.cut(&self.shape.of_packet(ask)?, [longest, self.shape.width]))
    }

    pub fn add_packet(&mut self, ask: &Question<'_>, gain: Gain, exist: bool, now: i64) -> bool {
        match (self.own_element(ask), Self::interface(ask)) {
            (Some(element), Some(interface)) => self.add(element, interface, false, &gain, exist, now),
            _ => false,
        }
    }

    pub fn delete_packet(&mut self, ask: &Question<'_>, now: i64) -> bool {
        let (Some(element), Some(interface)) = (self.own_element(ask), Self::interface(ask)) else { return false };
        let Some(entries) = self.networks.get_mut(&element) else { return false };
        let at =
            entries.iter().position(|entry| !entry.wildcard && entry.name == interface && entry.member.is_alive(now));
        let Some(at) = at else { return false };
        entries.swap_remove(at);
        self.len -= 1;
        if entries.is_empty() {
            self.networks.remove(&element);
            self.prefixes.remove(element.prefixes[0]);
        }
        true
    }

    pub fn add(&mut self, element: Element, name: &str, wildcard: bool, gain: &Gain, exist: bool, now: i64) -> bool {
        let full = self.len >= self.most;
        let member = Member::new(gain, now);
        if let Some(entries) = self.networks.get_mut(&element) {
            if let Some(same) = entries.iter_mut().find(|entry| entry.wildcard == wildcard && entry.name == name) {
                let may = exist || !same.member.is_alive(now);
                if may {
                    same.member = member;
                }
                return may;
            }
            entries.retain(|entry| entry.member.is_alive(now));
            if full || entries.len() >= MOST_PER_NETWORK {
                return false;
            }
            entries.push(Entry { name: name.to_string(), wildcard, member });
        } else if full {
            return false;
        } else {
            self.prefixes.add(element.prefixes[0]);
            self.networks.insert(element, vec![Entry { name: name.to_string(), wildcard, member }]);
        }
        self.len += 1;
        true
    }
}
