//! One direction of a connection: bytes in, frames out.
//!
//! A frame that lies within one chunk is handed on from there; only what is split is copied. After missing bytes the
//! frames go on where the lengths tell, and where these are lost too, at the next bytes that can only be the head of
//! a message.

use super::control;
use super::external::VERSION_MAGIC;
use super::handshake;
use super::header::{FIRST_FRAGMENT, HeaderError, NORMAL_HEADER, read_refs};
use super::tag;
use crate::evidence::Stamp;

/// Bytes kept of one message: programs that are loaded over the distribution are smaller, and are wanted whole.
pub const MAX_KEPT: usize = 16 << 20;

/// Messages beyond this are taken for a lost frame border: none of this size comes in one piece since OTP 22.
const MAX_PLAUSIBLE: u32 = 1 << 28;

/// Bytes that must be at hand before a message head that cannot be verified is given up.
const VERIFY_BYTES: usize = 4096;

/// Bytes to look through for a message head before the direction is given up: two of the largest messages.
const MAX_LOST: u64 = 2 * MAX_PLAUSIBLE as u64;

/// Buffers that grew larger are given back after use.
const RETAINED_BYTES: usize = 64 << 10;

/// First byte of a message without a distribution header.
pub const PASS_THROUGH: u8 = 112;

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A frame of the handshake, without its length.
    Handshake(&'a [u8]),
    /// A message, without its length. Not `whole`, if only these bytes of its beginning are known.
    Message {
        /// Its first bytes, or all.
        bytes: &'a [u8],
        /// Whether these are all.
        whole: bool,
    },
    /// Frames are missing: how many is not known.
    Lost,
}

/// What the receiver of a frame wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// More of the same.
    Next,
    /// What follows are messages.
    Messages,
    /// What follows is not distribution.
    Stop,
}

/// What the next bytes are part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The bytes will tell.
    Unknown,
    /// A length of so many bytes, then a message of the handshake: `pending` holds both.
    Handshake { width: usize },
    /// The four bytes of a message's length.
    Length { bytes: [u8; 4], have: usize },
    /// The message itself: its length, how much has passed, and whether some of that was missing.
    Body { length: u32, passed: u32, holes: bool },
    /// The head of a message is sought; `pending` holds what may be the beginning of one.
    Lost { passed: u64 },
    /// Nothing more is read.
    Off,
}

const LENGTH: State = State::Length { bytes: [0; 4], have: 0 };

/// The frames of one direction.
#[derive(Debug)]
pub struct Framing {
    state: State,
    /// The beginning of the present frame, where it came in pieces: at most [`MAX_KEPT`] bytes.
    pending: Vec<u8>,
    first: Stamp,
}

impl Default for Framing {
    fn default() -> Self {
        Self { state: State::Unknown, pending: Vec::new(), first: Stamp::default() }
    }
}

/// Receives frames: the frame, and where it began.
pub type OnFrame<'a> = dyn FnMut(Frame<'_>, Stamp) -> Answer + 'a;

impl Framing {
    /// Takes the next bytes.
    pub fn feed(&mut self, mut data: &[u8], at: Stamp, on_frame: &mut OnFrame<'_>) {
        while !data.is_empty() {
            data = match self.state {
                State::Unknown => self.feed_unknown(data, at, on_frame),
                State::Handshake { width } => self.feed_handshake(data, width, at, on_frame),
                State::Length { bytes, have } => self.feed_length(data, bytes, have, at),
                State::Body { .. } => self.feed_body(data, on_frame),
                State::Lost { passed } => self.feed_lost(data, passed, at, on_frame),
                State::Off => return,
            };
        }
    }

    /// So many bytes are missing here.
    pub fn gap(&mut self, bytes: u64, on_frame: &mut OnFrame<'_>) {
        match self.state {
            State::Off => return,
            State::Lost { .. } => {
                self.pending.clear();
                return;
            }
            State::Unknown | State::Handshake { .. } => self.state = State::Unknown,
            State::Length { .. } => self.state = State::Lost { passed: 0 },
            State::Body { length, passed, .. } => {
                let left = u64::from(length - passed);
                if bytes < left {
                    self.state = State::Body { length, passed: passed + bytes as u32, holes: true };
                    return;
                }
                self.finish_body(false, on_frame);
                if bytes == left {
                    return;
                }
                self.state = State::Lost { passed: 0 };
            }
        }
        self.pending.clear();
        on_frame(Frame::Lost, self.first);
    }

    /// No more bytes will come: the message that was being read ends here.
    pub fn end(&mut self, on_frame: &mut OnFrame<'_>) {
        if let State::Body { .. } = self.state {
            self.finish_body(false, on_frame);
        }
        self.state = State::Off;
    }

    /// `true` once nothing more is read.
    pub fn is_off(&self) -> bool {
        self.state == State::Off
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Next => {}
            Answer::Messages => self.state = LENGTH,
            Answer::Stop => self.state = State::Off,
        }
    }

    fn feed_unknown<'d>(&mut self, data: &'d [u8], at: Stamp, on_frame: &mut OnFrame<'_>) -> &'d [u8] {
        /// Enough for a length and the first byte of a message.
        const ENOUGH: usize = 6;

        if self.pending.is_empty() {
            self.first = at;
            if let Some(state) = kind_of(data) {
                self.state = state;
                return data;
            }
        }
        let (taken, rest) = data.split_at(data.len().min(ENOUGH.saturating_sub(self.pending.len()).max(1)));
        self.pending.extend_from_slice(taken);
        let kind = kind_of(&self.pending);
        if let Some(state) = kind {
            self.state = state;
            let held = std::mem::take(&mut self.pending);
            let first = self.first;
            self.feed(&held, first, on_frame);
        }
        rest
    }

    fn feed_handshake<'d>(&mut self, data: &'d [u8], width: usize, at: Stamp, on_frame: &mut OnFrame<'_>) -> &'d [u8] {
        if self.pending.is_empty() {
            self.first = at;
            if let Some((length, body)) = handshake::split_length(data, width)
                && let Some((body, rest)) = body.split_at_checked(length)
            {
                let answer = on_frame(Frame::Handshake(body), self.first);
                self.answered(answer);
                return rest;
            }
        }
        let length = |pending: &[u8]| handshake::split_length(pending, width).map(|(length, _)| length);
        let wanted = width.saturating_add(length(&self.pending).unwrap_or_default());
        let (taken, rest) = data.split_at(data.len().min(wanted - self.pending.len().min(wanted)));
        self.pending.extend_from_slice(taken);
        match length(&self.pending) {
            Some(length) if length > handshake::MAX_FRAME => self.state = State::Off,
            Some(length) if self.pending.len() == width + length => {
                let frame = std::mem::take(&mut self.pending);
                let answer = on_frame(Frame::Handshake(frame.get(width..).unwrap_or_default()), self.first);
                self.answered(answer);
            }
            _ => {}
        }
        rest
    }

    fn feed_length<'d>(&mut self, data: &'d [u8], mut bytes: [u8; 4], have: usize, at: Stamp) -> &'d [u8] {
        if have == 0 {
            self.first = at;
        }
        let (taken, rest) = data.split_at(data.len().min(4 - have));
        for (place, byte) in bytes.iter_mut().skip(have).zip(taken) {
            *place = *byte;
        }
        let have = have + taken.len();
        self.state = match u32::from_be_bytes(bytes) {
            _ if have < 4 => State::Length { bytes, have },
            // A tick.
            0 => LENGTH,
            length => State::Body { length, passed: 0, holes: false },
        };
        rest
    }

    fn feed_body<'d>(&mut self, data: &'d [u8], on_frame: &mut OnFrame<'_>) -> &'d [u8] {
        let State::Body { length, passed, holes } = self.state else { return data };
        if passed == 0 && !matches!(data.first(), Some(&VERSION_MAGIC | &PASS_THROUGH)) {
            self.state = State::Lost { passed: 0 };
            on_frame(Frame::Lost, self.first);
            return data;
        }
        let (taken, rest) = data.split_at(data.len().min((length - passed) as usize));
        if passed == 0 && taken.len() == length as usize && length as usize <= MAX_KEPT {
            self.state = LENGTH;
            let answer = on_frame(Frame::Message { bytes: taken, whole: true }, self.first);
            self.answered(answer);
            return rest;
        }
        if !holes {
            let room = MAX_KEPT.saturating_sub(self.pending.len());
            self.pending.extend_from_slice(taken.get(..room).unwrap_or(taken));
        }
        let passed = passed + taken.len() as u32;
        self.state = State::Body { length, passed, holes };
        if passed == length {
            let whole = !holes && self.pending.len() == length as usize;
            self.finish_body(whole, on_frame);
        }
        rest
    }

    fn finish_body(&mut self, whole: bool, on_frame: &mut OnFrame<'_>) {
        self.state = LENGTH;
        let mut pending = std::mem::take(&mut self.pending);
        let answer = on_frame(Frame::Message { bytes: &pending, whole }, self.first);
        if pending.capacity() <= RETAINED_BYTES {
            pending.clear();
            self.pending = pending;
        }
        self.answered(answer);
    }

    fn feed_lost<'d>(&mut self, data: &'d [u8], passed: u64, at: Stamp, on_frame: &mut OnFrame<'_>) -> &'d [u8] {
        if passed > MAX_LOST {
            self.pending = Vec::new();
            self.state = State::Off;
            return &[];
        }
        if self.pending.is_empty() {
            self.first = at;
            let keep_from = match find_message(data) {
                Found::At(start) => {
                    self.state = LENGTH;
                    return data.get(start..).unwrap_or_default();
                }
                Found::PerhapsFrom(start) => start,
            };
            self.pending.extend_from_slice(data.get(keep_from..).unwrap_or_default());
            self.state = State::Lost { passed: passed + data.len() as u64 };
            return &[];
        }
        let (taken, rest) = data.split_at(data.len().min(VERIFY_BYTES));
        self.pending.extend_from_slice(taken);
        self.state = State::Lost { passed: passed + taken.len() as u64 };
        match find_message(&self.pending) {
            Found::At(start) => {
                let held = std::mem::take(&mut self.pending);
                self.state = LENGTH;
                self.feed(held.get(start..).unwrap_or_default(), at, on_frame);
            }
            Found::PerhapsFrom(start) => {
                self.pending.drain(..start.min(self.pending.len()));
            }
        }
        rest
    }
}

/// What a direction begins with, if so many bytes tell.
fn kind_of(bytes: &[u8]) -> Option<State> {
    let width = handshake::length_width(bytes);
    if let Some((length, body)) = handshake::split_length(bytes, width)
        && let Some(tag) = body.first()
    {
        let fits = match tag {
            b's' => length >= 3,
            b'r' => length == 21,
            b'a' => length == 17,
            b'c' => length == 9,
            b'n' | b'N' => length >= 10,
            _ => false,
        };
        if fits && length <= handshake::MAX_FRAME {
            return Some(State::Handshake { width });
        }
    }
    match bytes.first_chunk::<5>() {
        Some([0, 0, 0, 0, _]) => Some(LENGTH),
        Some([_, _, _, _, VERSION_MAGIC | PASS_THROUGH]) => Some(LENGTH),
        Some(_) => Some(State::Lost { passed: 0 }),
        None => None,
    }
}

/// The result of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A message begins here.
    At(usize),
    /// None does before here, where more bytes are needed to tell.
    PerhapsFrom(usize),
}

/// Looks for bytes that can only be the head of a message: a length, a header, and the beginning of a control tuple
/// with an operation of the right arity.
pub fn find_message(bytes: &[u8]) -> Found {
    for at in memchr::memchr_iter(VERSION_MAGIC, bytes) {
        // The pass-through byte stands before the magic, the length before that.
        let heads =
            [at.checked_sub(4), at.checked_sub(5).filter(|_| bytes.get(at.wrapping_sub(1)) == Some(&PASS_THROUGH))];
        for start in heads.into_iter().flatten() {
            match check_head(bytes.get(start..).unwrap_or_default()) {
                Some(true) => return Found::At(start),
                None if bytes.len() - start < VERIFY_BYTES => return Found::PerhapsFrom(start),
                _ => {}
            }
        }
    }
    Found::PerhapsFrom(bytes.len().saturating_sub(5))
}

/// Whether a message begins here; `None` if more bytes are needed.
pub fn check_head(bytes: &[u8]) -> Option<bool> {
    let (length, message) = bytes.split_first_chunk()?;
    let length = u32::from_be_bytes(*length);
    if !(8..=MAX_PLAUSIBLE).contains(&length) {
        return Some(false);
    }
    let message = message.get(..length as usize).unwrap_or(message);
    let ended = message.len() == length as usize;
    match check_message(message) {
        None if ended => Some(false),
        verdict => verdict,
    }
}

fn check_message(message: &[u8]) -> Option<bool> {
    let (kind, rest) = message.split_first()?;
    let (passed_through, rest) = match *kind {
        VERSION_MAGIC => (false, rest),
        PASS_THROUGH => match rest.split_first()? {
            (&VERSION_MAGIC, rest) => (true, rest),
            _ => return Some(false),
        },
        _ => return Some(false),
    };
    let control = match *rest.first()? {
        NORMAL_HEADER => rest.get(1..)?,
        FIRST_FRAGMENT => {
            let (ids, after) = rest.get(1..)?.split_first_chunk::<16>()?;
            // Fragments count down to 1, and a message of more than a million of them would be larger than any.
            if !matches!(ids, [_, _, _, _, _, _, _, _, 0, 0, 0, 0, 0, fragment @ ..] if *fragment != [0; 3]) {
                return Some(false);
            }
            after
        }
        tag::SMALL_TUPLE_EXT if passed_through => return check_control(rest),
        _ => return Some(false),
    };
    match read_refs(control, |_| {}) {
        Ok(control) => check_control(control),
        Err(HeaderError::Short) => None,
        Err(HeaderError::AtomLength) => Some(false),
    }
}

fn check_control(control: &[u8]) -> Option<bool> {
    if control.first().is_some_and(|first| *first != tag::SMALL_TUPLE_EXT) {
        return Some(false);
    }
    let [_, arity, integer, number] = *control.first_chunk()?;
    Some(integer == tag::SMALL_INTEGER_EXT && control::is_plausible(number, arity))
}
