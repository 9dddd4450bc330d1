//! `numgen` and `jhash`: `nft_numgen.c`, `nft_hash.c`, `include/linux/jhash.h`.

use super::packet::Info;
use crate::replay::skb::Skb;

/// Bob Jenkins' lookup3 as the kernel has it, on a little-endian machine.
pub(super) fn jhash(mut key: &[u8], seed: u32) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(key.len() as u32).wrapping_add(seed);
    let mut state = [start; 3];
    while key.len() > 12 {
        let (block, rest) = key.split_at_checked(12).unwrap_or((key, &[]));
        absorb(&mut state, block);
        mix(&mut state);
        key = rest;
    }
    if !key.is_empty() {
        absorb(&mut state, key);
        finish(&mut state);
    }
    let [_, _, hash] = state;
    hash
}

/// Adds up to 12 bytes, as if followed by zeros.
fn absorb(state: &mut [u32; 3], block: &[u8]) {
    for (word, bytes) in state.iter_mut().zip(block.chunks(4)) {
        let value = bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
        *word = word.wrapping_add(value);
    }
}

/// `__jhash_mix`.
fn mix([a, b, c]: &mut [u32; 3]) {
    *a = a.wrapping_sub(*c) ^ c.rotate_left(4);
    *c = c.wrapping_add(*b);
    *b = b.wrapping_sub(*a) ^ a.rotate_left(6);
    *a = a.wrapping_add(*c);
    *c = c.wrapping_sub(*b) ^ b.rotate_left(8);
    *b = b.wrapping_add(*a);
    *a = a.wrapping_sub(*c) ^ c.rotate_left(16);
    *c = c.wrapping_add(*b);
    *b = b.wrapping_sub(*a) ^ a.rotate_left(19);
    *a = a.wrapping_add(*c);
    *c = c.wrapping_sub(*b) ^ b.rotate_left(4);
    *b = b.wrapping_add(*a);
}

/// `__jhash_final`.
fn finish([a, b, c]: &mut [u32; 3]) {
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(14));
    *a = (*a ^ *c).wrapping_sub(c.rotate_left(11));
    *b = (*b ^ *a).wrapping_sub(a.rotate_left(25));
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(16));
    *a = (*a ^ *c).wrapping_sub(c.rotate_left(4));
    *b = (*b ^ *a).wrapping_sub(a.rotate_left(14));
    *c = (*c ^ *b).wrapping_sub(b.rotate_left(24));
}

/// `reciprocal_scale`: a number below `modulus`.
pub(super) fn scale(hash: u32, modulus: u32) -> u32 {
    (u64::from(hash) * u64::from(modulus) >> 32) as u32
}

/// Stands for `symhash`, whose key the kernel draws at boot: equal for both directions of a flow.
pub(super) fn symmetric(skb: &Skb, info: &Info) -> u32 {
    let mut ends = [(skb.src(), 0_u16), (skb.dst(), 0_u16)];
    let ports = skb.array::<4>(info.transport as usize).filter(|_| info.fragment == 0);
    if let (Some([a, b, c, d]), Some(6 | 17 | 33 | 132)) = (ports, info.protocol) {
        ends = [(skb.src(), u16::from_be_bytes([a, b])), (skb.dst(), u16::from_be_bytes([c, d]))];
    }
    ends.sort_unstable();
    ends.iter().fold(u32::from(info.protocol.unwrap_or(0)), |hash, (addr, port)| {
        let seed = hash ^ u32::from(*port);
        match addr {
            std::net::IpAddr::V4(v4) => jhash(&v4.octets(), seed),
            std::net::IpAddr::V6(v6) => jhash(&v6.octets(), seed),
        }
    })
}

/// Next number of a fixed sequence (SplitMix64), in place of the kernel's random ones.
pub(super) fn random(state: &mut u64) -> u32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ mixed >> 31) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jhash_is_lookup3() {
        // Values of Jenkins' own self-test, whose initial value the kernel takes the same way.
        assert_eq!(jhash(b"", 0), 0xdead_beef);
        assert_eq!(jhash(b"Four score and seven years ago", 0), 0x1777_0551);
        assert_eq!(jhash(b"Four score and seven years ago", 1), 0xcd62_8161);
    }

    #[test]
    fn scaled_numbers_stay_below_the_modulus() {
        assert_eq!(scale(u32::MAX, 4), 3);
        assert_eq!(scale(0x4000_0000, 4), 1);
        assert_eq!(scale(7, 0), 0);
    }
}
