//! Who is told to mail in bulk, and who is not.
#![allow(clippy::unwrap_used)] // tests

use super::*;
use crate::detect::scene::{flow, settings, stamp};

const SECOND: i64 = 1_000_000_000;
const POLICY: &str = "[xmpp]\nrecipients_per_minute = 20\nsignatures = [{ name = 'win', body = '(?i)you won' }]";

struct Lab {
    watches: [SpimWatch; 2],
    flows: HashMap<String, Arc<FlowInfo>>,
}

impl Lab {
    fn new() -> Self {
        let watch = || SpimWatch::new(&settings(Some(POLICY)));
        Self { watches: [watch(), watch()], flows: HashMap::new() }
    }

    fn say(&mut self, (client, leg): (&str, Leg), time_ns: i64, from: &str, to: &str, body: &str) {
        let flow = self.flows.entry(client.to_owned()).or_insert_with(|| flow(client, "10.0.0.1:5222"));
        let direction = if leg == Leg::Delivered { Direction::FromResp } else { Direction::FromOrig };
        let seen = Seen { flow, direction, first: stamp(time_ns), last: stamp(time_ns) };
        let stanza = Stanza {
            kind: StanzaKind::Message,
            from: Some(from),
            to: Some(to),
            stanza_type: Some(if from.contains("conference") { "groupchat" } else { "chat" }),
            id: None,
            body: Some(body),
            children: "",
            bytes: 100,
            meaning: Default::default(),
            leg,
            oob: None,
        };
        self.watches[client.len() % 2].on_stanza(&seen, &stanza, &mut Vec::new());
    }

    fn findings(mut self) -> Vec<Finding> {
        let mut records = Vec::new();
        self.watches.iter_mut().for_each(|watch| watch.drain(&mut records));
        records.sort_by_key(|record| record.at.last.order());
        let mut detector = Mailings::new(&settings(Some(POLICY)));
        let mut out = Vec::new();
        records.iter().for_each(|record| detector.on_record(record, &mut out));
        detector.finish(&mut out);
        out
    }
}

const OWN: (&str, Leg) = ("10.0.0.7:4000", Leg::Sent);

#[test]
fn one_text_to_many_is_one_finding_whatever_its_copies() {
    let mut lab = Lab::new();
    for n in 0..30 {
        let to = format!("u{n}@x.test");
        let body = format!("Buy {n} PILLS  now");
        lab.say(OWN, n * SECOND, "promo@x.test/bot", &to, &body);
        lab.say(("10.0.0.9:40001", Leg::Between), n * SECOND + 1, "promo@x.test/bot", &to, &body);
        lab.say(("10.0.0.8:4000", Leg::Delivered), n * SECOND + 2, "promo@x.test/bot", &(to + "/r"), &body);
    }
    let found = lab.findings();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].title, "one text of promo@x.test to 30 addressees");
    assert_eq!(found[0].time_ns, 29 * SECOND);
    assert_eq!(found[0].frames.len(), 30);
    assert_eq!(found[0].evidence[2], ("count", Evidence::Number(30)));
    let sha256 = hex(&Sha256::digest("Buy 0 PILLS  now"));
    assert_eq!(found[0].evidence[3], ("body_sha256", Evidence::Text(sha256)));
}

#[test]
fn connections_of_one_sender_are_joined() {
    let mut lab = Lab::new();
    for n in 0..24 {
        let client = if n % 2 == 0 { "10.0.0.7:4000" } else { "10.0.0.7:40001" };
        lab.say((client, Leg::Sent), n * SECOND, "promo@x.test/bot", &format!("u{n}@x.test"), "pills");
    }
    let found = lab.findings();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].flow.as_deref(), found[0].src.as_deref()), (None, Some("10.0.0.7")));
}

#[test]
fn slow_few_and_different_texts_are_none() {
    let mut lab = Lab::new();
    for n in 0..60 {
        let to = format!("u{n}@x.test");
        lab.say(("10.0.0.1:4000", Leg::Sent), n * 5 * SECOND, "slow@x.test/r", &to, "happy new year");
        let other = ["a", "b", "c", "d", "e", "f"][n as usize % 6].repeat(n as usize + 1);
        lab.say(("10.0.0.2:4000", Leg::Sent), n, "busy@x.test/r", &to, &other);
        lab.say(("10.0.0.3:4000", Leg::Sent), n, "few@x.test/r", &format!("u{}@x.test", n % 5), "hello");
        lab.say(("10.0.0.4:40001", Leg::Between), n, "room@conference.x.test/n", &(to + "/r"), "hello all");
    }
    assert_eq!(lab.findings(), []);
}

#[test]
fn answers_are_no_mailing() {
    const HELP: &str = "I am the helper. Commands: menu, tide";
    let mut lab = Lab::new();
    for n in 0..60 {
        let guest = format!("u{n}@x.test");
        lab.say((OWN.0, Leg::Delivered), n, &(guest.clone() + "/r"), "helper@x.test", "help!");
        lab.say(OWN, SECOND + n, "helper@x.test/bot", &guest, HELP);
    }
    assert_eq!(lab.findings(), []);
    let mut lab = Lab::new();
    for n in 0..60 {
        let guest = format!("u{n}@x.test");
        lab.say(OWN, n, "helper@x.test/bot", &guest, HELP);
        lab.say((OWN.0, Leg::Delivered), SECOND + n, &(guest + "/r"), "helper@x.test", "who are you?");
    }
    assert_eq!(lab.findings().len(), 1, "who is asked back has spoken first");
}

#[test]
fn a_signature_needs_no_crowd() {
    let mut lab = Lab::new();
    lab.say(OWN, SECOND, "promo@x.test/bot", "ann@x.test", "Hey, You Won 100");
    lab.say(("10.0.0.8:4000", Leg::Delivered), SECOND + 1, "promo@x.test/bot", "ann@x.test/r", "Hey, You Won 100");
    lab.say(OWN, 2 * SECOND, "promo@x.test/bot", "bob@x.test", "you won again");
    let found = lab.findings();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].title, "one text that fits \"win\" of promo@x.test to 2 addressees");
    assert_eq!(found[0].evidence[4], ("signature", Evidence::Text("win".to_owned())));
}

#[test]
fn senders_without_end_need_no_memory_without_end() {
    let mut watch = SpimWatch::new(&settings(None));
    let flow = flow("10.0.0.7:4000", "10.0.0.1:5269");
    for n in 0..MAX_LANES * 2 {
        let from = format!("u{n}@x.test");
        let seen = Seen { flow: &flow, direction: Direction::FromOrig, first: stamp(1), last: stamp(1) };
        let stanza = Stanza {
            kind: StanzaKind::Message,
            from: Some(&from),
            to: Some("victim@x.test"),
            stanza_type: None,
            id: None,
            body: Some("x"),
            children: "",
            bytes: 100,
            meaning: Default::default(),
            leg: Leg::Between,
            oob: None,
        };
        watch.on_stanza(&seen, &stanza, &mut Vec::new());
        assert!(watch.lanes.len() <= MAX_LANES);
    }
}
