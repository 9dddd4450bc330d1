//! Counts stanzas in the shards, by sender and connection.

use super::passed::{Passed, Traffic};
use super::{SLOTS, limit, slot_of};
use crate::detect::{Finding, Settings, StanzaWatch};
use crate::evidence::{Direction, FlowInfo, Seen, Sighting, Stamp};
use crate::protocol::xmpp::{Burst, Leg, Stanza, StanzaKind, XmppEvent, jid};
use crate::protocol::{Event, Record};
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

/// A connection of a sender's own that carries less than the limit by this factor is not looked at: who wants to stay
/// below needs more connections than a site allows.
const SHARE: u64 = 8;
/// Senders on connections watched at a time in a shard; the quiet ones are forgotten.
pub(super) const MAX_LANES: usize = 4_096;

const IBB: &str = "http://jabber.org/protocol/ibb";
const MUC_USER: &str = "http://jabber.org/protocol/muc#user";

/// Counts stanzas by sender and connection.
#[derive(Debug)]
pub struct FloodWatch {
    share: u64,
    traffic: Traffic,
    lanes: HashMap<LaneKey, Lane, RandomState>,
    /// Lanes with something to tell, in the order in which they came to it.
    busy: Vec<LaneKey>,
    /// Stanzas to be counted by sender; kept for its memory.
    ready: Vec<Passed>,
    told: Vec<Record>,
}

/// A direction of a connection, and the sender there. A lane holds its flow, so that no other has its place in memory.
type LaneKey = (usize, Direction, u64);

#[derive(Debug)]
struct Lane {
    flow: Arc<FlowInfo>,
    leg: Leg,
    /// Known once the lane is busy: who was not logged in before may be by then.
    sender: Box<str>,
    slots: VecDeque<Slot>,
    /// Stanzas in all slots.
    total: u64,
    is_busy: bool,
}

/// Stanzas within a slot of time.
#[derive(Debug, Clone, Copy)]
struct Slot {
    number: i64,
    counts: [u32; 3],
    told: [u32; 3],
    first: Stamp,
    last: Stamp,
}

impl FloodWatch {
    /// Judges by the policy's rate, or by its default.
    pub fn new(settings: &Settings) -> Self {
        let limit = limit(settings);
        Self {
            share: (limit / SHARE).max(1),
            traffic: Traffic::new(limit),
            lanes: HashMap::default(),
            busy: Vec::new(),
            ready: Vec::new(),
            told: Vec::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn make_room(&mut self, now: i64) {
        self.lanes.retain(|_, lane| lane.slots.back().is_some_and(|slot| slot.number > now - SLOTS));
        if self.lanes.len() > MAX_LANES / 2 {
            self.lanes.clear();
        }
        let lanes = &self.lanes;
        self.busy.retain(|key| lanes.contains_key(key));
    }

    fn count(&mut self, key: LaneKey, passed: &Passed, seen: &Seen<'_>, leg: Leg) {
        if self.lanes.len() >= MAX_LANES && !self.lanes.contains_key(&key) {
            self.drain_busy();
            self.make_room(slot_of(passed.last));
        }
        let lane = self.lanes.entry(key).or_insert_with(|| Lane::new(seen.flow, leg));
        lane.count(passed, seen.direction, &mut self.told);
    }
}

impl StanzaWatch for FloodWatch {
    fn on_stanza(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>, _out: &mut Vec<Finding>) {
        if !counts(stanza) {
            return;
        }
        let is_own = stanza.leg == Leg::Sent;
        // On his own connection a sender is who has it, whatever he says.
        let named = stanza.from.filter(|_| !is_own).map(jid::bare).unwrap_or_default();
        let sender_hash = if named.is_empty() { 0 } else { self.lanes.hasher().hash_one(named) };
        let passed = Passed { sender: sender_hash, kind: index(stanza.kind), first: seen.first, last: seen.last };
        let mut ready = std::mem::take(&mut self.ready);
        if is_own {
            ready.push(passed);
        } else {
            self.traffic.note(seen, passed, &mut ready);
        }
        let key = |sender| (Arc::as_ptr(seen.flow) as usize, seen.direction, sender);
        for passed in ready.drain(..) {
            self.count(key(passed.sender), &passed, seen, stanza.leg);
        }
        self.ready = ready;
        // A lane fills up with a stanza of its sender's own, whose name is known only now.
        if let Some(lane) = self.lanes.get_mut(&key(sender_hash))
            && lane.total >= self.share
            && !lane.is_busy
        {
            lane.is_busy = true;
            lane.sender = sender(seen, stanza);
            self.busy.push(key(sender_hash));
        }
    }

    fn drain(&mut self, records: &mut Vec<Record>) {
        self.drain_busy();
        records.append(&mut self.told);
    }
}

impl FloodWatch {
    fn drain_busy(&mut self) {
        for key in self.busy.drain(..) {
            if let Some(lane) = self.lanes.get_mut(&key) {
                let (flow, direction) = (&lane.flow, key.1);
                for slot in &mut lane.slots {
                    tell(slot, flow, direction, lane.leg, &lane.sender, &mut self.told);
                }
                lane.is_busy = false;
            }
        }
    }
}

/// What a sender does by himself.
fn counts(stanza: &Stanza<'_>) -> bool {
    let is_answer = matches!(stanza.stanza_type, Some("error" | "result"));
    if is_answer || (!stanza.children.is_empty() && has_child(stanza, IBB)) {
        return false;
    }
    match stanza.leg {
        Leg::Sent => true,
        // A room repeats to each occupant what one said; a server hands over archives and rosters.
        _ => {
            let to_occupant = stanza.stanza_type == Some("groupchat") && stanza.to.is_none_or(|to| to.contains('/'));
            let from = stanza.from.unwrap_or_default();
            let of_own = stanza.to.is_some_and(|to| jid::bare(to) == jid::bare(from));
            from.contains('@') && !to_occupant && !of_own && !has_child(stanza, MUC_USER)
        }
    }
}

fn has_child(stanza: &Stanza<'_>, namespace: &str) -> bool {
    stanza.namespaces().any(|child| child == namespace)
}

fn sender(seen: &Seen<'_>, stanza: &Stanza<'_>) -> Box<str> {
    match stanza.from {
        Some(from) => jid::bare(from).into(),
        None => seen.sender().ip().to_canonical().to_string().into(),
    }
}

impl Lane {
    fn new(flow: &Arc<FlowInfo>, leg: Leg) -> Self {
        Self { flow: Arc::clone(flow), leg, sender: Box::default(), slots: VecDeque::new(), total: 0, is_busy: false }
    }

    fn count(&mut self, passed: &Passed, direction: Direction, told: &mut Vec<Record>) {
        let now = slot_of(passed.last);
        while let Some(old) = self.slots.front_mut().filter(|slot| slot.number <= now - SLOTS) {
            if self.is_busy {
                tell(old, &self.flow, direction, self.leg, &self.sender, told);
            }
            self.total -= sum(&old.counts);
            self.slots.pop_front();
        }
        // A clock that goes back counts into the last slot.
        if self.slots.back().is_none_or(|slot| slot.number < now) {
            let (first, last) = (passed.first, passed.last);
            self.slots.push_back(Slot { number: now, counts: [0; 3], told: [0; 3], first, last });
        }
        if let Some(slot) = self.slots.back_mut()
            && let Some(count) = slot.counts.get_mut(usize::from(passed.kind))
        {
            *count = count.saturating_add(1);
            slot.last = passed.last;
            self.total += 1;
        }
    }
}

fn index(kind: StanzaKind) -> u8 {
    match kind {
        StanzaKind::Message => 0,
        StanzaKind::Presence => 1,
        StanzaKind::Iq => 2,
    }
}

fn sum(counts: &[u32; 3]) -> u64 {
    counts.iter().map(|count| u64::from(*count)).sum()
}

/// Tells what of a slot was not told yet.
fn tell(slot: &mut Slot, flow: &Arc<FlowInfo>, direction: Direction, leg: Leg, sender: &str, told: &mut Vec<Record>) {
    let mut counts = slot.counts;
    counts.iter_mut().zip(&slot.told).for_each(|(count, told)| *count -= told);
    if counts == [0; 3] {
        return;
    }
    slot.told = slot.counts;
    let at = Sighting { flow: Arc::clone(flow), direction, first: slot.first, last: slot.last };
    told.push(Record {
        at,
        event: Event::Xmpp(XmppEvent::Burst(Box::new(Burst { sender: sender.to_owned(), leg, counts }))),
    });
}
