//! Messages put together from fragments (erts "Distribution Header for fragmented messages").
//!
//! Fragments of several messages may come interleaved. Each message has a sequence id, which its sender uses for its
//! next message again; its fragments count down to 1. What was lost ends the message where it stands.

use super::external::CachedAtom;
use super::framing::MAX_KEPT;
use crate::evidence::Stamp;

/// Messages open at a time in one direction; with more the oldest is given up. Each sending process has one at most.
const MAX_OPEN: usize = 256;

/// Bytes held in all open messages of a direction; what is beyond is not kept.
const MAX_HELD: usize = MAX_KEPT + (MAX_KEPT >> 1);

/// A message of several fragments.
#[derive(Debug)]
pub struct Assembly {
    sequence: u64,
    /// The fragment that comes next; 0 when all are there.
    next: u64,
    /// Atoms of its header.
    pub atoms: Vec<CachedAtom>,
    /// Control message and payload.
    pub bytes: Vec<u8>,
    /// Whether `bytes` are all.
    pub whole: bool,
    /// Where it began.
    pub first: Stamp,
}

/// The open messages of one direction, oldest first.
#[derive(Debug, Default)]
pub struct Fragments {
    open: Vec<Assembly>,
    held: usize,
}

/// What became of a fragment.
#[derive(Debug)]
pub enum Taken {
    /// More fragments are to come.
    Open,
    /// The message is there, or as much of it as will ever be.
    Ended(Assembly),
    /// Its message is not known: the fragment before is missing.
    Stray,
}

impl Fragments {
    /// Opens a message with its first fragment. What it displaces is returned: a message of the same sender that never
    /// ended, or the oldest of too many.
    pub fn first(
        &mut self,
        (sequence, fragment): (u64, u64),
        atoms: &[CachedAtom],
        (bytes, whole): (&[u8], bool),
        first: Stamp,
    ) -> Option<Assembly> {
        let displaced = match self.open.iter().position(|open| open.sequence == sequence) {
            Some(at) => Some(self.remove(at)),
            None if self.open.len() >= MAX_OPEN => Some(self.remove(0)),
            None => None,
        };
        let next = fragment.saturating_sub(1);
        let assembly = Assembly { sequence, next, atoms: atoms.to_vec(), bytes: Vec::new(), whole: true, first };
        self.open.push(assembly);
        self.append(self.open.len() - 1, bytes, whole);
        displaced
    }

    /// Adds a further fragment.
    pub fn next(&mut self, (sequence, fragment): (u64, u64), bytes: &[u8], whole: bool) -> Taken {
        let Some(at) = self.open.iter().position(|open| open.sequence == sequence) else { return Taken::Stray };
        let expected = self.open.get(at).map_or(0, |open| open.next);
        if fragment != expected || fragment == 0 {
            let mut broken = self.remove(at);
            broken.whole = false;
            return Taken::Ended(broken);
        }
        self.append(at, bytes, whole);
        if let Some(open) = self.open.get_mut(at) {
            open.next -= 1;
        }
        if fragment == 1 { Taken::Ended(self.remove(at)) } else { Taken::Open }
    }

    /// All that never ended, oldest first.
    pub fn abandon(&mut self) -> Vec<Assembly> {
        self.held = 0;
        let mut open = std::mem::take(&mut self.open);
        open.iter_mut().for_each(|assembly| assembly.whole = false);
        open
    }

    fn remove(&mut self, at: usize) -> Assembly {
        let mut assembly = self.open.remove(at);
        self.held -= assembly.bytes.len().min(self.held);
        assembly.whole &= assembly.next == 0;
        assembly
    }

    /// Appends as much as there is room for, and nothing after a hole.
    fn append(&mut self, at: usize, bytes: &[u8], whole: bool) {
        let room = MAX_HELD.saturating_sub(self.held);
        let Some(assembly) = self.open.get_mut(at).filter(|assembly| assembly.whole) else { return };
        let room = room.min(MAX_KEPT.saturating_sub(assembly.bytes.len()));
        let kept = bytes.get(..room).unwrap_or(bytes);
        assembly.bytes.extend_from_slice(kept);
        assembly.whole = whole && kept.len() == bytes.len();
        self.held += kept.len();
    }
}

/// The sequence and fragment ids that a fragment's header begins with, and what follows.
pub fn ids(bytes: &[u8]) -> Option<((u64, u64), &[u8])> {
    let (sequence, rest) = bytes.split_first_chunk()?;
    let (fragment, rest) = rest.split_first_chunk()?;
    Some(((u64::from_be_bytes(*sequence), u64::from_be_bytes(*fragment)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(taken: Taken) -> (Vec<u8>, bool) {
        match taken {
            Taken::Ended(assembly) => (assembly.bytes, assembly.whole),
            other => panic!("not ended: {other:?}"),
        }
    }

    #[test]
    fn interleaved_messages_come_apart_by_sequence() {
        let mut fragments = Fragments::default();
        assert!(fragments.first((7, 2), &[], (b"a", true), Stamp::default()).is_none());
        assert!(fragments.first((9, 3), &[], (b"x", true), Stamp::default()).is_none());
        assert!(matches!(fragments.next((9, 2), b"y", true), Taken::Open));
        assert_eq!(ended(fragments.next((7, 1), b"b", true)), (b"ab".to_vec(), true));
        assert_eq!(ended(fragments.next((9, 1), b"z", true)), (b"xyz".to_vec(), true));
        assert!(matches!(fragments.next((9, 1), b"z", true), Taken::Stray));
        assert_eq!(fragments.held, 0);
    }

    #[test]
    fn a_missing_fragment_ends_the_message_before_it() {
        let mut fragments = Fragments::default();
        fragments.first((7, 4), &[], (b"a", true), Stamp::default());
        assert_eq!(ended(fragments.next((7, 2), b"c", true)), (b"a".to_vec(), false));
    }

    #[test]
    fn nothing_is_kept_after_a_hole_or_beyond_the_limit() {
        let mut fragments = Fragments::default();
        fragments.first((7, 3), &[], (b"a", false), Stamp::default());
        assert!(matches!(fragments.next((7, 2), b"b", true), Taken::Open));
        assert_eq!(ended(fragments.next((7, 1), b"c", true)), (b"a".to_vec(), false));

        let mega = vec![0; 1 << 20];
        fragments.first((8, 20), &[], (&mega, true), Stamp::default());
        for fragment in (2..20).rev() {
            assert!(matches!(fragments.next((8, fragment), &mega, true), Taken::Open));
        }
        let (bytes, whole) = ended(fragments.next((8, 1), &mega, true));
        assert_eq!((bytes.len(), whole), (MAX_KEPT, false));
    }

    #[test]
    fn a_sender_that_begins_anew_displaces_its_unfinished_message() {
        let mut fragments = Fragments::default();
        fragments.first((7, 3), &[], (b"old", true), Stamp::default());
        let displaced = fragments.first((7, 2), &[], (b"new", true), Stamp::default());
        assert_eq!(displaced.map(|old| (old.bytes, old.whole)), Some((b"old".to_vec(), false)));
        assert_eq!(ended(fragments.next((7, 1), b"er", true)), (b"newer".to_vec(), true));
    }
}
