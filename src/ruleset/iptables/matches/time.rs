//! `time`: times of the day, days and dates, as `libxt_time.c` reads them (a date that no month has rolls over).

use super::push_if;
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::values;
use crate::ruleset::xt::{Inv, Match, Range, Time};
use std::fmt::Write;

pub(super) static ALL: &[Extension<Match>] = &[Extension::new(
    "time",
    &[
        Opt::value("datestart"),
        Opt::value("datestop"),
        Opt::value("timestart"),
        Opt::value("timestop"),
        Opt::flag("contiguous"),
        Opt::value("monthdays").not(),
        Opt::value("weekdays").not(),
        Opt::flag("localtz"),
        Opt::flag("utc"),
        Opt::flag("kerneltz"),
    ],
    time,
)];

/// Last second of a day.
const DAY_END: u32 = 86_399;
/// Last second of a date that is printed.
const DATE_END: u32 = 0x7fff_ffff;
/// Bits 1 to 31.
const MONTH: u32 = 0xffff_fffe;
/// Bits 1 to 7.
const WEEK: u8 = 0xfe;

const WEEKDAYS: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

fn time(o: &Options<'_>) -> Result<Match, RuleError> {
    let local = o.find("localtz");
    if let Some(given) = local {
        o.note(&given.word, "--localtz is the old name of --kerneltz");
    }
    let date =
        Range { low: o.value("datestart", date)?.unwrap_or(0), high: o.value("datestop", date)?.unwrap_or(DATE_END) };
    let daytime = Range {
        low: o.value("timestart", daytime)?.unwrap_or(0),
        high: o.value("timestop", daytime)?.unwrap_or(DAY_END),
    };
    if o.flag("contiguous") && daytime.low <= daytime.high {
        return Err(o.fault(o.at, "--contiguous needs a --timestop that is earlier than --timestart"));
    }
    o.one_of(&["utc", "localtz", "kerneltz"])?;
    // The kernel gets the days that match; inversion is done here.
    let monthdays = o.inv("monthdays", monthdays)?.map(|days| if days.not { !days.value & MONTH } else { days.value });
    let weekdays = o.inv("weekdays", weekdays)?.map(|days| if days.not { !days.value & WEEK } else { days.value });
    if monthdays == Some(0) || weekdays == Some(0) {
        o.note(o.at, "no day is left: the rule never matches");
    }
    Ok(Match::Time(Box::new(Time {
        date: (date != Range { low: 0, high: DATE_END }).then_some(date),
        daytime: (daytime != Range { low: 0, high: DAY_END }).then_some(daytime),
        monthdays: monthdays.filter(|&days| days != MONTH).map(|value| Inv { not: false, value }),
        weekdays: weekdays.filter(|&days| days != WEEK).map(|value| Inv { not: false, value }),
        kernel_tz: o.flag("kerneltz") || local.is_some(),
        contiguous: o.flag("contiguous"),
    })))
}

fn part(text: Option<&str>, min: u64, max: u64) -> Option<u64> {
    let text = text?;
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|value| (min..=max).contains(value))
}

/// `hh:mm[:ss]`.
fn daytime(text: &str) -> Result<u32, String> {
    let mut parts = text.split(':');
    let (hour, minute) = (part(parts.next(), 0, 23), part(parts.next(), 0, 59));
    let second = match parts.next() {
        None => Some(0),
        some => part(some, 0, 59),
    };
    match (hour, minute, second, parts.next()) {
        (Some(hour), Some(minute), Some(second), None) => Ok((hour * 3_600 + minute * 60 + second) as u32),
        _ => Err(format!("`{text}` is not a time of the day: hh:mm or hh:mm:ss is expected")),
    }
}

/// `YYYY[-MM[-DD[Thh[:mm[:ss]]]]]`, UTC.
fn date(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a date from 1970 to 2038: YYYY[-MM[-DD[Thh[:mm[:ss]]]]] is expected");
    let (day, clock) = text.split_once('T').map_or((text, None), |(day, clock)| (day, Some(clock)));
    let mut parts = day.split('-');
    let mut next = |min, max, default| match parts.next() {
        None => Some(default),
        some => part(some, min, max),
    };
    let (year, month, day) = (next(1970, 2038, 0), next(1, 12, 1), next(1, 31, 1));
    let (Some(year), Some(month), Some(day)) = (year, month, day) else { return Err(wrong()) };
    if parts.next().is_some() || (clock.is_some() && text.split('T').next().is_some_and(|d| d.matches('-').count() < 2))
    {
        return Err(wrong());
    }
    let mut parts = clock.unwrap_or("0").split(':');
    let mut next = |max| match parts.next() {
        None => Some(0),
        some => part(some, 0, max),
    };
    let (Some(hour), Some(minute), Some(second)) = (next(23), next(59), next(59)) else { return Err(wrong()) };
    if parts.next().is_some() {
        return Err(wrong());
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    u32::try_from(seconds).ok().filter(|&seconds| seconds <= DATE_END).ok_or_else(wrong)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4)
}

fn month_lengths(year: u64) -> [u64; 12] {
    [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

/// Days to a date of 1970–2099; day 30 of February is a day of March.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let years: u64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: u64 = month_lengths(year).iter().take((month as usize).saturating_sub(1)).sum();
    years.saturating_add(months).saturating_add(day.saturating_sub(1))
}

fn date_text(seconds: u32) -> String {
    let mut days = u64::from(seconds / 86_400);
    let mut year = 1970;
    while days >= if is_leap(year) { 366 } else { 365 } {
        days = days.saturating_sub(if is_leap(year) { 366 } else { 365 });
        year += 1;
    }
    let mut month = 1;
    for length in month_lengths(year) {
        if days < length {
            break;
        }
        days = days.saturating_sub(length);
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}T{}", days.saturating_add(1), clock_text(seconds % 86_400))
}

fn clock_text(seconds: u32) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn monthdays(text: &str) -> Result<u32, String> {
    text.split(',').try_fold(0_u32, |days, day| {
        let day = values::number_in(day, 1, 31).map_err(|_| format!("`{day}` is not a day of a month (1 to 31)"))?;
        Ok(days | 1_u32.checked_shl(day as u32).unwrap_or(0))
    })
}

/// Days by number (Monday is 1), or by the first two letters of their names.
fn weekdays(text: &str) -> Result<u8, String> {
    text.split(',').try_fold(0_u8, |days, day| {
        let begins = |name: &&str| name.get(..2).is_some_and(|letters| day.starts_with(letters));
        let number = match day.parse::<usize>() {
            Ok(number) => (1..=7).contains(&number).then_some(number),
            Err(_) => WEEKDAYS.iter().position(begins).map(|index| index.saturating_add(1)),
        };
        let bit = number.and_then(|number| 1_u8.checked_shl(number as u32));
        bit.map(|bit| days | bit).ok_or_else(|| format!("`{day}` is not a day of the week (Mon … Sun, or 1 to 7)"))
    })
}

pub(super) fn print(out: &mut String, time: &Time) {
    out.push_str(" -m time");
    if let Some(daytime) = time.daytime {
        let _ = write!(out, " --timestart {} --timestop {}", clock_text(daytime.low), clock_text(daytime.high));
    }
    if let Some(days) = time.monthdays {
        let list: Vec<String> =
            (1..=31_u32).filter(|&day| days.value >> day & 1 == 1).map(|day| day.to_string()).collect();
        let _ = write!(out, " --monthdays {}", list.join(","));
    }
    if let Some(days) = time.weekdays {
        let list: Vec<&str> =
            (1..=7_u8).zip(WEEKDAYS).filter(|(day, _)| days.value >> day & 1 == 1).map(|(_, &name)| name).collect();
        let _ = write!(out, " --weekdays {}", list.join(","));
    }
    let date = time.date.unwrap_or(Range { low: 0, high: DATE_END });
    if date.low != 0 {
        let _ = write!(out, " --datestart {}", date_text(date.low));
    }
    let _ = write!(out, " --datestop {}", date_text(date.high));
    push_if(out, time.kernel_tz, "kerneltz");
    push_if(out, time.contiguous, "contiguous");
}
