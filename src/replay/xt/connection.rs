//! What a rule asks of the packet's connection: `xt_conntrack.c`, `xt_state.c`, `xt_connmark.c`, `xt_cluster.c`.

use crate::replay::conntrack::{Conn, CtInfo, Tuple, status};
use crate::replay::jhash;
use crate::replay::skb::Skb;
use crate::replay::world::{Answer, World};
use crate::ruleset::xt::{ConnTrack, CtState, Inv, Masked, Range};
use std::net::IpAddr;

/// The bit of `--ctstate` that a packet has.
fn state_bit(info: CtInfo) -> u8 {
    match info {
        CtInfo::None => CtState::INVALID,
        CtInfo::Untracked => CtState::UNTRACKED,
        CtInfo::New => CtState::NEW,
        CtInfo::Established | CtInfo::EstablishedReply => CtState::ESTABLISHED,
        CtInfo::Related | CtInfo::RelatedReply => CtState::RELATED,
    }
}

/// `-m state`.
pub(super) fn state(wanted: &Inv<u8>, skb: &Skb<'_>) -> bool {
    (wanted.value & state_bit(skb.ct_info) != 0) != wanted.not
}

/// `-m connmark`: no connection, no match.
pub(super) fn connmark(wanted: &Inv<u32>, mask: u32, skb: &Skb<'_>, world: &World<'_>) -> bool {
    skb.ct.and_then(|id| world.connections.get(id)).is_some_and(|conn| (conn.mark & mask == wanted.value) != wanted.not)
}

/// `-m conntrack`. Without a connection only the state can match.
pub(super) fn conntrack(wanted: &ConnTrack, skb: &Skb<'_>, world: &World<'_>) -> Answer {
    let conn = skb.ct.and_then(|id| world.connections.get(id));
    if let Some(states) = &wanted.state {
        let mut bits = state_bit(skb.ct_info);
        if let Some(conn) = conn {
            bits |= if conn.status & status::SRC_NAT != 0 { CtState::SNAT } else { 0 };
            bits |= if conn.status & status::DST_NAT != 0 { CtState::DNAT } else { 0 };
        }
        if (states.value & bits != 0) == states.not {
            return Answer::No;
        }
    }
    match conn {
        None => Answer::from(wanted.state.is_some()),
        Some(conn) => Answer::from(of_connection(wanted, conn, skb, world)),
    }
}

fn of_connection(wanted: &ConnTrack, conn: &Conn, skb: &Skb<'_>, world: &World<'_>) -> bool {
    let [orig, reply] = &conn.tuples;
    let direction = wanted.original.is_none_or(|original| (original.value != original.not) != skb.ct_info.is_reply());
    direction
        && address(wanted.orig_src.as_ref(), orig.src)
        && address(wanted.orig_dst.as_ref(), orig.dst)
        && address(wanted.repl_src.as_ref(), reply.src)
        && address(wanted.repl_dst.as_ref(), reply.dst)
        && wanted.protocol.is_none_or(|protocol| (protocol.value == orig.protocol) != protocol.not)
        && ports(wanted, orig, reply)
        && wanted.status.is_none_or(|bits| (bits.value & conn.status != 0) != bits.not)
        && wanted.expire.is_none_or(|range| {
            let left = world.connections.remaining(conn.id, skb.now_ns).unwrap_or(0).max(0) / 1_000_000_000;
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            (range.value.low <= left && left <= range.value.high) != range.not
        })
}

fn ports(wanted: &ConnTrack, orig: &Tuple, reply: &Tuple) -> bool {
    let fits = |range: Option<Inv<Range<u16>>>, port: u16| {
        range.is_none_or(|range| (range.value.low <= port && port <= range.value.high) != range.not)
    };
    fits(wanted.orig_src_port, orig.src_port)
        && fits(wanted.orig_dst_port, orig.dst_port)
        && fits(wanted.repl_src_port, reply.src_port)
        && fits(wanted.repl_dst_port, reply.dst_port)
}

fn address(wanted: Option<&Inv<Masked>>, is: IpAddr) -> bool {
    wanted.is_none_or(|wanted| super::place::is_within(is, &wanted.value) != wanted.not)
}

/// `-m cluster`: the connection's original source, hashed, falls on one of the nodes.
pub(super) fn cluster(total: u32, nodes: &Inv<u32>, seed: u32, skb: &Skb<'_>, world: &World<'_>) -> bool {
    if skb.dst().is_multicast() {
        return false; // the kernel looks at the packet type, which a gateway's unicast is not
    }
    let Some(conn) = skb.ct.and_then(|id| world.connections.get(id)) else { return false };
    let source = match conn.master.and_then(|id| world.connections.get(id)) {
        Some(master) => master.tuples[0].src,
        None => conn.tuples[0].src,
    };
    let hash = match source {
        IpAddr::V4(v4) => jhash::bytes(&v4.octets(), seed),
        IpAddr::V6(v6) => jhash::bytes(&v6.octets(), seed),
    };
    let node = (u64::from(hash) * u64::from(total)) >> 32;
    (nodes.value & 1u32.checked_shl(node as u32).unwrap_or(0) != 0) != nodes.not
}
