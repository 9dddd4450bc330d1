//! What can be said of rules without a packet: rules that cannot matter, and mistakes that are often made.
//!
//! *Shadowed* and *redundant* are said only where they are proven: for every packet, whatever its content, state or
//! time. What cannot be proven is left to a replay.

mod cover;
mod doubts;
pub mod unseen;

use super::model::{Base, Body, Chain, ChainId, Policy, Rule, Ruleset, Table, Verdict};
use super::nft::Statement;
use super::xt::Target;
use cover::{covers, is_disjoint};
pub use cover::{is_pure, only_judges};
use std::collections::BTreeSet;

/// What is wrong with a rule, or with a ruleset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It can never count a packet.
    Shadowed,
    /// Without it every packet would fare the same.
    Redundant,
    /// It can count, but perhaps not what its writer meant.
    Doubtful,
}

/// A remark on a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// Number of the rule in [`Ruleset::rules`]; `None` for the ruleset as a whole.
    pub rule: Option<u32>,
    /// What is wrong.
    pub kind: Kind,
    /// Why, in words.
    pub message: String,
}

/// Everything that can be said, by rule.
pub fn lint(ruleset: &Ruleset) -> Vec<Lint> {
    let mut lints = Vec::new();
    let mut number = 0;
    for table in &ruleset.tables {
        let reached = reached_chains(table);
        for (at, chain) in (0u32..).zip(&table.chains) {
            if !reached.contains(&ChainId(at)) {
                unreached(chain, number, &mut lints);
            } else {
                lint_chain(table, chain, number, &mut lints);
            }
            number += chain.rules.len() as u32;
        }
    }
    doubts::of(ruleset, &mut lints);
    lints.sort_by_key(|lint| (lint.rule.map_or(u32::MAX, |rule| rule), lint.kind));
    lints
}

fn unreached(chain: &Chain, first: u32, lints: &mut Vec<Lint>) {
    for at in 0..chain.rules.len() as u32 {
        let message = format!("nothing jumps to chain {}", chain.name);
        lints.push(Lint { rule: Some(first + at), kind: Kind::Shadowed, message });
    }
}

/// Chains that a packet can get into. A jump in a rule that nothing reaches does not count.
fn reached_chains(table: &Table) -> BTreeSet<ChainId> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<ChainId> =
        (0u32..).zip(&table.chains).filter(|(_, chain)| chain.base.is_some()).map(|(at, _)| ChainId(at)).collect();
    while let Some(chain) = waiting.pop() {
        if reached.insert(chain)
            && let Some(chain) = table.chains.get(chain.0 as usize)
        {
            waiting.extend(chain.rules.iter().flat_map(|rule| jumps(table, rule)));
        }
    }
    reached
}

/// Chains that a rule may lead into.
pub fn jumps(table: &Table, rule: &Rule) -> Vec<ChainId> {
    let of = |verdict: &Verdict| match verdict {
        Verdict::Jump(chain) | Verdict::Goto(chain) => Some(*chain),
        _ => None,
    };
    match &rule.body {
        Body::Xt(body) => match &body.target {
            Target::Chain { chain, .. } => vec![*chain],
            Target::Verdict(verdict) => of(verdict).into_iter().collect(),
            _ => Vec::new(),
        },
        Body::Nft(statements) => statements
            .iter()
            .flat_map(|statement| match statement {
                Statement::Verdict(verdict) => of(verdict).into_iter().collect(),
                // Elements may be added at run time, but never a chain that no element names now.
                Statement::VerdictMap { set, .. } => table.sets.get(set.0 as usize).map_or_else(Vec::new, |set| {
                    let verdicts = set.elements.iter().filter_map(|element| match &element.data {
                        super::nft::ElementData::Verdict(verdict) => of(verdict),
                        _ => None,
                    });
                    verdicts.collect()
                }),
                _ => Vec::new(),
            })
            .collect(),
    }
}

fn lint_chain(table: &Table, chain: &Chain, first: u32, lints: &mut Vec<Lint>) {
    for (at, rule) in chain.rules.iter().enumerate() {
        let number = Some(first + at as u32);
        let before = chain.rules.get(..at).unwrap_or_default();
        let taker = before.iter().find(|earlier| ending(earlier).is_some() && covers(table, earlier, rule));
        if let Some(taker) = taker {
            let message =
                format!("rule {} (line {}) takes every packet that this one could match", taker.n, taker.place.line);
            lints.push(Lint { rule: number, kind: Kind::Shadowed, message });
        } else if let Some(why) = redundant(table, chain, at, rule) {
            lints.push(Lint { rule: number, kind: Kind::Redundant, message: why });
        }
    }
}

/// How a rule ends the packet's way through the chain, if it always does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Accept,
    Drop,
    Reject,
    Return,
    Goto(ChainId),
}

fn ending(rule: &Rule) -> Option<Ending> {
    let of = |verdict: &Verdict| match verdict {
        Verdict::Accept => Some(Ending::Accept),
        Verdict::Drop => Some(Ending::Drop),
        Verdict::Return => Some(Ending::Return),
        Verdict::Goto(chain) => Some(Ending::Goto(*chain)),
        Verdict::Continue | Verdict::Jump(_) => None,
    };
    match &rule.body {
        Body::Xt(body) => match &body.target {
            Target::Verdict(verdict) => of(verdict),
            Target::Chain { chain, goto: true } => Some(Ending::Goto(*chain)),
            Target::Reject { .. } => Some(Ending::Reject),
            _ => None,
        },
        Body::Nft(statements) => match statements.last() {
            Some(Statement::Verdict(verdict)) => of(verdict),
            Some(Statement::Reject(_)) => Some(Ending::Reject),
            _ => None,
        },
    }
}

/// Why the rule changes nothing: what comes next decides the same for all that it matches.
fn redundant(table: &Table, chain: &Chain, at: usize, rule: &Rule) -> Option<String> {
    let own = ending(rule).filter(|_| cover::only_judges(rule))?;
    for later in chain.rules.iter().skip(at + 1) {
        match ending(later) {
            Some(theirs) if theirs == own && covers(table, later, rule) => {
                return Some(format!(
                    "rule {} (line {}) decides the same for all that this one matches",
                    later.n, later.place.line
                ));
            }
            // What may decide otherwise, count, or change the packet in between makes it matter.
            Some(theirs) if theirs == own && cover::only_judges(later) => {}
            _ if is_disjoint(later, rule) => {}
            _ => return None,
        }
    }
    let by_policy = |base: &Base| {
        let same = if base.policy == Policy::Accept { Ending::Accept } else { Ending::Drop };
        own == same || own == Ending::Return
    };
    chain.base.as_ref().is_some_and(by_policy).then(|| "the chain's policy decides the same".to_owned())
}

#[cfg(test)]
mod tests;
