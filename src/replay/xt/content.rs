//! `-m u32` (`xt_u32.c`).

use crate::replay::skb::Skb;
use crate::ruleset::xt::{U32Op, U32Test};

/// `u32_match_it`: every test's value must lie in one of its ranges. A read beyond the packet ends it.
pub(super) fn u32(tests: &[U32Test], skb: &Skb<'_>) -> bool {
    tests.iter().all(|test| {
        value(test, skb).is_some_and(|value| test.ranges.iter().any(|range| range.low <= value && value <= range.high))
    })
}

fn value(test: &U32Test, skb: &Skb<'_>) -> Option<u32> {
    let mut steps = test.location.iter();
    let (_, first) = steps.next()?;
    let mut at: u32 = 0;
    let mut value = word(skb, 0, *first)?;
    for (op, number) in steps {
        match op {
            U32Op::And => value &= number,
            // The kernel shifts a 32-bit word: x86 takes the count modulo 32.
            U32Op::LeftShift => value = value.wrapping_shl(*number),
            U32Op::RightShift => value = value.wrapping_shr(*number),
            U32Op::At => {
                at = at.checked_add(value)?;
                value = word(skb, at, *number)?;
            }
        }
    }
    Some(value)
}

fn word(skb: &Skb<'_>, at: u32, offset: u32) -> Option<u32> {
    let place = at.checked_add(offset)?;
    skb.array(usize::try_from(place).ok()?).map(u32::from_be_bytes)
}
