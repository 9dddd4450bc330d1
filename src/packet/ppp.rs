//! PPP (RFC 1661, RFC 1662) and Cisco HDLC.

use super::ether;
use super::layer::Layer;
use super::path::Path;
use super::{Decoded, NotIp, ip};

/// Decodes a PPP frame, with or without address and control.
pub(super) fn decode(path: &mut Path, layer: Layer<'_>) -> Decoded {
    const ADDRESS_AND_CONTROL: u16 = 0xff03;
    if !path.step() {
        return Decoded::Undecodable { what: "nesting" };
    }
    let layer = if layer.u16(0) == Some(ADDRESS_AND_CONTROL) { layer.skip_lax(2) } else { layer };
    // The first octet of a protocol is even, the last odd: an odd first one is a compressed protocol.
    let (protocol, payload) = match layer.u8(0) {
        Some(octet) if octet & 1 != 0 => (u16::from(octet), layer.skip(1)),
        _ => match layer.u16(0) {
            Some(protocol) => (protocol, layer.skip(2)),
            None => return Decoded::Undecodable { what: "ppp.cut" },
        },
    };
    match (protocol, payload) {
        (0x0021, Some(packet)) => ip::decode_v4(path, packet),
        (0x0057, Some(packet)) => ip::decode_v6(path, packet),
        (0x0281 | 0x0283, Some(stack)) => ether::decode_mpls(path, stack),
        (other, _) => Decoded::NotIp(NotIp::Ppp(other)),
    }
}

/// Decodes a frame of a serial line: PPP, or Cisco HDLC, which uses Ethernet types.
pub(super) fn decode_serial(path: &mut Path, layer: Layer<'_>) -> Decoded {
    match (layer.u8(0), layer.u16(2), layer.skip(4)) {
        (Some(0x0f | 0x8f), Some(ether_type), Some(payload)) => ether::decode_type(path, ether_type, payload),
        _ => decode(path, layer),
    }
}
