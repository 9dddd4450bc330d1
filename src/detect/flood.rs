//! Stanzas of one sender over the policy's rate.
//!
//! A stanza is sent once, but may be captured on every leg of its way; and a sender may use several connections. So the
//! legs are counted apart: what a sender's own connections carry is added up, between servers and at a receiver each
//! connection stands for itself, and of those that show the same the fullest is told.
//!
//! [`FloodWatch`] counts in the shards, by slots of a few seconds, and lets go what belongs to connections that carry
//! a good part of the limit; [`Floods`] puts that together. Answers, bounces, files (IBB), archives and what rooms
//! repeat to each occupant are not the sender's doing, and do not count.

use super::title::in_title;
use super::{Detector, Finding, Kind, Settings, StanzaWatch};
use crate::evidence::{Direction, FlowInfo, Seen, Sighting, Stamp};
use crate::policy::DEFAULT_STANZAS_PER_MINUTE;
use crate::protocol::xmpp::{Burst, Leg, Stanza, StanzaKind, XmppEvent, jid};
use crate::protocol::{Event, Record};
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

/// A minute is this many slots, which begin with the clock's.
const SLOTS: i64 = 12;
const SLOT_NS: i64 = 60_000_000_000 / SLOTS;
/// A connection that carries less than the limit by this factor is not looked at: who wants to stay below needs more
/// connections than a site allows.
const SHARE: u64 = 8;
/// Senders on connections watched at a time in a shard; the quiet ones are forgotten.
const MAX_LANES: usize = 4_096;
/// Senders, connections of one, and floods of one, that are kept.
const MAX_SENDERS: usize = 16_384;
const MAX_VIEWS: usize = 64;
const MAX_FLOODS: usize = 64;
/// Frames that a finding lists.
const MAX_FRAMES: usize = 100;

const IBB: &str = "http://jabber.org/protocol/ibb";
const MUC_USER: &str = "http://jabber.org/protocol/muc#user";

fn limit(settings: &Settings) -> u64 {
    settings.policy.as_ref().map_or(DEFAULT_STANZAS_PER_MINUTE, |policy| policy.xmpp.stanzas_per_minute)
}

/// Counts stanzas by sender and connection.
#[derive(Debug)]
pub struct FloodWatch {
    share: u64,
    lanes: HashMap<LaneKey, Lane, RandomState>,
    /// Lanes with something to tell, in the order in which they came to it.
    busy: Vec<LaneKey>,
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
        let share = (limit(settings) / SHARE).max(1);
        Self { share, lanes: HashMap::default(), busy: Vec::new(), told: Vec::new() }
    }

    fn make_room(&mut self, now: i64) {
        self.lanes.retain(|_, lane| lane.slots.back().is_some_and(|slot| slot.number > now - SLOTS));
        if self.lanes.len() > MAX_LANES / 2 {
            self.lanes.clear();
        }
        let lanes = &self.lanes;
        self.busy.retain(|key| lanes.contains_key(key));
    }
}

impl StanzaWatch for FloodWatch {
    fn on_stanza(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>, _out: &mut Vec<Finding>) {
        if !counts(stanza) {
            return;
        }
        let now = seen.last.time_ns.div_euclid(SLOT_NS);
        // On his own connection a sender is who has it, whatever he says.
        let named = stanza.from.filter(|_| stanza.leg != Leg::Sent).map(jid::bare).unwrap_or_default();
        let key = (
            Arc::as_ptr(seen.flow) as usize,
            seen.direction,
            if named.is_empty() { 0 } else { self.lanes.hasher().hash_one(named) },
        );
        if self.lanes.len() >= MAX_LANES && !self.lanes.contains_key(&key) {
            self.drain_busy();
            self.make_room(now);
        }
        let lane = self.lanes.entry(key).or_insert_with(|| Lane::new(seen, stanza.leg));
        lane.count(now, stanza, seen, &mut self.told);
        if lane.total >= self.share && !lane.is_busy {
            lane.is_busy = true;
            lane.sender = sender(seen, stanza);
            self.busy.push(key);
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
    stanza.children.split(' ').any(|child| child == namespace)
}

fn sender(seen: &Seen<'_>, stanza: &Stanza<'_>) -> Box<str> {
    match stanza.from {
        Some(from) => jid::bare(from).into(),
        None => seen.sender().ip().to_canonical().to_string().into(),
    }
}

impl Lane {
    fn new(seen: &Seen<'_>, leg: Leg) -> Self {
        Self {
            flow: Arc::clone(seen.flow),
            leg,
            sender: Box::default(),
            // Most senders are heard of in passing.
            slots: VecDeque::with_capacity(1),
            total: 0,
            is_busy: false,
        }
    }

    fn count(&mut self, now: i64, stanza: &Stanza<'_>, seen: &Seen<'_>, told: &mut Vec<Record>) {
        while let Some(old) = self.slots.front_mut().filter(|slot| slot.number <= now - SLOTS) {
            if self.is_busy {
                tell(old, &self.flow, seen.direction, self.leg, &self.sender, told);
            }
            self.total -= sum(&old.counts);
            self.slots.pop_front();
        }
        // A clock that goes back counts into the last slot.
        if self.slots.back().is_none_or(|slot| slot.number < now) {
            self.slots.push_back(Slot {
                number: now,
                counts: [0; 3],
                told: [0; 3],
                first: seen.first,
                last: seen.last,
            });
        }
        if let Some(slot) = self.slots.back_mut()
            && let Some(count) = slot.counts.get_mut(index(stanza.kind))
        {
            *count = count.saturating_add(1);
            slot.last = seen.last;
            self.total += 1;
        }
    }
}

fn index(kind: StanzaKind) -> usize {
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

/// `xmpp.flood`: one a sender and flood.
#[derive(Debug)]
pub struct Floods {
    limit: u64,
    senders: HashMap<String, Vec<View>>,
    /// No more are taken.
    is_full: bool,
}

/// What one place shows of a sender: his own connections together, or one of those behind.
#[derive(Debug)]
struct View {
    /// The connection, for those behind.
    place: Option<(Arc<FlowInfo>, Direction)>,
    /// Stanzas by slot, within a minute.
    slots: VecDeque<Flood>,
    floods: Vec<Flood>,
}

/// Stanzas over a time.
#[derive(Debug, Clone)]
struct Flood {
    slot: i64,
    counts: [u64; 3],
    at: Sighting,
    frames: Vec<Stamp>,
    /// They are of several connections.
    is_spread: bool,
}

impl Floods {
    /// Judges by the policy's rate, or by its default.
    pub fn new(settings: &Settings) -> Self {
        Self { limit: limit(settings), senders: HashMap::new(), is_full: false }
    }

    /// Forgets who has been quiet; if that is not enough, whoever did not flood yet, and then no more are taken.
    fn make_room(&mut self, now: i64) {
        self.senders.retain(|_, views| views.iter().any(|view| view.is_of_interest(now)));
        if self.senders.len() > MAX_SENDERS / 2 {
            self.senders.retain(|_, views| views.iter().any(|view| !view.floods.is_empty()));
        }
        self.is_full = self.senders.len() > MAX_SENDERS / 2;
    }
}

impl Detector for Floods {
    fn on_record(&mut self, record: &Record, _out: &mut Vec<Finding>) {
        let Event::Xmpp(XmppEvent::Burst(burst)) = &record.event else { return };
        if !self.senders.contains_key(&burst.sender) {
            if self.senders.len() >= MAX_SENDERS && !self.is_full {
                self.make_room(record.at.last.time_ns.div_euclid(SLOT_NS));
            }
            if self.is_full {
                return;
            }
        }
        let views = self.senders.entry(burst.sender.clone()).or_default();
        let place = (burst.leg != Leg::Sent).then_some((&record.at.flow, record.at.direction));
        let same = |view: &View| match (&view.place, place) {
            (None, None) => true,
            (Some((flow, direction)), Some(other)) => Arc::ptr_eq(flow, other.0) && *direction == other.1,
            _ => false,
        };
        let found = views.iter().position(same);
        if found.is_none() && views.len() < MAX_VIEWS {
            let place = place.map(|(flow, direction)| (Arc::clone(flow), direction));
            views.push(View { place, slots: VecDeque::new(), floods: Vec::new() });
        }
        let view = match found {
            Some(index) => views.get_mut(index),
            None => views.last_mut().filter(|view| same(view)),
        };
        if let Some(view) = view {
            view.add(burst, record, self.limit);
        }
    }

    fn finish(&mut self, out: &mut Vec<Finding>) {
        let mut senders: Vec<_> = std::mem::take(&mut self.senders).into_iter().collect();
        senders.sort_by(|one, other| one.0.cmp(&other.0));
        for (sender, views) in senders {
            out.extend(fullest(views).into_iter().map(|flood| flood.into_finding(&sender)));
        }
    }
}

impl View {
    fn is_of_interest(&self, now: i64) -> bool {
        !self.floods.is_empty() || self.slots.back().is_some_and(|slot| slot.slot > now - SLOTS)
    }

    fn add(&mut self, burst: &Burst, record: &Record, limit: u64) {
        let part = Flood::of(burst, record);
        let now = part.slot;
        let in_flood = self.floods.last().is_some_and(|flood| now - flood.last_slot() < SLOTS);
        self.slots.retain(|slot| slot.slot > now - SLOTS);
        self.slots.push_back(part.clone());
        let total: u64 = self.slots.iter().flat_map(|slot| slot.counts).sum();
        if in_flood {
            if let Some(flood) = self.floods.last_mut() {
                flood.join(part);
            }
        } else if total > limit
            && self.floods.len() < MAX_FLOODS
            && let Some(flood) = self.slots.iter().cloned().reduce(Flood::and)
        {
            self.floods.push(flood);
        }
    }
}

impl Flood {
    fn of(burst: &Burst, record: &Record) -> Self {
        Self {
            slot: record.at.first.time_ns.div_euclid(SLOT_NS),
            counts: burst.counts.map(u64::from),
            at: record.at.clone(),
            frames: vec![record.at.first, record.at.last],
            is_spread: false,
        }
    }

    fn last_slot(&self) -> i64 {
        self.at.last.time_ns.div_euclid(SLOT_NS)
    }

    fn and(mut self, other: Self) -> Self {
        self.join(other);
        self
    }

    fn join(&mut self, other: Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count = count.saturating_add(more));
        self.is_spread |= other.is_spread || self.at.flow != other.at.flow;
        if other.at.first.order() < self.at.first.order() {
            self.at.first = other.at.first;
        }
        if other.at.last.order() > self.at.last.order() {
            self.at.last = other.at.last;
        }
        let room = MAX_FRAMES.saturating_sub(self.frames.len());
        self.frames.extend(other.frames.into_iter().take(room));
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.at.first.time_ns <= other.at.last.time_ns && other.at.first.time_ns <= self.at.last.time_ns
    }

    /// The kind that nearly all are of.
    fn kind(&self) -> &'static str {
        let names = ["message", "presence", "iq"];
        let main = names.iter().zip(self.counts).max_by_key(|(_, count)| *count);
        main.filter(|(_, count)| count.saturating_mul(10) >= self.total().saturating_mul(9))
            .map_or("mixed", |(name, _)| name)
    }

    fn into_finding(self, sender: &str) -> Finding {
        let seconds = u64::try_from(self.at.last.time_ns.saturating_sub(self.at.first.time_ns)).unwrap_or(0);
        let seconds = seconds / 1_000_000_000 + 1;
        let (kind, count) = (self.kind(), self.total());
        let what = if kind == "mixed" { "stanzas".to_owned() } else { format!("{kind} stanzas") };
        let title = format!("{count} {what} by {} within {seconds} s", in_title(sender));
        let mut finding = Finding::new(Kind::XmppFlood, "xmpp", &self.at.as_seen(), title);
        if self.is_spread {
            finding.flow = None;
            finding.src = Some(self.at.sender().ip().to_string());
        }
        self.frames.iter().for_each(|stamp| finding.add_frame(*stamp));
        finding.with("kind", kind).with("count", count).with("seconds", seconds).with("from", sender)
    }
}

/// Of floods at the same time, the one where most is seen: the sender's own connections first.
fn fullest(views: Vec<View>) -> Vec<Flood> {
    let mut floods: Vec<(bool, Flood)> = Vec::new();
    for view in views {
        floods.extend(view.floods.into_iter().map(|flood| (view.place.is_some(), flood)));
    }
    floods.sort_by_key(|(behind, flood)| (*behind, std::cmp::Reverse(flood.total()), flood.at.first.order()));
    let mut kept: Vec<Flood> = Vec::new();
    for (_, flood) in floods {
        if !kept.iter().any(|other| other.overlaps(&flood)) {
            kept.push(flood);
        }
    }
    kept.sort_by_key(|flood| flood.at.first.order());
    kept
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::detect::Evidence;
    use crate::detect::scene::{flow, settings, stamp};

    const SECOND: i64 = 1_000_000_000;
    const POLICY: &str = "[xmpp]\nstanzas_per_minute = 40";

    struct Lab {
        watches: Vec<FloodWatch>,
        flows: HashMap<String, Arc<FlowInfo>>,
    }

    impl Lab {
        fn new() -> Self {
            let watches = (0..3).map(|_| FloodWatch::new(&settings(Some(POLICY)))).collect();
            Self { watches, flows: HashMap::new() }
        }

        fn stanza(&mut self, client: &str, time_ns: i64, leg: Leg, change: impl FnOnce(&mut Stanza<'_>)) {
            let flow = self.flows.entry(client.to_owned()).or_insert_with(|| flow(client, "10.0.0.1:5222"));
            let direction = if leg == Leg::Delivered { Direction::FromResp } else { Direction::FromOrig };
            let seen = Seen { flow, direction, first: stamp(time_ns), last: stamp(time_ns) };
            let mut stanza = Stanza {
                kind: StanzaKind::Presence,
                from: Some("pest@x.test/r"),
                to: Some("victim@x.test"),
                stanza_type: None,
                id: None,
                body: None,
                children: "",
                bytes: 100,
                meaning: Default::default(),
                leg,
                oob: None,
            };
            change(&mut stanza);
            let shard = client.len() % 3;
            self.watches[shard].on_stanza(&seen, &stanza, &mut Vec::new());
        }

        fn findings(mut self) -> Vec<Finding> {
            let mut records = Vec::new();
            self.watches.iter_mut().for_each(|watch| watch.drain(&mut records));
            records.sort_by_key(|record| record.at.last.order());
            let mut detector = Floods::new(&settings(Some(POLICY)));
            let mut out = Vec::new();
            records.iter().for_each(|record| detector.on_record(record, &mut out));
            detector.finish(&mut out);
            out
        }
    }

    #[test]
    fn one_sender_over_the_rate_is_one_finding() {
        let mut lab = Lab::new();
        for n in 0..100 {
            lab.stanza("10.0.0.7:4000", n * SECOND / 2, Leg::Sent, |_| {});
            lab.stanza("10.0.0.8:40001", n * SECOND / 2 + 1, Leg::Delivered, |_| {});
        }
        let found = lab.findings();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].title, "100 presence stanzas by pest@x.test within 50 s");
        assert_eq!(found[0].src.as_deref(), Some("10.0.0.7:4000"));
        assert_eq!(
            found[0].evidence,
            [
                ("kind", Evidence::Text("presence".to_owned())),
                ("count", Evidence::Number(100)),
                ("seconds", Evidence::Number(50)),
                ("from", Evidence::Text("pest@x.test".to_owned()))
            ]
        );
    }

    #[test]
    fn connections_of_one_sender_are_added_up() {
        let mut lab = Lab::new();
        for n in 0..30 {
            lab.stanza("10.0.0.7:4000", n * SECOND, Leg::Sent, |_| {});
            lab.stanza("10.0.0.7:40001", n * SECOND, Leg::Sent, |stanza| stanza.kind = StanzaKind::Message);
        }
        let found = lab.findings();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].title, "60 stanzas by pest@x.test within 30 s");
        assert_eq!((found[0].flow.as_deref(), found[0].src.as_deref()), (None, Some("10.0.0.7")));
    }

    #[test]
    fn what_many_receive_of_one_is_no_flood() {
        let mut lab = Lab::new();
        for n in 0..100 {
            lab.stanza(&format!("10.0.0.{n}:4000"), n, Leg::Delivered, |_| {});
        }
        assert_eq!(lab.findings(), []);
    }

    #[test]
    fn a_victim_sees_a_flood_from_elsewhere() {
        let mut lab = Lab::new();
        (0..100).for_each(|n| lab.stanza("10.0.0.8:40001", n * SECOND / 4, Leg::Delivered, |_| {}));
        assert_eq!(lab.findings().len(), 1);
    }

    #[test]
    fn slow_senders_answers_files_rooms_and_archives_are_none() {
        let mut lab = Lab::new();
        for n in 0..300 {
            lab.stanza("10.0.0.7:4000", n * SECOND * 2, Leg::Sent, |_| {});
            lab.stanza("10.0.0.7:4000", n, Leg::Sent, |stanza| stanza.stanza_type = Some("result"));
            lab.stanza("10.0.0.7:4000", n, Leg::Sent, |stanza| stanza.children = IBB);
            lab.stanza("10.0.0.7:4001", n, Leg::Delivered, |stanza| {
                stanza.stanza_type = Some("groupchat");
                stanza.to = Some("victim@x.test/r");
            });
            lab.stanza("10.0.0.7:4001", n, Leg::Delivered, |stanza| stanza.from = Some("victim@x.test"));
            lab.stanza("10.0.0.7:4001", n, Leg::Delivered, |stanza| stanza.children = MUC_USER);
        }
        assert_eq!(lab.findings(), []);
    }

    #[test]
    fn senders_without_end_need_no_memory_without_end() {
        let mut watch = FloodWatch::new(&settings(Some("[xmpp]\nstanzas_per_minute = 1")));
        let mut detector = Floods::new(&settings(Some("[xmpp]\nstanzas_per_minute = 1")));
        let flow = flow("10.0.0.7:4000", "10.0.0.1:5269");
        let mut records = Vec::new();
        for n in 0..MAX_SENDERS + 2 {
            let from = format!("u{n}@x.test");
            let seen = Seen { flow: &flow, direction: Direction::FromOrig, first: stamp(1), last: stamp(1) };
            let stanza = Stanza {
                kind: StanzaKind::Message,
                from: Some(&from),
                to: Some("victim@x.test"),
                stanza_type: None,
                id: None,
                body: None,
                children: "",
                bytes: 100,
                meaning: Default::default(),
                leg: Leg::Between,
                oob: None,
            };
            watch.on_stanza(&seen, &stanza, &mut Vec::new());
            assert!(watch.lanes.len() <= MAX_LANES);
        }
        watch.drain(&mut records);
        records.iter().for_each(|record| detector.on_record(record, &mut Vec::new()));
        assert!(detector.senders.len() <= MAX_SENDERS);
    }
}
