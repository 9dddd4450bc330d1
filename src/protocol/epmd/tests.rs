//! Conversations with EPMD: whole, split, one-sided, and what is none.
#![allow(clippy::unwrap_used)] // tests

use super::session::Session;
use super::{EpmdAnswer, EpmdEvent, EpmdRequest, probe};
use crate::evidence::{CaptureId, Direction, FlowInfo, Seen, Stamp, Transport};
use crate::protocol::{Chunk, Decoder, End, Event, Gap, Opening, Probe, Sink, xmpp};
use proptest::prelude::*;
use std::sync::Arc;

#[derive(Debug, Default)]
struct Collector {
    events: Vec<EpmdEvent>,
    skipped: Vec<&'static str>,
}

impl Sink for Collector {
    fn stanza(&mut self, _: &Seen<'_>, _: &xmpp::Stanza<'_>) {}
    fn event(&mut self, seen: &Seen<'_>, event: Event) {
        assert_eq!(seen.direction, Direction::FromOrig);
        match event {
            Event::Epmd(event) => self.events.push(event),
            other => panic!("not of this protocol: {other:?}"),
        }
    }
    fn skipped(&mut self, what: &'static str, _: Stamp) {
        self.skipped.push(what);
    }
}

fn flow(port: u16) -> Arc<FlowInfo> {
    Arc::new(FlowInfo {
        transport: Transport::Tcp,
        orig: "203.0.113.77:44106".parse().unwrap(),
        resp: ([10, 0, 0, 1], port).into(),
        community_id: "1:test".into(),
        tunnel: "".into(),
        within: crate::evidence::Within::default(),
    })
}

/// Asks and answers in pieces of at most `piece` bytes, and closes.
fn run(asked: &[u8], answered: &[u8], piece: usize) -> Collector {
    let (flow, mut session, mut sink) = (flow(4369), Session::default(), Collector::default());
    let mut stamp = Stamp { capture: CaptureId(0), frame: 0, time_ns: 0 };
    for (direction, bytes) in [(Direction::FromOrig, asked), (Direction::FromResp, answered)] {
        for (at, data) in bytes.chunks(piece).enumerate() {
            stamp.frame += 1;
            let offset = (at * piece) as u64;
            session.data(&Chunk { flow: &flow, direction, data, offset, stamp }, &mut sink);
        }
    }
    session.end(&End { flow: &flow, stamp }, &mut sink);
    sink
}

/// The only event, the same for any split.
fn only(asked: &[u8], answered: &[u8]) -> EpmdEvent {
    let events = run(asked, answered, usize::MAX).events;
    for piece in 1..8 {
        assert_eq!(run(asked, answered, piece).events, events, "pieces of {piece}");
    }
    assert_eq!(events.len(), 1, "{events:?}");
    events[0].clone()
}

fn exchange(request: EpmdRequest, answer: Option<EpmdAnswer>) -> EpmdEvent {
    EpmdEvent::Exchange { request, answer }
}

const ALIVE2: &[u8] = b"\0\x13xzkH\0\0\x06\0\x05\0\x03hid\0\x03\x01\x02\x03";

fn alive2() -> EpmdRequest {
    EpmdRequest::Alive2 { name: "hid".into(), port: 31339, node_type: 72, highest: 6, lowest: 5 }
}

#[test]
fn every_exchange() {
    let hid = || "hid".to_owned();
    let port = EpmdAnswer::Port { port: 31339, node_type: 72, versions: (6, 5), name: hid() };
    assert_eq!(
        only(b"\0\x04zhid", b"w\0zkH\0\0\x06\0\x05\0\x03hid\0\x03\x01\x02\x03"),
        exchange(EpmdRequest::PortPlease2 { name: hid() }, Some(port))
    );
    assert_eq!(
        only(b"\0\x04zhid", b"w\x01"),
        exchange(EpmdRequest::PortPlease2 { name: hid() }, Some(EpmdAnswer::NoSuchNode { result: 1 }))
    );
    let listing = |text: &str| Some(EpmdAnswer::Listing { epmd_port: 4369, text: text.into() });
    assert_eq!(
        only(b"\0\x01n", b"\0\0\x11\x11name hid at port 31339\n"),
        exchange(EpmdRequest::Names, listing("name hid at port 31339\n"))
    );
    assert_eq!(
        only(b"\0\x01d", b"\0\0\x11\x11active name     <hid> at port 31339, fd = 9\n\0"),
        exchange(EpmdRequest::Dump, listing("active name     <hid> at port 31339, fd = 9\n"))
    );
    let word = |word: &str| Some(EpmdAnswer::Word(word.into()));
    assert_eq!(only(b"\0\x01k", b"NO"), exchange(EpmdRequest::Kill, word("NO")));
    assert_eq!(only(b"\0\x04shid", b"NOEXIST"), exchange(EpmdRequest::Stop { name: hid() }, word("NOEXIST")));
    let refused = Some(EpmdAnswer::Alive2 { result: 1, creation: 99 });
    assert_eq!(only(ALIVE2, b"v\x01\0\0\0c"), exchange(alive2(), refused));
}

#[test]
fn a_request_without_answer_is_reported_at_the_end() {
    assert_eq!(only(b"\0\x01k", b""), exchange(EpmdRequest::Kill, None));
    assert_eq!(only(b"\0\x01n", b""), exchange(EpmdRequest::Names, None));
    assert_eq!(only(ALIVE2, b""), exchange(alive2(), None));
}

#[test]
fn a_registration_lasts_as_long_as_its_connection() {
    let events = run(ALIVE2, b"y\0\0\x03", 1).events;
    let accepted = Some(EpmdAnswer::Alive2 { result: 0, creation: 3 });
    let unregistered = EpmdEvent::Unregistered { name: "hid".into(), port: 31339 };
    assert_eq!(events, [exchange(alive2(), accepted), unregistered]);
}

#[test]
fn what_is_no_request_is_malformed_once() {
    let reason = |bytes: &[u8]| match only(bytes, b"") {
        EpmdEvent::Malformed { reason } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(b"GET / HTTP/1.0\r\n\r\n"), "length 18245, more than EPMD reads");
    assert_eq!(reason(b"\0\0"), "length 0");
    assert_eq!(reason(b"\xff\xffAAAAAAAAAA"), "length 65535, more than EPMD reads");
    assert_eq!(reason(b"\0\x04\xee123"), "unknown request 238");
    assert_eq!(reason(b"\0\x09pejabberd"), "PORT_PLEASE_REQ is obsolete");
    assert_eq!(reason(b"\0\x02nn"), "length 2 but NAMES_REQ carries nothing");
    assert_eq!(reason(b"\0\x01"), "request ends after 2 bytes");
    assert_eq!(reason(b"\0"), "request ends after 1 bytes");
}

#[test]
fn bytes_after_a_request_are_malformed_but_the_request_counts() {
    for piece in [1, 2, 4, 10] {
        let events = run(b"\0\x01n\0\x01n", b"", piece).events;
        let malformed = EpmdEvent::Malformed { reason: "bytes after the request".into() };
        assert_eq!(events, [exchange(EpmdRequest::Names, None), malformed]);
    }
}

#[test]
fn answers_alone_tell_what_was_asked() {
    let port = EpmdAnswer::Port { port: 5, node_type: 77, versions: (6, 5), name: "a".into() };
    assert_eq!(
        only(b"", b"w\0\0\x05M\0\0\x06\0\x05\0\x01a\0\0"),
        exchange(EpmdRequest::PortPlease2 { name: "a".into() }, Some(port))
    );
    let listing = EpmdAnswer::Listing { epmd_port: 4369, text: "name a at port 5\n".into() };
    assert_eq!(only(b"", b"\0\0\x11\x11name a at port 5\n"), exchange(EpmdRequest::Names, Some(listing)));
    let sink = run(b"", b"v\0\0\0\0\x01", usize::MAX);
    assert_eq!((sink.events.len(), &*sink.skipped), (0, &["epmd.unasked-answer"][..]));
}

#[test]
fn missing_bytes_are_not_malformed() {
    let (flow, mut session, mut sink) = (flow(4369), Session::default(), Collector::default());
    let stamp = Stamp::default();
    let direction = Direction::FromOrig;
    session.data(&Chunk { flow: &flow, direction, data: b"\0\x09zej", offset: 0, stamp }, &mut sink);
    session.gap(&Gap { flow: &flow, direction, bytes: 6, stamp }, &mut sink);
    session.end(&End { flow: &flow, stamp }, &mut sink);
    assert_eq!((sink.events.len(), &*sink.skipped), (0, &["epmd.lost"][..]));
}

#[test]
fn probes_by_content_and_on_its_port_by_that() {
    let probe_on = |port: u16, from_orig: &[u8]| probe(&Opening { flow: &flow(port), from_orig, from_resp: &[] });
    for request in [ALIVE2, b"\0\x01n", b"\0\x01d", b"\0\x01k", b"\0\x04zhid", b"\0\x04shid"] {
        assert_eq!(probe_on(9999, request), Probe::Yes, "{request:?}");
        for end in 0..request.len() {
            assert_eq!(probe_on(9999, &request[..end]), Probe::Unsure, "{request:?} cut at {end}");
        }
        assert_eq!(probe_on(9999, &[request, b"!"].concat()), Probe::No);
    }
    for other in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"\0\x03sok", b"\x16\x03\x01\0\xc8\x01", b"\0\x03z\0\0", b"\0\0\0\0"]
    {
        assert_eq!(probe_on(9999, other), Probe::No, "{other:?}");
        assert_eq!(probe_on(4369, other), Probe::Yes, "{other:?}");
    }
    assert_eq!(probe_on(4369, b""), Probe::Unsure);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_survived_in_any_pieces(
        asked in proptest::collection::vec(any::<u8>(), 0..80),
        answered in proptest::collection::vec(any::<u8>(), 0..80),
        piece in 1usize..20,
    ) {
        prop_assert_eq!(run(&asked, &answered, piece).events, run(&asked, &answered, usize::MAX).events);
    }

    #[test]
    fn requests_with_noise_are_told_the_same_in_any_pieces(
        tag in prop::sample::select(&b"xzndksap"[..]),
        body in proptest::collection::vec(any::<u8>(), 0..40),
        length in 0u16..40,
        piece in 1usize..20,
    ) {
        let asked = [&length.to_be_bytes()[..], &[tag], &body].concat();
        prop_assert_eq!(run(&asked, b"w\0", piece).events, run(&asked, b"w\0", usize::MAX).events);
    }
}
