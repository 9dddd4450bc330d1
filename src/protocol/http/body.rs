//! Message bodies (RFC 9112, 6 and 7): stream bytes in; length, hash and first bytes of the content out.
//!
//! Bytes are hashed where they lie; only the first of them are kept.

use super::coding::Kept;
use super::decoded::Decoded;
use super::event::HttpMessage;
use super::range::Part;
use crate::protocol::content::{FileSpool, Intake};
use memchr::memchr;

/// Bytes kept of a body that is not XML: forms and API calls fit, files are told by their hash.
pub(super) const MAX_KEPT: usize = 65_536;
/// Longest line within a chunked body: a size with extensions, or a trailer field.
const MAX_LINE: usize = 8 * 1024;

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// By Content-Length: bytes that are still to come.
    Length(u64),
    /// By a chunk of no bytes.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// What has come of a body.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Progress {
    /// More is to come.
    More,
    /// The body has ended.
    Done,
    /// The chunks make no sense: what follows is not known.
    Broken,
}

/// Where a chunked body stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    Size,
    Data(u64),
    DataEnd,
    Trailer,
}

/// Reads one body.
pub(super) struct Body {
    framing: Framing,
    chunk: Chunk,
    line: Vec<u8>,
    intake: Intake,
    decoded: Option<Decoded>,
    kept: Kept,
    part: Part,
    missing: bool,
}

impl Body {
    /// A body of which the first bytes are kept; all of it goes to the spool, if there is one, `coding` undone.
    pub(super) fn new(framing: Framing, kept: Kept, coding: Option<&str>, spool: Option<&FileSpool>) -> Self {
        let spool = spool.filter(|_| framing != Framing::Empty);
        Self {
            framing,
            chunk: Chunk::Size,
            line: Vec::new(),
            intake: Intake::new(spool),
            decoded: Decoded::new(coding, spool),
            kept,
            part: Part::None,
            missing: false,
        }
    }

    /// It is the body of a response with this status and Content-Range.
    pub(super) fn answers(mut self, status: u16, content_range: Option<&str>) -> Self {
        if self.decoded.is_none() {
            self.part = Part::of_response(status, content_range);
        }
        self
    }

    /// `true` if the end of the connection is the end of the body.
    pub(super) fn ends_with_connection(&self) -> bool {
        self.framing == Framing::UntilClose
    }

    /// Reads up to the end of the body; returns what is left.
    pub(super) fn read<'a>(&mut self, data: &'a [u8]) -> (Progress, &'a [u8]) {
        match self.framing {
            Framing::Empty | Framing::Length(0) => (Progress::Done, data),
            Framing::UntilClose => {
                self.content(data);
                (Progress::More, &[])
            }
            Framing::Length(left) => {
                let (content, rest) = split_up_to(data, left);
                self.content(content);
                let left = left - content.len() as u64;
                self.framing = Framing::Length(left);
                (if left == 0 { Progress::Done } else { Progress::More }, rest)
            }
            Framing::Chunked => self.chunks(data),
        }
    }

    /// Passes over bytes that were not captured. `Broken` if the end of the body may lie among them.
    pub(super) fn skip(&mut self, bytes: u64) -> Progress {
        self.missing = true;
        self.part = Part::None;
        self.kept.skip();
        match (self.framing, self.chunk) {
            (Framing::UntilClose, _) => Progress::More,
            (Framing::Length(left), _) if bytes <= left => {
                self.framing = Framing::Length(left - bytes);
                if bytes == left { Progress::Done } else { Progress::More }
            }
            (Framing::Chunked, Chunk::Data(left)) if bytes <= left => {
                self.chunk = if bytes == left { Chunk::DataEnd } else { Chunk::Data(left - bytes) };
                Progress::More
            }
            _ => Progress::Broken,
        }
    }

    /// What was read, into the message; `ended` tells whether the end of the body was seen. Returns whether its coding
    /// could be read.
    pub(super) fn finish(self, ended: bool, message: &mut HttpMessage) -> bool {
        let (body, cut, failed) = self.kept.finish();
        message.body = body;
        message.body_cut = cut;
        let is_whole = ended && !message.headers.iter().any(|(name, _)| name == "content-range");
        let (transferred, part) = self.part.finish(self.intake, is_whole);
        message.part = part;
        message.body_bytes = transferred.bytes;
        message.body_sha256 = transferred.sha256;
        let decoded = self.decoded.filter(|_| !self.missing).and_then(|decoded| decoded.finish(ended));
        message.content = decoded.unwrap_or(transferred);
        message.complete = ended && !self.missing;
        !failed
    }

    fn content(&mut self, data: &[u8]) {
        self.intake.push(data);
        if let Some(decoded) = &mut self.decoded {
            decoded.push(data);
        }
        self.kept.take(data);
        self.part.push(data);
    }

    fn chunks<'a>(&mut self, mut data: &'a [u8]) -> (Progress, &'a [u8]) {
        while !data.is_empty() {
            if let Chunk::Data(left) = self.chunk {
                let (content, rest) = split_up_to(data, left);
                self.content(content);
                let left = left - content.len() as u64;
                self.chunk = if left == 0 { Chunk::DataEnd } else { Chunk::Data(left) };
                data = rest;
                continue;
            }
            let Some(rest) = self.take_line(data) else {
                return (if self.line.len() > MAX_LINE { Progress::Broken } else { Progress::More }, &[]);
            };
            data = rest;
            match self.end_of_line() {
                Progress::More => {}
                other => return (other, data),
            }
        }
        (Progress::More, data)
    }

    /// Moves bytes into `line` up to the end of the line, and returns those behind it.
    fn take_line<'a>(&mut self, data: &'a [u8]) -> Option<&'a [u8]> {
        let Some(end) = memchr(b'\n', data) else {
            let room = (MAX_LINE + 1).saturating_sub(self.line.len()).min(data.len());
            self.line.extend_from_slice(data.get(..room).unwrap_or_default());
            return None;
        };
        let (line, rest) = data.split_at_checked(end + 1)?;
        // A line over the limit says nothing that is used: its beginning will do.
        self.line.extend_from_slice(line.get(..MAX_LINE).unwrap_or(line));
        Some(rest)
    }

    fn end_of_line(&mut self) -> Progress {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii();
        match self.chunk {
            Chunk::Size => match chunk_size(line) {
                Some(0) => self.chunk = Chunk::Trailer,
                Some(size) => self.chunk = Chunk::Data(size),
                None => {
                    self.missing = true;
                    return Progress::Broken;
                }
            },
            // Bytes between the chunk and its line end: the size was wrong.
            Chunk::DataEnd if !line.is_empty() => {
                self.missing = true;
                return Progress::Broken;
            }
            Chunk::DataEnd => self.chunk = Chunk::Size,
            Chunk::Trailer if line.is_empty() => return Progress::Done,
            Chunk::Trailer | Chunk::Data(_) => {}
        }
        Progress::More
    }
}

/// Hexadecimal digits, before extensions.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    let digits = std::str::from_utf8(digits).ok()?;
    // `from_str_radix` would take a sign.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

fn split_up_to(data: &[u8], length: u64) -> (&[u8], &[u8]) {
    usize::try_from(length).ok().and_then(|length| data.split_at_checked(length)).unwrap_or((data, &[]))
}
