//! Sets and maps against the kernel's counters.

use super::build::*;
use super::{Replay, table};
use crate::ruleset::model::{ChainId, Family, SetId, Verdict};
use crate::ruleset::nft::{DynSetOp, Element, ElementData, Expr, Object, ObjectBody, ObjectKind, SetData, Statement};

const CAPTURE: &[u8] = include_bytes!("../../../../tests/data/replay/nft-headers.pcap");
const REPLAY: Replay = Replay { inside: &["10.88.30.2"], track: false, without: &[9, 10, 12] };
const ALL: &str = "1-8,11,13-22,34-37";

fn catch_all(data: ElementData) -> Element {
    Element { key: None, data, timeout: None, expires: None, statements: Vec::new(), comment: None }
}

#[test]
fn full_sets_catch_alls_and_verdicts() {
    let mut full = set(&[2]);
    (full.dynamic, full.size) = (true, Some(3));
    let mut caught = set_of(2, &[8]);
    caught.elements.push(catch_all(ElementData::None));
    let mut verdicts = set(&[2]);
    verdicts.data = SetData::Verdict;
    verdicts.elements =
        [8, 5222].map(|port| element(&verdicts, &[(port, port)], ElementData::Verdict(Verdict::Continue))).to_vec();
    let mut marks = set(&[2]);
    marks.data = SetData::Value(4);
    marks.elements = vec![
        element(&marks, &[(8, 8)], ElementData::Value(value(0x10, 4))),
        catch_all(ElementData::Value(value(0x99, 4))),
    ];
    let to_mark = Expr::Map { key: Box::new(dport()), set: SetId(3) };
    let added = "1-8,11,13-20,34-36";
    let rules = vec![
        ("add @full { th dport }", vec![dynset(DynSetOp::Add, 0, dport(), Vec::new())], added),
        ("th dport @full", vec![within(dport(), 0)], added),
        ("th dport != @caught", vec![without(dport(), 1)], ""),
        ("th dport @caught", vec![within(dport(), 1)], ALL),
        (
            "th dport vmap { 8 : continue, 5222 : continue }",
            vec![Statement::VerdictMap { key: dport(), set: SetId(2) }],
            "1-8,11,13-19,34-36",
        ),
        ("meta mark set th dport map { 8 : 0x10, * : 0x99 }", vec![set_mark(to_mark)], ALL),
        ("meta mark 0x99", vec![is(mark(), 0x99)], "2-7,17-22,34-37"),
    ];
    REPLAY.check(Family::Ip, rules, vec![full, caught, verdicts, marks], CAPTURE);
}

#[test]
fn quotas_limits_and_deletion() {
    // Connection tracking dropped packet 34, a fragment without the rest.
    let replay = Replay { without: &[9, 10, 12, 34], ..REPLAY };
    let all = "1-8,11,13-22,35-37";
    let dynamic = |widths: &[u32]| {
        let mut made = set(widths);
        (made.dynamic, made.size) = (true, Some(10));
        made
    };
    let mut with_quota = dynamic(&[4]);
    with_quota.statements = vec![quota(96, false)];
    let mut limited = set(&[4]);
    limited.statements = vec![Statement::Limit(limit(1, 3600, 3))];
    limited.elements = vec![element(&limited, &[(0x0a58_1e01, 0x0a58_1e01)], ElementData::None)];
    let mut regions = set(&[4, 2]);
    regions.interval = true;
    regions.elements = [[(0x0a58_0000, 0x0a58_ffff), (8, 9)], [(0x0a58_1e01, 0x0a58_1e01), (5000, 6000)]]
        .map(|fields| element(&regions, &fields, ElementData::None))
        .to_vec();
    let mut ports = dynamic(&[2]);
    (ports.has_timeout, ports.timeout) = (true, Some(3_600_000));
    let sets = vec![dynamic(&[4]), with_quota, limited, regions, ports];
    let rules = vec![
        ("quota 36 bytes", vec![quota(36, false)], "1"),
        ("quota 96 bytes", vec![quota(96, false)], "1-2"),
        ("quota over 96 bytes", vec![quota(96, true)], "3-8,11,13-22,35-37"),
        ("add with a quota", vec![dynset(DynSetOp::Add, 0, saddr(), vec![quota(96, false)])], "1"),
        ("update with a quota", vec![dynset(DynSetOp::Update, 0, saddr(), vec![quota(96, false)])], "1"),
        ("add to a set with a quota", vec![dynset(DynSetOp::Add, 1, saddr(), Vec::new())], "1-2"),
        ("elements with a limit", vec![within(saddr(), 2)], "1-3"),
        ("ranges of two fields", vec![within(Expr::Concat(vec![saddr(), dport()]), 3)], "1-8,11,13-19,35-37"),
        (
            "th dport 8 add @ports { th dport }",
            vec![is(dport(), 8), dynset(DynSetOp::Add, 4, dport(), Vec::new())],
            "1,8,11,13-16",
        ),
        ("th dport @ports", vec![within(dport(), 4)], "1,8,11,13-16"),
        (
            "delete @ports { udp dport }",
            vec![udp(), dynset(DynSetOp::Delete, 4, dport(), Vec::new())],
            "1,8,11,13-16,37",
        ),
        ("th dport @ports", vec![within(dport(), 4)], ""),
        ("all", Vec::new(), all),
    ];
    replay.check(Family::Ip, rules, sets, CAPTURE);
}

#[test]
fn counters_of_rules_elements_and_objects() {
    let mut counted = set_of(4, &[0x0a58_1e01, 0x0a58_1e02]);
    counted.statements = vec![counter()];
    let object = |name: &str, object| Object { name: name.into(), object, place: Default::default() };
    let objects = vec![
        object("eights", ObjectBody::Counter { packets: 1, bytes: 1 }),
        object("q", ObjectBody::Quota(crate::ruleset::nft::Quota { bytes: 100, used: 0, over: true })),
    ];
    let mut by_port = set(&[2]);
    by_port.data = SetData::Object(ObjectKind::Counter);
    by_port.elements = vec![element(&by_port, &[(8, 8)], ElementData::Object(crate::ruleset::model::ObjectId(0)))];
    let rules = vec![
        vec![within(saddr(), 0)],
        vec![Statement::ObjectMap { kind: ObjectKind::Counter, key: dport(), set: SetId(1) }],
        vec![Statement::Object(crate::ruleset::model::ObjectId(1)), counter()],
        vec![counter(), counter(), is(nh(64, 8), 64), udp(), counter()],
    ];
    let (prepared, hits) = REPLAY.run(&table(Family::Ip, rules, vec![counted, by_port], objects), CAPTURE);
    assert_eq!(prepared.counters(ChainId(0), 3), [(23, 1031), (23, 1031), (8, 288)]);
    assert_eq!((prepared.matched(ChainId(0), 3), prepared.tally(ChainId(0), 3)), ((8, 288), (8, 288)));
    assert_eq!(hits[3].len(), 8);
    assert_eq!(prepared.tally(ChainId(0), 0), (23, 1031));
    let elements: Vec<_> = prepared.elements(SetId(0), 0).map(|element| element.counter.unwrap()).collect();
    assert_eq!(elements, [(23, 1031), (0, 0)]);
    let tallies: Vec<_> = prepared.objects().map(|object| (object.name, object.packets, object.bytes)).collect();
    assert_eq!(tallies, [("eights", Some(8), Some(265)), ("q", None, Some(100))]);
}
