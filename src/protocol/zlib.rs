//! Compressed streams (XEP-0138 with zlib, RFC 1950): bytes behind `<compressed/>` in, the same stream inflated out.
//!
//! Each direction is one zlib stream from its own first byte to its end, with a flush behind every stanza. After lost
//! bytes a direction goes on at the next flush: what refers to text before it is not known, and is told to the decoder
//! inside as missing in turn. The decoder inside reads the stream as if nothing were around it.

use super::early::Early;
use super::inflate::{Inflated, Inflater, Spent, Wrapping};
use super::inside::Inside;
use super::{Chunk, Conversation, Decoder, End, Gap, Next, Sink};
use crate::evidence::{Direction, Stamp, Within};

/// What stands at the end of a flush: the length of an empty stored block and its complement (RFC 1951, 3.2.4).
const FLUSH: u32 = 0x0000_ffff;

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
pub(super) fn start_around(inner: Box<dyn Decoder>, early: Option<Box<Early>>) -> Box<dyn Decoder> {
    Box::new(ZlibDecoder { early, lanes: Default::default(), inside: Inside::new(Conversation::Decoded(inner)) })
}

/// Reads both directions of a compressed stream.
struct ZlibDecoder {
    early: Option<Box<Early>>,
    lanes: [Lane; 2],
    inside: Inside,
}

/// One direction.
#[derive(Default)]
struct Lane {
    state: State,
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
        self.inside.protocol().unwrap_or("zlib")
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        self.inside.enter(chunk.flow, |within| Within { zlib: true, ..within });
        if let Some(early) = self.early.take() {
            for (stamp, data) in &early.pieces {
                self.read(early.direction, data, *stamp, sink);
            }
        }
        self.read(chunk.direction, chunk.data, chunk.stamp, sink);
        let is_over = self.inside.is_over() || self.lanes.iter().all(|lane| matches!(lane.state, State::Dead));
        if is_over { Next::Opaque } else { Next::Continue }
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        let Some(lane) = self.lanes.get_mut(gap.direction.index()) else { return };
        match lane.state {
            State::Dead => return,
            State::Clear => {}
            _ => {
                sink.skipped("zlib.gap", gap.stamp);
                lane.lose();
            }
        }
        self.inside.gap(gap.direction, gap.bytes, gap.stamp, sink);
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        self.inside.end(end, sink);
    }
}

impl ZlibDecoder {
    fn read(&mut self, direction: Direction, data: &[u8], stamp: Stamp, sink: &mut dyn Sink) {
        let Some(lane) = self.lanes.get_mut(direction.index()) else { return };
        let mut rest = data;
        while !rest.is_empty() {
            match &mut lane.state {
                // Some clients keep a connection alive with spaces while they wait.
                State::Start => {
                    rest = rest.trim_ascii_start();
                    lane.state = match rest.first() {
                        None => State::Start,
                        Some(b'<') => {
                            sink.skipped("zlib.absent", stamp);
                            State::Clear
                        }
                        Some(_) => State::Open(Box::new(Inflater::new(Wrapping::Zlib))),
                    };
                }
                State::Clear => return self.inside.data(direction, rest, stamp, sink),
                // Lost bytes are whole packets, and packets often begin behind a flush.
                State::Lost(None) if begins_flushed(rest, &mut lane.spent) => lane.resume(),
                State::Lost(last) => match find_flush(rest, last.get_or_insert(u32::MAX)) {
                    Some(behind) => {
                        rest = behind;
                        lane.resume();
                    }
                    None => return,
                },
                State::Open(inflater) => {
                    let inside = &mut self.inside;
                    let inflated = inflater.inflate(rest, |piece| inside.data(direction, piece, stamp, sink));
                    return self.inflated(inflated, direction, stamp, sink);
                }
                State::Blind(inflater) => {
                    let inside = &mut self.inside;
                    let inflated =
                        inflater.inflate(rest, |piece| inside.data_with_holes(direction, piece, stamp, sink));
                    return self.inflated(inflated, direction, stamp, sink);
                }
                State::Dead => return,
            }
        }
    }

    /// Passes over the end of a direction, and over what cannot be inflated.
    fn inflated(&mut self, inflated: Inflated, direction: Direction, stamp: Stamp, sink: &mut dyn Sink) {
        let Some(lane) = self.lanes.get_mut(direction.index()) else { return };
        let what = match inflated {
            Inflated::More => return,
            Inflated::Ended { left: 0 } => {
                lane.state = State::Dead;
                return;
            }
            Inflated::Ended { .. } => "zlib.behind-end",
            Inflated::Limit => "zlib.limit",
            Inflated::Broken => "zlib.unparsed",
        };
        sink.skipped(what, stamp);
        lane.lose();
        // Damage within a stream can be passed over; what never was one cannot.
        if inflated != Inflated::Broken || lane.spent.taken <= 2 {
            lane.state = State::Dead;
        }
        self.inside.gap(direction, 1, stamp, sink);
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
