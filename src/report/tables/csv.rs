//! CSV by polars, safe to open in a spreadsheet.

use super::TableSink;
use super::frame::{FrameBuilder, Style};
use crate::report::ReportError;
use crate::table::Picked;
use crate::table::schema::ColumnSpec;
use polars::prelude::{CsvWriter, SerWriter};
use polars_io::csv::write::BatchedWriter;
use std::borrow::Cow;
use std::fs::File;
use std::path::PathBuf;

/// Text that a spreadsheet would run as a formula gets a leading apostrophe, which makes it text.
pub(super) fn neutralise(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}").into() } else { cell.into() }
}

pub(super) struct CsvSink {
    path: PathBuf,
    pending: FrameBuilder,
    writer: BatchedWriter<File>,
}

impl CsvSink {
    pub(super) fn create(path: PathBuf, spec: &'static [ColumnSpec]) -> Result<Self, ReportError> {
        let file = File::create(&path).map_err(ReportError::io("create", &path))?;
        let pending = FrameBuilder::new(spec, Style::Written(neutralise));
        let writer = CsvWriter::new(file)
            .n_threads(1)
            .batched(&pending.schema())
            .map_err(|error| ReportError::Table { path: path.clone(), cause: error.to_string() })?;
        Ok(Self { path, pending, writer })
    }

    fn failed(&self, error: &polars::error::PolarsError) -> ReportError {
        ReportError::Table { path: self.path.clone(), cause: error.to_string() }
    }
}

impl TableSink for CsvSink {
    fn append(&mut self, rows: Picked<'_>) -> Result<(), ReportError> {
        self.pending.append(rows);
        Ok(())
    }

    fn pending_text(&self) -> usize {
        self.pending.text_bytes()
    }

    fn flush(&mut self) -> Result<(), ReportError> {
        let frame = self.pending.take().map_err(|error| self.failed(&error))?;
        match frame {
            Some(frame) => self.writer.write_batch(&frame).map_err(|error| self.failed(&error)),
            None => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<(), ReportError> {
        self.flush()?;
        self.writer.finish().map_err(|error| self.failed(&error))
    }
}
