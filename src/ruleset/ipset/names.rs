//! Names of protocols and ports, from a table of our own: a set must mean the same on every machine.

/// Protocols as `/etc/protocols` of Debian names them; the first name of a number is the one printed.
const PROTOCOLS: &[(&str, u8)] = &[
    ("ip", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ipencap", 4),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("eigrp", 88),
    ("ospf", 89),
    ("ipip", 94),
    ("etherip", 97),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("isis", 124),
    ("sctp", 132),
    ("mobility-header", 135),
    ("udplite", 136),
];

/// Ports that rule files name in words.
const PORTS: &[(&str, u16)] = &[
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("http", 80),
    ("pop3", 110),
    ("sunrpc", 111),
    ("ntp", 123),
    ("imap2", 143),
    ("imap", 143),
    ("snmp", 161),
    ("bgp", 179),
    ("ldap", 389),
    ("https", 443),
    ("submission", 587),
    ("ldaps", 636),
    ("imaps", 993),
    ("pop3s", 995),
    ("openvpn", 1194),
    ("socks", 1080),
    ("sip", 5060),
    ("sip-tls", 5061),
    ("stun", 3478),
    ("turn", 3478),
    ("stuns", 5349),
    ("turns", 5349),
    ("mysql", 3306),
    ("epmd", 4369),
    ("xmpp-client", 5222),
    ("xmpp-server", 5269),
    ("postgresql", 5432),
    ("http-alt", 8080),
];

/// A protocol by name or number.
pub(super) fn protocol(text: &str) -> Option<u8> {
    let named = PROTOCOLS.iter().find(|one| one.0 == text.to_ascii_lowercase()).map(|one| one.1);
    named.or_else(|| text.parse().ok()).filter(|&number| number != 0)
}

/// A protocol's name, or its number.
pub(super) fn protocol_name(number: u8) -> String {
    PROTOCOLS.iter().find(|one| one.1 == number).map_or_else(|| number.to_string(), |one| one.0.to_string())
}

/// A port by name or number.
pub(super) fn port(text: &str) -> Option<u16> {
    text.parse().ok().or_else(|| PORTS.iter().find(|one| one.0 == text).map(|one| one.1))
}

/// `true` for protocols with ports.
pub(super) fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17 | 132 | 136)
}
