//! How many elements of a set `nft list` puts on a line: it goes by the type of the key (`calculate_delim` in `expression.c`).

use super::super::ast::{Expr, ExprKind, KeyType, PayloadField, Set};

/// Elements on a line.
pub(super) fn elements_a_line(set: &Set) -> usize {
    match &set.key {
        Some(KeyType::Type(types)) => match types.as_slice() {
            [single] => of_type(&single.text),
            _ => 1,
        },
        Some(KeyType::TypeOf(of)) => of_expression(of),
        None => 1,
    }
}

fn of_type(name: &str) -> usize {
    match name {
        "ipv6_addr" | "ether_addr" | "ifname" | "iface_type" | "icmp_type" | "icmp_code" | "icmpv6_type"
        | "icmpv6_code" | "icmpx_code" | "dscp" | "ecn" | "time" | "ether_type" | "realm" | "devgroup"
        | "igmp_type" | "mh_type" | "boolean" | "fib_addrtype" | "cgroupsv2" | "ct_label" | "string" => 1,
        "ipv4_addr" | "ct_state" | "ct_status" | "pkt_type" => 2,
        _ => 5,
    }
}

/// A type that is wrapped like the expression's own.
fn of_expression(of: &Expr) -> usize {
    of_type(match &of.kind {
        ExprKind::Concat(_) => return 1,
        ExprKind::Payload(payload) => match &payload.field {
            PayloadField::Named { protocol, field } => field_type(&protocol.text, &field.text),
            PayloadField::Raw { .. } => "integer",
        },
        ExprKind::Meta(key) => match key.text.as_str() {
            "protocol" => "ether_type",
            "iifname" | "oifname" | "ibrname" | "obrname" | "iifkind" | "oifkind" | "sdifname" => "ifname",
            "iiftype" | "oiftype" => "iface_type",
            "rtclassid" => "realm",
            "iifgroup" | "oifgroup" => "devgroup",
            "pkttype" => "pkt_type",
            "day" | "hour" | "time" => "time",
            "ipsec" => "boolean",
            _ => "integer",
        },
        ExprKind::Ct(ct) => match (ct.key.text.as_str(), ct.family.as_ref().map(|family| family.text.as_str())) {
            ("saddr" | "daddr", Some("ip6")) => "ipv6_addr",
            ("saddr" | "daddr", _) => "ipv4_addr",
            ("state", _) => "ct_state",
            ("status", _) => "ct_status",
            ("expiration", _) => "time",
            ("helper", _) => "string",
            ("label", _) => "ct_label",
            _ => "integer",
        },
        ExprKind::ExtHdr { header, field, .. } => match (header.text.as_str(), field.as_ref().map(|f| f.text.as_str()))
        {
            ("mh", Some("type")) => "mh_type",
            (_, Some("addr" | "sid")) => "ipv6_addr",
            (_, None) => "boolean",
            _ => "integer",
        },
        ExprKind::Fib { result, .. } => match result.text.as_str() {
            "type" => "fib_addrtype",
            "oifname" => "ifname",
            _ => "integer",
        },
        ExprKind::Rt { key, .. } => match key.text.as_str() {
            "classid" => "realm",
            "ipsec" => "boolean",
            _ => "integer",
        },
        ExprKind::Osf { .. } => "string",
        _ => "integer",
    })
}

fn field_type(protocol: &str, field: &str) -> &'static str {
    match (protocol, field) {
        ("ip6", "saddr" | "daddr") => "ipv6_addr",
        ("ether", "saddr" | "daddr") | (_, "saddr ether" | "daddr ether") => "ether_addr",
        ("ip", "saddr" | "daddr") | (_, "saddr ip" | "daddr ip") => "ipv4_addr",
        ("ether" | "vlan", "type") => "ether_type",
        ("icmp" | "icmpv6" | "igmp", "type" | "code") => "icmp_type",
        (_, "dscp") => "dscp",
        (_, "ecn") => "ecn",
        _ => "integer",
    }
}
