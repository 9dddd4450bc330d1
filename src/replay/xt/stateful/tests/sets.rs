//! Sets of ipset.

use super::build::*;
use super::{counted, router, ruleset, run};
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
