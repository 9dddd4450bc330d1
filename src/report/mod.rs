//! Findings, tables and counts in; the case folder out.
//!
//! | file | does |
//! |---|---|
//! | [`case_folder`] | which files are in a case folder, and what may be overwritten |
//! | [`tables`] | rows as Parquet, CSV, NDJSON, while they come |
//! | [`findings`] | findings as the contract writes them: masked, with an id |
//! | [`case_info`] | `case.json` |
//! | [`stats`] | traffic over time, by protocol, by address |
//! | [`charts`] | SVG and PNG |
//! | [`page`] | `report.html` |
//! | [`terminal`] | what a person reads in ten seconds |
//! | [`escape`] | text from captures made safe to show |
//!
//! Charts, page and terminal read only [`CaseInfo`] and [`FindingRecord`]s, both of which can be read back from a case
//! folder: a report can be made again without the captures.

pub mod case_folder;
pub mod case_info;
pub mod charts;
#[cfg(test)]
mod demo;
mod error;
pub mod escape;
pub mod findings;
pub mod page;
pub mod stats;
pub mod tables;
pub mod terminal;
pub mod units;

pub use case_folder::CaseFolder;
pub use case_info::{CaseInfo, Input, Place, Skipped};
pub use error::ReportError;
pub use findings::{FindingRecord, Shown, read_findings, write_findings};
pub use stats::{CaseStats, FlowTraffic, TimelineBuilder, TrafficBuilder};
pub use tables::{Formats, TableWriter};

use crate::detect::Finding;
use crate::secret::Masker;
use std::time::Instant;

/// Writes all of a case but its tables and carved files: `findings.ndjson`, charts, `report.html` and, last,
/// `case.json`. Fills the counts of findings and the wall time since `started` into `info`.
pub fn write_case(
    folder: &CaseFolder,
    info: &mut CaseInfo,
    findings: &[Finding],
    masker: &Masker,
    started: Instant,
) -> Result<Vec<FindingRecord>, ReportError> {
    let captures: Vec<String> = info.inputs.iter().map(|input| input.name.clone()).collect();
    let records = write_findings(folder, findings, masker, &captures)?;
    info.findings = case_info::FindingCounts::of(&records);
    info.secrets_revealed = masker.reveals();
    write_pictures(folder, info, &records)?;
    info.wall_time_seconds = (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    case_info::write_case_json(folder, info)?;
    Ok(records)
}

/// Makes charts and page again from what a case folder holds.
pub fn rewrite_report(folder: &CaseFolder) -> Result<(CaseInfo, Vec<FindingRecord>), ReportError> {
    let info = case_info::read_case_json(folder)?;
    let records = read_findings(&folder.findings())?;
    write_pictures(folder, &info, &records)?;
    Ok((info, records))
}

/// Charts and page.
fn write_pictures(folder: &CaseFolder, info: &CaseInfo, records: &[FindingRecord]) -> Result<(), ReportError> {
    let charts = charts::charts(records, &info.traffic);
    charts::write_charts(folder, &charts)?;
    folder.write(case_folder::PAGE, page::page(info, records, &charts)?.as_bytes())
}
