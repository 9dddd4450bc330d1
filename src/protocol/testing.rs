//! Plays conversations to decoders in tests and notes what they report.

use super::{Chunk, Conversation, Decoder, End, Event, Gap, Next, Sink, xmpp};
use crate::evidence::{Direction, FlowInfo, Seen, Sighting, Stamp, Transport, Within};
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

/// What was heard of XMPP in a conversation of layers; places are left out, for pieces decide on them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Heard {
    /// Sender, addressee and body of each stanza.
    pub stanzas: Vec<String>,
    /// Layers around the stanzas, each once.
    pub within: Vec<Within>,
    /// Mechanism, user and outcome of each login.
    pub logins: Vec<String>,
    /// Streams in the order of their ends.
    pub streams: Vec<HeardStream>,
    /// Errors that ended streams.
    pub errors: Vec<String>,
    /// What was skipped.
    pub skipped: Vec<&'static str>,
}

/// JID, domain, compression, stanzas both ways.
pub(crate) type HeardStream = (Option<String>, Option<String>, Option<&'static str>, [u64; 2]);

impl Heard {
    /// Bodies of stanzas that have one.
    pub(crate) fn bodies(&self) -> Vec<&str> {
        self.stanzas.iter().filter_map(|stanza| Some(stanza.split_once(": ")?.1)).collect()
    }
}

impl Sink for Heard {
    fn stanza(&mut self, seen: &Seen<'_>, stanza: &xmpp::Stanza<'_>) {
        let name = |jid: Option<&str>| jid.unwrap_or("-").to_owned();
        let body = stanza.body.map(|body| format!(": {body}")).unwrap_or_default();
        self.stanzas.push(format!("{:?} {} > {}{body}", stanza.kind, name(stanza.from), name(stanza.to)));
        if !self.within.contains(&seen.flow.within) {
            self.within.push(seen.flow.within);
        }
    }
    fn event(&mut self, _: &Seen<'_>, event: Event) {
        match event {
            Event::Xmpp(xmpp::XmppEvent::Stream(told)) => {
                self.errors.extend(told.error);
                self.streams.push((told.jid, told.domain, told.compression, told.stanzas));
            }
            Event::Xmpp(xmpp::XmppEvent::Login(told)) => {
                let user = told.username.unwrap_or_default();
                self.logins.push(format!("{} {user} {}", told.mechanism, told.outcome.name()));
            }
            _ => {}
        }
    }
    fn skipped(&mut self, what: &'static str, _: Stamp) {
        self.skipped.push(what);
    }
}

/// Plays a conversation through its layers, one frame a step, up to its end.
pub(crate) fn hear(mut conversation: Conversation, steps: &[Step]) -> Heard {
    let flow = flow(Transport::Tcp, "10.0.0.7:40000", "10.0.0.1:5280");
    let (mut heard, mut offsets, mut frame) = (Heard::default(), [0; 2], 0);
    for step in steps {
        frame += 1;
        let stamp = stamp(frame);
        match step {
            Step::Data(_, data) if data.is_empty() => {}
            Step::Data(direction, data) => {
                let offset = offsets[direction.index()];
                offsets[direction.index()] += data.len() as u64;
                conversation.data(&Chunk { flow: &flow, direction: *direction, data, offset, stamp }, &mut heard);
            }
            Step::Gap(direction, bytes) => {
                offsets[direction.index()] += bytes;
                conversation.gap(&Gap { flow: &flow, direction: *direction, bytes: *bytes, stamp }, &mut heard);
            }
        }
    }
    conversation.end(&End { flow: &flow, stamp: stamp(frame) }, &mut heard);
    heard
}
