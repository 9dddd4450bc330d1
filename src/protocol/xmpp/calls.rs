//! Calls, and addresses given away, each once though its signals cross several connections.
//!
//! In: [`XmppEvent::Signal`]s and negotiated transports. Out: an [`XmppEvent::Endpoint`] when an address is first told for a session, and an
//! [`XmppEvent::Call`] a call when no more signals come.

use super::{Call, Endpoint, SharingEvent, Signal, Transport, XmppEvent, jid};
use crate::evidence::{Seen, Sighting, Stamp};
use crate::protocol::{Event, Join, Record, Sink};
use std::collections::{HashMap, HashSet};

/// Calls and addresses remembered. Beyond that calls are told no more, and addresses may be told again.
const MAX_CALLS: usize = 8192;
const MAX_ENDPOINTS: usize = 8192;

/// Session and the bare JIDs of the two, in their order.
type Key = (String, String, String);

/// Joins signals.
#[derive(Default)]
pub(super) struct Calls {
    /// Calls in the order of their first signals, and where each is.
    calls: Vec<(Sighting, Call)>,
    places: HashMap<Key, usize>,
    told: HashSet<Endpoint>,
}

impl Join for Calls {
    fn on_record(&mut self, record: &Record, sink: &mut dyn Sink) {
        match &record.event {
            Event::Xmpp(XmppEvent::Signal(signal)) => self.on_call(signal, &record.at, sink),
            Event::Xmpp(XmppEvent::Sharing(told)) => {
                if let SharingEvent::Transport(transport) = &**told {
                    self.on_transport(transport, &record.at, sink);
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, sink: &mut dyn Sink) {
        for (at, call) in std::mem::take(&mut self.calls) {
            let seen: Seen<'_> = at.as_seen();
            sink.event(&seen, Event::Xmpp(XmppEvent::Call(Box::new(call))));
        }
    }
}

impl Calls {
    fn on_transport(&mut self, told: &Transport, at: &Sighting, sink: &mut dyn Sink) {
        let transport = Transport { candidates: Vec::new(), ..told.clone() };
        let none = told.candidates.is_empty().then_some(None);
        for candidate in told.candidates.iter().cloned().map(Some).chain(none) {
            let endpoint = Endpoint { transport: transport.clone(), candidate };
            if self.told.len() >= MAX_ENDPOINTS {
                self.told.clear();
            }
            if self.told.insert(endpoint.clone()) {
                sink.event(&at.as_seen(), Event::Xmpp(XmppEvent::Endpoint(Box::new(endpoint))));
            }
        }
    }

    fn on_call(&mut self, signal: &Signal, at: &Sighting, sink: &mut dyn Sink) {
        let begins = matches!(signal.action.as_str(), "propose" | "session-initiate");
        let key = key(signal);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None if !begins || signal.media.is_empty() => return,
            None if self.calls.len() >= MAX_CALLS => {
                sink.skipped("xmpp.calls-beyond-limit", at.last);
                return;
            }
            None => {
                self.places.insert(key, self.calls.len());
                self.calls.push((at.clone(), Call::begun(signal)));
                self.calls.len() - 1
            }
        };
        if let Some((begun, call)) = self.calls.get_mut(place) {
            begun.last = std::cmp::max_by_key(begun.last, at.last, Stamp::order);
            call.on_signal(signal, at.last);
        }
    }
}

impl Call {
    fn begun(signal: &Signal) -> Self {
        Self {
            session: signal.session.clone(),
            from: signal.from.clone(),
            to: signal.to.clone(),
            media: Vec::new(),
            answered: None,
            ended: None,
            reason: None,
        }
    }

    fn on_signal(&mut self, signal: &Signal, stamp: Stamp) {
        for media in &signal.media {
            if !self.media.contains(media) {
                self.media.push(media.clone());
            }
        }
        let ends = match signal.action.as_str() {
            "session-accept" | "proceed" => {
                // A proposal goes to all clients of an account; who takes it is known now.
                let by_callee = self.from.as_deref().map(jid::bare) != signal.from.as_deref().map(jid::bare);
                if by_callee && signal.from.as_deref().is_some_and(|jid| jid.contains('/')) {
                    self.to.clone_from(&signal.from);
                }
                if signal.action != "proceed" {
                    self.answered.get_or_insert(stamp);
                }
                None
            }
            "session-terminate" => Some("ended"),
            "reject" => Some("decline"),
            "retract" => Some("cancel"),
            "finish" => Some("success"),
            _ => None,
        };
        if let Some(reason) = ends {
            self.ended.get_or_insert(stamp);
            self.reason.get_or_insert_with(|| signal.reason.clone().unwrap_or_else(|| reason.to_owned()));
        }
    }

    /// `answered`, `refused`, or `unanswered` as far as the capture shows.
    pub fn outcome(&self) -> &'static str {
        match (self.answered, self.reason.as_deref()) {
            (Some(_), _) => "answered",
            (None, Some("decline" | "busy" | "security-error" | "unsupported-applications")) => "refused",
            (None, _) => "unanswered",
        }
    }
}

fn key(signal: &Signal) -> Key {
    let bare = |jid: &Option<String>| jid.as_deref().map(jid::bare).unwrap_or_default().to_owned();
    let (one, other) = (bare(&signal.from), bare(&signal.to));
    let (one, other) = if one <= other { (one, other) } else { (other, one) };
    (signal.session.clone(), one, other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::{self, Direction};
    use crate::protocol::testing::{Noted, flow, stamp};
    use crate::protocol::xmpp::Candidate;

    fn signal(action: &str, from: &str, to: &str, media: &[&str]) -> Signal {
        Signal {
            action: action.to_owned(),
            session: "c1".to_owned(),
            from: Some(from.to_owned()),
            to: Some(to.to_owned()),
            media: media.iter().map(|media| (*media).to_owned()).collect(),
            reason: None,
        }
    }

    #[test]
    fn a_call_is_one_from_proposal_to_end() {
        let (mut calls, mut noted) = (Calls::default(), Noted::default());
        let flow = flow(evidence::Transport::Tcp, "10.0.0.7:4000", "10.0.0.1:5222");
        let signals = [
            signal("propose", "a@x/1", "b@y", &["audio"]),
            signal("proceed", "b@y/2", "a@x/1", &[]),
            signal("session-initiate", "a@x/1", "b@y/2", &["audio", "video"]),
            signal("session-initiate", "a@x/1", "b@y/2", &["audio", "video"]),
            signal("session-accept", "b@y/2", "a@x/1", &["audio", "video"]),
            signal("session-terminate", "a@x/1", "b@y/2", &[]),
            signal("session-initiate", "a@x/1", "c@y/2", &[]),
        ];
        for (frame, signal) in (1..).zip(signals) {
            let at = Sighting {
                flow: flow.clone(),
                direction: Direction::FromOrig,
                first: stamp(frame),
                last: stamp(frame),
            };
            calls.on_record(&Record { at, event: Event::Xmpp(XmppEvent::Signal(Box::new(signal))) }, &mut noted);
        }
        calls.finish(&mut noted);
        assert_eq!(noted.events.len(), 1, "what has no media is no call");
        let (at, Event::Xmpp(XmppEvent::Call(call))) = &noted.events[0] else { unreachable!() };
        assert_eq!((call.from.as_deref(), call.to.as_deref()), (Some("a@x/1"), Some("b@y/2")));
        assert_eq!((call.media.join("+"), call.outcome()), ("audio+video".to_owned(), "answered"));
        assert_eq!((call.answered, call.ended), (Some(stamp(5)), Some(stamp(6))));
        assert_eq!((at.first, at.last), (stamp(1), stamp(6)));
    }

    #[test]
    fn an_address_is_told_once_to_each() {
        let (mut calls, mut noted) = (Calls::default(), Noted::default());
        let flow = flow(evidence::Transport::Tcp, "10.0.0.7:4000", "10.0.0.1:5222");
        let at = Sighting { flow, direction: Direction::FromOrig, first: stamp(1), last: stamp(1) };
        for to in ["b@y/2", "b@y/2", "c@y"] {
            let host = Candidate { host: "192.0.2.3".to_owned(), ..Candidate::default() };
            let told = Transport { to: Some(to.to_owned()), candidates: vec![host], ..Transport::default() };
            let event = Event::Xmpp(XmppEvent::Sharing(Box::new(SharingEvent::Transport(told))));
            calls.on_record(&Record { at: at.clone(), event }, &mut noted);
        }
        assert_eq!(noted.events.len(), 2);
    }
}
