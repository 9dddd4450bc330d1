//! Offers of files: SI (XEP-0096), whose id is that of the bytestream, and Jingle (XEP-0234), which names the bytestream
//! in its transport.

use crate::evidence::Sighting;
use crate::protocol::xmpp::{FileOffer, jid};
use std::collections::{HashMap, VecDeque};

/// Offers held for a bytestream still to come.
pub(super) const MAX_OFFERS: usize = 65_536;
/// Offers for one bytestream id that are compared. Ids are meant to be unique.
const MAX_OF_ONE_SID: usize = 64;

/// A bytestream that looks for its offer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub sid: &'a str,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub first_ns: i64,
    pub last_ns: i64,
}

/// Offers by the bytestream that they announce.
#[derive(Debug, Default)]
pub(super) struct Offers {
    by_sid: HashMap<String, VecDeque<(FileOffer, Sighting)>>,
    /// Bytestream ids in the order of the offers, to know the oldest.
    order: VecDeque<String>,
}

impl Offers {
    /// Takes an offer.
    pub(super) fn add(&mut self, offer: &FileOffer, at: &Sighting) {
        let sid = match offer.via {
            "jingle" => offer.transport_sid.as_ref().unwrap_or(&offer.session),
            _ => &offer.session,
        };
        let offers = self.by_sid.entry(sid.clone()).or_default();
        // The same offer on a further leg: the first telling stands, but may lack a party.
        if let Some((known, _)) = offers.back_mut()
            && is_same_offer(known, offer)
        {
            known.from = fuller(known.from.take(), offer.from.as_deref());
            known.to = fuller(known.to.take(), offer.to.as_deref());
            return;
        }
        if offers.len() >= MAX_OF_ONE_SID {
            offers.pop_front();
        }
        offers.push_back((offer.clone(), at.clone()));
        self.order.push_back(sid.clone());
        if self.order.len() > MAX_OFFERS
            && let Some(oldest) = self.order.pop_front()
            && let Some(offers) = self.by_sid.get_mut(&oldest)
        {
            offers.pop_front();
            if offers.is_empty() {
                self.by_sid.remove(&oldest);
            }
        }
    }

    /// The latest offer before the bytes began; if none was seen in time, the first one after.
    pub(super) fn find(&self, wanted: Wanted<'_>) -> Option<&(FileOffer, Sighting)> {
        let fitting = |(offer, _): &&(FileOffer, Sighting)| announces(offer, wanted);
        let before = |(_, at): &&(FileOffer, Sighting)| at.first.time_ns <= wanted.first_ns;
        let offers = self.by_sid.get(wanted.sid)?;
        let in_time = offers.iter().rev().filter(fitting).find(before);
        in_time.or_else(|| offers.iter().filter(fitting).find(|(_, at)| at.first.time_ns <= wanted.last_ns))
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.by_sid.len(), self.order.len())
    }
}

fn is_same_offer(one: &FileOffer, other: &FileOffer) -> bool {
    one.via == other.via
        && (&one.session, &one.transport_sid, &one.name, one.size)
            == (&other.session, &other.transport_sid, &other.name, other.size)
        && agree(one.from.as_deref(), other.from.as_deref())
        && agree(one.to.as_deref(), other.to.as_deref())
}

/// In SI the offering side sends; in Jingle either may (a request turns the file around).
fn announces(offer: &FileOffer, wanted: Wanted<'_>) -> bool {
    let (from, to) = (wanted.from, wanted.to);
    let between = |one, other| agree(offer.from.as_deref(), one) && agree(offer.to.as_deref(), other);
    between(from, to) || (offer.via == "jingle" && between(to, from))
}

/// Two tellings of one party: unknown agrees with anyone.
pub(super) fn agree(one: Option<&str>, other: Option<&str>) -> bool {
    one.zip(other).is_none_or(|(one, other)| jid::agree(one, other))
}

/// The telling of a party that says more.
pub(super) fn fuller(known: Option<String>, told: Option<&str>) -> Option<String> {
    match (known, told) {
        (Some(known), Some(told)) if jid::bare(&known) == known && jid::bare(told) != told => Some(told.to_owned()),
        (Some(known), _) => Some(known),
        (None, told) => told.map(str::to_owned),
    }
}
