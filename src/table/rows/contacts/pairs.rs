//! Pairs of bare JIDs and what passed between them, packed: a busy capture has hundreds of thousands.

use crate::evidence::{CaptureId, Stamp};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroU32;

/// What passed on one leg of the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub(super) bytes: u64,
    pub(super) messages: u32,
    pub(super) groupchat: u32,
    pub(super) presences: u32,
    pub(super) iqs: u32,
    pub(super) encrypted: u32,
}

impl Counts {
    pub(super) fn stanzas(&self) -> u64 {
        u64::from(self.messages) + u64::from(self.presences) + u64::from(self.iqs)
    }

    fn merge(&mut self, other: &Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.messages = self.messages.saturating_add(other.messages);
        self.groupchat = self.groupchat.saturating_add(other.groupchat);
        self.presences = self.presences.saturating_add(other.presences);
        self.iqs = self.iqs.saturating_add(other.iqs);
        self.encrypted = self.encrypted.saturating_add(other.encrypted);
    }
}

/// A pair in one capture.
#[derive(Debug, Clone, Copy)]
struct Pair {
    /// Both JIDs lie back to back in the text.
    text: u32,
    from: u16,
    to: u16,
    capture: CaptureId,
    /// Place of each leg's counts, from 1, if anything passed there.
    legs: [Option<NonZeroU32>; LEGS],
    first: Moment,
    last: Moment,
}

/// A stamp, but for its capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    time_ns: i64,
    frame: u64,
}

impl Moment {
    fn of(stamp: Stamp) -> Self {
        Self { time_ns: stamp.time_ns, frame: stamp.frame }
    }

    fn stamp(self, capture: CaptureId) -> Stamp {
        Stamp { capture, frame: self.frame, time_ns: self.time_ns }
    }
}

pub(super) const LEGS: usize = 3;

/// A pair as others see it.
#[derive(Debug, Clone, Copy)]
pub struct Contact<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) legs: [Option<&'a Counts>; LEGS],
    pub(super) first: Stamp,
    pub(super) last: Stamp,
}

/// Where a pair stands, and the hash by which it is found: so that a table can grow without a look at the text.
#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u32,
    place: u32,
}

/// Pairs by their JIDs and capture.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    hasher: RandomState,
    index: HashTable<Entry>,
    pairs: Vec<Pair>,
    counts: Vec<Counts>,
    text: String,
}

impl Pairs {
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Bytes of all JIDs.
    pub(super) fn text_len(&self) -> usize {
        self.text.len()
    }

    /// The place of a pair; `None` if it is not known.
    pub(super) fn find(&self, from: &str, to: &str, capture: CaptureId) -> Option<usize> {
        let hash = hash_of(&self.hasher, from, to, capture);
        let is_it = |pair: &Pair| {
            pair.capture == capture && pair.from(&self.text) == Some(from) && pair.to(&self.text) == Some(to)
        };
        let found = self
            .index
            .find(spread(hash), |entry| entry.hash == hash && self.pairs.get(entry.place as usize).is_some_and(is_it));
        found.map(|entry| entry.place as usize)
    }

    /// The place of a pair that is not known yet, first seen at `stamp`; `None` if its JIDs are longer than any are.
    pub(super) fn insert(&mut self, from: &str, to: &str, stamp: Stamp) -> Option<usize> {
        let place = u32::try_from(self.pairs.len()).ok()?;
        let hash = hash_of(&self.hasher, from, to, stamp.capture);
        self.pairs.push(Pair {
            text: u32::try_from(self.text.len()).ok()?,
            from: u16::try_from(from.len()).ok()?,
            to: u16::try_from(to.len()).ok()?,
            capture: stamp.capture,
            legs: [None; LEGS],
            first: Moment::of(stamp),
            last: Moment::of(stamp),
        });
        self.text.push_str(from);
        self.text.push_str(to);
        self.index.insert_unique(spread(hash), Entry { hash, place }, |entry| spread(entry.hash));
        Some(place as usize)
    }

    /// What passed on a leg of a pair, to be added to; the pair was seen until `stamp`.
    pub(super) fn leg(&mut self, place: usize, leg: usize, stamp: Stamp) -> Option<&mut Counts> {
        let pair = self.pairs.get_mut(place)?;
        pair.last = pair.last.max(Moment::of(stamp));
        let leg = pair.legs.get_mut(leg)?;
        if leg.is_none() {
            self.counts.push(Counts::default());
            *leg = NonZeroU32::new(u32::try_from(self.counts.len()).ok()?);
        }
        self.counts.get_mut((*leg)?.get() as usize - 1)
    }

    /// Makes room for the pairs of all these.
    pub(super) fn reserve_for<'a>(&mut self, others: impl Iterator<Item = &'a Self>) {
        let (pairs, counts, text) = others.fold((0, 0, 0), |(pairs, counts, text), other| {
            (pairs + other.pairs.len(), counts + other.counts.len(), text + other.text.len())
        });
        self.pairs.reserve_exact(pairs);
        self.counts.reserve_exact(counts);
        self.text.reserve_exact(text);
    }

    /// Adds the pairs of another.
    pub(super) fn merge(&mut self, other: &Self) {
        for contact in other.pairs.iter().filter_map(|pair| other.contact(pair)) {
            let Contact { from, to, legs, first, last } = contact;
            let known = self.find(from, to, first.capture).or_else(|| self.insert(from, to, first));
            let Some(place) = known else { continue };
            for (leg, more) in legs.iter().enumerate().filter_map(|(leg, more)| more.map(|more| (leg, more))) {
                if let Some(counts) = self.leg(place, leg, last) {
                    counts.merge(more);
                }
            }
            if let Some(pair) = self.pairs.get_mut(place) {
                pair.first = pair.first.min(Moment::of(first));
            }
        }
    }

    /// All pairs in order of time.
    pub(super) fn in_order(&self) -> impl Iterator<Item = Contact<'_>> {
        let mut pairs: Vec<&Pair> = self.pairs.iter().collect();
        pairs.sort_unstable_by_key(|pair| {
            let Moment { time_ns, frame } = pair.first;
            (time_ns, pair.capture, frame, pair.from(&self.text), pair.to(&self.text))
        });
        pairs.into_iter().filter_map(|pair| self.contact(pair))
    }

    fn contact<'a>(&'a self, pair: &Pair) -> Option<Contact<'a>> {
        let counts = |place: Option<NonZeroU32>| self.counts.get(place?.get() as usize - 1);
        Some(Contact {
            from: pair.from(&self.text)?,
            to: pair.to(&self.text)?,
            legs: pair.legs.map(counts),
            first: pair.first.stamp(pair.capture),
            last: pair.last.stamp(pair.capture),
        })
    }
}

impl Pair {
    fn from<'a>(&self, text: &'a str) -> Option<&'a str> {
        let start = self.text as usize;
        text.get(start..start + usize::from(self.from))
    }

    fn to<'a>(&self, text: &'a str) -> Option<&'a str> {
        let start = self.text as usize + usize::from(self.from);
        text.get(start..start + usize::from(self.to))
    }
}

fn hash_of(hasher: &RandomState, from: &str, to: &str, capture: CaptureId) -> u32 {
    let mut hasher = hasher.build_hasher();
    hasher.write(from.as_bytes());
    hasher.write_u32(capture.0);
    hasher.write(to.as_bytes());
    hasher.finish() as u32
}

/// Tables look at the first bits and at the last.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
