//! From tallies to what a person asks: which findings were stopped and why not, who was hurt, what a layer could do.

use super::candidate::{Candidate, FindingTally, FlowTally};
use super::flows::{Flow, FlowId, Flows};
use super::hits::{ChainHits, Evasion, FindingOutcome, Outcome, RuleHits, RuleState, RulesetHits, StoppedFlow};
use super::layers::layer_of;
use super::machine::DecidedBy;
use super::place::Place;
use super::signatures::{Signature, Split, concerns, unreadable as unreadable_flows};
use super::watch::Watched;
use super::{layers, rule_states};
use crate::detect::{Kind, Layer};
use crate::report::{FindingRecord, Shown};
use crate::ruleset::model::{Body, Rule, Ruleset, Verdict};
use crate::ruleset::nft::Statement;
use crate::ruleset::xt::Target;
use std::collections::HashMap;

/// What all candidates share once the captures are read.
pub struct Scene<'a> {
    /// Findings of the captures.
    pub findings: &'a [FindingRecord],
    /// Where their evidence was.
    pub watched: &'a [Watched],
    /// Conversations.
    pub flows: &'a Flows,
    /// Names of captures by number.
    pub captures: &'a [String],
    /// Where the host stands.
    pub place: &'a Place<'a>,
}

/// Fills in what the tallies of a candidate say. `splits` are by signature.
pub fn describe(
    scene: &Scene<'_>,
    ruleset: &Ruleset,
    candidate: &Candidate,
    found: (&[Signature], &[Split]),
    hits: &mut RulesetHits,
) {
    let rules: Vec<&Rule> = ruleset.rules().map(|(_, _, rule)| rule).collect();
    hits.rules = rule_states::of(scene, ruleset, candidate, &mut hits.notes);
    hits.notes.extend(scene.place.of_ruleset(ruleset));
    hits.chains = candidate.judge.chains();
    hits.objects = candidate.judge.objects();
    hits.verdicts = candidate.verdicts;
    let names = Names { rules: &hits.rules, chains: &hits.chains };
    hits.findings = finding_outcomes(scene, &rules, candidate, found.0, &names);
    [hits.collateral, hits.exposed, hits.hostile] = stopped_flows(scene, candidate, &names);
    hits.layers = layers::reach(scene, &rules, candidate);
    hits.evasions = evasions(scene, &rules, found, &names);
}

/// How rules are named in sentences.
struct Names<'a> {
    rules: &'a [RuleHits],
    chains: &'a [ChainHits],
}

impl Names<'_> {
    fn of(&self, by: DecidedBy) -> String {
        match by {
            DecidedBy::Rule(number) => self.rule(number),
            DecidedBy::Policy(number) => match self.chains.get(number as usize) {
                Some(chain) => format!("policy of {} {}", chain.table, chain.chain),
                None => "a policy".to_owned(),
            },
            DecidedBy::Kernel(what) => what.to_owned(),
        }
    }

    fn rule(&self, number: u32) -> String {
        let Some(rule) = self.rules.get(number as usize) else { return format!("rule {number}") };
        rule.place()
    }
}

fn finding_outcomes(
    scene: &Scene<'_>,
    rules: &[&Rule],
    candidate: &Candidate,
    signatures: &[Signature],
    names: &Names<'_>,
) -> Vec<FindingOutcome> {
    let all = scene.findings.iter().zip(scene.watched).zip(&candidate.findings);
    all.map(|((finding, watched), tally)| {
        let outcome = outcome(tally);
        let (reason, detail) = match outcome {
            Outcome::Missed => missed(scene, rules, candidate, signatures, names, (finding, watched, tally)),
            _ => (stopper(scene, candidate, names, (watched, tally)), String::new()),
        };
        FindingOutcome {
            id: finding.id.clone(),
            outcome,
            frame: tally.first_stop.map(|(stamp, _)| stamp.frame),
            bytes_passed: if outcome == Outcome::Stopped { 0 } else { tally.bytes_passed },
            reason,
            detail,
        }
    })
    .collect()
}

/// What stopped a finding: its first packet that was stopped or, if that was never sent, its conversation's.
fn stopper(
    scene: &Scene<'_>,
    candidate: &Candidate,
    names: &Names<'_>,
    (watched, tally): (&Watched, &FindingTally),
) -> String {
    let of_flow = || stop_of(scene, candidate, watched).map(|stop| stop.first.1);
    tally.first_stop.and_then(|(_, by)| by).or_else(of_flow).map_or_else(String::new, |by| names.of(by))
}

/// Stopped if nothing of the evidence arrived before the first packet that did not.
pub(super) fn outcome(tally: &FindingTally) -> Outcome {
    match (tally.stopped, tally.arrived) {
        (0, _) if tally.first_stop.is_none() => Outcome::Missed,
        (0, _) => Outcome::Late,
        (_, 0) => Outcome::Stopped,
        _ if tally.bytes_passed == 0 => Outcome::Stopped,
        _ => Outcome::Late,
    }
}

pub(super) fn stop_of<'a>(scene: &Scene<'_>, candidate: &'a Candidate, watched: &Watched) -> Option<&'a FlowTally> {
    let flow = watched.flow.filter(|flow| scene.flows.get(*flow).is_some())?;
    candidate.flows.get(&flow)
}

/// Why nothing stopped it, in the words of the contract, and what more there is to say.
fn missed(
    scene: &Scene<'_>,
    rules: &[&Rule],
    candidate: &Candidate,
    signatures: &[Signature],
    names: &Names<'_>,
    (finding, watched, tally): (&FindingRecord, &Watched, &FindingTally),
) -> (String, String) {
    let said = |reason: &str, detail: String| (reason.to_owned(), detail);
    let Some(flow) = watched.flow.and_then(|flow| scene.flows.get(flow)) else {
        let why = "no rule for IP packets sees its packets: see not_replayed";
        return said("another layer", why.to_owned());
    };
    if tally.doubtful {
        return said("unknown match", "a rule would stop it but for a part that is not modelled".to_owned());
    }
    let by_content = finding.layer == Layer::Application;
    if by_content && let Some(split) = signatures.iter().find(|one| stops(rules, one.rule) && is_split(watched, one)) {
        return said("signature split over packets", names.rule(split.rule));
    }
    let passed = || match tally.passed_by {
        Some(rule) if rules.get(rule as usize).is_some_and(|rule| is_accept(rule)) => {
            format!("let through by {}", names.rule(rule))
        }
        Some(_) => "let through by the policy".to_owned(),
        None => unseen_by(candidate, flow).unwrap_or_else(|| "let through by the policy".to_owned()),
    };
    match unreadable(finding, watched, flow) {
        Unreadable::Encrypted if by_content => return said("encrypted", passed()),
        Unreadable::Compressed if by_content => return said("compressed", passed()),
        _ => {}
    }
    let later = stop_of(scene, candidate, watched)
        .filter(|stop| watched.last.is_some_and(|last| stop.last.0.order() > last.order()));
    if let Some(later) = later {
        return said("matched after the fact", names.of(later.last.1));
    }
    if by_content && !rules.iter().any(|rule| is_stop(rule) && layer_of(rule) == Layer::Application) {
        return said("another layer", "no rule that stops packets looks at content".to_owned());
    }
    said("no rule matched", passed())
}

/// Rules of one version do not see packets of the other.
fn unseen_by(candidate: &Candidate, flow: &Flow) -> Option<String> {
    let (own, name) = if flow.orig.is_ipv6() { ("ip6", "IPv6") } else { ("ip", "IPv4") };
    let sees = candidate
        .judge
        .chains()
        .iter()
        .any(|chain| chain.family != "ip" && chain.family != "ip6" || chain.family == own);
    (!sees).then(|| format!("no table sees {name}"))
}

fn is_accept(rule: &Rule) -> bool {
    match &rule.body {
        Body::Xt(body) => matches!(body.target, Target::Verdict(Verdict::Accept)),
        Body::Nft(statements) => statements
            .iter()
            .any(|one| matches!(one, Statement::Verdict(Verdict::Accept) | Statement::VerdictMap { .. })),
    }
}

/// Why no rule can read the evidence of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    No,
    Encrypted,
    Compressed,
}

pub(super) fn unreadable(finding: &FindingRecord, watched: &Watched, flow: &Flow) -> Unreadable {
    let before = |mark: Option<crate::evidence::Stamp>| match (mark, watched.last) {
        (Some(mark), Some(last)) => mark.order() < last.order(),
        _ => false,
    };
    match (before(flow.encrypted) || says_encrypted(finding), before(flow.compressed)) {
        (true, _) => Unreadable::Encrypted,
        (false, true) => Unreadable::Compressed,
        (false, false) => Unreadable::No,
    }
}

fn says_encrypted(finding: &FindingRecord) -> bool {
    finding.evidence.iter().any(|(key, value)| key == "encrypted" && *value == Shown::Flag(true))
}

fn stops(rules: &[&Rule], number: u32) -> bool {
    rules.get(number as usize).is_some_and(|rule| is_stop(rule))
}

/// The signature is in the finding's stream, and no packet holds all of it.
fn is_split(watched: &Watched, signature: &Signature) -> bool {
    watched.is_split(|bytes| contains(bytes, signature))
}

fn contains(stream: &[u8], signature: &Signature) -> bool {
    if signature.icase {
        let folded = signature.pattern.to_ascii_lowercase();
        return memchr::memmem::find(&stream.to_ascii_lowercase(), &folded).is_some();
    }
    memchr::memmem::find(stream, &signature.pattern).is_some()
}

/// `true` if a rule can stop a packet by itself.
pub fn is_stop(rule: &Rule) -> bool {
    match &rule.body {
        Body::Xt(body) => matches!(body.target, Target::Verdict(Verdict::Drop) | Target::Reject { .. }),
        Body::Nft(statements) => statements.iter().any(|one| {
            matches!(one, Statement::Verdict(Verdict::Drop) | Statement::Reject(_) | Statement::VerdictMap { .. })
        }),
    }
}

/// Kinds that say only that a conversation could be read or trusted too much: its parties may be honest.
fn is_exposure(kind: Kind) -> bool {
    let name = kind.name();
    name.starts_with("credential.") && kind != Kind::CredentialBruteforce
        || matches!(
            name,
            "xmpp.cleartext-stream"
                | "erlang.cleartext"
                | "xmpp.dialback-only"
                | "dns.unsigned"
                | "tls.weak"
                | "tls.certificate"
                | "transfer.file"
        )
}

/// Conversations of which packets were stopped: without a finding, only exposed, and the rest.
fn stopped_flows(scene: &Scene<'_>, candidate: &Candidate, names: &Names<'_>) -> [Vec<StoppedFlow>; 3] {
    let kinds = kinds_by_flow(scene);
    let mut lists: [Vec<StoppedFlow>; 3] = Default::default();
    let [benign, exposed, hostile] = &mut lists;
    let mut stopped: Vec<(&FlowId, &FlowTally)> = candidate.flows.iter().collect();
    stopped.sort_unstable_by_key(|(id, _)| **id);
    for (id, tally) in stopped {
        let Some(flow) = scene.flows.get(*id) else { continue };
        let list = match kinds.get(&flow.community_id()) {
            None => &mut *benign,
            Some(kinds) if kinds.iter().all(|kind| is_exposure(*kind)) => &mut *exposed,
            Some(_) => &mut *hostile,
        };
        let (stamp, by) = tally.first;
        list.push(StoppedFlow {
            flow: flow.community_id(),
            transport: flow.transport.to_string(),
            src: flow.orig.to_string(),
            dst: flow.resp.to_string(),
            capture: scene.captures.get(stamp.capture.0 as usize).cloned().unwrap_or_default(),
            frame: stamp.frame,
            packets: tally.stopped + tally.unsent,
            packets_total: flow.packets,
            rule: names.of(by),
            between_others: scene.place.is_between_others(flow),
        });
    }
    lists
}

/// Kinds of findings by Community ID: of the finding itself, and of every conversation that its evidence is in.
pub(super) fn kinds_by_flow(scene: &Scene<'_>) -> HashMap<String, Vec<Kind>> {
    let mut kinds: HashMap<String, Vec<Kind>> = HashMap::new();
    for (finding, watched) in scene.findings.iter().zip(scene.watched) {
        let seen_in = watched.flow.and_then(|flow| scene.flows.get(flow)).map(Flow::community_id);
        for id in finding.flow.iter().cloned().chain(seen_in) {
            kinds.entry(id).or_default().push(finding.kind);
        }
    }
    kinds
}

/// What string rules cannot see, rule by rule.
fn evasions(scene: &Scene<'_>, rules: &[&Rule], found: (&[Signature], &[Split]), names: &Names<'_>) -> Vec<Evasion> {
    let encrypted = unreadable_flows(scene.flows, |flow| flow.encrypted);
    let compressed = unreadable_flows(scene.flows, |flow| flow.compressed);
    let mut evasions = Vec::new();
    for (signature, split) in found.0.iter().zip(found.1) {
        let Some(Body::Xt(body)) = rules.get(signature.rule as usize).map(|rule| &rule.body) else { continue };
        // What no packet reaches is blind in a simpler way.
        if names.rules.get(signature.rule as usize).is_some_and(|rule| rule.state == RuleState::Shadowed) {
            continue;
        }
        let concerned = |flow: &Flow| concerns(&body.head, &body.matches, flow);
        let across: Vec<&Flow> =
            split.flows.iter().filter_map(|id| scene.flows.get(*id)).filter(|flow| concerned(flow)).collect();
        if let (Some(_), Some(first)) = (across.first(), split.first) {
            let note = "the signature is in the stream, but no packet holds all of it";
            evasions.push(evasion(scene, names, signature, ("split", note), across.len(), first));
        }
        for (how, note, list) in [
            ("encrypted", "the rule cannot read what is inside TLS", &encrypted),
            ("compressed", "the rule cannot read compressed data", &compressed),
        ] {
            let concerned: Vec<_> = list.iter().filter(|(flow, _)| concerned(flow)).collect();
            if let Some((_, first)) = concerned.first() {
                evasions.push(evasion(scene, names, signature, (how, note), concerned.len(), *first));
            }
        }
    }
    evasions
}

fn evasion(
    scene: &Scene<'_>,
    names: &Names<'_>,
    signature: &Signature,
    (how, note): (&str, &str),
    flows: usize,
    first: crate::evidence::Stamp,
) -> Evasion {
    Evasion {
        rule: names.rule(signature.rule),
        how: how.to_owned(),
        flows: flows as u64,
        capture: scene.captures.get(first.capture.0 as usize).cloned().unwrap_or_default(),
        frame: first.frame,
        note: note.to_owned(),
    }
}
