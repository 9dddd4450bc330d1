//! Numbers and lists as libxtables reads them (`xtables_strtoul`, `xtopt_parse_*`).

use super::names;
use crate::ruleset::xt::{IfName, Range};
use std::str::FromStr;
use std::sync::Arc;

/// A number with C's prefixes: `0x10`, `020`, `16`.
pub(super) fn number(text: &str, max: u64) -> Result<u64, String> {
    number_c(text).filter(|&value| value <= max).ok_or_else(|| format!("`{text}` is not a number from 0 to {max}"))
}

/// A number with C's prefixes, of any size.
fn number_c(text: &str) -> Option<u64> {
    let (digits, radix) = match (text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")), text.strip_prefix('0')) {
        (Some(hex), _) => (hex, 16),
        (None, Some(octal)) if !octal.is_empty() => (octal, 8),
        _ => (text, 10),
    };
    if digits.starts_with('+') { None } else { u64::from_str_radix(digits, radix).ok() }
}

/// A number between two bounds.
pub(super) fn number_in(text: &str, min: u64, max: u64) -> Result<u64, String> {
    number_c(text)
        .filter(|value| (min..=max).contains(value))
        .ok_or_else(|| format!("`{text}` is not a number from {min} to {max}"))
}

/// 8 bits.
pub(super) fn u8(text: &str) -> Result<u8, String> {
    number(text, u8::MAX.into()).map(|value| value as u8)
}

/// 16 bits.
pub(super) fn u16(text: &str) -> Result<u16, String> {
    number(text, u16::MAX.into()).map(|value| value as u16)
}

/// 32 bits.
pub(super) fn u32(text: &str) -> Result<u32, String> {
    number(text, u32::MAX.into()).map(|value| value as u32)
}

/// 64 bits.
pub(super) fn u64(text: &str) -> Result<u64, String> {
    number(text, u64::MAX)
}

/// `5`, `5:9`, `:9` or `5:`.
pub(super) fn range(text: &str, max: u64) -> Result<Range<u64>, String> {
    let Some((low, high)) = text.split_once(':') else {
        return number(text, max).map(|value| Range { low: value, high: value });
    };
    let bound = |part: &str, default| if part.is_empty() { Ok(default) } else { number(part, max) };
    Ok(Range { low: bound(low, 0)?, high: bound(high, max)? })
}

/// A range of 16 bits.
pub(super) fn range_u16(text: &str) -> Result<Range<u16>, String> {
    range(text, u16::MAX.into()).map(|range| Range { low: range.low as u16, high: range.high as u16 })
}

/// A range of 32 bits.
pub(super) fn range_u32(text: &str) -> Result<Range<u32>, String> {
    range(text, u32::MAX.into()).map(|range| Range { low: range.low as u32, high: range.high as u32 })
}

/// A port by number or name.
pub(super) fn port(text: &str) -> Result<u16, String> {
    u16(text)
        .ok()
        .or_else(|| names::service(text))
        .ok_or_else(|| format!("`{text}` is neither a port from 0 to 65535 nor the name of a service known here"))
}

/// Ports `5`, `5:9`, `:9`, `5:`; names may be used.
pub(super) fn port_range(text: &str) -> Result<Range<u16>, String> {
    let Some((low, high)) = text.split_once(':') else {
        return port(text).map(|value| Range { low: value, high: value });
    };
    let low = if low.is_empty() { 0 } else { port(low)? };
    let high = if high.is_empty() { u16::MAX } else { port(high)? };
    if low > high {
        return Err(format!("the range `{text}` ends before it begins"));
    }
    Ok(Range { low, high })
}

/// A protocol by number or name.
pub(super) fn protocol(text: &str) -> Result<u8, String> {
    u8(text)
        .ok()
        .or_else(|| names::protocol(&text.to_ascii_lowercase()))
        .ok_or_else(|| format!("unknown protocol `{text}`: a name of /etc/protocols or a number from 0 to 255"))
}

/// `value[/mask]`, mask all ones if not given.
pub(super) fn masked_u32(text: &str) -> Result<(u32, u32), String> {
    match text.split_once('/') {
        Some((value, mask)) => Ok((u32(value)?, u32(mask)?)),
        None => Ok((u32(text)?, u32::MAX)),
    }
}

/// An interface name; `+` at its end is any ending.
pub(super) fn interface(text: &str) -> Result<IfName, String> {
    if text.is_empty() {
        return Err("an interface name is empty".into());
    }
    if text.contains(|c: char| c.is_ascii_whitespace() || c == '/') {
        return Err(format!("`{text}` cannot be the name of an interface"));
    }
    if text.len() > 15 {
        return Err(format!("the interface name `{text}` is longer than 15 characters"));
    }
    Ok(match text.strip_suffix('+') {
        Some(name) => IfName { name: Arc::from(name), prefix: true },
        None => IfName { name: Arc::from(text), prefix: false },
    })
}

/// Text that is not empty and at most so many bytes.
pub(super) fn name(text: &str, max: usize) -> Result<String, String> {
    match text.len() {
        0 => Err("a name is empty".into()),
        len if len > max => Err(format!("`{text}` is longer than {max} characters")),
        _ => Ok(text.into()),
    }
}

/// One of some words, ignoring case.
pub(super) fn word_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|&(_, value)| value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
        format!("`{text}` is not known; one of {} is expected", known.join(", "))
    })
}

/// Comma-separated words into bits.
pub(super) fn bits(text: &str, words: &[(&str, u32)]) -> Result<u32, String> {
    text.split(',').try_fold(0, |bits, word| Ok(bits | word_of(word, words)?))
}

/// Leading digits as C's `atoi` takes them.
pub(super) fn leading_number(text: &str) -> u64 {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).and_then(|digits| u64::from_str(digits).ok()).unwrap_or(0)
}

/// Bits printed as comma-separated words.
pub(super) fn push_bits(out: &mut String, bits: u32, words: &[(&str, u32)]) {
    let set: Vec<&str> = words.iter().filter(|(_, bit)| bits & bit != 0).map(|&(word, _)| word).collect();
    out.push_str(&set.join(","));
}
