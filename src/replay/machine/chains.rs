//! Tables of both engines side by side: walks a packet through a base chain and counts.
//!
//! xtables (`ipt_do_table`): a rule counts when all its matches match; RETURN and the end of a chain go back to the
//! caller, in a base chain to the policy. nftables (`nft_do_chain`): statements in order; the end of a chain that was
//! entered by goto is the end of the way, so the base chain's policy judges.

mod audit;

pub use audit::Audited;

use super::DecidedBy;
use crate::replay::conntrack::{Manip, NatRange};
use crate::replay::hits::{ChainHits, ObjectHits};
use crate::replay::nft::{self, PreparedTable};
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::World;
use crate::replay::xt::{self, Backend, Preparation, Shared, Strings};
use crate::ruleset::model::{ChainId, Engine, Family, Policy, Ruleset, Table};
use crate::ruleset::nft::{NatKind, ObjectKind, Reject};
use audit::Audit;
use std::sync::Arc;

/// Jumps within jumps: nf_tables refuses more, and no xtables ruleset is near it.
const MAX_DEPTH: usize = 64;

/// All tables of a ruleset, ready to run.
pub struct Chains {
    tables: Vec<Ready>,
    counters: Vec<(u64, u64)>,
    /// A rule that stops packets would have matched but for a part that is not modelled.
    pub doubtful: bool,
}

/// A table ready to run.
struct Ready {
    family: Family,
    name: Arc<str>,
    chains: Vec<ReadyChain>,
    rules: Rules,
    audit: Option<Audit>,
}

struct ReadyChain {
    name: Arc<str>,
    policy: Option<Policy>,
    /// Packets and bytes that the policy judged.
    judged: (u64, u64),
    /// Number of the chain's first rule in the ruleset.
    first: u32,
    len: u32,
    /// Number among the base chains of the ruleset.
    base: u32,
}

/// Rules by the engine that runs them.
enum Rules {
    Xt(Box<xt::PreparedTable>),
    Nft(Box<PreparedTable>),
}

/// Where a walk through a base chain ended.
pub enum Walked {
    /// Let through by a rule or the policy.
    On,
    /// Dropped.
    Dropped(DecidedBy),
    /// Dropped, and an answer is due.
    Rejected(Reject, DecidedBy),
    /// A rule asks for other addresses, and lets through.
    Nat(NatAsk),
}

/// What a NAT rule asks for.
#[derive(Debug, Clone)]
pub struct NatAsk {
    /// Source or destination.
    pub manip: Manip,
    /// Where to. Without addresses: those of the interface (masquerade), or the host's own (redirect).
    pub range: NatRange,
    /// The addresses are those of the interface or the host.
    pub own: bool,
}

/// What a rule decides, whichever engine runs it.
enum Decision {
    Continue,
    Accept,
    Drop,
    Return,
    Jump(ChainId),
    Goto(ChainId),
    Reject(Reject),
    Nat(NatAsk),
}

impl Chains {
    /// Makes the tables of a ruleset ready.
    pub fn new(
        ruleset: &Ruleset,
        (backend, audited): (Backend, bool),
        shared: &mut Shared,
        strings: &mut Strings,
    ) -> Self {
        let mut first = 0;
        let mut bases = 0;
        let tables = ruleset.tables.iter().map(|table| {
            let v6 = table.family == Family::Ip6;
            let mut with = Preparation { v6, backend, ruleset, shared, strings };
            Ready::new(table, audited, (&mut first, &mut bases), &mut with)
        });
        let tables = tables.collect();
        Self { tables, counters: vec![(0, 0); first as usize], doubtful: false }
    }

    /// Number of rules.
    pub fn rule_count(&self) -> usize {
        self.counters.len()
    }

    /// Packets and bytes of a rule.
    pub fn counters(&self, rule: u32) -> (u64, u64) {
        for table in &self.tables {
            let Rules::Nft(ready) = &table.rules else { continue };
            for (at, chain) in (0u32..).zip(&table.chains) {
                if let Some(within) = rule.checked_sub(chain.first).filter(|within| *within < chain.len) {
                    return ready.tally(ChainId(at), within as usize);
                }
            }
        }
        self.counters.get(rule as usize).copied().unwrap_or_default()
    }

    /// What the packets say of a rule beside its counters.
    pub fn audited(&self, rule: u32) -> Option<Audited> {
        let has =
            |table: &&Ready| table.chains.iter().any(|chain| (chain.first..chain.first + chain.len).contains(&rule));
        self.tables.iter().find(has)?.audit.as_ref()?.of(rule)
    }

    /// See [`Audit::is_cut_short`].
    pub fn audit_is_cut_short(&self) -> bool {
        self.tables.iter().filter_map(|table| table.audit.as_ref()).any(Audit::is_cut_short)
    }

    /// Base chains with what their policies judged.
    pub fn policies(&self) -> Vec<ChainHits> {
        let of = |table: &Ready| {
            let base = table.chains.iter().filter_map(|chain| Some((chain, chain.policy?)));
            let hits = base.map(|(chain, policy)| ChainHits {
                family: table.family.as_str().to_owned(),
                table: table.name.to_string(),
                chain: chain.name.to_string(),
                policy: if policy == Policy::Accept { "accept" } else { "drop" }.to_owned(),
                packets: chain.judged.0,
                bytes: chain.judged.1,
            });
            hits.collect::<Vec<_>>()
        };
        self.tables.iter().flat_map(of).collect()
    }

    /// Named counters, quotas and sets.
    pub fn objects(&self) -> Vec<ObjectHits> {
        let of = |table: &Ready| {
            let Rules::Nft(rules) = &table.rules else { return Vec::new() };
            let tallies = rules.objects().map(|tally| ObjectHits {
                family: table.family.as_str().to_owned(),
                table: table.name.to_string(),
                kind: object_name(tally.kind).to_owned(),
                name: tally.name.to_owned(),
                // A quota counts bytes only; the kernel's listing gives that number.
                packets: tally.packets.or(tally.bytes).unwrap_or(0),
                bytes: tally.bytes.unwrap_or(0),
            });
            tallies.collect()
        };
        self.tables.iter().flat_map(of).collect()
    }

    /// Walks a packet through a base chain.
    pub fn walk(
        &mut self,
        (table, chain): (usize, usize),
        context: &HookContext,
        skb: &mut Skb<'_>,
        world: &mut World<'_>,
        hits: &mut Vec<u32>,
    ) -> Walked {
        let Some(ready) = self.tables.get_mut(table) else { return Walked::On };
        let counters = self.counters.as_mut_slice();
        let mut walk = Walk { context, world, hits, counters, doubtful: &mut self.doubtful, skb };
        walk.base_chain(ready, ChainId(chain as u32))
    }
}

impl Ready {
    fn new(table: &Table, audited: bool, (first, bases): (&mut u32, &mut u32), with: &mut Preparation<'_>) -> Self {
        let audit = audited.then(|| Audit::new(table, *first));
        let chains = table.chains.iter().map(|chain| {
            let len = chain.rules.len() as u32;
            let ready = ReadyChain {
                name: Arc::clone(&chain.name),
                policy: chain.base.as_ref().map(|base| base.policy),
                judged: (0, 0),
                first: *first,
                len,
                base: *bases,
            };
            *first += len;
            *bases += u32::from(chain.base.is_some());
            ready
        });
        let chains = chains.collect();
        let rules = match table.engine {
            Engine::Xtables => Rules::Xt(Box::new(xt::PreparedTable::new(table, audited, with))),
            Engine::Nftables => Rules::Nft(Box::new(PreparedTable::new(table))),
        };
        Self { family: table.family, name: Arc::clone(&table.name), chains, rules, audit }
    }
}

/// A packet on its way through the chains of one table.
struct Walk<'w, 'a, 'b> {
    context: &'w HookContext,
    world: &'w mut World<'a>,
    hits: &'w mut Vec<u32>,
    counters: &'w mut [(u64, u64)],
    doubtful: &'w mut bool,
    skb: &'w mut Skb<'b>,
}

/// A place to come back to.
#[derive(Debug, Clone, Copy)]
struct Place {
    chain: ChainId,
    rule: u32,
}

impl Walk<'_, '_, '_> {
    fn base_chain(&mut self, table: &mut Ready, base: ChainId) -> Walked {
        let mut stack: Vec<Place> = Vec::new();
        let mut at = Place { chain: base, rule: 0 };
        loop {
            let Some(chain) = table.chains.get(at.chain.0 as usize) else { return Walked::On };
            let decision =
                if at.rule < chain.len { self.rules(&mut table.rules, chain, &mut at) } else { Decision::Return };
            let number = chain.first + at.rule;
            at.rule += 1;
            if table.audit.is_some() {
                self.audit(table, (&decision, number), (base, at, &stack));
            }
            match decision {
                Decision::Continue => {}
                Decision::Accept => return Walked::On,
                Decision::Drop => return Walked::Dropped(DecidedBy::Rule(number)),
                Decision::Reject(how) => return Walked::Rejected(how, DecidedBy::Rule(number)),
                Decision::Nat(ask) => return Walked::Nat(ask),
                Decision::Return => match stack.pop() {
                    Some(back) => at = back,
                    None => return self.policy(table, base),
                },
                Decision::Jump(to) => {
                    if stack.len() >= MAX_DEPTH {
                        return Walked::Dropped(DecidedBy::Kernel("jumps nested too deeply"));
                    }
                    stack.push(at);
                    at = Place { chain: to, rule: 0 };
                }
                Decision::Goto(to) => at = Place { chain: to, rule: 0 },
            }
        }
    }

    fn policy(&mut self, table: &mut Ready, base: ChainId) -> Walked {
        let Some(chain) = table.chains.get_mut(base.0 as usize) else { return Walked::On };
        chain.judged.0 += 1;
        chain.judged.1 += u64::from(self.skb.len);
        match chain.policy {
            Some(Policy::Drop) => Walked::Dropped(DecidedBy::Policy(chain.base)),
            _ => Walked::On,
        }
    }

    /// Asks rules from a place on until one is hit or decides; the place is then that of this rule.
    fn rules(&mut self, rules: &mut Rules, chain: &ReadyChain, at: &mut Place) -> Decision {
        match rules {
            Rules::Xt(table) => {
                // A target may change the length; what came is counted.
                let (place, len) = (at.rule as usize, self.skb.len);
                let asked = table.run_rules(at.chain, place, self.skb, self.context, self.world, self.doubtful);
                at.rule = asked.0 as u32;
                match asked.1 {
                    xt::Judged::Nothing => Decision::Continue,
                    xt::Judged::HotDrop => Decision::Drop,
                    xt::Judged::Hit(act) => {
                        self.count(chain.first + at.rule, len);
                        decision_of_xt(act)
                    }
                }
            }
            Rules::Nft(table) => {
                let range = at.rule as usize..chain.len as usize;
                let (number, judged) = table.run_rules(at.chain, range, self.skb, self.context, self.world);
                at.rule = number as u32;
                if judged.hit {
                    self.hits.push(chain.first + at.rule);
                }
                decision_of_nft(judged.act)
            }
        }
    }

    fn count(&mut self, number: u32, len: u32) {
        self.hits.push(number);
        if let Some(counter) = self.counters.get_mut(number as usize) {
            counter.0 += 1;
            counter.1 += u64::from(len);
        }
    }
}

fn decision_of_xt(act: xt::Act) -> Decision {
    match act {
        xt::Act::Continue => Decision::Continue,
        xt::Act::Accept => Decision::Accept,
        xt::Act::Drop => Decision::Drop,
        xt::Act::Return => Decision::Return,
        xt::Act::Jump(chain) => Decision::Jump(chain),
        xt::Act::Goto(chain) => Decision::Goto(chain),
        xt::Act::Reject(how) => Decision::Reject(how),
        xt::Act::Nat(xt::NatRequest { manip, range, own }) => Decision::Nat(NatAsk { manip, range, own }),
    }
}

fn decision_of_nft(act: nft::Act) -> Decision {
    match act {
        nft::Act::Continue => Decision::Continue,
        nft::Act::Accept | nft::Act::Queue { bypass: true } => Decision::Accept,
        nft::Act::Drop | nft::Act::Stolen | nft::Act::Queue { bypass: false } => Decision::Drop,
        nft::Act::Return => Decision::Return,
        nft::Act::Jump(chain) => Decision::Jump(chain),
        nft::Act::Goto(chain) => Decision::Goto(chain),
        nft::Act::Reject(how) => Decision::Reject(how),
        nft::Act::Nat(request) => Decision::Nat(ask_of(&request)),
    }
}

fn ask_of(request: &nft::NatRequest) -> NatAsk {
    let manip = match request.kind {
        NatKind::Snat | NatKind::Masquerade => Manip::Src,
        NatKind::Dnat | NatKind::Redirect => Manip::Dst,
    };
    let range = NatRange {
        addresses: request.addresses,
        ports: request.ports,
        port_base: None,
        random: request.random || request.fully_random,
        persistent: request.persistent,
    };
    NatAsk { manip, range, own: matches!(request.kind, NatKind::Masquerade | NatKind::Redirect) }
}

fn object_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Counter => "counter",
        ObjectKind::Quota => "quota",
        ObjectKind::Limit => "limit",
        ObjectKind::CtHelper => "ct helper",
        ObjectKind::CtTimeout => "ct timeout",
        ObjectKind::CtExpectation => "ct expectation",
        ObjectKind::SecMark => "secmark",
        ObjectKind::Synproxy => "synproxy",
        ObjectKind::FlowTable => "flowtable",
    }
}
