//! Headers, whole, cut and absurd, over IPv6.

use super::compare;
use super::rules::U32::{And, Right};
use super::rules::*;
use crate::ruleset::xt::{Match, PortSide, TtlOp};

pub const CAPTURE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/replay/xt-headers.pcap"));

pub fn rows() -> Vec<Row> {
    vec![
        row("-m comment --comment all", any().m(Match::Comment("all".into())), both("138-209")),
        row("-s 2001:db8:1:1::/64", any().s("2001:db8:1:1::/ffff:ffff:ffff:ffff::"), both("138-161")),
        row(
            "! -s 2001:db8:1:1::/64 -d 2001:db8:30::2/128",
            any()
                .not_s("2001:db8:1:1::/ffff:ffff:ffff:ffff::")
                .d("2001:db8:30::2/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            both("162-209"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m ipv6header --header ipv6-frag --soft",
            from_6(1).m(headers(yes(16), true)),
            both("142-144"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m ipv6header --header ipv6-frag,protocol",
            from_6(1).m(headers(yes(17), false)),
            both("142-144"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m ipv6header ! --header protocol",
            from_6(1).m(headers(no(1), false)),
            both("140-144,146-148,155-157"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m ipv6header ! --header hop-by-hop,ipv6-opts --soft",
            from_6(1).m(headers(no(64 | 128), true)),
            both("138-139,142-144,146-153,156-161"),
        ),
        row("-s 2001:db8:1:1::1/128 -m ipv6header --header esp", from_6(1).m(headers(yes(4), false)), both("147")),
        row(
            "-s 2001:db8:1:1::1/128 -m ipv6header --header ipv6-nonxt --soft",
            from_6(1).m(headers(yes(2), true)),
            both("148"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m frag --fragid 77",
            from_6(1).m(frag(yes(span(77, 77)), false, None, None)),
            both("142-143"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m frag --fragid 0:100 --fragfirst",
            from_6(1).m(frag(yes(span(0, 100)), false, Some(true), None)),
            both("142"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m frag --fragmore",
            from_6(1).m(frag(yes(span(0, u32::MAX)), false, None, Some(true))),
            both("142,144"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m frag --fraglast",
            from_6(1).m(frag(yes(span(0, u32::MAX)), false, None, Some(false))),
            both("143,145"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m frag ! --fragid 77 --fragres",
            from_6(1).m(frag(no(span(77, 77)), true, None, None)),
            both("144"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m dst --dst-len 8",
            from_6(1).m(Match::Dst { length: Some(yes(8)), options: vec![], strict: false }),
            both("141"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m dst --dst-opts 5:2,201",
            from_6(1).m(Match::Dst { length: None, options: vec![(5, Some(2)), (201, None)], strict: false }),
            both("155"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m dst --dst-opts 1",
            from_6(1).m(Match::Dst { length: None, options: vec![(1, None)], strict: false }),
            both("141"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m hbh ! --hbh-len 16",
            from_6(1).m(Match::Hbh { length: Some(no(16)), options: vec![], strict: false }),
            both("140"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m rt --rt-type 2",
            from_6(1).m(rt(Some(yes(2)), yes(span(0, u32::MAX)), None, false)),
            both("156"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m rt ! --rt-segsleft 1",
            from_6(1).m(rt(None, no(span(1, 1)), None, false)),
            both("157"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m rt --rt-type 0 --rt-0-res",
            from_6(1).m(rt(Some(yes(0)), yes(span(0, u32::MAX)), None, true)),
            both(""),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m rt --rt-len 40",
            from_6(1).m(rt(None, yes(span(0, u32::MAX)), Some(yes(40)), false)),
            both("157"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m ah --ahspi 1000",
            from_6(1).m(Match::Ah { spi: yes(span(1000, 1000)), length: None, reserved: false }),
            both("146"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m ah --ahspi 1:2000 --ahlen 24 --ahres",
            from_6(1).m(Match::Ah { spi: yes(span(1, 2000)), length: Some(yes(24)), reserved: true }),
            both("146"),
        ),
        row(
            "-s 2001:db8:1:1::1/128 -m ah ! --ahlen 24",
            from_6(1).m(Match::Ah { spi: yes(span(0, u32::MAX)), length: Some(no(24)), reserved: false }),
            both(""),
        ),
        row("-m hl --hl-eq 9", any().m(Match::Ttl { op: TtlOp::Eq, value: 9 }), both("161,185,209")),
        row(
            "-m hl --hl-gt 9",
            any().m(Match::Ttl { op: TtlOp::Gt, value: 9 }),
            both("138-153,155-160,162-184,186-208"),
        ),
        row("-m tos --tos 0xb8/0xfc", any().m(Match::Tos { value: yes(0xb8), mask: 0xfc }), both("161,185,209")),
        row("-m dscp ! --dscp 0x00", any().m(Match::Dscp(no(0))), both("161,185,209")),
        row("-m ecn --ecn-ip-ect 1", any().m(ecn(None, None, Some(yes(1)))), both("161,185,209")),
        row(
            "-m length --length 40:56",
            any().m(Match::Length(yes(span(40, 56)))),
            both("138,140,145,147-153,158-159,161-162,164,169,171-178,182-183,185-186,188,193,195-202,206-207,209"),
        ),
        row(
            r#"-m u32 --u32 "0x6>>0x18=0x3b""#,
            any().m(u32s(false, &[(&[And(6), Right(24)], &[(59, 59)])])),
            both("148,172,196"),
        ),
        row("-m addrtype --dst-type UNICAST", any().m(kinds(None, Some(yes(2)))), both("138-153,155-209")),
        row("-m addrtype --dst-type MULTICAST", any().m(kinds(None, Some(yes(32)))), both("")),
        row("-m addrtype ! --src-type LOCAL", any().m(kinds(Some(no(4)), None)), both("138-153,155-209")),
        row("-m addrtype --src-type UNICAST,LOCAL", any().m(kinds(Some(yes(6)), None)), both("")),
        row(
            "-m iprange --src-range 2001:db8:1:2::-2001:db8:1:2::ffff",
            any().m(addresses(Some(yes(("2001:db8:1:2::", "2001:db8:1:2::ffff"))), None)),
            both("162-185"),
        ),
        row("-s 2001:db8:1:2::1/128 -p udp", from_6(2).p(17), both("162,164,166-167,177,179-180,185")),
        row("-s 2001:db8:1:2::1/128 -p tcp", from_6(2).p(6), apart("163,165,168,176,181", "163,165,168,170,176,181")),
        row(
            "-s 2001:db8:1:2::1/128 ! -p tcp",
            from_6(2).not_p(6),
            apart("162,164,166-167,170-175,177,179-180,182-185", "162,164,166-167,171-175,177,179-180,182-185"),
        ),
        row("-s 2001:db8:1:2::1/128 -p ah", from_6(2).p(51), apart("170", "")),
        row("-s 2001:db8:1:2::1/128 -p esp", from_6(2).p(50), both("171")),
        row("-s 2001:db8:1:2::1/128 -p mobility-header", from_6(2).p(135), both("182-183")),
        row("-s 2001:db8:1:2::1/128 -p ipv6-nonxt", from_6(2).p(59), both("172")),
        row(
            "-s 2001:db8:1:2::1/128 -p udp -m udp --dport 53",
            from_6(2).p(17).m(udp(None, some(53, 53))),
            apart("162,164,166-167,177", "162,164,166"),
        ),
        row(
            "-s 2001:db8:1:2::1/128 -p udp -m udp ! --dport 53",
            from_6(2).p(17).m(udp(None, not(53, 53))),
            both("179-180,185"),
        ),
        row(
            "-s 2001:db8:1:2::1/128 -p tcp -m tcp --dport 5222",
            from_6(2).p(6).m(tcp(None, some(5222, 5222), None, None)),
            apart("165,168,176", "165,170"),
        ),
        row(
            "-s 2001:db8:1:2::1/128 -p tcp -m tcp ! --dport 5222",
            from_6(2).p(6).m(tcp(None, not(5222, 5222), None, None)),
            both("163,181"),
        ),
        row(
            "-s 2001:db8:1:2::1/128 -p tcp -m tcp --tcp-flags SYN,ACK SYN",
            from_6(2).p(6).m(tcp(None, None, Some(yes((0x12, 2))), None)),
            apart("163,181", "163,170,181"),
        ),
        row(
            "-s 2001:db8:1:3::1/128 -p ipv6-icmp -m icmp6 --icmpv6-type 128",
            from_6(3).p(58).m(icmp(yes((128, span(0, 255))))),
            both("197"),
        ),
        row(
            "-s 2001:db8:1:3::1/128 -p ipv6-icmp -m icmp6 ! --icmpv6-type 1/4",
            from_6(3).p(58).m(icmp(no((1, span(4, 4))))),
            both("197"),
        ),
        row(
            "-s 2001:db8:1:3::1/128 -p mobility-header -m mh --mh-type 5",
            from_6(3).p(135).m(Match::Mh(yes(span(5, 5)))),
            both("206"),
        ),
        row(
            "-s 2001:db8:1:3::1/128 -p esp -m esp --espspi 5000",
            from_6(3).p(50).m(Match::Esp { spi: yes(span(5000, 5000)) }),
            both("195"),
        ),
        row(
            "-s 2001:db8:1:3::1/128 -p sctp -m sctp --dport 5222",
            from_6(3).p(132).m(Match::Sctp { sports: None, dports: some(5222, 5222), chunks: None }),
            both("208"),
        ),
        row(
            "-s 2001:db8:1:3::1/128 -p udp -m multiport --dports 53,9",
            from_6(3).p(17).m(ports(PortSide::Destination, yes(vec![span(53, 53), span(9, 9)]))),
            both("186,188,190,201,203-204"),
        ),
        row(
            "-s 2001:db8:1:3::1/128 -p tcp -m tcp --tcp-option 2",
            from_6(3).p(6).m(tcp(None, None, None, Some(yes(2)))),
            both("187"),
        ),
        row(
            "-s 2001:db8:1:3::1/128 -p tcp -m tcpmss --mss 1460",
            from_6(3).p(6).m(Match::TcpMss(yes(span(1460, 1460)))),
            both("187"),
        ),
    ]
}

#[test]
fn counts_what_the_kernel_counted() {
    compare(CAPTURE, true, &rows());
}
