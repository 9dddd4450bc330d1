//! IEEE 802.11 data frames that are not encrypted, and the radio headers that captures put before them: radiotap,
//! Prism, AVS.

use super::ether;
use super::layer::Layer;
use super::path::Path;
use super::{Decoded, NotIp};

/// Decodes an 802.11 frame.
pub(super) fn decode(path: &mut Path, layer: Layer<'_>) -> Decoded {
    decode_frame(path, layer, false).unwrap_or(Decoded::Undecodable { what: "wifi.cut" })
}

/// Decodes a frame behind a radiotap header (<https://www.radiotap.org>).
pub(super) fn decode_radiotap(path: &mut Path, layer: Layer<'_>) -> Decoded {
    radiotap(path, layer).unwrap_or(Decoded::Undecodable { what: "wifi.cut" })
}

/// Decodes a frame behind a Prism header, or an AVS header under the same link type.
pub(super) fn decode_prism(path: &mut Path, layer: Layer<'_>) -> Decoded {
    const AVS_MAGIC: u32 = 0x8021_1000;
    if layer.u32(0).is_some_and(|magic| magic & 0xffff_f000 == AVS_MAGIC & 0xffff_f000) {
        return decode_avs(path, layer);
    }
    // The length follows the message's number, in the byte order of the machine.
    let len = layer.u32(4).map(|len| len.min(len.swap_bytes()) as usize);
    match len.filter(|len| *len >= 8).and_then(|len| layer.skip(len)) {
        Some(frame) => decode(path, frame),
        None => Decoded::Undecodable { what: "wifi.cut" },
    }
}

/// Decodes a frame behind an AVS header: a magic number, then its length.
pub(super) fn decode_avs(path: &mut Path, layer: Layer<'_>) -> Decoded {
    match layer.u32(4).filter(|len| *len >= 8).and_then(|len| layer.skip(len as usize)) {
        Some(frame) => decode(path, frame),
        None => Decoded::Undecodable { what: "wifi.cut" },
    }
}

fn radiotap(path: &mut Path, layer: Layer<'_>) -> Option<Decoded> {
    const MORE_FIELDS: u32 = 1 << 31;
    const TIME: u32 = 1;
    const FLAGS: u32 = 2;
    const PADDED_HEADER: u8 = 0x20;
    let len = usize::from(layer.u16(2)?.swap_bytes());
    let fields = layer.u32(4)?.swap_bytes();
    let mut at = 8;
    let mut word = fields;
    while word & MORE_FIELDS != 0 && at + 4 <= len {
        word = layer.u32(at)?.swap_bytes();
        at += 4;
    }
    if fields & TIME != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    let flags = if fields & FLAGS != 0 && at < len { layer.u8(at)? } else { 0 };
    decode_frame(path, layer.skip(len.max(8))?, flags & PADDED_HEADER != 0)
}

/// `None` if the frame was cut within its header.
fn decode_frame(path: &mut Path, layer: Layer<'_>, padded_header: bool) -> Option<Decoded> {
    const DATA: u8 = 2;
    const NO_DATA: u8 = 0x40;
    const QOS: u8 = 0x80;
    const BOTH_DISTRIBUTION_SYSTEMS: u8 = 0x03;
    const MORE_FRAGMENTS: u8 = 0x04;
    const PROTECTED: u8 = 0x40;
    const ORDER: u8 = 0x80;
    const AGGREGATE: u8 = 0x80;

    let (control, flags) = (layer.u8(0)?, layer.u8(1)?);
    if (control >> 2) & 3 != DATA {
        return Some(Decoded::NotIp(NotIp::Wifi("management or control")));
    }
    if control & NO_DATA != 0 {
        return Some(Decoded::NotIp(NotIp::Wifi("no data")));
    }
    if flags & PROTECTED != 0 {
        return Some(Decoded::NotIp(NotIp::Encrypted("wifi")));
    }
    let fragment_number = layer.u8(22)? & 0x0f;
    if fragment_number != 0 || flags & MORE_FRAGMENTS != 0 {
        return Some(Decoded::NotIp(NotIp::Wifi("fragment")));
    }
    let mut len = 24;
    if flags & BOTH_DISTRIBUTION_SYSTEMS == BOTH_DISTRIBUTION_SYSTEMS {
        len += 6;
    }
    let mut aggregate = false;
    if control & QOS != 0 {
        aggregate = layer.u8(len)? & AGGREGATE != 0;
        len += if flags & ORDER != 0 { 6 } else { 2 };
    }
    if padded_header {
        len = len.next_multiple_of(4);
    }
    let payload = layer.skip(len)?;
    Some(if aggregate { decode_aggregate(path, payload) } else { ether::llc(path, payload) })
}

/// Several frames in one: each has addresses, a length, LLC, and padding to 4.
fn decode_aggregate(path: &mut Path, mut layer: Layer<'_>) -> Decoded {
    const HEADER: usize = 14;
    let mut frames = Vec::new();
    // Less than a header is the checksum of the whole, or nothing. The path bounds how many are tried.
    while let (Some(len), Some(rest)) = (layer.u16(12).map(usize::from), layer.skip(HEADER)) {
        if len == 0 || len > rest.wire_len || !path.step() {
            break;
        }
        let mark = path.mark();
        frames.push(ether::llc(path, rest.at_most(len)));
        path.back_to(mark);
        match layer.skip((HEADER + len).next_multiple_of(4)) {
            Some(next) => layer = next,
            None => break,
        }
    }
    match frames.len() {
        0 => Decoded::Undecodable { what: "wifi.aggregate" },
        1 => frames.swap_remove(0),
        _ => Decoded::Several(frames),
    }
}
