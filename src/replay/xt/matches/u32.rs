//! `-m u32` (`xt_u32.c`).

use super::super::super::skb::Skb;
use crate::ruleset::xt::{Inv, Range, U32Op, U32Test};

/// Tests that must all hold.
#[derive(Debug)]
pub struct U32 {
    not: bool,
    tests: Box<[Test]>,
}

#[derive(Debug)]
struct Test {
    first: u32,
    steps: Box<[(U32Op, u32)]>,
    ranges: Box<[Range<u32>]>,
}

impl U32 {
    pub fn new(of: &Inv<Vec<U32Test>>) -> Self {
        let test = |test: &U32Test| {
            let (first, steps) =
                test.location.split_first().map_or((0, &[][..]), |((_, first), steps)| (*first, steps));
            Test { first, steps: steps.into(), ranges: test.ranges.as_slice().into() }
        };
        Self { not: of.not, tests: of.value.iter().map(test).collect() }
    }

    /// `u32_mt`: a read beyond the packet makes the tests fail, before `!` is applied.
    pub fn fits(&self, skb: &Skb<'_>) -> bool {
        self.tests.iter().all(|test| test.holds(skb).unwrap_or(false)) != self.not
    }
}

impl Test {
    /// `None` for a read beyond the packet.
    fn holds(&self, skb: &Skb<'_>) -> Option<bool> {
        let mut base = 0_u32;
        let mut value = word(skb, base, self.first)?;
        for (op, number) in &self.steps {
            match op {
                U32Op::And => value &= number,
                U32Op::LeftShift => value = value.wrapping_shl(*number),
                U32Op::RightShift => value = value.wrapping_shr(*number),
                U32Op::At => {
                    base = base.checked_add(value)?;
                    value = word(skb, base, *number)?;
                }
            }
        }
        Some(self.ranges.iter().any(|range| range.low <= value && value <= range.high))
    }
}

fn word(skb: &Skb<'_>, base: u32, offset: u32) -> Option<u32> {
    skb.array(base.checked_add(offset)? as usize).map(u32::from_be_bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ops() -> impl Strategy<Value = (U32Op, u32)> {
        let op = prop_oneof![Just(U32Op::And), Just(U32Op::LeftShift), Just(U32Op::RightShift), Just(U32Op::At)];
        (op, prop_oneof![0..200_u32, any::<u32>()])
    }

    proptest! {
        /// As the kernel's own arithmetic, written down once more with 64 bits and no shortcuts.
        #[test]
        fn agrees_with_the_kernels_loop(
            location in prop::collection::vec(ops(), 1..8),
            tail in prop::collection::vec(any::<u8>(), 0..80),
            low: u32, high: u32, not: bool,
        ) {
            let len = u16::try_from(20 + tail.len()).unwrap().to_be_bytes();
            let packet = [&[0x45, 0, len[0], len[1]][..], &[0; 16], &tail].concat();
            let model = || -> Option<bool> {
                let read = |at: u64| -> Option<u64> {
                    let at = usize::try_from(at).ok()?;
                    Some(u64::from(u32::from_be_bytes(packet.get(at..at.checked_add(4)?)?.try_into().ok()?)))
                };
                let mut at = 0;
                let mut value = read(u64::from(location[0].1))?;
                for (op, number) in &location[1..] {
                    match op {
                        U32Op::And => value &= u64::from(*number),
                        U32Op::LeftShift => value = value << (number & 31) & 0xffff_ffff,
                        U32Op::RightShift => value >>= number & 31,
                        U32Op::At => {
                            at += value;
                            value = read(at + u64::from(*number))?;
                        }
                    }
                }
                Some(u64::from(low) <= value && value <= u64::from(high))
            };
            let test = U32Test { location: location.clone(), ranges: vec![Range { low, high }] };
            let skb = Skb::new(&packet, &[], 0).unwrap();
            let found = U32::new(&Inv { not, value: vec![test] }).fits(&skb);
            prop_assert_eq!(found, model().unwrap_or(false) != not);
        }
    }
}
