//! Words of the language: which keys and fields there are.

/// Keys of `meta`.
pub(super) const META: &[&str] = &[
    "length",
    "protocol",
    "priority",
    "mark",
    "iif",
    "oif",
    "iifname",
    "oifname",
    "iiftype",
    "oiftype",
    "skuid",
    "skgid",
    "nftrace",
    "rtclassid",
    "secmark",
    "nfproto",
    "l4proto",
    "ibrname",
    "obrname",
    "pkttype",
    "cpu",
    "iifgroup",
    "oifgroup",
    "cgroup",
    "random",
    "ipsec",
    "iifkind",
    "oifkind",
    "ibrpvid",
    "ibrvproto",
    "time",
    "day",
    "hour",
    "sdif",
    "sdifname",
    "broute",
    "ibrhwaddr",
];

/// Keys of `meta` that may go without that word.
pub(super) const BARE_META: &[&str] = &[
    "mark",
    "iif",
    "iifname",
    "iiftype",
    "oif",
    "oifname",
    "oiftype",
    "skuid",
    "skgid",
    "nftrace",
    "rtclassid",
    "ibrname",
    "obrname",
    "pkttype",
    "cpu",
    "iifgroup",
    "oifgroup",
    "cgroup",
    "ipsec",
];

/// Keys of `meta` that a listing writes without that word.
pub(in crate::ruleset::nft) const LISTED_BARE: &[&str] = &["iif", "oif", "iifname", "oifname", "iifgroup", "oifgroup"];

/// The present name of a key of `meta`.
pub(super) fn meta_key(word: &str) -> &str {
    match word {
        "ibriport" | "ibridgename" => "ibrname",
        "obriport" | "obridgename" => "obrname",
        "secpath" => "ipsec",
        other => other,
    }
}

/// Keys of `ct`.
pub(super) const CT: &[&str] = &[
    "state",
    "direction",
    "status",
    "mark",
    "expiration",
    "helper",
    "label",
    "l3proto",
    "protocol",
    "saddr",
    "daddr",
    "proto-src",
    "proto-dst",
    "packets",
    "bytes",
    "avgpkt",
    "zone",
    "event",
    "id",
    "secmark",
];

/// Fields of a protocol's header; `None` for what is no protocol.
pub(super) fn fields(protocol: &str) -> Option<&'static [&'static str]> {
    Some(match protocol {
        "ether" => &["saddr", "daddr", "type"],
        "vlan" => &["id", "pcp", "dei", "cfi", "type"],
        "arp" => &["htype", "ptype", "hlen", "plen", "operation", "saddr", "daddr"],
        "ip" => &[
            "version",
            "hdrlength",
            "dscp",
            "ecn",
            "length",
            "id",
            "frag-off",
            "ttl",
            "protocol",
            "checksum",
            "saddr",
            "daddr",
        ],
        "icmp" => &["type", "code", "checksum", "id", "sequence", "mtu", "gateway"],
        "igmp" => &["type", "mrt", "checksum", "group"],
        "ip6" => &["version", "dscp", "ecn", "flowlabel", "length", "nexthdr", "hoplimit", "saddr", "daddr"],
        "icmpv6" => &[
            "type",
            "code",
            "checksum",
            "parameter-problem",
            "packet-too-big",
            "mtu",
            "id",
            "sequence",
            "max-delay",
            "taddr",
            "daddr",
        ],
        "ah" => &["nexthdr", "hdrlength", "reserved", "spi", "sequence"],
        "esp" => &["spi", "sequence"],
        "comp" => &["nexthdr", "flags", "cpi"],
        "udp" => &["sport", "dport", "length", "checksum"],
        "udplite" => &["sport", "dport", "csumcov", "checksum", "length"],
        "tcp" => &["sport", "dport", "sequence", "ackseq", "doff", "reserved", "flags", "window", "checksum", "urgptr"],
        "dccp" => &["sport", "dport", "type"],
        "sctp" => &["sport", "dport", "vtag", "checksum"],
        "th" => &["sport", "dport"],
        "vxlan" => &["vni", "flags"],
        "geneve" => &["vni", "type"],
        "gre" => &["flags", "version", "protocol", "hdrversion"],
        _ => return None,
    })
}

/// Protocols whose payload may be asked for headers of its own.
pub(super) const TUNNELS: &[&str] = &["vxlan", "geneve", "gre", "gretap"];

/// Fields of an IPv6 extension header; `None` for what is none.
pub(super) fn extension_fields(header: &str) -> Option<&'static [&'static str]> {
    Some(match header {
        "hbh" | "dst" => &["nexthdr", "hdrlength"],
        "rt" => &["nexthdr", "hdrlength", "type", "seg-left"],
        "rt0" | "rt2" => &["addr"],
        "rt4" | "srh" => &["last-entry", "flags", "tag", "sid", "seg-left"],
        "frag" => &["nexthdr", "reserved", "frag-off", "reserved2", "more-fragments", "id"],
        "mh" => &["nexthdr", "hdrlength", "type", "reserved", "checksum"],
        _ => return None,
    })
}

/// Headers that `exthdr` asks for.
pub(super) const EXTENSIONS: &[&str] = &["hbh", "rt", "frag", "dst", "mh"];

/// Fields of a TCP option.
pub(super) const TCP_OPTION: &[&str] =
    &["kind", "length", "size", "count", "left", "right", "tsval", "tsecr", "subtype", "unknown"];

/// Fields of an IPv4 option.
pub(super) const IP_OPTION: &[&str] = &["type", "length", "value", "ptr", "addr"];

/// Fields of an SCTP chunk.
pub(super) const SCTP_CHUNK: &[&str] = &[
    "type",
    "flags",
    "length",
    "tsn",
    "stream",
    "ssn",
    "ppid",
    "init-tag",
    "a-rwnd",
    "num-outbound-streams",
    "num-inbound-streams",
    "initial-tsn",
    "cum-tsn-ack",
    "num-gap-ack-blocks",
    "num-dup-tsns",
    "lowest-tsn",
    "seqno",
    "new-cum-tsn",
];

/// Milliseconds of a time like `1h30m`; `None` if they are more than 64 bits hold.
pub(super) fn millis(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, next) = after.split_at_checked(letters)?;
        let unit = match unit {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1000,
            _ => 1,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = next;
    }
    Some(total)
}
