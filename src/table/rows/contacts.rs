//! Who talked to whom, how much: summed up where stanzas are seen, a row a pair of bare JIDs.
//!
//! A stanza crosses up to three connections, and a capture may see all of them or one: each is counted by the leg of
//! its way, and the leg nearest to the sender stands for the pair: behind it one message may become several, one for each
//! client of the receiver. Copies (carbons, archives) and errors are no contact.

use crate::evidence::{Seen, Stamp};
use crate::protocol::xmpp::{Leg, Meaning, Stanza, StanzaKind, jid};
use crate::table::{TableId, Tables};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher};

/// Pairs that one shard remembers, and bytes of their JIDs. Beyond that new pairs are counted, not told.
const MAX_PAIRS: usize = 16_384;
const MAX_TEXT: usize = 2 << 20;
/// Pairs whose hashes agree that are looked at: one is the rule.
const MAX_PROBES: u64 = 4;

/// What passed on one leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    messages: u64,
    groupchat: u64,
    presences: u64,
    iqs: u64,
    encrypted: u64,
    bytes: u64,
}

impl Counts {
    fn stanzas(&self) -> u64 {
        self.messages + self.presences + self.iqs
    }

    fn merge(&mut self, other: &Self) {
        self.messages += other.messages;
        self.groupchat += other.groupchat;
        self.presences += other.presences;
        self.iqs += other.iqs;
        self.encrypted += other.encrypted;
        self.bytes += other.bytes;
    }
}

#[derive(Debug, Clone)]
struct Contact {
    from: Box<str>,
    to: Box<str>,
    legs: [Counts; 3],
    first: Stamp,
    last: Stamp,
}

/// The pairs that one desk has seen.
#[derive(Debug, Default)]
pub struct Contacts {
    pairs: HashMap<u64, Contact, foldhash::fast::RandomState>,
    text: usize,
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
        let Some(contact) = self.contact(from, to, seen.last) else {
            self.beyond.get_or_insert((0, seen.last)).0 += 1;
            return;
        };
        contact.last = seen.last;
        let Some(counts) = contact.legs.get_mut(leg) else { return };
        match stanza.kind {
            StanzaKind::Message => counts.messages += 1,
            StanzaKind::Presence => counts.presences += 1,
            StanzaKind::Iq => counts.iqs += 1,
        }
        counts.groupchat += u64::from(stanza.meaning.contains(Meaning::MucGroupchat));
        counts.encrypted += u64::from(stanza.meaning.contains(Meaning::Encrypted));
        counts.bytes += stanza.bytes;
    }

    fn contact(&mut self, from: &str, to: &str, stamp: Stamp) -> Option<&mut Contact> {
        let mut hasher = self.pairs.hasher().build_hasher();
        hasher.write(from.as_bytes());
        hasher.write_u32(stamp.capture.0);
        hasher.write(to.as_bytes());
        let hash = hasher.finish();
        let is_it =
            |contact: &Contact| *contact.from == *from && *contact.to == *to && contact.first.capture == stamp.capture;
        let (mut free, mut found) = (None, None);
        for probe in 0..MAX_PROBES {
            let key = hash.wrapping_add(probe);
            match self.pairs.get(&key) {
                Some(contact) if is_it(contact) => found = Some(key),
                Some(_) => continue,
                None => free = Some(key),
            }
            break;
        }
        if let Some(key) = found {
            return self.pairs.get_mut(&key);
        }
        let text = self.text + from.len() + to.len();
        if self.pairs.len() >= MAX_PAIRS || text > MAX_TEXT {
            return None;
        }
        self.text = text;
        let contact = Contact { from: from.into(), to: to.into(), legs: Default::default(), first: stamp, last: stamp };
        Some(self.pairs.entry(free?).or_insert(contact))
    }
}

/// Pairs of all shards.
#[derive(Debug, Default)]
pub struct ContactTotals {
    pairs: BTreeMap<(u32, Box<str>, Box<str>), Contact>,
    beyond: Option<(u64, Stamp)>,
}

impl ContactTotals {
    /// Adds what one desk has seen.
    pub fn merge(&mut self, contacts: Contacts) {
        for contact in contacts.pairs.into_values() {
            let key = (contact.first.capture.0, contact.from.clone(), contact.to.clone());
            let Some(known) = self.pairs.get_mut(&key) else {
                self.pairs.insert(key, contact);
                continue;
            };
            for (known, more) in known.legs.iter_mut().zip(&contact.legs) {
                known.merge(more);
            }
            known.first = std::cmp::min_by_key(known.first, contact.first, Stamp::order);
            known.last = std::cmp::max_by_key(known.last, contact.last, Stamp::order);
        }
        if let Some((count, stamp)) = contacts.beyond {
            let known = self.beyond.get_or_insert((0, stamp));
            known.0 += count;
            known.1 = std::cmp::min_by_key(known.1, stamp, Stamp::order);
        }
    }

    /// Stanzas whose pair was not remembered, and where the first of them is.
    pub fn beyond(&self) -> Option<(u64, Stamp)> {
        self.beyond
    }

    /// Appends a row a pair, in order of time.
    pub fn append(&self, tables: &mut Tables) {
        let mut contacts: Vec<&Contact> = self.pairs.values().collect();
        contacts.sort_by_key(|contact| contact.first.order());
        for contact in contacts {
            let told = |what: fn(&Counts) -> u64| contact.legs.iter().map(what).find(|count| *count > 0).unwrap_or(0);
            let [sent, between, delivered] = &contact.legs;
            tables
                .row(TableId::Contacts)
                .time(contact.first.time_ns)
                .time(contact.last.time_ns)
                .capture(contact.first.capture)
                .number(contact.first.frame)
                .number(contact.last.frame)
                .str(&contact.from)
                .str(&contact.to)
                .number(told(|counts| counts.messages))
                .number(told(|counts| counts.groupchat))
                .number(told(|counts| counts.presences))
                .number(told(|counts| counts.iqs))
                .number(told(|counts| counts.encrypted))
                .number(told(|counts| counts.bytes))
                .number(sent.stanzas())
                .number(between.stanzas())
                .number(delivered.stanzas());
        }
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
        totals.merge(other);
        totals.merge(one);
        let contacts: Vec<&Contact> = totals.pairs.values().collect();
        assert_eq!(contacts.len(), 1, "talking to oneself is no contact");
        let [sent, between, delivered] = &contacts[0].legs;
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
