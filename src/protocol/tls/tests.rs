#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::*;
use crate::evidence::Direction;
use crate::evidence::Transport;
use crate::protocol::Event;
use crate::protocol::testing::{Noted, Step, flow, in_pieces, orig, play, resp};
use proptest::prelude::*;

/// Made with `openssl ca -selfsign`: O=Alpha, CN=alpha.test, all of 2026, with a DNS name, an address and a JID.
const CERTIFICATE: &[u8] = include_bytes!("testdata/self-signed.der");

fn record(content_type: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = (body.len() as u16).to_be_bytes();
    [&[content_type, 3, 3, high, low], body].concat()
}

fn sized<const BYTES: usize>(body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&length[4 - BYTES..], body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [vec![kind], sized::<3>(body)].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), sized::<2>(content)].concat()
}

/// SNI `Alpha.test`, ALPN `xmpp-client`, TLS 1.3 and 1.2, two suites and GREASE.
fn client_hello() -> Vec<u8> {
    let name = sized::<2>(&[vec![0], sized::<2>(b"Alpha.test")].concat());
    let extensions = [
        extension(0x2a2a, &[]),
        extension(0, &name),
        extension(16, &sized::<2>(&sized::<1>(b"xmpp-client"))),
        extension(43, &sized::<1>(&[0x3a, 0x3a, 3, 4, 3, 3])),
    ];
    let suites = [0x1a, 0x1a, 0x13, 0x02, 0xc0, 0x30];
    let parts = [vec![3, 3], vec![7; 32], vec![0], sized::<2>(&suites), vec![1, 0], sized::<2>(&extensions.concat())];
    message(1, &parts.concat())
}

fn server_hello(suite: u16, random: &[u8; 32], extensions: &[Vec<u8>]) -> Vec<u8> {
    let parts =
        [vec![3, 3], random.to_vec(), vec![0], suite.to_be_bytes().to_vec(), vec![0], sized::<2>(&extensions.concat())];
    message(2, &parts.concat())
}

fn certificates() -> Vec<u8> {
    message(11, &sized::<3>(&sized::<3>(CERTIFICATE)))
}

fn conversation(decoder: Box<dyn Decoder>, steps: &[Step]) -> Noted {
    play(decoder, &flow(Transport::Tcp, "10.0.0.7:40000", "10.0.0.1:5223"), steps)
}

fn handshake(noted: &Noted) -> TlsHandshake {
    let [(_, Event::Tls(TlsEvent::Handshake(told)))] = &noted.events[..] else { panic!("{:?}", noted.events) };
    TlsHandshake { client_hello: None, server_hello: None, ..(**told).clone() }
}

/// A TLS 1.2 handshake in which both sides show a certificate.
fn tls12() -> Vec<Step> {
    let alpn = extension(16, &sized::<2>(&sized::<1>(b"xmpp-client")));
    let answer =
        [server_hello(0xc030, &[9; 32], &[alpn]), certificates(), message(13, &[1, 64, 0, 0, 0, 0]), message(14, &[])];
    let finish = [record(22, &certificates()), record(20, &[1]), record(22, &[0xee; 40])].concat();
    vec![orig(record(22, &client_hello())), resp(record(22, &answer.concat())), orig(finish), resp(record(20, &[1]))]
}

#[test]
fn tls_1_2_shows_names_suite_and_certificates() {
    let noted = conversation(start(), &tls12());
    assert_eq!((noted.opaque, noted.skipped.as_slice()), (true, &["tls.no-keys"][..]));
    let told = handshake(&noted);
    assert_eq!(
        (told.version, told.cipher_name().as_deref()),
        (Some(TlsVersion::TLS12), Some("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"))
    );
    assert_eq!(
        (told.offered_version, told.offered_ciphers.as_slice()),
        (Some(TlsVersion::TLS13), &[0x1302, 0xc030][..])
    );
    assert_eq!((told.sni.as_deref(), told.alpn.as_deref()), (Some("alpha.test"), Some("xmpp-client")));
    assert!(told.client_certificate_wanted && !told.via_starttls);
    let certificate = &told.certificates[0];
    assert_eq!((certificate.subject.as_str(), certificate.is_self_issued), ("O=Alpha, CN=alpha.test", true));
    assert_eq!(certificate_time(certificate.not_before), "2026-01-01T00:00:00Z");
    assert_eq!(certificate_time(certificate.not_after), "2027-01-01T00:00:00Z");
    assert_eq!(certificate.names, ["alpha.test", "10.0.0.1", "juliet@alpha.test"]);
    assert_eq!(certificate.serial, "1a2b");
    assert_eq!(told.client_certificates, told.certificates);
    let at = &noted.events[0].0;
    assert_eq!((at.direction, at.first.frame, at.last.frame), (Direction::FromOrig, 1, 3));
}

#[test]
fn segments_and_records_may_cut_messages_anywhere() {
    let want = handshake(&conversation(start(), &tls12()));
    for bytes in (1..64).chain([100, 333]) {
        let noted = conversation(start(), &in_pieces(&tls12(), bytes));
        assert_eq!(handshake(&noted), want, "{bytes} bytes a piece");
    }
    let hello = client_hello();
    let (front, back) = hello.split_at(50);
    let mut steps = tls12();
    steps[0] = orig([record(22, front), record(22, back)].concat());
    assert_eq!(handshake(&conversation(start(), &steps)), want);
}

#[test]
fn tls_1_3_ends_in_clear_at_the_servers_hello() {
    let chosen = extension(43, &[3, 4]);
    let retry = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2,
        0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ];
    let noted = conversation(
        start_around(crate::protocol::xmpp::start()),
        &[
            orig(record(22, &client_hello())),
            resp([record(22, &server_hello(0x1302, &retry, std::slice::from_ref(&chosen))), record(20, &[1])].concat()),
            orig([record(20, &[1]), record(22, &client_hello())].concat()),
            resp([record(22, &server_hello(0x1302, &[1; 32], &[chosen])), record(23, &[0; 50])].concat()),
        ],
    );
    assert_eq!((noted.opaque, noted.skipped.as_slice()), (true, &["tls.no-keys"][..]));
    assert_eq!(noted.events[0].0.last.frame, 4);
    let told = handshake(&noted);
    assert_eq!((told.version, told.cipher), (Some(TlsVersion::TLS13), Some(0x1302)));
    assert!(told.via_starttls && told.certificates.is_empty());
}

#[test]
fn what_was_seen_is_told_even_of_half_a_handshake() {
    // The server's side only: the client is the other one.
    let noted =
        conversation(start(), &[orig(record(22, &[server_hello(0x009c, &[9; 32], &[]), certificates()].concat()))]);
    assert_eq!(noted.events[0].0.direction, Direction::FromResp);
    assert_eq!(handshake(&noted).certificates.len(), 1);
    // The client's side only, up to what it encrypts.
    let steps =
        [orig([record(22, &client_hello()), record(20, &[1]), record(22, &[0xee; 40]), record(23, &[0; 90])].concat())];
    let noted = conversation(start(), &steps);
    assert_eq!(handshake(&noted).sni.as_deref(), Some("alpha.test"));
    assert!(noted.skipped.is_empty());
    // A fatal alert instead of a hello.
    let noted = conversation(start(), &[orig(record(22, &client_hello())), resp(record(21, &[2, 40]))]);
    assert_eq!(handshake(&noted).alert, Some((2, 40)));
    // Bytes missing from one side.
    let mut steps = tls12();
    steps.insert(1, Step::Gap(Direction::FromResp, 5));
    let noted = conversation(start(), &steps);
    assert_eq!((handshake(&noted).version, noted.skipped), (None, vec!["tls.gap"]));
}

#[test]
fn what_is_not_tls_ends_the_reading() {
    let noted = conversation(start(), &[orig(record(22, &client_hello())), resp("HTTP/1.1 400 Bad Request\r\n\r\n")]);
    assert!(noted.opaque);
    assert_eq!((handshake(&noted).sni.as_deref(), noted.skipped), (Some("alpha.test"), vec!["tls.unparsed"]));
    let huge = [22, 3, 3, 0, 4, 11, 0x7f, 0xff, 0xff];
    let noted = conversation(start(), &[orig(record(22, &client_hello())), resp(huge)]);
    assert_eq!(noted.skipped, ["tls.unparsed"]);
}

#[test]
fn a_capture_that_begins_amid_tls_says_so() {
    let steps = [resp(record(23, &[0xee; 90])), orig(record(23, &[0xee; 40]))];
    let flow = flow(Transport::Tcp, "10.0.0.7:40000", "10.0.0.1:5223");
    let Step::Data(_, data) = &steps[0] else { unreachable!() };
    assert_eq!(probe(&Opening { flow: &flow, from_orig: b"", from_resp: data }), Probe::Yes);
    let noted = conversation(start(), &steps);
    assert_eq!((noted.opaque, noted.events.len(), noted.skipped), (true, 0, vec!["tls.midstream"]));
}

#[test]
fn a_certificate_that_cannot_be_read_keeps_its_hash() {
    let broken = message(11, &sized::<3>(&sized::<3>(&CERTIFICATE[..200])));
    let noted = conversation(start(), &[resp(record(22, &[server_hello(0xc030, &[9; 32], &[]), broken].concat()))]);
    let told = handshake(&noted);
    assert!(told.certificates[0].is_unreadable);
    assert_ne!(told.certificates[0].sha256, [0; 32]);
}

#[test]
fn hellos_are_told_from_other_bytes() {
    let flow = flow(Transport::Tcp, "10.0.0.7:40000", "10.0.0.1:5223");
    let ask = |from_orig: &[u8], from_resp: &[u8]| probe(&Opening { flow: &flow, from_orig, from_resp });
    let hello = record(22, &client_hello());
    for cut in 0..hello.len() {
        let want = if cut < 11 { Probe::Unsure } else { Probe::Yes };
        assert_eq!(ask(&hello[..cut], b""), want, "cut at {cut}");
    }
    assert_eq!(ask(b"", &record(22, &server_hello(0xc030, &[9; 32], &[]))), Probe::Yes);
    let sslv2 = [0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10];
    for other in [&sslv2[..], b"GET / HTTP/1.1", b"<?xml version=", &[22, 3, 1, 2, 0, 16, 0, 1], &[0; 20]] {
        assert_eq!(ask(other, b""), Probe::No);
    }
}

#[test]
fn versions_are_named_as_openssl_does() {
    let names: Vec<String> = [0x0300, 0x0301, 0x0303, 0x0304, 0x7f1c, 0x0505].map(|v| TlsVersion(v).to_string()).into();
    assert_eq!(names, ["SSLv3", "TLSv1.0", "TLSv1.2", "TLSv1.3", "TLSv1.3-draft28", "0x0505"]);
    assert!(TlsVersion(0x7f1c).is_tls13() && !TlsVersion::TLS12.is_tls13());
    assert_eq!(cipher_name(0xfefe), "0xfefe");
}

proptest! {
    #[test]
    fn damaged_handshakes_are_read_without_a_panic(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        bytes in 1usize..600,
    ) {
        let mut steps = tls12();
        for (place, value) in damage {
            let index = place.index(steps.len());
            if let Some(Step::Data(_, data)) = steps.get_mut(index) {
                let at = place.index(data.len());
                data[at] = value;
            }
        }
        let noted = conversation(start(), &in_pieces(&steps, bytes));
        prop_assert!(noted.events.len() <= 1);
    }

    #[test]
    fn any_records_are_read_without_a_panic(records in proptest::collection::vec((any::<bool>(), 20u8..25, proptest::collection::vec(any::<u8>(), 0..60)), 0..12)) {
        let steps: Vec<Step> = records
            .into_iter()
            .map(|(from_orig, kind, body)| if from_orig { orig(record(kind, &body)) } else { resp(record(kind, &body)) })
            .collect();
        conversation(start(), &steps);
    }
}
