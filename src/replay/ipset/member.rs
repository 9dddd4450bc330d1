//! What an element is in the memory of a set: one number a dimension, with a prefix length where it is a network.

use crate::replay::skb::{HookContext, Skb};
use crate::ruleset::ipset::{Dimension, IpSet, Storage, Value};
use crate::ruleset::model::Family;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;

/// Key of an element. Unused dimensions are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Key {
    values: [u128; 3],
    prefixes: [u8; 3],
}

impl Key {
    /// Prefix lengths of the dimensions; of what is no network, 0.
    pub(super) fn prefixes(&self) -> [u8; 3] {
        self.prefixes
    }

    /// The key with its networks cut to prefix lengths.
    pub(super) fn cut(mut self, prefixes: &[u8; 3], set: &IpSet) -> Self {
        let width = width(set);
        let dimensions = self.values.iter_mut().zip(&mut self.prefixes).zip(prefixes).zip(&set.dimensions);
        for (((value, own), prefix), dimension) in dimensions {
            if *dimension == Dimension::Net {
                *value = network(*value, *prefix, width);
                *own = *prefix;
            }
        }
        self
    }

    fn set(&mut self, at: usize, value: u128, prefix: u8) {
        if let (Some(place), Some(bits)) = (self.values.get_mut(at), self.prefixes.get_mut(at)) {
            (*place, *bits) = (value, prefix);
        }
    }
}

fn width(set: &IpSet) -> u8 {
    if set.family == Family::Ip6 { 128 } else { 32 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The first address of the network that an address is in.
fn network(address: u128, prefix: u8, width: u8) -> u128 {
    let host = u32::from(width.saturating_sub(prefix));
    address.checked_shr(host).unwrap_or(0).checked_shl(host).unwrap_or(0)
}

/// Protocol and port in one number.
fn port(protocol: u8, port: u16) -> u128 {
    u128::from(protocol) << 16 | u128::from(port)
}

fn mac(bytes: &[u8; 6]) -> u128 {
    bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// Names are few: their hash stands for them.
fn name(text: &str) -> u128 {
    let mut hasher = foldhash::fast::FixedState::with_seed(0x0069_7073_6574).build_hasher();
    text.hash(&mut hasher);
    u128::from(std::hash::Hasher::finish(&hasher))
}

/// The element that a packet stands for; `None` if it has not what the set is made of.
pub(super) fn key_of(set: &IpSet, by_source: &[bool], skb: &Skb<'_>, hook: &HookContext) -> Option<Key> {
    let mut key = Key::default();
    for (at, dimension) in set.dimensions.iter().enumerate() {
        let source = *by_source.get(at)?;
        match dimension {
            Dimension::Ip | Dimension::Net => {
                let address = number(if source { skb.src() } else { skb.dst() });
                let prefix = if *dimension == Dimension::Ip { set.netmask.unwrap_or(width(set)) } else { width(set) };
                let address = network(address, prefix, width(set));
                if set.storage == Storage::Bitmap && !in_range(set, address) {
                    return None;
                }
                key.set(at, address, if *dimension == Dimension::Net { prefix } else { 0 });
            }
            Dimension::Port => key.set(at, packet_port(set, source, skb)?, 0),
            Dimension::Mark => key.set(at, u128::from(skb.mark & set.markmask.unwrap_or(u32::MAX)), 0),
            Dimension::Mac => {
                let place = if source { 6..12 } else { 0..6 };
                let bytes = skb.link.get(place).filter(|_| skb.link.len() >= 14)?.first_chunk::<6>()?;
                key.set(at, mac(bytes), 0);
            }
            Dimension::Iface => {
                let interface = if source { hook.in_if.as_deref() } else { hook.out_if.as_deref() };
                key.set(at, name(interface?), 0);
            }
            Dimension::Set => return None,
        }
    }
    Some(key)
}

fn in_range(set: &IpSet, member: u128) -> bool {
    set.range.is_some_and(|(first, last)| u128::from(first) <= member && member <= u128::from(last))
}

/// `ip_set_get_ip4_port`, `ip_set_get_ip_port`: a bitmap takes TCP and UDP only and forgets which it was.
fn packet_port(set: &IpSet, source: bool, skb: &Skb<'_>) -> Option<u128> {
    let protocol = skb.headers.protocol?;
    let ported = matches!(protocol, 6 | 17 | 132 | 136);
    let head = skb.headers.transport as usize;
    let later_fragment = skb.headers.fragment_offset > 0;
    let number = match protocol {
        _ if ported && !later_fragment => {
            let [a, b] = skb.array::<2>(head + if source { 0 } else { 2 })?;
            u16::from_be_bytes([a, b])
        }
        _ if ported => return None,
        1 | 58 if later_fragment => return None,
        1 | 58 => u16::from_be_bytes(skb.array::<2>(head)?),
        _ => 0,
    };
    if set.storage == Storage::Bitmap {
        let member = u128::from(number);
        return (matches!(protocol, 6 | 17) && in_range(set, member)).then_some(member);
    }
    Some(port(protocol, number))
}

/// The elements that a written one spreads into.
pub(super) fn keys_of<'s>(set: &'s IpSet, values: &'s [Value]) -> Box<dyn Iterator<Item = Key> + 's> {
    let mut keys: Box<dyn Iterator<Item = Key> + 's> = Box::new(std::iter::once(Key::default()));
    for (at, (value, dimension)) in values.iter().zip(&set.dimensions).enumerate() {
        let spread = spread(set, value, *dimension);
        keys = Box::new(keys.flat_map(move |key| {
            let spread = spread.clone();
            (0..spread.len()).filter_map(move |number| {
                let (value, prefix) = spread.get(number)?;
                let mut key = key;
                key.set(at, value, prefix);
                Some(key)
            })
        }));
    }
    keys
}

/// Values of one dimension: numbers that follow each other, or networks.
#[derive(Debug, Clone)]
enum Spread {
    Run { first: u128, count: usize, step: u128 },
    Networks(Vec<(u128, u8)>),
}

impl Spread {
    fn len(&self) -> usize {
        match self {
            Self::Run { count, .. } => *count,
            Self::Networks(networks) => networks.len(),
        }
    }

    fn get(&self, at: usize) -> Option<(u128, u8)> {
        match self {
            Self::Run { first, step, .. } => Some((first.checked_add(step.checked_mul(at as u128)?)?, 0)),
            Self::Networks(networks) => networks.get(at).copied(),
        }
    }
}

fn one(value: u128) -> Spread {
    Spread::Run { first: value, count: 1, step: 1 }
}

fn run(first: u128, last: u128, step: u128) -> Spread {
    let count = last.saturating_sub(first) / step.max(1) + 1;
    Spread::Run { first, count: usize::try_from(count).unwrap_or(usize::MAX), step }
}

fn spread(set: &IpSet, value: &Value, dimension: Dimension) -> Spread {
    let width = width(set);
    let mask = set.netmask.unwrap_or(width);
    match (value, dimension) {
        (Value::Net(address, prefix), Dimension::Net) => {
            Spread::Networks(vec![(network(number(*address), *prefix, width), *prefix)])
        }
        (Value::Range(first, last), Dimension::Net) => Spread::Networks(networks(number(*first), number(*last), width)),
        (Value::Net(address, prefix), _) => {
            let first = network(number(*address), *prefix, width);
            let hosts =
                1u128.checked_shl(u32::from(width.saturating_sub(*prefix))).map_or(u128::MAX, |count| count - 1);
            addresses(first, first.saturating_add(hosts), mask, width)
        }
        (Value::Range(first, last), _) => addresses(number(*first), number(*last), mask, width),
        (Value::Ports(protocol, first, last), _) => {
            let of = |number: u16| protocol.map_or(u128::from(number), |protocol| port(protocol, number));
            run(of(*first), of(*last), 1)
        }
        (Value::Mac(bytes), _) => one(mac(bytes)),
        (Value::Iface(interface, _), _) => one(name(interface)),
        (Value::Mark(mark), _) => one(u128::from(mark & set.markmask.unwrap_or(u32::MAX))),
        (Value::Set(..), _) => Spread::Run { first: 0, count: 0, step: 1 },
    }
}

/// Addresses, each cut to the set's netmask.
fn addresses(first: u128, last: u128, mask: u8, width: u8) -> Spread {
    let step = 1u128.checked_shl(u32::from(width.saturating_sub(mask))).unwrap_or(u128::MAX);
    run(network(first, mask, width), network(last, mask, width), step)
}

/// The fewest networks that make up a range.
fn networks(mut first: u128, last: u128, width: u8) -> Vec<(u128, u8)> {
    let mut found = Vec::new();
    while first <= last {
        let aligned = if first == 0 { u32::from(width) } else { first.trailing_zeros().min(u32::from(width)) };
        let mut bits = aligned;
        let top = |bits: u32| 1u128.checked_shl(bits).map_or(u128::MAX, |size| first.saturating_add(size - 1));
        while bits > 0 && top(bits) > last {
            bits -= 1;
        }
        found.push((first, width - bits as u8));
        match top(bits).checked_add(1) {
            Some(next) if next > first => first = next,
            _ => break,
        }
    }
    found
}
