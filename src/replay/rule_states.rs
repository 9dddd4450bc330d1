//! What is known of each rule after a replay: counters, never hit, shadowed, redundant, unknown, and on what an answer rests.
//!
//! *Shadowed* and *redundant* come in two strengths, told apart in the note: `provably`, for any packets whatever, and
//! `by the capture`, for these.

use super::candidate::Candidate;
use super::hits::{RuleHits, RuleState};
use super::outcome::Scene;
use crate::report::units;
use crate::ruleset::lint::{self, unseen::needs};
use crate::ruleset::model::Ruleset;

/// Every rule with its counters and what is known of it. What concerns no single rule is added to `notes`.
pub(super) fn of(
    scene: &Scene<'_>,
    ruleset: &Ruleset,
    candidate: &Candidate,
    notes: &mut Vec<String>,
) -> Vec<RuleHits> {
    let mut rules = counted(scene, ruleset, candidate);
    apply_lints(ruleset, &mut rules, notes);
    apply_audit(candidate, &mut rules);
    say_what_was_assumed(scene, ruleset, &mut rules);
    rules
}

fn counted(scene: &Scene<'_>, ruleset: &Ruleset, candidate: &Candidate) -> Vec<RuleHits> {
    let with_tally = ruleset.rules().zip(&candidate.rules);
    (0u32..)
        .zip(with_tally)
        .map(|(number, ((table, chain, rule), tally))| {
            let (packets, bytes) = candidate.judge.counters(number);
            let state = match (rule.unknown.is_empty(), packets) {
                (false, _) => RuleState::Unknown,
                (true, 0) => RuleState::NeverHit,
                (true, _) => RuleState::Hit,
            };
            let effects: Vec<String> =
                rule.unknown.iter().map(|unknown| format!("{}: {}", unknown.what, unknown.effect)).collect();
            let ids = tally.findings.iter().filter_map(|index| scene.findings.get(*index as usize));
            RuleHits {
                family: table.family.as_str().to_owned(),
                table: table.name.to_string(),
                chain: chain.name.to_string(),
                n: rule.n,
                text: rule.text.clone(),
                file: rule.place.file.to_string(),
                line: rule.place.line,
                packets,
                bytes,
                flows: tally.flows,
                first_frame: tally.frames.map(|(first, _)| first.frame),
                last_frame: tally.frames.map(|(_, last)| last.frame),
                findings: ids.map(|finding| finding.id.clone()).collect(),
                state,
                note: effects.join("; "),
                assumed: Vec::new(),
            }
        })
        .collect()
}

/// What is known of the rules without any packet.
fn apply_lints(ruleset: &Ruleset, rules: &mut [RuleHits], notes: &mut Vec<String>) {
    for lint in lint::lint(ruleset) {
        let Some(rule) = lint.rule.and_then(|number| rules.get_mut(number as usize)) else {
            notes.push(lint.message);
            continue;
        };
        match lint.kind {
            lint::Kind::Shadowed if rule.packets == 0 && rule.state != RuleState::Unknown => {
                rule.state = RuleState::Shadowed;
            }
            lint::Kind::Redundant if rule.state != RuleState::Unknown => rule.state = RuleState::Redundant,
            _ => {}
        }
        let word = if lint.kind == lint::Kind::Doubtful { "" } else { "provably: " };
        add_note(rule, &format!("{word}{}", lint.message));
    }
}

/// What the packets say where nothing is proven.
fn apply_audit(candidate: &Candidate, rules: &mut [RuleHits]) {
    for number in 0..rules.len() as u32 {
        let Some(audited) = candidate.judge.audited(number) else { continue };
        let taker = audited.taken.and_then(|(_, taker)| rules.get(taker as usize)).map(RuleHits::place);
        let Some(rule) = rules.get_mut(number as usize) else { continue };
        match (rule.state, audited.needless, audited.taken) {
            (RuleState::Hit, Some(same), _) => {
                rule.state = RuleState::Redundant;
                let packets = if same == 1 {
                    "its packet fares".into()
                } else {
                    format!("its {} packets fare", units::count(same))
                };
                add_note(rule, &format!("by the capture: {packets} the same without it"));
            }
            (RuleState::NeverHit | RuleState::Redundant, _, Some((packets, _))) => {
                if rule.state == RuleState::NeverHit {
                    rule.state = RuleState::Shadowed;
                }
                let (packets, taker) = (units::counted(packets, "packet"), taker.unwrap_or_default());
                add_note(
                    rule,
                    &format!("by the capture: {packets} would match, but earlier rules decide first: {taker}"),
                );
            }
            _ => {}
        }
    }
}

fn add_note(rule: &mut RuleHits, note: &str) {
    let separator = if rule.note.is_empty() { "" } else { "; " };
    rule.note = format!("{}{separator}{note}", rule.note);
}

/// Beside each rule what its answer rests on that no capture shows.
fn say_what_was_assumed(scene: &Scene<'_>, ruleset: &Ruleset, rules: &mut [RuleHits]) {
    for ((table, _, rule), hits) in ruleset.rules().zip(rules) {
        for need in needs(table, rule) {
            if let Some(note) = scene.place.assumed(&need) {
                add_note(hits, &note);
                hits.assumed.push(note);
            }
        }
    }
}
