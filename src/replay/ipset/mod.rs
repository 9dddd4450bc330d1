//! Sets as rules ask and change them: `net/netfilter/ipset/` of the kernel.
//!
//! | file | does |
//! |---|---|
//! | `element` | what a packet is to a set: its addresses, port, hardware address, mark |
//! | `member` | what a member carries: time to live, counters, marks to give |
//! | `store` | members by element: hashes and bitmaps, networks by longest prefix |
//! | `interfaces` | members of `hash:net,iface` |
//! | `load` | sets of a candidate made ready |
//!
//! In go packets with the directions that a rule names, out come yes and no. Time is capture time; a member that a file
//! gives seconds to live has them from the first packet on. Where the kernel's choice hangs on its random hash seed
//! (`forceadd` replaces a member of the same bucket) the oldest member goes.

mod element;
mod interfaces;
mod load;
mod member;
mod store;

#[cfg(test)]
mod tests;

use super::skb::{HookContext, Skb};
use super::tick::ticks;
use crate::ruleset::ipset::{Dimension, IpSet};
use crate::ruleset::model::Family;
use crate::ruleset::xt::CounterOp;
use foldhash::fast::RandomState;
use interfaces::Interfaces;
use member::{Gain, Member};
use std::collections::HashMap;
use std::sync::Arc;
use store::Store;

pub(super) use element::{bits, prefix_mask};
pub use member::SkbInfo;

/// Number of a set among [`Sets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SetRef(usize);

/// All sets of a candidate.
#[derive(Debug, Default)]
pub struct Sets {
    sets: Vec<Set>,
    names: HashMap<Arc<str>, SetRef, RandomState>,
}

/// A set.
#[derive(Debug)]
struct Set {
    /// `None`: takes packets of both families.
    family: Option<Family>,
    dimensions: Vec<Dimension>,
    /// Seconds that a member lives unless told otherwise; `None`: for ever.
    timeout: Option<u32>,
    counters: bool,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Store(Box<Store>),
    Interfaces(Box<Interfaces>),
    /// `list:set`: sets in order.
    List(Vec<(SetRef, Member)>),
}

/// A packet's question to a set.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The packet.
    pub skb: &'a Skb<'a>,
    /// Where it is.
    pub hook: &'a HookContext,
    /// Family of the rule's table.
    pub family: Family,
    /// For each dimension `true` if by source.
    pub sources: &'a [bool],
}

/// How a set is tested.
#[derive(Debug, Clone, Copy, Default)]
pub struct TestOptions {
    /// An exception matches, and a plain member does not (`--return-nomatch`).
    pub return_nomatch: bool,
    /// The member's counters stay (`! --update-counters`).
    pub keep_counters: bool,
    /// Those of the members of a list's sets stay.
    pub keep_sub_counters: bool,
    /// What the packet counter must be, this packet included.
    pub packets: Option<(CounterOp, u64)>,
    /// What the byte counter must be.
    pub bytes: Option<(CounterOp, u64)>,
}

/// What a test came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    No,
    Yes(Option<SkbInfo>),
    /// An exception (`nomatch`): `-ENOTEMPTY`.
    Exception,
}

impl Sets {
    /// Makes a candidate's sets ready.
    pub fn new(sets: &[IpSet]) -> Self {
        load::load(sets)
    }

    /// A set by name.
    pub fn find(&self, name: &str) -> Option<SetRef> {
        self.names.get(name).copied()
    }

    /// Starts the clocks of members that the file gave seconds to live.
    pub fn start(&mut self, now_ns: i64) {
        let now = ticks(now_ns);
        for set in &mut self.sets {
            match &mut set.body {
                Body::Store(store) => store.start(now),
                Body::Interfaces(interfaces) => interfaces.start(now),
                Body::List(list) => list.iter_mut().for_each(|(_, member)| member.start(now)),
            }
        }
    }

    /// `ip_set_test`: `Some` if the packet is in the set, with what the member gives to packets.
    pub fn test(&mut self, at: SetRef, ask: &Question<'_>, options: &TestOptions) -> Option<Option<SkbInfo>> {
        let set = self.sets.get_mut(at.0)?;
        if !set.takes(ask) {
            return None;
        }
        let now = ticks(ask.skb.now_ns);
        let found = match &mut set.body {
            Body::Store(store) => store.test(ask, options, set.counters, now),
            Body::Interfaces(interfaces) => interfaces.test(ask, options, set.counters, now),
            Body::List(_) => return self.test_list(at, ask, options, now),
        };
        match (found, options.return_nomatch && set.has_networks()) {
            (Found::Yes(info), false) => Some(info),
            (Found::Exception, true) => Some(None),
            _ => None,
        }
    }

    /// `list_set_ktest`: the first set that has the packet, if the list's own member lets it.
    fn test_list(
        &mut self,
        at: SetRef,
        ask: &Question<'_>,
        options: &TestOptions,
        now: i64,
    ) -> Option<Option<SkbInfo>> {
        let keep_counters = options.keep_counters || options.keep_sub_counters;
        let inner = TestOptions { keep_counters, packets: None, bytes: None, ..*options };
        let mut position = 0;
        while let Some(member) = self.list(at).and_then(|list| list.get(position)).map(|(member, _)| *member) {
            let found = self.test(member, ask, &inner);
            let counters = self.sets.get(at.0).is_some_and(|set| set.counters);
            let own = self.list_mut(at).and_then(|list| list.get_mut(position));
            if let (Some(info), Some((_, own))) = (found, own)
                && own.lets(ask.skb.len, options, counters, now)
            {
                return Some(own.info().or(info));
            }
            position += 1;
        }
        None
    }

    fn list(&self, at: SetRef) -> Option<&Vec<(SetRef, Member)>> {
        match &self.sets.get(at.0)?.body {
            Body::List(list) => Some(list),
            _ => None,
        }
    }

    fn list_mut(&mut self, at: SetRef) -> Option<&mut Vec<(SetRef, Member)>> {
        match &mut self.sets.get_mut(at.0)?.body {
            Body::List(list) => Some(list),
            _ => None,
        }
    }

    /// `ip_set_add`; `true` if the packet was added. `timeout` in seconds, `None`: the set's own.
    pub fn add(&mut self, at: SetRef, ask: &Question<'_>, exist: bool, timeout: Option<u32>) -> bool {
        let now = ticks(ask.skb.now_ns);
        let Some(set) = self.sets.get_mut(at.0).filter(|set| set.takes(ask)) else { return false };
        let seconds = set.timeout.map(|own| timeout.unwrap_or(own));
        let gain = Gain { seconds, packets: 1, bytes: ask.skb.len.into(), ..Gain::default() };
        match &mut set.body {
            Body::Store(store) => store.add_packet(ask, gain, exist, now),
            Body::Interfaces(interfaces) => interfaces.add_packet(ask, gain, exist, now),
            Body::List(_) => self.any_of_list(at, now, |sets, member| sets.add(member, ask, exist, timeout)),
        }
    }

    /// `ip_set_del`; `true` if the packet was in the set.
    pub fn delete(&mut self, at: SetRef, ask: &Question<'_>) -> bool {
        let now = ticks(ask.skb.now_ns);
        let Some(set) = self.sets.get_mut(at.0).filter(|set| set.takes(ask)) else { return false };
        match &mut set.body {
            Body::Store(store) => store.delete_packet(ask, now),
            Body::Interfaces(interfaces) => interfaces.delete_packet(ask, now),
            Body::List(_) => self.any_of_list(at, now, |sets, member| sets.delete(member, ask)),
        }
    }

    /// Tries a list's sets in order until one does it.
    fn any_of_list(&mut self, at: SetRef, now: i64, mut each: impl FnMut(&mut Self, SetRef) -> bool) -> bool {
        let mut position = 0;
        while let Some((member, is_alive)) =
            self.list(at).and_then(|list| list.get(position)).map(|(member, own)| (*member, own.is_alive(now)))
        {
            if is_alive && each(self, member) {
                return true;
            }
            position += 1;
        }
        false
    }
}

impl Set {
    /// The rule names enough directions, and the families fit.
    fn takes(&self, ask: &Question<'_>) -> bool {
        let dimensions = if matches!(self.body, Body::List(_)) { 1 } else { self.dimensions.len() };
        ask.sources.len() >= dimensions && self.family.is_none_or(|family| family == ask.family)
    }

    fn has_networks(&self) -> bool {
        self.dimensions.contains(&Dimension::Net)
    }
}
