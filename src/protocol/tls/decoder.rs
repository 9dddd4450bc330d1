//! The decoder of one connection: stream bytes in, the handshake as an event out, and the text of records to what reads
//! inside. Without keys it ends where both sides encrypt.

use super::agreement::Closed;
use super::event::{TlsEvent, TlsHandshake, TlsVersion};
use super::handshake::{self, HandshakeReader, Message, Step, kind};
use super::inside::Inside;
use super::lane::Opened;
use super::open::{Role, Seal, Seals};
use super::record::{self, Record, RecordReader, content};
use crate::evidence::{Direction, FlowInfo, Seen, Stamp, TlsLayer};
use crate::protocol::{Chunk, Conversation, Decoder, End, Event, Gap, Next, Sink};
use std::cell::Cell;
use std::sync::Arc;

/// Encrypted bytes of a client that are passed over while the server's hello has not come (early data, or a capture
/// of one direction only): more tells nothing.
const MAX_EARLY_BYTES: usize = 256 * 1024;

/// Description of the alert that ends a connection in good order.
const CLOSE_NOTIFY: u8 = 0;

/// Reads the handshake, and what is behind it where keys open it.
pub(super) struct TlsDecoder {
    records: [RecordReader; 2],
    messages: [HandshakeReader; 2],
    told: TlsHandshake,
    /// First and last frame that told something, and whose hello came first.
    frames: Option<(Stamp, Stamp)>,
    client: Option<Direction>,
    early_bytes: usize,
    /// Directions that announced that they encrypt.
    changed_cipher: [bool; 2],
    reported: bool,
    seals: Seals,
    /// What lies inside.
    inside: Inside,
}

impl TlsDecoder {
    pub(super) fn new(via_starttls: bool, inner: Conversation) -> Self {
        Self {
            records: Default::default(),
            messages: Default::default(),
            told: TlsHandshake { via_starttls, ..TlsHandshake::default() },
            frames: None,
            client: None,
            early_bytes: 0,
            changed_cipher: [false; 2],
            reported: false,
            seals: Seals::default(),
            inside: Inside::new(inner),
        }
    }

    fn report(&mut self, flow: &Arc<FlowInfo>, sink: &mut dyn Sink) {
        let Some((first, last)) = self.frames.filter(|_| !self.reported) else { return };
        self.reported = true;
        let told = self.told.clone();
        let seen = Seen { flow, direction: self.client.unwrap_or(Direction::FromOrig), first, last };
        sink.event(&seen, Event::Tls(TlsEvent::Handshake(Box::new(told))));
    }

    /// Nothing more will be opened, or is in clear.
    fn close(&mut self, flow: &Arc<FlowInfo>, sink: &mut dyn Sink) -> Next {
        self.report(flow, sink);
        if let Some(layer) = self.layer() {
            self.inside.sealed(layer);
        }
        Next::Opaque
    }

    /// As which layer what lies inside is told; `None` before the server has chosen a version. What is open before is early
    /// data of TLS 1.3.
    fn layer(&self) -> Option<TlsLayer> {
        let early = self.seals.is_any_open().then_some(TlsVersion::TLS13);
        let version = self.seals.version().or(self.told.version).or(early)?;
        Some(TlsLayer { version: version.name(), starttls: self.told.via_starttls })
    }

    /// Roles by content: the answerer may be the client where the opening was not captured.
    fn role(&self, direction: Direction) -> Role {
        if self.client.unwrap_or(Direction::FromOrig) == direction { Role::Client } else { Role::Server }
    }
}

/// What a record does to the reading of the conversation.
enum Progress {
    More,
    /// All that follows is encrypted.
    Encrypted,
    /// The same, and why it is not opened.
    Closed(Closed),
    /// The capture begins behind the handshake.
    Amid,
    Defective,
}

thread_local! {
    /// Where records are opened: one buffer a thread, not one a conversation.
    static WORK: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Decoder for TlsDecoder {
    fn protocol(&self) -> &'static str {
        self.inside.protocol().unwrap_or("tls")
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        let mut work = WORK.take();
        work.resize(record::MAX_BODY, 0);
        let next = self.read(chunk, &mut work, sink);
        WORK.set(work);
        next
    }

    /// Where the next record begins cannot be told without its predecessors. With keys it is found, for a record tells by
    /// its authentication that it is one; without, the direction is lost, and the other may still tell its part.
    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        sink.skipped("tls.gap", gap.stamp);
        let index = gap.direction.index();
        if let (Some(records), Some(messages)) = (self.records.get_mut(index), self.messages.get_mut(index)) {
            records.lose(gap.bytes);
            *messages = HandshakeReader::default();
        }
        self.inside.gap(gap.direction, gap.bytes, gap.stamp, sink);
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        self.report(end.flow, sink);
        self.inside.end(end, sink);
    }
}

impl TlsDecoder {
    fn read(&mut self, chunk: &Chunk<'_>, work: &mut [u8], sink: &mut dyn Sink) -> Next {
        let index = chunk.direction.index();
        // Taken out while a record borrows from it.
        let Some(mut reader) = self.records.get_mut(index).map(std::mem::take) else { return Next::Continue };
        let mut found = Vec::new();
        let mut rest = chunk.data;
        if reader.lost().is_some() {
            match self.find_record(&mut reader, chunk, work, sink) {
                Some(after) => {
                    found = after;
                    rest = &found;
                }
                None => rest = &[],
            }
        }
        let next = self.read_records(&mut reader, rest, chunk, work, sink);
        if let Some(place) = self.records.get_mut(index) {
            *place = reader;
        }
        drop(found);
        if self.seals.is_sealed() || self.is_lost() { self.close(chunk.flow, sink) } else { next }
    }

    fn read_records(
        &mut self,
        reader: &mut RecordReader,
        mut rest: &[u8],
        chunk: &Chunk<'_>,
        work: &mut [u8],
        sink: &mut dyn Sink,
    ) -> Next {
        while !rest.is_empty() {
            match reader.next(rest, |record| self.record(&record, chunk, work, sink)) {
                Ok(Some((Progress::More, after))) => rest = after,
                Ok(None) => break,
                Ok(Some((Progress::Encrypted, _))) => return self.close(chunk.flow, sink),
                Ok(Some((Progress::Closed(why), _))) => {
                    sink.skipped(why.name(), chunk.stamp);
                    return self.close(chunk.flow, sink);
                }
                Ok(Some((Progress::Amid, _))) => {
                    sink.skipped("tls.midstream", chunk.stamp);
                    return self.close(chunk.flow, sink);
                }
                Ok(Some((Progress::Defective, _))) | Err(record::NotARecord) => {
                    sink.skipped("tls.unparsed", chunk.stamp);
                    return self.close(chunk.flow, sink);
                }
            }
        }
        Next::Continue
    }

    /// Both directions are lost, and nothing can find the way back.
    fn is_lost(&self) -> bool {
        self.records.iter().all(|reader| reader.lost().is_some()) && !self.seals.is_any_open()
    }

    /// Behind a gap: the first place where a record opens. Gives the bytes behind that record, `None` if there is no such
    /// place yet.
    fn find_record(
        &mut self,
        reader: &mut RecordReader,
        chunk: &Chunk<'_>,
        work: &mut [u8],
        sink: &mut dyn Sink,
    ) -> Option<Vec<u8>> {
        let role = self.role(chunk.direction);
        self.seals.presume_change(role, sink.keys());
        let lost = reader.lost().unwrap_or_default();
        let bytes = reader.unread(chunk.data);
        let mut from = 0;
        loop {
            let Seal::Open(lane) = self.seals.side(role) else {
                reader.keep_from(&bytes, bytes.len());
                return None;
            };
            match record::find(&bytes, from) {
                record::Candidate::Cut(at) => {
                    reader.keep_from(&bytes, at);
                    return None;
                }
                record::Candidate::Whole { record, at, end } => {
                    if let Some(opened) = lane.open(&record, record::window(lost.saturating_add(at as u64)), work) {
                        reader.found();
                        self.opened(opened, chunk, work, sink);
                        return Some(bytes.get(end..).unwrap_or_default().to_vec());
                    }
                    lane.chain_from(&record);
                    from = at + 1;
                }
            }
        }
    }

    fn record(&mut self, record: &Record<'_>, chunk: &Chunk<'_>, work: &mut [u8], sink: &mut dyn Sink) -> Progress {
        let role = self.role(chunk.direction);
        let opened = match self.seals.side(role) {
            Seal::Sealed => return Progress::More,
            Seal::Open(lane) if !lane.is_tls13() || record.content_type == content::APPLICATION_DATA => {
                lane.open(record, 0, work)
            }
            Seal::Open(_) | Seal::Clear => return self.clear(record, chunk, sink),
        };
        match opened {
            Some(opened) => self.opened(opened, chunk, work, sink),
            None => {
                self.not_opened(record, chunk, sink);
                Progress::More
            }
        }
    }

    /// A record in clear.
    fn clear(&mut self, record: &Record<'_>, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Progress {
        match record.content_type {
            content::HANDSHAKE => self.handshake(record.body, chunk, sink),
            content::ALERT => self.alert(record.body, chunk),
            content::CHANGE_CIPHER_SPEC | content::APPLICATION_DATA => {
                if let Some(changed) = self.changed_cipher.get_mut(chunk.direction.index()) {
                    *changed = true;
                }
                self.encrypted(record, chunk, sink)
            }
            _ => Progress::More,
        }
    }

    /// The front of `work` is the text of a record.
    fn opened(&mut self, opened: Opened, chunk: &Chunk<'_>, work: &[u8], sink: &mut dyn Sink) -> Progress {
        let text = work.get(..opened.bytes).unwrap_or_default();
        match opened.content_type {
            content::HANDSHAKE => {
                if let Progress::Closed(why) = self.handshake(text, chunk, sink) {
                    return Progress::Closed(why);
                }
            }
            content::ALERT if !self.reported => {
                if let [level, description] = text {
                    self.told.alert = Some((*level, *description)).filter(|_| *description != CLOSE_NOTIFY);
                }
            }
            // Only a renegotiation has it among what is encrypted.
            content::CHANGE_CIPHER_SPEC => {
                return match self.seals.change_cipher(self.role(chunk.direction), sink.keys()) {
                    Ok(()) => Progress::More,
                    Err(why) => Progress::Closed(why),
                };
            }
            content::APPLICATION_DATA => {
                if let Some(layer) = self.layer() {
                    self.inside.data(chunk, layer, text, sink);
                }
            }
            _ => {}
        }
        Progress::More
    }

    /// A record that no key opens: damaged, or under a key that is not known.
    fn not_opened(&mut self, record: &Record<'_>, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        let role = self.role(chunk.direction);
        let side = self.seals.side(role);
        if let Seal::Open(lane) = side {
            lane.pass_over(record);
            if lane.is_exhausted() {
                *side = Seal::Sealed;
            }
        }
        sink.skipped("tls.undecryptable", chunk.stamp);
        self.inside.gap(chunk.direction, record.body.len() as u64, chunk.stamp, sink);
    }

    fn handshake(&mut self, body: &[u8], chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Progress {
        if !self.reported {
            self.saw(chunk.stamp);
        }
        if self.client.is_none() {
            self.client = match body.first() {
                Some(&kind::SERVER_HELLO) => Some(chunk.direction.reversed()),
                _ => Some(chunk.direction),
            };
        }
        let index = chunk.direction.index();
        let Some(mut messages) = self.messages.get_mut(index).map(std::mem::take) else { return Progress::More };
        let mut closed = None;
        let step = messages.read(body, |message| {
            let (step, why) = self.message(message, chunk, sink);
            closed = closed.or(why);
            step
        });
        if let Some(place) = self.messages.get_mut(index) {
            *place = messages;
        }
        if self.seals.is_finished() {
            self.report(chunk.flow, sink);
        }
        match (step, closed) {
            (_, Some(why)) => Progress::Closed(why),
            (Step::More, None) => Progress::More,
            (Step::Encrypted, None) => Progress::Encrypted,
            // Behind a change of cipher an encrypted Finished is to be expected, but TLS 1.3 may send a hello there.
            (Step::Defective, None) if self.changed_cipher.get(index) == Some(&true) => {
                if let Some(place) = self.messages.get_mut(index) {
                    *place = HandshakeReader::default();
                }
                Progress::More
            }
            (Step::Defective, None) => Progress::Defective,
        }
    }

    fn message(&mut self, message: &Message<'_>, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> (Step, Option<Closed>) {
        let role = self.role(chunk.direction);
        let from = if role == Role::Client { Direction::FromOrig } else { Direction::FromResp };
        // What a renegotiation tells is not what the connection began with.
        let step = if self.reported { Step::More } else { handshake::tell(message, from, chunk.stamp, &mut self.told) };
        let closed = self.seals.message(message, role, sink.keys()).err();
        match step {
            // The server's hello of TLS 1.3, if there are keys for what follows.
            Step::Encrypted if closed.is_none() && self.seals.is_any_open() => (Step::More, None),
            step => (step, closed),
        }
    }

    /// An alert of two bytes is in clear; a fatal one ends the handshake. Warnings may be followed by more.
    fn alert(&mut self, body: &[u8], chunk: &Chunk<'_>) -> Progress {
        match body {
            [level @ (1 | 2), description] => {
                if !self.reported {
                    self.saw(chunk.stamp);
                    self.told.alert = Some((*level, *description));
                }
                if *level == 2 { Progress::Encrypted } else { Progress::More }
            }
            _ => Progress::Encrypted,
        }
    }

    /// A change of cipher or what is encrypted already. A client may encrypt before the server's hello (early data,
    /// RFC 8446, 4.2.10) or repeat its change of cipher.
    fn encrypted(&mut self, record: &Record<'_>, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Progress {
        if self.seals.version().is_some_and(TlsVersion::is_tls13) && self.seals.is_any_open() {
            return Progress::More;
        }
        if self.told.server_hello.is_some() {
            return match self.seals.change_cipher(self.role(chunk.direction), sink.keys()) {
                Ok(()) if record.content_type == content::CHANGE_CIPHER_SPEC => Progress::More,
                Ok(()) => Progress::Encrypted,
                Err(why) => Progress::Closed(why),
            };
        }
        // No hello at all: without its random nothing leads to the keys.
        if self.frames.is_none() && record.content_type == content::APPLICATION_DATA {
            return Progress::Amid;
        }
        self.early_bytes = self.early_bytes.saturating_add(record.body.len());
        if self.early_bytes > MAX_EARLY_BYTES { Progress::Encrypted } else { Progress::More }
    }

    fn saw(&mut self, stamp: Stamp) {
        let first = self.frames.map_or(stamp, |(first, _)| first);
        self.frames = Some((first, stamp));
    }
}
