//! `-m set` and `-j SET`: a rule's questions to the sets and its changes of them (`xt_set.c`).

use crate::replay::ipset::{Question, SetRef, TestOptions};
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, World};
use crate::replay::xt::{Preparation, StatefulMatch, StatefulTarget};
use crate::ruleset::model::Family;
use crate::ruleset::xt::SetMatch;
use std::sync::Arc;

/// A set with the directions that a rule names.
pub(super) struct Bound {
    set: SetRef,
    family: Family,
    sources: Vec<bool>,
}

impl Bound {
    /// `None` if the rule names no set, or one that is not there.
    pub fn new(named: Option<&(Arc<str>, Vec<bool>)>, with: &Preparation<'_>) -> Option<Self> {
        let (name, sources) = named?;
        let family = if with.v6 { Family::Ip6 } else { Family::Ip };
        Some(Self { set: with.shared.sets.find(name)?, family, sources: sources.clone() })
    }

    fn ask<'a>(&'a self, skb: &'a Skb<'a>, hook: &'a HookContext) -> Question<'a> {
        Question { skb, hook, family: self.family, sources: &self.sources }
    }
}

/// `-m set`.
pub(super) struct Asked {
    set: Option<Bound>,
    not: bool,
    options: TestOptions,
}

impl Asked {
    pub fn new(rule: &SetMatch, with: &Preparation<'_>) -> Self {
        let named = (Arc::clone(&rule.set.value), rule.flags.clone());
        let options = TestOptions {
            return_nomatch: rule.return_nomatch,
            keep_counters: rule.no_update_counters,
            keep_sub_counters: rule.no_update_subcounters,
            packets: rule.packets,
            bytes: rule.bytes,
        };
        Self { set: Bound::new(Some(&named), with), not: rule.set.not, options }
    }
}

impl StatefulMatch for Asked {
    fn matches(&mut self, skb: &Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Answer {
        // A set that is not given is taken as empty.
        let found =
            self.set.as_ref().and_then(|bound| world.shared.sets.test(bound.set, &bound.ask(skb, hook), &self.options));
        Answer::from(found.is_some() != self.not)
    }
}

/// `-j SET`.
pub(super) struct Changed {
    add: Option<Bound>,
    delete: Option<Bound>,
    map: Option<Bound>,
    exist: bool,
    timeout: Option<u32>,
    map_mark: bool,
    map_priority: bool,
}

impl Changed {
    /// `sets`: to add to, to delete from, to take marks from.
    pub fn new(sets: [Option<Bound>; 3], exist: bool, timeout: Option<u32>, map_flags: &[String]) -> Self {
        let [add, delete, map] = sets;
        let has = |what: &str| map_flags.iter().any(|flag| flag.ends_with(what));
        Self { add, delete, map, exist, timeout, map_mark: has("mark"), map_priority: has("prio") }
    }
}

impl StatefulTarget for Changed {
    fn act(&mut self, skb: &mut Skb<'_>, hook: &HookContext, world: &mut World<'_>) {
        let sets = &mut world.shared.sets;
        if let Some(bound) = &self.add {
            sets.add(bound.set, &bound.ask(skb, hook), self.exist, self.timeout);
        }
        if let Some(bound) = &self.delete {
            sets.delete(bound.set, &bound.ask(skb, hook));
        }
        let Some(bound) = &self.map else { return };
        let Some(info) = sets.test(bound.set, &bound.ask(skb, hook), &TestOptions::default()) else { return };
        let info = info.unwrap_or_default();
        if self.map_mark {
            let (mark, mask) = info.mark;
            skb.mark = (skb.mark & !mask) ^ mark;
        }
        if self.map_priority {
            skb.priority = info.priority;
        }
    }
}
