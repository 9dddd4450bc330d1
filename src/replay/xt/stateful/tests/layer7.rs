//! l7-filter: no kernel of today has it, so what it should say is read from its source.

use super::build::*;
use super::{router, ruleset};
use crate::replay::machine::Judge;
use crate::replay::skb::Skb;
use crate::replay::xt::Backend;
use crate::ruleset::l7;
use crate::ruleset::xt::{Match, RuleBody};
use std::sync::Arc;

fn layer7(name: &str, expression: &str, packets: Option<u32>) -> RuleBody {
    let file = Arc::from(format!("{name}.pat"));
    let pattern = l7::parse(&format!("{name}\n{expression}\n"), &file, &mut Vec::new()).unwrap();
    rule(vec![Match::Layer7 { pattern: yes(pattern), packets }])
}

/// A UDP datagram from or to the host inside.
fn datagram(port: u16, inbound: bool, data: &[u8]) -> Vec<u8> {
    let (inside, outside) = ([10, 88, 32, 50], [10, 1, 0, 1]);
    let (src, dst) = if inbound { (outside, inside) } else { (inside, outside) };
    let ports = if inbound { [port, 53] } else { [53, port] };
    let len = (8 + data.len()) as u16;
    let mut packet = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0];
    packet[2..4].copy_from_slice(&(20 + len).to_be_bytes());
    packet.extend(src.iter().chain(&dst));
    packet.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
    packet.extend(len.to_be_bytes().iter().chain(&[0, 0]));
    packet.extend(data);
    packet
}

/// Numbers of the rules that match each datagram of a talk of one connection.
fn talk(rules: Vec<RuleBody>, packets: &[(bool, &[u8])]) -> Vec<Vec<u32>> {
    let mut machine = router(ruleset(rules, Vec::new(), ""), &[("10.88.32.50", 32)], Backend::Legacy);
    let times = (0..).step_by(10_000_000);
    let hits = times.zip(packets).map(|(time, (inbound, data))| {
        let packet = datagram(4000, *inbound, data);
        let mut hits = Vec::new();
        machine.run(Skb::new(&packet, &[], time).unwrap(), &mut hits);
        hits
    });
    hits.collect()
}

#[test]
fn a_pattern_may_span_packets_and_directions() {
    let rules = vec![layer7("a", "^he.lo.*world$", None), layer7("b", "world", None), layer7("unset", ".", None)];
    let packets: &[(bool, &[u8])] =
        &[(true, b"HE\0\0"), (true, b"LLO"), (false, b" wor"), (false, b"LD"), (true, b"x"), (false, b"")];
    // The first that matches names it; a packet without data does not change that.
    let none = || vec![2];
    assert_eq!(talk(rules, packets), [none(), none(), none(), vec![0], vec![0], vec![0]]);
}

#[test]
fn it_gives_up_after_the_first_packets() {
    let rules = || vec![layer7("a", "late", Some(2)), layer7("unknown", ".", Some(2))];
    let packets: &[(bool, &[u8])] = &[(true, b"a"), (true, b"b"), (true, b"late"), (true, b"late")];
    assert_eq!(talk(rules(), packets), [vec![], vec![], vec![1], vec![1]]);
    let packets: &[(bool, &[u8])] = &[(true, b"a"), (true, b"late"), (true, b"c")];
    assert_eq!(talk(rules(), packets), [vec![], vec![0], vec![0]]);
}

#[test]
fn no_more_than_two_kilobytes_are_kept() {
    let long = vec![b'x'; 1400];
    let packets: &[(bool, &[u8])] = &[(true, &long), (true, &long), (true, b"end")];
    assert_eq!(talk(vec![layer7("a", "end", None)], packets), [vec![], vec![], Vec::<u32>::new()]);
    let packets: &[(bool, &[u8])] = &[(true, &long), (true, b"end")];
    assert_eq!(talk(vec![layer7("a", "end$", None)], packets), [vec![], vec![0]]);
}
