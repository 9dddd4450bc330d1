//! `-m recent`: lists of addresses with the times of their last packets (`xt_recent.c`).
//!
//! Rules with the same name share one list, IPv4 and IPv6 alike; its mask is that of the rule that made it. The list
//! forgets the address that was quiet longest when it is full.

use crate::replay::skb::{HookContext, Skb};
use crate::replay::tick::{HZ, ticks};
use crate::replay::world::{Answer, World};
use crate::replay::xt::StatefulMatch;
use crate::ruleset::model::Hook;
use crate::ruleset::xt::{Recent, RecentAction};
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

/// `ip_list_tot`: addresses of a list.
const MOST: usize = 100;

/// Times of an address that a list keeps if no rule says how many hits it wants.
const STAMPS: usize = 32;

/// All lists by name.
#[derive(Debug, Default)]
pub(super) struct RecentLists {
    lists: Vec<List>,
    names: HashMap<String, usize, RandomState>,
}

impl RecentLists {
    pub fn prepare(&mut self, recent: &Recent) -> Listed {
        let wanted = recent.hit_count.filter(|count| *count > 0).map_or(STAMPS, |count| count as usize);
        let stamps = wanted.min(1 << 16).next_power_of_two();
        let lists = &mut self.lists;
        let list = *self.names.entry(recent.name.clone()).or_insert_with(|| {
            lists.push(List { mask: recent.mask, stamps, ..List::default() });
            lists.len() - 1
        });
        if let Some(list) = self.lists.get_mut(list) {
            list.stamps = list.stamps.max(stamps);
        }
        Listed { list, rule: recent.clone() }
    }
}

/// A rule's match.
pub(super) struct Listed {
    list: usize,
    rule: Recent,
}

/// `struct recent_table`.
#[derive(Debug)]
struct List {
    mask: IpAddr,
    /// Times that an address keeps: `nstamps_max_mask` + 1.
    stamps: usize,
    entries: HashMap<u64, Entry, RandomState>,
    /// Entries of an address: more than one if their TTL differs.
    addresses: HashMap<IpAddr, Vec<u64>, RandomState>,
    /// Entries by their last use.
    order: BTreeMap<u64, u64>,
    serial: u64,
}

impl Default for List {
    fn default() -> Self {
        Self {
            mask: IpAddr::from([255; 16]),
            stamps: STAMPS,
            entries: HashMap::default(),
            addresses: HashMap::default(),
            order: BTreeMap::new(),
            serial: 0,
        }
    }
}

/// `struct recent_entry`.
#[derive(Debug)]
struct Entry {
    address: IpAddr,
    ttl: u8,
    /// Oldest first.
    stamps: VecDeque<i64>,
    used: u64,
}

impl List {
    /// `recent_entry_lookup`: a TTL of 0 fits any.
    fn find(&self, address: &IpAddr, ttl: u8) -> Option<u64> {
        let fits = |id: &&u64| self.entries.get(id).is_some_and(|e| ttl == 0 || e.ttl == 0 || e.ttl == ttl);
        self.addresses.get(address)?.iter().find(fits).copied()
    }

    /// `recent_entry_init`.
    fn add(&mut self, address: IpAddr, ttl: u8, now: i64) {
        if self.entries.len() >= MOST
            && let Some((_, oldest)) = self.order.first_key_value()
        {
            self.remove(*oldest);
        }
        self.serial += 1;
        let id = self.serial;
        self.entries.insert(id, Entry { address, ttl, stamps: VecDeque::from([now]), used: id });
        self.addresses.entry(address).or_default().push(id);
        self.order.insert(id, id);
    }

    /// `recent_entry_update`.
    fn update(&mut self, id: u64, ttl: u8, now: i64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        while entry.stamps.len() >= self.stamps {
            entry.stamps.pop_front();
        }
        entry.stamps.push_back(now);
        entry.ttl = ttl;
        self.serial += 1;
        self.order.remove(&std::mem::replace(&mut entry.used, self.serial));
        self.order.insert(self.serial, id);
    }

    fn remove(&mut self, id: u64) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.order.remove(&entry.used);
        if let Some(ids) = self.addresses.get_mut(&entry.address) {
            ids.retain(|one| *one != id);
            if ids.is_empty() {
                self.addresses.remove(&entry.address);
            }
        }
    }

    /// `recent_entry_reap`: the quietest entry goes if its last packet is too old, but not one that is about to be used.
    fn reap(&mut self, oldest: i64, working: u64, updates: bool) {
        let Some((_, &id)) = self.order.first_key_value() else { return };
        let last = self.entries.get(&id).and_then(|entry| entry.stamps.back().copied());
        if !(id == working && updates) && last.is_some_and(|last| last < oldest) {
            self.remove(id);
        }
    }
}

fn masked(address: IpAddr, mask: IpAddr) -> IpAddr {
    match (address, mask) {
        (IpAddr::V4(address), IpAddr::V4(mask)) => (address & mask).into(),
        (IpAddr::V6(address), IpAddr::V6(mask)) => (address & mask).into(),
        // The kernel keeps the mask as 16 bytes: an IPv4 mask covers the first 4 of them.
        (IpAddr::V4(address), IpAddr::V6(mask)) => {
            let [a, b, c, d, ..] = mask.octets();
            (address & std::net::Ipv4Addr::new(a, b, c, d)).into()
        }
        (IpAddr::V6(address), IpAddr::V4(mask)) => {
            let mask = u128::from(mask.to_bits()) << 96;
            std::net::Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl StatefulMatch for Listed {
    /// `recent_mt`.
    fn matches(&mut self, skb: &Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Answer {
        let Some(list) = world.shared.recent.lists.get_mut(self.list) else { return Answer::No };
        let rule = &self.rule;
        let now = ticks(skb.now_ns);
        let address = masked(if rule.by_destination { skb.dst() } else { skb.src() }, list.mask);
        let ttl = ttl_on_arrival(skb, hook);
        let Some(id) = list.find(&address, if rule.rttl { ttl } else { 0 }) else {
            if rule.action != RecentAction::Set {
                return Answer::from(rule.not);
            }
            list.add(address, ttl, now);
            return Answer::from(!rule.not);
        };
        let mut answer = !rule.not;
        match rule.action {
            RecentAction::Set => {}
            RecentAction::Remove => list.remove(id),
            RecentAction::RCheck | RecentAction::Update => {
                let oldest = now.saturating_sub(i64::from(rule.seconds.unwrap_or(0)) * HZ);
                answer = hit(rule, list.entries.get(&id), oldest) != rule.not;
                if rule.reap {
                    list.reap(oldest, id, rule.action == RecentAction::Update && answer);
                }
            }
        }
        if rule.action == RecentAction::Set || rule.action == RecentAction::Update && answer {
            list.update(id, ttl, now);
        }
        Answer::from(answer)
    }
}

/// Enough packets since a time. Times come in order, so that those before it are skipped by bisection.
fn hit(rule: &Recent, entry: Option<&Entry>, oldest: i64) -> bool {
    let Some(entry) = entry else { return false };
    let old = match rule.seconds {
        None | Some(0) => 0,
        Some(_) => entry.stamps.partition_point(|stamp| *stamp < oldest),
    };
    entry.stamps.len() - old >= rule.hit_count.unwrap_or(0).max(1) as usize
}

/// The TTL before the host took its one off: a packet on its way through has lost it by the time it has a way out.
fn ttl_on_arrival(skb: &Skb<'_>, hook: &HookContext) -> u8 {
    let passes = hook.out_if.is_some() && hook.in_if.is_some() && hook.hook != Hook::Output;
    skb.ttl().wrapping_add(u8::from(passes))
}
