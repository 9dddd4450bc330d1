//! Messages in a TCP stream: each behind its length in two bytes (RFC 1035, 4.2.2).

use super::event::DnsMessage;
use super::session::Session;
use super::wire::{self, HEADER_BYTES, Header};
use super::{is_flawless, is_plausible};
use crate::evidence::Stamp;
use crate::protocol::{Chunk, Decoder, End, Gap, Next, Probe, Sink};

/// Tells whether a direction begins with a framed message.
pub(super) fn probe(data: &[u8], on_port: bool) -> Probe {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return Probe::Unsure };
    let length = usize::from(u16::from_be_bytes(*length));
    if length < HEADER_BYTES {
        return Probe::No;
    }
    let Some(header) = Header::parse(rest) else { return Probe::Unsure };
    if !is_plausible(&header) || !header.fits(length) {
        return Probe::No;
    }
    if let Some(whole) = rest.get(..length) {
        let message = wire::parse(whole);
        let fits =
            if on_port { message.error.is_none() || !message.questions.is_empty() } else { is_flawless(&message) };
        return if fits { Probe::Yes } else { Probe::No };
    }
    // Of a long answer the first bytes have to do: a header with its question does not come about by chance.
    match wire::parse(rest).questions.first() {
        Some(question) if question.class & 0x7fff == 1 && header.counts[0] == 1 => Probe::Yes,
        Some(_) if on_port => Probe::Yes,
        _ => Probe::Unsure,
    }
}

/// Reads the messages of both directions.
pub(super) struct StreamDecoder {
    session: Session,
    directions: [Framing; 2],
}

impl StreamDecoder {
    pub(super) fn new() -> Self {
        Self { session: Session::new(), directions: Default::default() }
    }
}

/// Where one direction stands. Holds at most one message: 2 + 65,535 bytes.
#[derive(Default)]
struct Framing {
    /// Beginning of a message that is not yet complete, with its length.
    pending: Vec<u8>,
    /// Frame where `pending` begins.
    first: Stamp,
    /// Bytes are missing, and no message head was found since.
    lost: bool,
}

impl Decoder for StreamDecoder {
    fn protocol(&self) -> &'static str {
        "dns"
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        let Some(framing) = self.directions.get_mut(chunk.direction.index()) else { return Next::Continue };
        let mut rest = chunk.data;
        if framing.lost {
            // Most servers write a message in one go: a chunk that begins with one is a place to go on from.
            if probe(rest, true) != Probe::Yes {
                sink.skipped("dns.resync", chunk.stamp);
                return Next::Continue;
            }
            framing.lost = false;
        }
        while !rest.is_empty() {
            let (message, after) = framing.next(rest, chunk.stamp);
            rest = after;
            if let Some((message, first)) = message {
                self.session.message(chunk, first, message, sink);
            }
        }
        Next::Continue
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        if let Some(framing) = self.directions.get_mut(gap.direction.index()) {
            if !framing.pending.is_empty() {
                sink.skipped("dns.unparsed", gap.stamp);
            }
            framing.pending.clear();
            framing.lost = true;
        }
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        for framing in &mut self.directions {
            if !framing.pending.is_empty() {
                framing.pending.clear();
                sink.skipped("dns.unparsed", end.stamp);
            }
        }
        self.session.end(end.flow, sink);
    }
}

impl Framing {
    /// The next whole message with the frame where it began, and the bytes behind it. Without one, the bytes are kept
    /// until the next call.
    fn next<'a>(&mut self, data: &'a [u8], stamp: Stamp) -> (Option<(DnsMessage, Stamp)>, &'a [u8]) {
        if self.pending.is_empty() {
            if let Some((message, after)) = split_message(data) {
                return (Some((wire::parse(message), stamp)), after);
            }
            self.first = stamp;
        }
        let after = self.take(self.wanted(), data);
        // The bytes may have completed the length only.
        let after = self.take(self.wanted(), after);
        let message = split_message(&self.pending).map(|(message, _)| (wire::parse(message), self.first));
        if message.is_some() {
            self.pending.clear();
        }
        (message, after)
    }

    fn take<'a>(&mut self, wanted: usize, data: &'a [u8]) -> &'a [u8] {
        let (now, after) = data.split_at_checked(wanted).unwrap_or((data, &[]));
        self.pending.extend_from_slice(now);
        after
    }

    /// Bytes missing from the pending message, or from its length.
    fn wanted(&self) -> usize {
        match self.pending.first_chunk::<2>() {
            Some(length) => (2 + usize::from(u16::from_be_bytes(*length))).saturating_sub(self.pending.len()),
            None => 2 - self.pending.len(),
        }
    }
}

fn split_message(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
