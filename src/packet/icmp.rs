//! The packet inside an ICMP error (RFC 792, RFC 4443): which conversation the error is about.

use super::ip::{self, Walked};
use super::layer::Layer;
use super::{Packet, number, part};
use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};
use std::net::IpAddr;

/// Addresses and ports of a packet that an ICMP error quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// Who sent the quoted packet: most often who receives the error.
    pub src: IpAddr,
    /// Where it was to go.
    pub dst: IpAddr,
    /// IP protocol.
    pub protocol: u8,
    /// Source port; 0 if the quote has none (a later fragment, a short quote, another protocol).
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
}

/// The packet that an ICMP error quotes. `data` is what `packet` was decoded from. `None` if it is no error, or quotes
/// nothing that can be read.
pub fn embedded(packet: &Packet, data: &[u8]) -> Option<Embedded> {
    // Unreachable, source quench, redirect, time exceeded, parameter problem; RFC 4443 errors are below 128.
    let is_error = match packet.protocol {
        number::ICMP => matches!(packet.src_port, 3 | 4 | 5 | 11 | 12),
        number::ICMPV6 => (1..128).contains(&packet.src_port),
        _ => false,
    };
    let quote = part(data, packet.payload_offset, packet.payload_len);
    if is_error { quoted(Layer::whole(quote, quote.len())) } else { None }
}

fn quoted(layer: Layer<'_>) -> Option<Embedded> {
    let (src, dst, protocol, transport) = match layer.ip_version()? {
        4 => {
            let header = Ipv4HeaderSlice::from_slice(layer.bytes).ok()?;
            let transport = layer.skip(header.slice().len()).filter(|_| header.fragments_offset().value() == 0);
            (IpAddr::V4(header.source_addr()), IpAddr::V4(header.destination_addr()), header.protocol().0, transport)
        }
        6 => {
            let header = Ipv6HeaderSlice::from_slice(layer.bytes).ok()?;
            let (src, dst) = (IpAddr::V6(header.source_addr()), IpAddr::V6(header.destination_addr()));
            match ip::walk(header.next_header().0, layer.skip(40)?, &mut (src, dst)) {
                Walked::Upper { protocol, payload } => (src, dst, protocol, Some(payload)),
                Walked::Fragment(place, payload) => {
                    (src, dst, place.protocol, Some(payload).filter(|_| place.offset == 0))
                }
            }
        }
        _ => return None,
    };
    let has_ports = matches!(protocol, number::TCP | number::UDP | number::SCTP | number::UDP_LITE | number::DCCP);
    let ports = transport.filter(|_| has_ports).and_then(|layer| Some((layer.u16(0)?, layer.u16(2)?)));
    let (src_port, dst_port) = ports.unwrap_or_default();
    Some(Embedded { src, dst, protocol, src_port, dst_port })
}
