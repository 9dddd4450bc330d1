//! What the comparison of model and kernel (`differential`) has found, once and for all: small rules and packets with
//! the counts of the kernel (6.18). Where there is a kernel to ask, it is asked again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // tests
mod support;

use jabberscope::replay::kernel::{Backend, FileKind, Settings, Vantage, available};
use support::random_rules::{Line, OwnedPacket, RandomCase, RandomFile};

const NFT: FileKind = FileKind::NftScript;
const V4: FileKind = FileKind::Iptables4;
const V6: FileKind = FileKind::Iptables6;

/// Rules, packets (IP, in hexadecimal), and what is counted of them (`KEY PACKETS BYTES`, joined by commas).
fn agreed(kind: FileKind, rules: &str, packets: &[&str], counts: &str) {
    agreed_with(&Around::default(), kind, rules, packets, counts);
}

/// What else there is.
#[derive(Default)]
struct Around {
    settings: Settings,
    /// `ipset save`
    sets: &'static str,
    /// The rules stand on 10.1.0.1, not on a gateway.
    host: bool,
}

fn agreed_with(around: &Around, kind: FileKind, rules: &str, packets: &[&str], counts: &str) {
    let backends = if kind == NFT { &[Backend::Nft][..] } else { &[Backend::Nft, Backend::Legacy] };
    for &backend in backends {
        let case = case(around, backend, kind, rules, packets);
        let found = case.model_counts().unwrap();
        for wanted in counts.split(", ") {
            let (key, numbers) = wanted.split_at(wanted.rfind(|c: char| c.is_alphabetic()).unwrap() + 1);
            // The number of a rule belongs to the key.
            let words: Vec<&str> = numbers.split_whitespace().collect();
            let (more, [packets, bytes]) = words.split_last_chunk().unwrap();
            let key = [&[key], more].concat().join(" ");
            let wanted = (packets.parse().unwrap(), bytes.parse().unwrap());
            assert_eq!(found.get(&key), Some(&wanted), "{backend:?} {key}");
        }
        match available() {
            Ok(()) => assert!(case.compare().unwrap().disagreements.is_empty(), "{}", case.report()),
            Err(why) => {
                assert!(why.is_unavailable(), "{why}");
                eprintln!("SKIPPED: the kernel is not asked again: {why}");
            }
        }
    }
}

fn case(around: &Around, backend: Backend, kind: FileKind, rules: &str, packets: &[&str]) -> RandomCase {
    let lines = |text: &str| text.lines().map(|line| Line { text: line.to_owned(), optional: false }).collect();
    let sets = RandomFile { kind: FileKind::Ipset, lines: lines(around.sets) };
    let inside = vec![("10.1.0.0".parse().unwrap(), 16), ("2001:db8:1::".parse().unwrap(), 48)];
    let packets = packets.iter().enumerate().map(|(at, hex)| {
        let bytes = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let ip = (0..hex.len()).step_by(2).map(bytes).collect();
        OwnedPacket { time_ns: 1_700_000_000_000_000_000 + 20_000 * at as i64, link: Vec::new(), ip }
    });
    RandomCase {
        seed: 0,
        files: vec![sets, RandomFile { kind, lines: lines(rules) }],
        backend,
        vantage: match around.host {
            true => Vantage::Host { local: vec!["10.1.0.1".parse().unwrap()] },
            false => Vantage::Gateway { inside },
        },
        settings: around.settings,
        packets: packets.collect(),
    }
}

/// A datagram of 28 bytes from outside to inside, port 1024.
const UDP_IN: &str = "4500001c93d50000401116e5c61200010a010003800c04000008abba";
/// TCP to port 443 behind a fragment header that says that this is all.
const ATOMIC: &str = "60000000001c2c4020010db800010000000000000000000320010db80002000000000000000000030600000000000009\
                      7e3e0035275e12a87a51b7d85010020067b60000";
const FORWARD: &str = "table inet t {\n chain c {\n  type filter hook forward priority 0;\n";

#[test]
fn a_fragment_header_that_says_that_this_is_all_is_taken_out_too() {
    let tracked = format!("{FORWARD}  counter\n  ct state new counter\n }}\n}}");
    agreed(NFT, &tracked, &[ATOMIC], "inet t c rule 1 1 60, inet t c rule 2 1 60");
    let untracked = format!("{FORWARD}  counter\n }}\n}}");
    agreed(NFT, &untracked, &[ATOMIC], "inet t c rule 1 1 68");
}

#[test]
fn nat_chains_alone_do_not_track() {
    let rules =
        "*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT";
    agreed(V4, rules, &[UDP_IN], "ip nat PREROUTING policy 0 0, ip filter FORWARD policy 1 28");
    let translating = rules.replace("COMMIT\n*filter", "-A POSTROUTING -p tcp -j MASQUERADE\nCOMMIT\n*filter");
    agreed(V4, &translating, &[UDP_IN], "ip nat PREROUTING policy 1 28, ip filter FORWARD policy 1 28");
}

#[test]
fn what_options_and_extension_headers_need_is_asked_before_all_else() {
    let rules = format!(
        "{FORWARD}  counter ip option ra exists\n  counter dst nexthdr udp\n  counter ip saddr 1.1.1.1\n }}\n}}"
    );
    let counts = "inet t c rule 1 1 28, inet t c rule 2 1 68, inet t c rule 3 2 96";
    agreed(NFT, &rules, &[UDP_IN, ATOMIC], counts);
}

#[test]
fn a_route_exists_or_is_missing() {
    let rules = format!(
        "{FORWARD}  fib saddr . iif oif exists counter\n  fib saddr . iif oif missing counter\n  fib daddr . iif oif exists counter\n  \
         fib daddr oif exists counter\n  fib daddr . iif oif missing counter\n }}\n}}"
    );
    let counts =
        "inet t c rule 1 1 28, inet t c rule 2 0 0, inet t c rule 3 0 0, inet t c rule 4 1 28, inet t c rule 5 1 28";
    agreed(NFT, &rules, &[UDP_IN], counts);
}

#[test]
fn what_counts_when_it_is_asked_is_asked_before_what_follows() {
    let rules = format!("{FORWARD}  numgen inc mod 2 1 ip6 saddr ::/0 counter\n }}\n}}");
    agreed(NFT, &rules, &[UDP_IN, ATOMIC], "inet t c rule 1 1 68");
}

#[test]
fn hashlimit_drops_what_has_no_next_header_to_take_ports_from() {
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n\
        -A FORWARD -m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 7 --hashlimit-mode srcip,dstport --hashlimit-name a\n\
        COMMIT";
    let none_after_auth = "600000000018334020010db800010000000000000000000320010db80002000000000000000000013b04000000000100\
                           000000010102030405060708090a0b0c";
    agreed(V6, rules, &[none_after_auth], "ip6 filter FORWARD rule 1 0 0, ip6 filter FORWARD policy 0 0");
}

#[test]
fn an_answer_of_reject_may_be_rejected_itself() {
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\n\
                 -A OUTPUT -p tcp -j REJECT\n-A OUTPUT -p ipv6-icmp\nCOMMIT";
    let counts = "ip6 filter OUTPUT rule 1 1 60, ip6 filter OUTPUT rule 2 1 108";
    agreed(V6, rules, &[ATOMIC], counts);
}

#[test]
fn what_is_damaged_is_not_answered() {
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -j REJECT\n-A OUTPUT\nCOMMIT";
    let damaged = "4500002813df4000ff0697d6c61200030a010004005000502420d27a782ded2150110200db2f0000";
    let settings = Settings { keep_checksums: true, ..Settings::default() };
    agreed_with(
        &Around { settings, ..Around::default() },
        V4,
        rules,
        &[damaged],
        "ip filter FORWARD rule 1 1 40, ip filter OUTPUT rule 1 0 0",
    );
    agreed(V4, rules, &[damaged], "ip filter FORWARD rule 1 1 40, ip filter OUTPUT rule 1 1 68");
}

#[test]
fn what_is_rejected_is_answered_if_its_sum_could_be_right() {
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -j REJECT\n-A OUTPUT\nCOMMIT";
    let empty = "45000014e2704000403b88260a010001c6120004";
    agreed(V4, rules, &[empty], "ip filter OUTPUT rule 1 1 48");
    // DCCP, whose sum covers less, is no exception any more.
    let dccp = "603000000010210120010db800010000000000000000000120010db8000200000000000000000004146600350400000000000001\
                00000000";
    agreed(V6, rules, &[dccp], "ip6 filter FORWARD rule 1 1 56, ip6 filter OUTPUT rule 1 0 0");
}

#[test]
fn the_header_sum_of_an_answer_s_quotation_is_that_of_the_hook() {
    let rules = "table ip t {\n chain p {\n  type filter hook prerouting priority 0;\n  ip checksum 0x15e5 counter\n  \
                 counter reject\n }\n chain o {\n  type filter hook output priority 0;\n  @th,16,16 0x52a2 counter\n }\n}";
    agreed(NFT, rules, &[UDP_IN], "ip t p rule 1 1 28, ip t p rule 2 1 28");
}

#[test]
fn what_is_redirected_comes_to_the_gateway_itself() {
    let rules = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j REDIRECT --to-ports 53\nCOMMIT\n*filter\n\
                 :INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n-A INPUT -p udp --dport 53 -j DROP\nCOMMIT";
    agreed(V4, rules, &[UDP_IN], "ip filter INPUT rule 1 1 28, ip filter FORWARD policy 0 0");
}

#[test]
fn no_day_that_is_left_never_comes() {
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m time ! --weekdays Mon,Tue,Wed,Thu,Fri,Sat,Sun\nCOMMIT";
    agreed(V4, rules, &[UDP_IN], "ip filter FORWARD rule 1 0 0, ip filter FORWARD policy 1 28");
}

#[test]
fn a_counter_by_a_map_is_no_counter_of_the_rule() {
    let rules = "table ip t {\n counter c { }\n chain f {\n  type filter hook forward priority 0;\n  \
                 counter counter name udp dport map { 1024 : \"c\" }\n }\n}";
    agreed(NFT, rules, &[UDP_IN], "ip t f rule 1 1 28, ip t counter c 1 28");
}

#[test]
fn a_network_whose_counters_do_not_fit_leaves_the_packet_to_wider_ones() {
    let sets = "create s hash:net,iface family inet counters\nadd s 198.18.0.0/24,eth0\nadd s 198.18.0.0/16,eth0\n\
                add s 198.18.0.0/15,eth0";
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m set --match-set s src,src --packets-lt 2\nCOMMIT";
    agreed_with(&Around { sets, ..Around::default() }, V4, rules, &[UDP_IN; 5], "ip filter FORWARD rule 1 3 84");
}

#[test]
fn what_is_translated_away_from_the_host_is_forwarded() {
    let around = Around { host: true, ..Around::default() };
    let rules = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j DNAT --to-destination 198.18.0.3\nCOMMIT\n*filter\n\
                 :INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m ttl --ttl-eq 63\nCOMMIT";
    let to_host = "460300207e9700003f119819c61200010a01000194040000ffff040000082bc9";
    let counts = "ip filter INPUT policy 0 0, ip filter FORWARD rule 1 0 0, ip filter FORWARD policy 1 32";
    agreed_with(&around, V4, rules, &[to_host], counts);
}

#[test]
fn a_gateway_s_own_answer_has_a_local_address() {
    let rules = "table inet t {\n chain f {\n  type filter hook forward priority 0;\n  counter reject\n }\n chain o {\n  \
                 type filter hook output priority 0;\n  fib saddr type local counter\n  fib saddr type unicast counter\n }\n}";
    agreed(NFT, rules, &[UDP_IN], "inet t f rule 1 1 28, inet t o rule 1 1 56, inet t o rule 2 0 0");
}

#[test]
fn an_address_is_not_set_where_the_sum_over_it_is_cut() {
    let rules = format!("{FORWARD}  ip6 daddr set 2001:db8:1::4 counter\n  ip6 hoplimit set 9 counter\n }}\n}}");
    let cut = "603000000008064020010db800020000000000000000000120010db80001000000000000000000011466003501020304";
    let counts = "inet t c rule 1 0 0, inet t c rule 2 1 48";
    agreed(NFT, &rules, &[cut], counts);
}
