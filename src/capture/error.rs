//! What stops a run before it starts. Defects inside captures do not: those are [`Damage`](super::Damage).

use std::io;
use std::path::PathBuf;

/// The inputs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// A file or folder was named that is not there.
    #[error("{}: no such file or folder", path.display())]
    Missing {
        /// As named.
        path: PathBuf,
    },
    /// A pattern fits no file.
    #[error("{pattern}: no file fits this pattern")]
    NoMatch {
        /// As given.
        pattern: String,
    },
    /// A pattern is not well-formed.
    #[error("{pattern}: {reason}")]
    BadPattern {
        /// As given.
        pattern: String,
        /// What the pattern parser says.
        reason: String,
    },
    /// A folder cannot be listed.
    #[error("{}: {source}", path.display())]
    Folder {
        /// As named, or found below it.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A pipe must be read twice, and there is no room to keep it.
    #[error("{}: cannot be kept to be read twice: {source} (TMPDIR says where it would lie)", if path.as_os_str() == "-" { "standard input".into() } else { path.display().to_string() })]
    Spool {
        /// As named.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No input holds a capture.
    #[error("nothing to read: {reason}")]
    NothingReadable {
        /// The first inputs, and what is wrong with each.
        reason: String,
    },
}
