//! Address blocks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address block in CIDR notation, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// First address.
    pub address: IpAddr,
    /// Prefix length in bits, 0..=32 or 0..=128.
    pub prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8` or one address. Bits below the prefix are cleared, IPv4 written as IPv6
    /// (`::ffff:10.0.0.0/104`) becomes IPv4. The error says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| format!("`{address}` is not an IP address"))?;
        let bits = bits_of(address);
        let prefix = match prefix {
            None => bits,
            Some(prefix) => match prefix.trim().parse::<u8>() {
                Ok(prefix) if prefix <= bits => prefix,
                Ok(_) => return Err(format!("a prefix of an address of this kind is at most {bits}, not {prefix}")),
                Err(_) => return Err(format!("`{prefix}` is not a prefix length from 0 to {bits}")),
            },
        };
        Ok(Self::mapped_to_v4(address, prefix).masked())
    }

    /// The network of one address.
    pub fn host(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: bits_of(address) }
    }

    /// `true` if the address lies in the block. IPv4 written as IPv6 is IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let own = Self::mapped_to_v4(self.address, self.prefix);
        match (own.address, address.to_canonical()) {
            (IpAddr::V4(own_v4), IpAddr::V4(address)) => {
                (own_v4.to_bits() ^ address.to_bits()) & mask_v4(own.prefix) == 0
            }
            (IpAddr::V6(own_v6), IpAddr::V6(address)) => {
                (own_v6.to_bits() ^ address.to_bits()) & mask_v6(own.prefix) == 0
            }
            _ => false,
        }
    }

    fn mapped_to_v4(address: IpAddr, prefix: u8) -> Self {
        match (address, address.to_canonical()) {
            (IpAddr::V6(_), v4 @ IpAddr::V4(_)) if prefix >= 96 => Self { address: v4, prefix: prefix - 96 },
            _ => Self { address, prefix },
        }
    }

    fn masked(self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask_v4(self.prefix))),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask_v6(self.prefix))),
        };
        Self { address, ..self }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == bits_of(self.address) {
            return write!(f, "{}", self.address);
        }
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The upper `prefix` bits; shifting by the whole width is what `checked_shl` is for.
fn mask_v4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32u32.saturating_sub(u32::from(prefix))).unwrap_or(0)
}

fn mask_v6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128u32.saturating_sub(u32::from(prefix))).unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn blocks_contain_what_shares_their_prefix() {
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("10.77.1.9/16", "10.77.200.1"), "bits below the prefix do not count");
        assert!(contains("192.0.2.7", "192.0.2.7"));
        assert!(!contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("fd77::/16", "fd77:1::5"));
        assert!(!contains("fd77::/16", "fd78::5"));
        assert!(contains("0.0.0.0/0", "203.0.113.1"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(!contains("::/0", "203.0.113.1"));
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert_eq!(Network::parse("::ffff:10.0.0.0/104").unwrap().to_string(), "10.0.0.0/8");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, wrong) in [
            ("10.0.0.0/33", "at most 32"),
            ("fd00::/129", "at most 128"),
            ("10.0.0.0/eight", "not a prefix length"),
            ("10.0.0/8", "not an IP address"),
            ("alpha.test", "not an IP address"),
            ("", "not an IP address"),
            ("10.0.0.0/", "not a prefix length"),
        ] {
            assert!(Network::parse(text).unwrap_err().contains(wrong), "{text}");
        }
    }
}
