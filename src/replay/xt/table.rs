//! Rules one after the other, as `ipt_do_table` and the chains of `iptables-nft` ask them.

use super::super::skb::{HookContext, Skb};
use super::super::world::{Answer, World};
use super::guard::{Atoms, Facts, Guard};
use super::{Act, Preparation, PreparedRule, ask};
use crate::ruleset::model::{Body, ChainId, Rule, Table, Verdict};
use crate::ruleset::xt::{Match, RuleBody, Target};

/// So many rules are asked without facts: it takes longer to find those out.
const FEW: usize = 2;

/// A table ready to judge packets.
pub struct PreparedTable {
    atoms: Atoms,
    chains: Vec<Chain>,
}

/// Guards lie close together: most packets need no more of most rules.
struct Chain {
    guards: Vec<Guard>,
    rules: Vec<Ready>,
}

pub(super) struct Ready {
    pub rule: PreparedRule,
    /// The rule without what is not modelled, if there is such a part and the rule stops packets.
    probe: Option<Box<PreparedRule>>,
    /// Its conditions up to the first that must not be asked without need, if there is one.
    pub prefix: Option<Box<PreparedRule>>,
    /// It does more than judge and count.
    pub acts: bool,
}

/// What rules said.
#[derive(Debug)]
pub enum Judged {
    /// None counts the packet.
    Nothing,
    /// A match dropped the packet on the spot.
    HotDrop,
    /// The rule counts the packet, and does this.
    Hit(Act),
}

impl PreparedTable {
    /// Makes a table of the rule model ready, if `asked` for questions without a trace too. Rules that are not iptables'
    /// are left out.
    pub fn new(table: &Table, asked: bool, with: &mut Preparation<'_>) -> Self {
        let mut atoms = Atoms::new(with);
        let mut chains = Vec::with_capacity(table.chains.len());
        for chain in &table.chains {
            let mut ready = Chain { guards: Vec::new(), rules: Vec::new() };
            for rule in &chain.rules {
                if let Body::Xt(body) = &rule.body {
                    ready.guards.push(atoms.guard(body));
                    ready.rules.push(Ready::new(rule, body, asked, with));
                }
            }
            chains.push(ready);
        }
        Self { atoms, chains }
    }

    /// A rule of a chain.
    pub(super) fn ready(&mut self, chain: ChainId, rule: usize) -> Option<&mut Ready> {
        self.chains.get_mut(chain.0 as usize)?.rules.get_mut(rule)
    }

    /// Asks the rules of a chain, from a number on, until one counts the packet or drops it; gives its number. If none
    /// does, the number is that of the last. `doubtful` is set if a rule that stops packets would have counted it but
    /// for a part that is not modelled.
    pub fn run_rules(
        &mut self,
        chain: ChainId,
        from: usize,
        skb: &mut Skb<'_>,
        hook: &HookContext,
        world: &mut World<'_>,
        doubtful: &mut bool,
    ) -> (usize, Judged) {
        let Some(chain) = self.chains.get_mut(chain.0 as usize) else { return (from, Judged::Nothing) };
        let last = chain.rules.len().saturating_sub(1);
        let (Some(rules), Some(guards)) = (chain.rules.get_mut(from..), chain.guards.get(from..)) else {
            return (last, Judged::Nothing);
        };
        let facts = if rules.len() > FEW { self.atoms.facts(skb, hook) } else { None };
        let fails = |guard: &Guard| facts.as_ref().is_some_and(|facts: &Facts| guard.fails(facts));
        for (number, (rule, guard)) in rules.iter_mut().zip(guards).enumerate() {
            if fails(guard) {
                continue;
            }
            match rule.rule.matches(skb, hook, world) {
                Answer::Yes => return (from + number, Judged::Hit(rule.rule.act(skb, hook, world))),
                Answer::HotDrop => return (from + number, Judged::HotDrop),
                Answer::No => {
                    if let Some(probe) = &mut rule.probe {
                        *doubtful |= probe.matches(skb, hook, world) == Answer::Yes;
                    }
                }
            }
        }
        (last, Judged::Nothing)
    }
}

impl Ready {
    fn new(rule: &Rule, body: &RuleBody, asked: bool, with: &mut Preparation<'_>) -> Self {
        let prepared = PreparedRule::new(body, with);
        let has_probe = !rule.unknown.is_empty() && stops(body);
        let probe = has_probe.then(|| Box::new(PreparedRule::new(&without_unknown(body), with)));
        let prefix = if asked { ask::prefix(body, with).map(Box::new) } else { None };
        Self { rule: prepared, probe, prefix, acts: ask::acts(body) }
    }
}

fn stops(body: &RuleBody) -> bool {
    matches!(body.target, Target::Verdict(Verdict::Drop) | Target::Reject { .. })
}

fn without_unknown(body: &RuleBody) -> RuleBody {
    let known = body.matches.iter().filter(|extension| !matches!(extension, Match::Unknown { .. }));
    RuleBody { matches: known.cloned().collect(), ..body.clone() }
}
