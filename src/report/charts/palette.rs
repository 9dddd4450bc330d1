//! Colours that stay apart for colour-blind readers: severities go from cool to warm and from light to dark at once.

use crate::detect::Severity;
use plotters::style::RGBColor;

/// Titles and values.
pub(super) const INK: RGBColor = RGBColor(0x1f, 0x29, 0x33);
/// Subtitles, axis labels.
pub(super) const FADED: RGBColor = RGBColor(0x5b, 0x68, 0x76);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(0xe4, 0xe8, 0xed);
/// Background.
pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// Traffic behind findings.
pub(super) const TRAFFIC: RGBColor = RGBColor(0xcf, 0xdb, 0xe8);
/// Bars of one series, and what was sent.
pub(super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
/// What was received.
pub(super) const ORANGE: RGBColor = RGBColor(0xe6, 0x9f, 0x00);

/// Colour of a severity.
pub(super) fn severity(severity: Severity) -> RGBColor {
    match severity {
        Severity::Critical => RGBColor(0x8e, 0x12, 0x38),
        Severity::High => RGBColor(0xd9, 0x4f, 0x1e),
        Severity::Medium => RGBColor(0xf0, 0xad, 0x3c),
        Severity::Low => RGBColor(0x5a, 0xa3, 0xd6),
        Severity::Info => RGBColor(0xa9, 0xb4, 0xc0),
    }
}
