//! What is asked and done more rarely: routes, interfaces, addresses of connections, labels, objects by maps, NAT.

use super::super::dice::{Dice, address, port};

/// Interfaces can be asked for only where they are known.
#[derive(Clone, Copy)]
struct Known {
    incoming: bool,
    outgoing: bool,
}

impl Known {
    fn at(chain: &str) -> Self {
        Self {
            incoming: matches!(chain, "prerouting" | "input" | "forward"),
            outgoing: matches!(chain, "forward" | "output" | "postrouting"),
        }
    }
}

/// An expression that is compared with something.
pub fn expression(d: &mut Dice, inet: bool, chain: &str) -> String {
    let known = Known::at(chain);
    match d.below(16) {
        0 if known.incoming => d
            .pick(&[
                "iif \"eth0\"",
                "iif != \"eth1\"",
                "iiftype ether",
                "meta sdif \"eth0\"",
                "meta sdifname \"eth0\"",
                "iif 1",
            ])
            .to_owned(),
        1 if known.outgoing => {
            d.pick(&["oif \"eth1\"", "oif != \"eth0\"", "oiftype ether", "oiftype != ether"])
                .to_owned()
        }
        2 => d.pick(&["meta pkttype host", "meta pkttype unicast", "meta pkttype != broadcast"]).to_owned(),
        3 => d
            .pick(&[
                "meta day { \"Monday\", \"Tuesday\", \"Wednesday\", \"Thursday\", \"Friday\", \"Saturday\", \"Sunday\" }",
                "meta hour >= \"00:00\"",
                "meta time > \"2001-01-01 00:00:00\"",
                "meta time < \"2001-01-01 00:00:00\"",
            ])
            .to_owned(),
        4 => d.pick(&["meta ipsec missing", "meta ipsec exists", "rt ipsec missing"]).to_owned(),
        5 if known.outgoing => d
            .pick(&["rt mtu > 1000", "rt mtu < 1000", "rt ip nexthop 10.1.0.2", "rt ip nexthop != 10.1.0.2"])
            .to_owned(),
        6 => d
            .pick(&[
                "ct zone 0",
                "ct zone 1",
                "ct original zone 0",
                "ct helper \"ftp\"",
                "ct helper != \"ftp\"",
                "ct expiration > 1s",
                "ct expiration < 1d",
                "ct id != 0",
                "ct label 3",
                "ct label != 3",
            ])
            .to_owned(),
        7 => {
            let (side, end) = (d.pick(&["original", "reply"]), d.pick(&["saddr", "daddr"]));
            if inet && d.chance(1, 2) {
                return format!("ct {side} ip6 {end} {}", address(d, true));
            }
            let family = if inet { "ip " } else { d.pick(&["ip ", ""]) };
            format!("ct {side} {family}{end} {}{}", d.pick(&["", "!= "]), address(d, false))
        }
        8 => format!("ct {} proto-{} {}", d.pick(&["original", "reply"]), d.pick(&["src", "dst"]), port(d)),
        9 => d
            .pick(&[
                "meta mark << 1 == 0x4",
                "meta mark >> 1 0x1",
                "ct mark << 2 & 0xff == 0x14",
                "meta mark & 0x3 == 0x1",
                "meta mark ^ 0x1 == 0x0",
                "tcp dport & 0xff == 0x66",
                "tcp flags & (fin | syn) != 0",
                "ip saddr & 0.0.0.255 > 0.0.0.2",
                "ip dscp & 0x30 == 0x20",
            ])
            .to_owned(),
        10 if known.incoming => d
            .pick(&[
                "fib saddr . iif oifname \"eth0\"",
                "fib saddr . iif oif \"eth1\"",
                "fib daddr oif \"eth1\"",
                "fib daddr oifname \"eth1\"",
                "fib saddr . mark oif exists",
                "fib saddr type { local, unicast }",
                "fib saddr . iif oif missing",
            ])
            .to_owned(),
        11 => d.pick(&["dccp type request", "dccp dport 53", "dccp option 1 exists", "udplite csumcov 8"]).to_owned(),
        12 => format!(
            "tcp dport map {{ 53 : 1, 443 : 2, 5222 : 3 }} {}",
            d.pick(&["1", "!= 2", "3"])
        )
        .replace("tcp dport map", "meta mark set tcp dport map")
        .replace("} 1", "}")
        .replace("} != 2", "}")
        .replace("} 3", "}"),
        13 => d
            .pick(&[
                "ip daddr . ip protocol { 10.1.0.2 . tcp, 198.18.0.3 . udp, 10.1.0.0/24 . icmp }",
                "meta l4proto . th dport { tcp . 5222, udp . 53, tcp . 1-1024 }",
                "ip saddr . ip daddr { 10.1.0.1-10.1.0.3 . 198.18.0.0/24 }",
                "iifname . tcp dport { \"eth0\" . 5222, \"eth1\" . 443 }",
                "ip saddr . meta mark { 10.1.0.2 . 0x1, 198.18.0.2 . 0x0 }",
                "ct state . meta l4proto { new . tcp, established . udp }",
                "ip6 saddr . tcp dport { 2001:db8:1::/64 . 5222, 2001:db8:2::3 . 0-1024 }",
            ])
            .to_owned(),
        14 => d
            .pick(&[
                "tcp option sack-perm exists",
                "tcp option sack exists",
                "tcp option window count 7",
                "tcp option timestamp tsval 1",
                "tcp option timestamp tsecr 2",
                "tcp option 8 exists",
                "tcp option @2,16,16 1460",
                "tcp sequence > 2147483648",
                "tcp ackseq 0",
                "tcp urgptr 0",
                "tcp flags ! syn",
                "tcp flags fin / fin,ack",
            ])
            .to_owned(),
        _ => d
            .pick(&[
                "ip protocol tcp",
                "ip protocol { tcp, udp }",
                "ip hdrlength != 5",
                "ip ecn != not-ect",
                "ip6 dscp cs0",
                "ip6 ecn ect0",
                "ip6 version 6",
                "ip option rr exists",
                "ip option lsrr missing",
                "ip option ra value 0",
                "ip6 nexthdr != tcp",
                "hbh nexthdr udp",
                "mh type 1",
                "mh nexthdr 59",
                "rt type 0",
                "rt seg-left 1",
                "rt hdrlength 2",
                "rt nexthdr tcp",
                "rt0 addr[1] 2001:db8:1::9",
                "frag id 9",
                "frag nexthdr udp",
                "frag reserved 0",
                "exthdr rt exists",
                "exthdr dst missing",
                "exthdr mh exists",
                "icmp mtu > 500",
                "icmp gateway != 0",
                "icmpv6 mtu 1280",
                "icmpv6 code 4",
                "esp sequence 1",
                "ah sequence 1",
                "ah nexthdr 59",
                "ah reserved 0",
                "comp nexthdr 6",
                "sctp checksum != 0",
                "sctp chunk init a-rwnd > 1000",
                "sctp chunk init num-outbound-streams 1",
                "sctp chunk data tsn 1",
                "sctp chunk sack exists",
                "sctp chunk shutdown exists",
                "sctp chunk data type 0",
                "udplite checksum != 0",
                "ether saddr 02:00:00:00:00:01",
                "ether type ip",
                "vlan id 5",
            ])
            .to_owned(),
    }
}

/// Something that is done.
pub fn statement(d: &mut Dice) -> String {
    match d.below(12) {
        0 => format!("counter name tcp dport map {{ 53 : \"c1\", {} : \"c2\" }}", d.pick(&["443", "5222", "4369"])),
        1 => "quota name meta l4proto map { tcp : \"q1\", udp : \"q2\" }".to_owned(),
        2 => "limit name ip saddr map @limits".to_owned(),
        3 => d.pick(&["last", "last used never"]).to_owned(),
        5 => d.pick(&["reset tcp option timestamp", "reset tcp option maxseg"]).to_owned(),
        6 => d.pick(&["ct label set 3", "ct mark set ct mark << 1", "meta mark set meta mark << 2"]).to_owned(),
        7 => d
            .pick(&[
                "ip6 hoplimit set 7",
                "ip ecn set ce",
                "ip6 dscp set af41",
                "tcp dport set 5222",
                "udp sport set 53",
                "ip saddr set 10.1.0.2",
                "ip id set 7",
                "@th,0,16 set 53",
                "@nh,8,8 set 0x10",
                "tcp window set 100",
                "tcp option maxseg size set 500",
                "tcp flags set syn",
                "ip checksum set 0",
                "ip6 daddr set 2001:db8:1::4",
            ])
            .to_owned(),
        8 => d
            .pick(&[
                "update @seen2 { ip saddr . th dport counter }",
                "add @quotas { ip daddr quota over 300 bytes }",
                "add @learned { ip saddr : th sport }",
                "meta mark set ip saddr map @learned",
                "update @rates { ip saddr limit rate over 1/hour burst 2 packets }",
            ])
            .to_owned(),
        9 => format!("meta priority set {}", d.pick(&["1:7", "none"])),
        10 => "meta pkttype set host".to_owned(),
        _ => format!("ct event set {}", d.pick(&["new", "destroy"])),
    }
}

/// A rule of a nat chain.
pub fn nat(d: &mut Dice, inet: bool, hook: &str, host: bool) -> String {
    let of = if inet { " ip" } else { "" };
    let target = address(d, false);
    // What a host sends to itself comes in again by `lo`: that is not modelled.
    let target = if hook == "output" { "198.18.0.77".to_owned() } else { target };
    let with = match (hook, d.below(6)) {
        ("prerouting" | "output", 0) => format!("dnat{of} to {target}"),
        ("prerouting" | "output", 1) => {
            format!("meta l4proto {} dnat{of} to {target}:{}", d.pick(&["tcp", "udp"]), port(d))
        }
        ("prerouting", 2) if host => {
            format!("{} dport {} redirect to :{}", d.pick(&["tcp", "udp"]), port(d), port(d))
        }
        ("prerouting", 3) => format!("dnat{of} to ip saddr map {{ 198.18.0.2 : 10.1.0.4, 198.18.0.3 : 10.1.0.1 }}"),
        ("postrouting" | "input", 0) => format!("snat{of} to {target}"),
        ("postrouting", 1) => "masquerade".to_owned(),
        ("postrouting", 2) if inet => format!("snat ip6 to {}", address(d, true)),
        ("postrouting", 3) => format!("ip protocol tcp snat{of} to {target}:{}", port(d)),
        (_, 4) => d.pick(&["accept", "return", "ct state new"]).to_owned(),
        _ => String::new(),
    };
    let first = if d.chance(1, 2) { expression(d, inet, hook) } else { String::new() };
    // The statement that translates comes last.
    format!("{first} counter {with}").trim().to_owned()
}
