//! What connection tracking knows: `xt_conntrack.c`, `xt_state.c`, `xt_cluster.c`.

use super::super::super::conntrack::{Conn, CtInfo, status};
use super::super::super::jhash;
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
            IpAddr::V4(addr) => jhash::bytes(&addr.octets(), self.seed),
            IpAddr::V6(addr) => jhash::bytes(&addr.octets(), self.seed),
        };
        let node = u64::from(hash) * u64::from(self.total) >> 32;
        let bit = u32::try_from(node).ok().and_then(|node| 1_u32.checked_shl(node)).unwrap_or(0);
        (bit & self.node_mask.value != 0) != self.node_mask.not
    }
}
