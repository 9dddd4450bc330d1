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
        // Of an IPv6 address the kernel hashes the first word alone: it counts words where it means bytes.
        let word = match original.src {
            IpAddr::V4(addr) => addr.octets(),
            IpAddr::V6(addr) => addr.octets().first_chunk().copied().unwrap_or_default(),
        };
        let hash = jhash::bytes(&word, self.seed);
        let node = (u64::from(hash) * u64::from(self.total)) >> 32;
        let bit = u32::try_from(node).ok().and_then(|node| 1_u32.checked_shl(node)).unwrap_or(0);
        (bit & self.node_mask.value != 0) != self.node_mask.not
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::replay::conntrack::{ConnId, Tuple};
    use crate::ruleset::xt::Range;

    /// UDP from 10.7.0.3 port 1002 to 10.88.30.2 port 53, its first packet.
    struct One(Conn);

    impl Connections for One {
        fn get(&self, _id: ConnId) -> Option<&Conn> {
            Some(&self.0)
        }

        fn get_mut(&mut self, _id: ConnId) -> Option<&mut Conn> {
            Some(&mut self.0)
        }
    }

    fn from(src: &str) -> One {
        let (src, dst) = (src.parse().unwrap(), "10.88.30.2".parse().unwrap());
        let tuple = Tuple { src, dst, protocol: 17, src_port: 1002, dst_port: 53, zone: 0 };
        let reply = Tuple { src: dst, dst: src, src_port: 53, dst_port: 1002, ..tuple };
        One(Conn {
            id: ConnId { index: 0, serial: 1 },
            tuples: [tuple, reply],
            status: 0,
            mark: 0,
            labels: 0,
            counters: [(0, 0); 2],
            expires_ns: 0,
            master: None,
            helper: None,
        })
    }

    const PACKET: [u8; 20] = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 7, 0, 3, 10, 88, 30, 2];

    fn fits(of: ConnTrack, tracked: bool) -> bool {
        let mut skb = Skb::new(&PACKET, &[], 0).unwrap();
        let one = from("10.7.0.3");
        if tracked {
            (skb.ct, skb.ct_info) = (Some(one.0.id), CtInfo::New);
        }
        Whole::new(&of).fits(&skb, &one)
    }

    fn yes<T>(value: T) -> Option<Inv<T>> {
        Some(Inv { not: false, value })
    }

    fn no<T>(value: T) -> Option<Inv<T>> {
        Some(Inv { not: true, value })
    }

    fn net(addr: &str) -> Masked {
        Masked { addr: addr.parse().unwrap(), mask: IpAddr::from([255; 4]) }
    }

    /// As the kernel answered to these rules.
    #[test]
    fn conditions_on_a_new_connection() {
        let of = ConnTrack::default;
        let answered = [
            (ConnTrack { state: no(CtState::INVALID), protocol: yes(17), ..of() }, true),
            (ConnTrack { status: yes(0), ..of() }, false),
            (ConnTrack { status: no(0), ..of() }, true),
            (ConnTrack { orig_src: yes(net("10.7.0.3")), original: yes(true), ..of() }, true),
            (ConnTrack { orig_src: yes(net("10.7.0.4")), ..of() }, false),
            (ConnTrack { original: yes(false), ..of() }, false),
            (ConnTrack { orig_dst_port: yes(Range { low: 53, high: 53 }), ..of() }, true),
            (ConnTrack { orig_src_port: no(Range { low: 1000, high: 1005 }), ..of() }, false),
            (
                ConnTrack {
                    repl_src: yes(net("10.88.30.2")),
                    repl_dst_port: yes(Range { low: 1002, high: 1002 }),
                    ..of()
                },
                true,
            ),
            (ConnTrack { expire: yes(Range { low: 0, high: 0 }), ..of() }, true),
            (ConnTrack { state: yes(CtState::NEW), protocol: yes(6), ..of() }, false),
        ];
        for (of, expected) in answered {
            assert_eq!(fits(of.clone(), true), expected, "{of:?}");
        }
    }

    #[test]
    fn without_a_connection_only_the_state_is_asked() {
        let of = ConnTrack::default;
        assert!(fits(ConnTrack { state: yes(CtState::INVALID), protocol: yes(17), ..of() }, false));
        assert!(fits(ConnTrack { state: no(CtState::NEW), protocol: yes(6), ..of() }, false));
        assert!(!fits(ConnTrack { protocol: yes(17), ..of() }, false));
        assert!(!fits(ConnTrack { state: yes(CtState::NEW), ..of() }, false));
    }

    #[test]
    fn nodes_of_a_cluster_are_the_kernels() {
        let nodes = |total, node_mask, seed, sources: &mut dyn Iterator<Item = String>| -> Vec<usize> {
            let cluster = Cluster { total, node_mask, seed };
            let fits = |src: &String| {
                let one = from(src);
                let mut skb = Skb::new(&PACKET, &[], 0).unwrap();
                skb.ct = Some(one.0.id);
                cluster.fits(&skb, &one)
            };
            sources.enumerate().filter(|(_, src)| fits(src)).map(|(n, _)| n + 1).collect()
        };
        let v4 = |total, mask, seed| nodes(total, mask, seed, &mut (1..=12).map(|n| format!("10.7.0.{n}")));
        assert_eq!(v4(4, Inv { not: false, value: 1 }, 0xdead_beef), [2, 7, 9]);
        assert_eq!(v4(4, Inv { not: false, value: 6 }, 7), [3, 4, 7, 8, 9, 11, 12]);
        assert_eq!(v4(3, Inv { not: true, value: 2 }, 0), [1, 2, 4, 5, 6, 9, 10, 11]);
        let v6 = |mask, seed| {
            nodes(4, Inv { not: false, value: mask }, seed, &mut (1..=6).map(|n| format!("2001:db8:7::{n}"))).len()
        };
        assert_eq!((v6(1, 0xdead_beef), v6(6, 7)), (0, 6));
    }
}
