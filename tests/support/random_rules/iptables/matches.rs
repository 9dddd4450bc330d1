//! Random match extensions.

use super::super::dice::{Dice, address, network, port, ports, word};
use super::super::ipset::SETS;
use super::Place;

/// Extensions of the protocol that the rule asks for.
pub fn of_protocol(d: &mut Dice, place: Place, protocol: &str) -> String {
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
        "dccp" => match d.below(3) {
            0 => format!("-m dccp {no}--dport {}", ports(d, ":")),
            1 => format!("-m dccp {no}--dccp-types {}", d.some(&["REQUEST", "DATA", "ACK", "RESET"])),
            _ => format!("-m dccp {no}--dccp-option {}", d.pick(&[1, 2, 32])),
        },
        "udplite" => multiport(d),
        "mobility-header" => format!("-m mh {no}--mh-type {}", d.pick(&["0", "1:5", "5"])),
        "ipv6-icmp" => format!("-m icmp6 {no}--icmpv6-type {}", d.pick(&["128", "129", "1", "1/4", "3/0", "2"])),
        "sctp" => match d.below(3) {
            0 => format!("-m sctp {no}--dport {}", ports(d, ":")),
            1 => format!(
                "-m sctp --chunk-types {} {}",
                d.pick(&["any", "all", "only"]),
                d.pick(&[
                    "INIT",
                    "DATA",
                    "DATA:Be",
                    "INIT,DATA",
                    "INIT_ACK",
                    "SACK",
                    "SACK,DATA:BE",
                    "ABORT:T",
                    "COOKIE_ECHO"
                ])
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
pub fn any(d: &mut Dice, place: Place) -> String {
    let no = d.not();
    let tracked = place.table != "raw";
    match d.below(52) {
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
        31 if tracked => format!("-m connlabel {no}--label {}{}", d.range(0, 2), d.pick(&["", "", " --set"])),
        32 if tracked => format!("-m helper {no}--helper {}", d.pick(&["ftp", "sip"])),
        33 if tracked => format!(
            "-m cluster --cluster-total-nodes {} {no}--cluster-local-node 1 --cluster-hash-seed {}",
            d.range(2, 3),
            d.range(1, 99)
        ),
        34 => format!("-m policy --dir {} --pol none", if comes_in(place) { "in" } else { "out" }),
        35 => physdev(d, place),
        36 => d
            .pick(&["-m statistic --mode random --probability 1", "-m statistic --mode random --probability 0"])
            .to_owned(),
        37 | 38 => time(d),
        39 if place.v6 => format!("-m eui64 -m hl --hl-gt {}", d.range(1, 80)),
        39 => bpf(d),
        40 => bpf(d),
        41 if place.v6 => header_of_v6(d),
        42 if place.sets => set(d),
        // The bench's own addresses lie on `lo`, those of a real host on its interfaces.
        43 if !place.host => format!(
            "-m addrtype --{}-type {} --limit-iface-{}",
            d.pick(&["src", "dst"]),
            d.pick(&["UNICAST", "LOCAL"]),
            if comes_in(place) { "in" } else { "out" }
        ),
        44 => byte_limit(d),
        45 => format!(
            "-m recent --rcheck --seconds 9000 --name {} --{}",
            d.pick(&["r1", "r2"]),
            d.pick(&["rsource", "rdest"])
        ),
        46 | 47 => any_ports(d),
        48 => string(d),
        49 => format!("-m u32 {no}--u32 \"{}\"", u32_test(d, place.v6)),
        _ => format!("-m comment --comment \"rule \\\"{}\\\"\"", d.below(100)),
    }
}

fn string(d: &mut Dice) -> String {
    let word = word(d);
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

fn header_options(d: &mut Dice) -> String {
    let (name, no) = (d.pick(&["hbh", "dst"]), d.not());
    match d.below(3) {
        0 => format!("-m {name} {no}--{name}-len {}", d.pick(&[8, 16])),
        1 => format!("-m {name} --{name}-opts {}", d.pick(&["1", "5", "1:4", "5:2", "5:2,1", "1,194:4"])),
        _ => format!("-m {name} --{name}-len 8 --{name}-opts {}", d.pick(&["1", "5:2,1:0"])),
    }
}

fn header_of_v6(d: &mut Dice) -> String {
    let no = d.not();
    match d.below(7) {
        4 => format!(
            "-m rt --rt-type 0 --rt-0-addrs {}{}",
            address(d, true),
            d.pick(&["", " --rt-0-not-strict", " --rt-0-res", " --rt-0-not-strict --rt-len 24"])
        ),
        5 => "-m rt --rt-type 0 --rt-0-addrs 2001:db8:2::9,2001:db8:1::9 --rt-0-not-strict".to_owned(),
        0 | 1 => header_options(d),
        2 => format!(
            "-m frag {no}--fragid {}{}",
            d.pick(&["7", "0:100"]),
            d.pick(&["", " --fragfirst", " --fragmore", " --fraglast"])
        ),
        3 => format!("-m rt {no}--rt-type {}{}", d.pick(&["0", "2", "4"]), d.pick(&["", " --rt-segsleft 0:1"])),
        _ => format!(
            "-m ipv6header{} --header {no}{}",
            d.pick(&["", " --soft"]),
            d.some(&["hop", "dst", "route", "frag", "auth", "esp", "none", "prot"])
        )
        .replace("--header ! ", "! --header "),
    }
}

fn comes_in(place: Place) -> bool {
    matches!(place.chain, "PREROUTING" | "INPUT" | "FORWARD")
}

/// `-p` negated or not given: what the extension of a protocol needs is written with it.
fn any_ports(d: &mut Dice) -> String {
    format!("-m multiport {}--dports {}", d.not(), port(d))
}

fn physdev(d: &mut Dice, place: Place) -> String {
    let no = d.not();
    match d.below(3) {
        0 => format!("-m physdev {no}--physdev-in eth0"),
        1 => format!("-m physdev {no}--physdev-is-in"),
        _ if place.chain == "FORWARD" => format!("-m physdev {no}--physdev-is-bridged"),
        _ => "-m physdev --physdev-in eth+".to_owned(),
    }
}

/// Always or never: packets of a case carry a time of their own, the kernel takes the clock's.
fn time(d: &mut Dice) -> String {
    d.pick(&[
        "-m time --datestart 2001-01-01",
        "-m time --datestop 2001-01-01",
        "-m time --timestart 00:00:00 --timestop 23:59:59",
        "-m time --weekdays Mon,Tue,Wed,Thu,Fri,Sat,Sun",
        "-m time ! --weekdays Mon,Tue,Wed,Thu,Fri,Sat,Sun",
        "-m time ! --monthdays 32",
        "-m time --datestart 2001-01-01 --datestop 2037-01-01 --contiguous",
    ])
    .to_owned()
}

fn bpf(d: &mut Dice) -> String {
    let program = d.pick(&[
        "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0",
        "4,48 0 0 8,53 0 1 64,6 0 0 65535,6 0 0 0",
        "6,48 0 0 0,84 0 0 240,21 0 2 64,40 0 0 2,22 0 0 0,6 0 0 1",
        "5,177 0 0 0,72 0 0 2,21 0 1 5222,6 0 0 1,6 0 0 0",
        "4,32 0 0 12,69 0 1 3,6 0 0 1,6 0 0 0",
        "4,128 0 0 0,37 0 1 60,6 0 0 1,6 0 0 0",
        "1,6 0 0 0",
        "3,0 0 0 7,2 0 0 3,6 0 0 1",
        "2,32 0 0 4000,6 0 0 1",
    ]);
    format!("-m bpf --bytecode \"{program}\"")
}

/// Limits of bytes that a case does not wait for.
fn byte_limit(d: &mut Dice) -> String {
    format!(
        "-m hashlimit --hashlimit-{} 16b/s --hashlimit-burst {} --hashlimit-mode {} --hashlimit-name b{}",
        d.pick(&["upto", "above"]),
        d.pick(&["100b", "1000b", "10kb"]),
        d.some(&["srcip", "dstip"]),
        d.next() % 1_000_000
    )
}
