//! Random `iptables-save` and `ip6tables-save` files.

mod matches;
mod targets;

use super::dice::{Dice, address, network};
use super::{FileKind, RandomFile, Wanted};
use matches::{any, of_protocol};
use targets::target;

/// Where a rule stands: some matches and targets work in some tables and chains only.
#[derive(Clone, Copy)]
struct Place {
    v6: bool,
    sets: bool,
    conncount: bool,
    host: bool,
    table: &'static str,
    chain: &'static str,
}

/// A file of one family.
pub fn file(d: &mut Dice, v6: bool, sets: bool, wanted: Wanted) -> RandomFile {
    let mut file = RandomFile::new(if v6 { FileKind::Iptables6 } else { FileKind::Iptables4 });
    let mut left = wanted.rules;
    let tables: [(&str, &[&str], bool); 4] = [
        ("raw", &["PREROUTING", "OUTPUT"], d.chance(1, 3)),
        ("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"], d.chance(1, 2)),
        ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"], wanted.nat && d.chance(1, 3)),
        ("filter", &["INPUT", "FORWARD", "OUTPUT"], true),
    ];
    for (table, chains, used) in tables {
        if !used {
            continue;
        }
        let rules = if table == "filter" { left } else { left / 4 };
        left -= rules;
        file.frame(format!("*{table}"));
        for chain in chains {
            // Outside of filter it would leave little to see; in nat it is refused.
            let policy = if table == "filter" && d.chance(1, 8) { "DROP" } else { "ACCEPT" };
            file.frame(format!(":{chain} {policy} [0:0]"));
        }
        for own in ["one", "two", "three"] {
            file.frame(format!(":{own} - [0:0]"));
        }
        for _ in 0..rules {
            let chain = match d.below(16) {
                0 => "one",
                1 => "two",
                2 => "three",
                _ if table == "filter" && d.chance(2, 3) => "FORWARD",
                _ => d.pick(chains),
            };
            let rule = rule(d, Place { v6, sets, conncount: wanted.conncount, host: wanted.host, table, chain });
            file.rule(rule);
        }
        file.frame("COMMIT");
    }
    file
}

fn rule(d: &mut Dice, place: Place) -> String {
    let mut rule = format!("-A {}", place.chain);
    // The protocol comes first: matches depend on it.
    let icmp = if place.v6 { "ipv6-icmp" } else { "icmp" };
    let mobile = if place.v6 { "mobility-header" } else { "dccp" };
    let protocol = d.pick(&["", "", "tcp", "tcp", "tcp", "udp", "udp", icmp, "sctp", "esp", "ah", "dccp", mobile]);
    let negated = !protocol.is_empty() && d.chance(1, 12);
    if !protocol.is_empty() {
        rule += &format!("{} -p {protocol}", if negated { " !" } else { "" });
    }
    let protocol = if negated { "" } else { protocol };
    for _ in 0..d.pick(&[0, 1, 1, 1, 1, 2, 2]) {
        let part = match d.below(4) {
            0 => head(d, place),
            1 if !protocol.is_empty() => of_protocol(d, place, protocol),
            _ => any(d, place),
        };
        // The same extension twice is no option error with `-m`; the same head option is.
        let option = part.split(' ').find(|word| word.starts_with('-')).unwrap_or_default().to_owned();
        if !rule.contains(&format!(" {option} ")) || option == "-m" {
            rule += &format!(" {part}");
        }
    }
    rule + &target(d, place, protocol)
}

fn head(d: &mut Dice, place: Place) -> String {
    let no = d.not();
    let comes = matches!(place.chain, "PREROUTING" | "INPUT" | "FORWARD");
    let leaves = matches!(place.chain, "OUTPUT" | "FORWARD" | "POSTROUTING");
    let interface = d.pick(&["eth0", "eth1", "eth+", "lo"]);
    match d.below(6) {
        0 | 1 => format!("{no}-s {}", network(d, place.v6)),
        2 | 3 => format!("{no}-d {}", network(d, place.v6)),
        4 if comes => format!("{no}-i {interface}"),
        4 if leaves => format!("{no}-o {interface}"),
        5 if !place.v6 => d.pick(&["-f", "! -f", "-s 10.0.0.1/255.0.0.3", "-d 198.0.0.2/255.0.255.2"]).to_owned(),
        _ => format!("{no}-s {}", address(d, place.v6)),
    }
}
