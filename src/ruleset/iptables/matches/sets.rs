//! `set`: membership in sets of `ipset`.

use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::print::push_not;
use crate::ruleset::iptables::set_options;
use crate::ruleset::iptables::values;
use crate::ruleset::xt::{CounterOp, Inv, Match, SetMatch};
use std::fmt::Write;

pub(super) static ALL: &[Extension<Match>] = &[Extension::new(
    "set",
    &[
        Opt::pair("match-set").or(&["set"]).not(),
        Opt::flag("return-nomatch"),
        Opt::flag("update-counters").not(),
        Opt::flag("update-subcounters").not(),
        Opt::value("packets-eq").not(),
        Opt::value("packets-lt"),
        Opt::value("packets-gt"),
        Opt::value("bytes-eq").not(),
        Opt::value("bytes-lt"),
        Opt::value("bytes-gt"),
    ],
    set,
)];

fn set(o: &Options<'_>) -> Result<Match, RuleError> {
    let given = o.find("match-set").ok_or_else(|| o.missing("--match-set"))?;
    let (name, flags) = set_options::read(o, given)?;
    let inverted = |name: &str| o.find(name).is_some_and(|given| given.not);
    Ok(Match::Set(Box::new(SetMatch {
        set: Inv { not: given.not, value: name },
        flags,
        return_nomatch: o.flag("return-nomatch"),
        no_update_counters: inverted("update-counters"),
        no_update_subcounters: inverted("update-subcounters"),
        packets: comparison(o, ["packets-eq", "packets-lt", "packets-gt"])?,
        bytes: comparison(o, ["bytes-eq", "bytes-lt", "bytes-gt"])?,
    })))
}

fn comparison(o: &Options<'_>, names: [&str; 3]) -> Result<Option<(CounterOp, u64)>, RuleError> {
    let Some(given) = o.one_of(&names)? else { return Ok(None) };
    let [_, less, greater] = names;
    let op = match given.option.name {
        name if name == less => CounterOp::Lt,
        name if name == greater => CounterOp::Gt,
        _ if given.not => CounterOp::Ne,
        _ => CounterOp::Eq,
    };
    Ok(Some((op, o.read(given, values::u64)?)))
}

pub(super) fn print(out: &mut String, set: &SetMatch) {
    out.push_str(" -m set");
    push_not(out, set.set.not);
    let _ = write!(out, " --match-set {} {}", set.set.value, set_options::flags_text(&set.flags));
    if set.return_nomatch {
        out.push_str(" --return-nomatch");
    }
    if set.no_update_counters {
        out.push_str(" ! --update-counters");
    }
    if set.no_update_subcounters {
        out.push_str(" ! --update-subcounters");
    }
    for (counter, name) in [(set.packets, "packets"), (set.bytes, "bytes")] {
        let Some((op, value)) = counter else { continue };
        let (not, op) = match op {
            CounterOp::Eq => ("", "eq"),
            CounterOp::Ne => (" !", "eq"),
            CounterOp::Lt => ("", "lt"),
            CounterOp::Gt => ("", "gt"),
        };
        let _ = write!(out, "{not} --{name}-{op} {value}");
    }
}
