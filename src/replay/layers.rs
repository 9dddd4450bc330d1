//! What a rule of a layer could stop at best, whoever wrote it, and what the rules at hand stop there.
//!
//! *IP*: a rule sees addresses. It can cut off any party, and with it everything else that the two say to each other.
//! *Transport*: it sees addresses, protocol and service, and spares the other services of the two.
//! *Application*: it sees content, and can be as narrow as the evidence; but not what is encrypted or compressed.

use super::candidate::{Candidate, FindingTally};
use super::flows::Flow;
use super::hits::{LayerReach, Outcome};
use super::machine::DecidedBy;
use super::outcome::{Scene, Unreadable, kinds_by_flow, outcome, stop_of, unreadable};
use crate::detect::Layer;
use crate::ruleset::model::{Body, Rule, Verdict};
use crate::ruleset::nft::{Expr, Meta, PayloadBase, Statement};
use crate::ruleset::xt::{Match, Target};
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

/// The highest layer that a rule looks at.
pub fn layer_of(rule: &Rule) -> Layer {
    match &rule.body {
        Body::Xt(body) => {
            let layers = body.matches.iter().map(layer_of_match);
            let head = if body.head.protocol.is_some() { Layer::Transport } else { Layer::Ip };
            layers.fold(head, Layer::max)
        }
        Body::Nft(statements) => statements.iter().map(layer_of_statement).fold(Layer::Ip, Layer::max),
    }
}

fn layer_of_match(extension: &Match) -> Layer {
    match extension {
        Match::String(_) | Match::U32(_) | Match::Bpf { .. } | Match::Layer7 { .. } => Layer::Application,
        Match::AddrType { .. }
        | Match::Comment(_)
        | Match::IpRange { .. }
        | Match::Mac(_)
        | Match::PktType(_)
        | Match::RpFilter { .. }
        | Match::Set(_)
        | Match::Time(_)
        | Match::Ttl { .. } => Layer::Ip,
        _ => Layer::Transport,
    }
}

fn layer_of_statement(statement: &Statement) -> Layer {
    match statement {
        Statement::Compare { left: of, .. }
        | Statement::Range { of, .. }
        | Statement::Lookup { of, .. }
        | Statement::VerdictMap { key: of, .. } => layer_of_expr(of),
        _ => Layer::Ip,
    }
}

fn layer_of_expr(expr: &Expr) -> Layer {
    /// Bits of a TCP header without options: a raw read beyond reads payload or options.
    const HEADER_BITS: u32 = 160;
    match expr {
        Expr::Payload(payload) => match payload.base {
            PayloadBase::Inner => Layer::Application,
            PayloadBase::Transport if payload.offset >= HEADER_BITS => Layer::Application,
            PayloadBase::Transport => Layer::Transport,
            PayloadBase::Network | PayloadBase::Link => Layer::Ip,
        },
        Expr::Meta(Meta::L4Proto) | Expr::Ct { .. } | Expr::TcpOption { .. } | Expr::SctpChunk { .. } => {
            Layer::Transport
        }
        Expr::Bitwise { of, .. } | Expr::Shift { of, .. } => layer_of_expr(of),
        Expr::Concat(parts) => parts.iter().map(layer_of_expr).fold(Layer::Ip, Layer::max),
        _ => Layer::Ip,
    }
}

/// What any rule of a layer could stop at best, and what those of a candidate did stop.
pub(super) fn reach(scene: &Scene<'_>, rules: &[&Rule], candidate: &Candidate) -> BTreeMap<String, LayerReach> {
    let kinds = kinds_by_flow(scene);
    let (mut honest_pairs, mut honest_services) = (HashSet::new(), HashSet::new());
    for flow in scene.flows.all().iter().filter(|flow| !kinds.contains_key(&flow.community_id())) {
        honest_pairs.insert(pair(flow));
        honest_services.insert(service(flow));
    }
    let mut reach = [LayerReach::default(); 3];
    for (finding, (watched, tally)) in scene.findings.iter().zip(scene.watched.iter().zip(&candidate.findings)) {
        let Some(flow) = watched.flow.and_then(|flow| scene.flows.get(flow)) else { continue };
        let readable = unreadable(finding, watched, flow) == Unreadable::No;
        let reachable = [
            (true, !honest_pairs.contains(&pair(flow))),
            (true, !honest_services.contains(&service(flow))),
            (readable, readable),
        ];
        for (layer, (stoppable, unharmed)) in reach.iter_mut().zip(reachable) {
            layer.stoppable += u64::from(stoppable);
            layer.stoppable_unharmed += u64::from(stoppable && unharmed);
        }
        if outcome(tally) == Outcome::Missed {
            continue;
        }
        let of_flow = || stop_of(scene, candidate, watched).map(|stop| stop.first.1);
        let by = tally.first_stop.and_then(|(_, by)| by).or_else(of_flow);
        if let Some(reach) = by.and_then(|by| reach.get_mut(layer_of_stop(rules, tally, by) as usize)) {
            reach.stopped += 1;
        }
    }
    let layers = [Layer::Ip, Layer::Transport, Layer::Application].into_iter().zip(reach);
    layers.map(|(layer, reach)| (layer.name().to_owned(), reach)).collect()
}

/// The highest layer that was looked at on the way to a stop: a bare `DROP` in a chain that a string rule jumps to
/// stands on content.
fn layer_of_stop(rules: &[&Rule], tally: &FindingTally, by: DecidedBy) -> Layer {
    let decided = match by {
        DecidedBy::Rule(number) => rules.get(number as usize).map_or(Layer::Ip, |rule| layer_of(rule)),
        DecidedBy::Policy(_) | DecidedBy::Kernel(_) => Layer::Transport,
    };
    let way = tally.way.iter().filter_map(|number| rules.get(*number as usize));
    way.filter(|rule| leads(rule)).map(|rule| layer_of(rule)).fold(decided, Layer::max)
}

/// The rule decides where a packet goes on.
fn leads(rule: &Rule) -> bool {
    match &rule.body {
        Body::Xt(body) => matches!(body.target, Target::Chain { .. } | Target::Verdict(_) | Target::Reject { .. }),
        Body::Nft(statements) => statements.iter().any(|one| match one {
            Statement::Verdict(verdict) => *verdict != Verdict::Continue,
            Statement::VerdictMap { .. } | Statement::Reject(_) => true,
            _ => false,
        }),
    }
}

/// Two addresses, whoever speaks first.
fn pair(flow: &Flow) -> (IpAddr, IpAddr) {
    let (one, other) = (flow.orig.ip(), flow.resp.ip());
    (one.min(other), one.max(other))
}

fn service(flow: &Flow) -> (IpAddr, IpAddr, u8, u16) {
    (flow.orig.ip(), flow.resp.ip(), flow.transport.number(), flow.resp.port())
}
