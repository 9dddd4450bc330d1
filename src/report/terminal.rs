//! What a person reads in ten seconds after a run: what was read, what was found, worst first, where the report is.

use super::case_info::CaseInfo;
use super::escape::{safe_text, shortened};
use super::findings::FindingRecord;
use super::units;
use crate::detect::{Kind, Severity};
use anstyle::{AnsiColor, Style};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Lines of damage and of skipped things that are shown; `case.json` has them all.
const MOST_LINES: usize = 8;
/// Characters of an example that fit beside its kind on a wide terminal.
const EXAMPLE_CHARS: usize = 76;

/// The summary of a case; `report` is where its page is. Colours only if asked for; text from captures cannot act on
/// the terminal.
pub fn summary(case: &CaseInfo, findings: &[FindingRecord], report: &str, color: bool) -> String {
    let mut out = String::new();
    let paint = Paint { color };
    // Writing to a String cannot fail.
    let _ = write_summary(&mut out, case, findings, report, paint);
    out
}

/// More, for who asks for it: files that were left out, and the numbers of the run.
pub fn details(case: &CaseInfo) -> String {
    let mut out = String::new();
    for file in &case.left_out {
        let _ = writeln!(out, "Left out  {}: {}", safe_text(&file.path), safe_text(&file.reason));
    }
    for (group, numbers) in &case.statistics {
        for (name, number) in numbers {
            let _ = writeln!(out, "{:<9} {:>14} {}", safe_text(group), units::count(*number), safe_text(name));
        }
    }
    for (table, rows) in &case.tables {
        let _ = writeln!(out, "{:<9} {:>14} rows of {}", "tables", units::count(*rows), safe_text(table));
    }
    out
}

#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn wrap(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn head(self, text: &str) -> String {
        self.wrap(Style::new().bold(), &format!("{text:<9}"))
    }

    fn severity(self, severity: Severity, text: &str) -> String {
        let style = match severity {
            Severity::Critical => Style::new().bold().fg_color(Some(AnsiColor::BrightRed.into())),
            Severity::High => Style::new().fg_color(Some(AnsiColor::Red.into())),
            Severity::Medium => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Severity::Low => Style::new().fg_color(Some(AnsiColor::Cyan.into())),
            Severity::Info => Style::new().dimmed(),
        };
        self.wrap(style, text)
    }
}

fn write_summary(
    out: &mut String,
    case: &CaseInfo,
    findings: &[FindingRecord],
    report: &str,
    paint: Paint,
) -> std::fmt::Result {
    writeln!(out, "{} {}", paint.head("Read"), read_line(case))?;
    writeln!(out, "{} {}", paint.head("Found"), found_line(findings, paint))?;
    let groups = grouped(findings);
    if !groups.is_empty() {
        writeln!(out)?;
    }
    for ((severity, kind), (count, example)) in groups {
        let label = paint.severity(severity.0, &format!("{:<8}", severity.0.name()));
        let example = shortened(example, EXAMPLE_CHARS);
        writeln!(out, "  {label} {:>6} {:<26} {example}", units::count(count), kind.name())?;
    }
    writeln!(out)?;
    write_damage(out, case, paint)?;
    write_skipped(out, case, paint)?;
    if case.secrets_revealed {
        writeln!(out, "{} secrets stand in this case as they are", paint.head("Secrets"))?;
    }
    writeln!(out, "{} {}", paint.head("Report"), safe_text(report))
}

fn read_line(case: &CaseInfo) -> String {
    let bytes = case.inputs.iter().map(|input| input.size).sum();
    let captures = units::counted(case.inputs.len() as u64, "capture");
    let mut line = format!("{captures}, {}, {}", units::counted(case.frames(), "frame"), units::bytes(bytes));
    if let Some((first, last)) = case.time_range_ns() {
        let span = units::duration(last.abs_diff(first));
        let _ = write!(line, ", {} to {} UTC ({span})", units::moment(first), units::moment(last));
    }
    line
}

fn found_line(findings: &[FindingRecord], paint: Paint) -> String {
    if findings.is_empty() {
        return "nothing".to_owned();
    }
    let part = |severity: &Severity| {
        let count = findings.iter().filter(|finding| finding.severity == *severity).count() as u64;
        let text = format!("{} {}", units::count(count), severity.name());
        (count > 0).then(|| paint.severity(*severity, &text))
    };
    let parts: Vec<String> = Severity::ALL.iter().rev().filter_map(part).collect();
    format!("{}: {}", units::counted(findings.len() as u64, "finding"), parts.join(", "))
}

/// Findings by severity, worst first, and kind: how many, and the title of the first.
pub(super) type Groups<'a> = BTreeMap<(std::cmp::Reverse<Severity>, Kind), (u64, &'a str)>;

pub(super) fn grouped(findings: &[FindingRecord]) -> Groups<'_> {
    let mut groups = Groups::new();
    for finding in findings {
        let key = (std::cmp::Reverse(finding.severity), finding.kind);
        groups.entry(key).or_insert((0, finding.title.as_str())).0 += 1;
    }
    groups
}

fn write_damage(out: &mut String, case: &CaseInfo, paint: Paint) -> std::fmt::Result {
    let damage = || case.inputs.iter().flat_map(|input| input.damage.iter().map(move |damage| (input, damage)));
    for (input, damage) in damage().take(MOST_LINES) {
        let head = paint.wrap(Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())), "Damaged  ");
        let (path, cause) = (safe_text(&input.path), safe_text(&damage.cause));
        writeln!(out, "{head} {path} at byte {}: {cause}", units::count(damage.offset))?;
    }
    write_rest(out, damage().count())
}

fn write_skipped(out: &mut String, case: &CaseInfo, paint: Paint) -> std::fmt::Result {
    for (name, skipped) in case.skipped.iter().take(MOST_LINES) {
        write!(out, "{} {} × {}", paint.head("Skipped"), units::count(skipped.count), safe_text(name))?;
        if let Some(first) = &skipped.first {
            write!(out, ", first in {} frame {}", safe_text(&first.capture), first.frame)?;
        }
        writeln!(out)?;
    }
    write_rest(out, case.skipped.len())
}

fn write_rest(out: &mut String, all: usize) -> std::fmt::Result {
    match all.saturating_sub(MOST_LINES) {
        0 => Ok(()),
        rest => writeln!(out, "          and {rest} more, in case.json"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::demo;

    #[test]
    fn a_person_reads_it_in_ten_seconds() {
        let (info, records) = demo::case();
        insta::assert_snapshot!(summary(&info, &records, "reports/demo/report.html", false));
    }

    #[test]
    fn nothing_found_is_said() {
        let info = CaseInfo::new(Vec::new());
        let text = summary(&info, &[], "reports/x/report.html", false);
        assert_eq!(text, "Read      0 captures, 0 frames, 0 B\nFound     nothing\n\nReport    reports/x/report.html\n");
    }

    #[test]
    fn captures_cannot_write_to_the_terminal() {
        let (info, records) = demo::case();
        let plain = summary(&info, &records, "x", false);
        assert!(!plain.chars().any(|c| c != '\n' && c.is_control()) && !plain.contains('\u{202e}'));
        let colored = summary(&info, &records, "x", true);
        assert!(colored.contains("\u{1b}[1m") && !colored.contains("\u{1b}[2J"));
    }
}
