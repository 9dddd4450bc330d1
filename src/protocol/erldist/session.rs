//! One connection between two nodes: both directions' frames in, events out.

use super::control;
use super::event::{Call, DistEvent, HandshakeOutcome, Message, Reply};
use super::external::{CachedAtom, TermReader, VERSION_MAGIC};
use super::fragments::{self, Assembly, Fragments, Taken};
use super::framing::{Answer, Frame, Framing, PASS_THROUGH};
use super::handshake::{self, Progress};
use super::header::{AtomCache, FIRST_FRAGMENT, NEXT_FRAGMENT, NORMAL_HEADER, apply_refs};
use super::meaning;
use super::printed::printed;
use super::replies::Replies;
use super::term::Term;
use super::typed;
use crate::evidence::{Direction, FlowInfo, Seen, Stamp};
use crate::protocol::{Chunk, Decoder, End, Event, Gap, Next, Sink};
use std::sync::Arc;

/// The decoder of a connection.
#[derive(Debug, Default)]
pub struct Session {
    framings: [Framing; 2],
    connection: Connection,
}

impl Decoder for Session {
    fn protocol(&self) -> &'static str {
        "erldist"
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        let mut scene = Scene { flow: chunk.flow, direction: chunk.direction, now: chunk.stamp, sink };
        let Self { framings, connection } = self;
        framings[chunk.direction.index()]
            .feed(chunk.data, chunk.stamp, &mut |frame, first| connection.frame(frame, first, &mut scene));
        if self.framings.iter().all(Framing::is_off) { Next::Opaque } else { Next::Continue }
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        let mut scene = Scene { flow: gap.flow, direction: gap.direction, now: gap.stamp, sink };
        let Self { framings, connection } = self;
        framings[gap.direction.index()].gap(gap.bytes, &mut |frame, first| connection.frame(frame, first, &mut scene));
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        let Self { framings, connection } = self;
        for direction in [Direction::FromOrig, Direction::FromResp] {
            let mut scene = Scene { flow: end.flow, direction, now: end.stamp, sink: &mut *sink };
            framings[direction.index()].end(&mut |frame, first| connection.frame(frame, first, &mut scene));
            connection.abandon(&mut scene);
        }
        let mut scene = Scene { flow: end.flow, direction: Direction::FromOrig, now: end.stamp, sink };
        let outcome = connection.handshake.verdict(end.stamp);
        connection.report_handshake(outcome, &mut scene);
    }
}

/// Where and when a frame is seen, and who is told.
struct Scene<'a> {
    flow: &'a Arc<FlowInfo>,
    direction: Direction,
    now: Stamp,
    sink: &'a mut dyn Sink,
}

/// What is known of the sender of one direction.
#[derive(Debug, Default)]
struct Side {
    /// The node's name.
    name: Option<String>,
    cache: AtomCache,
    fragments: Fragments,
    /// What was last typed here at a shell of the other node, until that asks for more.
    typed: Option<Call>,
    /// Room for the atoms of the message at hand, kept from one to the next.
    atoms: Vec<CachedAtom>,
}

/// What both directions share.
#[derive(Debug, Default)]
struct Connection {
    handshake: Progress,
    sides: [Side; 2],
    replies: Replies,
}

impl Connection {
    fn frame(&mut self, frame: Frame<'_>, first: Stamp, scene: &mut Scene<'_>) -> Answer {
        match frame {
            Frame::Handshake(body) => self.handshake_frame(body, scene),
            Frame::Message { bytes, whole } => {
                // Messages flow only where both sides have accepted.
                self.report_handshake(HandshakeOutcome::Success, scene);
                self.message_frame(bytes, whole, first, scene);
                Answer::Next
            }
            Frame::Lost => {
                self.handshake.lost();
                self.sides[scene.direction.index()].cache.clear();
                scene.sink.skipped("erldist.lost", scene.now);
                Answer::Next
            }
        }
    }

    fn handshake_frame(&mut self, body: &[u8], scene: &mut Scene<'_>) -> Answer {
        let Some(message) = handshake::parse(body, self.handshake.role(scene.direction)) else {
            scene.sink.skipped("erldist.handshake", scene.now);
            return Answer::Stop;
        };
        let answer = match message {
            handshake::Message::Reply { .. } | handshake::Message::Ack { .. } => Answer::Messages,
            _ => Answer::Next,
        };
        let acknowledged = matches!(message, handshake::Message::Ack { .. });
        self.handshake.take(message, scene.direction, scene.now);
        if let Some(initiator) = self.handshake.initiator() {
            let (initiator_name, acceptor_name) = self.handshake.names();
            self.sides[initiator.index()].name = initiator_name.map(str::to_owned);
            self.sides[initiator.reversed().index()].name = acceptor_name.map(str::to_owned);
        }
        if acknowledged {
            self.report_handshake(HandshakeOutcome::Success, scene);
        }
        answer
    }

    fn report_handshake(&mut self, outcome: HandshakeOutcome, scene: &mut Scene<'_>) {
        let Some((handshake, first, last)) = self.handshake.finish(outcome) else { return };
        let direction = self.handshake.initiator().unwrap_or(Direction::FromOrig);
        let seen = Seen { flow: scene.flow, direction, first, last };
        scene.sink.event(&seen, Event::ErlDist(DistEvent::Handshake(Box::new(handshake))));
    }

    fn message_frame(&mut self, bytes: &[u8], whole: bool, first: Stamp, scene: &mut Scene<'_>) {
        let side = &mut self.sides[scene.direction.index()];
        let bytes = match bytes {
            // A header after the pass-through byte is read like any other.
            [PASS_THROUGH, VERSION_MAGIC, NORMAL_HEADER | FIRST_FRAGMENT | NEXT_FRAGMENT, ..] => {
                bytes.get(1..).unwrap_or_default()
            }
            [PASS_THROUGH, terms @ ..] => {
                let reader = TermReader::lenient(terms, &[]);
                return self.terms(reader, Layout::Versioned, whole, first, scene);
            }
            _ => bytes,
        };
        match bytes {
            [VERSION_MAGIC, NORMAL_HEADER, header @ ..] => {
                let mut atoms = std::mem::take(&mut side.atoms);
                match apply_refs(header, &mut side.cache, &mut atoms) {
                    Ok(terms) => self.terms(TermReader::lenient(terms, &atoms), Layout::Bare, whole, first, scene),
                    Err(_) => scene.sink.skipped("erldist.header", scene.now),
                }
                self.sides[scene.direction.index()].atoms = atoms;
            }
            [VERSION_MAGIC, FIRST_FRAGMENT, header @ ..] => {
                let mut atoms = std::mem::take(&mut side.atoms);
                let opened = fragments::ids(header)
                    .and_then(|(ids, refs)| Some((ids, apply_refs(refs, &mut side.cache, &mut atoms).ok()?)));
                match opened {
                    // A message of one fragment needs no putting together.
                    Some(((_, 0 | 1), terms)) => {
                        self.terms(TermReader::lenient(terms, &atoms), Layout::Bare, whole, first, scene);
                    }
                    Some((ids, terms)) => {
                        let displaced = side.fragments.first(ids, &atoms, (terms, whole), first);
                        if let Some(displaced) = displaced {
                            self.assembled(&displaced, scene);
                        }
                    }
                    None => {
                        if fragments::ids(header).is_none() {
                            side.cache.clear();
                        }
                        scene.sink.skipped("erldist.header", scene.now);
                    }
                }
                self.sides[scene.direction.index()].atoms = atoms;
            }
            [VERSION_MAGIC, NEXT_FRAGMENT, header @ ..] => {
                let taken = fragments::ids(header).map(|(ids, bytes)| side.fragments.next(ids, bytes, whole));
                match taken {
                    Some(Taken::Open) => {}
                    Some(Taken::Ended(assembly)) => self.assembled(&assembly, scene),
                    Some(Taken::Stray) | None => scene.sink.skipped("erldist.fragment", scene.now),
                }
            }
            _ => {
                // A header may have been among what is missing.
                side.cache.clear();
                scene.sink.skipped("erldist.message", scene.now);
            }
        }
    }

    fn assembled(&mut self, assembly: &Assembly, scene: &mut Scene<'_>) {
        let reader = TermReader::lenient(&assembly.bytes, &assembly.atoms);
        self.terms(reader, Layout::Bare, assembly.whole, assembly.first, scene);
    }

    /// Messages whose last fragments never came.
    fn abandon(&mut self, scene: &mut Scene<'_>) {
        for assembly in self.sides[scene.direction.index()].fragments.abandon() {
            self.assembled(&assembly, scene);
        }
    }

    /// Reads the control message and the payload, and reports them.
    fn terms(&mut self, mut reader: TermReader<'_>, layout: Layout, whole: bool, first: Stamp, scene: &mut Scene<'_>) {
        let size = reader.rest().len();
        let control = layout.read(&mut reader);
        let Some(Term::Tuple(elements)) = &control else {
            scene.sink.skipped("erldist.control", scene.now);
            return;
        };
        if elements.first().and_then(Term::integer).is_none() {
            scene.sink.skipped("erldist.control", scene.now);
            return;
        }
        let control = control.unwrap_or(Term::Elided);
        let operation = control::name(&control);
        let payload = match control::has_payload(&control) && (!reader.rest().is_empty() || !whole) {
            true => Some(layout.read(&mut reader).unwrap_or(Term::Elided)),
            false => None,
        };
        if !whole {
            scene.sink.skipped("erldist.message-cut", scene.now);
        } else if reader.damage().is_some() {
            scene.sink.skipped("erldist.term", scene.now);
        }
        self.learn_names(&control, scene.direction);
        let call = meaning::call_of(operation, &control, payload.as_ref());
        let call = call.map(|(call, reference)| {
            if let Some(reference) = reference {
                self.replies.remember(&call, reference, &control);
            }
            call
        });
        let reply = self.replies.reply_of(operation, &control, payload.as_ref());
        let call = call.or_else(|| typed::input(reply.as_ref()?));
        let printed = call.as_ref().and_then(|call| self.at_shell(call, scene.direction));
        let reply = reply.or(printed);
        let message = Message {
            node: self.sides[scene.direction.index()].name.clone(),
            peer: self.sides[scene.direction.reversed().index()].name.clone(),
            initiator: self.handshake.initiator().unwrap_or(Direction::FromOrig),
            operation,
            size,
            control,
            payload,
            call,
            reply,
        };
        let seen = Seen { flow: scene.flow, direction: scene.direction, first, last: scene.now };
        scene.sink.event(&seen, Event::ErlDist(DistEvent::Message(Box::new(message))));
    }

    /// Keeps what is typed at a remote shell; what the shell prints is the answer to that, until it asks for more.
    fn at_shell(&mut self, call: &Call, direction: Direction) -> Option<Reply> {
        if call.function == typed::INPUT {
            self.sides[direction.index()].typed = Some(call.clone());
            return None;
        }
        if call.via != "group-leader" {
            return None;
        }
        let typed = &mut self.sides[direction.reversed().index()].typed;
        if call.function != "put_chars" {
            *typed = None;
        }
        let typed = typed.clone()?;
        let text = printed(&call.arguments)?;
        Some(Reply { call: Some(typed), value: Term::String(text.into_bytes().into()) })
    }

    /// Where the handshake was not captured, the identifiers in control messages tell who is on which side.
    fn learn_names(&mut self, control: &Term, direction: Direction) {
        let mut learn = |direction: Direction, identifier: Option<&Term>| {
            let side = &mut self.sides[direction.index()];
            if side.name.is_none() {
                side.name = identifier.and_then(Term::node).map(str::to_owned);
            }
        };
        learn(direction, control::sender(control));
        learn(direction.reversed(), control::receiver(control));
    }
}

/// How terms follow each other.
#[derive(Debug, Clone, Copy)]
enum Layout {
    /// After a distribution header.
    Bare,
    /// Each with its version byte.
    Versioned,
}

impl Layout {
    fn read(self, reader: &mut TermReader<'_>) -> Option<Term> {
        match self {
            Self::Bare => reader.term().ok(),
            Self::Versioned => reader.versioned().ok(),
        }
    }
}
