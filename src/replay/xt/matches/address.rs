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
                    IpAddr::V4(addr) => of_v4(addr, device, routes) & wanted.value != 0,
                    IpAddr::V6(addr) => is_of_v6(addr, wanted.value, device, routes),
                };
                is_so != wanted.not
            })
        };
        fits(self.src, skb.src()) && fits(self.dst, skb.dst())
    }
}

/// `inet_dev_addr_type`. Local addresses are routed to the loopback device or belong to some interface that is not
/// told here: with a device they count as its own unless they are loopback addresses.
fn of_v4(addr: Ipv4Addr, device: Option<&str>, routes: &Routes) -> u16 {
    if addr.octets().first() == Some(&0) || addr.is_broadcast() {
        return kind::BROADCAST;
    }
    if addr.is_multicast() {
        return kind::MULTICAST;
    }
    let local = routes.is_local(addr.into()) && device.is_none_or(|name| (name == "lo") == addr.is_loopback());
    if local { kind::LOCAL } else { kind::UNICAST }
}

/// `match_type6`: unlike IPv4, every bit that is asked for must hold, but for the three that a route answers.
fn is_of_v6(addr: Ipv6Addr, wanted: u16, device: Option<&str>, routes: &Routes) -> bool {
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
    let local = routes.is_local(addr.into()) && device.is_none_or(|name| (name == "lo") == addr.is_loopback());
    asks(kind::LOCAL) && local
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
            return self.accept_local && self.loose;
        }
        self.loose || routes.interface_to(src) == device
    }
}
