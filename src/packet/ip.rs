//! IPv4 (RFC 791) and IPv6 (RFC 8200) with its extension headers, down to the transport or a fragment.
//!
//! Lengths are believed as long as they can be true; a total length of 0 (segmentation offload, jumbograms) means
//! what was captured. Wrong checksums are told, not acted upon.

use super::checksum::Sum;
use super::layer::Layer;
use super::path::Path;
use super::{Decoded, Fragment, transport};
use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};
use std::net::{IpAddr, Ipv6Addr};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NO_NEXT_HEADER: u8 = 59;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// Longest chain of extension headers that is walked. Hosts send up to three.
const MAX_EXTENSIONS: usize = 24;

/// What a transport needs to know of the IP header below it.
#[derive(Debug, Clone, Copy)]
pub(super) struct IpHead {
    pub src: IpAddr,
    pub dst: IpAddr,
    /// Place of the header in the bytes that are decoded.
    pub offset: usize,
    /// Length of the packet as its header tells it.
    pub len: usize,
    /// The header told the length: without, nobody knows where padding begins.
    pub len_known: bool,
    /// The header's own checksum is wrong.
    pub bad_checksum: bool,
    /// Addresses that transports are summed with: with mobility or source routes not those of the header.
    pub pseudo: (IpAddr, IpAddr),
}

/// Decodes an IP packet of either version.
pub(super) fn decode(path: &mut Path, layer: Layer<'_>) -> Decoded {
    match layer.ip_version() {
        Some(4) => decode_v4(path, layer),
        Some(6) => decode_v6(path, layer),
        Some(_) => Decoded::Undecodable { what: "ip.version" },
        None => Decoded::Undecodable { what: "ip.cut" },
    }
}

/// Decodes an IPv4 packet.
#[inline]
pub(super) fn decode_v4(path: &mut Path, layer: Layer<'_>) -> Decoded {
    let Ok(header) = Ipv4HeaderSlice::from_slice(layer.bytes) else {
        return Decoded::Undecodable { what: "ipv4.header" };
    };
    let (header_len, total_len) = (header.slice().len(), usize::from(header.total_len()));
    if !path.step() {
        return Decoded::Undecodable { what: "nesting" };
    }
    if (total_len != 0 && total_len < header_len) || (path.strict && !fits(layer, total_len)) {
        return Decoded::Undecodable { what: "ipv4.length" };
    }
    let bad_checksum = !Sum::default().add(header.slice()).is_right();
    // A length beyond the frame is believed (some tools cut frames and forget how long they were) unless the header
    // itself is known to be damaged.
    let len_known = total_len != 0 && !(bad_checksum && total_len > layer.wire_len);
    let datagram = if len_known { layer.with_len(total_len) } else { layer };
    let (src, dst) = (IpAddr::V4(header.source_addr()), IpAddr::V4(header.destination_addr()));
    let head =
        IpHead { src, dst, offset: layer.offset, len: datagram.wire_len, len_known, bad_checksum, pseudo: (src, dst) };
    let payload = datagram.skip_lax(header_len);
    let protocol = header.protocol().0;
    if header.is_fragmenting_payload() {
        let place = FragmentPlace {
            protocol,
            id: u32::from(header.identification()),
            offset: u32::from(header.fragments_offset().value()) * 8,
            more: header.more_fragments(),
            header_len,
            next_header: 9,
        };
        return fragment(path, &head, &place, payload);
    }
    let (protocol, payload) = match authenticated(payload) {
        Some(inner) if protocol == AUTHENTICATION => inner,
        _ => (protocol, payload),
    };
    transport::decode(path, &head, protocol, payload)
}

/// What an authentication header (RFC 4302) covers.
fn authenticated(layer: Layer<'_>) -> Option<(u8, Layer<'_>)> {
    let len = (usize::from(layer.u8(1)?) + 2) * 4;
    Some((layer.u8(0)?, layer.skip(len)?))
}

/// Decodes an IPv6 packet.
pub(super) fn decode_v6(path: &mut Path, layer: Layer<'_>) -> Decoded {
    let Ok(header) = Ipv6HeaderSlice::from_slice(layer.bytes) else {
        return Decoded::Undecodable { what: "ipv6.header" };
    };
    if !path.step() {
        return Decoded::Undecodable { what: "nesting" };
    }
    let (header_len, payload_len) = (header.slice().len(), usize::from(header.payload_length()));
    let first = header.next_header().0;
    // 0 is true where nothing follows; else it is a jumbogram, or the sender's card was to fill it in.
    let len_known = payload_len != 0 || first == NO_NEXT_HEADER;
    if path.strict && !fits(layer, header_len + payload_len) {
        return Decoded::Undecodable { what: "ipv6.length" };
    }
    let datagram = if len_known { layer.with_len(header_len + payload_len) } else { layer };
    let (src, dst) = (IpAddr::V6(header.source_addr()), IpAddr::V6(header.destination_addr()));
    let mut head = IpHead {
        src,
        dst,
        offset: layer.offset,
        len: datagram.wire_len,
        len_known,
        bad_checksum: false,
        pseudo: (src, dst),
    };
    match walk(first, datagram.skip_lax(header_len), &mut head.pseudo) {
        Walked::Upper { protocol, payload } => transport::decode(path, &head, protocol, payload),
        Walked::Fragment(place, payload) => fragment(path, &head, &place, payload),
    }
}

/// `true` if a packet of `len` bytes lies within what carries it.
fn fits(layer: Layer<'_>, len: usize) -> bool {
    len != 0 && len <= layer.wire_len
}

/// `true` if the layer begins with an IP header of either version that can be one, and the packet fits.
pub(super) fn is_plausible(layer: Layer<'_>) -> bool {
    match layer.ip_version() {
        Some(4) => Ipv4HeaderSlice::from_slice(layer.bytes).is_ok_and(|header| {
            usize::from(header.total_len()) >= header.slice().len() && fits(layer, usize::from(header.total_len()))
        }),
        Some(6) => Ipv6HeaderSlice::from_slice(layer.bytes)
            .is_ok_and(|header| fits(layer, 40 + usize::from(header.payload_length()))),
        _ => false,
    }
}

/// Where the chain of extension headers leads.
pub(super) enum Walked<'a> {
    /// To a transport, or to a header that was cut.
    Upper { protocol: u8, payload: Layer<'a> },
    /// To a fragment header.
    Fragment(FragmentPlace, Layer<'a>),
}

/// What a fragment says of itself.
pub(super) struct FragmentPlace {
    pub protocol: u8,
    id: u32,
    pub offset: u32,
    more: bool,
    /// Bytes from the IP header up to the fragment header, or (IPv4) the payload.
    header_len: usize,
    /// Place of the protocol number in these bytes.
    next_header: usize,
}

/// Follows extension headers (RFC 8200 section 4, RFC 4302, RFC 6275) from `first`, which starts `layer`
/// behind the IPv6 header. Stops at what is not captured. Routing and mobility change the addresses in `pseudo`.
pub(super) fn walk<'a>(first: u8, mut layer: Layer<'a>, pseudo: &mut (IpAddr, IpAddr)) -> Walked<'a> {
    let (mut protocol, mut next_header, mut header_len) = (first, 6, 40);
    for _ in 0..MAX_EXTENSIONS {
        let (Some(next), Some(octet)) = (layer.u8(0), layer.u8(1)) else { break };
        let len = match protocol {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => (usize::from(octet) + 1) * 8,
            MOBILITY | HIP | SHIM6 if next != NO_NEXT_HEADER => (usize::from(octet) + 1) * 8,
            AUTHENTICATION => (usize::from(octet) + 2) * 4,
            FRAGMENT => match fragment_header(layer) {
                // Not a fragment, just a header that says so (RFC 6946).
                Some((0, false, _)) => 8,
                Some((offset, more, id)) => {
                    let place = FragmentPlace { protocol: next, id, offset, more, header_len, next_header };
                    return Walked::Fragment(place, layer.skip_lax(8));
                }
                None => break,
            },
            _ => break,
        };
        let Some(rest) = layer.skip(len) else { break };
        let header = layer.bytes.get(..len).unwrap_or_default();
        match protocol {
            ROUTING => pseudo.1 = final_destination(header).unwrap_or(pseudo.1),
            DESTINATION_OPTIONS => pseudo.0 = home_address(header).unwrap_or(pseudo.0),
            _ => {}
        }
        (protocol, next_header, layer) = (next, header_len, rest);
        header_len += len;
    }
    Walked::Upper { protocol, payload: layer }
}

/// Offset in bytes, whether more follow, and identification.
fn fragment_header(layer: Layer<'_>) -> Option<(u32, bool, u32)> {
    let place = layer.u16(2)?;
    Some((u32::from(place & 0xfff8), place & 1 != 0, layer.u32(4)?))
}

/// Where a routing header that is not yet used up leads: the last address of types 0 (RFC 2460) and 2 (RFC 6275),
/// the first of type 4, whose list runs backwards (RFC 8754).
fn final_destination(header: &[u8]) -> Option<IpAddr> {
    let [_, _, kind, segments_left, ..] = *header else { return None };
    let list = header.get(8..)?;
    let address = match (kind, segments_left) {
        (_, 0) => return None,
        (0 | 2, _) => list.last_chunk::<16>()?,
        (4, _) => list.first_chunk::<16>()?,
        _ => return None,
    };
    Some(IpAddr::V6(Ipv6Addr::from(*address)))
}

/// The home address of a mobile node (RFC 6275 section 6.3), which transports know it by.
fn home_address(header: &[u8]) -> Option<IpAddr> {
    const PAD1: u8 = 0;
    const HOME_ADDRESS: u8 = 201;
    let mut options = header.get(2..)?;
    loop {
        let (&kind, rest) = options.split_first()?;
        if kind == PAD1 {
            options = rest;
            continue;
        }
        let (&len, rest) = rest.split_first()?;
        let (value, rest) = rest.split_at_checked(usize::from(len))?;
        if kind == HOME_ADDRESS {
            return Some(IpAddr::V6(Ipv6Addr::from(*value.first_chunk::<16>()?)));
        }
        options = rest;
    }
}

fn fragment(path: &Path, head: &IpHead, place: &FragmentPlace, payload: Layer<'_>) -> Decoded {
    Decoded::Fragment(Box::new(Fragment {
        src: head.src,
        dst: head.dst,
        protocol: place.protocol,
        id: place.id,
        offset: place.offset,
        more: place.more,
        ip_offset: head.offset as u32,
        header_len: place.header_len as u32,
        next_header: place.next_header as u32,
        payload_offset: payload.offset as u32,
        payload_len: payload.bytes.len() as u32,
        wire_payload_len: payload.wire_len as u32,
        bad_checksum: head.bad_checksum,
        tunnel: path.name(),
        context: path.context(),
    }))
}
