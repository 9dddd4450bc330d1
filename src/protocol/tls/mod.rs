//! TLS: stream bytes in, what the handshake shows in clear out.
//!
//! Follows RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2) and their forerunners to SSL 3.0; messages are parsed by
//! `tls-parser`, certificates by `x509-parser`. SSL 2 hellos are not recognised. The layers are apart, so that one that
//! decrypts can stand between them: [`record`] cuts the stream into records, [`handshake`] joins messages and reads
//! them. Once both sides encrypt, the conversation is opaque.

mod certificate;
pub mod event;
mod handshake;
mod ja4;
mod record;

pub use event::*;

use super::{Chunk, Conversation, Decoder, End, Event, Gap, Next, Opening, Probe, Sink};
use crate::evidence::{Direction, FlowInfo, Seen, Stamp};
use handshake::{HandshakeReader, Step};
use record::{Record, RecordReader, content};
use std::sync::Arc;

/// Encrypted bytes of a client that are passed over while the server's hello has not come (early data, or a capture
/// of one direction only): more tells nothing.
const MAX_EARLY_BYTES: usize = 256 * 1024;

/// Tells whether a stream begins with a TLS hello.
pub fn probe(opening: &Opening<'_>) -> Probe {
    match (probe_hello(opening.from_orig), probe_hello(opening.from_resp)) {
        (Probe::No, _) | (_, Probe::No) => Probe::No,
        (Probe::Yes, _) | (_, Probe::Yes) => Probe::Yes,
        _ => Probe::Unsure,
    }
}

/// A handshake record with a client's or a server's hello. Whose it is, is not asked: a capture may begin amid a
/// connection, with the server taken for its opener.
fn probe_hello(data: &[u8]) -> Probe {
    const FIELDS: [fn(u8) -> bool; 11] = [
        |kind| kind == content::HANDSHAKE,
        |major| major == 3,
        |minor| minor <= 4,
        |_| true,
        |_| true,
        |message| message == 1 || message == 2,
        // A hello is shorter than 64 KiB, even with every extension there is.
        |length| length == 0,
        |_| true,
        |_| true,
        |major| major == 3 || major == 0x7f,
        |_| true,
    ];
    // An alert in plain text may be all that a server says to a hello.
    if let [content::ALERT, 3, minor, 0, 2, ..] = data
        && *minor <= 4
    {
        return Probe::Unsure;
    }
    if !data.iter().zip(FIELDS).all(|(byte, fits)| fits(*byte)) {
        return Probe::No;
    }
    if data.len() < FIELDS.len() { Probe::Unsure } else { Probe::Yes }
}

/// Starts a decoder at the first record.
pub fn start() -> Box<dyn Decoder> {
    Box::new(TlsDecoder::new(false, Conversation::default()))
}

/// Starts a decoder for the TLS that follows STARTTLS (XMPP's `<proceed/>`), where the first record may come from
/// either side. `inner` has read what was in clear and is to read what lies inside; it is told the end in any case.
pub fn start_around(inner: Box<dyn Decoder>) -> Box<dyn Decoder> {
    Box::new(TlsDecoder::new(true, Conversation::Decoded(inner)))
}

/// Reads a handshake as far as it is in clear.
struct TlsDecoder {
    records: [RecordReader; 2],
    messages: [HandshakeReader; 2],
    told: TlsHandshake,
    /// First and last frame that told something, and whose hello came first.
    frames: Option<(Stamp, Stamp)>,
    client: Option<Direction>,
    early_bytes: usize,
    /// Directions with bytes missing.
    lost: [bool; 2],
    /// Directions that announced that they encrypt.
    changed_cipher: [bool; 2],
    reported: bool,
    /// Who reads what lies inside.
    inner: Conversation,
}

impl TlsDecoder {
    fn new(via_starttls: bool, inner: Conversation) -> Self {
        Self {
            records: Default::default(),
            messages: Default::default(),
            told: TlsHandshake { via_starttls, ..TlsHandshake::default() },
            frames: None,
            client: None,
            early_bytes: 0,
            lost: [false; 2],
            changed_cipher: [false; 2],
            reported: false,
            inner,
        }
    }

    fn report(&mut self, flow: &Arc<FlowInfo>, sink: &mut dyn Sink) {
        let Some((first, last)) = self.frames.filter(|_| !self.reported) else { return };
        self.reported = true;
        let told = std::mem::take(&mut self.told);
        let seen = Seen { flow, direction: self.client.unwrap_or(Direction::FromOrig), first, last };
        sink.event(&seen, Event::Tls(TlsEvent::Handshake(Box::new(told))));
    }
}

/// What a record does to the reading of the conversation.
enum Progress {
    More,
    Encrypted,
    Defective,
}

impl Decoder for TlsDecoder {
    fn protocol(&self) -> &'static str {
        "tls"
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        if self.lost == [true; 2] {
            self.report(chunk.flow, sink);
            return Next::Opaque;
        }
        let index = chunk.direction.index();
        if self.lost.get(index) == Some(&true) {
            return Next::Continue;
        }
        let mut rest = chunk.data;
        while !rest.is_empty() {
            // Taken out while a record borrows from it.
            let Some(reader) = self.records.get_mut(index) else { break };
            let mut reader = std::mem::take(reader);
            let read = reader.next(rest, |record| self.record(record, chunk));
            if let Some(place) = self.records.get_mut(index) {
                *place = reader;
            }
            match read {
                Ok(Some((Progress::More, after))) => rest = after,
                Ok(None) => break,
                Ok(Some((Progress::Encrypted, _))) => {
                    self.report(chunk.flow, sink);
                    return Next::Opaque;
                }
                Ok(Some((Progress::Defective, _))) | Err(record::NotARecord) => {
                    sink.skipped("tls.unparsed", chunk.stamp);
                    self.report(chunk.flow, sink);
                    return Next::Opaque;
                }
            }
        }
        Next::Continue
    }

    /// Where the next record begins cannot be told without its predecessors: the direction is lost, the other may
    /// still tell its part.
    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        sink.skipped("tls.gap", gap.stamp);
        if let Some(lost) = self.lost.get_mut(gap.direction.index()) {
            *lost = true;
        }
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        self.report(end.flow, sink);
        self.inner.end(end, sink);
    }
}

impl TlsDecoder {
    fn record(&mut self, record: Record<'_>, chunk: &Chunk<'_>) -> Progress {
        match record.content_type {
            content::HANDSHAKE => self.handshake(record.body, chunk),
            content::ALERT => self.alert(record.body, chunk),
            content::CHANGE_CIPHER_SPEC | content::APPLICATION_DATA => {
                if let Some(changed) = self.changed_cipher.get_mut(chunk.direction.index()) {
                    *changed = true;
                }
                self.encrypted(record.body.len())
            }
            _ => Progress::More,
        }
    }

    fn handshake(&mut self, body: &[u8], chunk: &Chunk<'_>) -> Progress {
        self.saw(chunk.stamp);
        if self.client.is_none() {
            self.client = match body.first() {
                Some(2) => Some(chunk.direction.reversed()),
                _ => Some(chunk.direction),
            };
        }
        // Roles by content: the answerer may be the client where the opening was not captured.
        let from_client = self.client == Some(chunk.direction);
        let role = if from_client { Direction::FromOrig } else { Direction::FromResp };
        let Some(messages) = self.messages.get_mut(chunk.direction.index()) else { return Progress::More };
        match messages.read(body, role, chunk.stamp, &mut self.told) {
            Step::More => Progress::More,
            Step::Encrypted => Progress::Encrypted,
            // Behind a change of cipher an encrypted Finished is to be expected, but TLS 1.3 may send a hello there.
            Step::Defective if self.changed_cipher.get(chunk.direction.index()) == Some(&true) => {
                *messages = HandshakeReader::default();
                Progress::More
            }
            Step::Defective => Progress::Defective,
        }
    }

    /// An alert of two bytes is in clear; a fatal one ends the handshake. Warnings may be followed by more.
    fn alert(&mut self, body: &[u8], chunk: &Chunk<'_>) -> Progress {
        match body {
            [level @ (1 | 2), description] => {
                self.saw(chunk.stamp);
                self.told.alert = Some((*level, *description));
                if *level == 2 { Progress::Encrypted } else { Progress::More }
            }
            _ => Progress::Encrypted,
        }
    }

    /// A client may encrypt before the server's hello (early data, RFC 8446, 4.2.10) or repeat its change of cipher.
    fn encrypted(&mut self, bytes: usize) -> Progress {
        self.early_bytes = self.early_bytes.saturating_add(bytes);
        if self.told.server_hello.is_some() || self.early_bytes > MAX_EARLY_BYTES {
            Progress::Encrypted
        } else {
            Progress::More
        }
    }

    fn saw(&mut self, stamp: Stamp) {
        let first = self.frames.map_or(stamp, |(first, _)| first);
        self.frames = Some((first, stamp));
    }
}

#[cfg(test)]
mod tests;
