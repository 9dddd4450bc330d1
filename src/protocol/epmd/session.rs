//! One conversation with EPMD: a request, perhaps an answer, and how long a registration lasted.

use super::event::{EpmdAnswer, EpmdEvent, EpmdRequest};
use super::wire::{MAX_LISTING, MAX_REQUEST, Parsed, answer_kind, is_request_tag, parse_answer, parse_request};
use crate::evidence::{Direction, FlowInfo, Seen, Stamp};
use crate::protocol::{Chunk, Decoder, End, Event, Gap, Next, Sink};
use std::sync::Arc;

/// The decoder of a conversation. It ends with the first request that is none: EPMD closes then.
#[derive(Debug, Default)]
pub struct Session {
    /// Who asks, once it is known.
    client: Option<Direction>,
    /// The request, as far as it came: at most [`MAX_REQUEST`] bytes.
    request: Buffer,
    asked: Option<EpmdRequest>,
    /// The answer, as far as it came: at most [`MAX_LISTING`] bytes.
    answer: Buffer,
    answered: bool,
    /// The name that this connection keeps registered.
    registered: Option<(String, u16)>,
    /// Something wrong was reported, or bytes that were asked in are missing: nothing more is read.
    broken: bool,
}

/// Bytes of one direction with the frames where they began and ended.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    first: Option<Stamp>,
    last: Stamp,
    /// Bytes are missing after these.
    cut: bool,
}

impl Buffer {
    /// Appends as much as `limit` allows.
    fn append(&mut self, data: &[u8], limit: usize, at: Stamp) {
        self.first = self.first.or(Some(at));
        self.last = at;
        if !self.cut {
            let room = limit.saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(data.get(..room).unwrap_or(data));
        }
    }
}

impl Decoder for Session {
    fn protocol(&self) -> &'static str {
        "epmd"
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        if chunk.direction == self.client(chunk) {
            self.client_data(chunk, sink);
        } else {
            self.server_data(chunk, sink);
        }
        if self.broken { Next::Opaque } else { Next::Continue }
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        sink.skipped("epmd.lost", gap.stamp);
        if self.client.unwrap_or(Direction::FromOrig) == gap.direction {
            self.request.cut = true;
        } else {
            self.answer.cut = true;
        }
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        self.read_answer(end.flow, true, sink);
        let client = self.client.unwrap_or(Direction::FromOrig);
        match &self.asked {
            Some(_) => self.report_exchange(None, end.flow, sink),
            None if self.broken || self.answered => {}
            None if !self.request.bytes.is_empty() && !self.request.cut => {
                let reason = format!("request ends after {} bytes", self.request.bytes.len());
                self.report_malformed(reason, end.flow, sink);
            }
            None if self.answer.first.is_some() => self.report_unasked(end, sink),
            None => {}
        }
        if let Some((name, port)) = self.registered.take() {
            let seen = Seen { flow: end.flow, direction: client, first: end.stamp, last: end.stamp };
            sink.event(&seen, Event::Epmd(EpmdEvent::Unregistered { name, port }));
        }
    }
}

impl Session {
    /// The direction of the client: to EPMD's port, or of a request.
    fn client(&mut self, chunk: &Chunk<'_>) -> Direction {
        *self.client.get_or_insert_with(|| {
            if chunk.flow.orig.port() == super::PORT && chunk.flow.resp.port() != super::PORT {
                Direction::FromResp
            } else {
                Direction::FromOrig
            }
        })
    }

    fn client_data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        if self.broken {
            return;
        }
        if self.asked.is_some() || self.answered {
            return self.trailing(chunk, sink);
        }
        self.request.append(chunk.data, MAX_REQUEST, chunk.stamp);
        let Some((length, body)) = self.request.bytes.split_first_chunk() else { return };
        let length = usize::from(u16::from_be_bytes(*length));
        let parsed = match (body.get(..length), body.first()) {
            _ if length + 2 > MAX_REQUEST => Err(format!("length {length}, more than EPMD reads")),
            (Some(body), _) => parse_request(body),
            // The tag alone may tell, and EPMD might wait in vain for the rest.
            (None, Some(tag)) if !is_request_tag(*tag) => parse_request(&[*tag]),
            (None, _) if self.request.cut => {
                self.broken = true;
                sink.skipped("epmd.request-cut", chunk.stamp);
                return;
            }
            (None, _) => return,
        };
        let trailing = body.len() > length;
        match parsed {
            Ok(request) => {
                self.asked = Some(request);
                if trailing {
                    self.trailing(chunk, sink);
                }
            }
            Err(reason) => self.report_malformed(reason, chunk.flow, sink),
        }
        self.read_answer(chunk.flow, false, sink);
    }

    /// EPMD does not answer where more follows than the request, but what was asked was asked.
    fn trailing(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        self.report_exchange(None, chunk.flow, sink);
        self.request.last = chunk.stamp;
        self.report_malformed("bytes after the request".to_owned(), chunk.flow, sink);
    }

    fn server_data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        if self.answered || self.broken {
            return;
        }
        self.answer.append(chunk.data, MAX_LISTING, chunk.stamp);
        self.read_answer(chunk.flow, false, sink);
    }

    fn read_answer(&mut self, flow: &Arc<FlowInfo>, closed: bool, sink: &mut dyn Sink) {
        let Some(request) = &self.asked else { return };
        match parse_answer(answer_kind(request), &self.answer.bytes, closed) {
            Parsed::Whole(answer, _) => self.report_exchange(Some(answer), flow, sink),
            Parsed::Partial => {}
            Parsed::Wrong => {
                sink.skipped("epmd.answer", self.answer.last);
                self.report_exchange(None, flow, sink);
            }
        }
    }

    fn report_exchange(&mut self, answer: Option<EpmdAnswer>, flow: &Arc<FlowInfo>, sink: &mut dyn Sink) {
        let Some(request) = self.asked.take() else { return };
        self.answered = true;
        self.answer.bytes = Vec::new();
        if let (EpmdRequest::Alive2 { name, port, .. }, Some(EpmdAnswer::Alive2 { result: 0, .. })) =
            (&request, &answer)
        {
            self.registered = Some((name.clone(), *port));
        }
        let last = if answer.is_some() { self.answer.last } else { self.request.last };
        let seen = self.seen(flow, last);
        sink.event(&seen, Event::Epmd(EpmdEvent::Exchange { request, answer }));
    }

    fn report_malformed(&mut self, reason: String, flow: &Arc<FlowInfo>, sink: &mut dyn Sink) {
        self.broken = true;
        let seen = self.seen(flow, self.request.last);
        sink.event(&seen, Event::Epmd(EpmdEvent::Malformed { reason }));
    }

    /// Only the answering side was captured: some answers tell what was asked.
    fn report_unasked(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        let kinds = [EpmdRequest::PortPlease2 { name: String::new() }, EpmdRequest::Names];
        let told =
            kinds.iter().find_map(|request| match parse_answer(answer_kind(request), &self.answer.bytes, true) {
                Parsed::Whole(answer, used) if used == self.answer.bytes.len() => Some(answer),
                _ => None,
            });
        let (request, answer) = match told {
            Some(EpmdAnswer::Port { name, port, node_type, versions }) => {
                (EpmdRequest::PortPlease2 { name: name.clone() }, EpmdAnswer::Port { name, port, node_type, versions })
            }
            Some(EpmdAnswer::Listing { epmd_port, text }) if text.starts_with("name ") => {
                (EpmdRequest::Names, EpmdAnswer::Listing { epmd_port, text })
            }
            Some(EpmdAnswer::Listing { epmd_port, text }) if text.contains(" name ") => {
                (EpmdRequest::Dump, EpmdAnswer::Listing { epmd_port, text })
            }
            _ => return sink.skipped("epmd.unasked-answer", self.answer.last),
        };
        let first = self.answer.first.unwrap_or(end.stamp);
        let direction = self.client.unwrap_or(Direction::FromOrig);
        let seen = Seen { flow: end.flow, direction, first, last: self.answer.last };
        sink.event(&seen, Event::Epmd(EpmdEvent::Exchange { request, answer: Some(answer) }));
    }

    fn seen<'f>(&self, flow: &'f Arc<FlowInfo>, last: Stamp) -> Seen<'f> {
        let direction = self.client.unwrap_or(Direction::FromOrig);
        Seen { flow, direction, first: self.request.first.unwrap_or(last), last }
    }
}
