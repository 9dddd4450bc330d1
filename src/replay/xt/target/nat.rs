//! Which addresses SNAT, DNAT, NETMAP, MASQUERADE and REDIRECT ask for (`xt_nat.c`, `xt_NETMAP.c`, `xt_MASQUERADE.c`,
//! `xt_REDIRECT.c`). Connection tracking chooses and rewrites.

use super::super::super::conntrack::{Manip, NatRange};
use super::super::super::skb::{HookContext, Skb};
use crate::ruleset::xt::{self, Range, Target};
use std::net::IpAddr;

/// Other addresses for a connection; connection tracking gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatRequest {
    /// Which side.
    pub manip: Manip,
    /// From which to choose.
    pub range: NatRange,
    /// The range has no addresses: for MASQUERADE it is that of the interface by which the packet leaves, for REDIRECT
    /// that of the interface by which it came, at OUTPUT the loopback address.
    pub own: bool,
}

/// A NAT target made ready.
pub(super) enum PreparedNat {
    Fixed(NatRequest),
    /// The network part of the address becomes another.
    NetMap {
        to: IpAddr,
        prefix: u8,
    },
}

impl PreparedNat {
    pub fn new(target: &Target) -> Option<Self> {
        let by_interface = |ports: &Option<Range<u16>>, random| NatRange {
            ports: ports.map(|ports| (ports.low, ports.high)),
            random,
            ..NatRange::default()
        };
        let (own, manip, range) = match target {
            Target::Snat(range) => (false, Manip::Src, given(range)),
            Target::Dnat(range) => (false, Manip::Dst, given(range)),
            Target::Masquerade { ports, random, random_fully } => {
                (true, Manip::Src, by_interface(ports, *random || *random_fully))
            }
            Target::Redirect { ports, random } => (true, Manip::Dst, by_interface(ports, *random)),
            Target::Netmap { to, prefix } => return Some(Self::NetMap { to: *to, prefix: *prefix }),
            _ => return None,
        };
        Some(Self::Fixed(NatRequest { manip, range, own }))
    }

    pub fn request(&self, skb: &Skb<'_>, hook: &HookContext) -> NatRequest {
        match self {
            Self::Fixed(request) => request.clone(),
            Self::NetMap { to, prefix } => {
                let manip = Manip::of(hook.hook);
                let from = if manip == Manip::Src { skb.src() } else { skb.dst() };
                let address = mapped(from, *to, *prefix);
                let range = NatRange { addresses: Some((address, address)), ..NatRange::default() };
                NatRequest { manip, range, own: false }
            }
        }
    }
}

fn given(range: &xt::NatRange) -> NatRange {
    NatRange {
        addresses: range.addresses.map(|addresses| (addresses.low, addresses.high)),
        ports: range.ports.map(|ports| (ports.low, ports.high)),
        port_base: range.port_base,
        random: range.random || range.random_fully,
        persistent: range.persistent,
    }
}

/// The network of one address with the rest of another.
fn mapped(from: IpAddr, net: IpAddr, prefix: u8) -> IpAddr {
    match (from, net) {
        (IpAddr::V4(from), IpAddr::V4(net)) => {
            let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            IpAddr::V4((u32::from(from) & host | u32::from(net) & !host).into())
        }
        (IpAddr::V6(from), IpAddr::V6(net)) => {
            let host = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
            IpAddr::V6((u128::from(from) & host | u128::from(net) & !host).into())
        }
        _ => from,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn only_the_network_is_mapped() {
        let map =
            |from: &str, net: &str, prefix| mapped(from.parse().unwrap(), net.parse().unwrap(), prefix).to_string();
        assert_eq!(map("10.1.2.3", "192.168.0.0", 16), "192.168.2.3");
        assert_eq!(map("10.1.2.3", "192.168.0.1", 32), "192.168.0.1");
        assert_eq!(map("2001:db8::5", "fd00::", 64), "fd00::5");
    }
}
