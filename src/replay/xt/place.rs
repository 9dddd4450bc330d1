//! Where a packet comes from and goes to, beyond plain addresses: `xt_addrtype.c`, `xt_iprange.c`, `xt_mac.c`,
//! `xt_pkttype.c`, `ipt_rpfilter.c`.

use crate::replay::skb::{HookContext, Skb};
use crate::replay::wiring::within;
use crate::replay::world::World;
use crate::ruleset::xt::{Inv, Masked, Range};
use std::net::IpAddr;
use std::sync::Arc;

/// Kinds of addresses (`RTN_*`).
mod kind {
    pub const UNSPEC: u16 = 0;
    pub const UNICAST: u16 = 1;
    pub const LOCAL: u16 = 2;
    pub const BROADCAST: u16 = 3;
    pub const MULTICAST: u16 = 5;
}

/// `true` if an address is in a network with a mask of any shape.
pub(super) fn is_within(address: IpAddr, network: &Masked) -> bool {
    match (address, network.addr, network.mask) {
        (IpAddr::V4(is), IpAddr::V4(wanted), IpAddr::V4(mask)) => {
            is.to_bits() & mask.to_bits() == wanted.to_bits() & mask.to_bits()
        }
        (IpAddr::V6(is), IpAddr::V6(wanted), IpAddr::V6(mask)) => {
            is.to_bits() & mask.to_bits() == wanted.to_bits() & mask.to_bits()
        }
        _ => false,
    }
}

/// `inet_addr_type` of a host with these addresses and a default route.
fn kind_of(address: IpAddr, world: &World<'_>) -> u16 {
    if address.is_multicast() {
        return kind::MULTICAST;
    }
    if address.is_loopback() || world.routes.local.contains(&address) {
        return kind::LOCAL;
    }
    match address {
        IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.is_broadcast() => kind::BROADCAST,
        IpAddr::V6(v6) if v6.is_unspecified() => kind::UNSPEC,
        _ => kind::UNICAST,
    }
}

/// `-m addrtype`.
pub(super) fn addr_type(src: Option<&Inv<u16>>, dst: Option<&Inv<u16>>, skb: &Skb<'_>, world: &World<'_>) -> bool {
    let fits = |wanted: Option<&Inv<u16>>, address: IpAddr| {
        wanted.is_none_or(|wanted| (wanted.value & (1 << kind_of(address, world)) != 0) != wanted.not)
    };
    fits(src, skb.src()) && fits(dst, skb.dst())
}

/// `-m iprange`.
pub(super) fn ip_range(src: Option<&Inv<Range<IpAddr>>>, dst: Option<&Inv<Range<IpAddr>>>, skb: &Skb<'_>) -> bool {
    let fits = |wanted: Option<&Inv<Range<IpAddr>>>, address: IpAddr| {
        wanted.is_none_or(|wanted| (wanted.value.low <= address && address <= wanted.value.high) != wanted.not)
    };
    fits(src, skb.src()) && fits(dst, skb.dst())
}

/// `-m mac`. Without an Ethernet header nothing matches.
pub(super) fn mac(wanted: &Inv<[u8; 6]>, skb: &Skb<'_>) -> bool {
    let source = skb.link.get(6..12).filter(|_| skb.link.len() >= 14);
    source.is_some_and(|source| (source == wanted.value) != wanted.not)
}

/// `-m pkttype`: a gateway gets what is addressed to it, so unicast is "host".
pub(super) fn packet_type(wanted: &Inv<u8>, skb: &Skb<'_>) -> bool {
    const HOST: u8 = 0;
    const BROADCAST: u8 = 1;
    const MULTICAST: u8 = 2;
    let is = match skb.link.get(..6) {
        Some([255, 255, 255, 255, 255, 255]) => BROADCAST,
        Some([first, ..]) if first & 1 != 0 => MULTICAST,
        _ => HOST,
    };
    (is == wanted.value) != wanted.not
}

/// `-m rpfilter`: an answer to the source would leave by the interface that the packet came in by.
pub(super) fn reverse_path(loose: bool, invert: bool, skb: &Skb<'_>, hook: &HookContext, world: &World<'_>) -> bool {
    let source = skb.src();
    let back = if world.routes.inside.iter().any(|(network, bits)| within(source, *network, *bits)) {
        &world.routes.inside_if
    } else {
        &world.routes.outside_if
    };
    let is_local = kind_of(source, world) == kind::LOCAL;
    let routable = !source.is_multicast() && !source.is_unspecified() && !is_local;
    let passes = routable && (loose || hook.in_if.as_ref().is_some_and(|name| Arc::as_ref(name) == &**back));
    passes != invert
}
