//! Changing fields of the IP header: DSCP, TOS (`xt_DSCP.c`), TTL, HL (`xt_HL.c`).

use super::super::super::skb::Skb;
use crate::ruleset::xt::{Target, TtlChange};

/// A change of the IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderChange {
    /// Type of service or traffic class: `(field & keep) ^ value`.
    Class { keep: u8, value: u8 },
    /// TTL or hop limit.
    Ttl { op: TtlChange, value: u8 },
}

impl HeaderChange {
    pub fn new(target: &Target) -> Option<Self> {
        Some(match target {
            Target::Dscp { value } => Self::Class { keep: 3, value: value << 2 },
            Target::Tos { value, mask } => Self::Class { keep: !mask, value: *value },
            Target::Ttl { op, value } => Self::Ttl { op: *op, value: *value },
            _ => return None,
        })
    }

    pub fn act(self, skb: &mut Skb<'_>) {
        let v6 = skb.is_v6();
        match self {
            Self::Class { keep, value } => {
                let word = skb.array(0).map_or(0, u16::from_be_bytes);
                let shift = if v6 { 4 } else { 0 };
                let new = (word & !(0xff << shift)) | u16::from((((word >> shift) as u8) & keep) ^ value) << shift;
                replace(skb, 0, new, (!v6).then_some(10));
            }
            Self::Ttl { op, value } => {
                let old = skb.ttl();
                let new = match op {
                    TtlChange::Set => value,
                    TtlChange::Inc => old.saturating_add(value),
                    TtlChange::Dec => old.saturating_sub(value),
                };
                let low = skb.byte(if v6 { 6 } else { 9 }).unwrap_or_default();
                if v6 {
                    replace(skb, 6, u16::from_be_bytes([low, new]), None);
                } else {
                    replace(skb, 8, u16::from_be_bytes([new, low]), Some(10));
                }
            }
        }
    }
}

/// Writes a word, and mends the checksum over it that stands elsewhere (RFC 1624).
pub(super) fn replace(skb: &mut Skb<'_>, at: usize, new: u16, checksum: Option<usize>) {
    let Some(old) = skb.array(at).map(u16::from_be_bytes).filter(|old| *old != new) else { return };
    put(skb, at, new);
    let Some((place, sum)) = checksum.and_then(|place| Some((place, skb.array(place).map(u16::from_be_bytes)?))) else {
        return;
    };
    put(skb, place, mended(sum, old, new));
}

fn put(skb: &mut Skb<'_>, at: usize, word: u16) {
    if let Some(place) = skb.bytes.to_mut().get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = word.to_be_bytes();
    }
}

/// A checksum after one of the words under it has changed.
pub(super) fn mended(sum: u16, old: u16, new: u16) -> u16 {
    let total = u32::from(!sum) + u32::from(!old) + u32::from(new);
    let folded = (total & 0xffff) + (total >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// The Internet checksum of some bytes, to which others may be added first.
pub(super) fn checksum(parts: &[&[u8]]) -> u16 {
    let mut total = 0_u64;
    for part in parts {
        for pair in part.chunks(2) {
            let high = pair.first().copied().unwrap_or(0);
            let low = pair.get(1).copied().unwrap_or(0);
            total += u64::from(u16::from_be_bytes([high, low]));
        }
    }
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    fn v4() -> Vec<u8> {
        let mut packet = vec![0x45, 0x10, 0, 20, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        let sum = checksum(&[&packet]).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        packet
    }

    fn changed(packet: &[u8], target: &Target) -> Vec<u8> {
        let mut skb = Skb::new(packet, &[], 0).unwrap();
        HeaderChange::new(target).unwrap().act(&mut skb);
        skb.bytes.into_owned()
    }

    #[test]
    fn checksums_stay_right() {
        for target in [
            Target::Dscp { value: 46 },
            Target::Tos { value: 8, mask: 0xff },
            Target::Ttl { op: TtlChange::Dec, value: 1 },
        ] {
            let packet = changed(&v4(), &target);
            assert_ne!(packet, v4());
            assert_eq!(checksum(&[&packet]), 0, "{target:?}");
        }
    }

    #[test]
    fn only_the_field_is_changed() {
        assert_eq!(changed(&v4(), &Target::Dscp { value: 46 })[1], 46 << 2);
        assert_eq!(changed(&v4(), &Target::Tos { value: 0x04, mask: 0x0c })[1], 0x14);
        assert_eq!(changed(&v4(), &Target::Ttl { op: TtlChange::Dec, value: 100 })[8], 0);
        assert_eq!(changed(&v4(), &Target::Ttl { op: TtlChange::Inc, value: 200 })[8], 255);
        let mut v6 = [&[0x60, 0x12, 0x34, 0x56, 0, 4, 59, 64][..], &[1; 36]].concat();
        let packet = changed(&v6, &Target::Tos { value: 0xb8, mask: 0xff });
        assert_eq!(packet[..4], [0x6b, 0x82, 0x34, 0x56]);
        v6[7] = 9;
        assert_eq!(changed(&packet, &Target::Ttl { op: TtlChange::Set, value: 9 })[7], 9);
    }
}
