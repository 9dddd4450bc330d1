//! Changing the TCP header: TCPMSS (`xt_TCPMSS.c`), TCPOPTSTRIP (`xt_TCPOPTSTRIP.c`), ECN (`ipt_ECN.c`).

use super::super::super::skb::Skb;
use super::super::Backend;
use super::super::view::View;
use super::Act;
use super::header::{checksum, replace};
use crate::ruleset::xt::Target;

/// `TCPOPT_NOP`, `TCPOPT_MSS`, and the length of the latter.
const NOP: u8 = 1;
const MSS: u8 = 2;
const MSS_LEN: usize = 4;

/// MTU of the wires around the replayed host, which `--clamp-mss-to-pmtu` goes by.
const MTU: u16 = 1500;

/// A change of the TCP header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentChange {
    /// Lower the maximum segment size; `None` for what fits the MTU.
    Mss(Option<u16>),
    /// Overwrite options of these kinds.
    Strip(Box<[u8]>),
    /// Clear ECE and CWR.
    ClearEcn,
}

impl SegmentChange {
    pub fn new(target: &Target) -> Option<Self> {
        Some(match target {
            Target::TcpMss { mss } => Self::Mss(*mss),
            Target::TcpOptStrip { options } => Self::Strip(options.as_slice().into()),
            Target::Ecn { remove: true } => Self::ClearEcn,
            _ => return None,
        })
    }

    /// A segment whose header is not whole is dropped.
    pub fn act(&self, skb: &mut Skb<'_>) -> Act {
        let view = View::of(skb, Backend::Legacy);
        let at = view.transport;
        let done = match self {
            _ if view.protocol != Some(6) => Some(()),
            Self::ClearEcn => clear_ecn(skb, at),
            _ if view.is_later_fragment() => Some(()),
            Self::Mss(mss) => set_mss(skb, at, *mss),
            Self::Strip(kinds) => strip(skb, at, kinds),
        };
        if done.is_some() { Act::Continue } else { Act::Drop }
    }
}

/// Bytes of the header, if they are all there.
fn header_len(skb: &Skb<'_>, at: usize) -> Option<usize> {
    let [.., offset, _, _, _, _, _, _, _] = skb.array::<20>(at)?;
    let len = usize::from(offset >> 4) * 4;
    (len >= 20 && skb.at(at, len).is_some()).then_some(len)
}

fn clear_ecn(skb: &mut Skb<'_>, at: usize) -> Option<()> {
    skb.at(at, 20)?;
    let word = u16::from_be_bytes(skb.array(at + 12)?);
    replace(skb, at + 12, word & !0x00c0, Some(at + 16));
    Some(())
}

/// Each option's place and length, as far as they lie within the header.
fn options(skb: &Skb<'_>, at: usize, len: usize) -> Vec<(usize, usize, u8)> {
    let mut found = Vec::new();
    let mut place = at + 20;
    while place + 1 < at + len {
        let [kind, told] = skb.array::<2>(place).unwrap_or_default();
        let step = if kind <= NOP || told == 0 { 1 } else { usize::from(told) };
        found.push((place, step, kind));
        place += step;
    }
    found
}

/// `tcpmss_mangle_packet`.
fn set_mss(skb: &mut Skb<'_>, at: usize, mss: Option<u16>) -> Option<()> {
    let len = header_len(skb, at)?;
    let fixed = if skb.is_v6() { 60 } else { 40 };
    let new = mss.unwrap_or(MTU - fixed);
    for (place, step, kind) in options(skb, at, len) {
        if kind == MSS && step == MSS_LEN && place + MSS_LEN <= at + len {
            let old = u16::from_be_bytes(skb.array(place + 2)?);
            if old > new {
                write(skb, at, place + 2, &new.to_be_bytes());
            }
            return Some(());
        }
    }
    let has_data = skb.len as usize > at + len;
    if has_data || len >= 60 {
        return Some(());
    }
    let default = if skb.is_v6() { 1220 } else { 536 };
    insert_mss(skb, at, len, new.min(default))
}

/// Puts the option in front of the others; the packet grows.
fn insert_mss(skb: &mut Skb<'_>, at: usize, len: usize, mss: u16) -> Option<()> {
    let [high, low] = mss.to_be_bytes();
    let bytes = skb.bytes.to_mut();
    bytes.splice(at + 20..at + 20, [MSS, 4, high, low]);
    *bytes.get_mut(at + 12)? += 0x10;
    skb.len += 4;
    let place = if skb.is_v6() { 4 } else { 2 };
    let told = u16::from_be_bytes(skb.array(place)?);
    replace(skb, place, told.wrapping_add(4), (!skb.is_v6()).then_some(10));
    let (addresses, pseudo_len) = (if skb.is_v6() { 8..40 } else { 12..20 }, u16::try_from(len + 4).ok()?);
    let bytes = skb.bytes.to_mut();
    bytes.get_mut(at + 16..at + 18)?.fill(0);
    let pseudo = [&[0, 6][..], &pseudo_len.to_be_bytes()].concat();
    let sum = checksum(&[bytes.get(addresses)?, &pseudo, bytes.get(at..at + len + 4)?]);
    bytes.get_mut(at + 16..at + 18)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

/// `tcpoptstrip_mangle_packet`.
fn strip(skb: &mut Skb<'_>, at: usize, kinds: &[u8]) -> Option<()> {
    let len = header_len(skb, at)?;
    for (place, step, kind) in options(skb, at, len) {
        if place + step > at + len {
            break;
        }
        if kinds.contains(&kind) {
            write(skb, at, place, &vec![NOP; step]);
        }
    }
    Some(())
}

/// Overwrites bytes of the segment that begins at `at`, and mends its checksum.
fn write(skb: &mut Skb<'_>, at: usize, place: usize, new: &[u8]) {
    for (place, byte) in (place..).zip(new) {
        let is_high = (place - at).is_multiple_of(2);
        let word = if is_high { place } else { place - 1 };
        let Some([high, low]) = skb.array::<2>(word) else { continue };
        let new = if is_high { [*byte, low] } else { [high, *byte] };
        replace(skb, word, u16::from_be_bytes(new), Some(at + 16));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    /// A SYN with these options, checksums right.
    fn syn(options: &[u8], data: &[u8]) -> Vec<u8> {
        let header = 20 + options.len();
        let len = u16::try_from(20 + header + data.len()).unwrap().to_be_bytes();
        let mut packet = vec![0x45, 0, len[0], len[1], 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([
            0x13,
            0x88,
            0x14,
            0x66,
            0,
            0,
            0,
            1,
            0,
            0,
            0,
            0,
            (header as u8) << 2,
            0xc2,
            0xff,
            0xff,
            0,
            0,
            0,
            0,
        ]);
        packet.extend(options);
        packet.extend(data);
        let sum = checksum(&[&packet[..20]]).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        let sum = segment_sum(&packet).to_be_bytes();
        packet[36..38].copy_from_slice(&sum);
        packet
    }

    fn segment_sum(packet: &[u8]) -> u16 {
        let len = u16::try_from(packet.len() - 20).unwrap().to_be_bytes();
        checksum(&[&packet[12..20], &[0, 6], &len, &packet[20..]])
    }

    fn changed(packet: &[u8], change: SegmentChange) -> Vec<u8> {
        let mut skb = Skb::new(packet, &[], 0).unwrap();
        assert_eq!(change.act(&mut skb), Act::Continue);
        assert_eq!(skb.len as usize, skb.bytes.len());
        assert_eq!(Skb::new(&skb.bytes, &[], 0).unwrap().len, skb.len);
        assert_eq!(checksum(&[&skb.bytes[..20]]), 0);
        assert_eq!(segment_sum(&skb.bytes), 0);
        skb.bytes.into_owned()
    }

    #[test]
    fn a_segment_size_only_shrinks() {
        let packet = syn(&[1, 2, 4, 5, 180, 1, 1, 1], &[]);
        assert_eq!(changed(&packet, SegmentChange::Mss(Some(1200)))[43..45], 1200_u16.to_be_bytes());
        assert_eq!(changed(&packet, SegmentChange::Mss(Some(1461))), packet);
        assert_eq!(changed(&packet, SegmentChange::Mss(None)), packet);
    }

    #[test]
    fn a_missing_segment_size_is_put_in_unless_there_is_data() {
        let packet = changed(&syn(&[1, 1, 1, 1], &[]), SegmentChange::Mss(Some(1200)));
        assert_eq!(packet[40..], [2, 4, 2, 24, 1, 1, 1, 1]);
        let with_data = syn(&[], b"data");
        assert_eq!(changed(&with_data, SegmentChange::Mss(Some(1200))), with_data);
    }

    #[test]
    fn options_are_stripped() {
        let packet = syn(&[2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8], &[]);
        let stripped = changed(&packet, SegmentChange::Strip(Box::new([4, 8])));
        assert_eq!(stripped[40..], [2, 4, 5, 180, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn congestion_bits_are_cleared() {
        assert_eq!(changed(&syn(&[], &[]), SegmentChange::ClearEcn)[33], 2);
    }

    #[test]
    fn a_cut_header_is_dropped() {
        let packet = syn(&[2, 4, 5, 180], &[]);
        let mut skb = Skb::new(&packet[..42], &[], 0).unwrap();
        assert_eq!(SegmentChange::Mss(Some(1200)).act(&mut skb), Act::Drop);
    }
}
