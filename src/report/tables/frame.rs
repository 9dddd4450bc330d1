//! Our rows as polars frames.

use super::text::TextColumn;
use crate::evidence::format_time;
use crate::table::schema::ColumnSpec;
use crate::table::{Column as RowColumn, ColumnKind, Rows};
use polars::prelude::{
    Column, DataFrame, DataType, Field, Int64Chunked, IntoColumn, IntoSeries, NamedFrom, PolarsResult, Schema, Series,
    TimeUnit, UInt64Chunked,
};
use polars_arrow::array::PrimitiveArray;
use polars_arrow::bitmap::BitmapBuilder;
use polars_arrow::datatypes::ArrowDataType;
use std::borrow::Cow;
use std::ops::Range;

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
    fn append(&mut self, cells: &[Option<u64>]) {
        self.values.extend(cells.iter().map(|cell| cell.unwrap_or_default()));
        if cells.iter().all(Option::is_some) {
            self.present.extend_constant(cells.len(), true);
        } else {
            cells.iter().for_each(|cell| self.present.push(cell.is_some()));
        }
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

    /// Appends some of the rows.
    pub(super) fn append(&mut self, rows: &Rows, range: Range<usize>) {
        self.rows += range.len();
        for (growing, size) in self.columns.iter_mut().zip(self.sizes.drain(..)) {
            growing.reserve(size);
        }
        for (growing, column) in self.columns.iter_mut().zip(rows.columns()) {
            match (growing, column) {
                (Growing::Text(cells), RowColumn::Text { bytes, ends, present }) => match self.style {
                    Style::Typed => cells.append(bytes, ends, present, range.clone()),
                    Style::Written(filter) => append_written(cells, bytes, ends, present, range.clone(), filter),
                },
                (Growing::Text(cells), RowColumn::Time(times)) => {
                    for time in times.get(range.clone()).unwrap_or_default() {
                        cells.push(Some(&format_time(*time)));
                    }
                }
                (Growing::Number(cells), RowColumn::Number(values)) => {
                    cells.append(values.get(range.clone()).unwrap_or_default());
                }
                (Growing::Flag(cells), RowColumn::Flag(values)) => {
                    cells.extend_from_slice(values.get(range.clone()).unwrap_or_default());
                }
                (Growing::Time(cells), RowColumn::Time(values)) => {
                    cells.extend_from_slice(values.get(range.clone()).unwrap_or_default());
                }
                _ => debug_assert!(false, "columns of different kinds"),
            }
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

fn append_written(
    cells: &mut TextColumn,
    bytes: &str,
    ends: &[usize],
    present: &[bool],
    range: Range<usize>,
    filter: CellFilter,
) {
    let mut start = range.start.checked_sub(1).and_then(|row| ends.get(row)).copied().unwrap_or_default();
    let ends = ends.get(range.clone()).unwrap_or_default();
    let present = present.get(range).unwrap_or_default();
    for (end, is_present) in ends.iter().zip(present) {
        let text = bytes.get(start..*end).filter(|_| *is_present);
        cells.push(text.map(filter).as_deref());
        start = *end;
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
