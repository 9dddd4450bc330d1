//! The gate: what must be true of a candidate before it is deployed, as a TOML file says (`--expect`).
//!
//! ```toml
//! findings_stopped = ["credential.cleartext", "erlang.*", "9f2c…"]  # kinds, families of kinds, ids
//! flows_passed = ["10.0.0.10:5222/tcp", "1:LQU9…="]                 # services, Community IDs
//! rules_hit = [12, "v6.rules:3"]                                    # lines of the first file, or of a named one
//! no_benign_flow_hurt = true
//! no_unknown_match = true
//!
//! [ruleset.hurried]                                                 # for one candidate only
//! findings_stopped = ["epmd.enumeration"]
//! ```
//!
//! What names nothing in the captures or the ruleset has failed: a gate that looks at nothing must not be green.

use super::flows::{Flow, Flows};
use super::hits::{Hits, Outcome, RuleState, RulesetHits};
use crate::detect::Kind;
use crate::report::FindingRecord;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What must be true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Expectations {
    /// Of every candidate.
    #[serde(flatten)]
    all: Demands,
    /// Of one, by name.
    #[serde(default)]
    ruleset: BTreeMap<String, Demands>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Demands {
    findings_stopped: Vec<String>,
    flows_passed: Vec<String>,
    rules_hit: Vec<Line>,
    no_benign_flow_hurt: bool,
    no_unknown_match: bool,
}

/// A line of a rule file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Line {
    OfFirst(u32),
    OfFile(String),
}

/// Why a file of expectations cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExpectError {
    /// It could not be read.
    #[error("{path}: {cause}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{path}:{line}: {cause}")]
    Malformed {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        cause: String,
    },
}

impl Expectations {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, ExpectError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|cause| ExpectError::Read { path: name.clone(), cause })?;
        Self::parse(&text, &name)
    }

    /// Reads a text; `name` is for errors.
    pub fn parse(text: &str, name: &str) -> Result<Self, ExpectError> {
        let malformed = |at: usize, cause: String| ExpectError::Malformed {
            path: name.to_owned(),
            line: text.get(..at).map_or(1, |before| before.matches('\n').count() + 1),
            cause,
        };
        // `flatten` and `deny_unknown_fields` do not go together in serde: keys are checked here.
        const KEYS: [&str; 5] =
            ["findings_stopped", "flows_passed", "rules_hit", "no_benign_flow_hurt", "no_unknown_match"];
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            malformed(error.span().map_or(0, |span| span.start), error.message().to_owned())
        })?;
        let of_one = table.get("ruleset").and_then(toml::Value::as_table).into_iter().flat_map(|all| all.values());
        let inner = of_one.filter_map(toml::Value::as_table).flat_map(|one| one.keys());
        let outer = table.keys().filter(|key| *key != "ruleset");
        if let Some(unknown) = outer.chain(inner).find(|key| !KEYS.contains(&key.as_str())) {
            let at = text.find(unknown.as_str()).unwrap_or(0);
            return Err(malformed(at, format!("unknown key {unknown:?}: expected one of {}", KEYS.join(", "))));
        }
        toml::from_str(text)
            .map_err(|error| malformed(error.span().map_or(0, |span| span.start), error.message().to_owned()))
    }

    /// What is not as expected, one sentence each; nothing if all is.
    pub fn check(&self, hits: &Hits, flows: &Flows, findings: &[FindingRecord]) -> Vec<String> {
        let mut failures = Vec::new();
        for name in self.ruleset.keys().filter(|name| !hits.rulesets.iter().any(|one| one.name == **name)) {
            let names: Vec<&str> = hits.rulesets.iter().map(|one| one.name.as_str()).collect();
            failures.push(format!("there is no ruleset {name:?}, only {}", names.join(", ")));
        }
        for ruleset in &hits.rulesets {
            for demands in [Some(&self.all), self.ruleset.get(&ruleset.name)].into_iter().flatten() {
                let found = demands.check(ruleset, flows, findings);
                failures.extend(found.into_iter().map(|failure| format!("{}: {failure}", ruleset.name)));
            }
        }
        failures
    }
}

impl Demands {
    fn check(&self, hits: &RulesetHits, flows: &Flows, findings: &[FindingRecord]) -> Vec<String> {
        let mut failures = Vec::new();
        self.findings_stopped.iter().for_each(|wanted| findings_stopped(wanted, hits, findings, &mut failures));
        self.flows_passed.iter().for_each(|wanted| flows_passed(wanted, hits, flows, &mut failures));
        self.rules_hit.iter().for_each(|line| rule_hit(line, hits, &mut failures));
        if self.no_benign_flow_hurt {
            failures.extend(hits.collateral.iter().map(|hurt| {
                format!(
                    "stops benign {} {} to {} at frame {}: {}",
                    hurt.transport, hurt.src, hurt.dst, hurt.frame, hurt.rule
                )
            }));
        }
        if self.no_unknown_match {
            let unknown = hits.rules.iter().filter(|rule| rule.state == RuleState::Unknown);
            failures.extend(unknown.map(|rule| format!("{}:{}: unknown: {}", rule.file, rule.line, rule.note)));
        }
        failures
    }
}

fn findings_stopped(wanted: &str, hits: &RulesetHits, findings: &[FindingRecord], failures: &mut Vec<String>) {
    let fits = |finding: &FindingRecord| match wanted.strip_suffix('*') {
        Some(family) => finding.kind.name().starts_with(family),
        None => finding.id == wanted || finding.kind.name() == wanted,
    };
    let mut any = false;
    for (finding, outcome) in findings.iter().zip(&hits.findings).filter(|(finding, _)| fits(finding)) {
        any = true;
        if outcome.outcome != Outcome::Stopped {
            let how = if outcome.outcome == Outcome::Late { "stopped too late" } else { "not stopped" };
            let (kind, id, reason) = (finding.kind.name(), &finding.id, &outcome.reason);
            failures.push(format!("{kind} {id} is {how} ({reason}): {}", finding.title));
        }
    }
    if !any {
        failures.push(format!("no finding of these captures is {wanted:?}{}", nearest_kind(wanted)));
    }
}

/// A word more for who mistypes a kind.
fn nearest_kind(wanted: &str) -> String {
    // Families end with a star, ids have no dot.
    if wanted.ends_with('*') || !wanted.contains('.') || Kind::ALL.iter().any(|kind| kind.name() == wanted) {
        return String::new();
    }
    let nearest = Kind::ALL.iter().map(|kind| kind.name()).min_by_key(|name| strsim::levenshtein(name, wanted));
    nearest.map_or_else(String::new, |name| format!(": no such kind, the nearest is {name:?}"))
}

fn flows_passed(wanted: &str, hits: &RulesetHits, flows: &Flows, failures: &mut Vec<String>) {
    let service = |flow: &Flow| format!("{}/{}", flow.resp, flow.transport);
    let fits =
        |flow: &&Flow| if wanted.starts_with("1:") { flow.community_id() == wanted } else { service(flow) == wanted };
    let chosen: Vec<String> = flows.all().iter().filter(fits).map(Flow::community_id).collect();
    if chosen.is_empty() {
        let form = if wanted.starts_with("1:") || wanted.contains('/') {
            ""
        } else {
            ": expected such as 10.0.0.10:5222/tcp, or a Community ID"
        };
        failures.push(format!("no conversation of these captures is {wanted:?}{form}"));
    }
    let stopped = hits.collateral.iter().chain(&hits.exposed).chain(&hits.hostile);
    for flow in stopped.filter(|flow| chosen.contains(&flow.flow)) {
        failures.push(format!(
            "{} to {} ({}) is stopped at frame {}: {}",
            flow.src, flow.dst, flow.flow, flow.frame, flow.rule
        ));
    }
}

fn rule_hit(line: &Line, hits: &RulesetHits, failures: &mut Vec<String>) {
    let first = hits.files.first().map(String::as_str).unwrap_or_default();
    let (file, number) = match line {
        Line::OfFirst(number) => (first, Some(*number)),
        Line::OfFile(text) => match text.rsplit_once(':') {
            Some((file, number)) => (file, number.parse().ok()),
            None => (first, text.parse().ok()),
        },
    };
    let Some(number) = number else {
        failures.push(format!("{line:?} is not a line: expected a number, or FILE:NUMBER"));
        return;
    };
    let is_file = |named: &str| named == file || Path::new(named).file_name().is_some_and(|name| name == file);
    let at: Vec<_> = hits.rules.iter().filter(|rule| rule.line == number && is_file(&rule.file)).collect();
    if at.is_empty() {
        failures.push(format!("there is no rule at {file}:{number}"));
    } else if at.iter().all(|rule| rule.packets == 0) {
        failures
            .push(format!("the rule at {file}:{number} is never hit: {}", at.first().map_or("", |rule| &rule.text)));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests
    use super::super::hits::{RuleHits, StoppedFlow};
    use super::*;

    fn hits() -> Hits {
        let rule =
            |line, packets, state| RuleHits { file: "a/fw.rules".into(), line, packets, state, ..RuleHits::default() };
        let hurt = StoppedFlow {
            flow: "1:x".into(),
            transport: "tcp".into(),
            src: "10.0.0.7:1".into(),
            dst: "10.0.0.1:5222".into(),
            capture: "a".into(),
            frame: 9,
            packets: 1,
            packets_total: 2,
            rule: "filter FORWARD rule 1".into(),
            between_others: false,
        };
        let ruleset = RulesetHits {
            name: "fw".into(),
            files: vec!["a/fw.rules".into()],
            rules: vec![rule(4, 7, RuleState::Hit), rule(5, 0, RuleState::Unknown)],
            collateral: vec![hurt],
            ..RulesetHits::default()
        };
        Hits { rulesets: vec![ruleset], ..Hits::default() }
    }

    fn check(text: &str) -> Vec<String> {
        Expectations::parse(text, "gate.toml").unwrap().check(&hits(), &Flows::default(), &[])
    }

    #[test]
    fn what_holds_is_silent() {
        assert_eq!(check("rules_hit = [4, \"fw.rules:4\"]"), Vec::<String>::new());
        assert_eq!(check(""), Vec::<String>::new());
    }

    #[test]
    fn what_fails_says_where() {
        assert_eq!(check("rules_hit = [5]"), ["fw: the rule at a/fw.rules:5 is never hit: "]);
        assert_eq!(check("rules_hit = [6]"), ["fw: there is no rule at a/fw.rules:6"]);
        assert!(check("no_benign_flow_hurt = true")[0].contains("10.0.0.7:1 to 10.0.0.1:5222 at frame 9"));
        assert!(check("no_unknown_match = true")[0].starts_with("fw: a/fw.rules:5: unknown"));
    }

    #[test]
    fn a_gate_that_looks_at_nothing_fails() {
        assert_eq!(check("findings_stopped = [\"epmd.*\"]"), ["fw: no finding of these captures is \"epmd.*\""]);
        assert_eq!(check("flows_passed = [\"1:y\"]"), ["fw: no conversation of these captures is \"1:y\""]);
        assert!(check("flows_passed = [\"10.0.0.1:5222\"]")[0].ends_with("or a Community ID"));
        assert!(check("findings_stopped = [\"epmd.controll\"]")[0].ends_with("the nearest is \"epmd.control\""));
        assert_eq!(check("[ruleset.other]\nno_unknown_match = true"), ["there is no ruleset \"other\", only fw"]);
    }

    #[test]
    fn mistakes_name_their_line() {
        let error = |text: &str| Expectations::parse(text, "gate.toml").unwrap_err().to_string();
        assert!(error("\nrule_hit = [5]").starts_with("gate.toml:2: unknown key \"rule_hit\""));
        assert!(error("rules_hit = 5").starts_with("gate.toml:1: "));
        assert!(error("[ruleset.x]\nnope = 1").starts_with("gate.toml:2: unknown key"));
    }
}
