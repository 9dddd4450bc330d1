//! `TTL`, `HL`, `ECN`, `CHECKSUM`, `TCPMSS`, `TCPOPTSTRIP`, `TEE`, `TRACE`: the packet changed, copied or followed.

use super::{push, push_if};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::address;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::values;
use crate::ruleset::model::Family;
use crate::ruleset::xt::{Target, TtlChange};
use std::fmt::Write;

pub(super) static ALL: &[Extension<Target>] = &[
    Extension::new("TTL", &[Opt::value("ttl-set"), Opt::value("ttl-dec"), Opt::value("ttl-inc")], |o| ttl(o, "ttl"))
        .v4()
        .tables(&["mangle"]),
    Extension::new("HL", &[Opt::value("hl-set"), Opt::value("hl-dec"), Opt::value("hl-inc")], |o| ttl(o, "hl"))
        .v6()
        .tables(&["mangle"]),
    Extension::new("ECN", &[Opt::flag("ecn-tcp-remove")], |o| match o.flag("ecn-tcp-remove") {
        true => Ok(Target::Ecn { remove: true }),
        false => Err(o.missing("--ecn-tcp-remove")),
    })
    .v4()
    .protocols(&["tcp"])
    .tables(&["mangle"]),
    Extension::new("CHECKSUM", &[Opt::flag("checksum-fill")], |o| match o.flag("checksum-fill") {
        true => Ok(Target::Checksum),
        false => Err(o.missing("--checksum-fill")),
    })
    .tables(&["mangle"]),
    Extension::new("TCPMSS", &[Opt::value("set-mss"), Opt::flag("clamp-mss-to-pmtu")], |o| {
        let given = o.one_of(&["set-mss", "clamp-mss-to-pmtu"])?;
        let given = given.ok_or_else(|| o.missing("--set-mss or --clamp-mss-to-pmtu"))?;
        let mss = if given.option.name == "set-mss" { Some(o.read(given, values::u16)?) } else { None };
        Ok(Target::TcpMss { mss })
    })
    .protocols(&["tcp"]),
    Extension::new("TCPOPTSTRIP", &[Opt::value("strip-options")], |o| {
        Ok(Target::TcpOptStrip { options: o.value("strip-options", tcp_options)?.unwrap_or_default() })
    })
    .protocols(&["tcp"])
    .tables(&["mangle"]),
    Extension::new("TEE", &[Opt::value("gateway"), Opt::value("oif")], |o| {
        Ok(Target::Tee {
            gateway: o.need("gateway", |text| address::address(text, o.env.family))?,
            oif: o.value("oif", |text| values::plain_name(text, 15))?,
        })
    }),
    Extension::new("TRACE", &[], |_| Ok(Target::Trace)),
];

fn ttl(o: &Options<'_>, name: &str) -> Result<Target, RuleError> {
    let (set, dec, inc) = (format!("{name}-set"), format!("{name}-dec"), format!("{name}-inc"));
    let given = o.one_of(&[&set, &dec, &inc])?.ok_or_else(|| o.missing(&format!("--{set}, --{dec} or --{inc}")))?;
    let op = match given.option.name.get(name.len()..) {
        Some("-dec") => TtlChange::Dec,
        Some("-inc") => TtlChange::Inc,
        _ => TtlChange::Set,
    };
    let least = if op == TtlChange::Set { 0 } else { 1 };
    Ok(Target::Ttl { op, value: o.read(given, |text| values::number_in(text, least, 255))? as u8 })
}

/// Options of TCP by number or name; every one once, in order.
fn tcp_options(text: &str) -> Result<Vec<u8>, String> {
    const NAMES: &[(&str, u8)] =
        &[("wscale", 3), ("mss", 2), ("sack-permitted", 4), ("sack", 5), ("timestamp", 8), ("md5", 19)];
    let one = |word: &str| match values::number_in(word, 2, 255) {
        Ok(number) => Ok(number as u8),
        Err(_) => values::word_of(word, NAMES).map_err(|message| format!("{message}, or a number from 2 to 255")),
    };
    let mut options: Vec<u8> = text.split(',').map(one).collect::<Result<_, _>>()?;
    let given = options.len();
    options.sort_unstable();
    options.dedup();
    if options.len() == given { Ok(options) } else { Err("an option is given twice".into()) }
}

pub(super) fn print(out: &mut String, target: &Target, family: Family) {
    match target {
        Target::Ttl { op, value } => {
            let (name, option) = if family == Family::Ip6 { ("HL", "hl") } else { ("TTL", "ttl") };
            let op = match op {
                TtlChange::Set => "set",
                TtlChange::Dec => "dec",
                TtlChange::Inc => "inc",
            };
            push(out, name, &format!("{option}-{op}"), value);
        }
        Target::Ecn { remove } => {
            out.push_str(" -j ECN");
            push_if(out, *remove, "ecn-tcp-remove");
        }
        Target::Checksum => out.push_str(" -j CHECKSUM --checksum-fill"),
        Target::TcpMss { mss: Some(mss) } => push(out, "TCPMSS", "set-mss", mss),
        Target::TcpMss { mss: None } => out.push_str(" -j TCPMSS --clamp-mss-to-pmtu"),
        Target::TcpOptStrip { options } => {
            let list: Vec<String> = options.iter().map(u8::to_string).collect();
            out.push_str(" -j TCPOPTSTRIP");
            if !list.is_empty() {
                let _ = write!(out, " --strip-options {}", list.join(","));
            }
        }
        Target::Tee { gateway, oif } => {
            push(out, "TEE", "gateway", address::text(*gateway));
            if let Some(oif) = oif {
                let _ = write!(out, " --oif {oif}");
            }
        }
        Target::Trace => out.push_str(" -j TRACE"),
        _ => {}
    }
}
