//! Unwanted messages in bulk: one text of one sender to many, or a text that fits a signature of the policy.
//!
//! [`SpimWatch`] sees stanzas in the shards: it notes when a sender says the same again to somebody else, and lets go
//! what becomes a good part of the limit. [`Mailings`] puts that together: over all connections of the sender, and with
//! the copies between servers, which name the same addressees. Texts are compared without case, white space and
//! numbers, for those are what senders in bulk vary first.

mod asked;

use super::title::in_title;
use super::{Detector, Evidence, Finding, Kind, Settings, StanzaWatch};
use crate::evidence::{Direction, FlowInfo, Seen, Sighting, Stamp};
use crate::policy::{DEFAULT_RECIPIENTS_PER_MINUTE, Signature};
use crate::protocol::xmpp::{Leg, Mailing, Stanza, StanzaKind, XmppEvent, jid};
use crate::protocol::{Event, Record};
use asked::Asked;
use foldhash::fast::RandomState;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::hash::BuildHasher;
use std::sync::Arc;

const MINUTE_NS: i64 = 60_000_000_000;
/// A connection over which a text goes to fewer than the limit by this factor is not looked at.
const SHARE: u64 = 8;
/// Senders on connections watched at a time in a shard, texts of one of them, and addressees noted before they are told.
const MAX_LANES: usize = 4_096;
const RECENT_TEXTS: usize = 4;
const MAX_WAITING: usize = 256;
/// Texts by sender, and addressees of one, that are kept.
const MAX_MAILINGS: usize = 16_384;
const MAX_RECIPIENTS: usize = 4_096;
/// Addressees and frames that a finding lists.
const MAX_LISTED: usize = 100;
/// Bytes of a text that are compared and searched.
const MAX_TEXT: usize = 64 << 10;

/// Notes texts that go to several.
#[derive(Debug)]
pub struct SpimWatch {
    share: usize,
    signatures: Vec<Signature>,
    lanes: HashMap<LaneKey, Lane, RandomState>,
    asked: Asked,
    told: Vec<Record>,
}

/// A direction of a connection, and the sender there. A lane holds its flow, so that no other has its place in memory.
type LaneKey = (usize, Direction, u64);

#[derive(Debug)]
struct Lane {
    /// Held for its place in memory.
    _flow: Arc<FlowInfo>,
    texts: [Text; RECENT_TEXTS],
    last_ns: i64,
}

/// A text that was said of late.
#[derive(Debug, Default)]
struct Text {
    hash: u64,
    last_ns: i64,
    /// The first addressee, what he was told, and when; kept with their space.
    first_to: String,
    first_body: String,
    first: Stamp,
    /// It is told at once, for it goes to many.
    is_mailing: bool,
    /// Addressees beyond the first, until it is told.
    waiting: Vec<(String, Stamp)>,
}

impl SpimWatch {
    /// Judges by the policy, or by its defaults.
    pub fn new(settings: &Settings) -> Self {
        let share = usize::try_from(limit(settings) / SHARE).unwrap_or(MAX_WAITING).clamp(2, MAX_WAITING);
        let signatures = settings.policy.as_ref().map(|policy| policy.xmpp.signatures.clone()).unwrap_or_default();
        Self { share, signatures, lanes: HashMap::default(), asked: Asked::default(), told: Vec::new() }
    }

    /// Forgets who has been quiet, and all if that is not enough.
    fn make_room(&mut self, now_ns: i64) {
        self.lanes.retain(|_, lane| now_ns.saturating_sub(lane.last_ns) < MINUTE_NS);
        if self.lanes.len() > MAX_LANES / 2 {
            self.lanes.clear();
        }
    }
}

fn limit(settings: &Settings) -> u64 {
    settings.policy.as_ref().map_or(DEFAULT_RECIPIENTS_PER_MINUTE, |policy| policy.xmpp.recipients_per_minute)
}

impl StanzaWatch for SpimWatch {
    fn on_stanza(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>, _out: &mut Vec<Finding>) {
        let Some(body) = stanza.body.filter(|_| stanza.kind == StanzaKind::Message) else { return };
        let Some(to) = stanza.to.filter(|_| stanza.stanza_type != Some("error")) else { return };
        if !self.signatures.is_empty() {
            let text = shortened(body);
            let fitting = self.signatures.iter().filter(|signature| signature.body.is_match(text));
            let mailings = fitting.map(|signature| mailing(seen, stanza, body, to, Some(&signature.name)));
            self.told.extend(mailings);
        }
        // Each receiver's connection carries one copy: nothing there shows that there are many.
        let is_of_sender = match stanza.leg {
            Leg::Sent => true,
            Leg::Between => stanza.from.is_some_and(|from| from.contains('@')) && !is_repeated_by_room(stanza),
            Leg::Delivered | Leg::Unknown => false,
        };
        let to = jid::bare(to);
        let from = stanza.from.map(jid::bare);
        if is_of_sender && !from.is_some_and(|from| self.asked.was_asked(seen, from, to)) {
            self.note(seen, stanza, body, to);
        }
        // Who says something to a client's own connection, or over one of a component, may be answered there.
        if stanza.leg != Leg::Sent
            && stanza.stanza_type != Some("groupchat")
            && let Some(from) = from
        {
            self.asked.note(seen, from, to);
        }
    }

    fn drain(&mut self, records: &mut Vec<Record>) {
        records.append(&mut self.told);
    }
}

impl SpimWatch {
    fn note(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>, body: &str, to: &str) {
        let now_ns = seen.last.time_ns;
        let named = stanza.from.filter(|_| stanza.leg != Leg::Sent).map(jid::bare);
        let key = (
            Arc::as_ptr(seen.flow) as usize,
            seen.direction,
            named.map_or(0, |named| self.lanes.hasher().hash_one(named)),
        );
        if self.lanes.len() >= MAX_LANES && !self.lanes.contains_key(&key) {
            self.make_room(now_ns);
        }
        let share = self.share;
        let lane = self.lanes.entry(key).or_insert_with(|| Lane {
            _flow: Arc::clone(seen.flow),
            texts: Default::default(),
            last_ns: now_ns,
        });
        lane.last_ns = now_ns;
        let text = lane.text(body, now_ns, to, seen.last);
        if text.is_mailing {
            self.told.push(mailing(seen, stanza, body, to, None));
            return;
        }
        let is_new = text.first_to != to && !text.waiting.iter().any(|(known, _)| known == to);
        if !is_new {
            return;
        }
        text.waiting.push((to.to_owned(), seen.last));
        if text.waiting.len() < share.saturating_sub(1) {
            return;
        }
        // What came before is told with the place where it came.
        text.is_mailing = true;
        let earlier = Seen { first: text.first, last: text.first, ..*seen };
        self.told.push(mailing(&earlier, stanza, &text.first_body, &text.first_to, None));
        for (to, stamp) in text.waiting.drain(..) {
            let earlier = Seen { first: stamp, last: stamp, ..*seen };
            self.told.push(mailing(&earlier, stanza, body, &to, None));
        }
    }
}

impl Lane {
    /// The place of a text: one that was said within the last minute, or the one that was longest not said.
    fn text(&mut self, body: &str, now_ns: i64, to: &str, stamp: Stamp) -> &mut Text {
        let hash = normalized_hash(body);
        let is_recent = |text: &Text| text.hash == hash && now_ns.saturating_sub(text.last_ns) < MINUTE_NS;
        let known = self.texts.iter().position(is_recent);
        let oldest = || self.texts.iter().enumerate().min_by_key(|(_, text)| text.last_ns).map(|(index, _)| index);
        let index = known.or_else(oldest).unwrap_or_default();
        let [first, rest @ ..] = &mut self.texts;
        let text = match index.checked_sub(1).and_then(|index| rest.get_mut(index)) {
            Some(text) => text,
            None => first,
        };
        if known.is_none() {
            (text.hash, text.first, text.is_mailing) = (hash, stamp, false);
            text.waiting.clear();
            text.first_to.clear();
            text.first_to.push_str(to);
            text.first_body.clear();
            text.first_body.push_str(shortened(body));
        }
        text.last_ns = now_ns;
        text
    }
}

/// A room gives to an occupant what one of them said.
fn is_repeated_by_room(stanza: &Stanza<'_>) -> bool {
    stanza.stanza_type == Some("groupchat") && stanza.to.is_none_or(|to| to.contains('/'))
}

fn mailing(seen: &Seen<'_>, stanza: &Stanza<'_>, body: &str, to: &str, signature: Option<&str>) -> Record {
    let sender = match stanza.from {
        // An occupant is known by his nickname, which stands where a resource does.
        Some(from) if is_repeated_by_room(stanza) => from.to_owned(),
        Some(from) => jid::bare(from).to_owned(),
        None => seen.sender().ip().to_canonical().to_string(),
    };
    let mailing = Mailing {
        sender,
        to: jid::bare(to).to_owned(),
        text: normalized_hash(body),
        body_sha256: Sha256::digest(body.as_bytes()).into(),
        signature: signature.map(str::to_owned),
        repeated_by_room: is_repeated_by_room(stanza),
    };
    Record { at: seen.keep(), event: Event::Xmpp(XmppEvent::Mailing(Box::new(mailing))) }
}

fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text)
}

/// A hash of the text without case, white space and digits (FNV-1a, by bytes: each message with a body passes here).
/// Letters beyond ASCII are taken as they stand. Who makes two texts collide has said something in bulk anyway.
fn normalized_hash(text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in shortened(text).bytes() {
        if byte.is_ascii_whitespace() || byte.is_ascii_digit() {
            continue;
        }
        hash = (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// `xmpp.spim`: one a sender and text, or sender and signature.
#[derive(Debug)]
pub struct Mailings {
    limit: u64,
    /// By sender, and by text or signature.
    mailings: HashMap<(String, What), Sent>,
    /// No more are taken.
    is_full: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum What {
    Text(u64),
    Signature(String),
}

/// A text on its way to several.
#[derive(Debug)]
struct Sent {
    at: Sighting,
    body_sha256: [u8; 32],
    repeated_by_room: bool,
    /// When which addressee was first written to.
    recipients: Vec<(Stamp, String)>,
    known: HashSet<String>,
    /// Addressees beyond those kept.
    beyond: u64,
    is_spread: bool,
}

impl Mailings {
    /// Judges by the policy, or by its defaults.
    pub fn new(settings: &Settings) -> Self {
        Self { limit: limit(settings), mailings: HashMap::new(), is_full: false }
    }

    /// Forgets texts that were too slow; if that is not enough, no more are taken.
    fn make_room(&mut self, now_ns: i64) {
        let limit = self.limit;
        self.mailings.retain(|(_, what), sent| {
            let is_new =
                sent.recipients.last().is_some_and(|(stamp, _)| now_ns.saturating_sub(stamp.time_ns) < MINUTE_NS);
            is_new || matches!(what, What::Signature(_)) || sent.is_fast(limit)
        });
        self.is_full = self.mailings.len() > MAX_MAILINGS / 2;
    }
}

impl Detector for Mailings {
    fn on_record(&mut self, record: &Record, _out: &mut Vec<Finding>) {
        let Event::Xmpp(XmppEvent::Mailing(mailing)) = &record.event else { return };
        let what = mailing.signature.clone().map_or(What::Text(mailing.text), What::Signature);
        let key = (mailing.sender.clone(), what);
        if !self.mailings.contains_key(&key) {
            if self.mailings.len() >= MAX_MAILINGS && !self.is_full {
                self.make_room(record.at.last.time_ns);
            }
            if self.is_full {
                return;
            }
        }
        self.mailings.entry(key).or_insert_with(|| Sent::of(mailing, &record.at)).add(mailing, &record.at);
    }

    fn finish(&mut self, out: &mut Vec<Finding>) {
        let mut mailings: Vec<_> = std::mem::take(&mut self.mailings).into_iter().collect();
        mailings.sort_by(|one, other| one.0.cmp(&other.0));
        let said = mailings.iter().filter(|(_, sent)| !sent.repeated_by_room);
        let said: HashSet<[u8; 32]> = said.map(|(_, sent)| sent.body_sha256).collect();
        for ((sender, what), sent) in mailings {
            // What a room repeats is its occupant's, who may have been seen saying it.
            let is_repeated = sent.repeated_by_room && said.contains(&sent.body_sha256);
            let is_spim = matches!(what, What::Signature(_)) || sent.is_fast(self.limit);
            if is_spim && !is_repeated {
                out.push(sent.into_finding(&sender, &what));
            }
        }
    }
}

impl Sent {
    fn of(mailing: &Mailing, at: &Sighting) -> Self {
        Self {
            at: at.clone(),
            body_sha256: mailing.body_sha256,
            repeated_by_room: mailing.repeated_by_room,
            recipients: Vec::new(),
            known: HashSet::new(),
            beyond: 0,
            is_spread: false,
        }
    }

    fn add(&mut self, mailing: &Mailing, at: &Sighting) {
        self.is_spread |= self.at.flow != at.flow;
        if self.known.contains(&mailing.to) {
            return;
        }
        if self.recipients.len() >= MAX_RECIPIENTS {
            self.beyond += 1;
            return;
        }
        self.known.insert(mailing.to.clone());
        self.recipients.push((at.last, mailing.to.clone()));
    }

    /// Within some minute it went to more than `limit`.
    fn is_fast(&self, limit: u64) -> bool {
        let mut times: Vec<i64> = self.recipients.iter().map(|(stamp, _)| stamp.time_ns).collect();
        times.sort_unstable();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(MAX_RECIPIENTS - 1);
        times.iter().zip(times.iter().skip(limit)).any(|(first, last)| last.saturating_sub(*first) < MINUTE_NS)
    }

    fn into_finding(mut self, sender: &str, what: &What) -> Finding {
        self.recipients.sort_by_key(|(stamp, _)| stamp.order());
        let count = self.recipients.len() as u64 + self.beyond;
        let signature = match what {
            What::Text(_) => None,
            What::Signature(name) => Some(name.as_str()),
        };
        let fits = signature.map(|name| format!(" that fits \"{}\"", in_title(name))).unwrap_or_default();
        let whom = match self.recipients.as_slice() {
            [(_, only)] => in_title(only).into_owned(),
            _ => format!("{count} addressees"),
        };
        let title = format!("one text{fits} of {} to {whom}", in_title(sender));
        if let (Some((first, _)), Some((last, _))) = (self.recipients.first(), self.recipients.last()) {
            (self.at.first, self.at.last) = (*first, *last);
        }
        let mut finding = Finding::new(Kind::XmppSpim, "xmpp", &self.at.as_seen(), title);
        if self.is_spread {
            finding.flow = None;
            finding.src = Some(self.at.sender().ip().to_string());
        }
        let listed = self.recipients.into_iter().take(MAX_LISTED);
        let recipients: Vec<String> = listed
            .map(|(stamp, recipient)| {
                finding.add_frame(stamp);
                recipient
            })
            .collect();
        finding
            .with("from", sender)
            .with("recipients", Evidence::List(recipients))
            .with("count", count)
            .with("body_sha256", hex(&self.body_sha256))
            .with_some("signature", signature)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

#[cfg(test)]
mod tests;
