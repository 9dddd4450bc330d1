//! Ethernet and what Ethernet types name: VLANs, MPLS, PPPoE and other shims, and at last IP.
//!
//! IEEE 802.3 with 802.2 LLC and SNAP (RFC 1042), 802.1Q and 802.1ad, 802.1ah, 802.1AE without encryption, MPLS
//! (RFC 3032) with pseudowires (RFC 4448), PPPoE sessions (RFC 2516).

use super::layer::Layer;
use super::path::{Hop, Path};
use super::{Decoded, NotIp, ip, ppp};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const VLAN_SERVICE: u16 = 0x88a8;
const MPLS: u16 = 0x8847;
const BRIDGED: u16 = 0x6558;
/// Below, an Ethernet type is a length, and LLC follows.
const SMALLEST_TYPE: u16 = 0x0600;

/// Decodes an Ethernet frame.
#[inline]
pub(super) fn decode(path: &mut Path, layer: Layer<'_>) -> Decoded {
    match (layer.u16(12), layer.skip(14)) {
        (Some(ether_type), Some(payload)) => decode_type(path, ether_type, payload),
        _ => Decoded::Undecodable { what: "ethernet.cut" },
    }
}

/// Decodes what an Ethernet type names.
#[inline]
pub(super) fn decode_type(path: &mut Path, ether_type: u16, layer: Layer<'_>) -> Decoded {
    match ether_type {
        IPV4 => ip::decode_v4(path, layer),
        IPV6 => ip::decode_v6(path, layer),
        _ => shim(path, ether_type, layer).unwrap_or(Decoded::Undecodable { what: "ethernet.shim" }),
    }
}

/// Headers between Ethernet and IP. `None` if one was cut, or there are too many.
fn shim(path: &mut Path, ether_type: u16, layer: Layer<'_>) -> Option<Decoded> {
    if !path.step() {
        return Some(Decoded::Undecodable { what: "nesting" });
    }
    Some(match ether_type {
        // Service tags have been sent under 0x9100 to 0x9300 before they got a number of their own.
        VLAN | VLAN_SERVICE | 0x9100 | 0x9200 | 0x9300 => {
            let (tag, inner_type, payload) = (layer.u16(0)?, layer.u16(2)?, layer.skip(4)?);
            let id = tag & 0x0fff;
            // Number 0 is a priority, not a VLAN.
            if id != 0 && !path.enter(Hop::Vlan(id)) {
                return None;
            }
            decode_type(path, inner_type, payload)
        }
        MPLS | 0x8848 => decode_mpls(path, layer),
        0x8864 => pppoe(path, layer)?,
        0x880b => ppp::decode(path, layer),
        BRIDGED => decode(path, layer),
        // VN-Tag and 802.1BR name ports of a switch, not networks: no part of the path.
        0x8926 => decode_type(path, layer.u16(4)?, layer.skip(6)?),
        0x893f => decode_type(path, layer.u16(6)?, layer.skip(8)?),
        0x88e7 => {
            let (service, frame) = (layer.u32(0)? & 0x00ff_ffff, layer.skip(4)?);
            path.enter(Hop::Pbb(service)).then(|| decode(path, frame))?
        }
        0x88e5 => macsec(path, layer)?,
        0x8870 => llc(path, layer),
        len if len < SMALLEST_TYPE => llc(path, layer.at_most(usize::from(len))),
        other => Decoded::NotIp(NotIp::EtherType(other)),
    })
}

/// 802.2: a SNAP header names an Ethernet type, SAP 6 is IP itself.
pub(super) fn llc(path: &mut Path, layer: Layer<'_>) -> Decoded {
    let (Some(dsap), Some(ssap)) = (layer.u8(0), layer.u8(1)) else {
        return Decoded::Undecodable { what: "llc.cut" };
    };
    if (dsap, ssap) == (0x06, 0x06)
        && let Some(packet) = layer.skip(3)
    {
        return ip::decode(path, packet);
    }
    if (dsap, ssap, layer.u8(2)) != (0xaa, 0xaa, Some(3)) {
        return Decoded::NotIp(NotIp::Llc(dsap));
    }
    match (layer.bytes.get(3..6), layer.u16(6), layer.skip(8)) {
        // Ethernet types proper, and those of 802.1H bridges.
        (Some([0, 0, 0] | [0, 0, 0xf8]), Some(ether_type), Some(payload)) if ether_type >= SMALLEST_TYPE => {
            decode_type(path, ether_type, payload)
        }
        (Some(_), Some(_), Some(_)) => Decoded::NotIp(NotIp::Snap),
        _ => Decoded::Undecodable { what: "llc.cut" },
    }
}

/// A stack of labels, and what they carry, which nothing names: told by content.
pub(super) fn decode_mpls(path: &mut Path, mut layer: Layer<'_>) -> Decoded {
    const BOTTOM: u32 = 0x100;
    loop {
        let (Some(entry), Some(rest)) = (layer.u32(0), layer.skip(4)) else {
            return Decoded::Undecodable { what: "mpls.cut" };
        };
        if !path.step() || !path.enter(Hop::Mpls(entry >> 12)) {
            return Decoded::Undecodable { what: "nesting" };
        }
        layer = rest;
        if entry & BOTTOM != 0 {
            break;
        }
    }
    // Addresses of Ethernet pseudowires may begin as IP does. A control word begins with 0.
    let frames = [layer.skip(4).filter(|_| layer.ip_version() == Some(0)), Some(layer)];
    match frames.into_iter().flatten().find(|frame| is_ethernet(*frame)) {
        Some(frame) if !ip::is_plausible(layer) => decode(path, frame),
        _ => match layer.ip_version() {
            Some(4 | 6) => ip::decode(path, layer),
            _ => Decoded::NotIp(NotIp::EtherType(MPLS)),
        },
    }
}

/// `true` if the layer is an Ethernet frame that carries IP, VLAN tags between them.
fn is_ethernet(layer: Layer<'_>) -> bool {
    const MAX_TAGS: usize = 4;
    let (Some(mut ether_type), Some(mut payload)) = (layer.u16(12), layer.skip(14)) else { return false };
    for _ in 0..MAX_TAGS {
        match (ether_type, payload.u16(2), payload.skip(4)) {
            (VLAN | VLAN_SERVICE, Some(inner), Some(rest)) => (ether_type, payload) = (inner, rest),
            _ => break,
        }
    }
    match ether_type {
        IPV4 => payload.ip_version() == Some(4) && ip::is_plausible(payload),
        IPV6 => payload.ip_version() == Some(6) && ip::is_plausible(payload),
        _ => false,
    }
}

fn pppoe(path: &mut Path, layer: Layer<'_>) -> Option<Decoded> {
    const SESSION_DATA: u8 = 0;
    let (code, session, len) = (layer.u8(1)?, layer.u16(2)?, usize::from(layer.u16(4)?));
    let payload = layer.skip(6)?;
    if code != SESSION_DATA {
        return Some(Decoded::NotIp(NotIp::EtherType(0x8864)));
    }
    // Offload leaves the length 0, as with IP.
    let payload = if len == 0 { payload } else { payload.at_most(len) };
    path.enter(Hop::Pppoe(session)).then(|| ppp::decode(path, payload))
}

/// Integrity without encryption leaves the payload readable; its check value at the end goes with IP's length.
fn macsec(path: &mut Path, layer: Layer<'_>) -> Option<Decoded> {
    const CHANNEL: u8 = 0x20;
    const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
    let control = layer.u8(0)?;
    if control & ENCRYPTED_OR_CHANGED != 0 {
        return Some(Decoded::NotIp(NotIp::Encrypted("macsec")));
    }
    let payload = layer.skip(if control & CHANNEL != 0 { 14 } else { 6 })?;
    let (inner_type, payload) = (payload.u16(0)?, payload.skip(2)?);
    path.enter(Hop::Macsec).then(|| decode_type(path, inner_type, payload))
}
