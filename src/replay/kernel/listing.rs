//! Asks the tools for the counters of the loaded rules.

use super::bench::GUARD;
use super::counters::{RuleTexts, Snapshot, TableKey, rule_texts, tables};
use super::load::iptables;
use super::tool::{IPSET, NFT, Tool};
use super::{FileKind, KernelError, KernelRun};
use crate::ruleset::model::Family;
use std::collections::HashSet;

/// Reads the counters of what was loaded.
pub(super) struct Reader {
    /// Tools that list iptables rules, with the family of each.
    saves: Vec<(Family, Tool)>,
    nft: bool,
    ipset: bool,
    /// Tables that are not listed by nft: the guard, and those of iptables' nft backend, which lists them itself.
    without: HashSet<TableKey>,
    texts: RuleTexts,
}

impl Reader {
    /// What there will be to read. To be made after iptables' rules are loaded.
    pub fn new(run: &KernelRun<'_>) -> Result<Self, KernelError> {
        let has = |kind| run.rules.iter().any(|file| file.kind == kind);
        let families = [(Family::Ip, FileKind::Iptables4), (Family::Ip6, FileKind::Iptables6)];
        let saves: Vec<_> = families
            .into_iter()
            .filter(|(_, kind)| has(*kind))
            .map(|(family, kind)| (family, iptables(run.backend, kind == FileKind::Iptables6).1))
            .collect();
        let nft = has(FileKind::NftScript) || has(FileKind::NftJson);
        let mut reader =
            Self { saves, nft, ipset: has(FileKind::Ipset), without: HashSet::new(), texts: RuleTexts::new() };
        reader.without.insert(("inet".to_owned(), GUARD.to_owned()));
        if nft {
            for (family, save) in &reader.saves {
                let saved = save.output(&[], b"")?;
                let tables = saved.lines().filter_map(|line| line.strip_prefix('*'));
                reader.without.extend(tables.map(|table| (family.as_str().to_owned(), table.to_owned())));
            }
            // The legacy backend has no tables that nft lists: one of the same name is the script's own.
            let listed = tables(&NFT.output(&["-j", "list", "tables"], b"")?);
            let legacy = run.backend == super::Backend::Legacy;
            reader.without.retain(|table| table.1 == GUARD || (!legacy && listed.contains(table)));
            reader.texts = rule_texts(&NFT.output(&["-a", "list", "ruleset"], b"")?);
        }
        Ok(reader)
    }

    /// The counters now.
    pub fn read(&self) -> Result<Snapshot, KernelError> {
        let mut snapshot = Snapshot::default();
        for (family, save) in &self.saves {
            snapshot.add_saved(*family, &save.output(&["-c"], b"")?)?;
        }
        if self.nft {
            snapshot.add_nft(&NFT.output(&["-j", "list", "ruleset"], b"")?, &self.texts, &self.without)?;
        }
        Ok(snapshot)
    }

    /// Everything as the tools print it.
    pub fn text(&self) -> Result<String, KernelError> {
        let mut parts = Vec::new();
        for (_, save) in &self.saves {
            parts.push(save.output(&["-c"], b"")?);
        }
        if self.nft {
            parts.push(without_guard(&NFT.output(&["list", "ruleset"], b"")?));
        }
        if self.ipset {
            parts.push(IPSET.output(&["save"], b"")?);
        }
        Ok(parts.join("\n"))
    }

    /// Versions of the tools that were used.
    pub fn versions(&self) -> Vec<String> {
        let mut tools: Vec<Tool> = self.saves.iter().map(|(_, save)| *save).collect();
        tools.extend(self.nft.then_some(NFT));
        tools.extend(self.ipset.then_some(IPSET));
        let version = |tool: Tool| tool.output(&["--version"], b"").map(|said| said.trim().to_owned()).ok();
        tools.into_iter().filter_map(version).collect()
    }
}

fn without_guard(listing: &str) -> String {
    let head = format!("table inet {GUARD} {{");
    let mut inside = false;
    let mut kept = String::with_capacity(listing.len());
    for line in listing.lines() {
        inside |= line == head;
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
        inside &= line != "}";
    }
    kept
}
