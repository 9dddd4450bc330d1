//! Address translation: `net/netfilter/nf_nat_core.c`.
//!
//! A rule gives a connection's first packet a range; the tuple that replies will have is chosen from it so that no other
//! connection has it. Packets are rewritten by the connection's two tuples alone. Source NAT happens at INPUT and
//! POSTROUTING, destination NAT at PREROUTING and OUTPUT; a connection without a rule is bound to what it is, so that a
//! later one cannot take its place.

mod choose;
mod rewrite;

use super::track::{Conntrack, Verdict};
use super::tuple::protocol;
use super::{Conn, ConnId, CtInfo, Tuple, status};
use crate::replay::skb::Skb;
use crate::replay::world::Connections;
use crate::ruleset::model::Hook;
pub(super) use choose::Sources;
use rewrite::rewrite;
use std::net::IpAddr;

/// Which side is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manip {
    /// Source: SNAT, MASQUERADE.
    Src,
    /// Destination: DNAT, REDIRECT.
    Dst,
}

/// Where a rule leads (`nf_nat_range2`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NatRange {
    /// First and last address. MASQUERADE, REDIRECT and NETMAP give one, which the caller knows.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// First and last port, or ICMP id.
    pub ports: Option<(u16, u16)>,
    /// Port that the first of a shifted range stands for.
    pub port_base: Option<u16>,
    /// `random`, `fully-random`: any port. The kernel draws it; here it comes from a fixed row.
    pub random: bool,
    /// `persistent`: the address depends on the source alone.
    pub persistent: bool,
}

/// What a NAT hook does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NatStep {
    /// It is done, by what was decided before: no chain is asked.
    Done(Verdict),
    /// The chains are asked, in order of priority, until one calls [`Conntrack::nat_setup`]; then
    /// [`Conntrack::nat_finish`].
    Ask,
}

const NAT: u32 = status::SRC_NAT | status::DST_NAT;
const NAT_DONE: u32 = status::SRC_NAT_DONE | status::DST_NAT_DONE;

impl Manip {
    /// What a hook translates.
    pub fn of(hook: Hook) -> Self {
        match hook {
            Hook::Input | Hook::Postrouting => Self::Src,
            _ => Self::Dst,
        }
    }

    fn done(self) -> u32 {
        match self {
            Self::Src => status::SRC_NAT_DONE,
            Self::Dst => status::DST_NAT_DONE,
        }
    }

    /// Bit that says that packets of a direction are translated so.
    fn translated(self, reply: bool) -> u32 {
        match (self, reply) {
            (Self::Src, false) | (Self::Dst, true) => status::SRC_NAT,
            _ => status::DST_NAT,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Src => Self::Dst,
            Self::Dst => Self::Src,
        }
    }
}

impl Conntrack {
    /// A NAT hook begins (`nf_nat_ipv4_fn`, `nf_nat_inet_fn`). To be called where the ruleset has NAT chains at all.
    pub fn nat_begin(&mut self, skb: &mut Skb<'_>, hook: Hook) -> NatStep {
        let Some(conn) = skb.ct.and_then(|id| self.get(id)) else { return NatStep::Done(Verdict::Accept) };
        let (status, manip) = (conn.status, Manip::of(hook));
        let icmp = if skb.is_v6() { protocol::ICMPV6 } else { protocol::ICMP };
        let is_icmp = skb.headers.protocol == Some(icmp);
        match skb.ct_info {
            CtInfo::Related | CtInfo::RelatedReply if is_icmp => NatStep::Done(self.translate_error(skb, manip)),
            CtInfo::New | CtInfo::Related | CtInfo::RelatedReply if status & manip.done() == 0 => NatStep::Ask,
            _ => NatStep::Done(self.nat_packet(skb, hook)),
        }
    }

    /// The chains have been asked: what none decided stays as it is, and the packet is rewritten.
    pub fn nat_finish(&mut self, skb: &mut Skb<'_>, hook: Hook) -> Verdict {
        let manip = Manip::of(hook);
        let Some(conn) = skb.ct.and_then(|id| self.get(id)) else { return Verdict::Accept };
        if conn.status & manip.done() == 0 {
            let [_, answers] = conn.tuples;
            let address = if manip == Manip::Src { answers.dst } else { answers.src };
            let range = NatRange { addresses: Some((address, address)), ..NatRange::default() };
            self.nat_setup(skb, manip, &range);
        }
        self.nat_packet(skb, hook)
    }

    /// `true` once a connection's translation at this hook is decided.
    pub fn nat_is_decided(&self, skb: &Skb<'_>, hook: Hook) -> bool {
        let conn = skb.ct.and_then(|id| self.get(id));
        conn.is_some_and(|conn| conn.status & Manip::of(hook).done() != 0)
    }

    /// A rule's target decides (`nf_nat_setup_info`): chooses what replies will look like. Does not touch the packet.
    pub fn nat_setup(&mut self, skb: &Skb<'_>, manip: Manip, range: &NatRange) -> Verdict {
        let Some(conn) = skb.ct.and_then(|id| self.get(id)) else { return Verdict::Accept };
        if conn.status & (status::CONFIRMED | status::DYING | status::TEMPLATE) != 0 {
            return Verdict::Accept;
        }
        if conn.status & manip.done() != 0 {
            return Verdict::Drop;
        }
        let (id, answers) = (conn.id, conn.tuples[1]);
        let Some(now) = answers.inverted() else { return Verdict::Accept };
        let chosen = self.choose(id, now, range, manip, skb.now_ns);
        let changed = chosen != now;
        let answers = chosen.inverted().map(|tuple| tuple.in_zone(answers.zone));
        if let Some(conn) = self.get_mut(id) {
            conn.status |= manip.done();
            if changed && let Some(answers) = answers {
                conn.tuples[1] = answers;
                conn.status |= manip.translated(false);
            }
        }
        Verdict::Accept
    }

    /// Rewrites a packet by its connection's tuples (`nf_nat_packet`).
    pub fn nat_packet(&mut self, skb: &mut Skb<'_>, hook: Hook) -> Verdict {
        let Some(conn) = skb.ct.and_then(|id| self.get(id)) else { return Verdict::Accept };
        let (manip, reply) = (Manip::of(hook), skb.ct_info.is_reply());
        if conn.status & manip.translated(reply) == 0 {
            return Verdict::Accept;
        }
        let Some(target) = seen_by_other_side(conn, reply) else { return Verdict::Drop };
        let v6 = skb.is_v6();
        rewrite(skb.bytes.to_mut(), 0, v6, &target, manip)
    }

    /// An ICMP error is translated as the packets that it is about, and so is the packet that it quotes
    /// (`nf_nat_icmp_reply_translation`).
    fn translate_error(&mut self, skb: &mut Skb<'_>, manip: Manip) -> Verdict {
        let Some(conn) = skb.ct.and_then(|id| self.get(id)) else { return Verdict::Accept };
        let v6 = skb.is_v6();
        let kind = skb.transport().first().copied();
        let redirects = kind == Some(if v6 { 137 } else { 5 });
        if redirects && (conn.status & NAT_DONE != NAT_DONE || conn.status & NAT != 0) {
            return Verdict::Drop; // it would tell hosts of each other past the translation
        }
        let reply = skb.ct_info.is_reply();
        if conn.status & manip.translated(reply) == 0 {
            return Verdict::Accept;
        }
        let [original, answers] = conn.tuples;
        let quoted = if reply { original } else { answers };
        let Some(mut outer) = seen_by_other_side(conn, reply) else { return Verdict::Drop };
        outer.protocol = if v6 { protocol::ICMPV6 } else { protocol::ICMP };
        let at = skb.headers.transport as usize + 8;
        let bytes = skb.bytes.to_mut();
        if rewrite(bytes, at, v6, &quoted, manip.other()) == Verdict::Drop {
            return Verdict::Drop;
        }
        let verdict = rewrite(bytes, 0, v6, &outer, manip);
        rewrite::sum_icmp(bytes, at - 8, v6);
        verdict
    }

    /// For [`choose`]: a confirmed connection whose source was translated.
    pub(super) fn remember_source(&mut self, id: ConnId) {
        let Some(conn) = self.get(id) else { return };
        if conn.status & status::SRC_NAT != 0 {
            let original = conn.tuples[0];
            self.sources.add(original, id, &self.table);
        }
    }
}

/// Tuple of a direction's packets beyond the translation: the inverse of what the other direction's packets show here.
fn seen_by_other_side(conn: &Conn, reply: bool) -> Option<Tuple> {
    let [original, answers] = &conn.tuples;
    if reply { original.inverted() } else { answers.inverted() }
}
