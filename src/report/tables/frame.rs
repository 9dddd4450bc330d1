//! Our rows as polars frames.

use super::text::TextColumn;
use crate::evidence::format_time;
use crate::table::schema::ColumnSpec;
use crate::table::{Column as RowColumn, ColumnKind, Picked};
use polars::prelude::{
    Column, DataFrame, DataType, Field, Int64Chunked, IntoColumn, IntoSeries, NamedFrom, PolarsResult, Schema, Series,
    TimeUnit, UInt64Chunked,
};
use polars_arrow::array::PrimitiveArray;
use polars_arrow::bitmap::BitmapBuilder;
use polars_arrow::datatypes::ArrowDataType;
use std::borrow::Cow;

/// Changes text on its way into a frame.
pub(super) type CellFilter = fn(&str) -> Cow<'_, str>;

/// How the cells of a frame shall look.
#[derive(Clone, Copy)]
pub(super) enum Style {
    /// Values as they are, times as nanoseconds.
    Typed,
    /// For a text format: times as RFC 3339, text passed through a filter.
    Written(CellFilter),
}

/// A column that grows.
enum Growing {
    Text(TextColumn),
    Number(NumberColumn),
    Flag(Vec<Option<bool>>),
    Time(Vec<i64>),
}

/// Numbers, and which of them are there: as Arrow keeps them.
#[derive(Default)]
struct NumberColumn {
    values: Vec<u64>,
    present: BitmapBuilder,
}

impl NumberColumn {
    fn push(&mut self, cell: Option<u64>) {
        self.values.push(cell.unwrap_or_default());
        self.present.push(cell.is_some());
    }

    fn finish(self, name: &str) -> UInt64Chunked {
        let validity = self.present.into_opt_validity();
        UInt64Chunked::with_chunk(name.into(), PrimitiveArray::new(ArrowDataType::UInt64, self.values.into(), validity))
    }
}

impl Growing {
    /// Cells, and bytes of text: what the next row group of the table is likely to need.
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Text(cells) => cells.size(),
            Self::Number(cells) => (cells.values.len(), 0),
            Self::Flag(cells) => (cells.len(), 0),
            Self::Time(cells) => (cells.len(), 0),
        }
    }

    /// Appends cells: a column, and the row in it. Which kind they are is asked once, not of each.
    fn extend<'a>(&mut self, cells: impl Iterator<Item = (&'a RowColumn, usize)>, style: Style) {
        match (self, style) {
            (Self::Text(text), Style::Typed) => cells.for_each(|(column, row)| text.push(column.text(row))),
            (Self::Text(text), Style::Written(filter)) => cells.for_each(|(column, row)| match column {
                RowColumn::Time(times) => text.push(times.get(row).map(|time| format_time(*time)).as_deref()),
                column => text.push(column.text(row).map(filter).as_deref()),
            }),
            (Self::Number(numbers), _) => cells.for_each(|(column, row)| match column {
                RowColumn::Number(values) => numbers.push(values.get(row).copied().flatten()),
                _ => numbers.push(None),
            }),
            (Self::Flag(flags), _) => flags.extend(cells.map(|(column, row)| match column {
                RowColumn::Flag(values) => values.get(row).copied().flatten(),
                _ => None,
            })),
            (Self::Time(times), _) => times.extend(cells.map(|(column, row)| match column {
                RowColumn::Time(values) => values.get(row).copied().unwrap_or_default(),
                _ => 0,
            })),
        }
    }

    fn reserve(&mut self, (rows, bytes): (usize, usize)) {
        match self {
            Self::Text(cells) => cells.reserve(rows, bytes),
            Self::Number(cells) => {
                cells.values.reserve(rows);
                cells.present.reserve(rows);
            }
            Self::Flag(cells) => cells.reserve(rows),
            Self::Time(cells) => cells.reserve(rows),
        }
    }
}

/// Gathers rows until a frame is taken.
pub(super) struct FrameBuilder {
    spec: &'static [ColumnSpec],
    style: Style,
    columns: Vec<Growing>,
    rows: usize,
    /// Sizes of the columns of the frame before. Room is made when the next rows come: by then that frame is gone, and
    /// its memory is used again.
    sizes: Vec<(usize, usize)>,
}

impl FrameBuilder {
    pub(super) fn new(spec: &'static [ColumnSpec], style: Style) -> Self {
        Self { spec, style, columns: Self::empty(spec, style), rows: 0, sizes: Vec::new() }
    }

    fn empty(spec: &[ColumnSpec], style: Style) -> Vec<Growing> {
        let column = |(_, kind): &ColumnSpec| match (kind, style) {
            (ColumnKind::Text, _) | (ColumnKind::Time, Style::Written(_)) => Growing::Text(TextColumn::default()),
            (ColumnKind::Number, _) => Growing::Number(NumberColumn::default()),
            (ColumnKind::Flag, _) => Growing::Flag(Vec::new()),
            (ColumnKind::Time, Style::Typed) => Growing::Time(Vec::new()),
        };
        spec.iter().map(column).collect()
    }

    /// Names and types of the frames that come out.
    pub(super) fn schema(&self) -> Schema {
        let field = |(name, kind): &ColumnSpec| {
            let data_type = match (kind, self.style) {
                (ColumnKind::Text, _) | (ColumnKind::Time, Style::Written(_)) => DataType::String,
                (ColumnKind::Number, _) => DataType::UInt64,
                (ColumnKind::Flag, _) => DataType::Boolean,
                (ColumnKind::Time, Style::Typed) => DataType::Datetime(TimeUnit::Nanoseconds, None),
            };
            Field::new((*name).into(), data_type)
        };
        self.spec.iter().map(field).collect()
    }

    /// Bytes of text gathered so far.
    pub(super) fn text_bytes(&self) -> usize {
        self.columns.iter().map(|column| column.size().1).sum()
    }

    /// Appends rows: column by column, for that is how they lie in memory.
    pub(super) fn append(&mut self, rows: Picked<'_>) {
        self.rows += rows.places.len();
        for (growing, size) in self.columns.iter_mut().zip(self.sizes.drain(..)) {
            growing.reserve(size);
        }
        for (number, growing) in self.columns.iter_mut().enumerate() {
            growing.extend(rows.cells(number), self.style);
        }
    }

    /// The rows gathered so far as a frame of one chunk, leaving none; `None` if there are none.
    pub(super) fn take(&mut self) -> PolarsResult<Option<DataFrame>> {
        let height = std::mem::take(&mut self.rows);
        if height == 0 {
            return Ok(None);
        }
        self.sizes = self.columns.iter().map(Growing::size).collect();
        let columns = std::mem::replace(&mut self.columns, Self::empty(self.spec, self.style));
        let columns = self.spec.iter().zip(columns).map(|((name, _), growing)| finish(name, growing));
        let columns = columns.collect::<PolarsResult<Vec<Column>>>()?;
        DataFrame::new(height, columns).map(Some)
    }
}

fn finish(name: &str, growing: Growing) -> PolarsResult<Column> {
    Ok(match growing {
        Growing::Text(cells) => cells.finish(name)?.into_series().into_column(),
        Growing::Number(cells) => cells.finish(name).into_series().into_column(),
        Growing::Flag(cells) => Series::new(name.into(), cells).into_column(),
        Growing::Time(cells) => {
            let times = Int64Chunked::from_vec(name.into(), cells);
            times.into_datetime(TimeUnit::Nanoseconds, None).into_series().into_column()
        }
    })
}
