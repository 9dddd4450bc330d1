//! The decoder of a connection: cuts both directions into items, and finds its way back after what cannot be read.
//!
//! An item that lies whole in one chunk is read where it lies. One that is cut is put together in a buffer, but not
//! scanned again. After a gap, at a start in the middle, and after what is not XML, a direction is *lost*: it skips to
//! the next place where a stanza plausibly begins. A stanza can stand inside another (a forwarded one, XEP-0297), so
//! a plausible place is the beginning of a chunk, or one behind the end of another stanza.

use super::element::Element;
use super::names::normalized;
use super::resync;
use super::salvage;
use super::scan::{Defect, Item, Scanner, Step};
use super::session::defects::ALWAYS_TAKEN;
use super::session::{Reaction, Scratch, Session};
use super::tape::Tape;
use super::{Flaw, OversizedStanza, XmppEvent};
use crate::evidence::{Seen, Stamp, TlsLayer};
use crate::protocol::early::Early;
use crate::protocol::{Chunk, Decoder, End, Event, Gap, Next, Sink, tls, zlib};
use std::cell::RefCell;

/// Longest item that is put together: servers allow 64 KiB to 512 KiB by default, 10 MiB at most in practice.
const MAX_ITEM: usize = 16 << 20;
/// Bytes quoted before and behind a place that is no XML.
const QUOTED: usize = 16;
/// Buffers that a thread keeps for its next conversations, and how large one may be to be kept.
const MAX_SPARES: usize = 16;
const MAX_SPARE_BYTES: usize = 256 << 10;

/// An item that is not complete: its bytes so far, what the scanner noted, and the frames from which they are.
#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    tape: Tape,
    first: Stamp,
    last: Stamp,
}

impl Pending {
    /// The frame where the item begins of which `chunk` holds the rest.
    fn start(&self, chunk: &Chunk<'_>) -> Stamp {
        if self.bytes.is_empty() { chunk.stamp } else { self.first }
    }

    /// An item that is too large, by what came of it.
    fn as_oversized(&self, refused: bool) -> OversizedStanza {
        let head = self.bytes.get(..self.tape.tags.first().map_or(0, |tag| tag.end as usize));
        let head = head.and_then(|head| std::str::from_utf8(head).ok()).unwrap_or_default();
        let tag = Element::header(head, &self.tape).map(|element| element.tag());
        let attribute = |name| tag.and_then(|tag| tag.attribute(name));
        let jid = |name| attribute(name).map(|jid| normalized(jid).into_owned());
        OversizedStanza {
            bytes: self.bytes.len() as u64,
            from: jid("from"),
            to: jid("to"),
            id: attribute("id").map(str::to_owned),
            refused,
        }
    }
}

/// What a thread's decoders share, so that a quiet conversation holds no buffers.
#[derive(Default)]
struct Workshop {
    // Boxed, for they move between here and the lanes.
    #[allow(clippy::vec_box)]
    spares: Vec<Box<Pending>>,
    scratch: Scratch,
}

thread_local! {
    static WORKSHOP: RefCell<Workshop> = RefCell::default();
}

/// One direction.
#[derive(Debug)]
struct Lane {
    scanner: Scanner,
    pending: Option<Box<Pending>>,
    /// Bytes are skipped until a stanza begins.
    lost: bool,
    /// Nothing came before the item being read: it may stand inside another.
    doubtful: bool,
    /// That bytes were skipped has been told, and nothing was read since.
    told: bool,
}

impl Default for Lane {
    fn default() -> Self {
        Self { scanner: Scanner::default(), pending: None, lost: false, doubtful: true, told: false }
    }
}

impl Lane {
    fn lose(&mut self) {
        *self = Self { lost: true, told: true, ..Self::default() };
    }
}

/// Reads one XMPP connection.
#[derive(Default)]
pub(super) struct XmppDecoder {
    lanes: [Lane; 2],
    session: Session,
    /// Compressed bytes of the client, if they came before the server's consent did.
    early: Option<Box<Early>>,
}

impl XmppDecoder {
    fn read(&mut self, chunk: &Chunk<'_>, workshop: &mut Workshop, sink: &mut dyn Sink) -> Next {
        if self.early.is_some() && self.session.waits_for_compression(chunk.direction) && self.keep_early(chunk, 0) {
            return Next::Continue;
        }
        let Some(lane) = self.lanes.get_mut(chunk.direction.index()) else { return Next::Continue };
        let mut work = lane.pending.take().or_else(|| workshop.spares.pop()).unwrap_or_default();
        let mut at = 0;
        let next = loop {
            let Some(lane) = self.lanes.get_mut(chunk.direction.index()) else { break Next::Continue };
            if lane.lost {
                let Some(place) = resync::find_stanza(chunk.data, at) else { break Next::Continue };
                at = place;
                lane.lost = false;
            }
            let step = lane.scanner.scan(&mut work.tape, &work.bytes, chunk.data, at);
            if work.tape.is_deep {
                self.session.on_flaw(Flaw::Nesting, None, &chunk.seen_from(work.start(chunk)), sink);
            }
            match step {
                Step::More => break Next::Continue,
                Step::Broken { at: place, defect } => {
                    if self.session.starttls_requested && resync::is_tls(chunk.data.get(place..)) {
                        break self.hand_over_to_tls(place);
                    }
                    if self.session.waits_for_compression(chunk.direction) && self.keep_early(chunk, place) {
                        work.bytes.clear();
                        break Next::Continue;
                    }
                    let Some(lane) = self.lanes.get_mut(chunk.direction.index()) else { break Next::Continue };
                    if !lane.told {
                        sink.skipped(defect_name(defect), chunk.stamp);
                        sink.skipped("xmpp.resync", chunk.stamp);
                    }
                    let seen = chunk.seen_from(work.start(chunk));
                    match defect {
                        Defect::Malformed if resync::is_utf_16(chunk.data) => {
                            self.session.on_flaw(Flaw::Encoding, chunk.data.get(..QUOTED), &seen, sink);
                        }
                        Defect::Malformed => {
                            self.session.on_flaw(Flaw::NotWellFormed, around(chunk.data, place), &seen, sink);
                        }
                        // It was told that it is deep; what it is beyond nobody has looked.
                        Defect::TooDeep => {}
                    }
                    self.session.defects.is_unsound(chunk.direction);
                    lane.lose();
                    work.bytes.clear();
                    at = place.max(at) + usize::from(place == at);
                }
                Step::Item { kind, start, end } => {
                    let cut = !work.bytes.is_empty();
                    if cut {
                        work.bytes.extend_from_slice(chunk.data.get(..end).unwrap_or_default());
                    }
                    at = end;
                    let inside = lane.doubtful && resync::is_inside_another(chunk.data.get(end..));
                    let told = std::mem::take(&mut lane.told);
                    lane.doubtful = false;
                    if inside {
                        if !told {
                            sink.skipped("xmpp.resync", chunk.stamp);
                        }
                        lane.lose();
                        work.bytes.clear();
                        continue;
                    }
                    let bytes = if cut { &work.bytes } else { chunk.data.get(start..end).unwrap_or_default() };
                    let seen = chunk.seen_from(if cut { work.first } else { chunk.stamp });
                    let reaction = self.session.on_item(kind, bytes, &work.tape, &mut workshop.scratch, &seen, sink);
                    work.bytes.clear();
                    if std::mem::take(&mut self.session.policy_violated) {
                        self.tell_refused(chunk, sink);
                    }
                    match reaction {
                        Reaction::Continue => {}
                        Reaction::Lost => self.lose(chunk, kind, sink),
                        Reaction::Tls => break self.hand_over_to_tls(end),
                        Reaction::Compressed => break self.hand_over_to_zlib(end),
                    }
                }
            }
        };
        self.park(chunk, work, workshop, sink);
        next
    }

    fn lose(&mut self, chunk: &Chunk<'_>, kind: Item, sink: &mut dyn Sink) {
        // The end tag of a stanza whose beginning was not captured is no fault of the sender.
        if kind != Item::EndTag {
            sink.skipped("xmpp.malformed", chunk.stamp);
        }
        sink.skipped("xmpp.resync", chunk.stamp);
        self.session.defects.is_unsound(chunk.direction);
        if let Some(lane) = self.lanes.get_mut(chunk.direction.index()) {
            lane.lose();
        }
    }

    /// Keeps what is not complete yet; a buffer that is not needed goes back to the thread.
    fn park(&mut self, chunk: &Chunk<'_>, mut work: Box<Pending>, workshop: &mut Workshop, sink: &mut dyn Sink) {
        let Some(lane) = self.lanes.get_mut(chunk.direction.index()) else { return };
        if !lane.lost && !lane.scanner.is_between_items() {
            if work.bytes.is_empty() {
                work.first = chunk.stamp;
                work.bytes.extend_from_slice(lane.scanner.unfinished(chunk.data));
            } else {
                work.bytes.extend_from_slice(chunk.data);
            }
            work.last = chunk.stamp;
            if work.bytes.len() <= MAX_ITEM {
                lane.pending = Some(work);
                return;
            }
            sink.skipped("xmpp.limit", chunk.stamp);
            sink.skipped("xmpp.resync", chunk.stamp);
            lane.lose();
            let oversized = work.as_oversized(false);
            sink.event(&chunk.seen_from(work.first), Event::Xmpp(XmppEvent::Oversized(Box::new(oversized))));
            self.session.defects.is_unsound(chunk.direction);
        }
        work.bytes.clear();
        work.tape.clear();
        if workshop.spares.len() < MAX_SPARES && work.bytes.capacity() <= MAX_SPARE_BYTES {
            workshop.spares.push(work);
        }
    }

    /// The server ended the stream for its policy: over a stanza that it has not even read to its end, or the last one.
    fn tell_refused(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        let direction = chunk.direction.reversed();
        let pending = self.lanes.get(direction.index()).and_then(|lane| lane.pending.as_ref());
        let cut = pending.filter(|pending| pending.bytes.len() > ALWAYS_TAKEN);
        let first = cut.map_or(chunk.stamp, |pending| pending.first);
        let refused = cut.map(|pending| Box::new(pending.as_oversized(true)));
        if let Some(refused) = refused.or_else(|| self.session.defects.take_large(direction)) {
            let seen = Seen { flow: chunk.flow, direction, first, last: chunk.stamp };
            sink.event(&seen, Event::Xmpp(XmppEvent::Oversized(refused)));
        }
    }

    /// Reads what came whole of the item that a gap has cut.
    fn salvage(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        let lane = self.lanes.get_mut(gap.direction.index());
        let Some(pending) = lane.and_then(|lane| lane.pending.take()) else { return };
        let Some(closed) = salvage::close(&pending.bytes) else { return };
        let (mut scanner, mut tape) = (Scanner::default(), Tape::default());
        let step = scanner.scan(&mut tape, &[], closed.as_bytes(), 0);
        if let Step::Item { kind: Item::Element, start: 0, end } = step
            && end == closed.len()
        {
            let seen = Seen { flow: gap.flow, direction: gap.direction, first: pending.first, last: pending.last };
            self.session.on_item(Item::Element, closed.as_bytes(), &tape, &mut Scratch::default(), &seen, sink);
        }
    }

    /// TLS begins at `consumed`. The stream goes on inside it, read or not: this decoder moves there with what it knows.
    fn hand_over_to_tls(&mut self, consumed: usize) -> Next {
        self.session.tls = Some("starttls");
        self.session.starttls_requested = false;
        self.session.defects.begin_again();
        self.lanes = Default::default();
        Next::Handover { consumed, to: tls::start_around(Box::new(std::mem::take(self))) }
    }

    /// zlib begins at `consumed`, and with the next byte of the other direction.
    fn hand_over_to_zlib(&mut self, consumed: usize) -> Next {
        self.lanes = Default::default();
        let early = self.early.take();
        Next::Handover { consumed, to: zlib::start_around(Box::new(std::mem::take(self)), early) }
    }

    /// Keeps what seems to be compressed until the server has consented. `false` if it is something else.
    fn keep_early(&mut self, chunk: &Chunk<'_>, from: usize) -> bool {
        let data = chunk.data.get(from..).unwrap_or_default();
        if self.early.is_none() && !zlib::may_begin(data) {
            return false;
        }
        let kept = self.early.get_or_insert_with(|| Box::new(Early::new(chunk.direction))).keep(data, chunk.stamp);
        if !kept {
            self.early = None;
        }
        kept
    }
}

/// Bytes around a place, to be quoted.
fn around(data: &[u8], place: usize) -> Option<&[u8]> {
    data.get(place.saturating_sub(QUOTED)..place.saturating_add(QUOTED).min(data.len()))
}

fn defect_name(defect: Defect) -> &'static str {
    match defect {
        Defect::Malformed => "xmpp.malformed",
        Defect::TooDeep => "xmpp.limit",
    }
}

impl Decoder for XmppDecoder {
    fn protocol(&self) -> &'static str {
        "xmpp"
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        self.session.begin(chunk.flow, chunk.stamp);
        WORKSHOP.with(|workshop| match workshop.try_borrow_mut() {
            Ok(mut workshop) => self.read(chunk, &mut workshop, sink),
            // A sink that feeds another decoder of this thread from within: it works with a shop of its own.
            Err(_) => self.read(chunk, &mut Workshop::default(), sink),
        })
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        self.session.begin(gap.flow, gap.stamp);
        sink.skipped("xmpp.resync", gap.stamp);
        self.session.defects.is_unsound(gap.direction);
        self.salvage(gap, sink);
        if let Some(lane) = self.lanes.get_mut(gap.direction.index()) {
            lane.lose();
        }
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        if self.early.take().is_some() {
            sink.skipped("xmpp.compressed", end.stamp);
        }
        self.session.finish(end.flow, end.stamp, sink);
    }

    fn sealed(&mut self, layer: TlsLayer) {
        self.session.sealed(layer);
    }
}
