//! What routes say of addresses: `xt_addrtype.c`, `ipt_rpfilter.c`, `ip6t_rpfilter.c`.

use super::super::super::skb::{HookContext, Skb};
use super::super::super::world::Routes;
use crate::ruleset::xt::Inv;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `XT_ADDRTYPE_*`: bit n stands for `RTN_*` number n.
mod kind {
    pub const UNSPEC: u16 = 1;
    pub const UNICAST: u16 = 1 << 1;
    pub const LOCAL: u16 = 1 << 2;
    pub const BROADCAST: u16 = 1 << 3;
    pub const ANYCAST: u16 = 1 << 4;
    pub const MULTICAST: u16 = 1 << 5;
    pub const UNREACHABLE: u16 = 1 << 7;
}

/// `-m addrtype`.
#[derive(Debug, Clone, Copy)]
pub struct AddrType {
    pub src: Option<Inv<u16>>,
    pub dst: Option<Inv<u16>>,
    pub limit_in: bool,
    pub limit_out: bool,
}

impl AddrType {
    /// `addrtype_mt_v1`.
    pub fn fits(&self, skb: &Skb<'_>, hook: &HookContext, routes: &Routes) -> bool {
        let device = match (self.limit_in, self.limit_out) {
            (true, _) => hook.in_if.as_deref(),
            (_, true) => hook.out_if.as_deref(),
            _ => None,
        };
        let fits = |wanted: Option<Inv<u16>>, addr: IpAddr| {
            wanted.is_none_or(|wanted| {
                let is_so = match addr {
                    IpAddr::V4(addr) => of_v4(addr, device, hook, routes) & wanted.value != 0,
                    IpAddr::V6(addr) => is_of_v6(addr, wanted.value, device, hook, routes),
                };
                is_so != wanted.not
            })
        };
        fits(self.src, skb.src()) && fits(self.dst, skb.dst())
    }
}

/// A local address, and on this device if one is asked for.
fn is_local(addr: IpAddr, device: Option<&str>, hook: &HookContext, routes: &Routes) -> bool {
    routes.is_local_at(addr, hook) && device.is_none_or(|device| holder(addr, routes) == device)
}

/// The interface that has a local address: nobody says which, so the one by which its neighbours are reached.
fn holder(addr: IpAddr, routes: &Routes) -> &str {
    if addr.is_loopback() { "lo" } else { routes.interface_to(addr) }
}

/// `inet_dev_addr_type`.
fn of_v4(addr: Ipv4Addr, device: Option<&str>, hook: &HookContext, routes: &Routes) -> u16 {
    if addr.octets().first() == Some(&0) || addr.is_broadcast() {
        return kind::BROADCAST;
    }
    if addr.is_multicast() {
        return kind::MULTICAST;
    }
    if is_local(addr.into(), device, hook, routes) { kind::LOCAL } else { kind::UNICAST }
}

/// `match_type6`: unlike IPv4, every bit that is asked for must hold, but for the three that a route answers.
fn is_of_v6(addr: Ipv6Addr, wanted: u16, device: Option<&str>, hook: &HookContext, routes: &Routes) -> bool {
    let asks = |bit| wanted & bit != 0;
    let multicast = addr.is_multicast();
    if (asks(kind::MULTICAST) && !multicast)
        || (asks(kind::UNICAST) && (multicast || addr.is_unspecified()))
        || (asks(kind::UNSPEC) && !addr.is_unspecified())
    {
        return false;
    }
    if !asks(kind::LOCAL | kind::ANYCAST | kind::UNREACHABLE) {
        return true;
    }
    asks(kind::LOCAL) && is_local(addr.into(), device, hook, routes)
}

/// `-m rpfilter`.
#[derive(Debug, Clone, Copy)]
pub struct RpFilter {
    pub loose: bool,
    pub accept_local: bool,
    pub not: bool,
}

impl RpFilter {
    /// `rpfilter_mt`: would an answer leave by the interface that the packet came in by?
    pub fn fits(&self, skb: &Skb<'_>, hook: &HookContext, routes: &Routes) -> bool {
        let device = hook.in_if.as_deref().unwrap_or_default();
        (device == "lo" || self.reverse(skb.src(), skb.dst(), device, routes)) != self.not
    }

    fn reverse(&self, src: IpAddr, dst: IpAddr, device: &str, routes: &Routes) -> bool {
        match (src, dst) {
            // Somebody who has no address yet.
            (IpAddr::V4(src), IpAddr::V4(dst)) if src.octets().first() == Some(&0) => {
                return dst.is_broadcast() || dst.octets().starts_with(&[224, 0, 0]);
            }
            (IpAddr::V6(src), _) if src.is_unspecified() => return true,
            (IpAddr::V6(src), _) if src.is_unicast_link_local() => return true,
            (IpAddr::V4(src), _) if src.is_broadcast() => return false,
            _ => {}
        }
        if src.is_multicast() {
            return false;
        }
        if routes.is_local(src) {
            return self.accept_local && (self.loose || holder(src, routes) == device);
        }
        self.loose || routes.interface_to(src) == device
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::ruleset::model::Hook;

    fn routes() -> Routes {
        Routes {
            local: vec!["192.0.2.254".parse().unwrap(), "2001:db8:ffff::1".parse().unwrap()],
            inside: vec![("10.88.0.0".parse().unwrap(), 16)],
            inside_if: "eth1".into(),
            outside_if: "eth0".into(),
        }
    }

    /// Came in by eth0, leaves by eth1.
    fn hook() -> HookContext {
        HookContext { hook: Hook::Forward, in_if: Some("eth0".into()), out_if: Some("eth1".into()) }
    }

    fn from_to(src: &str, dst: &str) -> Vec<u8> {
        match (src.parse().unwrap(), dst.parse().unwrap()) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                [&[0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0][..], &src.octets(), &dst.octets()].concat()
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                [&[0x60, 0, 0, 0, 0, 0, 59, 64][..], &src.octets(), &dst.octets()].concat()
            }
            _ => panic!("two families"),
        }
    }

    fn src_is(src: &str, wanted: u16, limits: (bool, bool)) -> bool {
        let dst = if src.contains(':') { "2001:db8::2" } else { "10.88.0.1" };
        let packet = from_to(src, dst);
        let (limit_in, limit_out) = limits;
        let of = AddrType { src: Some(Inv { not: false, value: wanted }), dst: None, limit_in, limit_out };
        of.fits(&Skb::new(&packet, &[], 0).unwrap(), &hook(), &routes())
    }

    #[test]
    fn addresses_have_one_kind_in_ipv4() {
        let kinds = |src: &str| -> Vec<u16> { (0..12).filter(|bit| src_is(src, 1 << bit, (false, false))).collect() };
        assert_eq!(kinds("10.1.2.3"), [1]);
        assert_eq!(kinds("192.0.2.254"), [2]);
        assert_eq!(kinds("127.0.0.1"), [2]);
        assert_eq!(kinds("255.255.255.255"), [3]);
        assert_eq!(kinds("0.0.0.0"), [3]);
        assert_eq!(kinds("224.0.0.1"), [5]);
    }

    #[test]
    fn every_kind_that_is_asked_for_must_hold_in_ipv6() {
        let is = |src: &str, wanted| src_is(src, wanted, (false, false));
        assert!(is("2001:db8::1", kind::UNICAST) && !is("2001:db8::1", kind::LOCAL));
        assert!(is("2001:db8:ffff::1", kind::UNICAST | kind::LOCAL) && is("2001:db8:ffff::1", kind::LOCAL));
        assert!(is("ff02::1", kind::MULTICAST) && !is("ff02::1", kind::MULTICAST | kind::UNICAST));
        assert!(is("::", kind::UNSPEC) && !is("2001:db8::1", kind::UNSPEC));
    }

    #[test]
    fn a_device_has_its_own_addresses() {
        assert!(src_is("192.0.2.254", kind::LOCAL, (true, false)));
        assert!(!src_is("192.0.2.254", kind::LOCAL, (false, true)));
        assert!(!src_is("127.0.0.1", kind::LOCAL, (true, false)));
    }

    /// As the kernel answered.
    #[test]
    fn answers_leave_where_packets_came_from() {
        let fits = |src: &str, (loose, accept_local, not)| {
            let packet = from_to(src, "10.88.30.2");
            let filter = RpFilter { loose, accept_local, not };
            filter.fits(&Skb::new(&packet, &[], 0).unwrap(), &hook(), &routes())
        };
        let ways = [
            (false, false, false),
            (false, true, false),
            (true, false, false),
            (true, true, false),
            (false, false, true),
        ];
        assert_eq!(ways.map(|way| fits("10.7.0.1", way)), [true, true, true, true, false]);
        assert_eq!(ways.map(|way| fits("192.0.2.254", way)), [false, true, false, true, true]);
        assert_eq!(ways.map(|way| fits("10.88.30.9", way)), [false, false, true, true, true], "it lives inside");
    }
}
