//! Tables and chains while a file is read: numbered as they come, and in the order of a listing at the end.

use super::built_in::{base, builtin_chains};
use crate::ruleset::error::Place;
use crate::ruleset::model::{Body, Chain, Engine, Family, Policy, Rule, Table};
use crate::ruleset::xt::Target;
use std::collections::HashMap;
use std::sync::Arc;

/// A table while it is read.
pub(super) struct Building {
    pub(super) family: Family,
    pub(super) name: &'static str,
    pub(super) place: Place,
    /// Never shrinks while reading: places in it are chain numbers. `None` was deleted.
    pub(super) chains: Vec<Option<Growing>>,
    pub(super) by_name: HashMap<Arc<str>, u32>,
}

/// A chain while it is read.
pub(super) struct Growing {
    pub(super) name: Arc<str>,
    pub(super) policy: Policy,
    pub(super) rules: Vec<Rule>,
    pub(super) place: Place,
    /// Rules that lead here.
    pub(super) references: usize,
}

impl Building {
    /// Adds a chain that is not there yet; gives its number.
    pub(super) fn add(&mut self, name: &str, policy: Policy, place: Place) -> u32 {
        let id = u32::try_from(self.chains.len()).unwrap_or(u32::MAX);
        let name: Arc<str> = Arc::from(name);
        self.by_name.insert(Arc::clone(&name), id);
        self.chains.push(Some(Growing { name, policy, rules: Vec::new(), place, references: 0 }));
        id
    }

    /// The table as a listing shows it: built-in chains first, the others by name, numbered anew.
    pub(super) fn finish(self) -> Table {
        let rank = |name: &str| builtin_chains(self.name).position(|known| known == name).unwrap_or(usize::MAX);
        let mut chains: Vec<(u32, Growing)> =
            (0_u32..).zip(self.chains).filter_map(|(id, growing)| growing.map(|growing| (id, growing))).collect();
        chains.sort_by(|(_, a), (_, b)| rank(&a.name).cmp(&rank(&b.name)).then_with(|| a.name.cmp(&b.name)));
        let renumbered: HashMap<u32, u32> = chains.iter().map(|&(id, _)| id).zip(0..).collect();
        let chains = chains.into_iter().map(|(_, growing)| {
            let mut rules = growing.rules;
            for (n, rule) in (1..).zip(&mut rules) {
                rule.n = n;
                if let Body::Xt(body) = &mut rule.body
                    && let Target::Chain { chain, .. } = &mut body.target
                {
                    chain.0 = renumbered.get(&chain.0).copied().unwrap_or(chain.0);
                }
            }
            let base = base(self.name, &growing.name, growing.policy);
            Chain { name: growing.name, base, rules, place: growing.place }
        });
        Table {
            family: self.family,
            name: Arc::from(self.name),
            engine: Engine::Xtables,
            dormant: false,
            chains: chains.collect(),
            sets: Vec::new(),
            objects: Vec::new(),
            place: self.place,
        }
    }
}
