//! `-m connlimit`: connections of an address or network (`xt_connlimit.c`). What is counted is `conncount`'s business.

use crate::replay::conncount::ConnCount;
use crate::replay::conntrack::ConnId;
use crate::replay::ipset::{bits, prefix_mask};
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, Connections, World};
use crate::replay::xt::StatefulMatch;
use crate::ruleset::xt::Inv;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Lists before those that have become empty are looked for.
const SWEEP_FROM: usize = 1 << 16;

/// A rule's match, with a list for each address.
pub(super) struct ConnLimit {
    limit: Inv<u32>,
    mask: u8,
    by_destination: bool,
    lists: HashMap<(u128, u16), ConnCount, RandomState>,
    /// Lists at which the next sweep is due: doubling, so that sweeps cost no more than what fills the table.
    sweep_at: usize,
}

impl ConnLimit {
    pub fn new(limit: Inv<u32>, mask: u8, by_destination: bool) -> Self {
        Self { limit, mask, by_destination, lists: HashMap::default(), sweep_at: SWEEP_FROM }
    }

    fn sweep(&mut self, now_ns: i64, connections: &dyn Connections) {
        self.lists.retain(|_, list| list.refresh(now_ns, connections) > 0);
        self.sweep_at = SWEEP_FROM.max(self.lists.len() * 2);
    }
}

fn zone(id: Option<ConnId>, connections: &dyn Connections) -> u16 {
    id.and_then(|id| connections.get(id)).map_or(0, |conn| conn.tuples[0].zone)
}

impl StatefulMatch for ConnLimit {
    fn matches(&mut self, skb: &Skb<'_>, _: &HookContext, world: &mut World<'_>) -> Answer {
        let has_tuple = skb.ct.is_some() || skb.headers.protocol.is_some();
        if !has_tuple {
            return Answer::HotDrop;
        }
        let width = if skb.is_v6() { 128 } else { 32 };
        let address = if self.by_destination { skb.dst() } else { skb.src() };
        let key = (bits(address) & prefix_mask(self.mask, width), zone(skb.ct, world.connections));
        if self.lists.len() >= self.sweep_at {
            self.sweep(skb.now_ns, world.connections);
        }
        let count = match self.lists.entry(key) {
            Entry::Occupied(list) => list.into_mut().add(skb, world.connections),
            Entry::Vacant(place) => place.insert(ConnCount::begin(skb, world.connections)).count(),
        };
        match count {
            // All that was counted is closed, and this packet's connection with it.
            0 => Answer::HotDrop,
            count => Answer::from((count > self.limit.value) != self.limit.not),
        }
    }
}
