//! `recent`: lists of addresses seen lately.

use super::push_if;
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::address;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::print::push_not;
use crate::ruleset::iptables::values;
use crate::ruleset::xt::{Match, Recent, RecentAction};
use std::fmt::Write;

pub(super) static ALL: &[Extension<Match>] = &[Extension::new(
    "recent",
    &[
        Opt::flag("set").not(),
        Opt::flag("rcheck").not(),
        Opt::flag("update").not(),
        Opt::flag("remove").not(),
        Opt::value("seconds"),
        Opt::flag("reap"),
        Opt::value("hitcount"),
        Opt::flag("rttl"),
        Opt::value("name"),
        Opt::flag("rsource"),
        Opt::flag("rdest"),
        Opt::value("mask"),
    ],
    recent,
)];

const ACTIONS: &[(&str, RecentAction)] = &[
    ("set", RecentAction::Set),
    ("rcheck", RecentAction::RCheck),
    ("update", RecentAction::Update),
    ("remove", RecentAction::Remove),
];

fn recent(o: &Options<'_>) -> Result<Match, RuleError> {
    let given = o.one_of(&["set", "rcheck", "update", "remove"])?;
    let given = given.ok_or_else(|| o.missing("--set, --rcheck, --update or --remove"))?;
    let action = ACTIONS.iter().find(|(name, _)| *name == given.option.name).map_or(RecentAction::Set, |&(_, a)| a);
    o.one_of(&["rsource", "rdest"])?;
    let positive = |text: &str| values::number_in(text, 1, u32::MAX.into()).map(|value| value as u32);
    let (seconds, hit_count) = (o.value("seconds", positive)?, o.value("hitcount", positive)?);
    if matches!(action, RecentAction::Set | RecentAction::Remove) {
        let wrong = ["seconds", "hitcount", "rttl", "reap"].iter().find_map(|name| o.find(name));
        if let Some(wrong) = wrong {
            let message = format!("--{} goes with --rcheck and --update only", wrong.option.name);
            return Err(o.fault(&wrong.word, message));
        }
    }
    if o.flag("reap") && seconds.is_none() {
        return Err(o.missing("--seconds (with --reap)"));
    }
    let name = o.value("name", |text| values::name(text, 199))?.unwrap_or_else(|| "DEFAULT".into());
    if name.contains('/') || name == "." || name == ".." {
        return Err(o.fault(o.at, "the name becomes that of a file in /proc: it cannot hold `/`"));
    }
    let mask = o.value("mask", |text| address::address(text, o.env.family))?;
    Ok(Match::Recent(Box::new(Recent {
        name,
        not: given.not,
        action,
        seconds,
        reap: o.flag("reap"),
        hit_count,
        rttl: o.flag("rttl"),
        by_destination: o.flag("rdest"),
        mask: mask.unwrap_or_else(|| address::full_mask(o.env.family)),
    })))
}

pub(super) fn print(out: &mut String, recent: &Recent) {
    out.push_str(" -m recent");
    push_not(out, recent.not);
    let action = ACTIONS.iter().find(|(_, action)| *action == recent.action).map_or("", |&(name, _)| name);
    let _ = write!(out, " --{action}");
    if let Some(seconds) = recent.seconds {
        let _ = write!(out, " --seconds {seconds}");
    }
    push_if(out, recent.reap, "reap");
    if let Some(count) = recent.hit_count {
        let _ = write!(out, " --hitcount {count}");
    }
    push_if(out, recent.rttl, "rttl");
    let side = if recent.by_destination { "rdest" } else { "rsource" };
    let _ = write!(out, " --name {} --mask {} --{side}", recent.name, address::text(recent.mask));
}
