//! The findings of the page: by severity and kind, worst first.

use crate::detect::{Kind, Layer, Severity};
use crate::report::FindingRecord;
use crate::report::escape::{html, shortened};
use crate::report::units;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Findings on one page: more make browsers slow and nobody reads them there.
const MOST_FINDINGS: usize = 2000;
/// Findings of one group, so that a flood of one kind leaves room for the others.
const MOST_OF_A_GROUP: usize = 250;
/// Findings of a group that are in sight before it is unfolded.
const MOST_OPEN: usize = 10;
/// Characters of one value of evidence.
const MOST_CHARS: usize = 1000;
/// Bytes of the page after which only groups are told, not their findings: hostile evidence may be long.
const MOST_BYTES: usize = 16 << 20;
/// Frames listed in one finding.
const MOST_FRAMES: usize = 100;

pub(super) fn write(out: &mut String, records: &[FindingRecord]) -> std::fmt::Result {
    out.push_str("<h2 id=\"findings\">Findings</h2>\n");
    if records.is_empty() {
        out.push_str("<p>Nothing was found.</p>\n");
        return Ok(());
    }
    let mut groups: BTreeMap<(Reverse<Severity>, Kind), Vec<&FindingRecord>> = BTreeMap::new();
    for record in records {
        groups.entry((Reverse(record.severity), record.kind)).or_default().push(record);
    }
    let mut room = MOST_FINDINGS;
    for ((severity, kind), group) in groups {
        let shown = if out.len() < MOST_BYTES { group.len().min(MOST_OF_A_GROUP).min(room) } else { 0 };
        room -= shown;
        write_group(out, severity.0, kind, &group, shown)?;
    }
    Ok(())
}

fn write_group(
    out: &mut String,
    severity: Severity,
    kind: Kind,
    group: &[&FindingRecord],
    shown: usize,
) -> std::fmt::Result {
    let severity = severity.name();
    write!(
        out,
        "<section class=\"group {severity}\">\n<header><h3><span class=\"badge\">{severity}</span> \
         <span class=\"kind\">{}</span> <span class=\"faded\">{}</span></h3><p class=\"what\">{}.",
        kind.name(),
        units::counted(group.len() as u64, "finding"),
        html(kind.what()),
    )?;
    let layer = match kind.layer() {
        Layer::Ip => "IP",
        Layer::Transport => "transport",
        Layer::Application => "application",
    };
    write!(out, " A rule could stop it at the {layer} layer")?;
    if !kind.attack().is_empty() {
        write!(out, " · ATT&amp;CK {}", kind.attack().join(", "))?;
    }
    out.push_str(".</p></header>\n");
    let (open, folded) = group.get(..shown).unwrap_or(group).split_at(shown.min(MOST_OPEN));
    for record in open {
        write_finding(out, record)?;
    }
    if !folded.is_empty() {
        let more = units::count(folded.len() as u64);
        writeln!(out, "<details class=\"more\"><summary><span>{more} more</span></summary>")?;
        for record in folded {
            write_finding(out, record)?;
        }
        out.push_str("</details>\n");
    }
    if shown < group.len() {
        let rest = units::count((group.len() - shown) as u64);
        writeln!(
            out,
            "<p class=\"body\">{rest} more of this kind are not on this page but in <code>findings.ndjson</code>.</p>"
        )?;
    }
    out.push_str("</section>\n");
    Ok(())
}

fn write_finding(out: &mut String, record: &FindingRecord) -> std::fmt::Result {
    let id = html(&record.id);
    write!(
        out,
        "<details id=\"f-{id}\"><summary><time>{}</time><span class=\"title\">{}</span></summary>\n\
         <div class=\"body\"><table><tbody>\n",
        units::moment(record.time_ns),
        html(&shortened(&record.title, MOST_CHARS))
    )?;
    let sides = match (&record.src, &record.dst) {
        (Some(src), Some(dst)) => format!("{} → {}", html(src), html(dst)),
        (Some(one), None) | (None, Some(one)) => html(one),
        (None, None) => String::new(),
    };
    row(out, "who", &sides)?;
    for (key, value) in &record.evidence {
        let value = shortened(&value.to_string(), MOST_CHARS);
        row(out, &html(key), &html(&value))?;
    }
    row(out, "time", &html(&record.time))?;
    row(out, "capture", &html(&record.capture))?;
    row(out, "frames", &frames(&record.frames))?;
    row(out, "protocol", &html(&record.protocol))?;
    if let Some(flow) = &record.flow {
        row(out, "Community ID", &format!("<code class=\"copy\">{}</code>", html(flow)))?;
    }
    if !record.filter.is_empty() {
        row(out, "display filter", &format!("<code class=\"copy\">{}</code>", html(&record.filter)))?;
    }
    row(out, "id", &format!("<code class=\"copy\">{id}</code>"))?;
    out.push_str("</tbody></table></div></details>\n");
    Ok(())
}

/// A row whose value is already HTML; left out if there is none.
fn row(out: &mut String, key: &str, value: &str) -> std::fmt::Result {
    if value.is_empty() {
        return Ok(());
    }
    writeln!(out, "<tr><th scope=\"row\">{key}</th><td>{value}</td></tr>")
}

fn frames(frames: &[u64]) -> String {
    let mut list: Vec<String> = frames.iter().take(MOST_FRAMES).map(u64::to_string).collect();
    if frames.len() > MOST_FRAMES {
        list.push(format!("and {} more", units::count((frames.len() - MOST_FRAMES) as u64)));
    }
    list.join(", ")
}
