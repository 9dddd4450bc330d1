//! `-m time`: date, time of day, days of week and month (`xt_time.c`), in UTC. `--kerneltz` is UTC as well: a capture does
//! not tell the zone of the host.

use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, World};
use crate::replay::xt::StatefulMatch;
use crate::ruleset::xt::Time;

const DAY: i64 = 86_400;

/// A rule's match.
pub(super) struct Clock {
    rule: Time,
}

impl Clock {
    pub fn new(rule: &Time) -> Self {
        Self { rule: rule.clone() }
    }

    fn fits(&self, now: i64) -> bool {
        let rule = &self.rule;
        if rule.date.is_some_and(|date| now < i64::from(date.low) || i64::from(date.high) < now) {
            return false;
        }
        let second = now.rem_euclid(DAY);
        let mut day = now.div_euclid(DAY);
        if let Some(daytime) = rule.daytime {
            let (low, high) = (i64::from(daytime.low), i64::from(daytime.high));
            if low < high {
                if second < low || high < second {
                    return false;
                }
            } else if second < low && high < second {
                return false;
            } else if rule.contiguous && second <= high {
                // The hours after midnight belong to the day before.
                day -= 1;
            }
        }
        // The first of January 1970 was a Thursday.
        let weekday = (day + 3).rem_euclid(7) + 1;
        let on = |days: u32, day: i64| days >> (day & 31) & 1 != 0;
        rule.weekdays.is_none_or(|days| on(days.value.into(), weekday) != days.not)
            && rule.monthdays.is_none_or(|days| on(days.value, day_of_month(day)) != days.not)
    }
}

/// Day of the month of a day since 1970 (proleptic Gregorian calendar, years beginning in March).
fn day_of_month(day: i64) -> i64 {
    let day_of_era = (day + 719_468).rem_euclid(146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    day_of_year - (153 * month + 2) / 5 + 1
}

impl StatefulMatch for Clock {
    fn matches(&mut self, skb: &Skb<'_>, _: &HookContext, _: &mut World<'_>) -> Answer {
        Answer::from(self.fits(skb.now_ns.div_euclid(1_000_000_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::xt::{Inv, Range};

    const EMPTY: Time =
        Time { date: None, daytime: None, monthdays: None, weekdays: None, kernel_tz: false, contiguous: false };

    /// 2024-02-29 00:30:00, a Thursday.
    const LEAP_DAY: i64 = 1_709_166_600;

    fn fits(rule: &Time, now: i64) -> bool {
        Clock::new(rule).fits(now)
    }

    #[test]
    fn days_of_week_and_month() {
        let weekday = |day: u8, not| Time { weekdays: Some(Inv { not, value: 1 << day }), ..EMPTY };
        assert!(fits(&weekday(4, false), LEAP_DAY));
        assert!(!fits(&weekday(4, true), LEAP_DAY));
        assert!(fits(&weekday(5, false), LEAP_DAY + DAY));
        assert!(fits(&weekday(7, false), LEAP_DAY + 3 * DAY));
        let monthday = |day: u32| Time { monthdays: Some(Inv { not: false, value: 1 << day }), ..EMPTY };
        assert!(fits(&monthday(29), LEAP_DAY));
        assert!(fits(&monthday(1), LEAP_DAY + DAY));
        assert!(fits(&monthday(31), LEAP_DAY - 29 * DAY));
        assert!(fits(&monthday(1), 0));
    }

    #[test]
    fn hours_may_go_over_midnight() {
        let night = Range { low: 23 * 3600, high: 3600 };
        let rule = Time { daytime: Some(night), weekdays: Some(Inv { not: false, value: 1 << 3 }), ..EMPTY };
        assert!(!fits(&rule, LEAP_DAY)); // Thursday half past midnight is not Wednesday …
        assert!(fits(&Time { contiguous: true, ..rule.clone() }, LEAP_DAY)); // … but its night
        assert!(fits(&rule, LEAP_DAY - 3600));
        assert!(!fits(&rule, LEAP_DAY - 3 * 3600));
        let day = Time { daytime: Some(Range { low: 1800, high: 1801 }), ..EMPTY };
        assert_eq!([0, 1, 2].map(|later| fits(&day, LEAP_DAY + later)), [true, true, false]);
        let dated = Time { date: Some(Range { low: LEAP_DAY as u32, high: LEAP_DAY as u32 }), ..EMPTY };
        assert_eq!([-1, 0, 1].map(|later| fits(&dated, LEAP_DAY + later)), [false, true, false]);
    }
}
