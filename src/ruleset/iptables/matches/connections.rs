//! `connbytes`, `connlabel`, `connlimit`, `helper`, `cluster`: what else is known of a connection.

use super::push_inv;
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::address;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::print::push_not;
use crate::ruleset::iptables::quoting::push_string;
use crate::ruleset::iptables::values::{self, word_of};
use crate::ruleset::xt::{ConnBytesDirection, ConnBytesMode, Inv, Match, Range};
use std::fmt::Write;

pub(super) static ALL: &[Extension<Match>] = &[
    Extension::new(
        "connbytes",
        &[Opt::value("connbytes").not(), Opt::value("connbytes-dir"), Opt::value("connbytes-mode")],
        connbytes,
    ),
    Extension::new("connlabel", &[Opt::value("label").not(), Opt::flag("set")], connlabel),
    Extension::new(
        "connlimit",
        &[
            Opt::value("connlimit-above").not(),
            Opt::value("connlimit-upto").not(),
            Opt::value("connlimit-mask"),
            Opt::flag("connlimit-saddr"),
            Opt::flag("connlimit-daddr"),
        ],
        connlimit,
    ),
    Extension::new("helper", &[Opt::value("helper").not()], |o| {
        Ok(Match::Helper(o.need_inv("helper", |text| values::name(text, 29))?))
    }),
    Extension::new(
        "cluster",
        &[
            Opt::value("cluster-total-nodes"),
            Opt::value("cluster-local-node").not(),
            Opt::value("cluster-local-nodemask").not(),
            Opt::value("cluster-hash-seed"),
        ],
        cluster,
    ),
];

const DIRECTIONS: &[(&str, ConnBytesDirection)] = &[
    ("original", ConnBytesDirection::Original),
    ("reply", ConnBytesDirection::Reply),
    ("both", ConnBytesDirection::Both),
];

const MODES: &[(&str, ConnBytesMode)] =
    &[("packets", ConnBytesMode::Packets), ("bytes", ConnBytesMode::Bytes), ("avgpkt", ConnBytesMode::AvgPkt)];

fn connbytes(o: &Options<'_>) -> Result<Match, RuleError> {
    let range = o.need_inv("connbytes", |text| {
        let range = match text.split_once(':') {
            Some(_) => values::range(text, u64::MAX)?,
            None => Range { low: values::u64(text)?, high: u64::MAX },
        };
        if range.low > range.high { Err(format!("the range `{text}` ends before it begins")) } else { Ok(range) }
    })?;
    Ok(Match::ConnBytes {
        range,
        mode: o.need("connbytes-mode", |text| word_of(text, MODES))?,
        direction: o.need("connbytes-dir", |text| word_of(text, DIRECTIONS))?,
    })
}

fn connlabel(o: &Options<'_>) -> Result<Match, RuleError> {
    // Names stand in connlabel.conf of the host, which is not here: only numbers have a meaning.
    let label = o.need_inv("label", |text| {
        values::number(text, 127)
            .map(|value| value as u16)
            .map_err(|message| format!("{message} (names of connlabel.conf are not known here)"))
    })?;
    Ok(Match::ConnLabel { label, name: label.value.to_string(), set: o.flag("set") })
}

fn connlimit(o: &Options<'_>) -> Result<Match, RuleError> {
    let given = o.one_of(&["connlimit-above", "connlimit-upto"])?;
    let given = given.ok_or_else(|| o.missing("--connlimit-above or --connlimit-upto"))?;
    let upto = (given.option.name == "connlimit-upto") != given.not;
    o.one_of(&["connlimit-saddr", "connlimit-daddr"])?;
    let full = address::bits(o.env.family);
    // A longer mask than an address has is that of the whole address.
    let mask = o.value("connlimit-mask", |text| values::number(text, 128))?.map_or(full, |mask| (mask as u8).min(full));
    Ok(Match::ConnLimit {
        limit: Inv { not: upto, value: o.read(given, values::u32)? },
        mask,
        by_destination: o.flag("connlimit-daddr"),
    })
}

fn cluster(o: &Options<'_>) -> Result<Match, RuleError> {
    let total = o.need("cluster-total-nodes", |text| values::number_in(text, 1, 32))? as u32;
    let given = o.one_of(&["cluster-local-node", "cluster-local-nodemask"])?;
    let given = given.ok_or_else(|| o.missing("--cluster-local-node or --cluster-local-nodemask"))?;
    let mask = match given.option.name {
        "cluster-local-node" => {
            let node = o.read(given, |text| values::number_in(text, 1, total.into()))? as u32;
            1_u32.checked_shl(node.saturating_sub(1)).unwrap_or(0)
        }
        _ => o.read(given, values::u32)?,
    };
    let node_mask = Inv { not: given.not, value: mask };
    Ok(Match::Cluster { total, node_mask, seed: o.need("cluster-hash-seed", values::u32)? })
}

pub(super) fn print(out: &mut String, one: &Match) {
    match one {
        Match::ConnBytes { range, mode, direction } => {
            let bounds = match range.value {
                Range { low, high: u64::MAX } => low.to_string(),
                Range { low, high } => format!("{low}:{high}"),
            };
            out.push_str(" -m connbytes");
            push_inv(out, Inv { not: range.not, value: bounds }, "connbytes");
            let mode = MODES.iter().find(|(_, known)| known == mode).map_or("", |&(name, _)| name);
            let direction = DIRECTIONS.iter().find(|(_, known)| known == direction).map_or("", |&(name, _)| name);
            let _ = write!(out, " --connbytes-mode {mode} --connbytes-dir {direction}");
        }
        Match::ConnLabel { label, name, set } => {
            out.push_str(" -m connlabel");
            push_not(out, label.not);
            let _ = write!(out, " --label \"{name}\"{}", if *set { " --set" } else { "" });
        }
        Match::ConnLimit { limit, mask, by_destination } => {
            let side = if *by_destination { "daddr" } else { "saddr" };
            let word = if limit.not { "upto" } else { "above" };
            let count = limit.value;
            let _ = write!(out, " -m connlimit --connlimit-{word} {count} --connlimit-mask {mask} --connlimit-{side}");
        }
        Match::Helper(helper) => {
            out.push_str(" -m helper");
            push_not(out, helper.not);
            out.push_str(" --helper");
            push_string(out, &helper.value);
        }
        Match::Cluster { total, node_mask, seed } => {
            out.push_str(" -m cluster");
            push_inv(
                out,
                Inv { not: node_mask.not, value: format!("{:#010x}", node_mask.value) },
                "cluster-local-nodemask",
            );
            let _ = write!(out, " --cluster-total-nodes {total} --cluster-hash-seed {seed:#010x}");
        }
        _ => {}
    }
}
