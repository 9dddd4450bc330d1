//! Tests of the decoder as a whole, and what they share: an encoder, a sink that collects, conversations of real nodes.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod encoder;
mod meanings;
mod recorded;
mod sessions;
mod terms;

use super::event::{DistEvent, Handshake, Message};
use super::session::Session;
use crate::evidence::{CaptureId, Direction, FlowInfo, Seen, Stamp, Transport};
use crate::protocol::{Chunk, Decoder, End, Event, Gap, Sink, xmpp};
use std::sync::Arc;

/// Keeps what is reported.
#[derive(Debug, Default)]
struct Collector {
    handshakes: Vec<Handshake>,
    messages: Vec<Message>,
    skipped: Vec<&'static str>,
}

impl Sink for Collector {
    fn stanza(&mut self, _: &Seen<'_>, _: &xmpp::Stanza<'_>) {}

    fn event(&mut self, _: &Seen<'_>, event: Event) {
        match event {
            Event::ErlDist(DistEvent::Handshake(handshake)) => self.handshakes.push(*handshake),
            Event::ErlDist(DistEvent::Message(message)) => self.messages.push(*message),
            other => panic!("not of this protocol: {other:?}"),
        }
    }

    fn skipped(&mut self, what: &'static str, _: Stamp) {
        self.skipped.push(what);
    }
}

impl Collector {
    /// Everything in one text, to compare runs.
    fn summary(&self) -> String {
        let mut text = format!("{:?}\n", self.handshakes);
        for message in &self.messages {
            text += &format!("{message:?}\n");
        }
        text
    }
}

/// One step of a conversation.
#[derive(Debug, Clone)]
enum Step {
    Orig(Vec<u8>),
    Resp(Vec<u8>),
    OrigGap(u64),
    RespGap(u64),
}

fn flow() -> Arc<FlowInfo> {
    Arc::new(FlowInfo {
        transport: Transport::Tcp,
        orig: "10.0.0.7:47260".parse().unwrap(),
        resp: "10.0.0.1:44245".parse().unwrap(),
        community_id: "1:test".into(),
        tunnel: "".into(),
        within: crate::evidence::Within::default(),
    })
}

fn stamp(frame: u64) -> Stamp {
    Stamp { capture: CaptureId(0), frame, time_ns: frame as i64 * 1000 }
}

/// Runs a conversation, its data in pieces of at most `piece` bytes; the last frame is one of farewell.
fn run(steps: &[Step], piece: usize) -> Collector {
    run_to_end(steps, piece, true)
}

fn run_to_end(steps: &[Step], piece: usize, farewell: bool) -> Collector {
    let (flow, mut session, mut sink) = (flow(), Session::default(), Collector::default());
    let mut offsets = [0; 2];
    for (frame, step) in steps.iter().enumerate() {
        let (direction, data, missing) = match step {
            Step::Orig(data) => (Direction::FromOrig, &**data, 0),
            Step::Resp(data) => (Direction::FromResp, &**data, 0),
            Step::OrigGap(bytes) => (Direction::FromOrig, &[][..], *bytes),
            Step::RespGap(bytes) => (Direction::FromResp, &[][..], *bytes),
        };
        let stamp = stamp(frame as u64 + 1);
        if missing > 0 {
            session.gap(&Gap { flow: &flow, direction, bytes: missing, stamp }, &mut sink);
            offsets[direction.index()] += missing;
        }
        for data in data.chunks(piece) {
            let offset = offsets[direction.index()];
            session.data(&Chunk { flow: &flow, direction, data, offset, stamp }, &mut sink);
            offsets[direction.index()] += data.len() as u64;
        }
    }
    let last = steps.len() as u64 + u64::from(farewell);
    session.end(&End { flow: &flow, stamp: stamp(last) }, &mut sink);
    sink
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
