//! Who talked to whom, how much: summed up where stanzas are seen, a row a pair of bare JIDs.
//!
//! A stanza crosses up to three connections, and a capture may see all of them or one: each is counted by the leg of
//! its way, and the leg nearest to the sender stands for the pair: behind it one message may become several, one for each
//! client of the receiver. Copies (carbons, archives) and errors are no contact.

mod pairs;

use crate::evidence::{Seen, Stamp};
use crate::protocol::xmpp::{Leg, Meaning, Stanza, StanzaKind, jid};
use crate::table::{TableId, Tables};
use pairs::{Counts, Pairs};

pub use pairs::Contact;

/// Pairs that one shard remembers, and bytes of their JIDs. Beyond that new pairs are counted, not told.
const MAX_PAIRS: usize = 16_384;
const MAX_TEXT: usize = 2 << 20;

/// The pairs that one desk has seen.
#[derive(Debug, Default)]
pub struct Contacts {
    pairs: Pairs,
    /// Stanzas of pairs that were too many, and the first of them.
    beyond: Option<(u64, Stamp)>,
}

impl Contacts {
    /// Counts a stanza.
    pub fn add(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>) {
        let (Some(from), Some(to)) = (stanza.from, stanza.to) else { return };
        let (from, to) = (jid::bare(from), jid::bare(to));
        // What a room repeats to who enters was said to others.
        let is_history = stanza.meaning.contains(Meaning::MucGroupchat) && stanza.meaning.contains(Meaning::Delayed);
        if stanza.stanza_type == Some("error") || stanza.meaning.is_copy() || is_history || from == to {
            return;
        }
        let leg = match stanza.leg {
            Leg::Sent | Leg::Unknown => 0,
            Leg::Between => 1,
            Leg::Delivered => 2,
        };
        let Some(place) = self.place(from, to, seen.last) else {
            self.beyond.get_or_insert((0, seen.last)).0 += 1;
            return;
        };
        let Some(counts) = self.pairs.leg(place, leg, seen.last) else { return };
        let of_kind = match stanza.kind {
            StanzaKind::Message => &mut counts.messages,
            StanzaKind::Presence => &mut counts.presences,
            StanzaKind::Iq => &mut counts.iqs,
        };
        *of_kind = of_kind.saturating_add(1);
        let groupchat = stanza.meaning.contains(Meaning::MucGroupchat);
        let encrypted = stanza.meaning.contains(Meaning::Encrypted);
        counts.groupchat = counts.groupchat.saturating_add(u32::from(groupchat));
        counts.encrypted = counts.encrypted.saturating_add(u32::from(encrypted));
        counts.bytes = counts.bytes.saturating_add(stanza.bytes);
    }

    fn place(&mut self, from: &str, to: &str, stamp: Stamp) -> Option<usize> {
        let known = self.pairs.find(from, to, stamp.capture);
        let has_room = || self.pairs.len() < MAX_PAIRS && self.pairs.text_len() + from.len() + to.len() <= MAX_TEXT;
        match known {
            Some(place) => Some(place),
            None if has_room() => self.pairs.insert(from, to, stamp),
            None => None,
        }
    }
}

/// Pairs of all shards.
#[derive(Debug, Default)]
pub struct ContactTotals {
    pairs: Pairs,
    beyond: Option<(u64, Stamp)>,
}

impl ContactTotals {
    /// Adds what desks have seen.
    pub fn merge(&mut self, all: Vec<Contacts>) {
        self.pairs.reserve_for(all.iter().map(|contacts| &contacts.pairs));
        for contacts in all {
            self.pairs.merge(&contacts.pairs);
            if let Some((count, stamp)) = contacts.beyond {
                let known = self.beyond.get_or_insert((0, stamp));
                known.0 += count;
                known.1 = std::cmp::min_by_key(known.1, stamp, Stamp::order);
            }
        }
    }

    /// Stanzas whose pair was not remembered, and where the first of them is.
    pub fn beyond(&self) -> Option<(u64, Stamp)> {
        self.beyond
    }

    /// The pairs in order of time.
    pub fn in_order(&self) -> impl Iterator<Item = Contact<'_>> {
        self.pairs.in_order()
    }
}

/// Appends rows, one a pair.
pub fn append<'a>(tables: &mut Tables, contacts: impl Iterator<Item = Contact<'a>>) {
    for contact in contacts {
        let legs = contact.legs.map(|leg| leg.copied().unwrap_or_default());
        let told = |what: fn(&Counts) -> u32| legs.iter().map(what).find(|count| *count > 0).map_or(0, u64::from);
        let bytes = legs.iter().map(|counts| counts.bytes).find(|bytes| *bytes > 0).unwrap_or_default();
        let [sent, between, delivered] = &legs;
        tables
            .row(TableId::Contacts)
            .time(contact.first.time_ns)
            .time(contact.last.time_ns)
            .capture(contact.first.capture)
            .number(contact.first.frame)
            .number(contact.last.frame)
            .str(contact.from)
            .str(contact.to)
            .number(told(|counts| counts.messages))
            .number(told(|counts| counts.groupchat))
            .number(told(|counts| counts.presences))
            .number(told(|counts| counts.iqs))
            .number(told(|counts| counts.encrypted))
            .number(bytes)
            .number(sent.stanzas())
            .number(between.stanzas())
            .number(delivered.stanzas());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::{Direction, FlowInfo, Transport, Within};
    use crate::protocol::xmpp::Meanings;
    use std::sync::Arc;

    fn add(contacts: &mut Contacts, from: &str, to: &str, leg: Leg, frame: u64) {
        let flow = Arc::new(FlowInfo {
            transport: Transport::Tcp,
            orig: "10.0.0.7:4000".parse().unwrap(),
            resp: "10.0.0.1:5222".parse().unwrap(),
            community_id: "1:x".into(),
            tunnel: "".into(),
            within: Within::default(),
        });
        let stamp = Stamp { frame, time_ns: frame as i64, ..Stamp::default() };
        let stanza = Stanza {
            kind: StanzaKind::Message,
            from: Some(from),
            to: Some(to),
            stanza_type: None,
            id: None,
            body: None,
            children: "",
            bytes: 10,
            meaning: Meanings::default(),
            leg,
            oob: None,
        };
        contacts.add(&Seen { flow: &flow, direction: Direction::FromOrig, first: stamp, last: stamp }, &stanza);
    }

    #[test]
    fn a_pair_is_one_over_all_legs_and_shards() {
        let (mut one, mut other) = (Contacts::default(), Contacts::default());
        add(&mut one, "a@x/1", "b@y", Leg::Sent, 3);
        add(&mut one, "a@x/2", "b@y/r", Leg::Sent, 5);
        for frame in 4..9 {
            add(&mut other, "a@x/1", "b@y/r", Leg::Delivered, frame);
        }
        add(&mut other, "a@x/1", "a@x", Leg::Sent, 9);
        let mut totals = ContactTotals::default();
        totals.merge(vec![other, one]);
        let contacts: Vec<Contact<'_>> = totals.in_order().collect();
        assert_eq!(contacts.len(), 1, "talking to oneself is no contact");
        let [sent, between, delivered] = contacts[0].legs.map(|leg| leg.copied().unwrap_or_default());
        assert_eq!((sent.messages, between.messages, delivered.messages), (2, 0, 5));
        assert_eq!((contacts[0].first.frame, contacts[0].last.frame), (3, 8));
    }

    #[test]
    fn pairs_without_end_are_counted_not_kept() {
        let mut contacts = Contacts::default();
        for n in 0..MAX_PAIRS as u64 + 10 {
            add(&mut contacts, &format!("{n}@x"), "b@y", Leg::Sent, n);
        }
        assert_eq!(contacts.pairs.len(), MAX_PAIRS);
        assert_eq!(contacts.beyond.map(|(count, _)| count), Some(10));
    }
}
