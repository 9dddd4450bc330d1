//! Distribution headers and the atom cache (erts "Distribution Header").
//!
//! Each direction has a cache of 2048 atoms that the sender fills: a header lists the slots that the message uses, and
//! brings the text of those that are new. Terms then name atoms by their place in that list. Slots whose filling was
//! not captured are unknown and stay so until they are filled again: a wrong atom would be worse than none.

use super::atoms::{CachedAtom, MAX_ATOM_BYTES, utf8_atom};
use std::sync::Arc;

/// Tag of a header without fragments.
pub const NORMAL_HEADER: u8 = 68;
/// Tag of the header of a message's first fragment.
pub const FIRST_FRAGMENT: u8 = 69;
/// Tag of the header of any further fragment.
pub const NEXT_FRAGMENT: u8 = 70;

/// Eight segments of 256 slots.
const CACHE_SLOTS: usize = 2048;

/// Atoms that one sender's headers have named, by slot. At most 2048 atoms of [`MAX_ATOM_BYTES`]: 2 MiB.
#[derive(Debug, Default)]
pub struct AtomCache {
    /// Grows to the highest slot in use.
    slots: Vec<Option<Arc<str>>>,
}

impl AtomCache {
    /// Forgets everything: bytes are missing that may have filled any slot anew.
    pub fn clear(&mut self) {
        self.slots.clear();
    }

    fn clear_segment(&mut self, segment: u8) {
        let slots = self.slots.iter_mut().skip(usize::from(segment) << 8).take(256);
        slots.for_each(|slot| *slot = None);
    }

    fn set(&mut self, slot: u16, atom: Option<Arc<str>>) {
        let slot = usize::from(slot);
        if slot >= CACHE_SLOTS {
            return;
        }
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, None);
        }
        if let Some(place) = self.slots.get_mut(slot) {
            *place = atom;
        }
    }

    fn get(&self, slot: u16) -> CachedAtom {
        match self.slots.get(usize::from(slot)) {
            Some(Some(atom)) => CachedAtom::Known(Arc::clone(atom)),
            _ => CachedAtom::Unknown(slot),
        }
    }
}

/// A header's list of atoms, one entry a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtomRef<'a> {
    /// Slot in the cache.
    pub slot: u16,
    /// The text, where the header brings it.
    pub text: Option<&'a [u8]>,
}

/// Why a header could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    /// The bytes end inside the header.
    Short,
    /// No atom is that long.
    AtomLength,
}

/// Reads the list of atoms that begins at NumberOfAtomCacheRefs, hands each to `each`, and returns what follows.
pub fn read_refs<'a>(bytes: &'a [u8], mut each: impl FnMut(AtomRef<'a>)) -> Result<&'a [u8], HeaderError> {
    let (&count, rest) = bytes.split_first().ok_or(HeaderError::Short)?;
    let count = usize::from(count);
    if count == 0 {
        return Ok(rest);
    }
    // Half a byte a reference, and half a byte of flags for all.
    let (flags, mut rest) = rest.split_at_checked(count / 2 + 1).ok_or(HeaderError::Short)?;
    let nibble = |at: usize| nibble_of(flags, at);
    let long_atoms = nibble(count) & 1 != 0;
    for at in 0..count {
        let (&index, after) = rest.split_first().ok_or(HeaderError::Short)?;
        let slot = u16::from(nibble(at) & 7) << 8 | u16::from(index);
        if nibble(at) & 8 == 0 {
            rest = after;
            each(AtomRef { slot, text: None });
            continue;
        }
        let (length, after) = if long_atoms {
            let (length, after) = after.split_first_chunk().ok_or(HeaderError::Short)?;
            (usize::from(u16::from_be_bytes(*length)), after)
        } else {
            let (&length, after) = after.split_first().ok_or(HeaderError::Short)?;
            (usize::from(length), after)
        };
        if length > MAX_ATOM_BYTES {
            return Err(HeaderError::AtomLength);
        }
        let (text, after) = after.split_at_checked(length).ok_or(HeaderError::Short)?;
        rest = after;
        each(AtomRef { slot, text: Some(text) });
    }
    Ok(rest)
}

/// Reads a header's list of atoms, updates the cache, and puts the atoms into `atoms`. What follows is returned.
/// A header that cannot be read to its end leaves unknown what its unread part may have filled.
pub fn apply_refs<'a>(
    bytes: &'a [u8],
    cache: &mut AtomCache,
    atoms: &mut Vec<CachedAtom>,
) -> Result<&'a [u8], HeaderError> {
    atoms.clear();
    let read = read_refs(bytes, |reference| {
        if let Some(text) = reference.text {
            cache.set(reference.slot, Some(utf8_atom(text)));
        }
        atoms.push(cache.get(reference.slot));
    });
    if read.is_err() {
        forget_unread(bytes, atoms.len(), cache);
    }
    read
}

/// Empties the segments of the new atoms from the reference `from` on: the flags tell the segments, if they are there.
fn forget_unread(bytes: &[u8], from: usize, cache: &mut AtomCache) {
    let flags = bytes.split_first().and_then(|(count, rest)| {
        let count = usize::from(*count);
        Some((count, rest.get(..count / 2 + 1)?))
    });
    let Some((count, flags)) = flags else { return cache.clear() };
    for at in from..count {
        let nibble = nibble_of(flags, at);
        if nibble & 8 != 0 {
            cache.clear_segment(nibble & 7);
        }
    }
}

/// Half a byte of a header's flags, the lower half first.
fn nibble_of(flags: &[u8], at: usize) -> u8 {
    flags.get(at / 2).map_or(0, |pair| (pair >> (4 * (at % 2))) & 0x0f)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn atoms_are_named_once_and_then_by_slot() {
        let mut cache = AtomCache::default();
        let mut atoms = Vec::new();
        // Two references: new in segment 1 slot 2, old in segment 0 slot 3.
        let rest = apply_refs(b"\x02\x09\x00\x02\x02ok\x03rest", &mut cache, &mut atoms).unwrap();
        assert_eq!(rest, b"rest");
        assert_eq!(atoms, [CachedAtom::Known("ok".into()), CachedAtom::Unknown(3)]);
        apply_refs(b"\x01\x01\x02", &mut cache, &mut atoms).unwrap();
        assert_eq!(atoms, [CachedAtom::Known("ok".into())]);
        cache.clear();
        apply_refs(b"\x01\x01\x02", &mut cache, &mut atoms).unwrap();
        assert_eq!(atoms, [CachedAtom::Unknown(0x102)]);
    }

    #[test]
    fn long_atoms_have_two_bytes_of_length() {
        let mut atoms = Vec::new();
        // One new reference in segment 0, LongAtoms set in the upper half.
        let rest = apply_refs(b"\x01\x18\x05\x00\x02hi!", &mut AtomCache::default(), &mut atoms).unwrap();
        assert_eq!((rest, &*atoms), (&b"!"[..], &[CachedAtom::Known("hi".into())][..]));
    }

    #[test]
    fn a_header_cut_anywhere_is_short_and_forgets_what_it_may_have_filled() {
        // One new atom in segment 1, one old in segment 0.
        let header = b"\x02\x09\x00\x02\x02ok\x03";
        for end in 0..header.len() {
            let mut cache = AtomCache::default();
            cache.set(7, Some("seven".into()));
            cache.set(0x107, Some("eight".into()));
            let mut atoms = Vec::new();
            let cut = apply_refs(&header[..end], &mut cache, &mut atoms);
            assert_eq!(cut, Err(HeaderError::Short), "cut at {end}");
            // Before the flags are known, any segment may have been filled; after the new atom, none any more.
            assert_eq!(cache.get(7) == CachedAtom::Unknown(7), end < 3, "cut at {end}");
            assert_eq!(cache.get(0x107) == CachedAtom::Unknown(0x107), end < 7, "cut at {end}");
        }
    }
}
