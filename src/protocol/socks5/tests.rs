#![allow(clippy::unwrap_used, clippy::expect_used)] // tests
use super::*;
use crate::evidence::Direction;
use crate::evidence::Transport;
use crate::protocol::content::FileContent;
use crate::protocol::testing::{Noted, Step, flow, in_pieces, orig, play, resp};
use crate::protocol::xmpp::{Disclosure, Outcome};
use crate::protocol::{Event, Opening};
use proptest::prelude::*;

const HASH: &str = "73FC35ca47ef54d75b967834c05903d8d0aa284e";

fn request(code: u8, name: &str) -> Vec<u8> {
    let mut request = vec![5, code, 0, 3, name.len() as u8];
    request.extend_from_slice(name.as_bytes());
    request.extend_from_slice(&[0, 80]);
    request
}

fn played(steps: &[Step]) -> Noted {
    play(start(), &flow(Transport::Tcp, "10.0.0.7:4000", "10.0.0.1:7777"), steps)
}

fn session(noted: &Noted) -> SocksSession {
    let mut sessions = noted.events.iter().filter_map(|(_, event)| match event {
        Event::Socks(SocksEvent::Session(session)) => Some((**session).clone()),
        _ => None,
    });
    let session = sessions.next().unwrap();
    assert!(sessions.next().is_none());
    session
}

fn bytestream() -> Vec<Step> {
    vec![
        orig([5, 2, 0, 2]),
        resp([5, 0]),
        orig(request(1, HASH)),
        resp(request(0, HASH)),
        orig(*b"the file, "),
        orig(*b"and its end"),
    ]
}

#[test]
fn a_bytestream_is_hashed_in_any_pieces() {
    for piece in [1, 3, 1000] {
        let told = session(&played(&in_pieces(&bytestream(), piece)));
        assert_eq!(told.bytestream, Some(HASH.to_lowercase()));
        assert_eq!(
            (told.method.as_deref(), told.command.as_deref(), told.reply),
            (Some("none"), Some("connect"), Some(0))
        );
        let [Some(stream), None] = told.streams else { panic!("one direction") };
        assert_eq!((stream.content, stream.missing), (FileContent::of(b"the file, and its end", None), 0));
    }
}

#[test]
fn what_is_missing_is_counted() {
    let mut steps = bytestream();
    steps.insert(5, Step::Gap(Direction::FromOrig, 77));
    let [Some(stream), None] = session(&played(&steps)).streams else { panic!("one direction") };
    assert_eq!((stream.content.bytes, stream.missing), (21, 77));
}

#[test]
fn a_lost_answer_leaves_the_file_readable() {
    let length = request(0, HASH).len() as u64;
    let steps =
        [orig([5, 1, 0]), orig(request(1, HASH)), Step::Gap(Direction::FromResp, 2 + length + 3), resp(*b"file")];
    let [None, Some(stream)] = session(&played(&steps)).streams else { panic!("one direction") };
    assert_eq!((stream.content.bytes, stream.missing), (4, 3));
}

#[test]
fn a_login_tells_name_password_and_outcome() {
    for (status, outcome) in [(0, Outcome::Success), (1, Outcome::Failure)] {
        let noted = played(&[orig([5, 2, 0, 2]), resp([5, 2]), orig(*b"\x01\x05romeo\x08montague"), resp([1, status])]);
        let Some((_, Event::Socks(SocksEvent::Login(login)))) = noted.events.first() else { panic!("no login") };
        assert_eq!((login.mechanism.as_str(), login.username.as_deref()), ("socks5", Some("romeo")));
        assert_eq!((&login.disclosure, login.outcome), (&Disclosure::Password("montague".to_owned()), outcome));
    }
}

#[test]
fn behind_a_host_lies_another_conversation() {
    let noted = played(&[
        orig([5, 1, 0]),
        resp([5, 0]),
        orig(request(1, "a.test")),
        resp([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        orig(*b"GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        resp(*b"HTTP/1.1 204 No\r\n\r\n"),
    ]);
    let told = session(&noted);
    assert_eq!((told.destination.as_deref(), told.bytestream), (Some("a.test:80"), None));
    assert!(noted.events.iter().any(|(_, event)| matches!(event, Event::Http(_))));
}

#[test]
fn a_refusal_ends_it() {
    let noted = played(&[orig([5, 1, 0]), resp([5, 0xff])]);
    assert!(noted.opaque);
    assert_eq!(session(&noted).method.as_deref(), Some("refused"));
}

#[test]
fn only_socks_is_probed_as_socks() {
    let flow = flow(Transport::Tcp, "10.0.0.7:4000", "10.0.0.1:443");
    let probed = |from_orig: &[u8], from_resp: &[u8]| probe(&Opening { flow: &flow, from_orig, from_resp });
    assert_eq!(probed(&[5, 1, 0], &[]), Probe::Unsure);
    assert_eq!(probed(&[5, 1, 0], &[5, 0]), Probe::Yes);
    assert_eq!(probed(&[5, 0], &[5, 1, 0]), Probe::Yes);
    assert_eq!(probed(&[5, 1, 0], &[5, 2]), Probe::No);
    assert_eq!(probed(&[5, 1, 0, 9], &[]), Probe::No);
    assert_eq!(probed(b"GET /", &[]), Probe::No);
    assert_eq!(probed(&[], &[]), Probe::No);
    let mut at_once = vec![5, 1, 0];
    at_once.extend(request(1, HASH));
    assert_eq!(probed(&at_once, &[]), Probe::Yes);
}

proptest! {
    #[test]
    fn any_bytes_are_no_harm(steps in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..12)) {
        let mut all = vec![orig([5, 2, 0, 2])];
        all.extend(steps.into_iter().map(|(side, data)| if side { orig(data) } else { resp(data) }));
        played(&all);
    }
}
