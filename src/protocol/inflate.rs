//! Deflated bytes (RFC 1950, RFC 1951) in pieces in, inflated bytes in pieces out, within bounds.
//!
//! Serves stream compression (XEP-0138), codings of HTTP contents and permessage-deflate. Nothing is collected here: what
//! comes out is handed on through one buffer a thread. A stream that grows beyond all measure is given up, for a
//! capture of a few megabytes must not cost an hour.

use flate2::{Decompress, FlushDecompress, Status};
use std::cell::Cell;

/// Bytes handed on at once.
const PIECE: usize = 32 << 10;
/// Bytes that any stream may grow to.
const FREE_BYTES: u64 = 32 << 20;
/// Growth that a longer stream may have. Deflate can do 1,032; text and base64 with a flush a stanza stay below 100.
const MAX_GROWTH: u64 = 256;
/// How far deflate refers back.
const WINDOW: u16 = 32 << 10;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// How deflated data is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// A header and a checksum (RFC 1950).
    Zlib,
    /// Nothing (RFC 1951).
    Raw,
}

/// What became of deflated bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inflated {
    /// All are read; more may come.
    More,
    /// The stream ends. So many bytes are left behind it.
    Ended {
        /// Bytes of the input behind the end.
        left: usize,
    },
    /// They are not deflated data.
    Broken,
    /// The stream has grown too much.
    Limit,
}

/// What a stream has cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spent {
    /// Bytes read.
    pub taken: u64,
    /// Bytes they have grown to.
    pub given: u64,
}

impl Spent {
    fn is_too_much(self) -> bool {
        self.given > FREE_BYTES && self.given / MAX_GROWTH > self.taken
    }
}

/// Reads one deflated stream.
pub(super) struct Inflater {
    state: Decompress,
    spent: Spent,
}

impl Inflater {
    /// At the beginning of a stream.
    pub fn new(wrapping: Wrapping) -> Self {
        let state = match wrapping {
            Wrapping::Zlib => Decompress::new(true),
            Wrapping::Raw => Decompress::new(false),
        };
        Self { state, spent: Spent::default() }
    }

    /// The same, with what came before it charged to it.
    pub fn after(self, spent: Spent) -> Self {
        Self { spent, ..self }
    }

    /// Behind a flush in the middle of a stream. What the window held before is not known: what refers to it comes out
    /// as NUL, which text does not have. `spent` is what came before: losing bytes must not lift the bounds.
    pub fn resumed(spent: Spent) -> Self {
        let mut inflater = Self::new(Wrapping::Raw);
        // The window is laid out with a stored block: its header, its length, the length's complement, its bytes.
        let [low, high] = WINDOW.to_le_bytes();
        inflater.inflate(&[0, low, high, !low, !high], |_| {});
        inflater.inflate(&[0; WINDOW as usize], |_| {});
        inflater.after(spent)
    }

    /// What was read so far.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// Reads `input`, and hands on what comes out in pieces.
    pub fn inflate(&mut self, input: &[u8], mut hand_on: impl FnMut(&[u8])) -> Inflated {
        // Taken, not borrowed: whoever gets a piece may inflate in turn.
        let mut buffer = BUFFER.take();
        buffer.resize(PIECE, 0);
        let mut rest = input;
        let inflated = loop {
            let (taken, given) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(rest, &mut buffer, FlushDecompress::None);
            let (taken, given) = (self.state.total_in() - taken, self.state.total_out() - given);
            self.spent.taken += taken;
            self.spent.given += given;
            rest = usize::try_from(taken).ok().and_then(|taken| rest.get(taken..)).unwrap_or_default();
            let piece = usize::try_from(given).ok().and_then(|given| buffer.get(..given)).unwrap_or_default();
            if !piece.is_empty() {
                hand_on(piece);
            }
            if self.spent.is_too_much() {
                break Inflated::Limit;
            }
            match status {
                Err(_) => break Inflated::Broken,
                Ok(Status::StreamEnd) => break Inflated::Ended { left: rest.len() },
                Ok(_) if rest.is_empty() && piece.len() < PIECE => break Inflated::More,
                // Neither byte nor progress: the state waits for what it has.
                Ok(_) if taken == 0 && given == 0 => break Inflated::More,
                Ok(_) => {}
            }
        };
        BUFFER.set(buffer);
        inflated
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};
    use proptest::prelude::*;

    fn deflate(state: &mut Compress, text: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 1024);
        state.compress_vec(text, &mut out, flush).unwrap();
        out
    }

    fn inflate(inflater: &mut Inflater, input: &[u8]) -> (Inflated, Vec<u8>) {
        let mut out = Vec::new();
        let inflated = inflater.inflate(input, |piece| out.extend_from_slice(piece));
        (inflated, out)
    }

    #[test]
    fn behind_a_flush_what_was_not_seen_is_nul_and_all_else_is_right() {
        let mut state = Compress::new(Compression::default(), true);
        let _missed = deflate(&mut state, b"the courier arrives at nine", FlushCompress::Sync);
        let seen = deflate(&mut state, b"the courier arrives at noon", FlushCompress::Sync);
        let (inflated, out) = inflate(&mut Inflater::resumed(Spent::default()), &seen);
        assert_eq!(inflated, Inflated::More);
        assert_eq!(out.len(), 27);
        assert!(out.starts_with(b"t\0\0\0") && out.ends_with(b"oon"), "{out:?}");
        assert!(out.iter().zip(b"the courier arrives at noon").all(|(got, real)| *got == 0 || got == real));

        let _missed = deflate(&mut state, b"the courier", FlushCompress::Full);
        let seen = deflate(&mut state, b"the courier arrives at noon", FlushCompress::Sync);
        assert_eq!(inflate(&mut Inflater::resumed(Spent::default()), &seen).1, b"the courier arrives at noon");
    }

    #[test]
    fn what_grows_without_end_is_given_up() {
        let mut state = Compress::new(Compression::best(), true);
        let megabyte = vec![0; 1 << 20];
        let mut inflater = Inflater::new(Wrapping::Zlib);
        let mut given = 0;
        for _ in 0..200 {
            let deflated = deflate(&mut state, &megabyte, FlushCompress::Sync);
            let inflated = inflater.inflate(&deflated, |piece| given += piece.len());
            if inflated == Inflated::Limit {
                assert!((33 << 20..50 << 20).contains(&given) || given > 32 << 20, "{given}");
                assert!(given < 34 << 20, "{given}");
                return;
            }
        }
        panic!("{given} bytes");
    }

    #[test]
    fn garbage_and_ends_are_told() {
        assert_eq!(inflate(&mut Inflater::new(Wrapping::Zlib), b"no zlib").0, Inflated::Broken);
        let mut state = Compress::new(Compression::default(), true);
        let mut whole = deflate(&mut state, b"text", FlushCompress::Finish);
        whole.extend_from_slice(b"more");
        let (inflated, out) = inflate(&mut Inflater::new(Wrapping::Zlib), &whole);
        assert_eq!((inflated, out.as_slice()), (Inflated::Ended { left: 4 }, &b"text"[..]));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in proptest::collection::vec(0u8..4, 0..5000), cut in 1usize..50) {
            let mut state = Compress::new(Compression::default(), true);
            let deflated = deflate(&mut state, &text, FlushCompress::Sync);
            let mut inflater = Inflater::new(Wrapping::Zlib);
            let mut out = Vec::new();
            for piece in deflated.chunks(cut) {
                prop_assert_eq!(inflater.inflate(piece, |bytes| out.extend_from_slice(bytes)), Inflated::More);
            }
            prop_assert_eq!(out, text);
        }

        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            for wrapping in [Wrapping::Zlib, Wrapping::Raw] {
                let mut given = 0;
                Inflater::new(wrapping).inflate(&bytes, |piece| given += piece.len());
                prop_assert!(given <= bytes.len() * 1100 + 64);
            }
        }
    }
}
