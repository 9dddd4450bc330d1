//! Which tuple a translated connection gets: `get_unique_tuple`.

use super::super::table::Table;
use super::super::track::Conntrack;
use super::super::tuple::protocol;
use super::super::{ConnId, Proto, TcpState, Tuple, status};
use super::{Manip, NatRange};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::net::IpAddr;

/// Ports that are tried before another place of a large range is tried.
const MAX_ATTEMPTS: u32 = 128;
/// With so few attempts left, a closed connection may lose its port to a new one.
const LAST_ATTEMPTS: u32 = MAX_ATTEMPTS / 4;
/// Connections of one source that are looked at for its mapping.
const MAX_SAME_SOURCE: usize = 16;
/// Sources that are kept before those whose connections are gone are cleared away.
const MIN_SOURCES: usize = 1024;

/// Translated connections by where they came from: a source keeps its mapping if it can.
#[derive(Debug, Default)]
pub(in super::super) struct Sources {
    newest: HashMap<(IpAddr, u16, u8, u16), Vec<ConnId>, RandomState>,
    /// Numbers for ports drawn at random.
    drawn: u64,
}

impl Sources {
    /// A connection whose source was translated.
    pub fn add(&mut self, original: Tuple, id: ConnId, table: &Table) {
        if self.newest.len() > 2 * table.len() + MIN_SOURCES {
            self.newest.retain(|_, known| known.iter().any(|id| table.get(*id).is_some()));
        }
        let known = self.newest.entry(source(&original)).or_default();
        if known.len() >= MAX_SAME_SOURCE {
            known.remove(0);
        }
        known.push(id);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.newest.len()
    }

    /// A number that no one foretells, the same in each run.
    fn draw(&mut self) -> u16 {
        self.drawn = self.drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.drawn ^ (self.drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 40) as u16
    }
}

fn source(tuple: &Tuple) -> (IpAddr, u16, u8, u16) {
    (tuple.src, tuple.src_port, tuple.protocol, tuple.zone)
}

impl Conntrack {
    /// Tuple of a connection's packets after translation.
    pub(super) fn choose(&mut self, id: ConnId, now: Tuple, range: &NatRange, manip: Manip, now_ns: i64) -> Tuple {
        if manip == Manip::Src && !range.random {
            if range.holds_source(&now) {
                if !self.is_taken(&now, id, now_ns) {
                    return now;
                }
            } else if let Some(mapped) = self.mapping_of_source(&now, range)
                && !self.is_taken(&mapped, id, now_ns)
            {
                return mapped;
            }
        }
        let mut tuple = now;
        range.choose_address(&mut tuple, manip);
        if !range.random {
            match range.ports {
                Some(ports) => {
                    let in_range = range.port_base.is_none() && holds_port(&tuple, manip, ports);
                    if in_range && (ports.0 == ports.1 || !self.is_taken(&tuple, id, now_ns)) {
                        return tuple;
                    }
                }
                None if !self.is_taken(&tuple, id, now_ns) => return tuple,
                None => {}
            }
        }
        self.choose_port(id, tuple, range, manip, now_ns)
    }

    /// `nf_nat_used_tuple`: replies to the tuple would be taken for another connection's.
    fn is_taken(&self, tuple: &Tuple, id: ConnId, now_ns: i64) -> bool {
        let zone = self.table.get(id).map_or(0, |entry| entry.conn.tuples[1].zone);
        let Some(answers) = tuple.inverted().map(|tuple| tuple.in_zone(zone)) else { return false };
        self.table.peek(&answers, now_ns).is_some_and(|(entry, _)| entry.conn.id != id)
    }

    /// `find_appropriate_src`.
    fn mapping_of_source(&self, now: &Tuple, range: &NatRange) -> Option<Tuple> {
        let known = self.sources.newest.get(&source(now))?;
        known.iter().rev().find_map(|id| {
            let answers = self.table.get(*id)?.conn.tuples[1].inverted()?;
            let mapped = Tuple { dst: now.dst, dst_port: now.dst_port, zone: now.zone, ..answers };
            range.holds_source(&mapped).then_some(mapped)
        })
    }

    /// `nf_nat_l4proto_unique_tuple`: tries ports until one is free; at worst one is taken twice.
    fn choose_port(&mut self, id: ConnId, mut tuple: Tuple, range: &NatRange, manip: Manip, now_ns: i64) -> Tuple {
        let Some((first, size)) = range.ports_to_try(&tuple, manip) else { return tuple };
        let mut offset = match range.port_base {
            Some(base) => port(&tuple, manip).wrapping_sub(base),
            None if range.random || manip == Manip::Src => self.sources.draw(),
            None => 0,
        };
        let mut attempts = size.min(MAX_ATTEMPTS);
        loop {
            for tried in 0..attempts {
                let place = u32::from(offset) % size;
                set_port(&mut tuple, manip, first.wrapping_add(place as u16));
                if !self.is_taken_for_good(&tuple, id, attempts - tried, now_ns) {
                    return tuple;
                }
                offset = offset.wrapping_add(1);
            }
            if attempts >= size || attempts < 16 {
                return tuple;
            }
            attempts /= 2;
            offset = self.sources.draw();
        }
    }

    /// `nf_nat_used_tuple_harder`: of the last attempts, one may end a closed connection that the new one is past.
    fn is_taken_for_good(&mut self, tuple: &Tuple, id: ConnId, attempts_left: u32, now_ns: i64) -> bool {
        if !self.is_taken(tuple, id, now_ns) {
            return false;
        }
        let Some(new) = self.table.get(id) else { return true };
        let Proto::Tcp(opening) = &new.proto else { return true };
        if attempts_left > LAST_ATTEMPTS || opening.state != TcpState::SynSent {
            return true;
        }
        let zone = new.conn.tuples[1].zone;
        let Some(answers) = tuple.inverted().map(|tuple| tuple.in_zone(zone)) else { return true };
        let Some((old, true)) = self.table.peek(&answers, now_ns) else { return true };
        let Proto::Tcp(closed) = &old.proto else { return true };
        let flags = old.conn.status & (status::SRC_NAT | status::FIXED_TIMEOUT | status::DYING);
        if closed.state < TcpState::TimeWait || flags != status::SRC_NAT || !opening.is_past(closed) {
            return true;
        }
        let old = old.conn.id;
        self.table.remove(old);
        false
    }
}

impl NatRange {
    /// `nf_in_range`.
    fn holds_source(&self, tuple: &Tuple) -> bool {
        let right_address = self.addresses.is_none_or(|(first, last)| {
            tuple.src.is_ipv4() == first.is_ipv4() && first <= tuple.src && tuple.src <= last
        });
        right_address && self.ports.is_none_or(|ports| holds_port(tuple, Manip::Src, ports))
    }

    /// `find_best_ips_proto`: one address of several by the kernel's own hash, so that the choice is the kernel's.
    fn choose_address(&self, tuple: &mut Tuple, manip: Manip) {
        let Some((first, last)) = self.addresses else { return };
        let (first_words, last_words, count) = (words(first), words(last), if first.is_ipv4() { 1 } else { 4 });
        let dst = words(tuple.dst);
        let seed = match (self.persistent, dst.get(count - 1)) {
            (false, Some(word)) => word ^ u32::from(tuple.zone),
            _ => 0,
        };
        let mut hash = jhash2(words(tuple.src), seed);
        let mut chosen = [0; 4];
        let mut free = false;
        let bounds = first_words.iter().zip(&last_words).zip(&dst).take(count);
        for (word, ((low, high), dst)) in chosen.iter_mut().zip(bounds) {
            let (low, span) = match free {
                true => (0, u32::MAX),
                false => {
                    let (low, high) = (u32::from_be(*low), u32::from_be(*high));
                    (low, high.wrapping_sub(low).wrapping_add(1))
                }
            };
            let scaled = (u64::from(hash) * u64::from(span)) >> 32;
            *word = low.wrapping_add(scaled as u32).to_be();
            free |= *word != *high;
            if !self.persistent {
                hash ^= *dst;
            }
        }
        let address = if first == last { first } else { address(chosen, first.is_ipv4()) };
        match manip {
            Manip::Src => tuple.src = address,
            Manip::Dst => tuple.dst = address,
        }
    }

    /// First port and number of ports that may be tried; `None` if the port must stay.
    fn ports_to_try(&self, tuple: &Tuple, manip: Manip) -> Option<(u16, u32)> {
        let all = |first: u16, last: u16| (first.min(last), u32::from(first.abs_diff(last)) + 1);
        match tuple.protocol {
            protocol::ICMP | protocol::ICMPV6 => Some(self.ports.map_or((0, 65_536), |(first, last)| all(first, last))),
            protocol::TCP | protocol::UDP | protocol::UDPLITE | protocol::SCTP => match (self.ports, manip) {
                (Some((first, last)), _) => Some(all(first, last)),
                (None, Manip::Dst) => None,
                (None, Manip::Src) => Some(match tuple.src_port {
                    ..512 => all(1, 511),
                    512..1024 => all(600, 1023),
                    _ => all(1024, 65_535),
                }),
            },
            _ => None,
        }
    }
}

/// Port that is translated. An ICMP id is the same in both directions.
fn port(tuple: &Tuple, manip: Manip) -> u16 {
    match (tuple.protocol, manip) {
        (protocol::ICMP | protocol::ICMPV6, _) | (_, Manip::Src) => tuple.src_port,
        (_, Manip::Dst) => tuple.dst_port,
    }
}

fn set_port(tuple: &mut Tuple, manip: Manip, port: u16) {
    match (tuple.protocol, manip) {
        (protocol::ICMP | protocol::ICMPV6, _) | (_, Manip::Src) => tuple.src_port = port,
        (_, Manip::Dst) => tuple.dst_port = port,
    }
}

/// `l4proto_in_range`.
fn holds_port(tuple: &Tuple, manip: Manip, (first, last): (u16, u16)) -> bool {
    use protocol::{GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE};
    let has_port = matches!(tuple.protocol, TCP | UDP | UDPLITE | SCTP | GRE | ICMP | ICMPV6);
    !has_port || (first..=last).contains(&port(tuple, manip))
}

/// An address as the kernel's `union nf_inet_addr` on a little-endian machine.
fn words(address: IpAddr) -> [u32; 4] {
    match address {
        IpAddr::V4(address) => [u32::from_le_bytes(address.octets()), 0, 0, 0],
        IpAddr::V6(address) => {
            let mut words = [0; 4];
            let fours = address.octets();
            words.iter_mut().zip(fours.as_chunks::<4>().0).for_each(|(word, four)| *word = u32::from_le_bytes(*four));
            words
        }
    }
}

fn address(words: [u32; 4], v4: bool) -> IpAddr {
    let [first, ..] = words;
    if v4 {
        return IpAddr::from(first.to_le_bytes());
    }
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    let mut octets = [0; 16];
    octets.iter_mut().zip(bytes).for_each(|(octet, byte)| *octet = byte);
    IpAddr::from(octets)
}

/// Bob Jenkins' hash of four words, as the kernel's `jhash2` (lookup3).
fn jhash2([k0, k1, k2, k3]: [u32; 4], seed: u32) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(4 << 2).wrapping_add(seed);
    let (mut a, mut b, mut c) = (start.wrapping_add(k0), start.wrapping_add(k1), start.wrapping_add(k2));
    for (x, y, z) in [(4, 6, 8), (16, 19, 4)] {
        a = a.wrapping_sub(c) ^ c.rotate_left(x);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(y);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(z);
        b = b.wrapping_add(a);
    }
    a = a.wrapping_add(k3);
    for (x, y, z) in [(14, 11, 25), (16, 4, 14)] {
        c = (c ^ b).wrapping_sub(b.rotate_left(x));
        a = (a ^ c).wrapping_sub(c.rotate_left(y));
        b = (b ^ a).wrapping_sub(a.rotate_left(z));
    }
    (c ^ b).wrapping_sub(b.rotate_left(24))
}
