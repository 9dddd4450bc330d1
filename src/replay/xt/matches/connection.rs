//! What connection tracking knows: `xt_conntrack.c`, `xt_state.c`, `xt_connlabel.c`, `xt_helper.c`, `xt_cluster.c`.

use super::super::super::conntrack::{Conn, CtInfo, status};
use super::super::super::skb::Skb;
use super::super::super::world::Connections;
use super::within_any;
use crate::ruleset::xt::{ConnTrack, CtState, Inv, Masked};
use std::net::IpAddr;

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// `--ctstate` or `--state` alone.
#[derive(Debug, Clone, Copy)]
pub struct State {
    wanted: Inv<u8>,
    /// SNAT and DNAT are asked for.
    nat: bool,
}

impl State {
    /// `--state`, which does not know SNAT and DNAT.
    pub fn without_nat(wanted: Inv<u8>) -> Self {
        Self { wanted, nat: false }
    }

    fn new(wanted: Inv<u8>) -> Self {
        Self { wanted, nat: wanted.value & (CtState::SNAT | CtState::DNAT) != 0 }
    }

    /// A match that asks for nothing but the state.
    pub fn only(of: &ConnTrack) -> Option<Self> {
        let bare = ConnTrack { state: of.state, ..ConnTrack::default() };
        if bare == *of { of.state.map(Self::new) } else { None }
    }

    #[inline]
    pub fn fits(&self, skb: &Skb<'_>, connections: &dyn Connections) -> bool {
        let mut found = match skb.ct_info {
            CtInfo::None => CtState::INVALID,
            CtInfo::Untracked => CtState::UNTRACKED,
            CtInfo::New => CtState::NEW,
            CtInfo::Established | CtInfo::EstablishedReply => CtState::ESTABLISHED,
            CtInfo::Related | CtInfo::RelatedReply => CtState::RELATED,
        };
        if self.nat {
            let status = skb.ct.and_then(|id| connections.get(id)).map_or(0, |conn| conn.status);
            found |= if status & status::SRC_NAT != 0 { CtState::SNAT } else { 0 };
            found |= if status & status::DST_NAT != 0 { CtState::DNAT } else { 0 };
        }
        (found & self.wanted.value != 0) != self.wanted.not
    }
}

/// `-m conntrack` with more than a state.
#[derive(Debug)]
pub struct Whole {
    state: Option<State>,
    rest: Box<ConnTrack>,
}

impl Whole {
    pub fn new(of: &ConnTrack) -> Self {
        Self { state: of.state.map(State::new), rest: Box::new(of.clone()) }
    }

    /// `conntrack_mt`. Without a connection only a state can be told, and then the rest is not asked.
    pub fn fits(&self, skb: &Skb<'_>, connections: &dyn Connections) -> bool {
        if self.state.is_some_and(|state| !state.fits(skb, connections)) {
            return false;
        }
        let Some(conn) = skb.ct.and_then(|id| connections.get(id)) else { return self.state.is_some() };
        let reply = skb.ct_info.is_reply();
        self.rest.original.is_none_or(|original| (reply != original.value) != original.not)
            && self.addresses_fit(conn)
            && self.ports_fit(conn)
            && self.rest.status.is_none_or(|status| (conn.status & status.value != 0) != status.not)
            && self.expiry_fits(skb, conn, connections)
    }

    fn addresses_fit(&self, conn: &Conn) -> bool {
        let [original, reply] = &conn.tuples;
        let fits = |wanted: Option<Inv<Masked>>, addr: IpAddr| {
            wanted.is_none_or(|wanted| holds(&wanted.value, addr) != wanted.not)
        };
        fits(self.rest.orig_src, original.src)
            && fits(self.rest.orig_dst, original.dst)
            && fits(self.rest.repl_src, reply.src)
            && fits(self.rest.repl_dst, reply.dst)
    }

    fn ports_fit(&self, conn: &Conn) -> bool {
        let [original, reply] = &conn.tuples;
        self.rest.protocol.is_none_or(|protocol| (original.protocol == protocol.value) != protocol.not)
            && within_any(self.rest.orig_src_port.as_ref(), original.src_port)
            && within_any(self.rest.orig_dst_port.as_ref(), original.dst_port)
            && within_any(self.rest.repl_src_port.as_ref(), reply.src_port)
            && within_any(self.rest.repl_dst_port.as_ref(), reply.dst_port)
    }

    fn expiry_fits(&self, skb: &Skb<'_>, conn: &Conn, connections: &dyn Connections) -> bool {
        let Some(wanted) = &self.rest.expire else { return true };
        let left = connections.remaining(conn.id, skb.now_ns).unwrap_or(0) / SECOND;
        (i64::from(wanted.value.low) <= left && left <= i64::from(wanted.value.high)) != wanted.not
    }
}

/// An address is in a network.
fn holds(net: &Masked, addr: IpAddr) -> bool {
    match (net.addr, net.mask, addr) {
        (IpAddr::V4(net), IpAddr::V4(mask), IpAddr::V4(addr)) => addr & mask == net,
        (IpAddr::V6(net), IpAddr::V6(mask), IpAddr::V6(addr)) => addr & mask == net,
        _ => false,
    }
}

/// `connlabel_mt`: is a label set, or set it.
pub fn label(skb: &Skb<'_>, label: &Inv<u16>, set: bool, connections: &mut dyn Connections) -> bool {
    let Some(conn) = skb.ct.and_then(|id| connections.get_mut(id)) else { return label.not };
    let bit = 1_u128.checked_shl(label.value.into()).unwrap_or(0);
    let found = conn.labels & bit != 0;
    if set {
        conn.labels |= bit;
    }
    (found || set) != label.not
}

/// `helper_mt`: who follows the connection that expected this one.
pub fn helper(skb: &Skb<'_>, name: &Inv<String>, connections: &dyn Connections) -> bool {
    let conn = skb.ct.and_then(|id| connections.get(id));
    let master = conn.and_then(|conn| conn.master).and_then(|id| connections.get(id));
    match master.and_then(|master| master.helper) {
        Some(helper) => (name.value.is_empty() || helper == name.value) != name.not,
        None => name.not,
    }
}

/// Which node of a cluster a connection belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Cluster {
    pub total: u32,
    pub node_mask: Inv<u32>,
    pub seed: u32,
}

impl Cluster {
    /// `xt_cluster_mt`.
    pub fn fits(&self, skb: &Skb<'_>, connections: &dyn Connections) -> bool {
        let Some(conn) = skb.ct.and_then(|id| connections.get(id)) else { return false };
        let first = conn.master.and_then(|id| connections.get(id)).unwrap_or(conn);
        let [original, _] = &first.tuples;
        let hash = match original.src {
            IpAddr::V4(addr) => jhash::one_word(u32::from_le_bytes(addr.octets()), self.seed),
            IpAddr::V6(addr) => jhash::four_words(addr.octets(), self.seed),
        };
        let node = u64::from(hash) * u64::from(self.total) >> 32;
        let bit = u32::try_from(node).ok().and_then(|node| 1_u32.checked_shl(node)).unwrap_or(0);
        (bit & self.node_mask.value != 0) != self.node_mask.not
    }
}

/// Bob Jenkins' hash as `include/linux/jhash.h` has it, for a machine with the low byte first.
mod jhash {
    const START: u32 = 0xdead_beef;

    /// `jhash_1word`.
    pub fn one_word(word: u32, seed: u32) -> u32 {
        let start = seed.wrapping_add(START.wrapping_add(1 << 2));
        finish(word.wrapping_add(start), start, start)
    }

    /// `jhash2` of four words.
    pub fn four_words(bytes: [u8; 16], seed: u32) -> u32 {
        let value = u128::from_le_bytes(bytes);
        let word = |place: u32| (value >> (32 * place)) as u32;
        let start = seed.wrapping_add(START.wrapping_add(4 << 2));
        let add = |place| start.wrapping_add(word(place));
        let (a, b, c) = mix(add(0), add(1), add(2));
        finish(a.wrapping_add(word(3)), b, c)
    }

    fn mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
        a = a.wrapping_sub(c) ^ c.rotate_left(4);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(6);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(8);
        b = b.wrapping_add(a);
        a = a.wrapping_sub(c) ^ c.rotate_left(16);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(19);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(4);
        b = b.wrapping_add(a);
        (a, b, c)
    }

    fn finish(mut a: u32, mut b: u32, mut c: u32) -> u32 {
        c = (c ^ b).wrapping_sub(b.rotate_left(14));
        a = (a ^ c).wrapping_sub(c.rotate_left(11));
        b = (b ^ a).wrapping_sub(a.rotate_left(25));
        c = (c ^ b).wrapping_sub(b.rotate_left(16));
        a = (a ^ c).wrapping_sub(c.rotate_left(4));
        b = (b ^ a).wrapping_sub(a.rotate_left(14));
        (c ^ b).wrapping_sub(b.rotate_left(24))
    }
}
