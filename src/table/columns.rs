//! Columns that grow by rows, cheaply: text is kept back to back, one allocation a column and not one a cell.

use super::schema::{ColumnKind, ColumnSpec};
use crate::evidence::CaptureId;
use crate::secret::Masker;
use std::net::SocketAddr;

/// The values of one column.
#[derive(Debug, Clone)]
pub enum Column {
    /// Text: cell `i` is `bytes[ends[i-1]..ends[i]]`; absent cells are empty and `false` in `present`.
    Text {
        /// All cells, back to back.
        bytes: String,
        /// Where each cell ends.
        ends: Vec<usize>,
        /// Whether the cell has a value.
        present: Vec<bool>,
    },
    /// Numbers.
    Number(Vec<Option<u64>>),
    /// Flags.
    Flag(Vec<Option<bool>>),
    /// Times in nanoseconds since 1970.
    Time(Vec<i64>),
}

impl Column {
    fn new(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Text => Self::Text { bytes: String::new(), ends: Vec::new(), present: Vec::new() },
            ColumnKind::Number => Self::Number(Vec::new()),
            ColumnKind::Flag => Self::Flag(Vec::new()),
            ColumnKind::Time => Self::Time(Vec::new()),
        }
    }

    /// The text cell of a row; `None` where absent or not a text column.
    pub fn text(&self, row: usize) -> Option<&str> {
        let Self::Text { bytes, ends, present } = self else { return None };
        if !*present.get(row)? {
            return None;
        }
        let start = if row == 0 { 0 } else { *ends.get(row - 1)? };
        bytes.get(start..*ends.get(row)?)
    }

    /// Removes all cells, keeping memory for as many and as many again: a shard may be busy now, and idle from then on.
    fn clear(&mut self) {
        match self {
            Self::Text { bytes, ends, present } => {
                let text = bytes.len();
                bytes.clear();
                bytes.shrink_to(2 * text);
                empty(ends);
                empty(present);
            }
            Self::Number(cells) => empty(cells),
            Self::Flag(cells) => empty(cells),
            Self::Time(cells) => empty(cells),
        }
    }
}

fn empty<T>(cells: &mut Vec<T>) {
    let len = cells.len();
    cells.clear();
    cells.shrink_to(2 * len);
}

/// Rows of one table, by column.
#[derive(Debug, Clone)]
pub struct Rows {
    spec: &'static [ColumnSpec],
    columns: Vec<Column>,
    len: usize,
}

impl Rows {
    /// No rows of a table with these columns.
    pub fn new(spec: &'static [ColumnSpec]) -> Self {
        Self { spec, columns: spec.iter().map(|(_, kind)| Column::new(*kind)).collect(), len: 0 }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Names and kinds.
    pub fn spec(&self) -> &'static [ColumnSpec] {
        self.spec
    }

    /// The columns, in the order of the spec.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Time of a row: the first column of every table.
    pub fn time_ns(&self, row: usize) -> i64 {
        match self.columns.first() {
            Some(Column::Time(times)) => times.get(row).copied().unwrap_or_default(),
            _ => 0,
        }
    }

    /// Removes all rows, keeping the memory for the next ones.
    pub fn clear(&mut self) {
        self.columns.iter_mut().for_each(Column::clear);
        self.len = 0;
    }

    /// Replaces the cells of a text column, one a row; what is no text column stays as it is.
    pub fn set_text<'a>(&mut self, column: usize, cells: impl Iterator<Item = Option<&'a str>>) {
        if let Some(Column::Text { bytes, ends, present }) = self.columns.get_mut(column) {
            bytes.clear();
            ends.clear();
            present.clear();
            for cell in cells.take(self.len) {
                bytes.push_str(cell.unwrap_or_default());
                ends.push(bytes.len());
                present.push(cell.is_some());
            }
        }
    }

    /// Bytes of text held, for deciding when to write.
    pub fn text_bytes(&self) -> usize {
        let text = |column: &Column| if let Column::Text { bytes, .. } = column { bytes.len() } else { 0 };
        self.columns.iter().map(text).sum()
    }
}

/// Rows of several parts with the same columns, in an order of their own: what is written without being put together
/// first.
#[derive(Debug, Clone, Copy)]
pub struct Picked<'a> {
    /// The parts.
    pub parts: &'a [&'a Rows],
    /// Part and row of each row.
    pub places: &'a [(u16, u32)],
}

impl<'a> Picked<'a> {
    /// Some of the rows; none if `range` reaches beyond.
    pub fn some(&self, range: std::ops::Range<usize>) -> Self {
        Self { parts: self.parts, places: self.places.get(range).unwrap_or_default() }
    }

    /// The cells of a column: the part's column, and the row in it.
    pub fn cells(&self, column: usize) -> impl Iterator<Item = (&'a Column, usize)> {
        let columns: Vec<&Column> = self.parts.iter().filter_map(|rows| rows.columns.get(column)).collect();
        self.places.iter().filter_map(move |(part, row)| Some((*columns.get(usize::from(*part))?, *row as usize)))
    }
}

/// Writes one row: call a method a column, in schema order. A row that is given too few values is filled with nulls
/// when the writer is dropped, and what is too much or of the wrong kind is an error in the program that debug builds
/// stop at.
pub struct RowWriter<'a> {
    rows: &'a mut Rows,
    masker: &'a Masker,
    captures: &'a [String],
    next: usize,
}

impl<'a> RowWriter<'a> {
    pub(super) fn new(rows: &'a mut Rows, masker: &'a Masker, captures: &'a [String]) -> Self {
        Self { rows, masker, captures, next: 0 }
    }

    fn column(&mut self) -> Option<&mut Column> {
        let column = self.rows.columns.get_mut(self.next);
        debug_assert!(column.is_some(), "more values than columns");
        self.next += 1;
        column
    }

    /// A text value, or none.
    pub fn text(&mut self, value: Option<&str>) -> &mut Self {
        match self.column() {
            Some(Column::Text { bytes, ends, present }) => {
                bytes.push_str(value.unwrap_or_default());
                ends.push(bytes.len());
                present.push(value.is_some());
            }
            _ => debug_assert!(false, "column {} takes no text", self.next - 1),
        }
        self
    }

    /// A text value that is there.
    pub fn str(&mut self, value: &str) -> &mut Self {
        self.text(Some(value))
    }

    /// A text value by its `Display`, without an allocation of its own.
    pub fn display(&mut self, value: impl std::fmt::Display) -> &mut Self {
        use std::fmt::Write;
        match self.column() {
            Some(Column::Text { bytes, ends, present }) => {
                // Writing to a String cannot fail.
                let _ = write!(bytes, "{value}");
                ends.push(bytes.len());
                present.push(true);
            }
            _ => debug_assert!(false, "column {} takes no text", self.next - 1),
        }
        self
    }

    /// An address with its port: most rows hold two, so it is written without the machinery of `Display`.
    pub fn address(&mut self, value: SocketAddr) -> &mut Self {
        let SocketAddr::V4(value) = value else { return self.display(value) };
        match self.column() {
            Some(Column::Text { bytes, ends, present }) => {
                let mut text = Decimals::default();
                for (octet, behind) in value.ip().octets().into_iter().zip(*b"...:") {
                    text.push(u16::from(octet));
                    text.push_byte(behind);
                }
                text.push(value.port());
                bytes.push_str(text.as_str());
                ends.push(bytes.len());
                present.push(true);
            }
            _ => debug_assert!(false, "column {} takes no text", self.next - 1),
        }
        self
    }

    /// A secret: masked unless the run reveals secrets.
    pub fn secret(&mut self, value: Option<&str>) -> &mut Self {
        let masker = self.masker;
        match value {
            Some(secret) if masker.reveals() => self.text(Some(secret)),
            Some(secret) => self.display(masker.masked(secret)),
            None => self.text(None),
        }
    }

    /// The name of a capture.
    pub fn capture(&mut self, id: CaptureId) -> &mut Self {
        let captures = self.captures;
        self.text(captures.get(id.0 as usize).map(String::as_str))
    }

    /// A number, or none.
    pub fn number(&mut self, value: impl Into<Option<u64>>) -> &mut Self {
        match self.column() {
            Some(Column::Number(cells)) => cells.push(value.into()),
            _ => debug_assert!(false, "column {} takes no number", self.next - 1),
        }
        self
    }

    /// A flag, or none.
    pub fn flag(&mut self, value: impl Into<Option<bool>>) -> &mut Self {
        match self.column() {
            Some(Column::Flag(cells)) => cells.push(value.into()),
            _ => debug_assert!(false, "column {} takes no flag", self.next - 1),
        }
        self
    }

    /// A time in nanoseconds since 1970.
    pub fn time(&mut self, value: i64) -> &mut Self {
        match self.column() {
            Some(Column::Time(cells)) => cells.push(value),
            _ => debug_assert!(false, "column {} takes no time", self.next - 1),
        }
        self
    }
}

/// Room for an IPv4 address and a port.
#[derive(Default)]
struct Decimals {
    text: [u8; 21],
    len: usize,
}

impl Decimals {
    fn push(&mut self, number: u16) {
        for place in [10_000, 1_000, 100, 10] {
            if number >= place {
                self.push_byte(b'0' + (number / place % 10) as u8);
            }
        }
        self.push_byte(b'0' + (number % 10) as u8);
    }

    fn push_byte(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn as_str(&self) -> &str {
        self.text.get(..self.len).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl Drop for RowWriter<'_> {
    fn drop(&mut self) {
        debug_assert!(
            self.next == self.rows.columns.len() || std::thread::panicking(),
            "{} values for {} columns",
            self.next,
            self.rows.columns.len()
        );
        for column in self.rows.columns.iter_mut().skip(self.next) {
            match column {
                Column::Text { bytes, ends, present } => {
                    ends.push(bytes.len());
                    present.push(false);
                }
                Column::Number(cells) => cells.push(None),
                Column::Flag(cells) => cells.push(None),
                Column::Time(cells) => cells.push(0),
            }
        }
        self.rows.len += 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_as_display_does() {
        for number in 0..=u16::MAX {
            let mut text = Decimals::default();
            text.push(number);
            assert_eq!(text.as_str(), number.to_string());
        }
    }
}
