//! `add`, `del` and `test`: an entry's element and options.

use super::create::{MAX_TIMEOUT, ranged};
use super::line::{Line, Word};
use super::value::element;
use super::{Dimension, Entry, IpSet, Storage, Value, members};
use crate::ruleset::error::RuleError;

/// Reads what follows the set's name.
pub(super) fn entry(line: &mut Line<'_>, set: &IpSet) -> Result<Entry, RuleError> {
    let word = line.expect("an entry")?;
    let mut entry = Entry {
        values: element(line, word, set)?,
        nomatch: false,
        wildcard: false,
        timeout: None,
        counters: None,
        comment: None,
        skbinfo: Vec::new(),
        place: line.place(word),
    };
    while let Some(word) = line.next() {
        option(line, word, set, &mut entry)?;
    }
    check_bitmap(line, word, set, &entry)?;
    Ok(entry)
}

fn option(line: &mut Line<'_>, word: Word<'_>, set: &IpSet, entry: &mut Entry) -> Result<(), RuleError> {
    let name = word.text.trim_start_matches("--");
    let without = |what: &str| line.error(word, format!("`{name}` needs a set that was created with `{what}`"));
    match name {
        "timeout" if set.timeout.is_none() => return Err(without("timeout")),
        "timeout" => entry.timeout = Some(ranged(line, name, 0, MAX_TIMEOUT)?),
        "packets" | "bytes" if !set.counters => return Err(without("counters")),
        "packets" | "bytes" => {
            let value = line.expect("a number")?;
            let Ok(value) = value.text.parse() else {
                return Err(line.error(value, format!("expected a number after {name}, found `{}`", value.text)));
            };
            let (packets, bytes) = entry.counters.unwrap_or_default();
            entry.counters = Some(if name == "packets" { (value, bytes) } else { (packets, value) });
        }
        "comment" if !set.comment => return Err(without("comment")),
        "comment" => {
            let comment = line.expect("a comment")?;
            if comment.text.is_empty() || comment.text.len() > 255 {
                return Err(line.error(comment, "expected a comment of 1 to 255 characters"));
            }
            entry.comment = Some(comment.text.to_string());
        }
        "skbmark" | "skbprio" | "skbqueue" if !set.skbinfo => return Err(without("skbinfo")),
        "skbmark" | "skbprio" | "skbqueue" => {
            let value = line.expect("a value")?;
            if skbinfo(name, value.text).is_none() {
                let form = match name {
                    "skbmark" => "0xMARK or 0xMARK/0xMASK",
                    "skbprio" => "MAJOR:MINOR in hexadecimal",
                    _ => "a number up to 65535",
                };
                return Err(line.error(value, format!("expected {form}, found `{}`", value.text)));
            }
            entry.skbinfo.push((name.to_string(), value.text.to_string()));
        }
        "nomatch" if set.storage == Storage::Hash && set.dimensions.contains(&Dimension::Net) => entry.nomatch = true,
        "wildcard" if set.dimensions.contains(&Dimension::Iface) => entry.wildcard = true,
        "before" | "after" if set.storage == Storage::List => {
            let other = line.expect("a set's name")?;
            if let Some(Value::Set(_, place)) = entry.values.first_mut() {
                *place = Some((name == "before", other.text.to_string()));
            }
        }
        _ => return Err(line.error(word, format!("expected an option of an entry, found `{}`", word.text))),
    }
    Ok(())
}

/// What `skbmark`, `skbprio` and `skbqueue` say: value and mask.
pub fn skbinfo(name: &str, text: &str) -> Option<(u32, u32)> {
    let hex = |text: &str| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    match name {
        "skbmark" => match text.split_once('/') {
            Some((mark, mask)) => Some((hex(mark)?, hex(mask)?)),
            None => Some((hex(text)?, u32::MAX)),
        },
        "skbprio" => {
            let (major, minor) = text.split_once(':')?;
            let part = |text: &str| u16::from_str_radix(text, 16).ok().map(u32::from);
            Some((part(major)? << 16 | part(minor)?, u32::MAX))
        }
        _ => Some((u32::from(text.parse::<u16>().ok()?), u32::MAX)),
    }
}

/// Members of a bitmap lie within its range.
fn check_bitmap(line: &Line<'_>, word: Word<'_>, set: &IpSet, entry: &Entry) -> Result<(), RuleError> {
    let Some((first, last)) = set.range else { return Ok(()) };
    let inside = match members::numbers(entry) {
        Some((low, high)) => first <= low && high <= last,
        None => true,
    };
    if inside { Ok(()) } else { Err(line.error(word, format!("`{}` is out of the range of the set", word.text))) }
}
