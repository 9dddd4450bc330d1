//! The quick no: what most rules ask first, compared with facts that are read once a packet.
//!
//! Tests of protocol, interfaces, connection state and TCP flags are told apart once at load: each distinct one is a
//! bit, and which of them hold is found out once a packet. Addresses and ports, of which every rule has its own, are
//! compared rule by rule, without a branch. A guard holds only what has no effect and cannot drop the packet by itself,
//! up to the first match of which that is not known; if it fails, the rule says nothing, in whatever order it asks.

use super::super::skb::{HookContext, Skb};
use super::view::View;
use super::{Backend, Preparation};
use crate::replay::conntrack::CtInfo;
use crate::ruleset::xt::{self, CtState, IfName, Inv, Match, PortSide, Range, RuleBody};
use std::net::IpAddr;
use std::sync::Arc;

/// Distinct tests that have a bit; further ones are left to the rules.
const ATOMS: usize = 64;

/// What a rule asks first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    /// Tests that must hold.
    needed: u64,
    /// Source and destination under `mask` (IPv4).
    mask: u64,
    value: u64,
    /// First destination port, and how many follow.
    destination: (u16, u16),
    /// The same for source ports.
    source: (u16, u16),
}

/// Facts about a packet at a hook.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    holding: u64,
    addresses: u64,
    destination: u16,
    source: u16,
}

/// A test that many rules have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Atom {
    Protocol(Inv<u8>),
    InIf(Inv<IfName>),
    OutIf(Inv<IfName>),
    /// Bits of [`CtState`], without those of NAT.
    State(Inv<u8>),
    TcpFlags(Inv<(u8, u8)>),
}

/// The distinct tests of a table.
#[derive(Debug)]
pub(super) struct Atoms {
    backend: Backend,
    v6: bool,
    atoms: Vec<Atom>,
    /// Which of them ask for interfaces.
    of_interfaces: u64,
    /// Interfaces of the last packet, and which tests held of them.
    last: Option<(Interfaces, u64)>,
}

type Interfaces = (Option<Arc<str>>, Option<Arc<str>>);

impl Atoms {
    /// None yet.
    pub fn new(with: &Preparation<'_>) -> Self {
        Self { backend: with.backend, v6: with.v6, atoms: Vec::new(), of_interfaces: 0, last: None }
    }

    /// The guard of a rule.
    pub fn guard(&mut self, body: &RuleBody) -> Guard {
        let mut guard = Guard { needed: 0, mask: 0, value: 0, destination: (0, u16::MAX), source: (0, u16::MAX) };
        guard.addresses(&body.head, self.v6);
        let head = &body.head;
        let atoms = [
            head.in_if.clone().map(Atom::InIf),
            head.out_if.clone().map(Atom::OutIf),
            head.protocol.map(Atom::Protocol),
        ];
        guard.needed = atoms.into_iter().flatten().fold(0, |bits, atom| bits | self.bit(atom));
        // Of other protocols a match reads what is no port.
        let only = head.protocol.filter(|protocol| !protocol.not).map(|protocol| protocol.value);
        for of in &body.matches {
            match of {
                Match::Comment(_) | Match::String(_) | Match::Length(_) | Match::Mark { .. } => {}
                Match::Tcp { sports, dports, flags, option } if only == Some(6) => {
                    guard.narrow(*sports, *dports);
                    // What an empty mask means depends on the backend.
                    if let Some(flags) = flags.filter(|flags| flags.value.0 != 0) {
                        guard.needed |= self.bit(Atom::TcpFlags(flags));
                    }
                    if option.is_some() {
                        break;
                    }
                }
                Match::Udp { sports, dports } if only == Some(17) => guard.narrow(*sports, *dports),
                Match::MultiPort { side, ports } if only.is_some() => guard.narrow_to_all(*side, ports),
                Match::State(state) => guard.needed |= self.state(*state),
                Match::ConnTrack(whole) => guard.needed |= whole.state.map_or(0, |state| self.state(state)),
                _ => break,
            }
        }
        guard
    }

    /// What is known of a packet; `None` if it is none of the usual ones, for which guards hold: its headers are whole,
    /// and it is no later fragment.
    #[inline]
    pub fn facts(&mut self, skb: &Skb<'_>, hook: &HookContext) -> Option<Facts> {
        if skb.is_v6() != self.v6 {
            return None;
        }
        let view = View::of(skb, self.backend);
        let protocol = view.protocol.filter(|_| !view.is_later_fragment())?;
        let (ports, flags) = match protocol {
            6 => {
                let header: [u8; 20] = skb.array(view.transport)?;
                let [s0, s1, d0, d1, .., offset, flags, _, _, _, _, _, _] = header;
                (([s0, s1], [d0, d1]), (offset >> 4 >= 5).then_some(flags)?)
            }
            _ => {
                let [s0, s1, d0, d1, ..] = skb.array::<8>(view.transport)?;
                (([s0, s1], [d0, d1]), 0)
            }
        };
        let addresses = if self.v6 { 0 } else { u64::from_be_bytes(skb.array(12)?) };
        let state = state_of(skb);
        let mut holding = self.of_interfaces(hook);
        for (atom, at) in self.atoms.iter().zip(0u32..) {
            let holds = match atom {
                Atom::Protocol(wanted) => (protocol == wanted.value) != wanted.not,
                Atom::State(wanted) => (state & wanted.value != 0) != wanted.not,
                Atom::TcpFlags(wanted) => (flags & wanted.value.0 == wanted.value.1) != wanted.not,
                Atom::InIf(_) | Atom::OutIf(_) => continue,
            };
            holding |= u64::from(holds) << at;
        }
        let (source, destination) = (u16::from_be_bytes(ports.0), u16::from_be_bytes(ports.1));
        Some(Facts { holding, addresses, destination, source })
    }

    /// The tests of interfaces that hold: mostly those of the packet before.
    #[inline]
    fn of_interfaces(&mut self, hook: &HookContext) -> u64 {
        let is_same = |a: &Option<Arc<str>>, b: &Option<Arc<str>>| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        match &self.last {
            _ if self.of_interfaces == 0 => 0,
            Some(((in_if, out_if), holding)) if is_same(in_if, &hook.in_if) && is_same(out_if, &hook.out_if) => {
                *holding
            }
            _ => {
                let holding = self.ask_interfaces(hook);
                self.last = Some(((hook.in_if.clone(), hook.out_if.clone()), holding));
                holding
            }
        }
    }

    fn ask_interfaces(&self, hook: &HookContext) -> u64 {
        let fits = |wanted: &Inv<IfName>, name: Option<&str>| wanted.value.fits(name) != wanted.not;
        let holding = self.atoms.iter().zip(0u32..).map(|(atom, at)| match atom {
            Atom::InIf(wanted) => u64::from(fits(wanted, hook.in_if.as_deref())) << at,
            Atom::OutIf(wanted) => u64::from(fits(wanted, hook.out_if.as_deref())) << at,
            _ => 0,
        });
        holding.fold(0, |all, one| all | one)
    }

    /// The bit of a test; none if there are too many.
    fn bit(&mut self, atom: Atom) -> u64 {
        let at = self.atoms.iter().position(|known| *known == atom).unwrap_or(self.atoms.len());
        if at >= ATOMS {
            return 0;
        }
        let bit = 1 << at;
        if at == self.atoms.len() {
            if matches!(atom, Atom::InIf(_) | Atom::OutIf(_)) {
                self.of_interfaces |= bit;
            }
            self.atoms.push(atom);
        }
        bit
    }

    /// States that only the packet tells; what asks for NAT is left to the rule.
    fn state(&mut self, wanted: Inv<u8>) -> u64 {
        if wanted.value & (CtState::SNAT | CtState::DNAT) != 0 { 0 } else { self.bit(Atom::State(wanted)) }
    }
}

/// The one bit of [`CtState`] that a packet has.
#[inline]
fn state_of(skb: &Skb<'_>) -> u8 {
    match skb.ct_info {
        CtInfo::None => CtState::INVALID,
        CtInfo::Untracked => CtState::UNTRACKED,
        CtInfo::New => CtState::NEW,
        CtInfo::Established | CtInfo::EstablishedReply => CtState::ESTABLISHED,
        CtInfo::Related | CtInfo::RelatedReply => CtState::RELATED,
    }
}

impl Guard {
    /// `true` if the rule says nothing about the packet.
    #[inline]
    pub fn fails(&self, facts: &Facts) -> bool {
        let missing = self.needed & !facts.holding;
        let other = (facts.addresses & self.mask) ^ self.value;
        let beside = |port: u16, (first, more): (u16, u16)| port.wrapping_sub(first) > more;
        (missing | other != 0) | beside(facts.destination, self.destination) | beside(facts.source, self.source)
    }

    fn addresses(&mut self, head: &xt::Head, v6: bool) {
        if v6 {
            return;
        }
        for (masked, shift) in [(head.src, 32), (head.dst, 0)] {
            let Some(Inv { not: false, value: masked }) = masked else { continue };
            let (IpAddr::V4(addr), IpAddr::V4(mask)) = (masked.addr, masked.mask) else { continue };
            self.mask |= u64::from(u32::from(mask)) << shift;
            self.value |= u64::from(u32::from(addr)) << shift;
        }
    }

    fn narrow(&mut self, sports: Option<Inv<Range<u16>>>, dports: Option<Inv<Range<u16>>>) {
        narrow(&mut self.source, sports);
        narrow(&mut self.destination, dports);
    }

    /// From the lowest to the highest of the ports.
    fn narrow_to_all(&mut self, side: PortSide, ports: &Inv<Vec<Range<u16>>>) {
        let low = ports.value.iter().map(|range| range.low).min();
        let high = ports.value.iter().map(|range| range.high).max();
        let (Some(low), Some(high), false) = (low, high, ports.not) else { return };
        let all = Some(Inv { not: false, value: Range { low, high } });
        match side {
            PortSide::Source => narrow(&mut self.source, all),
            PortSide::Destination => narrow(&mut self.destination, all),
            PortSide::Either => {}
        }
    }
}

/// One range is enough of a guard: a second test of the same port replaces it.
fn narrow(ports: &mut (u16, u16), to: Option<Inv<Range<u16>>>) {
    if let Some(Inv { not: false, value: Range { low, high } }) = to
        && let Some(more) = high.checked_sub(low)
    {
        *ports = (low, more);
    }
}
