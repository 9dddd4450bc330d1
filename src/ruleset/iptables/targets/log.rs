//! `LOG`, `NFLOG`, `AUDIT`: write down and go on.

use super::{push, push_if};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::quoting::push_string;
use crate::ruleset::iptables::values::{self, word_of};
use crate::ruleset::xt::Target;
use std::fmt::Write;

pub(super) static ALL: &[Extension<Target>] = &[
    Extension::new(
        "LOG",
        &[
            Opt::value("log-level"),
            Opt::value("log-prefix"),
            Opt::flag("log-tcp-sequence"),
            Opt::flag("log-tcp-options"),
            Opt::flag("log-ip-options"),
            Opt::flag("log-uid"),
            Opt::flag("log-macdecode"),
        ],
        log,
    ),
    Extension::new(
        "NFLOG",
        &[
            Opt::value("nflog-group"),
            Opt::value("nflog-prefix"),
            Opt::value("nflog-range"),
            Opt::value("nflog-size"),
            Opt::value("nflog-threshold"),
        ],
        nflog,
    ),
    Extension::new("AUDIT", &[Opt::value("type")], |o| {
        let kinds = &[("accept", 0_u8), ("drop", 1), ("reject", 2)];
        Ok(Target::Audit { kind: o.need("type", |text| word_of(text, kinds))? })
    }),
];

/// `LOG_WARNING`.
const DEFAULT_LEVEL: u8 = 4;
/// Longest prefix of `LOG`, and of `NFLOG`.
const LOG_PREFIX: usize = 29;
const NFLOG_PREFIX: usize = 63;

const LEVELS: &[(&str, u8)] = &[
    ("alert", 1),
    ("crit", 2),
    ("debug", 7),
    ("emerg", 0),
    ("error", 3),
    ("info", 6),
    ("notice", 5),
    ("panic", 0),
    ("warning", 4),
];

/// Option and bit (`XT_LOG_*`), in the order of printing.
const FLAGS: &[(&str, u8)] =
    &[("log-tcp-sequence", 1), ("log-tcp-options", 2), ("log-ip-options", 4), ("log-uid", 8), ("log-macdecode", 32)];

fn log(o: &Options<'_>) -> Result<Target, RuleError> {
    let level = o.value("log-level", |text| match values::number(text, 7) {
        Ok(level) => Ok(level as u8),
        Err(_) => LEVELS.iter().find(|(name, _)| *name == text).map(|&(_, level)| level).ok_or_else(|| {
            let names: Vec<&str> = LEVELS.iter().map(|&(name, _)| name).collect();
            format!("`{text}` is not a level: a number from 0 to 7 or one of {} is expected", names.join(", "))
        }),
    })?;
    let flags = FLAGS.iter().filter(|(name, _)| o.flag(name)).fold(0, |flags, (_, bit)| flags | bit);
    let prefix = prefix(o, "log-prefix", LOG_PREFIX)?;
    Ok(Target::Log { level: level.unwrap_or(DEFAULT_LEVEL), prefix, flags })
}

/// A prefix of at least one character; what is too long is cut off, as the tool does.
fn prefix(o: &Options<'_>, name: &str, max: usize) -> Result<String, RuleError> {
    let Some(given) = o.find(name) else { return Ok(String::new()) };
    let text = &given.first().text;
    if text.is_empty() || text.contains('\n') {
        return Err(o.fault(given.first(), format!("--{name} expects text on one line")));
    }
    if text.len() <= max {
        return Ok(text.clone());
    }
    o.note(given.first(), format!("--{name} is cut off after {max} bytes"));
    let end = (0..=max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    Ok(text.get(..end).unwrap_or_default().to_owned())
}

fn nflog(o: &Options<'_>) -> Result<Target, RuleError> {
    o.one_of(&["nflog-range", "nflog-size"])?;
    Ok(Target::Nflog {
        group: o.value("nflog-group", values::u16)?.unwrap_or(0),
        prefix: prefix(o, "nflog-prefix", NFLOG_PREFIX)?,
        range: o.value("nflog-range", values::u32)?,
        size: o.value("nflog-size", values::u32)?,
        threshold: o.value("nflog-threshold", values::u16)?,
    })
}

pub(super) fn print(out: &mut String, target: &Target) {
    match target {
        Target::Log { level, prefix, flags } => {
            out.push_str(" -j LOG");
            if !prefix.is_empty() {
                out.push_str(" --log-prefix");
                push_string(out, prefix);
            }
            if *level != DEFAULT_LEVEL {
                let _ = write!(out, " --log-level {level}");
            }
            for (name, bit) in FLAGS {
                push_if(out, flags & bit != 0, name);
            }
        }
        Target::Nflog { group, prefix, range: _, size, threshold } => {
            // The range does nothing in the kernel, and iptables-nft does not keep it.
            out.push_str(" -j NFLOG");
            if !prefix.is_empty() {
                out.push_str(" --nflog-prefix");
                push_string(out, prefix);
            }
            if *group != 0 {
                let _ = write!(out, " --nflog-group {group}");
            }
            if let Some(size) = size {
                let _ = write!(out, " --nflog-size {size}");
            }
            if let Some(threshold) = threshold.filter(|&threshold| threshold != 0) {
                let _ = write!(out, " --nflog-threshold {threshold}");
            }
        }
        Target::Audit { kind } => {
            push(out, "AUDIT", "type", ["accept", "drop", "reject"].get(usize::from(*kind)).unwrap_or(&"accept"));
        }
        _ => {}
    }
}
