//! Names of protocols and services. A ruleset must mean the same on every machine, so a table stands here instead of
//! `/etc/protocols` and `/etc/services`: that of Debian, with the ports of XMPP, SIP, STUN, MQTT and the like added.

/// Protocols by name; the first name of a number is the one printed.
const PROTOCOLS: &[(&str, u8)] = &[
    ("ip", 0),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ggp", 3),
    ("ipencap", 4),
    ("ip-encap", 4),
    ("st", 5),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("pup", 12),
    ("udp", 17),
    ("hmp", 20),
    ("xns-idp", 22),
    ("rdp", 27),
    ("iso-tp4", 29),
    ("dccp", 33),
    ("xtp", 36),
    ("ddp", 37),
    ("idpr-cmtp", 38),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("idrp", 45),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ipsec-esp", 50),
    ("ah", 51),
    ("ipsec-ah", 51),
    ("skip", 57),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("rspf", 73),
    ("cphb", 73),
    ("vmtp", 81),
    ("eigrp", 88),
    ("ospf", 89),
    ("ospfigp", 89),
    ("ax.25", 93),
    ("ipip", 94),
    ("etherip", 97),
    ("encap", 98),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("isis", 124),
    ("sctp", 132),
    ("fc", 133),
    ("mobility-header", 135),
    ("udplite", 136),
    ("mpls-in-ip", 137),
    ("manet", 138),
    ("hip", 139),
    ("shim6", 140),
    ("wesp", 141),
    ("rohc", 142),
    ("ethernet", 143),
    // libxtables' own (`xtables_chain_protos`).
    ("all", 0),
    ("icmpv6", 58),
    ("ipv6-mh", 135),
    ("mh", 135),
];

/// Services: a name and a port on each line.
const SERVICES: &str = include_str!("services.txt");

/// Number of a protocol (lower case).
pub(super) fn protocol(name: &str) -> Option<u8> {
    PROTOCOLS.iter().find(|(known, _)| *known == name).map(|&(_, number)| number)
}

/// Name under which a protocol is printed.
pub(super) fn protocol_name(number: u8) -> Option<&'static str> {
    PROTOCOLS.iter().find(|(_, known)| *known == number).map(|&(name, _)| name)
}

/// Port of a service.
pub(super) fn service(name: &str) -> Option<u16> {
    SERVICES.lines().filter_map(|line| line.split_once(' ')).find(|(known, _)| *known == name)?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names() {
        assert_eq!(service("xmpp-client"), Some(5222));
        assert_eq!(service("epmd"), Some(4369));
        assert_eq!(service("stun"), Some(3478));
        assert_eq!(service("nosuch"), None);
        assert_eq!(protocol("ipv6-icmp"), protocol("icmpv6"));
        assert_eq!(protocol_name(135), Some("mobility-header"));
        assert_eq!(protocol_name(200), None);
    }
}
