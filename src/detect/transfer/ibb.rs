//! Files that moved in band (XEP-0047): the legs of one transfer, however many connections it crossed.
//!
//! The decoder reports what each connection carried: the sender's, one between servers, the receiver's. These legs
//! are joined by bytestream id, parties and time, and the best of them tells what moved: the complete one, then the one
//! with more bytes.
//!
//! Where a stream was resumed over another connection (XEP-0198), one leg has the beginning and another the rest; [`Parts`]
//! makes the file of them.
//!
//! A leg is reported when its close, or the end of its connection, is seen; so a transfer is held until the capture
//! ends, or until so many are held that the oldest must go.

use super::moved::Moved;
use super::offers::{Offers, Wanted, agree, fuller};
use super::resumed::Parts;
use crate::evidence::{Direction, Sighting};
use crate::protocol::xmpp::{FileOffer, IbbTransfer};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

/// Transfers held for legs still to come.
pub(super) const MAX_HELD: usize = 65_536;
/// Transfers of one bytestream id that are compared. Ids are meant to be unique; who reuses one more often gets the
/// later ones joined with the latest only.
const MAX_OF_ONE_SID: usize = 64;
/// Connections that one transfer crosses: sender, servers and gateways, receiver. Bytes with the same id on more
/// connections than this are other transfers.
const MAX_LEGS: usize = 16;
/// A relayed leg begins at most this long after the one before it has ended: servers relay within seconds.
const MAX_RELAY_DELAY_NS: i64 = 30_000_000_000;

/// Transfers whose legs are still coming.
#[derive(Debug, Default)]
pub(super) struct Legs {
    /// Held transfers by the order in which they were first seen.
    held: BTreeMap<u64, Transfer>,
    by_sid: HashMap<String, VecDeque<u64>>,
    next: u64,
}

/// One transfer, as its legs so far tell it.
#[derive(Debug)]
pub(super) struct Transfer {
    /// The leg nearest to the sender.
    source: Sighting,
    /// Where the leg nearest to the receiver ends, if a server sent it there.
    receiver: Option<SocketAddr>,
    /// The leg that carried most.
    best: IbbTransfer,
    from: Option<String>,
    to: Option<String>,
    /// Of legs that crossed in parts.
    parts: Parts,
    /// Connection and direction of each leg: one leg cannot be two transfers at once.
    legs: Vec<(Box<str>, Direction)>,
    first_ns: i64,
    last_ns: i64,
}

impl Legs {
    /// Takes a leg; gives back the oldest transfer if too many are held.
    pub(super) fn add(&mut self, leg: &IbbTransfer, at: &Sighting) -> Option<Transfer> {
        if let Some(transfer) = self.transfer_of(leg, at) {
            transfer.join(leg, at);
            return None;
        }
        let mut evicted = None;
        if self.held.len() >= MAX_HELD
            && let Some((number, oldest)) = self.held.pop_first()
        {
            self.forget(number, &oldest.best.sid);
            evicted = Some(oldest);
        }
        let same_sid = self.by_sid.entry(leg.sid.clone()).or_default();
        if same_sid.len() >= MAX_OF_ONE_SID {
            same_sid.pop_front();
        }
        same_sid.push_back(self.next);
        self.held.insert(self.next, Transfer::of(leg, at));
        self.next += 1;
        evicted
    }

    /// All transfers that are held, in the order in which they were first seen.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Transfer> + use<> {
        self.by_sid.clear();
        std::mem::take(&mut self.held).into_values()
    }

    /// The held transfer that a leg belongs to: of those that fit, the one that began nearest to it.
    fn transfer_of(&mut self, leg: &IbbTransfer, at: &Sighting) -> Option<&mut Transfer> {
        let same_sid = self.by_sid.get(&leg.sid)?;
        let fitting = same_sid.iter().filter_map(|number| {
            let transfer = self.held.get(number)?;
            transfer.fits(leg, at).then_some((transfer.first_ns.abs_diff(at.first.time_ns), *number))
        });
        let (_, number) = fitting.min()?;
        self.held.get_mut(&number)
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.held.len(), self.by_sid.len())
    }

    fn forget(&mut self, number: u64, sid: &str) {
        if let Some(same_sid) = self.by_sid.get_mut(sid) {
            same_sid.retain(|held| *held != number);
            if same_sid.is_empty() {
                self.by_sid.remove(sid);
            }
        }
    }
}

impl Transfer {
    fn of(leg: &IbbTransfer, at: &Sighting) -> Self {
        Self {
            source: at.clone(),
            receiver: delivered_to(at),
            best: IbbTransfer { part: None, ..leg.clone() },
            from: leg.from.clone(),
            to: leg.to.clone(),
            parts: Parts::of(leg, at),
            legs: vec![(at.flow.community_id.clone(), at.direction)],
            first_ns: at.first.time_ns,
            last_ns: at.last.time_ns,
        }
    }

    fn fits(&self, leg: &IbbTransfer, at: &Sighting) -> bool {
        let new_leg = self.legs.len() < MAX_LEGS
            && !self.legs.iter().any(|(flow, direction)| **flow == *at.flow.community_id && *direction == at.direction);
        let same_parties =
            agree(self.from.as_deref(), leg.from.as_deref()) && agree(self.to.as_deref(), leg.to.as_deref());
        let same_time = at.first.time_ns <= self.last_ns.saturating_add(MAX_RELAY_DELAY_NS)
            && self.first_ns <= at.last.time_ns.saturating_add(MAX_RELAY_DELAY_NS);
        new_leg && same_parties && (same_time || self.parts.go_on(leg, at))
    }

    fn join(&mut self, leg: &IbbTransfer, at: &Sighting) {
        self.legs.push((at.flow.community_id.clone(), at.direction));
        self.receiver = self.receiver.or_else(|| delivered_to(at));
        self.first_ns = self.first_ns.min(at.first.time_ns);
        self.last_ns = self.last_ns.max(at.last.time_ns);
        self.from = fuller(self.from.take(), leg.from.as_deref());
        self.to = fuller(self.to.take(), leg.to.as_deref());
        if (leg.complete, leg.content.bytes) > (self.best.complete, self.best.content.bytes) {
            self.best = IbbTransfer { part: None, ..leg.clone() };
        }
        self.parts.add(leg, at);
        // The sender opened its connection; of those that were opened by who sends, the first is the sender's.
        let nearness = |at: &Sighting| (at.direction, at.first.order());
        if nearness(at) < nearness(&self.source) {
            self.source = at.clone();
        }
    }

    /// What moved, by the name under which it was offered.
    pub(super) fn moved(self, offers: &Offers) -> Moved {
        let Self { source, receiver, mut best, from, to, parts, first_ns, last_ns, .. } = self;
        if !best.complete
            && let Some((content, complete)) = parts.whole()
            && content.bytes > best.content.bytes
        {
            (best.content, best.complete) = (content, complete);
        }
        let wanted = Wanted { sid: &best.sid, from: from.as_deref(), to: to.as_deref(), first_ns, last_ns };
        let offered = offers.find(wanted);
        let offer = offered.map(|(offer, _)| offer);
        let mut moved = Moved::new(method(offer), "xmpp", &source, best.content);
        // A close before the end: every block arrived, the file did not.
        moved.complete =
            best.complete && offer.and_then(|offer| offer.size).is_none_or(|size| moved.content.bytes >= size);
        (moved.from, moved.to) = (from, to);
        let sender = (source.direction == Direction::FromOrig).then(|| source.sender());
        moved.addresses = (sender, receiver);
        (moved.start_ns, moved.end_ns) = (first_ns, last_ns);
        if let Some((offer, at)) = offered {
            moved.offered(offer, at);
        }
        moved
    }
}

/// A client opens its connections, so what is sent to an opener is delivered to a client.
fn delivered_to(at: &Sighting) -> Option<SocketAddr> {
    (at.direction == Direction::FromResp).then(|| at.receiver())
}

fn method(offer: Option<&FileOffer>) -> &'static str {
    match offer.map(|offer| offer.via) {
        None => "ibb",
        Some("jingle") => "jingle-ibb",
        Some(_) => "si-ibb",
    }
}
