//! Random nft scripts, one rule a line.

mod rarer;

use super::dice::{Dice, address, network, port, ports};
use super::{FileKind, RandomFile, Wanted};

/// A script with one table.
pub fn file(d: &mut Dice, wanted: Wanted) -> RandomFile {
    let mut file = RandomFile::new(FileKind::NftScript);
    let inet = d.chance(2, 3);
    file.frame(format!("table {} t {{", if inet { "inet" } else { "ip" }));
    sets(d, &mut file);
    // Chains that are jumped to come first, because a script is read in order only for its rules' own chains.
    for own in ["three", "two", "one"] {
        file.frame(format!(" chain {own} {{"));
        for _ in 0..wanted.rules / 8 {
            let rule = rule(d, inet, own, wanted.conncount);
            file.rule(format!("  {rule}"));
        }
        file.frame(" }");
    }
    let hooks = [("prerouting", 4), ("input", 8), ("forward", 2), ("output", 8), ("postrouting", 8)];
    for (hook, share) in hooks {
        let priority = d.pick(&["0", "-150", "-300", "10", "mangle", "filter"]);
        let policy = if d.chance(1, 12) { "drop" } else { "accept" };
        file.frame(format!(" chain {hook} {{"));
        file.frame(format!("  type filter hook {hook} priority {priority}; policy {policy};"));
        for _ in 0..wanted.rules / share {
            let rule = rule(d, inet, hook, wanted.conncount);
            file.rule(format!("  {rule}"));
        }
        file.frame(" }");
    }
    if wanted.nat && d.chance(1, 3) {
        for hook in ["prerouting", "input", "output", "postrouting"] {
            let priority = if matches!(hook, "prerouting" | "output") { "-100" } else { "100" };
            file.frame(format!(" chain nat-{hook} {{"));
            file.frame(format!("  type nat hook {hook} priority {priority};"));
            for _ in 0..wanted.rules / 8 {
                let rule = rarer::nat(d, inet, hook, wanted.host);
                file.rule(format!("  {rule}"));
            }
            file.frame(" }");
        }
    }
    file.frame("}");
    file
}

fn sets(d: &mut Dice, file: &mut RandomFile) {
    file.frame(" counter c1 { }");
    file.frame(" counter c2 { }");
    file.frame(format!(" quota q1 {{ {} bytes }}", d.pick(&[500, 2000])));
    file.frame(format!(" quota q2 {{ over {} bytes }}", d.pick(&[500, 2000])));
    file.frame(format!(" limit l1 {{ rate 1/day burst {} packets }}", d.range(1, 20)));
    let (a, b) = (address(d, false), network(d, false));
    file.frame(format!(" set addr {{ type ipv4_addr; elements = {{ {a} }} }}"));
    file.frame(format!(" set net {{ type ipv4_addr; flags interval; elements = {{ {b} }} }}"));
    file.frame(format!(" set svc {{ type ipv4_addr . inet_service; elements = {{ {a} . {} }} }}", port(d)));
    file.frame(format!(
        " set mixed {{ type ipv4_addr . inet_proto . inet_service; flags interval; elements = {{ {b} . tcp . {}, {a} . udp . {} }} }}",
        ports(d, "-"),
        ports(d, "-")
    ));
    file.frame(" set seen { type ipv4_addr; flags dynamic; size 100; }");
    file.frame(" set seen2 { type ipv4_addr . inet_service; flags dynamic; size 100; counter; }");
    file.frame(" set rates { type ipv4_addr; flags dynamic; size 100; }");
    file.frame(" set quotas { type ipv4_addr; flags dynamic; size 100; }");
    file.frame(" map learned { type ipv4_addr : inet_service; flags dynamic; size 100; }");
    file.frame(format!(" map limits {{ type ipv4_addr : limit; elements = {{ {a} : \"l1\" }} }}"));
    file.frame(" map marks { type inet_service : mark; elements = { 53 : 0x1, 5222 : 0x2, 443 : 0x12 } }");
}

fn rule(d: &mut Dice, inet: bool, chain: &str, conncount: bool) -> String {
    let mut parts = Vec::new();
    for _ in 0..d.pick(&[0, 1, 1, 1, 1, 2]) {
        let part = if d.chance(1, 3) { rarer::expression(d, inet, chain) } else { expression(d, inet) };
        parts.push(part);
    }
    if d.chance(1, 3) {
        let statement = if d.chance(1, 3) { rarer::statement(d) } else { statement(d, conncount) };
        parts.push(statement);
    }
    let at = if d.chance(1, 6) { 0 } else { parts.len() };
    parts.insert(at, "counter".to_owned());
    if let Some(verdict) = verdict(d, chain) {
        parts.push(verdict);
    }
    parts.join(" ")
}

/// A comparison and a value, or a set of values.
fn compared(d: &mut Dice, left: &str, mut value: impl FnMut(&mut Dice) -> String) -> String {
    let (a, b) = (value(d), value(d));
    match d.below(8) {
        0 => format!("{left} != {a}"),
        1 if a != b => format!("{left} {{ {a}, {b} }}"),
        2 if a != b => format!("{left} != {{ {a}, {b} }}"),
        _ => format!("{left} {a}"),
    }
}

fn number(d: &mut Dice, left: &str, numbers: &[u64]) -> String {
    let (a, b) = (d.pick(numbers), d.pick(numbers));
    match d.below(6) {
        0 => format!("{left} {} {a}", d.pick(&["<", ">", "<=", ">=", "!="])),
        1 if a < b => format!("{left} {}{a}-{b}", d.pick(&["", "!= "])),
        2 if a < b => format!("{left} {{ {a}, {b} }}"),
        _ => format!("{left} {a}"),
    }
}

fn expression(d: &mut Dice, inet: bool) -> String {
    match d.below(40) {
        0 | 1 => compared(d, "ip saddr", |d| network(d, false)).replace("/32", ""),
        2 => compared(d, "ip daddr", |d| address(d, false)),
        3 if inet => compared(d, "ip6 saddr", |d| network(d, true)),
        4 if inet => compared(d, "ip6 daddr", |d| address(d, true)),
        3 | 4 => {
            d.pick(&["ip saddr @addr", "ip daddr @net", "ip saddr != @net", "ip daddr . th dport @svc"]).to_owned()
        }
        5 => d.pick(&["ip saddr @addr", "ip daddr @net", "ip daddr . meta l4proto . th dport @mixed"]).to_owned(),
        6 => compared(d, "meta l4proto", |d| d.pick(&["tcp", "udp", "icmp", "sctp", "esp", "ipv6-icmp"]).to_owned()),
        7 if inet => d.pick(&["meta nfproto ipv4", "meta nfproto ipv6", "meta protocol ip"]).to_owned(),
        8 => number(d, "meta length", &[40, 60, 100, 200, 1000]),
        9 => number(d, "meta mark", &[0, 1, 2, 0x12]),
        10 => d
            .pick(&[
                "iifname \"eth0\"",
                "iifname \"eth1\"",
                "oifname \"eth0\"",
                "oifname \"eth*\"",
                "iifname != \"eth0\"",
            ])
            .to_owned(),
        11 | 12 => compared(d, "tcp dport", |d| port(d).to_string()),
        13 => number(d, "tcp sport", &[53, 443, 1024, 5222, 40000]),
        14 => compared(d, "udp dport", |d| port(d).to_string()),
        15 => number(d, "udp length", &[8, 13, 20, 100]),
        16 => compared(d, "th dport", |d| port(d).to_string()),
        17 => d
            .pick(&[
                "tcp flags syn",
                "tcp flags == syn",
                "tcp flags != syn",
                "tcp flags & (fin|syn|rst|ack) == syn",
                "tcp flags fin,psh",
                "tcp flags & (syn|ack) == (syn|ack)",
                "tcp flags { syn, syn|ack }",
                "tcp flags == 0x0",
            ])
            .to_owned(),
        18 => number(d, "tcp window", &[0, 512, 1000, 64240]),
        19 => number(d, "tcp doff", &[5, 6, 8, 10]),
        20 => d
            .pick(&[
                "tcp option timestamp exists",
                "tcp option maxseg size 1460",
                "tcp option maxseg size > 1000",
                "tcp option sack-perm exists",
                "tcp option window exists",
                "tcp option timestamp missing",
            ])
            .to_owned(),
        21 => number(d, "ip ttl", &[1, 63, 64, 65, 128]),
        22 => d
            .pick(&[
                "ip dscp ef",
                "ip dscp != cs0",
                "ip ecn ce",
                "ip hdrlength 6",
                "ip hdrlength > 5",
                "ip option ra exists",
                "ip frag-off & 0x1fff != 0",
                "ip frag-off & 0x2000 == 0x2000",
                "ip id 7",
                "ip version 4",
            ])
            .to_owned(),
        23 => number(d, "ip length", &[40, 60, 100, 200]),
        24 => d
            .pick(&[
                "icmp type echo-request",
                "icmp type { echo-request, echo-reply }",
                "icmp type destination-unreachable icmp code 3",
                "icmp id 7",
                "icmp sequence 1",
            ])
            .to_owned(),
        25 if inet => d
            .pick(&[
                "icmpv6 type echo-request",
                "icmpv6 type destination-unreachable",
                "icmpv6 id 7",
                "ip6 hoplimit 64",
                "ip6 nexthdr tcp",
                "ip6 length > 60",
                "exthdr hbh exists",
                "exthdr frag exists",
                "frag more-fragments 1",
                "frag frag-off 0",
                "rt type 4",
                "dst nexthdr udp",
            ])
            .to_owned(),
        26 => d
            .pick(&[
                "sctp dport 5222",
                "sctp chunk init exists",
                "sctp chunk data exists",
                "sctp chunk data flags 3",
                "sctp vtag 0",
                "esp spi 256",
                "ah spi 256",
                "ah hdrlength 4",
                "udp checksum 0",
            ])
            .to_owned(),
        27..=29 => raw(d),
        30 | 31 => compared(d, "ct state", |d| d.pick(&["new", "established", "related", "invalid"]).to_owned()),
        32 => d
            .pick(&[
                "ct direction original",
                "ct direction reply",
                "ct status assured",
                "ct status seen-reply",
                "ct status != confirmed",
                "ct state established,related",
                "ct state untracked",
                "ct protocol tcp",
                "ct original proto-dst 5222",
                "ct reply ip saddr 10.1.0.2",
                "ct l3proto ipv4",
            ])
            .to_owned(),
        33 => {
            let what = d.pick(&["ct packets", "ct bytes", "ct original packets", "ct reply bytes", "ct avgpkt"]);
            number(d, what, &[1, 2, 5, 100, 1000])
        }
        34 => number(d, "ct mark", &[0, 1, 2, 5]),
        35 => d
            .pick(&[
                "fib daddr type local",
                "fib daddr type unicast",
                "fib saddr type unicast",
                "fib saddr . iif oif exists",
            ])
            .to_owned(),
        36 => format!(
            "{} {{ {} . {}, {} . {} }}",
            "ip saddr . th dport",
            address(d, false),
            port(d),
            address(d, false),
            port(d)
        )
        .replace("th dport", d.pick(&["th dport", "tcp dport", "udp sport"])),
        37 => format!("ip saddr & 255.255.0.{} == {}", d.pick(&[0, 1, 3]), d.pick(&["10.1.0.0", "198.18.0.1"])),
        38 => d.pick(&["numgen inc mod 3 0", "numgen inc mod 2 1", "numgen inc mod 4 offset 10 < 12"]).to_owned(),
        _ => format!("jhash ip saddr . th dport mod {} seed 0x7 {}", d.pick(&[2, 3, 8]), d.range(0, 1)),
    }
}

fn raw(d: &mut Dice) -> String {
    d.pick(&[
        "@nh,0,8 0x45",
        "@nh,0,4 4",
        "@nh,72,8 6",
        "@nh,8,6 0x2e",
        "@nh,64,16 & 0x00ff == 0x06",
        "@th,0,16 5222",
        "@th,16,16 0x1466",
        "@th,160,40 0x48454c4c4f",
        "@th,64,16 0x6162",
        "@th,256,32 0x48454c4c",
        "@th,100,4 2",
        "@th,96,4 8",
        "@th,104,8 & 0x12 == 0x02",
        "@th,2000,8 0",
        "@th,64,24 0x48454c",
        "@th,0,32 != 0x0",
        "@ll,96,16 0x0800",
        "@ll,48,48 0x020000000001",
        "meta l4proto udp @th,64,8 0x61",
        "meta l4proto tcp @th,0,16 > 1000",
        "@th,16,16 { 53, 5222 }",
        "@ih,0,16 0x6162",
        "@ih,0,8 > 0x60",
    ])
    .to_owned()
}

fn statement(d: &mut Dice, conncount: bool) -> String {
    match d.below(16) {
        0 => format!("meta mark set {}", d.pick(&["0x1", "0x2", "meta mark or 0x10", "meta mark and 0xf"])),
        1 => "meta mark set tcp dport map @marks".to_owned(),
        2 => format!("ct mark set {}", d.pick(&["0x5", "meta mark", "ct mark or 0x1"])),
        3 => "meta mark set ct mark".to_owned(),
        4 => format!(
            "limit rate {}1/{} burst {} packets",
            d.pick(&["", "over "]),
            d.pick(&["day", "hour"]),
            d.range(1, 20)
        ),
        5 => format!("quota {}{} bytes", d.pick(&["", "over "]), d.pick(&[500, 2000])),
        6 => format!("quota name \"{}\"", d.pick(&["q1", "q2"])),
        7 => format!("counter name \"{}\"", d.pick(&["c1", "c2"])),
        8 => "limit name \"l1\"".to_owned(),
        9 => d
            .pick(&[
                "add @seen { ip saddr }",
                "update @seen { ip daddr }",
                "delete @seen { ip saddr }",
                "ip saddr @seen",
            ])
            .to_owned(),
        10 => d.pick(&["update @seen2 { ip saddr . th dport }", "ip daddr . th sport @seen2"]).to_owned(),
        11 => format!("add @rates {{ ip saddr limit rate 1/day burst {} packets }}", d.range(1, 9)),
        12 if conncount => format!("ct count {}{}", d.pick(&["", "over "]), d.range(1, 6)),
        13 => "log prefix \"x \"".to_owned(),
        14 => d.pick(&["meta priority set 1:2", "meta nftrace set 1", "notrack"]).to_owned(),
        _ => d.pick(&["ip dscp set ef", "ip ttl set 9", "tcp option maxseg size set 1000"]).to_owned(),
    }
}

fn verdict(d: &mut Dice, chain: &str) -> Option<String> {
    let later: &[&str] = match chain {
        "one" => &["two", "three"],
        "two" => &["three"],
        "three" => &[],
        _ => &["one", "two", "three"],
    };
    Some(match d.below(16) {
        0 => "accept".to_owned(),
        1 => "drop".to_owned(),
        2 => d.pick(&["return", "continue"]).to_owned(),
        3 | 4 if !later.is_empty() => format!("{} {}", d.pick(&["jump", "goto"]), d.pick(later)),
        5 if matches!(chain, "forward" | "input" | "output") => d
            .pick(&[
                "reject",
                "meta l4proto tcp reject with tcp reset",
                "meta nfproto ipv4 reject with icmp type host-unreachable",
                "meta nfproto ipv6 reject with icmpv6 type admin-prohibited",
                "reject with icmpx type admin-prohibited",
            ])
            .to_owned(),
        6 if !later.is_empty() => {
            format!("tcp dport vmap {{ 53 : drop, 5222 : jump {}, 443 : continue }}", d.pick(later))
        }
        7 => "meta l4proto vmap { udp : continue, icmp : accept }".to_owned(),
        _ => return None,
    })
}
