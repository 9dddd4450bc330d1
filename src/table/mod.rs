//! Rows in columns: what tables are made of, before a file format is chosen.
//!
//! Rows are appended inside shards and written by [`crate::report`]; this module knows neither. All columns of all
//! tables stand in [`schema`]; what becomes a row of what, in the files beside it.

pub mod columns;
pub mod rows;
pub mod schema;

pub use columns::{Column, Picked, RowWriter, Rows};
pub use schema::{ColumnKind, TableId};

use crate::secret::Masker;
use std::sync::Arc;

/// The rows of all tables that a stretch of work has produced.
#[derive(Debug, Clone)]
pub struct Tables {
    rows: Vec<Rows>,
    masker: Masker,
    captures: Arc<[String]>,
}

impl Tables {
    /// No rows yet; secrets will pass through `masker`, and captures appear by their name in `captures`.
    pub fn new(masker: Masker, captures: Arc<[String]>) -> Self {
        Self { rows: TableId::ALL.iter().map(|id| Rows::new(id.columns())).collect(), masker, captures }
    }

    /// No rows, with the same masks and names.
    pub fn fresh(&self) -> Self {
        Self::new(self.masker.clone(), Arc::clone(&self.captures))
    }

    /// Turns secrets into what may be shown, for values that hold a secret among other text.
    pub fn masker(&self) -> &Masker {
        &self.masker
    }

    /// Starts a row of a table: every column must then be given a value, in schema order.
    pub fn row(&mut self, table: TableId) -> RowWriter<'_> {
        RowWriter::new(&mut self.rows[table as usize], &self.masker, &self.captures)
    }

    /// The rows of one table.
    pub fn rows(&self, table: TableId) -> &Rows {
        &self.rows[table as usize]
    }

    /// The rows of one table, to be completed.
    pub fn rows_mut(&mut self, table: TableId) -> &mut Rows {
        &mut self.rows[table as usize]
    }

    /// Removes all rows, keeping the memory for the next ones.
    pub fn clear(&mut self) {
        self.rows.iter_mut().for_each(Rows::clear);
    }
}
