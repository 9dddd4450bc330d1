//! What a packet is to a set: the `kadt` functions of the set types, `ip_set_getport.c`.

use super::Question;
use crate::replay::skb::Skb;
use crate::ruleset::ipset::{Dimension, IpSet, Storage, Value, members};
use crate::ruleset::model::Family;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

/// An element, as it is hashed. Networks hold the prefix length beside the masked address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Element {
    pub addresses: [u128; 2],
    pub prefixes: [u8; 2],
    pub protocol: u8,
    pub port: u16,
    /// Hardware address or mark.
    pub other: u64,
}

impl Hash for Element {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, second] = self.addresses;
        let [p, q] = self.prefixes;
        let [high, low] = self.port.to_be_bytes();
        state.write_u128(first);
        state.write_u128(second);
        state.write_u64(u64::from_be_bytes([0, 0, 0, high, low, self.protocol, p, q]));
        state.write_u64(self.other);
    }
}

/// What to take from a packet.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    dimensions: Vec<Dimension>,
    pub bitmap: bool,
    /// Bits of an address: 32 or 128.
    pub width: u8,
    /// Mask of the first address, if the set has one.
    mask: Option<u128>,
    mark_mask: u32,
    /// First and last member of a bitmap.
    range: Option<(u128, u128)>,
    /// Which addresses are networks.
    pub networks: [bool; 2],
}

impl Shape {
    pub fn of(set: &IpSet) -> Self {
        let width = if set.family == Family::Ip6 { 128 } else { 32 };
        let mask = match (set.netmask, set.bitmask) {
            (Some(prefix), _) => Some(prefix_mask(prefix, width)),
            (None, Some(mask)) => Some(bits(mask)),
            (None, None) => None,
        };
        let mut networks = [false; 2];
        let places = set.dimensions.iter().filter(|one| matches!(one, Dimension::Ip | Dimension::Net));
        for (network, dimension) in networks.iter_mut().zip(places) {
            *network = *dimension == Dimension::Net;
        }
        let cut = |end: u64| u128::from(end) & mask.unwrap_or(u128::MAX);
        Self {
            bitmap: set.storage == Storage::Bitmap,
            width,
            mask,
            mark_mask: set.markmask.unwrap_or(u32::MAX),
            range: set.range.map(|(first, last)| (cut(first), cut(last))),
            networks,
            dimensions: set.dimensions.clone(),
        }
    }

    /// The packet's element, networks as single addresses. `None`: it has none (`-EINVAL`), which is no match.
    pub fn of_packet(&self, ask: &Question<'_>) -> Option<Element> {
        let mut element = Element { prefixes: [self.width; 2], ..Element::default() };
        let mut addresses = element.addresses.iter_mut();
        for (dimension, by_source) in self.dimensions.iter().zip(ask.sources.iter().copied()) {
            match dimension {
                Dimension::Ip | Dimension::Net => {
                    let is = if by_source { ask.skb.src() } else { ask.skb.dst() };
                    *addresses.next()? = bits(is);
                }
                Dimension::Port => {
                    (element.protocol, element.port) = port(ask.skb, by_source)?;
                    if self.bitmap {
                        // A bitmap does not tell TCP from UDP, and knows no other.
                        matches!(element.protocol, 6 | 17).then_some(())?;
                        element.protocol = 0;
                    }
                }
                // A bitmap keeps the hardware address beside the element.
                Dimension::Mac if self.bitmap => {}
                Dimension::Mac => element.other = hardware_address(ask.skb, by_source)?,
                Dimension::Mark => element.other = u64::from(ask.skb.mark & self.mark_mask),
                Dimension::Iface | Dimension::Set => {}
            }
        }
        self.stored(element)
    }

    /// The packet's hardware address for a bitmap of addresses with theirs.
    pub fn mac_of_packet(&self, ask: &Question<'_>) -> Option<u64> {
        hardware_address(ask.skb, ask.sources.get(1).copied()?)
    }

    /// `true` for `bitmap:ip,mac`.
    pub fn has_macs_beside(&self) -> bool {
        self.bitmap && self.dimensions.contains(&Dimension::Mac)
    }

    /// The element of a member of a file.
    pub fn of_member(&self, values: &[Value]) -> Option<Element> {
        let mut element = Element { prefixes: [self.width; 2], ..Element::default() };
        let mut index = 0;
        for value in values {
            match value {
                Value::Range(address, _) => {
                    *element.addresses.get_mut(index)? = bits(*address);
                    index += 1;
                }
                Value::Net(address, prefix) => {
                    *element.addresses.get_mut(index)? = bits(*address);
                    *element.prefixes.get_mut(index)? = *prefix;
                    index += 1;
                }
                Value::Ports(protocol, port, _) => (element.protocol, element.port) = (protocol.unwrap_or(0), *port),
                Value::Mac(_) if self.bitmap => {}
                Value::Mac(mac) => element.other = number(mac),
                Value::Mark(mark) => element.other = u64::from(mark & self.mark_mask),
                Value::Iface(..) | Value::Set(..) => {}
            }
        }
        if !self.bitmap && values.len() == 1 && values.first().is_some_and(members::is_null) {
            return None;
        }
        self.stored(element)
    }

    /// Cut to the set's mask. `None` if a bitmap has no place for it, or a hash of addresses cannot store it.
    fn stored(&self, mut element: Element) -> Option<Element> {
        if let Some(mask) = self.mask {
            element.addresses[0] &= mask;
        }
        if let Some((first, last)) = self.range {
            let is_port = self.dimensions.first() == Some(&Dimension::Port);
            let member = if is_port { u128::from(element.port) } else { element.addresses[0] };
            return (first <= member && member <= last).then_some(element);
        }
        let is_null = *self.dimensions == [Dimension::Ip] && element.addresses[0] == 0;
        (!is_null).then_some(element)
    }

    /// An element with its networks cut to prefix lengths.
    pub fn cut(&self, element: &Element, prefixes: [u8; 2]) -> Element {
        let mut cut = Element { prefixes, ..*element };
        for ((address, prefix), network) in cut.addresses.iter_mut().zip(prefixes).zip(self.networks) {
            if network {
                *address &= prefix_mask(prefix, self.width);
            }
        }
        cut
    }
}

/// An address as a number.
pub(in crate::replay) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// A mask of leading ones within `width` bits.
pub(in crate::replay) fn prefix_mask(prefix: u8, width: u8) -> u128 {
    let ones = u128::MAX.checked_shl(u32::from(width.saturating_sub(prefix))).unwrap_or(0);
    if width < 128 { ones & ((1 << width) - 1) } else { ones }
}

fn number(mac: &[u8]) -> u64 {
    mac.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// An Ethernet address of the frame; zero is none.
fn hardware_address(skb: &Skb<'_>, source: bool) -> Option<u64> {
    let link = skb.link.get(..14)?;
    let mac = if source { link.get(6..12)? } else { link.get(..6)? };
    Some(number(mac)).filter(|mac| *mac != 0)
}

/// `ip_set_get_ip4_port` and `ip_set_get_ip6_port`: protocol and port, or ICMP type and code; 0 where there is none.
fn port(skb: &Skb<'_>, source: bool) -> Option<(u8, u16)> {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    const UDPLITE: u8 = 136;
    const SCTP: u8 = 132;
    const ICMP: u8 = 1;
    const ICMPV6: u8 = 58;
    const NO_NEXT: u8 = 59;
    let protocol = skb.headers.protocol.filter(|protocol| *protocol != 0)?;
    if skb.headers.fragment_offset > 0 {
        let has_port = matches!(protocol, TCP | UDP | UDPLITE | SCTP | ICMP);
        return (!has_port && !skb.is_v6()).then_some((protocol, 0));
    }
    if skb.is_v6() && protocol == NO_NEXT {
        return None;
    }
    let needed = match protocol {
        TCP => 20,
        SCTP => 12,
        UDP | UDPLITE | ICMP | ICMPV6 => 8,
        _ => return Some((protocol, 0)),
    };
    let header = skb.transport().get(..needed)?;
    let at = if source || matches!(protocol, ICMP | ICMPV6) { 0 } else { 2 };
    let port = header.get(at..)?.first_chunk()?;
    Some((protocol, u16::from_be_bytes(*port)))
}
