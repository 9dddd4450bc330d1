//! What a person reads after a replay: per ruleset what it stopped, missed and hurt, and which rules matter.

use super::hits::{FindingOutcome, Hits, Outcome, RuleHits, RuleState, RulesetHits};
use crate::report::FindingRecord;
use crate::report::escape::{safe_text, shortened};
use crate::report::units;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Lines of each list; `hits.json` has them all.
const MOST_LINES: usize = 12;
/// Characters of a ruleset's name beside others.
const MOST_NAME_CHARS: usize = 24;
/// Characters of a rule or title beside its numbers.
const TEXT_CHARS: usize = 90;

/// The summary of a replay. Text from captures and rules cannot act on the terminal. `verbose` shows every rule.
pub fn summary(hits: &Hits, findings: &[FindingRecord], verbose: bool) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_summary(&mut out, hits, findings, verbose);
    out
}

fn write_summary(out: &mut String, hits: &Hits, findings: &[FindingRecord], verbose: bool) -> fmt::Result {
    for assumption in &hits.assumptions {
        writeln!(out, "Assumed: {}", safe_text(assumption))?;
    }
    for ruleset in &hits.rulesets {
        write_ruleset(out, ruleset, findings, verbose)?;
    }
    if !hits.not_replayed.is_empty() {
        let list: Vec<String> =
            hits.not_replayed.iter().map(|(reason, count)| format!("{} {reason}", units::count(*count))).collect();
        writeln!(out, "Not asked about: {}", list.join(", "))?;
    }
    if hits.rulesets.len() > 1 {
        write_comparison(out, hits, findings)?;
    }
    Ok(())
}

fn write_ruleset(out: &mut String, ruleset: &RulesetHits, findings: &[FindingRecord], verbose: bool) -> fmt::Result {
    let verdicts = &ruleset.verdicts;
    writeln!(
        out,
        "\nRuleset {} ({}, {}): {} packets passed, {} dropped, {} rejected{}",
        safe_text(&ruleset.name),
        ruleset.engine,
        ruleset.mode,
        units::count(verdicts.accept),
        units::count(verdicts.drop),
        units::count(verdicts.reject),
        match verdicts.unsent {
            0 => String::new(),
            unsent => format!(", {} never sent because of that", units::count(unsent)),
        }
    )?;
    write_outcomes(out, ruleset, findings)?;
    write_layers(out, ruleset)?;
    write_hurt(out, ruleset)?;
    for evasion in ruleset.evasions.iter().take(MOST_LINES) {
        let (rule, note) = (safe_text(&evasion.rule), &evasion.note);
        let flows = units::counted(evasion.flows, "conversation");
        writeln!(
            out,
            "  Blind    {rule}: {flows} {} (first: {} frame {}): {note}",
            evasion.how,
            safe_text(&evasion.capture),
            evasion.frame
        )?;
    }
    rest(out, ruleset.evasions.len())?;
    write_rules(out, ruleset, verbose)?;
    write_assumed(out, ruleset)?;
    for note in ruleset.notes.iter().take(MOST_LINES) {
        writeln!(out, "  Note     {}", safe_text(note))?;
    }
    rest(out, ruleset.notes.len())?;
    if let Some(disagreements) = &ruleset.disagreements {
        match disagreements.as_slice() {
            [] => writeln!(out, "  Kernel   agrees with the model in every counter")?,
            list => {
                for line in list.iter().take(MOST_LINES) {
                    writeln!(out, "  Kernel   {}", safe_text(line))?;
                }
                rest(out, list.len())?;
            }
        }
    }
    Ok(())
}

fn rest(out: &mut String, len: usize) -> fmt::Result {
    match len.saturating_sub(MOST_LINES) {
        0 => Ok(()),
        more => writeln!(out, "           and {} more in hits.json", units::count(more as u64)),
    }
}

fn write_outcomes(out: &mut String, ruleset: &RulesetHits, findings: &[FindingRecord]) -> fmt::Result {
    let count = |outcome: Outcome| ruleset.findings.iter().filter(|one| one.outcome == outcome).count() as u64;
    if findings.is_empty() {
        return writeln!(out, "  Findings none in these captures");
    }
    writeln!(
        out,
        "  Findings {} of {} stopped, {} cut short, {} missed",
        units::count(count(Outcome::Stopped)),
        units::count(findings.len() as u64),
        units::count(count(Outcome::Late)),
        units::count(count(Outcome::Missed)),
    )?;
    let mut groups: BTreeMap<(Outcome, &str, &str, &str), (u64, u64)> = BTreeMap::new();
    for (finding, outcome) in findings.iter().zip(&ruleset.findings) {
        let group = groups.entry((outcome.outcome, finding.kind.name(), &outcome.reason, &outcome.detail)).or_default();
        group.0 += 1;
        group.1 += outcome.bytes_passed;
    }
    let total = groups.len();
    for ((outcome, kind, reason, detail), (count, bytes)) in groups.into_iter().take(MOST_LINES) {
        let word = match outcome {
            Outcome::Stopped => "stopped".to_owned(),
            Outcome::Late => format!("late, {} had passed", units::bytes(bytes)),
            Outcome::Missed => "missed".to_owned(),
        };
        let detail = if detail.is_empty() { String::new() } else { format!(" ({})", safe_text(detail)) };
        writeln!(out, "    {:>6} {kind:<26} {word}: {}{detail}", units::count(count), safe_text(reason))?;
    }
    rest(out, total)
}

/// What a rule of each layer could do, beside what these rules do there.
fn write_layers(out: &mut String, ruleset: &RulesetHits) -> fmt::Result {
    if ruleset.findings.is_empty() {
        return Ok(());
    }
    let sees = [("ip", "addresses"), ("transport", "ports, state"), ("application", "content")];
    for (at, (layer, what)) in sees.into_iter().enumerate() {
        let Some(reach) = ruleset.layers.get(layer) else { continue };
        writeln!(
            out,
            "  {:<8} {what:<12} could stop {} at best, {} of them without hurting others; these rules stop {} there",
            if at == 0 { "Layers" } else { "" },
            units::count(reach.stoppable),
            units::count(reach.stoppable_unharmed),
            units::count(reach.stopped)
        )?;
    }
    Ok(())
}

fn write_hurt(out: &mut String, ruleset: &RulesetHits) -> fmt::Result {
    let others = match ruleset.collateral.iter().filter(|flow| flow.between_others).count() {
        0 => String::new(),
        number => format!(" ({} of them between others: neither end is --local)", units::count(number as u64)),
    };
    writeln!(
        out,
        "  Hurt     {} without any finding{others}; {} whose findings say only that others could read them",
        units::counted(ruleset.collateral.len() as u64, "conversation"),
        units::count(ruleset.exposed.len() as u64)
    )?;
    for flow in ruleset.collateral.iter().take(MOST_LINES) {
        let (packets, total) = (units::count(flow.packets), units::count(flow.packets_total));
        writeln!(
            out,
            "           {} {} to {}: {packets} of {total} packets, from frame {} on, by {}",
            flow.transport,
            flow.src,
            flow.dst,
            flow.frame,
            safe_text(&flow.rule)
        )?;
    }
    rest(out, ruleset.collateral.len())
}

fn write_rules(out: &mut String, ruleset: &RulesetHits, verbose: bool) -> fmt::Result {
    let of = |state: RuleState| ruleset.rules.iter().filter(move |rule| rule.state == state);
    writeln!(
        out,
        "  Rules    {} hit, {} never hit, {} shadowed, {} redundant, {} unknown",
        of(RuleState::Hit).count(),
        of(RuleState::NeverHit).count(),
        of(RuleState::Shadowed).count(),
        of(RuleState::Redundant).count(),
        of(RuleState::Unknown).count()
    )?;
    if verbose {
        ruleset.rules.iter().try_for_each(|rule| write_rule(out, rule))?;
        return Ok(());
    }
    let doubtful = [RuleState::Shadowed, RuleState::Redundant, RuleState::Unknown];
    let shown = || ruleset.rules.iter().filter(|rule| doubtful.contains(&rule.state));
    shown().take(MOST_LINES).try_for_each(|rule| write_rule(out, rule))?;
    rest(out, shown().count())
}

/// What answers of rules rest on, and which rules.
fn write_assumed(out: &mut String, ruleset: &RulesetHits) -> fmt::Result {
    const MOST_PLACES: usize = 4;
    let mut by_word: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for rule in &ruleset.rules {
        for word in &rule.assumed {
            by_word.entry(word).or_default().push(format!("{}:{}", rule.file, rule.line));
        }
    }
    for (word, places) in by_word.iter().take(MOST_LINES) {
        let more = match places.len().saturating_sub(MOST_PLACES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown = places.get(..MOST_PLACES).unwrap_or(places).join(", ");
        writeln!(out, "  Assumed  {} ({}{more})", safe_text(word), safe_text(&shown))?;
    }
    rest(out, by_word.len())
}

fn write_rule(out: &mut String, rule: &RuleHits) -> fmt::Result {
    let state = rule.state.word();
    let place = format!("{}:{}", rule.file, rule.line);
    let text = shortened(&rule.text, TEXT_CHARS);
    let counts = format!("{:>8} {:>10}", units::count(rule.packets), units::bytes(rule.bytes));
    write!(
        out,
        "    {counts} {state:<9} {} {} {}: {text}",
        safe_text(&place),
        safe_text(&rule.table),
        safe_text(&rule.chain)
    )?;
    match rule.note.as_str() {
        "" => writeln!(out),
        note => writeln!(out, "  [{}]", safe_text(note)),
    }
}

/// Rulesets side by side: a line a kind of finding, a column a ruleset, stopped of all.
fn write_comparison(out: &mut String, hits: &Hits, findings: &[FindingRecord]) -> fmt::Result {
    let mut kinds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, finding) in findings.iter().enumerate() {
        kinds.entry(finding.kind.name()).or_default().push(at);
    }
    let width = hits.rulesets.iter().map(|one| one.name.chars().count()).max().unwrap_or(0).clamp(9, MOST_NAME_CHARS);
    write!(out, "\n{:<30}", "Stopped of all")?;
    for ruleset in &hits.rulesets {
        write!(out, " {:>width$}", shortened(&ruleset.name, width))?;
    }
    writeln!(out)?;
    for (kind, members) in &kinds {
        write!(out, "  {kind:<28}")?;
        for ruleset in &hits.rulesets {
            let is_stopped = |at: &&usize| ruleset.findings.get(**at).is_some_and(FindingOutcome::is_stopped);
            let cell = format!("{}/{}", members.iter().filter(is_stopped).count(), members.len());
            write!(out, " {cell:>width$}")?;
        }
        writeln!(out)?;
    }
    write!(out, "  {:<28}", "benign conversations hurt")?;
    for ruleset in &hits.rulesets {
        write!(out, " {:>width$}", ruleset.collateral.len())?;
    }
    writeln!(out)?;
    write_changes(out, hits)
}

/// What one ruleset does and another does not, finding by finding and flow by flow.
fn write_changes(out: &mut String, hits: &Hits) -> fmt::Result {
    let differences = units::counted(hits.changes.len() as u64, "difference");
    writeln!(out, "{differences} between them in findings and conversations")?;
    for change in hits.changes.iter().take(MOST_LINES) {
        // In the order of the command line, not of names.
        let outcomes = hits.rulesets.iter().filter_map(|ruleset| {
            let outcome = change.outcomes.get(&ruleset.name)?;
            Some(format!("{outcome} by {}", shortened(&ruleset.name, MOST_NAME_CHARS)))
        });
        let outcomes: Vec<String> = outcomes.collect();
        writeln!(out, "  {:<8} {}: {}", change.what, shortened(&change.title, TEXT_CHARS), outcomes.join(", "))?;
    }
    rest(out, hits.changes.len())
}

impl FindingOutcome {
    /// `true` if nothing of its evidence arrived.
    pub fn is_stopped(&self) -> bool {
        self.outcome == Outcome::Stopped
    }
}

#[cfg(test)]
mod tests;
