//! Matches and targets that remember packets, and what they share by name.

use super::target::StatefulTarget;
use super::{StatefulMatch, StringIndex};
use crate::ruleset::ipset::IpSet;
use crate::ruleset::model::Family;
use crate::ruleset::xt::{Match, Target};

/// State that rules share: sets, lists and hash tables by name, and the index of strings.
#[derive(Debug, Default)]
pub struct Shared {
    /// Patterns of `-m string`.
    pub strings: StringIndex,
}

/// Makes a match ready that remembers packets; `None` if it is none of these.
pub fn prepare(_extension: &Match, _family: Family, _shared: &mut Shared) -> Option<Box<dyn StatefulMatch>> {
    None
}

/// Makes a target ready that remembers packets; `None` if it is none of these.
pub fn prepare_target(_target: &Target, _family: Family, _shared: &mut Shared) -> Option<Box<dyn StatefulTarget>> {
    None
}

impl Shared {
    /// With the sets of a candidate, as they are when it is loaded.
    pub fn new(_sets: &[IpSet]) -> Self {
        Self::default()
    }
}
