//! The quick no: what most rules ask first, compared with facts that are read once a packet.
//!
//! A rule begins with plain tests of a few common fields. They have no effect, so if any of them fails the rule says
//! nothing, in whatever order they are asked; only if all hold are its steps run.

use super::load::{Context, Load};
use super::meta::state_bit;
use super::step::Step;
use crate::ruleset::model::Family;
use crate::ruleset::nft::{Ct, Meta, PayloadBase};

/// Fields that are read once.
const FACTS: usize = 8;
/// Number of a fact that is 0 and always known.
const NOTHING: u8 = 8;
/// Tests that a guard holds: more rarely decide.
const TESTS: usize = 3;

/// What was read of a packet; a bit of `known` for each that could be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    values: [u32; FACTS],
    known: u16,
}

impl Facts {
    /// Reads the fields, as their loads would.
    pub fn of(cx: &Context<'_, '_, '_>) -> Self {
        let mut facts = Self { known: 1 << NOTHING, ..Self::default() };
        let (skb, info) = (&*cx.skb, &cx.info);
        let mut note = |at: usize, value: Option<u32>| {
            if let (Some(place), Some(value)) = (facts.values.get_mut(at), value) {
                *place = value;
                facts.known |= 1 << at;
            }
        };
        let protocol = info.protocol;
        note(0, protocol.map(u32::from));
        note(1, Some(if skb.is_v6() { 10 } else { 2 }));
        let transport = info.transport as usize;
        let port = |at: usize| skb.array(transport + at).map(|bytes| u32::from(u16::from_be_bytes(bytes)));
        note(2, protocol.and_then(|_| port(0)));
        note(3, protocol.and_then(|_| port(2)));
        note(4, protocol.and_then(|_| skb.byte(transport + 13)).map(u32::from));
        note(5, skb.array(12).map(u32::from_be_bytes));
        note(6, skb.array(16).map(u32::from_be_bytes));
        note(7, Some(state_bit(skb).into()));
        facts
    }
}

/// The fact that a load reads, if it is one of them.
fn fact_of(load: &Load, family: Family) -> Option<u8> {
    match load {
        Load::Meta(Meta::L4Proto, _) => Some(0),
        Load::Meta(Meta::NfProto, _) if !matches!(family, Family::Bridge | Family::Netdev) => Some(1),
        Load::Ct(Ct::State, _) => Some(7),
        Load::Payload(read) if read.is_whole() && read.is_fast() => match (read.base(), read.first(), read.span()) {
            (PayloadBase::Transport, 0, 2) => Some(2),
            (PayloadBase::Transport, 2, 2) => Some(3),
            (PayloadBase::Transport, 13, 1) => Some(4),
            (PayloadBase::Network, 12, 4) => Some(5),
            (PayloadBase::Network, 16, 4) => Some(6),
            _ => None,
        },
        _ => None,
    }
}

/// `false` for what counts or draws when it is asked, or might: it must be asked as often as the kernel asks it.
fn has_no_effect(load: &Load) -> bool {
    match load {
        Load::Constant(_) | Load::Payload(_) | Load::Ct(..) | Load::Field(_) | Load::Fib(_) | Load::Rt(_) => true,
        Load::Meta(key, _) => *key != Meta::Random,
        Load::Bitwise(bitwise) => has_no_effect(&bitwise.of),
        Load::Shift(shift) => has_no_effect(&shift.of),
        _ => false,
    }
}

/// A test of a fact: it holds if the fact's value under the mask is one of `more + 1` from `low` on.
#[derive(Debug, Clone, Copy)]
struct Test {
    fact: u8,
    not: bool,
    mask: u32,
    low: u32,
    more: u32,
}

impl Test {
    /// Holds of every packet: stands where a rule has fewer tests.
    const EMPTY: Self = Self { fact: NOTHING, not: false, mask: 0, low: 0, more: 0 };

    #[inline]
    fn fails(&self, facts: &Facts) -> bool {
        let known = facts.known >> self.fact & 1 == 1;
        let value = facts.values.get(usize::from(self.fact)).copied().unwrap_or(0) & self.mask;
        !known | ((value.wrapping_sub(self.low) <= self.more) == self.not)
    }
}

/// The first tests of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    tests: [Test; TESTS],
}

impl Default for Guard {
    fn default() -> Self {
        Self { tests: [Test::EMPTY; TESTS] }
    }
}

impl Guard {
    /// Of the plain tests that a rule begins with.
    pub fn of(steps: &[Step], family: Family) -> Self {
        let plain = steps.iter().map_while(|step| match step {
            Step::Test { load, mask, low, high, not } if has_no_effect(load) => Some((load, *mask, *low, *high, *not)),
            _ => None,
        });
        // What comes after the first other step is not at the beginning.
        let plain = plain.fuse();
        let mut found = plain.filter_map(|(load, mask, low, high, not)| {
            let small = |number: u64| u32::try_from(number).ok();
            let mask = u32::try_from(mask & u64::from(u32::MAX)).ok()?;
            let (low, high) = (small(low)?, small(high)?);
            Some(Test { fact: fact_of(load, family)?, not, mask, low, more: high.checked_sub(low)? })
        });
        Self { tests: std::array::from_fn(|_| found.next().unwrap_or(Test::EMPTY)) }
    }

    /// `true` if a test fails: the rule says nothing.
    #[inline]
    pub fn fails(&self, facts: &Facts) -> bool {
        self.tests.iter().any(|test| test.fails(facts))
    }
}
