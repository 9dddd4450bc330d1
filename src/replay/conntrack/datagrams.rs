//! Protocols without connections: UDP, UDP-Lite, GRE, ICMP, ICMPv6, and any other (`nf_conntrack_proto_udp.c`,
//! `_gre.c`, `_icmp.c`, `_icmpv6.c`, `generic_packet`).

use super::settings::Settings;
use super::{Conn, Seen, Step, status};

/// UDP that has gone both ways for so long is a stream.
const STREAM_AFTER_NS: i64 = 2_000_000_000;

/// What the UDP tracker keeps.
#[derive(Debug, Clone, Default)]
pub(super) struct Udp {
    /// From then on it is a stream.
    stream_from_ns: i64,
}

/// `nf_conntrack_udp_packet`.
pub(super) fn udp(conn: &mut Conn, udp: &mut Udp, seen: &Seen<'_>, settings: &Settings) -> Step {
    let Some([_, _, _, _, high, low, sum @ ..]) = seen.payload.first_chunk::<8>() else { return Step::Invalid };
    let told = u32::from(u16::from_be_bytes([*high, *low]));
    if told < 8 || told > seen.len {
        return Step::Invalid;
    }
    if *sum != [0, 0] && !seen.checksum_is_right(settings) {
        return Step::Invalid;
    }
    if conn.status & status::CONFIRMED == 0 {
        udp.stream_from_ns = seen.now_ns.saturating_add(STREAM_AFTER_NS);
    }
    let is_stream = conn.status & status::SEEN_REPLY != 0 && seen.now_ns > udp.stream_from_ns;
    if is_stream {
        conn.status |= status::ASSURED;
        return Step::Refresh(settings.timeouts.udp_stream);
    }
    Step::Refresh(settings.timeouts.udp)
}

/// `nf_conntrack_udplite_packet`: its length field tells what the checksum covers, and it must have one.
pub(super) fn udplite(conn: &mut Conn, seen: &Seen<'_>, settings: &Settings) -> Step {
    let Some([_, _, _, _, high, low, sum @ ..]) = seen.payload.first_chunk::<8>() else { return Step::Invalid };
    let covered = u32::from(u16::from_be_bytes([*high, *low]));
    let covers_wrongly = covered != 0 && (covered < 8 || covered > seen.len);
    if covers_wrongly || *sum == [0, 0] || !seen.checksum_is_right(settings) {
        return Step::Invalid;
    }
    two_way(conn, settings.timeouts.udp, settings.timeouts.udp_stream)
}

/// `nf_conntrack_gre_packet`.
pub(super) fn gre(conn: &mut Conn, settings: &Settings) -> Step {
    two_way(conn, settings.timeouts.gre, settings.timeouts.gre_stream)
}

fn two_way(conn: &mut Conn, timeout: i64, stream_timeout: i64) -> Step {
    if conn.status & status::SEEN_REPLY == 0 {
        return Step::Refresh(timeout);
    }
    conn.status |= status::ASSURED;
    Step::Refresh(stream_timeout)
}

/// `nf_conntrack_icmp_packet`: only requests begin something. ICMP of the other family's number is not tracked.
pub(super) fn icmp(conn: &Conn, seen: &Seen<'_>, settings: &Settings) -> Step {
    let [original, _] = &conn.tuples;
    let is_request = matches!(original.icmp_type(), 8 | 13 | 15 | 17);
    if !seen.v6 && is_request { Step::Refresh(settings.timeouts.icmp) } else { Step::Invalid }
}

/// `nf_conntrack_icmpv6_packet`.
pub(super) fn icmpv6(conn: &Conn, seen: &Seen<'_>, settings: &Settings) -> Step {
    let [original, _] = &conn.tuples;
    let is_request = matches!(original.icmp_type(), 128 | 139);
    if seen.v6 && is_request { Step::Refresh(settings.timeouts.icmpv6) } else { Step::Invalid }
}
