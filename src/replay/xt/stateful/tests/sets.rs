//! Sets of ipset.

use super::build::*;
use super::{check_packets, counted, router, ruleset, run};
use crate::replay::xt::Backend;
use crate::ruleset::model::Verdict;
use crate::ruleset::xt::{CounterOp, Match, RuleBody, SetMatch};

const SETS: &str = "\
create servers hash:ip family inet counters
add servers 10.77.0.10
add servers 10.88.1.11
add servers 10.88.3.11
create nets hash:net family inet counters
add nets 10.88.0.0/16
add nets 10.88.20.0/24 nomatch
add nets 10.77.0.101
add nets 198.51.100.0/24
create xports bitmap:port range 0-65535 counters
add xports 5222-5223
add xports 5269
add xports 7777
create svc hash:ip,port family inet counters
add svc 10.77.0.10,tcp:5222
add svc 10.77.0.10,udp:3478
add svc 10.88.1.11,4369
add svc 10.88.20.53,udp:53
create triples hash:ip,port,net family inet counters
add triples 10.77.0.10,tcp:5222,10.77.0.96/27
add triples 10.88.1.11,tcp:4369,10.88.1.12
create seen hash:ip,port,ip family inet counters
create talkers hash:ip family inet counters timeout 600
create all list:set
add all servers
add all nets
";

/// Ruleset r06 of the kernel's record.
fn rules() -> Vec<RuleBody> {
    let many = SetMatch { no_update_counters: true, packets: Some((CounterOp::Gt, 10)), ..set(yes("servers"), "dst") };
    let fin = |matches: Vec<Match>| tcp([vec![flags(5, 1)], matches].concat());
    vec![
        rule(vec![in_set("servers", "src")]),
        rule(vec![in_set("servers", "dst")]),
        rule(vec![not_in_set("servers", "src,dst")]),
        rule(vec![in_set("nets", "src")]),
        rule(vec![in_set("nets", "dst")]),
        tcp(vec![in_set("xports", "dst")]),
        rule(vec![in_set("svc", "dst,dst")]),
        rule(vec![in_set("svc", "src,src")]),
        rule(vec![in_set("triples", "dst,dst,src")]),
        rule(vec![in_set("all", "src")]),
        Change { add: Some(("talkers", "src")), ..Change::default() }.of(syn(Vec::new())),
        rule(vec![in_set("talkers", "src")]),
        rule(vec![in_set("talkers", "dst")]),
        Change { add: Some(("seen", "dst,src,src")), ..Change::default() }.of(tcp(vec![flags(0x12, 0x12)])),
        rule(vec![in_set("seen", "dst,src,src")]),
        rule(vec![in_set("seen", "src,dst,dst")]),
        Change { del: Some(("talkers", "src")), ..Change::default() }.of(fin(vec![in_set("talkers", "src")])),
        rule(vec![Match::Set(Box::new(many))]),
        verdict(rule(vec![not_in_set("nets", "src"), in_set("xports", "dst")]), Verdict::Drop),
    ]
}

const LAB: &[(&str, u8)] = &[
    ("10.88.1.11", 32),
    ("10.88.3.11", 32),
    ("10.88.8.11", 32),
    ("10.88.20.0", 24),
    ("10.77.0.10", 32),
    ("10.77.0.20", 32),
    ("10.77.0.2", 32),
];

fn check(capture: &[u8], expected: &[(u64, u64)]) {
    let mut machine = router(ruleset(rules(), Vec::new(), SETS), LAB, Backend::Nft);
    run(&mut machine, capture);
    assert_eq!(counted(&machine), expected);
}

#[test]
fn counters_of_a_cluster_that_meets() {
    let expected = [
        (101, 9371),
        (124, 12062),
        (124, 12062),
        (225, 21433),
        (225, 21433),
        (0, 0),
        (11, 602),
        (11, 642),
        (11, 602),
        (225, 21433),
        (3, 180),
        (123, 12010),
        (98, 9215),
        (3, 180),
        (101, 9371),
        (122, 11942),
        (3, 156),
        (121, 11895),
        (0, 0),
    ];
    check(include_bytes!("../../../../../captures/erlang/e01-connect-bridge.pcap"), &expected);
}

#[test]
fn counters_of_name_service() {
    let expected = [
        (0, 0),
        (0, 0),
        (102, 17273),
        (2, 244),
        (2, 192),
        (0, 0),
        (17, 1518),
        (17, 2049),
        (0, 0),
        (2, 244),
        (2, 120),
        (11, 774),
        (7, 632),
        (2, 120),
        (9, 736),
        (12, 818),
        (2, 104),
        (0, 0),
        (0, 0),
    ];
    check(include_bytes!("../../../../../captures/erlang/e10-dns-policy.pcap"), &expected);
}

/// One rule for each thing that a set can be asked, with the numbers of the packets that the kernel counted for it.
fn types() -> Vec<(RuleBody, &'static str)> {
    let asked = |ask: SetMatch| Match::Set(Box::new(ask));
    vec![
        (Change { map: Some(("sk", "src")), ..Change::default() }.of(rule(vec![])), "1-37"),
        (rule(vec![in_set("n", "src")]), "1,3,7,15,18-22,31"),
        (rule(vec![asked(SetMatch { return_nomatch: true, ..set(yes("n"), "src") })]), "4-6,11-14,16-17,35-37"),
        (rule(vec![asked(SetMatch { return_nomatch: true, ..set(not("n"), "src") })]), "1-3,7-10,15,18-34"),
        (rule(vec![in_set("ni", "src,src")]), "2,7-9,20-22,25,27-30"),
        (rule(vec![in_set("ni", "dst,dst")]), "1,3-7,10-28,31-37"),
        (rule(vec![in_set("ni", "src,dst")]), "1-6,8-9,11-19,25,27-31,35-37"),
        (rule(vec![in_set("ip", "src")]), "1,3-6,11-19,23-24,26,31,35-37"),
        (rule(vec![in_set("bm", "src")]), "1,3-4,15-16,31,35-37"),
        (rule(vec![in_set("bm2", "src")]), "23-26"),
        (rule(vec![in_set("ipm", "src,src")]), "1,3-4,15-16,31,35-37"),
        (rule(vec![in_set("ipm", "src,src")]), "1,3-4,15-16,31,35-37"),
        (rule(vec![in_set("bp", "dst")]), "1,3,9,11,13-14,16-17,31"),
        (rule(vec![in_set("bp", "src")]), "2,4,10,35"),
        (rule(vec![in_set("svc", "src,src")]), "2,5-7,27,37"),
        (rule(vec![in_set("svc", "dst,dst")]), "1,3-4,13,16,31,35"),
        (rule(vec![in_set("svc", "dst")]), ""),
        (rule(vec![in_set("np", "src,dst")]), "19"),
        (rule(vec![asked(SetMatch { return_nomatch: true, ..set(yes("np"), "src,dst") })]), "1,3,13,16,31"),
        (rule(vec![in_set("ipi", "dst,dst,src")]), "1,3,31"),
        (rule(vec![in_set("ipn", "dst,dst,src")]), "1,3,16,19,31"),
        (Change { add: Some(("nets2", "src")), ..Change::default() }.of(rule(vec![])), "1-37"),
        (rule(vec![in_set("nets2", "src")]), "1-37"),
        (Change { add: Some(("small", "src")), ..Change::default() }.of(tcp(vec![])), "1-3,8,11-18,23-26,31-34"),
        (rule(vec![in_set("small", "src")]), "1-3,8-9,15,29-31"),
        (rule(vec![in_set("lst", "dst")]), "1-3,9,11,13-14,16-17,30-31"),
        (
            rule(vec![asked(SetMatch {
                no_update_counters: true,
                packets: Some((CounterOp::Gt, 3)),
                ..set(yes("lst"), "dst")
            })]),
            "9,11,13-14,16-17,30-31",
        ),
        (
            rule(vec![asked(SetMatch {
                no_update_subcounters: true,
                packets: Some((CounterOp::Gt, 5)),
                ..set(yes("lst"), "src")
            })]),
            "10,18-22,31,35",
        ),
        (rule(vec![asked(SetMatch { packets: Some((CounterOp::Lt, 12)), ..set(yes("n"), "src") })]), "1,3,6-7"),
        (
            rule(vec![asked(SetMatch {
                no_update_counters: true,
                bytes: Some((CounterOp::Gt, 400)),
                ..set(yes("n"), "src")
            })]),
            "15,18-22,31",
        ),
        (rule(vec![asked(SetMatch { packets: Some((CounterOp::Eq, 30)), ..set(yes("n"), "src") })]), "18"),
        (Change { add: Some(("lst2", "dst")), ..Change::default() }.of(of_protocol(1, vec![])), "5-6,29-30"),
        (rule(vec![in_set("lst2", "src,dst")]), "1-37"),
        (rule(vec![Match::Mark { mark: yes(0x10), mask: u32::MAX }]), "1,3-6,11-19,31,35-37"),
        (rule(vec![Match::Mark { mark: yes(0x20), mask: u32::MAX }]), "23-26"),
        (
            Change { add: Some(("mk", "src")), exist: true, ..Change::default() }.of(tcp(vec![flags(0x12, 0x02)])),
            "1,8,11-18,23-26,32-34",
        ),
        (
            rule(vec![asked(SetMatch { packets: Some((CounterOp::Eq, 2)), ..set(yes("mk"), "src") })]),
            "1,8,11-18,23-26,32-34",
        ),
        (Change { del: Some(("nets2", "src")), ..Change::default() }.of(rule(vec![])), "1-37"),
        (rule(vec![in_set("nets2", "src")]), ""),
        (Change { add: Some(("nadd", "src,src,dst")), ..Change::default() }.of(udp(vec![])), "4,9-10,19-22,35-36"),
        (rule(vec![in_set("nadd", "src,src,dst")]), "4,9-10,19-22,35"),
        (Change { add: Some(("mac", "src,src,dst")), ..Change::default() }.of(of_protocol(1, vec![])), "5-6,29-30"),
        (rule(vec![in_set("mac", "dst,dst,src")]), ""),
        (Change { add: Some(("emp", "src")), ..Change::default() }.of(of_protocol(132, vec![])), "27-28"),
        (rule(vec![in_set("emp", "src")]), "27-28"),
    ]
}

#[test]
fn every_type_of_set() {
    let capture = include_bytes!("../../../../../tests/data/replay/set-types.pcap");
    let sets = include_str!("../../../../../tests/data/replay/set-types.ipset");
    check_packets(types(), sets, &[("10.88.32.50", 32)], capture);
}

/// Members come and go: ends far from those that the kernel reckons from the time of loading.
fn timeouts() -> Vec<(RuleBody, &'static str)> {
    vec![
        (rule(vec![in_set("t", "src")]), "4-11,13,16-19,21,25,28"),
        (Change { add: Some(("t", "src")), ..Change::default() }.of(rule(vec![])), "1-28"),
        (
            rule(vec![Match::Set(Box::new(SetMatch { packets: Some((CounterOp::Gt, 1)), ..set(yes("u"), "src") }))]),
            "4-11,14-23,25,28",
        ),
        (Change { add: Some(("u", "src")), exist: true, ..Change::default() }.of(rule(vec![])), "1-28"),
        (rule(vec![in_set("v", "src")]), "4-9,18-21"),
        (
            Change { add: Some(("v", "src")), exist: true, timeout: Some(1), ..Change::default() }.of(rule(vec![])),
            "1-28",
        ),
        (rule(vec![in_set("w", "src")]), "4-5,7-8,18-19"),
        (Change { add: Some(("w", "src")), ..Change::default() }.of(rule(vec![])), "1-28"),
        (rule(vec![in_set("l", "src")]), "1-28"),
        (rule(vec![in_set("x", "src")]), "4-9,12,16,18-21,25"),
        (Change { add: Some(("x", "src")), ..Change::default() }.of(rule(vec![])), "1-28"),
        (rule(vec![in_set("ni", "src,src")]), "4-9,18-21"),
        (Change { add: Some(("ni", "src,src")), ..Change::default() }.of(rule(vec![])), "1-28"),
        (rule(vec![in_set("im", "src,src")]), "1,4,7,13,17"),
    ]
}

#[test]
fn members_live_as_long_as_they_may() {
    let sets = "\
create t hash:ip timeout 2 counters
add t 10.1.0.9 timeout 30
add t 10.1.0.8 timeout 0
create u hash:ip timeout 2 counters
create v hash:ip timeout 0
create w hash:ip timeout 1 maxelem 2
create x bitmap:ip range 10.1.0.0/24 timeout 1
add x 10.1.0.4 timeout 40
create l list:set timeout 30
add l x timeout 1
add l v timeout 40
create ni hash:net,iface timeout 1
create im bitmap:ip,mac range 10.1.0.0/24 timeout 1
add im 10.1.0.1
add im 10.1.0.9 timeout 2
";
    let capture = include_bytes!("../../../../../tests/data/replay/set-timeouts.pcap");
    check_packets(timeouts(), sets, &[("10.88.32.50", 32)], capture);
}
