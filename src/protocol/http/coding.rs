//! Codings of contents (RFC 9110, 8.4.1): transferred bytes in, the first bytes of the decoded content out.
//!
//! gzip and deflate are read. Decoding stops with what is kept: what a small body claims to grow to costs nothing.

use super::body::MAX_KEPT;
use crate::protocol::inflate::{Inflated, Inflater, Wrapping};

/// Bytes that are kept of XML of a binding (XEP-0124): stanzas of the size that servers allow.
const MAX_KEPT_XML: usize = 1 << 20;
/// What is kept of a coded body: so much in any case, and so many bytes a transferred one.
const FREE_GROWTH: usize = 16 << 10;
const MAX_GROWTH: usize = 20;
/// Bytes inflated at once, so that what is beyond the bounds is not inflated.
const SLICE: usize = 256;
/// Longest gzip header that is read: it may hold a file name and a comment.
const MAX_GZIP_HEADER: usize = 4 << 10;

/// Where decoding stands.
enum State {
    /// There is no coding.
    Plain,
    /// In the header of a gzip member.
    GzipHeader(Vec<u8>),
    /// The first bytes tell whether deflate comes with a zlib header, as it should, or without, as some send it.
    DeflateHeader(Vec<u8>),
    Inflating(Box<Inflater>),
    /// The coded data has ended.
    Ended,
    /// Not to be decoded: an unknown coding, or damaged data.
    Failed,
}

/// The first bytes of a content.
pub(super) struct Kept {
    state: State,
    bytes: Vec<u8>,
    /// Bytes kept at most.
    keep: usize,
    /// Bytes transferred.
    came: usize,
    cut: bool,
}

impl Kept {
    /// For a body with this `Content-Encoding`. At most `room` bytes are kept.
    pub(super) fn new(coding: Option<&str>, room: usize) -> Self {
        let state = match coding.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => State::Plain,
            "gzip" | "x-gzip" => State::GzipHeader(Vec::new()),
            "deflate" => State::DeflateHeader(Vec::new()),
            _ => State::Failed,
        };
        Self { state, bytes: Vec::new(), keep: room, came: 0, cut: false }
    }

    /// Takes transferred bytes.
    pub(super) fn take(&mut self, data: &[u8]) {
        self.came = self.came.saturating_add(data.len());
        match &mut self.state {
            State::Plain => self.keep(data),
            State::GzipHeader(header) => {
                header.extend_from_slice(data);
                let header = std::mem::take(header);
                match gzip_header(&header) {
                    Some(Some(length)) => {
                        self.state = State::Inflating(Box::new(Inflater::new(Wrapping::Raw)));
                        self.inflate(header.get(length..).unwrap_or_default());
                    }
                    Some(None) if header.len() <= MAX_GZIP_HEADER => self.state = State::GzipHeader(header),
                    _ => self.state = State::Failed,
                }
            }
            State::DeflateHeader(header) => {
                header.extend_from_slice(data);
                if header.len() >= 2 {
                    let header = std::mem::take(header);
                    let is_zlib = crate::protocol::zlib::may_begin(&header);
                    let wrapping = if is_zlib { Wrapping::Zlib } else { Wrapping::Raw };
                    self.state = State::Inflating(Box::new(Inflater::new(wrapping)));
                    self.inflate(&header);
                }
            }
            State::Inflating(_) => self.inflate(data),
            State::Ended | State::Failed => {}
        }
    }

    /// Bytes are missing: what is coded cannot be decoded further.
    pub(super) fn skip(&mut self) {
        self.cut = true;
        if !matches!(self.state, State::Plain) {
            self.state = State::Failed;
        }
    }

    /// The bytes; whether there are more that were not kept; and whether they could not be decoded.
    pub(super) fn finish(self) -> (Vec<u8>, bool, bool) {
        let failed = matches!(self.state, State::Failed) && self.came > 0;
        let unfinished = matches!(self.state, State::Inflating(_) | State::GzipHeader(_) | State::DeflateHeader(_));
        let cut = self.cut || failed || (unfinished && self.came > 0);
        (self.bytes, cut, failed)
    }

    fn inflate(&mut self, data: &[u8]) {
        for slice in data.chunks(SLICE) {
            let mut inflater = match std::mem::replace(&mut self.state, State::Failed) {
                State::Inflating(inflater) => inflater,
                other => {
                    self.state = other;
                    return;
                }
            };
            let inflated = inflater.inflate(slice, |piece| self.keep(piece));
            self.state = match inflated {
                // What is beyond the bounds is not decoded, though it could be.
                Inflated::More if self.cut => State::Ended,
                Inflated::More => State::Inflating(inflater),
                Inflated::Ended { .. } => State::Ended,
                Inflated::Broken | Inflated::Limit => State::Failed,
            };
        }
    }

    fn keep(&mut self, data: &[u8]) {
        let is_xml = self.bytes.first().or(data.first()) == Some(&b'<');
        let bound = if is_xml { MAX_KEPT_XML } else { MAX_KEPT };
        let grown = match self.state {
            State::Plain => usize::MAX,
            _ => self.came.saturating_mul(MAX_GROWTH).saturating_add(FREE_GROWTH),
        };
        let room = bound.min(self.keep).min(grown).saturating_sub(self.bytes.len());
        self.cut |= room < data.len();
        self.bytes.extend_from_slice(data.get(..room).unwrap_or(data));
    }
}

/// Length of the header of a gzip member (RFC 1952, 2.3); `Some(None)` if it is not complete, `None` if it is none.
fn gzip_header(bytes: &[u8]) -> Option<Option<usize>> {
    const FIXED: usize = 10;
    const MAGIC: &[u8] = &[0x1f, 0x8b, 8];
    if !bytes.iter().zip(MAGIC).all(|(byte, magic)| byte == magic) {
        return None;
    }
    let flags = bytes.get(3).copied().unwrap_or_default();
    let mut at = FIXED;
    if flags & 4 != 0 {
        let Some(length) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else { return Some(None) };
        at += 2 + usize::from(u16::from_le_bytes(*length));
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            let Some(end) = bytes.get(at..).and_then(|rest| memchr::memchr(0, rest)) else { return Some(None) };
            at += end + 1;
        }
    }
    if flags & 2 != 0 {
        at += 2;
    }
    Some((bytes.len() >= at).then_some(at))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use flate2::{Compression, GzBuilder, write};
    use std::io::Write;

    fn read(coding: &str, body: &[u8], piece: usize) -> (Vec<u8>, bool, bool) {
        let mut kept = Kept::new(Some(coding), 4 << 20);
        body.chunks(piece).for_each(|piece| kept.take(piece));
        kept.finish()
    }

    #[test]
    fn gzip_and_both_kinds_of_deflate_are_read_in_any_pieces() {
        let text = b"<body>the courier arrives at nine</body>".repeat(20);
        let mut gzip = GzBuilder::new()
            .extra(vec![1, 2, 3])
            .filename("a.xml")
            .comment("c")
            .write(Vec::new(), Compression::default());
        gzip.write_all(&text).unwrap();
        let mut zlib = write::ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).unwrap();
        let mut raw = write::DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(&text).unwrap();
        let coded =
            [("gzip", gzip.finish().unwrap()), ("deflate", zlib.finish().unwrap()), ("Deflate", raw.finish().unwrap())];
        for (coding, body) in coded {
            for piece in [1, 3, 1000] {
                assert_eq!(read(coding, &body, piece), (text.clone(), false, false), "{coding} {piece}");
            }
            let (_, cut, failed) = read(coding, &body[..body.len() / 2], 1000);
            assert!(cut && !failed);
        }
        assert_eq!(read("identity", b"abc", 1), (b"abc".to_vec(), false, false));
    }

    #[test]
    fn growth_is_bounded_and_what_is_no_coding_is_told() {
        let mut zlib = write::ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(&vec![b'<'; 8 << 20]).unwrap();
        let bomb = zlib.finish().unwrap();
        let (kept, cut, failed) = read("deflate", &bomb, 1400);
        assert!(kept.len() <= FREE_GROWTH + MAX_GROWTH * bomb.len() && kept.len() >= FREE_GROWTH, "{}", kept.len());
        assert!(cut && !failed);
        assert_eq!(read("br", b"\x0b\x02\x80", 9), (Vec::new(), true, true));
        assert_eq!(read("gzip", b"not gzip", 9), (Vec::new(), true, true));
        assert_eq!(read("gzip", b"", 9), (Vec::new(), false, false));
    }
}
