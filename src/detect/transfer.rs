//! Files that moved in band (XEP-0047): one finding a transfer, however many connections it crossed.
//!
//! The decoder reports what each connection carried: the sender's, one between servers, the receiver's. These legs
//! are joined by bytestream id, parties and time, and the best of them tells what moved: the complete one, then the one
//! with more bytes. The name comes from the offer that announced the bytestream: SI (XEP-0096), whose id is that of
//! the bytestream, or Jingle (XEP-0234, XEP-0261), which names the bytestream in its transport.
//!
//! A leg is reported when its close, or the end of its connection, is seen; so a transfer is held until the capture
//! ends, or until so many are held that the oldest must go.

use super::title::in_title;
use super::{Detector, Finding, Kind};
use crate::evidence::{Direction, Sighting};
use crate::protocol::xmpp::{FileOffer, IbbTransfer, XmppEvent, jid};
use crate::protocol::{Event, Record};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write;

/// Transfers held for legs still to come.
const MAX_HELD: usize = 65_536;
/// Offers held for a bytestream still to come.
const MAX_OFFERS: usize = 65_536;
/// Transfers of one bytestream id, and offers for one, that are compared. Ids are meant to be unique; who reuses one
/// more often gets the later ones joined with the latest only.
const MAX_OF_ONE_SID: usize = 64;
/// Connections that one transfer crosses: sender, servers and gateways, receiver. Bytes with the same id on more
/// connections than this are other transfers.
const MAX_LEGS: usize = 16;
/// A relayed leg begins at most this long after the one before it has ended: servers relay within seconds.
const MAX_RELAY_DELAY_NS: i64 = 30_000_000_000;

/// `transfer.file` for bytes that moved in band.
#[derive(Debug, Default)]
pub struct Transfers {
    offers: Offers,
    /// Held transfers by the order in which they were first seen.
    held: BTreeMap<u64, Transfer>,
    by_sid: HashMap<String, VecDeque<u64>>,
    next: u64,
}

/// One transfer, as its legs so far tell it.
#[derive(Debug)]
struct Transfer {
    /// The leg nearest to the sender.
    source: Sighting,
    /// The leg that carried most.
    best: IbbTransfer,
    from: Option<String>,
    to: Option<String>,
    /// Connection and direction of each leg: one leg cannot be two transfers at once.
    legs: Vec<(Box<str>, Direction)>,
    first_ns: i64,
    last_ns: i64,
}

impl Detector for Transfers {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        match &record.event {
            Event::Xmpp(XmppEvent::Offer(offer)) => self.offers.add(offer, &record.at),
            Event::Xmpp(XmppEvent::Ibb(leg)) => self.on_leg(leg, &record.at, out),
            _ => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<Finding>) {
        self.by_sid.clear();
        for transfer in std::mem::take(&mut self.held).into_values() {
            out.push(self.offers.finding_of(transfer));
        }
    }
}

impl Transfers {
    fn on_leg(&mut self, leg: &IbbTransfer, at: &Sighting, out: &mut Vec<Finding>) {
        if let Some(transfer) = self.transfer_of(leg, at) {
            transfer.join(leg, at);
            return;
        }
        if self.held.len() >= MAX_HELD
            && let Some((number, oldest)) = self.held.pop_first()
        {
            self.forget(number, &oldest.best.sid);
            out.push(self.offers.finding_of(oldest));
        }
        let same_sid = self.by_sid.entry(leg.sid.clone()).or_default();
        if same_sid.len() >= MAX_OF_ONE_SID {
            same_sid.pop_front();
        }
        same_sid.push_back(self.next);
        self.held.insert(self.next, Transfer::of(leg, at));
        self.next += 1;
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
            best: leg.clone(),
            from: leg.from.clone(),
            to: leg.to.clone(),
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
        new_leg && same_parties && same_time
    }

    fn join(&mut self, leg: &IbbTransfer, at: &Sighting) {
        self.legs.push((at.flow.community_id.clone(), at.direction));
        self.first_ns = self.first_ns.min(at.first.time_ns);
        self.last_ns = self.last_ns.max(at.last.time_ns);
        self.from = fuller(self.from.take(), leg.from.as_deref());
        self.to = fuller(self.to.take(), leg.to.as_deref());
        if (leg.complete, leg.bytes) > (self.best.complete, self.best.bytes) {
            self.best = leg.clone();
        }
        // The sender opened its connection; of those that were opened by who sends, the first is the sender's.
        let nearness = |at: &Sighting| (at.direction, at.first.order());
        if nearness(at) < nearness(&self.source) {
            self.source = at.clone();
        }
    }
}

/// Two tellings of one party: unknown agrees with anyone, a bare JID with its full ones.
fn agree(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return true };
    let (bare_one, bare_other) = (jid::bare(one), jid::bare(other));
    one == other || (bare_one == bare_other && (bare_one == one || bare_other == other))
}

/// The telling of a party that says more.
fn fuller(known: Option<String>, told: Option<&str>) -> Option<String> {
    match (known, told) {
        (Some(known), Some(told)) if jid::bare(&known) == known && jid::bare(told) != told => Some(told.to_owned()),
        (Some(known), _) => Some(known),
        (None, told) => told.map(str::to_owned),
    }
}

/// Offers by the bytestream that they announce.
#[derive(Debug, Default)]
struct Offers {
    by_sid: HashMap<String, VecDeque<(FileOffer, Sighting)>>,
    /// Bytestream ids in the order of the offers, to know the oldest.
    order: VecDeque<String>,
}

impl Offers {
    fn add(&mut self, offer: &FileOffer, at: &Sighting) {
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
    fn offer_for(&self, transfer: &Transfer) -> Option<&(FileOffer, Sighting)> {
        let fitting = |(offer, _): &&(FileOffer, Sighting)| announces(offer, transfer);
        let before = |(_, at): &&(FileOffer, Sighting)| at.first.time_ns <= transfer.first_ns;
        let offers = self.by_sid.get(&transfer.best.sid)?;
        let in_time = offers.iter().rev().filter(fitting).find(before);
        in_time.or_else(|| offers.iter().filter(fitting).find(|(_, at)| at.first.time_ns <= transfer.last_ns))
    }

    fn finding_of(&self, transfer: Transfer) -> Finding {
        let offered = self.offer_for(&transfer);
        let offer = offered.map(|(offer, _)| offer);
        let offered_size = offer.and_then(|offer| offer.size);
        let Transfer { source, best, from, to, .. } = transfer;
        let name = offer.and_then(|offer| offer.name.as_deref());
        // A close before the end: every block arrived, the file did not.
        let complete = best.complete && offered_size.is_none_or(|size| best.bytes >= size);
        let mut finding = Finding::new(Kind::TransferFile, "xmpp", &source.as_seen(), title(name, &best, &from, &to))
            .with("method", method(offer))
            .with_some("name", name)
            .with("size", best.bytes)
            .with("sha256", hex(&best.sha256))
            .with_some("from", from)
            .with_some("to", to)
            .with("complete", complete);
        if let Some(size) = offered_size.filter(|size| *size != best.bytes) {
            finding = finding.with("offered_size", size);
        }
        if let Some((_, at)) = offered {
            finding.add_frame(at.first);
        }
        finding
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
fn announces(offer: &FileOffer, transfer: &Transfer) -> bool {
    let (from, to) = (transfer.from.as_deref(), transfer.to.as_deref());
    let between = |one, other| agree(offer.from.as_deref(), one) && agree(offer.to.as_deref(), other);
    between(from, to) || (offer.via == "jingle" && between(to, from))
}

fn method(offer: Option<&FileOffer>) -> &'static str {
    match offer.map(|offer| offer.via) {
        None => "ibb",
        Some("jingle") => "jingle-ibb",
        Some(_) => "si-ibb",
    }
}

fn title(name: Option<&str>, best: &IbbTransfer, from: &Option<String>, to: &Option<String>) -> String {
    let what = name.map_or_else(|| "a file without a name".to_owned(), |name| format!("`{}`", in_title(name)));
    let from = from.as_deref().map(|from| format!(" from {}", in_title(jid::bare(from)))).unwrap_or_default();
    let to = to.as_deref().map(|to| format!(" to {}", in_title(jid::bare(to)))).unwrap_or_default();
    format!("{what} moved in band{from}{to}, {} bytes", best.bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Evidence;
    use crate::detect::scene::spanning;

    const SENDER: &str = "10.0.0.7:4000";
    const RECEIVER: &str = "10.0.0.8:4001";
    const SERVER: &str = "10.0.0.1:5222";
    const SECOND: i64 = 1_000_000_000;

    fn bytes(sid: &str, from: Option<&str>, bytes: u64, complete: bool) -> IbbTransfer {
        IbbTransfer {
            sid: sid.to_owned(),
            from: from.map(str::to_owned),
            to: Some("rita@alpha.test/g".to_owned()),
            bytes,
            sha256: [bytes as u8; 32],
            complete,
            missing_blocks: 0,
        }
    }

    fn leg(orig: &str, direction: Direction, seconds: (i64, i64), transfer: IbbTransfer) -> Record {
        let span = (seconds.0 * SECOND, seconds.1 * SECOND);
        spanning(orig, SERVER, direction, span, XmppEvent::Ibb(Box::new(transfer)))
    }

    fn sent(seconds: (i64, i64), transfer: IbbTransfer) -> Record {
        leg(SENDER, Direction::FromOrig, seconds, transfer)
    }

    fn received(seconds: (i64, i64), transfer: IbbTransfer) -> Record {
        leg(RECEIVER, Direction::FromResp, seconds, transfer)
    }

    fn offer(
        via: &'static str,
        session: &str,
        transport_sid: Option<&str>,
        second: i64,
        name: &str,
        size: u64,
    ) -> Record {
        let offer = FileOffer {
            via,
            session: session.to_owned(),
            transport_sid: transport_sid.map(str::to_owned),
            from: Some("sam@alpha.test/x".to_owned()),
            to: Some("rita@alpha.test/g".to_owned()),
            name: Some(name.to_owned()),
            size: Some(size),
        };
        let span = (second * SECOND, second * SECOND);
        spanning(SENDER, SERVER, Direction::FromOrig, span, XmppEvent::Offer(offer))
    }

    fn findings(records: Vec<Record>) -> Vec<Finding> {
        let mut detector = Transfers::default();
        let mut out = Vec::new();
        for record in &records {
            detector.on_record(record, &mut out);
        }
        assert_eq!(out, [], "held until the end");
        detector.finish(&mut out);
        out
    }

    fn text<'f>(finding: &'f Finding, wanted: &str) -> Option<&'f str> {
        finding.evidence.iter().find_map(|(key, value)| match value {
            Evidence::Text(text) if *key == wanted => Some(text.as_str()),
            _ => None,
        })
    }

    fn has(finding: &Finding, key: &'static str, value: impl Into<Evidence>) -> bool {
        finding.evidence.contains(&(key, value.into()))
    }

    const SAM: Option<&str> = Some("sam@alpha.test/x");

    #[test]
    fn two_legs_and_an_offer_are_one_file() {
        let found = findings(vec![
            offer("si", "s1", None, 1, "notes.txt", 100),
            offer("si", "s1", None, 1, "notes.txt", 100),
            sent((2, 4), bytes("s1", SAM, 100, true)),
            received((2, 5), bytes("s1", SAM, 100, true)),
        ]);
        assert_eq!(found.len(), 1);
        let finding = &found[0];
        assert_eq!(finding.title, "`notes.txt` moved in band from sam@alpha.test to rita@alpha.test, 100 bytes");
        assert_eq!((finding.src.as_deref(), finding.dst.as_deref()), (Some(SENDER), Some(SERVER)));
        assert_eq!(finding.frames, [1001, 2001, 4001]);
        let keys: Vec<_> = finding.evidence.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["method", "name", "size", "sha256", "from", "to", "complete"]);
        assert_eq!(text(finding, "method"), Some("si-ibb"));
        assert_eq!(text(finding, "sha256"), Some("64".repeat(32).as_str()));
        assert!(has(finding, "complete", true) && has(finding, "size", 100));
    }

    #[test]
    fn the_best_leg_tells_and_the_senders_leg_stands_for_it() {
        let found =
            findings(vec![received((2, 5), bytes("s1", SAM, 100, true)), sent((2, 90), bytes("s1", None, 60, false))]);
        assert_eq!(found.len(), 1);
        assert!(has(&found[0], "complete", true) && has(&found[0], "size", 100));
        assert_eq!(found[0].src.as_deref(), Some(SENDER));
        assert_eq!((text(&found[0], "from"), text(&found[0], "method")), (SAM, Some("ibb")));
        assert_eq!(
            found[0].title,
            "a file without a name moved in band from sam@alpha.test to rita@alpha.test, 100 bytes"
        );
    }

    #[test]
    fn more_bytes_beat_fewer() {
        let found =
            findings(vec![sent((2, 4), bytes("s1", SAM, 60, false)), received((2, 5), bytes("s1", SAM, 80, false))]);
        assert!(found.len() == 1 && has(&found[0], "size", 80) && has(&found[0], "complete", false));
    }

    #[test]
    fn a_reused_id_is_another_transfer() {
        // The relayed leg of the first closes after the second has closed at its sender.
        let found = findings(vec![
            offer("si", "s1", None, 1, "one", 10),
            sent((2, 3), bytes("s1", SAM, 10, true)),
            offer("si", "s1", None, 4, "two", 20),
            sent((5, 6), bytes("s1", SAM, 20, true)),
            received((2, 7), bytes("s1", SAM, 10, true)),
            received((5, 8), bytes("s1", SAM, 20, true)),
        ]);
        let told: Vec<_> =
            found.iter().map(|finding| (text(finding, "name"), has(finding, "complete", true))).collect();
        assert_eq!(told, [(Some("one"), true), (Some("two"), true)]);
    }

    #[test]
    fn other_parties_are_another_transfer() {
        let mut other = bytes("s1", Some("carl@alpha.test/y"), 30, true);
        other.to = Some("dora@alpha.test/z".to_owned());
        let found = findings(vec![
            sent((2, 3), bytes("s1", SAM, 10, true)),
            leg("10.0.0.9:4002", Direction::FromOrig, (2, 3), other),
        ]);
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn jingle_names_the_bytestream_in_its_transport() {
        let found = findings(vec![
            offer("jingle", "session", Some("bytes"), 1, "pic.jpg", 50),
            sent((2, 3), bytes("bytes", SAM, 50, true)),
            sent((2, 3), bytes("session", SAM, 50, true)),
        ]);
        let told: Vec<_> = found.iter().map(|finding| (text(finding, "method"), text(finding, "name"))).collect();
        assert_eq!(told, [(Some("jingle-ibb"), Some("pic.jpg")), (Some("ibb"), None)]);
    }

    #[test]
    fn a_close_before_the_end_is_not_complete() {
        let found = findings(vec![
            offer("si", "s1", None, 1, "unfinished.bin", 20_000),
            sent((2, 4), bytes("s1", SAM, 10_240, true)),
        ]);
        assert!(has(&found[0], "complete", false) && has(&found[0], "offered_size", 20_000));
        assert!(has(&found[0], "size", 10_240));
    }

    #[test]
    fn an_empty_file_is_complete() {
        let found = findings(vec![offer("si", "s1", None, 1, "empty", 0), sent((2, 2), bytes("s1", SAM, 0, true))]);
        assert!(has(&found[0], "complete", true) && has(&found[0], "size", 0));
    }

    #[test]
    fn transfers_without_end_need_no_memory_without_end() {
        let mut detector = Transfers::default();
        let mut out = Vec::new();
        let many = MAX_HELD as i64 + 10;
        for n in 0..many {
            let name = format!("s{n}");
            detector.on_record(&offer("si", &name, None, n, "f", 1), &mut out);
            detector.on_record(&sent((n, n), bytes(&name, SAM, 1, true)), &mut out);
        }
        assert!(detector.held.len() <= MAX_HELD && detector.by_sid.len() <= MAX_HELD);
        assert!(detector.offers.by_sid.len() <= MAX_OFFERS && detector.offers.order.len() <= MAX_OFFERS);
        detector.finish(&mut out);
        assert_eq!(out.len(), many as usize);
        let mut reuse = Transfers::default();
        for n in 0..1000 {
            reuse.on_record(&sent((n * 100, n * 100), bytes("same", SAM, 1, true)), &mut out);
        }
        assert!(reuse.by_sid["same"].len() <= MAX_OF_ONE_SID);
        let mut spread = Transfers::default();
        for n in 0..1000 {
            let orig = format!("10.1.{}.{}:4000", n / 250, n % 250);
            spread.on_record(&leg(&orig, Direction::FromOrig, (1, 1), bytes("same", None, 1, true)), &mut out);
        }
        assert!(spread.held.values().all(|transfer| transfer.legs.len() <= MAX_LEGS));
    }
}
