//! What passed of late on connections that carry the stanzas of many: between servers, and to their receivers.
//!
//! Who floods over such a connection fills it alone. So while all that it carries is below the limit, what passed is
//! only noted, in order; senders are told apart once it is not.

use super::{SLOTS, slot_of};
use crate::evidence::{Direction, FlowInfo, Seen, Stamp};
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Connections remembered in a shard; the quiet ones are forgotten.
const MAX_CONNECTIONS: usize = 4_096;
/// Stanzas noted of one.
const MAX_NOTED: u64 = 1_024;

/// A stanza that passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    /// A hash of its sender.
    pub(super) sender: u64,
    /// Place of its kind among the counts.
    pub(super) kind: u8,
    pub(super) first: Stamp,
    pub(super) last: Stamp,
}

/// What connections carried of late.
#[derive(Debug)]
pub(super) struct Traffic {
    limit: usize,
    connections: HashMap<(usize, Direction), Connection, RandomState>,
}

#[derive(Debug)]
struct Connection {
    /// Held for its place in memory, which is the key.
    _flow: Arc<FlowInfo>,
    noted: VecDeque<Passed>,
    last_slot: i64,
    /// It has carried as much as the limit.
    is_busy: bool,
}

impl Traffic {
    /// Nothing yet; a connection is busy with so many stanzas in a minute.
    pub(super) fn new(limit: u64) -> Self {
        Self { limit: limit.clamp(1, MAX_NOTED) as usize, connections: HashMap::default() }
    }

    /// Notes a stanza. `ready` gets those whose senders are to be told apart now: none while the connection is quiet,
    /// those of the last minute when it no longer is, and from then on each as it comes.
    pub(super) fn note(&mut self, seen: &Seen<'_>, passed: Passed, ready: &mut Vec<Passed>) {
        let now = slot_of(passed.last);
        let key = (Arc::as_ptr(seen.flow) as usize, seen.direction);
        if self.connections.len() >= MAX_CONNECTIONS && !self.connections.contains_key(&key) {
            self.make_room(now);
        }
        let connection = self.connections.entry(key).or_insert_with(|| Connection {
            _flow: Arc::clone(seen.flow),
            noted: VecDeque::new(),
            last_slot: now,
            is_busy: false,
        });
        connection.last_slot = now;
        if connection.is_busy {
            ready.push(passed);
            return;
        }
        while connection.noted.front().is_some_and(|old| slot_of(old.last) <= now - SLOTS) {
            connection.noted.pop_front();
        }
        connection.noted.push_back(passed);
        if connection.noted.len() >= self.limit {
            connection.is_busy = true;
            ready.extend(std::mem::take(&mut connection.noted));
        }
    }

    fn make_room(&mut self, now: i64) {
        self.connections.retain(|_, connection| connection.last_slot > now - SLOTS);
        if self.connections.len() > MAX_CONNECTIONS / 2 {
            self.connections.clear();
        }
    }
}
