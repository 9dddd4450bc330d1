//! Matches and targets that remember: limit, hashlimit, recent, connlimit, connbytes, quota, statistic, time, set,
//! layer7.

use super::{Preparation, StatefulMatch, StatefulTarget};
use crate::ruleset::xt::{Match, Target};

/// What stateful matches keep under a name, shared by rules: ipsets, lists of `recent`, tables of `hashlimit`.
#[derive(Debug, Default)]
pub struct Shared {}

/// Makes a match ready; `None` if it is not one of those that remember.
pub fn prepare(_of: &Match, _with: &mut Preparation<'_>) -> Option<Box<dyn StatefulMatch + Send>> {
    None
}

/// Makes a target ready; `None` if it is not one of those that remember.
pub fn prepare_target(_of: &Target, _with: &mut Preparation<'_>) -> Option<Box<dyn StatefulTarget + Send>> {
    None
}
