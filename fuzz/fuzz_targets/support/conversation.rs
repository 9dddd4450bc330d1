//! Plays fuzzer bytes to a decoder: each step is a byte of control, a length, and so many bytes.

use jabberscope::evidence::{Direction, FlowInfo, Seen, Stamp, Transport};
use jabberscope::protocol::tls::{KeyRing, Keys, Sessions};
use jabberscope::protocol::{Chunk, Conversation, Decoder, End, Event, Gap, Sink, xmpp};
use std::sync::Arc;

/// Reports go nowhere; keys are there.
#[derive(Default)]
struct Ignore {
    keys: Keys,
    sessions: Sessions,
}

impl Sink for Ignore {
    fn stanza(&mut self, _: &Seen<'_>, _: &xmpp::Stanza<'_>) {}
    fn event(&mut self, _: &Seen<'_>, _: Event) {}
    fn skipped(&mut self, _: &'static str, _: Stamp) {}
    fn keys(&mut self) -> Option<KeyRing<'_>> {
        Some(KeyRing { keys: &self.keys, sessions: &mut self.sessions })
    }
}

/// Bit 0 of the control byte is the direction, bit 1 makes the step a gap.
#[allow(dead_code)] // each target uses its part
pub fn play(decoder: Box<dyn Decoder>, port: u16, data: &[u8]) {
    play_with(decoder, port, data, Keys::default());
}

/// The same with keys for TLS.
#[allow(dead_code)] // each target uses its part
pub fn play_with(decoder: Box<dyn Decoder>, port: u16, data: &[u8], keys: Keys) {
    play_to(Conversation::Decoded(decoder), &[], port, data, keys);
}

/// The same behind an opening, whose parts the two sides say in turn.
#[allow(dead_code)] // each target uses its part
pub fn play_behind(opening: &[&[u8]], port: u16, data: &[u8]) {
    play_to(Conversation::default(), opening, port, data, Keys::default());
}

fn play_to(mut conversation: Conversation, opening: &[&[u8]], port: u16, mut data: &[u8], keys: Keys) {
    let mut sink = Ignore { keys, ..Ignore::default() };
    let flow = Arc::new(FlowInfo {
        transport: Transport::Tcp,
        orig: ([10, 0, 0, 7], 40000).into(),
        resp: ([10, 0, 0, 1], port).into(),
        community_id: "1:fuzz".into(),
        tunnel: "".into(), within: jabberscope::evidence::Within::default(),
    });
    let (mut stamp, mut offsets) = (Stamp::default(), [0; 2]);
    for (part, direction) in opening.iter().zip([Direction::FromOrig, Direction::FromResp].into_iter().cycle()) {
        conversation.data(&Chunk { flow: &flow, direction, data: part, offset: 0, stamp }, &mut sink);
    }
    while let Some((&[control, length], rest)) = data.split_first_chunk() {
        stamp.frame += 1;
        let direction = if control & 1 == 0 { Direction::FromOrig } else { Direction::FromResp };
        if control & 2 != 0 {
            let bytes = u64::from(length) + 1;
            conversation.gap(&Gap { flow: &flow, direction, bytes, stamp }, &mut sink);
            offsets[direction.index()] += bytes;
            data = rest;
            continue;
        }
        let (piece, rest) = rest.split_at(rest.len().min(usize::from(length) + 1));
        data = rest;
        if piece.is_empty() {
            break;
        }
        let offset = offsets[direction.index()];
        offsets[direction.index()] += piece.len() as u64;
        conversation.data(&Chunk { flow: &flow, direction, data: piece, offset, stamp }, &mut sink);
    }
    conversation.end(&End { flow: &flow, stamp }, &mut sink);
}
