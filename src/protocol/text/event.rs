//! What a readable stream of no known protocol says.

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEvent {
    /// The line without its end, terminal escapes removed, cut at 4,096 bytes.
    pub line: String,
}
