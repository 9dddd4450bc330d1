//! What a node shows of its cookie in a handshake: MD5(cookie ++ decimal challenge) (erts "Distribution Protocol", 13.2).
//! Who has challenge and digest can try words without asking anyone.

use super::lanes;
use crate::protocol::erldist::Handshake;
use md5::{Digest, Md5};

/// A challenge and the digest that answered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    challenge: u32,
    digest: [u8; 16],
}

impl Proof {
    /// What the initiator proved or, where that was not captured, the acceptor.
    pub fn of(handshake: &Handshake) -> Option<Self> {
        let (challenge, digest) = handshake.initiator_proof.or(handshake.acceptor_proof)?;
        Some(Self { challenge, digest })
    }

    /// `true` if this is the cookie behind the digest.
    pub fn fits(&self, cookie: &str) -> bool {
        let mut decimal = [0; 10];
        let decimal = write_decimal(self.challenge, &mut decimal);
        Md5::new().chain_update(cookie.as_bytes()).chain_update(decimal).finalize().as_slice() == self.digest
    }

    /// The first of many words that fits.
    pub fn first_of<'a>(&self, words: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
        let mut decimal = [0; 10];
        let decimal = write_decimal(self.challenge, &mut decimal);
        let fits =
            |word: &[u8]| Md5::new().chain_update(word).chain_update(decimal).finalize().as_slice() == self.digest;
        lanes::find_first(words, decimal, &self.digest, fits)
    }
}

/// A number in decimal, without allocation.
fn write_decimal(mut number: u32, buffer: &mut [u8; 10]) -> &[u8] {
    let mut start = buffer.len();
    for (place, digit) in buffer.iter_mut().enumerate().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        start = place;
        if number == 0 {
            break;
        }
    }
    buffer.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_a_real_handshake() {
        // OTP 25: challenge 1206235133 answered with the cookie "secret"
        let digest = 0xe070_00b1_ece0_8d0a_1dc7_02e6_a85e_f5d7_u128.to_be_bytes();
        let proof = Proof { challenge: 1_206_235_133, digest };
        assert!(proof.fits("secret"));
        assert!(!proof.fits("Secret"));
        assert_eq!(proof.first_of([&b"Secret"[..], b"secret"].into_iter()), Some(&b"secret"[..]));
    }

    #[test]
    fn challenges_are_decimal_without_padding() {
        for number in [0, 7, 10, 8_870_383, u32::MAX] {
            assert_eq!(write_decimal(number, &mut [0; 10]), number.to_string().as_bytes());
        }
    }
}
