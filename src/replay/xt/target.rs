//! Targets: what a rule that matched does (`net/netfilter/xt_*.c` in capitals, `ipt_REJECT.c`).

use super::rewrite;
use super::{Preparation, stateful};
use crate::replay::conntrack::{CtInfo, Manip, NatRange};
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::World;
use crate::ruleset::model::{ChainId, Hook, Verdict};
use crate::ruleset::nft::Reject;
use crate::ruleset::xt::{self, ConnMarkOp, Target, TtlChange};
use std::net::IpAddr;

/// What a rule decides about a packet.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// On to the next rule.
    Continue,
    /// This chain's table lets the packet through.
    Accept,
    /// The packet ends here.
    Drop,
    /// Back to the rule after the jump, or to the policy.
    Return,
    /// Into a chain, and back.
    Jump(ChainId),
    /// Into a chain, not back.
    Goto(ChainId),
    /// Dropped, and an answer is sent.
    Reject(Reject),
    /// Let through with other addresses.
    Nat(NatRequest),
}

/// What a NAT target asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct NatRequest {
    /// Source or destination.
    pub manip: Manip,
    /// Where to.
    pub range: NatRange,
    /// The address is that of the interface or the host.
    pub own: bool,
}

/// A target that remembers packets.
pub trait StatefulTarget {
    /// Acts on a packet; the rule goes on.
    fn act(&mut self, skb: &mut Skb<'_>, hook: &HookContext, world: &mut World<'_>);
}

/// A target made ready.
pub(super) enum PreparedTarget {
    /// The same for every packet.
    Fixed(Act),
    /// Changes the packet, and goes on.
    Change(Target),
    /// Destination is the network of the range, with the packet's host part.
    Netmap(IpAddr, u8),
    /// Remembers packets.
    Stateful(Box<dyn StatefulTarget + Send>),
}

impl PreparedTarget {
    pub(super) fn new(target: &Target, with: &mut Preparation<'_>) -> Self {
        let v6 = with.v6;
        let act = match target {
            Target::None => Act::Continue,
            Target::Verdict(verdict) => verdict_act(*verdict),
            Target::Chain { chain, goto: true } => Act::Goto(*chain),
            Target::Chain { chain, goto: false } => Act::Jump(*chain),
            Target::Reject { with: word } => Act::Reject(reject_with(word, v6)),
            // No program listens to the queue of a model.
            Target::Nfqueue { bypass, .. } => {
                if *bypass {
                    Act::Accept
                } else {
                    Act::Drop
                }
            }
            Target::Snat(range) => nat(Manip::Src, range),
            Target::Dnat(range) => nat(Manip::Dst, range),
            Target::Masquerade { ports, random, random_fully } => own(Manip::Src, *ports, *random || *random_fully),
            Target::Redirect { ports, random } => own(Manip::Dst, *ports, *random),
            Target::Netmap { to, prefix } => return Self::Netmap(*to, *prefix),
            Target::Set { .. } => match stateful::prepare_target(target, with) {
                Some(stateful) => return Self::Stateful(stateful),
                None => Act::Continue,
            },
            Target::Mark { .. }
            | Target::ConnMark { .. }
            | Target::Ct { .. }
            | Target::Classify { .. }
            | Target::Dscp { .. }
            | Target::Tos { .. }
            | Target::Ecn { .. }
            | Target::TcpMss { .. }
            | Target::TcpOptStrip { .. }
            | Target::Ttl { .. }
            | Target::Trace => return Self::Change(target.clone()),
            Target::Audit { .. }
            | Target::Checksum
            | Target::Log { .. }
            | Target::Nflog { .. }
            | Target::SynProxy { .. }
            | Target::Tee { .. }
            | Target::Tproxy { .. }
            | Target::Passive { .. }
            | Target::Unknown { .. } => Act::Continue,
        };
        Self::Fixed(act)
    }

    pub(super) fn act(&mut self, skb: &mut Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Act {
        match self {
            Self::Fixed(act) => return act.clone(),
            Self::Change(target) => change(target, skb, world),
            Self::Netmap(to, prefix) => return netmap(*to, *prefix, skb, hook),
            Self::Stateful(target) => target.act(skb, hook, world),
        }
        Act::Continue
    }
}

fn verdict_act(verdict: Verdict) -> Act {
    match verdict {
        Verdict::Accept => Act::Accept,
        Verdict::Drop => Act::Drop,
        Verdict::Continue => Act::Continue,
        Verdict::Return => Act::Return,
        Verdict::Jump(chain) => Act::Jump(chain),
        Verdict::Goto(chain) => Act::Goto(chain),
    }
}

/// `--reject-with` by its words.
fn reject_with(word: &str, v6: bool) -> Reject {
    match word {
        "tcp-reset" | "tcp-rst" => Reject::TcpReset,
        "icmp-net-unreachable" | "net-unreach" => Reject::Icmp(0),
        "icmp-host-unreachable" | "host-unreach" => Reject::Icmp(1),
        "icmp-proto-unreachable" | "proto-unreach" => Reject::Icmp(2),
        "icmp-net-prohibited" | "net-prohib" => Reject::Icmp(9),
        "icmp-host-prohibited" | "host-prohib" => Reject::Icmp(10),
        "icmp-admin-prohibited" | "admin-prohib" => Reject::Icmp(13),
        "icmp6-no-route" | "no-route" => Reject::Icmpv6(0),
        "icmp6-adm-prohibited" | "icmp6-admin-prohibited" | "adm-prohibited" => Reject::Icmpv6(1),
        "icmp6-addr-unreachable" | "addr-unreach" => Reject::Icmpv6(3),
        "icmp6-policy-fail" | "policy-fail" => Reject::Icmpv6(5),
        "icmp6-reject-route" | "reject-route" => Reject::Icmpv6(6),
        _ if v6 => Reject::Icmpv6(4),
        _ => Reject::Icmp(3),
    }
}

fn nat(manip: Manip, range: &xt::NatRange) -> Act {
    let range = NatRange {
        addresses: range.addresses.map(|range| (range.low, range.high)),
        ports: range.ports.map(|range| (range.low, range.high)),
        port_base: range.port_base,
        random: range.random || range.random_fully,
        persistent: range.persistent,
    };
    Act::Nat(NatRequest { manip, range, own: false })
}

fn own(manip: Manip, ports: Option<xt::Range<u16>>, random: bool) -> Act {
    let range = NatRange { ports: ports.map(|range| (range.low, range.high)), random, ..NatRange::default() };
    Act::Nat(NatRequest { manip, range, own: true })
}

/// `xt_NETMAP.c`: the network is exchanged, the host part stays.
fn netmap(to: IpAddr, prefix: u8, skb: &Skb<'_>, hook: &HookContext) -> Act {
    let manip = Manip::of(hook.hook);
    let is = if matches!(hook.hook, Hook::Prerouting | Hook::Output) { skb.dst() } else { skb.src() };
    let address = match (is, to) {
        (IpAddr::V4(is), IpAddr::V4(to)) => {
            let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            IpAddr::from((is.to_bits() & host | to.to_bits() & !host).to_be_bytes())
        }
        (IpAddr::V6(is), IpAddr::V6(to)) => {
            let host = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            IpAddr::from((is.to_bits() & host | to.to_bits() & !host).to_be_bytes())
        }
        _ => return Act::Accept,
    };
    let range = NatRange { addresses: Some((address, address)), ..NatRange::default() };
    Act::Nat(NatRequest { manip, range, own: false })
}

/// Targets that change the packet or what is attached to it, and go on.
fn change(target: &Target, skb: &mut Skb<'_>, world: &mut World<'_>) {
    match target {
        Target::Mark { mask, value } => skb.mark = (skb.mark & !mask) ^ value,
        Target::ConnMark { op, ct_mask, nf_mask, value, shift } => {
            conn_mark(*op, (*ct_mask, *nf_mask, *value), *shift, skb, world);
        }
        // A packet that has a connection already keeps it.
        Target::Ct { notrack: true, .. } if skb.ct.is_none() && skb.ct_info == CtInfo::None => {
            skb.ct_info = CtInfo::Untracked;
        }
        Target::Classify { class } => skb.priority = *class,
        Target::Dscp { value } => {
            rewrite::set_traffic_class(skb, |class| class & 3 | value << 2);
        }
        Target::Tos { value, mask } => rewrite::set_traffic_class(skb, |class| (class & !mask) ^ value),
        Target::Ecn { remove: true } => rewrite::remove_tcp_ecn(skb),
        Target::TcpMss { mss } => rewrite::tcp_mss(skb, *mss),
        Target::TcpOptStrip { options } => rewrite::strip_tcp_options(skb, options),
        Target::Ttl { op, value } => {
            let ttl = match op {
                TtlChange::Set => *value,
                TtlChange::Inc => skb.ttl().saturating_add(*value),
                TtlChange::Dec => skb.ttl().saturating_sub(*value),
            };
            skb.set_ttl(ttl);
        }
        Target::Trace => skb.trace = true,
        _ => {}
    }
}

/// `connmark_tg_shift`.
fn conn_mark(
    op: ConnMarkOp,
    (ct_mask, nf_mask, value): (u32, u32, u32),
    shift: Option<(bool, u8)>,
    skb: &mut Skb<'_>,
    world: &mut World<'_>,
) {
    let Some(conn) = skb.ct.and_then(|id| world.connections.get_mut(id)) else { return };
    let shifted = |mark: u32| match shift {
        Some((true, bits)) => mark.checked_shl(u32::from(bits)).unwrap_or(0),
        Some((false, bits)) => mark.checked_shr(u32::from(bits)).unwrap_or(0),
        None => mark,
    };
    match op {
        ConnMarkOp::Set => conn.mark = shifted((conn.mark & !ct_mask) ^ value),
        ConnMarkOp::Save => conn.mark = (conn.mark & !ct_mask) ^ (shifted(skb.mark & nf_mask)),
        ConnMarkOp::Restore => skb.mark = (skb.mark & !nf_mask) ^ (shifted(conn.mark & ct_mask)),
    }
}
