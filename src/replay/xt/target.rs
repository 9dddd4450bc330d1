//! What a rule does with a packet.

use super::super::conntrack::{Manip, NatRange};
use super::super::skb::{HookContext, Skb};
use super::super::world::World;
use super::{Preparation, StatefulTarget, stateful};
use crate::ruleset::model::{ChainId, Verdict};
use crate::ruleset::xt::Target;

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
    /// Dropped, and an answer is sent: the reply is for the caller to make.
    Reject(RejectKind),
    /// Let through with other addresses.
    Nat(Box<NatRequest>),
    /// To a program; with `bypass` the base chain lets it through if there is none, else it is dropped.
    Queue {
        /// `--queue-bypass`.
        bypass: bool,
    },
}

/// What REJECT answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectKind {
    /// A TCP segment with RST.
    TcpReset,
    /// ICMP destination unreachable with this code.
    Icmp(u8),
    /// ICMPv6 destination unreachable with this code.
    Icmp6(u8),
}

/// Who knows the addresses of a NAT request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NatKind {
    /// SNAT, DNAT, NETMAP: they are in the range.
    Range,
    /// MASQUERADE: the address of the interface that the packet leaves by.
    Masquerade,
    /// REDIRECT: the address of the interface that the packet came in by, the loopback address at OUTPUT.
    Redirect,
}

/// Other addresses for a connection; connection tracking gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatRequest {
    /// Who knows the addresses.
    pub kind: NatKind,
    /// Which side.
    pub manip: Manip,
    /// From which to choose; without addresses for MASQUERADE and REDIRECT.
    pub range: NatRange,
}

/// A target made ready.
pub struct PreparedTarget {
    act: Action,
}

enum Action {
    Say(Act),
    Stateful(Box<dyn StatefulTarget + Send>),
}

impl PreparedTarget {
    pub(super) fn new(target: &Target, with: &mut Preparation<'_>) -> Self {
        let act = match target {
            Target::Verdict(verdict) => Action::Say((*verdict).into()),
            Target::Chain { chain, goto: false } => Action::Say(Act::Jump(*chain)),
            Target::Chain { chain, goto: true } => Action::Say(Act::Goto(*chain)),
            other => stateful::prepare_target(other, with).map_or(Action::Say(Act::Continue), Action::Stateful),
        };
        Self { act }
    }

    /// Acts on a packet that the rule's matches let through.
    pub fn act(&mut self, skb: &mut Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Act {
        match &mut self.act {
            Action::Say(act) => act.clone(),
            Action::Stateful(target) => {
                target.act(skb, hook, world);
                Act::Continue
            }
        }
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
