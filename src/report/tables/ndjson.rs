//! One JSON object a row and line: keys in schema order, absent cells left out, times as RFC 3339.

use super::TableSink;
use crate::evidence::format_time;
use crate::report::ReportError;
use crate::table::schema::ColumnSpec;
use crate::table::{Column, Picked};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// Bytes gathered before the operating system is asked to write.
const BUFFER_BYTES: usize = 1 << 20;

pub(super) struct NdjsonSink {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    /// `"name":` of every column.
    keys: Vec<String>,
}

impl NdjsonSink {
    pub(super) fn create(path: PathBuf, spec: &[ColumnSpec]) -> Result<Self, ReportError> {
        let file = File::create(&path).map_err(ReportError::io("create", &path))?;
        let keys = spec.iter().map(|(name, _)| format!("\"{name}\":")).collect();
        Ok(Self { path, file, buffer: Vec::with_capacity(BUFFER_BYTES + (BUFFER_BYTES >> 2)), keys })
    }
}

impl TableSink for NdjsonSink {
    fn append(&mut self, rows: Picked<'_>) -> Result<(), ReportError> {
        for (part, row) in rows.places {
            let columns = rows.parts.get(usize::from(*part)).map_or(&[][..], |rows| rows.columns());
            write_row(&mut self.buffer, &self.keys, columns, *row as usize)
                .map_err(ReportError::io("write", &self.path))?;
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn pending_text(&self) -> usize {
        self.buffer.len()
    }

    fn flush(&mut self) -> Result<(), ReportError> {
        self.file.write_all(&self.buffer).map_err(ReportError::io("write", &self.path))?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), ReportError> {
        self.flush()
    }
}

fn write_row(out: &mut Vec<u8>, keys: &[String], columns: &[Column], row: usize) -> std::io::Result<()> {
    out.push(b'{');
    let empty = out.len();
    for (key, column) in keys.iter().zip(columns) {
        let before = out.len();
        if before > empty {
            out.push(b',');
        }
        out.extend_from_slice(key.as_bytes());
        if !write_cell(out, column, row)? {
            out.truncate(before);
        }
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// Writes a value; `false` if the cell is absent.
fn write_cell(out: &mut Vec<u8>, column: &Column, row: usize) -> std::io::Result<bool> {
    match column {
        Column::Text { .. } => match column.text(row) {
            Some(text) => serde_json::to_writer(out, text)?,
            None => return Ok(false),
        },
        Column::Number(cells) => match cells.get(row).copied().flatten() {
            Some(number) => write!(out, "{number}")?,
            None => return Ok(false),
        },
        Column::Flag(cells) => match cells.get(row).copied().flatten() {
            Some(flag) => write!(out, "{flag}")?,
            None => return Ok(false),
        },
        Column::Time(cells) => match cells.get(row) {
            Some(time) => write!(out, "\"{}\"", format_time(*time))?,
            None => return Ok(false),
        },
    }
    Ok(true)
}
