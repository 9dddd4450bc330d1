//! Puts together what the shards counted: floods by sender.

use super::{SLOTS, limit, slot_of};
use crate::detect::title::in_title;
use crate::detect::{Detector, Finding, Kind, Settings};
use crate::evidence::{Direction, FlowInfo, Sighting, Stamp};
use crate::protocol::xmpp::{Burst, Leg, XmppEvent};
use crate::protocol::{Event, Record};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Senders, connections of one, and floods of one, that are kept.
pub(super) const MAX_SENDERS: usize = 16_384;
const MAX_VIEWS: usize = 64;
const MAX_FLOODS: usize = 64;
/// Frames that a finding lists.
const MAX_FRAMES: usize = 100;

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

    #[cfg(test)]
    pub(super) fn senders(&self) -> usize {
        self.senders.len()
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
                self.make_room(slot_of(record.at.last));
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
            slot: slot_of(record.at.first),
            counts: burst.counts.map(u64::from),
            at: record.at.clone(),
            frames: vec![record.at.first, record.at.last],
            is_spread: false,
        }
    }

    fn last_slot(&self) -> i64 {
        slot_of(self.at.last)
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
