//! Checksums of transports, to verify and to mend.

use super::Seen;
use super::settings::{Checksums, Settings};
use super::tuple::protocol;
use crate::packet::checksum::Sum;

impl Seen<'_> {
    /// `true` if the settings do not ask, the capture holds only a part, or the checksum is right.
    pub(super) fn checksum_is_right(&self, settings: &Settings) -> bool {
        let asked = match (settings.checksums, self.protocol) {
            (Checksums::Ignored, _) => false,
            (Checksums::Assumed, protocol) => matches!(protocol, protocol::SCTP | protocol::UDPLITE),
            (Checksums::Verified, _) => true,
        };
        let is_whole = self.payload.len() == self.len as usize;
        if !asked || !self.arriving || !is_whole {
            return true;
        }
        let sum = Sum::default();
        match self.protocol {
            protocol::ICMP => sum.add(self.payload).is_right(),
            protocol::SCTP => sctp_is_right(self.payload),
            protocol::UDPLITE => self.udplite_is_right(),
            protocol => {
                sum.add_pseudo_header(self.src, self.dst, protocol, self.payload.len()).add(self.payload).is_right()
            }
        }
    }

    fn udplite_is_right(&self) -> bool {
        let Some([_, _, _, _, high, low, ..]) = self.payload.first_chunk::<8>() else { return false };
        let covered = match usize::from(u16::from_be_bytes([*high, *low])) {
            0 => self.payload.len(),
            covered => covered,
        };
        let Some(data) = self.payload.get(..covered) else { return false };
        // The kernel takes UDP's number into the pseudo-header, not UDP-Lite's (RFC 3828): right ones are wrong to it.
        let pseudo = Sum::default().add_pseudo_header(self.src, self.dst, protocol::UDP, self.payload.len());
        pseudo.add(data).is_right()
    }
}

fn sctp_is_right(payload: &[u8]) -> bool {
    payload.get(8..12).is_some_and(|written| sctp_sum(payload).is_some_and(|sum| sum == *written))
}

/// CRC32c over a packet as if its checksum field were 0 (RFC 9260, appendix A).
pub(super) fn sctp_sum(payload: &[u8]) -> Option<[u8; 4]> {
    let (head, rest) = payload.split_first_chunk::<12>()?;
    let (ports_and_tag, _) = head.split_at(8);
    let zero = [0; 4];
    let bytes = ports_and_tag.iter().chain(&zero).chain(rest);
    let crc = bytes.fold(u32::MAX, |crc, byte| {
        let index = (crc ^ u32::from(*byte)) & 0xff;
        (crc >> 8) ^ CRC32C.get(index as usize).copied().unwrap_or_default()
    });
    Some((!crc).to_le_bytes())
}

/// Remainders of all bytes for the Castagnoli polynomial, reflected.
const CRC32C: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// Mends a checksum for bytes that changed under it (RFC 1624): both of even length, at even places.
pub(super) fn mended(sum: [u8; 2], old: &[u8], new: &[u8]) -> [u8; 2] {
    let words = |bytes: &[u8]| -> u32 {
        bytes.as_chunks::<2>().0.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum()
    };
    let gone: u32 = old.as_chunks::<2>().0.iter().map(|word| u32::from(!u16::from_be_bytes(*word))).sum();
    let mut total = u32::from(!u16::from_be_bytes(sum)) + gone + words(new);
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    (!(total as u16)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn crc_of_rfc_3720() {
        let bytes: Vec<u8> = (0..32).collect();
        let crc =
            !bytes.iter().fold(u32::MAX, |crc, byte| (crc >> 8) ^ CRC32C[((crc ^ u32::from(*byte)) & 0xff) as usize]);
        assert_eq!(crc, 0x46dd_794e);
    }

    proptest! {
        #[test]
        fn mended_sums_are_those_computed_anew(mut bytes: [u8; 20], new: [u8; 4]) {
            bytes[10..12].fill(0);
            let before = Sum::default().add(&bytes).checksum();
            let old: [u8; 4] = bytes[12..16].try_into().unwrap_or_default();
            bytes[12..16].copy_from_slice(&new);
            bytes[10..12].copy_from_slice(&mended(before, &old, &new));
            prop_assert!(Sum::default().add(&bytes).is_right());
        }
    }
}
