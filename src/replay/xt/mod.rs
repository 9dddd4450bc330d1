//! Judging a packet by iptables rules, as `ip_tables`, `ip6_tables` and `nft_compat` of kernel 6.18 do.
//!
//! A table is made ready once ([`PreparedTable::new`]). Then, for each packet, [`PreparedTable::run_rules`] goes from rule
//! to rule of a chain until one counts it, and says what happens to it. Chains, hooks and policies are the caller's.
//!
//! | file | does |
//! |---|---|
//! | `table` | rules one after the other |
//! | `ask` | rules asked without a trace |
//! | `guard` | the quick no that most rules say |
//! | `rule` | the parts of a rule in the order in which the kernel asks them |
//! | `head` | addresses, interfaces, protocol |
//! | `view` | where headers are, by backend |
//! | `matches` | matches that ask about the packet at hand |
//! | `target` | what a rule does |
//! | `stateful` | matches and targets that remember |
//! | `strings` | `-m string` for all rules at once |

mod ask;
mod guard;
mod head;
mod matches;
mod rule;
pub mod stateful;
mod strings;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod view;

pub use ask::{Said, acts};
pub use rule::PreparedRule;
pub use stateful::Shared;
pub use strings::Strings;
pub use table::{Judged, PreparedTable};
pub use target::{Act, NatRequest, reject_reply};

use super::skb::{HookContext, Skb};
use super::world::{Answer, World};
use crate::ruleset::model::Ruleset;

/// Who runs an iptables rule. `iptables-nft` gives some matches to nf_tables' own expressions, which read fragments and
/// cut headers otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Backend {
    /// `iptables-nft`, the usual one.
    #[default]
    Nft,
    /// `iptables-legacy`.
    Legacy,
}

/// What is at hand while rules are made ready.
pub struct Preparation<'a> {
    /// `true` for ip6tables.
    pub v6: bool,
    /// Who will run the rule.
    pub backend: Backend,
    /// Sets and patterns that rules name.
    pub ruleset: &'a Ruleset,
    /// Where stateful matches put what they share.
    pub shared: &'a mut Shared,
    /// Where strings are put that packets are searched for.
    pub strings: &'a mut Strings,
}

/// A match that remembers.
pub trait StatefulMatch {
    /// Asks it. Only called when everything before it in the rule matched.
    fn matches(&mut self, skb: &Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Answer;
}

/// A target that remembers. The packet goes on to the next rule.
pub trait StatefulTarget {
    /// Lets it act.
    fn act(&mut self, skb: &mut Skb<'_>, hook: &HookContext, world: &mut World<'_>);
}
