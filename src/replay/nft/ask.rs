//! What rules would say about a packet, without a trace: no counter, no limit, no set remembers the question.

use super::guard::Facts;
use super::load::{Context, Load, Lookup};
use super::packet::Info;
use super::step::{Act, Flow, Step};
use super::{PreparedChain, PreparedRule, PreparedTable};
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::World;
use crate::ruleset::model::ChainId;
use crate::ruleset::nft::Meta;

/// What a rule would say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It does not match.
    No,
    /// It matches and decides; on to the next rule counts as a decision.
    Decides(Act),
    /// It matches, and does something to the packet or to what rules remember.
    Acts,
    /// Only asking it in earnest would tell: it depends on what it remembers.
    Unknown,
}

impl PreparedTable {
    /// Asks some rules of a chain, counted from 0, until `answer` wants no more.
    pub fn ask(
        &mut self,
        chain: ChainId,
        numbers: impl IntoIterator<Item = u32>,
        (skb, hook, world): (&mut Skb, &HookContext, &mut World),
        mut answer: impl FnMut(u32, Said) -> bool,
    ) {
        let Some(PreparedChain { guards, rules }) = self.chains.get_mut(chain.0 as usize) else { return };
        let info = Info::of(skb);
        let mut cx =
            Context { skb, info, hook, family: self.family, world, sets: &mut self.sets, objects: &mut self.objects };
        let facts = Facts::of(&cx);
        for number in numbers {
            let at = number as usize;
            let (Some(guard), Some(rule)) = (guards.get(at), rules.get_mut(at)) else { return };
            let said = if guard.fails(&facts) { Said::No } else { rule.ask(&mut cx) };
            if !answer(number, said) {
                return;
            }
        }
    }
}

impl PreparedRule {
    fn ask(&mut self, cx: &mut Context) -> Said {
        for step in &mut self.steps {
            match step.trace(cx) {
                Trace::None => {}
                Trace::OfCondition => return Said::Unknown,
                Trace::OfAction => return Said::Acts,
                Trace::Count => continue,
            }
            match step.run(cx) {
                Flow::Go => {}
                Flow::Break => return Said::No,
                Flow::Done(act) => return Said::Decides(act),
            }
        }
        Said::Decides(Act::Continue)
    }
}

/// What running a step would leave behind.
enum Trace {
    None,
    /// A count of its own.
    Count,
    /// What it says next depends on having been asked.
    OfCondition,
    OfAction,
}

impl Step {
    fn trace(&self, cx: &Context) -> Trace {
        let of_loads = |loads: &[&Load]| {
            if loads.iter().all(|load| load.is_traceless(cx)) { Trace::None } else { Trace::OfCondition }
        };
        match self {
            Self::Test { load, .. } => of_loads(&[load]),
            Self::WideTest(test) => of_loads(&[&test.load]),
            Self::BytesTest(test) => of_loads(&[&test.load]),
            Self::Exprs(exprs) => of_loads(&[&exprs.0, &exprs.2]),
            Self::Lookup(lookup, _) | Self::VerdictMap(lookup) => {
                if lookup.is_traceless(cx) {
                    Trace::None
                } else {
                    Trace::OfCondition
                }
            }
            Self::Interface { .. } | Self::Verdict(_) | Self::Reject(_) | Self::Break | Self::Queue { .. } => {
                Trace::None
            }
            Self::Counter { .. } => Trace::Count,
            Self::State(_) | Self::Object(_) | Self::ObjectMap(_) | Self::Synproxy | Self::FlowOffload => {
                Trace::OfCondition
            }
            _ => Trace::OfAction,
        }
    }
}

impl Load {
    fn is_traceless(&self, cx: &Context) -> bool {
        match self {
            Self::NumGen(_) | Self::Meta(Meta::Random, _) => false,
            Self::Hash(hash) => hash.of.as_ref().is_none_or(|of| of.is_traceless(cx)),
            Self::Bitwise(bitwise) => bitwise.of.is_traceless(cx),
            Self::Shift(shift) => shift.of.is_traceless(cx),
            Self::Binary(binary) => binary.left.is_traceless(cx) && binary.right.is_traceless(cx),
            Self::Concat(fields) => fields.iter().all(|(field, _)| field.is_traceless(cx)),
            Self::Map(lookup, _) => lookup.is_traceless(cx),
            _ => true,
        }
    }
}

impl Lookup {
    fn is_traceless(&self, cx: &Context) -> bool {
        self.key.is_traceless(cx) && cx.sets.get(self.set).is_none_or(|set| !set.has_states())
    }
}
