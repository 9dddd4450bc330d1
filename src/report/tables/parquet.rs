//! Parquet by polars: one row group a flush, encoded on the calling thread so that polars' own pool is never woken.

use super::TableSink;
use super::frame::{FrameBuilder, Style};
use crate::report::ReportError;
use crate::table::Picked;
use crate::table::schema::ColumnSpec;
use polars::prelude::{ParquetCompression, ParquetWriter};
use polars_io::parquet::write::BatchedWriter;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

pub(super) struct ParquetSink {
    path: PathBuf,
    pending: FrameBuilder,
    writer: BatchedWriter<BufWriter<File>>,
}

impl ParquetSink {
    pub(super) fn create(path: PathBuf, spec: &'static [ColumnSpec]) -> Result<Self, ReportError> {
        let file = File::create(&path).map_err(ReportError::io("create", &path))?;
        let pending = FrameBuilder::new(spec, Style::Typed);
        // Snappy: every reader knows it, and it costs a fraction of zstd's time.
        let writer = ParquetWriter::new(BufWriter::with_capacity(1 << 20, file))
            .with_compression(ParquetCompression::Snappy)
            .set_parallel(false)
            .batched(&pending.schema())
            .map_err(|error| ReportError::Table { path: path.clone(), cause: error.to_string() })?;
        Ok(Self { path, pending, writer })
    }

    fn failed(&self, error: &polars::error::PolarsError) -> ReportError {
        ReportError::Table { path: self.path.clone(), cause: error.to_string() }
    }
}

impl TableSink for ParquetSink {
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
        self.writer.finish().map_err(|error| self.failed(&error))?;
        Ok(())
    }
}
