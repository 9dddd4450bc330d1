//! Addresses and masks as libxtables reads and prints them.

use crate::ruleset::model::Family;
use crate::ruleset::xt::{Masked, Range};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address: IPv4 may leave out parts at the end and use C's number prefixes (`10.1`, `0x0a.1.1.1`).
pub(super) fn address(text: &str, family: Family) -> Result<IpAddr, String> {
    let parsed = if family == Family::Ip6 {
        text.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    } else {
        dotted(text).map(IpAddr::V4)
    };
    parsed.ok_or_else(|| {
        let (this, other) = if family == Family::Ip6 { ("IPv6", "IPv4") } else { ("IPv4", "IPv6") };
        if text.parse::<IpAddr>().is_ok() {
            format!("`{text}` is an {other} address, but an {this} address is expected")
        } else {
            format!("`{text}` is not an {this} address (host names are not resolved: write the address)")
        }
    })
}

fn dotted(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut parts = text.split('.');
    let mut slots = octets.iter_mut();
    loop {
        match (parts.next(), slots.next()) {
            (Some(part), Some(slot)) => *slot = super::values::u8(part).ok()?,
            (Some(_), None) => return None,
            (None, _) => return Some(Ipv4Addr::from(octets)),
        }
    }
}

/// All ones.
pub(super) fn full_mask(family: Family) -> IpAddr {
    if family == Family::Ip6 { IpAddr::V6(Ipv6Addr::from(u128::MAX)) } else { IpAddr::V4(Ipv4Addr::BROADCAST) }
}

/// Number of bits of an address.
pub(super) fn bits(family: Family) -> u8 {
    if family == Family::Ip6 { 128 } else { 32 }
}

/// A mask of so many leading ones.
pub(super) fn prefix_mask(length: u8, family: Family) -> IpAddr {
    let host = u32::from(bits(family).saturating_sub(length));
    if family == Family::Ip6 {
        IpAddr::V6(Ipv6Addr::from(u128::MAX.checked_shl(host).unwrap_or(0)))
    } else {
        IpAddr::V4(Ipv4Addr::from(u32::MAX.checked_shl(host).unwrap_or(0)))
    }
}

/// A mask by its length or written as an address.
pub(super) fn mask(text: &str, family: Family) -> Result<IpAddr, String> {
    if let Ok(length) = super::values::number(text, bits(family).into()) {
        return Ok(prefix_mask(length as u8, family));
    }
    let strict = match family {
        Family::Ip6 => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    };
    strict.ok_or_else(|| format!("`{text}` is not a mask: a length from 0 to {} or an address", bits(family)))
}

/// `address[/mask]` as written, not masked.
pub(super) fn network_as_written(text: &str, family: Family) -> Result<Masked, String> {
    let Some((addr, length)) = text.split_once('/') else {
        return Ok(Masked { addr: address(text, family)?, mask: full_mask(family) });
    };
    let mask = mask(length, family)?;
    // An empty mask makes the address irrelevant: `any/0` is read.
    let addr = if is_zero(mask) { mask } else { address(addr, family)? };
    Ok(Masked { addr, mask })
}

/// `address[/mask]`, masked.
pub(super) fn network(text: &str, family: Family) -> Result<Masked, String> {
    network_as_written(text, family).map(masked)
}

/// With the bits outside the mask cleared.
pub(super) fn masked(Masked { addr, mask }: Masked) -> Masked {
    let addr = match (addr, mask) {
        (IpAddr::V4(addr), IpAddr::V4(mask)) => IpAddr::V4(Ipv4Addr::from(u32::from(addr) & u32::from(mask))),
        (IpAddr::V6(addr), IpAddr::V6(mask)) => IpAddr::V6(Ipv6Addr::from(u128::from(addr) & u128::from(mask))),
        (addr, _) => addr,
    };
    Masked { addr, mask }
}

/// `first-last`, or one address.
pub(super) fn span(text: &str, family: Family) -> Result<Range<IpAddr>, String> {
    match text.split_once('-') {
        Some((low, high)) => Ok(Range { low: address(low, family)?, high: address(high, family)? }),
        None => address(text, family).map(|addr| Range { low: addr, high: addr }),
    }
}

/// No bits set.
pub(super) fn is_zero(addr: IpAddr) -> bool {
    addr.is_unspecified()
}

/// Length of a mask, if its ones are all leading.
pub(super) fn mask_length(mask: IpAddr) -> Option<u8> {
    let (ones, zeros, width) = match mask {
        IpAddr::V4(mask) => (u32::from(mask).leading_ones(), u32::from(mask).trailing_zeros(), 32),
        IpAddr::V6(mask) => (u128::from(mask).leading_ones(), u128::from(mask).trailing_zeros(), 128),
    };
    (ones.saturating_add(zeros) >= width).then_some(ones as u8)
}

/// As `inet_ntop` of glibc: like Rust's, but `::1.2.3.4` for what has six leading zero words.
pub(super) fn text(addr: IpAddr) -> String {
    if let IpAddr::V6(v6) = addr {
        let bits = u128::from(v6);
        if bits >> 32 == 0 && bits >> 16 != 0 {
            return format!("::{}", Ipv4Addr::from(bits as u32));
        }
    }
    addr.to_string()
}

/// `/24`, or `/255.0.255.0` if it has no length.
pub(super) fn mask_text(mask: IpAddr) -> String {
    match mask_length(mask) {
        Some(length) => format!("/{length}"),
        None => format!("/{}", text(mask)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn short_and_odd_forms() {
        let v4 = |text: &str| network(text, Family::Ip).map(|m| format!("{}{}", m.addr, mask_text(m.mask)));
        assert_eq!(v4("10.1/16").unwrap(), "10.1.0.0/16");
        assert_eq!(v4("010.1.1.1").unwrap(), "8.1.1.1/32");
        assert_eq!(v4("1.2.3.4/0.0.255.255").unwrap(), "0.0.3.4/0.0.255.255");
        assert_eq!(v4("any/0").unwrap(), "0.0.0.0/0");
        for bad in ["1.2.3.256", "1.2.3.4/33", "1.2.3.4/", "example.org", "1.2.3.4.5", "", "::1"] {
            assert!(v4(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ipv6_is_printed_as_glibc_does() {
        let print = |value: &str| text(value.parse().unwrap());
        for same in ["::", "::1", "::1.2.3.4", "::ffff:1.2.3.4", "2001:db8::1", "::1:0:0"] {
            assert_eq!(print(same), same);
        }
    }
}
