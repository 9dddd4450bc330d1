#![allow(clippy::unwrap_used, clippy::expect_used)] // tests
use super::*;
use crate::detect::Evidence;
use crate::detect::scene::spanning;
use crate::evidence::Direction;
use crate::protocol::content::{FileContent, Intake};
use crate::protocol::xmpp::{FileOffer, IbbPart, IbbTransfer};

mod other_ways;

const SENDER: &str = "10.0.0.7:4000";
const RECEIVER: &str = "10.0.0.8:4001";
const SERVER: &str = "10.0.0.1:5222";
const SECOND: i64 = 1_000_000_000;

fn bytes(sid: &str, from: Option<&str>, bytes: u64, complete: bool) -> IbbTransfer {
    IbbTransfer {
        sid: sid.to_owned(),
        from: from.map(str::to_owned),
        to: Some("rita@alpha.test/g".to_owned()),
        content: FileContent { bytes, sha256: [bytes as u8; 32], ..FileContent::default() },
        complete,
        missing_blocks: 0,
        part: None,
    }
}

fn leg(orig: &str, direction: Direction, seconds: (i64, i64), transfer: IbbTransfer) -> Record {
    let span = (seconds.0 * SECOND, seconds.1 * SECOND);
    spanning(orig, SERVER, direction, span, XmppEvent::Ibb(Box::new(transfer)))
}

fn sent(seconds: (i64, i64), transfer: IbbTransfer) -> Record {
    leg(SENDER, Direction::FromOrig, seconds, transfer)
}

fn received(seconds: (i64, i64), transfer: IbbTransfer) -> Record {
    leg(RECEIVER, Direction::FromResp, seconds, transfer)
}

fn offer(via: &'static str, session: &str, transport_sid: Option<&str>, second: i64, name: &str, size: u64) -> Record {
    let offer = FileOffer {
        via,
        session: session.to_owned(),
        transport_sid: transport_sid.map(str::to_owned),
        from: Some("sam@alpha.test/x".to_owned()),
        to: Some("rita@alpha.test/g".to_owned()),
        name: Some(name.to_owned()),
        size: Some(size),
        hash: None,
    };
    let span = (second * SECOND, second * SECOND);
    spanning(SENDER, SERVER, Direction::FromOrig, span, XmppEvent::Offer(offer))
}

fn findings(records: Vec<Record>) -> Vec<Finding> {
    let mut detector = Transfers::default();
    let mut out = Vec::new();
    for record in &records {
        detector.on_record(record, &mut out);
    }
    assert_eq!(out, [], "held until the end");
    detector.finish(&mut out);
    out
}

fn text<'f>(finding: &'f Finding, wanted: &str) -> Option<&'f str> {
    finding.evidence.iter().find_map(|(key, value)| match value {
        Evidence::Text(text) if *key == wanted => Some(text.as_str()),
        _ => None,
    })
}

fn has(finding: &Finding, key: &'static str, value: impl Into<Evidence>) -> bool {
    finding.evidence.contains(&(key, value.into()))
}

const SAM: Option<&str> = Some("sam@alpha.test/x");

#[test]
fn two_legs_and_an_offer_are_one_file() {
    let found = findings(vec![
        offer("si", "s1", None, 1, "notes.txt", 100),
        offer("si", "s1", None, 1, "notes.txt", 100),
        sent((2, 4), bytes("s1", SAM, 100, true)),
        received((2, 5), bytes("s1", SAM, 100, true)),
    ]);
    assert_eq!(found.len(), 1);
    let finding = &found[0];
    assert_eq!(finding.title, "`notes.txt` moved in band from sam@alpha.test to rita@alpha.test, 100 bytes");
    assert_eq!((finding.src.as_deref(), finding.dst.as_deref()), (Some(SENDER), Some(SERVER)));
    assert_eq!(finding.frames, [1001, 2001, 4001]);
    let keys: Vec<_> = finding.evidence.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys[..7], ["method", "name", "size", "sha256", "from", "to", "complete"]);
    assert_eq!(keys[7..], ["safe_name", "from_address", "to_address", "start", "end", "rate"]);
    assert_eq!(text(finding, "method"), Some("si-ibb"));
    assert_eq!(text(finding, "sha256"), Some("64".repeat(32).as_str()));
    assert!(has(finding, "complete", true) && has(finding, "size", 100));
}

#[test]
fn the_best_leg_tells_and_the_senders_leg_stands_for_it() {
    let found =
        findings(vec![received((2, 5), bytes("s1", SAM, 100, true)), sent((2, 90), bytes("s1", None, 60, false))]);
    assert_eq!(found.len(), 1);
    assert!(has(&found[0], "complete", true) && has(&found[0], "size", 100));
    assert_eq!(found[0].src.as_deref(), Some(SENDER));
    assert_eq!((text(&found[0], "from"), text(&found[0], "method")), (SAM, Some("ibb")));
    assert_eq!(found[0].title, "a file without a name moved in band from sam@alpha.test to rita@alpha.test, 100 bytes");
}

#[test]
fn more_bytes_beat_fewer() {
    let found =
        findings(vec![sent((2, 4), bytes("s1", SAM, 60, false)), received((2, 5), bytes("s1", SAM, 80, false))]);
    assert!(found.len() == 1 && has(&found[0], "size", 80) && has(&found[0], "complete", false));
}

#[test]
fn a_reused_id_is_another_transfer() {
    // The relayed leg of the first closes after the second has closed at its sender.
    let found = findings(vec![
        offer("si", "s1", None, 1, "one", 10),
        sent((2, 3), bytes("s1", SAM, 10, true)),
        offer("si", "s1", None, 4, "two", 20),
        sent((5, 6), bytes("s1", SAM, 20, true)),
        received((2, 7), bytes("s1", SAM, 10, true)),
        received((5, 8), bytes("s1", SAM, 20, true)),
    ]);
    let told: Vec<_> = found.iter().map(|finding| (text(finding, "name"), has(finding, "complete", true))).collect();
    assert_eq!(told, [(Some("one"), true), (Some("two"), true)]);
}

#[test]
fn other_parties_are_another_transfer() {
    let mut other = bytes("s1", Some("carl@alpha.test/y"), 30, true);
    other.to = Some("dora@alpha.test/z".to_owned());
    let found = findings(vec![
        sent((2, 3), bytes("s1", SAM, 10, true)),
        leg("10.0.0.9:4002", Direction::FromOrig, (2, 3), other),
    ]);
    assert_eq!(found.len(), 2);
}

#[test]
fn jingle_names_the_bytestream_in_its_transport() {
    let found = findings(vec![
        offer("jingle", "session", Some("bytes"), 1, "pic.jpg", 50),
        sent((2, 3), bytes("bytes", SAM, 50, true)),
        sent((2, 3), bytes("session", SAM, 50, true)),
    ]);
    let told: Vec<_> = found.iter().map(|finding| (text(finding, "method"), text(finding, "name"))).collect();
    assert_eq!(told, [(Some("jingle-ibb"), Some("pic.jpg")), (Some("ibb"), None)]);
}

#[test]
fn a_close_before_the_end_is_not_complete() {
    let found = findings(vec![
        offer("si", "s1", None, 1, "unfinished.bin", 20_000),
        sent((2, 4), bytes("s1", SAM, 10_240, true)),
    ]);
    assert!(has(&found[0], "complete", false) && has(&found[0], "offered_size", 20_000));
    assert!(has(&found[0], "size", 10_240));
}

#[test]
fn an_empty_file_is_complete() {
    let found = findings(vec![offer("si", "s1", None, 1, "empty", 0), sent((2, 2), bytes("s1", SAM, 0, true))]);
    assert!(has(&found[0], "complete", true) && has(&found[0], "size", 0));
}

#[test]
fn transfers_without_end_need_no_memory_without_end() {
    let mut detector = Transfers::default();
    let mut out = Vec::new();
    let many = ibb::MAX_HELD as i64 + 10;
    for n in 0..many {
        let name = format!("s{n}");
        detector.on_record(&offer("si", &name, None, n, "f", 1), &mut out);
        detector.on_record(&sent((n, n), bytes(&name, SAM, 1, true)), &mut out);
    }
    assert!(detector.in_band.sizes() <= (ibb::MAX_HELD, ibb::MAX_HELD));
    assert!(detector.offers.sizes() <= (offers::MAX_OFFERS, offers::MAX_OFFERS));
    detector.finish(&mut out);
    assert_eq!(out.len(), many as usize);
    let mut spread = Transfers::default();
    out.clear();
    for n in 0..1000 {
        let orig = format!("10.1.{}.{}:4000", n / 250, n % 250);
        spread.on_record(&leg(&orig, Direction::FromOrig, (1, 1), bytes("same", None, 1, true)), &mut out);
    }
    spread.finish(&mut out);
    assert!(out.len() > 50, "one transfer takes no more legs than it can have");
}

/// Three connections: blocks of two bytes, of which the second and third send some again.
#[test]
fn parts_over_resumed_streams_are_one_file() {
    let mut intake = Intake::new(None);
    intake.push(b"abcdef");
    let (content, beginning) = intake.finish_part();
    let part = |content, part| IbbTransfer { content, part: Some(Box::new(part)), ..bytes("s1", SAM, 0, false) };
    let rest = |first: u16, bytes: &[u8], closed| {
        let ends = (2..=bytes.len()).step_by(2).collect();
        part(FileContent::of(bytes, None), IbbPart::Rest { first, bytes: bytes.to_vec(), ends, closed })
    };
    let legs = [
        leg("10.0.0.7:1", Direction::FromOrig, (1, 2), part(content, IbbPart::Beginning { beginning, next: 3 })),
        leg("10.0.0.7:2", Direction::FromOrig, (300, 301), rest(2, b"efgh", false)),
        leg("10.0.0.7:3", Direction::FromOrig, (600, 601), rest(4, b"ij", true)),
    ];
    // A connection that is not closed is told when the capture ends.
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
        let found = findings(order.map(|place| legs[place].clone()).to_vec());
        assert_eq!(found.len(), 1, "{order:?}");
        let whole = FileContent::of(b"abcdefghij", None);
        assert_eq!(text(&found[0], "sha256"), Some(whole.sha256_hex().as_str()));
        assert!(has(&found[0], "complete", true) && has(&found[0], "size", 10));
    }
    // Blocks between are missing.
    let found = findings(vec![legs[0].clone(), legs[2].clone()]);
    assert!(found.iter().all(|finding| has(finding, "complete", false)));
}
