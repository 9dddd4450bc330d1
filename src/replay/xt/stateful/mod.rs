//! Matches and targets that remember packets, and what they share by name.
//!
//! | file | judges |
//! |---|---|
//! | `limit`, `hashlimit` | rates |
//! | `recent` | lists of addresses |
//! | `connlimit` | numbers of connections |
//! | `connection` | connbytes, connlabel, helper |
//! | `counting` | quota, statistic |
//! | `time` | the clock and the calendar |
//! | `set` | `-m set`, `-j SET` |
//! | `layer7` | the application by its first words |
//!
//! All of it is in capture time. Where a kernel draws lots (`statistic --mode random`) a generator with a fixed seed
//! draws them, so that a replay tells the same twice.

mod connection;
mod connlimit;
mod counting;
mod hashlimit;
mod layer7;
mod limit;
mod recent;
mod set;
mod time;

#[cfg(test)]
mod tests;

use super::{Preparation, StatefulMatch, StatefulTarget};
use crate::replay::ipset::Sets;
use crate::ruleset::ipset::IpSet;
use crate::ruleset::xt::{Match, Statistic, Target};
use hashlimit::HashLimits;
use layer7::Layer7;
use recent::RecentLists;

/// What rules share by name: sets, lists, hash tables, and what is known of connections.
#[derive(Debug, Default)]
pub struct Shared {
    /// Sets of `ipset`.
    pub sets: Sets,
    recent: RecentLists,
    hashlimits: HashLimits,
    layer7: Layer7,
    random_rules: u64,
    started: bool,
}

impl Shared {
    /// With the sets of a candidate, as they are when it is loaded.
    pub fn new(sets: &[IpSet]) -> Self {
        Self { sets: Sets::new(sets), ..Self::default() }
    }

    /// Tells the time of the first packet, from which on things live that were loaded with seconds to live.
    pub fn start(&mut self, now_ns: i64) {
        if !self.started {
            self.started = true;
            self.sets.start(now_ns);
            self.hashlimits.start(now_ns);
        }
    }
}

/// Makes a match ready that remembers packets; `None` if it is none of these.
pub fn prepare(of: &Match, with: &mut Preparation<'_>) -> Option<Box<dyn StatefulMatch + Send>> {
    Some(match of {
        Match::Limit(limit) => Box::new(limit::prepare(limit, with.backend)),
        Match::HashLimit(limit) => Box::new(with.shared.hashlimits.prepare(limit, with.v6)),
        Match::Recent(recent) => Box::new(with.shared.recent.prepare(recent)),
        Match::ConnLimit { limit, mask, by_destination } => {
            Box::new(connlimit::ConnLimit::new(*limit, *mask, *by_destination))
        }
        Match::ConnBytes { range, mode, direction } => {
            Box::new(connection::ConnBytes { range: *range, mode: *mode, direction: *direction })
        }
        Match::ConnLabel { label, set, .. } => Box::new(connection::ConnLabel { label: *label, set: *set }),
        Match::Helper(name) => Box::new(connection::Helper { name: name.clone() }),
        Match::Quota { quota } => Box::new(counting::Quota::new(quota)),
        Match::Statistic(Statistic::Nth { every, packet }) => Box::new(counting::Nth::new(*every, *packet)),
        Match::Statistic(Statistic::Random(chance)) => {
            with.shared.random_rules += 1;
            Box::new(counting::Random::new(*chance, with.shared.random_rules))
        }
        Match::Time(time) => Box::new(time::Clock::new(time)),
        Match::Set(set) => Box::new(set::Asked::new(set, with)),
        Match::Layer7 { pattern, packets } => Box::new(layer7::Classifier::new(pattern, *packets)),
        _ => return None,
    })
}

/// Makes a target ready that remembers packets; `None` if it is none of these.
pub fn prepare_target(of: &Target, with: &mut Preparation<'_>) -> Option<Box<dyn StatefulTarget + Send>> {
    match of {
        Target::Set { add, del, map, exist, timeout, map_flags } => {
            let sets = [add, del, map].map(|one| set::Bound::new(one.as_ref(), with));
            Some(Box::new(set::Changed::new(sets, *exist, *timeout, map_flags)))
        }
        _ => None,
    }
}
