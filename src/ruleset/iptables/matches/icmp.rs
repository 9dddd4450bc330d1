//! `icmp` and `icmp6`: types and codes by number or name.

use super::push_inv;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::Opt;
use crate::ruleset::iptables::values;
use crate::ruleset::model::Family;
use crate::ruleset::xt::{Inv, Match, Range};

pub(super) static ALL: &[Extension<Match>] = &[
    Extension::new("icmp", &[Opt::value("icmp-type").not()], |o| {
        Ok(Match::Icmp { icmp_type: o.need_inv("icmp-type", |text| read(text, V4))? })
    })
    .v4()
    .protocols(&["icmp"]),
    Extension::new("icmp6", &[Opt::value("icmpv6-type").not()], |o| {
        Ok(Match::Icmp { icmp_type: o.need_inv("icmpv6-type", |text| read(text, V6))? })
    })
    .v6()
    .or(&["icmpv6", "ipv6-icmp"])
    .protocols(&["ipv6-icmp"]),
];

const ANY: Range<u8> = Range { low: 0, high: u8::MAX };

/// Name, type, and code (`None` for every one).
type Name = (&'static str, u8, Option<u8>);

/// Names of `libipt_icmp`.
const V4: &[Name] = &[
    ("any", 255, None),
    ("echo-reply", 0, None),
    ("pong", 0, None),
    ("destination-unreachable", 3, None),
    ("network-unreachable", 3, Some(0)),
    ("host-unreachable", 3, Some(1)),
    ("protocol-unreachable", 3, Some(2)),
    ("port-unreachable", 3, Some(3)),
    ("fragmentation-needed", 3, Some(4)),
    ("source-route-failed", 3, Some(5)),
    ("network-unknown", 3, Some(6)),
    ("host-unknown", 3, Some(7)),
    ("network-prohibited", 3, Some(9)),
    ("host-prohibited", 3, Some(10)),
    ("TOS-network-unreachable", 3, Some(11)),
    ("TOS-host-unreachable", 3, Some(12)),
    ("communication-prohibited", 3, Some(13)),
    ("host-precedence-violation", 3, Some(14)),
    ("precedence-cutoff", 3, Some(15)),
    ("source-quench", 4, None),
    ("redirect", 5, None),
    ("network-redirect", 5, Some(0)),
    ("host-redirect", 5, Some(1)),
    ("TOS-network-redirect", 5, Some(2)),
    ("TOS-host-redirect", 5, Some(3)),
    ("echo-request", 8, None),
    ("ping", 8, None),
    ("router-advertisement", 9, None),
    ("router-solicitation", 10, None),
    ("time-exceeded", 11, None),
    ("ttl-exceeded", 11, None),
    ("ttl-zero-during-transit", 11, Some(0)),
    ("ttl-zero-during-reassembly", 11, Some(1)),
    ("parameter-problem", 12, None),
    ("ip-header-bad", 12, Some(0)),
    ("required-option-missing", 12, Some(1)),
    ("timestamp-request", 13, None),
    ("timestamp-reply", 14, None),
    ("address-mask-request", 17, None),
    ("address-mask-reply", 18, None),
];

/// Names of `libip6t_icmp6`.
const V6: &[Name] = &[
    ("destination-unreachable", 1, None),
    ("no-route", 1, Some(0)),
    ("communication-prohibited", 1, Some(1)),
    ("beyond-scope", 1, Some(2)),
    ("address-unreachable", 1, Some(3)),
    ("port-unreachable", 1, Some(4)),
    ("failed-policy", 1, Some(5)),
    ("reject-route", 1, Some(6)),
    ("packet-too-big", 2, None),
    ("time-exceeded", 3, None),
    ("ttl-exceeded", 3, None),
    ("ttl-zero-during-transit", 3, Some(0)),
    ("ttl-zero-during-reassembly", 3, Some(1)),
    ("parameter-problem", 4, None),
    ("bad-header", 4, Some(0)),
    ("unknown-header-type", 4, Some(1)),
    ("unknown-option", 4, Some(2)),
    ("echo-request", 128, None),
    ("ping", 128, None),
    ("echo-reply", 129, None),
    ("pong", 129, None),
    ("router-solicitation", 133, None),
    ("router-advertisement", 134, None),
    ("neighbour-solicitation", 135, None),
    ("neighbor-solicitation", 135, None),
    ("neighbour-advertisement", 136, None),
    ("neighbor-advertisement", 136, None),
    ("redirect", 137, None),
];

fn read(text: &str, names: &[Name]) -> Result<(u8, Range<u8>), String> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let Some((kind, code)) = text.split_once('/') else { return Ok((values::u8(text)?, ANY)) };
        let code = values::u8(code)?;
        return Ok((values::u8(kind)?, Range { low: code, high: code }));
    }
    let begins = |name: &str| name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
    let mut found = names.iter().filter(|(name, _, _)| !text.is_empty() && begins(name));
    let exact = names.iter().find(|(name, _, _)| name.eq_ignore_ascii_case(text));
    match (exact.or_else(|| found.next()), found.next()) {
        (Some((name, _, _)), Some((other, _, _))) if exact.is_none() => {
            Err(format!("`{text}` may be short for `{name}` or `{other}`"))
        }
        (Some(&(_, kind, code)), _) => Ok((kind, code.map_or(ANY, |code| Range { low: code, high: code }))),
        (None, _) => Err(format!("`{text}` is neither the name of an ICMP type nor `type` or `type/code` in numbers")),
    }
}

pub(super) fn print(out: &mut String, icmp_type: &Inv<(u8, Range<u8>)>, family: Family) {
    let (kind, code) = icmp_type.value;
    let any = family == Family::Ip && kind == 255;
    let value = match (any, code == ANY) {
        (true, _) => "any".to_owned(),
        (false, true) => kind.to_string(),
        (false, false) => format!("{kind}/{}", code.low),
    };
    let (name, option) = if family == Family::Ip6 { ("icmp6", "icmpv6-type") } else { ("icmp", "icmp-type") };
    out.push_str(" -m ");
    out.push_str(name);
    push_inv(out, Inv { not: icmp_type.not, value }, option);
}
