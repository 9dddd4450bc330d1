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
use crate::table::{Rows, TableId, Tables};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
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
    fn append(&mut self, rows: &Rows, range: Range<usize>) -> Result<(), ReportError>;
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
    rows_in_group: u64,
    text_in_group: usize,
    sinks: Vec<Box<dyn TableSink>>,
}

impl OneTable {
    fn append(&mut self, rows: &Rows, folder: &Path, formats: Formats) -> Result<(), ReportError> {
        if rows.is_empty() {
            return Ok(());
        }
        if self.sinks.is_empty() {
            self.sinks = open_sinks(self.id, folder, formats)?;
        }
        let mut start = 0;
        while start < rows.len() {
            let until_check = (CHECK_ROWS - self.rows % CHECK_ROWS) as usize;
            let end = rows.len().min(start.saturating_add(until_check));
            for sink in &mut self.sinks {
                sink.append(rows, start..end)?;
            }
            self.count(rows, start..end)?;
            start = end;
        }
        Ok(())
    }

    fn count(&mut self, rows: &Rows, range: Range<usize>) -> Result<(), ReportError> {
        self.rows += range.len() as u64;
        self.rows_in_group += range.len() as u64;
        self.text_in_group += text_bytes(rows, &range);
        let full = self.rows_in_group >= GROUP_ROWS || self.text_in_group >= GROUP_TEXT_BYTES;
        if full && self.rows.is_multiple_of(CHECK_ROWS) {
            for sink in &mut self.sinks {
                sink.flush()?;
            }
            self.rows_in_group = 0;
            self.text_in_group = 0;
        }
        Ok(())
    }
}

/// Bytes of text in some of the rows.
fn text_bytes(rows: &Rows, range: &Range<usize>) -> usize {
    let in_column = |column: &crate::table::Column| match column {
        crate::table::Column::Text { ends, .. } => {
            let end_of = |row: usize| ends.get(row).copied().unwrap_or_default();
            let first = range.start.checked_sub(1).map_or(0, end_of);
            range.end.checked_sub(1).map_or(0, end_of).saturating_sub(first)
        }
        _ => 0,
    };
    rows.columns().iter().map(in_column).sum()
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
        let table = |id: &TableId| OneTable { id: *id, rows: 0, rows_in_group: 0, text_in_group: 0, sinks: Vec::new() };
        Ok(Self { folder: folder.into(), formats, tables: TableId::ALL.iter().map(table).collect() })
    }

    /// Appends rows to a table, in the order in which they shall stand in it.
    pub fn append(&mut self, table: TableId, rows: &Rows) -> Result<(), ReportError> {
        match self.tables.get_mut(table as usize) {
            Some(one) => one.append(rows, &self.folder, self.formats),
            None => Ok(()),
        }
    }

    /// Appends the rows of all tables, the tables side by side.
    pub fn append_all(&mut self, tables: &Tables) -> Result<(), ReportError> {
        let (folder, formats) = (&self.folder, self.formats);
        self.tables.par_iter_mut().try_for_each(|one| one.append(tables.rows(one.id), folder, formats))
    }

    /// Closes the files; gives the number of rows of each table that has any.
    pub fn finish(self) -> Result<BTreeMap<String, u64>, ReportError> {
        let finish = |one: OneTable| {
            one.sinks.into_iter().try_for_each(TableSink::finish)?;
            Ok((one.id.name().to_owned(), one.rows))
        };
        let counts: Vec<(String, u64)> = self.tables.into_par_iter().map(finish).collect::<Result<_, ReportError>>()?;
        Ok(counts.into_iter().filter(|(_, rows)| *rows > 0).collect())
    }
}

#[cfg(test)]
mod tests;
