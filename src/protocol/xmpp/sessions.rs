//! Sessions as users had them: the streams of one, joined where one was resumed over another connection (XEP-0198).
//!
//! In: the summaries of streams. Out: one [`XmppEvent::Session`] a session, when all is known: the first connection of
//! a session that was torn away may look alive to the capture long after the second has taken over.

use super::{Outcome, SessionSummary, StreamKind, StreamSummary, XmppEvent};
use crate::evidence::{HttpBinding, Seen, Sighting};
use crate::protocol::{Event, Join, Record, Sink};
use std::collections::HashMap;

/// Streams that wait to be joined. What is beyond is told as it comes, a stream a session.
const MAX_STREAMS: usize = 100_000;
/// Streams of one session: a telephone on a bad day.
const MAX_RESUMED: usize = 1024;

/// Joins streams into sessions.
#[derive(Default)]
pub(super) struct Sessions {
    streams: Vec<(Sighting, StreamSummary)>,
}

impl Join for Sessions {
    fn on_record(&mut self, record: &Record, sink: &mut dyn Sink) {
        let Event::Xmpp(XmppEvent::Stream(stream)) = &record.event else { return };
        if stream.kind == StreamKind::S2s || !has_session(stream) {
            return;
        }
        if self.streams.len() < MAX_STREAMS {
            self.streams.push((record.at.clone(), (**stream).clone()));
        } else {
            sink.skipped("xmpp.sessions-beyond-limit", stream.first);
            tell(record.at.clone(), vec![(**stream).clone()], sink);
        }
    }

    fn finish(&mut self, sink: &mut dyn Sink) {
        self.streams.sort_by_key(|(_, stream)| stream.first.order());
        for (at, streams) in joined(std::mem::take(&mut self.streams)) {
            tell(at, streams, sink);
        }
    }
}

/// Somebody is logged in: a login that failed is no session, nor is a stream on which an account was made and no more.
fn has_session(stream: &StreamSummary) -> bool {
    let may_be = match stream.outcome {
        Some(Outcome::Failure) => false,
        Some(_) => true,
        None => !stream.login_offered,
    };
    // A component has its JID before it proves that it may.
    let has_jid = stream.jid.is_some() && (may_be || stream.kind != StreamKind::Component);
    has_jid || stream.resumes.is_some() || may_be && stream.stanzas.iter().any(|count| *count > 0)
}

/// The streams in order of time as sessions, each at the place of its first stream.
fn joined(streams: Vec<(Sighting, StreamSummary)>) -> Vec<(Sighting, Vec<StreamSummary>)> {
    let mut sessions: Vec<(Sighting, Vec<StreamSummary>)> = Vec::new();
    // A server's name for a session means something at that server alone.
    let mut resumable: HashMap<(Option<String>, String), usize> = HashMap::new();
    for (at, stream) in streams {
        let at_server = |name: String| (stream.domain.clone(), name);
        let resumed = stream.resumes.clone().and_then(|name| resumable.get(&at_server(name)).copied());
        let name = stream.resumable.clone().map(at_server);
        let open = resumed.and_then(|place| Some((place, sessions.get_mut(place)?)));
        let place = match open {
            Some((place, (_, session))) if session.len() < MAX_RESUMED => {
                session.push(stream);
                place
            }
            _ => {
                sessions.push((at, vec![stream]));
                sessions.len() - 1
            }
        };
        if let Some(name) = name {
            resumable.insert(name, place);
        }
    }
    sessions
}

fn tell(at: Sighting, streams: Vec<StreamSummary>, sink: &mut dyn Sink) {
    let binding = match at.flow.within.http {
        None => "tcp",
        Some(HttpBinding::Bosh) => "bosh",
        Some(HttpBinding::WebSocket) => "websocket",
    };
    let last = streams.iter().map(|stream| stream.last).max_by_key(|stamp| stamp.order()).unwrap_or(at.last);
    let seen = Seen { last, ..at.as_seen() };
    sink.event(&seen, Event::Xmpp(XmppEvent::Session(Box::new(SessionSummary { streams, binding }))));
}

impl SessionSummary {
    /// What the first stream that knows it says.
    pub fn first<'a, T>(&'a self, what: impl Fn(&'a StreamSummary) -> Option<T>) -> Option<T> {
        self.streams.iter().find_map(what)
    }

    /// What the last stream that knows it says.
    pub fn last<'a, T>(&'a self, what: impl Fn(&'a StreamSummary) -> Option<T>) -> Option<T> {
        self.streams.iter().rev().find_map(what)
    }

    /// Stanzas from the client and from the server.
    pub fn stanzas(&self) -> [u64; 2] {
        self.streams.iter().fold([0, 0], |[out, back], stream| {
            let [more_out, more_back] = stream.stanzas;
            [out.saturating_add(more_out), back.saturating_add(more_back)]
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::{Direction, Transport};
    use crate::protocol::testing::{Noted, flow, stamp};

    fn stream(frame: u64, domain: &str, resumable: Option<&str>, resumes: Option<&str>) -> Record {
        let flow = flow(Transport::Tcp, "10.0.0.7:4000", "10.0.0.1:5222");
        let stream = StreamSummary {
            kind: StreamKind::C2s,
            client: flow.orig,
            server: flow.resp,
            domain: Some(domain.to_owned()),
            from_domain: None,
            jid: resumes.is_none().then(|| format!("ann@{domain}/r")),
            stream_id: None,
            tls: None,
            tls_version: None,
            compression: None,
            offered_starttls: None,
            mechanism: None,
            outcome: None,
            stanzas: [1, 2],
            first_stanza: None,
            first: stamp(frame),
            last: stamp(frame + 10),
            error: None,
            software: None,
            resumable: resumable.map(str::to_owned),
            resumes: resumes.map(str::to_owned),
            ended: None,
            login_offered: false,
            refused_starttls: false,
            required_starttls: false,
        };
        let at = Sighting { flow, direction: Direction::FromOrig, first: stream.first, last: stream.last };
        Record { at, event: Event::Xmpp(XmppEvent::Stream(Box::new(stream))) }
    }

    #[test]
    fn resumed_streams_are_one_session() {
        let (mut join, mut noted) = (Sessions::default(), Noted::default());
        // The first stream is told last: it hung until the capture ended.
        for record in [
            stream(5, "x.test", None, Some("s1")),
            stream(7, "x.test", None, Some("s1")),
            stream(6, "y.test", None, Some("s1")),
            stream(1, "x.test", Some("s1"), None),
        ] {
            join.on_record(&record, &mut noted);
        }
        join.finish(&mut noted);
        let sessions: Vec<_> = noted
            .events
            .iter()
            .map(|(at, event)| {
                let Event::Xmpp(XmppEvent::Session(session)) = event else { unreachable!() };
                (session.streams.len(), session.stanzas(), at.first, at.last)
            })
            .collect();
        assert_eq!(sessions, [(3, [3, 6], stamp(1), stamp(17)), (1, [1, 2], stamp(6), stamp(16))]);
    }

    #[test]
    fn an_account_made_and_no_more_is_no_session() {
        let told = |login_offered| {
            let (mut join, mut noted) = (Sessions::default(), Noted::default());
            let mut record = stream(1, "x.test", None, None);
            let Event::Xmpp(XmppEvent::Stream(stream)) = &mut record.event else { unreachable!() };
            (stream.jid, stream.login_offered) = (None, login_offered);
            join.on_record(&record, &mut noted);
            join.finish(&mut noted);
            noted.events.len()
        };
        assert_eq!((told(true), told(false)), (0, 1), "of a stream from its middle nothing is known");
    }

    #[test]
    fn a_login_that_failed_is_no_session() {
        let (mut join, mut noted) = (Sessions::default(), Noted::default());
        let mut record = stream(1, "x.test", None, None);
        let Event::Xmpp(XmppEvent::Stream(stream)) = &mut record.event else { unreachable!() };
        (stream.jid, stream.outcome) = (None, Some(Outcome::Failure));
        join.on_record(&record, &mut noted);
        join.finish(&mut noted);
        assert!(noted.events.is_empty());
    }
}
