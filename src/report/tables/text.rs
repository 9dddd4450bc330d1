//! Text columns as Arrow string views: the bytes are taken over in one piece, and a cell is a view into them.

use polars::prelude::{PolarsResult, StringChunked, polars_bail};
use polars_arrow::array::{BinaryViewArray, View};
use polars_arrow::bitmap::BitmapBuilder;
use polars_arrow::datatypes::ArrowDataType;

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
        let (start, text) = (self.bytes.len(), cell.unwrap_or_default().as_bytes());
        // A short text stands in its view.
        if text.len() > View::MAX_INLINE_SIZE as usize {
            self.bytes.extend_from_slice(text);
        }
        let view = match (u32::try_from(start), u32::try_from(text.len())) {
            (Ok(start), Ok(_)) => View::new_from_bytes(text, 0, start),
            _ => {
                self.too_long = true;
                View::default()
            }
        };
        self.views.push(view);
        self.present.push(cell.is_some());
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
