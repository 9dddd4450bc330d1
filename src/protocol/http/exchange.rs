//! Requests that wait for their responses, in the order in which they were sent.

use super::event::{HttpEvent, HttpExchange, HttpMessage};
use crate::evidence::{Direction, FlowInfo, Seen, Stamp};
use crate::protocol::{Event, Sink};
use std::collections::VecDeque;
use std::sync::Arc;

/// Exchanges under way: browsers pipeline a few requests, load tests some hundreds.
const MAX_OPEN: usize = 1024;
/// Bytes held by these: some dozens of the longest heads and bodies.
const MAX_HELD: usize = 4 << 20;

/// Exchanges that are not yet reported.
#[derive(Default)]
pub(super) struct Exchanges {
    open: VecDeque<Open>,
    held: usize,
}

struct Open {
    told: HttpExchange,
    reading_request: bool,
    reading_response: bool,
    held: usize,
}

impl Open {
    fn is_finished(&self) -> bool {
        self.told.status.is_some() && !self.reading_request && !self.reading_response
    }
}

/// Where a report goes, and where it comes from.
pub(super) struct Desk<'a> {
    pub flow: &'a Arc<FlowInfo>,
    /// Who asks.
    pub client: Direction,
    pub stamp: Stamp,
    pub sink: &'a mut dyn Sink,
}

impl Exchanges {
    /// Bytes of a body that may be held in addition.
    pub(super) fn room(&self) -> usize {
        MAX_HELD.saturating_sub(self.held)
    }

    /// A request has begun.
    pub(super) fn ask(&mut self, method: String, target: String, desk: &mut Desk<'_>) {
        let told = HttpExchange { method, target, ..HttpExchange::default() };
        self.push(told, true, desk);
    }

    /// The request that has begun last is complete, or as complete as it gets.
    pub(super) fn asked(&mut self, message: HttpMessage) {
        if let Some(open) = self.open.iter_mut().rfind(|open| open.reading_request) {
            let fields: usize = message.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
            let held = fields + message.body.len() + open.told.target.len();
            open.held = held;
            self.held += held;
            open.told.request = message;
            open.reading_request = false;
        }
    }

    /// A response has begun: it answers the oldest request without one, or one that was not captured. Returns the
    /// method of the request.
    pub(super) fn answer(&mut self, status: u16, desk: &mut Desk<'_>) -> &str {
        if self.open.iter().all(|open| open.told.status.is_some()) {
            self.push(HttpExchange::default(), false, desk);
        }
        let Some(open) = self.open.iter_mut().find(|open| open.told.status.is_none()) else { return "" };
        open.told.status = Some(status);
        open.reading_response = true;
        &open.told.method
    }

    /// The request that the response under way answers.
    pub(super) fn answered_request(&self) -> Option<&HttpExchange> {
        self.open.iter().find(|open| open.reading_response).map(|open| &open.told)
    }

    /// The response that has begun is complete, or as complete as it gets.
    pub(super) fn answered(&mut self, message: HttpMessage) {
        if let Some(open) = self.open.iter_mut().find(|open| open.reading_response) {
            open.told.response = Some(message);
            open.reading_response = false;
        }
    }

    /// Reports what is finished, up to the first that is not.
    pub(super) fn report_finished(&mut self, desk: &mut Desk<'_>) {
        while self.open.front().is_some_and(Open::is_finished) {
            self.report_first(desk);
        }
    }

    /// Reports what was asked so far: the answers are not in the capture.
    pub(super) fn report_asked(&mut self, desk: &mut Desk<'_>) {
        while self.open.front().is_some_and(|open| !open.reading_request) {
            self.report_first(desk);
        }
    }

    /// Reports all there is.
    pub(super) fn report_all(&mut self, desk: &mut Desk<'_>) {
        while !self.open.is_empty() {
            self.report_first(desk);
        }
    }

    fn push(&mut self, told: HttpExchange, reading_request: bool, desk: &mut Desk<'_>) {
        while self.open.len() >= MAX_OPEN || (self.held > MAX_HELD && !self.open.is_empty()) {
            desk.sink.skipped("http.outstanding", desk.stamp);
            self.report_first(desk);
        }
        self.open.push_back(Open { told, reading_request, reading_response: false, held: 0 });
    }

    fn report_first(&mut self, desk: &mut Desk<'_>) {
        let Some(open) = self.open.pop_front() else { return };
        self.held = self.held.saturating_sub(open.held);
        let told = open.told;
        let asked = (!told.method.is_empty() && !open.reading_request).then_some(told.request.frames);
        let answered = told.response.as_ref().map(|response| response.frames);
        let (first, _) = asked.or(answered).unwrap_or((desk.stamp, desk.stamp));
        let ends = asked.iter().chain(&answered).map(|frames| frames.1);
        let last = ends.max_by_key(Stamp::order).unwrap_or(first);
        let seen = Seen { flow: desk.flow, direction: desk.client, first, last };
        desk.sink.event(&seen, Event::Http(HttpEvent::Exchange(Box::new(told))));
    }
}
