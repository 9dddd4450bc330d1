//! What these packets say of rules beside their counters: whether leaving a rule out would have changed anything, and
//! whether a rule that counted nothing would have, had not others taken its packets.
//!
//! Whenever a rule ends a packet's way through a base chain, the walk goes on once more from there as if the rule were
//! not in it, and leaves no trace. If every such walk ends as the rule decided, the rule is *needless by the capture*:
//! the packets fare the same without it, so connections, sets and limits do too, and the next packet is asked in the
//! same world. A walk that meets a rule which logs, marks or remembers proves nothing, and the rule is taken as needed.
//!
//! In the same place the rules that have counted nothing so far are asked about the packet, whatever is decided between.
//! One that matches has been *robbed*.
//!
//! A packet is asked at most once more by each rule of a chain, so the audit costs about what a packet costs that no
//! rule decides about.

use super::{Decision, MAX_DEPTH, Place, Ready, Rules, Walk, decision_of_nft, decision_of_xt};
use crate::replay::nft::{Act, Said};
use crate::replay::xt;
use crate::ruleset::lint::only_judges;
use crate::ruleset::model::{Body, ChainId, Policy, Rule, Table, Verdict};
use crate::ruleset::nft::{ElementData, Statement};
use crate::ruleset::xt::{Match, Target};

/// Rules that a walk without one rule asks at most: jumps within jumps may multiply.
const MOST_ASKED: u32 = 20_000;

/// Questions to rules that counted nothing, for a whole replay: long blocklists behind an early rule would take longer
/// than the replay itself.
const MOST_QUESTIONS: u64 = 1 << 31;

/// What the packets say of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Audited {
    /// Packets that it decided about and that would have fared the same without it; `None` if one would not, or if
    /// that cannot be said.
    pub needless: Option<u64>,
    /// It has counted nothing: packets that it would have matched, and the rule that took the first.
    pub taken: Option<(u64, u32)>,
}

/// The audit of a table.
#[derive(Debug)]
pub(super) struct Audit {
    /// Number of the table's first rule in the ruleset.
    first: u32,
    rules: Vec<Tally>,
    chains: Vec<Watched>,
    /// Chains whose rules have been asked about the packet at hand.
    visited: Vec<bool>,
    questions: u64,
}

#[derive(Debug, Clone, Default)]
struct Tally {
    /// It may be found needless: it does nothing but judge.
    judges: bool,
    /// It does something else: who comes there without the rule before it would leave a trace.
    acts: bool,
    needed: bool,
    same: u64,
    taken: u64,
    taker: u32,
}

/// What is asked of a chain's rules once somebody has decided.
#[derive(Debug, Clone, Default)]
struct Watched {
    /// Rules that have counted nothing.
    open: Vec<u32>,
    /// Rules that may lead into other chains.
    jumps: Vec<u32>,
}

/// How a way through a base chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Accept,
    Drop,
    Reject(crate::ruleset::nft::Reject),
}

impl End {
    fn of(decision: &Decision) -> Option<Self> {
        match decision {
            Decision::Accept => Some(Self::Accept),
            Decision::Drop => Some(Self::Drop),
            Decision::Reject(how) => Some(Self::Reject(*how)),
            _ => None,
        }
    }
}

/// What a rule would say, by whichever engine.
enum Asked {
    No,
    Decides(Decision),
    Acts,
    Unknown,
}

impl Audit {
    /// An audit of a table before its first packet. `first` is the number of its first rule.
    pub fn new(table: &Table, first: u32) -> Self {
        let all = table.chains.iter().flat_map(|chain| &chain.rules);
        let tally = |rule: &Rule| Tally { judges: only_judges(rule), acts: acts(rule), ..Tally::default() };
        let watched = table.chains.iter().map(|chain| Watched {
            open: (0u32..).zip(&chain.rules).filter(|(_, rule)| may_be_robbed(rule)).map(|(at, _)| at).collect(),
            jumps: (0u32..).zip(&chain.rules).filter(|(_, rule)| may_jump(table, rule)).map(|(at, _)| at).collect(),
        });
        let chains: Vec<Watched> = watched.collect();
        Self { first, rules: all.map(tally).collect(), visited: vec![false; chains.len()], chains, questions: 0 }
    }

    /// What came of a rule, by its number in the ruleset.
    pub fn of(&self, rule: u32) -> Option<Audited> {
        let tally = self.rules.get(rule.checked_sub(self.first)? as usize)?;
        let needless = (tally.judges && !tally.needed && tally.same > 0).then_some(tally.same);
        Some(Audited { needless, taken: (tally.taken > 0).then_some((tally.taken, tally.taker)) })
    }

    /// So much was asked that the numbers of packets that others took are too low.
    pub fn is_cut_short(&self) -> bool {
        self.questions >= MOST_QUESTIONS
    }

    fn tally(&mut self, rule: u32) -> Option<&mut Tally> {
        self.rules.get_mut(rule.checked_sub(self.first)? as usize)
    }
}

/// The rule does more than judge and count.
fn acts(rule: &Rule) -> bool {
    match &rule.body {
        Body::Xt(body) => xt::acts(body),
        Body::Nft(statements) => statements.iter().any(|one| matches!(one, Statement::Log | Statement::Dup)),
    }
}

/// A rule without conditions at the end of a chain is meant for what others leave: nobody robs it.
fn may_be_robbed(rule: &Rule) -> bool {
    let has_conditions = match &rule.body {
        Body::Xt(body) => {
            body.head != Default::default() || body.matches.iter().any(|one| !matches!(one, Match::Comment(_)))
        }
        Body::Nft(statements) => statements.iter().any(|one| {
            matches!(
                one,
                Statement::Compare { .. }
                    | Statement::CompareExprs { .. }
                    | Statement::Range { .. }
                    | Statement::Lookup { .. }
                    | Statement::VerdictMap { .. }
            )
        }),
    };
    has_conditions && rule.unknown.is_empty()
}

fn may_jump(table: &Table, rule: &Rule) -> bool {
    let is_jump = |verdict: &Verdict| matches!(verdict, Verdict::Jump(_) | Verdict::Goto(_));
    match &rule.body {
        Body::Xt(body) => match &body.target {
            Target::Chain { .. } => true,
            Target::Verdict(verdict) => is_jump(verdict),
            _ => false,
        },
        Body::Nft(statements) => statements.iter().any(|one| match one {
            Statement::Verdict(verdict) => is_jump(verdict),
            Statement::VerdictMap { set, .. } => table.sets.get(set.0 as usize).is_some_and(|set| {
                let elements = set.elements.iter();
                elements.map(|one| &one.data).any(|data| matches!(data, ElementData::Verdict(one) if is_jump(one)))
            }),
            _ => false,
        }),
    }
}

impl Walk<'_, '_, '_> {
    /// A rule has decided; `at` is the place after it.
    pub(super) fn audit(
        &mut self,
        table: &mut Ready,
        (decision, taker): (&Decision, u32),
        (base, at, stack): (ChainId, Place, &[Place]),
    ) {
        let Some(end) = End::of(decision) else { return };
        // A packet with a cut header may be dropped by a rule that does not count it.
        let Some(mut audit) = table.audit.take_if(|_| self.hits.last() == Some(&taker)) else { return };
        if audit.tally(taker).is_some_and(|tally| tally.judges && !tally.needed) {
            let same = self.end_without(taker, &audit, table, (base, at, stack)) == Some(end);
            if let Some(tally) = audit.tally(taker) {
                tally.needed = !same;
                tally.same += u64::from(same);
            }
        }
        self.ask_the_untouched(&mut audit, table, at, stack, taker);
        table.audit = Some(audit);
    }

    /// How the way would end from a place on without a rule, which may lie on it again; `None` if that cannot be told.
    fn end_without(
        &mut self,
        left_out: u32,
        audit: &Audit,
        table: &mut Ready,
        (base, mut at, stack): (ChainId, Place, &[Place]),
    ) -> Option<End> {
        let mut stack = stack.to_vec();
        for _ in 0..MOST_ASKED {
            let chain = table.chains.get(at.chain.0 as usize)?;
            let (first, len) = (chain.first, chain.len);
            let decision = if first + at.rule == left_out && at.rule < len {
                Decision::Continue
            } else if at.rule < len {
                let acts = audit.rules.get((first + at.rule).checked_sub(audit.first)? as usize)?.acts;
                match self.ask(&mut table.rules, at) {
                    Asked::No => Decision::Continue,
                    Asked::Decides(decision) if !acts => decision,
                    _ => return None,
                }
            } else {
                Decision::Return
            };
            at.rule += 1;
            match decision {
                Decision::Continue => {}
                Decision::Return => match stack.pop() {
                    Some(back) => at = back,
                    None => {
                        let policy = table.chains.get(base.0 as usize)?.policy;
                        return Some(if policy == Some(Policy::Drop) { End::Drop } else { End::Accept });
                    }
                },
                Decision::Jump(_) if stack.len() >= MAX_DEPTH => return None,
                Decision::Jump(to) => {
                    stack.push(at);
                    at = Place { chain: to, rule: 0 };
                }
                Decision::Goto(to) => at = Place { chain: to, rule: 0 },
                decision => return End::of(&decision),
            }
        }
        None
    }

    /// Asks the rules further on that have counted nothing so far.
    fn ask_the_untouched(&mut self, audit: &mut Audit, table: &mut Ready, at: Place, stack: &[Place], taker: u32) {
        if audit.is_cut_short() {
            return;
        }
        audit.visited.fill(false);
        let mut waiting: Vec<Place> = stack.iter().copied().chain([at]).collect();
        while let Some(place) = waiting.pop() {
            let Some(chain) = table.chains.get(place.chain.0 as usize) else { continue };
            let first = chain.first;
            let Some(watched) = audit.chains.get_mut(place.chain.0 as usize) else { continue };
            let mut open = std::mem::take(&mut watched.open);
            audit.questions += open.len() as u64;
            open.retain(|rule| self.count_of(&table.rules, place.chain, *rule, first) == 0);
            for &rule in open.iter().filter(|rule| **rule >= place.rule) {
                let asked = self.ask(&mut table.rules, Place { chain: place.chain, rule });
                if let (Asked::Decides(_) | Asked::Acts, Some(tally)) = (asked, audit.tally(first + rule)) {
                    tally.taken += 1;
                    if tally.taken == 1 {
                        tally.taker = taker;
                    }
                }
            }
            let Some(watched) = audit.chains.get_mut(place.chain.0 as usize) else { continue };
            watched.open = open;
            for &rule in watched.jumps.iter().filter(|rule| **rule >= place.rule) {
                if let Asked::Decides(Decision::Jump(to) | Decision::Goto(to)) =
                    self.ask(&mut table.rules, Place { chain: place.chain, rule })
                    && let Some(seen) = audit.visited.get_mut(to.0 as usize)
                    && !std::mem::replace(seen, true)
                {
                    waiting.push(Place { chain: to, rule: 0 });
                }
            }
        }
    }

    fn count_of(&self, rules: &Rules, chain: ChainId, rule: u32, first: u32) -> u64 {
        match rules {
            Rules::Xt(_) => self.counters.get((first + rule) as usize).map_or(0, |counter| counter.0),
            Rules::Nft(table) => table.tally(chain, rule as usize).0,
        }
    }

    /// What a rule would say about the packet.
    fn ask(&mut self, rules: &mut Rules, at: Place) -> Asked {
        match rules {
            Rules::Xt(table) => match table.ask(at.chain, at.rule, self.skb, self.context, self.world) {
                xt::Said::No => Asked::No,
                xt::Said::Decides(act) => Asked::Decides(decision_of_xt(act)),
                xt::Said::Acts => Asked::Acts,
                xt::Said::Unknown => Asked::Unknown,
            },
            Rules::Nft(table) => {
                let mut asked = Asked::No;
                table.ask(at.chain, [at.rule], (self.skb, self.context, self.world), |_, said| {
                    asked = match said {
                        Said::No => Asked::No,
                        Said::Decides(Act::Nat(_)) | Said::Acts => Asked::Acts,
                        Said::Decides(act) => Asked::Decides(decision_of_nft(act)),
                        Said::Unknown => Asked::Unknown,
                    };
                    false
                });
                asked
            }
        }
    }
}

#[cfg(test)]
mod tests;
