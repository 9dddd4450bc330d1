//! A set whose entries come and go: by their element, so that adding twice and deleting cost a lookup each.

use super::{Entry, IpSet, Value, members};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// A set while its entries come and go.
pub(super) struct Open {
    pub(super) set: IpSet,
    /// Deleted entries leave a gap.
    pub(super) entries: Vec<Option<Entry>>,
    pub(super) places: HashMap<Vec<Value>, usize, RandomState>,
    /// Entries are single members.
    spread: bool,
}

impl Open {
    pub(super) fn new(mut set: IpSet) -> Self {
        let entries: Vec<_> = set.entries.drain(..).map(Some).collect();
        let places = entries.iter().flatten().enumerate().map(|(at, entry)| (entry.values.clone(), at)).collect();
        Self { set, entries, places, spread: false }
    }

    pub(super) fn close(self) -> IpSet {
        IpSet { entries: self.entries.into_iter().flatten().collect(), ..self.set }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.places.insert(entry.values.clone(), self.entries.len());
        self.entries.push(Some(entry));
    }

    /// Empties the set, and gives what was in it. Memory goes with it, so that emptying costs what filling did.
    pub(super) fn flush(&mut self) -> Vec<Option<Entry>> {
        self.places = HashMap::default();
        std::mem::take(&mut self.entries)
    }

    /// Adds an entry; `false` if it was there and is now replaced.
    pub(super) fn add(&mut self, entry: Entry) -> bool {
        let mut is_new = true;
        let mut put = |open: &mut Self, entry: Entry| match open.places.get(&entry.values) {
            Some(at) => {
                is_new = false;
                if let Some(slot) = open.entries.get_mut(*at) {
                    *slot = Some(entry);
                }
            }
            None => open.push(entry),
        };
        if self.spread {
            for values in all_members(&self.set, &entry) {
                put(self, Entry { values, ..entry.clone() });
            }
        } else {
            put(self, entry);
        }
        is_new
    }

    /// Turns entries into single members.
    pub(super) fn spread_out(&mut self) {
        if std::mem::replace(&mut self.spread, true) {
            return;
        }
        let before = std::mem::take(&mut self.entries);
        self.places.clear();
        for entry in before.into_iter().flatten() {
            self.add(entry);
        }
    }

    pub(super) fn remove(&mut self, values: &[Value]) -> bool {
        let Some(at) = self.places.remove(values) else { return false };
        self.entries.get_mut(at).is_some_and(|slot| slot.take().is_some())
    }

    /// Deletes the members of an entry; `false` if one was not there.
    pub(super) fn delete(&mut self, entry: &Entry) -> bool {
        if self.remove(&entry.values) {
            return true;
        }
        self.spread_out();
        let mut all = true;
        for values in all_members(&self.set, entry) {
            all &= self.remove(&values);
        }
        all
    }
}

fn all_members(set: &IpSet, entry: &Entry) -> Vec<Vec<Value>> {
    let mut found = Vec::new();
    members::each(set, entry, &mut |values| {
        found.push(values.to_vec());
        true
    });
    found
}
