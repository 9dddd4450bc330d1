//! One HTTP connection: which bytes are heads and which bodies, and which response answers which request.

use super::body::{Body, Framing, MAX_KEPT, Progress};
use super::event::{HttpEvent, HttpExchange, HttpMessage};
use super::head::{self, Head, MAX_HEAD, Start};
use crate::evidence::{Direction, FlowInfo, Seen, Stamp};
use crate::protocol::{Chunk, Decoder, End, Event, Gap, Next, Probe, Sink};
use memchr::memchr;
use std::collections::VecDeque;
use std::sync::Arc;

/// Requests without their responses: browsers pipeline a few, load tests some hundreds.
const MAX_OUTSTANDING: usize = 1024;
/// Bytes held by these: some dozens of the longest heads and bodies.
const MAX_HELD: usize = 4 << 20;

/// Reads both directions of a connection.
pub(super) struct HttpDecoder {
    sides: [Side; 2],
    /// Who asks, by what is sent.
    client: Option<Direction>,
    /// Not yet reported, in order of the requests.
    exchanges: VecDeque<Open>,
    held: usize,
}

/// What one direction is reading.
#[derive(Default)]
struct Side {
    state: State,
    /// Beginning of a head that is not yet complete.
    pending: Vec<u8>,
    /// Bytes of `pending` in which the end of the head is not.
    searched: usize,
    /// Frame where `pending` begins.
    first: Stamp,
}

#[derive(Default)]
enum State {
    #[default]
    Head,
    Body(Box<(Body, HttpMessage)>),
    /// Looking for a start line.
    Lost,
}

/// An exchange that is not yet reported.
struct Open {
    told: HttpExchange,
    reading_request: bool,
    reading_response: bool,
    held: usize,
}

impl HttpDecoder {
    pub(super) fn new() -> Self {
        Self { sides: Default::default(), client: None, exchanges: VecDeque::new(), held: 0 }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        let [orig, resp] = &mut self.sides;
        match direction {
            Direction::FromOrig => orig,
            Direction::FromResp => resp,
        }
    }
}

impl Decoder for HttpDecoder {
    fn protocol(&self) -> &'static str {
        "http"
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        let mut rest = chunk.data;
        while !rest.is_empty() {
            let side = self.side(chunk.direction);
            match &mut side.state {
                State::Lost => {
                    let Some(found) = find_start(rest) else { break };
                    side.state = State::Head;
                    rest = found;
                }
                State::Body(open) => {
                    let (progress, after) = open.0.read(rest);
                    open.1.frames.1 = chunk.stamp;
                    rest = after;
                    self.progress(progress, chunk.direction, chunk.flow, chunk.stamp, sink);
                }
                State::Head => {
                    let (head, after) = side.read_head(rest, chunk.stamp, sink);
                    rest = after;
                    if let Some((head, first)) = head
                        && let Next::Opaque = self.head(head, first, chunk, sink)
                    {
                        return Next::Opaque;
                    }
                }
            }
        }
        Next::Continue
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        let side = self.side(gap.direction);
        match &mut side.state {
            State::Lost => {}
            State::Body(open) => {
                let progress = open.0.skip(gap.bytes);
                self.progress(progress, gap.direction, gap.flow, gap.stamp, sink);
            }
            State::Head => {
                side.lose();
                sink.skipped("http.resync", gap.stamp);
                // The responses to what was asked so far may lie in the gap: the next one must not be taken for theirs.
                if self.client == Some(gap.direction.reversed()) {
                    self.report_while(gap.flow, sink, |open| !open.reading_request);
                }
            }
        }
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        for direction in [Direction::FromOrig, Direction::FromResp] {
            if let State::Body(open) = &self.side(direction).state {
                let ended = open.0.ends_with_connection();
                self.finish_body(direction, ended);
            }
        }
        self.report_while(end.flow, sink, |_| true);
    }
}

impl Side {
    /// The next head with the frame where it begins, and the bytes behind it.
    fn read_head<'a>(
        &mut self,
        data: &'a [u8],
        stamp: Stamp,
        sink: &mut dyn Sink,
    ) -> (Option<(Head, Stamp)>, &'a [u8]) {
        if self.pending.is_empty() {
            let data = skip_empty_lines(data);
            if data.is_empty() {
                return (None, data);
            }
            if head::probe(data) == Probe::No {
                return self.give_up(data, stamp, sink);
            }
            self.first = stamp;
            if let Some((head, rest)) = head::find_end(data, 0).and_then(|end| data.split_at_checked(end)) {
                return self.parse_head(head, rest, stamp, sink);
            }
            self.pending.extend_from_slice(data);
        } else {
            let before = self.pending.len();
            self.pending.extend_from_slice(data);
            if let Some(end) = head::find_end(&self.pending, self.searched) {
                let mut head = std::mem::take(&mut self.pending);
                head.truncate(end);
                let rest = data.get(end.saturating_sub(before)..).unwrap_or_default();
                return self.parse_head(&head, rest, stamp, sink);
            }
        }
        self.searched = self.pending.len();
        if self.pending.len() > MAX_HEAD { self.give_up(&[], stamp, sink) } else { (None, &[]) }
    }

    fn parse_head<'a>(
        &mut self,
        head: &[u8],
        rest: &'a [u8],
        stamp: Stamp,
        sink: &mut dyn Sink,
    ) -> (Option<(Head, Stamp)>, &'a [u8]) {
        self.searched = 0;
        match head::parse(head) {
            Some(parsed) => (Some((parsed, self.first)), rest),
            None => self.give_up(rest, stamp, sink),
        }
    }

    fn give_up<'a>(&mut self, rest: &'a [u8], stamp: Stamp, sink: &mut dyn Sink) -> (Option<(Head, Stamp)>, &'a [u8]) {
        sink.skipped("http.head", stamp);
        self.lose();
        (None, rest)
    }

    fn lose(&mut self) {
        self.state = State::Lost;
        self.pending = Vec::new();
        self.searched = 0;
    }
}

/// Servers pass over line ends before a start line (RFC 9112, 2.2).
fn skip_empty_lines(data: &[u8]) -> &[u8] {
    let start = data.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(data.len());
    data.get(start..).unwrap_or_default()
}

/// The first start line in bytes of unknown place: at their beginning, or behind a line end.
fn find_start(data: &[u8]) -> Option<&[u8]> {
    let mut rest = data;
    loop {
        if head::may_begin(rest) {
            return Some(rest);
        }
        rest = rest.get(memchr(b'\n', rest)? + 1..)?;
    }
}

impl HttpDecoder {
    fn head(&mut self, head: Head, first: Stamp, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        let asks = matches!(head.start, Start::Request { .. });
        let client = if asks { chunk.direction } else { chunk.direction.reversed() };
        if *self.client.get_or_insert(client) != client {
            sink.skipped("http.head", chunk.stamp);
            self.side(chunk.direction).lose();
            return Next::Continue;
        }
        let frames = (first, chunk.stamp);
        match head.start {
            Start::Request { .. } => self.request(head, frames, chunk, sink),
            Start::Response { status } => return self.response(head, status, frames, chunk, sink),
        }
        Next::Continue
    }

    fn request(&mut self, head: Head, frames: (Stamp, Stamp), chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        let framing = head.request_framing();
        let held = head.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let Start::Request { method, target } = head.start else { return };
        while self.exchanges.len() >= MAX_OUTSTANDING || self.held > MAX_HELD {
            sink.skipped("http.outstanding", chunk.stamp);
            self.report_first(chunk.flow, sink);
        }
        self.held += held;
        let told = HttpExchange { method, target, ..HttpExchange::default() };
        self.exchanges.push_back(Open { told, reading_request: true, reading_response: false, held });
        let message = HttpMessage { headers: head.fields, frames, ..HttpMessage::default() };
        self.start_body(framing, message, chunk, sink);
    }

    fn response(
        &mut self,
        head: Head,
        status: u16,
        frames: (Stamp, Stamp),
        chunk: &Chunk<'_>,
        sink: &mut dyn Sink,
    ) -> Next {
        // Interim responses announce the final one (RFC 9110, 15.2), but for the switch of protocols.
        if matches!(status, 100 | 102..=199) {
            return Next::Continue;
        }
        if self.exchanges.iter().all(|open| open.told.status.is_some()) {
            let told = HttpExchange::default();
            self.exchanges.push_back(Open { told, reading_request: false, reading_response: false, held: 0 });
        }
        let Some(open) = self.exchanges.iter_mut().find(|open| open.told.status.is_none()) else {
            return Next::Continue;
        };
        open.told.status = Some(status);
        open.reading_response = true;
        let switches = status == 101 || (open.told.method == "CONNECT" && (200..300).contains(&status));
        let framing = if switches { Framing::Empty } else { head.response_framing(status, &open.told.method) };
        let message = HttpMessage { headers: head.fields, frames, ..HttpMessage::default() };
        self.start_body(framing, message, chunk, sink);
        if switches { Next::Opaque } else { Next::Continue }
    }

    fn start_body(&mut self, framing: Framing, message: HttpMessage, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        let keep = MAX_HELD.saturating_sub(self.held).min(MAX_KEPT);
        let is_empty = matches!(framing, Framing::Empty | Framing::Length(0));
        self.side(chunk.direction).state = State::Body(Box::new((Body::new(framing, keep), message)));
        if is_empty {
            self.progress(Progress::Done, chunk.direction, chunk.flow, chunk.stamp, sink);
        }
    }

    fn progress(
        &mut self,
        progress: Progress,
        direction: Direction,
        flow: &Arc<FlowInfo>,
        stamp: Stamp,
        sink: &mut dyn Sink,
    ) {
        match progress {
            Progress::More => return,
            Progress::Done => self.finish_body(direction, true),
            Progress::Broken => {
                sink.skipped("http.body", stamp);
                self.finish_body(direction, false);
                self.side(direction).state = State::Lost;
            }
        }
        self.report_while(flow, sink, Open::is_finished);
    }

    /// Puts the message that was read into its exchange.
    fn finish_body(&mut self, direction: Direction, ended: bool) {
        let State::Body(open) = std::mem::take(&mut self.side(direction).state) else { return };
        let (body, mut message) = *open;
        let held = body.held();
        body.finish(ended, &mut message);
        if self.client == Some(direction) {
            if let Some(open) = self.exchanges.iter_mut().rfind(|open| open.reading_request) {
                open.told.request = message;
                open.reading_request = false;
                open.held += held;
                self.held += held;
            }
        } else if let Some(open) = self.exchanges.iter_mut().find(|open| open.reading_response) {
            open.told.response = Some(message);
            open.reading_response = false;
        }
    }

    fn report_while(&mut self, flow: &Arc<FlowInfo>, sink: &mut dyn Sink, ready: fn(&Open) -> bool) {
        while self.exchanges.front().is_some_and(ready) {
            self.report_first(flow, sink);
        }
    }

    fn report_first(&mut self, flow: &Arc<FlowInfo>, sink: &mut dyn Sink) {
        let Some(open) = self.exchanges.pop_front() else {
            self.held = 0;
            return;
        };
        self.held = self.held.saturating_sub(open.held);
        let told = open.told;
        let asked = (!told.method.is_empty()).then_some(told.request.frames);
        let answered = told.response.as_ref().map(|response| response.frames);
        let Some((first, _)) = asked.or(answered) else { return };
        let ends = asked.iter().chain(&answered).map(|frames| frames.1);
        let last = ends.max_by_key(Stamp::order).unwrap_or(first);
        let seen = Seen { flow, direction: self.client.unwrap_or(Direction::FromOrig), first, last };
        sink.event(&seen, Event::Http(HttpEvent::Exchange(Box::new(told))));
    }
}

impl Open {
    fn is_finished(&self) -> bool {
        self.told.status.is_some() && !self.reading_request && !self.reading_response
    }
}
