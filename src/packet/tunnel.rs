//! Tunnels over IP and over UDP: what they carry counts in their place, if it is an IP packet.
//!
//! A protocol number is a statement; a UDP port is not. Tunnels over UDP are believed only if their own header is
//! well-formed and what lies in them is an IP packet that fits. A tunnel that carries something else (ARP in VXLAN,
//! control messages) stays the packet that it is.
//!
//! GRE: RFC 2784, 2890, 2637 (PPTP); IP in IP: RFC 2003, 2473, 4213; EtherIP: RFC 3378; MPLS in IP: RFC 4023;
//! VXLAN: RFC 7348; Geneve: RFC 8926; GTP-U: 3GPP TS 29.281; Teredo: RFC 4380; L2TP: RFC 2661.

use super::ip::IpHead;
use super::layer::Layer;
use super::path::{Hop, Path};
use super::{Decoded, ether, ip, ppp};
use std::net::IpAddr;

const IPV4: u8 = 4;
const IPV6: u8 = 41;
const GRE: u8 = 47;
const ETHERIP: u8 = 97;
const MPLS: u8 = 137;
const ETHERNET: u8 = 143;

/// What an IP protocol number says is a tunnel. `None`: it is none, or what it carries is not IP.
pub(super) fn in_ip(path: &mut Path, head: &IpHead, protocol: u8, layer: Layer<'_>) -> Option<Decoded> {
    let from_v4 = head.src.is_ipv4();
    match protocol {
        IPV4 => {
            let hop = if from_v4 { Hop::IpIp } else { Hop::FourInSix };
            through(path, head, hop, |path| ip::decode_v4(path, layer))
        }
        IPV6 => {
            let hop = if from_v4 { Hop::SixInFour } else { Hop::SixInSix };
            through(path, head, hop, |path| ip::decode_v6(path, layer))
        }
        GRE => gre(path, head, layer),
        ETHERIP => {
            let payload = layer.skip(2).filter(|_| layer.ip_version() == Some(3))?;
            through(path, head, Hop::EtherIp, |path| ether::decode(path, payload))
        }
        MPLS => through(path, head, Hop::None, |path| ether::decode_mpls(path, layer)),
        ETHERNET => through(path, head, Hop::EtherIp, |path| ether::decode(path, layer)),
        _ => None,
    }
}

/// What UDP ports say may be a tunnel. `None`: it is none, or what it carries is not IP.
#[inline]
pub(super) fn in_udp(path: &mut Path, head: &IpHead, ports: (u16, u16), layer: Layer<'_>) -> Option<Decoded> {
    const TEREDO: u16 = 3544;
    const L2TP: u16 = 1701;
    let open: fn(&mut Path, &IpHead, Layer<'_>) -> Option<Decoded> = match ports {
        (_, 4789 | 8472) => vxlan,
        (_, 4790) => vxlan_gpe,
        (_, 6081) => geneve,
        (_, 2152) | (2152, _) => gtp,
        (_, TEREDO) | (TEREDO, _) => teredo,
        (_, L2TP) | (L2TP, _) => l2tp,
        (_, 6635) => mpls_in_udp,
        _ => return None,
    };
    let mark = path.mark();
    path.strict = true;
    let inner = open(path, head, layer);
    match inner {
        Some(_) => inner,
        None => {
            path.back_to(mark);
            None
        }
    }
}

/// Decodes what a tunnel carries, and forgets the tunnel if that is not IP.
fn through(path: &mut Path, head: &IpHead, hop: Hop, inner: impl FnOnce(&mut Path) -> Decoded) -> Option<Decoded> {
    let mark = path.mark();
    path.carried_by(head);
    if hop == Hop::None || path.enter(hop) {
        let decoded = inner(path);
        if decoded.is_ip() {
            return Some(decoded);
        }
    }
    path.back_to(mark);
    None
}

fn gre(path: &mut Path, head: &IpHead, layer: Layer<'_>) -> Option<Decoded> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    const ERSPAN: u16 = 0x88be;
    const ERSPAN_III: u16 = 0x22eb;
    const WCCP: u16 = 0x883e;

    let (flags, protocol) = (layer.u16(0)?, layer.u16(2)?);
    let mut rest = layer.skip(4)?;
    if flags & (CHECKSUM | ROUTING) != 0 {
        rest = rest.skip(4)?;
    }
    let key = if flags & KEY != 0 { rest.u32(0) } else { None };
    for field in [KEY, SEQUENCE] {
        if flags & field != 0 {
            rest = rest.skip(4)?;
        }
    }
    if flags & 7 == 1 {
        if flags & ACKNOWLEDGEMENT != 0 {
            rest = rest.skip(4)?;
        }
        // The key holds the length of the payload and the call.
        let (len, call) = key.map(|key| ((key >> 16) as usize, key as u16))?;
        return through(path, head, Hop::Pptp(call), |path| ppp::decode(path, rest.at_most(len)));
    }
    if flags & ROUTING != 0 {
        rest = past_source_routes(rest)?;
    }
    let hop = key.map_or(Hop::Gre, Hop::GreKey);
    match protocol {
        // Type I has neither sequence number nor header (draft-foschiano-erspan).
        ERSPAN if flags & SEQUENCE == 0 => through(path, head, Hop::Erspan(0), |path| ether::decode(path, rest)),
        ERSPAN => {
            let (session, frame) = (rest.u16(2)? & 0x3ff, rest.skip(8)?);
            through(path, head, Hop::Erspan(session), |path| ether::decode(path, frame))
        }
        ERSPAN_III => {
            let platform = if rest.u8(11)? & 1 != 0 { 8 } else { 0 };
            let (session, frame) = (rest.u16(2)? & 0x3ff, rest.skip(12 + platform)?);
            through(path, head, Hop::Erspan(session), |path| ether::decode(path, frame))
        }
        WCCP => {
            // Version 2 puts four bytes before the packet, version 1 none.
            let packet = if layer_is_ip(rest) { rest } else { rest.skip(4)? };
            through(path, head, hop, |path| ip::decode(path, packet))
        }
        _ => through(path, head, hop, |path| ether::decode_type(path, protocol, rest)),
    }
}

fn layer_is_ip(layer: Layer<'_>) -> bool {
    matches!(layer.ip_version(), Some(4 | 6))
}

/// Source routes of RFC 1701: entries of their own length, the last one empty.
fn past_source_routes(mut layer: Layer<'_>) -> Option<Layer<'_>> {
    loop {
        let (family, len) = (layer.u16(0)?, usize::from(layer.u8(3)?));
        layer = layer.skip(4 + len)?;
        if family == 0 && len == 0 {
            return Some(layer);
        }
    }
}

fn vxlan(path: &mut Path, head: &IpHead, layer: Layer<'_>) -> Option<Decoded> {
    const NETWORK_IS_VALID: u8 = 0x08;
    let network = layer.u32(4)? >> 8;
    let frame = layer.skip(8).filter(|_| layer.bytes.first().is_some_and(|flags| flags & NETWORK_IS_VALID != 0))?;
    through(path, head, Hop::Vxlan(network), |path| ether::decode(path, frame))
}

fn vxlan_gpe(path: &mut Path, head: &IpHead, layer: Layer<'_>) -> Option<Decoded> {
    const VALID_WITH_PROTOCOL: u8 = 0x0c;
    let network = layer.u32(4)? >> 8;
    let (flags, inner) = (layer.u8(0)?, layer.skip(8)?);
    if flags & VALID_WITH_PROTOCOL != VALID_WITH_PROTOCOL {
        return None;
    }
    let protocol = layer.u8(3)?;
    through(path, head, Hop::Vxlan(network), |path| match protocol {
        1 => ip::decode_v4(path, inner),
        2 => ip::decode_v6(path, inner),
        3 => ether::decode(path, inner),
        5 => ether::decode_mpls(path, inner),
        _ => Decoded::Undecodable { what: "vxlan.protocol" },
    })
}

fn geneve(path: &mut Path, head: &IpHead, layer: Layer<'_>) -> Option<Decoded> {
    let (first, protocol, network) = (layer.u8(0)?, layer.u16(2)?, layer.u32(4)? >> 8);
    let (version, options) = (first >> 6, usize::from(first & 0x3f) * 4);
    let inner = layer.skip(8 + options).filter(|_| version == 0)?;
    through(path, head, Hop::Geneve(network), |path| ether::decode_type(path, protocol, inner))
}

fn gtp(path: &mut Path, head: &IpHead, layer: Layer<'_>) -> Option<Decoded> {
    const USER_PACKET: u8 = 0xff;
    /// Version 1, protocol type GTP.
    const VERSION: u8 = 0x30;
    const ANY_OPTION: u8 = 0x07;
    const EXTENSION: u8 = 0x04;
    let (flags, kind, len, endpoint) = (layer.u8(0)?, layer.u8(1)?, usize::from(layer.u16(2)?), layer.u32(4)?);
    let body = layer.skip(8)?;
    if flags & 0xf0 != VERSION || kind != USER_PACKET || len > body.wire_len {
        return None;
    }
    let mut inner = body.at_most(len);
    if flags & ANY_OPTION != 0 {
        let mut next = inner.u8(3)?;
        inner = inner.skip(4)?;
        while flags & EXTENSION != 0 && next != 0 {
            let len = usize::from(inner.u8(0)?) * 4;
            next = inner.u8(len.checked_sub(1)?)?;
            inner = inner.skip(len)?;
        }
    }
    through(path, head, Hop::Gtp(endpoint), |path| ip::decode(path, inner))
}

fn teredo(path: &mut Path, head: &IpHead, layer: Layer<'_>) -> Option<Decoded> {
    const AUTHENTICATION: u16 = 1;
    const ORIGIN: u16 = 0;
    let mut inner = layer;
    if inner.u16(0)? == AUTHENTICATION {
        let (client, value) = (usize::from(inner.u8(2)?), usize::from(inner.u8(3)?));
        // Lengths, then both values, a nonce of 8 and a confirmation of 1.
        inner = inner.skip(4 + client + value + 9)?;
    }
    if inner.u16(0)? == ORIGIN {
        inner = inner.skip(8)?;
    }
    through(path, head, Hop::Teredo, |path| ip::decode_v6(path, inner)).filter(has_teredo_address)
}

/// One side at least is a Teredo client, by its address or, while it asks for one, by a link-local address.
fn has_teredo_address(decoded: &Decoded) -> bool {
    let Some((src, dst)) = decoded.addresses() else { return true };
    [src, dst].iter().any(|address| match address {
        IpAddr::V6(v6) => matches!(v6.segments(), [0x2001, 0, ..] | [0xfe80, ..]),
        IpAddr::V4(_) => true,
    })
}

fn l2tp(path: &mut Path, head: &IpHead, layer: Layer<'_>) -> Option<Decoded> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    let flags = layer.u16(0)?;
    if flags & CONTROL != 0 || flags & 0xf != 2 {
        return None;
    }
    let has_length = flags & LENGTH != 0;
    let message = if has_length { layer.at_most(usize::from(layer.u16(2)?)) } else { layer };
    let mut rest = message.skip(if has_length { 4 } else { 2 })?;
    let session = rest.u16(2)?;
    rest = rest.skip(4)?;
    if flags & SEQUENCE != 0 {
        rest = rest.skip(4)?;
    }
    if flags & OFFSET != 0 {
        rest = rest.skip(2 + usize::from(rest.u16(0)?))?;
    }
    through(path, head, Hop::L2tp(session), |path| ppp::decode(path, rest))
}

fn mpls_in_udp(path: &mut Path, head: &IpHead, layer: Layer<'_>) -> Option<Decoded> {
    through(path, head, Hop::None, |path| ether::decode_mpls(path, layer))
}
