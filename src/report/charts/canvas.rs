//! A drawing surface in the units of the chart: SVG at scale 1, PNG at scale 2 so that it prints sharply.

use plotters::coord::Shift;
use plotters::element::{Polygon, Rectangle};
use plotters::prelude::{DrawingArea, DrawingBackend, IntoFont, PathElement};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, RGBColor, TextStyle, register_font};
use std::sync::OnceLock;

/// DejaVu Sans, cut down to Latin, Greek, Cyrillic and punctuation; see `fonts/README.md`.
static FONT: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");

/// Makes the embedded font known to plotters; without it no chart can be drawn, not even as SVG.
pub(super) fn register() -> Result<(), String> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let is_known = *REGISTERED.get_or_init(|| register_font("sans-serif", FontStyle::Normal, FONT).is_ok());
    if is_known { Ok(()) } else { Err("the embedded font cannot be read".to_owned()) }
}

/// Size of text.
#[derive(Clone, Copy)]
pub(super) enum Size {
    Title,
    Normal,
    Small,
}

impl Size {
    fn points(self) -> f64 {
        match self {
            Self::Title => 22.0,
            Self::Normal => 16.0,
            Self::Small => 14.5,
        }
    }
}

/// Which point of a text the coordinates mean; vertically always the middle.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

pub(super) struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    scale: f64,
}

impl<'a, DB: DrawingBackend> Canvas<'a, DB> {
    pub(super) fn new(area: &'a DrawingArea<DB, Shift>, scale: f64) -> Self {
        Self { area, scale }
    }

    fn at(&self, x: f64, y: f64) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    pub(super) fn fill(&self, color: RGBColor) -> Result<(), String> {
        self.area.fill(&color).map_err(|error| error.to_string())
    }

    /// A filled rectangle; at least one unit wide, so that nothing small is invisible.
    pub(super) fn bar(&self, from: (f64, f64), to: (f64, f64), color: RGBColor) -> Result<(), String> {
        let to = (to.0.max(from.0 + 1.0), to.1.max(from.1 + 1.0));
        let corners = [self.at(from.0, from.1), self.at(to.0, to.1)];
        self.area.draw(&Rectangle::new(corners, color.filled())).map_err(|error| error.to_string())
    }

    pub(super) fn line(&self, from: (f64, f64), to: (f64, f64), color: RGBColor) -> Result<(), String> {
        let ends = [self.at(from.0, from.1), self.at(to.0, to.1)];
        let stroke = color.stroke_width(self.scale.round() as u32);
        self.area.draw(&PathElement::new(ends, stroke)).map_err(|error| error.to_string())
    }

    pub(super) fn area(&self, points: &[(f64, f64)], color: RGBColor) -> Result<(), String> {
        let points: Vec<(i32, i32)> = points.iter().map(|(x, y)| self.at(*x, *y)).collect();
        self.area.draw(&Polygon::new(points, color.filled())).map_err(|error| error.to_string())
    }

    pub(super) fn text(
        &self,
        text: &str,
        at: (f64, f64),
        anchor: Anchor,
        size: Size,
        color: RGBColor,
    ) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        let horizontal = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let style = self.style(size).color(&color).pos(Pos::new(horizontal, VPos::Center));
        self.area.draw_text(text, &style, self.at(at.0, at.1)).map_err(|error| error.to_string())
    }

    /// Width of a text as it will be drawn.
    pub(super) fn width(&self, text: &str, size: Size) -> Result<f64, String> {
        if text.is_empty() {
            return Ok(0.0);
        }
        let (width, _) = self.area.estimate_text_size(text, &self.style(size)).map_err(|error| error.to_string())?;
        Ok(f64::from(width) / self.scale)
    }

    /// The text, cut with an ellipsis until it is no wider than `most`.
    pub(super) fn fitted(&self, text: &str, most: f64, size: Size) -> Result<String, String> {
        let mut shown = crate::report::escape::shortened(text, 120);
        while self.width(&shown, size)? > most {
            let kept = shown.chars().count().saturating_sub(2);
            if kept == 0 {
                break;
            }
            shown = crate::report::escape::shortened(&shown.chars().take(kept + 1).collect::<String>(), kept);
        }
        Ok(shown)
    }

    fn style(&self, size: Size) -> TextStyle<'static> {
        TextStyle::from(("sans-serif", size.points() * self.scale).into_font())
    }
}
