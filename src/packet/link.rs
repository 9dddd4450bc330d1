//! Link types: what stands before the packet in a frame, by LINKTYPE_ value
//! (<https://www.tcpdump.org/linktypes.html>).

use super::layer::Layer;
use super::path::Path;
use super::{Decoded, NotIp, ether, ip, ppp, wifi};

/// Decodes a frame of a link type.
#[inline]
pub(super) fn decode(path: &mut Path, link: u32, layer: Layer<'_>) -> Decoded {
    match link {
        1 => ether::decode(path, layer),
        12 | 14 | 101 | 228 | 229 => ip::decode(path, layer),
        _ => other(path, link, layer).unwrap_or(Decoded::Undecodable { what: "link.cut" }),
    }
}

/// `None` if the header of the link type was cut.
fn other(path: &mut Path, link: u32, layer: Layer<'_>) -> Option<Decoded> {
    if !path.step() {
        return Some(Decoded::Undecodable { what: "nesting" });
    }
    Some(match link {
        0 | 108 => loopback(path, layer)?,
        // IPsec's enclosing device: family, security index and flags.
        109 => family(path, layer.u32(0)?, layer.skip(12)?),
        9 | 50 | 104 => ppp::decode_serial(path, layer),
        51 => ppp::decode(path, layer.skip(6)?),
        // One octet for the direction.
        166 | 204 => ppp::decode(path, layer.skip(1)?),
        // RFC 1483 over ATM, with and without the cell's header.
        11 | 100 => ether::llc(path, layer),
        123 => ether::llc(path, layer.skip(4)?),
        105 => wifi::decode(path, layer),
        119 => wifi::decode_prism(path, layer),
        127 => wifi::decode_radiotap(path, layer),
        163 => wifi::decode_avs(path, layer),
        113 => cooked(path, layer.u16(2)?, layer.u16(14)?, layer.skip(16)?),
        276 => cooked(path, layer.u16(8)?, layer.u16(0)?, layer.skip(20)?),
        // OpenBSD's firewall log: length without padding, then the family.
        117 => family(path, u32::from(layer.u8(1)?), layer.skip(usize::from(layer.u8(0)?).next_multiple_of(4))?),
        219 => ether::decode_mpls(path, layer),
        192 => ppi(path, layer)?,
        239 => nflog(path, layer)?,
        240 => ether::decode(path, layer.skip(4)?),
        258 => pktap(path, layer)?,
        // The preamble and start of a preemptible frame.
        274 => ether::decode(path, layer.skip(8)?),
        unknown => Decoded::NotIp(NotIp::Link(unknown)),
    })
}

/// BSD loopback: an address family in the byte order of the machine that wrote it.
fn loopback(path: &mut Path, layer: Layer<'_>) -> Option<Decoded> {
    Some(family(path, layer.u32(0)?, layer.skip(4)?))
}

fn family(path: &mut Path, family: u32, packet: Layer<'_>) -> Decoded {
    // Families are small numbers: a large one has been written the other way round.
    let family = if family > 0xffff { family.swap_bytes() } else { family };
    match family {
        2 => ip::decode_v4(path, packet),
        // Linux, NetBSD and OpenBSD, FreeBSD, macOS.
        10 | 24 | 28 | 30 => ip::decode_v6(path, packet),
        other => Decoded::NotIp(NotIp::Family(other)),
    }
}

/// Linux cooked capture, both versions: the kind of device tells what the protocol means.
fn cooked(path: &mut Path, device: u16, protocol: u16, payload: Layer<'_>) -> Decoded {
    const NETLINK: u16 = 824;
    const RADIOTAP: u16 = 803;
    const WIFI: u16 = 801;
    const LLC: u16 = 4;
    match (device, protocol) {
        (NETLINK, _) => Decoded::NotIp(NotIp::Device(device)),
        (RADIOTAP, _) => wifi::decode_radiotap(path, payload),
        (WIFI, _) => wifi::decode(path, payload),
        (_, LLC) => ether::llc(path, payload),
        (_, small) if small < 0x0600 => Decoded::NotIp(NotIp::EtherType(small)),
        (_, ether_type) => ether::decode_type(path, ether_type, payload),
    }
}

/// Per-packet information: its own length, and the link type of the rest.
fn ppi(path: &mut Path, layer: Layer<'_>) -> Option<Decoded> {
    let (len, link) = (little_u16(layer, 2)?, little_u32(layer, 4)?);
    Some(decode(path, link, layer.skip(usize::from(len).max(8))?))
}

/// Apple's packet tap: its own length, the kind of record, the link type of the rest.
fn pktap(path: &mut Path, layer: Layer<'_>) -> Option<Decoded> {
    const PACKET: u32 = 1;
    let (len, kind, link) = (little_u32(layer, 0)?, little_u32(layer, 4)?, little_u32(layer, 8)?);
    if kind != PACKET {
        return Some(Decoded::NotIp(NotIp::Link(258)));
    }
    Some(decode(path, link, layer.skip(usize::try_from(len).ok()?.max(12))?))
}

/// Netfilter's log: attributes, one of which is the packet. Their lengths are in the byte order of the machine.
fn nflog(path: &mut Path, layer: Layer<'_>) -> Option<Decoded> {
    const PAYLOAD: u16 = 9;
    let protocol_family = layer.u8(0)?;
    let mut rest = layer.skip(4)?;
    loop {
        // Kinds are below 256: that tells the byte order.
        let (len, kind) = match (rest.u16(0)?, rest.u16(2)?) {
            (len, kind) if kind & 0x7fff < 0x100 => (len, kind & 0x7fff),
            (len, kind) => (len.swap_bytes(), kind.swap_bytes() & 0x7fff),
        };
        let len = usize::from(len).max(4);
        let value = rest.with_len(len).skip(4)?;
        if kind == PAYLOAD {
            return Some(family(path, u32::from(protocol_family), value));
        }
        rest = rest.skip(len.next_multiple_of(4))?;
    }
}

fn little_u16(layer: Layer<'_>, at: usize) -> Option<u16> {
    layer.u16(at).map(u16::swap_bytes)
}

fn little_u32(layer: Layer<'_>, at: usize) -> Option<u32> {
    layer.u32(at).map(u32::swap_bytes)
}
