//! `conntrack` and `state`.

use super::{push_some, span_inv};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::address;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::print::push_not;
use crate::ruleset::iptables::values::{self, port_range, push_bits, word_of};
use crate::ruleset::model::Family;
use crate::ruleset::xt::{ConnTrack, CtState, Inv, Masked, Match};
use std::fmt::Write;

pub(super) static ALL: &[Extension<Match>] = &[
    Extension::new(
        "conntrack",
        &[
            Opt::value("ctstate").not(),
            Opt::value("ctproto").not(),
            Opt::value("ctorigsrc").not(),
            Opt::value("ctorigdst").not(),
            Opt::value("ctreplsrc").not(),
            Opt::value("ctrepldst").not(),
            Opt::value("ctorigsrcport").not(),
            Opt::value("ctorigdstport").not(),
            Opt::value("ctreplsrcport").not(),
            Opt::value("ctrepldstport").not(),
            Opt::value("ctstatus").not(),
            Opt::value("ctexpire").not(),
            Opt::value("ctdir"),
        ],
        conntrack,
    ),
    Extension::new("state", &[Opt::value("state").not()], |o| {
        Ok(Match::State(o.need_inv("state", |text| states(text, STATES.get(..5).unwrap_or_default()))?))
    }),
];

/// In the order of printing.
const STATES: &[(&str, u32)] = &[
    ("INVALID", CtState::INVALID as u32),
    ("NEW", CtState::NEW as u32),
    ("RELATED", CtState::RELATED as u32),
    ("ESTABLISHED", CtState::ESTABLISHED as u32),
    ("UNTRACKED", CtState::UNTRACKED as u32),
    ("SNAT", CtState::SNAT as u32),
    ("DNAT", CtState::DNAT as u32),
];

/// `IPS_*`.
const STATUSES: &[(&str, u32)] = &[("EXPECTED", 1), ("SEEN_REPLY", 2), ("ASSURED", 4), ("CONFIRMED", 8), ("NONE", 0)];

fn states(text: &str, known: &[(&str, u32)]) -> Result<u8, String> {
    values::bits(text, known).map(|bits| bits as u8)
}

fn conntrack(o: &Options<'_>) -> Result<Match, RuleError> {
    if o.given.is_empty() {
        return Err(o.missing("an option"));
    }
    let network = |text: &str| {
        let network = address::network_as_written(text, o.env.family)?;
        Ok(Masked { mask: address::prefix_mask(length_taken(network), o.env.family), ..network })
    };
    Ok(Match::ConnTrack(Box::new(ConnTrack {
        state: o.inv("ctstate", |text| states(text, STATES))?,
        status: o.inv("ctstatus", |text| values::bits(text, STATUSES))?,
        protocol: o.inv("ctproto", values::protocol)?,
        orig_src: o.inv("ctorigsrc", network)?,
        orig_dst: o.inv("ctorigdst", network)?,
        repl_src: o.inv("ctreplsrc", network)?,
        repl_dst: o.inv("ctrepldst", network)?,
        orig_src_port: o.inv("ctorigsrcport", port_range)?,
        orig_dst_port: o.inv("ctorigdstport", port_range)?,
        repl_src_port: o.inv("ctreplsrcport", port_range)?,
        repl_dst_port: o.inv("ctrepldstport", port_range)?,
        expire: o.inv("ctexpire", values::range_u32)?,
        original: o
            .inv("ctdir", |text| word_of(text, &[("ORIGINAL", true), ("REPLY", false)]))?
            .map(|direction| Inv { not: false, ..direction }),
    })))
}

/// The mask as a length: one with gaps is taken whole by this extension (it is printed without a mask).
fn length_taken(network: Masked) -> u8 {
    address::mask_length(network.mask).unwrap_or(if network.mask.is_ipv4() { 32 } else { 128 })
}

pub(super) fn print(out: &mut String, ct: &ConnTrack, family: Family) {
    out.push_str(" -m conntrack");
    if let Some(state) = ct.state {
        push_states(out, state, "ctstate");
    }
    push_some(out, ct.protocol, "ctproto");
    let addresses = [
        (ct.orig_src, "ctorigsrc"),
        (ct.orig_dst, "ctorigdst"),
        (ct.repl_src, "ctreplsrc"),
        (ct.repl_dst, "ctrepldst"),
    ];
    for (network, option) in addresses {
        push_some(out, network.map(|n| Inv { not: n.not, value: network_text(n.value, family) }), option);
    }
    let ports = [
        (ct.orig_src_port, "ctorigsrcport"),
        (ct.orig_dst_port, "ctorigdstport"),
        (ct.repl_src_port, "ctreplsrcport"),
        (ct.repl_dst_port, "ctrepldstport"),
    ];
    for (ports, option) in ports {
        push_some(out, ports.as_ref().map(span_inv), option);
    }
    if let Some(status) = ct.status {
        push_not(out, status.not);
        out.push_str(" --ctstatus ");
        if status.value == 0 {
            out.push_str("NONE");
        } else {
            push_bits(out, status.value, STATUSES);
        }
    }
    push_some(out, ct.expire.as_ref().map(span_inv), "ctexpire");
    push_some(out, ct.original.map(|o| Inv { not: o.not, value: if o.value { "ORIGINAL" } else { "REPLY" } }), "ctdir");
}

fn network_text(network: Masked, family: Family) -> String {
    let length = address::mask_length(network.mask).filter(|&length| length != address::bits(family));
    let mut text = address::text(network.addr);
    if let Some(length) = length {
        let _ = write!(text, "/{length}");
    }
    text
}

fn push_states(out: &mut String, states: Inv<u8>, option: &str) {
    push_not(out, states.not);
    let _ = write!(out, " --{option} ");
    push_bits(out, states.value.into(), STATES);
}

pub(super) fn print_state(out: &mut String, state: &Inv<u8>) {
    out.push_str(" -m state");
    push_states(out, *state, "state");
}
