//! Events for the tests of detectors: who, to whom, when.

use super::Settings;
use crate::evidence::{CaptureId, Direction, FlowInfo, Sighting, Stamp, Transport};
use crate::policy::Policy;
use crate::protocol::xmpp::{Disclosure, FederationStep, FederationStepKind, Login, Outcome, XmppEvent};
use crate::protocol::{Event, Record};
use std::sync::Arc;

/// A TCP conversation that the first address opened.
pub fn flow(orig: &str, resp: &str) -> Arc<FlowInfo> {
    Arc::new(FlowInfo {
        transport: Transport::Tcp,
        orig: orig.parse().unwrap(),
        resp: resp.parse().unwrap(),
        community_id: format!("1:{orig}-{resp}").into(),
        tunnel: "".into(),
        within: crate::evidence::Within::default(),
    })
}

/// The frame at a time; frames are numbered by milliseconds, so that times and frames tell each other.
pub fn stamp(time_ns: i64) -> Stamp {
    Stamp { capture: CaptureId(0), frame: time_ns as u64 / 1_000_000 + 1, time_ns }
}

/// An event in one frame, sent by the first address.
pub fn record(orig: &str, resp: &str, time_ns: i64, event: XmppEvent) -> Record {
    spanning(orig, resp, Direction::FromOrig, (time_ns, time_ns), event)
}

/// An event over a time, in a direction.
pub fn spanning(orig: &str, resp: &str, direction: Direction, (from, to): (i64, i64), event: XmppEvent) -> Record {
    let at = Sighting { flow: flow(orig, resp), direction, first: stamp(from), last: stamp(to) };
    Record { at, event: Event::Xmpp(event) }
}

/// A login by PLAIN at alpha.test, in clear.
pub fn login(username: &str, disclosure: Disclosure, outcome: Outcome) -> Login {
    Login {
        mechanism: "PLAIN".to_owned(),
        username: Some(username.to_owned()),
        jid: Some(format!("{username}@alpha.test")),
        disclosure,
        outcome,
        encrypted: false,
    }
}

/// A dialback key that is shown, or the verdict on it.
pub fn dialback(originating: &str, receiving: &str, key: Option<&str>, verdict: Option<&str>) -> FederationStep {
    FederationStep {
        kind: FederationStepKind::Result,
        originating: originating.to_owned(),
        receiving: receiving.to_owned(),
        stream_id: None,
        key: key.map(str::to_owned),
        verdict: verdict.map(str::to_owned),
    }
}

/// Settings with a policy of this text.
pub fn settings(policy: Option<&str>) -> Settings {
    let policy = policy.map(|text| Arc::new(Policy::parse(text, "policy.toml").unwrap()));
    Settings { policy, quote_chars: 200, ..Settings::default() }
}
