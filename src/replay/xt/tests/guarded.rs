//! Guards change nothing: a table says of every packet what its rules say one by one.

use super::rules::{interface, masked, span, tcp, udp};
use super::{Act, Backend, Bench, CtInfo, RuleBody, Skb, Untracked, World};
use crate::replay::xt::{Judged, Preparation, PreparedTable};
use crate::ruleset::error::Place;
use crate::ruleset::model::{Body, Chain, ChainId, Engine, Family, Rule, Ruleset, Table, Unknown, Verdict};
use crate::ruleset::xt::{CtState, Head, Inv, Match, PortSide, Target};
use proptest::prelude::*;

fn inv<T: Clone + std::fmt::Debug + 'static>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Inv<T>> {
    (of, prop::bool::weighted(0.2)).prop_map(|(value, not)| Inv { not, value })
}

fn maybe<T: Clone + std::fmt::Debug + 'static>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.3, of)
}

fn ports() -> impl Strategy<Value = Inv<crate::ruleset::xt::Range<u16>>> {
    inv(prop_oneof![
        (0..4_u16).prop_map(|port| span(port, port)),
        (0..3_u16, 0..4_u16).prop_map(|(low, more)| span(low, low + more)),
        Just(span(0, u16::MAX)),
        Just(span(3, 1)),
    ])
}

fn extension() -> impl Strategy<Value = Match> {
    let flags =
        inv((prop_oneof![Just(0_u8), Just(2), Just(0x12), Just(0x3f)], prop_oneof![Just(0_u8), Just(2), Just(0x12)]));
    let list = inv(prop::collection::vec((0..5_u16, 0..3_u16).prop_map(|(low, more)| span(low, low + more)), 1..4));
    let side = prop_oneof![Just(PortSide::Source), Just(PortSide::Destination), Just(PortSide::Either)];
    let state = prop_oneof![
        Just(CtState::NEW),
        Just(CtState::INVALID),
        Just(CtState::NEW | CtState::UNTRACKED),
        Just(CtState::DNAT | CtState::NEW),
    ];
    let quota = Match::Quota { quota: Inv { not: false, value: 120 } };
    prop_oneof![
        (maybe(ports()), maybe(ports()), maybe(flags), maybe(inv(0..4_u8)))
            .prop_map(|(sports, dports, flags, option)| tcp(sports, dports, flags, option)),
        (maybe(ports()), maybe(ports())).prop_map(|(sports, dports)| udp(sports, dports)),
        (side, list).prop_map(|(side, ports)| Match::MultiPort { side, ports }),
        inv(state).prop_map(Match::State),
        inv((0..60_u16).prop_map(|low| span(low, 45))).prop_map(Match::Length),
        Just(quota),
        Just(Match::Unknown { name: "owner".into(), options: String::new() }),
    ]
}

fn body() -> impl Strategy<Value = RuleBody> {
    let net = prop_oneof![Just("10.0.0.1/255.255.255.255"), Just("10.0.0.0/255.255.255.0"), Just("0.0.0.2/0.0.0.255")];
    let net = || inv(net.clone().prop_map(masked));
    let device =
        || inv(prop_oneof![Just(interface("eth0", false)), Just(interface("eth", true)), Just(interface("ppp", true))]);
    let protocol = inv(prop_oneof![Just(6_u8), Just(17), Just(1), Just(132)]);
    let target =
        prop_oneof![Just(Target::None), Just(Target::Verdict(Verdict::Drop)), Just(Target::Verdict(Verdict::Accept))];
    let head = (
        maybe(net()),
        maybe(net()),
        maybe(device()),
        maybe(device()),
        prop::option::weighted(0.8, protocol),
        maybe(inv(Just(()))),
    );
    (head, prop::collection::vec(extension(), 0..3), target).prop_map(
        |((src, dst, in_if, out_if, protocol, fragment), matches, target)| RuleBody {
            head: Head { src, dst, in_if, out_if, protocol, fragment },
            matches,
            target,
        },
    )
}

/// IPv4 packets, mostly whole, of few addresses and ports.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let protocol = prop_oneof![4 => Just(6_u8), 4 => Just(17), 1 => Just(1), 1 => Just(132)];
    let fragment = prop_oneof![6 => Just(0_u16), 1 => Just(0x2000), 1 => Just(1), 1 => Just(4)];
    let flags = prop_oneof![Just(2_u8), Just(0x12), Just(0x10), Just(0)];
    let cut = prop_oneof![4 => Just(60_usize), 1 => 20..60_usize];
    let offset = prop_oneof![6 => Just(0x60_u8), 1 => any::<u8>()];
    (protocol, fragment, (0..3_u8, 0..3_u8), (0..5_u8, 0..5_u8), (offset, flags), cut).prop_map(
        |(protocol, fragment, (src, dst), (sport, dport), (offset, flags), cut)| {
            let mut bytes = vec![0x45, 0, 0, 60, 0, 1];
            bytes.extend(fragment.to_be_bytes());
            bytes.extend([64, protocol, 0, 0, 10, 0, 0, src, 10, 0, 0, dst, 0, sport, 0, dport]);
            bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, offset, flags, 1, 0, 0, 0, 0, 0, 2, 4, 5, 180]);
            bytes.resize(60, 7);
            bytes.truncate(cut);
            bytes
        },
    )
}

fn table(bodies: &[RuleBody]) -> Table {
    let place = Place::default();
    let rule = |(body, n): (&RuleBody, u32)| {
        let unknown = body.matches.iter().filter(|one| matches!(one, Match::Unknown { .. }));
        Rule {
            n,
            text: String::new(),
            place: place.clone(),
            unknown: unknown.map(|_| Unknown { what: String::new(), effect: String::new() }).collect(),
            body: Body::Xt(Box::new(body.clone())),
            comment: None,
        }
    };
    let chain =
        Chain { name: "c".into(), base: None, rules: bodies.iter().zip(1..).map(rule).collect(), place: place.clone() };
    Table {
        family: Family::Ip,
        name: "filter".into(),
        engine: Engine::Xtables,
        dormant: false,
        chains: vec![chain],
        sets: Vec::new(),
        objects: Vec::new(),
        place,
    }
}

/// What the rules of a table count, and how the packet ends.
fn send(table: &mut PreparedTable, bench: &mut Bench, skb: &mut Skb<'_>) -> (Vec<usize>, Act) {
    bench.strings.next_packet();
    let (connections, routes) = (&mut Untracked, &bench.routes);
    let mut world = World { connections, routes, shared: &mut bench.shared, strings: &mut bench.strings };
    let (mut counted, mut from) = (Vec::new(), 0);
    loop {
        match table.run_rules(ChainId(0), from, skb, &bench.hook, &mut world, &mut false) {
            (_, Judged::Nothing) => return (counted, Act::Accept),
            (_, Judged::HotDrop) => return (counted, Act::Drop),
            (at, Judged::Hit(act)) => {
                counted.push(at);
                from = at + 1;
                if act != Act::Continue {
                    return (counted, act);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn as_the_rules_say_one_by_one(
        bodies in prop::collection::vec(body(), 3..24),
        packets in prop::collection::vec((packet(), prop_oneof![Just(CtInfo::None), Just(CtInfo::New), Just(CtInfo::Established)]), 1..24),
        backend in prop_oneof![Just(Backend::Nft), Just(Backend::Legacy)],
    ) {
        let mut alone = Bench::new(&bodies, false, backend);
        let mut bench = Bench::new(&[], false, backend);
        let ruleset = Ruleset::default();
        let mut with = Preparation {
            v6: false, backend, ruleset: &ruleset, shared: &mut bench.shared, strings: &mut bench.strings,
        };
        let mut table = PreparedTable::new(&table(&bodies), false, &mut with);
        for (bytes, ct_info) in &packets {
            let mut skb = Skb::new(bytes, &[], 0).unwrap();
            skb.ct_info = *ct_info;
            let expected = alone.send(&mut skb.clone());
            prop_assert_eq!(send(&mut table, &mut bench, &mut skb), expected, "{:02x?}", bytes);
        }
    }
}
