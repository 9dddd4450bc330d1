//! `numgen` and `jhash`: `nft_numgen.c`, `nft_hash.c`.

use super::packet::Info;
use crate::replay::jhash;
use crate::replay::skb::Skb;

/// `reciprocal_scale`: a number below `modulus`.
pub(super) fn scale(hash: u32, modulus: u32) -> u32 {
    ((u64::from(hash) * u64::from(modulus)) >> 32) as u32
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
            std::net::IpAddr::V4(v4) => jhash::bytes(&v4.octets(), seed),
            std::net::IpAddr::V6(v6) => jhash::bytes(&v6.octets(), seed),
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
    fn scaled_numbers_stay_below_the_modulus() {
        assert_eq!(scale(u32::MAX, 4), 3);
        assert_eq!(scale(0x4000_0000, 4), 1);
        assert_eq!(scale(7, 0), 0);
    }
}
