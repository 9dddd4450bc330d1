//! Rates, lists and numbers of connections.

use super::build::*;
use super::{counted, router, ruleset, run};
use crate::replay::xt::Backend;
use crate::ruleset::model::Verdict;
use crate::ruleset::xt::RecentAction::{RCheck, Remove, Set, Update};
use crate::ruleset::xt::{Match, Recent, RuleBody, Statistic};

const TIMING: &[u8] = include_bytes!("../../../../../tests/data/replay/k01-timing.pcap");

type Counted = (RuleBody, (u64, u64));

/// Ruleset m6 of the kernel's record: exact, for the capture keeps away from every refill.
fn timing() -> Vec<Counted> {
    let upto = |name, rate, burst, mode| hashlimit(name, false, rate, burst, mode);
    let check = |name| recent(name, RCheck);
    let within = |recent: Recent, seconds| Recent { seconds: Some(seconds), ..recent };
    let hits = |recent: Recent, count| Recent { hit_count: Some(count), ..recent };
    let by_destination = |recent: Recent| Recent { by_destination: true, ..recent };
    let e = crate::ruleset::xt::HashLimit { src_mask: 24, ..upto("e", (3, 1), 3, 4) };
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
    let nth = |every, packet| Match::Statistic(Statistic::Nth { every: yes(every), packet });
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
        rule(vec![nth(3, 0)]),
        rule(vec![nth(5, 2)]),
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
