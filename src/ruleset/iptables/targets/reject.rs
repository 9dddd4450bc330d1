//! `REJECT`: dropped, with an answer.

use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::xt::Target;

pub(super) static ALL: &[Extension<Target>] =
    &[Extension::new("REJECT", &[Opt::value("reject-with")], reject).tables(&["filter"])];

/// Name and short name; the beginning of either will do, the first found is taken.
const V4: &[(&str, &str)] = &[
    ("icmp-net-unreachable", "net-unreach"),
    ("icmp-host-unreachable", "host-unreach"),
    ("icmp-proto-unreachable", "proto-unreach"),
    ("icmp-port-unreachable", "port-unreach"),
    ("icmp-net-prohibited", "net-prohib"),
    ("icmp-host-prohibited", "host-prohib"),
    ("tcp-reset", "tcp-rst"),
    ("icmp-admin-prohibited", "admin-prohib"),
];

const V6: &[(&str, &str)] = &[
    ("icmp6-no-route", "no-route"),
    ("icmp6-adm-prohibited", "adm-prohibited"),
    ("icmp6-addr-unreachable", "addr-unreach"),
    ("icmp6-port-unreachable", "port-unreach"),
    ("tcp-reset", "tcp-reset"),
    ("icmp6-policy-fail", "policy-fail"),
    ("icmp6-reject-route", "reject-route"),
];

fn reject(o: &Options<'_>) -> Result<Target, RuleError> {
    let (known, default) = if o.v6() { (V6, "icmp6-port-unreachable") } else { (V4, "icmp-port-unreachable") };
    let with = o.value("reject-with", |text| {
        let begins = |name: &str| name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
        let found = known.iter().find(|(name, short)| !text.is_empty() && (begins(name) || begins(short)));
        found.map(|&(name, _)| name).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|&(name, _)| name).collect();
            format!("`{text}` is not a way to reject; one of {} is expected", names.join(", "))
        })
    })?;
    let with = with.unwrap_or(default);
    let tcp = o.env.protocol.is_some_and(|protocol| !protocol.not && protocol.value == 6);
    if with == "tcp-reset" && !tcp {
        return Err(o.fault(o.at, "`-p tcp` is missing in this rule: it answers with a TCP reset"));
    }
    Ok(Target::Reject { with: with.into() })
}
