//! Charts as SVG and PNG, drawn by plotters with an embedded font: they look the same on every machine.
//!
//! plotters is named in this folder only. Everything drawn comes from [`FindingRecord`]s and
//! [`super::stats::CaseStats`], which hold no secrets.

mod bars;
mod canvas;
mod palette;
mod scale;
mod timeline;

use super::stats::CaseStats;
use super::{CaseFolder, FindingRecord, ReportError, units};
use crate::detect::{Kind, Severity};
use bars::{Bars, Row};
use canvas::{Anchor, Canvas, Size};
use plotters::prelude::{BitMapBackend, DrawingBackend, IntoDrawingArea, SVGBackend};
use plotters::style::RGBColor;
use rayon::prelude::*;
use scale::Unit;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use timeline::TimelineChart;

/// File names of the charts, without ending.
pub(super) const NAMES: [&str; 5] =
    ["findings-by-kind", "findings-by-severity", "timeline", "traffic-by-protocol", "top-talkers"];

const WIDTH: f64 = 960.0;
const PADDING: f64 = 24.0;
/// Room for title, subtitle and legend.
const HEAD: f64 = 88.0;
/// Pixels of a PNG per unit.
const PNG_SCALE: f64 = 2.0;
/// Protocols and addresses shown; the rest is summed up in the last row.
const MOST_ROWS: usize = 15;

enum Drawing {
    Bars(Bars),
    Timeline(TimelineChart),
}

/// A chart that can be drawn.
pub struct Chart {
    name: &'static str,
    /// What it shows, in words, for who cannot see it.
    pub description: String,
    drawing: Drawing,
}

/// All charts of a case, in the order of a report.
pub fn charts(records: &[FindingRecord], stats: &CaseStats) -> Vec<Chart> {
    let drawings = [
        Drawing::Bars(by_kind(records)),
        Drawing::Bars(by_severity(records)),
        Drawing::Timeline(TimelineChart::new(records, &stats.timeline)),
        Drawing::Bars(by_protocol(stats)),
        Drawing::Bars(talkers(stats)),
    ];
    let chart = |(name, drawing)| Chart { name, description: describe(&drawing, records.len()), drawing };
    NAMES.into_iter().zip(drawings).map(chart).collect()
}

/// Writes every chart as `charts/NAME.svg` and `charts/NAME.png`.
pub fn write_charts(folder: &CaseFolder, charts: &[Chart]) -> Result<(), ReportError> {
    let folder = folder.charts()?;
    charts.par_iter().try_for_each(|chart| {
        let path = folder.join(format!("{}.svg", chart.name));
        std::fs::write(&path, chart.svg()?).map_err(ReportError::io("write", &path))?;
        chart.write_png(&folder.join(format!("{}.png", chart.name)))
    })
}

impl Chart {
    /// File name without ending.
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn height(&self) -> f64 {
        match &self.drawing {
            Drawing::Bars(bars) => bars.height(),
            Drawing::Timeline(timeline) => timeline.height(),
        }
    }

    /// The chart as an SVG document.
    pub fn svg(&self) -> Result<String, ReportError> {
        let mut svg = String::new();
        let size = (WIDTH as u32, self.height().ceil() as u32);
        self.draw(SVGBackend::with_string(&mut svg, size), 1.0).map_err(|cause| self.failed("svg", cause))?;
        Ok(svg)
    }

    fn write_png(&self, path: &Path) -> Result<(), ReportError> {
        let size = ((WIDTH * PNG_SCALE) as u32, (self.height() * PNG_SCALE).ceil() as u32);
        self.draw(BitMapBackend::new(path, size), PNG_SCALE)
            .map_err(|cause| ReportError::Chart { path: path.to_owned(), cause })
    }

    fn draw<DB: DrawingBackend>(&self, backend: DB, scale: f64) -> Result<(), String> {
        canvas::register()?;
        let area = backend.into_drawing_area();
        let canvas = Canvas::new(&area, scale);
        canvas.fill(palette::PAPER)?;
        match &self.drawing {
            Drawing::Bars(bars) => bars.draw(&canvas)?,
            Drawing::Timeline(timeline) => timeline.draw(&canvas)?,
        }
        // Asked for here because on drop a failed write would pass in silence.
        area.present().map_err(|error| error.to_string())
    }

    fn failed(&self, ending: &str, cause: String) -> ReportError {
        ReportError::Chart { path: PathBuf::from(format!("{}.{ending}", self.name)), cause }
    }
}

/// Title, subtitle and legend on top of a chart.
fn draw_head<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    title: &str,
    subtitle: &str,
    legend: &[(&str, RGBColor)],
) -> Result<(), String> {
    canvas.text(title, (PADDING, 24.0), Anchor::Left, Size::Title, palette::INK)?;
    canvas.text(subtitle, (PADDING, 48.0), Anchor::Left, Size::Small, palette::FADED)?;
    let mut right = WIDTH - PADDING;
    for (name, color) in legend.iter().rev() {
        let left = right - canvas.width(name, Size::Small)?;
        canvas.text(name, (left, 24.0), Anchor::Left, Size::Small, palette::FADED)?;
        canvas.bar((left - 17.0, 18.0), (left - 5.0, 30.0), *color)?;
        right = left - 33.0;
    }
    Ok(())
}

fn severity_legend() -> Vec<(&'static str, RGBColor)> {
    Severity::ALL.iter().rev().map(|severity| (severity.name(), palette::severity(*severity))).collect()
}

fn by_kind(records: &[FindingRecord]) -> Bars {
    let mut kinds: BTreeMap<Kind, BTreeMap<Severity, u64>> = BTreeMap::new();
    for record in records {
        *kinds.entry(record.kind).or_default().entry(record.severity).or_default() += 1;
    }
    let subtitle = match kinds.len() {
        0 => String::new(),
        number => format!(
            "{} of {}, worst first",
            units::counted(records.len() as u64, "finding"),
            units::counted(number as u64, "kind")
        ),
    };
    let mut kinds: Vec<(Kind, BTreeMap<Severity, u64>)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(kind, counts)| {
        let worst = counts.keys().next_back().copied();
        std::cmp::Reverse((worst, counts.values().sum::<u64>(), std::cmp::Reverse(*kind)))
    });
    let row = |(kind, counts): (Kind, BTreeMap<Severity, u64>)| Row {
        label: kind.name().to_owned(),
        note: units::count(counts.values().sum()),
        values: counts.into_iter().rev().map(|(severity, count)| (count, palette::severity(severity))).collect(),
    };
    Bars {
        title: "Findings by kind",
        subtitle,
        legend: severity_legend(),
        unit: Unit::Count,
        rows: kinds.into_iter().map(row).collect(),
        empty: "no findings",
    }
}

fn by_severity(records: &[FindingRecord]) -> Bars {
    let row = |severity: &Severity| {
        let count = records.iter().filter(|record| record.severity == *severity).count() as u64;
        let values = vec![(count, palette::severity(*severity))];
        Row { label: severity.name().to_owned(), values, note: units::count(count) }
    };
    let rows = if records.is_empty() { Vec::new() } else { Severity::ALL.iter().rev().map(row).collect() };
    Bars {
        title: "Findings by severity",
        subtitle: if records.is_empty() { String::new() } else { units::counted(records.len() as u64, "finding") },
        legend: Vec::new(),
        unit: Unit::Count,
        rows,
        empty: "no findings",
    }
}

fn by_protocol(stats: &CaseStats) -> Bars {
    let all = &stats.traffic_by_protocol;
    let note = |bytes: u64, packets: u64, flows: u64| {
        let (packets, flows) = (units::counted(packets, "packet"), units::counted(flows, "flow"));
        format!("{} · {packets} · {flows}", units::bytes(bytes))
    };
    let row = |label: String, bytes, packets, flows| Row {
        label,
        values: vec![(bytes, palette::BLUE)],
        note: note(bytes, packets, flows),
    };
    let (shown, rest) = all.split_at(if all.len() > MOST_ROWS { MOST_ROWS - 1 } else { all.len() });
    let mut rows: Vec<Row> =
        shown.iter().map(|one| row(one.protocol.clone(), one.bytes, one.packets, one.flows)).collect();
    if !rest.is_empty() {
        let sum = |of: fn(&super::stats::ProtocolTraffic) -> u64| rest.iter().map(of).fold(0, u64::saturating_add);
        let label = format!("{} others", rest.len());
        rows.push(row(label, sum(|one| one.bytes), sum(|one| one.packets), sum(|one| one.flows)));
    }
    Bars {
        title: "Traffic by protocol",
        subtitle: "bytes of packets, by the protocol of their conversation".to_owned(),
        legend: Vec::new(),
        unit: Unit::Bytes,
        rows,
        empty: "no traffic",
    }
}

fn talkers(stats: &CaseStats) -> Bars {
    let row = |one: &super::stats::Talker| Row {
        label: label_of(one),
        values: vec![(one.sent, palette::BLUE), (one.received, palette::ORANGE)],
        note: units::bytes(one.sent.saturating_add(one.received)),
    };
    Bars {
        title: "Top talkers",
        subtitle: "bytes of packets, by address".to_owned(),
        legend: vec![("sent", palette::BLUE), ("received", palette::ORANGE)],
        unit: Unit::Bytes,
        rows: stats.top_talkers.iter().take(MOST_ROWS).map(row).collect(),
        empty: "no traffic",
    }
}

/// An address with the Erlang nodes that listen on it.
fn label_of(talker: &super::stats::Talker) -> String {
    const MOST_NODES: usize = 2;
    let more = if talker.nodes.len() > MOST_NODES { ", …" } else { "" };
    match talker.nodes.get(..talker.nodes.len().min(MOST_NODES)) {
        Some(nodes) if !nodes.is_empty() => format!("{} ({}{more})", talker.address, nodes.join(", ")),
        _ => talker.address.clone(),
    }
}

fn describe(drawing: &Drawing, findings: usize) -> String {
    match drawing {
        Drawing::Bars(bars) if bars.rows.is_empty() => format!("{}: {}", bars.title, bars.empty),
        Drawing::Bars(bars) => {
            let rows: Vec<String> = bars.rows.iter().map(|row| format!("{} {}", row.label, row.note)).collect();
            format!("{}: {}", bars.title, rows.join("; "))
        }
        Drawing::Timeline(_) => {
            format!("Timeline of {} and of the traffic around them", units::counted(findings as u64, "finding"))
        }
    }
}

#[cfg(test)]
mod tests;
