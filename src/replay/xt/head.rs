//! `ip_packet_match` and `ip6_packet_match`: the part of a rule that is compared before any extension.

use crate::replay::skb::{HookContext, Skb};
use crate::ruleset::xt::{Head, IfName, Inv, Masked};
use std::net::IpAddr;

/// Comparison of an address: value and mask as numbers, IPv4 in the low half.
#[derive(Debug, Clone, Copy)]
struct Address {
    value: u128,
    mask: u128,
    not: bool,
    v6: bool,
}

/// A head made ready.
pub(super) struct PreparedHead {
    src: Option<Address>,
    dst: Option<Address>,
    in_if: Option<Inv<IfName>>,
    out_if: Option<Inv<IfName>>,
    protocol: Option<Inv<u8>>,
    fragment: Option<bool>,
}

impl PreparedHead {
    pub(super) fn new(head: &Head) -> Self {
        Self {
            src: head.src.as_ref().map(Address::new),
            dst: head.dst.as_ref().map(Address::new),
            in_if: head.in_if.clone(),
            out_if: head.out_if.clone(),
            protocol: head.protocol,
            fragment: head.fragment.map(|fragment| !fragment.not),
        }
    }

    #[inline]
    pub(super) fn matches(&self, skb: &Skb<'_>, hook: &HookContext) -> bool {
        self.protocol.is_none_or(|wanted| skb.headers.protocol.is_some_and(|is| (is == wanted.value) != wanted.not))
            && self.src.is_none_or(|wanted| wanted.fits(skb, 12, 8))
            && self.dst.is_none_or(|wanted| wanted.fits(skb, 16, 24))
            && self.in_if.as_ref().is_none_or(|wanted| wanted.value.fits(hook.in_if.as_deref()) != wanted.not)
            && self.out_if.as_ref().is_none_or(|wanted| wanted.value.fits(hook.out_if.as_deref()) != wanted.not)
            && self.fragment.is_none_or(|wanted| (skb.headers.fragment_offset > 0) == wanted)
    }
}

impl Address {
    fn new(wanted: &Inv<Masked>) -> Self {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let mask = bits(wanted.value.mask);
        Self { value: bits(wanted.value.addr) & mask, mask, not: wanted.not, v6: wanted.value.addr.is_ipv6() }
    }

    /// Compares the address at an offset of the IPv4 or IPv6 header.
    #[inline]
    fn fits(self, skb: &Skb<'_>, at_v4: usize, at_v6: usize) -> bool {
        let address = match (self.v6, skb.is_v6()) {
            (false, false) => skb.array::<4>(at_v4).map(|bytes| u128::from(u32::from_be_bytes(bytes))),
            (true, true) => skb.array::<16>(at_v6).map(u128::from_be_bytes),
            _ => None,
        };
        address.is_some_and(|address| (address & self.mask == self.value) != self.not)
    }
}
