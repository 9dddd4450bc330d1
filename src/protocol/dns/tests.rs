#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::wire::parse;
use super::*;
use crate::evidence::{Direction, Transport};
use crate::protocol::Event;
use crate::protocol::testing::{Noted, Step, flow, in_pieces, orig, play, resp};
use proptest::prelude::*;

/// Header with counts, then the rest.
fn message(id: u16, flags: u16, counts: [u16; 4], rest: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [id, flags].into_iter().chain(counts) {
        bytes.extend(field.to_be_bytes());
    }
    rest.iter().for_each(|part| bytes.extend(*part));
    bytes
}

/// `Xmpp1.alpha.lab`, class IN, as a question of a type.
fn question(rtype: u16) -> Vec<u8> {
    let mut bytes = b"\x05Xmpp1\x05alpha\x03lab\0".to_vec();
    bytes.extend(rtype.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// A record that belongs to the name at offset 12.
fn record(rtype: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xc0, 12];
    bytes.extend(rtype.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 1, 44]);
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

fn query(id: u16, rtype: u16) -> Vec<u8> {
    message(id, 0x0100, [1, 0, 0, 0], &[&question(rtype)])
}

fn answer(id: u16, address: [u8; 4]) -> Vec<u8> {
    message(id, 0x8580, [1, 1, 0, 0], &[&question(1), &record(1, &address)])
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

fn exchanges(noted: &Noted) -> Vec<&DnsExchange> {
    noted
        .events
        .iter()
        .map(|(_, event)| match event {
            Event::Dns(DnsEvent::Exchange(exchange)) => &**exchange,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn udp(resp: &str) -> std::sync::Arc<FlowInfo> {
    flow(Transport::Udp, "10.0.0.7:40000", resp)
}

#[test]
fn names_are_lower_case_and_records_read_as_in_a_zone() {
    let srv = [&[0, 5, 0, 10, 0x14, 0x66][..], b"\x05XMPP2\xc0\x12"].concat();
    let opt = [0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 12, 0, 8, 0, 8, 0, 1, 24, 0, 192, 0, 2, 0];
    let bytes = message(
        7,
        0x8580,
        [1, 3, 1, 2],
        &[
            &question(33),
            &record(33, &srv),
            &record(16, b"\x07a b\x1bc\"d\x01x"),
            &record(4711, &[1, 0xab]),
            &record(28, &[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            &record(1, &[10, 0, 0, 1]),
            &opt,
        ],
    );
    let read = parse(&bytes);
    assert_eq!(read.error, None);
    assert_eq!((read.id, read.name(), read.flags.to_string().as_str()), (7, "xmpp1.alpha.lab", "qr aa rd ra"));
    assert_eq!(read.questions[0].type_name(), "SRV");
    assert_eq!(read.answers[0].to_string(), "xmpp1.alpha.lab 300 SRV 5 10 5222 xmpp2.alpha.lab");
    assert_eq!(&*read.answers[1].data, "\"a b\\027c\\\"d\" \"x\"");
    assert_eq!(read.answers[2].to_string(), "xmpp1.alpha.lab 300 TYPE4711 \\# 2 01ab");
    assert_eq!(read.authority[0].address(), Some("fd00::1".parse().unwrap()));
    assert_eq!(&*read.additional[0].data, "10.0.0.1");
    assert_eq!(read.edns.unwrap().to_string(), "size=1232 do; ECS 192.0.2.0/24");
}

#[test]
fn bytes_that_do_not_print_are_escaped_in_names() {
    let name = b"\x04a.\x00\xff\x01\\\0\0\x01\0\x01";
    let read = parse(&message(1, 0, [1, 0, 0, 0], &[name]));
    assert_eq!(read.name(), "a\\.\\000\\255.\\\\");
    let root = parse(&message(1, 0, [1, 0, 0, 0], &[b"\0\0\x02\0\x01"]));
    assert_eq!(root.name(), ".");
}

#[test]
fn what_stands_before_a_defect_is_kept() {
    let whole =
        message(9, 0x8180, [1, 2, 0, 0], &[&question(1), &record(1, &[10, 0, 0, 1]), &record(1, &[10, 0, 0, 2])]);
    for cut in 0..whole.len() {
        let read = parse(&whole[..cut]);
        assert!(read.error.is_some(), "cut at {cut}");
        assert_eq!(read.id, if cut >= 12 { 9 } else { 0 });
        assert_eq!(read.questions.len(), usize::from(cut >= 33), "cut at {cut}");
    }
    assert_eq!(parse(&whole[..whole.len() - 1]).answers.len(), 1);
    assert_eq!(parse(&whole).error, None);
    // An address of three bytes: the record is told in hex, and those behind it are read.
    let bad = message(9, 0x8180, [1, 2, 0, 0], &[&question(1), &record(1, &[10, 0, 0]), &record(1, &[10, 0, 0, 2])]);
    let read = parse(&bad);
    assert!(read.error.unwrap().starts_with("A data"));
    assert_eq!((&*read.answers[0].data, &*read.answers[1].data), ("\\# 3 0a0000", "10.0.0.2"));
}

#[test]
fn names_that_point_in_circles_are_refused() {
    let read = parse(&message(1, 0, [1, 0, 0, 0], &[&[0xc0, 12, 0, 1, 0, 1]]));
    assert!(read.error.is_some() && read.questions.is_empty());
}

#[test]
fn queries_meet_their_answers() {
    let steps = [
        orig(query(1, 1)),
        orig(query(2, 28)),
        resp(answer(1, [10, 0, 0, 1])),
        resp(answer(1, [203, 0, 113, 6])),
        resp(answer(3, [10, 0, 0, 3])),
    ];
    let noted = play(start_datagram(), &udp("10.0.0.53:53"), &steps);
    let told = exchanges(&noted);
    assert_eq!(told.len(), 4);
    assert_eq!(told[0].earlier_answers, 0);
    assert_eq!(told[0].round_trip_ns(), Some(20_000_000));
    assert_eq!((noted.events[0].0.first.frame, noted.events[0].0.last.frame), (1, 3));
    // The second answer to a query is told with its query: it may be the forged one, or the true one.
    assert_eq!(told[1].earlier_answers, 1);
    assert_eq!(&*told[1].answer.as_ref().unwrap().answers[0].data, "203.0.113.6");
    assert!(told[1].query.is_some());
    // Nobody asked.
    assert!(told[2].query.is_none() && told[2].answer.as_ref().unwrap().id == 3);
    assert_eq!(noted.events[2].0.direction, Direction::FromResp);
    // Nobody answered.
    assert!(told[3].answer.is_none() && told[3].query.as_ref().unwrap().id == 2);
    assert_eq!(noted.events[3].0.last.frame, 2);
}

#[test]
fn an_answer_to_another_question_is_no_answer() {
    let other = message(1, 0x8180, [1, 0, 0, 0], &[b"\x04evil\x04test\0\0\x01\0\x01"]);
    let noted = play(start_datagram(), &udp("10.0.0.53:53"), &[orig(query(1, 1)), resp(other)]);
    let told = exchanges(&noted);
    assert!(told[0].query.is_none() && told[1].answer.is_none());
}

#[test]
fn a_refusal_without_question_is_an_answer() {
    let refused = message(1, 0x8185, [0, 0, 0, 0], &[]);
    let noted = play(start_datagram(), &udp("10.0.0.53:53"), &[orig(query(1, 1)), resp(refused)]);
    let told = exchanges(&noted);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].answer.as_ref().unwrap().rcode_name(), "REFUSED");
}

#[test]
fn repeated_queries_get_an_answer_each() {
    let steps = [orig(query(1, 1)), orig(query(1, 1)), resp(answer(1, [10, 0, 0, 1])), resp(answer(1, [10, 0, 0, 1]))];
    let noted = play(start_datagram(), &udp("10.0.0.53:53"), &steps);
    let frames: Vec<_> = noted.events.iter().map(|(at, _)| (at.first.frame, at.last.frame)).collect();
    assert_eq!(frames, [(1, 3), (2, 4)]);
    assert!(exchanges(&noted).iter().all(|told| told.earlier_answers == 0));
}

#[test]
fn queries_wait_a_minute_and_not_in_any_number() {
    let mut steps = vec![orig(query(1, 1))];
    steps.extend((0..6100).map(|_| resp(answer(9, [10, 0, 0, 9]))));
    steps.push(resp(answer(1, [10, 0, 0, 1])));
    let noted = play(start_datagram(), &udp("10.0.0.53:53"), &steps);
    assert!(exchanges(&noted).last().unwrap().query.is_none(), "the query was given up before its answer came");
    let many: Vec<Step> = (0..2000).map(|id| orig(query(id, 1))).collect();
    let noted = play(start_datagram(), &udp("10.0.0.53:53"), &many);
    assert_eq!(exchanges(&noted).len(), 2000);
}

#[test]
fn groups_are_not_waited_for() {
    let flow = flow(Transport::Udp, "10.0.0.7:5353", "224.0.0.251:5353");
    let announced =
        message(0, 0x8400, [0, 1, 0, 0], &[b"\x05forza\x05local\0\0\x01\x80\x01\0\0\0\x78\0\x04\x0a\0\0\x07"]);
    let noted = play(start_datagram(), &flow, &[orig(query(0, 12)), orig(announced)]);
    let told = exchanges(&noted);
    assert!(told.iter().all(|told| told.service == DnsService::Mdns));
    assert!(told[0].answer.is_none() && told[1].query.is_none());
    assert_eq!(told[1].answer.as_ref().unwrap().answers[0].class, 0x8001);
}

#[test]
fn defective_messages_are_counted_and_told_up_to_a_limit() {
    let steps: Vec<Step> = (0..100).map(|_| orig(query(1, 1)[..20].to_vec())).collect();
    let noted = play(start_datagram(), &udp("10.0.0.53:53"), &steps);
    assert_eq!(noted.skipped, ["dns.unparsed"; 100]);
    assert_eq!(noted.events.len(), 64);
}

#[test]
fn content_tells_dns_on_any_port() {
    let elsewhere = udp("10.0.0.9:7777");
    assert_eq!(probe_datagram(&elsewhere, &query(1, 33)), Probe::Yes);
    assert_eq!(probe_datagram(&elsewhere, &answer(1, [10, 0, 0, 1])), Probe::Yes);
    // One byte too many, or too few: on a port of its own that is still DNS, elsewhere it is not.
    let longer = [&query(1, 33)[..], &[0]].concat();
    let shorter = &answer(1, [10, 0, 0, 1])[..40];
    for odd in [&longer[..], shorter] {
        assert_eq!(probe_datagram(&elsewhere, odd), Probe::No);
        assert_eq!(probe_datagram(&udp("10.0.0.53:53"), odd), Probe::Yes);
    }
    // iodine's raw mode on port 53, STUN, and zeros.
    let raw = [0x10, 0xd1, 0x9e, 0x20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let stun = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    for other in [&raw[..], &stun, &[0; 64], b"hello, world, how are you?"] {
        assert_eq!(probe_datagram(&udp("10.0.0.53:53"), other), Probe::No);
    }
}

#[test]
fn streams_are_told_by_their_first_message() {
    let flow = flow(Transport::Tcp, "10.0.0.7:40000", "10.0.0.9:7777");
    let whole = framed(&query(1, 33));
    for cut in 0..whole.len() {
        let opening = Opening { flow: &flow, from_orig: &whole[..cut], from_resp: &[] };
        assert_ne!(probe_stream(&opening), Probe::No, "cut at {cut}");
    }
    let opening = |from_orig| probe_stream(&Opening { flow: &flow, from_orig, from_resp: &[] });
    assert_eq!(opening(&whole), Probe::Yes);
    assert_eq!(opening(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), Probe::No);
    assert_eq!(opening(&[0; 20]), Probe::No);
}

fn told_of_stream(steps: &[Step]) -> Vec<(Option<u16>, Option<u16>, u32)> {
    let flow = flow(Transport::Tcp, "10.0.0.7:40000", "10.0.0.53:53");
    let noted = play(start_stream(), &flow, steps);
    let ids = |told: &DnsExchange| {
        let id = |message: &Option<std::sync::Arc<DnsMessage>>| message.as_ref().map(|message| message.id);
        (id(&told.query), id(&told.answer), told.earlier_answers)
    };
    exchanges(&noted).into_iter().map(ids).collect()
}

#[test]
fn messages_of_a_stream_may_share_segments_or_be_split() {
    let queries = [framed(&query(1, 1)), framed(&query(2, 1))].concat();
    let answers =
        [framed(&answer(2, [10, 0, 0, 2])), framed(&answer(1, [10, 0, 0, 1])), framed(&answer(1, [10, 0, 0, 1]))];
    let steps = [orig(queries), resp(answers.concat())];
    let whole = told_of_stream(&steps);
    assert_eq!(whole, [(Some(2), Some(2), 0), (Some(1), Some(1), 0), (Some(1), Some(1), 1)]);
    for bytes in 1..40 {
        assert_eq!(told_of_stream(&in_pieces(&steps, bytes)), whole, "{bytes} bytes a piece");
    }
}

#[test]
fn a_stream_goes_on_behind_a_gap() {
    let steps = [
        orig(framed(&query(1, 1))),
        resp(framed(&answer(1, [10, 0, 0, 1]))[..20].to_vec()),
        Step::Gap(Direction::FromResp, 100),
        resp(vec![0xff; 30]),
        orig(framed(&query(2, 1))),
        resp(framed(&answer(2, [10, 0, 0, 2]))),
    ];
    assert_eq!(told_of_stream(&steps), [(Some(2), Some(2), 0), (Some(1), None, 0)]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let read = parse(&bytes);
        prop_assert!(read.questions.len() <= wire::MAX_QUESTIONS);
        probe_datagram(&udp("10.0.0.53:53"), &bytes);
    }

    #[test]
    fn damaged_messages_are_read_without_a_panic(
        damage in proptest::collection::vec((0usize..90, any::<u8>()), 1..6),
        rtype in 0u16..70,
    ) {
        let mut bytes = message(1, 0x8180, [1, 2, 0, 0], &[&question(rtype), &record(rtype, b"\x01\x05abcde\xc0\x0c\0\x01\x02\x03"), &record(rtype, &[1; 20])]);
        for (place, value) in damage {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
        }
        let read = parse(&bytes);
        let written: usize = read.answers.iter().map(|record| record.data.len()).sum();
        prop_assert!(written <= 2 * wire::MAX_DATA_TEXT);
    }

    #[test]
    fn streams_of_any_bytes_end(pieces in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..80)), 0..20)) {
        let steps: Vec<Step> = pieces.into_iter().map(|(from_orig, data)| if from_orig { orig(data) } else { resp(data) }).collect();
        told_of_stream(&steps);
    }
}
