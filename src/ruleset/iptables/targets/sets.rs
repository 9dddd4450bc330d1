//! `SET`: entries put into sets of `ipset`.

use super::push_if;
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::{set_options, values};
use crate::ruleset::xt::Target;
use std::fmt::Write;
use std::sync::Arc;

pub(super) static ALL: &[Extension<Target>] = &[Extension::new(
    "SET",
    &[
        Opt::pair("add-set"),
        Opt::pair("del-set"),
        Opt::pair("map-set"),
        Opt::flag("exist"),
        Opt::value("timeout"),
        Opt::flag("map-mark"),
        Opt::flag("map-prio"),
        Opt::flag("map-queue"),
    ],
    set,
)];

const MAP_FLAGS: &[&str] = &["map-mark", "map-prio", "map-queue"];

type Named = Option<(Arc<str>, Vec<bool>)>;

fn set(o: &Options<'_>) -> Result<Target, RuleError> {
    let named =
        |name: &str| -> Result<Named, RuleError> { o.find(name).map(|given| set_options::read(o, given)).transpose() };
    let (add, del, map) = (named("add-set")?, named("del-set")?, named("map-set")?);
    if add.is_none() && del.is_none() && map.is_none() {
        return Err(o.missing("--add-set, --del-set or --map-set"));
    }
    for needs_add in ["exist", "timeout"] {
        if let (Some(given), true) = (o.find(needs_add), add.is_none()) {
            return Err(o.fault(&given.word, format!("--{needs_add} goes with --add-set")));
        }
    }
    let map_flags: Vec<String> = MAP_FLAGS.iter().filter(|name| o.flag(name)).map(|name| format!("--{name}")).collect();
    if map.is_some() == map_flags.is_empty() {
        return Err(o.missing("--map-set together with --map-mark, --map-prio or --map-queue"));
    }
    Ok(Target::Set { add, del, map, exist: o.flag("exist"), timeout: o.value("timeout", values::u32)?, map_flags })
}

pub(super) fn print(out: &mut String, target: &Target) {
    let Target::Set { add, del, map, exist, timeout, map_flags } = target else { return };
    out.push_str(" -j SET");
    push_named(out, "add-set", add);
    push_if(out, *exist, "exist");
    if let Some(timeout) = timeout {
        let _ = write!(out, " --timeout {timeout}");
    }
    push_named(out, "del-set", del);
    push_named(out, "map-set", map);
    for flag in map_flags {
        let _ = write!(out, " {flag}");
    }
}

fn push_named(out: &mut String, option: &str, named: &Named) {
    if let Some((name, flags)) = named {
        let _ = write!(out, " --{option} {name} {}", set_options::flags_text(flags));
    }
}
