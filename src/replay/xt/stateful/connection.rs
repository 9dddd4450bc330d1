//! Matches on what the connection has gathered: `xt_connbytes.c`, `xt_connlabel.c`, `xt_helper.c`.

use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, World};
use crate::replay::xt::StatefulMatch;
use crate::ruleset::xt::{ConnBytesDirection, ConnBytesMode, Inv, Range};

/// `-m connbytes`.
pub(super) struct ConnBytes {
    pub range: Inv<Range<u64>>,
    pub mode: ConnBytesMode,
    pub direction: ConnBytesDirection,
}

impl StatefulMatch for ConnBytes {
    fn matches(&mut self, skb: &Skb<'_>, _: &HookContext, world: &mut World<'_>) -> Answer {
        let Some(conn) = skb.ct.and_then(|id| world.connections.get(id)) else { return Answer::No };
        let [original, reply] = conn.counters;
        let (packets, bytes) = match self.direction {
            ConnBytesDirection::Original => original,
            ConnBytesDirection::Reply => reply,
            ConnBytesDirection::Both => (original.0.saturating_add(reply.0), original.1.saturating_add(reply.1)),
        };
        let is = match self.mode {
            ConnBytesMode::Packets => packets,
            ConnBytesMode::Bytes => bytes,
            ConnBytesMode::AvgPkt => bytes.checked_div(packets).unwrap_or(0),
        };
        let Range { low, high } = self.range.value;
        // User space tells `!` by exchanging the ends, which for equal ends says nothing.
        let not = self.range.not && low != high;
        Answer::from((low <= is && is <= high) != not)
    }
}

/// `-m connlabel`.
pub(super) struct ConnLabel {
    pub label: Inv<u16>,
    pub set: bool,
}

impl StatefulMatch for ConnLabel {
    fn matches(&mut self, skb: &Skb<'_>, _: &HookContext, world: &mut World<'_>) -> Answer {
        let Some(conn) = skb.ct.and_then(|id| world.connections.get_mut(id)) else {
            return Answer::from(self.label.not);
        };
        let bit = 1u128.checked_shl(self.label.value.into()).unwrap_or(0);
        if self.set {
            conn.labels |= bit;
        }
        Answer::from((conn.labels & bit != 0) != self.label.not)
    }
}

/// `-m helper`: the helper of the connection that expected this one.
pub(super) struct Helper {
    pub name: Inv<String>,
}

impl StatefulMatch for Helper {
    fn matches(&mut self, skb: &Skb<'_>, _: &HookContext, world: &mut World<'_>) -> Answer {
        let conn = skb.ct.and_then(|id| world.connections.get(id));
        let master = conn.and_then(|conn| conn.master).and_then(|id| world.connections.get(id));
        let helper = master.and_then(|master| master.helper);
        // The comparison ends with the helper's name, so that a longer wanted one fits too.
        let fits = helper.is_some_and(|is| self.name.value.is_empty() || self.name.value.starts_with(is));
        Answer::from(fits != self.name.not)
    }
}
