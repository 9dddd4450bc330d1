//! `-m set` and `-j SET` (`xt_set.c`).

use super::Shared;
use crate::replay::ipset::Question;
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, World};
use crate::replay::xt::{StatefulMatch, StatefulTarget};
use crate::ruleset::xt::{self, Target};
use std::sync::Arc;

/// The match. A set that is not there holds nothing.
pub(super) struct SetMatch {
    set: Option<usize>,
    not: bool,
    question: Question,
}

impl SetMatch {
    pub(super) fn new(wanted: &xt::SetMatch, shared: &Shared) -> Self {
        let question = Question {
            by_source: wanted.flags.clone(),
            return_nomatch: wanted.return_nomatch,
            no_update: wanted.no_update_counters,
            no_update_members: wanted.no_update_subcounters,
            packets: wanted.packets,
            bytes: wanted.bytes,
        };
        Self { set: shared.ipsets.number(&wanted.set.value), not: wanted.set.not, question }
    }
}

impl StatefulMatch for SetMatch {
    fn matches(&mut self, skb: &Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Answer {
        let sets = &mut world.shared.ipsets;
        let found = self.set.is_some_and(|set| sets.test(set, &self.question, skb, hook));
        Answer::from(found != self.not)
    }
}

/// A set and for each dimension whether it is by source.
type Named = (usize, Vec<bool>);

/// The target.
pub(super) struct SetTarget {
    add: Option<Named>,
    delete: Option<Named>,
    exist: bool,
    timeout: Option<u32>,
}

impl SetTarget {
    /// `None` if it is another target.
    pub(super) fn new(target: &Target, shared: &Shared) -> Option<Self> {
        let Target::Set { add, del, exist, timeout, .. } = target else { return None };
        let named = |of: &Option<(Arc<str>, Vec<bool>)>| {
            of.as_ref().and_then(|(name, flags)| Some((shared.ipsets.number(name)?, flags.clone())))
        };
        Some(Self { add: named(add), delete: named(del), exist: *exist, timeout: *timeout })
    }
}

impl StatefulTarget for SetTarget {
    fn act(&mut self, skb: &mut Skb<'_>, hook: &HookContext, world: &mut World<'_>) {
        let sets = &mut world.shared.ipsets;
        if let Some((set, by_source)) = &self.add {
            sets.add(*set, by_source, self.exist, self.timeout, skb, hook);
        }
        if let Some((set, by_source)) = &self.delete {
            sets.delete(*set, by_source, skb, hook);
        }
    }
}
