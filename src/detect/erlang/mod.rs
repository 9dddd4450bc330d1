//! Erlang distribution: readable connections, strangers, remote execution, code that is sent.
//!
//! In: handshakes and messages of the distribution. Who knows the cookie may do anything on a node, and clusters do much
//! by themselves all the time; so calls are judged by what they call, from a table ([`classes`]).

mod administration;
mod calls;
mod classes;
mod cluster;
mod code;
mod connections;
mod secrets;

pub use administration::Administration;
pub use calls::Calls;
pub use classes::{CallClasses, ClassesError};
pub use cluster::Cluster;
pub use connections::Connections;
pub use secrets::{asks_for_secret, shows_secret};

#[cfg(test)]
pub(super) use cluster::tests::settings;

/// Events made by hand.
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
pub(super) mod testing {
    use crate::evidence::{CaptureId, Direction, FlowInfo, Sighting, Stamp, Transport};
    use crate::protocol::erldist::term::Term;
    use crate::protocol::erldist::{Call, DistEvent, Handshake, HandshakeOutcome, Message, Reply};
    use crate::protocol::{Event, Record};
    use std::sync::Arc;

    pub(in crate::detect) fn atom(name: &str) -> Term {
        Term::Atom(name.into())
    }

    pub(in crate::detect) fn text(content: &str) -> Term {
        Term::String(content.as_bytes().into())
    }

    pub(in crate::detect) fn list(elements: &[Term]) -> Term {
        Term::List(elements.to_vec(), None)
    }

    pub(in crate::detect) fn call(module: &str, function: &str, arguments: &[Term]) -> Call {
        Call { via: "rex", module: module.into(), function: function.into(), arguments: list(arguments) }
    }

    pub(in crate::detect) fn handshake(outcome: HandshakeOutcome) -> DistEvent {
        DistEvent::Handshake(Box::new(Handshake {
            initiator: "a@host".into(),
            acceptor: Some("b@host".into()),
            version: 6,
            initiator_flags: 0,
            acceptor_flags: 0,
            status: Some("ok".into()),
            initiator_proof: None,
            acceptor_proof: None,
            outcome,
        }))
    }

    /// A call from a to b, or b's answer.
    pub(in crate::detect) fn message(call: Option<Call>, reply: Option<Reply>) -> DistEvent {
        let (node, peer) = if reply.is_some() { ("b@host", "a@host") } else { ("a@host", "b@host") };
        DistEvent::Message(Box::new(Message {
            node: Some(node.into()),
            peer: Some(peer.into()),
            initiator: Direction::FromOrig,
            operation: "SEND",
            size: 0,
            control: Term::Elided,
            payload: None,
            call,
            reply,
        }))
    }

    /// The events on one connection, one a frame.
    pub(in crate::detect) fn records(events: Vec<DistEvent>) -> Vec<Record> {
        let flow = Arc::new(FlowInfo {
            transport: Transport::Tcp,
            orig: "10.0.0.7:40000".parse().unwrap(),
            resp: "10.0.0.1:9100".parse().unwrap(),
            community_id: "1:x".into(),
            tunnel: "".into(),
            within: crate::evidence::Within::default(),
        });
        let record = |(number, event): (usize, DistEvent)| {
            let answers = matches!(&event, DistEvent::Message(message) if message.reply.is_some());
            let direction = if answers { Direction::FromResp } else { Direction::FromOrig };
            let frame = number as u64 + 1;
            let stamp = Stamp { capture: CaptureId(0), frame, time_ns: number as i64 };
            let at = Sighting { flow: Arc::clone(&flow), direction, first: stamp, last: stamp };
            Record { at, event: Event::ErlDist(event) }
        };
        events.into_iter().enumerate().map(record).collect()
    }
}
