//! Sets and maps while packets run: `nft_set_hash.c`, `nft_set_rbtree.c`, `nft_set_pipapo.c`, and what
//! `nft_dynset.c` asks of them.

use super::ranges::{FieldIndex, Range, Region, disjoint};
use super::state::State;
use super::value::{Buffer, MAX_WIDTH, NUMBER_WIDTH, number_of};
use crate::ruleset::model::Verdict;
use crate::ruleset::nft::{Element, ElementData, Set};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Elements that a set holds if it says nothing: what nft asks for.
const DEFAULT_SIZE: usize = 65_535;

/// Nanoseconds between two sweeps for expired elements (`nft_set_gc_interval`).
const SWEEP_NS: i64 = 1_000_000_000;

/// Fields of a key at most: registers of 4 bytes.
const MAX_FIELDS: usize = MAX_WIDTH / 4;

/// A set at work.
#[derive(Debug, Clone)]
pub(super) struct RuntimeSet {
    widths: Vec<usize>,
    index: Index,
    entries: Vec<Entry>,
    free: Vec<u32>,
    catch_all: Option<u32>,
    most: usize,
    timeout_ms: Option<u64>,
    swept_ns: i64,
    /// Statements that new elements get.
    template: Vec<State>,
    /// Some element has statements.
    has_states: bool,
}

/// Ways to find an element.
#[derive(Debug, Clone)]
enum Index {
    /// Exact keys of up to 16 bytes.
    Numbers(HashMap<u128, u32, RandomState>),
    /// Exact keys that are wider.
    Bytes(HashMap<Box<[u8]>, u32, RandomState>),
    /// Ranges of one field.
    Ranges(Vec<Range>),
    /// Ranges of several fields.
    Fields(FieldIndex),
}

/// A key that is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key<'b> {
    Number(u128),
    Bytes(&'b [u8]),
}

/// First and last key of an element, fields one after the other.
type Bounds = (Box<[u8]>, Box<[u8]>);

/// An element at work.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// `None` for the catch-all.
    pub keys: Option<Bounds>,
    pub data: Data,
    pub states: Vec<State>,
    /// Milliseconds that it lives; 0 for ever.
    timeout_ms: u64,
    /// Capture time at which it goes.
    expires_ns: i64,
}

/// What an element gives.
#[derive(Debug, Clone)]
pub(super) enum Data {
    None,
    Verdict(Verdict),
    Value(Box<[u8]>),
    Range(Box<[u8]>, Box<[u8]>),
    Object(u32),
}

impl Entry {
    fn is_expired(&self, now_ns: i64) -> bool {
        self.expires_ns <= now_ns
    }

    /// Begins to live, if its life has an end.
    fn live(&mut self, from_ns: i64, ms: u64) {
        let ns = i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        self.expires_ns = if ms == 0 { i64::MAX } else { from_ns.saturating_add(ns) };
    }
}

impl RuntimeSet {
    pub fn new(set: &Set) -> Self {
        let widths: Vec<usize> = set.key.iter().map(|width| (*width as usize).min(MAX_WIDTH)).collect();
        let is_range = |element: &Element| {
            element.key.as_ref().is_some_and(|fields| fields.iter().any(|(first, last)| first != last))
        };
        let ranges = set.interval || set.elements.iter().any(is_range);
        let width: usize = widths.iter().sum();
        let index = match (ranges, widths.len()) {
            (true, 0 | 1) => Index::Ranges(Vec::new()),
            (true, _) => Index::Fields(FieldIndex::default()),
            (false, _) if width <= NUMBER_WIDTH => Index::Numbers(HashMap::default()),
            (false, _) => Index::Bytes(HashMap::default()),
        };
        let mut made = Self {
            widths,
            index,
            entries: Vec::with_capacity(set.elements.len()),
            free: Vec::new(),
            catch_all: None,
            most: set.size.map_or(DEFAULT_SIZE, |size| size as usize),
            timeout_ms: set.timeout,
            swept_ns: i64::MIN,
            template: set.statements.iter().filter_map(State::new).collect(),
            has_states: false,
        };
        made.fill(&set.elements);
        made
    }

    fn fill(&mut self, elements: &[Element]) {
        let (mut ranges, mut boxes) = (Vec::new(), Vec::new());
        for element in elements {
            let Ok(place) = u32::try_from(self.entries.len()) else { return };
            let keys = element.key.as_ref().map(|fields| self.keys(fields));
            let entry = self.entry(element, keys.clone());
            self.has_states |= !entry.states.is_empty();
            self.entries.push(entry);
            let Some((first, last)) = keys else {
                self.catch_all = Some(place);
                continue;
            };
            match &mut self.index {
                Index::Numbers(index) => {
                    number_of(&first).map(|number| index.entry(number).or_insert(place));
                }
                Index::Bytes(index) => {
                    index.entry(first).or_insert(place);
                }
                Index::Ranges(_) => {
                    let bounds = number_of(&first).zip(number_of(&last));
                    ranges.extend(bounds.map(|(low, high)| Range { low, high, entry: place }));
                }
                Index::Fields(_) => {
                    let bounds = split(&self.widths, &first).zip(split(&self.widths, &last));
                    boxes.extend(bounds.map(|(low, high)| Region { low, high, entry: place }));
                }
            }
        }
        match &mut self.index {
            Index::Ranges(index) => *index = disjoint(ranges),
            Index::Fields(index) => *index = FieldIndex::new(boxes),
            Index::Numbers(_) | Index::Bytes(_) => {}
        }
    }

    /// First and last key of an element, each field in the width that the set's type has.
    fn keys(&self, fields: &[(Vec<u8>, Vec<u8>)]) -> Bounds {
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (place, (low, high)) in fields.iter().enumerate() {
            let width = self.widths.get(place).copied().unwrap_or(low.len());
            first.extend(fitted(low, width));
            last.extend(fitted(high, width));
        }
        (first.into(), last.into())
    }

    fn entry(&self, element: &Element, keys: Option<Bounds>) -> Entry {
        let mut states: Vec<State> = element.statements.iter().filter_map(State::new).collect();
        if states.is_empty() {
            states.clone_from(&self.template);
        }
        let timeout_ms = element.timeout.or(self.timeout_ms).unwrap_or(0);
        let data = match &element.data {
            ElementData::None => Data::None,
            ElementData::Verdict(verdict) => Data::Verdict(*verdict),
            ElementData::Value(value) => Data::Value(value.as_slice().into()),
            ElementData::Range(first, last) => Data::Range(first.as_slice().into(), last.as_slice().into()),
            ElementData::Object(id) => Data::Object(id.0),
        };
        let mut entry = Entry { keys, data, states, timeout_ms, expires_ns: i64::MAX };
        entry.live(0, element.expires.unwrap_or(timeout_ms));
        entry
    }

    /// The ruleset is loaded now: elements with a timeout begin to live.
    pub fn start(&mut self, now_ns: i64) {
        for entry in &mut self.entries {
            if entry.expires_ns != i64::MAX {
                entry.expires_ns = entry.expires_ns.saturating_add(now_ns);
            }
        }
    }

    /// Asking for an element may change what its statements remember.
    pub fn has_states(&self) -> bool {
        self.has_states
    }

    /// Keys are wanted as bytes, not as a number.
    pub fn wants_bytes(&self) -> bool {
        matches!(self.index, Index::Bytes(_) | Index::Fields(_))
    }

    /// Bytes of the fields of a key.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// Rules may add to it: the kernel has no such ranges.
    fn is_exact(&self) -> bool {
        matches!(self.index, Index::Numbers(_) | Index::Bytes(_))
    }

    /// The element of a key, if it is there and not expired.
    #[inline]
    pub fn find(&self, key: Key, now_ns: i64) -> Option<u32> {
        let alive = |place: u32| self.entry_at(place).is_some_and(|entry| !entry.is_expired(now_ns));
        match (&self.index, key) {
            (Index::Numbers(index), Key::Number(key)) => index.get(&key).copied().filter(|place| alive(*place)),
            (Index::Bytes(index), Key::Bytes(key)) => index.get(key).copied().filter(|place| alive(*place)),
            (Index::Ranges(index), Key::Number(key)) => {
                let after = index.partition_point(|range| range.low <= key);
                let range = index.get(after.checked_sub(1)?)?;
                (key <= range.high && alive(range.entry)).then_some(range.entry)
            }
            (Index::Fields(index), Key::Bytes(key)) => {
                let mut fields = [0; MAX_FIELDS];
                let count = split_into(&self.widths, key, &mut fields)?;
                index.find(fields.get(..count)?, alive)
            }
            _ => None,
        }
    }

    /// The catch-all element, if there is one and it is not expired.
    pub fn catch_all(&self, now_ns: i64) -> Option<u32> {
        self.catch_all.filter(|place| self.entry_at(*place).is_some_and(|entry| !entry.is_expired(now_ns)))
    }

    pub fn entry_at(&self, place: u32) -> Option<&Entry> {
        self.entries.get(place as usize)
    }

    pub fn entry_at_mut(&mut self, place: u32) -> Option<&mut Entry> {
        self.entries.get_mut(place as usize)
    }

    /// Elements that are not expired.
    pub fn entries(&self, now_ns: i64) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| !entry.is_expired(now_ns))
    }

    /// Adds an element (`nft_rhash_update`): the one that is there already stays as it is. `None` if the set is full
    /// or no such key can be in it.
    pub fn add(&mut self, key: Key, data: Data, timeout_ms: Option<u64>, states: &[State], now_ns: i64) -> Option<u32> {
        if !self.is_exact() {
            return None;
        }
        if let Some(place) = self.find(key, now_ns) {
            return Some(place);
        }
        self.remove(key);
        if self.len() >= self.most {
            self.sweep(now_ns);
        }
        if self.len() >= self.most {
            return None;
        }
        let timeout_ms = timeout_ms.or(self.timeout_ms).unwrap_or(0);
        let bytes = self.key_bytes(key)?;
        self.has_states |= !(states.is_empty() && self.template.is_empty());
        let states = if states.is_empty() { self.template.clone() } else { states.to_vec() };
        let mut entry =
            Entry { keys: Some((bytes.clone(), bytes.clone())), data, states, timeout_ms, expires_ns: i64::MAX };
        entry.live(now_ns, timeout_ms);
        let place = self.put(entry)?;
        match (&mut self.index, key) {
            (Index::Numbers(index), Key::Number(number)) => index.insert(number, place),
            (Index::Bytes(index), Key::Bytes(_)) => index.insert(bytes, place),
            _ => None,
        };
        Some(place)
    }

    /// Begins an element's life anew (`update`).
    pub fn refresh(&mut self, place: u32, timeout_ms: Option<u64>, now_ns: i64) {
        if let Some(entry) = self.entry_at_mut(place).filter(|entry| entry.timeout_ms > 0) {
            let ms = timeout_ms.unwrap_or(entry.timeout_ms);
            entry.live(now_ns, ms);
        }
    }

    /// Takes an element out, expired or not.
    pub fn remove(&mut self, key: Key) {
        let place = match (&mut self.index, key) {
            (Index::Numbers(index), Key::Number(key)) => index.remove(&key),
            (Index::Bytes(index), Key::Bytes(key)) => index.remove(key),
            _ => None,
        };
        if let Some(entry) = place.and_then(|place| self.entry_at_mut(place)) {
            entry.expires_ns = i64::MIN;
            self.free.extend(place);
        }
    }

    fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    fn put(&mut self, entry: Entry) -> Option<u32> {
        if let Some(place) = self.free.pop() {
            *self.entry_at_mut(place)? = entry;
            return Some(place);
        }
        let place = u32::try_from(self.entries.len()).ok()?;
        self.entries.push(entry);
        Some(place)
    }

    fn key_bytes(&self, key: Key) -> Option<Box<[u8]>> {
        match key {
            Key::Bytes(bytes) => Some(bytes.into()),
            Key::Number(number) => {
                let mut buffer = Buffer::new();
                buffer.push_number(number, self.widths.iter().sum())?;
                Some(buffer.as_slice().into())
            }
        }
    }

    /// Forgets expired elements, at most once in a while.
    fn sweep(&mut self, now_ns: i64) {
        if now_ns < self.swept_ns.saturating_add(SWEEP_NS) {
            return;
        }
        self.swept_ns = now_ns;
        let entries = &self.entries;
        let mut gone = Vec::new();
        let mut is_alive = |place: u32| {
            let alive = entries.get(place as usize).is_some_and(|entry| !entry.is_expired(now_ns));
            if !alive {
                gone.push(place);
            }
            alive
        };
        match &mut self.index {
            Index::Numbers(index) => index.retain(|_, place| is_alive(*place)),
            Index::Bytes(index) => index.retain(|_, place| is_alive(*place)),
            Index::Ranges(_) | Index::Fields(_) => {}
        }
        self.free.extend(gone);
    }
}

/// A value in a type's width: leading zeros more or less.
fn fitted(value: &[u8], width: usize) -> impl Iterator<Item = u8> {
    let missing = width.saturating_sub(value.len());
    let kept = value.get(value.len().saturating_sub(width)..).unwrap_or_default();
    std::iter::repeat_n(0, missing).chain(kept.iter().copied())
}

/// A concatenation as numbers, field by field.
fn split(widths: &[usize], key: &[u8]) -> Option<Box<[u128]>> {
    let mut fields = [0; MAX_FIELDS];
    let count = split_into(widths, key, &mut fields)?;
    fields.get(..count).map(Box::from)
}

fn split_into(widths: &[usize], mut key: &[u8], fields: &mut [u128; MAX_FIELDS]) -> Option<usize> {
    if widths.len() > MAX_FIELDS {
        return None;
    }
    for (width, field) in widths.iter().zip(fields) {
        let (bytes, rest) = key.split_at_checked(*width)?;
        *field = number_of(bytes)?;
        key = rest;
    }
    key.is_empty().then_some(widths.len())
}
