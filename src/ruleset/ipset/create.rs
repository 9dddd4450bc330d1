//! `create`: a set's type and options.

use super::line::{Line, Word};
use super::value::{address, bounds, number, port_range, range, width};
use super::{Dimension, IpSet, Storage, kinds};
use crate::ruleset::error::RuleError;
use crate::ruleset::model::{Family, Note};
use std::net::IpAddr;
use std::sync::Arc;

/// `IPSET_MAXNAMELEN` without the closing NUL.
const MAX_NAME: usize = 31;

/// Seconds that fit the kernel's clock.
pub(super) const MAX_TIMEOUT: u32 = 2_147_483;

/// Members of a bitmap.
const MAX_BITMAP: u64 = 65_536;

/// What `maxelem` and `size` are unless told.
const MAX_ELEMENTS: u32 = 65_536;
const LIST_SIZE: u32 = 8;

/// Reads what follows `create`.
pub(super) fn create(line: &mut Line<'_>, notes: &mut Vec<Note>) -> Result<IpSet, RuleError> {
    let name = line.expect("a set's name")?;
    check_name(line, name)?;
    let kind = line.expect("a type of set")?;
    let Some((storage, dimensions)) = kinds::named(kind.text) else {
        let all = kinds::all();
        return Err(line.error(kind, format!("expected a type of set ({all}), found `{}`", kind.text)));
    };
    let mut set = IpSet {
        name: Arc::from(name.text),
        storage,
        dimensions: dimensions.to_vec(),
        family: Family::Ip,
        timeout: None,
        counters: false,
        comment: false,
        skbinfo: false,
        netmask: None,
        bitmask: None,
        markmask: None,
        maxelem: if storage == Storage::List { LIST_SIZE } else { MAX_ELEMENTS },
        forceadd: false,
        range: None,
        options: Vec::new(),
        entries: Vec::new(),
        place: line.place(name),
    };
    let mut ends = (None, None);
    while let Some(word) = line.next() {
        option(line, word, &mut set, &mut ends, notes)?;
    }
    if let (Some(first), Some(last)) = ends {
        set.range = Some((u64::min(first, last), u64::max(first, last)));
    }
    check_range(line, kind, &set)?;
    Ok(set)
}

/// Refuses names that the kernel would refuse.
pub(super) fn check_name(line: &Line<'_>, name: Word<'_>) -> Result<(), RuleError> {
    if name.text.is_empty() || name.text.len() > MAX_NAME {
        let message = format!("expected a set's name of 1 to {MAX_NAME} characters, found `{}`", name.text);
        return Err(line.error(name, message));
    }
    Ok(())
}

type Ends = (Option<u64>, Option<u64>);

fn option(
    line: &mut Line<'_>,
    word: Word<'_>,
    set: &mut IpSet,
    ends: &mut Ends,
    notes: &mut Vec<Note>,
) -> Result<(), RuleError> {
    let hash = set.storage == Storage::Hash;
    let bitmap = set.storage == Storage::Bitmap;
    let name = word.text.trim_start_matches("--");
    match name {
        "counters" => set.counters = true,
        "comment" => set.comment = true,
        "skbinfo" => set.skbinfo = true,
        "forceadd" if hash => set.forceadd = true,
        "timeout" => set.timeout = Some(ranged(line, name, 0, MAX_TIMEOUT)?),
        "family" if hash => set.family = family(line)?,
        "maxelem" if hash => set.maxelem = ranged(line, name, 0, u32::MAX)?,
        "size" if set.storage == Storage::List => set.maxelem = ranged(line, name, 0, u32::MAX)?,
        "hashsize" | "bucketsize" | "initval" if hash => {
            let value = line.expect("a number")?;
            if number(value.text).is_none() {
                return Err(line.error(value, format!("expected a number after {name}, found `{}`", value.text)));
            }
            set.options.push((name.to_string(), value.text.to_string()));
        }
        "netmask" if can_mask(set) && set.bitmask.is_none() => {
            set.netmask = Some(ranged(line, name, 1, 128)? as u8);
        }
        "bitmask" if hash && can_mask(set) && set.netmask.is_none() => {
            let value = line.expect("a mask")?;
            let mask = address(value.text, true).or_else(|| address(value.text, false));
            let mask = mask.ok_or_else(|| line.error(value, format!("expected a mask, found `{}`", value.text)))?;
            set.bitmask = Some(mask);
        }
        "markmask" if *set.dimensions == [Dimension::Ip, Dimension::Mark] => {
            set.markmask = Some(ranged(line, name, 1, u32::MAX)?);
        }
        "range" if bitmap => {
            let value = line.expect("a range")?;
            let read = bitmap_range(set, value.text).map_err(|message| line.error(value, message))?;
            *ends = (Some(read.0), Some(read.1));
        }
        "from" | "to" | "network" if bitmap => {
            let value = line.expect("a first or last member")?;
            let (first, last) = bitmap_range(set, value.text).map_err(|message| line.error(value, message))?;
            match name {
                "from" => ends.0 = Some(first),
                "to" => ends.1 = Some(last),
                _ => *ends = (Some(first), Some(last)),
            }
        }
        "probes" | "resize" | "gc" => {
            let _ = line.expect("a number")?;
            notes.push(Note { place: line.place(word), message: format!("ipset ignores the option `{name}`") });
        }
        _ => {
            let kind = kinds::name(set.storage, &set.dimensions);
            return Err(line.error(word, format!("expected an option of {kind}, found `{}`", word.text)));
        }
    }
    Ok(())
}

/// Types that cut addresses to a mask.
fn can_mask(set: &IpSet) -> bool {
    matches!(*set.dimensions, [Dimension::Ip] | [Dimension::Ip, Dimension::Port] | [Dimension::Net, Dimension::Net])
}

fn family(line: &mut Line<'_>) -> Result<Family, RuleError> {
    let word = line.expect("inet or inet6")?;
    match word.text {
        "inet" | "ipv4" | "-4" => Ok(Family::Ip),
        "inet6" | "ipv6" | "-6" => Ok(Family::Ip6),
        other => Err(line.error(word, format!("expected inet or inet6, found `{other}`"))),
    }
}

/// A number within bounds.
pub(super) fn ranged(line: &mut Line<'_>, name: &str, low: u32, high: u32) -> Result<u32, RuleError> {
    let word = line.expect("a number")?;
    let value = number(word.text).filter(|value| (low..=high).contains(value));
    value.ok_or_else(|| {
        line.error(word, format!("expected a number from {low} to {high} after {name}, found `{}`", word.text))
    })
}

/// Members of a bitmap from first to last, as numbers.
fn bitmap_range(set: &IpSet, text: &str) -> Result<(u64, u64), String> {
    if *set.dimensions == [Dimension::Port] {
        let (first, last) = port_range(text)?;
        return Ok((u64::from(first), u64::from(last)));
    }
    let numbers = |(first, last): (IpAddr, IpAddr)| match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Some((u64::from(first.to_bits()), u64::from(last.to_bits()))),
        _ => None,
    };
    let network = text.split_once('/').and_then(|(start, prefix)| {
        Some(bounds(address(start, false)?, prefix.parse().ok().filter(|prefix| *prefix <= 32)?))
    });
    let single = || address(text, false).map(|one| (one, one));
    let both = network.or_else(|| range(text, false)).or_else(single).and_then(numbers);
    both.ok_or_else(|| format!("expected a range of IPv4 addresses or a network, found `{text}`"))
}

/// A bitmap must have a range that is not too large; masks must fit the family.
fn check_range(line: &Line<'_>, kind: Word<'_>, set: &IpSet) -> Result<(), RuleError> {
    let full: u8 = if set.family == Family::Ip6 { 128 } else { 32 };
    if set.netmask.is_some_and(|prefix| prefix > full) {
        return Err(line.error(kind, format!("expected a netmask from 1 to {full}")));
    }
    if set.bitmask.is_some_and(|mask| width(mask) != full) {
        return Err(line.error(kind, "expected a bitmask of the set's family"));
    }
    if set.storage != Storage::Bitmap {
        return Ok(());
    }
    let Some((first, last)) = set.range else {
        return Err(line.error(kind, format!("expected the option `range` after {}", kind.text)));
    };
    let host_bits = u32::from(32 - set.netmask.unwrap_or(32));
    if (last >> host_bits) - (first >> host_bits) >= MAX_BITMAP {
        return Err(line.error(kind, format!("expected a range of at most {MAX_BITMAP} members")));
    }
    Ok(())
}
