//! Routes: `nft_fib.c`, `nft_fib_ipv4.c`, `nft_fib_ipv6.c`, `nft_rt.c`.

use super::value::name_number;
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::Routes;
use crate::ruleset::model::Hook;
use crate::ruleset::nft::FibResult;
use std::net::IpAddr;

/// `NFTA_FIB_F_*`.
mod flag {
    pub const DADDR: u32 = 2;
    pub const IIF: u32 = 8;
    pub const OIF: u32 = 16;
    pub const PRESENT: u32 = 32;
}

/// `RTN_*`.
mod route_type {
    pub const UNICAST: u128 = 1;
    pub const LOCAL: u128 = 2;
    pub const BROADCAST: u128 = 3;
    pub const MULTICAST: u128 = 5;
}

/// A lookup of the routing table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fib {
    flags: u32,
    result: FibResult,
}

impl Fib {
    pub fn new(flags: u32, result: FibResult) -> Self {
        Self { flags, result }
    }

    /// Bytes of the value.
    pub fn width(&self) -> usize {
        match self.result {
            FibResult::Type => 4,
            _ if self.has(flag::PRESENT) => 1,
            FibResult::Oif => 4,
            FibResult::OifName => 16,
        }
    }

    fn has(&self, bit: u32) -> bool {
        self.flags & bit != 0
    }

    pub fn number(&self, skb: &Skb, hook: &HookContext, routes: &Routes) -> u128 {
        let addr = if self.has(flag::DADDR) { skb.dst() } else { skb.src() };
        if self.result == FibResult::Type {
            return address_type(routes, hook, addr);
        }
        let device = self.device(addr, hook, routes);
        match self.result {
            _ if self.has(flag::PRESENT) => device.is_some().into(),
            FibResult::OifName => name_number(device.unwrap_or_default()),
            _ => device.map_or(0, |name| interface_index(name, routes)).into(),
        }
    }

    /// The interface by which the address is reached; with `iif` or `oif`, only if it is that one. A local address
    /// has none.
    fn device<'r>(&self, addr: IpAddr, hook: &'r HookContext, routes: &'r Routes) -> Option<&'r str> {
        let asked = match () {
            () if self.has(flag::IIF) => Some(hook.in_if.as_deref()),
            () if self.has(flag::OIF) => Some(hook.out_if.as_deref()),
            () => None,
        };
        let from_itself = matches!(hook.hook, Hook::Prerouting | Hook::Ingress) && hook.in_if.as_deref() == Some("lo");
        if from_itself {
            return hook.in_if.as_deref();
        }
        if address_type(routes, hook, addr) == route_type::LOCAL {
            return None;
        }
        let found = reached_by(routes, addr);
        match asked {
            Some(asked) if asked != Some(found) => None,
            _ => Some(found),
        }
    }
}

/// `inet_dev_addr_type`.
fn address_type(routes: &Routes, hook: &HookContext, addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(v4) if v4.octets().first() == Some(&0) || v4.is_broadcast() => route_type::BROADCAST,
        _ if addr.is_multicast() => route_type::MULTICAST,
        _ if routes.is_local_at(addr, hook) => route_type::LOCAL,
        _ => route_type::UNICAST,
    }
}

/// Interface of the route to an address.
fn reached_by(routes: &Routes, addr: IpAddr) -> &str {
    let inside = routes.inside.iter().any(|(net, len)| within(addr, *net, *len));
    if inside { &routes.inside_if } else { &routes.outside_if }
}

fn within(addr: IpAddr, net: IpAddr, len: u8) -> bool {
    match (addr, net) {
        (IpAddr::V4(addr), IpAddr::V4(net)) => {
            let differing = u32::from(addr) ^ u32::from(net);
            differing.checked_shr(32_u32.saturating_sub(len.into())).unwrap_or(0) == 0
        }
        (IpAddr::V6(addr), IpAddr::V6(net)) => {
            let differing = u128::from(addr) ^ u128::from(net);
            differing.checked_shr(128_u32.saturating_sub(len.into())).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// Index of an interface: the loopback device is 1, those of the host follow in the order outside, inside.
pub(super) fn interface_index(name: &str, routes: &Routes) -> u32 {
    match name {
        "lo" => 1,
        _ if name == &*routes.outside_if => 2,
        _ if name == &*routes.inside_if => 3,
        _ => 0,
    }
}

/// What `rt` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rt {
    ClassId,
    NextHop4,
    NextHop6,
    Mss,
    IpSec,
}

/// MTU of the interfaces: as large as packets get, because nothing in a replay is fragmented again.
const MTU: u128 = 65_535;

impl Rt {
    /// By nft's word for it; `None` if it is unknown.
    pub fn new(key: &str) -> Option<Self> {
        Some(match key {
            "classid" => Self::ClassId,
            "nexthop" | "ip nexthop" | "nexthop4" => Self::NextHop4,
            "ip6 nexthop" | "nexthop6" => Self::NextHop6,
            "mtu" | "tcpmss" => Self::Mss,
            "ipsec" => Self::IpSec,
            _ => return None,
        })
    }

    /// Bytes of the value.
    pub fn width(self) -> usize {
        match self {
            Self::ClassId | Self::NextHop4 => 4,
            Self::NextHop6 => 16,
            Self::Mss => 2,
            Self::IpSec => 1,
        }
    }

    /// `None` before the packet is routed. Networks are taken to be on the link: the next hop is the destination.
    pub fn number(self, skb: &Skb, hook: &HookContext) -> Option<u128> {
        if matches!(hook.hook, Hook::Prerouting | Hook::Ingress) {
            return None;
        }
        Some(match (self, skb.dst()) {
            (Self::ClassId | Self::IpSec, _) => 0,
            (Self::NextHop4, IpAddr::V4(dst)) => u32::from(dst).into(),
            (Self::NextHop6, IpAddr::V6(dst)) => dst.into(),
            (Self::NextHop4 | Self::NextHop6, _) => return None,
            (Self::Mss, IpAddr::V4(_)) => MTU - 40,
            (Self::Mss, IpAddr::V6(_)) => MTU - 60,
        })
    }
}
