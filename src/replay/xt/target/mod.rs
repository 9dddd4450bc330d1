//! What a rule does with a packet.
//!
//! Marks, labels, tracking and header fields are changed at once; what the caller must do is in the [`Act`].
//!
//! | file | does |
//! |---|---|
//! | `header` | fields of the IP header, and keeping checksums right |
//! | `segment` | fields and options of the TCP header |
//! | `nat` | which addresses are asked for |
//! | `reject` | the packet that REJECT answers with |

mod header;
mod nat;
mod reject;
mod segment;

pub use nat::NatRequest;
pub use reject::reject_reply;

use super::super::conntrack::{CtInfo, Zone};
use super::super::skb::{HookContext, Skb};
use super::super::world::World;
use super::{Preparation, StatefulTarget, stateful};
use crate::ruleset::model::{ChainId, Verdict};
use crate::ruleset::nft::Reject;
use crate::ruleset::xt::{ConnMarkOp, Target};
use header::HeaderChange;
use nat::PreparedNat;
use segment::SegmentChange;

/// What a rule decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// On to the next rule.
    Continue,
    /// This base chain lets the packet through.
    Accept,
    /// The packet ends here.
    Drop,
    /// Back to the rule after the jump, or to the policy.
    Return,
    /// Into a chain, and back.
    Jump(ChainId),
    /// Into a chain, not back.
    Goto(ChainId),
    /// Dropped, and an answer is sent: [`reject_reply`] makes it.
    Reject(Reject),
    /// Let through with other addresses.
    Nat(NatRequest),
}

/// A target made ready.
pub(super) struct PreparedTarget(Action);

enum Action {
    Say(Act),
    Mark { mask: u32, value: u32 },
    ConnMark(ConnMark),
    NoTrack,
    Zone(ZoneOf),
    Classify(u32),
    Trace,
    Header(HeaderChange),
    Segment(SegmentChange),
    Nat(PreparedNat),
    Stateful(Box<dyn StatefulTarget + Send>),
}

impl PreparedTarget {
    pub(super) fn new(target: &Target, with: &mut Preparation<'_>) -> Self {
        if let Some(stateful) = stateful::prepare_target(target, with) {
            return Self(Action::Stateful(stateful));
        }
        let change = HeaderChange::new(target).map(Action::Header);
        let change = change.or_else(|| SegmentChange::new(target).map(Action::Segment));
        if let Some(change) = change.or_else(|| PreparedNat::new(target).map(Action::Nat)) {
            return Self(change);
        }
        Self(match target {
            Target::Verdict(verdict) => Action::Say((*verdict).into()),
            Target::Chain { chain, goto: false } => Action::Say(Act::Jump(*chain)),
            Target::Chain { chain, goto: true } => Action::Say(Act::Goto(*chain)),
            Target::Reject { with: name } => Action::Say(Act::Reject(reject::of_name(name, with.v6))),
            // No program listens to the queue of a replayed host.
            Target::Nfqueue { bypass: true, .. } => Action::Say(Act::Accept),
            Target::Nfqueue { bypass: false, .. } => Action::Say(Act::Drop),
            Target::Mark { mask, value } => Action::Mark { mask: *mask, value: *value },
            Target::ConnMark { op, ct_mask, nf_mask, value, shift } => Action::ConnMark(ConnMark {
                op: *op,
                ct_mask: *ct_mask,
                nf_mask: *nf_mask,
                value: *value,
                shift: *shift,
            }),
            Target::Ct { notrack: true, .. } => Action::NoTrack,
            Target::Ct { zone: Some(zone), .. } => Action::Zone(ZoneOf::new(zone)),
            Target::Classify { class } => Action::Classify(*class),
            Target::Trace => Action::Trace,
            // The rest looks on, or is not modelled: the packet goes on.
            _ => Action::Say(Act::Continue),
        })
    }

    /// Acts on a packet that the rule's matches let through.
    pub fn act(&mut self, skb: &mut Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Act {
        match &mut self.0 {
            Action::Say(act) => return act.clone(),
            Action::Mark { mask, value } => skb.mark = (skb.mark & !*mask) ^ *value,
            Action::ConnMark(change) => change.act(skb, world),
            Action::NoTrack if is_seen(skb) => {}
            Action::NoTrack => skb.ct_info = CtInfo::Untracked,
            Action::Zone(_) if is_seen(skb) => {}
            Action::Zone(zone) => {
                if let Some(template) = world.connections.template(zone.of(skb)) {
                    (skb.ct, skb.ct_info) = (Some(template), CtInfo::New);
                }
            }
            Action::Classify(class) => skb.priority = *class,
            Action::Trace => skb.trace = true,
            Action::Header(change) => {
                world.strings.next_packet();
                change.act(skb);
            }
            Action::Segment(change) => {
                world.strings.next_packet();
                return change.act(skb);
            }
            Action::Nat(nat) => return Act::Nat(nat.request(skb, hook)),
            Action::Stateful(target) => target.act(skb, hook, world),
        }
        Act::Continue
    }
}

/// Tracking has dealt with the packet: CT leaves it alone.
fn is_seen(skb: &Skb<'_>) -> bool {
    skb.ct.is_some() || skb.ct_info != CtInfo::None
}

/// `-j CONNMARK` (`xt_connmark.c`).
struct ConnMark {
    op: ConnMarkOp,
    ct_mask: u32,
    nf_mask: u32,
    value: u32,
    /// `true` for the left, and by how many bits.
    shift: Option<(bool, u8)>,
}

impl ConnMark {
    fn act(&self, skb: &mut Skb<'_>, world: &mut World<'_>) {
        let Some(conn) = skb.ct.and_then(|id| world.connections.get_mut(id)) else { return };
        match self.op {
            ConnMarkOp::Set => conn.mark = self.shifted((conn.mark & !self.ct_mask) ^ self.value),
            ConnMarkOp::Save => conn.mark = (conn.mark & !self.ct_mask) ^ self.shifted(skb.mark & self.nf_mask),
            ConnMarkOp::Restore => skb.mark = (skb.mark & !self.nf_mask) ^ self.shifted(conn.mark & self.ct_mask),
        }
    }

    fn shifted(&self, mark: u32) -> u32 {
        match self.shift {
            None => mark,
            Some((true, bits)) => mark.wrapping_shl(bits.into()),
            Some((false, bits)) => mark.wrapping_shr(bits.into()),
        }
    }
}

/// `-j CT --zone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ZoneOf {
    /// `None`: the packet's mark is the zone.
    id: Option<u16>,
    original_only: bool,
    reply_only: bool,
}

impl ZoneOf {
    /// From the option as written: a number or `mark`, and the direction if it is only one.
    fn new(written: &str) -> Self {
        let number = |word: &str| match word.strip_prefix("0x") {
            Some(hex) => u16::from_str_radix(hex, 16).ok(),
            None => word.parse().ok(),
        };
        let mut words = written.split(|c: char| !c.is_ascii_alphanumeric());
        Self {
            id: words.find_map(number),
            original_only: written.contains("orig"),
            reply_only: written.contains("reply"),
        }
    }

    fn of(self, skb: &Skb<'_>) -> Zone {
        let id = self.id.unwrap_or((skb.mark & 0xffff) as u16);
        Zone { id, original_only: self.original_only, reply_only: self.reply_only }
    }
}

impl From<Verdict> for Act {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::Accept,
            Verdict::Drop => Self::Drop,
            Verdict::Continue => Self::Continue,
            Verdict::Return => Self::Return,
            Verdict::Jump(chain) => Self::Jump(chain),
            Verdict::Goto(chain) => Self::Goto(chain),
        }
    }
}
