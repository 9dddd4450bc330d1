//! Random targets.

use super::super::dice::{Dice, address, port};
use super::Place;

pub fn target(d: &mut Dice, place: Place, protocol: &str) -> String {
    if place.table == "nat" {
        return nat(d, place, protocol);
    }
    // A chain jumps only to later ones, so that there are no loops.
    let later: &[&str] = match place.chain {
        "one" => &["two", "three"],
        "two" => &["three"],
        "three" => &[],
        _ => &["one", "two", "three"],
    };
    match d.below(30) {
        0 => " -j ACCEPT".to_owned(),
        1 => " -j DROP".to_owned(),
        2 => " -j RETURN".to_owned(),
        3 | 4 if !later.is_empty() => format!(" -{} {}", d.pick(&["j", "j", "g"]), d.pick(later)),
        5 => " -j LOG --log-prefix \"x: \"".to_owned(),
        6 => " -j NFLOG --nflog-group 3".to_owned(),
        7 if place.table == "filter" => reject(d, place, protocol),
        8 if place.sets => {
            let (name, flags) = d.pick(&[("addr", "src"), ("addr", "dst"), ("addrport", "src,dst"), ("ports", "dst")]);
            format!(" -j SET --{}-set {name} {flags}", d.pick(&["add", "del"]))
        }
        9 if place.table == "raw" => d
            .pick(&[" -j CT --notrack", " -j NOTRACK", " -j CT --zone 1", " -j TRACE", " -j CT --ctevents new"])
            .to_owned(),
        9 if place.table == "mangle" => mangle(d, place, protocol),
        10 if place.table == "mangle" => mangle(d, place, protocol),
        11 => format!(
            " -j MARK --{}-mark {}",
            d.pick(&["set", "or", "and", "xor"]),
            d.pick(&["0x1", "0x3", "0x12", "0xff"])
        ),
        12 if place.table != "raw" => {
            format!(
                " -j CONNMARK {}",
                d.pick(&["--set-mark 0x2", "--save-mark", "--restore-mark", "--set-xmark 0x10/0xf0"])
            )
        }
        14 => passing(d),
        15 if place.table == "filter" || place.table == "mangle" => {
            d.pick(&[" -j NFQUEUE --queue-num 9 --queue-bypass", " -j NFQUEUE --queue-num 9"]).to_owned()
        }
        16 if place.sets => map_or_add(d, place),
        13 => format!(" -j AUDIT --type {}", d.pick(&["accept", "drop", "reject"])),
        _ => String::new(),
    }
}

fn reject(d: &mut Dice, place: Place, protocol: &str) -> String {
    let with = match (protocol, place.v6) {
        ("tcp", _) if d.chance(1, 2) => "tcp-reset",
        (_, false) => d.pick(&["icmp-port-unreachable", "icmp-admin-prohibited", "icmp-host-unreachable"]),
        (_, true) => d.pick(&["icmp6-port-unreachable", "icmp6-adm-prohibited", "icmp6-no-route"]),
    };
    format!(" -j REJECT --reject-with {with}")
}

fn mangle(d: &mut Dice, place: Place, protocol: &str) -> String {
    match d.below(9) {
        7 if protocol == "tcp" => " -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 700".to_owned(),
        8 if protocol == "tcp" && place.chain == "FORWARD" => {
            " -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu".to_owned()
        }
        0 => format!(" -j DSCP --set-dscp {}", d.pick(&["0x2e", "0", "10"])),
        1 => format!(" -j TOS --{}-tos {}", d.pick(&["set", "or", "xor"]), d.pick(&["0x10", "0xb8"])),
        2 if place.v6 => format!(" -j HL --hl-{} {}", d.pick(&["set", "inc", "dec"]), d.range(1, 9)),
        2 => format!(" -j TTL --ttl-{} {}", d.pick(&["set", "inc", "dec"]), d.range(1, 9)),
        3 if matches!(place.chain, "FORWARD" | "OUTPUT" | "POSTROUTING") => " -j CLASSIFY --set-class 1:2".to_owned(),
        4 if protocol == "tcp" => " -j TCPOPTSTRIP --strip-options timestamp,mss".to_owned(),
        5 if protocol == "tcp" && !place.v6 => " -j ECN --ecn-tcp-remove".to_owned(),
        6 if protocol == "udp" => " -j CHECKSUM --checksum-fill".to_owned(),
        _ => format!(" -j MARK --set-mark {}", d.range(1, 3)),
    }
}

/// Only what has one outcome: no ranges of addresses or ports.
fn nat(d: &mut Dice, place: Place, protocol: &str) -> String {
    let address = target_of(d, place.v6, place.chain);
    let ports = matches!(protocol, "tcp" | "udp");
    match place.chain {
        "PREROUTING" | "OUTPUT" => match d.below(4) {
            0 => format!(" -j DNAT --to-destination {address}"),
            1 if ports && !place.v6 => format!(" -j DNAT --to-destination {address}:{}", port(d)),
            // What is redirected to a gateway itself is answered by its own stack, and those answers are counted.
            2 if ports && place.host && place.chain != "OUTPUT" => format!(" -j REDIRECT --to-ports {}", port(d)),
            _ => String::new(),
        },
        "POSTROUTING" => match d.below(4) {
            0 => format!(" -j SNAT --to-source {address}"),
            1 => " -j MASQUERADE".to_owned(),
            2 if !place.v6 => " -j NETMAP --to 198.18.7.0/24".to_owned(),
            _ => String::new(),
        },
        _ => d.pick(&["", "", " -j ACCEPT", " -j RETURN"]).to_owned(),
    }
}

/// What changes nothing.
fn passing(d: &mut Dice) -> String {
    let label = d.next() % 1_000_000;
    match d.below(2) {
        0 => format!(" -j IDLETIMER --timeout 600 --label i{label}"),
        _ => format!(" -j RATEEST --rateest-name e{label} --rateest-interval 250ms --rateest-ewmalog 500ms"),
    }
}

fn map_or_add(d: &mut Dice, place: Place) -> String {
    if place.table == "mangle" && d.chance(1, 2) {
        return " -j SET --map-set addr src --map-mark".to_owned();
    }
    let (name, flags) = d.pick(&[("netport", "src,dst"), ("three", "src,dst,dst"), ("addr", "dst")]);
    format!(" -j SET --{}-set {name} {flags}{}", d.pick(&["add", "del", "add"]), d.pick(&["", " --exist"]))
}

/// What a host sends to itself comes in again by `lo`: that is not modelled.
fn target_of(d: &mut Dice, v6: bool, chain: &str) -> String {
    match (chain, v6) {
        ("OUTPUT", false) => "198.18.0.77".to_owned(),
        ("OUTPUT", true) => "2001:db8:2::77".to_owned(),
        _ => address(d, v6),
    }
}
