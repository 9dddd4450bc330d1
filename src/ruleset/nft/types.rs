//! Data types of nftables: how long a value is, and what its words mean (`src/datatype.c` and the files beside it).

use super::Value;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A type. Bit masks are compared by bits where a rule names them without an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, clippy::enum_variant_names)] // nft's own names
pub(super) enum Type {
    Ipv4Addr,
    Ipv6Addr,
    EtherAddr,
    EtherType,
    InetProto,
    InetService,
    Mark,
    /// A number of so many bits.
    Integer(u32),
    TcpFlag,
    IcmpType,
    Icmpv6Type,
    IcmpCode,
    Icmpv6Code,
    CtState,
    CtDir,
    CtStatus,
    CtLabel,
    CtEvent,
    Dscp,
    Ecn,
    IfName,
    IfIndex,
    IfaceType,
    PktType,
    NfProto,
    FibType,
    Boolean,
    /// A span in milliseconds.
    Span,
    /// A moment in nanoseconds since 1970.
    Moment,
    Day,
    Hour,
    ArpOp,
    Realm,
    /// Handle of a traffic class: major and minor number.
    ClassId,
    DevGroup,
    IgmpType,
    DccpType,
    MhType,
    Text,
    Verdict,
}

impl Type {
    /// Bytes of a value.
    pub(super) fn bytes(self) -> u32 {
        match self {
            Self::Integer(bits) => bits.div_ceil(8).max(1),
            Self::Ipv6Addr | Self::IfName | Self::CtLabel | Self::Text => 16,
            Self::EtherAddr => 6,
            Self::Moment => 8,
            Self::Ipv4Addr
            | Self::Mark
            | Self::CtState
            | Self::CtStatus
            | Self::CtEvent
            | Self::IfIndex
            | Self::FibType
            | Self::Span
            | Self::Hour
            | Self::Realm
            | Self::ClassId
            | Self::DevGroup => 4,
            Self::EtherType | Self::InetService | Self::IfaceType | Self::ArpOp => 2,
            Self::Verdict => 0,
            _ => 1,
        }
    }

    /// Named bits rather than values.
    pub(super) fn is_bitmask(self) -> bool {
        matches!(self, Self::TcpFlag | Self::CtState | Self::CtStatus | Self::CtLabel | Self::CtEvent)
    }

    /// The type of a `type …` declaration.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "ipv4_addr" => Self::Ipv4Addr,
            "ipv6_addr" => Self::Ipv6Addr,
            "ether_addr" | "ll_addr" => Self::EtherAddr,
            "ether_type" => Self::EtherType,
            "inet_proto" => Self::InetProto,
            "inet_service" => Self::InetService,
            "mark" => Self::Mark,
            "tcp_flag" => Self::TcpFlag,
            "icmp_type" => Self::IcmpType,
            "icmpv6_type" => Self::Icmpv6Type,
            "icmp_code" | "icmpx_code" => Self::IcmpCode,
            "icmpv6_code" => Self::Icmpv6Code,
            "ct_state" => Self::CtState,
            "ct_dir" => Self::CtDir,
            "ct_status" => Self::CtStatus,
            "ct_label" => Self::CtLabel,
            "ct_event" => Self::CtEvent,
            "ct_id" | "uid" | "gid" => Self::Integer(32),
            "classid" => Self::ClassId,
            "devgroup" => Self::DevGroup,
            "igmp_type" => Self::IgmpType,
            "dccp_pkttype" => Self::DccpType,
            "mh_type" => Self::MhType,
            "dscp" => Self::Dscp,
            "ecn" => Self::Ecn,
            "ifname" => Self::IfName,
            "iface_index" => Self::IfIndex,
            "iface_type" => Self::IfaceType,
            "pkt_type" => Self::PktType,
            "nf_proto" => Self::NfProto,
            "fib_addrtype" => Self::FibType,
            "boolean" => Self::Boolean,
            "time" => Self::Moment,
            "day" => Self::Day,
            "hour" => Self::Hour,
            "arp_op" => Self::ArpOp,
            "realm" => Self::Realm,
            "string" | "ifkind" | "cgroupsv2" => Self::Text,
            "verdict" => Self::Verdict,
            "integer" => Self::Integer(32),
            _ => return None,
        })
    }

    /// A number as a value; `None` if it does not fit.
    pub(super) fn number(self, number: u128) -> Option<Value> {
        let bytes = self.bytes() as usize;
        let bits = match self {
            Self::Integer(bits) => bits,
            Self::Dscp => 6,
            Self::Ecn => 2,
            Self::DccpType => 4,
            _ => self.bytes() * 8,
        };
        if number.checked_shr(bits).unwrap_or(0) != 0 {
            return None;
        }
        let all = number.to_be_bytes();
        if bytes > all.len() {
            let mut value = vec![0; bytes - all.len()];
            value.extend(all);
            return Some(value);
        }
        all.get(all.len() - bytes..).map(<[u8]>::to_vec)
    }

    /// A word as a value.
    pub(super) fn symbol(self, word: &str) -> Option<Value> {
        if let Ok(address) = word.parse::<Ipv4Addr>()
            && self == Self::Ipv4Addr
        {
            return Some(address.octets().to_vec());
        }
        if let Ok(address) = word.parse::<Ipv6Addr>()
            && self == Self::Ipv6Addr
        {
            return Some(address.octets().to_vec());
        }
        match self {
            Self::IfName | Self::Text => {
                let mut value = word.as_bytes().to_vec();
                value.resize(16, 0);
                (word.len() <= 16).then_some(value)
            }
            Self::CtLabel => self.number(1u128.checked_shl(word.parse().ok()?)?),
            Self::ClassId if word.contains(':') => {
                let (major, minor) = word.split_once(':')?;
                let part = |part: &str| u16::from_str_radix(part, 16).ok();
                self.number(u128::from(part(major)?) << 16 | u128::from(part(minor)?))
            }
            _ => {
                let found = self.words().iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
                self.number(u128::from(found?))
            }
        }
    }

    /// The words of a type.
    pub(super) fn words(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::InetProto => PROTOCOLS,
            Self::InetService => SERVICES,
            Self::TcpFlag => {
                &[("fin", 1), ("syn", 2), ("rst", 4), ("psh", 8), ("ack", 16), ("urg", 32), ("ecn", 64), ("cwr", 128)]
            }
            Self::IcmpType => ICMP_TYPES,
            Self::Icmpv6Type => ICMPV6_TYPES,
            Self::IcmpCode => &[
                ("net-unreachable", 0),
                ("host-unreachable", 1),
                ("prot-unreachable", 2),
                ("port-unreachable", 3),
                ("frag-needed", 4),
                ("net-prohibited", 9),
                ("host-prohibited", 10),
                ("admin-prohibited", 13),
            ],
            Self::Icmpv6Code => &[
                ("no-route", 0),
                ("admin-prohibited", 1),
                ("addr-unreachable", 3),
                ("port-unreachable", 4),
                ("policy-fail", 5),
                ("reject-route", 6),
            ],
            Self::CtState => &[("invalid", 1), ("established", 2), ("related", 4), ("new", 8), ("untracked", 64)],
            Self::CtDir => &[("original", 0), ("reply", 1)],
            Self::CtStatus => &[
                ("expected", 1),
                ("seen-reply", 2),
                ("assured", 4),
                ("confirmed", 8),
                ("snat", 16),
                ("dnat", 32),
                ("dying", 512),
            ],
            Self::CtEvent => &[
                ("new", 1),
                ("related", 2),
                ("destroy", 4),
                ("reply", 8),
                ("assured", 16),
                ("protoinfo", 32),
                ("helper", 64),
                ("mark", 128),
                ("seqadj", 256),
                ("secmark", 512),
                ("label", 1024),
            ],
            Self::Dscp => &[
                ("cs0", 0),
                ("cs1", 8),
                ("cs2", 16),
                ("cs3", 24),
                ("cs4", 32),
                ("cs5", 40),
                ("cs6", 48),
                ("cs7", 56),
                ("df", 0),
                ("be", 0),
                ("lephb", 1),
                ("af11", 10),
                ("af12", 12),
                ("af13", 14),
                ("af21", 18),
                ("af22", 20),
                ("af23", 22),
                ("af31", 26),
                ("af32", 28),
                ("af33", 30),
                ("af41", 34),
                ("af42", 36),
                ("af43", 38),
                ("va", 44),
                ("ef", 46),
            ],
            Self::Ecn => &[("not-ect", 0), ("ect1", 1), ("ect0", 2), ("ce", 3)],
            Self::EtherType => &[
                ("ip", 0x0800),
                ("arp", 0x0806),
                ("ip6", 0x86dd),
                ("vlan", 0x8100),
                ("8021q", 0x8100),
                ("8021ad", 0x88a8),
            ],
            Self::PktType => &[("host", 0), ("unicast", 0), ("broadcast", 1), ("multicast", 2), ("other", 3)],
            Self::NfProto => &[("ipv4", 2), ("ipv6", 10)],
            Self::FibType => &[
                ("unspec", 0),
                ("unicast", 1),
                ("local", 2),
                ("broadcast", 3),
                ("anycast", 4),
                ("multicast", 5),
                ("blackhole", 6),
                ("unreachable", 7),
                ("prohibit", 8),
            ],
            Self::Boolean => &[("exists", 1), ("missing", 0)],
            Self::IfaceType => &[
                ("ether", 1),
                ("ppp", 512),
                ("ipip", 768),
                ("ipip6", 769),
                ("loopback", 772),
                ("sit", 776),
                ("ipgre", 778),
            ],
            // /etc/iproute2/rt_realms and group as distributions have them.
            Self::Realm => &[("cosmos", 0)],
            Self::DevGroup => &[("default", 0)],
            Self::ClassId => &[("none", 0), ("root", 0xffff_ffff)],
            Self::IgmpType => &[
                ("membership-query", 0x11),
                ("membership-report-v1", 0x12),
                ("membership-report-v2", 0x16),
                ("leave-group", 0x17),
                ("membership-report-v3", 0x22),
            ],
            Self::DccpType => &[
                ("request", 0),
                ("response", 1),
                ("data", 2),
                ("ack", 3),
                ("dataack", 4),
                ("closereq", 5),
                ("close", 6),
                ("reset", 7),
                ("sync", 8),
                ("syncack", 9),
            ],
            Self::MhType => &[
                ("binding-refresh-request", 0),
                ("home-test-init", 1),
                ("careof-test-init", 2),
                ("home-test", 3),
                ("careof-test", 4),
                ("binding-update", 5),
                ("binding-acknowledgement", 6),
                ("binding-error", 7),
                ("fast-binding-update", 8),
                ("fast-binding-acknowledgement", 9),
                ("fast-binding-advertisement", 10),
                ("experimental-mobility-header", 11),
                ("home-agent-switch-message", 12),
            ],
            // As the replayed host numbers them.
            Self::IfIndex => &[("lo", 1)],
            Self::Day => &[
                ("Sunday", 0),
                ("Monday", 1),
                ("Tuesday", 2),
                ("Wednesday", 3),
                ("Thursday", 4),
                ("Friday", 5),
                ("Saturday", 6),
            ],
            Self::ArpOp => &[
                ("request", 1),
                ("reply", 2),
                ("rrequest", 3),
                ("rreply", 4),
                ("inrequest", 8),
                ("inreply", 9),
                ("nak", 10),
            ],
            _ => &[],
        }
    }
}

const PROTOCOLS: &[(&str, u64)] = &[
    ("ip", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ipencap", 4),
    ("tcp", 6),
    ("egp", 8),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", 58),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ospf", 89),
    ("pim", 103),
    ("comp", 108),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", 132),
    ("mobility-header", 135),
    ("udplite", 136),
    ("mpls-in-ip", 137),
];

/// Names of /etc/services that rules for sites like these use.
const SERVICES: &[(&str, u64)] = &[
    ("tcpmux", 1),
    ("echo", 7),
    ("discard", 9),
    ("daytime", 13),
    ("chargen", 19),
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("whois", 43),
    ("tacacs", 49),
    ("domain", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("tftp", 69),
    ("gopher", 70),
    ("finger", 79),
    ("http", 80),
    ("kerberos", 88),
    ("pop3", 110),
    ("sunrpc", 111),
    ("ident", 113),
    ("auth", 113),
    ("nntp", 119),
    ("ntp", 123),
    ("netbios-ns", 137),
    ("netbios-dgm", 138),
    ("netbios-ssn", 139),
    ("imap2", 143),
    ("imap", 143),
    ("snmp", 161),
    ("snmp-trap", 162),
    ("bgp", 179),
    ("irc", 194),
    ("ldap", 389),
    ("https", 443),
    ("microsoft-ds", 445),
    ("submissions", 465),
    ("isakmp", 500),
    ("syslog", 514),
    ("printer", 515),
    ("submission", 587),
    ("ldaps", 636),
    ("domain-s", 853),
    ("rsync", 873),
    ("imaps", 993),
    ("pop3s", 995),
    ("socks", 1080),
    ("openvpn", 1194),
    ("ms-sql-s", 1433),
    ("l2f", 1701),
    ("radius", 1812),
    ("radius-acct", 1813),
    ("mqtt", 1883),
    ("nfs", 2049),
    ("mysql", 3306),
    ("stun", 3478),
    ("turn", 3478),
    ("ms-wbt-server", 3389),
    ("epmd", 4369),
    ("ipsec-nat-t", 4500),
    ("sip", 5060),
    ("sip-tls", 5061),
    ("xmpp-client", 5222),
    ("xmpp-server", 5269),
    ("stuns", 5349),
    ("turns", 5349),
    ("mdns", 5353),
    ("postgresql", 5432),
    ("amqps", 5671),
    ("amqp", 5672),
    ("x11", 6000),
    ("http-alt", 8080),
    ("secure-mqtt", 8883),
];

const ICMP_TYPES: &[(&str, u64)] = &[
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo-request", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp-request", 13),
    ("timestamp-reply", 14),
    ("info-request", 15),
    ("info-reply", 16),
    ("address-mask-request", 17),
    ("address-mask-reply", 18),
];

const ICMPV6_TYPES: &[(&str, u64)] = &[
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("mld-listener-query", 130),
    ("mld-listener-report", 131),
    ("mld-listener-done", 132),
    ("mld-listener-reduction", 132),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
    ("nd-redirect", 137),
    ("router-renumbering", 138),
    ("ind-neighbor-solicit", 141),
    ("ind-neighbor-advert", 142),
    ("mld2-listener-report", 143),
];
