//! Rules in few words.

use super::super::Backend;
use crate::ruleset::model::Verdict;
use crate::ruleset::xt::*;
use std::net::IpAddr;

/// A rule, and the packets that it counts.
pub struct Row {
    pub text: &'static str,
    pub body: RuleBody,
    nft: &'static str,
    legacy: &'static str,
}

impl Row {
    pub fn expected(&self, backend: Backend) -> &'static str {
        match backend {
            Backend::Nft => self.nft,
            Backend::Legacy => self.legacy,
        }
    }
}

pub fn row(text: &'static str, body: Body, (nft, legacy): (&'static str, &'static str)) -> Row {
    Row { text, body: body.0, nft, legacy }
}

/// Both backends count the same packets.
pub fn both(packets: &'static str) -> (&'static str, &'static str) {
    (packets, packets)
}

/// iptables-nft, iptables-legacy.
pub fn apart(nft: &'static str, legacy: &'static str) -> (&'static str, &'static str) {
    (nft, legacy)
}

/// `1-3,7` for 1, 2, 3 and 7.
pub fn ranges(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for n in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *n => *last = *n,
            _ => runs.push((*n, *n)),
        }
    }
    let words = runs.iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") });
    words.collect::<Vec<_>>().join(",")
}

/// A rule in the making.
pub struct Body(pub RuleBody);

pub fn any() -> Body {
    Body(RuleBody { head: Head::default(), matches: Vec::new(), target: Target::None })
}

/// From a group of packets of the capture.
pub fn from_4(group: u8) -> Body {
    any().s(&format!("10.1.{group}.1/255.255.255.255"))
}

/// From a group of packets of the capture.
pub fn from_6(group: u8) -> Body {
    any().s(&format!("2001:db8:1:{group}::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
}

pub fn masked(text: &str) -> Masked {
    let (addr, mask) = text.split_once('/').unwrap();
    Masked { addr: addr.parse().unwrap(), mask: mask.parse().unwrap() }
}

pub fn interface(name: &str, prefix: bool) -> IfName {
    IfName { name: name.into(), prefix }
}

/// As the options of iptables, `not_` with `!`.
impl Body {
    pub fn m(mut self, of: Match) -> Self {
        self.0.matches.push(of);
        self
    }

    pub fn j(mut self, target: Target) -> Self {
        self.0.target = target;
        self
    }

    pub fn accept(self) -> Self {
        self.j(Target::Verdict(Verdict::Accept))
    }

    pub fn s(mut self, net: &str) -> Self {
        self.0.head.src = Some(yes(masked(net)));
        self
    }

    pub fn not_s(mut self, net: &str) -> Self {
        self.0.head.src = Some(no(masked(net)));
        self
    }

    pub fn d(mut self, net: &str) -> Self {
        self.0.head.dst = Some(yes(masked(net)));
        self
    }

    pub fn not_d(mut self, net: &str) -> Self {
        self.0.head.dst = Some(no(masked(net)));
        self
    }

    pub fn i(mut self, name: &str, prefix: bool) -> Self {
        self.0.head.in_if = Some(yes(interface(name, prefix)));
        self
    }

    pub fn not_i(mut self, name: &str, prefix: bool) -> Self {
        self.0.head.in_if = Some(no(interface(name, prefix)));
        self
    }

    pub fn o(mut self, name: &str, prefix: bool) -> Self {
        self.0.head.out_if = Some(yes(interface(name, prefix)));
        self
    }

    pub fn p(mut self, protocol: u8) -> Self {
        self.0.head.protocol = Some(yes(protocol));
        self
    }

    pub fn not_p(mut self, protocol: u8) -> Self {
        self.0.head.protocol = Some(no(protocol));
        self
    }

    pub fn f(mut self, not: bool) -> Self {
        self.0.head.fragment = Some(Inv { not, value: () });
        self
    }
}

pub fn yes<T>(value: T) -> Inv<T> {
    Inv { not: false, value }
}

pub fn no<T>(value: T) -> Inv<T> {
    Inv { not: true, value }
}

pub fn span<T>(low: T, high: T) -> Range<T> {
    Range { low, high }
}

type Ports = Option<Inv<Range<u16>>>;

pub fn some(low: u16, high: u16) -> Ports {
    Some(yes(span(low, high)))
}

pub fn not(low: u16, high: u16) -> Ports {
    Some(no(span(low, high)))
}

pub fn tcp(sports: Ports, dports: Ports, flags: Option<Inv<(u8, u8)>>, option: Option<Inv<u8>>) -> Match {
    Match::Tcp { sports, dports, flags, option }
}

pub fn udp(sports: Ports, dports: Ports) -> Match {
    Match::Udp { sports, dports }
}

pub fn ports(side: PortSide, ports: Inv<Vec<Range<u16>>>) -> Match {
    Match::MultiPort { side, ports }
}

pub fn icmp(icmp_type: Inv<(u8, Range<u8>)>) -> Match {
    Match::Icmp { icmp_type }
}

pub fn chunks(not: bool, mode: u8, chunks: &[(u8, Option<(u8, u8)>)]) -> Match {
    let value = SctpChunks { mode, chunks: chunks.to_vec() };
    Match::Sctp { sports: None, dports: None, chunks: Some(Inv { not, value }) }
}

pub fn dccp(types: Option<Inv<u16>>, option: Option<Inv<u8>>) -> Match {
    Match::Dccp { sports: None, dports: None, types, option }
}

pub fn ecn(tcp_cwr: Option<Inv<()>>, tcp_ece: Option<Inv<()>>, ip_ect: Option<Inv<u8>>) -> Match {
    Match::Ecn { tcp_cwr, tcp_ece, ip_ect }
}

/// With `--icase`.
pub fn string(pattern: &[u8], kmp: bool) -> Match {
    window(pattern, 0, 65535, true, kmp)
}

pub fn window(pattern: &[u8], from: u32, to: u32, icase: bool, kmp: bool) -> Match {
    Match::String(Box::new(StringMatch { pattern: yes(pattern.to_vec()), hex: false, kmp, from, to, icase }))
}

type Span<'a> = Option<Inv<(&'a str, &'a str)>>;

pub fn addresses(src: Span, dst: Span) -> Match {
    let addr = |text: &str| text.parse::<IpAddr>().unwrap();
    let range = |of: Span| of.map(|Inv { not, value: (a, b) }| Inv { not, value: span(addr(a), addr(b)) });
    Match::IpRange { src: range(src), dst: range(dst) }
}

pub fn kinds(src: Option<Inv<u16>>, dst: Option<Inv<u16>>) -> Match {
    Match::AddrType { src, dst, limit_iface_in: false, limit_iface_out: false }
}

/// A step of a `u32` location.
#[derive(Clone, Copy)]
pub enum U32 {
    And(u32),
    Right(u32),
    At(u32),
}

/// A location, and the ranges that its value lies in.
type Test<'a> = (&'a [U32], &'a [(u32, u32)]);

pub fn u32s(not: bool, tests: &[Test]) -> Match {
    let step = |step: &U32| match *step {
        U32::And(n) => (U32Op::And, n),
        U32::Right(n) => (U32Op::RightShift, n),
        U32::At(n) => (U32Op::At, n),
    };
    let test = |(location, ranges): &Test| U32Test {
        location: location.iter().map(step).collect(),
        ranges: ranges.iter().map(|(low, high)| span(*low, *high)).collect(),
    };
    Match::U32(Inv { not, value: tests.iter().map(test).collect() })
}

pub fn physdev(in_if: Option<Inv<&str>>, is_bridged: Option<Inv<()>>) -> Match {
    let in_if = in_if.map(|Inv { not, value }| Inv { not, value: interface(value, false) });
    Match::PhysDev { in_if, out_if: None, is_in: None, is_out: None, is_bridged }
}

pub fn bpf(program: &[(u16, u8, u8, u32)]) -> Match {
    Match::Bpf { program: program.to_vec() }
}

pub fn headers(headers: Inv<u8>, soft: bool) -> Match {
    Match::Ipv6Header { headers, soft }
}

pub fn frag(id: Inv<Range<u32>>, reserved: bool, first: Option<bool>, more: Option<bool>) -> Match {
    Match::Frag { id, length: None, reserved, first, more }
}

pub fn rt(kind: Option<Inv<u32>>, left: Inv<Range<u32>>, length: Option<Inv<u32>>, reserved: bool) -> Match {
    let (routing_type, segments_left) = (kind, left);
    Match::Rt { routing_type, segments_left, length, reserved, addresses: Vec::new(), not_strict: false }
}
