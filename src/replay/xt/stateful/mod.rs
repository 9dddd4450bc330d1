//! Matches and targets that remember packets: what they keep for themselves, and what rules share by name.
//!
//! | file | does |
//! |---|---|
//! | `rates` | limit, hashlimit |
//! | `recent` | recent |
//! | `counts` | connlimit, connbytes, quota, statistic, connlabel |
//! | `clock` | time |
//! | `sets` | set and SET |
//! | `layer7` | layer7 |

mod clock;
mod counts;
mod layer7;
mod rates;
mod recent;
mod sets;

use super::{Preparation, StatefulMatch, StatefulTarget};
use crate::replay::ipset::IpSets;
use crate::ruleset::xt::{Match, Target};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Ticks of the kernel's clock a second (`CONFIG_HZ`), in which limits reckon.
const HZ: u64 = 250;
const TICK_NS: i64 = 1_000_000_000 / HZ as i64;

/// `jiffies` at a time.
fn jiffies(now_ns: i64) -> i64 {
    now_ns.div_euclid(TICK_NS)
}

/// What stateful matches keep under a name, shared by rules: ipsets, lists of `recent`, tables of `hashlimit`.
#[derive(Debug, Default)]
pub struct Shared {
    /// Sets by name.
    pub ipsets: IpSets,
    recent: HashMap<String, recent::List, RandomState>,
    hashlimit: HashMap<(String, bool), rates::Table, RandomState>,
}

/// Makes a match ready; `None` if it is not one of those that remember.
pub fn prepare(of: &Match, with: &mut Preparation<'_>) -> Option<Box<dyn StatefulMatch + Send>> {
    if with.shared.ipsets.is_empty() {
        with.shared.ipsets = IpSets::new(&with.ruleset.ipsets);
    }
    Some(match of {
        Match::Limit(limit) => Box::new(rates::Limit::new(*limit, with.backend)),
        Match::HashLimit(limit) => Box::new(rates::HashLimit::new(limit, with)),
        Match::Recent(recent) => Box::new(recent::Recent::new(recent, with.shared)),
        Match::ConnLimit { limit, mask, by_destination } => {
            Box::new(counts::ConnLimit::new(*limit, *mask, *by_destination))
        }
        Match::ConnBytes { range, mode, direction } => {
            Box::new(counts::ConnBytes { range: *range, mode: *mode, direction: *direction })
        }
        Match::ConnLabel { label, set, .. } => Box::new(counts::ConnLabel { label: *label, set: *set }),
        Match::Quota { quota } => Box::new(counts::Quota { left: quota.value, not: quota.not }),
        Match::Statistic(statistic) => Box::new(counts::Statistic::new(statistic)),
        Match::Time(time) => Box::new(clock::Clock { time: (**time).clone() }),
        Match::Set(set) => Box::new(sets::SetMatch::new(set, with.shared)),
        Match::Layer7 { pattern, packets } => Box::new(layer7::Layer7::new(pattern, *packets)),
        // Without helpers no connection has one.
        Match::Helper(name) => Box::new(counts::Constant(name.not)),
        _ => return None,
    })
}

/// Makes a target ready; `None` if it is not one of those that remember.
pub fn prepare_target(of: &Target, with: &mut Preparation<'_>) -> Option<Box<dyn StatefulTarget + Send>> {
    if with.shared.ipsets.is_empty() {
        with.shared.ipsets = IpSets::new(&with.ruleset.ipsets);
    }
    match of {
        Target::Set { .. } => Some(Box::new(sets::SetTarget::new(of, with.shared)?)),
        _ => None,
    }
}
