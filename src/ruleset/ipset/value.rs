//! Elements of sets: `10.0.0.1,tcp:5222,10.0.0.0/8`.

use super::{Dimension, IpSet, Storage, Value};
use std::net::IpAddr;

/// The values of an element, one a dimension.
pub(super) fn values(set: &IpSet, element: &str) -> Result<Vec<Value>, String> {
    let parts: Vec<&str> = element.split(',').collect();
    if set.storage == Storage::Bitmap && set.dimensions.len() == 2 && parts.len() == 1 {
        // bitmap:ip,mac may leave the hardware address to the first packet.
        return Ok(vec![value(set, Dimension::Ip, element)?]);
    }
    if parts.len() != set.dimensions.len() {
        return Err(format!("{element:?} has {} parts: set {} takes {}", parts.len(), set.name, set.dimensions.len()));
    }
    set.dimensions.iter().zip(parts).map(|(dimension, part)| value(set, *dimension, part)).collect()
}

fn value(set: &IpSet, dimension: Dimension, text: &str) -> Result<Value, String> {
    match dimension {
        Dimension::Ip | Dimension::Net => address(set, text),
        Dimension::Port => ports(set, text),
        Dimension::Mac => mac(text).map(Value::Mac).ok_or_else(|| format!("{text:?} is not a hardware address")),
        Dimension::Mark => match number_of(text).and_then(|number| u32::try_from(number).ok()) {
            Some(mark) => Ok(Value::Mark(mark)),
            None => Err(format!("{text:?} is not a mark")),
        },
        Dimension::Iface => Ok(match text.strip_prefix("physdev:") {
            Some(name) => Value::Iface(name.to_owned(), true),
            None => Value::Iface(text.to_owned(), false),
        }),
        Dimension::Set => Ok(Value::Set(text.to_owned(), None)),
    }
}

fn address(set: &IpSet, text: &str) -> Result<Value, String> {
    let bad = || format!("{text:?} is not an address, a network or a range of them");
    let v6 = set.family == crate::ruleset::model::Family::Ip6;
    let one = |text: &str| match text.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) if address.is_ipv6() == v6 => Ok(address),
        Ok(_) => Err(format!("{text:?} is of another family than set {}", set.name)),
        Err(_) => Err(bad()),
    };
    if let Some((address, bits)) = text.split_once('/') {
        let address = one(address)?;
        let most = if v6 { 128 } else { 32 };
        let bits: u8 = bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(bad)?;
        return Ok(Value::Net(address, bits));
    }
    match text.split_once('-') {
        Some((first, last)) => Ok(Value::Range(one(first)?, one(last)?)),
        None => one(text).map(|address| Value::Range(address, address)),
    }
}

/// `[PROTOCOL:]FIRST[-LAST]`; ICMP: type/code.
fn ports(set: &IpSet, text: &str) -> Result<Value, String> {
    let bad = || format!("{text:?} is not a port: expected such as 5222, tcp:5222-5223, udp:53, icmp:8/0");
    let (protocol, ports) = match text.split_once(':') {
        Some((protocol, ports)) => (Some(protocol_of(protocol).ok_or_else(bad)?), ports),
        None if set.storage == Storage::Bitmap => (None, text),
        None => (Some(6), text),
    };
    if matches!(protocol, Some(1 | 58))
        && let Some((kind, code)) = ports.split_once('/')
    {
        let (kind, code): (u8, u8) = (kind.parse().map_err(|_| bad())?, code.parse().map_err(|_| bad())?);
        let packed = u16::from_be_bytes([kind, code]);
        return Ok(Value::Ports(protocol, packed, packed));
    }
    let port = |text: &str| text.parse::<u16>().ok().or_else(|| service_of(text)).ok_or_else(bad);
    let (first, last) = match ports.split_once('-') {
        Some((first, last)) if first.parse::<u16>().is_ok() => (port(first)?, port(last)?),
        _ => {
            let one = icmp_of(protocol, ports).map_or_else(|| port(ports), Ok)?;
            (one, one)
        }
    };
    Ok(Value::Ports(protocol.filter(|_| set.storage != Storage::Bitmap), first.min(last), first.max(last)))
}

fn protocol_of(name: &str) -> Option<u8> {
    Some(match name {
        "tcp" => 6,
        "udp" => 17,
        "sctp" => 132,
        "udplite" => 136,
        "icmp" => 1,
        "icmpv6" | "ipv6-icmp" => 58,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "vrrp" => 112,
        other => other.parse().ok()?,
    })
}

fn icmp_of(protocol: Option<u8>, name: &str) -> Option<u16> {
    let (kind, code) = match (protocol?, name) {
        (1, "echo-reply" | "pong") => (0, 0),
        (1, "echo-request" | "ping") => (8, 0),
        (1, "host-unreachable") => (3, 1),
        (1, "port-unreachable") => (3, 3),
        (1, "fragmentation-needed") => (3, 4),
        (1, "ttl-exceeded" | "ttl-zero-during-transit") => (11, 0),
        (58, "echo-request" | "ping") => (128, 0),
        (58, "echo-reply" | "pong") => (129, 0),
        (58, "port-unreachable") => (1, 4),
        _ => return None,
    };
    Some(u16::from_be_bytes([kind, code]))
}

/// Services that sites like these name.
fn service_of(name: &str) -> Option<u16> {
    Some(match name {
        "ssh" => 22,
        "smtp" => 25,
        "domain" => 53,
        "http" => 80,
        "https" => 443,
        "epmd" => 4369,
        "xmpp-client" => 5222,
        "xmpp-server" => 5269,
        "sip" => 5060,
        "stun" => 3478,
        _ => return None,
    })
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

/// A number, decimal or with 0x.
pub(super) fn number_of(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// First and last member of a bitmap: ports, IPv4 addresses, or a network.
pub(super) fn bounds(text: &str) -> Option<(u64, u64)> {
    let one = |text: &str| match text.parse::<std::net::Ipv4Addr>() {
        Ok(address) => Some(u64::from(address.to_bits())),
        Err(_) => number_of(text),
    };
    if let Some((network, bits)) = text.split_once('/') {
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let host = u64::from(u32::MAX) >> bits;
        let first = one(network)? & !host;
        return Some((first, first | host));
    }
    let (first, last) = text.split_once('-')?;
    let (first, last) = (one(first)?, one(last)?);
    (first <= last).then_some((first, last))
}
