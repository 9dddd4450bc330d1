//! The parts of an entry: addresses, networks, ports, hardware addresses, interfaces, marks.

use super::line::{Line, Word};
use super::{Dimension, IpSet, Storage, Value, icmp, names};
use crate::ruleset::error::RuleError;
use crate::ruleset::model::Family;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The entry's element: one value a dimension, divided by commas.
pub(super) fn element(line: &Line<'_>, word: Word<'_>, set: &IpSet) -> Result<Vec<Value>, RuleError> {
    if set.storage == Storage::List {
        return Ok(vec![Value::Set(word.text.to_string(), None)]);
    }
    let mut column = word.column;
    let mut values = Vec::new();
    let mut parts = word.text.split(',');
    for (index, dimension) in set.dimensions.iter().enumerate() {
        let Some(part) = parts.next() else {
            // The hardware address of `bitmap:ip,mac` is learnt from the first packet.
            if set.storage == Storage::Bitmap && *dimension == Dimension::Mac {
                break;
            }
            return Err(line.error(word, format!("expected `,` and {}, found the end of the entry", what(dimension))));
        };
        let part = Word { text: part, column };
        column = column.saturating_add(u32::try_from(part.text.chars().count()).unwrap_or(0)).saturating_add(1);
        values.push(value(part, *dimension, index, set).map_err(|message| line.error(part, message))?);
    }
    match parts.next() {
        Some(_) => Err(line.error(word, format!("expected {} parts, found more in `{}`", values.len(), word.text))),
        None => Ok(values),
    }
}

fn what(dimension: &Dimension) -> &'static str {
    match dimension {
        Dimension::Ip => "an address",
        Dimension::Net => "a network",
        Dimension::Port => "a port",
        Dimension::Mac => "a hardware address",
        Dimension::Iface => "an interface",
        Dimension::Mark => "a mark",
        Dimension::Set => "a set",
    }
}

fn value(word: Word<'_>, dimension: Dimension, index: usize, set: &IpSet) -> Result<Value, String> {
    let text = word.text;
    let v6 = set.family == Family::Ip6;
    match dimension {
        Dimension::Ip => {
            // Only the first address may be a range, and with a hardware address beside it in a bitmap not even that.
            let plain = index > 0 || (set.storage == Storage::Bitmap && set.dimensions.len() > 1);
            ip(text, v6, plain)
        }
        Dimension::Net => {
            let any = matches!(
                *set.dimensions,
                [Dimension::Net, Dimension::Iface | Dimension::Net] | [Dimension::Net, _, Dimension::Net]
            );
            net(text, v6, any)
        }
        Dimension::Port if set.storage == Storage::Bitmap => bitmap_ports(text),
        Dimension::Port => ports(text, v6),
        Dimension::Mac => mac(text),
        Dimension::Iface => iface(text),
        Dimension::Mark => {
            number(text).map(Value::Mark).ok_or_else(|| format!("expected a mark such as 0x10, found `{text}`"))
        }
        Dimension::Set => Ok(Value::Set(text.to_string(), None)),
    }
}

/// A number, decimal or with `0x`.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// An address of a family; brackets around it are allowed.
pub(super) fn address(text: &str, v6: bool) -> Option<IpAddr> {
    let text = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if v6 { text.parse::<Ipv6Addr>().ok().map(IpAddr::V6) } else { text.parse::<Ipv4Addr>().ok().map(IpAddr::V4) }
}

/// Bits of an address of this kind.
pub(super) fn width(address: IpAddr) -> u8 {
    if address.is_ipv6() { 128 } else { 32 }
}

/// First and last address of a network.
pub(super) fn bounds(address: IpAddr, prefix: u8) -> (IpAddr, IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            let bits = v4.to_bits();
            (Ipv4Addr::from_bits(bits & !host).into(), Ipv4Addr::from_bits(bits | host).into())
        }
        IpAddr::V6(v6) => {
            let host = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            let bits = v6.to_bits();
            (Ipv6Addr::from_bits(bits & !host).into(), Ipv6Addr::from_bits(bits | host).into())
        }
    }
}

fn ip(text: &str, v6: bool, plain: bool) -> Result<Value, String> {
    let expected = match (v6, plain) {
        (true, _) => "an IPv6 address",
        (false, true) => "an IPv4 address",
        (false, false) => "an IPv4 address, a range or a network",
    };
    let wrong = || format!("expected {expected}, found `{text}`");
    if let Some(address) = address(text, v6) {
        return Ok(Value::Range(address, address));
    }
    if let Some((start, prefix)) = text.split_once('/') {
        let start = address(start, v6).ok_or_else(wrong)?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        let full = prefix == width(start);
        if prefix == 0 || prefix > width(start) || (!full && (v6 || plain)) {
            return Err(wrong());
        }
        let (first, last) = bounds(start, prefix);
        return Ok(Value::Range(first, last));
    }
    match range(text, v6) {
        Some((first, last)) if !v6 && !plain => Ok(Value::Range(first, last)),
        _ => Err(wrong()),
    }
}

/// `first-last`, in either order.
pub(super) fn range(text: &str, v6: bool) -> Option<(IpAddr, IpAddr)> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (address(first, v6)?, address(last, v6)?);
    Some((first.min(last), first.max(last)))
}

/// `any`: the type can store a network of prefix length 0.
fn net(text: &str, v6: bool, any: bool) -> Result<Value, String> {
    let expected = if v6 { "an IPv6 address or network" } else { "an IPv4 address, network or range" };
    let wrong = || format!("expected {expected}, found `{text}`");
    if let Some(address) = address(text, v6) {
        return Ok(Value::Net(address, width(address)));
    }
    if let Some((start, prefix)) = text.split_once('/') {
        let start = address(start, v6).ok_or_else(wrong)?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        if prefix > width(start) {
            return Err(format!("expected a prefix length of at most {}, found {prefix}", width(start)));
        }
        if prefix == 0 && !any {
            return Err("a network of prefix length 0 cannot be stored in this type of set".to_string());
        }
        return Ok(Value::Net(bounds(start, prefix).0, prefix));
    }
    match range(text, v6) {
        Some((first, last)) if !v6 => Ok(Value::Range(first, last)),
        _ => Err(wrong()),
    }
}

/// `[protocol:]port[-port]`, `icmp:name`, `icmp:type/code`, `protocol:0`.
fn ports(text: &str, v6: bool) -> Result<Value, String> {
    const TCP: u8 = 6;
    let (protocol, rest) = match text.split_once(':') {
        Some((name, rest)) => {
            (names::protocol(name).ok_or_else(|| format!("expected a protocol, found `{name}`"))?, rest)
        }
        None => (TCP, text),
    };
    match protocol {
        1 | 58 if (protocol == 58) != v6 => {
            Err(format!("{} does not go with the set's family", if v6 { "ICMP" } else { "ICMPv6" }))
        }
        1 | 58 => match icmp::parse(rest, v6) {
            Some(number) => Ok(Value::Ports(Some(protocol), number, number)),
            None => Err(format!("expected an ICMP type's name or type/code, found `{rest}`")),
        },
        _ if names::has_ports(protocol) => {
            let (first, last) = port_range(rest)?;
            Ok(Value::Ports(Some(protocol), first, last))
        }
        _ if rest == "0" => Ok(Value::Ports(Some(protocol), 0, 0)),
        _ => Err(format!("expected port 0 with a protocol that has no ports, found `{rest}`")),
    }
}

fn bitmap_ports(text: &str) -> Result<Value, String> {
    let rest = match text.split_once(':') {
        Some(("tcp" | "udp", rest)) => rest,
        Some((other, _)) => return Err(format!("expected tcp or udp, found `{other}`")),
        None => text,
    };
    let (first, last) = port_range(rest)?;
    Ok(Value::Ports(None, first, last))
}

/// `first-last`, in either order, or one port. A name may have a dash in it.
pub(super) fn port_range(text: &str) -> Result<(u16, u16), String> {
    let unbracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Some(port) = names::port(unbracketed) {
        return Ok((port, port));
    }
    let wrong = || format!("expected a port or a range of ports, found `{text}`");
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let (first, last) = (names::port(first).ok_or_else(wrong)?, names::port(last).ok_or_else(wrong)?);
    Ok((first.min(last), first.max(last)))
}

fn mac(text: &str) -> Result<Value, String> {
    let wrong = || format!("expected a hardware address such as 01:23:45:67:89:AB, found `{text}`");
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        let part = parts.next().filter(|part| (1..=2).contains(&part.len())).ok_or_else(wrong)?;
        *byte = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
    }
    if parts.next().is_some() { Err(wrong()) } else { Ok(Value::Mac(bytes)) }
}

fn iface(text: &str) -> Result<Value, String> {
    let (name, physdev) = match text.strip_prefix("physdev:") {
        Some(name) => (name, true),
        None => (text, false),
    };
    match name.len() {
        1..=15 => Ok(Value::Iface(name.to_string(), physdev)),
        0 => Err("expected an interface, found nothing".to_string()),
        _ => Err(format!("expected an interface's name of at most 15 characters, found `{name}`")),
    }
}
