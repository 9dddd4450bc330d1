//! Rows in, table files out: `tables/NAME.parquet`, `.csv`, `.ndjson`, only for tables that have rows.
//!
//! Rows are written as they come, so memory does not grow with the case. Where one Parquet row group ends and the next
//! begins depends only on the rows themselves, never on how they were handed over: the same rows give the same bytes.
//! polars is named in this folder only, and only behind the feature `tables`.

#[cfg(feature = "tables")]
mod csv;
#[cfg(feature = "tables")]
mod frame;
mod ndjson;
#[cfg(feature = "tables")]
mod parquet;
#[cfg(feature = "tables")]
mod text;

use super::ReportError;
use crate::table::{Picked, Rows, TableId};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Which formats tables are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Formats {
    /// Apache Parquet, Snappy compressed, times in nanoseconds.
    pub parquet: bool,
    /// CSV with a header line; cells that a spreadsheet would run as formulas are made text.
    pub csv: bool,
    /// One JSON object a line, absent cells left out.
    pub ndjson: bool,
}

impl Formats {
    /// What is written unless asked otherwise: Parquet, or NDJSON in a build without it.
    pub fn standard() -> Self {
        let parquet = cfg!(feature = "tables");
        Self { parquet, csv: false, ndjson: !parquet }
    }

    /// Endings of the files written, in a fixed order.
    pub fn endings(self) -> Vec<&'static str> {
        let all = [(self.parquet, "parquet"), (self.csv, "csv"), (self.ndjson, "ndjson")];
        all.into_iter().filter_map(|(wanted, ending)| wanted.then_some(ending)).collect()
    }
}

impl FromStr for Formats {
    type Err = ReportError;

    /// From the value of `--tables`: names joined by commas.
    fn from_str(list: &str) -> Result<Self, ReportError> {
        let mut formats = Self::default();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "parquet" => formats.parquet = true,
                "csv" => formats.csv = true,
                "ndjson" => formats.ndjson = true,
                other => return Err(ReportError::UnknownFormat(other.to_owned())),
            }
        }
        Ok(formats)
    }
}

/// One file being written.
trait TableSink: Send {
    /// The next rows, in order.
    fn append(&mut self, rows: Picked<'_>) -> Result<(), ReportError>;
    /// Bytes of text that wait for [`Self::flush`].
    fn pending_text(&self) -> usize;
    /// Puts what is buffered into the file.
    fn flush(&mut self) -> Result<(), ReportError>;
    /// Writes what is left and closes the file.
    fn finish(self: Box<Self>) -> Result<(), ReportError>;
}

/// Rows after which a row group ends: what common readers take as one unit of parallel work.
const GROUP_ROWS: u64 = 16_384;
/// Bytes of text after which a row group ends early, so that long bodies do not pile up in memory.
const GROUP_TEXT_BYTES: usize = 16 << 20;
/// Bytes are looked at once in so many rows, counted from the first row of the table.
const CHECK_ROWS: u64 = 1024;

/// A table and its files, opened with its first row.
struct OneTable {
    id: TableId,
    rows: u64,
    sinks: Vec<OneFile>,
}

/// One file of a table.
struct OneFile {
    sink: Box<dyn TableSink>,
    rows_in_group: u64,
}

impl OneTable {
    fn append(&mut self, rows: Picked<'_>, folder: &Path, formats: Formats) -> Result<(), ReportError> {
        if rows.places.is_empty() {
            return Ok(());
        }
        if self.sinks.is_empty() {
            let sinks = open_sinks(self.id, folder, formats)?;
            self.sinks = sinks.into_iter().map(|sink| OneFile { sink, rows_in_group: 0 }).collect();
        }
        let mut start = 0;
        while start < rows.places.len() {
            let until_check = (CHECK_ROWS - self.rows % CHECK_ROWS) as usize;
            let end = rows.places.len().min(start.saturating_add(until_check));
            self.rows += (end - start) as u64;
            let at_check = self.rows.is_multiple_of(CHECK_ROWS);
            for file in &mut self.sinks {
                file.append(rows.some(start..end), at_check)?;
            }
            start = end;
        }
        Ok(())
    }
}

impl OneFile {
    fn append(&mut self, rows: Picked<'_>, at_check: bool) -> Result<(), ReportError> {
        self.rows_in_group += rows.places.len() as u64;
        self.sink.append(rows)?;
        let is_full = self.rows_in_group >= GROUP_ROWS || self.sink.pending_text() >= GROUP_TEXT_BYTES;
        if is_full && at_check {
            self.sink.flush()?;
            self.rows_in_group = 0;
        }
        Ok(())
    }
}

fn open_sinks(id: TableId, folder: &Path, formats: Formats) -> Result<Vec<Box<dyn TableSink>>, ReportError> {
    let mut sinks: Vec<Box<dyn TableSink>> = Vec::new();
    let path = |ending: &str| folder.join(format!("{}.{ending}", id.name()));
    #[cfg(feature = "tables")]
    {
        if formats.parquet {
            sinks.push(Box::new(parquet::ParquetSink::create(path("parquet"), id.columns())?));
        }
        if formats.csv {
            sinks.push(Box::new(csv::CsvSink::create(path("csv"), id.columns())?));
        }
    }
    if formats.ndjson {
        sinks.push(Box::new(ndjson::NdjsonSink::create(path("ndjson"), id.columns())?));
    }
    Ok(sinks)
}

/// Writes the tables of a case. May be used from inside a rayon job.
pub struct TableWriter {
    folder: PathBuf,
    formats: Formats,
    tables: Vec<OneTable>,
}

impl TableWriter {
    /// Tables will go into `folder` (usually [`super::CaseFolder::tables`]), which must exist.
    pub fn new(folder: impl Into<PathBuf>, formats: Formats) -> Result<Self, ReportError> {
        if cfg!(not(feature = "tables")) {
            if formats.parquet {
                return Err(ReportError::FormatNotBuilt("Parquet"));
            }
            if formats.csv {
                return Err(ReportError::FormatNotBuilt("CSV"));
            }
        }
        let table = |id: &TableId| OneTable { id: *id, rows: 0, sinks: Vec::new() };
        Ok(Self { folder: folder.into(), formats, tables: TableId::ALL.iter().map(table).collect() })
    }

    /// Appends rows to a table, in the order in which they shall stand in it.
    pub fn append(&mut self, table: TableId, rows: &Rows) -> Result<(), ReportError> {
        let places: Vec<(u16, u32)> = (0..rows.len()).map(|row| (0, row as u32)).collect();
        self.append_picked(table, Picked { parts: &[rows], places: &places })
    }

    /// Appends rows of several parts.
    pub fn append_picked(&mut self, table: TableId, rows: Picked<'_>) -> Result<(), ReportError> {
        match self.tables.get_mut(table as usize) {
            Some(one) => one.append(rows, &self.folder, self.formats),
            None => Ok(()),
        }
    }

    /// Closes the files; gives the number of rows of each table that has any.
    pub fn finish(self) -> Result<BTreeMap<String, u64>, ReportError> {
        let finish = |one: OneTable| {
            one.sinks.into_iter().try_for_each(|file| file.sink.finish())?;
            Ok((one.id.name().to_owned(), one.rows))
        };
        let counts: Vec<(String, u64)> = self.tables.into_par_iter().map(finish).collect::<Result<_, ReportError>>()?;
        Ok(counts.into_iter().filter(|(_, rows)| *rows > 0).collect())
    }
}

#[cfg(test)]
mod tests;
