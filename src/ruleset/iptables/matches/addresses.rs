//! `addrtype`, `iprange`, `mac`, `pkttype`, `physdev`: where a packet comes from and goes to.

use super::{push_flag, push_if, push_some};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::address;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::print::{interface, push_not};
use crate::ruleset::iptables::values::{self, push_bits, word_of};
use crate::ruleset::xt::{Inv, Match, Range};
use std::fmt::Write;
use std::net::IpAddr;

pub(super) static ALL: &[Extension<Match>] = &[
    Extension::new(
        "addrtype",
        &[
            Opt::value("src-type").not(),
            Opt::value("dst-type").not(),
            Opt::flag("limit-iface-in"),
            Opt::flag("limit-iface-out"),
        ],
        addrtype,
    ),
    Extension::new("iprange", &[Opt::value("src-range").not(), Opt::value("dst-range").not()], iprange),
    Extension::new("mac", &[Opt::value("mac-source").not()], |o| Ok(Match::Mac(o.need_inv("mac-source", mac)?)))
        .chains(&["PREROUTING", "INPUT", "FORWARD"]),
    Extension::new("pkttype", &[Opt::value("pkt-type").not()], |o| {
        Ok(Match::PktType(o.need_inv("pkt-type", |text| word_of(text, PACKET_TYPES))?))
    }),
    Extension::new(
        "physdev",
        &[
            Opt::value("physdev-in").not(),
            Opt::value("physdev-out").not(),
            Opt::flag("physdev-is-in").not(),
            Opt::flag("physdev-is-out").not(),
            Opt::flag("physdev-is-bridged").not(),
        ],
        physdev,
    ),
];

/// Types of routes, by the bit of their number (`RTN_*`).
const ROUTE_TYPES: &[(&str, u32)] = &[
    ("UNSPEC", 1),
    ("UNICAST", 1 << 1),
    ("LOCAL", 1 << 2),
    ("BROADCAST", 1 << 3),
    ("ANYCAST", 1 << 4),
    ("MULTICAST", 1 << 5),
    ("BLACKHOLE", 1 << 6),
    ("UNREACHABLE", 1 << 7),
    ("PROHIBIT", 1 << 8),
    ("THROW", 1 << 9),
    ("NAT", 1 << 10),
    ("XRESOLVE", 1 << 11),
];

/// Types that the kernel refuses for IPv6.
const NOT_IN_IPV6: u32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11;

const PACKET_TYPES: &[(&str, u8)] =
    &[("unicast", 0), ("broadcast", 1), ("multicast", 2), ("otherhost", 3), ("host", 0), ("bcast", 1), ("mcast", 2)];

fn addrtype(o: &Options<'_>) -> Result<Match, RuleError> {
    let types = |text: &str| values::bits(text, ROUTE_TYPES).map(|bits| bits as u16);
    let (src, dst) = (o.inv("src-type", types)?, o.inv("dst-type", types)?);
    if src.is_none() && dst.is_none() {
        return Err(o.missing("--src-type or --dst-type"));
    }
    let asked = src.map_or(0, |types| types.value) | dst.map_or(0, |types| types.value);
    if o.v6() && u32::from(asked) & NOT_IN_IPV6 != 0 {
        return Err(o.fault(o.at, "IPv6 knows no types BROADCAST, BLACKHOLE, PROHIBIT, THROW, NAT, XRESOLVE"));
    }
    o.one_of(&["limit-iface-in", "limit-iface-out"])?;
    let (limit_iface_in, limit_iface_out) = (o.flag("limit-iface-in"), o.flag("limit-iface-out"));
    Ok(Match::AddrType { src, dst, limit_iface_in, limit_iface_out })
}

fn iprange(o: &Options<'_>) -> Result<Match, RuleError> {
    let span = |text: &str| address::span(text, o.env.family);
    let (src, dst) = (o.inv("src-range", span)?, o.inv("dst-range", span)?);
    if src.is_none() && dst.is_none() {
        return Err(o.missing("--src-range or --dst-range"));
    }
    Ok(Match::IpRange { src, dst })
}

fn mac(text: &str) -> Result<[u8; 6], String> {
    let wrong = || format!("`{text}` is not a hardware address: six numbers such as 00:11:22:aa:bb:cc");
    let mut octets = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut octets {
        let part = parts.next().filter(|part| (1..=2).contains(&part.len())).ok_or_else(wrong)?;
        *octet = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
    }
    if parts.next().is_some() { Err(wrong()) } else { Ok(octets) }
}

fn physdev(o: &Options<'_>) -> Result<Match, RuleError> {
    let (in_if, out_if) = (o.inv("physdev-in", values::interface)?, o.inv("physdev-out", values::interface)?);
    let is_in = o.inv_flag("physdev-is-in");
    let is_out = o.inv_flag("physdev-is-out");
    let is_bridged = o.inv_flag("physdev-is-bridged");
    if in_if.is_none() && out_if.is_none() && is_in.is_none() && is_out.is_none() && is_bridged.is_none() {
        return Err(o.missing("an option"));
    }
    Ok(Match::PhysDev { in_if, out_if, is_in, is_out, is_bridged })
}

pub(super) fn print(out: &mut String, one: &Match) {
    match one {
        Match::AddrType { src, dst, limit_iface_in, limit_iface_out } => {
            out.push_str(" -m addrtype");
            for (types, option) in [(src, "src-type"), (dst, "dst-type")] {
                let Some(types) = types else { continue };
                push_not(out, types.not);
                let _ = write!(out, " --{option} ");
                push_bits(out, types.value.into(), ROUTE_TYPES);
            }
            push_if(out, *limit_iface_in, "limit-iface-in");
            push_if(out, *limit_iface_out, "limit-iface-out");
        }
        Match::IpRange { src, dst } => {
            out.push_str(" -m iprange");
            push_range(out, src.as_ref(), "src-range");
            push_range(out, dst.as_ref(), "dst-range");
        }
        Match::Mac(Inv { not, value: [a, b, c, d, e, f] }) => {
            out.push_str(" -m mac");
            push_not(out, *not);
            let _ = write!(out, " --mac-source {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
        }
        Match::PktType(kind) => {
            out.push_str(" -m pkttype");
            let name = PACKET_TYPES.iter().find(|(_, number)| *number == kind.value).map_or("", |&(name, _)| name);
            push_some(out, Some(Inv { not: kind.not, value: name }), "pkt-type");
        }
        Match::PhysDev { in_if, out_if, is_in, is_out, is_bridged } => {
            out.push_str(" -m physdev");
            push_flag(out, *is_in, "physdev-is-in");
            let name = |name: &Option<Inv<_>>| name.as_ref().map(|n| Inv { not: n.not, value: interface(&n.value) });
            push_some(out, name(in_if), "physdev-in");
            push_flag(out, *is_out, "physdev-is-out");
            push_some(out, name(out_if), "physdev-out");
            push_flag(out, *is_bridged, "physdev-is-bridged");
        }
        _ => {}
    }
}

fn push_range(out: &mut String, range: Option<&Inv<Range<IpAddr>>>, option: &str) {
    let text = |range: &Range<IpAddr>| format!("{}-{}", address::text(range.low), address::text(range.high));
    push_some(out, range.map(|range| Inv { not: range.not, value: text(&range.value) }), option);
}
