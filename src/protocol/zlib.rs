//! Compressed streams (XEP-0138 with zlib, RFC 1950): bytes behind `<compressed/>` in, the same stream inflated out.
//!
//! Each direction is one zlib stream from its own first byte to its end, with a flush behind every stanza. After lost
//! bytes a direction goes on at the next flush: what refers to text before it is not known, and is told to the decoder
//! inside as missing in turn. The decoder inside reads the stream as if nothing were around it.

use super::inflate::{Inflated, Inflater, Spent, Wrapping};
use super::{Chunk, Conversation, Decoder, End, Gap, Next, Sink};
use crate::evidence::{Direction, FlowInfo, Stamp, Within};
use memchr::memchr;
use std::sync::Arc;

/// What stands at the end of a flush: the length of an empty stored block and its complement (RFC 1951, 3.2.4).
const FLUSH: u32 = 0x0000_ffff;

/// Bytes of the client that came before the server's `<compressed/>` did: captures of several points may show them so.
#[derive(Debug, Default)]
pub(super) struct Early {
    pieces: Vec<(Stamp, Box<[u8]>)>,
    bytes: usize,
}

impl Early {
    /// Bytes that wait at most: a server answers before a client has said that much.
    const MAX_BYTES: usize = 64 << 10;

    /// Keeps bytes; `false` if there is no room.
    pub fn keep(&mut self, data: &[u8], stamp: Stamp) -> bool {
        self.bytes = self.bytes.saturating_add(data.len());
        let fits = self.bytes <= Self::MAX_BYTES;
        if fits {
            self.pieces.push((stamp, data.into()));
        }
        fits
    }
}

/// Whether bytes may be the beginning of a zlib stream: deflate, its header a multiple of 31.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    match bytes {
        [method, flags, ..] => method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0,
        [method] => method & 0x0f == 8,
        [] => false,
    }
}

/// Starts a decoder right behind `<compressed/>`. `inner` has read what came before and is to read what lies inside;
/// it is told the end in any case. `early` is what one direction said inside already.
pub(super) fn start_around(inner: Box<dyn Decoder>, early: Option<(Direction, Early)>) -> Box<dyn Decoder> {
    Box::new(ZlibDecoder { early, flow: None, lanes: Default::default(), inner: Conversation::Decoded(inner) })
}

/// Reads both directions of a compressed stream.
struct ZlibDecoder {
    early: Option<(Direction, Early)>,
    /// The conversation as seen from inside.
    flow: Option<Arc<FlowInfo>>,
    lanes: [Lane; 2],
    inner: Conversation,
}

/// One direction.
#[derive(Default)]
struct Lane {
    state: State,
    /// Bytes that came out.
    given: u64,
    /// What was inflated before bytes were lost.
    spent: Spent,
}

#[derive(Default)]
enum State {
    /// Nothing came yet.
    #[default]
    Start,
    /// Within the zlib stream.
    Open(Box<Inflater>),
    /// As `Open`, but what the stream refers to is not all known.
    Blind(Box<Inflater>),
    /// Looking for a flush. Keeps the last four bytes, if any were passed over.
    Lost(Option<u32>),
    /// XML where zlib should begin.
    Clear,
    /// Not to be read.
    Dead,
}

impl Decoder for ZlibDecoder {
    fn protocol(&self) -> &'static str {
        self.inner.protocol().unwrap_or("zlib")
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        let within = Within { zlib: true, ..chunk.flow.within };
        let flow = Arc::clone(self.flow.get_or_insert_with(|| chunk.flow.opened(within)));
        if let Some((direction, early)) = self.early.take() {
            for (stamp, data) in &early.pieces {
                self.read(&Chunk { flow: &flow, direction, data, offset: 0, stamp: *stamp }, sink);
            }
        }
        self.read(&Chunk { flow: &flow, ..*chunk }, sink);
        let is_over = matches!(self.inner, Conversation::Opaque(_) | Conversation::Unknown(_))
            || self.lanes.iter().all(|lane| matches!(lane.state, State::Dead));
        if is_over { Next::Opaque } else { Next::Continue }
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        let flow = self.flow.as_ref().unwrap_or(gap.flow);
        let Some(lane) = self.lanes.get_mut(gap.direction.index()) else { return };
        match lane.state {
            State::Dead => return,
            State::Clear => {}
            _ => {
                sink.skipped("zlib.gap", gap.stamp);
                lane.lose();
            }
        }
        self.inner.gap(&Gap { flow, ..*gap }, sink);
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        let flow = self.flow.as_ref().unwrap_or(end.flow);
        self.inner.end(&End { flow, ..*end }, sink);
    }
}

impl ZlibDecoder {
    /// Reads bytes of a direction; the chunk's flow is the inner one.
    fn read(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        let Some(lane) = self.lanes.get_mut(chunk.direction.index()) else { return };
        let mut rest = chunk.data;
        while !rest.is_empty() {
            match &mut lane.state {
                // Some clients keep a connection alive with spaces while they wait.
                State::Start => {
                    rest = rest.trim_ascii_start();
                    lane.state = match rest.first() {
                        None => State::Start,
                        Some(b'<') => {
                            sink.skipped("zlib.absent", chunk.stamp);
                            State::Clear
                        }
                        Some(_) => State::Open(Box::new(Inflater::new(Wrapping::Zlib))),
                    };
                }
                State::Clear => {
                    lane.given += rest.len() as u64;
                    self.inner.data(&Chunk { data: rest, ..*chunk }, sink);
                    return;
                }
                // Lost bytes are whole packets, and packets often begin behind a flush.
                State::Lost(None) if begins_flushed(rest, &mut lane.spent) => lane.resume(),
                State::Lost(last) => match find_flush(rest, last.get_or_insert(u32::MAX)) {
                    Some(behind) => {
                        rest = behind;
                        lane.resume();
                    }
                    None => return,
                },
                State::Open(_) | State::Blind(_) => {
                    rest = lane.inflate(rest, &mut self.inner, chunk, sink);
                }
                State::Dead => return,
            }
        }
    }
}

impl Lane {
    fn lose(&mut self) {
        if let State::Open(inflater) | State::Blind(inflater) = &self.state {
            self.spent = inflater.spent();
        }
        self.state = State::Lost(None);
    }

    /// Goes on behind a flush.
    fn resume(&mut self) {
        self.state = State::Blind(Box::new(Inflater::resumed(self.spent)));
    }

    /// Inflates bytes and feeds them to the decoder inside; returns what is to be read in another state.
    fn inflate<'a>(
        &mut self,
        data: &'a [u8],
        inner: &mut Conversation,
        chunk: &Chunk<'_>,
        sink: &mut dyn Sink,
    ) -> &'a [u8] {
        let given = &mut self.given;
        let (inflater, inflated) = match &mut self.state {
            State::Open(inflater) => {
                let inflated = inflater.inflate(data, |piece| {
                    inner.data(&Chunk { data: piece, offset: *given, ..*chunk }, sink);
                    *given += piece.len() as u64;
                });
                (inflater, inflated)
            }
            State::Blind(inflater) => {
                let inflated = inflater.inflate(data, |piece| feed_known(piece, given, inner, chunk, sink));
                (inflater, inflated)
            }
            _ => return &[],
        };
        let what = match inflated {
            Inflated::More => return &[],
            Inflated::Limit => "zlib.limit",
            Inflated::Broken => "zlib.unparsed",
            Inflated::Ended { left: 0 } => {
                self.state = State::Dead;
                return &[];
            }
            Inflated::Ended { .. } => "zlib.behind-end",
        };
        sink.skipped(what, chunk.stamp);
        // Damage within a stream can be passed over; what never was one cannot.
        let goes_on = inflated == Inflated::Broken && inflater.spent().taken > 2;
        self.lose();
        if !goes_on {
            self.state = State::Dead;
        }
        inner.gap(&Gap { flow: chunk.flow, direction: chunk.direction, bytes: 1, stamp: chunk.stamp }, sink);
        &[]
    }
}

/// Feeds text between NULs, and each run of NULs as missing bytes.
fn feed_known(piece: &[u8], given: &mut u64, inner: &mut Conversation, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
    let mut rest = piece;
    while !rest.is_empty() {
        let known = memchr(0, rest).unwrap_or(rest.len());
        let (data, after) = rest.split_at_checked(known).unwrap_or((rest, &[]));
        if !data.is_empty() {
            inner.data(&Chunk { data, offset: *given, ..*chunk }, sink);
            *given += data.len() as u64;
        }
        let unknown = after.iter().position(|byte| *byte != 0).unwrap_or(after.len());
        if unknown > 0 {
            let bytes = unknown as u64;
            inner.gap(&Gap { flow: chunk.flow, direction: chunk.direction, bytes, stamp: chunk.stamp }, sink);
            *given += bytes;
        }
        rest = after.get(unknown..).unwrap_or_default();
    }
}

/// Whether the bytes up to the end of the next flush are blocks that hold text: then they begin behind another.
fn begins_flushed(data: &[u8], spent: &mut Spent) -> bool {
    let Some(behind) = find_flush(data, &mut { u32::MAX }) else { return false };
    let Some(block) = data.get(..data.len() - behind.len()) else { return false };
    let (mut is_text, mut known) = (true, false);
    let mut trial = Inflater::resumed(*spent);
    let inflated = trial.inflate(block, |piece| {
        is_text &= piece.iter().all(|byte| *byte == 0 || *byte >= b' ' || byte.is_ascii_whitespace());
        known |= piece.iter().any(|byte| *byte != 0);
    });
    *spent = trial.spent();
    inflated == Inflated::More && is_text && known
}

/// The bytes behind the next end of a flush, which may have begun in earlier bytes.
fn find_flush<'a>(data: &'a [u8], last: &mut u32) -> Option<&'a [u8]> {
    for (at, byte) in data.iter().enumerate() {
        *last = *last << 8 | u32::from(*byte);
        if *last == FLUSH {
            return data.get(at + 1..);
        }
    }
    None
}

#[cfg(test)]
mod tests;
