//! Horizontal bars, stacked where a row has several series.

use super::canvas::{Anchor, Canvas, Size};
use super::palette;
use super::scale::{Unit, ticks};
use super::{PADDING, WIDTH};
use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;

/// A row: what it is of, its values with their colours, and what stands behind the bar.
pub(super) struct Row {
    pub(super) label: String,
    pub(super) values: Vec<(u64, RGBColor)>,
    pub(super) note: String,
}

impl Row {
    fn total(&self) -> u64 {
        self.values.iter().fold(0, |sum, (value, _)| sum.saturating_add(*value))
    }
}

pub(super) struct Bars {
    pub(super) title: &'static str,
    pub(super) subtitle: String,
    pub(super) legend: Vec<(&'static str, RGBColor)>,
    pub(super) unit: Unit,
    pub(super) rows: Vec<Row>,
    /// Shown when there are no rows.
    pub(super) empty: &'static str,
}

const ROW: f64 = 27.0;
const BAR: f64 = 17.0;
const AXIS: f64 = 40.0;
const MOST_LABEL: f64 = 330.0;

impl Bars {
    pub(super) fn height(&self) -> f64 {
        super::HEAD + ROW * self.rows.len().max(3) as f64 + AXIS
    }

    pub(super) fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>) -> Result<(), String> {
        let top = super::HEAD;
        let bottom = self.height() - AXIS;
        super::draw_head(canvas, self.title, &self.subtitle, &self.legend)?;
        if self.rows.is_empty() {
            let middle = (WIDTH / 2.0, (top + bottom) / 2.0);
            return canvas.text(self.empty, middle, Anchor::Middle, Size::Normal, palette::FADED);
        }
        let mut label_width: f64 = 0.0;
        let mut note_width: f64 = 0.0;
        let mut labels = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let label = canvas.fitted(&row.label, MOST_LABEL, Size::Normal)?;
            label_width = label_width.max(canvas.width(&label, Size::Normal)?);
            note_width = note_width.max(canvas.width(&row.note, Size::Small)?);
            labels.push(label);
        }
        let left = PADDING + label_width + 10.0;
        let right = WIDTH - PADDING - note_width - 10.0;
        let most = self.rows.iter().map(Row::total).max().unwrap_or_default();
        let marks = ticks(most, self.unit, 5);
        let end = marks.last().copied().unwrap_or(1).max(most).max(1);
        let x_of = |value: u64| left + (right - left) * (value as f64 / end as f64);
        for mark in &marks {
            canvas.line((x_of(*mark), top), (x_of(*mark), bottom), palette::GRID)?;
            let label = self.unit.label(*mark);
            canvas.text(&label, (x_of(*mark), bottom + 14.0), Anchor::Middle, Size::Small, palette::FADED)?;
        }
        for (number, (row, label)) in self.rows.iter().zip(&labels).enumerate() {
            let middle = top + ROW * (number as f64 + 0.5);
            canvas.text(label, (left - 10.0, middle), Anchor::Right, Size::Normal, palette::INK)?;
            let mut sum = 0u64;
            let mut reached = left;
            for (value, color) in row.values.iter().filter(|(value, _)| *value > 0) {
                sum = sum.saturating_add(*value);
                let to = x_of(sum).max(reached + 1.0);
                canvas.bar((reached, middle - BAR / 2.0), (to, middle + BAR / 2.0), *color)?;
                reached = to;
            }
            canvas.text(&row.note, (reached + 8.0, middle), Anchor::Left, Size::Small, palette::INK)?;
        }
        canvas.line((left, top), (left, bottom), palette::FADED)
    }
}
