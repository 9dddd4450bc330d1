//! Plays conversations to decoders in tests and notes what they report.

use super::{Chunk, Decoder, End, Event, Gap, Next, Sink, xmpp};
use crate::evidence::{Direction, FlowInfo, Seen, Sighting, Stamp, Transport};
use std::net::SocketAddr;
use std::sync::Arc;

/// What a decoder reported.
#[derive(Default)]
pub(crate) struct Noted {
    /// Events in order.
    pub events: Vec<(Sighting, Event)>,
    /// Names of what was skipped, in order.
    pub skipped: Vec<&'static str>,
    /// The decoder asked for no more bytes.
    pub opaque: bool,
}

impl Sink for Noted {
    fn stanza(&mut self, _: &Seen<'_>, _: &xmpp::Stanza<'_>) {}
    fn event(&mut self, seen: &Seen<'_>, event: Event) {
        self.events.push((seen.keep(), event));
    }
    fn skipped(&mut self, what: &'static str, _: Stamp) {
        self.skipped.push(what);
    }
}

/// A piece of a conversation.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Bytes, or a datagram.
    Data(Direction, Vec<u8>),
    /// Missing bytes.
    Gap(Direction, u64),
}

/// Bytes of the side that opened the conversation.
pub(crate) fn orig(data: impl Into<Vec<u8>>) -> Step {
    Step::Data(Direction::FromOrig, data.into())
}

/// Bytes of the side that answered.
pub(crate) fn resp(data: impl Into<Vec<u8>>) -> Step {
    Step::Data(Direction::FromResp, data.into())
}

/// The same bytes, at most `bytes` a step.
pub(crate) fn in_pieces(steps: &[Step], bytes: usize) -> Vec<Step> {
    let mut pieces = Vec::new();
    for step in steps {
        match step {
            Step::Data(direction, data) => {
                pieces.extend(data.chunks(bytes).map(|piece| Step::Data(*direction, piece.to_vec())));
            }
            Step::Gap(..) => pieces.push(step.clone()),
        }
    }
    pieces
}

/// A conversation between two addresses.
pub(crate) fn flow(transport: Transport, orig: &str, resp: &str) -> Arc<FlowInfo> {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
    let (orig, resp) = (address(orig), address(resp));
    Arc::new(FlowInfo {
        transport,
        orig,
        resp,
        community_id: "1:test".into(),
        tunnel: "".into(),
        within: crate::evidence::Within::default(),
    })
}

/// A frame: a hundred a second.
pub(crate) fn stamp(frame: u64) -> Stamp {
    Stamp { frame, time_ns: frame as i64 * 10_000_000, ..Stamp::default() }
}

/// Plays a conversation, one frame a step, up to its end.
pub(crate) fn play(mut decoder: Box<dyn Decoder>, flow: &Arc<FlowInfo>, steps: &[Step]) -> Noted {
    let (mut noted, mut offsets, mut frame) = (Noted::default(), [0; 2], 0);
    for step in steps {
        frame += 1;
        let stamp = stamp(frame);
        match step {
            Step::Data(_, data) if data.is_empty() || noted.opaque => {}
            Step::Data(direction, data) => {
                let chunk = Chunk { flow, direction: *direction, data, offset: offsets[direction.index()], stamp };
                offsets[direction.index()] += data.len() as u64;
                noted.opaque = !matches!(decoder.data(&chunk, &mut noted), Next::Continue);
            }
            Step::Gap(direction, bytes) => {
                offsets[direction.index()] += bytes;
                decoder.gap(&Gap { flow, direction: *direction, bytes: *bytes, stamp }, &mut noted);
            }
        }
    }
    decoder.end(&End { flow, stamp: stamp(frame) }, &mut noted);
    noted
}
