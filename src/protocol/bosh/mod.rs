//! BOSH (XEP-0124, XEP-0206): HTTP exchanges of several connections in, the XMPP streams in them out.
//!
//! A session is known by its id at one server. Its requests count (`rid`) whatever connections they take; their
//! responses belong to them. [`body`] takes the wrapper off a message, [`session`] puts messages back in order and feeds
//! what they hold to an XMPP decoder, as if it had come over TCP.
//!
//! An exchange is known when its response has come, and the server keeps responses back until it has something to say.
//! So a session lags behind by as many exchanges as the server lets be open at once: only then it is known what was said
//! before a response. One that was ended is told a while later, when what was open then has come, others when the capture
//! ends.

mod body;
mod session;

use super::http::{HttpEvent, HttpExchange};
use super::{Event, Join, Record, Sink};
use crate::evidence::Direction;
use body::Body;
use session::{Exchange, Session};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

/// Sessions under way: more than a large site has.
const MAX_SESSIONS: usize = 16_384;
/// Bytes of messages that wait for others, in all sessions.
const MAX_WAITING: usize = 256 << 20;
/// How long exchanges of a session that was ended may still come. The server answers them all at once.
const MAX_AFTER_END_NS: i64 = 60_000_000_000;
/// Longest session id that is believed.
const MAX_SID: usize = 1024;

/// Starts the join.
pub(super) fn start() -> Box<dyn Join> {
    Box::<BoshJoin>::default()
}

/// Server and session id.
type Key = (SocketAddr, Box<str>);

#[derive(Default)]
struct BoshJoin {
    /// Sessions in the order in which they began.
    sessions: BTreeMap<u64, (Key, Session)>,
    by_key: HashMap<Key, u64>,
    begun: u64,
    /// Sessions that were ended, and when they are told.
    ended: VecDeque<(i64, u64)>,
    waiting: usize,
}

impl Join for BoshJoin {
    fn on_record(&mut self, record: &Record, sink: &mut dyn Sink) {
        self.tell_ended(record.at.last.time_ns, sink);
        let Event::Http(HttpEvent::Exchange(told)) = &record.event else { return };
        let request = Body::read(&told.request.body);
        let response = told.response.as_ref().and_then(|response| Body::read(&response.body));
        if request.is_none() && response.is_none() {
            return;
        }
        let Some(request) = request.filter(|request| request.rid().is_some()) else {
            // The request that goes with it was not captured, so its place is not known.
            sink.skipped("bosh.unmatched", record.at.last);
            return;
        };
        self.take(record, told, &request, response.as_ref(), sink);
    }

    fn finish(&mut self, sink: &mut dyn Sink) {
        for (_, mut session) in std::mem::take(&mut self.sessions).into_values() {
            session.finish(sink);
        }
        self.by_key.clear();
    }
}

impl BoshJoin {
    fn take(
        &mut self,
        record: &Record,
        told: &HttpExchange,
        request: &Body<'_>,
        response: Option<&Body<'_>>,
        sink: &mut dyn Sink,
    ) {
        let Some(rid) = request.rid() else { return };
        // A session's id is in all of its requests but the first: that one's response gives it.
        let from_opener = record.at.direction == Direction::FromOrig;
        let exchange = || Exchange::new(told, request, response, &record.at, from_opener);
        let Some(sid) = request.value("sid").or_else(|| response.and_then(|body| body.value("sid"))) else {
            // A session that the server refused has no id.
            if response.is_some_and(Body::terminates) {
                let mut refused = Session::new(rid);
                refused.take(rid, exchange(), sink);
                refused.finish(sink);
            } else {
                sink.skipped("bosh.no-session", record.at.last);
            }
            return;
        };
        if sid.len() > MAX_SID {
            sink.skipped("bosh.limit", record.at.last);
            return;
        }
        let key: Key = (record.at.receiver(), sid.as_ref().into());
        let number = self.by_key.get(&key).copied().unwrap_or_else(|| self.begin(key, rid, sink));
        let Some((_, session)) = self.sessions.get_mut(&number) else { return };
        let (before, had_ended) = (session.waiting_bytes(), session.has_ended());
        session.take(rid, exchange(), sink);
        if session.has_ended() && !had_ended {
            self.ended.push_back((record.at.last.time_ns.saturating_add(MAX_AFTER_END_NS), number));
        }
        self.waiting = (self.waiting + session.waiting_bytes()).saturating_sub(before);
        if self.waiting > MAX_WAITING {
            sink.skipped("bosh.limit", record.at.last);
            self.waiting = self.waiting.saturating_sub(session.waiting_bytes());
            session.flush(sink);
        }
    }

    /// Tells sessions that were ended before so long that nothing more of them will come.
    fn tell_ended(&mut self, now_ns: i64, sink: &mut dyn Sink) {
        while let Some((due_ns, number)) = self.ended.front().copied()
            && (due_ns < now_ns || self.ended.len() > MAX_SESSIONS)
        {
            self.ended.pop_front();
            if let Some((key, mut session)) = self.sessions.remove(&number) {
                self.waiting = self.waiting.saturating_sub(session.waiting_bytes());
                session.finish(sink);
                self.by_key.remove(&key);
            }
        }
    }

    fn begin(&mut self, key: Key, rid: u64, sink: &mut dyn Sink) -> u64 {
        if self.sessions.len() >= MAX_SESSIONS
            && let Some((_, (key, mut oldest))) = self.sessions.pop_first()
        {
            sink.skipped("bosh.limit", oldest.last());
            self.waiting = self.waiting.saturating_sub(oldest.waiting_bytes());
            oldest.finish(sink);
            self.by_key.remove(&key);
        }
        self.begun += 1;
        self.by_key.insert(key.clone(), self.begun);
        self.sessions.insert(self.begun, (key, Session::new(rid)));
        self.begun
    }
}

#[cfg(test)]
mod tests;
