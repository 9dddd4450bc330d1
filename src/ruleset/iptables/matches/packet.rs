//! `length`, `ttl`, `hl`, `ecn`, `bpf`: the packet's headers.

use super::{push_flag, push_inv, push_some, span_inv};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::values;
use crate::ruleset::model::Family;
use crate::ruleset::xt::{Match, TtlOp};
use std::fmt::Write;

pub(super) static ALL: &[Extension<Match>] = &[
    Extension::new("length", &[Opt::value("length").not()], |o| {
        Ok(Match::Length(o.need_inv("length", values::range_u16)?))
    }),
    Extension::new(
        "ttl",
        &[Opt::value("ttl-eq").or(&["ttl"]).not(), Opt::value("ttl-lt"), Opt::value("ttl-gt")],
        |o| ttl(o, "ttl"),
    )
    .v4(),
    Extension::new("hl", &[Opt::value("hl-eq").or(&["hl"]).not(), Opt::value("hl-lt"), Opt::value("hl-gt")], |o| {
        ttl(o, "hl")
    })
    .v6(),
    Extension::new(
        "ecn",
        &[Opt::flag("ecn-tcp-cwr").not(), Opt::flag("ecn-tcp-ece").not(), Opt::value("ecn-ip-ect").not()],
        ecn,
    ),
    Extension::new("bpf", &[Opt::value("bytecode"), Opt::value("object-pinned")], |o| {
        if let Some(given) = o.find("object-pinned") {
            return Ok(Match::Unknown {
                name: "bpf".into(),
                options: format!("--object-pinned {}", given.first().text),
            });
        }
        Ok(Match::Bpf { program: o.need("bytecode", bytecode)? })
    }),
];

fn ttl(o: &Options<'_>, name: &str) -> Result<Match, RuleError> {
    let (eq, lt, gt) = (format!("{name}-eq"), format!("{name}-lt"), format!("{name}-gt"));
    let given = o.one_of(&[&eq, &lt, &gt])?.ok_or_else(|| o.missing(&format!("--{eq}, --{lt} or --{gt}")))?;
    let op = match given.option.name.get(name.len()..) {
        Some("-lt") => TtlOp::Lt,
        Some("-gt") => TtlOp::Gt,
        _ if given.not => TtlOp::Ne,
        _ => TtlOp::Eq,
    };
    Ok(Match::Ttl { op, value: o.read(given, values::u8)? })
}

fn ecn(o: &Options<'_>) -> Result<Match, RuleError> {
    let (tcp_cwr, tcp_ece) = (o.inv_flag("ecn-tcp-cwr"), o.inv_flag("ecn-tcp-ece"));
    let ip_ect = o.inv("ecn-ip-ect", |text| values::number(text, 3).map(|value| value as u8))?;
    if tcp_cwr.is_none() && tcp_ece.is_none() && ip_ect.is_none() {
        return Err(o.missing("an option"));
    }
    let tcp = o.env.protocol.is_some_and(|protocol| !protocol.not && protocol.value == 6);
    if (tcp_cwr.is_some() || tcp_ece.is_some()) && !tcp {
        return Err(o.fault(o.at, "`-p tcp` is missing in this rule: flags of TCP are asked for"));
    }
    Ok(Match::Ecn { tcp_cwr, tcp_ece, ip_ect })
}

/// `count,code jt jf k,…`: a program of classic BPF as numbers.
fn bytecode(text: &str) -> Result<Vec<(u16, u8, u8, u32)>, String> {
    let mut parts = text.split(',');
    let count = values::number_in(parts.next().unwrap_or_default().trim(), 1, 64)?;
    let mut program = Vec::new();
    for part in parts {
        let numbers: Result<Vec<u64>, String> = part.split_ascii_whitespace().map(values::u64).collect();
        let Ok(&[code, jt, jf, k]) = numbers.as_deref() else {
            return Err(format!("`{part}` is not an instruction of four numbers"));
        };
        let instruction = (u16::try_from(code), u8::try_from(jt), u8::try_from(jf), u32::try_from(k));
        let (Ok(code), Ok(jt), Ok(jf), Ok(k)) = instruction else {
            return Err(format!("a number of the instruction `{part}` is too large"));
        };
        program.push((code, jt, jf, k));
    }
    if program.len() as u64 != count {
        return Err(format!("{count} instructions are announced, {} are given", program.len()));
    }
    Ok(program)
}

pub(super) fn print(out: &mut String, one: &Match, family: Family) {
    match one {
        Match::Length(length) => {
            out.push_str(" -m length");
            push_inv(out, span_inv(length), "length");
        }
        Match::Ttl { op, value } => {
            let name = if family == Family::Ip6 { "hl" } else { "ttl" };
            let (not, op) = match op {
                TtlOp::Eq => ("", "eq"),
                TtlOp::Ne => (" !", "eq"),
                TtlOp::Lt => ("", "lt"),
                TtlOp::Gt => ("", "gt"),
            };
            let _ = write!(out, " -m {name}{not} --{name}-{op} {value}");
        }
        Match::Ecn { tcp_cwr, tcp_ece, ip_ect } => {
            out.push_str(" -m ecn");
            push_flag(out, *tcp_ece, "ecn-tcp-ece");
            push_flag(out, *tcp_cwr, "ecn-tcp-cwr");
            push_some(out, *ip_ect, "ecn-ip-ect");
        }
        Match::Bpf { program } => {
            let _ = write!(out, " -m bpf --bytecode \"{}", program.len());
            for (code, jt, jf, k) in program {
                let _ = write!(out, ",{code} {jt} {jf} {k}");
            }
            out.push('"');
        }
        _ => {}
    }
}
