//! Text columns as Arrow string views: the bytes are taken over in one piece, and a cell is a view into them.

use polars::prelude::{PolarsResult, StringChunked, polars_bail};
use polars_arrow::array::{BinaryViewArray, View};
use polars_arrow::bitmap::BitmapBuilder;
use polars_arrow::datatypes::ArrowDataType;
use std::ops::Range;

/// A text column that grows.
#[derive(Default)]
pub(super) struct TextColumn {
    bytes: Vec<u8>,
    views: Vec<View>,
    present: BitmapBuilder,
    /// A view counts bytes in 32 bits; row groups end long before, so this is set only by a cell of gigabytes.
    too_long: bool,
}

impl TextColumn {
    /// Cells, and bytes of them.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.views.len(), self.bytes.len())
    }

    /// Makes room for as much, and a little more.
    pub(super) fn reserve(&mut self, rows: usize, bytes: usize) {
        self.bytes.reserve(bytes + bytes / 16);
        self.views.reserve(rows);
        self.present.reserve(rows);
    }

    /// Appends one cell.
    pub(super) fn push(&mut self, cell: Option<&str>) {
        let start = self.bytes.len();
        let text = cell.unwrap_or_default().as_bytes();
        self.bytes.extend_from_slice(text);
        self.push_view(text, start, cell.is_some());
    }

    /// Appends some of the cells that lie back to back in `bytes`, each up to its end in `ends`.
    pub(super) fn append(&mut self, bytes: &str, ends: &[usize], present: &[bool], range: Range<usize>) {
        let end_of = |row: usize| ends.get(row).copied().unwrap_or_default();
        let first = range.start.checked_sub(1).map_or(0, end_of);
        let last = range.end.checked_sub(1).map_or(0, end_of);
        let base = self.bytes.len();
        let taken = bytes.as_bytes().get(first..last).unwrap_or_default();
        self.bytes.extend_from_slice(taken);
        self.views.reserve(range.len());
        self.present.reserve(range.len());
        let mut start = 0;
        let cells = ends.get(range.clone()).unwrap_or_default().iter().zip(present.get(range).unwrap_or_default());
        for (end, is_present) in cells {
            let end = end.saturating_sub(first);
            self.push_view(taken.get(start..end).unwrap_or_default(), base + start, *is_present);
            start = end;
        }
    }

    fn push_view(&mut self, text: &[u8], start: usize, is_present: bool) {
        let view = match (u32::try_from(start), u32::try_from(text.len())) {
            (Ok(start), Ok(_)) => View::new_from_bytes(text, 0, start),
            _ => {
                self.too_long = true;
                View::default()
            }
        };
        self.views.push(view);
        self.present.push(is_present);
    }

    /// The column. That every view is UTF-8 within the bytes is checked once more.
    pub(super) fn finish(self, name: &str) -> PolarsResult<StringChunked> {
        if self.too_long {
            polars_bail!(ComputeError: "more than 4 GiB of text in {} rows of column {name}", self.views.len());
        }
        let buffers = [self.bytes].into_iter().map(Into::into).collect();
        let validity = self.present.into_opt_validity();
        let array = BinaryViewArray::try_new(ArrowDataType::BinaryView, self.views.into(), buffers, validity)?;
        // By way of bytes, for then ASCII is checked in one sweep and not cell by cell.
        Ok(StringChunked::with_chunk(name.into(), array.to_utf8view()?))
    }
}
