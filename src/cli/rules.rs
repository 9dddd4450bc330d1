//! `jabberscope rules`

use super::{Common, Failure, Status};
use crate::report::escape::safe_text;
use crate::report::units;
use crate::ruleset::lint::unseen::{Need, needs};
use crate::ruleset::lint::{self, Kind, Lint};
use crate::ruleset::load::{self, Loaded};
use crate::ruleset::model::{Chain, ChainId, Policy, Rule, Table};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  jabberscope rules fw.rules
  jabberscope rules v4.rules,v6.rules6,sets.ipset next.nft

Each FILE is one candidate; files joined by commas belong together.
Exit status: 0 the files could be read, whatever is said of them; 2 one could not.")]
pub struct Arguments {
    /// Rule files: iptables-save, scripts of iptables commands, ipset save, nftables (text or JSON), l7-filter patterns
    #[arg(required = true, value_name = "FILE[,FILE...]")]
    files: Vec<String>,
}

/// Reads rule files and says what is wrong with them.
pub fn run(common: &Common, arguments: &Arguments) -> Result<Status, Failure> {
    let mut failed = Vec::new();
    for files in &arguments.files {
        match load::load(files) {
            Ok(loaded) if common.quiet => drop(loaded),
            Ok(loaded) => {
                let lints = lint::lint(&loaded.ruleset);
                let text = if common.json { json(&loaded, &lints) } else { describe(&loaded, &lints, common.verbose) };
                // A closed pipe is no error.
                let _ = anstream::stdout().write_all(text.as_bytes());
            }
            // The others are still worth reading.
            Err(error) => failed.push(error.to_string()),
        }
    }
    if failed.is_empty() { Ok(Status::Done) } else { Err(Failure::Input(failed.join("\njabberscope: "))) }
}

/// Callers of a chain that are named.
const MOST_CALLERS: usize = 8;

fn describe(loaded: &Loaded, lints: &[Lint], verbose: bool) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_ruleset(&mut out, loaded, lints, verbose);
    out
}

fn write_ruleset(out: &mut String, loaded: &Loaded, lints: &[Lint], verbose: bool) -> std::fmt::Result {
    let ruleset = &loaded.ruleset;
    for file in &loaded.files {
        writeln!(out, "{}: {}", safe_text(&file.path), file.language.name())?;
    }
    let rules: Vec<(&Table, &Chain, &Rule)> = ruleset.rules().collect();
    let chains = ruleset.tables.iter().map(|table| table.chains.len()).sum::<usize>();
    let sets = ruleset.ipsets.len() + ruleset.tables.iter().map(|table| table.sets.len()).sum::<usize>();
    writeln!(
        out,
        "  {}, {}, {}, {}",
        units::counted(ruleset.tables.len() as u64, "table"),
        units::counted(chains as u64, "chain"),
        units::counted(rules.len() as u64, "rule"),
        units::counted(sets as u64, "set")
    )?;
    for table in &ruleset.tables {
        write_table(out, table)?;
    }
    for set in &ruleset.ipsets {
        writeln!(out, "  ipset {}: {}", safe_text(&set.name), units::counted(set.entries.len() as u64, "member"))?;
    }
    for (number, (table, chain, rule)) in (0u32..).zip(&rules) {
        let needs = needs(table, rule);
        let own: Vec<&Lint> = lints.iter().filter(|lint| lint.rule == Some(number)).collect();
        if !verbose && own.is_empty() && rule.unknown.is_empty() && needs.is_empty() {
            continue;
        }
        let place = format!("{}", rule.place);
        writeln!(
            out,
            "  {}: {} {} rule {}: {}",
            safe_text(&place),
            safe_text(&table.name),
            safe_text(&chain.name),
            rule.n,
            safe_text(&rule.text)
        )?;
        for unknown in &rule.unknown {
            writeln!(out, "      unknown: {}: {}", safe_text(&unknown.what), safe_text(&unknown.effect))?;
        }
        for need in needs {
            writeln!(out, "      rests on: {}", safe_text(&need.assumed()))?;
        }
        for lint in own {
            writeln!(out, "      {}: {}", word(lint.kind), safe_text(&lint.message))?;
        }
    }
    for lint in lints.iter().filter(|lint| lint.rule.is_none()) {
        writeln!(out, "  {}: {}", word(lint.kind), safe_text(&lint.message))?;
    }
    for note in &ruleset.notes {
        writeln!(out, "  note: {}: {}", safe_text(&note.place.to_string()), safe_text(&note.message))?;
    }
    Ok(())
}

/// A table: its chains with when they are asked, what they do at their end, and who calls them.
fn write_table(out: &mut String, table: &Table) -> std::fmt::Result {
    let dormant = if table.dormant { " (dormant: loaded, but not asked)" } else { "" };
    writeln!(out, "  table {} {}{dormant}", table.family.as_str(), safe_text(&table.name))?;
    for (chain, callers) in table.chains.iter().zip(callers(table)) {
        let rules = units::counted(chain.rules.len() as u64, "rule");
        let how = match &chain.base {
            Some(base) => {
                let policy = policy_word(base.policy);
                format!("{} priority {}, policy {policy}", base.hook.as_str(), base.priority)
            }
            None if callers.is_empty() => "called by nobody".to_owned(),
            None => {
                let names: Vec<_> = callers.iter().take(MOST_CALLERS).map(|name| safe_text(name)).collect();
                let more = callers.len().saturating_sub(MOST_CALLERS);
                format!("called by {}{}", names.join(", "), if more > 0 { ", …" } else { "" })
            }
        };
        writeln!(out, "    {}: {how}, {rules}", safe_text(&chain.name))?;
    }
    Ok(())
}

fn policy_word(policy: Policy) -> &'static str {
    match policy {
        Policy::Accept => "accept",
        Policy::Drop => "drop",
    }
}

/// Chains that lead into each chain of a table.
fn callers(table: &Table) -> Vec<BTreeSet<&str>> {
    let mut callers = vec![BTreeSet::new(); table.chains.len()];
    for chain in &table.chains {
        for ChainId(called) in chain.rules.iter().flat_map(|rule| lint::jumps(table, rule)) {
            if let Some(callers) = callers.get_mut(called as usize) {
                callers.insert(&*chain.name);
            }
        }
    }
    callers
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Shadowed => "shadowed",
        Kind::Redundant => "redundant",
        Kind::Doubtful => "doubtful",
    }
}

fn json(loaded: &Loaded, lints: &[Lint]) -> String {
    let files: Vec<_> = loaded
        .files
        .iter()
        .map(|file| serde_json::json!({"path": file.path, "language": file.language.name()}))
        .collect();
    let rules: Vec<_> = (0u32..)
        .zip(loaded.ruleset.rules())
        .map(|(number, (table, chain, rule))| {
            let of_rule = lints.iter().filter(|lint| lint.rule == Some(number));
            let remarks: Vec<_> =
                of_rule.map(|lint| serde_json::json!({"kind": word(lint.kind), "message": lint.message})).collect();
            let unknown: Vec<_> = rule
                .unknown
                .iter()
                .map(|unknown| serde_json::json!({"what": unknown.what, "effect": unknown.effect}))
                .collect();
            let rests_on: Vec<String> = needs(table, rule).iter().map(Need::assumed).collect();
            serde_json::json!({
                "family": table.family.as_str(), "table": &*table.name, "chain": &*chain.name, "n": rule.n, "text": rule.text,
                "file": &*rule.place.file, "line": rule.place.line, "remarks": remarks, "unknown": unknown,
                "rests_on": rests_on,
            })
        })
        .collect();
    let tables: Vec<_> = loaded
        .ruleset
        .tables
        .iter()
        .map(|table| {
            let chains: Vec<_> = table
                .chains
                .iter()
                .zip(callers(table))
                .map(|(chain, callers)| {
                    let base = chain.base.as_ref();
                    serde_json::json!({
                        "name": &*chain.name, "rules": chain.rules.len(),
                        "hook": base.map(|base| base.hook.as_str()), "priority": base.map(|base| base.priority),
                        "policy": base.map(|base| policy_word(base.policy)), "called_by": callers,
                    })
                })
                .collect();
            serde_json::json!({
                "family": table.family.as_str(), "name": &*table.name, "dormant": table.dormant, "chains": chains,
            })
        })
        .collect();
    let whole: Vec<_> = lints
        .iter()
        .filter(|lint| lint.rule.is_none())
        .map(|lint| serde_json::json!({"kind": word(lint.kind), "message": lint.message}))
        .collect();
    let notes: Vec<_> = loaded
        .ruleset
        .notes
        .iter()
        .map(|note| serde_json::json!({"place": note.place.to_string(), "message": note.message}))
        .collect();
    let value = serde_json::json!({"name": loaded.name, "files": files, "tables": tables, "rules": rules, "remarks": whole, "notes": notes});
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests
    use super::*;

    fn told(files: &str, verbose: bool) -> String {
        let loaded = load::load(files).unwrap();
        describe(&loaded, &lint::lint(&loaded.ruleset), verbose)
    }

    #[test]
    fn mistakes_of_somebody_in_a_hurry() {
        insta::assert_snapshot!(told("rulesets/in-a-hurry.rules", false));
    }

    #[test]
    fn a_sound_set_is_told_as_a_whole() {
        insta::assert_snapshot!(told("rulesets/ejabberd-cluster.rules,rulesets/ejabberd-cluster.ipset", true));
    }
}
