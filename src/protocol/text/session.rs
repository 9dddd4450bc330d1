//! The state of one readable conversation: a line in the making for each direction.

use super::TextEvent;
use super::line::{Finished, Line};
use super::probe::is_terminal_control;
use super::telnet::Telnet;
use crate::evidence::{Direction, FlowInfo, Seen};
use crate::protocol::{Chunk, Decoder, End, Event, Gap, Next, Sink};
use std::sync::Arc;

/// Text kept per direction, in bytes of lines. Lines outlive the conversation until the case is judged, so an endless
/// log must not fill memory; beyond, only lines of interest are reported, the others are counted.
const KEPT_BYTES: usize = 256 * 1024;

/// What makes a line worth keeping beyond [`KEPT_BYTES`], with the lines that follow it: the answer to what it asks.
const OF_INTEREST: &[u8] = b"cookie";
const FOLLOWING_LINES: u8 = 8;

/// Lines of interest are few; this many of them per direction (in bytes) are not interest, they are a flood.
const KEPT_BYTES_OF_INTEREST: usize = 2 * KEPT_BYTES;

/// Bytes in the sliding count that tells text from binary.
const WINDOW: u32 = 4096;

/// Starts a decoder.
pub fn start() -> Box<dyn Decoder> {
    Box::new(TextDecoder::default())
}

#[derive(Default)]
struct TextDecoder {
    sides: [Side; 2],
    following: u8,
}

#[derive(Default)]
struct Side {
    telnet: Telnet,
    line: Line,
    kept_bytes: usize,
    bytes: u32,
    odd_bytes: u32,
}

impl Side {
    /// Counts a byte; `true` once a fifth of the latest ones are not text.
    fn is_binary_with(&mut self, byte: u8) -> bool {
        self.bytes += 1;
        self.odd_bytes += u32::from(byte.is_ascii_control() && !is_terminal_control(byte));
        if self.bytes >= WINDOW {
            self.bytes /= 2;
            self.odd_bytes /= 2;
        }
        self.bytes >= 64 && self.odd_bytes * 5 > self.bytes
    }
}

impl TextDecoder {
    fn side(&mut self, direction: Direction) -> &mut Side {
        let [orig, resp] = &mut self.sides;
        match direction {
            Direction::FromOrig => orig,
            Direction::FromResp => resp,
        }
    }

    /// Reports the line of a direction as it stands.
    fn report(&mut self, flow: &Arc<FlowInfo>, direction: Direction, sink: &mut dyn Sink) {
        let Some(Finished { text, first, last }) = self.side(direction).line.take() else { return };
        if self.keeps(direction, &text) {
            sink.event(&Seen { flow, direction, first, last }, Event::Text(TextEvent { line: text }));
        } else {
            sink.skipped("text.line-beyond-limit", last);
        }
    }

    fn keeps(&mut self, direction: Direction, text: &str) -> bool {
        let asks = text.as_bytes().windows(OF_INTEREST.len()).any(|part| part.eq_ignore_ascii_case(OF_INTEREST));
        let follows = self.following > 0;
        self.following = if asks { FOLLOWING_LINES } else { self.following.saturating_sub(1) };
        let side = self.side(direction);
        let limit = if asks || follows { KEPT_BYTES_OF_INTEREST } else { KEPT_BYTES };
        let keeps = side.kept_bytes < limit;
        if keeps {
            side.kept_bytes += text.len();
        }
        keeps
    }
}

impl Decoder for TextDecoder {
    fn protocol(&self) -> &'static str {
        "text"
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        let other = chunk.direction.reversed();
        if self.side(other).line.is_returned() {
            // Return key of a terminal in raw mode, and now the answer: what was on the screen goes first.
            self.report(chunk.flow, chunk.direction, sink);
            self.report(chunk.flow, other, sink);
        }
        for &byte in chunk.data {
            let side = self.side(chunk.direction);
            let Some(text) = side.telnet.filter(byte) else { continue };
            if side.is_binary_with(text) {
                sink.skipped("text.binary", chunk.stamp);
                return Next::Opaque;
            }
            if side.line.push(text, chunk.stamp) {
                // A line ends here: what the other side shows without a line end is the prompt that it answers.
                self.report(chunk.flow, other, sink);
                self.report(chunk.flow, chunk.direction, sink);
            }
        }
        Next::Continue
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        self.report(gap.flow, gap.direction, sink);
        let side = self.side(gap.direction);
        side.telnet = Telnet::default();
        side.line = Line::default();
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        let mut rest = [Direction::FromOrig, Direction::FromResp];
        let last_of =
            |decoder: &mut Self, direction| decoder.side(direction).line.last_stamp().map(|stamp| stamp.order());
        if last_of(self, Direction::FromResp) < last_of(self, Direction::FromOrig) {
            rest.reverse();
        }
        for direction in rest {
            self.report(end.flow, direction, sink);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::{Stamp, Transport};
    use crate::protocol::xmpp::Stanza;
    use Direction::{FromOrig, FromResp};
    use proptest::prelude::*;

    #[derive(Default)]
    struct Lines {
        lines: Vec<(Direction, String)>,
        skipped: usize,
    }

    impl Sink for Lines {
        fn stanza(&mut self, _: &Seen<'_>, _: &Stanza<'_>) {}
        fn event(&mut self, seen: &Seen<'_>, event: Event) {
            if let Event::Text(TextEvent { line }) = event {
                self.lines.push((seen.direction, line));
            }
        }
        fn skipped(&mut self, _: &'static str, _: Stamp) {
            self.skipped += 1;
        }
    }

    fn decode(chunks: &[(Direction, &[u8])], piece: usize) -> Lines {
        let flow = Arc::new(FlowInfo {
            transport: Transport::Tcp,
            orig: "10.0.0.7:40000".parse().unwrap(),
            resp: "10.0.0.1:2323".parse().unwrap(),
            community_id: "1:x".into(),
            tunnel: "".into(),
            within: crate::evidence::Within::default(),
        });
        let mut decoder = start();
        let mut sink = Lines::default();
        for &(direction, bytes) in chunks {
            for data in bytes.chunks(piece) {
                let chunk = Chunk { flow: &flow, direction, data, offset: 0, stamp: Stamp::default() };
                if matches!(decoder.data(&chunk, &mut sink), Next::Opaque) {
                    return sink;
                }
            }
        }
        decoder.end(&End { flow: &flow, stamp: Stamp::default() }, &mut sink);
        sink
    }

    fn said(lines: &Lines) -> Vec<(Direction, &str)> {
        lines.lines.iter().map(|(direction, line)| (*direction, line.as_str())).collect()
    }

    #[test]
    fn a_prompt_is_a_line_once_it_is_answered() {
        let chunks: &[(Direction, &[u8])] = &[
            (FromResp, b"login: "),
            (FromOrig, b"root\r\n"),
            (FromResp, b"Last login: Monday\r\nroot@xmpp:~# "),
            (FromOrig, b"id\n"),
            (FromResp, b"uid=0\n"),
        ];
        for piece in [1, 2, 1000] {
            assert_eq!(
                said(&decode(chunks, piece)),
                [
                    (FromResp, "login: "),
                    (FromOrig, "root"),
                    (FromResp, "Last login: Monday"),
                    (FromResp, "root@xmpp:~# "),
                    (FromOrig, "id"),
                    (FromResp, "uid=0"),
                ]
            );
        }
    }

    #[test]
    fn echo_letter_by_letter_stays_one_line() {
        let chunks: &[(Direction, &[u8])] = &[
            (FromResp, b"$ "),
            (FromOrig, b"i"),
            (FromResp, b"i"),
            (FromOrig, b"d"),
            (FromResp, b"d"),
            (FromOrig, b"\r"),
            (FromResp, b"\r\nuid=0\r\n$ "),
        ];
        assert_eq!(
            said(&decode(chunks, 1000)),
            [(FromResp, "$ id"), (FromOrig, "id"), (FromResp, "uid=0"), (FromResp, "$ ")]
        );
    }

    #[test]
    fn binary_ends_it() {
        let lines = decode(&[(FromOrig, b"hello\n"), (FromOrig, &[1; 200])], 1000);
        assert_eq!(said(&lines), [(FromOrig, "hello")]);
        assert_eq!(lines.skipped, 1);
    }

    #[test]
    fn endless_text_is_counted_not_kept_but_for_what_is_of_interest() {
        let mut text = b"0123456789abcdef\n".repeat(KEPT_BYTES / 8);
        text.extend_from_slice(b"cat .erlang.cookie\nANSWER\n");
        let lines = decode(&[(FromResp, &text)], usize::MAX);
        assert!(lines.skipped > 0);
        assert_eq!(lines.lines.len(), KEPT_BYTES / 16 + 2);
        assert_eq!(lines.lines.last().map(|(_, line)| line.as_str()), Some("ANSWER"));
    }

    #[test]
    fn a_gap_ends_the_line() {
        let flow = Arc::new(FlowInfo {
            transport: Transport::Tcp,
            orig: "10.0.0.7:40000".parse().unwrap(),
            resp: "10.0.0.1:2323".parse().unwrap(),
            community_id: "1:x".into(),
            tunnel: "".into(),
            within: crate::evidence::Within::default(),
        });
        let (mut decoder, mut sink) = (start(), Lines::default());
        let stamp = Stamp::default();
        decoder.data(&Chunk { flow: &flow, direction: FromOrig, data: b"half\x1b]0;", offset: 0, stamp }, &mut sink);
        decoder.gap(&Gap { flow: &flow, direction: FromOrig, bytes: 10, stamp }, &mut sink);
        decoder.data(&Chunk { flow: &flow, direction: FromOrig, data: b"whole\n", offset: 16, stamp }, &mut sink);
        assert_eq!(said(&sink), [(FromOrig, "half"), (FromOrig, "whole")]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            chunks in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..80)), 0..12),
            piece in 1usize..9,
        ) {
            let chunks: Vec<(Direction, &[u8])> = chunks
                .iter()
                .map(|(orig, bytes)| (if *orig { FromOrig } else { FromResp }, bytes.as_slice()))
                .collect();
            prop_assert_eq!(decode(&chunks, piece).lines, decode(&chunks, 1000).lines);
        }
    }
}
