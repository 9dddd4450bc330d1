//! Headers between IPv6 and the transport: `ah`, `dst`, `hbh`, `frag`, `ipv6header`, `mh`, `rt`, `eui64`; `ah` of IPv4.

use super::ports::push_spi;
use super::{push_if, push_inv, push_some, span_inv};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::address;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::print::push_not;
use crate::ruleset::iptables::values::{self, push_bits};
use crate::ruleset::model::Family;
use crate::ruleset::xt::{Inv, Match, Range};
use std::fmt::Write;
use std::net::IpAddr;

pub(super) static ALL: &[Extension<Match>] = &[
    Extension::new("ah", &[Opt::value("ahspi").not()], |o| {
        let spi = o.inv("ahspi", values::range_u32)?.unwrap_or(ANY);
        Ok(Match::Ah { spi, length: None, reserved: false })
    })
    .v4()
    .protocols(&["ah"]),
    Extension::new("ah", &[Opt::value("ahspi").not(), Opt::value("ahlen").not(), Opt::flag("ahres")], |o| {
        Ok(Match::Ah {
            spi: o.inv("ahspi", values::range_u32)?.unwrap_or(ANY),
            length: o.inv("ahlen", values::u32)?,
            reserved: o.flag("ahres"),
        })
    })
    .v6(),
    Extension::new("dst", &[Opt::value("dst-len").not(), Opt::value("dst-opts"), Opt::flag("dst-not-strict")], |o| {
        let (length, options, strict) = header_options(o, ["dst-len", "dst-opts", "dst-not-strict"])?;
        Ok(Match::Dst { length, options, strict })
    })
    .v6(),
    Extension::new("hbh", &[Opt::value("hbh-len").not(), Opt::value("hbh-opts"), Opt::flag("hbh-not-strict")], |o| {
        let (length, options, strict) = header_options(o, ["hbh-len", "hbh-opts", "hbh-not-strict"])?;
        Ok(Match::Hbh { length, options, strict })
    })
    .v6(),
    Extension::new("eui64", &[], |_| Ok(Match::Eui64)).v6(),
    Extension::new(
        "frag",
        &[
            Opt::value("fragid").not(),
            Opt::value("fraglen").not(),
            Opt::flag("fragres"),
            Opt::flag("fragfirst"),
            Opt::flag("fragmore"),
            Opt::flag("fraglast"),
        ],
        frag,
    )
    .v6(),
    Extension::new("ipv6header", &[Opt::value("header").not(), Opt::flag("soft")], |o| {
        let headers = o.need_inv("header", |text| values::bits(&text.to_ascii_lowercase(), HEADERS))?;
        let headers = Inv { not: headers.not, value: headers.value as u8 };
        Ok(Match::Ipv6Header { headers, soft: o.flag("soft") })
    })
    .v6(),
    Extension::new("mh", &[Opt::value("mh-type").not()], |o| {
        let types = o.inv("mh-type", mobility_types)?;
        Ok(Match::Mh(types.unwrap_or(Inv { not: false, value: Range { low: 0, high: u8::MAX } })))
    })
    .v6()
    .protocols(&["mobility-header"]),
    Extension::new(
        "rt",
        &[
            Opt::value("rt-type").not(),
            Opt::value("rt-segsleft").not(),
            Opt::value("rt-len").not(),
            Opt::flag("rt-0-res"),
            Opt::value("rt-0-addrs"),
            Opt::flag("rt-0-not-strict"),
        ],
        rt,
    )
    .v6(),
];

const ANY: Inv<Range<u32>> = Inv { not: false, value: Range { low: 0, high: u32::MAX } };

/// `MASK_*` of `ip6t_ipv6header.h`, first by the names that are printed.
const HEADERS: &[(&str, u32)] = &[
    ("hop-by-hop", 128),
    ("ipv6-opts", 64),
    ("ipv6-route", 32),
    ("ipv6-frag", 16),
    ("ah", 8),
    ("esp", 4),
    ("ipv6-nonxt", 2),
    ("protocol", 1),
    ("hop", 128),
    ("dst", 64),
    ("route", 32),
    ("frag", 16),
    ("auth", 8),
    ("none", 2),
    ("prot", 1),
    ("0", 128),
    ("60", 64),
    ("43", 32),
    ("44", 16),
    ("51", 8),
    ("50", 4),
    ("59", 2),
    ("255", 1),
];

const MOBILITY: &[(&str, u8)] = &[
    ("binding-refresh-request", 0),
    ("brr", 0),
    ("home-test-init", 1),
    ("hoti", 1),
    ("careof-test-init", 2),
    ("coti", 2),
    ("home-test", 3),
    ("hot", 3),
    ("careof-test", 4),
    ("cot", 4),
    ("binding-update", 5),
    ("bu", 5),
    ("binding-acknowledgement", 6),
    ("ba", 6),
    ("binding-error", 7),
    ("be", 7),
];

type HeaderOptions = (Option<Inv<u32>>, Vec<(u8, Option<u8>)>, bool);

fn header_options(o: &Options<'_>, [length, list, loose]: [&str; 3]) -> Result<HeaderOptions, RuleError> {
    let options = o.value(list, |text| {
        let options: Result<Vec<_>, String> = text.split(',').map(header_option).collect();
        options.and_then(|options| if options.len() > 16 { Err("more than 16 options".into()) } else { Ok(options) })
    })?;
    Ok((o.inv(length, values::u32)?, options.unwrap_or_default(), !o.flag(loose)))
}

/// `type[:length]`.
fn header_option(text: &str) -> Result<(u8, Option<u8>), String> {
    match text.split_once(':') {
        Some((kind, length)) => Ok((values::u8(kind)?, Some(values::u8(length)?))),
        None => Ok((values::u8(text)?, None)),
    }
}

fn frag(o: &Options<'_>) -> Result<Match, RuleError> {
    let more = o.one_of(&["fragmore", "fraglast"])?.map(|given| given.option.name == "fragmore");
    Ok(Match::Frag {
        id: o.inv("fragid", values::range_u32)?.unwrap_or(ANY),
        length: o.inv("fraglen", values::u32)?,
        reserved: o.flag("fragres"),
        first: o.flag("fragfirst").then_some(true),
        more,
    })
}

fn mobility_types(text: &str) -> Result<Range<u8>, String> {
    let one = |text: &str| values::u8(text).or_else(|_| values::word_of(text, MOBILITY));
    match text.split_once(':') {
        None => one(text).map(|value| Range { low: value, high: value }),
        Some((low, high)) => {
            let low = if low.is_empty() { 0 } else { one(low)? };
            let high = if high.is_empty() { u8::MAX } else { one(high)? };
            if low > high { Err(format!("the range `{text}` ends before it begins")) } else { Ok(Range { low, high }) }
        }
    }
}

fn rt(o: &Options<'_>) -> Result<Match, RuleError> {
    let routing_type = o.inv("rt-type", values::u32)?;
    let type0 = routing_type.is_some_and(|kind| kind.value == 0 && !kind.not);
    if let Some(given) = ["rt-0-res", "rt-0-addrs", "rt-0-not-strict"].iter().find_map(|name| o.find(name))
        && !type0
    {
        return Err(o.fault(&given.word, format!("`--rt-type 0` is needed with --{}", given.option.name)));
    }
    let addresses: Vec<IpAddr> = o
        .value("rt-0-addrs", |text| text.split(',').map(|one| address::address(one, Family::Ip6)).collect())?
        .unwrap_or_default();
    if addresses.len() > 16 {
        return Err(o.fault(o.at, "--rt-0-addrs: more than 16 addresses"));
    }
    if o.flag("rt-0-not-strict") && addresses.is_empty() {
        return Err(o.missing("--rt-0-addrs (with --rt-0-not-strict)"));
    }
    Ok(Match::Rt {
        routing_type,
        segments_left: o.inv("rt-segsleft", values::range_u32)?.unwrap_or(ANY),
        length: o.inv("rt-len", values::u32)?,
        reserved: o.flag("rt-0-res"),
        addresses,
        not_strict: o.flag("rt-0-not-strict"),
    })
}

pub(super) fn print(out: &mut String, one: &Match, family: Family) {
    match one {
        Match::Ah { spi, length, reserved } => {
            out.push_str(" -m ah");
            push_spi(out, spi, "ahspi");
            if family == Family::Ip6 {
                push_some(out, *length, "ahlen");
                push_if(out, *reserved, "ahres");
            }
        }
        Match::Dst { length, options, strict } => print_options(out, "dst", *length, options, *strict),
        Match::Hbh { length, options, strict } => print_options(out, "hbh", *length, options, *strict),
        Match::Eui64 => out.push_str(" -m eui64"),
        Match::Frag { id, length, reserved, first, more } => {
            out.push_str(" -m frag");
            push_spi(out, id, "fragid");
            push_some(out, *length, "fraglen");
            push_if(out, *reserved, "fragres");
            push_if(out, *first == Some(true), "fragfirst");
            push_if(out, *more == Some(true), "fragmore");
            push_if(out, *more == Some(false), "fraglast");
        }
        Match::Ipv6Header { headers, soft } => {
            out.push_str(" -m ipv6header");
            push_not(out, headers.not);
            out.push_str(" --header ");
            push_bits(out, headers.value.into(), HEADERS.get(..8).unwrap_or_default());
            push_if(out, *soft, "soft");
        }
        Match::Mh(types) => {
            out.push_str(" -m mh");
            if types.not || types.value != (Range { low: 0, high: u8::MAX }) {
                push_inv(out, span_inv(types), "mh-type");
            }
        }
        Match::Rt { routing_type, segments_left, length, reserved, addresses, not_strict } => {
            out.push_str(" -m rt");
            push_some(out, *routing_type, "rt-type");
            push_spi(out, segments_left, "rt-segsleft");
            push_some(out, *length, "rt-len");
            push_if(out, *reserved, "rt-0-res");
            if !addresses.is_empty() {
                let list: Vec<String> = addresses.iter().map(|&one| address::text(one)).collect();
                let _ = write!(out, " --rt-0-addrs {}", list.join(","));
            }
            push_if(out, *not_strict, "rt-0-not-strict");
        }
        _ => {}
    }
}

fn print_options(out: &mut String, name: &str, length: Option<Inv<u32>>, options: &[(u8, Option<u8>)], strict: bool) {
    let _ = write!(out, " -m {name}");
    push_some(out, length, &format!("{name}-len"));
    if !options.is_empty() {
        let text = |&(kind, length): &(u8, Option<u8>)| match length {
            Some(length) => format!("{kind}:{length}"),
            None => kind.to_string(),
        };
        let list: Vec<String> = options.iter().map(text).collect();
        let _ = write!(out, " --{name}-opts {}", list.join(","));
    }
    push_if(out, !strict, &format!("{name}-not-strict"));
}
