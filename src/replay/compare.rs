//! How candidates differ: findings and conversations that do not fare the same under all of them.

use super::candidate::Candidate;
use super::flows::FlowId;
use super::hits::{Change, Outcome, RulesetHits};
use super::outcome::Scene;
use std::collections::{BTreeMap, BTreeSet};

/// What is different, findings first, then conversations. Nothing if there is only one candidate.
pub fn changes(scene: &Scene<'_>, rulesets: &[RulesetHits], candidates: &[&Candidate]) -> Vec<Change> {
    if rulesets.len() < 2 {
        return Vec::new();
    }
    let mut changes = of_findings(scene, rulesets);
    changes.extend(of_flows(scene, rulesets, candidates));
    changes
}

fn of_findings(scene: &Scene<'_>, rulesets: &[RulesetHits]) -> Vec<Change> {
    let word = |outcome: Outcome| match outcome {
        Outcome::Stopped => "stopped",
        Outcome::Late => "late",
        Outcome::Missed => "missed",
    };
    let all = scene.findings.iter().enumerate().map(|(at, finding)| {
        let outcomes = rulesets
            .iter()
            .filter_map(|ruleset| Some((ruleset.name.clone(), word(ruleset.findings.get(at)?.outcome).to_owned())));
        Change {
            what: "finding".to_owned(),
            id: finding.id.clone(),
            title: finding.title.clone(),
            outcomes: outcomes.collect(),
        }
    });
    all.filter(differs).collect()
}

fn of_flows(scene: &Scene<'_>, rulesets: &[RulesetHits], candidates: &[&Candidate]) -> Vec<Change> {
    let stopped: BTreeSet<FlowId> = candidates.iter().flat_map(|candidate| candidate.flows.keys().copied()).collect();
    let all = stopped.into_iter().filter_map(|id| {
        let flow = scene.flows.get(id)?;
        let outcomes = rulesets.iter().zip(candidates).map(|(ruleset, candidate)| {
            let outcome = match candidate.flows.get(&id) {
                None => "passed",
                Some(tally) if tally.stopped + tally.unsent >= flow.packets => "stopped",
                Some(_) => "cut",
            };
            (ruleset.name.clone(), outcome.to_owned())
        });
        let title = format!("{} {} to {}", flow.transport, flow.orig, flow.resp);
        let outcomes: BTreeMap<String, String> = outcomes.collect();
        Some(Change { what: "flow".to_owned(), id: flow.community_id(), title, outcomes })
    });
    all.filter(differs).collect()
}

fn differs(change: &Change) -> bool {
    let distinct: BTreeSet<&String> = change.outcomes.values().collect();
    distinct.len() > 1
}
