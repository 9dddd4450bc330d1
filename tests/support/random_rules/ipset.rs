//! Random `ipset save` files.

use super::dice::{Dice, address, network, port};
use super::{FileKind, RandomFile};

/// Sets that iptables rules may ask, with the number of dimensions of each.
pub const SETS: [(&str, usize); 8] =
    [("addr", 1), ("net", 1), ("ports", 1), ("addrport", 2), ("netport", 2), ("three", 3), ("iface", 2), ("all", 1)];

/// A file with all of [`SETS`].
pub fn file(d: &mut Dice, v6: bool) -> RandomFile {
    let mut file = RandomFile::new(FileKind::Ipset);
    let family = if v6 { "inet6" } else { "inet" };
    let kinds =
        ["hash:ip", "hash:net", "bitmap:port", "hash:ip,port", "hash:net,port", "hash:ip,port,net", "hash:net,iface"];
    for ((name, _), kind) in SETS.iter().zip(kinds) {
        let of = if kind == "bitmap:port" { "range 0-65535".to_owned() } else { format!("family {family}") };
        let counters = if d.chance(1, 2) { " counters" } else { "" };
        file.frame(format!("create {name} {kind} {of}{counters}"));
        for _ in 0..d.range(1, 5) {
            let member = member(d, kind, v6);
            let nomatch = if kind.contains("net") && d.chance(1, 6) { " nomatch" } else { "" };
            file.rule(format!("add -exist {name} {member}{nomatch}"));
        }
    }
    file.frame("create all list:set");
    file.frame("add all addr");
    file.frame("add all net");
    file
}

fn member(d: &mut Dice, kind: &str, v6: bool) -> String {
    let protocol = d.pick(&["tcp", "udp", "sctp"]);
    match kind {
        "hash:ip" => address(d, v6),
        "hash:net" => network(d, v6),
        "bitmap:port" => super::dice::ports(d, "-"),
        "hash:ip,port" => format!("{},{protocol}:{}", address(d, v6), port(d)),
        "hash:net,port" => format!("{},{protocol}:{}", network(d, v6), port(d)),
        "hash:ip,port,net" => format!("{},{protocol}:{},{}", address(d, v6), port(d), network(d, v6)),
        _ => format!("{},{}", network(d, v6), d.pick(&["eth0", "eth1"])),
    }
}
