//! Compressed streams tell what the same streams tell in clear, however they are cut.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use crate::evidence::Direction;
use crate::protocol::testing::{Heard, Step, hear, in_pieces};
use crate::protocol::{Conversation, xmpp};
use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

const C: Direction = Direction::FromOrig;
const S: Direction = Direction::FromResp;

struct Deflater(Compress);

impl Deflater {
    fn new() -> Self {
        Self(Compress::new(Compression::default(), true))
    }

    fn say(&mut self, text: &str, flush: FlushCompress) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 1024);
        self.0.compress_vec(text.as_bytes(), &mut out, flush).unwrap();
        out
    }
}

const CLIENT: &str = "<?xml version='1.0'?><stream:stream to='x.test' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const SERVER: &str = "<?xml version='1.0'?><stream:stream id='s1' from='x.test' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const ASK: &str = "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>";
const CONSENT: &str = "<compressed xmlns='http://jabber.org/protocol/compress'/>";
const BOUND: &str =
    "<iq type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@x.test/r</jid></bind></iq>";

type Script = Vec<(Direction, Vec<u8>)>;

fn opening() -> Script {
    [(C, CLIENT), (S, SERVER), (C, ASK), (S, CONSENT)]
        .into_iter()
        .map(|(direction, text)| (direction, text.as_bytes().to_vec()))
        .collect()
}

/// A compressed session with these messages of the server.
fn session(bodies: &[&str], flush: FlushCompress) -> Script {
    let (mut client, mut server) = (Deflater::new(), Deflater::new());
    let mut script = opening();
    script.push((C, client.say(CLIENT, flush)));
    script.push((S, server.say(SERVER, flush)));
    script.push((S, server.say(BOUND, flush)));
    script.push((C, client.say("<message to='b@x.test'><body>up</body></message>", flush)));
    for body in bodies {
        let message = format!("<message from='b@x.test/q' to='a@x.test/r'><body>{body}</body></message>");
        script.push((S, server.say(&message, flush)));
    }
    script
}

fn whole(script: &Script) -> Vec<Step> {
    script.iter().map(|(direction, data)| Step::Data(*direction, data.clone())).collect()
}

fn play(steps: Vec<Step>) -> Heard {
    hear(Conversation::Decoded(xmpp::start()), &steps)
}

#[test]
fn a_compressed_stream_is_one_stream() {
    let told = play(whole(&session(&["one", "two"], FlushCompress::Sync)));
    assert_eq!(told.bodies(), ["up", "one", "two"]);
    assert!(told.within.iter().all(|within| within.zlib) && told.within.len() == 1);
    assert_eq!(told.streams, [(Some("a@x.test/r".to_owned()), Some("x.test".to_owned()), Some("zlib"), [1, 3])]);
    assert_eq!(told.skipped, [""; 0]);
}

#[test]
fn compressed_bytes_may_come_in_the_chunk_of_the_consent_or_before_it() {
    let mut script = session(&["one"], FlushCompress::Sync);
    let header = script.remove(5).1;
    script[3].1.extend_from_slice(&header);
    assert_eq!(play(whole(&script)).bodies(), ["up", "one"]);

    let mut script = session(&["one"], FlushCompress::Sync);
    script.swap(3, 4);
    let told = play(whole(&script));
    assert_eq!((told.bodies(), told.skipped.as_slice()), (vec!["up", "one"], &[][..]));
}

#[test]
fn a_stream_goes_on_behind_lost_bytes() {
    let bodies = ["the first of many", "second", "the third of them", "fourth is here"];
    for (flush, want) in [
        (FlushCompress::Full, &["up", "second", "the third of them", "fourth is here"][..]),
        (FlushCompress::Sync, &[]),
    ] {
        let mut pieces = whole(&session(&bodies, flush));
        let Step::Data(direction, data) = &pieces[8] else { panic!() };
        pieces[8] = Step::Gap(*direction, data.len() as u64);
        let told = play(pieces);
        assert_eq!(told.skipped.iter().filter(|what| **what == "zlib.gap").count(), 1);
        // What was flushed in full stands alone; else only what does not refer to the lost text can be read, and
        // nothing may be told wrong.
        if flush == FlushCompress::Full {
            assert_eq!(told.bodies(), want);
        }
        assert!(told.bodies().iter().all(|body| *body == "up" || bodies.contains(body)));
        assert_eq!(told.streams.len(), 1);
    }
}

#[test]
fn garbage_where_zlib_should_be_is_counted_and_left() {
    let mut script = opening();
    script.push((C, b"no zlib at all".to_vec()));
    script.push((S, vec![0xff; 100]));
    script.push((S, CONSENT.as_bytes().to_vec()));
    let told = play(whole(&script));
    assert_eq!(told.skipped.iter().filter(|what| **what == "zlib.unparsed").count(), 2);
    assert_eq!(told.streams.len(), 1);
}

#[test]
fn a_stream_that_goes_on_in_clear_is_read() {
    let mut script = opening();
    script.push((C, b" \n<message to='b@x.test'><body>clear</body></message>".to_vec()));
    let told = play(whole(&script));
    assert_eq!(told.bodies(), ["clear"]);
    assert_eq!(told.skipped, ["zlib.absent"]);
}

#[test]
fn a_bomb_is_given_up() {
    let mut script = opening();
    let mut server = Deflater::new();
    let megabyte = " ".repeat(1 << 20);
    script.push((S, server.say(SERVER, FlushCompress::Sync)));
    (0..40).for_each(|_| script.push((S, server.say(&megabyte, FlushCompress::Sync))));
    assert_eq!(play(whole(&script)).skipped, ["zlib.limit", "xmpp.resync"]);
}

proptest! {
    #[test]
    fn pieces_do_not_matter(cut in 1usize..200) {
        let script = session(&["one", "two & three", "one two three four"], FlushCompress::Sync);
        prop_assert_eq!(play(in_pieces(&whole(&script), cut)), play(whole(&script)));
    }

    #[test]
    fn lost_bytes_never_make_up_text(from in 4usize..9, cut in 0usize..60, lost in 1u64..40) {
        let bodies = ["the first of many", "second", "the third of them", "fourth is here"];
        let script = session(&bodies, FlushCompress::Sync);
        let mut pieces = Vec::new();
        for (at, (direction, data)) in script.iter().enumerate() {
            if at == from {
                let (before, after) = data.split_at(data.len().min(cut));
                let lost = after.len().min(lost as usize);
                pieces.push(Step::Data(*direction, before.to_vec()));
                if lost > 0 {
                    pieces.push(Step::Gap(*direction, lost as u64));
                }
                pieces.push(Step::Data(*direction, after[lost..].to_vec()));
            } else {
                pieces.push(Step::Data(*direction, data.clone()));
            }
        }
        let told = play(pieces);
        for body in told.bodies() {
            prop_assert!(body == "up" || bodies.contains(&body), "{:?}", told);
        }
    }
}
