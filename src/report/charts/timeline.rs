//! Findings over time by severity, with the traffic behind them.

use super::canvas::{Anchor, Canvas, Size};
use super::scale::{Unit, ticks, time_ticks};
use super::{PADDING, WIDTH, palette};
use crate::detect::Severity;
use crate::report::FindingRecord;
use crate::report::stats::Timeline;
use crate::report::units;
use plotters::prelude::DrawingBackend;

const HEIGHT: f64 = 380.0;
const AXIS: f64 = 44.0;
const LEFT: f64 = PADDING + 44.0;
const RIGHT: f64 = WIDTH - PADDING - 78.0;
/// Findings are summed over columns of this many units.
const COLUMN: f64 = 9.0;

pub(super) struct TimelineChart {
    from: i128,
    to: i128,
    traffic: Timeline,
    /// Findings of each severity in each column, worst first.
    columns: Vec<[u64; Severity::ALL.len()]>,
    findings: usize,
}

impl TimelineChart {
    pub(super) fn new(records: &[FindingRecord], traffic: &Timeline) -> Self {
        let width = i128::from(traffic.bucket_ns);
        let start = i128::from(traffic.start_ns);
        let traffic_end = start + width * traffic.bytes.len() as i128;
        let traffic_range = (!traffic.bytes.is_empty()).then_some((start, traffic_end));
        let times = || records.iter().map(|record| i128::from(record.time_ns));
        let findings_range = times().min().zip(times().max());
        let (mut from, mut to) = match (traffic_range, findings_range) {
            (Some(traffic), Some(findings)) => (traffic.0.min(findings.0), traffic.1.max(findings.1)),
            (one, other) => one.or(other).unwrap_or_default(),
        };
        if to - from < 1_000_000 {
            (from, to) = (from - 500_000, to + 500_000);
        }
        let count = ((RIGHT - LEFT) / COLUMN) as usize;
        let mut columns = vec![[0; Severity::ALL.len()]; count];
        for record in records {
            let place = (i128::from(record.time_ns) - from) * count as i128 / (to - from);
            let place = usize::try_from(place).unwrap_or_default().min(count.saturating_sub(1));
            let rank = Severity::ALL.iter().rev().position(|severity| *severity == record.severity);
            if let Some(cell) = columns.get_mut(place).zip(rank).and_then(|(column, rank)| column.get_mut(rank)) {
                *cell += 1;
            }
        }
        Self { from, to, traffic: traffic.clone(), columns, findings: records.len() }
    }

    pub(super) fn height(&self) -> f64 {
        HEIGHT
    }

    pub(super) fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>) -> Result<(), String> {
        let (top, bottom) = (super::HEAD + 14.0, HEIGHT - AXIS);
        let mut legend = super::severity_legend();
        legend.push(("traffic", palette::TRAFFIC));
        super::draw_head(canvas, "Timeline", &self.subtitle(), &legend)?;
        if self.findings == 0 && self.traffic.bytes.is_empty() {
            let middle = (WIDTH / 2.0, (top + bottom) / 2.0);
            return canvas.text("no packets, no findings", middle, Anchor::Middle, Size::Normal, palette::FADED);
        }
        self.draw_traffic(canvas, top, bottom)?;
        self.draw_findings(canvas, top, bottom)?;
        for (time, label) in time_ticks(self.from, self.to, 8) {
            let x = self.x_of(time);
            canvas.line((x, bottom), (x, bottom + 5.0), palette::FADED)?;
            // Half a label must not stick out at the sides.
            if x > LEFT + 6.0 && x < RIGHT + 30.0 {
                canvas.text(&label, (x, bottom + 16.0), Anchor::Middle, Size::Small, palette::FADED)?;
            }
        }
        canvas.text("UTC", (WIDTH - PADDING, bottom + 16.0), Anchor::Right, Size::Small, palette::FADED)?;
        canvas.line((LEFT, bottom), (RIGHT, bottom), palette::FADED)
    }

    fn subtitle(&self) -> String {
        if self.findings == 0 && self.traffic.bytes.is_empty() {
            return String::new();
        }
        let moment = |time: i128| units::moment(i64::try_from(time).unwrap_or_default());
        format!("{} to {} UTC", moment(self.from), moment(self.to))
    }

    fn x_of(&self, time: i128) -> f64 {
        LEFT + (RIGHT - LEFT) * ((time - self.from) as f64 / (self.to - self.from) as f64)
    }

    /// Bytes in each bucket as an area, with their axis on the right.
    fn draw_traffic<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, top: f64, bottom: f64) -> Result<(), String> {
        let Some(most) = self.traffic.bytes.iter().copied().max() else { return Ok(()) };
        let marks = ticks(most, Unit::Bytes, 4);
        let end = marks.last().copied().unwrap_or(1).max(most).max(1);
        let y_of = |bytes: u64| bottom - (bottom - top) * (bytes as f64 / end as f64);
        let mut outline = vec![(LEFT, bottom)];
        for (number, bytes) in self.traffic.bytes.iter().enumerate() {
            let begin = i128::from(self.traffic.start_ns) + number as i128 * i128::from(self.traffic.bucket_ns);
            let (from, to) = (self.x_of(begin), self.x_of(begin + i128::from(self.traffic.bucket_ns)));
            outline.extend([(from, y_of(*bytes)), (to, y_of(*bytes))]);
        }
        outline.push((outline.last().map_or(LEFT, |(x, _)| *x), bottom));
        canvas.area(&outline, palette::TRAFFIC)?;
        for mark in marks {
            canvas.text(
                &Unit::Bytes.label(mark),
                (RIGHT + 8.0, y_of(mark)),
                Anchor::Left,
                Size::Small,
                palette::FADED,
            )?;
        }
        let each = format!("traffic per {}", units::duration(self.traffic.bucket_ns));
        canvas.text(&each, (WIDTH - PADDING, top - 22.0), Anchor::Right, Size::Small, palette::FADED)
    }

    /// Findings in each column, worst at the bottom, with their axis on the left.
    fn draw_findings<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, top: f64, bottom: f64) -> Result<(), String> {
        let most = self.columns.iter().map(|column| column.iter().sum::<u64>()).max().unwrap_or_default();
        let marks = ticks(most, Unit::Count, 4);
        let end = marks.last().copied().unwrap_or(1).max(1);
        let y_of = |count: u64| bottom - (bottom - top) * (count as f64 / end as f64);
        for mark in marks {
            canvas.line((LEFT, y_of(mark)), (RIGHT, y_of(mark)), palette::GRID)?;
            let label = Unit::Count.label(mark);
            canvas.text(&label, (LEFT - 8.0, y_of(mark)), Anchor::Right, Size::Small, palette::FADED)?;
        }
        canvas.text("findings", (PADDING, top - 22.0), Anchor::Left, Size::Small, palette::FADED)?;
        let width = (RIGHT - LEFT) / self.columns.len().max(1) as f64;
        for (number, column) in self.columns.iter().enumerate() {
            let x = LEFT + width * number as f64;
            let mut sum = 0;
            for (count, severity) in column.iter().zip(Severity::ALL.iter().rev()) {
                if *count > 0 {
                    let (low, high) = (y_of(sum), y_of(sum + count));
                    canvas.bar((x + 0.5, high), (x + width - 0.5, low), palette::severity(*severity))?;
                    sum += count;
                }
            }
        }
        Ok(())
    }
}
