//! A replay's files in the case folder: `hits.json`, the table `rule_hits`, and its section of the page.

use super::hits::Hits;
use super::page;
use crate::report::{CaseFolder, FindingRecord, Formats, ReportError, TableWriter};
use crate::secret::Masker;
use crate::table::{TableId, Tables};
use std::sync::Arc;

/// Writes all three.
pub fn write(
    folder: &CaseFolder,
    hits: &Hits,
    findings: &[FindingRecord],
    formats: Formats,
) -> Result<(), ReportError> {
    folder.write_hits(&serde_json::to_vec_pretty(hits).unwrap_or_default())?;
    folder.add_to_page(("rulesets", "Rulesets"), &page::section(hits, findings))?;
    // Rules hold no secrets of a capture, so there is nothing to mask.
    let mut tables = Tables::new(Masker::new(true, [0; 16]), Arc::new([]));
    append_rows(&mut tables, hits);
    let mut writer = TableWriter::new(folder.tables()?, formats)?;
    writer.append(TableId::RuleHits, tables.rows(TableId::RuleHits))?;
    writer.finish().map(drop)
}

fn append_rows(tables: &mut Tables, hits: &Hits) {
    for ruleset in &hits.rulesets {
        for rule in &ruleset.rules {
            let state = serde_json::to_value(rule.state).unwrap_or_default();
            tables
                .row(TableId::RuleHits)
                .str(&ruleset.name)
                .str(&ruleset.engine)
                .str(&ruleset.mode)
                .str(&rule.family)
                .str(&rule.table)
                .str(&rule.chain)
                .number(u64::from(rule.n))
                .str(&rule.text)
                .str(&rule.file)
                .number(u64::from(rule.line))
                .number(rule.packets)
                .number(rule.bytes)
                .number(rule.flows)
                .number(rule.first_frame)
                .number(rule.last_frame)
                .number(rule.findings.len() as u64)
                .text(state.as_str())
                .text(Some(rule.note.as_str()).filter(|note| !note.is_empty()));
        }
    }
}
