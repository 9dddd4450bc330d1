//! Options, chunks, extension headers and what writes them: packets built for each, and the kernel's counters.

use super::Replay;
use super::build::*;
use crate::ruleset::model::Family;
use crate::ruleset::nft::{Expr, FibResult, Meta, Op, Payload, PayloadBase, Statement};

const CAPTURE: &[u8] = include_bytes!("../../../../tests/data/replay/nft-headers.pcap");

/// Source routes and broken options do not come as far as the chain.
const REPLAY: Replay = Replay { inside: &["10.88.30.2", "2001:db8:30::2"], track: false, without: &[9, 10, 12] };
const ALL: &str = "1-8,11,13-22,34-37";

fn chunk(kind: u8, offset: u32, bits: u32) -> Expr {
    Expr::SctpChunk { kind, offset, bits, exists: false }
}

#[test]
fn options_and_chunks() {
    let ra_value = Expr::IpOption { kind: 148, offset: 16, bits: 16, exists: false };
    let rules = vec![
        ("tcp option maxseg exists", vec![is(has_tcp_option(2), 1)], "2,7,34"),
        ("tcp option maxseg missing", vec![is(has_tcp_option(2), 0)], "1,3-6,8,11,13-22,35-37"),
        ("tcp option maxseg size 1460", vec![is(tcp_option(2, 16, 16), 1460)], "2,7,34"),
        ("tcp option window exists", vec![is(has_tcp_option(3), 1)], "2"),
        ("tcp option timestamp tsval 1", vec![is(tcp_option(8, 16, 32), 1)], "2"),
        ("tcp option nop exists", vec![is(has_tcp_option(1), 1)], "2"),
        ("tcp option eol exists", vec![is(has_tcp_option(0), 1)], "7"),
        ("ip option rr exists", vec![is(has_ip_option(7), 1)], "8,13,16"),
        ("ip option rr missing", vec![is(has_ip_option(7), 0)], "1-7,11,14-15,17-22,34-37"),
        ("ip option ra exists", vec![is(has_ip_option(148), 1)], "11,13-14"),
        ("ip option ra value 0", vec![is(ra_value, 0)], "11,13-14"),
        ("sctp chunk init exists", vec![is(has_chunk(1), 1)], "17"),
        ("sctp chunk data exists", vec![is(has_chunk(0), 1)], "17-18"),
        ("sctp chunk data stream 2", vec![is(chunk(0, 64, 16), 2)], "17-18"),
        ("sctp chunk init num-inbound-streams 20", vec![is(chunk(1, 112, 16), 20)], "17"),
        ("sctp chunk data missing", vec![is(has_chunk(0), 0)], "1-8,11,13-16,19-22,34-37"),
        ("@ih,0,32", vec![is(ih(0, 32), 0x7061796c)], "1"),
        ("@ih,0,8", vec![is(ih(0, 8), 0x3c)], "3"),
        ("@ih,0,16", vec![is(ih(0, 16), 0x4500)], "21-22"),
        ("@th,0,32", vec![is(th(0, 32), 0x03ed1466)], "34-35"),
    ];
    REPLAY.check(Family::Ip, rules, Vec::new(), CAPTURE);
}

#[test]
fn extension_headers() {
    let field = |header, offset, bits| Expr::ExtHdr { header, offset, bits, exists: false };
    let rules = vec![
        ("udp", vec![udp()], "23-25,28-30"),
        ("udp dport 8", vec![udp(), is(dport(), 8)], "23-25,28,30"),
        ("udp dport != 8: the flow label of fragments", vec![udp(), not(dport(), 8)], "29"),
        ("@th,0,16 0x6000", vec![is(th(0, 16), 0x6000)], "29-30"),
        ("@th,16,24 0", vec![is(th(16, 24), 0)], "26"),
        ("meta l4proto ah", vec![proto(51)], "26"),
        ("meta l4proto ipv6-nonxt", vec![proto(59)], "33"),
        ("frag more-fragments 1", vec![is(field(44, 31, 1), 1)], "28"),
        ("frag frag-off 8", vec![is(field(44, 16, 13), 8)], "29-31"),
        ("exthdr frag exists", vec![is(has_header(44), 1)], "28-31"),
        ("exthdr hbh exists", vec![is(has_header(0), 1)], "24"),
        ("exthdr rt exists", vec![is(has_header(43), 1)], "25"),
        ("exthdr dst exists", vec![is(has_header(60), 1)], "25"),
        ("exthdr mh missing", vec![is(has_header(135), 0)], "23-33"),
        ("ah spi 1", vec![is(field(51, 32, 32), 1)], "26"),
        ("rt type 4", vec![is(field(43, 16, 8), 4)], "25"),
        ("tcp option maxseg exists", vec![is(has_tcp_option(2), 1)], "32"),
        ("@ih,0,32", vec![is(ih(0, 32), 0x7061796c)], "23"),
    ];
    REPLAY.check(Family::Ip6, rules, Vec::new(), CAPTURE);
}

#[test]
fn what_is_set_is_seen_by_later_rules() {
    let field = |base, offset, bits| Payload { base, offset, bits };
    let put = |field, value| Statement::SetPayload { field, value: Expr::Constant(value) };
    let mss = Statement::SetTcpOption { kind: 2, offset: 16, bits: 16, value: Expr::Constant(vec![3, 0xe8]) };
    let rules = vec![
        ("ip dscp set ef ip dscp ef", vec![put(field(PayloadBase::Network, 8, 6), vec![46]), is(nh(8, 6), 46)], ALL),
        ("ip ttl set 33", vec![put(field(PayloadBase::Network, 64, 8), vec![33])], ALL),
        ("ip ttl 33", vec![is(nh(64, 8), 33)], ALL),
        ("tcp option maxseg size set 1000", vec![mss], "2-3,7,34"),
        ("tcp option maxseg size 1000", vec![is(tcp_option(2, 16, 16), 1000)], "2,7,34"),
        ("reset tcp option sack-perm", vec![Statement::ResetTcpOption { kind: 4 }], "2-4,7,34"),
        ("tcp option sack-perm exists", vec![is(has_tcp_option(4), 1)], ""),
        ("udp dport set 77", vec![udp(), put(field(PayloadBase::Transport, 16, 16), vec![0, 77])], "1,8,11,13-16"),
        ("udp dport 77", vec![udp(), is(dport(), 77)], "1,8,11,13-16"),
    ];
    REPLAY.check(Family::Ip, rules, Vec::new(), CAPTURE);
}

#[test]
fn interfaces_and_routes() {
    let name = |name: &str| {
        let mut padded = name.as_bytes().to_vec();
        padded.resize(16, 0);
        padded
    };
    let interface = |key, name| vec![Statement::Compare { left: meta(key), op: Op::Eq, right: name }];
    let fib = |flags, result| Expr::Fib { flags, result };
    let named = Statement::Compare { left: fib(1, FibResult::OifName), op: Op::Eq, right: name("eth0") };
    let exists =
        |flags, yes| vec![Statement::Compare { left: fib(flags, FibResult::Oif), op: Op::Eq, right: vec![yes] }];
    let rules = vec![
        ("iifname eth0", interface(Meta::IifName, name("eth0")), ALL),
        ("iifname eth", interface(Meta::IifName, name("eth")), ""),
        ("oifname eth*", interface(Meta::OifName, b"eth".to_vec()), ALL),
        ("oifname eth1", interface(Meta::OifName, name("eth1")), ALL),
        ("iif eth0", vec![is(meta(Meta::Iif), 2)], ALL),
        ("oif eth1", vec![is(meta(Meta::Oif), 3)], ALL),
        ("meta iiftype ether", vec![is(meta(Meta::IifType), 1)], ALL),
        ("meta iifgroup 0", vec![is(meta(Meta::IifGroup), 0)], ALL),
        ("meta pkttype host", vec![is(meta(Meta::PktType), 0)], ALL),
        ("meta protocol ip", vec![is(meta(Meta::Protocol), 0x800)], ALL),
        ("fib saddr . iif oif exists", exists(1 | 8 | 32, 1), ALL),
        ("fib daddr . iif oif missing", exists(2 | 8 | 32, 0), ALL),
        ("fib saddr oif eth0", vec![is(fib(1, FibResult::Oif), 2)], ALL),
        ("fib saddr oifname eth0", vec![named], ALL),
        ("fib daddr type unicast", vec![is(fib(2, FibResult::Type), 1)], ALL),
        ("rt ip nexthop", vec![is(Expr::Rt("nexthop".into()), 0x0a58_1e02)], ALL),
        (
            "rt mtu 65495",
            vec![Statement::Compare { left: Expr::Rt("mtu".into()), op: Op::Eq, right: vec![0xff, 0xd7] }],
            ALL,
        ),
        (
            "osf name unknown",
            vec![Statement::Compare { left: Expr::Osf, op: Op::Eq, right: name("unknown") }],
            "2,4-7,34",
        ),
        ("tproxy", vec![Statement::Tproxy], ""),
        ("dup", vec![Statement::Dup], ALL),
        ("rt classid 0", vec![is(Expr::Rt("classid".into()), 0)], ALL),
        ("meta skuid 0", vec![is(meta(Meta::SkUid), 0)], ""),
    ];
    REPLAY.check(Family::Ip, rules, Vec::new(), CAPTURE);
}

#[test]
fn numbers_made_up() {
    let inc = |offset| Expr::NumGen { random: false, modulus: 3, offset };
    let jhash = |of, seed, offset| Expr::Hash { of: Some(Box::new(of)), seed: Some(seed), modulus: 4096, offset };
    let ports = "1-8,11,13-19,34-36";
    let rules = vec![
        ("meta mark set numgen inc mod 3", vec![set_mark(inc(0))], ALL),
        ("meta mark 0", vec![is(mark(), 0)], "1,4,7,13,16,19,22,36"),
        ("meta mark 1", vec![is(mark(), 1)], "2,5,8,14,17,20,34,37"),
        ("meta mark set numgen inc mod 3 offset 10", vec![set_mark(inc(10))], ALL),
        ("meta mark 12", vec![is(mark(), 12)], "3,6,11,15,18,21,35"),
        (
            "meta mark set jhash ip saddr . th dport mod 4096 seed 0x7 offset 1000",
            vec![set_mark(jhash(Expr::Concat(vec![saddr(), dport()]), 7, 1000))],
            ALL,
        ),
        ("meta mark 1000-2000", vec![range(mark(), 1000, 2000)], ports),
        ("meta mark set jhash th dport mod 4096 seed 0xbeef", vec![set_mark(jhash(dport(), 0xbeef, 0))], ALL),
        ("meta mark < 2048", vec![cmp(mark(), Op::Lt, 2048)], "1,8,11,13-16,21,37"),
    ];
    REPLAY.check(Family::Ip, rules, Vec::new(), CAPTURE);
}
