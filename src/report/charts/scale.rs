//! Round numbers and round times for axes.

use crate::report::units;

/// What an axis counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Bytes,
}

impl Unit {
    pub(super) fn label(self, value: u64) -> String {
        match self {
            Self::Count => units::count(value),
            Self::Bytes => units::bytes(value).replace(".0 ", " "),
        }
    }
}

/// Round values from 0 up to the first at or above `most`, about `wanted` of them.
pub(super) fn ticks(most: u64, unit: Unit, wanted: u64) -> Vec<u64> {
    let least = (most.max(1)).div_ceil(wanted.max(1));
    let step = match unit {
        Unit::Bytes if least >= 1024 => least.checked_next_power_of_two().unwrap_or(least),
        _ => decimal_step(least),
    };
    let mut marks = vec![0u64];
    while let Some(last) = marks.last().copied()
        && last < most.max(1)
    {
        marks.push(last.saturating_add(step));
    }
    marks
}

/// The least of 1, 2, 5, 10, 20, 50 … that is not below.
fn decimal_step(least: u64) -> u64 {
    let mut power = 1u64;
    loop {
        for factor in [1, 2, 5] {
            match power.checked_mul(factor) {
                Some(step) if step >= least => return step,
                Some(_) => {}
                None => return least,
            }
        }
        let Some(next) = power.checked_mul(10) else { return least };
        power = next;
    }
}

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// Steps of a time axis that people count in.
const TIME_STEPS: [i128; 31] = [
    SECOND / 1000,
    SECOND / 500,
    SECOND / 200,
    SECOND / 100,
    SECOND / 50,
    SECOND / 20,
    SECOND / 10,
    SECOND / 5,
    SECOND / 2,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    60 * SECOND,
    120 * SECOND,
    300 * SECOND,
    600 * SECOND,
    900 * SECOND,
    1800 * SECOND,
    3600 * SECOND,
    2 * 3600 * SECOND,
    3 * 3600 * SECOND,
    6 * 3600 * SECOND,
    12 * 3600 * SECOND,
    DAY,
    7 * DAY,
    30 * DAY,
    365 * DAY,
    3650 * DAY,
];

/// Round times within a range with their labels, at most `wanted` (more only over thousands of years).
pub(super) fn time_ticks(from: i128, to: i128, wanted: i128) -> Vec<(i128, String)> {
    let least = (to - from) / wanted.max(1);
    let step = TIME_STEPS.into_iter().find(|step| *step >= least).unwrap_or(36_500 * DAY);
    let mut marks = Vec::new();
    let mut time = from.div_euclid(step) * step;
    while time <= to {
        if time >= from {
            marks.push((time, time_label(time, step)));
        }
        time += step;
    }
    marks
}

fn time_label(time: i128, step: i128) -> String {
    let full = crate::evidence::format_time(i64::try_from(time).unwrap_or_default());
    let part = |range: std::ops::Range<usize>| full.get(range).unwrap_or(&full).to_owned();
    match step {
        _ if step >= DAY => part(0..10),
        _ if step >= 60 * SECOND => part(11..16),
        _ if step >= SECOND => part(11..19),
        _ => part(11..23),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(ticks(0, Unit::Count, 5), [0, 1]);
        assert_eq!(ticks(3, Unit::Count, 5), [0, 1, 2, 3]);
        assert_eq!(ticks(43, Unit::Count, 5), [0, 10, 20, 30, 40, 50]);
        assert_eq!(ticks(10_000, Unit::Bytes, 5), [0, 2048, 4096, 6144, 8192, 10_240]);
        for most in [u64::MAX, u64::MAX - 1, 1 << 63] {
            for unit in [Unit::Count, Unit::Bytes] {
                assert!(ticks(most, unit, 5).len() < 12);
            }
        }
    }

    #[test]
    fn time_axes_have_round_times() {
        let start = i128::from(1_772_359_331_123_456_789i64);
        let labels =
            |span: i128| time_ticks(start, start + span, 8).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(40 * SECOND).first().map(String::as_str), Some("10:02:15"));
        assert_eq!(labels(3600 * SECOND).first().map(String::as_str), Some("10:10"));
        assert_eq!(labels(30 * DAY).first().map(String::as_str), Some("2026-03-05"));
        let all = time_ticks(i128::from(i64::MIN), i128::from(i64::MAX), 8);
        assert!(!all.is_empty() && all.len() < 12);
    }
}
