//! XMPP over WebSocket, from the upgrade on, however frames and segments are cut.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use crate::evidence::{Direction, HttpBinding};
use crate::protocol::Conversation;
use crate::protocol::testing::{Heard, Step, hear, in_pieces};
use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

const C: Direction = Direction::FromOrig;
const S: Direction = Direction::FromResp;

/// Writes frames as one side does.
struct Speaker {
    direction: Direction,
    deflate: Option<(Compress, bool)>,
    fragments: usize,
}

impl Speaker {
    fn new(direction: Direction) -> Self {
        Self { direction, deflate: None, fragments: 1 }
    }

    fn deflating(self, forgets: bool) -> Self {
        Self { deflate: Some((Compress::new(Compression::default(), false), forgets)), ..self }
    }

    fn frame(&self, first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = if self.direction == C { 0x80 } else { 0 };
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(mask | short as u8),
            middle @ 126..65536 => {
                frame.push(mask | 126);
                frame.extend((middle as u16).to_be_bytes());
            }
            long => {
                frame.push(mask | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        if mask == 0 {
            frame.extend_from_slice(payload);
        } else {
            let key = [0x12, 0x34, 0xab, 0xcd];
            frame.extend(key);
            frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
        frame
    }

    /// A message, with a ping behind each fragment but the last.
    fn say(&mut self, text: &str) -> Step {
        let (mut payload, mut first) = (text.as_bytes().to_vec(), 0x01);
        if let Some((state, forgets)) = &mut self.deflate {
            if *forgets {
                state.reset();
            }
            let mut out = Vec::with_capacity(payload.len() + 1024);
            state.compress_vec(&payload, &mut out, FlushCompress::Sync).unwrap();
            assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
            out.truncate(out.len() - 4);
            payload = out;
            first |= 0x40;
        }
        let mut bytes = Vec::new();
        let pieces: Vec<_> = payload.chunks(payload.len().div_ceil(self.fragments).max(1)).collect();
        for (at, piece) in pieces.iter().enumerate() {
            let fin = if at + 1 == pieces.len() { 0x80 } else { 0 };
            bytes.extend(self.frame(if at == 0 { first } else { 0 } | fin, piece));
            if fin == 0 {
                bytes.extend(self.frame(0x89, b"still there?"));
            }
        }
        Step::Data(self.direction, bytes)
    }
}

fn upgrade(extensions: &str) -> Vec<Step> {
    let request = "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n";
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Extensions: {extensions}\r\n\r\n"
    );
    vec![Step::Data(C, request.into()), Step::Data(S, response.into())]
}

fn open(attributes: &str) -> String {
    format!("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' {attributes}/>")
}

fn session(client: &mut Speaker, server: &mut Speaker, bodies: &[&str], extensions: &str) -> Vec<Step> {
    let mut steps = upgrade(extensions);
    let sasl = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
    steps.push(client.say(&open("to='x.test'")));
    steps.push(server.say(&open("from='x.test' id='s1'")));
    steps.push(server.say("<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>"));
    steps.push(client.say(&format!("<auth {sasl} mechanism='PLAIN'>AGEAc2VjcmV0</auth>")));
    steps.push(server.say(&format!("<success {sasl}/>")));
    steps.push(client.say(&open("to='x.test'")));
    steps.push(server.say(&open("from='x.test' id='s2'")));
    steps.push(server.say(
        "<iq xmlns='jabber:client' type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
        <jid>a@x.test/r</jid></bind></iq>",
    ));
    steps.push(client.say("<message xmlns='jabber:client' to='b@x.test'><body>up</body></message>"));
    for body in bodies {
        steps.push(server.say(&format!(
            "<message xmlns='jabber:client' from='b@x.test/q' to='a@x.test/r'><body>{body}</body></message>"
        )));
    }
    steps.push(client.say("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"));
    steps.push(Step::Data(C, client.frame(0x88, b"\x03\xe8")));
    steps
}

fn play(steps: &[Step]) -> Heard {
    hear(Conversation::default(), steps)
}

fn check(heard: &Heard, bodies: &[&str]) {
    assert_eq!(heard.bodies(), [&["up"], bodies].concat());
    assert_eq!(heard.logins, ["PLAIN a success"]);
    let stanzas = [1, bodies.len() as u64 + 1];
    assert_eq!(heard.streams, [(Some("a@x.test/r".to_owned()), Some("x.test".to_owned()), None, stanzas)]);
    assert_eq!(heard.within.iter().map(|within| within.http).collect::<Vec<_>>(), [Some(HttpBinding::WebSocket)]);
    assert_eq!(heard.skipped, [""; 0]);
}

#[test]
fn a_session_is_as_over_tcp() {
    let long = "long ".repeat(30_000);
    let bodies = ["one", "&lt;two&gt;", long.as_str()];
    let steps = session(&mut Speaker::new(C), &mut Speaker::new(S), &bodies, "");
    check(&play(&steps), &["one", "<two>", long.as_str()]);
}

#[test]
fn fragments_and_deflated_messages_tell_the_same() {
    let bodies = ["the courier arrives", "the courier arrives at noon", "the courier leaves"];
    for forgets in [None, Some(false), Some(true)] {
        let (mut client, mut server) = (Speaker::new(C), Speaker::new(S));
        (client.fragments, server.fragments) = (3, 2);
        let mut extensions = "";
        if let Some(forgets) = forgets {
            (client, server) = (client.deflating(forgets), server.deflating(forgets));
            extensions = "permessage-deflate; server_max_window_bits=15";
            if forgets {
                extensions = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";
            }
        }
        let steps = session(&mut client, &mut server, &bodies, extensions);
        check(&play(&steps), &bodies);
        for bytes in [1, 2, 7, 100] {
            check(&play(&in_pieces(&steps, bytes)), &bodies);
        }
    }
}

#[test]
fn frames_may_come_before_the_consent_or_right_behind_it() {
    let mut steps = session(&mut Speaker::new(C), &mut Speaker::new(S), &["one"], "");
    steps.swap(1, 2);
    check(&play(&steps), &["one"]);
    let Step::Data(_, frame) = steps.remove(3) else { panic!() };
    let Step::Data(_, consent) = &mut steps[2] else { panic!() };
    consent.extend(frame);
    check(&play(&steps), &["one"]);
}

#[test]
fn lost_bytes_cost_the_messages_they_are_of() {
    let bodies = ["the first of many", "second", "the third of them", "fourth is here"];
    for forgets in [None, Some(true), Some(false)] {
        let (mut client, mut server) = (Speaker::new(C), Speaker::new(S));
        if let Some(forgets) = forgets {
            (client, server) = (client.deflating(forgets), server.deflating(forgets));
        }
        let extensions = match forgets {
            Some(true) => "permessage-deflate;server_no_context_takeover;client_no_context_takeover",
            _ => "permessage-deflate",
        };
        let steps = session(&mut client, &mut server, &bodies, extensions);
        // All of a message, from within its payload to within the next one's, and within one payload.
        let Step::Data(_, second) = &steps[12] else { panic!() };
        // How long a deflated message is depends on who deflates.
        let half = second.len() / 2;
        let cuts: [(&[u8], usize, &[u8]); 3] = [
            (&[], second.len(), &[]),
            (&second[..9], second.len() - 9, &[]),
            (&second[..half], 3, &second[half + 3..]),
        ];
        for (before, lost, after) in cuts {
            let mut cut = steps.clone();
            cut.splice(
                12..13,
                [Step::Data(S, before.to_vec()), Step::Gap(S, lost as u64), Step::Data(S, after.to_vec())],
            );
            let heard = play(&cut);
            let whole = |body: &&str| *body == "up" || bodies.contains(body);
            assert!(heard.bodies().iter().all(whole), "{heard:?}");
            if forgets != Some(false) {
                assert_eq!(heard.bodies(), ["up", "the first of many", "the third of them", "fourth is here"]);
            }
            assert_eq!(heard.streams.len(), 1);
        }
    }
}

#[test]
fn other_subprotocols_are_told_by_their_bytes_and_refusals_stay_http() {
    let other = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    let mut steps = upgrade("");
    steps[1] = Step::Data(S, other.into());
    let header = "<stream:stream to='x.test' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    steps.push(Speaker::new(C).say(header));
    steps.push(Speaker::new(C).say("<message to='b@x.test'><body>old</body></message>"));
    let heard = play(&steps);
    assert_eq!(heard.bodies(), ["old"]);
    assert_eq!(heard.within[0].http, None);

    let mut steps = upgrade("");
    steps[1] = Step::Data(S, "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n".into());
    steps.push(Step::Data(C, "GET / HTTP/1.1\r\n\r\n".into()));
    assert_eq!(play(&steps).skipped, [""; 0]);
}

#[test]
fn a_connection_through_a_proxy_is_read() {
    let header = "<stream:stream to='x.test' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    let steps = [
        Step::Data(C, "CONNECT x.test:5222 HTTP/1.1\r\nHost: x.test\r\n\r\n".into()),
        Step::Data(S, "HTTP/1.1 200 Connection established\r\n\r\n".into()),
        Step::Data(C, header.into()),
        Step::Data(C, "<message to='b@x.test'><body>through</body></message>".into()),
    ];
    assert_eq!(play(&steps).bodies(), ["through"]);
}

proptest! {
    #[test]
    fn any_frames_come_to_an_end(frames in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 1..60), 0u64..3), 1..20)) {
        let mut steps = upgrade("permessage-deflate");
        for (from_client, bytes, lost) in frames {
            let direction = if from_client { C } else { S };
            if lost == 1 {
                steps.push(Step::Gap(direction, 30));
            }
            steps.push(Step::Data(direction, bytes));
        }
        play(&steps);
    }

    #[test]
    fn segments_do_not_matter(bytes in 1usize..300, fragments in 1usize..5) {
        let (mut client, mut server) = (Speaker::new(C).deflating(false), Speaker::new(S));
        (client.fragments, server.fragments) = (fragments, fragments);
        let steps = session(&mut client, &mut server, &["one", "two"], "permessage-deflate");
        prop_assert_eq!(play(&in_pieces(&steps, bytes)), play(&steps));
    }
}
