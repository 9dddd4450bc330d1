//! Atoms as they come off the wire: in two encodings, or as a place in a distribution header's list.

use std::sync::Arc;

/// Atoms have at most 255 characters of at most 4 bytes.
pub const MAX_ATOM_BYTES: usize = 255 * 4;

/// An atom that a distribution header names: known, or of a slot that was filled before the capture saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CachedAtom {
    /// Its name.
    Known(Arc<str>),
    /// Its slot in the sender's cache.
    Unknown(u16),
}

/// The name of an atom in UTF-8. Old nodes send Latin-1 there, which is told by its not being UTF-8.
pub fn utf8_atom(bytes: &[u8]) -> Arc<str> {
    std::str::from_utf8(bytes).map_or_else(|_| latin1_atom(bytes), Arc::from)
}

/// The name of an atom in Latin-1.
pub fn latin1_atom(bytes: &[u8]) -> Arc<str> {
    match std::str::from_utf8(bytes) {
        Ok(name) if name.is_ascii() => Arc::from(name),
        _ => bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}
