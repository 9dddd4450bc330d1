//! Transports: ports, payload, and for TCP (RFC 9293) what reassembly needs. A header that the capture cut is read as
//! far as it goes.

use super::checksum::Sum;
use super::ip::IpHead;
use super::layer::Layer;
use super::path::Path;
use super::{Decoded, Packet, TcpHead, number, tunnel};
use etherparse::{TcpHeaderSlice, UdpHeaderSlice};

/// What a transport header tells.
#[derive(Default)]
struct Header {
    ports: (u16, u16),
    /// Bytes before the payload; 0 where the header cannot be told from the payload.
    len: usize,
    tcp: Option<TcpHead>,
    bad_checksum: bool,
}

/// Decodes what an IP packet carries: a tunnel, or a transport.
#[inline]
pub(super) fn decode(path: &mut Path, head: &IpHead, protocol: u8, layer: Layer<'_>) -> Decoded {
    let mut payload_end = layer;
    let header = match protocol {
        number::TCP => tcp(head, layer),
        number::UDP => {
            payload_end = udp_length(layer);
            // Before the checksum: of packets in tunnels only the inner one is summed.
            if let Some(payload) = payload_end.skip(8)
                && let Some(inner) = tunnel::in_udp(path, head, ports_only(layer).ports, payload)
            {
                return inner;
            }
            udp(head, payload_end)
        }
        number::ICMP => icmp(layer, Sum::default(), head),
        number::ICMPV6 => {
            let (src, dst) = head.pseudo;
            icmp(layer, Sum::default().add_pseudo_header(src, dst, protocol, layer.wire_len), head)
        }
        number::SCTP => Header { len: 12, ..ports_only(layer) },
        number::UDP_LITE => Header { len: 8, ..ports_only(layer) },
        number::DCCP => Header { len: usize::from(layer.u8(4).unwrap_or_default()) * 4, ..ports_only(layer) },
        _ => match tunnel::in_ip(path, head, protocol, layer) {
            Some(inner) => return inner,
            None => Header::default(),
        },
    };
    let payload = if header.len == 0 && is_headed(protocol) {
        // Without the header nobody knows where the payload begins.
        let unseen = layer.wire_len.saturating_sub(layer.bytes.len());
        Layer { bytes: &[], wire_len: unseen, ..layer }
    } else {
        payload_end.skip_lax(header.len)
    };
    Decoded::Packet(packet(path, head, protocol, layer, payload, &header))
}

/// `true` for protocols whose header is decoded here.
pub(super) fn is_headed(protocol: u8) -> bool {
    use number::{DCCP, ICMP, ICMPV6, SCTP, TCP, UDP, UDP_LITE};
    matches!(protocol, ICMP | TCP | UDP | DCCP | ICMPV6 | SCTP | UDP_LITE)
}

fn packet(path: &Path, head: &IpHead, protocol: u8, layer: Layer<'_>, payload: Layer<'_>, header: &Header) -> Packet {
    Packet {
        src: head.src,
        dst: head.dst,
        protocol,
        src_port: header.ports.0,
        dst_port: header.ports.1,
        ip_offset: head.offset as u32,
        ip_len: head.len as u32,
        transport_offset: layer.offset as u32,
        payload_offset: payload.offset as u32,
        payload_len: payload.bytes.len() as u32,
        wire_payload_len: payload.wire_len as u32,
        tcp: header.tcp,
        bad_checksum: head.bad_checksum || header.bad_checksum,
        tunnel: path.name(),
    }
}

#[inline]
fn tcp(head: &IpHead, layer: Layer<'_>) -> Header {
    let Ok(slice) = TcpHeaderSlice::from_slice(layer.bytes) else { return cut_tcp(layer) };
    Header {
        ports: (slice.source_port(), slice.destination_port()),
        len: slice.slice().len(),
        tcp: Some(TcpHead {
            seq: slice.sequence_number(),
            ack: slice.acknowledgment_number(),
            window: slice.window_size(),
            flags: layer.u8(13).unwrap_or_default(),
        }),
        bad_checksum: is_wrong(head, number::TCP, layer),
    }
}

/// A header that was cut, in its options or before: numbers that were captured count. One with an impossible length
/// has ports only, as no host would take it.
fn cut_tcp(layer: Layer<'_>) -> Header {
    let header = ports_only(layer);
    let fixed = || {
        let len = usize::from(layer.u8(12)? >> 4) * 4;
        let window = layer.u16(14).unwrap_or_default();
        let tcp = TcpHead { seq: layer.u32(4)?, ack: layer.u32(8)?, flags: layer.u8(13)?, window };
        (20..=layer.wire_len).contains(&len).then_some((len, tcp))
    };
    match fixed() {
        Some((len, tcp)) => Header { len, tcp: Some(tcp), ..header },
        None => header,
    }
}

/// UDP as long as its own header says, if the packet is that long. 0 is a jumbogram's or offloaded packet's length.
fn udp_length(layer: Layer<'_>) -> Layer<'_> {
    match layer.u16(4).map(usize::from) {
        Some(len) if len >= 8 => layer.at_most(len),
        _ => layer,
    }
}

#[inline]
fn udp(head: &IpHead, layer: Layer<'_>) -> Header {
    let Ok(slice) = UdpHeaderSlice::from_slice(layer.bytes) else { return ports_only(layer) };
    Header {
        ports: (slice.source_port(), slice.destination_port()),
        len: 8,
        tcp: None,
        bad_checksum: slice.checksum() != 0 && is_wrong(head, number::UDP, layer),
    }
}

/// Type and code in place of ports, as flow tables keep them.
fn icmp(layer: Layer<'_>, pseudo_header: Sum, head: &IpHead) -> Header {
    let (Some(kind), Some(code)) = (layer.u8(0), layer.u8(1)) else { return Header::default() };
    Header {
        ports: (u16::from(kind), u16::from(code)),
        len: 8,
        tcp: None,
        bad_checksum: is_complete(head, layer) && !pseudo_header.add(layer.bytes).is_right(),
    }
}

fn ports_only(layer: Layer<'_>) -> Header {
    match (layer.u16(0), layer.u16(2)) {
        (Some(src), Some(dst)) => Header { ports: (src, dst), ..Header::default() },
        _ => Header::default(),
    }
}

/// A sum can be told only over all that was sent, and only if the IP header tells how much that was.
fn is_complete(head: &IpHead, layer: Layer<'_>) -> bool {
    head.len_known && layer.bytes.len() == layer.wire_len
}

fn is_wrong(head: &IpHead, protocol: u8, layer: Layer<'_>) -> bool {
    let (src, dst) = head.pseudo;
    is_complete(head, layer)
        && !Sum::default().add_pseudo_header(src, dst, protocol, layer.bytes.len()).add(layer.bytes).is_right()
}
