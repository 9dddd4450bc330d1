//! One session: its exchanges in the order of their numbers, each side's messages in the order of their times.

use super::body::Body;
use crate::evidence::{CaptureId, Direction, FlowInfo, HttpBinding, Sighting, Stamp, Within};
use crate::protocol::http::{HttpExchange, HttpMessage};
use crate::protocol::{Chunk, Conversation, End, Gap, Sink, xmpp};
use memchr::memmem;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Requests that servers let be open at once, unless they say another number; and the most that is believed.
const USUAL_WINDOW: u64 = 2;
const MAX_WINDOW: u64 = 16;
/// Exchanges beyond the window that come while one is missing: then it will not come any more.
const PATIENCE: u64 = 8;
/// Exchanges and bytes that wait in a session.
const MAX_EXCHANGES: usize = 64;
const MAX_BYTES: usize = 8 << 20;

/// What one side said in an exchange.
struct Message {
    /// A header that the wrapper stands for.
    header: Option<String>,
    content: Box<[u8]>,
    /// The content is all there was.
    whole: bool,
    /// The stream ends with it, and with what error.
    ends: bool,
    error: Option<Box<str>>,
    first: Stamp,
    last: Stamp,
}

impl Message {
    fn new(told: &HttpMessage, body: &Body<'_>, header: Option<String>) -> Self {
        Self {
            header,
            content: body.content.into(),
            whole: told.complete && !told.body_cut && body.closed,
            ends: body.terminates(),
            // The stream's own error tells more than that there was one.
            error: body.condition().filter(|_| !says_error(body.content)).map(Into::into),
            first: told.frames.0,
            last: told.frames.1,
        }
    }
}

fn says_error(content: &[u8]) -> bool {
    memmem::find(content, b":error").is_some()
        && memmem::find(content, b"urn:ietf:params:xml:ns:xmpp-streams").is_some()
}

/// A request and its response.
pub(super) struct Exchange {
    flow: Arc<FlowInfo>,
    request: Option<Message>,
    /// `None` if it was not captured, or is fed already.
    response: Option<Message>,
    has_status: bool,
    window: Option<u64>,
    last: Stamp,
}

impl Exchange {
    /// Keeps what is needed of an exchange that was told. The flow is turned so that the client is its opener.
    pub fn new(
        told: &HttpExchange,
        request: &Body<'_>,
        response: Option<&Body<'_>>,
        at: &Sighting,
        from_opener: bool,
    ) -> Self {
        let creates = request.raw("sid").is_none();
        let begins = creates || request.restarts();
        let within = Within { http: Some(HttpBinding::Bosh), ..at.flow.within };
        let flow = match from_opener {
            true => at.flow.opened(within),
            false => Arc::new(FlowInfo { orig: at.flow.resp, resp: at.flow.orig, within, ..(*at.flow).clone() }),
        };
        let answer = told.response.as_ref().zip(response).map(|(told, body)| {
            // The answer to a restart need not say anything of the stream.
            let names = creates || body.raw("authid").is_some();
            Message::new(told, body, (begins && names).then(|| body.header(body.raw("sid"))))
        });
        Self {
            flow,
            request: Some(Message::new(&told.request, request, begins.then(|| request.header(None)))),
            has_status: told.status.is_some(),
            window: response.and_then(|body| body.raw("requests")?.parse().ok()),
            response: answer,
            last: at.last,
        }
    }

    /// When its request was complete.
    fn asked(&self) -> (i64, CaptureId, u64) {
        self.request.as_ref().map_or(self.last, |message| message.last).order()
    }

    /// When its response was complete, if there is one of BOSH.
    fn answered(&self) -> Option<(i64, CaptureId, u64)> {
        self.response.as_ref().map(|message| message.last.order())
    }

    fn bytes(&self) -> usize {
        [&self.request, &self.response].into_iter().flatten().map(|message| message.content.len()).sum()
    }
}

/// One session.
pub(super) struct Session {
    conversation: Conversation,
    /// The first connection: the session is reported as its.
    flow: Option<Arc<FlowInfo>>,
    last: Stamp,
    /// Exchanges of which something is not fed yet, by number.
    waiting: BTreeMap<u64, Exchange>,
    waiting_bytes: usize,
    /// Numbers of the next request and the next response to be fed.
    next_request: u64,
    next_response: u64,
    window: u64,
    offsets: [u64; 2],
    /// A side ended it.
    ended: bool,
}

impl Session {
    /// A session of which this is the first number seen.
    pub fn new(rid: u64) -> Self {
        Self {
            conversation: Conversation::Decoded(xmpp::start()),
            flow: None,
            last: Stamp::default(),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            next_request: rid,
            next_response: rid,
            window: USUAL_WINDOW,
            offsets: [0; 2],
            ended: false,
        }
    }

    /// A side ended it. Exchanges that were open then are still to come.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Bytes of messages that wait for others.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// The last frame seen of it.
    pub fn last(&self) -> Stamp {
        self.last
    }

    /// Takes an exchange, and feeds what can be fed.
    pub fn take(&mut self, rid: u64, exchange: Exchange, sink: &mut dyn Sink) {
        self.flow.get_or_insert_with(|| Arc::clone(&exchange.flow));
        self.last = std::cmp::max_by_key(self.last, exchange.last, Stamp::order);
        if let Some(window) = exchange.window {
            self.window = window.clamp(1, MAX_WINDOW);
        }
        if rid < self.next_request && rid < self.next_response {
            self.go_back(rid);
        }
        self.insert(rid, exchange, sink);
        while self.waiting.len() > MAX_EXCHANGES || self.waiting_bytes > MAX_BYTES {
            sink.skipped("bosh.limit", self.last);
            if !self.step(true, sink) {
                break;
            }
        }
        while self.step(false, sink) {}
    }

    /// A capture may begin with exchanges that are out of order: nothing was fed, so all can wait for the lower number.
    fn go_back(&mut self, rid: u64) {
        if self.offsets == [0; 2] {
            (self.next_request, self.next_response) = (rid, rid);
        }
    }

    /// A client sends a request again when a connection breaks: what it said counts once, the answer that came counts.
    fn insert(&mut self, rid: u64, exchange: Exchange, sink: &mut dyn Sink) {
        if rid < self.next_response {
            sink.skipped("bosh.repeated", exchange.last);
            return;
        }
        self.waiting_bytes += exchange.bytes();
        match self.waiting.get_mut(&rid) {
            None => {
                let mut exchange = exchange;
                if rid < self.next_request {
                    exchange.request = None;
                }
                self.waiting.insert(rid, exchange);
            }
            Some(known) => {
                self.waiting_bytes = self.waiting_bytes.saturating_sub(exchange.bytes());
                if known.response.is_none() && exchange.response.is_some() {
                    self.waiting_bytes += exchange.response.as_ref().map_or(0, |response| response.content.len());
                    known.response = exchange.response;
                    known.has_status = true;
                }
            }
        }
    }

    /// Feeds or passes over the message that comes next, if that is certain, or if nothing is to be waited for. Returns
    /// whether it did. A response comes behind its request, and behind all requests that were sent before it.
    fn step(&mut self, hurry: bool, sink: &mut dyn Sink) -> bool {
        let Some(newest) = self.waiting.last_key_value().map(|(rid, _)| *rid) else { return false };
        let hurry = hurry || newest.saturating_sub(self.next_response) > self.window + PATIENCE;
        let asked = self.waiting.get(&self.next_request).map(Exchange::asked);
        if self.next_response >= self.next_request {
            match asked {
                Some(_) => self.feed_request(sink),
                None if hurry => self.pass_over_missing(sink),
                None => return false,
            }
            return true;
        }
        let answered = self.waiting.get(&self.next_response).and_then(Exchange::answered);
        let all_asked = hurry || self.next_request >= self.next_response.saturating_add(self.window);
        match (asked, answered) {
            (Some(asked), Some(answered)) if asked <= answered => self.feed_request(sink),
            // Nobody answered: perhaps it is asked again.
            (Some(_), None) if !all_asked => self.feed_request(sink),
            (None, _) if !all_asked => return false,
            _ => self.feed_response(sink),
        }
        true
    }

    fn feed_request(&mut self, sink: &mut dyn Sink) {
        let found = self.waiting.get_mut(&self.next_request);
        let message = found.and_then(|exchange| Some((Arc::clone(&exchange.flow), exchange.request.take()?)));
        if let Some((flow, message)) = message {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(message.content.len());
            self.feed(&flow, Direction::FromOrig, &message, sink);
        }
        self.next_request = self.next_request.saturating_add(1);
    }

    /// The exchange is done with its response. There may be none of BOSH: an error of HTTP, or it was not captured.
    fn feed_response(&mut self, sink: &mut dyn Sink) {
        if let Some(exchange) = self.waiting.remove(&self.next_response) {
            match &exchange.response {
                Some(message) => {
                    self.waiting_bytes = self.waiting_bytes.saturating_sub(message.content.len());
                    self.feed(&exchange.flow, Direction::FromResp, message, sink);
                }
                None if exchange.has_status => {}
                None => self.gap(&exchange.flow, Direction::FromResp, exchange.last, sink),
            }
        }
        self.next_response = self.next_response.saturating_add(1);
    }

    /// Exchanges up to the next that is there were not captured.
    fn pass_over_missing(&mut self, sink: &mut dyn Sink) {
        let next =
            self.waiting.range(self.next_request..).next().map(|(rid, exchange)| (*rid, Arc::clone(&exchange.flow)));
        let Some((rid, flow)) = next else {
            self.waiting.clear();
            self.waiting_bytes = 0;
            return;
        };
        sink.skipped("bosh.gap", self.last);
        self.gap(&flow, Direction::FromOrig, self.last, sink);
        self.gap(&flow, Direction::FromResp, self.last, sink);
        (self.next_request, self.next_response) = (rid, rid);
    }

    fn feed(&mut self, flow: &Arc<FlowInfo>, direction: Direction, message: &Message, sink: &mut dyn Sink) {
        if let Some(header) = &message.header {
            self.say(flow, direction, header.as_bytes(), message.first, sink);
        }
        self.say(flow, direction, &message.content, message.last, sink);
        if !message.whole {
            sink.skipped("bosh.cut", message.last);
            self.gap(flow, direction, message.last, sink);
        } else if message.ends {
            self.ended = true;
            if let Some(condition) = &message.error {
                let error = format!(
                    "<stream:error xmlns:stream='http://etherx.jabber.org/streams'><{condition} \
                     xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
                );
                self.say(flow, direction, error.as_bytes(), message.last, sink);
            }
            self.say(flow, direction, b"</stream:stream>", message.last, sink);
        }
    }

    fn say(&mut self, flow: &Arc<FlowInfo>, direction: Direction, data: &[u8], stamp: Stamp, sink: &mut dyn Sink) {
        let Some(offset) = self.offsets.get_mut(direction.index()) else { return };
        if !data.is_empty() {
            let chunk = Chunk { flow, direction, data, offset: *offset, stamp };
            *offset = offset.saturating_add(data.len() as u64);
            self.conversation.data(&chunk, sink);
        }
    }

    fn gap(&mut self, flow: &Arc<FlowInfo>, direction: Direction, stamp: Stamp, sink: &mut dyn Sink) {
        self.conversation.gap(&Gap { flow, direction, bytes: 1, stamp }, sink);
    }

    /// Feeds all that waits.
    pub fn flush(&mut self, sink: &mut dyn Sink) {
        while self.step(true, sink) {}
    }

    /// No more exchanges will come.
    pub fn finish(&mut self, sink: &mut dyn Sink) {
        self.flush(sink);
        if let Some(flow) = &self.flow {
            self.conversation.end(&End { flow, stamp: self.last }, sink);
        }
    }
}
