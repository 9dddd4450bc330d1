//! The outermost IP packet of a frame, with the link header before it: what a host that received the frame would
//! filter. Tunnels inside are left alone.

use super::{Decoded, decode};
use crate::capture::Frame;

/// The IP packet that a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outer<'a> {
    /// Ethernet header as captured (14 bytes); empty for links that have none.
    pub link: &'a [u8],
    /// Outermost VLAN tag (control information: priority and number).
    pub vlan: Option<u16>,
    /// From the IP header to the end of the frame, padding included.
    pub packet: &'a [u8],
}

/// Finds the packet. `None` if the frame carries no IP, or not as its first network layer.
pub fn outer<'a>(frame: &Frame<'a>) -> Option<Outer<'a>> {
    let data = frame.data;
    let plain = |packet| Outer { link: &[], vlan: None, packet };
    let found = match frame.link {
        1 => ethernet(data)?,
        12 | 14 | 101 | 228 | 229 => plain(data),
        0 | 108 => plain(data.get(4..)?),
        113 => plain(after_type(data, 14, 16)?),
        276 => plain(after_type(data, 0, 20)?),
        _ => plain(by_decoding(frame)?),
    };
    matches!(found.packet.first()? >> 4, 4 | 6).then_some(found)
}

fn ether_type(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*data.get(at..)?.first_chunk()?))
}

fn is_ip(ether_type: u16) -> bool {
    matches!(ether_type, 0x0800 | 0x86dd)
}

/// What follows a cooked header of `len` bytes whose protocol field is at `at`.
fn after_type(data: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    is_ip(ether_type(data, at)?).then(|| data.get(len..))?
}

/// Ethernet with any number of VLAN tags.
fn ethernet(data: &[u8]) -> Option<Outer<'_>> {
    let link = data.get(..14)?;
    let (mut at, mut vlan) = (12, None);
    // Two tags are usual, and every further one has cost four bytes of a frame that ends.
    while matches!(ether_type(data, at)?, 0x8100 | 0x88a8 | 0x9100) {
        let tag = ether_type(data, at + 2)?;
        vlan = vlan.or(Some(tag));
        at += 4;
    }
    is_ip(ether_type(data, at)?).then(|| data.get(at + 2..))?.map(|packet| Outer { link, vlan, packet })
}

/// Other links: the packet that decoding finds, if it is not inside a tunnel.
fn by_decoding<'a>(frame: &Frame<'a>) -> Option<&'a [u8]> {
    let offset = match decode(frame) {
        Decoded::Packet(packet) if packet.tunnel.is_none() => packet.ip_offset,
        Decoded::Fragment(fragment) if fragment.tunnel.is_none() => fragment.ip_offset,
        _ => return None,
    };
    frame.data.get(offset as usize..)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests
    use super::*;
    use crate::evidence::Stamp;

    fn frame(link: u16, data: &[u8]) -> Frame<'_> {
        Frame { stamp: Stamp::default(), link, original_len: data.len() as u32, data }
    }

    #[test]
    fn tags_are_stepped_over_and_the_outermost_is_told() {
        let mut data = vec![0; 12];
        data.extend([0x88, 0xa8, 0x20, 7, 0x81, 0, 0, 8, 8, 0, 0x45, 0]);
        let found = outer(&frame(1, &data)).unwrap();
        assert_eq!((found.vlan, found.packet), (Some(0x2007), &[0x45, 0][..]));
        assert_eq!(found.link.len(), 14);
    }

    #[test]
    fn what_is_no_ip_is_none() {
        let mut arp = vec![0; 12];
        arp.extend([8, 6, 0, 1]);
        assert_eq!(outer(&frame(1, &arp)), None);
        for link in [0, 1, 12, 113, 276, 105, 9] {
            assert_eq!(outer(&frame(link, &[])), None);
        }
        assert_eq!(outer(&frame(101, &[0x75; 40])), None);
    }

    #[test]
    fn cooked_and_raw() {
        let mut cooked = vec![0; 14];
        cooked.extend([0x86, 0xdd, 0x60]);
        assert_eq!(outer(&frame(113, &cooked)).unwrap().packet, &[0x60]);
        assert_eq!(outer(&frame(101, &[0x45, 1])).unwrap().packet, &[0x45, 1]);
    }
}
