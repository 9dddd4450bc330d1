//! Rates, quotas, timeouts and numbers of connections: a capture replayed at its own speed.

use super::build::*;
use super::{Replay, table};
use crate::ruleset::model::{ChainId, Family, ObjectId};
use crate::ruleset::nft::{DynSetOp, Expr, Limit, Object, ObjectBody, Quota, Statement};

const CAPTURE: &[u8] = include_bytes!("../../../../tests/data/replay/k01-timing.pcap");

fn rules() -> Vec<(Vec<Statement>, (u64, u64))> {
    let packets = |limit| vec![Statement::Limit(limit)];
    let bytes = |rate, burst, over| vec![Statement::Limit(Limit { rate, per: 1, burst, bytes: true, over })];
    let over = |limit: Limit| Limit { over: true, ..limit };
    let object = |n| vec![Statement::Object(ObjectId(n))];
    let syn = || vec![tcp(), not(and(flags(), 2), 0)];
    let conns = |count, over| Statement::ConnLimit { count, over };
    let both = Expr::Concat(vec![saddr(), dport()]);
    vec![
        (packets(limit(2, 1, 5)), (25, 6400)),
        (packets(limit(2, 1, 0)), (25, 6400)),
        (packets(over(limit(2, 1, 5))), (15, 680)),
        (packets(limit(10, 60, 3)), (4, 184)),
        (packets(limit(1, 1, 1)), (10, 2200)),
        (bytes(1024, 1500, false), (37, 4296)),
        (bytes(1024, 1500, true), (3, 2784)),
        (bytes(500, 0, false), (31, 1368)),
        (object(0), (25, 6400)),
        (object(1), (37, 4296)),
        (object(2), (32, 1432)),
        (object(3), (8, 5648)),
        (vec![quota(1000, false)], (21, 992)),
        (vec![quota(1000, true)], (19, 6088)),
        (vec![dynset(DynSetOp::Update, 0, saddr(), packets(limit(2, 1, 4)))], (29, 5688)),
        (vec![dynset(DynSetOp::Update, 1, both, packets(over(limit(1, 1, 2))))], (21, 3608)),
        ([syn(), vec![dynset(DynSetOp::Add, 2, saddr(), vec![conns(3, true)])]].concat(), (9, 360)),
        (vec![conns(2, true)], (21, 6168)),
        (vec![within(saddr(), 3)], (31, 5808)),
        (vec![dynset(DynSetOp::Add, 3, saddr(), Vec::new())], (40, 7080)),
        (vec![within(saddr(), 4)], (34, 5936)),
        (vec![dynset(DynSetOp::Update, 4, saddr(), Vec::new())], (40, 7080)),
    ]
}

#[test]
fn rates_and_times() {
    let dynamic = |widths: &[u32], timeout: Option<u64>| {
        let mut made = set(widths);
        (made.dynamic, made.size, made.timeout, made.has_timeout) = (true, Some(100), timeout, timeout.is_some());
        made
    };
    let sets = vec![
        dynamic(&[4], None),
        dynamic(&[4, 2], None),
        dynamic(&[4], None),
        dynamic(&[4], Some(2000)),
        dynamic(&[4], Some(2000)),
    ];
    let of_bytes = Limit { rate: 1024, per: 1, burst: 1500, bytes: true, over: false };
    let objects = [
        ObjectBody::Limit(limit(2, 1, 5)),
        ObjectBody::Limit(of_bytes),
        ObjectBody::Quota(Quota { bytes: 2000, used: 0, over: false }),
        ObjectBody::Quota(Quota { bytes: 2000, used: 0, over: true }),
    ];
    let objects = objects.map(|object| Object { name: "o".into(), object, place: Default::default() }).to_vec();
    let statements = rules().into_iter().map(|(mut statements, _)| {
        statements.push(counter());
        statements
    });
    let replay = Replay { inside: &["10.88.32.50"], track: true, without: &[] };
    let (prepared, _) = replay.run(&table(Family::Ip, statements.collect(), sets, objects), CAPTURE);
    for (n, (_, expected)) in rules().into_iter().enumerate() {
        assert_eq!(prepared.tally(ChainId(0), n), expected, "rule {}", n + 1);
    }
}
