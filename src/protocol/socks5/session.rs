//! One SOCKS 5 conversation: handshake, and then the bytes of a file or a conversation inside.
//!
//! What a client sends next is told by its first byte, so the server's side may be missing from the capture.

use super::event::{SocksEvent, SocksSession, SocksStream};
use super::wire::{self, Auth, Greeting, Parsed, Request};
use crate::evidence::{Direction, FlowInfo, Seen, Stamp};
use crate::protocol::content::Intake;
use crate::protocol::xmpp::{Disclosure, Login, Outcome};
use crate::protocol::{Chunk, Conversation, Decoder, End, Event, Gap, Next, Sink};
use std::sync::Arc;

/// Longest message of a handshake: a name and a password of 255 bytes each.
const MAX_PENDING: usize = 1024;

/// What a direction sends next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// A client its methods, a server its choice.
    #[default]
    Method,
    /// A client name and password or a request, a server its verdict on them.
    Login,
    /// A client a request, a server its answer.
    Request,
    /// What goes through.
    Data,
    /// Nothing that can be read.
    Done,
}

#[derive(Default)]
struct Side {
    phase: Phase,
    /// A beginning of a message.
    pending: Vec<u8>,
    stream: Option<Stream>,
}

/// One direction of a bytestream.
struct Stream {
    intake: Intake,
    missing: u64,
    frames: (Stamp, Stamp),
}

/// A name and a password whose verdict has not come.
struct Attempt {
    auth: Auth,
    frames: (Stamp, Stamp),
}

/// Reads one conversation.
#[derive(Default)]
pub(super) struct Session {
    /// Who greets.
    client: Option<Direction>,
    /// Client and server.
    sides: [Side; 2],
    told: SocksSession,
    attempt: Option<Attempt>,
    /// Bytes of the request: the answer to it is as long where it repeats the destination.
    request_length: u64,
    connects: bool,
    first: Stamp,
    last: Stamp,
    inner: Conversation,
}

/// Where something is read.
struct Here<'a> {
    flow: &'a Arc<FlowInfo>,
    stamp: Stamp,
    sink: &'a mut dyn Sink,
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

impl Decoder for Session {
    fn protocol(&self) -> &'static str {
        "socks5"
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        if self.client.is_none() {
            self.client = Some(chunk.direction);
            self.first = chunk.stamp;
        }
        self.last = chunk.stamp;
        let index = self.index(chunk.direction);
        let mut here = Here { flow: chunk.flow, stamp: chunk.stamp, sink };
        let mut rest = chunk.data;
        while !rest.is_empty() {
            match self.phase(index) {
                Phase::Done => break,
                Phase::Data => {
                    let offset = chunk.offset + (chunk.data.len() - rest.len()) as u64;
                    self.through(index, &Chunk { data: rest, offset, ..*chunk }, here.sink);
                    break;
                }
                _ => rest = self.handshake(index, rest, &mut here),
            }
        }
        if self.sides.iter().all(|side| side.phase == Phase::Done) { Next::Opaque } else { Next::Continue }
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        self.last = gap.stamp;
        let index = self.index(gap.direction);
        match self.phase(index) {
            Phase::Done => {}
            Phase::Data => match self.sides.get_mut(index).map(|side| &mut side.stream) {
                Some(Some(stream)) => stream.missing = stream.missing.saturating_add(gap.bytes),
                Some(None) if self.told.bytestream.is_some() => {
                    let mut stream = Stream::begin(gap.stamp, sink);
                    stream.missing = gap.bytes;
                    if let Some(side) = self.sides.get_mut(index) {
                        side.stream = Some(stream);
                    }
                }
                _ => self.inner.gap(gap, sink),
            },
            _ => {
                sink.skipped("socks5.resync", gap.stamp);
                self.pass_over(index, gap, sink);
            }
        }
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        let mut here = Here { flow: end.flow, stamp: end.stamp, sink };
        self.end_login(Outcome::Unknown, &mut here);
        let finish = |side: &mut Side| {
            let Stream { intake, missing, frames } = side.stream.take()?;
            Some(SocksStream { content: intake.finish(), missing, frames })
        };
        let [client, server] = &mut self.sides;
        self.told.streams = [finish(client), finish(server)];
        let told = std::mem::take(&mut self.told);
        let seen = Seen { flow: end.flow, direction: self.client_direction(), first: self.first, last: self.last };
        here.sink.event(&seen, Event::Socks(SocksEvent::Session(Box::new(told))));
        self.inner.end(end, here.sink);
    }
}

impl Session {
    fn client_direction(&self) -> Direction {
        self.client.unwrap_or(Direction::FromOrig)
    }

    fn index(&self, direction: Direction) -> usize {
        if direction == self.client_direction() { CLIENT } else { SERVER }
    }

    fn phase(&self, index: usize) -> Phase {
        self.sides.get(index).map_or(Phase::Done, |side| side.phase)
    }

    fn enter(&mut self, index: usize, phase: Phase) {
        if let Some(side) = self.sides.get_mut(index) {
            side.phase = phase;
        }
    }

    /// Reads a message of the handshake; returns what is behind it.
    fn handshake<'a>(&mut self, index: usize, data: &'a [u8], here: &mut Here<'_>) -> &'a [u8] {
        let Some(side) = self.sides.get_mut(index) else { return &[] };
        let before = side.pending.len();
        let mut message = std::mem::take(&mut side.pending);
        let room = MAX_PENDING.saturating_sub(before).min(data.len());
        message.extend_from_slice(data.get(..room).unwrap_or_default());
        let taken = if index == CLIENT { self.asked(&message, here) } else { self.answered(&message, here) };
        match taken {
            Some(Parsed::Whole((), length)) => data.get(length.saturating_sub(before)..).unwrap_or_default(),
            Some(Parsed::Part) if message.len() < MAX_PENDING => {
                if let Some(side) = self.sides.get_mut(index) {
                    side.pending = message;
                }
                &[]
            }
            _ => {
                here.sink.skipped("socks5.malformed", here.stamp);
                self.give_up();
                &[]
            }
        }
    }

    /// A message of the client.
    fn asked(&mut self, message: &[u8], here: &mut Here<'_>) -> Option<Parsed<()>> {
        if self.phase(CLIENT) == Phase::Method {
            let parsed = Greeting::parse(message)?;
            return Some(whole(parsed, |_| self.enter(CLIENT, Phase::Login)));
        }
        if self.phase(CLIENT) == Phase::Login && message.first() == Some(&wire::AUTH_VERSION) {
            if self.told.method.as_deref().is_some_and(|method| method != "password") {
                return None;
            }
            let parsed = Auth::parse(message)?;
            return Some(whole(parsed, |auth| {
                self.told.username = Some(auth.username.clone());
                self.attempt = Some(Attempt { auth, frames: (here.stamp, here.stamp) });
                self.enter(CLIENT, Phase::Request);
            }));
        }
        let parsed = Request::parse(message)?;
        if let Parsed::Whole(_, length) = &parsed {
            self.request_length = *length as u64;
        }
        Some(whole(parsed, |request| {
            self.connects = request.code == wire::CONNECT;
            self.told.command = Some(wire::command_name(request.code));
            self.told.destination = Some(request.address.to_string());
            self.told.bytestream = request.address.bytestream().filter(|_| self.connects);
            self.enter(CLIENT, if self.connects { Phase::Data } else { Phase::Done });
        }))
    }

    /// A message of the server.
    fn answered(&mut self, message: &[u8], here: &mut Here<'_>) -> Option<Parsed<()>> {
        match (self.phase(SERVER), message) {
            (Phase::Method, [_]) | (Phase::Login, [_]) => Some(Parsed::Part),
            (Phase::Method, [wire::VERSION, method, ..]) => {
                self.told.method = Some(wire::method_name(*method));
                match *method {
                    0 => self.enter(SERVER, Phase::Request),
                    wire::PASSWORD => self.enter(SERVER, Phase::Login),
                    _ => self.give_up(),
                }
                Some(Parsed::Whole((), 2))
            }
            (Phase::Login, [_, status, ..]) => {
                let outcome = if *status == 0 { Outcome::Success } else { Outcome::Failure };
                self.end_login(outcome, here);
                self.enter(SERVER, Phase::Request);
                Some(Parsed::Whole((), 2))
            }
            (Phase::Request, message) => {
                let parsed = Request::parse(message)?;
                Some(whole(parsed, |answer| {
                    self.told.reply = Some(answer.code);
                    self.enter(SERVER, if self.connects && answer.code == 0 { Phase::Data } else { Phase::Done });
                }))
            }
            _ => None,
        }
    }

    /// Bytes behind the handshake.
    fn through(&mut self, index: usize, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        if let Some(bytes) = self.told.bytes.get_mut(index) {
            *bytes = bytes.saturating_add(chunk.data.len() as u64);
        }
        if self.told.bytestream.is_none() {
            self.inner.data(chunk, sink);
            return;
        }
        let Some(side) = self.sides.get_mut(index) else { return };
        let stream = side.stream.get_or_insert_with(|| Stream::begin(chunk.stamp, sink));
        stream.intake.push(chunk.data);
        stream.frames.1 = chunk.stamp;
    }

    /// A gap that holds the rest of the server's handshake, as long as it must be, is followed by what goes through.
    fn pass_over(&mut self, index: usize, gap: &Gap<'_>, sink: &mut dyn Sink) {
        let left = match self.phase(SERVER) {
            Phase::Method => 2 + self.request_length,
            _ => self.request_length,
        };
        let passed = self.sides.get(SERVER).map_or(0, |side| side.pending.len() as u64);
        let missing = (gap.bytes + passed).checked_sub(left);
        match missing.filter(|_| index == SERVER && self.told.bytestream.is_some()) {
            Some(missing) => {
                let mut stream = Stream::begin(gap.stamp, sink);
                stream.missing = missing;
                if let Some(side) = self.sides.get_mut(SERVER) {
                    *side = Side { phase: Phase::Data, stream: (missing > 0).then_some(stream), ..Side::default() };
                }
            }
            None if index == SERVER => self.enter(SERVER, Phase::Done),
            None => self.give_up(),
        }
    }

    fn end_login(&mut self, outcome: Outcome, here: &mut Here<'_>) {
        let Some(Attempt { auth, frames }) = self.attempt.take() else { return };
        let last = if outcome == Outcome::Unknown { frames.1 } else { here.stamp };
        let seen = Seen { flow: here.flow, direction: self.client_direction(), first: frames.0, last };
        let login = Login {
            mechanism: "socks5".to_owned(),
            username: Some(auth.username),
            jid: None,
            disclosure: Disclosure::Password(auth.password),
            outcome,
            encrypted: here.flow.within.tls.is_some(),
        };
        here.sink.event(&seen, Event::Socks(SocksEvent::Login(login)));
    }

    fn give_up(&mut self) {
        self.enter(CLIENT, Phase::Done);
        self.enter(SERVER, Phase::Done);
    }
}

impl Stream {
    fn begin(stamp: Stamp, sink: &dyn Sink) -> Self {
        Self { intake: Intake::new(sink.spool()), missing: 0, frames: (stamp, stamp) }
    }
}

/// Does with a message that is whole what it means.
fn whole<T>(parsed: Parsed<T>, meaning: impl FnOnce(T)) -> Parsed<()> {
    match parsed {
        Parsed::Whole(message, length) => {
            meaning(message);
            Parsed::Whole((), length)
        }
        Parsed::Part => Parsed::Part,
    }
}
