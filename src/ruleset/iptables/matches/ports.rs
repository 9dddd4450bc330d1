//! `tcp`, `udp`, `multiport`, `dccp`, `esp`, `tcpmss`: ports and what else stands in the transport header.

use super::{push_some, span, span_inv};
use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::extension::Extension;
use crate::ruleset::iptables::options::{Opt, Options};
use crate::ruleset::iptables::print::push_not;
use crate::ruleset::iptables::values::{self, port, port_range, push_bits};
use crate::ruleset::xt::{Inv, Match, PortSide, Range};
use std::fmt::Write;

const SPORT: Opt = Opt::value("source-port").or(&["sport"]).not();
const DPORT: Opt = Opt::value("destination-port").or(&["dport"]).not();

pub(super) static ALL: &[Extension<Match>] = &[
    Extension::new(
        "tcp",
        &[SPORT, DPORT, Opt::flag("syn").not(), Opt::pair("tcp-flags").not(), Opt::value("tcp-option").not()],
        tcp,
    )
    .protocols(&["tcp"]),
    Extension::new("udp", &[SPORT, DPORT], |o| Ok(Match::Udp { sports: sports(o)?, dports: dports(o)? }))
        .protocols(&["udp"]),
    Extension::new(
        "multiport",
        &[
            Opt::value("source-ports").or(&["sports"]).not(),
            Opt::value("destination-ports").or(&["dports"]).not(),
            Opt::value("ports").not(),
        ],
        multiport,
    )
    .protocols(&["tcp", "udp", "udplite", "sctp", "dccp"]),
    Extension::new("dccp", &[SPORT, DPORT, Opt::value("dccp-types").not(), Opt::value("dccp-option").not()], |o| {
        Ok(Match::Dccp {
            sports: sports(o)?,
            dports: dports(o)?,
            types: o.inv("dccp-types", |text| values::bits(text, DCCP_TYPES).map(|bits| bits as u16))?,
            option: o.inv("dccp-option", |text| values::number_in(text, 1, 255).map(|value| value as u8))?,
        })
    })
    .protocols(&["dccp"]),
    Extension::new("esp", &[Opt::value("espspi").not()], |o| {
        Ok(Match::Esp { spi: o.inv("espspi", values::range_u32)?.unwrap_or(ANY_U32) })
    })
    .protocols(&["esp"]),
    Extension::new("tcpmss", &[Opt::value("mss").not()], |o| Ok(Match::TcpMss(o.need_inv("mss", values::range_u16)?)))
        .protocols(&["tcp"]),
];

const ANY_U32: Inv<Range<u32>> = Inv { not: false, value: Range { low: 0, high: u32::MAX } };

/// As printed: from FIN up.
const TCP_FLAGS: &[(&str, u32)] =
    &[("FIN", 1), ("SYN", 2), ("RST", 4), ("PSH", 8), ("ACK", 16), ("URG", 32), ("ALL", 63), ("NONE", 0)];

const DCCP_TYPES: &[(&str, u32)] = &[
    ("REQUEST", 1),
    ("RESPONSE", 1 << 1),
    ("DATA", 1 << 2),
    ("ACK", 1 << 3),
    ("DATAACK", 1 << 4),
    ("CLOSEREQ", 1 << 5),
    ("CLOSE", 1 << 6),
    ("RESET", 1 << 7),
    ("SYNC", 1 << 8),
    ("SYNCACK", 1 << 9),
    ("INVALID", 1 << 10),
];

type Ports = Option<Inv<Range<u16>>>;

/// `--sport`; every port is no condition.
pub(super) fn sports(o: &Options<'_>) -> Result<Ports, RuleError> {
    ports_of(o, "source-port")
}

/// `--dport`; every port is no condition.
pub(super) fn dports(o: &Options<'_>) -> Result<Ports, RuleError> {
    ports_of(o, "destination-port")
}

fn ports_of(o: &Options<'_>, option: &str) -> Result<Ports, RuleError> {
    let every = Range { low: 0, high: u16::MAX };
    Ok(o.inv(option, port_range)?.filter(|ports| ports.not || ports.value != every))
}

fn tcp(o: &Options<'_>) -> Result<Match, RuleError> {
    let flags = match o.one_of(&["syn", "tcp-flags"])? {
        Some(given) if given.option.name == "syn" => Some(Inv { not: given.not, value: (0x17, 0x02) }),
        Some(given) => {
            let read = |text: &str| match text {
                "" => Err("flags are expected".to_owned()),
                _ => values::bits(text, TCP_FLAGS).map(|bits| bits as u8),
            };
            let mask = o.read_word(given, given.first(), read)?;
            let set = o.read_word(given, given.second(), read)?;
            Some(Inv { not: given.not, value: (mask, set) })
        }
        None => None,
    };
    let option = o.inv("tcp-option", |text| values::number_in(text, 1, 255).map(|value| value as u8))?;
    // No flag to look at and none to be set is no condition.
    let flags = flags.filter(|flags| flags.not || flags.value != (0, 0));
    Ok(Match::Tcp { sports: sports(o)?, dports: dports(o)?, flags, option })
}

fn multiport(o: &Options<'_>) -> Result<Match, RuleError> {
    let given = o.one_of(&["source-ports", "destination-ports", "ports"])?;
    let given = given.ok_or_else(|| o.missing("--sports, --dports or --ports"))?;
    let side = match given.option.name {
        "source-ports" => PortSide::Source,
        "destination-ports" => PortSide::Destination,
        _ => PortSide::Either,
    };
    let mut ports = Vec::new();
    let mut slots = 0;
    for item in given.first().text.split(',') {
        let (range, needs) = match item.split_once(':') {
            None => (o.read(given, |_| port(item).map(|value| Range { low: value, high: value }))?, 1),
            Some((low, high)) => {
                let (low, high) = (o.read(given, |_| port(low))?, o.read(given, |_| port(high))?);
                if low >= high {
                    return Err(o.fault(given.first(), format!("the range `{item}` does not end after it begins")));
                }
                (Range { low, high }, 2)
            }
        };
        ports.push(range);
        slots += needs;
        if slots > 15 {
            return Err(o.fault(given.first(), "too many ports: 15 are possible, a range counts as two"));
        }
    }
    Ok(Match::MultiPort { side, ports: Inv { not: given.not, value: ports } })
}

pub(super) fn print(out: &mut String, one: &Match) {
    match one {
        Match::Tcp { sports, dports, flags, option } => {
            out.push_str(" -m tcp");
            push_ports(out, sports, dports);
            push_some(out, *option, "tcp-option");
            if let Some(flags) = flags {
                push_not(out, flags.not);
                out.push_str(" --tcp-flags ");
                push_flags(out, flags.value.0);
                out.push(' ');
                push_flags(out, flags.value.1);
            }
        }
        Match::Udp { sports, dports } => {
            out.push_str(" -m udp");
            push_ports(out, sports, dports);
        }
        Match::MultiPort { side, ports } => {
            out.push_str(" -m multiport");
            push_not(out, ports.not);
            let list: Vec<String> = ports.value.iter().map(span).collect();
            let option = match side {
                PortSide::Source => "sports",
                PortSide::Destination => "dports",
                PortSide::Either => "ports",
            };
            let _ = write!(out, " --{option} {}", list.join(","));
        }
        Match::Dccp { sports, dports, types, option } => {
            out.push_str(" -m dccp");
            push_ports(out, sports, dports);
            if let Some(types) = types {
                push_not(out, types.not);
                out.push_str(" --dccp-types ");
                push_bits(out, types.value.into(), DCCP_TYPES);
            }
            push_some(out, *option, "dccp-option");
        }
        Match::Esp { spi } => {
            out.push_str(" -m esp");
            push_spi(out, spi, "espspi");
        }
        Match::TcpMss(mss) => {
            out.push_str(" -m tcpmss");
            push_some(out, Some(span_inv(mss)), "mss");
        }
        _ => {}
    }
}

/// Every index and no inversion is no condition, and not printed.
pub(super) fn push_spi(out: &mut String, spi: &Inv<Range<u32>>, option: &str) {
    if *spi != ANY_U32 {
        push_some(out, Some(span_inv(spi)), option);
    }
}

/// `--sport … --dport …`.
pub(super) fn push_ports(out: &mut String, sports: &Ports, dports: &Ports) {
    for (ports, option) in [(sports, "sport"), (dports, "dport")] {
        // Every port is not printed, not even inverted.
        let every = |ports: &&Inv<Range<u16>>| ports.value == Range { low: 0, high: u16::MAX };
        push_some(out, ports.as_ref().filter(|ports| !every(ports)).map(span_inv), option);
    }
}

fn push_flags(out: &mut String, flags: u8) {
    if flags == 0 {
        out.push_str("NONE");
    } else {
        push_bits(out, flags.into(), TCP_FLAGS.get(..6).unwrap_or_default());
    }
}
