//! The way through a frame: which tunnels were entered, and how much may still be peeled.

use super::ip::IpHead;
use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// Tunnels that may lie in each other. Real stacks have up to five; more is an attempt to make decoders work.
const MAX_HOPS: usize = 16;

/// Headers that may be tried in one frame, wrong guesses included: bounds the work that a frame can ask for.
const MAX_STEPS: u8 = 48;

/// A tunnel, and which one of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Hop {
    /// No tunnel: fills the unused places of a path.
    #[default]
    None,
    /// VLAN, by its number.
    Vlan(u16),
    /// MPLS, by its label.
    Mpls(u32),
    /// Provider backbone bridge, by its service.
    Pbb(u32),
    /// MAC security without encryption.
    Macsec,
    /// PPP over Ethernet, by its session.
    Pppoe(u16),
    /// GRE without a key.
    Gre,
    /// GRE, by its key.
    GreKey(u32),
    /// PPTP's GRE, by its call.
    Pptp(u16),
    /// Mirrored frames, by their session.
    Erspan(u16),
    /// IPv4 in IPv4.
    IpIp,
    /// IPv6 in IPv4.
    SixInFour,
    /// IPv4 in IPv6.
    FourInSix,
    /// IPv6 in IPv6.
    SixInSix,
    /// Ethernet over IP.
    EtherIp,
    /// VXLAN, by its network.
    Vxlan(u32),
    /// Geneve, by its network.
    Geneve(u32),
    /// GTP user plane, by its tunnel endpoint.
    Gtp(u32),
    /// L2TP, by its session.
    L2tp(u16),
    /// IPv6 over UDP through NATs.
    Teredo,
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Vlan(id) => write!(f, "vlan {id}"),
            Self::Mpls(label) => write!(f, "mpls {label}"),
            Self::Pbb(service) => write!(f, "pbb {service}"),
            Self::Macsec => f.write_str("macsec"),
            Self::Pppoe(session) => write!(f, "pppoe {session}"),
            Self::Gre => f.write_str("gre"),
            Self::GreKey(key) => write!(f, "gre {key}"),
            Self::Pptp(call) => write!(f, "pptp {call}"),
            Self::Erspan(session) => write!(f, "erspan {session}"),
            Self::IpIp => f.write_str("ipip"),
            Self::SixInFour => f.write_str("6in4"),
            Self::FourInSix => f.write_str("4in6"),
            Self::SixInSix => f.write_str("6in6"),
            Self::EtherIp => f.write_str("etherip"),
            Self::Vxlan(network) => write!(f, "vxlan {network}"),
            Self::Geneve(network) => write!(f, "geneve {network}"),
            Self::Gtp(endpoint) => write!(f, "gtp {endpoint}"),
            Self::L2tp(session) => write!(f, "l2tp {session}"),
            Self::Teredo => f.write_str("teredo"),
        }
    }
}

/// The state of one frame's decoding.
#[derive(Debug, Clone)]
pub(super) struct Path {
    hops: [Hop; MAX_HOPS],
    len: usize,
    steps: u8,
    context: u64,
    outer: Option<Arc<str>>,
    /// IP headers must fit in what carries them: asked for where only content tells that there is a tunnel.
    pub strict: bool,
}

/// Where a path stood before a tunnel was tried.
pub(super) struct Mark {
    len: usize,
    context: u64,
    strict: bool,
}

impl Path {
    /// The path of a frame, or of a datagram that came through `outer`.
    pub fn new(outer: Option<Arc<str>>, context: u64) -> Self {
        Self { hops: [Hop::None; MAX_HOPS], len: 0, steps: MAX_STEPS, context, outer, strict: false }
    }

    /// Accounts for one more header; `false` if the frame has had its share.
    #[inline]
    pub fn step(&mut self) -> bool {
        match self.steps.checked_sub(1) {
            Some(left) => {
                self.steps = left;
                true
            }
            None => false,
        }
    }

    /// Enters a tunnel; `false` if there are too many in each other.
    pub fn enter(&mut self, hop: Hop) -> bool {
        match self.hops.get_mut(self.len) {
            Some(place) => {
                *place = hop;
                self.len += 1;
                true
            }
            None => false,
        }
    }

    /// Tells the tunnel of two hosts from that of two others in what identifies a fragment.
    pub fn carried_by(&mut self, head: &IpHead) {
        self.context = foldhash::fast::FixedState::with_seed(self.context).hash_one((head.src, head.dst));
    }

    /// Where the path stands.
    pub fn mark(&self) -> Mark {
        Mark { len: self.len, context: self.context, strict: self.strict }
    }

    /// Goes back to `mark`: what looked like a tunnel was none.
    pub fn back_to(&mut self, mark: Mark) {
        if let Some(left) = self.hops.get_mut(mark.len..) {
            left.fill(Hop::None);
        }
        (self.len, self.context, self.strict) = (mark.len, mark.context, mark.strict);
    }

    /// A number that differs between tunnels and VLANs: fragments of one datagram share it.
    pub fn context(&self) -> u64 {
        if self.len == 0 {
            return self.context;
        }
        foldhash::fast::FixedState::with_seed(self.context).hash_one(self.hops)
    }

    /// The path as people read it, `None` if no tunnel was entered.
    #[inline]
    pub fn name(&self) -> Option<Arc<str>> {
        match (self.len, &self.outer) {
            (0, outer) => outer.clone(),
            (_, None) => Some(recent_name(&self.hops)),
            (_, Some(outer)) => Some(format!("{outer}/{}", written(&self.hops)).into()),
        }
    }
}

fn written(hops: &[Hop; MAX_HOPS]) -> String {
    let mut text = String::new();
    for hop in hops.iter().take_while(|hop| **hop != Hop::None) {
        if !text.is_empty() {
            text.push('/');
        }
        text.push_str(&hop.to_string());
    }
    text
}

/// A capture has few paths and millions of packets: the last ones of each thread are kept, so that a packet costs
/// a reference count and not two allocations.
fn recent_name(hops: &[Hop; MAX_HOPS]) -> Arc<str> {
    const KEPT: usize = 64;
    type Names = [Option<([Hop; MAX_HOPS], Arc<str>)>; KEPT];
    thread_local! {
        static NAMES: RefCell<Names> = const { RefCell::new([const { None }; KEPT]) };
    }
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hops.hash(&mut hasher);
    let place = std::hash::Hasher::finish(&hasher) as usize % KEPT;
    NAMES
        .try_with(|names| {
            let mut names = names.try_borrow_mut().ok()?;
            let slot = names.get_mut(place)?;
            match slot {
                Some((known, name)) if known == hops => Some(Arc::clone(name)),
                _ => {
                    let name: Arc<str> = written(hops).into();
                    *slot = Some((*hops, Arc::clone(&name)));
                    Some(name)
                }
            }
        })
        .ok()
        .flatten()
        .unwrap_or_else(|| written(hops).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_outermost_first() {
        let mut path = Path::new(None, 0);
        assert_eq!(path.name(), None);
        assert!(path.enter(Hop::Vlan(8)));
        let mark = path.mark();
        assert!(path.enter(Hop::Vxlan(8808)));
        assert_eq!(path.name().as_deref(), Some("vlan 8/vxlan 8808"));
        path.back_to(mark);
        assert_eq!(path.name().as_deref(), Some("vlan 8"));
    }

    #[test]
    fn a_path_ends_at_its_limits() {
        let mut path = Path::new(None, 0);
        assert_eq!((0..40).filter(|_| path.enter(Hop::EtherIp)).count(), MAX_HOPS);
        assert_eq!((0..255).filter(|_| path.step()).count(), usize::from(MAX_STEPS));
    }

    #[test]
    fn a_datagram_keeps_the_way_it_came() {
        let mut path = Path::new(Some("gre".into()), 7);
        assert_eq!(path.name().as_deref(), Some("gre"));
        assert!(path.enter(Hop::Vxlan(1)));
        assert_eq!(path.name().as_deref(), Some("gre/vxlan 1"));
    }

    #[test]
    fn fragments_of_different_vlans_differ() {
        let (mut one, mut other) = (Path::new(None, 0), Path::new(None, 0));
        assert_eq!(one.context(), other.context());
        one.enter(Hop::Vlan(1));
        other.enter(Hop::Vlan(2));
        assert_ne!(one.context(), other.context());
    }
}
