//! What rules decide and ask for, one packet at a time: a UDP packet from 10.88.30.1:5 to 10.88.30.2:8.

use super::super::{Act, Judged, NatRequest, PreparedTable};
use super::build::*;
use super::{Conntrack, Routes, Settings, World, frames, table};
use crate::replay::conntrack::CtInfo;
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::Connections;
use crate::ruleset::model::{ChainId, Family, Hook, SetId, Verdict};
use crate::ruleset::nft::{Ct, ElementData, Expr, Nat, NatKind, Op, Reject, Set, SetData, Statement};

const CAPTURE: &[u8] = include_bytes!("../../../../tests/data/replay/nft-headers.pcap");

/// Runs one rule, and looks at the packet and its connections afterwards.
fn judge<T>(
    rule: Vec<Statement>,
    sets: Vec<Set>,
    tracked: bool,
    look: impl FnOnce(Judged, &PreparedTable, &Skb, &Conntrack) -> T,
) -> T {
    let mut prepared = PreparedTable::new(&table(Family::Ip, vec![rule], sets, Vec::new()));
    let frames = frames(CAPTURE);
    let mut skb = Skb::new(&frames[0].1[14..], &frames[0].1[..14], 0).unwrap();
    let mut conntrack = Conntrack::new(Settings::default());
    if tracked {
        conntrack.track(&mut skb);
    }
    let routes = Routes::default();
    let mut world = World {
        connections: &mut conntrack,
        routes: &routes,
        shared: &mut Default::default(),
        strings: &mut Default::default(),
    };
    let hook = HookContext { hook: Hook::Prerouting, in_if: Some("eth0".into()), out_if: None };
    let judged = prepared.run_rule(ChainId(0), 0, &mut skb, &hook, &mut world);
    look(judged, &prepared, &skb, &conntrack)
}

#[test]
fn verdicts_end_a_rule() {
    let ends = |statement: Statement| {
        judge(vec![statement, counter()], Vec::new(), false, |judged, prepared, _, _| {
            (judged.act, judged.hit, prepared.counters(ChainId(0), 0)[0].0)
        })
    };
    assert_eq!(ends(Statement::Verdict(Verdict::Accept)), (Act::Accept, false, 0));
    assert_eq!(ends(Statement::Verdict(Verdict::Jump(ChainId(3)))), (Act::Jump(ChainId(3)), false, 0));
    assert_eq!(ends(Statement::Verdict(Verdict::Continue)), (Act::Continue, true, 1));
    assert_eq!(ends(Statement::Reject(Reject::Icmp(3))), (Act::Reject(Reject::Icmp(3)), false, 0));
    assert_eq!(ends(Statement::Log), (Act::Continue, true, 1));
    assert_eq!(ends(Statement::Unknown { what: "x".into(), stops: true }), (Act::Continue, false, 0));
    assert_eq!(ends(Statement::Queue { bypass: true }), (Act::Queue { bypass: true }, false, 0));
    // A SYN proxy is for TCP.
    assert_eq!(ends(Statement::Synproxy), (Act::Continue, false, 0));
}

fn nat(kind: NatKind, addresses: Option<(Expr, Option<Expr>)>, ports: Option<Expr>, flag: &str) -> Statement {
    let ports = ports.map(|port| (port, None));
    Statement::Nat(Box::new(Nat { kind, family: None, addresses, ports, flags: vec![flag.into()] }))
}

fn request(statement: Statement, sets: Vec<Set>) -> NatRequest {
    judge(vec![statement], sets, true, |judged, _, _, _| match judged.act {
        Act::Nat(request) => *request,
        act => panic!("{act:?}"),
    })
}

#[test]
fn addresses_and_ports_of_nat() {
    let constant = |bytes: &[u8]| Expr::Constant(bytes.to_vec());
    let to = nat(NatKind::Dnat, Some((constant(&[10, 0, 0, 9]), None)), Some(constant(&[0, 80])), "persistent");
    let made = request(to, Vec::new());
    assert_eq!(made.addresses, Some(("10.0.0.9".parse().unwrap(), "10.0.0.9".parse().unwrap())));
    assert_eq!((made.ports, made.persistent, made.random), (Some((80, 80)), true, false));

    // `snat ip prefix to`: the host part stays the packet's.
    let to = nat(NatKind::Snat, Some((constant(&[192, 0, 2, 0]), Some(constant(&[192, 0, 2, 255])))), None, "prefix");
    let made = request(to, Vec::new());
    assert_eq!(made.addresses, Some(("192.0.2.1".parse().unwrap(), "192.0.2.1".parse().unwrap())));

    // `dnat ip to udp dport map { 8 : 10.0.0.7 . 8080 }`.
    let mut map = set(&[2]);
    map.data = SetData::Value(6);
    map.elements = vec![element(&map, &[(8, 8)], ElementData::Value(vec![10, 0, 0, 7, 0x1f, 0x90]))];
    let by_port = Expr::Map { key: Box::new(dport()), set: SetId(0) };
    let made = request(nat(NatKind::Dnat, Some((by_port, None)), None, ""), vec![map]);
    assert_eq!(made.addresses, Some(("10.0.0.7".parse().unwrap(), "10.0.0.7".parse().unwrap())));
    assert_eq!(made.ports, Some((8080, 8080)));

    let made = request(nat(NatKind::Masquerade, None, None, "fully-random"), Vec::new());
    assert_eq!((made.addresses, made.ports, made.fully_random), (None, None, true));
}

#[test]
fn only_untracked_packets_are_left_out() {
    let info = |tracked| judge(vec![Statement::NoTrack], Vec::new(), tracked, |_, _, skb, _| skb.ct_info);
    assert_eq!((info(false), info(true)), (CtInfo::Untracked, CtInfo::New));
}

#[test]
fn connections_are_marked_and_asked() {
    let set_ct =
        |key, number, width| Statement::SetCt { key, direction: None, value: Expr::Constant(value(number, width)) };
    let of = |key, direction| Expr::Ct { key, direction };
    let rule = vec![
        set_ct(Ct::Mark, 0x55, 4),
        set_ct(Ct::Label, 1 << 100, 16),
        is(of(Ct::Mark, None), 0x55),
        is(of(Ct::Src, Some(true)), 0x0a58_1e01),
        is(of(Ct::Src, Some(false)), 0x0a58_1e02),
        is(of(Ct::ProtoDst, Some(true)), 8),
        is(of(Ct::Direction, None), 0),
        cmp(of(Ct::Packets, None), Op::Le, 1),
        not(and(of(Ct::Label, None), 1 << 100), 0),
    ];
    judge(rule, Vec::new(), true, |judged, _, skb, conntrack| {
        assert!(judged.hit);
        let conn = conntrack.get(skb.ct.unwrap()).unwrap();
        assert_eq!((conn.mark, conn.labels), (0x55, 1 << 100));
    });
    // Without a connection, setting goes on and asking breaks.
    assert!(judge(vec![set_ct(Ct::Mark, 1, 4)], Vec::new(), false, |judged, _, _, _| judged.hit));
    assert!(!judge(vec![is(of(Ct::Mark, None), 0)], Vec::new(), false, |judged, _, _, _| judged.hit));
}

#[test]
fn a_zone_is_chosen_before_tracking() {
    let zone = |tracked| {
        let statement = Statement::SetCt { key: Ct::Zone, direction: None, value: Expr::Constant(vec![0, 7]) };
        judge(vec![statement], Vec::new(), tracked, |_, _, skb, conntrack| {
            skb.ct.and_then(|id| conntrack.get(id)).map(|conn| conn.tuples[0].zone)
        })
    };
    assert_eq!((zone(false), zone(true)), (Some(7), Some(0)));
}

#[test]
fn vlan_tags_are_read_as_if_they_were_there() {
    let frames = frames(CAPTURE);
    let mut prepared = PreparedTable::new(&table(
        Family::Ip,
        vec![
            vec![is(ll(96, 16), 0x8100), is(ll(112, 16), 0x2005), is(ll(128, 16), 0x800)],
            vec![is(ll(96, 16), 0x800)],
        ],
        Vec::new(),
        Vec::new(),
    ));
    let routes = Routes::default();
    let hook = HookContext { hook: Hook::Prerouting, in_if: Some("eth0".into()), out_if: None };
    for (vlan, expected) in [(Some(0x2005), [true, false]), (None, [false, true])] {
        let mut skb = Skb::new(&frames[0].1[14..], &frames[0].1[..14], 0).unwrap();
        skb.vlan = vlan;
        let mut conntrack = Conntrack::new(Settings::default());
        let mut world = World {
            connections: &mut conntrack,
            routes: &routes,
            shared: &mut Default::default(),
            strings: &mut Default::default(),
        };
        let hits = [0, 1].map(|rule| prepared.run_rule(ChainId(0), rule, &mut skb, &hook, &mut world).hit);
        assert_eq!(hits, expected);
    }
}
