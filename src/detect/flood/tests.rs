#![allow(clippy::unwrap_used)] // tests

use super::detector::MAX_SENDERS;
use super::watch::MAX_LANES;
use super::{FloodWatch, Floods};
use crate::detect::Evidence;
use crate::detect::scene::{flow, settings, stamp};
use crate::detect::{Detector, Finding, StanzaWatch};
use crate::evidence::{Direction, FlowInfo, Seen};
use crate::protocol::xmpp::{Leg, Stanza, StanzaKind};
use std::collections::HashMap;
use std::sync::Arc;

const SECOND: i64 = 1_000_000_000;
const POLICY: &str = "[xmpp]\nstanzas_per_minute = 40";

struct Lab {
    watches: Vec<FloodWatch>,
    flows: HashMap<String, Arc<FlowInfo>>,
}

impl Lab {
    fn new() -> Self {
        let watches = (0..3).map(|_| FloodWatch::new(&settings(Some(POLICY)))).collect();
        Self { watches, flows: HashMap::new() }
    }

    fn stanza(&mut self, client: &str, time_ns: i64, leg: Leg, change: impl FnOnce(&mut Stanza<'_>)) {
        let flow = self.flows.entry(client.to_owned()).or_insert_with(|| flow(client, "10.0.0.1:5222"));
        let direction = if leg == Leg::Delivered { Direction::FromResp } else { Direction::FromOrig };
        let seen = Seen { flow, direction, first: stamp(time_ns), last: stamp(time_ns) };
        let mut stanza = Stanza {
            kind: StanzaKind::Presence,
            from: Some("pest@x.test/r"),
            to: Some("victim@x.test"),
            stanza_type: None,
            id: None,
            body: None,
            children: "",
            bytes: 100,
            meaning: Default::default(),
            leg,
            oob: None,
        };
        change(&mut stanza);
        let shard = client.len() % 3;
        self.watches[shard].on_stanza(&seen, &stanza, &mut Vec::new());
    }

    fn findings(mut self) -> Vec<Finding> {
        let mut records = Vec::new();
        self.watches.iter_mut().for_each(|watch| watch.drain(&mut records));
        records.sort_by_key(|record| record.at.last.order());
        let mut detector = Floods::new(&settings(Some(POLICY)));
        let mut out = Vec::new();
        records.iter().for_each(|record| detector.on_record(record, &mut out));
        detector.finish(&mut out);
        out
    }
}

#[test]
fn one_sender_over_the_rate_is_one_finding() {
    let mut lab = Lab::new();
    for n in 0..100 {
        lab.stanza("10.0.0.7:4000", n * SECOND / 2, Leg::Sent, |_| {});
        lab.stanza("10.0.0.8:40001", n * SECOND / 2 + 1, Leg::Delivered, |_| {});
    }
    let found = lab.findings();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].title, "100 presence stanzas by pest@x.test within 50 s");
    assert_eq!(found[0].src.as_deref(), Some("10.0.0.7:4000"));
    assert_eq!(
        found[0].evidence,
        [
            ("kind", Evidence::Text("presence".to_owned())),
            ("count", Evidence::Number(100)),
            ("seconds", Evidence::Number(50)),
            ("from", Evidence::Text("pest@x.test".to_owned()))
        ]
    );
}

#[test]
fn connections_of_one_sender_are_added_up() {
    let mut lab = Lab::new();
    for n in 0..30 {
        lab.stanza("10.0.0.7:4000", n * SECOND, Leg::Sent, |_| {});
        lab.stanza("10.0.0.7:40001", n * SECOND, Leg::Sent, |stanza| stanza.kind = StanzaKind::Message);
    }
    let found = lab.findings();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].title, "60 stanzas by pest@x.test within 30 s");
    assert_eq!((found[0].flow.as_deref(), found[0].src.as_deref()), (None, Some("10.0.0.7")));
}

#[test]
fn what_many_receive_of_one_is_no_flood() {
    let mut lab = Lab::new();
    for n in 0..100 {
        lab.stanza(&format!("10.0.0.{n}:4000"), n, Leg::Delivered, |_| {});
    }
    assert_eq!(lab.findings(), []);
}

#[test]
fn a_victim_sees_a_flood_from_elsewhere() {
    let mut lab = Lab::new();
    (0..100).for_each(|n| lab.stanza("10.0.0.8:40001", n * SECOND / 4, Leg::Delivered, |_| {}));
    assert_eq!(lab.findings().len(), 1);
}

#[test]
fn slow_senders_answers_files_rooms_and_archives_are_none() {
    let mut lab = Lab::new();
    for n in 0..300 {
        lab.stanza("10.0.0.7:4000", n * SECOND * 2, Leg::Sent, |_| {});
        lab.stanza("10.0.0.7:4000", n, Leg::Sent, |stanza| stanza.stanza_type = Some("result"));
        lab.stanza("10.0.0.7:4000", n, Leg::Sent, |stanza| stanza.children = "http://jabber.org/protocol/ibb");
        lab.stanza("10.0.0.7:4001", n, Leg::Delivered, |stanza| {
            stanza.stanza_type = Some("groupchat");
            stanza.to = Some("victim@x.test/r");
        });
        lab.stanza("10.0.0.7:4001", n, Leg::Delivered, |stanza| stanza.from = Some("victim@x.test"));
        lab.stanza("10.0.0.7:4001", n, Leg::Delivered, |stanza| {
            stanza.children = "http://jabber.org/protocol/muc#user"
        });
    }
    assert_eq!(lab.findings(), []);
}

#[test]
fn senders_without_end_need_no_memory_without_end() {
    let mut watch = FloodWatch::new(&settings(Some("[xmpp]\nstanzas_per_minute = 1")));
    let mut detector = Floods::new(&settings(Some("[xmpp]\nstanzas_per_minute = 1")));
    let flow = flow("10.0.0.7:4000", "10.0.0.1:5269");
    let mut records = Vec::new();
    for n in 0..MAX_SENDERS + 2 {
        let from = format!("u{n}@x.test");
        let seen = Seen { flow: &flow, direction: Direction::FromOrig, first: stamp(1), last: stamp(1) };
        let stanza = Stanza {
            kind: StanzaKind::Message,
            from: Some(&from),
            to: Some("victim@x.test"),
            stanza_type: None,
            id: None,
            body: None,
            children: "",
            bytes: 100,
            meaning: Default::default(),
            leg: Leg::Between,
            oob: None,
        };
        watch.on_stanza(&seen, &stanza, &mut Vec::new());
        assert!(watch.lanes() <= MAX_LANES);
    }
    watch.drain(&mut records);
    records.iter().for_each(|record| detector.on_record(record, &mut Vec::new()));
    assert!(detector.senders() <= MAX_SENDERS);
}
