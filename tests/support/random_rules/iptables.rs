//! Random `iptables-save` and `ip6tables-save` files.

use super::dice::{Dice, WORDS, address, network, port, ports};
use super::ipset::SETS;
use super::{FileKind, RandomFile, Wanted};

/// Where a rule stands: some matches and targets work in some tables and chains only.
#[derive(Clone, Copy)]
struct Place {
    v6: bool,
    sets: bool,
    conncount: bool,
    table: &'static str,
    chain: &'static str,
}

/// A file of one family.
pub fn file(d: &mut Dice, v6: bool, sets: bool, wanted: Wanted) -> RandomFile {
    let mut file = RandomFile::new(if v6 { FileKind::Iptables6 } else { FileKind::Iptables4 });
    let mut left = wanted.rules;
    let tables: [(&str, &[&str], bool); 4] = [
        ("raw", &["PREROUTING", "OUTPUT"], d.chance(1, 3)),
        ("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"], d.chance(1, 2)),
        ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"], wanted.nat && d.chance(1, 5)),
        ("filter", &["INPUT", "FORWARD", "OUTPUT"], true),
    ];
    for (table, chains, used) in tables {
        if !used {
            continue;
        }
        let rules = if table == "filter" { left } else { left / 4 };
        left -= rules;
        file.frame(format!("*{table}"));
        for chain in chains {
            // Outside of filter it would leave little to see; in nat it is refused.
            let policy = if table == "filter" && d.chance(1, 8) { "DROP" } else { "ACCEPT" };
            file.frame(format!(":{chain} {policy} [0:0]"));
        }
        for own in ["one", "two", "three"] {
            file.frame(format!(":{own} - [0:0]"));
        }
        for _ in 0..rules {
            let chain = match d.below(16) {
                0 => "one",
                1 => "two",
                2 => "three",
                _ if table == "filter" && d.chance(2, 3) => "FORWARD",
                _ => d.pick(chains),
            };
            let rule = rule(d, Place { v6, sets, conncount: wanted.conncount, table, chain });
            file.rule(rule);
        }
        file.frame("COMMIT");
    }
    file
}

fn rule(d: &mut Dice, place: Place) -> String {
    let mut rule = format!("-A {}", place.chain);
    // The protocol comes first: matches depend on it.
    let icmp = if place.v6 { "ipv6-icmp" } else { "icmp" };
    let protocol = d.pick(&["", "", "tcp", "tcp", "tcp", "udp", "udp", icmp, "sctp", "esp", "ah"]);
    let negated = !protocol.is_empty() && d.chance(1, 12);
    if !protocol.is_empty() {
        rule += &format!("{} -p {protocol}", if negated { " !" } else { "" });
    }
    let protocol = if negated { "" } else { protocol };
    for _ in 0..d.pick(&[0, 1, 1, 1, 1, 2, 2]) {
        let part = match d.below(4) {
            0 => head(d, place),
            1 if !protocol.is_empty() => of_protocol(d, place, protocol),
            _ => any(d, place),
        };
        // The same extension twice is no option error with `-m`; the same head option is.
        let option = part.split(' ').find(|word| word.starts_with('-')).unwrap_or_default().to_owned();
        if !rule.contains(&format!(" {option} ")) || option == "-m" {
            rule += &format!(" {part}");
        }
    }
    rule + &target(d, place, protocol)
}

fn head(d: &mut Dice, place: Place) -> String {
    let no = d.not();
    let comes = matches!(place.chain, "PREROUTING" | "INPUT" | "FORWARD");
    let leaves = matches!(place.chain, "OUTPUT" | "FORWARD" | "POSTROUTING");
    let interface = d.pick(&["eth0", "eth1", "eth+", "lo"]);
    match d.below(6) {
        0 | 1 => format!("{no}-s {}", network(d, place.v6)),
        2 | 3 => format!("{no}-d {}", network(d, place.v6)),
        4 if comes => format!("{no}-i {interface}"),
        4 if leaves => format!("{no}-o {interface}"),
        5 if !place.v6 => d.pick(&["-f", "! -f", "-s 10.0.0.1/255.0.0.3", "-d 198.0.0.2/255.0.255.2"]).to_owned(),
        _ => format!("{no}-s {}", address(d, place.v6)),
    }
}

/// Extensions of the protocol that the rule asks for.
fn of_protocol(d: &mut Dice, place: Place, protocol: &str) -> String {
    let no = d.not();
    match protocol {
        "tcp" => match d.below(7) {
            0 => format!("-m tcp {no}--dport {}", ports(d, ":")),
            1 => format!("-m tcp {no}--sport {}", ports(d, ":")),
            2 => {
                let flags = ["SYN", "ACK", "FIN", "RST", "PSH", "URG"];
                let mask = d.some(&flags);
                let parts: Vec<&'static str> =
                    flags.into_iter().filter(|flag| mask.split(',').any(|it| it == *flag)).collect();
                let wanted = if d.chance(1, 4) { "NONE".to_owned() } else { d.some(&parts) };
                format!("-m tcp {no}--tcp-flags {mask} {wanted}")
            }
            3 => format!("-m tcp {no}--tcp-option {}", d.pick(&[2, 3, 4, 5, 8, 30])),
            4 => format!("-m tcpmss {no}--mss {}", d.pick(&["1460", "1000:1500", "0:535"])),
            5 => {
                d.pick(&["-m ecn --ecn-tcp-cwr", "-m ecn ! --ecn-tcp-ece", "-m tcp --syn", "-m tcp ! --syn"]).to_owned()
            }
            _ => multiport(d),
        },
        "udp" => match d.below(3) {
            0 => format!("-m udp {no}--dport {}", ports(d, ":")),
            1 => format!("-m udp {no}--sport {}", ports(d, ":")),
            _ => multiport(d),
        },
        "icmp" => format!(
            "-m icmp {no}--icmp-type {}",
            d.pick(&["8", "0", "3", "3/3", "3/1", "11/0", "any", "destination-unreachable"])
        ),
        "ipv6-icmp" => format!("-m icmp6 {no}--icmpv6-type {}", d.pick(&["128", "129", "1", "1/4", "3/0", "2"])),
        "sctp" => match d.below(3) {
            0 => format!("-m sctp {no}--dport {}", ports(d, ":")),
            1 => format!(
                "-m sctp --chunk-types {} {}",
                d.pick(&["any", "all", "only"]),
                d.pick(&["INIT", "DATA", "DATA:Be", "INIT,DATA", "INIT_ACK", "SACK"])
            ),
            _ => multiport(d),
        },
        "esp" => format!("-m esp {no}--espspi {}", d.pick(&["256", "0:300", "1000:2000"])),
        "ah" if place.v6 => {
            format!("-m ah {no}--ahspi {}{}", d.pick(&["256", "0:300"]), d.pick(&["", " --ahres", " --ahlen 24"]))
        }
        _ => format!("-m ah {no}--ahspi {}", d.pick(&["256", "0:300", "1000:2000"])),
    }
}

fn multiport(d: &mut Dice) -> String {
    let list = format!("{},{},{}", port(d), ports(d, ":"), port(d));
    format!("-m multiport {}{} {list}", d.not(), d.pick(&["--dports", "--sports", "--ports"]))
}

/// Extensions for any protocol.
fn any(d: &mut Dice, place: Place) -> String {
    let no = d.not();
    let tracked = place.table != "raw";
    match d.below(32) {
        0 | 1 if tracked => {
            format!("-m conntrack {no}--ctstate {}", d.some(&["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"]))
        }
        2 if tracked => {
            format!(
                "-m conntrack {no}--ctstatus {}",
                d.some(&["ASSURED", "SEEN_REPLY", "CONFIRMED", "EXPECTED", "NONE"])
            )
        }
        3 if tracked => format!("-m conntrack --ctstate ESTABLISHED,NEW --ctdir {}", d.pick(&["ORIGINAL", "REPLY"])),
        4 if tracked => match d.below(4) {
            0 => format!("-m conntrack {no}--ctproto {}", d.pick(&["tcp", "udp", "sctp", "6"])),
            1 => format!("-m conntrack {no}--ctorigsrc {}", network(d, place.v6)),
            2 => format!("-m conntrack {no}--ctrepldst {}", network(d, place.v6)),
            _ => format!("-m conntrack --ctproto tcp {no}--ctorigdstport {}", ports(d, ":")),
        },
        5 if tracked => format!("-m state {no}--state {}", d.some(&["NEW", "ESTABLISHED", "RELATED", "INVALID"])),
        6 if tracked => format!("-m connmark {no}--mark {}", d.pick(&["0x1", "0x2/0x3", "0x10/0xf0", "0"])),
        7 if tracked => format!(
            "-m connbytes {no}--connbytes {} --connbytes-dir {} --connbytes-mode {}",
            d.pick(&["2:", "0:3", "100:", "50:200", "1000:5000"]),
            d.pick(&["original", "reply", "both"]),
            d.pick(&["packets", "bytes", "avgpkt"])
        ),
        8 if tracked && place.conncount => format!(
            "-m connlimit --connlimit-{} {} --connlimit-mask {} --connlimit-{}",
            d.pick(&["above", "upto"]),
            d.range(1, 5),
            if place.v6 { d.pick(&[128, 64, 0]) } else { d.pick(&[32, 24, 0]) },
            d.pick(&["saddr", "daddr"])
        ),
        9 => format!("-m length {no}--length {}", d.pick(&["40", "0:60", "61:200", "100:", "28:29", "1000:65535"])),
        10 => {
            let (name, option) = if place.v6 { ("hl", "hl") } else { ("ttl", "ttl") };
            let operation = d.pick(&["eq", "lt", "gt"]);
            let not = if operation == "eq" { no } else { "" };
            format!("-m {name} {not}--{option}-{operation} {}", d.pick(&[1, 63, 64, 65, 128, 254]))
        }
        11 => format!("-m dscp {no}--dscp {}", d.pick(&["0", "0x2e", "10"])),
        12 => format!("-m tos {no}--tos {}", d.pick(&["0x10/0xff", "0x00/0xfc", "0xb8"])),
        13 if !place.v6 => format!("-m ecn {no}--ecn-ip-ect {}", d.range(0, 3)),
        14..=16 => string(d),
        17 => format!("-m u32 {no}--u32 \"{}\"", u32_test(d, place.v6)),
        18 => {
            let (low, high) = if place.v6 { ("2001:db8:1::2", "2001:db8:2::2") } else { ("10.1.0.2", "198.18.0.2") };
            format!("-m iprange {no}--{}-range {low}-{high}", d.pick(&["src", "dst"]))
        }
        19 => {
            format!("-m addrtype {no}--{}-type {}", d.pick(&["src", "dst"]), d.pick(&["LOCAL", "UNICAST", "MULTICAST"]))
        }
        20 => format!("-m pkttype {no}--pkt-type {}", d.pick(&["unicast", "broadcast", "multicast"])),
        21 => format!("-m statistic --mode nth {no}--every {} --packet {}", d.range(2, 5), d.range(0, 1)),
        22 => format!("-m quota {no}--quota {}", d.pick(&[0, 500, 2000, 100_000])),
        23 => format!("-m limit --limit 1/hour --limit-burst {}", d.range(1, 20)),
        24 => format!(
            "-m hashlimit --hashlimit-{} 1/hour --hashlimit-burst {} --hashlimit-mode {} --hashlimit-name h{}",
            d.pick(&["upto", "above"]),
            d.range(1, 9),
            d.some(&["srcip", "srcport", "dstip", "dstport"]),
            d.next() % 1_000_000
        ),
        25 | 26 => recent(d),
        27 => format!("-m mark {no}--mark {}", d.pick(&["0x1", "0x2/0x3", "0x10/0xf0", "0"])),
        28 if place.sets => set(d),
        29 if place.v6 => header_of_v6(d),
        29 => "-m bpf --bytecode \"4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0\"".to_owned(),
        30 if place.chain == "PREROUTING" && place.table != "nat" => {
            format!("-m rpfilter{}", d.pick(&["", " --loose", " --invert", " --loose --invert"]))
        }
        30 if place.chain == "PREROUTING" || place.chain == "FORWARD" => {
            format!("-m mac {no}--mac-source {}", d.pick(&["02:00:00:00:00:01", "02:00:00:00:00:0a"]))
        }
        _ => format!("-m comment --comment \"rule \\\"{}\\\"\"", d.below(100)),
    }
}

fn string(d: &mut Dice) -> String {
    let word = d.pick(&WORDS);
    let pattern = if d.chance(1, 4) {
        let hex: Vec<String> = word.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("--hex-string \"|{}|{}\"", hex.join(" "), d.pick(&["", "a", "b"]))
    } else {
        format!("--string \"{word}\"")
    };
    let from = if d.chance(1, 3) { format!(" --from {}", d.range(0, 70)) } else { String::new() };
    let to = if d.chance(1, 3) { format!(" --to {}", d.range(70, 140)) } else { String::new() };
    let icase = if d.chance(1, 4) { " --icase" } else { "" };
    format!("-m string {}{pattern} --algo {}{from}{to}{icase}", d.not(), d.pick(&["bm", "kmp"]))
}

fn u32_test(d: &mut Dice, v6: bool) -> &'static str {
    if v6 {
        return d.pick(&["4>>16=0:60", "3&0xff=0x06,0x11", "40>>16=5222", "38&0xffff=0:65535", "24=0x20010db8"]);
    }
    d.pick(&[
        "6&0xFF=0x6",
        "6&0xFF=0x1,0x11",
        "0>>22&0x3C@0>>16=0x1000:0xffff",
        "0>>22&0x3C@12>>26&0x3C@0=0x48454c4c",
        "0>>22&0x3C@12>>26&0x3C@0>>24=0x61:0x7a",
        "0&0xFFFF=40:60,100:200",
        "4&0x3FFF=0x1:0x3FFF",
        "2000=0:0xffffffff",
        "8>>24=0x40&&12=0x0a010001:0x0a010002",
        "0>>22&0x3C@8<<8>>16=0:0xffff",
    ])
}

fn recent(d: &mut Dice) -> String {
    let list = d.pick(&["r1", "r2"]);
    let side = d.pick(&["--rsource", "--rdest"]);
    match d.below(4) {
        0 | 1 => format!("-m recent --set --name {list} {side}"),
        2 => format!("-m recent --remove --name {list} {side}"),
        _ => format!(
            "-m recent {}--{} --name {list} {side}{}{}",
            d.not(),
            d.pick(&["rcheck", "update"]),
            d.pick(&["", " --hitcount 2", " --hitcount 5"]),
            d.pick(&["", "", " --rttl"])
        ),
    }
}

fn set(d: &mut Dice) -> String {
    let (name, dimensions) = d.pick(&SETS);
    let flags: Vec<&str> = (0..dimensions).map(|_| d.pick(&["src", "dst"])).collect();
    let more = d.pick(&["", "", " --return-nomatch", " ! --update-counters", " --packets-gt 2", " --bytes-lt 500"]);
    format!("-m set {}--match-set {name} {}{more}", d.not(), flags.join(","))
}

fn header_of_v6(d: &mut Dice) -> String {
    let no = d.not();
    match d.below(5) {
        0 => format!(
            "-m frag {no}--fragid {}{}",
            d.pick(&["7", "0:100"]),
            d.pick(&["", " --fragfirst", " --fragmore", " --fraglast"])
        ),
        1 => format!("-m hbh {no}--hbh-len {}", d.pick(&["8", "16"])),
        2 => format!("-m dst {no}--dst-len {}", d.pick(&["8", "16"])),
        3 => format!("-m rt {no}--rt-type {}{}", d.pick(&["0", "2", "4"]), d.pick(&["", " --rt-segsleft 0:1"])),
        _ => format!(
            "-m ipv6header{} --header {no}{}",
            d.pick(&["", " --soft"]),
            d.some(&["hop", "dst", "route", "frag", "auth", "esp", "none", "prot"])
        )
        .replace("--header ! ", "! --header "),
    }
}

fn target(d: &mut Dice, place: Place, protocol: &str) -> String {
    if place.table == "nat" {
        return nat(d, place, protocol);
    }
    // A chain jumps only to later ones, so that there are no loops.
    let later: &[&str] = match place.chain {
        "one" => &["two", "three"],
        "two" => &["three"],
        "three" => &[],
        _ => &["one", "two", "three"],
    };
    match d.below(24) {
        0 => " -j ACCEPT".to_owned(),
        1 => " -j DROP".to_owned(),
        2 => " -j RETURN".to_owned(),
        3 | 4 if !later.is_empty() => format!(" -{} {}", d.pick(&["j", "j", "g"]), d.pick(later)),
        5 => " -j LOG --log-prefix \"x: \"".to_owned(),
        6 => " -j NFLOG --nflog-group 3".to_owned(),
        7 if place.table == "filter" => reject(d, place, protocol),
        8 if place.sets => {
            let (name, flags) = d.pick(&[("addr", "src"), ("addr", "dst"), ("addrport", "src,dst"), ("ports", "dst")]);
            format!(" -j SET --{}-set {name} {flags}", d.pick(&["add", "del"]))
        }
        9 if place.table == "raw" => {
            d.pick(&[" -j CT --notrack", " -j NOTRACK", " -j CT --zone 1", " -j TRACE"]).to_owned()
        }
        9 if place.table == "mangle" => mangle(d, place, protocol),
        10 if place.table == "mangle" => mangle(d, place, protocol),
        11 => format!(
            " -j MARK --{}-mark {}",
            d.pick(&["set", "or", "and", "xor"]),
            d.pick(&["0x1", "0x3", "0x12", "0xff"])
        ),
        12 if place.table != "raw" => {
            format!(
                " -j CONNMARK {}",
                d.pick(&["--set-mark 0x2", "--save-mark", "--restore-mark", "--set-xmark 0x10/0xf0"])
            )
        }
        13 => format!(" -j AUDIT --type {}", d.pick(&["accept", "drop", "reject"])),
        _ => String::new(),
    }
}

fn reject(d: &mut Dice, place: Place, protocol: &str) -> String {
    let with = match (protocol, place.v6) {
        ("tcp", _) if d.chance(1, 2) => "tcp-reset",
        (_, false) => d.pick(&["icmp-port-unreachable", "icmp-admin-prohibited", "icmp-host-unreachable"]),
        (_, true) => d.pick(&["icmp6-port-unreachable", "icmp6-adm-prohibited", "icmp6-no-route"]),
    };
    format!(" -j REJECT --reject-with {with}")
}

fn mangle(d: &mut Dice, place: Place, protocol: &str) -> String {
    match d.below(7) {
        0 => format!(" -j DSCP --set-dscp {}", d.pick(&["0x2e", "0", "10"])),
        1 => format!(" -j TOS --{}-tos {}", d.pick(&["set", "or", "xor"]), d.pick(&["0x10", "0xb8"])),
        2 if place.v6 => format!(" -j HL --hl-{} {}", d.pick(&["set", "inc", "dec"]), d.range(1, 9)),
        2 => format!(" -j TTL --ttl-{} {}", d.pick(&["set", "inc", "dec"]), d.range(1, 9)),
        3 if matches!(place.chain, "FORWARD" | "OUTPUT" | "POSTROUTING") => " -j CLASSIFY --set-class 1:2".to_owned(),
        4 if protocol == "tcp" => " -j TCPOPTSTRIP --strip-options timestamp,mss".to_owned(),
        5 if protocol == "tcp" && !place.v6 => " -j ECN --ecn-tcp-remove".to_owned(),
        6 if protocol == "udp" => " -j CHECKSUM --checksum-fill".to_owned(),
        _ => format!(" -j MARK --set-mark {}", d.range(1, 3)),
    }
}

/// Only what has one outcome: no ranges of addresses or ports.
fn nat(d: &mut Dice, place: Place, protocol: &str) -> String {
    let address = address(d, place.v6);
    let ports = matches!(protocol, "tcp" | "udp");
    match place.chain {
        "PREROUTING" | "OUTPUT" => match d.below(4) {
            0 => format!(" -j DNAT --to-destination {address}"),
            1 if ports && !place.v6 => format!(" -j DNAT --to-destination {address}:{}", port(d)),
            2 if ports => format!(" -j REDIRECT --to-ports {}", port(d)),
            _ => String::new(),
        },
        "POSTROUTING" => match d.below(4) {
            0 => format!(" -j SNAT --to-source {address}"),
            1 => " -j MASQUERADE".to_owned(),
            2 if !place.v6 => " -j NETMAP --to 198.18.7.0/24".to_owned(),
            _ => String::new(),
        },
        _ => d.pick(&["", "", " -j ACCEPT", " -j RETURN"]).to_owned(),
    }
}
