//! Rates, lists and numbers of connections.

use super::build::*;
use super::{check_packets, counted, router, ruleset, run};
use crate::replay::xt::Backend;
use crate::ruleset::model::Verdict;
use crate::ruleset::xt::RecentAction::{RCheck, Remove, Set, Update};
use crate::ruleset::xt::{ConnBytesDirection, ConnBytesMode, HashLimit, Match, Recent, RuleBody};
use std::net::IpAddr;

const TIMING: &[u8] = include_bytes!("../../../../../tests/data/replay/k01-timing.pcap");

type Counted = (RuleBody, (u64, u64));

/// Ruleset m6 of the kernel's record: exact, for the capture keeps away from every refill.
fn timing() -> Vec<Counted> {
    let upto = |name, rate, burst, mode| hashlimit(name, false, rate, burst, mode);
    let check = |name| recent(name, RCheck);
    let within = |recent: Recent, seconds| Recent { seconds: Some(seconds), ..recent };
    let hits = |recent: Recent, count| Recent { hit_count: Some(count), ..recent };
    let by_destination = |recent: Recent| Recent { by_destination: true, ..recent };
    let e = HashLimit { src_mask: 24, ..upto("e", (3, 1), 3, 4) };
    let unlisted = Recent { not: true, ..check("r3") };
    let r5 = Recent { reap: true, ..by_destination(hits(within(recent("r5", Update), 1), 8)) };
    vec![
        (rule(vec![limit(5_000, 5)]), (25, 6400)),
        (rule(vec![limit(10_000, 1)]), (10, 2200)),
        (rule(vec![limit(60_000, 3)]), (4, 184)),
        (rule(vec![limit(2_500, 5)]), (32, 6696)),
        (udp(vec![limit(5_000, 3)]), (11, 4048)),
        (rule(vec![hash(upto("a", (2, 1), 4, 4))]), (29, 5688)),
        (rule(vec![hash(hashlimit("b", true, (2, 1), 4, 4))]), (11, 1392)),
        (rule(vec![hash(upto("c", (1, 1), 2, 4 | 2))]), (19, 3472)),
        (rule(vec![hash(upto("d", (1, 1), 2, 1 | 2))]), (15, 3296)),
        (rule(vec![hash(e)]), (25, 4624)),
        (rule(vec![hash(hashlimit("f", true, (6, 60), 2, 0))]), (37, 6056)),
        (rule(vec![hash(byte_limit("g", false, 1024, 2))]), (38, 5224)),
        (rule(vec![hash(byte_limit("h", true, 500, 0))]), (6, 3808)),
        (syn(vec![list(recent("r1", Set))]), (15, 600)),
        (syn(vec![list(hits(within(check("r1"), 1), 4))]), (4, 160)),
        (syn(vec![list(within(check("r1"), 3))]), (15, 600)),
        (syn(vec![list(hits(within(recent("r2", Update), 1), 3))]), (4, 160)),
        (syn(vec![list(recent("r2", Set))]), (15, 600)),
        (syn(vec![list(within(unlisted.clone(), 2))]), (7, 280)),
        (syn(vec![list(unlisted), list(recent("r3", Set))]), (2, 80)),
        (syn(vec![list(Recent { rttl: true, ..check("r4") })]), (13, 520)),
        (syn(vec![list(recent("r4", Set))]), (15, 600)),
        (udp(vec![list(r5)]), (6, 288)),
        (udp(vec![list(by_destination(recent("r5", Set)))]), (25, 6480)),
        (syn(vec![connlimit(yes(3), 32, false)]), (9, 360)),
        (rule(vec![connlimit(yes(2), 24, false)]), (21, 6168)),
        (syn(vec![connlimit(not(5), 32, true)]), (5, 200)),
    ]
}

/// The counters are equal with both backends: `-m limit` is the kernel's own with each, but rates this far from its
/// rounding do not show it.
#[test]
fn counters_of_a_timed_capture() {
    for backend in [Backend::Nft, Backend::Legacy] {
        let (bodies, expected): (Vec<_>, Vec<_>) = timing().into_iter().unzip();
        let mut machine = router(ruleset(bodies, Vec::new(), ""), &[("10.88.32.50", 32)], backend);
        run(&mut machine, TIMING);
        for (n, (is, expected)) in counted(&machine).into_iter().zip(expected).enumerate() {
            assert_eq!(is, expected, "rule {} {backend:?}", n + 1);
        }
    }
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

/// Ruleset r09 of the kernel's record.
fn limits() -> (Vec<RuleBody>, Vec<RuleBody>) {
    let check = |name| recent(name, RCheck);
    let within = |recent: Recent, seconds| Recent { seconds: Some(seconds), ..recent };
    let hits = |recent: Recent, count| Recent { hit_count: Some(count), ..recent };
    let client = |limit| tcp(vec![dport(5222), hash(limit)]);
    let forward = vec![
        syn(vec![connlimit(yes(1), 32, false)]),
        syn(vec![connlimit(not(2), 24, false)]),
        syn(vec![connlimit(yes(3), 32, true)]),
        syn(vec![list(recent("conn", Set))]),
        syn(vec![list(hits(check("conn"), 3))]),
        syn(vec![list(hits(within(recent("conn2", Update), 2), 4))]),
        syn(vec![list(recent("conn2", Set))]),
        jump(syn(Vec::new())),
        rule(vec![list(Recent { by_destination: true, ..check("conn") })]),
        rule(vec![limit(2_000, 5)]),
        rule(vec![limit(600_000, 3)]),
        client(hashlimit("h1", false, (10, 1), 5, 4)),
        client(hashlimit("h2", true, (2, 1), 8, 4 | 2)),
        client(byte_limit("h3", true, 1024, 2)),
        rule(vec![Match::Quota { quota: yes(5000) }]),
        rule(vec![nth(yes(3), 0)]),
        rule(vec![nth(yes(5), 2)]),
    ];
    let brute = vec![
        verdict(rule(vec![list(within(check("br"), 1))]), Verdict::Return),
        rule(vec![list(recent("br", Set))]),
        tcp(vec![dport(5222), list(recent("br", Remove))]),
    ];
    (forward, brute)
}

#[test]
fn counters_of_a_cluster_that_meets() {
    let capture = include_bytes!("../../../../../captures/erlang/e01-connect-bridge.pcap");
    let (forward, brute) = limits();
    let mut machine = router(ruleset(forward, brute, ""), LAB, Backend::Nft);
    run(&mut machine, capture);
    let expected = [
        (1, 60),
        (3, 180),
        (0, 0),
        (3, 180),
        (1, 60),
        (0, 0),
        (3, 180),
        (3, 180),
        (101, 9371),
        (40, 2977),
        (3, 172),
        (0, 0),
        (0, 0),
        (0, 0),
        (55, 4900),
        (75, 7137),
        (45, 4326),
        (2, 120),
        (1, 60),
        (0, 0),
    ];
    assert_eq!(counted(&machine), expected);
}

/// The kernel's counters differ from run to run by a packet in the first rule (4 or 3).
#[test]
fn counters_of_wrong_cookies() {
    let capture = include_bytes!("../../../../../captures/erlang/e02-wrong-cookie.pcap");
    let (forward, brute) = limits();
    let mut machine = router(ruleset(forward, brute, ""), LAB, Backend::Nft);
    run(&mut machine, capture);
    let expected = [
        (12, 720),
        (0, 0),
        (12, 720),
        (10, 600),
        (2, 120),
        (12, 720),
        (12, 720),
        (67, 4012),
        (18, 1041),
        (3, 172),
        (0, 0),
        (0, 0),
        (0, 0),
        (84, 4999),
        (47, 2745),
        (28, 1677),
        (9, 540),
        (3, 180),
        (0, 0),
    ];
    assert_eq!(&counted(&machine)[1..], expected);
    assert!(matches!(counted(&machine)[0], (3, 180) | (4, 240)));
}

/// Rates, lists and counts at their edges, with the numbers of the packets that the kernel counted.
fn edges() -> Vec<(RuleBody, &'static str)> {
    vec![
        (udp(vec![limit(20000, 7)]), "1-7,39,49,84,103,120,177"),
        (
            udp(vec![hash(HashLimit { expire: 1000, ..hashlimit("a1", false, (10, 60), 3, 4) })]),
            "1-3,7-9,12-14,38-41,44-51,92-94,105-218",
        ),
        (udp(vec![hash(hashlimit("a2", false, (10, 60), 3, 4))]), "1-2,7-8,12-13,38,47,49-50,92,105-218"),
        (udp(vec![hash(hashlimit("a2", true, (10, 60), 3, 4))]), "2-6,8-11,13-15,39-46,48,50-104,209-217"),
        (
            udp(vec![hash(HashLimit { rate_match: Some(1), ..hashlimit("a3", false, (4, 1), 2, 4) })]),
            "1-15,38-54,92-97,105-218",
        ),
        (udp(vec![hash(byte_limit("a4", true, 1024, 3))]), "45"),
        (udp(vec![hash(byte_limit("a5", false, 2048, 0))]), "1-9,12-15,38-218"),
        (
            udp(vec![hash(HashLimit { rate_match: Some(1), ..byte_limit("a6", false, 1024, 0) })]),
            "1-7,12-15,38-43,47-69,89-218",
        ),
        (tcp(vec![hash(hashlimit("a7", false, (3, 1), 3, 15))]), "16-31,33-37"),
        (udp(vec![list(recent("q1", Set))]), "1-15,38-218"),
        (udp(vec![list(Recent { hit_count: Some(32), ..recent("q1", RCheck) })]), "80-91"),
        (udp(vec![list(Recent { seconds: Some(1), hit_count: Some(20), ..recent("q1", RCheck) })]), "68-88"),
        (udp(vec![list(Recent { hit_count: Some(5), ..recent("q2", Update) })]), "6,39-46,54-104"),
        (udp(vec![list(recent("q2", Set))]), "1-15,38-218"),
        (udp(vec![list(Recent { hit_count: Some(40), ..recent("q3", RCheck) })]), "89-91"),
        (udp(vec![list(recent("q3", Set))]), "1-15,38-218"),
        (udp(vec![list(recent("q4", RCheck))]), "2-6,8-11,13-15,39-46,48,50-104,215"),
        (udp(vec![list(recent("q4", Set))]), "1-15,38-218"),
        (
            udp(vec![list(Recent { mask: IpAddr::from([255, 255, 255, 0]), ..recent("q5", RCheck) })]),
            "2-15,39-104,106-154,156-204,206-218",
        ),
        (udp(vec![list(recent("q5", Set))]), "1-15,38-218"),
        (udp(vec![list(Recent { rttl: true, ..recent("q6", RCheck) })]), "2-6,8-11,39-46,50-104,215"),
        (udp(vec![list(recent("q6", Set))]), "1-15,38-218"),
        (
            udp(vec![list(recent("q7", Remove))]),
            "3,6,9,15,40,43-44,46,52,55,58,61,64,67,70,73,76,79,82,85,88,91,94,97,100,103,209,212,218",
        ),
        (udp(vec![list(recent("q7", RCheck))]), ""),
        (
            udp(vec![nth(yes(3), 1), list(recent("q7", Set))]),
            "2,5,8,11,14,39,42,45,48,51,54,57,60,63,66,69,72,75,78,81,84,87,90,93,96,99,102,105,108,111,114,117,120,123,126,129,132,135,138,141,144,147,150,153,156,159,162,165,168,171,174,177,180,183,186,189,192,195,198,201,204,207,210,213,216",
        ),
        (
            udp(vec![list(Recent { seconds: Some(2), reap: true, ..recent("q8", Update) })]),
            "2-6,8-11,13-15,40-43,45-46,50-91,93-104",
        ),
        (
            udp(vec![list(Recent { not: true, seconds: Some(1), hit_count: Some(3), ..recent("q8", Update) })]),
            "1-2,7-8,12-13,38-40,44-45,47-50,92-93,105-218",
        ),
        (udp(vec![list(recent("q8", Set))]), "1-15,38-218"),
        (udp(vec![list(Recent { not: true, ..recent("q9", Remove) })]), "1,7,12,38,47,49,105-214,216-218"),
        (udp(vec![list(Recent { not: true, ..recent("q9", Set) })]), ""),
        (
            rule(vec![nth(not(4), 2)]),
            "1-2,4-6,8-10,12-14,16-18,20-22,24-26,28-30,32-34,36-38,40-42,44-46,48-50,52-54,56-58,60-62,64-66,68-70,72-74,76-78,80-82,84-86,88-90,92-94,96-98,100-102,104-106,108-110,112-114,116-118,120-122,124-126,128-130,132-134,136-138,140-142,144-146,148-150,152-154,156-158,160-162,164-166,168-170,172-174,176-178,180-182,184-186,188-190,192-194,196-198,200-202,204-206,208-210,212-214,216-218",
        ),
        (rule(vec![Match::Quota { quota: not(3000) }]), "11-218"),
        (tcp(vec![flags(22, 16), connlimit(yes(0), 32, false)]), "18-21,24,31-34"),
        (tcp(vec![flags(22, 16), connlimit(yes(1), 32, false)]), ""),
        (tcp(vec![connlimit(yes(2), 16, false)]), "25-34,36-37"),
        (tcp(vec![connlimit(not(2), 32, false)]), "16-25"),
        (rule(vec![connlimit(yes(3), 0, true)]), "16-34,36-218"),
        (
            rule(vec![connbytes(yes((3, u64::MAX)), ConnBytesMode::Packets, ConnBytesDirection::Both)]),
            "3-6,9-11,14-15,18-21,24,31-34,39-46,48,92-104,216,218",
        ),
        (
            rule(vec![connbytes(yes((2, 3)), ConnBytesMode::Packets, ConnBytesDirection::Original)]),
            "2-3,8-9,13-14,18-21,24,31-32",
        ),
        (
            rule(vec![connbytes(not((2, 4)), ConnBytesMode::Packets, ConnBytesDirection::Both)]),
            "1,5-7,11-12,16,20-22,25-26,28-29,33-34,36-218",
        ),
        (
            rule(vec![connbytes(yes((500, u64::MAX)), ConnBytesMode::Bytes, ConnBytesDirection::Original)]),
            "7-11,19-21,33-34,43-46,92-104,216",
        ),
        (rule(vec![connbytes(yes((60, 200)), ConnBytesMode::AvgPkt, ConnBytesDirection::Both)]), "20-21,33-34"),
        (
            rule(vec![connbytes(yes((1, u64::MAX)), ConnBytesMode::Packets, ConnBytesDirection::Reply)]),
            "17-21,23-24,27,30-34",
        ),
        (
            udp(vec![hash(HashLimit { expire: 600000, size: 1, max: 3, ..hashlimit("max", false, (100, 1), 5, 4) })]),
            "1-15,39-46,48,92-104,216,218",
        ),
    ]
}

#[test]
fn rates_lists_and_counts_at_their_edges() {
    let capture = include_bytes!("../../../../../tests/data/replay/rates.pcap");
    check_packets(edges(), "", &[("10.88.32.50", 32)], capture);
}
