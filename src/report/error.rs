//! What can stop a report from being written.

use std::path::{Path, PathBuf};

/// Why a case folder, or something in it, could not be written or read back.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder holds what an earlier run of this program did not write.
    #[error("{} holds something else ({}): choose another folder with -o, or --force to write into it", .folder.display(), .entry.display())]
    Occupied {
        /// The folder asked for.
        folder: PathBuf,
        /// The first thing in it, by name, that is not of a case folder.
        entry: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {cause}", .path.display())]
    Io {
        /// `create`, `write`, `remove`, `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// A table could not be put into its format.
    #[error("cannot write the table {}: {cause}", .path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What the format's writer said.
        cause: String,
    },
    /// A chart could not be drawn.
    #[error("cannot draw the chart {}: {cause}", .path.display())]
    Chart {
        /// The file.
        path: PathBuf,
        /// What the drawing library said.
        cause: String,
    },
    /// A file of a case is not what this program writes.
    #[error("{} is not of a case folder: {cause}", .path.display())]
    NotACase {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with its line.
        cause: String,
    },
    /// `--tables` names a format that does not exist.
    #[error("unknown table format `{0}`: choose from parquet, csv, ndjson")]
    UnknownFormat(String),
    /// Parquet or CSV asked of a build without polars.
    #[error("{0} tables are not in this build (feature `tables`): use --tables ndjson")]
    FormatNotBuilt(&'static str),
}

impl ReportError {
    /// For `map_err`: what was being done to which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io { action, path, cause }
    }
}
