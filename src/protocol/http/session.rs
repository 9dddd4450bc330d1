//! One HTTP connection: which bytes are heads and which are bodies.

use super::body::{Body, Framing, Progress};
use super::coding::Kept;
use super::event::HttpMessage;
use super::exchange::{Desk, Exchanges};
use super::head::{self, Head, MAX_HEAD, Start};
use super::tunnel;
use crate::evidence::{Direction, FlowInfo, Stamp};
use crate::protocol::early::Early;
use crate::protocol::{Chunk, Decoder, End, Gap, Next, Probe, Sink, websocket};
use memchr::memchr;
use std::sync::Arc;

/// Reads both directions of a connection.
pub(super) struct HttpDecoder {
    sides: [Side; 2],
    /// Who asks, by what is sent.
    client: Option<Direction>,
    exchanges: Exchanges,
    /// The last request asked for another protocol.
    upgrading: bool,
    /// What the client said in it before the server has answered.
    early: Option<Box<Early>>,
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

/// Who reads on behind a head.
enum After {
    /// This decoder.
    Http,
    /// Nobody.
    Unknown,
    /// The decoder of the protocol to which the connection changes.
    Other(Box<dyn Decoder>),
}

/// Where the connection stands when something is read.
struct Here<'a> {
    flow: &'a Arc<FlowInfo>,
    direction: Direction,
    stamp: Stamp,
    sink: &'a mut dyn Sink,
}

impl HttpDecoder {
    pub(super) fn new() -> Self {
        Self { sides: Default::default(), client: None, exchanges: Exchanges::default(), upgrading: false, early: None }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        let [orig, resp] = &mut self.sides;
        match direction {
            Direction::FromOrig => orig,
            Direction::FromResp => resp,
        }
    }

    fn desk<'a>(&self, here: &'a mut Here<'_>) -> Desk<'a> {
        let client = self.client.unwrap_or(Direction::FromOrig);
        Desk { flow: here.flow, client, stamp: here.stamp, sink: here.sink }
    }
}

impl Decoder for HttpDecoder {
    fn protocol(&self) -> &'static str {
        "http"
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        let mut here = Here { flow: chunk.flow, direction: chunk.direction, stamp: chunk.stamp, sink };
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
                    self.progress(progress, &mut here);
                }
                State::Head => {
                    if self.keep_early(rest, &here) {
                        break;
                    }
                    let side = self.side(chunk.direction);
                    let (head, after) = side.read_head(rest, chunk.stamp, here.sink);
                    rest = after;
                    let Some((head, first)) = head else { continue };
                    match self.head(head, first, &mut here) {
                        After::Http => {}
                        After::Unknown => return Next::Opaque,
                        After::Other(to) => {
                            self.exchanges.report_all(&mut self.desk(&mut here));
                            return Next::Handover { consumed: chunk.data.len().saturating_sub(rest.len()), to };
                        }
                    }
                }
            }
        }
        Next::Continue
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        let mut here = Here { flow: gap.flow, direction: gap.direction, stamp: gap.stamp, sink };
        match &mut self.side(gap.direction).state {
            State::Lost => {}
            State::Body(open) => {
                let progress = open.0.skip(gap.bytes);
                self.progress(progress, &mut here);
            }
            State::Head => {
                here.sink.skipped("http.resync", gap.stamp);
                let is_told = self.cut_head(&mut here);
                self.side(gap.direction).lose();
                // The responses to what was asked may lie in the gap: the next one must not be taken for theirs.
                if !is_told && self.client == Some(gap.direction.reversed()) {
                    self.exchanges.report_asked(&mut self.desk(&mut here));
                }
            }
        }
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        let mut here = Here { flow: end.flow, direction: Direction::FromOrig, stamp: end.stamp, sink };
        for direction in [Direction::FromOrig, Direction::FromResp] {
            here.direction = direction;
            match &self.side(direction).state {
                State::Body(open) => {
                    let ended = open.0.ends_with_connection();
                    self.finish_body(direction, ended, &mut here);
                }
                State::Head => {
                    self.cut_head(&mut here);
                }
                State::Lost => {}
            }
        }
        self.exchanges.report_all(&mut self.desk(&mut here));
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
    fn head(&mut self, head: Head, first: Stamp, here: &mut Here<'_>) -> After {
        if !self.fits_role(&head, here.direction) {
            here.sink.skipped("http.head", here.stamp);
            self.side(here.direction).lose();
            return After::Http;
        }
        let (framing, after) = match &head.start {
            // Interim responses announce the final one (RFC 9110, 15.2), but for the switch of protocols.
            Start::Response { status: 100 | 102..=199 } => return After::Http,
            Start::Request { method, target } => {
                self.exchanges.ask(method.clone(), target.clone(), &mut self.desk(here));
                self.upgrading = method == "CONNECT" || head.value("upgrade").is_some();
                (head.request_framing(), After::Http)
            }
            Start::Response { status } => self.answer(*status, &head, here),
        };
        let coding = head.coding().map(str::to_owned);
        let range = head.value("content-range").map(str::to_owned);
        let message = HttpMessage { headers: head.fields, frames: (first, here.stamp), ..HttpMessage::default() };
        let coding = coding.as_deref();
        let kept = Kept::new(coding, self.exchanges.room());
        let mut body = Body::new(framing, kept, coding, here.sink.spool());
        if let Start::Response { status } = head.start {
            body = body.answers(status, range.as_deref());
        }
        self.side(here.direction).state = State::Body(Box::new((body, message)));
        if matches!(framing, Framing::Empty | Framing::Length(0)) {
            self.progress(Progress::Done, here);
        }
        after
    }

    /// A final response: how its body ends, and who reads on.
    fn answer(&mut self, status: u16, head: &Head, here: &mut Here<'_>) -> (Framing, After) {
        let method = self.exchanges.answer(status, &mut self.desk(here)).to_owned();
        self.upgrading = false;
        let early = self.early.take();
        if method == "CONNECT" && (200..300).contains(&status) {
            return (Framing::Empty, After::Other(tunnel::start(early)));
        }
        if status == 101 {
            return (Framing::Empty, self.upgrade(head, early));
        }
        if early.is_some() {
            here.sink.skipped("http.head", here.stamp);
        }
        (head.response_framing(status, &method), After::Http)
    }

    /// The server changes the protocol.
    fn upgrade(&self, head: &Head, early: Option<Box<Early>>) -> After {
        let request = self.exchanges.answered_request().map(|told| &told.request);
        let asked = |name: &'static str| request.and_then(|request| request.header(name));
        let protocol = head.value("upgrade").or(asked("upgrade")).unwrap_or_default();
        if !protocol.trim().eq_ignore_ascii_case("websocket") {
            return After::Unknown;
        }
        // Some servers do not say which one they chose: where one was asked for, there is no choice.
        let chosen = head.value("sec-websocket-protocol").or(asked("sec-websocket-protocol"));
        After::Other(websocket::start(websocket::Upgrade {
            client: self.client,
            subprotocol: chosen.map(str::to_owned),
            extensions: head.value("sec-websocket-extensions").unwrap_or_default().to_owned(),
            early,
        }))
    }

    /// Keeps what the client says in another protocol while the server has not answered. `false` if it is HTTP.
    fn keep_early(&mut self, data: &[u8], here: &Here<'_>) -> bool {
        if !self.upgrading || self.client != Some(here.direction) {
            return false;
        }
        let is_head = self.early.is_none() && head::probe(skip_empty_lines(data)) != Probe::No;
        if is_head || !self.side(here.direction).pending.is_empty() {
            return false;
        }
        let kept = self.early.get_or_insert_with(|| Box::new(Early::new(here.direction))).keep(data, here.stamp);
        if !kept {
            self.early = None;
        }
        kept
    }

    /// A head whose end is not in the capture (a snapshot length cuts every packet) tells what it can. Returns whether
    /// it did.
    fn cut_head(&mut self, here: &mut Here<'_>) -> bool {
        let side = self.side(here.direction);
        let (pending, first) = (std::mem::take(&mut side.pending), side.first);
        let Some(head) = head::parse_cut(&pending).filter(|head| self.fits_role(head, here.direction)) else {
            return false;
        };
        match head.start {
            Start::Request { method, target } => self.exchanges.ask(method, target, &mut self.desk(here)),
            Start::Response { status } => {
                self.exchanges.answer(status, &mut self.desk(here));
            }
        }
        let message = HttpMessage { headers: head.fields, frames: (first, here.stamp), ..HttpMessage::default() };
        let body = Body::new(Framing::Empty, Kept::new(None, 0), None, None);
        self.side(here.direction).state = State::Body(Box::new((body, message)));
        self.finish_body(here.direction, false, here);
        self.exchanges.report_finished(&mut self.desk(here));
        true
    }

    /// A direction asks or answers, but not both. The first head tells.
    fn fits_role(&mut self, head: &Head, direction: Direction) -> bool {
        let asks = matches!(head.start, Start::Request { .. });
        let client = if asks { direction } else { direction.reversed() };
        *self.client.get_or_insert(client) == client
    }

    fn progress(&mut self, progress: Progress, here: &mut Here<'_>) {
        match progress {
            Progress::More => return,
            Progress::Done => self.finish_body(here.direction, true, here),
            Progress::Broken => {
                here.sink.skipped("http.body", here.stamp);
                self.finish_body(here.direction, false, here);
                self.side(here.direction).state = State::Lost;
            }
        }
        self.exchanges.report_finished(&mut self.desk(here));
    }

    /// Puts the message that was read into its exchange.
    fn finish_body(&mut self, direction: Direction, ended: bool, here: &mut Here<'_>) {
        let State::Body(open) = std::mem::take(&mut self.side(direction).state) else { return };
        let (body, mut message) = *open;
        if !body.finish(ended, &mut message) {
            here.sink.skipped("http.coding", here.stamp);
        }
        if self.client == Some(direction) {
            self.exchanges.asked(message);
        } else {
            self.exchanges.answered(message);
        }
    }
}
