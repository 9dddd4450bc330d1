//! What the parsers of the two formats have in common.

use super::notes::Notes;
use super::pcap::{FILE_HEADER, PcapParser};
use super::pcapng::PcapngParser;
use super::resync::{Search, Window};

/// A frame as a parser finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawFrame {
    pub(super) time_ns: i64,
    pub(super) link: u16,
    /// First byte in the window. The bytes lie within the window.
    pub(super) offset: usize,
    pub(super) captured_len: u32,
    pub(super) original_len: u32,
}

/// What a parser makes of the bytes at hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next frame.
    Frame(RawFrame),
    /// So many bytes must be at hand from the current offset on, or the window must be the last one.
    More(usize),
    /// No more frames.
    End,
}

/// Reads records one by one.
pub(super) trait RecordParser {
    /// The next frame at or after `at`, which moves past what was read. Asks for more bytes only if the window is
    /// not the last one; at the end, or where nothing more can be read, it ends.
    fn step(&mut self, window: &Window<'_>, at: &mut usize, notes: &mut Notes) -> Step;
}

/// A parser that has lost its way.
pub(super) struct Lost {
    offset: u64,
    cause: String,
}

/// How it goes on after a search.
pub(super) enum Recovery {
    GoOn,
    Step(Step),
}

impl Lost {
    pub(super) fn at(offset: u64, cause: impl Into<String>) -> Self {
        Self { offset, cause: cause.into() }
    }

    /// Acts on the outcome of a search from `at`: goes on there, or asks for more bytes, or ends.
    pub(super) fn recover(
        lost: &mut Option<Self>,
        found: Search,
        window: &Window<'_>,
        at: &mut usize,
        notes: &mut Notes,
    ) -> Recovery {
        let (next, recovery) = match found {
            Search::Found(next) => (next, Recovery::GoOn),
            Search::Nothing if window.last => (window.bytes.len(), Recovery::Step(Step::End)),
            Search::Unsure(next) => {
                *at = next;
                return Recovery::Step(Step::More(window.bytes.len() - next + 1));
            }
            Search::Nothing => {
                *at = window.bytes.len();
                return Recovery::Step(Step::More(1));
            }
        };
        *at = next;
        if let Some(Self { offset, cause }) = lost.take() {
            notes.skipped(offset, &cause, window.base + next as u64);
        }
        recovery
    }
}

/// The parser of an input.
pub(super) enum Parser {
    Pcap(PcapParser),
    Pcapng(PcapngParser),
}

impl Parser {
    /// Tells the format by the first bytes; `None` if they are of no capture. With the offset of the first record.
    pub(super) fn recognise(window: &Window<'_>) -> Option<(Self, usize)> {
        if let Some(parser) = PcapParser::new(window) {
            return Some((Self::Pcap(parser), FILE_HEADER));
        }
        PcapngParser::new(window).map(|parser| (Self::Pcapng(parser), 0))
    }

    /// Whether bytes too few to tell could be the front of a capture.
    pub(super) fn may_begin(bytes: &[u8]) -> bool {
        PcapParser::may_begin(bytes) || PcapngParser::may_begin(bytes)
    }

    /// Name of the format, as in [`CaptureInfo::format`](super::CaptureInfo::format).
    pub(super) fn format(&self) -> &'static str {
        match self {
            Self::Pcap(parser) => parser.format(),
            Self::Pcapng(_) => "pcapng",
        }
    }
}

impl RecordParser for Parser {
    #[inline]
    fn step(&mut self, window: &Window<'_>, at: &mut usize, notes: &mut Notes) -> Step {
        match self {
            Self::Pcap(parser) => parser.step(window, at, notes),
            Self::Pcapng(parser) => parser.step(window, at, notes),
        }
    }
}
