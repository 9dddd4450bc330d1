//! Whatever the statements and the packets are, nothing panics.

use super::super::PreparedTable;
use super::{Conntrack, Routes, Settings, Skb, World, table};
use crate::replay::skb::HookContext;
use crate::ruleset::error::Place;
use crate::ruleset::model::{ChainId, Family, Hook, ObjectId, SetId, Verdict};
use crate::ruleset::nft::{
    Ct, DynSetOp, Element, ElementData, Expr, FibResult, Limit, Meta, Nat, NatKind, Object, ObjectBody, ObjectKind, Op,
    Payload, PayloadBase, Quota, Set, SetData, Statement,
};
use proptest::collection::vec;
use proptest::prelude::*;

const BASES: [PayloadBase; 4] = [PayloadBase::Link, PayloadBase::Network, PayloadBase::Transport, PayloadBase::Inner];
const METAS: [Meta; 14] = [
    Meta::Length,
    Meta::L4Proto,
    Meta::Mark,
    Meta::IifName,
    Meta::OifName,
    Meta::Time,
    Meta::Hour,
    Meta::Day,
    Meta::Random,
    Meta::PktType,
    Meta::SkUid,
    Meta::NfProto,
    Meta::Priority,
    Meta::NfTrace,
];
const CTS: [Ct; 12] = [
    Ct::State,
    Ct::Mark,
    Ct::Zone,
    Ct::Helper,
    Ct::Label,
    Ct::Src,
    Ct::DstIp6,
    Ct::ProtoDst,
    Ct::AvgPkt,
    Ct::Expiration,
    Ct::Direction,
    Ct::Id,
];
const OPS: [Op; 6] = [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge];
const SETS: u32 = 6;

fn value() -> impl Strategy<Value = Vec<u8>> + Clone {
    prop_oneof![vec(any::<u8>(), 0..6), vec(any::<u8>(), 15..18), vec(any::<u8>(), 0..70)]
}

fn number() -> impl Strategy<Value = u32> + Clone {
    prop_oneof![0_u32..200, Just(u32::MAX), any::<u32>()]
}

fn field() -> impl Strategy<Value = Payload> + Clone {
    (0_usize..4, number(), number()).prop_map(|(base, offset, bits)| Payload { base: BASES[base], offset, bits })
}

fn expr() -> impl Strategy<Value = Expr> + Clone {
    let option =
        (0_u8..6, any::<u8>(), number(), number(), any::<bool>()).prop_map(|(which, kind, offset, bits, exists)| {
            match which {
                0 => Expr::ExtHdr { header: kind, offset, bits, exists },
                1 => Expr::TcpOption { kind: kind % 10, offset, bits, exists },
                2 => Expr::IpOption { kind, offset, bits, exists },
                3 => Expr::SctpChunk { kind, offset, bits, exists },
                4 => Expr::DccpOption { kind },
                _ => Expr::Osf,
            }
        });
    let leaf = prop_oneof![
        value().prop_map(Expr::Constant),
        field().prop_map(Expr::Payload),
        (0..METAS.len()).prop_map(|key| Expr::Meta(METAS[key])),
        ((0..CTS.len()), any::<Option<bool>>()).prop_map(|(key, direction)| Expr::Ct { key: CTS[key], direction }),
        option,
        (any::<u32>(), 0_usize..3).prop_map(|(flags, result)| Expr::Fib {
            flags,
            result: [FibResult::Oif, FibResult::OifName, FibResult::Type][result],
        }),
        Just(Expr::Rt("mtu".into())),
        (any::<bool>(), number(), number()).prop_map(|(random, modulus, offset)| Expr::NumGen {
            random,
            modulus,
            offset
        }),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            (proptest::option::of(boxed.clone()), number(), number()).prop_map(|(of, modulus, offset)| Expr::Hash {
                of,
                seed: Some(modulus),
                modulus,
                offset
            }),
            (boxed.clone(), value(), value()).prop_map(|(of, mask, xor)| Expr::Bitwise { of, mask, xor }),
            (boxed.clone(), any::<bool>(), number()).prop_map(|(of, left, by)| Expr::Shift { of, left, by }),
            (boxed.clone(), boxed.clone(), 0_usize..4).prop_map(|(left, right, op)| Expr::Binary {
                op: ['&', '|', '^', '?'][op],
                left,
                right
            }),
            vec(inner, 0..5).prop_map(Expr::Concat),
            (boxed, 0..SETS + 1).prop_map(|(key, set)| Expr::Map { key, set: SetId(set) }),
        ]
    })
}

fn remembering() -> impl Strategy<Value = Statement> + Clone {
    let limit = (any::<u64>(), any::<u64>(), any::<u32>(), any::<bool>(), any::<bool>());
    prop_oneof![
        Just(Statement::Counter { packets: 0, bytes: 0 }),
        limit.prop_map(|(rate, per, burst, bytes, over)| Statement::Limit(Limit { rate, per, burst, bytes, over })),
        (any::<u64>(), any::<u64>(), any::<bool>()).prop_map(|(bytes, used, over)| Statement::Quota(Quota {
            bytes,
            used,
            over
        })),
        (any::<u32>(), any::<bool>()).prop_map(|(count, over)| Statement::ConnLimit { count, over }),
        Just(Statement::Last),
    ]
}

fn statement() -> impl Strategy<Value = Statement> {
    let nat = (0_usize..4, proptest::option::of((expr(), proptest::option::of(expr()))), proptest::option::of(expr()));
    let dynset = (0_usize..3, 0..SETS + 1, expr(), proptest::option::of(expr()), vec(remembering(), 0..2));
    prop_oneof![
        (expr(), 0_usize..6, value()).prop_map(|(left, op, right)| Statement::Compare { left, op: OPS[op], right }),
        (expr(), 0_usize..6, expr()).prop_map(|(left, op, right)| Statement::CompareExprs { left, op: OPS[op], right }),
        (expr(), any::<bool>(), value(), value()).prop_map(|(of, not, low, high)| Statement::Range {
            of,
            not,
            low,
            high
        }),
        (expr(), any::<bool>(), 0..SETS + 1).prop_map(|(of, not, set)| Statement::Lookup { of, not, set: SetId(set) }),
        remembering(),
        (0_u32..4).prop_map(|id| Statement::Object(ObjectId(id))),
        (expr(), 0..SETS + 1).prop_map(|(key, set)| Statement::ObjectMap {
            kind: ObjectKind::Counter,
            key,
            set: SetId(set)
        }),
        (expr(), 0..SETS + 1).prop_map(|(key, set)| Statement::VerdictMap { key, set: SetId(set) }),
        ((0..METAS.len()), expr()).prop_map(|(key, value)| Statement::SetMeta { key: METAS[key], value }),
        ((0..CTS.len()), any::<Option<bool>>(), expr()).prop_map(|(key, direction, value)| Statement::SetCt {
            key: CTS[key],
            direction,
            value
        }),
        (field(), expr()).prop_map(|(field, value)| Statement::SetPayload { field, value }),
        (0_u8..10, number(), number(), expr()).prop_map(|(kind, offset, bits, value)| Statement::SetTcpOption {
            kind,
            offset,
            bits,
            value
        }),
        (0_u8..10).prop_map(|kind| Statement::ResetTcpOption { kind }),
        Just(Statement::NoTrack),
        Just(Statement::Synproxy),
        Just(Statement::FlowOffload("f".into())),
        nat.prop_map(|(kind, addresses, port)| Statement::Nat(Box::new(Nat {
            kind: [NatKind::Snat, NatKind::Dnat, NatKind::Masquerade, NatKind::Redirect][kind],
            family: None,
            addresses,
            ports: port.map(|port| (port, None)),
            flags: vec!["prefix".into()],
        }))),
        dynset.prop_map(|(op, set, key, data, statements)| Statement::DynSet {
            op: [DynSetOp::Add, DynSetOp::Update, DynSetOp::Delete][op],
            set: SetId(set),
            key,
            data,
            timeout: None,
            statements,
        }),
    ]
}

fn element() -> impl Strategy<Value = Element> {
    let data = prop_oneof![
        Just(ElementData::None),
        value().prop_map(ElementData::Value),
        (value(), value()).prop_map(|(first, last)| ElementData::Range(first, last)),
        Just(ElementData::Verdict(Verdict::Continue)),
        (0_u32..4).prop_map(|id| ElementData::Object(ObjectId(id))),
    ];
    let life = any::<Option<u64>>();
    (proptest::option::of(vec((value(), value()), 0..3)), data, life.clone(), life, vec(remembering(), 0..2)).prop_map(
        |(key, data, timeout, expires, statements)| Element { key, data, timeout, expires, statements, comment: None },
    )
}

fn any_set() -> impl Strategy<Value = Set> {
    let data = prop_oneof![Just(SetData::None), Just(SetData::Verdict), number().prop_map(SetData::Value)];
    let shape = (vec(prop_oneof![0_u32..20, any::<u32>()], 0..18), data, any::<bool>());
    (shape, any::<Option<u64>>(), proptest::option::of(0_u32..3), vec(remembering(), 0..2), vec(element(), 0..6))
        .prop_map(|((key, data, interval), timeout, size, statements, elements)| Set {
            name: None,
            key,
            data,
            interval,
            dynamic: true,
            constant: false,
            timeout,
            has_timeout: timeout.is_some(),
            size,
            statements,
            elements,
            place: Place::default(),
        })
}

/// Bytes that look like a packet more often than not.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![Just(0x45_u8), Just(0x4f), Just(0x60), any::<u8>()];
    let protocol = prop_oneof![Just(6_u8), Just(17), Just(132), Just(33), Just(44), Just(0), any::<u8>()];
    (head, protocol, vec(prop_oneof![0_u8..16, any::<u8>()], 20..120)).prop_map(|(head, protocol, mut bytes)| {
        bytes[0] = head;
        bytes[if head >> 4 == 4 { 9 } else { 6 }] = protocol;
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_panics(
        rules in vec(vec(statement(), 1..4), 1..8),
        sets in vec(any_set(), SETS as usize),
        packets in vec((packet(), any::<i64>()), 1..6),
        family in 0_usize..3,
    ) {
        let objects = [
            ObjectBody::Counter { packets: 0, bytes: 0 },
            ObjectBody::Quota(Quota { bytes: 10, used: 5, over: true }),
            ObjectBody::Other(ObjectKind::Synproxy),
        ];
        let objects = objects.map(|object| Object { name: "o".into(), object, place: Place::default() }).to_vec();
        let count = rules.len();
        let table = table([Family::Ip, Family::Ip6, Family::Inet][family], rules, sets, objects);
        let mut prepared = PreparedTable::new(&table);
        let mut conntrack = Conntrack::new(Settings::default());
        let routes = Routes::default();
        let hook = HookContext { hook: Hook::Forward, in_if: Some("eth0".into()), out_if: None };
        for (bytes, time) in &packets {
            let Some(mut skb) = Skb::new(bytes, &[0; 14], *time) else { continue };
            conntrack.track(&mut skb);
            for rule in 0..count {
                let mut world = World { connections: &mut conntrack, routes: &routes, shared: &mut Default::default(), strings: &mut Default::default() };
                let before = prepared.matched(ChainId(0), rule);
                prepared.run_rule(ChainId(0), rule, &mut skb, &hook, &mut world);
                prop_assert!(prepared.matched(ChainId(0), rule).0 <= before.0 + 1);
            }
        }
        prepared.elements(SetId(0), 0).count();
    }
}
