//! Which connections `connlimit` counts: those that a packet began or that are not under way yet; not those that are
//! closed.

use super::build::*;
use super::check_packets;
use crate::replay::conntrack::status;
use crate::ruleset::xt::RuleBody;

fn beginnings() -> Vec<(RuleBody, &'static str)> {
    vec![
        (from_inside(tcp(vec![flags(8, 8), connlimit(yes(1), 0, false)])), ""),
        (from_inside(tcp(vec![flags(18, 18), connlimit(yes(1), 0, false)])), "9,15"),
        (to_inside(tcp(vec![flags(26, 16), connlimit(yes(1), 0, false)])), ""),
        (to_inside(tcp(vec![flags(8, 8), connlimit(yes(1), 0, false)])), ""),
        (to_inside(tcp(vec![flags(23, 2), status(status::CONFIRMED), connlimit(yes(1), 0, false)])), "8,14"),
        (to_inside(tcp(vec![status(status::ASSURED), connlimit(yes(1), 0, false)])), ""),
        (from_inside(udp(vec![connlimit(yes(1), 0, false)])), "26,28,31,33"),
        (to_inside(udp(vec![status(status::CONFIRMED), connlimit(yes(1), 0, false)])), "25,27,30,32"),
        (to_inside(udp(vec![established(), connlimit(yes(1), 0, false)])), "27,32"),
    ]
}

fn ends() -> Vec<(RuleBody, &'static str)> {
    vec![
        (from_inside(tcp(vec![connlimit(yes(0), 32, false)])), "2,4,6,8,10,12,14,16-24,26"),
        (from_inside(tcp(vec![connlimit(yes(1), 32, false)])), "6,8,10,12,14,16-24,26"),
        (from_inside(tcp(vec![connlimit(yes(2), 32, false)])), "10,12,14,16-24,26"),
        (from_inside(tcp(vec![connlimit(yes(3), 32, false)])), "14,16-24,26"),
        (to_inside(tcp(vec![connlimit(yes(1), 32, true)])), "5,7,9,11,13,15,25,27"),
        (to_inside(tcp(vec![connlimit(yes(3), 32, true)])), "13,15"),
        (tcp(vec![connlimit(yes(1), 32, false)]), "6,8,10,12,14,16-24,26"),
        (tcp(vec![connlimit(yes(2), 32, false)]), "10,12,14,16-24,26"),
        (tcp(vec![connlimit(yes(4), 32, false)]), "17-24,26"),
        (tcp(vec![connlimit(yes(0), 32, true)]), "1-24,26"),
        (tcp(vec![connlimit(yes(1), 32, true)]), "5,7,9,11,13,15,17-24,26"),
        (tcp(vec![connlimit(yes(3), 32, true)]), "13,15"),
    ]
}

#[test]
fn connections_count_until_they_are_under_way() {
    let capture = include_bytes!("../../../../../tests/data/replay/connections.pcap");
    check_packets(beginnings(), "", &[("10.88.32.50", 32)], capture);
}

#[test]
fn packets_of_closed_connections_are_dropped() {
    let capture = include_bytes!("../../../../../tests/data/replay/connection-ends.pcap");
    check_packets(ends(), "", &[("10.88.32.50", 32)], capture);
}
