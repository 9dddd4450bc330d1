//! The table: entries by tuple in both directions, expiry in capture time, and a bound on memory.
//!
//! An entry is made with the first packet of a connection and stands in the table once that packet was let through
//! (`__nf_conntrack_confirm`). Entries that have expired go when they are met: by a lookup of their tuple, or by the hand
//! that passes over two slots for each new entry, so that the dead never outnumber the living by much.

use super::settings::Settings;
use super::tuple::Key;
use super::{Conn, ConnId, Counts, Proto, Tuple, status};
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};

/// Entries of packets on their way that were never let through nor dropped, before the oldest are given up.
const MAX_PENDING: usize = 1024;

/// Entries that died under their last packet stay readable until so many more have.
const MAX_DYING: usize = 64;

/// Slots that are searched for an entry to give up when the table is full: about as many entries as eight buckets of
/// the kernel's table hold, which it looks through.
const EARLY_DROP_RANGE: usize = 16;

/// A connection with what its protocol's tracker keeps.
#[derive(Debug)]
pub(super) struct Entry {
    pub conn: Conn,
    pub proto: Proto,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// Slot and direction of a confirmed entry's tuple: slot * 2 + 1 for replies.
    places: HashMap<Key, u32, RandomState>,
    /// Made, and not confirmed when last looked at.
    pending: VecDeque<ConnId>,
    /// Taken out of the table while a packet still belongs to them.
    dying: VecDeque<ConnId>,
    /// Entries that count against the limit: confirmed or on their way.
    alive: usize,
    hand: usize,
    serial: u64,
}

impl Table {
    /// Entry of a name.
    pub fn get(&self, id: ConnId) -> Option<&Entry> {
        self.slots.get(id.index as usize)?.as_ref().filter(|entry| entry.conn.id == id)
    }

    /// Entry of a name.
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Entry> {
        self.slots.get_mut(id.index as usize)?.as_mut().filter(|entry| entry.conn.id == id)
    }

    /// Confirmed entry that has this tuple, and whether as that of replies.
    pub fn peek(&self, tuple: &Tuple, now_ns: i64) -> Option<(&Entry, bool)> {
        let place = *self.places.get(&Key::from(tuple))?;
        let entry = self.slots.get(place as usize >> 1)?.as_ref()?;
        (entry.conn.expires_ns > now_ns).then_some((entry, place & 1 == 1))
    }

    /// As [`Table::peek`]; an expired entry goes.
    pub fn find(&mut self, tuple: &Tuple, now_ns: i64) -> Option<(ConnId, bool)> {
        let place = *self.places.get(&Key::from(tuple))?;
        let conn = &self.slots.get(place as usize >> 1)?.as_ref()?.conn;
        let (id, expires_ns) = (conn.id, conn.expires_ns);
        if expires_ns <= now_ns {
            self.remove(id);
            return None;
        }
        Some((id, place & 1 == 1))
    }

    /// A new entry, not confirmed. `None` if the table is full of entries that must stay.
    pub fn make(
        &mut self,
        tuples: [Tuple; 2],
        now_ns: i64,
        settings: &Settings,
        counts: &mut Counts,
    ) -> Option<ConnId> {
        self.sweep(2, now_ns);
        if self.alive >= settings.max_entries && !self.early_drop(now_ns, counts) {
            counts.refused += 1;
            return None;
        }
        let id = self.place(tuples, 0);
        self.alive += 1;
        self.pending.push_back(id);
        if self.pending.len() > MAX_PENDING
            && let Some(oldest) = self.pending.pop_front()
        {
            self.forget(oldest);
        }
        Some(id)
    }

    /// A template: not a connection, but what makes one.
    pub fn make_template(&mut self, tuple: Tuple) -> ConnId {
        self.place([tuple, tuple], status::TEMPLATE)
    }

    fn place(&mut self, tuples: [Tuple; 2], status: u32) -> ConnId {
        let index = self.free.pop().unwrap_or(self.slots.len() as u32);
        self.serial += 1;
        let id = ConnId { index, serial: self.serial };
        let conn = Conn {
            id,
            tuples,
            status,
            mark: 0,
            labels: 0,
            counters: [(0, 0); 2],
            expires_ns: 0,
            master: None,
            helper: None,
        };
        let entry = Some(Entry { conn, proto: Proto::default() });
        match self.slots.get_mut(index as usize) {
            Some(slot) => *slot = entry,
            None => self.slots.push(entry),
        }
        id
    }

    /// Puts an entry into the table. `false` if one of its tuples is taken.
    pub fn confirm(&mut self, id: ConnId, now_ns: i64) -> bool {
        self.no_longer_pending(id);
        let Some(tuples) = self.get(id).map(|entry| entry.conn.tuples) else { return false };
        if tuples.iter().any(|tuple| self.find(tuple, now_ns).is_some()) {
            return false;
        }
        let Some(entry) = self.get_mut(id) else { return false };
        entry.conn.status |= status::CONFIRMED;
        entry.conn.expires_ns = entry.conn.expires_ns.saturating_add(now_ns);
        for (tuple, reply) in tuples.iter().zip([0, 1]) {
            self.places.insert(Key::from(tuple), id.index * 2 + reply);
        }
        true
    }

    /// Takes an entry out of the table.
    pub fn remove(&mut self, id: ConnId) {
        if self.unlink(id) {
            self.release(id);
        }
    }

    /// Takes an entry out of the table; the packet that ends it may go on asking it.
    pub fn kill(&mut self, id: ConnId) {
        if !self.unlink(id) {
            return;
        }
        if let Some(entry) = self.get_mut(id) {
            entry.conn.status |= status::DYING;
        }
        self.dying.push_back(id);
        if self.dying.len() > MAX_DYING
            && let Some(oldest) = self.dying.pop_front()
        {
            self.release(oldest);
        }
    }

    /// Frees an entry whose packet did not get through.
    pub fn forget(&mut self, id: ConnId) {
        self.no_longer_pending(id);
        let tentative = status::CONFIRMED | status::TEMPLATE | status::DYING;
        if self.get(id).is_some_and(|entry| entry.conn.status & tentative == 0) {
            self.alive = self.alive.saturating_sub(1);
            self.release(id);
        }
    }

    /// Entries, also those that have expired and were not met yet.
    pub fn len(&self) -> usize {
        self.alive
    }

    /// Entries in the table.
    #[cfg(test)]
    pub fn confirmed(&self) -> impl Iterator<Item = &Conn> {
        let entries = self.slots.iter().flatten().map(|entry| &entry.conn);
        entries.filter(|conn| conn.status & (status::CONFIRMED | status::DYING) == status::CONFIRMED)
    }

    fn no_longer_pending(&mut self, id: ConnId) {
        if self.pending.back() == Some(&id) {
            self.pending.pop_back();
        }
    }

    fn unlink(&mut self, id: ConnId) -> bool {
        let Some(entry) = self.get(id) else { return false };
        if entry.conn.status & (status::CONFIRMED | status::DYING) != status::CONFIRMED {
            return false;
        }
        for tuple in entry.conn.tuples {
            let key = Key::from(&tuple);
            if self.places.get(&key).is_some_and(|place| place >> 1 == id.index) {
                self.places.remove(&key);
            }
        }
        self.alive = self.alive.saturating_sub(1);
        true
    }

    fn release(&mut self, id: ConnId) {
        if self.get(id).is_some()
            && let Some(slot) = self.slots.get_mut(id.index as usize)
        {
            *slot = None;
            self.free.push(id.index);
        }
    }

    /// Moves the hand on over slots, and takes out what has expired.
    fn sweep(&mut self, slots: usize, now_ns: i64) {
        for _ in 0..slots {
            let Some(conn) = self.next_of_hand() else { continue };
            if conn.status & status::CONFIRMED != 0 && conn.expires_ns <= now_ns {
                let id = conn.id;
                self.remove(id);
            }
        }
    }

    /// `early_drop`: an entry near the hand goes that is not ASSURED.
    fn early_drop(&mut self, now_ns: i64, counts: &mut Counts) -> bool {
        for _ in 0..EARLY_DROP_RANGE {
            let Some(conn) = self.next_of_hand() else { continue };
            if conn.status & (status::CONFIRMED | status::DYING) != status::CONFIRMED {
                continue;
            }
            let expired = conn.expires_ns <= now_ns;
            if expired || conn.status & status::ASSURED == 0 {
                let id = conn.id;
                self.remove(id);
                counts.early_dropped += u64::from(!expired);
                return true;
            }
        }
        false
    }

    fn next_of_hand(&mut self) -> Option<&Conn> {
        self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
        self.slots.get(self.hand)?.as_ref().map(|entry| &entry.conn)
    }
}
