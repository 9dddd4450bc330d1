//! What the report's page says of rulesets: findings by ruleset, who was hurt, and every rule with its counters.
//!
//! All text from captures and rule files goes through [`html`]; the page has no script.

use super::hits::{Hits, Outcome, RuleHits, RuleState, RulesetHits};
use crate::report::FindingRecord;
use crate::report::escape::html;
use crate::report::units;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Rows of a table on the page; `hits.json` has them all.
const MOST_ROWS: usize = 1_000;

/// The section, below its heading.
pub fn section(hits: &Hits, findings: &[FindingRecord]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_section(&mut out, hits, findings);
    out
}

fn write_section(out: &mut String, hits: &Hits, findings: &[FindingRecord]) -> fmt::Result {
    for assumption in &hits.assumptions {
        writeln!(out, "<p class=\"note\">Assumed: {}</p>", html(assumption))?;
    }
    write_findings(out, hits, findings)?;
    hits.rulesets.iter().try_for_each(|ruleset| write_ruleset(out, ruleset))
}

/// A line a kind of finding, a column a ruleset: stopped, late, missed.
fn write_findings(out: &mut String, hits: &Hits, findings: &[FindingRecord]) -> fmt::Result {
    let mut kinds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, finding) in findings.iter().enumerate() {
        kinds.entry(finding.kind.name()).or_default().push(at);
    }
    out.push_str("<p>Findings stopped / cut short / missed by each ruleset.</p>\n<table><thead><tr><th>Finding</th>");
    for ruleset in &hits.rulesets {
        write!(out, "<th class=\"n\">{}</th>", html(&ruleset.name))?;
    }
    out.push_str("</tr></thead><tbody>\n");
    for (kind, members) in &kinds {
        write!(out, "<tr><td>{}</td>", html(kind))?;
        for ruleset in &hits.rulesets {
            let outcomes = members.iter().filter_map(|at| ruleset.findings.get(*at)).map(|one| one.outcome);
            let mut counts = [0u64; 3];
            for outcome in outcomes {
                let place = match outcome {
                    Outcome::Stopped => &mut counts[0],
                    Outcome::Late => &mut counts[1],
                    Outcome::Missed => &mut counts[2],
                };
                *place += 1;
            }
            let [stopped, late, missed] = counts.map(units::count);
            write!(out, "<td class=\"n\"><b>{stopped}</b> / {late} / {missed}</td>")?;
        }
        out.push_str("</tr>\n");
    }
    out.push_str("<tr><td>benign conversations hurt</td>");
    for ruleset in &hits.rulesets {
        write!(out, "<td class=\"n\">{}</td>", units::count(ruleset.collateral.len() as u64))?;
    }
    out.push_str("</tr>\n</tbody></table>\n");
    Ok(())
}

fn write_ruleset(out: &mut String, ruleset: &RulesetHits) -> fmt::Result {
    let verdicts = &ruleset.verdicts;
    writeln!(
        out,
        "<div class=\"group info\"><header><h3>{}</h3><p class=\"what\">{}, {}: {} passed, {} dropped, {} rejected, {} never sent</p></header>",
        html(&ruleset.name),
        html(&ruleset.engine),
        html(&ruleset.mode),
        units::counted(verdicts.accept, "packet"),
        units::count(verdicts.drop),
        units::count(verdicts.reject),
        units::count(verdicts.unsent),
    )?;
    let hit = ruleset.rules.iter().filter(|rule| rule.packets > 0).count() as u64;
    let rules = units::counted(ruleset.rules.len() as u64, "rule");
    writeln!(
        out,
        "<details class=\"more\"><summary>{rules}, {} with packets</summary>\n<div class=\"body\"><table><thead><tr><th>Rule</th><th class=\"n\">Packets</th>\
         <th class=\"n\">Bytes</th><th>State</th><th>Note</th></tr></thead><tbody>",
        units::count(hit)
    )?;
    ruleset.rules.iter().take(MOST_ROWS).try_for_each(|rule| write_rule(out, rule))?;
    out.push_str("</tbody></table>\n");
    if let Some(more) = ruleset.rules.len().checked_sub(MOST_ROWS).filter(|more| *more > 0) {
        writeln!(out, "<p class=\"faded\">and {} more in hits.json</p>", units::count(more as u64))?;
    }
    for note in ruleset.notes.iter().take(MOST_ROWS) {
        writeln!(out, "<p class=\"faded\">{}</p>", html(note))?;
    }
    out.push_str("</div></details></div>\n");
    Ok(())
}

fn write_rule(out: &mut String, rule: &RuleHits) -> fmt::Result {
    writeln!(
        out,
        "<tr><td><code>{}</code><br><span class=\"faded\">{} {} {}, {}:{}</span></td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>",
        html(&rule.text),
        html(&rule.table),
        html(&rule.chain),
        rule.n,
        html(&rule.file),
        rule.line,
        units::count(rule.packets),
        units::bytes(rule.bytes),
        rule.state.word(),
        html(&rule.note)
    )
}

impl RuleState {
    /// As a person reads it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::NeverHit => "never hit",
            Self::Shadowed => "shadowed",
            Self::Redundant => "redundant",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests
    use super::*;

    #[test]
    fn nothing_from_a_rule_file_acts() {
        let evil = "</code><script>alert(1)</script>\"'&";
        let rule = RuleHits {
            text: evil.into(),
            file: evil.into(),
            note: evil.into(),
            table: evil.into(),
            chain: evil.into(),
            ..RuleHits::default()
        };
        let ruleset = RulesetHits {
            name: evil.into(),
            engine: evil.into(),
            mode: evil.into(),
            rules: vec![rule],
            notes: vec![evil.into()],
            ..RulesetHits::default()
        };
        let hits = Hits { rulesets: vec![ruleset], assumptions: vec![evil.into()], ..Hits::default() };
        let html = section(&hits, &[]);
        assert!(!html.contains("<script") && !html.contains("\"'&"));
        assert_eq!(html.matches("&lt;script&gt;").count(), 11);
    }
}
