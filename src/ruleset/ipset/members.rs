//! Which members an entry stands for: `10.0.0.1-10.0.0.9` is nine addresses of `hash:ip`, and four networks of
//! `hash:net`. Follows the `uadt` functions of the kernel's set types.

use super::{Dimension, Entry, IpSet, Storage, Value};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A member: one value a dimension, each a single address, network, port or name. Ports carry their protocol but in a
/// bitmap.
pub type Member = Vec<Value>;

/// Number of members of an entry; networks of a range are counted as at most 62.
pub fn count(set: &IpSet, entry: &Entry) -> u64 {
    let counts = entry.values.iter().enumerate().map(|(index, value)| match value {
        Value::Range(first, last) if set.dimensions.get(index) == Some(&Dimension::Net) => {
            if first == last {
                1
            } else {
                62
            }
        }
        Value::Range(first, last) => {
            let host_bits = u32::from(32 - prefix(set, index).unwrap_or(32).min(32));
            match (first, last) {
                (IpAddr::V4(first), IpAddr::V4(last)) => {
                    u64::from((last.to_bits() >> host_bits).saturating_sub(first.to_bits() >> host_bits)) + 1
                }
                _ => 1,
            }
        }
        Value::Ports(_, first, last) => u64::from(last.saturating_sub(*first)) + 1,
        _ => 1,
    });
    counts.fold(1, u64::saturating_mul)
}

/// First and last member of an entry of a bitmap as numbers; `None` if it has none.
pub(super) fn numbers(entry: &Entry) -> Option<(u64, u64)> {
    match entry.values.first()? {
        Value::Range(IpAddr::V4(first), IpAddr::V4(last)) => {
            Some((u64::from(first.to_bits()), u64::from(last.to_bits())))
        }
        Value::Ports(_, first, last) => Some((u64::from(*first), u64::from(*last))),
        _ => None,
    }
}

/// Calls `each` for every member of an entry, until it says `false`.
pub fn each(set: &IpSet, entry: &Entry, each: &mut dyn FnMut(&[Value]) -> bool) {
    let mut member = Vec::with_capacity(entry.values.len());
    spread(set, &entry.values, &mut member, each);
}

/// The recursion is as deep as an entry has parts.
fn spread(set: &IpSet, rest: &[Value], member: &mut Member, each: &mut dyn FnMut(&[Value]) -> bool) -> bool {
    let Some((value, rest)) = rest.split_first() else { return each(member) };
    let index = member.len();
    let mut one = |value: Value| {
        member.push(value);
        let go_on = spread(set, rest, member, each);
        member.pop();
        go_on
    };
    match (value, set.dimensions.get(index)) {
        (Value::Range(IpAddr::V4(first), IpAddr::V4(last)), Some(Dimension::Net)) => {
            networks(*first, *last).all(|(address, prefix)| one(Value::Net(address.into(), prefix)))
        }
        (Value::Range(first, last), _) => addresses(set, index, *first, *last).all(|at| one(Value::Range(at, at))),
        (Value::Ports(protocol, first, last), _) => {
            (*first..=*last).all(|port| one(Value::Ports(*protocol, port, port)))
        }
        (Value::Mark(mark), _) => one(Value::Mark(mark & set.markmask.unwrap_or(u32::MAX))),
        (other, _) => one(other.clone()),
    }
}

/// Prefix length that addresses of a dimension are cut to.
fn prefix(set: &IpSet, index: usize) -> Option<u8> {
    set.netmask.filter(|_| index == 0)
}

/// Addresses of a range, a step of the set's mask apart. A hash cuts the first to the mask before it steps, a bitmap
/// after: so a range that ends early in a network leaves that network out.
fn addresses(set: &IpSet, index: usize, first: IpAddr, last: IpAddr) -> impl Iterator<Item = IpAddr> + '_ {
    let bits = prefix(set, index).unwrap_or(128);
    let cut = move |address| masked(set, index, address);
    let (start, end, step) = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let step = 1u64 << (32 - u64::from(bits.min(32)));
            let first = u64::from(first.to_bits());
            let start = if set.storage == Storage::Hash { first / step * step } else { first };
            (start, u64::from(last.to_bits()), step)
        }
        _ => (0, 0, 1),
    };
    (start..=end).step_by(usize::try_from(step).unwrap_or(usize::MAX)).map(move |at| match first {
        IpAddr::V4(_) => cut(Ipv4Addr::from_bits(u32::try_from(at).unwrap_or(u32::MAX)).into()),
        IpAddr::V6(_) => cut(first),
    })
}

/// An address as a set stores it: cut to its netmask or bitmask.
pub fn masked(set: &IpSet, index: usize, address: IpAddr) -> IpAddr {
    if let Some(bits) = prefix(set, index) {
        return super::value::bounds(address, bits).0;
    }
    match (address, set.bitmask.filter(|_| index == 0)) {
        (IpAddr::V4(address), Some(IpAddr::V4(mask))) => (address & mask).into(),
        (IpAddr::V6(address), Some(IpAddr::V6(mask))) => (address & mask).into(),
        _ => address,
    }
}

/// The fewest networks that cover a range (`ip_set_range_to_cidr`).
fn networks(first: Ipv4Addr, last: Ipv4Addr) -> impl Iterator<Item = (Ipv4Addr, u8)> {
    let (mut next, last) = (u64::from(first.to_bits()), u64::from(last.to_bits()));
    std::iter::from_fn(move || {
        let room = (last + 1).checked_sub(next).filter(|room| *room > 0)?;
        // Prefix length 0 cannot be stored, so at most half of all addresses at once.
        let bits = room.ilog2().min(next.trailing_zeros()).min(31);
        let network = Ipv4Addr::from_bits(u32::try_from(next).ok()?);
        next += 1 << bits;
        Some((network, u8::try_from(32 - bits).unwrap_or(32)))
    })
}

/// An address with no bit set, which a hash cannot store.
pub fn is_null(value: &Value) -> bool {
    match value {
        Value::Range(IpAddr::V4(address), _) => *address == Ipv4Addr::UNSPECIFIED,
        Value::Range(IpAddr::V6(address), _) => *address == Ipv6Addr::UNSPECIFIED,
        _ => false,
    }
}
