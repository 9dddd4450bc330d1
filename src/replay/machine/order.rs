//! In which order a hook asks the kernel's own functions and the chains.

use crate::ruleset::model::{Base, Body, ChainKind, Family, Hook, Ruleset, priority};
use crate::ruleset::nft::{Expr, Statement};
use crate::ruleset::xt::{Match, Target};

/// Something that a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Fragments are put together for connection tracking.
    Defragment,
    /// The packet gets its connection.
    Track,
    /// Addresses are rewritten; the nat chains of this hook are asked about first packets.
    Nat {
        /// Source NAT (POSTROUTING, INPUT) instead of destination NAT.
        source: bool,
    },
    /// A base chain: indexes of table and chain.
    Chain {
        /// Index of the table.
        table: usize,
        /// Index of the chain within it.
        chain: usize,
    },
    /// A new connection enters the table.
    Confirm,
}

/// Everything that the hooks of one IP version run, and in which order.
#[derive(Debug, Clone, Default)]
pub struct Order {
    stages: [Vec<(i32, Stage)>; 5],
    /// Base chains of kind nat by hook, in the order in which they are asked.
    nat_chains: [Vec<(i32, usize, usize)>; 5],
    /// Connections are tracked.
    pub tracks: bool,
}

/// Place of a layer-3 hook in the arrays of [`Order`].
fn index(hook: Hook) -> Option<usize> {
    match hook {
        Hook::Prerouting => Some(0),
        Hook::Input => Some(1),
        Hook::Forward => Some(2),
        Hook::Output => Some(3),
        Hook::Postrouting => Some(4),
        Hook::Ingress | Hook::Egress => None,
    }
}

impl Order {
    /// The order for IPv4, IPv6 or a bridge.
    pub fn new(ruleset: &Ruleset, family: Family) -> Self {
        let mut order = Self { tracks: tracks(ruleset, family), ..Self::default() };
        for (table_at, table) in ruleset.tables.iter().enumerate() {
            if table.dormant || !hooks_into(table.family, family) {
                continue;
            }
            for (chain_at, chain) in table.chains.iter().enumerate() {
                if let Some(base) = &chain.base {
                    order.hang(base, table_at, chain_at);
                }
            }
        }
        if order.tracks && family == Family::Bridge {
            // `nf_conntrack_bridge` puts fragments together just before it tracks, and does not see what is sent.
            order.add(Hook::Prerouting, priority::CONNTRACK, Stage::Track);
            order.add(Hook::Prerouting, priority::CONNTRACK, Stage::Defragment);
            order.add(Hook::Input, priority::CONNTRACK_CONFIRM, Stage::Confirm);
            order.add(Hook::Postrouting, priority::CONNTRACK_CONFIRM, Stage::Confirm);
        } else if order.tracks {
            order.add(Hook::Prerouting, priority::CONNTRACK_DEFRAG, Stage::Defragment);
            order.add(Hook::Output, priority::CONNTRACK_DEFRAG, Stage::Defragment);
            order.add(Hook::Prerouting, priority::CONNTRACK, Stage::Track);
            order.add(Hook::Output, priority::CONNTRACK, Stage::Track);
            order.add(Hook::Input, priority::CONNTRACK_CONFIRM, Stage::Confirm);
            order.add(Hook::Postrouting, priority::CONNTRACK_CONFIRM, Stage::Confirm);
        }
        if order.nat_chains.iter().any(|chains| !chains.is_empty()) {
            order.add(Hook::Prerouting, priority::NAT_DST, Stage::Nat { source: false });
            order.add(Hook::Output, priority::NAT_DST, Stage::Nat { source: false });
            order.add(Hook::Postrouting, priority::NAT_SRC, Stage::Nat { source: true });
            order.add(Hook::Input, priority::NAT_SRC, Stage::Nat { source: true });
        }
        order
    }

    /// What a hook runs, in order.
    pub fn stage(&self, hook: Hook, number: usize) -> Option<Stage> {
        self.stages.get(index(hook)?)?.get(number).map(|(_, stage)| *stage)
    }

    /// The nat chains of a hook: table and chain.
    pub fn nat_chain(&self, hook: Hook, number: usize) -> Option<(usize, usize)> {
        self.nat_chains.get(index(hook)?)?.get(number).map(|(_, table, chain)| (*table, *chain))
    }

    fn hang(&mut self, base: &Base, table: usize, chain: usize) {
        if base.kind != ChainKind::Nat {
            self.add(base.hook, base.priority, Stage::Chain { table, chain });
        } else if let Some(chains) = index(base.hook).and_then(|at| self.nat_chains.get_mut(at)) {
            let at = chains.partition_point(|(other, ..)| *other < base.priority);
            chains.insert(at, (base.priority, table, chain));
        }
    }

    /// As `nf_hook_entries_grow` does it: of equal priorities the one that came last goes first.
    fn add(&mut self, hook: Hook, priority: i32, stage: Stage) {
        if let Some(stages) = index(hook).and_then(|at| self.stages.get_mut(at)) {
            let at = stages.partition_point(|(other, _)| *other < priority);
            stages.insert(at, (priority, stage));
        }
    }
}

/// `true` if tables of one family hang at the hooks of another: those of inet at both versions of IP.
fn hooks_into(tables: Family, family: Family) -> bool {
    tables == family || (tables == Family::Inet && family != Family::Bridge)
}

/// `true` if something in the tables of a family makes the kernel track its connections (`nf_ct_netns_get`).
fn tracks(ruleset: &Ruleset, family: Family) -> bool {
    ruleset.tables.iter().filter(|table| hooks_into(table.family, family)).any(|table| {
        // Nat chains ask for connections only by what their rules translate.
        table.chains.iter().any(|chain| chain.rules.iter().any(|rule| body_tracks(&rule.body)))
            || table.sets.iter().any(|set| {
                statements_track(&set.statements)
                    || set.elements.iter().any(|element| statements_track(&element.statements))
            })
    })
}

fn body_tracks(body: &Body) -> bool {
    match body {
        Body::Xt(body) => body.matches.iter().any(match_tracks) || target_tracks(&body.target),
        Body::Nft(statements) => statements_track(statements),
    }
}

fn match_tracks(extension: &Match) -> bool {
    matches!(
        extension,
        Match::Cluster { .. }
            | Match::ConnBytes { .. }
            | Match::ConnLabel { .. }
            | Match::ConnLimit { .. }
            | Match::ConnMark { .. }
            | Match::ConnTrack(_)
            | Match::Helper(_)
            | Match::State(_)
            | Match::Layer7 { .. }
    )
}

fn target_tracks(target: &Target) -> bool {
    matches!(
        target,
        Target::ConnMark { .. }
            | Target::Ct { .. }
            | Target::Dnat(_)
            | Target::Snat(_)
            | Target::Masquerade { .. }
            | Target::Redirect { .. }
            | Target::Netmap { .. }
            | Target::SynProxy { .. }
    )
}

fn statements_track(statements: &[Statement]) -> bool {
    statements.iter().any(|statement| match statement {
        Statement::ConnLimit { .. }
        | Statement::SetCt { .. }
        | Statement::Nat(_)
        | Statement::Synproxy
        | Statement::FlowOffload(_) => true,
        Statement::Compare { left: of, .. }
        | Statement::Range { of, .. }
        | Statement::Lookup { of, .. }
        | Statement::SetMeta { value: of, .. }
        | Statement::SetPayload { value: of, .. }
        | Statement::SetTcpOption { value: of, .. }
        | Statement::ObjectMap { key: of, .. }
        | Statement::VerdictMap { key: of, .. } => expr_tracks(of),
        Statement::CompareExprs { left, right, .. } => expr_tracks(left) || expr_tracks(right),
        Statement::DynSet { key, data, statements, .. } => {
            expr_tracks(key) || data.as_ref().is_some_and(expr_tracks) || statements_track(statements)
        }
        _ => false,
    })
}

fn expr_tracks(expr: &Expr) -> bool {
    match expr {
        Expr::Ct { .. } => true,
        Expr::Bitwise { of, .. } | Expr::Shift { of, .. } | Expr::Map { key: of, .. } => expr_tracks(of),
        Expr::Hash { of, .. } => of.as_deref().is_some_and(expr_tracks),
        Expr::Binary { left, right, .. } => expr_tracks(left) || expr_tracks(right),
        Expr::Concat(parts) => parts.iter().any(expr_tracks),
        _ => false,
    }
}
