//! How the host under test hangs in the network, and so which way a packet takes through it.
//!
//! The ways are those of the contract: in the gateway vantage a packet comes in by the inside interface if its source is
//! within the inside networks, else by the outside one, and leaves by the same test on its destination. In the host
//! vantage the host's own addresses are the end of the way.

use super::skb::Skb;
use super::world::Routes;
use std::net::IpAddr;
use std::sync::Arc;

/// Where the host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vantage {
    /// Between inside and outside: FORWARD.
    #[default]
    Gateway,
    /// It is one of the ends: INPUT and OUTPUT.
    Host,
}

/// The way of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// PREROUTING, FORWARD, POSTROUTING.
    Through {
        /// Interface in.
        from: Arc<str>,
    },
    /// PREROUTING, INPUT.
    In {
        /// Interface in.
        from: Arc<str>,
    },
    /// OUTPUT, POSTROUTING.
    Out,
    /// No host would route it: reason.
    Nowhere(&'static str),
}

/// Vantage and routes.
#[derive(Debug, Clone, Default)]
pub struct Wiring {
    /// Where the host stands.
    pub vantage: Vantage,
    /// Its addresses, networks and interfaces.
    pub routes: Routes,
}

impl Wiring {
    /// The way of a packet as captured.
    pub fn way(&self, skb: &Skb<'_>) -> Way {
        let (src, dst) = (skb.src(), skb.dst());
        if let Some(reason) = unroutable(src, dst) {
            return Way::Nowhere(reason);
        }
        let outside = Arc::clone(&self.routes.outside_if);
        match self.vantage {
            Vantage::Gateway => Way::Through { from: self.interface_to(src) },
            Vantage::Host => match (self.is_local(src), self.is_local(dst)) {
                (true, true) => Way::Nowhere("from the host to itself"),
                (true, false) => Way::Out,
                (false, true) => Way::In { from: outside },
                (false, false) => Way::Through { from: outside },
            },
        }
    }

    /// `true` if the address is the host's own.
    pub fn is_local(&self, address: IpAddr) -> bool {
        self.routes.local.contains(&address)
    }

    /// The interface behind which an address lies.
    pub fn interface_to(&self, address: IpAddr) -> Arc<str> {
        let inside = self.routes.inside.iter().any(|(network, bits)| within(address, *network, *bits));
        let inside = inside && self.vantage == Vantage::Gateway;
        Arc::clone(if inside { &self.routes.inside_if } else { &self.routes.outside_if })
    }
}

/// `true` if an address is in a network.
pub fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let shift = 32u32.saturating_sub(u32::from(bits));
            (u64::from(address.to_bits()) >> shift) == (u64::from(network.to_bits()) >> shift)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let shift = 128u32.saturating_sub(u32::from(bits));
            let cut = |address: u128| address.checked_shr(shift).unwrap_or(0);
            cut(address.to_bits()) == cut(network.to_bits())
        }
        _ => false,
    }
}

/// Why no gateway passes such a packet on: multicast and broadcast, and addresses that do not leave their link.
fn unroutable(src: IpAddr, dst: IpAddr) -> Option<&'static str> {
    if src.is_loopback() || dst.is_loopback() {
        return Some("loopback address");
    }
    if src.is_multicast() || dst.is_multicast() {
        return Some("multicast");
    }
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            (dst.is_broadcast() || src.is_unspecified() || dst.is_unspecified()).then_some("broadcast or zero address")
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let bound = src.is_unicast_link_local() || dst.is_unicast_link_local() || src.is_unspecified();
            bound.then_some("IPv6 link-local or unspecified address")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests
    use super::*;

    fn packet(src: [u8; 4], dst: [u8; 4]) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0];
        bytes.extend(src);
        bytes.extend(dst);
        bytes
    }

    fn way(wiring: &Wiring, src: [u8; 4], dst: [u8; 4]) -> Way {
        let bytes = packet(src, dst);
        wiring.way(&Skb::new(&bytes, &[], 0).unwrap())
    }

    fn wiring(vantage: Vantage) -> Wiring {
        let routes = Routes {
            local: vec!["10.0.0.1".parse().unwrap()],
            inside: vec![("10.0.0.0".parse().unwrap(), 24)],
            inside_if: "eth1".into(),
            outside_if: "eth0".into(),
        };
        Wiring { vantage, routes }
    }

    #[test]
    fn a_gateway_forwards_by_source() {
        let gateway = wiring(Vantage::Gateway);
        assert_eq!(way(&gateway, [10, 0, 0, 7], [10, 9, 9, 9]), Way::Through { from: "eth1".into() });
        assert_eq!(way(&gateway, [10, 9, 9, 9], [10, 0, 0, 1]), Way::Through { from: "eth0".into() });
        assert_eq!(&*gateway.interface_to("10.0.0.200".parse().unwrap()), "eth1");
    }

    #[test]
    fn a_host_is_an_end() {
        let host = wiring(Vantage::Host);
        assert_eq!(way(&host, [10, 0, 0, 1], [10, 9, 9, 9]), Way::Out);
        assert_eq!(way(&host, [10, 9, 9, 9], [10, 0, 0, 1]), Way::In { from: "eth0".into() });
        assert_eq!(way(&host, [10, 9, 9, 9], [10, 9, 9, 8]), Way::Through { from: "eth0".into() });
    }

    #[test]
    fn what_is_not_routed() {
        let gateway = wiring(Vantage::Gateway);
        for dst in [[224, 0, 0, 1], [127, 0, 0, 1], [255, 255, 255, 255], [0, 0, 0, 0]] {
            assert!(matches!(way(&gateway, [10, 0, 0, 7], dst), Way::Nowhere(_)), "{dst:?}");
        }
    }

    #[test]
    fn prefixes_of_any_length() {
        let is = |address: &str, network: &str, bits| within(address.parse().unwrap(), network.parse().unwrap(), bits);
        assert!(is("1.2.3.4", "0.0.0.0", 0) && is("fe80::1", "::", 0));
        assert!(is("1.2.3.4", "1.2.3.4", 32) && !is("1.2.3.5", "1.2.3.4", 32));
        assert!(is("2001:db8::1", "2001:db8::", 64) && !is("2001:db8:0:1::1", "2001:db8::", 64));
        assert!(!is("1.2.3.4", "::", 0));
    }
}
