//! ICMP errors and what neighbours say to each other (`nf_conntrack_icmpv4_error`, `nf_conntrack_icmpv6_error`,
//! `nf_conntrack_inet_error`).
//!
//! An error belongs to the connection whose packet it quotes: it is RELATED to it, or INVALID.

use super::tuple::Transport;
use super::{CtInfo, Seen, Tuple};
use std::net::IpAddr;

/// What an ICMP packet is to the tracker.
pub(super) enum Icmp {
    /// To be tracked as any packet.
    Message,
    /// Neighbour and router discovery, multicast listeners: no connection, and not INVALID.
    Untracked,
    Invalid,
    /// About a packet, of which this is the tuple of answers.
    Error(Tuple),
}

impl Icmp {
    /// Looks at an ICMP packet, whose checksum is right.
    pub fn of(seen: &Seen<'_>, packet: &[u8], packet_len: usize) -> Self {
        let Some([kind, ..]) = seen.payload.first_chunk::<8>() else { return Self::Invalid };
        let quote = match (seen.v6, *kind) {
            (false, 19..) => return Self::Invalid,
            (false, 3..=5 | 11 | 12) => 8,
            (true, 130..=136 | 143 | 151 | 152) => return Self::Untracked,
            (true, 137) => match redirect(seen, packet) {
                Redirect::Quotes(at) => at,
                Redirect::Quiet => return Self::Message,
                Redirect::Invalid => return Self::Invalid,
            },
            (true, ..128) => 8,
            _ => return Self::Message,
        };
        let at = seen.transport.saturating_add(quote);
        match quoted(packet, at, packet_len, seen.v6) {
            Some(tuple) => Self::Error(tuple),
            None => Self::Invalid,
        }
    }
}

/// Tuple that answers to a quoted packet have.
fn quoted(packet: &[u8], at: usize, packet_len: usize, v6: bool) -> Option<Tuple> {
    let inner = packet.get(at..)?;
    let transport = Transport::of(inner, packet_len.checked_sub(at)?, v6)?;
    Tuple::of(inner, transport, v6)?.inverted()
}

enum Redirect {
    /// It quotes a packet there, from its transport header on.
    Quotes(usize),
    /// It does not.
    Quiet,
    Invalid,
}

/// `nf_conntrack_icmpv6_redirect`: must come from a neighbour (RFC 4861 section 8.1).
fn redirect(seen: &Seen<'_>, packet: &[u8]) -> Redirect {
    const HEADER: usize = 40; // addresses of target and destination
    let Some(header) = seen.payload.first_chunk::<HEADER>() else { return Redirect::Invalid };
    if header[1] != 0 {
        return Redirect::Quiet;
    }
    let hop_limit = packet.get(7).copied();
    let from_neighbour = matches!(seen.src, IpAddr::V6(src) if src.is_unicast_link_local());
    if hop_limit != Some(255) || !from_neighbour {
        return Redirect::Invalid;
    }
    match seen.payload.get(HEADER..) {
        Some([4, 1..=255, ..]) => Redirect::Quotes(HEADER + 8), // "redirected header" option
        Some([_, 1..=255, ..]) => Redirect::Quiet,
        _ => Redirect::Invalid,
    }
}

/// An error's part in the connection that it quotes a packet of.
pub(super) fn related(reply: bool) -> CtInfo {
    if reply { CtInfo::RelatedReply } else { CtInfo::Related }
}
