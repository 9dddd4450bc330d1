//! Matches that count packets of their rule: `xt_quota.c`, `xt_statistic.c`.

use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, World};
use crate::replay::xt::StatefulMatch;
use crate::ruleset::xt::Inv;

/// `-m quota`.
pub(super) struct Quota {
    left: u64,
    not: bool,
}

impl Quota {
    pub fn new(quota: &Inv<u64>) -> Self {
        Self { left: quota.value, not: quota.not }
    }
}

impl StatefulMatch for Quota {
    /// A packet that is too large for what is left ends the quota for smaller ones, too.
    fn matches(&mut self, skb: &Skb<'_>, _: &HookContext, _: &mut World<'_>) -> Answer {
        let left = self.left.checked_sub(skb.len.into());
        self.left = left.unwrap_or(0);
        Answer::from(left.is_some() != self.not)
    }
}

/// `-m statistic --mode nth`.
pub(super) struct Nth {
    every: u32,
    not: bool,
    count: u32,
}

impl Nth {
    pub fn new(every: Inv<u32>, packet: u32) -> Self {
        let last = every.value.saturating_sub(1);
        Self { every: last, not: every.not, count: last.saturating_sub(packet) }
    }
}

impl StatefulMatch for Nth {
    fn matches(&mut self, _: &Skb<'_>, _: &HookContext, _: &mut World<'_>) -> Answer {
        self.count = if self.count >= self.every { 0 } else { self.count + 1 };
        Answer::from((self.count == 0) != self.not)
    }
}

/// `-m statistic --mode random`. Each rule draws from a seed of its own that is always the same, so that a replay tells
/// the same twice and rules do not follow each other; the kernel's counters differ from run to run.
pub(super) struct Random {
    /// Chance of 2^31.
    chance: Inv<u32>,
    state: u64,
}

impl Random {
    /// `number`: which of the ruleset's random rules it is.
    pub fn new(chance: Inv<u32>, number: u64) -> Self {
        let mut random = Self { chance, state: number };
        random.state = u64::from(random.draw()) << 32 | u64::from(random.draw());
        random
    }

    /// SplitMix64.
    fn draw(&mut self) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 33) as u32
    }
}

impl StatefulMatch for Random {
    fn matches(&mut self, _: &Skb<'_>, _: &HookContext, _: &mut World<'_>) -> Answer {
        Answer::from((self.draw() < self.chance.value) != self.chance.not)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_about_met_and_rules_differ() {
        let quarter = Inv { not: false, value: 1 << 29 };
        let drawn = |number| {
            let mut random = Random::new(quarter, number);
            (0..10_000).map(|_| random.draw() < quarter.value).collect::<Vec<_>>()
        };
        let (first, second) = (drawn(1), drawn(2));
        let both = first.iter().zip(&second).filter(|(one, other)| **one && **other).count();
        let yes = first.iter().filter(|yes| **yes).count();
        assert!((2_300..2_700).contains(&yes), "{yes}");
        assert!((500..750).contains(&both), "{both}");
        assert_eq!(drawn(1), first);
    }
}
