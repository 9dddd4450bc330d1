//! Judging a packet by the rules of an nftables table, as kernel 6.18's nf_tables does: `nft_do_chain` of
//! `nf_tables_core.c` and the expressions of `nft_*.c`.
//!
//! | file | does |
//! |---|---|
//! | `make` | makes statements and expressions ready |
//! | `step`, `load` | run them |
//! | `ask` | asks them without a trace |
//! | `packet`, `exthdr`, `meta`, `fib`, `hash` | what expressions read |
//! | `set`, `ranges` | sets and maps |
//! | `state`, `object` | counters, limits, quotas: of rules, of elements, with a name |
//! | `rewrite`, `nat`, `divert` | what changes a packet or its way |
//!
//! A [`PreparedTable`] is made of a table once and runs one rule at a time; going from rule to rule, chains, hooks and
//! policies are the caller's. Times are those of the packets.

mod ask;
mod divert;
mod exthdr;
mod fib;
mod guard;
mod hash;
mod load;
mod make;
mod meta;
mod nat;
mod object;
mod packet;
mod ranges;
mod rewrite;
mod set;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod value;

pub use ask::Said;
pub use nat::NatRequest;
pub(super) use state::LimitState;
pub use step::Act;

use super::skb::{HookContext, Skb};
use super::world::World;
use crate::ruleset::model::{Body, Chain, ChainId, Family, SetId, Table};
use crate::ruleset::nft::{ObjectKind, SetData};
use guard::{Facts, Guard};
use load::Context;
use make::Maker;
use object::RuntimeObject;
use packet::Info;
use set::RuntimeSet;
use std::ops::Range;
use step::{Flow, Step};

/// A table ready to judge packets, with what its rules, sets and objects remember.
#[derive(Debug, Clone)]
pub struct PreparedTable {
    family: Family,
    chains: Vec<PreparedChain>,
    sets: Vec<RuntimeSet>,
    objects: Vec<RuntimeObject>,
    /// Time of the first packet: the ruleset counts as loaded then.
    started_ns: Option<i64>,
}

/// Guards lie close together: most packets need no more of most rules.
#[derive(Debug, Clone, Default)]
struct PreparedChain {
    guards: Vec<Guard>,
    rules: Vec<PreparedRule>,
}

/// A rule made ready.
#[derive(Debug, Clone, Default)]
struct PreparedRule {
    steps: Vec<Step>,
    /// Packets and bytes for which every statement matched.
    matched: (u64, u64),
    /// Place of the last counter among the steps.
    counter: Option<usize>,
}

/// What a rule did with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What it decided.
    pub act: Act,
    /// The rule was hit: its last counter counted the packet or, if it has none, all its statements matched.
    pub hit: bool,
}

/// What became of a named object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectTally<'t> {
    /// Name.
    pub name: &'t str,
    /// Kind.
    pub kind: ObjectKind,
    /// Packets of a counter.
    pub packets: Option<u64>,
    /// Bytes of a counter, or used of a quota.
    pub bytes: Option<u64>,
}

/// An element of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementTally<'t> {
    /// First and last key, fields one after the other; `None` for the catch-all.
    pub keys: Option<(&'t [u8], &'t [u8])>,
    /// Packets and bytes of its counter.
    pub counter: Option<(u64, u64)>,
}

impl PreparedTable {
    /// Makes a table of the rule model ready. Rules that are not nftables' do nothing.
    pub fn new(table: &Table) -> Self {
        let sets: Vec<RuntimeSet> = table.sets.iter().map(RuntimeSet::new).collect();
        let data_width = |data| if let SetData::Value(width) = data { width as usize } else { 0 };
        let data_widths: Vec<usize> = table.sets.iter().map(|set| data_width(set.data)).collect();
        let maker = Maker { family: table.family, sets: &sets, data_widths: &data_widths };
        let rule = |body: &Body| match body {
            Body::Nft(statements) => PreparedRule::new(statements.iter().filter_map(|of| maker.step(of)).collect()),
            Body::Xt(_) => PreparedRule::new(vec![Step::Break]),
        };
        let chain = |chain: &Chain| {
            let rules: Vec<PreparedRule> = chain.rules.iter().map(|of| rule(&of.body)).collect();
            let guards = rules.iter().map(|rule| Guard::of(&rule.steps, table.family)).collect();
            PreparedChain { guards, rules }
        };
        let chains = table.chains.iter().map(chain).collect();
        let objects = table.objects.iter().map(RuntimeObject::new).collect();
        Self { family: table.family, chains, sets, objects, started_ns: None }
    }

    /// Runs one rule of a chain, counted from 0. A rule that is not there continues.
    ///
    /// `notrack` and the setting of marks, labels and fields happen at once; what the caller must do is in the
    /// [`Act`].
    pub fn run_rule(
        &mut self,
        chain: ChainId,
        rule: usize,
        skb: &mut Skb,
        hook: &HookContext,
        world: &mut World,
    ) -> Judged {
        let (_, judged) = self.run_rules(chain, rule..rule.saturating_add(1), skb, hook, world);
        judged
    }

    /// Runs rules of a chain until one is hit or decides. Gives the number of that rule (the last one asked, if none)
    /// and what it said. Most rules say nothing about most packets, so what all of them need is made ready once.
    pub fn run_rules(
        &mut self,
        chain: ChainId,
        numbers: Range<usize>,
        skb: &mut Skb,
        hook: &HookContext,
        world: &mut World,
    ) -> (usize, Judged) {
        if self.started_ns.is_none() {
            self.start(skb.now_ns);
        }
        let (mut last, nothing) = (numbers.start, Judged { act: Act::Continue, hit: false });
        let Some(chain) = self.chains.get_mut(chain.0 as usize) else { return (last, nothing) };
        let asked = (chain.rules.get_mut(numbers.clone()), chain.guards.get(numbers.clone()));
        let (Some(rules), Some(guards)) = asked else { return (last, nothing) };
        let info = Info::of(skb);
        let mut cx =
            Context { skb, info, hook, family: self.family, world, sets: &mut self.sets, objects: &mut self.objects };
        let mut facts = Facts::of(&cx);
        for (number, (rule, guard)) in numbers.zip(rules.iter_mut().zip(guards)) {
            last = number;
            if guard.fails(&facts) {
                continue;
            }
            let judged = rule.run(&mut cx);
            if judged.hit || judged.act != Act::Continue {
                return (number, judged);
            }
            cx.info = Info::of(cx.skb);
            facts = Facts::of(&cx);
        }
        (last, nothing)
    }

    fn start(&mut self, now_ns: i64) {
        self.started_ns = Some(now_ns);
        for set in &mut self.sets {
            set.start(now_ns);
        }
    }

    /// Number of rules of a chain.
    pub fn rules(&self, chain: ChainId) -> usize {
        self.chains.get(chain.0 as usize).map_or(0, |chain| chain.rules.len())
    }

    /// Packets and bytes of each counter in a rule, in order.
    pub fn counters(&self, chain: ChainId, rule: usize) -> Vec<(u64, u64)> {
        self.rule(chain, rule).map_or(Vec::new(), |rule| rule.steps.iter().filter_map(Step::tally).collect())
    }

    /// Packets and bytes for which all statements of a rule matched.
    pub fn matched(&self, chain: ChainId, rule: usize) -> (u64, u64) {
        self.rule(chain, rule).map_or((0, 0), |rule| rule.matched)
    }

    /// What a rule is said to have counted: its last counter or, if it has none, the packets that matched it.
    pub fn tally(&self, chain: ChainId, rule: usize) -> (u64, u64) {
        let found = self.rule(chain, rule);
        found.and_then(|rule| rule.steps.get(rule.counter?)?.tally()).unwrap_or_else(|| self.matched(chain, rule))
    }

    fn rule(&self, chain: ChainId, rule: usize) -> Option<&PreparedRule> {
        self.chains.get(chain.0 as usize)?.rules.get(rule)
    }

    /// Named objects, in the order of the table.
    pub fn objects(&self) -> impl Iterator<Item = ObjectTally<'_>> {
        self.objects.iter().map(|object| {
            let (packets, bytes) = object.tally();
            ObjectTally { name: &object.name, kind: object.kind, packets, bytes }
        })
    }

    /// Elements of a set at a time, in the order in which they came.
    pub fn elements(&self, set: SetId, now_ns: i64) -> impl Iterator<Item = ElementTally<'_>> {
        let entries = self.sets.get(set.0 as usize).into_iter().flat_map(move |set| set.entries(now_ns));
        entries.map(|entry| ElementTally {
            keys: entry.keys.as_ref().map(|(first, last)| (&**first, &**last)),
            counter: entry.states.iter().find_map(state::State::tally),
        })
    }
}

impl PreparedRule {
    fn new(steps: Vec<Step>) -> Self {
        let counter = steps.iter().rposition(|step| step.tally().is_some());
        Self { steps, matched: (0, 0), counter }
    }

    fn run(&mut self, cx: &mut Context) -> Judged {
        let mut past_counter = false;
        for (place, step) in self.steps.iter_mut().enumerate() {
            match step.run(cx) {
                Flow::Go => past_counter |= self.counter == Some(place),
                Flow::Break => return Judged { act: Act::Continue, hit: past_counter },
                Flow::Done(act) => {
                    self.match_all(cx);
                    return Judged { act, hit: past_counter || self.counter.is_none() };
                }
            }
        }
        self.match_all(cx);
        Judged { act: Act::Continue, hit: true }
    }

    fn match_all(&mut self, cx: &Context) {
        let (packets, bytes) = &mut self.matched;
        *packets += 1;
        *bytes += u64::from(cx.skb.len);
    }
}
