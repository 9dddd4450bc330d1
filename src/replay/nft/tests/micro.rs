//! Boundaries of matches: rules against a capture of packets built for them.

use super::Replay;
use super::build::*;
use crate::ruleset::model::Family;
use crate::ruleset::nft::{Ct, Meta, Op, Set, Statement};

const CAPTURE: &[u8] = include_bytes!("../../../../tests/data/replay/k00-micro.pcap");
const INSIDE: &[&str] = &["10.88.30.2"];

type Case = (&'static str, Vec<Statement>, &'static str);

fn tcp_rules() -> Vec<Case> {
    let tcp_flags = |mask, op, value| vec![tcp(), cmp(and(flags(), mask), op, value)];
    vec![
        ("meta l4proto tcp", vec![tcp()], "1-18,27-35,51-52"),
        ("tcp dport 5222", vec![tcp(), is(dport(), 5222)], "1,27-35,51-52"),
        ("th dport 5222", vec![is(dport(), 5222)], "1,27-35,50-52"),
        ("th sport 16706", vec![is(th(0, 16), 16706)], ""),
        ("@th,160,40 0x4142484c4c", vec![is(th(160, 40), 0x4142484c4c)], ""),
        ("@th,160,16 0x4142", vec![is(th(160, 16), 0x4142)], "1"),
        ("@th,512,8 0", vec![is(th(512, 8), 0)], ""),
        ("tcp flags == 0", vec![tcp(), is(flags(), 0)], "27"),
        ("tcp flags & all == 0", tcp_flags(0x3f, Op::Eq, 0), "27"),
        ("tcp flags == syn", vec![tcp(), is(flags(), 2)], "7,18,35,52"),
        ("tcp flags syn", tcp_flags(2, Op::Ne, 0), "3,7-8,18,29-31,35,52"),
        ("tcp flags { syn, syn|ack }", vec![tcp(), within(flags(), 0)], "3,7-8,18,35,52"),
        ("tcp flags syn,rst / syn,rst", tcp_flags(6, Op::Eq, 6), "30-31"),
        ("tcp flags cwr", tcp_flags(0x80, Op::Ne, 0), "31"),
        ("tcp flags fin,psh,urg", tcp_flags(0x29, Op::Ne, 0), "1-2,5,10-13,15-16,28-29,31-34"),
        ("tcp flags != syn", vec![tcp(), not(flags(), 2)], "1-6,8-17,27-34"),
        ("tcp option timestamp exists", vec![is(has_tcp_option(8), 1)], "32-34"),
        ("tcp option maxseg size > 1400", vec![cmp(tcp_option(2, 16, 16), Op::Gt, 1400)], "7"),
        ("tcp dport { 1-1024, 4369 }", vec![tcp(), within(dport(), 2)], "7,9-11,13,16,18"),
    ]
}

fn ip_rules() -> Vec<Case> {
    vec![
        ("@nh,0,8 0x45", vec![is(nh(0, 8), 0x45)], "1-34,36-52"),
        ("@nh,0,4 4", vec![is(nh(0, 4), 4)], "1-52"),
        ("@nh,4,4 6", vec![is(nh(4, 4), 6)], "35"),
        ("@ll,96,16 0x800", vec![is(ll(96, 16), 0x800)], "1-52"),
        ("ip option ra exists", vec![is(has_ip_option(148), 1)], "35"),
        ("ip frag-off & 0x1fff == 0", vec![is(and(nh(48, 16), 0x1fff), 0)], "1-41,46-52"),
        ("ip frag-off & 0x1fff != 0", vec![not(and(nh(48, 16), 0x1fff), 0)], "42-45"),
        ("ip frag-off & 0x2000 == 0x2000", vec![is(and(nh(48, 16), 0x2000), 0x2000)], "41-42,45-47"),
        ("ip length 28", vec![is(nh(16, 16), 28)], "49,51"),
        ("ip ttl 64", vec![is(nh(64, 8), 64)], "1-37,40-52"),
        ("ip dscp ef", vec![is(nh(8, 6), 46)], "40"),
        ("ip ecn ect1", vec![is(nh(14, 2), 1)], "40"),
        ("ip protocol { esp, gre, sctp }", vec![within(nh(72, 8), 1)], "48-50"),
        ("meta length 40-60", vec![range(meta(Meta::Length), 40, 60)], "2-11,13-18,22-23,27-31,33-35,37,50,52"),
        ("meta length < 60 udp", vec![cmp(meta(Meta::Length), Op::Lt, 60), udp()], "19-21,36-40,43-44"),
    ]
}

fn datagram_rules() -> Vec<Case> {
    vec![
        ("udp length 10", vec![udp(), is(th(32, 16), 10)], "21,37"),
        ("udp checksum 0", vec![udp(), is(th(48, 16), 0)], "36-37"),
        ("udp dport 8", vec![udp(), is(dport(), 8)], "41,46-47"),
        ("icmp type echo-request", vec![proto(1), is(th(0, 8), 8)], "24"),
        ("icmp type 3 code 3", vec![proto(1), is(th(0, 16), 0x303)], "22-23"),
        ("icmp id 5", vec![proto(1), within(th(0, 8), 3), is(th(32, 16), 5)], "24-25"),
        ("esp spi", vec![proto(50), is(th(0, 32), 0x31323334)], "49"),
        ("sctp dport 5222", vec![proto(132), is(dport(), 5222)], "50"),
    ]
}

/// Data of fragments read as ports.
fn fragment_rules() -> Vec<Case> {
    let read = "42,45";
    vec![
        ("udp dport 17990", vec![udp(), is(dport(), 17990)], read),
        ("udp sport 17990", vec![udp(), is(th(0, 16), 17990)], read),
        ("@th,0,32", vec![is(th(0, 32), 0x46464646)], read),
        ("@th,64,24: no fast path", vec![is(th(64, 24), 0x48454c)], ""),
        ("udp length 17990", vec![udp(), is(th(32, 16), 17990)], read),
        ("udp dport 17000-18000", vec![udp(), range(dport(), 17000, 18000)], read),
        ("udp dport { 17990, 3 }", vec![udp(), within(dport(), 4)], "40,42,45"),
        ("udp dport != 8", vec![udp(), not(dport(), 8)], "19-21,36-40,42-45"),
        ("udp", vec![udp()], "19-21,36-47"),
    ]
}

fn sets() -> Vec<Set> {
    vec![
        set_of(1, &[2, 0x12]),
        set_of(1, &[47, 50, 132]),
        set_of_ranges(2, &[(1, 1024), (4369, 4369)]),
        set_of(1, &[0, 8]),
        set_of(2, &[3, 17990]),
    ]
}

#[test]
fn matches_without_connection_tracking() {
    let replay = Replay { inside: INSIDE, track: false, without: &[] };
    for rules in [tcp_rules(), ip_rules(), datagram_rules(), fragment_rules()] {
        replay.check(Family::Ip, rules, sets(), CAPTURE);
    }
}

#[test]
fn states_of_connections() {
    // The fragments and the packet with a wrong checksum are other tests' matter: defragmentation and the sums are
    // looked after before rules run.
    let replay = Replay { inside: INSIDE, track: true, without: &[41, 42, 43, 44, 45, 46, 47, 52] };
    let state = |bits| vec![not(and(ct(Ct::State), bits), 0)];
    let status = |bits| vec![not(and(ct(Ct::Status), bits), 0)];
    let rules = vec![
        ("ct state new", state(8), "1,6-7,18-19,24,32-40,48-49"),
        ("ct state established", state(2), "2,8-12,15-17,20-21,25"),
        ("ct state related", state(4), "22"),
        ("ct state invalid", state(1), "3-5,13-14,23,26-31,50-51"),
        ("ct status assured", status(4), "9-12,15-17"),
        ("ct status seen-reply", status(2), "2,8-12,15-17,20-22,25"),
    ];
    replay.check(Family::Ip, rules, Vec::new(), CAPTURE);
}
