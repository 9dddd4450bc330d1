//! Where the fields of headers lie: `src/proto.c`, `src/exthdr.c`, `src/tcpopt.c`, `src/ipopt.c`, `src/sctp_chunk.c`.

use super::types::Type;
use super::{Ct, Meta, PayloadBase};
use crate::ruleset::model::Family;

/// A field of a header: where its header begins, first bit, bits, type.
pub(super) type Field = (PayloadBase, u32, u32, Type);

/// A field of a protocol's header.
pub(super) fn payload(protocol: &str, field: &str) -> Option<Field> {
    use PayloadBase::{Link, Network, Transport};
    let int = Type::Integer;
    Some(match (protocol, field) {
        ("ether", "daddr") => (Link, 0, 48, Type::EtherAddr),
        ("ether", "saddr") => (Link, 48, 48, Type::EtherAddr),
        ("ether", "type") => (Link, 96, 16, Type::EtherType),
        ("vlan", "pcp") => (Link, 112, 3, int(3)),
        ("vlan", "dei" | "cfi") => (Link, 115, 1, int(1)),
        ("vlan", "id") => (Link, 116, 12, int(12)),
        ("vlan", "type") => (Link, 128, 16, Type::EtherType),
        ("arp", "htype") => (Network, 0, 16, int(16)),
        ("arp", "ptype") => (Network, 16, 16, Type::EtherType),
        ("arp", "hlen") => (Network, 32, 8, int(8)),
        ("arp", "plen") => (Network, 40, 8, int(8)),
        ("arp", "operation") => (Network, 48, 16, Type::ArpOp),
        ("arp", "saddr ether") => (Network, 64, 48, Type::EtherAddr),
        ("arp", "saddr ip") => (Network, 112, 32, Type::Ipv4Addr),
        ("arp", "daddr ether") => (Network, 144, 48, Type::EtherAddr),
        ("arp", "daddr ip") => (Network, 192, 32, Type::Ipv4Addr),
        ("ip", "version") => (Network, 0, 4, int(4)),
        ("ip", "hdrlength") => (Network, 4, 4, int(4)),
        ("ip", "dscp") => (Network, 8, 6, Type::Dscp),
        ("ip", "ecn") => (Network, 14, 2, Type::Ecn),
        ("ip", "length") => (Network, 16, 16, int(16)),
        ("ip", "id") => (Network, 32, 16, int(16)),
        ("ip", "frag-off") => (Network, 48, 16, int(16)),
        ("ip", "ttl") => (Network, 64, 8, int(8)),
        ("ip", "protocol") => (Network, 72, 8, Type::InetProto),
        ("ip", "checksum") => (Network, 80, 16, int(16)),
        ("ip", "saddr") => (Network, 96, 32, Type::Ipv4Addr),
        ("ip", "daddr") => (Network, 128, 32, Type::Ipv4Addr),
        ("ip6", "version") => (Network, 0, 4, int(4)),
        ("ip6", "dscp") => (Network, 4, 6, Type::Dscp),
        ("ip6", "ecn") => (Network, 10, 2, Type::Ecn),
        ("ip6", "flowlabel") => (Network, 12, 20, int(20)),
        ("ip6", "length") => (Network, 32, 16, int(16)),
        ("ip6", "nexthdr") => (Network, 48, 8, Type::InetProto),
        ("ip6", "hoplimit") => (Network, 56, 8, int(8)),
        ("ip6", "saddr") => (Network, 64, 128, Type::Ipv6Addr),
        ("ip6", "daddr") => (Network, 192, 128, Type::Ipv6Addr),
        ("icmp", "type") => (Transport, 0, 8, Type::IcmpType),
        ("icmp", "code") => (Transport, 8, 8, Type::IcmpCode),
        ("icmpv6", "type") => (Transport, 0, 8, Type::Icmpv6Type),
        ("icmpv6", "code") => (Transport, 8, 8, Type::Icmpv6Code),
        ("icmp" | "icmpv6" | "igmp", "checksum") => (Transport, 16, 16, int(16)),
        ("icmp" | "icmpv6", "id") => (Transport, 32, 16, int(16)),
        ("icmp" | "icmpv6", "sequence") => (Transport, 48, 16, int(16)),
        ("icmp", "gateway") => (Transport, 32, 32, int(32)),
        ("icmp", "mtu") => (Transport, 48, 16, int(16)),
        ("icmpv6", "mtu" | "parameter-problem") => (Transport, 32, 32, int(32)),
        ("icmpv6", "max-delay") => (Transport, 32, 16, int(16)),
        ("igmp", "type") => (Transport, 0, 8, Type::IgmpType),
        ("igmp", "mrt") => (Transport, 8, 8, int(8)),
        ("igmp", "group") => (Transport, 32, 32, Type::Ipv4Addr),
        ("th" | "tcp" | "udp" | "udplite" | "sctp" | "dccp", "sport") => (Transport, 0, 16, Type::InetService),
        ("th" | "tcp" | "udp" | "udplite" | "sctp" | "dccp", "dport") => (Transport, 16, 16, Type::InetService),
        ("tcp", "sequence") => (Transport, 32, 32, int(32)),
        ("tcp", "ackseq") => (Transport, 64, 32, int(32)),
        ("tcp", "doff") => (Transport, 96, 4, int(4)),
        ("tcp", "reserved") => (Transport, 100, 4, int(4)),
        ("tcp", "flags") => (Transport, 104, 8, Type::TcpFlag),
        ("tcp", "window") => (Transport, 112, 16, int(16)),
        ("tcp", "checksum") => (Transport, 128, 16, int(16)),
        ("tcp", "urgptr") => (Transport, 144, 16, int(16)),
        ("udp", "length") => (Transport, 32, 16, int(16)),
        ("udp" | "udplite", "checksum") => (Transport, 48, 16, int(16)),
        ("udplite", "csumcov") => (Transport, 32, 16, int(16)),
        ("sctp", "vtag") => (Transport, 32, 32, int(32)),
        ("sctp", "checksum") => (Transport, 64, 32, int(32)),
        ("dccp", "type") => (Transport, 67, 4, Type::DccpType),
        ("ah", "nexthdr") => (Transport, 0, 8, Type::InetProto),
        ("ah", "hdrlength") => (Transport, 8, 8, int(8)),
        ("ah", "reserved") => (Transport, 16, 16, int(16)),
        ("ah", "spi") => (Transport, 32, 32, int(32)),
        ("ah", "sequence") => (Transport, 64, 32, int(32)),
        ("esp", "spi") => (Transport, 0, 32, int(32)),
        ("esp", "sequence") => (Transport, 32, 32, int(32)),
        ("comp", "nexthdr") => (Transport, 0, 8, Type::InetProto),
        ("comp", "flags") => (Transport, 8, 8, int(8)),
        ("comp", "cpi") => (Transport, 16, 16, int(16)),
        _ => return None,
    })
}

/// What must be true for a header to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    Ethernet,
    Vlan,
    /// Network protocol, by Ethernet type.
    Network(u16),
    /// Transport protocol, perhaps of one version of IP only.
    Transport(u8, Option<u16>),
}

pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;

/// What a protocol's header needs.
pub(super) fn needs(protocol: &str) -> Option<Needs> {
    Some(match protocol {
        "ether" => Needs::Ethernet,
        "vlan" => Needs::Vlan,
        "arp" => Needs::Network(0x0806),
        "ip" => Needs::Network(IPV4),
        "ip6" => Needs::Network(IPV6),
        "icmp" => Needs::Transport(1, Some(IPV4)),
        "igmp" => Needs::Transport(2, Some(IPV4)),
        "icmpv6" => Needs::Transport(58, Some(IPV6)),
        "tcp" => Needs::Transport(6, None),
        "udp" => Needs::Transport(17, None),
        "udplite" => Needs::Transport(136, None),
        "sctp" => Needs::Transport(132, None),
        "dccp" => Needs::Transport(33, None),
        "ah" => Needs::Transport(51, None),
        "esp" => Needs::Transport(50, None),
        "comp" => Needs::Transport(108, None),
        "th" => Needs::Nothing,
        _ => return None,
    })
}

/// A field of an IPv6 extension header: next-header number, first bit, bits, type.
pub(super) fn exthdr(header: &str, field: &str, index: Option<u32>) -> Option<(u8, u32, u32, Type)> {
    let int = Type::Integer;
    let number = exthdr_number(header)?;
    let (offset, bits, kind) = match (header, field) {
        ("mh", "nexthdr") => (0, 8, Type::InetProto),
        (_, "nexthdr") => (0, 8, Type::InetProto),
        ("hbh" | "rt" | "rt0" | "rt2" | "srh" | "rt4" | "dst" | "mh", "hdrlength") => (8, 8, int(8)),
        ("rt", "type") => (16, 8, int(8)),
        ("mh", "type") => (16, 8, Type::MhType),
        ("rt", "seg-left") => (24, 8, int(8)),
        ("rt0" | "rt2", "addr") => (64 + 128 * index.unwrap_or(0).min(64), 128, Type::Ipv6Addr),
        ("rt4" | "srh", "last-entry") => (32, 8, int(8)),
        ("rt4" | "srh", "flags") => (40, 8, int(8)),
        ("rt4" | "srh", "tag") => (48, 16, int(16)),
        ("rt4" | "srh", "sid") => (64 + 128 * index.unwrap_or(0).min(64), 128, Type::Ipv6Addr),
        ("frag", "reserved") => (8, 8, int(8)),
        ("frag", "frag-off") => (16, 13, int(13)),
        ("frag", "reserved2") => (29, 2, int(2)),
        ("frag", "more-fragments") => (31, 1, int(1)),
        ("frag", "id") => (32, 32, int(32)),
        ("mh", "reserved") => (24, 8, int(8)),
        ("mh", "checksum") => (32, 16, int(16)),
        _ => return None,
    };
    Some((number, offset, bits, kind))
}

/// Next-header number of an extension header.
pub(super) fn exthdr_number(header: &str) -> Option<u8> {
    Some(match header {
        "hbh" => 0,
        "rt" | "rt0" | "rt2" | "rt4" | "srh" => 43,
        "frag" => 44,
        "ah" | "auth" => 51,
        "dst" => 60,
        "mh" => 135,
        _ => return None,
    })
}

/// Kind of a TCP option.
pub(super) fn tcp_option(name: &str) -> Option<u8> {
    Some(match name {
        "eol" => 0,
        "nop" | "noop" => 1,
        "maxseg" | "mss" => 2,
        "window" => 3,
        "sack-perm" | "sack-permitted" => 4,
        "sack" | "sack0" | "sack1" | "sack2" | "sack3" => 5,
        "timestamp" => 8,
        "md5sig" => 19,
        "mptcp" => 30,
        "fastopen" => 34,
        other => other.parse().ok()?,
    })
}

/// A field of a TCP option: first bit, bits.
pub(super) fn tcp_option_field(option: &str, field: &str) -> Option<(u32, u32)> {
    let block = match option {
        "sack1" => 64,
        "sack2" => 128,
        "sack3" => 192,
        _ => 0,
    };
    Some(match (option, field) {
        (_, "kind") => (0, 8),
        (_, "length") => (8, 8),
        ("maxseg" | "mss", "size") => (16, 16),
        ("window", "count") => (16, 8),
        (sack, "left") if sack.starts_with("sack") => (16 + block, 32),
        (sack, "right") if sack.starts_with("sack") => (48 + block, 32),
        ("timestamp", "tsval") => (16, 32),
        ("timestamp", "tsecr") => (48, 32),
        ("mptcp", "subtype") => (16, 4),
        _ => return None,
    })
}

/// A field of an IPv4 option: type, first bit, bits, type of value.
pub(super) fn ip_option(name: &str, field: Option<&str>) -> Option<(u8, u32, u32, Type)> {
    let kind = match name {
        "lsrr" => 131,
        "ra" => 148,
        "rr" => 7,
        "ssrr" => 137,
        _ => return None,
    };
    let (offset, bits, of) = match field {
        None => (0, 8, Type::Boolean),
        Some("type") => (0, 8, Type::Integer(8)),
        Some("length") => (8, 8, Type::Integer(8)),
        Some("ptr") => (16, 8, Type::Integer(8)),
        Some("value") => (16, 16, Type::Integer(16)),
        Some("addr") => (24, 32, Type::Ipv4Addr),
        Some(_) => return None,
    };
    Some((kind, offset, bits, of))
}

/// Type of an SCTP chunk.
pub(super) fn sctp_chunk(name: &str) -> Option<u8> {
    Some(match name {
        "data" => 0,
        "init" => 1,
        "init-ack" => 2,
        "sack" => 3,
        "heartbeat" => 4,
        "heartbeat-ack" => 5,
        "abort" => 6,
        "shutdown" => 7,
        "shutdown-ack" => 8,
        "error" => 9,
        "cookie-echo" => 10,
        "cookie-ack" => 11,
        "ecne" => 12,
        "cwr" => 13,
        "shutdown-complete" => 14,
        "asconf-ack" => 0x80,
        "forward-tsn" => 0xc0,
        "asconf" => 0xc1,
        _ => return None,
    })
}

/// A field of an SCTP chunk.
pub(super) fn sctp_field(chunk: &str, field: &str) -> Option<(u32, u32)> {
    Some(match (chunk, field) {
        (_, "type") => (0, 8),
        (_, "flags") => (8, 8),
        (_, "length") => (16, 16),
        ("data", "tsn") | ("init" | "init-ack", "init-tag") | ("sack" | "shutdown", "cum-tsn-ack") => (32, 32),
        ("ecne" | "cwr", "lowest-tsn") | ("asconf" | "asconf-ack", "seqno") => (32, 32),
        ("forward-tsn", "new-cum-tsn") => (32, 32),
        ("sack", "num-gap-ack-blocks") => (96, 16),
        ("sack", "num-dup-tsns") => (112, 16),
        ("data", "stream") | ("init" | "init-ack", "num-outbound-streams") => {
            (if chunk == "data" { 64 } else { 96 }, 16)
        }
        ("data", "ssn") => (80, 16),
        ("data", "ppid") => (96, 32),
        ("init" | "init-ack" | "sack", "a-rwnd") => (64, 32),
        ("init" | "init-ack", "num-inbound-streams") => (112, 16),
        ("init" | "init-ack", "initial-tsn") => (128, 32),
        _ => return None,
    })
}

/// A key of `meta`, with its type.
pub(super) fn meta(key: &str) -> Option<(Meta, Type)> {
    let int = Type::Integer;
    Some(match key {
        "length" => (Meta::Length, int(32)),
        "nfproto" => (Meta::NfProto, Type::NfProto),
        "l4proto" => (Meta::L4Proto, Type::InetProto),
        "protocol" => (Meta::Protocol, Type::EtherType),
        "priority" => (Meta::Priority, Type::ClassId),
        "mark" => (Meta::Mark, Type::Mark),
        "iif" => (Meta::Iif, Type::IfIndex),
        "iifname" => (Meta::IifName, Type::IfName),
        "iiftype" => (Meta::IifType, Type::IfaceType),
        "iifkind" => (Meta::IifKind, Type::Text),
        "iifgroup" => (Meta::IifGroup, Type::DevGroup),
        "oif" => (Meta::Oif, Type::IfIndex),
        "oifname" => (Meta::OifName, Type::IfName),
        "oiftype" => (Meta::OifType, Type::IfaceType),
        "oifkind" => (Meta::OifKind, Type::Text),
        "oifgroup" => (Meta::OifGroup, Type::DevGroup),
        "skuid" => (Meta::SkUid, int(32)),
        "skgid" => (Meta::SkGid, int(32)),
        "nftrace" => (Meta::NfTrace, int(8)),
        "rtclassid" => (Meta::RtClassId, Type::Realm),
        "secmark" => (Meta::SecMark, int(32)),
        "ibrname" | "ibriport" => (Meta::IbrName, Type::IfName),
        "obrname" | "obriport" => (Meta::ObrName, Type::IfName),
        "ibrpvid" => (Meta::IbrPvid, int(16)),
        "ibrvproto" => (Meta::IbrVproto, Type::EtherType),
        "pkttype" => (Meta::PktType, Type::PktType),
        "cpu" => (Meta::Cpu, int(32)),
        "cgroup" => (Meta::CGroup, int(32)),
        "random" => (Meta::Random, int(32)),
        "ipsec" | "secpath" => (Meta::SecPath, Type::Boolean),
        "sdif" => (Meta::SdIf, Type::IfIndex),
        "sdifname" => (Meta::SdIfName, Type::IfName),
        "time" => (Meta::Time, Type::Moment),
        "day" => (Meta::Day, Type::Day),
        "hour" => (Meta::Hour, Type::Hour),
        "broute" => (Meta::BriBroute, int(8)),
        _ => return None,
    })
}

/// A key of `ct`, with its type. `v6`: of which version an address is.
pub(super) fn ct(key: &str, named: Option<&str>, family: Family) -> Option<(Ct, Type)> {
    let int = Type::Integer;
    Some(match (key, named) {
        ("state", _) => (Ct::State, Type::CtState),
        ("direction", _) => (Ct::Direction, Type::CtDir),
        ("status", _) => (Ct::Status, Type::CtStatus),
        ("mark", _) => (Ct::Mark, Type::Mark),
        ("expiration", _) => (Ct::Expiration, Type::Span),
        ("helper", _) => (Ct::Helper, Type::Text),
        ("label", _) => (Ct::Label, Type::CtLabel),
        ("l3proto", _) => (Ct::L3Proto, Type::NfProto),
        ("protocol", _) => (Ct::Protocol, Type::InetProto),
        ("saddr", Some("ip")) => (Ct::SrcIp, Type::Ipv4Addr),
        ("daddr", Some("ip")) => (Ct::DstIp, Type::Ipv4Addr),
        ("saddr", Some("ip6")) => (Ct::SrcIp6, Type::Ipv6Addr),
        ("daddr", Some("ip6")) => (Ct::DstIp6, Type::Ipv6Addr),
        ("saddr", _) => (Ct::Src, if family == Family::Ip6 { Type::Ipv6Addr } else { Type::Ipv4Addr }),
        ("daddr", _) => (Ct::Dst, if family == Family::Ip6 { Type::Ipv6Addr } else { Type::Ipv4Addr }),
        ("proto-src", _) => (Ct::ProtoSrc, Type::InetService),
        ("proto-dst", _) => (Ct::ProtoDst, Type::InetService),
        ("packets", _) => (Ct::Packets, int(64)),
        ("bytes", _) => (Ct::Bytes, int(64)),
        ("avgpkt", _) => (Ct::AvgPkt, int(64)),
        ("zone", _) => (Ct::Zone, int(16)),
        ("event", _) => (Ct::EventMask, Type::CtEvent),
        ("id", _) => (Ct::Id, int(32)),
        ("secmark", _) => (Ct::SecMark, int(32)),
        _ => return None,
    })
}

/// A named priority (`src/datatype.c`, `priority_type`); bridges have others.
pub(super) fn priority(name: &str, family: Family) -> Option<i32> {
    Some(match (family, name) {
        (Family::Bridge, "dstnat") => -300,
        (Family::Bridge, "filter") => -200,
        (Family::Bridge, "out") => 100,
        (Family::Bridge, "srcnat") => 300,
        (Family::Bridge, _) => return None,
        (_, "raw") => -300,
        (_, "mangle") => -150,
        (_, "dstnat") => -100,
        (_, "filter") => 0,
        (_, "security") => 50,
        (_, "srcnat") => 100,
        _ => return None,
    })
}
