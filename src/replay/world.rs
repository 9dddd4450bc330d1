//! What rules share while packets run through them.

use super::conntrack::{Conn, ConnId, TcpState, Tuple, Zone, status};
use super::skb::HookContext;
use super::wiring::within;
use super::xt::{Shared, Strings};
use crate::ruleset::xt::IfName;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An answer of the connection table.
pub trait Connections {
    /// The connection of a name, if it is still there (also while it is not confirmed yet).
    fn get(&self, id: ConnId) -> Option<&Conn>;
    /// To change marks and labels.
    fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn>;

    /// The confirmed connection that a packet of this tuple would belong to (either direction), as
    /// `nf_conntrack_find_get` finds it: `None` once it has expired, and while its first packet is still on its way.
    fn lookup(&self, _tuple: &Tuple, _now_ns: i64) -> Option<&Conn> {
        None
    }

    /// State of a TCP connection; `None` for other protocols, and if it is gone.
    fn tcp_state(&self, _id: ConnId) -> Option<TcpState> {
        None
    }

    /// What to attach to an untracked packet (`ct`, with `ct_info` [`CtInfo::New`](super::conntrack::CtInfo::New)) to
    /// have it tracked in a zone: `-j CT --zone`, `ct zone set`. `None`: zones are not known here.
    fn template(&mut self, _zone: Zone) -> Option<ConnId> {
        None
    }

    /// `already_closed` of `nf_conncount`: a TCP connection in TIME_WAIT or CLOSE counts no more.
    fn is_closed(&self, conn: &Conn) -> bool {
        matches!(self.tcp_state(conn.id), Some(TcpState::TimeWait | TcpState::Close))
    }

    /// Nanoseconds until it goes (`ct expiration`, `--ctexpire`); 0 while it is not confirmed. `None` if it is gone.
    fn remaining(&self, id: ConnId, now_ns: i64) -> Option<i64> {
        let conn = self.get(id)?;
        Some(if conn.status & status::CONFIRMED == 0 { 0 } else { conn.expires_ns.saturating_sub(now_ns).max(0) })
    }
}

/// What a match says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It matches.
    Yes,
    /// It does not.
    No,
    /// The packet is dropped on the spot (`hotdrop`): a header that the match must have is cut.
    HotDrop,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl IfName {
    /// `true` if an interface's name fits. No interface has the empty name, as in the kernel's comparison.
    pub fn fits(&self, interface: Option<&str>) -> bool {
        let interface = interface.unwrap_or("");
        if self.prefix { interface.starts_with(&*self.name) } else { interface == &*self.name }
    }
}

/// A router's own IPv4 address, from TEST-NET-1.
pub const STANDING_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);
/// A router's own IPv6 address, from the documentation prefix.
pub const STANDING_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);

/// How the replayed host is wired: what `addrtype`, `fib`, `rpfilter` and hooks ask.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// The host's own addresses.
    pub local: Vec<IpAddr>,
    /// Networks behind the inside interface, as address and prefix length.
    pub inside: Vec<(IpAddr, u8)>,
    /// Name of the inside interface (`eth1`).
    pub inside_if: std::sync::Arc<str>,
    /// Name of the outside interface (`eth0`): the default route.
    pub outside_if: std::sync::Arc<str>,
}

impl Routes {
    /// An address of the host itself.
    pub fn is_local(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || self.local.contains(&addr)
    }

    /// The same at a hook: what comes in by no interface is the host's own, from whatever stands for its address.
    pub fn is_local_at(&self, addr: IpAddr, hook: &HookContext) -> bool {
        self.is_local(addr) || hook.in_if.is_none() && addr == Self::standing(addr.is_ipv6())
    }

    /// The first of the host's own addresses of a family.
    pub fn first_local(&self, v6: bool) -> Option<IpAddr> {
        self.local.iter().copied().find(|addr| addr.is_ipv6() == v6)
    }

    /// What stands for the host's own address where none is given: one from the networks reserved for documentation.
    pub fn standing(v6: bool) -> IpAddr {
        if v6 { STANDING_V6.into() } else { STANDING_V4.into() }
    }

    /// The interface by which an address is reached that is not the host's own.
    pub fn interface_to(&self, addr: IpAddr) -> &str {
        let inside = self.inside.iter().any(|(net, len)| within(addr, *net, *len));
        if inside { &self.inside_if } else { &self.outside_if }
    }
}

/// What rules ask and change besides the packet.
pub struct World<'a> {
    /// The connection table.
    pub connections: &'a mut dyn Connections,
    /// How the replayed host is wired.
    pub routes: &'a Routes,
    /// What stateful xtables matches keep under a name: ipsets, lists of `recent`, tables of `hashlimit`.
    pub shared: &'a mut Shared,
    /// Where the strings of the ruleset are in the packet.
    pub strings: &'a mut Strings,
}
