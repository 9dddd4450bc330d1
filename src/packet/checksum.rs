//! The Internet checksum (RFC 1071), over words as wide as the machine adds them.

use std::net::IpAddr;

/// Running sum of 16-bit words in the machine's byte order: the sum does not depend on it (RFC 1071, section 2 B),
/// and all of it is undone by comparing the end with all ones.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum(u64);

impl Sum {
    /// Adds bytes that begin at an even place of what is summed.
    #[inline]
    pub fn add(self, bytes: &[u8]) -> Self {
        // 32-bit words in 64-bit sums cannot overflow below 16 GiB, and compilers turn this loop into vector adds.
        let (words, rest) = bytes.as_chunks::<4>();
        let sum = words.iter().fold(self.0, |sum, word| sum + u64::from(u32::from_ne_bytes(*word)));
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        Self(sum + u64::from(u32::from_ne_bytes(last)))
    }

    /// Adds the pseudo-header that transports are summed with (RFC 9293, RFC 8200 section 8.1).
    #[inline]
    pub fn add_pseudo_header(self, src: IpAddr, dst: IpAddr, protocol: u8, len: usize) -> Self {
        let sum = match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.add(&src.octets()).add(&dst.octets()),
            (IpAddr::V6(src), IpAddr::V6(dst)) => self.add(&src.octets()).add(&dst.octets()),
            _ => self,
        };
        sum.add(&(len as u32).to_be_bytes()).add(&[0, protocol])
    }

    /// The sum in 16 bits, in the machine's byte order.
    #[inline]
    fn folded(self) -> u16 {
        let sum = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        let sum = (sum >> 32) + (sum & 0xffff_ffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        ((sum >> 16) + (sum & 0xffff)) as u16
    }

    /// `true` if what was summed holds its right checksum.
    #[inline]
    pub fn is_right(self) -> bool {
        self.folded() == 0xffff
    }

    /// The checksum to write, as on the wire, if its field was zero in what was summed.
    pub fn checksum(self) -> [u8; 2] {
        (!self.folded()).to_ne_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071 as it is written: 16-bit words, big-endian, end-around carry.
    fn plainly(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            let word = u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]);
            sum += u32::from(word);
            sum = (sum >> 16) + (sum & 0xffff);
        }
        !(sum as u16)
    }

    #[test]
    fn a_known_header_is_right() {
        let header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8,
            0x00, 0xc7,
        ];
        assert!(Sum::default().add(&header).is_right());
        let mut without = header;
        without[10..12].fill(0);
        assert_eq!(Sum::default().add(&without).checksum(), [0xb8, 0x61]);
        assert!(!Sum::default().add(&without).is_right());
    }

    proptest! {
        #[test]
        fn wide_words_sum_as_narrow_ones(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(u16::from_be_bytes(Sum::default().add(&bytes).checksum()), plainly(&bytes));
        }
    }
}
