//! `-m recent` (`xt_recent.c`).

use super::{HZ, Shared, jiffies};
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, World};
use crate::replay::xt::StatefulMatch;
use crate::ruleset::xt::{self, RecentAction};
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// `ip_list_tot`: addresses of a list; the one that was longest not seen goes first.
const ADDRESSES: usize = 100;
/// `ip_pkt_list_tot`, rounded up to a power of two: times kept for an address.
const STAMPS: usize = 32;

/// A list.
#[derive(Debug)]
pub(super) struct List {
    entries: HashMap<IpAddr, Entry, RandomState>,
    /// Addresses by when they were last set or updated: a number that grows.
    order: BTreeMap<u64, IpAddr>,
    next: u64,
    stamps: usize,
    mask: IpAddr,
}

#[derive(Debug, Clone)]
struct Entry {
    ttl: u8,
    /// Ticks, in a ring.
    stamps: Vec<i64>,
    index: usize,
    place: u64,
}

impl Entry {
    fn last(&self) -> Option<i64> {
        self.stamps.get(self.index.checked_sub(1)?).copied()
    }
}

impl List {
    fn new(mask: IpAddr) -> Self {
        Self { entries: HashMap::default(), order: BTreeMap::new(), next: 0, stamps: STAMPS, mask }
    }

    fn move_to_end(&mut self, address: IpAddr) {
        self.next += 1;
        if let Some(entry) = self.entries.get_mut(&address) {
            self.order.remove(&entry.place);
            entry.place = self.next;
            self.order.insert(self.next, address);
        }
    }

    fn insert(&mut self, address: IpAddr, ttl: u8, now: i64) {
        if self.entries.len() >= ADDRESSES
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.entries.insert(address, Entry { ttl, stamps: vec![now], index: 1, place: 0 });
        self.move_to_end(address);
    }

    fn update(&mut self, address: IpAddr, ttl: u8, now: i64) {
        let most = self.stamps;
        if let Some(entry) = self.entries.get_mut(&address) {
            entry.index &= most - 1;
            match entry.stamps.get_mut(entry.index) {
                Some(stamp) => *stamp = now,
                None => entry.stamps.push(now),
            }
            entry.index += 1;
            entry.ttl = ttl;
        }
        self.move_to_end(address);
    }

    fn remove(&mut self, address: IpAddr) {
        if let Some(entry) = self.entries.remove(&address) {
            self.order.remove(&entry.place);
        }
    }

    /// The address that was longest not seen goes, if that was before `time`.
    fn reap(&mut self, time: i64, spared: Option<IpAddr>) {
        let Some((_, &oldest)) = self.order.first_key_value() else { return };
        let stale = self.entries.get(&oldest).and_then(Entry::last).is_some_and(|last| time > last);
        if stale && spared != Some(oldest) {
            self.remove(oldest);
        }
    }
}

/// A rule's use of a list.
pub(super) struct Recent {
    rule: xt::Recent,
}

impl Recent {
    pub(super) fn new(rule: &xt::Recent, shared: &mut Shared) -> Self {
        let list = shared.recent.entry(rule.name.clone()).or_insert_with(|| List::new(rule.mask));
        let wanted = rule.hit_count.map_or(STAMPS, |count| (count as usize).next_power_of_two());
        list.stamps = list.stamps.max(wanted.min(1 << 16));
        Self { rule: rule.clone() }
    }

    /// `true` if the address was seen as the rule asks.
    fn seen(&self, entry: &Entry, since: i64) -> bool {
        let mut hits = 0;
        entry.stamps.iter().any(|stamp| {
            if self.rule.seconds.is_some() && since > *stamp {
                return false;
            }
            hits += 1;
            self.rule.hit_count.is_none_or(|wanted| hits >= wanted)
        })
    }
}

fn masked(address: IpAddr, mask: IpAddr) -> IpAddr {
    match (address, mask) {
        (IpAddr::V4(address), IpAddr::V4(mask)) => IpAddr::from((address.to_bits() & mask.to_bits()).to_be_bytes()),
        (IpAddr::V6(address), IpAddr::V6(mask)) => IpAddr::from((address.to_bits() & mask.to_bits()).to_be_bytes()),
        _ => address,
    }
}

impl StatefulMatch for Recent {
    fn matches(&mut self, skb: &Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Answer {
        let rule = &self.rule;
        let now = jiffies(skb.now_ns);
        let Some(list) = world.shared.recent.get_mut(&rule.name) else { return Answer::No };
        let address = masked(if rule.by_destination { skb.dst() } else { skb.src() }, list.mask);
        // The TTL as it was before forwarding.
        let ttl = if hook.out_if.is_some() { skb.ttl().wrapping_add(1) } else { skb.ttl() };
        let fits = |entry: &&Entry| !rule.rttl || entry.ttl == ttl || ttl == 0 || entry.ttl == 0;
        let Some(entry) = list.entries.get(&address).filter(fits) else {
            if rule.action != RecentAction::Set {
                return Answer::from(rule.not);
            }
            list.insert(address, ttl, now);
            return Answer::from(!rule.not);
        };
        let since = now - i64::from(rule.seconds.unwrap_or(0)) * HZ as i64;
        let matched = match rule.action {
            RecentAction::Set => !rule.not,
            RecentAction::Remove => {
                list.remove(address);
                return Answer::from(!rule.not);
            }
            RecentAction::RCheck | RecentAction::Update => self.seen(entry, since) != rule.not,
        };
        let updates = rule.action == RecentAction::Set || rule.action == RecentAction::Update && matched;
        if rule.reap {
            list.reap(since, Some(address).filter(|_| updates));
        }
        if updates {
            list.update(address, ttl, now);
        }
        Answer::from(matched)
    }
}
