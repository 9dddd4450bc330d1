//! `DNAT`, `SNAT`, `MASQUERADE`, `REDIRECT`, `NETMAP`: addresses rewritten (`libxt_NAT.c`).

use super::push_if;
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::address;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Given, Opt, Options};
use crate::ruleset::iptables::values::port;
use crate::ruleset::xt::{NatRange, Range, Target};
use std::fmt::Write;
use std::net::IpAddr;

const RANDOM: Opt = Opt::flag("random");
const RANDOM_FULLY: Opt = Opt::flag("random-fully");
const PERSISTENT: Opt = Opt::flag("persistent");
const TO_PORTS: Opt = Opt::value("to-ports");

pub(super) static ALL: &[Extension<Target>] = &[
    Extension::new("DNAT", &[Opt::value("to-destination"), RANDOM, PERSISTENT], |o| {
        Ok(Target::Dnat(range(o, "to-destination")?))
    })
    .tables(&["nat"])
    .chains(&["PREROUTING", "OUTPUT"]),
    Extension::new("SNAT", &[Opt::value("to-source"), RANDOM, RANDOM_FULLY, PERSISTENT], |o| {
        Ok(Target::Snat(range(o, "to-source")?))
    })
    .tables(&["nat"])
    .chains(&["POSTROUTING", "INPUT"]),
    Extension::new("MASQUERADE", &[TO_PORTS, RANDOM, RANDOM_FULLY], |o| {
        Ok(Target::Masquerade { ports: to_ports(o)?, random: o.flag("random"), random_fully: o.flag("random-fully") })
    })
    .tables(&["nat"])
    .chains(&["POSTROUTING"]),
    Extension::new("REDIRECT", &[TO_PORTS, RANDOM], |o| {
        Ok(Target::Redirect { ports: to_ports(o)?, random: o.flag("random") })
    })
    .tables(&["nat"])
    .chains(&["PREROUTING", "OUTPUT"]),
    Extension::new("NETMAP", &[Opt::value("to")], |o| {
        let network = o.need("to", |text| address::network(text, o.env.family))?;
        let Some(prefix) = address::mask_length(network.mask) else {
            return Err(o.fault(o.at, "--to expects a mask without gaps"));
        };
        Ok(Target::Netmap { to: network.addr, prefix })
    })
    .tables(&["nat"]),
];

/// Protocols that have ports to rewrite.
fn check_ports(o: &Options<'_>, given: &Given) -> Result<(), RuleError> {
    let has_ports = |protocol: u8| matches!(protocol, 1 | 6 | 17 | 33 | 58 | 132);
    if o.env.protocol.is_some_and(|protocol| !protocol.not && has_ports(protocol.value)) {
        return Ok(());
    }
    Err(o.fault(given.first(), "ports need `-p tcp`, `-p udp`, `-p sctp` or `-p dccp` in this rule"))
}

fn to_ports(o: &Options<'_>) -> Result<Option<Range<u16>>, RuleError> {
    let Some(given) = o.find("to-ports") else { return Ok(None) };
    check_ports(o, given)?;
    o.read(given, |text| ports(text, text)).map(Some)
}

/// `80` or `80-90`.
fn ports(text: &str, whole: &str) -> Result<Range<u16>, String> {
    let range = match text.split_once('-') {
        // A name may hold a `-`, a range of numbers does.
        Some((low, high)) if port(text).is_err() => Range { low: port(low)?, high: port(high)? },
        _ => port(text).map(|value| Range { low: value, high: value })?,
    };
    if range.low > range.high {
        Err(format!("the range of ports in `{whole}` ends before it begins"))
    } else {
        Ok(range)
    }
}

/// `[address[-address]][:port[-port[/base]]]`; IPv6 addresses in brackets if ports follow.
fn range(o: &Options<'_>, name: &str) -> Result<NatRange, RuleError> {
    let given = o.find(name).ok_or_else(|| o.missing(&format!("--{name}")))?;
    let text = given.first().text.clone();
    let (addresses, tail) = if o.v6() { split_v6(&text) } else { text.split_once(':').map_or((&*text, None), split) };
    let addresses = match addresses {
        "" if tail.is_some() => None,
        span => Some(o.read(given, |_| address::span(span, o.env.family))?),
    };
    let (mut range, mut port_base) = (None, None);
    if let Some(tail) = tail {
        check_ports(o, given)?;
        let (numbers, base) = tail.split_once('/').map_or((tail, None), |(numbers, base)| (numbers, Some(base)));
        range = Some(o.read(given, |_| ports(numbers, tail))?);
        port_base = match base {
            Some(base) => Some(o.read(given, |_| port(base))?),
            None => None,
        };
        if port_base.is_some() && name == "to-source" {
            return Err(o.fault(given.first(), "a port base is possible with DNAT only"));
        }
    }
    Ok(NatRange {
        addresses,
        ports: range,
        port_base,
        random: o.flag("random"),
        random_fully: o.flag("random-fully"),
        persistent: o.flag("persistent"),
    })
}

fn split<'a>((addresses, ports): (&'a str, &'a str)) -> (&'a str, Option<&'a str>) {
    (addresses, Some(ports))
}

fn split_v6(text: &str) -> (&str, Option<&str>) {
    if let Some((addresses, rest)) = text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        return (addresses, rest.strip_prefix(':'));
    }
    match text.strip_prefix(':').filter(|rest| !rest.contains(':')) {
        Some(ports) => ("", Some(ports)),
        None => (text, None),
    }
}

pub(super) fn print(out: &mut String, target: &Target) {
    match target {
        Target::Dnat(range) => print_range(out, "DNAT", "to-destination", range),
        Target::Snat(range) => print_range(out, "SNAT", "to-source", range),
        Target::Masquerade { ports, random, random_fully } => {
            out.push_str(" -j MASQUERADE");
            push_ports(out, *ports);
            push_if(out, *random, "random");
            push_if(out, *random_fully, "random-fully");
        }
        Target::Redirect { ports, random } => {
            out.push_str(" -j REDIRECT");
            push_ports(out, *ports);
            push_if(out, *random, "random");
        }
        Target::Netmap { to, prefix } => {
            let _ = write!(out, " -j NETMAP --to {}/{prefix}", address::text(*to));
        }
        _ => {}
    }
}

fn span(range: Range<u16>) -> String {
    if range.low == range.high { range.low.to_string() } else { format!("{}-{}", range.low, range.high) }
}

fn push_ports(out: &mut String, ports: Option<Range<u16>>) {
    if let Some(ports) = ports {
        let _ = write!(out, " --to-ports {}", span(ports));
    }
}

fn print_range(out: &mut String, name: &str, option: &str, range: &NatRange) {
    let _ = write!(out, " -j {name} --{option} ");
    if let Some(Range { low, high }) = range.addresses {
        let one =
            if low == high { address::text(low) } else { format!("{}-{}", address::text(low), address::text(high)) };
        let brackets = matches!(low, IpAddr::V6(_)) && range.ports.is_some();
        out.push_str(&if brackets { format!("[{one}]") } else { one });
    }
    if let Some(ports) = range.ports {
        let _ = write!(out, ":{}", span(ports));
        if let Some(base) = range.port_base {
            let _ = write!(out, "/{base}");
        }
    }
    push_if(out, range.random, "random");
    push_if(out, range.random_fully, "random-fully");
    push_if(out, range.persistent, "persistent");
}
