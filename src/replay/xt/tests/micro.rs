//! Fragments, flags and the windows of strings, over packets that are not tracked and so not put together.

use super::compare;
use super::rules::*;
use crate::ruleset::xt::{Match, PortSide, TtlOp};

const CAPTURE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/replay/k00-micro.pcap"));

/// `--tcp-flags ALL …`
fn flags(of: u8) -> Match {
    tcp(None, None, Some(yes((0x3f, of))), None)
}

#[test]
fn protocols_fragments_and_flags() {
    let hello = window(b"HELLO", 0, 65535, false, false);
    let rows = [
        row("-p tcp", any().p(6), both("1-18,27-35,51-52")),
        row("-p udp", any().p(17), both("19-21,36-47")),
        row("-p icmp", any().p(1), both("22-26")),
        row("-f", any().f(false), both("42-45")),
        row("! -f", any().f(true), both("1-41,46-52")),
        row("-p udp --dport 8", any().p(17).m(udp(None, some(8, 8))), both("41,46-47")),
        row("-p udp --dport 7", any().p(17).m(udp(None, some(7, 7))), both("37")),
        row("-p sctp", any().p(132), both("50")),
        row("-p esp", any().p(50), both("49")),
        row("-p gre", any().p(47), both("48")),
        row("--length 0:39", any().m(Match::Length(yes(span(0, 39)))), both("19-21,24-26,36,38-40,43-44,48-49,51")),
        row("--ttl-eq 255", any().m(Match::Ttl { op: TtlOp::Eq, value: 255 }), both("")),
        row("--ttl-eq 254", any().m(Match::Ttl { op: TtlOp::Eq, value: 254 }), both("39")),
        row("--ttl-eq 1", any().m(Match::Ttl { op: TtlOp::Eq, value: 1 }), both("38")),
        row("--string HELLO", any().m(hello), both("1,32,42,45")),
        row("-p udp --dport 17990", any().p(17).m(udp(None, some(17990, 17990))), apart("42,45", "")),
        row("--dports 17990", any().p(17).m(ports(PortSide::Destination, yes(vec![span(17990, 17990)]))), both("")),
        row("-p udp ! --dport 8", any().p(17).m(udp(None, not(8, 8))), apart("19-21,36-40,42-45", "19-21,36-40")),
        row("-p udp -f", any().f(false).p(17), both("42-45")),
        // From here on iptables-legacy has dropped packet 51, whose TCP header is cut.
        row(
            "-p tcp --dport 5222",
            any().p(6).m(tcp(None, some(5222, 5222), None, None)),
            apart("1,27-35,51-52", "1,27-35,52"),
        ),
        row("--tcp-flags ALL NONE", any().p(6).m(flags(0)), both("27")),
        row("--tcp-flags ALL FIN,PSH,URG", any().p(6).m(flags(0x29)), both("28")),
        row("--tcp-flags ALL ALL", any().p(6).m(flags(0x3f)), both("31")),
        row("--syn", any().p(6).m(tcp(None, None, Some(yes((0x17, 2))), None)), both("7,18,35,52")),
        row("--tcp-flags SYN,FIN SYN,FIN", any().p(6).m(tcp(None, None, Some(yes((3, 3))), None)), both("29,31")),
    ];
    compare(CAPTURE, false, &rows);
}

#[test]
fn windows_of_strings() {
    for kmp in [false, true] {
        let hello = |from, to, packets| row("HELLO", any().m(window(b"HELLO", from, to, false, kmp)), both(packets));
        let other = |pattern: &[u8], from, to, packets| {
            row("another", any().m(window(pattern, from, to, false, kmp)), both(packets))
        };
        let mut inverted = window(b"HELLO", 43, 65535, false, kmp);
        if let Match::String(string) = &mut inverted {
            string.pattern.not = true;
        }
        let rows = [
            hello(0, 41, "42,45"),
            hello(0, 42, "42,45"),
            hello(0, 46, "42,45"),
            hello(0, 47, "1,42,45"),
            hello(41, 47, "1"),
            hello(42, 47, "1"),
            hello(42, 46, ""),
            hello(43, 47, ""),
            hello(42, 42, ""),
            hello(42, 65535, "1,32"),
            hello(0, 65535, "1,32,42,45"),
            hello(54, 59, "32"),
            hello(54, 58, ""),
            hello(0, 54, "1,42,45"),
            hello(55, 100, ""),
            row("hello --icase", any().m(window(b"hello", 0, 65535, true, kmp)), both("1,32,42,45")),
            other(b"\0\x01n", 0, 65535, "10-11"),
            row("! HELLO --from 43", any().m(inverted), both("1-31,33-52")),
            other(b"x", 47, 48, "1"),
            other(b"E", 0, 1, "1-34,36-52"),
            other(b"xxxxxxxxxxxxxxxxxxxxWORLD", 0, 65535, "1,32"),
        ];
        compare(CAPTURE, false, &rows);
    }
}
