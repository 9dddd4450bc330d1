//! What targets leave behind for the rules after them, and how they end the way.

use super::rules::*;
use super::{Bench, Untracked};
use crate::replay::conntrack::{Conn, ConnId, CtInfo, Manip, Tuple};
use crate::replay::skb::Skb;
use crate::replay::world::{Connections, World};
use crate::replay::xt::{Act, Backend};
use crate::ruleset::model::{ChainId, Hook, Verdict};
use crate::ruleset::nft::Reject;
use crate::ruleset::xt::{ConnMarkOp, Match, NatRange, RuleBody, Target, TtlChange, TtlOp};
use std::net::IpAddr;

/// A SYN from 10.0.0.1 to 10.0.0.2.
fn syn() -> Vec<u8> {
    let ip = [0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let tcp = [0x13, 0x88, 0x14, 0x66, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0xc2, 4, 0, 0, 0, 0, 0];
    [ip, tcp].concat()
}

/// Sends the SYN down a chain of rules.
fn run(rules: Vec<Body>) -> (Vec<usize>, Act) {
    let bodies: Vec<RuleBody> = rules.into_iter().map(|rule| rule.0).collect();
    let packet = syn();
    Bench::new(&bodies, false, Backend::Nft).send(&mut Skb::new(&packet, &[], 0).unwrap())
}

fn end(target: Target) -> Act {
    run(vec![any().j(target)]).1
}

#[test]
fn later_rules_see_what_was_changed() {
    let mark = |mark, mask| Match::Mark { mark: yes(mark), mask };
    let rules = vec![
        any().j(Target::Mark { mask: u32::MAX, value: 0x12 }),
        any().m(mark(0x12, u32::MAX)).j(Target::Mark { mask: 0xf, value: 0x0f }),
        any().m(mark(0x1f, u32::MAX)).j(Target::Dscp { value: 46 }),
        any().m(Match::Dscp(yes(46))).j(Target::Ttl { op: TtlChange::Set, value: 9 }),
        any().m(Match::Ttl { op: TtlOp::Eq, value: 9 }).j(Target::Ecn { remove: true }),
        any().p(6).m(ecn(Some(yes(())), None, None)),
        any().j(Target::TcpMss { mss: Some(500) }),
        any().m(Match::Length(yes(span(44, 44)))),
        any().p(6).m(Match::TcpMss(yes(span(500, 500)))).accept(),
        any(),
    ];
    assert_eq!(run(rules), (vec![0, 1, 2, 3, 4, 6, 7, 8], Act::Accept));
}

#[test]
fn strings_are_looked_for_in_the_changed_packet() {
    let option = |n| any().m(window(&[0x60, 0xc2, 4, 0], n, 65535, false, false));
    let mut rules: Vec<Body> = (0..6).map(option).collect();
    rules.push(any().j(Target::TcpMss { mss: Some(500) }));
    rules.extend((0..6).map(option));
    assert_eq!(run(rules).0, vec![6, 7, 8, 9, 10, 11, 12]);
}

#[test]
fn only_what_is_not_seen_yet_is_left_untracked() {
    let notrack =
        || Target::Ct { notrack: true, helper: None, ctevents: None, expevents: None, zone: None, timeout: None };
    let untracked = Match::State(yes(crate::ruleset::xt::CtState::UNTRACKED));
    let invalid = Match::State(yes(crate::ruleset::xt::CtState::INVALID));
    let rules = vec![any().m(invalid.clone()), any().j(notrack()), any().m(untracked), any().m(invalid)];
    assert_eq!(run(rules).0, vec![0, 1, 2]);
}

#[test]
fn ends_of_the_way() {
    assert_eq!(end(Target::Verdict(Verdict::Drop)), Act::Drop);
    assert_eq!(end(Target::Verdict(Verdict::Return)), Act::Return);
    assert_eq!(end(Target::Chain { chain: ChainId(3), goto: false }), Act::Jump(ChainId(3)));
    assert_eq!(end(Target::Chain { chain: ChainId(3), goto: true }), Act::Goto(ChainId(3)));
    let reject = |with: &str| end(Target::Reject { with: with.into() });
    assert_eq!(reject("tcp-reset"), Act::Reject(Reject::TcpReset));
    assert_eq!(reject("icmp-port-unreachable"), Act::Reject(Reject::Icmp(3)));
    assert_eq!(reject("icmp-admin-prohibited"), Act::Reject(Reject::Icmp(13)));
    let queue = |bypass| end(Target::Nfqueue { first: 0, total: 1, bypass, cpu_fanout: false });
    assert_eq!((queue(true), queue(false)), (Act::Accept, Act::Drop), "nobody listens");
    assert_eq!(end(Target::Log { level: 4, prefix: String::new(), flags: 0 }), Act::Accept, "goes on to the policy");
}

#[test]
fn addresses_are_asked_for() {
    let asked = |target| match end(target) {
        Act::Nat(request) => (request.manip, request.range.addresses, request.range.ports, request.own),
        other => panic!("{other:?}"),
    };
    let to: IpAddr = "192.0.2.7".parse().unwrap();
    let range = NatRange {
        addresses: Some(span(to, to)),
        ports: Some(span(80, 90)),
        port_base: None,
        random: false,
        random_fully: false,
        persistent: false,
    };
    assert_eq!(asked(Target::Dnat(range.clone())), (Manip::Dst, Some((to, to)), Some((80, 90)), false));
    assert_eq!(asked(Target::Snat(range)).0, Manip::Src);
    let masquerade = Target::Masquerade { ports: Some(span(1024, 2048)), random: false, random_fully: false };
    assert_eq!(asked(masquerade), (Manip::Src, None, Some((1024, 2048)), true));
    assert_eq!(asked(Target::Redirect { ports: None, random: false }), (Manip::Dst, None, None, true));
    let packet = syn();
    let netmap = any().j(Target::Netmap { to: "172.16.0.0".parse().unwrap(), prefix: 16 });
    let mut bench = Bench::new(&[netmap.0], false, Backend::Nft);
    bench.hook.hook = Hook::Prerouting;
    let Act::Nat(request) = bench.send(&mut Skb::new(&packet, &[], 0).unwrap()).1 else { panic!("no NAT") };
    let mapped: IpAddr = "172.16.0.2".parse().unwrap();
    assert_eq!((request.manip, request.range.addresses), (Manip::Dst, Some((mapped, mapped))));
}

/// A table with one connection.
struct One(Conn);

impl Connections for One {
    fn get(&self, _id: ConnId) -> Option<&Conn> {
        Some(&self.0)
    }

    fn get_mut(&mut self, _id: ConnId) -> Option<&mut Conn> {
        Some(&mut self.0)
    }
}

fn one() -> One {
    let tuple = Tuple {
        src: "10.0.0.1".parse().unwrap(),
        dst: "10.0.0.2".parse().unwrap(),
        protocol: 6,
        src_port: 5000,
        dst_port: 5222,
        zone: 0,
    };
    let reply = Tuple { src: tuple.dst, dst: tuple.src, src_port: 5222, dst_port: 5000, ..tuple };
    One(Conn {
        id: ConnId { index: 0, serial: 1 },
        tuples: [tuple, reply],
        status: 0,
        mark: 0,
        labels: 0,
        counters: [(0, 0); 2],
        expires_ns: 0,
        master: None,
        helper: None,
    })
}

#[test]
fn marks_travel_between_packet_and_connection() {
    let connmark = |op, value, shift| Target::ConnMark { op, ct_mask: u32::MAX, nf_mask: u32::MAX, value, shift };
    let targets = [
        (connmark(ConnMarkOp::Set, 0x30, None), (0x7, 0x30)),
        (connmark(ConnMarkOp::Restore, 0, None), (0x30, 0x30)),
        (connmark(ConnMarkOp::Save, 0, Some((true, 4))), (0x30, 0x300)),
        (connmark(ConnMarkOp::Restore, 0, Some((false, 8))), (0x3, 0x300)),
    ];
    let bodies: Vec<RuleBody> = targets.iter().map(|(target, _)| any().j(target.clone()).0).collect();
    let mut bench = Bench::new(&bodies, false, Backend::Nft);
    let packet = syn();
    let mut skb = Skb::new(&packet, &[], 0).unwrap();
    let mut connections = one();
    (skb.ct, skb.ct_info, skb.mark) = (Some(connections.0.id), CtInfo::New, 7);
    for (rule, (target, (mark, ct_mark))) in bench.rules.iter_mut().zip(&targets) {
        let mut world = World {
            connections: &mut connections,
            routes: &bench.routes,
            shared: &mut bench.shared,
            strings: &mut bench.strings,
        };
        assert_eq!(rule.act(&mut skb, &bench.hook, &mut world), Act::Continue);
        assert_eq!((skb.mark, connections.0.mark), (*mark, *ct_mark), "{target:?}");
    }
    let mut world = World {
        connections: &mut Untracked,
        routes: &bench.routes,
        shared: &mut bench.shared,
        strings: &mut bench.strings,
    };
    bench.rules[1].act(&mut skb, &bench.hook, &mut world);
    assert_eq!(skb.mark, 0x3, "without a connection nothing is restored");
}
