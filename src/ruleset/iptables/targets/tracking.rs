//! `CT` and `NOTRACK`: what connection tracking makes of a packet.

use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::values;
use crate::ruleset::xt::Target;
use std::fmt::Write;

pub(super) static ALL: &[Extension<Target>] = &[
    Extension::new(
        "CT",
        &[
            Opt::flag("notrack"),
            Opt::value("helper"),
            Opt::value("timeout"),
            Opt::value("ctevents"),
            Opt::value("expevents"),
            Opt::value("zone"),
            Opt::value("zone-orig"),
            Opt::value("zone-reply"),
        ],
        ct,
    )
    .tables(&["raw"]),
    Extension::new("NOTRACK", &[], |_| Ok(NOTRACK)).tables(&["raw"]),
];

const NOTRACK: Target =
    Target::Ct { notrack: true, helper: None, ctevents: None, expevents: None, zone: None, timeout: None };

const EVENTS: &[(&str, u32)] = &[
    ("new", 1),
    ("related", 2),
    ("destroy", 4),
    ("reply", 8),
    ("assured", 16),
    ("protoinfo", 32),
    ("helper", 64),
    ("mark", 128),
    ("natseqinfo", 256),
    ("secmark", 512),
];

fn ct(o: &Options<'_>) -> Result<Target, RuleError> {
    let events = |text: &str| {
        let mut out = String::new();
        values::push_bits(&mut out, values::bits(text, EVENTS)?, EVENTS);
        Ok(out)
    };
    let zone = |text: &str| match text {
        "mark" => Ok(text.to_owned()),
        _ => values::u16(text).map(|zone| zone.to_string()),
    };
    let mut found = None;
    if let Some(given) = o.one_of(&["zone", "zone-orig", "zone-reply"])? {
        let side = given.option.name.strip_prefix("zone").unwrap_or_default().trim_start_matches('-');
        let zone = o.read(given, zone)?;
        found = Some(if side.is_empty() { zone } else { format!("{side} {zone}") });
    }
    Ok(Target::Ct {
        notrack: o.flag("notrack"),
        helper: o.value("helper", |text| values::plain_name(text, 15))?,
        ctevents: o.value("ctevents", events)?,
        expevents: o.value("expevents", |text| match text {
            "new" => Ok(text.to_owned()),
            _ => Err(format!("`{text}` is not an event of expectations: `new` is expected")),
        })?,
        zone: found,
        timeout: o.value("timeout", |text| values::plain_name(text, 31))?,
    })
}

pub(super) fn print(out: &mut String, target: &Target) {
    let Target::Ct { notrack, helper, ctevents, expevents, zone, timeout } = target else { return };
    out.push_str(" -j CT");
    super::push_if(out, *notrack, "notrack");
    for (value, option) in [(helper, "helper"), (timeout, "timeout"), (ctevents, "ctevents"), (expevents, "expevents")]
    {
        if let Some(value) = value {
            let _ = write!(out, " --{option} {value}");
        }
    }
    match zone.as_deref().map(|zone| zone.split_once(' ').unwrap_or(("", zone))) {
        Some(("", zone)) => {
            let _ = write!(out, " --zone {zone}");
        }
        Some((side, zone)) => {
            let _ = write!(out, " --zone-{side} {zone}");
        }
        None => {}
    }
}
