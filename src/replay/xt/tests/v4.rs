//! Headers, whole, cut and absurd, over IPv4.

use super::compare;
use super::rules::U32::{And, At, Right};
use super::rules::*;
use crate::ruleset::xt::{Match, PortSide, TtlOp};

pub const CAPTURE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/replay/xt-headers.pcap"));

pub fn rows() -> Vec<Row> {
    vec![
        row("-p tcp", any().p(6), both("1-78,122-126,137")),
        row("! -p tcp", any().not_p(6), both("79-121,127-136")),
        row("-s 10.1.14.0/24", any().s("10.1.14.0/255.255.255.0"), both("116-126")),
        row("! -s 10.1.0.0/16", any().not_s("10.1.0.0/255.255.0.0"), both("133-135")),
        row("-s 10.0.0.1/255.0.0.255", any().s("10.0.0.1/255.0.0.255"), both("1-132,136-137")),
        row(
            "-s 10.1.0.0/16 ! -d 10.88.30.2/32",
            any().s("10.1.0.0/255.255.0.0").not_d("10.88.30.2/255.255.255.255"),
            both(""),
        ),
        row(
            "! -s 10.0.0.0/8 ! -d 10.0.0.0/8",
            any().not_s("10.0.0.0/255.0.0.0").not_d("10.0.0.0/255.0.0.0"),
            both("135"),
        ),
        row("-i eth0 -o eth1", any().i("eth0", false).o("eth1", false), both("1-137")),
        row("! -i eth+", any().not_i("eth", true), both("")),
        row("-i eth0 -o eth+", any().i("eth0", false).o("eth", true), both("1-137")),
        row("-f", any().f(false), both("7-8,20-21,33-34,46-47,59-60,72-73,82,88,95,126")),
        row("-p tcp ! -f", any().f(true).p(6), both("1-6,9-19,22-32,35-45,48-58,61-71,74-78,122-125,137")),
        row(
            "-s 10.1.1.1/32 -p tcp -m tcp --dport 5222",
            from_4(1).p(6).m(tcp(None, some(5222, 5222), None, None)),
            apart("2-9", "2-4,9"),
        ),
        row(
            "-s 10.1.2.1/32 -p tcp -m tcp ! --sport 1:5000",
            from_4(2).p(6).m(tcp(not(1, 5000), None, None, None)),
            apart("14-22", "14-17,22"),
        ),
        row(
            "-s 10.1.3.1/32 -p tcp -m tcp --tcp-flags SYN,ACK SYN",
            from_4(3).p(6).m(tcp(None, None, Some(yes((0x12, 2))), None)),
            apart("27,32-38", "27,35-38"),
        ),
        row(
            "-s 10.1.4.1/32 -p tcp -m tcp --tcp-option 3",
            from_4(4).p(6).m(tcp(None, None, None, Some(yes(3)))),
            both("40"),
        ),
        row(
            "-s 10.1.4.1/32 -p tcp -m tcp --dport 1:65535 ! --tcp-option 2",
            from_4(4).p(6).m(tcp(None, some(1, 65535), None, Some(no(2)))),
            both("41,51-52"),
        ),
        row(
            "-s 10.1.5.1/32 -p tcp -m tcpmss --mss 500:1460",
            from_4(5).p(6).m(Match::TcpMss(yes(span(500, 1460)))),
            both("53,61-62"),
        ),
        row(
            "-s 10.1.6.1/32 -p tcp -m multiport --ports 5222,2:4",
            from_4(6).p(6).m(ports(PortSide::Either, yes(vec![span(5222, 5222), span(2, 4)]))),
            both("66-71,74-77"),
        ),
        row(
            "-s 10.1.6.1/32 -p tcp -m multiport ! --sports 1",
            from_4(6).p(6).m(ports(PortSide::Source, no(vec![span(1, 1)]))),
            both("66-71,74"),
        ),
        row(
            "-s 10.1.7.1/32 -p udp -m udp --dport 53",
            from_4(7).p(17).m(udp(None, some(53, 53))),
            apart("79-80,82-83", "79,83"),
        ),
        row("-s 10.1.7.1/32 -p udp -m udp ! --dport 53", from_4(7).p(17).m(udp(None, not(53, 53))), both("84")),
        row(
            "-s 10.1.7.1/32 -p udp -m udp ! --dport 0:65535",
            from_4(7).p(17).m(udp(None, not(0, 65535))),
            apart("79-84", ""),
        ),
        row("-s 10.1.8.1/32 -p udp -m udp", from_4(8).p(17).m(udp(None, None)), both("85,89-90")),
        row(
            "-s 10.1.9.1/32 -p icmp -m icmp --icmp-type any",
            from_4(9).p(1).m(icmp(yes((255, span(0, 255))))),
            both("91-93,96"),
        ),
        row(
            "-s 10.1.9.1/32 -p icmp -m icmp --icmp-type 3",
            from_4(9).p(1).m(icmp(yes((3, span(0, 255))))),
            both("92-93"),
        ),
        row(
            "-s 10.1.9.1/32 -p icmp -m icmp ! --icmp-type 3/4",
            from_4(9).p(1).m(icmp(no((3, span(4, 4))))),
            both("91-92,96"),
        ),
        row(
            "-s 10.1.10.1/32 -p sctp -m sctp --dport 5222",
            from_4(10).p(132).m(Match::Sctp { sports: None, dports: some(5222, 5222), chunks: None }),
            both("97-100"),
        ),
        row(
            "-s 10.1.10.1/32 -p sctp -m sctp --chunk-types any DATA:U",
            from_4(10).p(132).m(chunks(false, 0, &[(0, Some((4, 4)))])),
            both("97"),
        ),
        row(
            "-s 10.1.10.1/32 -p sctp -m sctp --chunk-types any DATA:uBE,SACK",
            from_4(10).p(132).m(chunks(false, 0, &[(0, Some((7, 3))), (3, None)])),
            both("98,100-101"),
        ),
        row(
            "-s 10.1.10.1/32 -p sctp -m sctp --chunk-types all DATA,SACK",
            from_4(10).p(132).m(chunks(false, 1, &[(0, None), (3, None)])),
            both("100"),
        ),
        row(
            "-s 10.1.10.1/32 -p sctp -m sctp --chunk-types only DATA,SACK",
            from_4(10).p(132).m(chunks(false, 2, &[(0, None), (3, None)])),
            both("97-98,100"),
        ),
        row(
            "-s 10.1.10.1/32 -p sctp -m sctp ! --chunk-types any INIT",
            from_4(10).p(132).m(chunks(true, 0, &[(1, None)])),
            both("97-98,100-102"),
        ),
        row(
            "-s 10.1.10.1/32 -p sctp -m sctp --chunk-types any ABORT:T",
            from_4(10).p(132).m(chunks(false, 0, &[(6, Some((1, 1)))])),
            both("102"),
        ),
        row(
            "-s 10.1.11.1/32 -p sctp -m sctp --chunk-types any INIT",
            from_4(11).p(132).m(chunks(false, 0, &[(1, None)])),
            both(""),
        ),
        row(
            "-s 10.1.12.1/32 -p dccp -m dccp --dccp-types REQUEST,ACK",
            from_4(12).p(33).m(dccp(Some(yes(1 | 1 << 3)), None)),
            both("107-108,110"),
        ),
        row(
            "-s 10.1.12.1/32 -p dccp -m dccp ! --dccp-types DATA",
            from_4(12).p(33).m(dccp(Some(no(1 << 2)), None)),
            both("107-108,110"),
        ),
        row(
            "-s 10.1.12.1/32 -p dccp -m dccp --dccp-option 38",
            from_4(12).p(33).m(dccp(None, Some(yes(38)))),
            both("110"),
        ),
        row(
            "-s 10.1.13.1/32 -p ah -m ah --ahspi 1000",
            from_4(13).p(51).m(Match::Ah { spi: yes(span(1000, 1000)), length: None, reserved: false }),
            both("112"),
        ),
        row(
            "-s 10.1.13.1/32 -p esp -m esp ! --espspi 1:6000",
            from_4(13).p(50).m(Match::Esp { spi: no(span(1, 6000)) }),
            both(""),
        ),
        row("-m tos --tos 0x10/0xff", any().m(Match::Tos { value: yes(0x10), mask: 0xff }), both("117")),
        row("-m tos ! --tos 0x00/0xfc", any().m(Match::Tos { value: no(0), mask: 0xfc }), both("116-117")),
        row("-m dscp --dscp 0x2e", any().m(Match::Dscp(yes(0x2e))), both("116")),
        row("-m ttl --ttl-lt 64", any().m(Match::Ttl { op: TtlOp::Lt, value: 64 }), both("118")),
        row("-m ttl --ttl-gt 64", any().m(Match::Ttl { op: TtlOp::Gt, value: 64 }), both("119-120")),
        row("-m ttl ! --ttl-eq 64", any().m(Match::Ttl { op: TtlOp::Ne, value: 64 }), both("118-120")),
        row("-m ecn --ecn-ip-ect 1", any().m(ecn(None, None, Some(yes(1)))), both("116")),
        row("-m ecn ! --ecn-ip-ect 0", any().m(ecn(None, None, Some(no(0)))), both("116,121")),
        row(
            "-s 10.1.14.1/32 -p tcp -m ecn --ecn-tcp-cwr",
            from_4(14).p(6).m(ecn(Some(yes(())), None, None)),
            both("123-124,126"),
        ),
        row(
            "-s 10.1.14.1/32 -p tcp -m ecn ! --ecn-tcp-ece",
            from_4(14).p(6).m(ecn(None, Some(no(())), None)),
            both("123,125"),
        ),
        row(
            r#"-s 10.1.15.1/32 -m string --hex-string "|e4f6|" --algo bm --icase"#,
            from_4(15).m(string(b"\xe4\xf6", false)),
            both("127-128"),
        ),
        row(
            r#"-s 10.1.15.1/32 -m string --string "pASSword" --algo kmp --icase"#,
            from_4(15).m(string(b"pASSword", true)),
            both("127-128"),
        ),
        row(
            r#"-s 10.1.15.1/32 -m string --hex-string "|dfff2053747261737365|" --algo kmp --icase"#,
            from_4(15).m(string(b"\xdf\xff Strasse", true)),
            both("129"),
        ),
        row(
            r#"-s 10.1.15.1/32 -m string --hex-string "|bfdf2053747261737365|" --algo kmp --icase"#,
            from_4(15).m(string(b"\xbf\xdf Strasse", true)),
            both("130"),
        ),
        row(
            r#"-s 10.1.15.1/32 -m string --hex-string "|f7d7206162|" --algo kmp --icase"#,
            from_4(15).m(string(b"\xf7\xd7 ab", true)),
            both("132"),
        ),
        row(
            "-m iprange --src-range 10.2.0.0-10.3.0.5",
            any().m(addresses(Some(yes(("10.2.0.0", "10.3.0.5"))), None)),
            both("133-134"),
        ),
        row(
            "-m iprange ! --src-range 10.1.0.0-10.88.0.0 --dst-range 198.51.100.7-198.51.100.7",
            any().m(addresses(Some(no(("10.1.0.0", "10.88.0.0"))), Some(yes(("198.51.100.7", "198.51.100.7"))))),
            both("135"),
        ),
        row("-m addrtype --src-type LOCAL", any().m(kinds(Some(yes(4)), None)), both("")),
        row(
            "-m addrtype ! --src-type LOCAL --dst-type UNICAST",
            any().m(kinds(Some(no(4)), Some(yes(2)))),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
        row(
            "-m length --length 28:30",
            any().m(Match::Length(yes(span(28, 30)))),
            apart("5,18,31,70,84,90,92-93,95-96,114,116-121,133-135", "70,84,90,92-93,95-96,114,116-121,133-135"),
        ),
        row("-m length ! --length 20:60", any().m(Match::Length(no(span(20, 60)))), both("100")),
        row(
            "-m mark --mark 0x0",
            any().m(Match::Mark { mark: yes(0), mask: u32::MAX }),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
        row("-m mark ! --mark 0x0/0xff", any().m(Match::Mark { mark: no(0), mask: 0xff }), both("")),
        row(
            "-m pkttype --pkt-type unicast",
            any().m(Match::PktType(yes(0))),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
        row(
            "-m pkttype ! --pkt-type broadcast",
            any().m(Match::PktType(no(1))),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
        row(
            r#"-m u32 --u32 "0x0>>0x16&0x3c@0x0>>0x18=0x14""#,
            any().m(u32s(false, &[(&[And(0), Right(22), And(0x3c), At(0), Right(24)], &[(0x14, 0x14)])])),
            apart("1,7-8,14,20-21,27,33-34,40,47,53,59-60,66,72-73", "1,8,14,21,27,34,40,47,53,59-60,66,72-73"),
        ),
        row(
            r#"-m u32 --u32 "0x4&0x1fff=0x0&&0x0>>0x16&0x3c@0x4=0x1:0x2""#,
            any().m(u32s(
                false,
                &[(&[And(4), And(0x1fff)], &[(0, 0)]), (&[And(0), Right(22), And(0x3c), At(4)], &[(1, 2)])],
            )),
            apart(
                "1-6,9-19,22-32,35-41,48-54,61-71,74-78,97-102,114,122-125,137",
                "1-4,9-17,22-30,35-41,48-54,61-71,74-78,97-102,114,122-125,137",
            ),
        ),
        row(
            r#"-m u32 ! --u32 "0x24=0x0:0xffffffff""#,
            any().m(u32s(true, &[(&[And(36)], &[(0, u32::MAX)])])),
            apart(
                "5-6,18-19,31-32,70-71,80-82,84,88,90-93,95-96,109,114,116-121,127-136",
                "70-71,82,84,88,90-93,95-96,109,114,116-121,127-136",
            ),
        ),
        row(
            r#"-m u32 --u32 "0x0>>0x16&0x3c@0xc>>0x1a&0x3c@0x0=0x47455420""#,
            any().m(u32s(
                false,
                &[(
                    &[And(0), Right(22), And(0x3c), At(12), Right(26), And(0x3c), At(0)],
                    &[(0x4745_5420, 0x4745_5420)],
                )],
            )),
            both("137"),
        ),
        row(
            "-m physdev ! --physdev-is-bridged",
            any().m(physdev(None, Some(no(())))),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
        row("-m physdev --physdev-in eth0", any().m(physdev(Some(yes("eth0")), None)), both("")),
        row(
            "-m devgroup --src-group default",
            any().m(Match::DevGroup { src: Some(yes((0, u32::MAX))), dst: None }),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
        row(
            "-m devgroup ! --src-group default",
            any().m(Match::DevGroup { src: Some(no((0, u32::MAX))), dst: None }),
            both(""),
        ),
        row(
            "-m realm --realm cosmos",
            any().m(Match::Realm { realm: yes(0), mask: u32::MAX }),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
        row(
            "-m policy --dir in --pol none",
            any().m(Match::Policy { outbound: false, none: true, options: String::new() }),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
        row(
            r#"-m bpf --bytecode "9,48 0 0 9,21 0 6 17,40 0 0 6,69 4 0 8191,177 0 0 0,72 0 0 2,21 0 1 53,6 0 0 65535,6 0 0 0""#,
            any().m(bpf(&[
                (48, 0, 0, 9),
                (21, 0, 6, 17),
                (40, 0, 0, 6),
                (69, 4, 0, 8191),
                (177, 0, 0, 0),
                (72, 0, 0, 2),
                (21, 0, 1, 53),
                (6, 0, 0, 65535),
                (6, 0, 0, 0),
            ])),
            apart("79-80,83,85,89", "79,83,85,89"),
        ),
        row(
            r#"-m bpf --bytecode "4,32 0 0 4294963220,21 0 1 0,6 0 0 1,6 0 0 0""#,
            any().m(bpf(&[(32, 0, 0, 4_294_963_220), (21, 0, 1, 0), (6, 0, 0, 1), (6, 0, 0, 0)])),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
        row(
            r#"-m bpf --bytecode "4,40 0 0 4294963200,21 0 1 2048,6 0 0 1,6 0 0 0""#,
            any().m(bpf(&[(40, 0, 0, 4_294_963_200), (21, 0, 1, 2048), (6, 0, 0, 1), (6, 0, 0, 0)])),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
        row(
            r#"-m bpf --bytecode "4,48 0 0 4293918729,21 0 1 17,6 0 0 1,6 0 0 0""#,
            any().m(bpf(&[(48, 0, 0, 4_293_918_729), (21, 0, 1, 17), (6, 0, 0, 1), (6, 0, 0, 0)])),
            apart("79-85,88-90,116-121,127-136", "79,82-85,88-90,116-121,127-136"),
        ),
        row(
            r#"-m bpf --bytecode "3,128 0 0 0,4 0 0 0,22 0 0 0""#,
            any().m(bpf(&[(128, 0, 0, 0), (4, 0, 0, 0), (22, 0, 0, 0)])),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
        row(
            "-m comment --comment end",
            any().m(Match::Comment("end".into())),
            apart(
                "1-41,47-54,59-85,88-93,95-102,109-110,112,114,116-137",
                "1-4,8-17,21-30,34-41,47-54,59-79,82-85,88-93,95-102,109-110,112,114,116-137",
            ),
        ),
    ]
}

#[test]
fn counts_what_the_kernel_counted() {
    compare(CAPTURE, false, &rows());
}
