//! Sessions over several connections: what they tell does not depend on how exchanges are spread and ordered.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::*;
use crate::evidence::{FlowInfo, HttpBinding, Transport};
use crate::protocol::http::HttpMessage;
use crate::protocol::testing::{self, Heard};
use proptest::prelude::*;
use std::sync::Arc;

const NS: &str = "xmlns='http://jabber.org/protocol/httpbind'";

fn flow(port: u16) -> Arc<FlowInfo> {
    testing::flow(Transport::Tcp, &format!("10.0.0.7:{port}"), "10.0.0.1:5280")
}

fn message(body: &str, frame: u64) -> HttpMessage {
    HttpMessage {
        body: body.into(),
        body_bytes: body.len() as u64,
        complete: true,
        frames: (testing::stamp(frame), testing::stamp(frame)),
        ..HttpMessage::default()
    }
}

/// An exchange on a connection: what was asked and when, what was answered and when.
fn exchange(port: u16, (asked_at, asked): (u64, &str), answer: Option<(u64, &str)>) -> Record {
    let told = HttpExchange {
        method: "POST".to_owned(),
        target: "/http-bind/".to_owned(),
        request: message(asked, asked_at),
        status: answer.map(|_| 200),
        response: answer.map(|(at, text)| message(text, at)),
    };
    let last = testing::stamp(answer.map_or(asked_at, |(at, _)| at));
    let at = crate::evidence::Sighting {
        flow: flow(port),
        direction: Direction::FromOrig,
        first: testing::stamp(asked_at),
        last,
    };
    Record { at, event: Event::Http(HttpEvent::Exchange(Box::new(told))) }
}

fn ask(rid: u64, attributes: &str, content: &str) -> String {
    format!("<body {NS} rid='{rid}' sid='s1' {attributes}>{content}</body>")
}

fn answer(content: &str) -> String {
    format!("<body {NS}>{content}</body>")
}

fn hear(records: &[Record]) -> Heard {
    let (mut join, mut heard) = (start(), Heard::default());
    records.iter().for_each(|record| join.on_record(record, &mut heard));
    join.finish(&mut heard);
    heard
}

const SASL: &str = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";

fn to_client(body: &str) -> String {
    answer(&format!("<message xmlns='jabber:client' from='b@x.test/q' to='a@x.test/r'><body>{body}</body></message>"))
}

fn to_server(body: &str) -> String {
    format!("<message xmlns='jabber:client' to='b@x.test'><body>{body}</body></message>")
}

/// A session on two connections, one of which waits: requests 1 to 9, all answered.
fn session() -> Vec<Record> {
    let create = format!("<body {NS} rid='1' to='x.test' xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh' hold='1'/>");
    let created = format!(
        "<body {NS} sid='s1' authid='a1' from='x.test' requests='2' xmlns:stream='http://etherx.jabber.org/streams'>\
        <stream:features/></body>"
    );
    let auth = ask(2, "", &format!("<auth {SASL} mechanism='PLAIN'>AGEAc2VjcmV0</auth>"));
    let restart = ask(3, "to='x.test' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'", "");
    let bind =
        ask(4, "", "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    let bound = answer(
        "<iq xmlns='jabber:client' type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
        <jid>a@x.test/r</jid></bind></iq>",
    );
    vec![
        exchange(1, (1, &create), Some((2, &created))),
        exchange(1, (3, &auth), Some((4, &answer(&format!("<success {SASL}/>"))))),
        exchange(
            1,
            (5, &restart),
            Some((6, &answer("<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>"))),
        ),
        exchange(1, (7, &bind), Some((8, &bound))),
        // This one waits; what is said on the other connection is answered here.
        exchange(1, (9, &ask(5, "", "")), Some((12, &to_client("answer to six")))),
        exchange(2, (11, &ask(6, "", &to_server("six"))), Some((14, &to_client("answer to seven")))),
        exchange(1, (13, &ask(7, "", &to_server("seven"))), Some((15, &to_client("news")))),
        exchange(1, (16, &ask(8, "", &to_server("eight"))), Some((17, &answer("")))),
        exchange(
            2,
            (18, &ask(9, "type='terminate'", "<presence xmlns='jabber:client' type='unavailable'/>")),
            Some((19, &answer(""))),
        ),
    ]
}

const STANZAS: [&str; 9] = [
    "Iq a@x.test/r > -",
    "Iq a@x.test > a@x.test/r",
    "Message a@x.test/r > b@x.test: six",
    "Message b@x.test/q > a@x.test/r: answer to six",
    "Message a@x.test/r > b@x.test: seven",
    "Message b@x.test/q > a@x.test/r: answer to seven",
    "Message b@x.test/q > a@x.test/r: news",
    "Message a@x.test/r > b@x.test: eight",
    "Presence a@x.test/r > -",
];

#[test]
fn a_session_over_connections_is_one_stream_in_the_order_of_speech() {
    let heard = hear(&session());
    assert_eq!(heard.stanzas[2..], STANZAS[2..]);
    assert_eq!(heard.logins, ["PLAIN a success"]);
    assert_eq!(heard.streams, [(Some("a@x.test/r".to_owned()), Some("x.test".to_owned()), None, [5, 4])]);
    assert_eq!(heard.within.iter().map(|within| within.http).collect::<Vec<_>>(), [Some(HttpBinding::Bosh)]);
    assert_eq!(heard.skipped, [""; 0]);
}

#[test]
fn what_is_sent_again_counts_once() {
    let mut records = session();
    records.insert(6, exchange(3, (13, &ask(7, "", &to_server("seven"))), None));
    let eight = records[8].clone();
    records.push(eight);
    let heard = hear(&records);
    assert_eq!(heard.stanzas[2..], STANZAS[2..]);
    assert_eq!(heard.skipped, ["bosh.repeated"]);
}

#[test]
fn what_was_not_captured_is_passed_over() {
    let mut records = session();
    records.remove(6);
    let heard = hear(&records);
    assert_eq!(heard.bodies(), ["six", "answer to six", "answer to seven", "eight"]);
    assert!(heard.skipped.contains(&"bosh.gap"), "{:?}", heard.skipped);
    // The beginning was not captured: who asks is the client all the same.
    let heard = hear(&session()[4..]);
    assert_eq!(heard.stanzas.len(), 7);
    assert_eq!(heard.streams[0].3, [4, 3]);
}

#[test]
fn sessions_and_servers_are_told_apart() {
    let mut records = session();
    let twin: Vec<_> = session()
        .into_iter()
        .map(|mut record| {
            record.at.flow = testing::flow(Transport::Tcp, "10.0.0.8:1", "10.0.0.2:5280");
            record
        })
        .collect();
    records.extend(twin);
    records.sort_by_key(|record| record.at.last.order());
    let heard = hear(&records);
    assert_eq!(heard.streams.len(), 2);
    assert_eq!(heard.streams[0], heard.streams[1]);
}

#[test]
fn a_body_that_was_not_kept_whole_is_a_gap_at_its_end() {
    let mut records = session();
    let Event::Http(HttpEvent::Exchange(told)) = &mut records[5].event else { panic!() };
    told.request.body_cut = true;
    told.request.body.truncate(told.request.body.len() - 20);
    let heard = hear(&records);
    assert_eq!(heard.skipped.iter().filter(|what| **what == "bosh.cut").count(), 1);
    assert_eq!(heard.bodies(), ["six", "answer to six", "seven", "answer to seven", "news", "eight"]);
}

#[test]
fn other_http_is_no_session() {
    let page = exchange(1, (1, "<html><body/></html>"), Some((2, "<body>http://jabber.org/protocol/httpbind</body>")));
    assert_eq!(hear(&[page]), Heard::default());
    let refused = exchange(1, (1, &format!("<body {NS} rid='1' to='x.test'/>")), Some((2, &answer(""))));
    assert_eq!(hear(&[refused]).skipped, ["bosh.no-session"]);
}

#[test]
fn a_session_that_was_ended_is_told_before_the_capture_ends() {
    let end = |attributes: &str| {
        let ended = format!("<body {NS} type='terminate' {attributes}/>");
        exchange(2, (90, &ask(10, "", "")), Some((91, &ended)))
    };
    for (attributes, errors) in [("", &[][..]), ("condition='policy-violation'", &["policy-violation"])] {
        let mut records = session();
        records.push(end(attributes));
        let (mut join, mut heard) = (start(), Heard::default());
        records.iter().for_each(|record| join.on_record(record, &mut heard));
        assert_eq!(heard.streams.len(), 0, "what was open then may come");
        let mut late = exchange(9, (200, "<html/>"), None);
        late.at.last.time_ns = records.last().unwrap().at.last.time_ns + MAX_AFTER_END_NS + 1;
        join.on_record(&late, &mut heard);
        assert_eq!(
            (heard.streams.len(), &heard.errors[..]),
            (1, &errors.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>()[..])
        );
        join.finish(&mut heard);
        assert_eq!(heard.streams.len(), 1);
    }
}

#[test]
fn a_session_that_was_refused_is_a_stream_with_an_error() {
    let refusal = format!("<body {NS} type='terminate' condition='host-unknown'/>");
    let heard = hear(&[exchange(1, (1, &format!("<body {NS} rid='1' to='y.test'/>")), Some((2, &refusal)))]);
    assert_eq!((heard.streams[0].1.as_deref(), &heard.errors[..]), (Some("y.test"), &["host-unknown".to_owned()][..]));
}

/// A session as it crosses one connection: requests pipelined, answers in chunks and in gzip.
fn over_http() -> Vec<testing::Step> {
    use std::io::Write;
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    for record in session() {
        let Event::Http(HttpEvent::Exchange(told)) = record.event else { panic!() };
        let request = &told.request.body;
        asked.extend(format!("POST /bosh HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", request.len()).bytes());
        asked.extend_from_slice(request);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&told.response.unwrap().body).unwrap();
        let coded = gzip.finish().unwrap();
        answered.extend(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n");
        for chunk in coded.chunks(50) {
            answered.extend(format!("{:x}\r\n", chunk.len()).bytes());
            answered.extend_from_slice(chunk);
            answered.extend(b"\r\n");
        }
        answered.extend(b"0\r\nX-Trailer: 1\r\n\r\n");
    }
    vec![testing::orig(asked), testing::resp(answered)]
}

#[test]
fn pipelined_chunked_and_coded_messages_tell_the_same_in_any_pieces() {
    for bytes in [1, 13, 500, 100_000] {
        let steps = testing::in_pieces(&over_http(), bytes);
        let noted = testing::play(crate::protocol::http::start(), &flow(1), &steps);
        assert_eq!(noted.skipped, [""; 0]);
        let records: Vec<_> = noted.events.into_iter().map(|(at, event)| Record { at, event }).collect();
        assert_eq!(records.len(), 9);
        let heard = hear(&records);
        // More is asked at once than the server said it lets be open, so a response waits for no more than that.
        assert_eq!(heard.bodies(), ["six", "answer to six", "seven", "answer to seven", "eight", "news"]);
        assert_eq!(heard.logins, ["PLAIN a success"]);
        assert_eq!(heard.streams[0].3, [5, 4]);
    }
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(swaps in proptest::collection::vec(any::<bool>(), 8)) {
        // Records come in the order of their ends, but may be some late: exchanges of two connections change places.
        let mut records = session();
        for (at, swap) in swaps.into_iter().enumerate().skip(1) {
            if swap {
                records.swap(at, at - 1);
                if at == 1 { records.swap(0, 1); }
            }
        }
        let heard = hear(&records);
        let want = hear(&session());
        prop_assert_eq!(heard.stanzas, want.stanzas);
        prop_assert_eq!(heard.streams, want.streams);
    }

    #[test]
    fn any_exchanges_come_to_an_end(
        exchanges in proptest::collection::vec((0u64..40, 0u64..30, proptest::option::of(0u64..30), "[<a-z/>' =]{0,40}"), 0..60)
    ) {
        let records: Vec<_> = exchanges
            .iter()
            .map(|(rid, at, answered, text)| {
                let answered = answered.map(|later| (at + later, answer(text)));
                exchange(1, (*at, &ask(*rid, "", text)), answered.as_ref().map(|(at, text)| (*at, text.as_str())))
            })
            .collect();
        hear(&records);
    }
}
