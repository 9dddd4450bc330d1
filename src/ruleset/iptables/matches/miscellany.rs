//! `comment`, `cpu`, `layer7`, `policy`, `rpfilter`, `socket`.

use super::{push_if, push_inv, push_text};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::address;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Given, Opt, Options};
use crate::ruleset::iptables::print::push_not;
use crate::ruleset::iptables::values::{self, word_of};
use crate::ruleset::xt::{Inv, Match};
use std::fmt::Write;
use std::sync::Arc;

pub(super) static ALL: &[Extension<Match>] = &[
    Extension::new("comment", &[Opt::value("comment")], |o| {
        let comment = o.need("comment", |text| match text.len() {
            0..256 => Ok(text.to_owned()),
            _ => Err("a comment is longer than 255 bytes".into()),
        })?;
        Ok(Match::Comment(comment))
    }),
    Extension::new("cpu", &[Opt::value("cpu").not()], |o| Ok(Match::Cpu(o.need_inv("cpu", values::u32)?))),
    Extension::new("layer7", &[Opt::value("l7proto").not(), Opt::value("l7dir"), Opt::value("l7pkts")], layer7),
    Extension::new(
        "policy",
        &[
            Opt::value("dir"),
            Opt::value("pol"),
            Opt::flag("strict"),
            Opt::value("reqid").not().many(),
            Opt::value("spi").not().many(),
            Opt::value("tunnel-src").not().many(),
            Opt::value("tunnel-dst").not().many(),
            Opt::value("proto").not().many(),
            Opt::value("mode").not().many(),
            Opt::flag("next").many(),
        ],
        policy,
    ),
    Extension::new(
        "rpfilter",
        &[Opt::flag("loose"), Opt::flag("validmark"), Opt::flag("accept-local"), Opt::flag("invert")],
        |o| {
            Ok(Match::RpFilter {
                loose: o.flag("loose"),
                validmark: o.flag("validmark"),
                accept_local: o.flag("accept-local"),
                invert: o.flag("invert"),
            })
        },
    )
    .tables(&["raw", "mangle"])
    .chains(&["PREROUTING"]),
    Extension::new("socket", &[Opt::flag("transparent"), Opt::flag("nowildcard"), Opt::flag("restore-skmark")], |o| {
        Ok(Match::Socket {
            transparent: o.flag("transparent"),
            nowildcard: o.flag("nowildcard"),
            restore_skmark: o.flag("restore-skmark"),
        })
    })
    .chains(&["PREROUTING", "INPUT"]),
];

fn layer7(o: &Options<'_>) -> Result<Match, RuleError> {
    let patterns = &o.env.context.patterns;
    let pattern = o.need_inv("l7proto", |text| {
        let found = patterns.iter().find(|pattern| pattern.name.eq_ignore_ascii_case(text));
        found.cloned().ok_or_else(|| {
            let known: Vec<&str> = patterns.iter().map(|pattern| &*pattern.name).collect();
            let known = if known.is_empty() { "none; give their .pat files too".into() } else { known.join(", ") };
            format!("there is no pattern `{text}`; known patterns: {known}")
        })
    })?;
    if let Some(given) = o.find("l7dir") {
        o.note(&given.word, "--l7dir (a folder of the host) is not read");
    }
    Ok(Match::Layer7 { pattern, packets: o.value("l7pkts", values::u32)? })
}

/// Only `--pol none` can be answered without the host's security associations; the rest is kept as it is printed.
fn policy(o: &Options<'_>) -> Result<Match, RuleError> {
    let outbound = o.need("dir", |text| word_of(text, &[("in", false), ("out", true)]))?;
    let none = o.need("pol", |text| word_of(text, &[("none", true), ("ipsec", false)]))?;
    let mut elements: Vec<Vec<&Given>> = vec![Vec::new()];
    for given in o.given {
        match given.option.name {
            "dir" | "pol" | "strict" => {}
            "next" => elements.push(Vec::new()),
            _ => elements.last_mut().into_iter().for_each(|element| element.push(given)),
        }
    }
    let mut options = String::new();
    push_if(&mut options, o.flag("strict"), "strict");
    for (index, element) in elements.iter().enumerate() {
        push_if(&mut options, index > 0, "next");
        for name in ["reqid", "spi", "proto", "mode", "tunnel-dst", "tunnel-src"] {
            for given in element.iter().filter(|given| given.option.name == name) {
                push_inv(&mut options, Inv { not: given.not, value: element_value(o, given)? }, name);
            }
        }
    }
    Ok(Match::Policy { outbound, none, options: options.trim_start().to_owned() })
}

fn element_value(o: &Options<'_>, given: &Given) -> Result<String, RuleError> {
    match given.option.name {
        "reqid" => Ok(o.read(given, values::u32)?.to_string()),
        "spi" => Ok(format!("{:#x}", o.read(given, values::u32)?)),
        "proto" => {
            o.read(given, |text| word_of(text, &[("ah", "ah"), ("esp", "esp"), ("ipcomp", "ipcomp")])).map(Into::into)
        }
        "mode" => {
            o.read(given, |text| word_of(text, &[("transport", "transport"), ("tunnel", "tunnel")])).map(Into::into)
        }
        _ => {
            let network = o.read(given, |text| address::network(text, o.env.family))?;
            let whole = address::mask_length(network.mask) == Some(address::bits(o.env.family));
            let mask = if whole { String::new() } else { address::mask_text(network.mask) };
            Ok(format!("{}{mask}", address::text(network.addr)))
        }
    }
}

pub(super) fn print(out: &mut String, one: &Match) {
    match one {
        Match::Comment(text) => {
            out.push_str(" -m comment");
            push_text(out, "comment", text);
        }
        Match::Cpu(cpu) => {
            out.push_str(" -m cpu");
            push_inv(out, *cpu, "cpu");
        }
        Match::Layer7 { pattern, packets } => {
            out.push_str(" -m layer7");
            push_not(out, pattern.not);
            let name: &Arc<str> = &pattern.value.name;
            let _ = write!(out, " --l7proto {name}");
            if let Some(packets) = packets {
                let _ = write!(out, " --l7pkts {packets}");
            }
        }
        Match::Policy { outbound, none, options } => {
            let (dir, pol) = (if *outbound { "out" } else { "in" }, if *none { "none" } else { "ipsec" });
            let blank = if options.is_empty() { "" } else { " " };
            let _ = write!(out, " -m policy --dir {dir} --pol {pol}{blank}{options}");
        }
        Match::RpFilter { loose, validmark, accept_local, invert } => {
            out.push_str(" -m rpfilter");
            push_if(out, *loose, "loose");
            push_if(out, *validmark, "validmark");
            push_if(out, *accept_local, "accept-local");
            push_if(out, *invert, "invert");
        }
        Match::Socket { transparent, nowildcard, restore_skmark } => {
            out.push_str(" -m socket");
            push_if(out, *transparent, "transparent");
            push_if(out, *nowildcard, "nowildcard");
            push_if(out, *restore_skmark, "restore-skmark");
        }
        _ => {}
    }
}
