//! `NFQUEUE`: to a program.

use super::{push, push_if};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::values;
use crate::ruleset::xt::Target;

pub(super) static ALL: &[Extension<Target>] = &[Extension::new(
    "NFQUEUE",
    &[Opt::value("queue-num"), Opt::value("queue-balance"), Opt::flag("queue-bypass"), Opt::flag("queue-cpu-fanout")],
    nfqueue,
)];

fn nfqueue(o: &Options<'_>) -> Result<Target, RuleError> {
    let (first, total) = match o.one_of(&["queue-num", "queue-balance"])? {
        Some(given) if given.option.name == "queue-balance" => {
            let range = o.read(given, values::range_u16)?;
            if range.low >= range.high {
                return Err(o.fault(given.first(), "--queue-balance expects two numbers, `low:high`"));
            }
            (range.low, (range.high - range.low).saturating_add(1))
        }
        Some(given) => (o.read(given, values::u16)?, 1),
        None => (0, 1),
    };
    if o.flag("queue-cpu-fanout") && total == 1 {
        return Err(o.missing("--queue-balance (with --queue-cpu-fanout)"));
    }
    Ok(Target::Nfqueue { first, total, bypass: o.flag("queue-bypass"), cpu_fanout: o.flag("queue-cpu-fanout") })
}

pub(super) fn print(out: &mut String, target: &Target) {
    let Target::Nfqueue { first, total, bypass, cpu_fanout } = target else { return };
    if *total > 1 {
        let last = first.saturating_add(total.saturating_sub(1));
        push(out, "NFQUEUE", "queue-balance", format_args!("{first}:{last}"));
    } else {
        push(out, "NFQUEUE", "queue-num", first);
    }
    push_if(out, *bypass, "queue-bypass");
    push_if(out, *cpu_fanout, "queue-cpu-fanout");
}
