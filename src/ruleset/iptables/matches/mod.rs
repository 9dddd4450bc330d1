//! Match extensions: options into [`Match`], and [`Match`] printed.

mod addresses;
mod connections;
mod conntrack;
mod icmp;
mod ipv6;
mod marks;
mod miscellany;
mod packet;
mod passed;
mod ports;
mod rates;
mod recent;
mod sctp;
mod sets;
mod strings;
mod time;
mod u32_tests;

use super::extension::Extension;
use super::print::push_not;
use super::quoting::push_string;
use crate::ruleset::model::Family;
use crate::ruleset::xt::{Inv, Match, Range};
use std::fmt::{Display, Write};

/// Every match.
pub(super) static ALL: &[&[Extension<Match>]] = &[
    ports::ALL,
    addresses::ALL,
    connections::ALL,
    conntrack::ALL,
    icmp::ALL,
    ipv6::ALL,
    marks::ALL,
    miscellany::ALL,
    packet::ALL,
    passed::ALL,
    rates::ALL,
    recent::ALL,
    sctp::ALL,
    sets::ALL,
    strings::ALL,
    time::ALL,
    u32_tests::ALL,
];

/// Appends ` -m name --options`.
pub(super) fn print(out: &mut String, one: &Match, family: Family) {
    match one {
        Match::AddrType { .. } | Match::IpRange { .. } | Match::Mac(_) | Match::PktType(_) | Match::PhysDev { .. } => {
            addresses::print(out, one);
        }
        Match::Tcp { .. }
        | Match::Udp { .. }
        | Match::MultiPort { .. }
        | Match::Dccp { .. }
        | Match::Esp { .. }
        | Match::TcpMss(_) => ports::print(out, one),
        Match::Sctp { .. } => sctp::print(out, one),
        Match::Icmp { icmp_type } => icmp::print(out, icmp_type, family),
        Match::ConnTrack(tracked) => conntrack::print(out, tracked, family),
        Match::State(state) => conntrack::print_state(out, state),
        Match::ConnBytes { .. } | Match::ConnLabel { .. } | Match::ConnLimit { .. } | Match::Helper(_) => {
            connections::print(out, one);
        }
        Match::Cluster { .. } => connections::print(out, one),
        Match::ConnMark { .. } | Match::Mark { .. } | Match::Dscp(_) | Match::Tos { .. } | Match::Realm { .. } => {
            marks::print(out, one);
        }
        Match::DevGroup { .. } => marks::print(out, one),
        Match::Limit(limit) => rates::print_limit(out, limit),
        Match::HashLimit(limit) => rates::print_hashlimit(out, limit, family),
        Match::Quota { quota } => {
            out.push_str(" -m quota");
            push_inv(out, *quota, "quota");
        }
        Match::Statistic(statistic) => rates::print_statistic(out, statistic),
        Match::Recent(recent) => recent::print(out, recent),
        Match::Set(set) => sets::print(out, set),
        Match::String(string) => strings::print(out, string),
        Match::Time(time) => time::print(out, time),
        Match::U32(tests) => u32_tests::print(out, tests),
        Match::Ah { .. }
        | Match::Dst { .. }
        | Match::Hbh { .. }
        | Match::Eui64
        | Match::Frag { .. }
        | Match::Ipv6Header { .. }
        | Match::Mh(_)
        | Match::Rt { .. } => ipv6::print(out, one, family),
        Match::Length(_) | Match::Ttl { .. } | Match::Ecn { .. } | Match::Bpf { .. } => packet::print(out, one, family),
        Match::Comment(_)
        | Match::Cpu(_)
        | Match::Layer7 { .. }
        | Match::Policy { .. }
        | Match::RpFilter { .. }
        | Match::Socket { .. } => miscellany::print(out, one),
        Match::Unknown { name, options } => {
            let blank = if options.is_empty() { "" } else { " " };
            let _ = write!(out, " -m {name}{blank}{options}");
        }
    }
}

/// ` [!] --name value`.
fn push_inv(out: &mut String, inv: Inv<impl Display>, name: &str) {
    push_not(out, inv.not);
    let _ = write!(out, " --{name} {}", inv.value);
}

/// ` [!] --name value`, if there is one.
fn push_some(out: &mut String, inv: Option<Inv<impl Display>>, name: &str) {
    if let Some(inv) = inv {
        push_inv(out, inv, name);
    }
}

/// ` [!] --name`, if given.
fn push_flag(out: &mut String, flag: Option<Inv<()>>, name: &str) {
    if let Some(flag) = flag {
        push_not(out, flag.not);
        let _ = write!(out, " --{name}");
    }
}

/// ` --name`, if so.
fn push_if(out: &mut String, given: bool, name: &str) {
    if given {
        let _ = write!(out, " --{name}");
    }
}

/// `5` or `5:9`.
fn span<T: Display + PartialEq>(range: &Range<T>) -> String {
    if range.low == range.high { range.low.to_string() } else { format!("{}:{}", range.low, range.high) }
}

/// A range, with its inversion, as text.
fn span_inv<T: Display + PartialEq>(range: &Inv<Range<T>>) -> Inv<String> {
    Inv { not: range.not, value: span(&range.value) }
}

/// ` --name "text"`.
fn push_text(out: &mut String, name: &str, text: &str) {
    let _ = write!(out, " --{name}");
    push_string(out, text);
}
