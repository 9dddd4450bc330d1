//! `xt_connlimit.c`, `xt_connbytes.c`, `xt_connlabel.c`, `xt_quota.c`, `xt_statistic.c`.

use crate::replay::conncount::ConnCount;
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, World};
use crate::replay::xt::StatefulMatch;
use crate::ruleset::xt::{self, ConnBytesDirection, ConnBytesMode, Inv, Range};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::net::IpAddr;

/// Addresses whose connections a rule counts; beyond it all begin anew, which the kernel does by memory.
const MAX_ADDRESSES: usize = 1 << 20;

/// `-m connlimit`.
pub(super) struct ConnLimit {
    limit: Inv<u32>,
    mask: u8,
    by_destination: bool,
    counts: HashMap<u128, ConnCount, RandomState>,
}

impl ConnLimit {
    pub(super) fn new(limit: Inv<u32>, mask: u8, by_destination: bool) -> Self {
        Self { limit, mask, by_destination, counts: HashMap::default() }
    }
}

impl StatefulMatch for ConnLimit {
    fn matches(&mut self, skb: &Skb<'_>, _hook: &HookContext, world: &mut World<'_>) -> Answer {
        let address = if self.by_destination { skb.dst() } else { skb.src() };
        let key = match address {
            IpAddr::V4(v4) => {
                u128::from(v4.to_bits() & u32::MAX.checked_shl(32 - u32::from(self.mask.min(32))).unwrap_or(0))
            }
            IpAddr::V6(v6) => v6.to_bits() & u128::MAX.checked_shl(128 - u32::from(self.mask.min(128))).unwrap_or(0),
        };
        if self.counts.len() >= MAX_ADDRESSES {
            self.counts.clear();
        }
        let count = self.counts.entry(key).or_default().add(skb, &*world.connections);
        Answer::from((count > self.limit.value) != self.limit.not)
    }
}

/// `-m connbytes`.
pub(super) struct ConnBytes {
    pub range: Inv<Range<u64>>,
    pub mode: ConnBytesMode,
    pub direction: ConnBytesDirection,
}

impl StatefulMatch for ConnBytes {
    fn matches(&mut self, skb: &Skb<'_>, _hook: &HookContext, world: &mut World<'_>) -> Answer {
        let Some(conn) = skb.ct.and_then(|id| world.connections.get(id)) else { return Answer::No };
        let [original, reply] = conn.counters;
        let (packets, bytes) = match self.direction {
            ConnBytesDirection::Original => original,
            ConnBytesDirection::Reply => reply,
            ConnBytesDirection::Both => (original.0 + reply.0, original.1 + reply.1),
        };
        let value = match self.mode {
            ConnBytesMode::Packets => packets,
            ConnBytesMode::Bytes => bytes,
            ConnBytesMode::AvgPkt => bytes.checked_div(packets).unwrap_or(0),
        };
        Answer::from((self.range.value.low <= value && value <= self.range.value.high) != self.range.not)
    }
}

/// `-m connlabel`.
pub(super) struct ConnLabel {
    pub label: Inv<u16>,
    pub set: bool,
}

impl StatefulMatch for ConnLabel {
    fn matches(&mut self, skb: &Skb<'_>, _hook: &HookContext, world: &mut World<'_>) -> Answer {
        let Some(conn) = skb.ct.and_then(|id| world.connections.get_mut(id)) else {
            return Answer::from(self.label.not);
        };
        let bit = 1u128.checked_shl(u32::from(self.label.value)).unwrap_or(0);
        if self.set {
            conn.labels |= bit;
        }
        Answer::from((conn.labels & bit != 0) != self.label.not)
    }
}

/// `-m quota`.
pub(super) struct Quota {
    pub left: u64,
    pub not: bool,
}

impl StatefulMatch for Quota {
    fn matches(&mut self, skb: &Skb<'_>, _hook: &HookContext, _world: &mut World<'_>) -> Answer {
        let len = u64::from(skb.len);
        let within = self.left >= len;
        // From the first packet that does not fit on, not even a small one does.
        self.left = if within { self.left - len } else { 0 };
        Answer::from(within != self.not)
    }
}

/// `-m statistic`.
pub(super) enum Statistic {
    Nth {
        every: u32,
        count: u32,
        not: bool,
    },
    /// A fixed row of numbers stands for the kernel's random ones.
    Random {
        chance: u32,
        not: bool,
        state: u64,
    },
}

impl Statistic {
    pub(super) fn new(statistic: &xt::Statistic) -> Self {
        match statistic {
            xt::Statistic::Nth { every, packet } => {
                let last = every.value.max(1) - 1;
                Self::Nth { every: last, count: last.saturating_sub(*packet), not: every.not }
            }
            xt::Statistic::Random(chance) => {
                Self::Random { chance: chance.value, not: chance.not, state: 0x9e37_79b9_7f4a_7c15 }
            }
        }
    }
}

impl StatefulMatch for Statistic {
    fn matches(&mut self, _skb: &Skb<'_>, _hook: &HookContext, _world: &mut World<'_>) -> Answer {
        match self {
            Self::Nth { every, count, not } => {
                *count = if *count >= *every { 0 } else { *count + 1 };
                Answer::from((*count == 0) != *not)
            }
            Self::Random { chance, not, state } => {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                let drawn = (*state >> 33) as u32;
                Answer::from((drawn < *chance) != *not)
            }
        }
    }
}

/// Always the same.
pub(super) struct Constant(pub bool);

impl StatefulMatch for Constant {
    fn matches(&mut self, _skb: &Skb<'_>, _hook: &HookContext, _world: &mut World<'_>) -> Answer {
        Answer::from(self.0)
    }
}
