//! `report.html`: one file that needs nothing else, no network and no script.
//!
//! A Content-Security-Policy forbids everything but the inline style, whose hash it names; all text goes through
//! [`html`]. The page opens as a list of findings, worst first; what a finding stands on unfolds below it.

mod findings;
mod inputs;

use super::charts::Chart;
use super::escape::html;
use super::units;
use super::{CaseInfo, FindingRecord, ReportError};
use crate::detect::Severity;
use base64::Engine;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Charts that stand above the findings; the others follow them.
const OVERVIEW: [&str; 2] = ["findings-by-kind", "timeline"];

/// Before it, sections of other commands go. Text from captures cannot hold it, for it is escaped.
const CHARTS_HEADING: &str = "<h2 id=\"charts\">Charts</h2>\n";
/// Before it, their links go.
const CHARTS_LINK: &str = "<a href=\"#charts\">";

static STYLE: &str = include_str!("style.css");

/// The page of a case.
pub fn page(info: &CaseInfo, records: &[FindingRecord], charts: &[Chart]) -> Result<String, ReportError> {
    let mut out = String::with_capacity(1 << 18);
    let svgs: Vec<(String, &Chart)> =
        charts.iter().map(|chart| Ok((chart.svg()?, chart))).collect::<Result<_, ReportError>>()?;
    // Writing to a String cannot fail.
    let _ = write_page(&mut out, info, records, &svgs);
    Ok(out)
}

/// A page with one section more, before the charts. `content` is HTML, and all text in it escaped by [`html`].
pub fn with_section(page: &str, (id, title): (&str, &str), content: &str) -> Option<String> {
    let (head, rest) = page.split_once(CHARTS_LINK)?;
    let (middle, tail) = rest.split_once(CHARTS_HEADING)?;
    let (id, title) = (html(id), html(title));
    let section = format!("<h2 id=\"{id}\">{title}</h2>\n{content}");
    Some(format!("{head}<a href=\"#{id}\">{title}</a>{CHARTS_LINK}{middle}{section}{CHARTS_HEADING}{tail}"))
}

fn write_page(
    out: &mut String,
    info: &CaseInfo,
    records: &[FindingRecord],
    charts: &[(String, &Chart)],
) -> std::fmt::Result {
    let style_hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let name = info.inputs.first().map_or_else(|| "no capture".to_owned(), |input| html(&input.name));
    let more = match info.inputs.len() {
        0 | 1 => String::new(),
        number => format!(" and {} more", number - 1),
    };
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{name}{more}: jabberscope report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    )?;
    write!(out, "<header>\n<h1>{name}{more}</h1>\n<p class=\"faded\">Forensic report of an XMPP site</p>\n")?;
    out.push_str(
        "<nav aria-label=\"Sections\"><a href=\"#findings\">Findings</a><a href=\"#charts\">Charts</a>\
         <a href=\"#inputs\">Inputs</a><a href=\"#skipped\">Damage and skipped</a><a href=\"#tables\">Tables</a></nav>\n\
         </header>\n<main>\n",
    );
    write_summary(out, info, records)?;
    if !records.is_empty() {
        write_charts(out, charts.iter().filter(|(_, chart)| OVERVIEW.contains(&chart.name())))?;
    }
    findings::write(out, records)?;
    out.push_str(CHARTS_HEADING);
    let in_overview = |chart: &Chart| !records.is_empty() && OVERVIEW.contains(&chart.name());
    write_charts(out, charts.iter().filter(|(_, chart)| !in_overview(chart)))?;
    inputs::write(out, info)?;
    out.push_str("</main>\n");
    let secrets = if info.secrets_revealed {
        "Secrets stand in this report as they are."
    } else {
        "Secrets are masked: equal masks mean equal secrets."
    };
    write!(
        out,
        "<footer><p>{} {}. {secrets} Times are UTC. Frames are numbered as Wireshark does, from 1. \
         The command line and the run time are in case.json.</p></footer>\n</body>\n</html>\n",
        html(&info.tool),
        html(&info.version)
    )
}

/// Charts as inline SVG, with their content in words for who cannot see them.
fn write_charts<'a>(out: &mut String, charts: impl Iterator<Item = &'a (String, &'a Chart)>) -> std::fmt::Result {
    for (svg, chart) in charts {
        write!(out, "<figure role=\"img\" aria-label=\"{}\">\n{svg}\n</figure>\n", html(&chart.description))?;
    }
    Ok(())
}

/// What was read and what was found, at a glance.
fn write_summary(out: &mut String, info: &CaseInfo, records: &[FindingRecord]) -> std::fmt::Result {
    let bytes = info.inputs.iter().map(|input| input.size).sum();
    let captures = units::counted(info.inputs.len() as u64, "capture");
    write!(out, "<p>Read: {captures}, {}, {}", units::counted(info.frames(), "frame"), units::bytes(bytes))?;
    if let Some((first, last)) = info.time_range_ns() {
        let span = units::duration(last.abs_diff(first));
        write!(out, ", from {} to {} UTC ({span})", units::moment(first), units::moment(last))?;
    }
    writeln!(out, ".</p>\n<div class=\"tiles\">")?;
    for severity in Severity::ALL.iter().rev() {
        let count = records.iter().filter(|record| record.severity == *severity).count() as u64;
        let none = if count == 0 { " none" } else { "" };
        let name = severity.name();
        writeln!(out, "<div class=\"tile {name}{none}\"><b>{}</b>{name}</div>", units::count(count))?;
    }
    out.push_str("</div>\n");
    let damaged = info.inputs.iter().filter(|input| !input.damage.is_empty()).count() as u64;
    if damaged > 0 {
        let inputs = units::counted(damaged, "input");
        writeln!(
            out,
            "<p class=\"note\">{inputs} damaged: read as far as it goes. <a href=\"#skipped\">Where and why</a>.</p>"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
