//! `string`: a pattern of bytes, written as text or in hexadecimal (`libxt_string.c`).

use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::print::push_not;
use crate::ruleset::iptables::values::{self, word_of};
use crate::ruleset::xt::{Inv, Match, StringMatch};
use std::fmt::Write;

pub(super) static ALL: &[Extension<Match>] = &[Extension::new(
    "string",
    &[
        Opt::value("from"),
        Opt::value("to"),
        Opt::value("algo"),
        Opt::value("string").not(),
        Opt::value("hex-string").not(),
        Opt::flag("icase"),
    ],
    string,
)];

/// Longest pattern.
const MAX_PATTERN: usize = 128;

fn string(o: &Options<'_>) -> Result<Match, RuleError> {
    let given = o.one_of(&["string", "hex-string"])?.ok_or_else(|| o.missing("--string or --hex-string"))?;
    let pattern = match given.option.name {
        "string" => given.first().text.as_bytes().to_vec(),
        _ => o.read(given, unhex)?,
    };
    if pattern.is_empty() {
        return Err(o.fault(given.first(), "the pattern is empty"));
    }
    if pattern.len() > MAX_PATTERN {
        return Err(o.fault(given.first(), format!("the pattern is longer than {MAX_PATTERN} bytes")));
    }
    let from = o.value("from", values::u16)?.unwrap_or(0);
    let to = o.value("to", values::u16)?.unwrap_or(u16::MAX);
    if from > to {
        return Err(o.fault(o.at, format!("--from {from} lies after --to {to}")));
    }
    Ok(Match::String(Box::new(StringMatch {
        hex: needs_hex(&pattern),
        pattern: Inv { not: given.not, value: pattern },
        kmp: o.need("algo", |text| word_of(text, &[("bm", false), ("kmp", true)]))?,
        from: from.into(),
        to: to.into(),
        icase: o.flag("icase"),
    })))
}

/// `text|68 65 78|text`, with the very reading of libxtables: after a closing `|` the next character is text, whatever
/// it is.
fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let bytes = text.as_bytes();
    let mut pattern = Vec::new();
    let mut in_hex = false;
    let mut at = 0_usize;
    while let Some(&byte) = bytes.get(at) {
        let mut literal = false;
        if byte == b'\\' && !in_hex {
            literal = true;
        } else if byte == b'\\' {
            return Err("a backslash cannot stand between the bars of a hexadecimal part".into());
        } else if byte == b'|' {
            in_hex = !in_hex;
            if in_hex {
                while bytes.get(at.saturating_add(1)) == Some(&b' ') {
                    at = at.saturating_add(1);
                }
            }
            at = at.saturating_add(1);
            if at >= bytes.len() {
                break;
            }
        }
        let (taken, step) = if literal {
            let next = bytes.get(at.saturating_add(1)).ok_or("nothing follows the last backslash")?;
            (*next, 2)
        } else if in_hex {
            hex_pair(bytes.get(at..).unwrap_or_default())?
        } else {
            (bytes.get(at).copied().unwrap_or_default(), 1)
        };
        pattern.push(taken);
        at = at.saturating_add(step);
    }
    Ok(pattern)
}

/// Two digits, and how far to go on: past a blank, too.
fn hex_pair(rest: &[u8]) -> Result<(u8, usize), String> {
    let [high, low, after, ..] = rest else {
        return Err("a hexadecimal part does not end with two digits and `|`".into());
    };
    let digit = |byte: u8| {
        let value = char::from(byte).to_digit(16);
        value.ok_or_else(|| format!("`{}` is not a hexadecimal digit", char::from(byte)))
    };
    let value = digit(*high)?.wrapping_shl(4) | digit(*low)?;
    Ok((value as u8, if *after == b' ' { 3 } else { 2 }))
}

/// Bytes that do not print, or a backslash at the end, cannot be printed as text.
fn needs_hex(pattern: &[u8]) -> bool {
    pattern.last() == Some(&b'\\') || pattern.iter().any(|byte| !(b' '..=b'~').contains(byte))
}

pub(super) fn print(out: &mut String, string: &StringMatch) {
    out.push_str(" -m string");
    push_not(out, string.pattern.not);
    if string.hex {
        out.push_str(" --hex-string \"|");
        for byte in &string.pattern.value {
            let _ = write!(out, "{byte:02x}");
        }
        out.push_str("|\"");
    } else {
        out.push_str(" --string \"");
        for &byte in &string.pattern.value {
            if matches!(byte, b'"' | b'\\') {
                out.push('\\');
            }
            out.push(char::from(byte));
        }
        out.push('"');
    }
    let _ = write!(out, " --algo {}", if string.kmp { "kmp" } else { "bm" });
    if string.from != 0 {
        let _ = write!(out, " --from {}", string.from);
    }
    if string.to != u32::from(u16::MAX) {
        let _ = write!(out, " --to {}", string.to);
    }
    if string.icase {
        out.push_str(" --icase");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_parts() {
        assert_eq!(unhex("|00 15 72|").unwrap(), [0x00, 0x15, 0x72]);
        assert_eq!(unhex("rex|00|").unwrap(), *b"rex\0");
        assert_eq!(unhex("|00 | x |01|").unwrap(), *b"\0 x \x01");
        assert_eq!(unhex("a\\|b").unwrap(), *b"a|b");
        assert_eq!(unhex("|00||01|").unwrap(), *b"\0|01");
        for bad in ["a|b", "|0|", "|00", "|zz|", "|00 1|", "x\\", "|0\\0|"] {
            assert!(unhex(bad).is_err(), "{bad}");
        }
    }
}
