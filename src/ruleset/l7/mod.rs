//! Patterns of l7-filter (`.pat` files): a name and one regular expression over the start of a connection.

use super::error::Place;
use std::sync::Arc;

/// A pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// Name, as `--l7proto` gives it.
    pub name: Arc<str>,
    /// The regular expression as written, for people.
    pub source: String,
    /// The regular expression, compiled as the kernel module's Henry Spencer engine understands it: case folded, `.` is
    /// any byte, no NUL in the data.
    pub regex: regex::bytes::Regex,
    /// Where it stands.
    pub place: Place,
}
