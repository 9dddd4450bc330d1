//! `-m time` (`xt_time.c`), in capture time. UTC; `--kerneltz` is taken as UTC too.

use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, World};
use crate::replay::xt::StatefulMatch;
use crate::ruleset::xt::Time;

const DAY: i64 = 86_400;

/// The match.
pub(super) struct Clock {
    pub time: Time,
}

impl StatefulMatch for Clock {
    fn matches(&mut self, skb: &Skb<'_>, _hook: &HookContext, _world: &mut World<'_>) -> Answer {
        Answer::from(fits(&self.time, skb.now_ns.div_euclid(1_000_000_000)))
    }
}

fn fits(time: &Time, mut stamp: i64) -> bool {
    if time.date.is_some_and(|date| stamp < i64::from(date.low) || stamp > i64::from(date.high)) {
        return false;
    }
    let of_day = stamp.rem_euclid(DAY);
    if let Some(daytime) = time.daytime {
        let (start, stop) = (i64::from(daytime.low), i64::from(daytime.high));
        if start < stop {
            if of_day < start || of_day > stop {
                return false;
            }
        } else {
            if of_day < start && of_day > stop {
                return false;
            }
            // After midnight it is still the day on which the span began.
            if time.contiguous && of_day < stop {
                stamp -= DAY;
            }
        }
    }
    let day = stamp.div_euclid(DAY);
    // 1970-01-01 was a Thursday; Monday is 1.
    let weekday = ((day + 3).rem_euclid(7) + 1) as u32;
    let weekdays = time.weekdays.is_none_or(|days| (u32::from(days.value) & (1 << weekday) != 0) != days.not);
    weekdays && time.monthdays.is_none_or(|days| (days.value & (1 << day_of_month(day)) != 0) != days.not)
}

/// Day of the month of a day since 1970 (the civil calendar from days, by eras of 400 years).
fn day_of_month(day: i64) -> u32 {
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    (of_year - (153 * month + 2) / 5 + 1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::xt::{Inv, Range};

    const NONE: Time =
        Time { date: None, daytime: None, monthdays: None, weekdays: None, kernel_tz: false, contiguous: false };
    /// 2026-11-21 08:00 UTC, a Saturday.
    const SATURDAY: i64 = 1_795_248_000;

    #[test]
    fn days() {
        let weekdays = |bits: u8| Time { weekdays: Some(Inv { not: false, value: bits }), ..NONE };
        assert!(fits(&weekdays(1 << 6), SATURDAY) && !fits(&weekdays(1 << 5), SATURDAY));
        let monthdays = |day: u32| Time { monthdays: Some(Inv { not: false, value: 1 << day }), ..NONE };
        assert!(fits(&monthdays(21), SATURDAY) && !fits(&monthdays(20), SATURDAY));
        assert!(fits(&monthdays(29), 1_709_164_800), "2024-02-29");
        assert!(fits(&monthdays(1), 0) && fits(&weekdays(1 << 4), 0), "Thursday, 1 January 1970");
    }

    #[test]
    fn a_span_over_midnight() {
        let night = Time { daytime: Some(Range { low: 22 * 3600, high: 6 * 3600 }), ..NONE };
        assert!(!fits(&night, SATURDAY));
        assert!(fits(&night, SATURDAY - 3 * 3600) && fits(&night, SATURDAY + 15 * 3600));
        let friday_night = Time { weekdays: Some(Inv { not: false, value: 1 << 5 }), contiguous: true, ..night };
        assert!(fits(&friday_night, SATURDAY - 3 * 3600), "Saturday 5:00 is still Friday night");
    }
}
