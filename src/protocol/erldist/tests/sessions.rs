//! Whole connections: handshakes of every kind, splits, gaps, fragments, captures that begin late.

use super::encoder::build::{atom, binary, int, pid, string, tuple};
use super::encoder::{encode, framed, message, pass_through};
use super::recorded::conversation;
use super::{Collector, Step, flow, run, run_to_end};
use crate::evidence::Direction;
use crate::protocol::erldist::event::HandshakeOutcome;
use crate::protocol::erldist::probe;
use crate::protocol::erldist::term::Term;
use crate::protocol::{Opening, Probe};
use proptest::prelude::*;

fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u16).to_be_bytes(), body].concat()
}

fn new_name(name: &str) -> Vec<u8> {
    let mut body = b"N\0\0\0\x0d\x07\xdf\x7f\xbd\0\0\0\x05".to_vec();
    body.extend((name.len() as u16).to_be_bytes());
    body.extend(name.as_bytes());
    frame(&body)
}

fn new_challenge(name: &str) -> Vec<u8> {
    let mut body = b"N\0\0\0\x0d\x07\xdf\x7f\xbd\x01\x02\x03\x04\0\0\0\x06".to_vec();
    body.extend((name.len() as u16).to_be_bytes());
    body.extend(name.as_bytes());
    frame(&body)
}

fn reply() -> Vec<u8> {
    frame(&[&b"r\0\0\0\x09"[..], &[0xaa; 16]].concat())
}

fn ack() -> Vec<u8> {
    frame(&[&b"a"[..], &[0xbb; 16]].concat())
}

fn send(text: &str) -> Vec<u8> {
    let control = tuple([int(6), pid("a@h", 9), atom(""), atom("sink")]);
    message(&control, Some(&string(text)))
}

fn opening_steps() -> Vec<Step> {
    vec![Step::Orig(new_name("a@h")), Step::Resp(frame(b"sok")), Step::Resp(new_challenge("b@h")), Step::Orig(reply())]
}

fn connected() -> Vec<Step> {
    let mut steps = opening_steps();
    steps.push(Step::Resp(ack()));
    steps
}

fn payloads(sink: &Collector) -> Vec<String> {
    sink.messages.iter().map(|message| message.payload.as_ref().map_or_else(String::new, Term::to_string)).collect()
}

#[test]
fn a_recorded_connection() {
    let sink = run(&conversation(), usize::MAX);
    assert!(sink.skipped.is_empty(), "{:?}", sink.skipped);
    let handshake = &sink.handshakes[0];
    assert_eq!(handshake.initiator, "intruder@ws77.alpha.lab");
    assert_eq!(handshake.acceptor.as_deref(), Some("ejabberd@xmpp1.alpha.lab"));
    assert_eq!((handshake.version, handshake.outcome), (6, HandshakeOutcome::Success));
    assert_eq!(handshake.initiator_flags, 0xd_07df_7fbd);
    assert_eq!(handshake.initiator_proof.map(|proof| proof.0), Some(0x59d8_ba05));
    let call =
        sink.messages.iter().find_map(|message| message.call.as_ref().filter(|call| call.via == "spawn-request"));
    let call = call.map(|call| (&*call.module, &*call.function, call.arguments.to_string()));
    assert_eq!(call, Some(("erlang", "node", "[]".to_owned())));
    let reply = sink.messages.last().and_then(|message| message.reply.as_ref()).unwrap();
    assert_eq!(reply.value.to_string(), "'ejabberd@xmpp1.alpha.lab'");
    assert_eq!(reply.call.as_ref().map(|call| &*call.function), Some("node"));
}

#[test]
fn pieces_make_no_difference() {
    let whole = run(&conversation(), usize::MAX).summary();
    for piece in [1, 2, 3, 5, 7, 64] {
        assert_eq!(run(&conversation(), piece).summary(), whole, "pieces of {piece}");
    }
}

#[test]
fn a_refused_cookie_is_told_from_a_capture_that_ends() {
    let outcome = |sink: Collector| (sink.handshakes.len(), sink.handshakes[0].outcome);
    assert_eq!(outcome(run(&opening_steps(), usize::MAX)), (1, HandshakeOutcome::Rejected));
    assert_eq!(outcome(run_to_end(&opening_steps(), usize::MAX, false)), (1, HandshakeOutcome::Unfinished));
    // The acceptor's answer may be what is missing.
    let mut gap = opening_steps();
    gap.push(Step::RespGap(19));
    assert_eq!(outcome(run(&gap, usize::MAX)), (1, HandshakeOutcome::Unfinished));
    // One direction only.
    let orig: Vec<_> = opening_steps().into_iter().filter(|step| matches!(step, Step::Orig(_))).collect();
    assert_eq!(outcome(run(&orig, usize::MAX)), (1, HandshakeOutcome::Unfinished));
    // Messages after the reply: there was an acknowledgement, seen or not.
    let mut accepted = orig;
    accepted.push(Step::Orig(send("hello")));
    assert_eq!(outcome(run(&accepted, usize::MAX)), (1, HandshakeOutcome::Success));
    let mut refused = opening_steps();
    refused.truncate(1);
    refused.push(Step::Resp(frame(b"snot_allowed")));
    let sink = run(&refused, usize::MAX);
    assert_eq!(sink.handshakes[0].status.as_deref(), Some("not_allowed"));
    assert_eq!(outcome(sink), (1, HandshakeOutcome::Unfinished));
}

#[test]
fn a_handshake_of_version_5_with_and_without_complement() {
    let old_name = frame(b"n\0\x05\x00\x07\x7f\xbda@h");
    let old_challenge = frame(b"n\0\x05\x00\x07\x7f\xbd\x01\x02\x03\x04b@h");
    let steps = |challenge: Vec<u8>, complement: Option<Vec<u8>>| {
        let mut steps =
            vec![Step::Orig(old_name.clone()), Step::Resp(frame(b"sok_simultaneous")), Step::Resp(challenge)];
        steps.extend(complement.map(Step::Orig));
        steps.extend([Step::Orig(reply()), Step::Resp(ack())]);
        steps
    };
    let old = run(&steps(old_challenge, None), 3);
    assert_eq!((old.handshakes[0].version, old.handshakes[0].initiator_flags), (5, 0x7_7fbd));
    assert_eq!(old.handshakes[0].status.as_deref(), Some("ok_simultaneous"));
    assert_eq!(old.handshakes[0].initiator_proof, Some((0x0102_0304, [0xaa; 16])));
    let new = run(&steps(new_challenge("b@h"), Some(frame(b"c\0\0\0\x0d\0\0\0\x05"))), 3);
    assert_eq!((new.handshakes[0].version, new.handshakes[0].initiator_flags), (6, 0xd_0007_7fbd));
    assert_eq!(new.handshakes[0].acceptor_proof, Some((9, [0xbb; 16])));
}

#[test]
fn a_node_without_a_name_is_given_one_and_one_that_is_alive_is_asked() {
    let mut nameless = new_name("host");
    // DFLAG_NAME_ME, bit 33.
    nameless[6] |= 0x02;
    let steps = [
        Step::Orig(nameless),
        Step::Resp(frame(b"snamed:\0\x08abc@host\0\0\0\x07")),
        Step::Resp(new_challenge("b@h")),
        Step::Orig(reply()),
        Step::Resp(ack()),
    ];
    let sink = run(&steps, usize::MAX);
    assert_eq!(sink.handshakes[0].initiator, "abc@host");
    let steps = [
        Step::Orig(new_name("a@h")),
        Step::Resp(frame(b"salive")),
        Step::Orig(frame(b"strue")),
        Step::Resp(new_challenge("b@h")),
        Step::Orig(reply()),
        Step::Resp(ack()),
    ];
    let sink = run(&steps, usize::MAX);
    assert_eq!(sink.handshakes[0].status.as_deref(), Some("alive"));
    assert_eq!(sink.handshakes[0].outcome, HandshakeOutcome::Success);
}

#[test]
fn inside_tls_lengths_have_four_bytes_from_the_beginning() {
    let widened = |step: Step| match step {
        Step::Orig(frame) => Step::Orig([&[0, 0], &*frame].concat()),
        Step::Resp(frame) => Step::Resp([&[0, 0], &*frame].concat()),
        other => other,
    };
    let mut steps: Vec<Step> = opening_steps().into_iter().map(widened).collect();
    let [Step::Orig(first), ..] = steps.as_slice() else { panic!() };
    let flow = flow();
    let opening = |from_orig| Opening { flow: &flow, from_orig, from_resp: &[] };
    assert_eq!(probe(&opening(first)), Probe::Yes);
    assert_eq!(probe(&opening(&first[..3])), Probe::Unsure);
    steps.extend([widened(Step::Resp(ack())), Step::Orig(send("sealed"))]);
    for piece in [1, 3, usize::MAX] {
        let sink = run(&steps, piece);
        assert_eq!(sink.handshakes[0].outcome, HandshakeOutcome::Success);
        assert_eq!(payloads(&sink), ["\"sealed\""]);
        assert!(sink.skipped.is_empty());
    }
}

#[test]
fn ticks_are_no_messages() {
    let mut steps = connected();
    steps.push(Step::Orig([&[0; 8][..], &send("x"), &[0; 4]].concat()));
    let sink = run(&steps, 1);
    assert_eq!(payloads(&sink), ["\"x\""]);
    assert!(sink.skipped.is_empty());
}

#[test]
fn messages_without_header() {
    let mut steps = connected();
    let control = tuple([int(2), atom(""), pid("b@h", 3)]);
    steps.push(Step::Orig(pass_through(&control, Some(&tuple([atom("hello"), int(7)])))));
    steps.push(Step::Orig(pass_through(&tuple([int(1), pid("a@h", 1), pid("b@h", 3)]), None)));
    let sink = run(&steps, 3);
    assert_eq!(payloads(&sink), ["{hello,7}", ""]);
    assert_eq!(sink.messages.iter().map(|message| message.operation).collect::<Vec<_>>(), ["SEND", "LINK"]);
    assert_eq!(sink.messages[0].node.as_deref(), Some("a@h"));
    assert_eq!(sink.messages[0].peer.as_deref(), Some("b@h"));
}

#[test]
fn a_gap_inside_a_message_costs_that_message_only() {
    let mut big = send(&"x".repeat(500));
    let rest = big.split_off(200);
    let mut steps = connected();
    steps.extend([Step::Orig(big), Step::OrigGap(100), Step::Orig(rest[100..].to_vec()), Step::Orig(send("after"))]);
    let sink = run(&steps, usize::MAX);
    assert_eq!(payloads(&sink), ["...", "\"after\""]);
    assert_eq!(sink.skipped, ["erldist.message-cut"]);
}

#[test]
fn a_gap_over_messages_is_followed_by_the_next_message() {
    let (first, second) = (send("first"), send("second"));
    let mut steps = connected();
    // The gap ends inside the second message.
    steps.extend([
        Step::Orig(first[..20].to_vec()),
        Step::OrigGap((first.len() - 20 + 10) as u64),
        Step::Orig(second[10..].to_vec()),
        Step::Orig(send("third")),
    ]);
    for piece in [1, 3, usize::MAX] {
        let sink = run(&steps, piece);
        assert_eq!(payloads(&sink).last().map(String::as_str), Some("\"third\""), "pieces of {piece}");
        assert!(sink.skipped.contains(&"erldist.lost"));
    }
}

#[test]
fn after_a_gap_atoms_are_unknown_until_they_come_again() {
    // Header with one atom: new in slot 5 of segment 0; then old.
    let new = [&[131, 68, 1, 0x08, 5, 4][..], b"boom", &encode(&tuple([int(2), atom(""), pid("b@h", 1)])), &[82, 0]];
    let old = [&[131, 68, 1, 0x00, 5][..], &encode(&tuple([int(2), atom(""), pid("b@h", 1)])), &[82, 0]];
    let (new, old) = (framed(&new.concat()), framed(&old.concat()));
    let mut steps = connected();
    steps.extend([Step::Orig(new.clone()), Step::Orig(old.clone()), Step::OrigGap(40), Step::Orig(old.clone())]);
    steps.extend([Step::Orig(new), Step::Orig(old)]);
    assert_eq!(payloads(&run(&steps, usize::MAX)), ["boom", "boom", "'?5'", "boom", "boom"]);
}

/// A fragment: header tag, sequence, fragment id, for a first one no atoms, then bytes.
fn fragment(tag: u8, sequence: u64, id: u64, bytes: &[u8]) -> Vec<u8> {
    let mut body = vec![131, tag];
    body.extend(sequence.to_be_bytes());
    body.extend(id.to_be_bytes());
    body.extend((tag == 69).then_some(0));
    body.extend(bytes);
    framed(&body)
}

#[test]
fn interleaved_fragments() {
    let body = |text: &str| {
        let control = tuple([int(2), atom(""), pid("b@h", 3)]);
        [encode(&control), encode(&string(text))].concat()
    };
    let (one, two) = (body("one one one"), body("two two two"));
    let mut steps = connected();
    steps.extend([
        Step::Orig(fragment(69, 11, 3, &one[..10])),
        Step::Orig(fragment(69, 22, 2, &two[..12])),
        Step::Orig(fragment(70, 11, 2, &one[10..20])),
        Step::Orig(send("between")),
        Step::Orig(fragment(70, 22, 1, &two[12..])),
        Step::Orig(fragment(70, 11, 1, &one[20..])),
        // The same sender's next message, which loses its second fragment.
        Step::Orig(fragment(69, 11, 3, &one[..30])),
        Step::Orig(fragment(70, 11, 1, &one[35..])),
        // And one that the capture does not see the end of.
        Step::Orig(fragment(69, 33, 2, &two)),
    ]);
    for piece in [1, usize::MAX] {
        let sink = run(&steps, piece);
        assert_eq!(payloads(&sink), ["\"between\"", "\"two two two\"", "\"one one one\"", "...", "\"two two two\""]);
        assert_eq!(sink.skipped, ["erldist.message-cut", "erldist.message-cut"]);
    }
}

#[test]
fn a_capture_that_begins_inside_a_connection() {
    let steps = vec![
        Step::Orig([&send("before")[30..], &send("hello")].concat()),
        Step::Resp(message(&tuple([int(22), pid("b@h", 4), pid("a@h", 9)]), Some(&atom("yes")))),
        Step::Orig(send("again")),
    ];
    let Step::Orig(first) = &steps[0] else { unreachable!() };
    let flow = flow();
    assert_eq!(probe(&Opening { flow: &flow, from_orig: first, from_resp: &[] }), Probe::Yes);
    for piece in [1, usize::MAX] {
        let sink = run(&steps, piece);
        assert_eq!(payloads(&sink), ["\"hello\"", "yes", "\"again\""]);
        assert!(sink.handshakes.is_empty());
        let nodes = |at: usize| (sink.messages[at].node.as_deref(), sink.messages[at].peer.as_deref());
        assert_eq!(nodes(0), (Some("a@h"), None));
        assert_eq!(nodes(1), (Some("b@h"), Some("a@h")));
        assert_eq!(nodes(2), (Some("a@h"), Some("b@h")));
    }
}

#[test]
fn one_direction_is_enough() {
    let steps: Vec<_> = conversation().into_iter().filter(|step| matches!(step, Step::Resp(_))).collect();
    let sink = run(&steps, usize::MAX);
    assert_eq!(sink.handshakes[0].acceptor.as_deref(), Some("ejabberd@xmpp1.alpha.lab"));
    assert_eq!(sink.handshakes[0].outcome, HandshakeOutcome::Success);
    let last = sink.messages.last().unwrap();
    assert_eq!(last.initiator, Direction::FromOrig);
    let reply = last.reply.as_ref().unwrap();
    assert_eq!((reply.call.is_none(), reply.value.to_string()), (true, "'ejabberd@xmpp1.alpha.lab'".to_owned()));
}

#[test]
fn what_is_larger_than_the_limit_is_cut_and_the_next_message_read() {
    let control = tuple([int(2), atom(""), pid("b@h", 3)]);
    let payload = tuple([atom("big"), binary(&vec![0; 17 << 20]), atom("end")]);
    let mut steps = connected();
    steps.extend([Step::Orig(message(&control, Some(&payload))), Step::Orig(send("after"))]);
    for piece in [65536, usize::MAX] {
        let sink = run(&steps, piece);
        assert_eq!(payloads(&sink), ["{big,...,...}", "\"after\""]);
    }
}

#[test]
fn probes_by_content() {
    let flow = flow();
    let probe = |orig: &[u8], resp: &[u8]| probe(&Opening { flow: &flow, from_orig: orig, from_resp: resp });
    for first in [new_name("a@h"), frame(b"n\0\x05\x00\x07\x7f\xbda@h"), send("x")] {
        for end in 1..first.len() {
            assert_ne!(probe(&first[..end], &[]), Probe::No, "{first:?} cut at {end}");
        }
        assert_eq!(probe(&first, &[]), Probe::Yes);
        assert_eq!(probe(&[], &first), Probe::Yes);
    }
    assert_eq!(probe(&[0; 8], &[]), Probe::Unsure);
    assert_eq!(probe(&[0; 2000], &[]), Probe::No);
    // A digest alone tells nothing, the message after it does.
    assert_eq!(probe(&reply(), &[]), Probe::Unsure);
    assert_eq!(probe(&[reply(), send("x")].concat(), &[]), Probe::Yes);
    assert_eq!(probe(&[&[0; 8][..], &send("x")].concat(), &[]), Probe::Yes);
    assert_eq!(probe(b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"), Probe::No);
    assert_eq!(probe(b"\x16\x03\x01\x00\xc8\x01\0\0\xc4\x03\x03", &[]), Probe::No);
    assert_eq!(probe(b"<?xml version='1.0'?><stream:stream>", &[]), Probe::No);
    assert_eq!(probe(b"\x00\x1d\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x03www\x04test\0", &[]), Probe::No);
}

#[test]
fn what_is_no_handshake_is_left_alone() {
    let sink = run(&[Step::Orig(frame(b"Nonsense, not a name")), Step::Resp(frame(b"s??"))], usize::MAX);
    assert!(sink.handshakes.is_empty() && sink.messages.is_empty());
    assert_eq!(sink.skipped, ["erldist.handshake", "erldist.handshake"]);
}

proptest! {
    #[test]
    fn splits_make_no_difference(piece in 1usize..200) {
        prop_assert_eq!(run(&conversation(), piece).summary(), run(&conversation(), usize::MAX).summary());
    }

    #[test]
    fn arbitrary_bytes_and_gaps_are_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000), gap in 0u64..300, piece in 1usize..500, begun: bool
    ) {
        let mut steps = if begun { connected() } else { Vec::new() };
        steps.extend([Step::Orig(bytes.clone()), Step::OrigGap(gap), Step::Orig(bytes.clone()), Step::Resp(bytes)]);
        run(&steps, piece);
    }

    #[test]
    fn damage_anywhere_is_survived(at in any::<prop::sample::Index>(), byte: u8, lost in 0u64..50) {
        let mut steps = conversation();
        let chosen = at.index(steps.len());
        if let Step::Orig(data) | Step::Resp(data) = &mut steps[chosen] {
            let place = at.index(data.len());
            data[place] = byte;
        }
        let gap = if matches!(steps[chosen], Step::Orig(_)) { Step::OrigGap(lost) } else { Step::RespGap(lost) };
        steps.insert(chosen, gap);
        run(&steps, 33);
    }
}
