//! What a rule would say about a packet, asked without leaving a trace.

use super::super::skb::{HookContext, Skb};
use super::super::world::{Answer, World};
use super::{Act, Preparation, PreparedRule, PreparedTable};
use crate::ruleset::lint::is_pure;
use crate::ruleset::model::{ChainId, Ruleset};
use crate::ruleset::xt::{Match, RuleBody, Target};

/// What a rule would say.
#[derive(Debug)]
pub enum Said {
    /// It would not match.
    No,
    /// It would match, and decide this.
    Decides(Act),
    /// It would match, and do more than decide.
    Acts,
    /// That cannot be told without a trace.
    Unknown,
}

impl PreparedTable {
    /// Asks a rule of a chain, counted from 0. The table must have been prepared for it.
    pub fn ask(
        &mut self,
        chain: ChainId,
        rule: u32,
        skb: &mut Skb<'_>,
        hook: &HookContext,
        world: &mut World<'_>,
    ) -> Said {
        let Some(ready) = self.ready(chain, rule as usize) else { return Said::No };
        if let Some(prefix) = &mut ready.prefix {
            let no = prefix.matches(skb, hook, world) == Answer::No;
            return if no { Said::No } else { Said::Unknown };
        }
        match ready.rule.matches(skb, hook, world) {
            Answer::No => Said::No,
            Answer::HotDrop => Said::Unknown,
            Answer::Yes if ready.acts => Said::Acts,
            Answer::Yes => Said::Decides(ready.rule.act(skb, hook, world)),
        }
    }
}

/// A rule does more than judge and count.
pub fn acts(body: &RuleBody) -> bool {
    !matches!(body.target, Target::None | Target::Verdict(_) | Target::Chain { .. } | Target::Reject { .. })
}

/// The conditions of an iptables rule up to the first that remembers being asked; `None` if none does.
pub(super) fn prefix(body: &RuleBody, with: &mut Preparation<'_>) -> Option<PreparedRule> {
    let leaves_none = |one: &Match| is_pure(one) && !counts_in_a_set(one, with.ruleset);
    let pure = body.matches.iter().position(|one| !leaves_none(one))?;
    let matches = body.matches.iter().take(pure).cloned().collect();
    Some(PreparedRule::new(&RuleBody { head: body.head.clone(), matches, target: Target::None }, with))
}

/// `-m set` adds to the counters of the entry that it finds.
fn counts_in_a_set(one: &Match, ruleset: &Ruleset) -> bool {
    let Match::Set(set) = one else { return false };
    !(set.no_update_counters && set.no_update_subcounters) && ruleset.ipsets.iter().any(|one| one.counters)
}
