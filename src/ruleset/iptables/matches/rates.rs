//! `limit`, `hashlimit`, `quota`, `statistic`, with the arithmetic of `libxt_limit.c` and `libxt_hashlimit.c`.

use super::push_inv;
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::address;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Given, Opt, Options};
use crate::ruleset::iptables::print::push_not;
use crate::ruleset::iptables::values::{self, leading_number, push_bits};
use crate::ruleset::model::Family;
use crate::ruleset::xt::{HashLimit, Inv, Match, RateLimit, Statistic};
use std::fmt::Write;

pub(super) static ALL: &[Extension<Match>] = &[
    Extension::new("limit", &[Opt::value("limit"), Opt::value("limit-burst")], |o| {
        let average =
            o.value("limit", |text| rate(text, LIMIT_SCALE))?.map_or(LIMIT_SCALE * 3_600 / 3, |rate| rate.cost);
        let burst = o.value("limit-burst", |text| values::number(text, 10_000))?;
        // The kernel takes no burst for its default.
        let burst = burst.filter(|&burst| burst != 0).unwrap_or(LIMIT_BURST.into());
        Ok(Match::Limit(RateLimit { average: u32::try_from(average).unwrap_or(u32::MAX), burst: burst as u32 }))
    }),
    Extension::new(
        "hashlimit",
        &[
            Opt::value("hashlimit-upto").or(&["hashlimit"]).not(),
            Opt::value("hashlimit-above").not(),
            Opt::value("hashlimit-burst"),
            Opt::value("hashlimit-mode"),
            Opt::value("hashlimit-name"),
            Opt::value("hashlimit-srcmask"),
            Opt::value("hashlimit-dstmask"),
            Opt::value("hashlimit-htable-size"),
            Opt::value("hashlimit-htable-max"),
            Opt::value("hashlimit-htable-gcinterval"),
            Opt::value("hashlimit-htable-expire"),
            Opt::flag("hashlimit-rate-match"),
            Opt::value("hashlimit-rate-interval"),
        ],
        hashlimit,
    ),
    Extension::new("quota", &[Opt::value("quota").not()], |o| {
        Ok(Match::Quota { quota: o.need_inv("quota", values::u64)? })
    }),
    Extension::new(
        "statistic",
        &[Opt::value("mode"), Opt::value("probability").not(), Opt::value("every").not(), Opt::value("packet")],
        statistic,
    ),
];

/// Steps in a second of `limit`.
const LIMIT_SCALE: u64 = 10_000;
/// Steps in a second of `hashlimit`.
const HASHLIMIT_SCALE: u64 = 1_000_000;
/// Burst if none is given.
const LIMIT_BURST: u32 = 5;
/// Bytes are counted in units of 16.
const BYTE_SHIFT: u32 = 4;
/// Seconds that an entry counting bytes lives.
const BYTE_EXPIRE: u32 = 15;
/// The same, if a burst was given.
const BYTE_EXPIRE_BURST: u32 = 60;
/// Milliseconds between collections if not given.
const GC_INTERVAL: u32 = 1_000;

/// Units of time: what is printed, what may be written, seconds.
const UNITS: &[(&str, &str, u64)] =
    &[("day", "day", 86_400), ("hour", "hour", 3_600), ("min", "minute", 60), ("sec", "second", 1)];

/// Bits of the mode, in the order of printing.
const MODES: &[(&str, u32)] = &[("srcip", 4), ("srcport", 8), ("dstip", 1), ("dstport", 2)];

struct Rate {
    /// Steps a packet costs.
    cost: u64,
    /// Seconds of the unit.
    unit: u64,
}

/// `10/minute`: any beginning of a unit's name, a second if none is given.
fn rate(text: &str, scale: u64) -> Result<Rate, String> {
    let wrong = || format!("`{text}` is not a rate: a number with /second, /minute, /hour or /day is expected");
    let unit = match text.split_once('/') {
        None => 1,
        Some((_, unit)) => {
            let begins = |name: &str| name.get(..unit.len()).is_some_and(|start| start.eq_ignore_ascii_case(unit));
            let found = UNITS.iter().rev().find(|(_, name, _)| !unit.is_empty() && begins(name));
            found.map(|&(_, _, seconds)| seconds).ok_or_else(wrong)?
        }
    };
    let number = leading_number(text);
    if number == 0 {
        return Err(wrong());
    }
    match scale.saturating_mul(unit).checked_div(number) {
        Some(cost) if cost > 0 => Ok(Rate { cost, unit }),
        _ => Err(format!("the rate `{text}` is too fast: at most {scale} a second can be told apart")),
    }
}

/// A cost as a rate in the largest unit in which it is exact enough; and that unit's seconds.
fn push_rate(out: &mut String, cost: u64, scale: u64) -> u64 {
    let fits = |seconds: u64| {
        let unit = seconds.saturating_mul(scale);
        let (quotient, rest) = (unit.checked_div(cost).unwrap_or(0), unit.checked_rem(cost).unwrap_or(0));
        cost <= unit && quotient >= rest
    };
    let mut best = UNITS.first().copied().unwrap_or(("sec", "second", 1));
    for &unit in UNITS.iter().skip(1) {
        if !fits(unit.2) {
            break;
        }
        best = unit;
    }
    let (name, _, seconds) = best;
    let _ = write!(out, "{}/{name}", seconds.saturating_mul(scale).checked_div(cost).unwrap_or(0));
    seconds
}

pub(super) fn print_limit(out: &mut String, limit: &RateLimit) {
    out.push_str(" -m limit --limit ");
    push_rate(out, limit.average.into(), LIMIT_SCALE);
    if limit.burst != LIMIT_BURST {
        let _ = write!(out, " --limit-burst {}", limit.burst);
    }
}

/// Bytes a second as the cost of 16 bytes, and back.
fn bytes_to_cost(bytes: u64) -> u64 {
    u64::from(u32::MAX).checked_div((bytes >> BYTE_SHIFT).saturating_add(1)).unwrap_or(0)
}

fn cost_to_bytes(cost: u64) -> u64 {
    let rate = u64::from(u32::MAX).checked_div(cost).unwrap_or(u32::MAX.into());
    rate.saturating_sub(1) << BYTE_SHIFT
}

/// `500b/s`, `1kb/s`, `2mb/second`: bytes; `None` if it is no such rate.
fn byte_rate(text: &str) -> Result<Option<u64>, String> {
    let Some((amount, unit)) = text.split_once('/') else { return Ok(None) };
    if unit.is_empty() || !"second".starts_with(&unit.to_ascii_lowercase()) {
        return Ok(None);
    }
    bytes(amount)
}

/// `500b`, `1kb`, `2mb`.
fn bytes(text: &str) -> Result<Option<u64>, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let factor = match unit.to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1 << 10,
        "mb" => 1 << 20,
        _ => return Ok(None),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    match bytes.filter(|&bytes| bytes <= u32::MAX.into()) {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(format!("`{text}` is not a number of bytes below 4 GiB")),
    }
}

fn hashlimit(o: &Options<'_>) -> Result<Match, RuleError> {
    let given = o.one_of(&["hashlimit-upto", "hashlimit-above"])?;
    let given = given.ok_or_else(|| o.missing("--hashlimit-upto or --hashlimit-above"))?;
    let name = o.need("hashlimit-name", |text| values::name(text, 255))?;
    if name.contains('/') || name == "." || name == ".." {
        return Err(o.fault(o.at, "the name becomes that of a file in /proc: it cannot hold `/`"));
    }
    let amount = amount(o, given)?;
    let full = address::bits(o.env.family);
    let mask = |text: &str| values::number(text, full.into()).map(|value| value as u8);
    let interval = o.value("hashlimit-rate-interval", values::u32)?;
    if interval.is_some() && !o.flag("hashlimit-rate-match") {
        return Err(o.missing("--hashlimit-rate-match (with --hashlimit-rate-interval)"));
    }
    Ok(Match::HashLimit(Box::new(HashLimit {
        name,
        above: (given.option.name == "hashlimit-above") != given.not,
        mode: o.value("hashlimit-mode", |text| values::bits(text, MODES))?.unwrap_or(0),
        bytes: amount.bytes,
        average: amount.average,
        burst: amount.burst,
        src_mask: o.value("hashlimit-srcmask", mask)?.unwrap_or(full),
        dst_mask: o.value("hashlimit-dstmask", mask)?.unwrap_or(full),
        size: o.value("hashlimit-htable-size", values::u32)?.unwrap_or(0),
        max: o.value("hashlimit-htable-max", values::u32)?.unwrap_or(0),
        gc_interval: o.value("hashlimit-htable-gcinterval", values::u32)?.unwrap_or(GC_INTERVAL),
        expire: o.value("hashlimit-htable-expire", values::u32)?.unwrap_or(amount.expire),
        rate_match: o.flag("hashlimit-rate-match").then(|| interval.unwrap_or(1)),
    })))
}

struct Amount {
    bytes: bool,
    average: u64,
    burst: u64,
    /// Milliseconds.
    expire: u32,
}

fn amount(o: &Options<'_>, given: &Given) -> Result<Amount, RuleError> {
    let burst = match o.find("hashlimit-burst") {
        Some(burst) => match o.read(burst, bytes)? {
            Some(bytes) => Some((burst, bytes)),
            None => Some((burst, o.read(burst, |text| values::number_in(text, 1, 1_000_000))?)),
        },
        None => None,
    };
    let Some(rate_in_bytes) = o.read(given, byte_rate)? else {
        let rate = o.read(given, |text| rate(text, HASHLIMIT_SCALE))?;
        let count = burst.map_or(LIMIT_BURST.into(), |(_, count)| count);
        if let Some((burst, _)) = burst.filter(|&(_, count)| count > 1_000_000) {
            return Err(o.fault(burst.first(), "--hashlimit-burst: at most 1000000 packets are possible"));
        }
        let expire = u32::try_from(rate.unit.saturating_mul(1_000)).unwrap_or(u32::MAX);
        return Ok(Amount { bytes: false, average: rate.cost, burst: count, expire });
    };
    let average = bytes_to_cost(rate_in_bytes);
    let Some((burst, size)) = burst else {
        return Ok(Amount { bytes: true, average, burst: 0, expire: BYTE_EXPIRE * 1_000 });
    };
    // The burst is a number of seconds' worth, rounded up.
    let second = cost_to_bytes(average);
    if second == 0 || size < second {
        return Err(o.fault(burst.first(), format!("--hashlimit-burst: it cannot be less than {second}b")));
    }
    Ok(Amount { bytes: true, average, burst: size.div_ceil(second), expire: BYTE_EXPIRE_BURST * 1_000 })
}

pub(super) fn print_hashlimit(out: &mut String, limit: &HashLimit, family: Family) {
    let word = if limit.above { "above" } else { "upto" };
    let _ = write!(out, " -m hashlimit --hashlimit-{word} ");
    let usual_expire = if limit.bytes {
        push_bytes(out, limit)
    } else {
        let seconds = push_rate(out, limit.average, HASHLIMIT_SCALE);
        let _ = write!(out, " --hashlimit-burst {}", limit.burst);
        seconds.saturating_mul(1_000)
    };
    if limit.mode != 0 {
        out.push_str(" --hashlimit-mode ");
        push_bits(out, limit.mode, MODES);
    }
    let _ = write!(out, " --hashlimit-name {}", limit.name);
    let full = address::bits(family);
    let numbers = [
        (limit.size, 0, "htable-size"),
        (limit.max, 0, "htable-max"),
        (limit.gc_interval, GC_INTERVAL, "htable-gcinterval"),
        (limit.expire, u32::try_from(usual_expire).unwrap_or(0), "htable-expire"),
        (limit.src_mask.into(), full.into(), "srcmask"),
        (limit.dst_mask.into(), full.into(), "dstmask"),
    ];
    for (value, usual, option) in numbers {
        if value != usual {
            let _ = write!(out, " --hashlimit-{option} {value}");
        }
    }
    if let Some(interval) = limit.rate_match {
        out.push_str(" --hashlimit-rate-match");
        if interval != 1 {
            let _ = write!(out, " --hashlimit-rate-interval {interval}");
        }
    }
}

/// Rate and burst in the largest unit that gives the same cost again; and the usual life of an entry.
fn push_bytes(out: &mut String, limit: &HashLimit) -> u64 {
    const SIZES: &[(u64, &str)] = &[(1 << 20, "m"), (1 << 10, "k"), (1, "")];
    let rate = cost_to_bytes(limit.average);
    let same = |size: u64| bytes_to_cost(rate & !size.saturating_sub(1)) == limit.average;
    let &(size, name) = SIZES.iter().find(|&&(size, _)| rate >= size && same(size)).unwrap_or(&(1, ""));
    let _ = write!(out, "{}{name}b/s", rate.checked_div(size).unwrap_or(0));
    if limit.burst == 0 {
        return u64::from(BYTE_EXPIRE) * 1_000;
    }
    let burst = rate.saturating_mul(limit.burst);
    let &(size, name) = SIZES.iter().find(|&&(size, _)| burst >= size).unwrap_or(&(1, ""));
    let _ = write!(out, " --hashlimit-burst {}{name}b", burst.checked_div(size).unwrap_or(0));
    u64::from(BYTE_EXPIRE_BURST) * 1_000
}

fn statistic(o: &Options<'_>) -> Result<Match, RuleError> {
    let random = o.need("mode", |text| values::word_of(text, &[("random", true), ("nth", false)]))?;
    if random {
        if let Some(given) = o.find("every").or_else(|| o.find("packet")) {
            return Err(o.fault(&given.word, format!("--{} does not go with --mode random", given.option.name)));
        }
        return Ok(Match::Statistic(Statistic::Random(o.need_inv("probability", probability)?)));
    }
    if let Some(given) = o.find("probability") {
        return Err(o.fault(&given.word, "--probability does not go with --mode nth"));
    }
    let every = o.need_inv("every", |text| values::number_in(text, 1, u32::MAX.into()).map(|value| value as u32))?;
    let packet = o.need("packet", values::u32)?;
    if packet >= every.value {
        return Err(o.fault(o.at, format!("--packet must be a number from 0 to {}", every.value.saturating_sub(1))));
    }
    Ok(Match::Statistic(Statistic::Nth { every, packet }))
}

/// A probability as the kernel has it: of 2^31.
fn probability(text: &str) -> Result<u32, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok((value * 2_147_483_648.0).round() as u32),
        _ => Err(format!("`{text}` is not a probability from 0 to 1")),
    }
}

pub(super) fn print_statistic(out: &mut String, statistic: &Statistic) {
    out.push_str(" -m statistic --mode ");
    match statistic {
        Statistic::Random(chance) => {
            out.push_str("random");
            let value = format!("{:.11}", f64::from(chance.value) / 2_147_483_648.0);
            push_inv(out, Inv { not: chance.not, value }, "probability");
        }
        Statistic::Nth { every, packet } => {
            out.push_str("nth");
            push_not(out, every.not);
            let _ = write!(out, " --every {} --packet {packet}", every.value);
        }
    }
}
