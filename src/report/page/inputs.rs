//! What the findings stand on: inputs with their hashes, damage, what was skipped, tables, numbers.

use crate::report::escape::html;
use crate::report::units;
use crate::report::{CaseInfo, Input};
use std::fmt::Write;

/// Rows of inputs, and of damage, on one page.
const MOST_ROWS: usize = 1000;

pub(super) fn write(out: &mut String, info: &CaseInfo) -> std::fmt::Result {
    write_inputs(out, info)?;
    write_skipped(out, info)?;
    write_tables(out, info)?;
    write_statistics(out, info)
}

fn write_inputs(out: &mut String, info: &CaseInfo) -> std::fmt::Result {
    out.push_str(
        "<h2 id=\"inputs\">Inputs</h2>\n<table><thead><tr><th>Capture</th><th>Format</th><th class=\"n\">Size</th>\
         <th class=\"n\">Frames</th><th>First and last frame</th></tr></thead><tbody>\n",
    );
    for input in info.inputs.iter().take(MOST_ROWS) {
        write_input(out, input)?;
    }
    out.push_str("</tbody></table>\n");
    write_rest(out, info.inputs.len())
}

fn write_input(out: &mut String, input: &Input) -> std::fmt::Result {
    let links: Vec<String> = input.link_types.iter().map(|link| html(&link.name)).collect();
    let time = |time: &Option<String>| time.as_deref().map(html).unwrap_or_default();
    let cut = match input.truncated_frames {
        0 => String::new(),
        number => format!("<br><span class=\"faded\">{} cut short</span>", units::count(number)),
    };
    writeln!(
        out,
        "<tr><td>{}<br><code class=\"hash\">SHA-256 {}</code></td><td class=\"t\">{}<br><span class=\"faded\">{}</span></td>\
         <td class=\"n\">{}</td><td class=\"n\">{}{cut}</td><td class=\"t\">{}<br>{}</td></tr>",
        html(&input.path),
        html(&input.sha256),
        html(&input.format),
        links.join(", "),
        units::bytes(input.size),
        units::count(input.frames),
        time(&input.first_time),
        time(&input.last_time),
    )
}

fn write_skipped(out: &mut String, info: &CaseInfo) -> std::fmt::Result {
    out.push_str("<h2 id=\"skipped\">Damage and skipped</h2>\n");
    let damage: Vec<_> =
        info.inputs.iter().flat_map(|input| input.damage.iter().map(move |damage| (input, damage))).collect();
    if damage.is_empty() {
        out.push_str("<p>No input is damaged.</p>\n");
    } else {
        out.push_str("<table><thead><tr><th>Damaged capture</th><th class=\"n\">At byte</th><th>Cause</th></tr></thead><tbody>\n");
        for (input, damage) in damage.iter().take(MOST_ROWS) {
            let (path, cause) = (html(&input.path), html(&damage.cause));
            writeln!(
                out,
                "<tr><td>{path}</td><td class=\"n\">{}</td><td>{cause}</td></tr>",
                units::count(damage.offset)
            )?;
        }
        out.push_str("</tbody></table>\n");
        write_rest(out, damage.len())?;
    }
    if info.skipped.is_empty() {
        out.push_str("<p>Nothing was skipped.</p>\n");
        return Ok(());
    }
    out.push_str("<table><thead><tr><th>Skipped</th><th class=\"n\">Times</th><th>First at</th></tr></thead><tbody>\n");
    for (name, skipped) in &info.skipped {
        let place = |first: &crate::report::Place| {
            format!("{} frame {}, {}", html(&first.capture), units::count(first.frame), html(&first.time))
        };
        let first = skipped.first.as_ref().map(place).unwrap_or_default();
        writeln!(
            out,
            "<tr><td>{}</td><td class=\"n\">{}</td><td>{first}</td></tr>",
            html(name),
            units::count(skipped.count)
        )?;
    }
    out.push_str("</tbody></table>\n");
    Ok(())
}

fn write_tables(out: &mut String, info: &CaseInfo) -> std::fmt::Result {
    out.push_str("<h2 id=\"tables\">Tables</h2>\n");
    if info.tables.is_empty() {
        out.push_str("<p>No table has rows.</p>\n");
        return Ok(());
    }
    out.push_str("<table><thead><tr><th>Table</th><th class=\"n\">Rows</th><th>Files</th></tr></thead><tbody>\n");
    for (table, rows) in &info.tables {
        let table = html(table);
        let file = |ending: &String| {
            let ending = html(ending);
            format!("<a href=\"tables/{table}.{ending}\">tables/{table}.{ending}</a>")
        };
        let files: Vec<String> = info.table_formats.iter().map(file).collect();
        writeln!(
            out,
            "<tr><td>{table}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            units::count(*rows),
            files.join(", ")
        )?;
    }
    out.push_str("</tbody></table>\n");
    Ok(())
}

fn write_statistics(out: &mut String, info: &CaseInfo) -> std::fmt::Result {
    if info.statistics.is_empty() {
        return Ok(());
    }
    out.push_str("<h2 id=\"statistics\">Numbers</h2>\n<table><tbody>\n");
    for (group, numbers) in &info.statistics {
        let numbers: Vec<String> =
            numbers.iter().map(|(name, number)| format!("{} {}", html(name), units::count(*number))).collect();
        writeln!(out, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", html(group), numbers.join(" · "))?;
    }
    out.push_str("</tbody></table>\n");
    Ok(())
}

fn write_rest(out: &mut String, all: usize) -> std::fmt::Result {
    match all.saturating_sub(MOST_ROWS) {
        0 => Ok(()),
        rest => writeln!(out, "<p>{} more are in <code>case.json</code>.</p>", units::count(rest as u64)),
    }
}
