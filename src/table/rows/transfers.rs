//! Rows of files moved: they are known only after the legs of a transfer were joined, so they come from findings. A file
//! whose bytes go a way that is not read has a row too, without size and hash.

use crate::detect::{Evidence, Finding, Kind};
use crate::table::{TableId, Tables};

/// Appends a finding that stands for a file; any other is left alone.
pub fn append(tables: &mut Tables, finding: &Finding) {
    let evidence = |key: &str| finding.evidence.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
    let is_unread = finding.kind == Kind::TransferPeerToPeer && evidence("sha256").is_none();
    if finding.kind != Kind::TransferFile && !is_unread {
        return;
    }
    let text = |key| match evidence(key) {
        Some(Evidence::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let number = |key| match evidence(key) {
        Some(Evidence::Number(number)) => Some(*number),
        _ => None,
    };
    let flag = |key| match evidence(key) {
        Some(Evidence::Flag(flag)) => Some(*flag),
        _ => None,
    };
    tables
        .row(TableId::Transfers)
        .time(finding.time_ns)
        .capture(finding.capture)
        .number(finding.frames.first().copied())
        .number(finding.frames.last().copied())
        .text(finding.flow.as_deref())
        .text(text("method"))
        .text(text("name"))
        .number(number("size"))
        .number(number("offered_size"))
        .text(text("sha256"))
        .text(text("from"))
        .text(text("to"))
        .flag(flag("complete"))
        .flag(flag("relay"))
        .text(text("saved_as"))
        .text(text("media_type"))
        .text(text("safe_name"))
        .text(text("start"))
        .text(text("end"))
        .number(number("rate"))
        .text(finding.src.as_deref())
        .text(finding.dst.as_deref());
}
