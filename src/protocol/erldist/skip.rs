//! Walking over a term without building it: no allocation, no recursion, one pass.

use super::external::TermError;
use super::tag;

/// What follows the first term of `bytes`.
pub fn skip_term(bytes: &[u8]) -> Result<&[u8], TermError> {
    let mut rest = bytes;
    // Terms still to be walked over. Each costs at least a byte, so the walk ends with the bytes.
    let mut open: u64 = 1;
    while let Some(left) = open.checked_sub(1) {
        let (tag, after) = rest.split_first().ok_or(TermError::Short)?;
        let (fixed, children) = shape(*tag, after)?;
        rest = after.get(fixed..).ok_or(TermError::Short)?;
        open = left.saturating_add(children);
        if open == 0 {
            break;
        }
    }
    Ok(rest)
}

/// Bytes that belong to the tag itself, and terms that follow as its parts.
fn shape(tag: u8, after: &[u8]) -> Result<(usize, u64), TermError> {
    let byte = || after.first().map(|byte| usize::from(*byte)).ok_or(TermError::Short);
    let two = || after.first_chunk().map(|two| usize::from(u16::from_be_bytes(*two))).ok_or(TermError::Short);
    let four = || after.first_chunk().map(|four| u32::from_be_bytes(*four) as usize).ok_or(TermError::Short);
    Ok(match tag {
        tag::SMALL_INTEGER_EXT | tag::ATOM_CACHE_REF => (1, 0),
        tag::INTEGER_EXT => (4, 0),
        tag::FLOAT_EXT => (31, 0),
        tag::NEW_FLOAT_EXT => (8, 0),
        tag::ATOM_EXT | tag::ATOM_UTF8_EXT | tag::STRING_EXT => (2 + two()?, 0),
        tag::SMALL_ATOM_EXT | tag::SMALL_ATOM_UTF8_EXT => (1 + byte()?, 0),
        tag::NIL_EXT => (0, 0),
        tag::LIST_EXT => (4, four()? as u64 + 1),
        tag::BINARY_EXT => (four()?.saturating_add(4), 0),
        tag::BIT_BINARY_EXT => (four()?.saturating_add(5), 0),
        tag::SMALL_BIG_EXT => (2 + byte()?, 0),
        tag::LARGE_BIG_EXT => (four()?.saturating_add(5), 0),
        tag::SMALL_TUPLE_EXT => (1, byte()? as u64),
        tag::LARGE_TUPLE_EXT => (4, four()? as u64),
        tag::MAP_EXT => (4, four()? as u64 * 2),
        // Identifiers: the node follows as a term, then numbers, which `shape` cannot put after it. Their node is an
        // atom of a length that can be told here.
        tag::PID_EXT => (node(after)? + 9, 0),
        tag::NEW_PID_EXT | tag::V4_PORT_EXT => (node(after)? + 12, 0),
        tag::PORT_EXT | tag::REFERENCE_EXT => (node(after)? + 5, 0),
        tag::NEW_PORT_EXT => (node(after)? + 8, 0),
        tag::NEW_REFERENCE_EXT | tag::NEWER_REFERENCE_EXT => {
            let creation = if tag == tag::NEWER_REFERENCE_EXT { 4 } else { 1 };
            (2 + node(after.get(2..).unwrap_or_default())? + creation + 4 * two()?, 0)
        }
        tag::EXPORT_EXT => (0, 3),
        // The size counts itself.
        tag::NEW_FUN_EXT => (four()?.max(4), 0),
        tag::FUN_EXT => (4, four()? as u64 + 4),
        tag::LOCAL_EXT => (after.len(), 0),
        other => return Err(TermError::Tag(other)),
    })
}

/// Length of the atom at the start of `bytes`, tag and all.
fn node(bytes: &[u8]) -> Result<usize, TermError> {
    match bytes.first() {
        Some(
            atom @ (&tag::ATOM_EXT
            | &tag::SMALL_ATOM_EXT
            | &tag::ATOM_UTF8_EXT
            | &tag::SMALL_ATOM_UTF8_EXT
            | &tag::ATOM_CACHE_REF),
        ) => shape(*atom, bytes.get(1..).unwrap_or_default()).map(|(length, _)| 1 + length),
        Some(other) => Err(TermError::Tag(*other)),
        None => Err(TermError::Short),
    }
}
