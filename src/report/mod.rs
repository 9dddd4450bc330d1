//! Findings, tables and counts in; the case folder out.
//!
//! | file | does |
//! |---|---|
//! | [`case_folder`] | which files are in a case folder, and what may be overwritten |
//! | [`tables`] | rows as Parquet, CSV, NDJSON, while they come |
//! | [`findings`] | findings as the contract writes them: masked, with an id |
//! | [`eve`] | findings as Suricata alerts, on request |
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
pub(crate) mod demo;
mod error;
pub mod escape;
pub mod eve;
pub mod findings;
pub mod page;
pub mod stats;
pub mod tables;
pub mod terminal;
pub mod units;

pub use case_folder::CaseFolder;
pub use case_info::{CaseInfo, Input, LeftOut, Place, Skipped};
pub use error::ReportError;
pub use eve::write_eve;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)] // tests
    use super::*;

    fn written(root: &std::path::Path) -> CaseInfo {
        let folder = CaseFolder::create(root, false).unwrap();
        let (mut info, _) = demo::case();
        write_case(&folder, &mut info, &demo::findings(), &demo::masker(), Instant::now()).unwrap();
        info
    }

    fn contents(root: &std::path::Path) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for folder in [root.to_owned(), root.join("charts")] {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_file() {
                    let name = entry.path().strip_prefix(root).unwrap().display().to_string();
                    files.push((name, std::fs::read(entry.path()).unwrap()));
                }
            }
        }
        files.sort();
        files
    }

    #[test]
    fn two_runs_differ_in_nothing_but_wall_time() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        written(one.path());
        written(two.path());
        for (one, two) in contents(one.path()).into_iter().zip(contents(two.path())) {
            assert_eq!(one.0, two.0);
            if one.0 == "case.json" {
                let without_time = |bytes: &[u8]| {
                    let mut case: CaseInfo = serde_json::from_slice(bytes).unwrap();
                    case.wall_time_seconds = 0.0;
                    case.to_json()
                };
                assert_eq!(without_time(&one.1), without_time(&two.1));
            } else {
                assert!(one.1 == two.1, "{} differs", one.0);
            }
        }
    }

    #[test]
    fn a_report_is_made_again_from_the_case_alone() {
        let folder = tempfile::tempdir().unwrap();
        let info = written(folder.path());
        let before = contents(folder.path());
        std::fs::remove_file(folder.path().join("report.html")).unwrap();
        std::fs::remove_dir_all(folder.path().join("charts")).unwrap();
        let (read, records) = rewrite_report(&CaseFolder::open(folder.path()).unwrap()).unwrap();
        assert_eq!(read, info);
        assert_eq!(records.len() as u64, info.findings.total);
        assert!(contents(folder.path()) == before);
    }

    #[test]
    fn case_json_is_as_scripts_expect() {
        let (info, _) = demo::case();
        let case: serde_json::Value = serde_json::from_str(&info.to_json()).unwrap();
        assert_eq!((&case["tool"], &case["findings"]["by_severity"]["critical"]), (&"jabberscope".into(), &3.into()));
        assert_eq!(case["inputs"][0]["link_types"][0]["name"], "ETHERNET");
        assert_eq!(case["inputs"][1]["damage"][0]["offset"], 88_416);
        assert_eq!(case["skipped"]["tcp.out-of-order-limit"]["first"]["frame"], 1042);
        assert_eq!(case["tables"]["stanzas"], 3504);
    }
}
