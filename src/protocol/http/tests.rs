#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::*;
use crate::evidence::{Direction, Transport};
use crate::protocol::Event;
use crate::protocol::testing::{Noted, Step, flow, in_pieces, orig, play, resp};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn conversation(steps: &[Step]) -> Noted {
    play(start(), &flow(Transport::Tcp, "10.0.0.7:40000", "10.0.0.1:5280"), steps)
}

fn exchanges(noted: &Noted) -> Vec<&HttpExchange> {
    let told = noted.events.iter().map(|(_, event)| match event {
        Event::Http(HttpEvent::Exchange(exchange)) => &**exchange,
        other => panic!("{other:?}"),
    });
    told.collect()
}

/// What does not depend on the segments.
type Told = (String, String, Option<u16>, Vec<u8>, u64, bool, Option<(Vec<u8>, u64, bool, [u8; 32])>);

fn told(steps: &[Step]) -> Vec<Told> {
    let noted = conversation(steps);
    let told = exchanges(&noted).into_iter().cloned().map(|exchange| {
        let request = exchange.request;
        let response = exchange.response.map(|r| (r.body, r.body_bytes, r.complete, r.body_sha256));
        (
            exchange.method,
            exchange.target,
            exchange.status,
            request.body,
            request.body_bytes,
            request.complete,
            response,
        )
    });
    told.collect()
}

#[test]
fn an_exchange_has_fields_bodies_and_frames() {
    let noted = conversation(&[
        orig("POST /api/register HTTP/1.1\r\nHost: a.test\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: 4\r\n\r\nab"),
        orig("cd"),
        resp("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"),
    ]);
    let told = exchanges(&noted)[0];
    assert_eq!((told.method.as_str(), told.target.as_str(), told.status), ("POST", "/api/register", Some(200)));
    assert_eq!(told.request.header("host"), Some("a.test"));
    let twice: Vec<_> =
        told.request.headers.iter().filter(|(name, _)| name == "x-two").map(|(_, v)| v.as_str()).collect();
    assert_eq!(twice, ["1", "2"]);
    assert_eq!((told.request.body.as_slice(), told.request.body_bytes, told.request.complete), (&b"abcd"[..], 4, true));
    assert_eq!((told.request.frames.0.frame, told.request.frames.1.frame), (1, 2));
    let response = told.response.as_ref().unwrap();
    assert_eq!(response.header("content-type"), Some("text/plain"));
    assert_eq!(response.body_sha256, <[u8; 32]>::from(Sha256::digest(b"ok")));
    let at = &noted.events[0].0;
    assert_eq!((at.direction, at.first.frame, at.last.frame), (Direction::FromOrig, 1, 3));
}

#[test]
fn bodies_end_as_the_standard_says() {
    let whole = [
        orig(
            "HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nPUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
        ),
        resp("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"),
        resp("HTTP/1.1 100 Continue\r\n\r\n"),
        orig("3\r\nabc\r\n2;name=\"x\"\r\nde\r\n0\r\nTrailer: 1\r\n\r\nGET /d HTTP/1.0\r\n\r\n"),
        resp("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\nHTTP/1.0 200 OK\r\n\r\nto the "),
        resp("end"),
    ];
    let want = told(&whole);
    let brief: Vec<_> = want.iter().map(|t| (t.0.as_str(), t.1.as_str(), t.2, t.3.as_slice(), t.5)).collect();
    assert_eq!(
        brief,
        [
            ("HEAD", "/a", Some(200), &b""[..], true),
            ("GET", "/b", Some(304), b"", true),
            ("PUT", "/c", Some(201), b"abcde", true),
            ("GET", "/d", Some(200), b"", true),
        ]
    );
    let last = want[3].6.as_ref().unwrap();
    assert_eq!((last.0.as_slice(), last.2), (&b"to the end"[..], true));
    for bytes in 1..80 {
        assert_eq!(told(&in_pieces(&whole, bytes)), want, "{bytes} bytes a piece");
    }
}

#[test]
fn of_a_long_body_the_first_bytes_are_kept_and_all_are_hashed() {
    let body: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let steps = [orig("GET / HTTP/1.1\r\n\r\n"), resp([head.as_bytes(), &body].concat())];
    let told = told(&in_pieces(&steps, 1448));
    let (kept, bytes, complete, sha256) = told[0].6.as_ref().unwrap();
    assert_eq!((kept.as_slice(), *bytes, *complete), (&body[..65_536], 200_000, true));
    assert_eq!(*sha256, <[u8; 32]>::from(Sha256::digest(&body)));
}

#[test]
fn a_gap_in_a_body_is_passed_over_and_noted() {
    let steps = [
        orig("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"),
        resp("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
        Step::Gap(Direction::FromResp, 5),
        resp("ijHTTP/1.1 204 No Content\r\n\r\n"),
    ];
    let told = told(&steps);
    let (body, bytes, complete, _) = told[0].6.as_ref().unwrap();
    assert_eq!((body.as_slice(), *bytes, *complete), (&b"abcij"[..], 5, false));
    assert_eq!(told[1].2, Some(204));
}

#[test]
fn behind_a_gap_between_messages_pairs_stay_right() {
    let noted = conversation(&[
        orig("GET /lost HTTP/1.1\r\n\r\n"),
        Step::Gap(Direction::FromResp, 300),
        resp("ail of the lost response\r\n"),
        orig("GET /seen HTTP/1.1\r\n\r\n"),
        resp("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    ]);
    let told: Vec<_> = exchanges(&noted).iter().map(|told| (told.target.as_str(), told.status)).collect();
    assert_eq!(told, [("/lost", None), ("/seen", Some(404))]);
    assert_eq!(noted.skipped, ["http.resync"]);
}

#[test]
fn a_capture_may_begin_amid_a_connection() {
    let noted = conversation(&[
        resp("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
        orig("GET /next HTTP/1.1\r\n\r\n"),
        resp("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny"),
    ]);
    let told: Vec<_> = exchanges(&noted).iter().map(|told| (told.method.as_str(), told.status)).collect();
    assert_eq!(told, [("", Some(200)), ("GET", Some(200))]);
    assert_eq!(noted.events[0].0.direction, Direction::FromOrig);
}

#[test]
fn what_follows_a_switch_of_protocols_is_not_read() {
    for (request, response) in [
        ("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n\x01\x02"),
        ("CONNECT a.test:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 Connected\r\nContent-Length: 5\r\n\r\n"),
    ] {
        let noted = conversation(&[orig(request), resp(response), orig("\x16\x03\x01")]);
        assert!(noted.opaque);
        assert_eq!(exchanges(&noted).len(), 1);
    }
    let refused = conversation(&[
        orig("CONNECT a.test:443 HTTP/1.1\r\n\r\n"),
        resp("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"),
    ]);
    assert!(!refused.opaque && exchanges(&refused)[0].response.as_ref().unwrap().complete);
}

#[test]
fn defects_are_tolerated_and_counted() {
    // A target with a space, a field without a colon, bare line ends.
    let noted = conversation(&[
        orig("GET /a b HTTP/1.1\nHost: a.test\nnonsense\n\n"),
        resp("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n"),
        orig("GET /next HTTP/1.1\r\n\r\n"),
        resp("rubbish\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ]);
    let told = exchanges(&noted);
    assert_eq!((told[0].target.as_str(), told[0].request.header("host")), ("/a b", Some("a.test")));
    let response = told[0].response.as_ref().unwrap();
    assert_eq!((response.body.as_slice(), response.complete), (&b"ab"[..], false));
    assert_eq!((told[1].target.as_str(), told[1].status), ("/next", Some(200)));
    assert_eq!(noted.skipped, ["http.body"]);
}

#[test]
fn heads_and_queues_are_bounded() {
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(200_000));
    let noted = conversation(&in_pieces(&[orig(endless), orig("\r\n\r\nGET /b HTTP/1.1\r\n\r\n")], 1448));
    assert_eq!(noted.skipped, ["http.head"]);
    assert_eq!(exchanges(&noted)[0].target, "/b");
    let many = "GET / HTTP/1.1\r\n\r\n".repeat(5000);
    let noted = conversation(&[orig(many)]);
    assert_eq!(exchanges(&noted).len(), 5000);
    assert_eq!(noted.skipped.len(), 5000 - 1024);
}

#[test]
fn a_head_that_is_cut_short_tells_what_it_can() {
    let noted = conversation(&[
        orig("GET /a HTTP/1.1\r\nHost: a.test\r\nUser-Ag"),
        Step::Gap(Direction::FromOrig, 300),
        resp("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Le"),
        Step::Gap(Direction::FromResp, 300),
        orig("GET /b HTTP/1.1\r\nHost: b.test\r\nUser"),
    ]);
    let told = exchanges(&noted);
    assert_eq!((told[0].target.as_str(), told[0].status), ("/a", Some(200)));
    assert_eq!(told[0].response.as_ref().unwrap().header("content-type"), Some("text/plain"));
    assert!(!told[0].request.complete && !told[0].response.as_ref().unwrap().complete);
    assert_eq!((told[1].target.as_str(), told[1].request.header("host")), ("/b", Some("b.test")));
}

#[test]
fn responses_to_a_request_without_end_are_bounded() {
    let mut steps = vec![orig("PUT /a HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nx")];
    steps.push(resp("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".repeat(5000)));
    let noted = conversation(&steps);
    assert_eq!(exchanges(&noted).len(), 5000);
    // The request is given up once too much waits behind it.
    assert_eq!(noted.skipped, ["http.outstanding"]);
}

#[test]
fn only_http_1_is_taken_for_http() {
    let flow = flow(Transport::Tcp, "10.0.0.7:40000", "10.0.0.1:9999");
    let ask = |from_orig: &[u8], from_resp: &[u8]| probe(&Opening { flow: &flow, from_orig, from_resp });
    let request = b"PROPFIND /x HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let line = request.iter().position(|byte| *byte == b'\n').unwrap();
    for cut in 0..=line {
        assert_eq!(ask(&request[..cut], b""), Probe::Unsure, "cut at {cut}");
    }
    assert_eq!(ask(request, b""), Probe::Yes);
    assert_eq!(ask(b"\r\nGET / HTTP/1.0\r\n", b""), Probe::Yes);
    assert_eq!(ask(b"", b"HTTP/1.1 200 OK\r\n"), Probe::Yes);
    for other in [
        &b"OPTIONS rtsp://a.test/ RTSP/1.0\r\n"[..],
        b"REGISTER sip:a.test SIP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"<?xml version='1.0'?>",
        b"\x16\x03\x01\x02\x00",
        b"EHLO a.test\r\n",
        b"GET /\r\n",
    ] {
        assert_eq!(ask(other, b""), Probe::No, "{}", other.escape_ascii());
    }
    assert_eq!(ask(b"", b"RTSP/1.0 200 OK\r\n"), Probe::No);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(
        pieces in proptest::collection::vec((any::<bool>(), 0u64..3, "(GET |HTTP/1\\.1 |200 |/ |\r\n|\r\n\r\n|Content-Length: |Transfer-Encoding: chunked|[0-9a-f]{1,3}|\\PC){0,30}"), 0..12),
    ) {
        let steps: Vec<Step> = pieces
            .into_iter()
            .flat_map(|(from_orig, gap, data)| {
                let direction = if from_orig { Direction::FromOrig } else { Direction::FromResp };
                let data = if from_orig { orig(data) } else { resp(data) };
                [Some(data), (gap == 0).then_some(Step::Gap(direction, 7))]
            })
            .flatten()
            .collect();
        conversation(&steps);
    }

    #[test]
    fn segments_do_not_matter(body in proptest::collection::vec(any::<u8>(), 0..300), bytes in 1usize..50) {
        let request = [format!("PUT /f HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat();
        let mut response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.chunks(37) {
            response.extend(format!("{:x}\r\n", chunk.len()).bytes());
            response.extend(chunk);
            response.extend(b"\r\n");
        }
        response.extend(b"0\r\n\r\n");
        let steps = [orig(request), resp(response)];
        let want = told(&steps);
        prop_assert_eq!(&want[0].3, &body);
        prop_assert_eq!(&want[0].6.as_ref().unwrap().0, &body);
        prop_assert_eq!(told(&in_pieces(&steps, bytes)), want);
    }
}
