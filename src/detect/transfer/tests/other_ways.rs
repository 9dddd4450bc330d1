//! SOCKS 5, HTTP, files in stanzas, ICE.

use super::*;
use crate::detect::scene::{flow, settings, stamp};
use crate::detect::{Kind, Settings};
use crate::evidence::Sighting;
use crate::protocol::http::{HttpEvent, HttpExchange, HttpMessage};
use crate::protocol::socks5::{SocksEvent, SocksSession, SocksStream};
use crate::protocol::xmpp::{
    Candidate, FileLink, InlineFile, InlineKind, SharingEvent, StreamKind, StreamSummary, Transport, UploadSlot,
};

const PROXY: &str = "10.0.0.1:7777";
const RITA: &str = "rita@alpha.test/g";

fn record(orig: &str, resp: &str, second: i64, event: Event) -> Record {
    let time = second * SECOND;
    let at = Sighting {
        flow: flow(orig, resp),
        direction: Direction::FromOrig,
        first: stamp(time),
        last: stamp(time + SECOND / 2),
    };
    Record { at, event }
}

fn told(second: i64, event: SharingEvent) -> Record {
    record(SENDER, SERVER, second, Event::Xmpp(XmppEvent::Sharing(Box::new(event))))
}

fn stream(orig: &str, jid: &str) -> Record {
    let summary = StreamSummary {
        kind: StreamKind::C2s,
        client: orig.parse().unwrap(),
        server: SERVER.parse().unwrap(),
        domain: None,
        from_domain: None,
        jid: Some(jid.to_owned()),
        stream_id: None,
        tls: None,
        tls_version: None,
        compression: None,
        offered_starttls: None,
        mechanism: None,
        outcome: None,
        stanzas: [0; 2],
        first_stanza: None,
        first: stamp(0),
        last: stamp(1000 * SECOND),
        error: None,
        software: None,
        resumable: None,
        resumes: None,
        ended: None,
        login_offered: false,
        refused_starttls: false,
        required_starttls: false,
    };
    record(orig, SERVER, 1000, Event::Xmpp(XmppEvent::Stream(Box::new(summary))))
}

/// Bytes over SOCKS 5 from the client (`index` 0) or to it.
fn socks(orig: &str, resp: &str, second: i64, hash: &str, index: usize, bytes: &[u8]) -> Record {
    let time = stamp(second * SECOND);
    let mut streams = [None, None];
    let content = FileContent::of(bytes, None);
    if !bytes.is_empty() {
        streams[index] = Some(SocksStream { content, missing: 0, frames: (time, time) });
    }
    let session =
        SocksSession { bytestream: Some(hash.to_owned()), reply: Some(0), streams, ..SocksSession::default() };
    record(orig, resp, second, Event::Socks(SocksEvent::Session(Box::new(session))))
}

fn hosts(host: &str, port: u16, jid: &str) -> Record {
    let candidate = Candidate {
        kind: "streamhost".to_owned(),
        host: host.to_owned(),
        port: Some(port),
        jid: Some(jid.to_owned()),
        protocol: None,
        related: None,
    };
    told(
        2,
        SharingEvent::Transport(Transport {
            kind: "bytestreams".to_owned(),
            action: "offer".to_owned(),
            sid: Some("s1".to_owned()),
            from: SAM.map(str::to_owned),
            to: Some(RITA.to_owned()),
            candidates: vec![candidate],
            ..Transport::default()
        }),
    )
}

/// SHA-1 of `s1sam@alpha.test/xrita@alpha.test/g`.
fn hash() -> String {
    use sha1::Digest;
    crate::protocol::content::hex(&sha1::Sha1::digest("s1sam@alpha.test/xrita@alpha.test/g"))
}

fn kinds(found: &[Finding]) -> Vec<Kind> {
    found.iter().map(|finding| finding.kind).collect()
}

fn with_policy(settings: &Settings, records: &[Record]) -> Vec<Finding> {
    let mut detector = Transfers::new(settings);
    let mut out = Vec::new();
    records.iter().for_each(|record| detector.on_record(record, &mut out));
    detector.finish(&mut out);
    out
}

fn of(records: &[Record]) -> Vec<Finding> {
    with_policy(&settings(None), records)
}

#[test]
fn both_connections_of_a_relay_are_one_file() {
    let found = of(&[
        offer("si", "s1", None, 1, "disk.img", 5),
        hosts("10.0.0.1", 7777, "proxy.alpha.test"),
        socks(RECEIVER, PROXY, 3, &hash(), 1, b"bytes"),
        socks(SENDER, PROXY, 4, &hash(), 0, b"bytes"),
    ]);
    assert_eq!(kinds(&found), [Kind::TransferFile]);
    let finding = &found[0];
    assert!(has(finding, "relay", true) && has(finding, "complete", true) && has(finding, "size", 5));
    assert_eq!((text(finding, "method"), text(finding, "name")), (Some("si-socks5"), Some("disk.img")));
    assert_eq!((text(finding, "from"), text(finding, "to")), (SAM, Some(RITA)));
    assert_eq!((text(finding, "from_address"), text(finding, "to_address")), (Some(SENDER), Some(RECEIVER)));
    assert_eq!((finding.src.as_deref(), finding.dst.as_deref()), (Some(SENDER), Some(PROXY)));
}

#[test]
fn one_connection_of_a_relay_is_known_by_its_host() {
    let found = of(&[
        offer("si", "s1", None, 1, "disk.img", 9),
        hosts("10.0.0.1", 7777, "proxy.alpha.test"),
        socks(RECEIVER, PROXY, 3, &hash(), 1, b"bytes"),
    ]);
    assert_eq!(kinds(&found), [Kind::TransferFile]);
    assert!(has(&found[0], "relay", true) && has(&found[0], "complete", false));
    assert_eq!((text(&found[0], "from_address"), text(&found[0], "to_address")), (None, Some(RECEIVER)));
}

#[test]
fn a_direct_one_goes_around_the_server() {
    let found = of(&[
        offer("si", "s1", None, 1, "disk.img", 5),
        hosts("10.0.0.7", 8010, "sam@alpha.test/x"),
        socks(RECEIVER, "10.0.0.7:8010", 3, &hash(), 1, b"bytes"),
    ]);
    assert_eq!(kinds(&found), [Kind::TransferFile, Kind::TransferPeerToPeer]);
    assert_eq!((found[1].src.as_deref(), found[1].dst.as_deref()), (Some("10.0.0.7:8010"), Some(RECEIVER)));
}

#[test]
fn connections_that_stay_empty_are_no_file_unless_the_file_is_empty() {
    let tried = [socks(RECEIVER, PROXY, 3, &hash(), 0, b""), socks(SENDER, PROXY, 3, &hash(), 0, b"")];
    assert_eq!(of(&tried), []);
    let mut all = vec![offer("si", "s1", None, 1, "empty", 0)];
    all.extend(tried);
    let found = of(&all);
    assert_eq!(kinds(&found), [Kind::TransferFile]);
    assert!(has(&found[0], "complete", true) && has(&found[0], "size", 0));
}

#[test]
fn without_a_negotiation_the_addresses_tell() {
    let found = of(&[
        socks(RECEIVER, "10.0.0.7:8010", 3, &"ab".repeat(20), 1, b"bytes"),
        stream(SENDER, "sam@alpha.test/x"),
        stream(RECEIVER, RITA),
    ]);
    assert_eq!(kinds(&found), [Kind::TransferFile, Kind::TransferPeerToPeer]);
    assert_eq!((text(&found[0], "method"), text(&found[0], "name")), (Some("socks5"), None));
    assert_eq!((text(&found[0], "from"), text(&found[0], "to")), (SAM, Some(RITA)));
}

fn exchange(orig: &str, second: i64, method: &str, target: &str, status: u16, body: &[u8]) -> Record {
    let message = |body: &[u8], headers: &[(&str, &str)]| HttpMessage {
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        content: FileContent::of(body, None),
        complete: true,
        frames: (stamp(second * SECOND), stamp(second * SECOND)),
        ..HttpMessage::default()
    };
    let (sent, got) = if method == "PUT" { (body, &b""[..]) } else { (&b""[..], body) };
    let told = HttpExchange {
        method: method.to_owned(),
        target: target.to_owned(),
        request: message(sent, &[("host", "Up.alpha.test:80")]),
        status: Some(status),
        response: Some(message(got, &[])),
    };
    record(orig, "10.0.0.1:80", second, Event::Http(HttpEvent::Exchange(Box::new(told))))
}

fn link(via: &'static str, url: &str) -> Record {
    let (from, to) = (SAM.map(str::to_owned), Some(RITA.to_owned()));
    told(3, SharingEvent::Link(FileLink { url: url.to_owned(), via, from, to, name: None, size: None }))
}

#[test]
fn an_upload_and_every_download_are_files() {
    let url = "http://up.alpha.test/u/1/a%20b.txt";
    let slot = UploadSlot {
        requester: SAM.map(str::to_owned),
        name: Some("a b.txt".to_owned()),
        size: Some(5),
        media_type: None,
        put: url.to_owned(),
        get: url.to_owned(),
    };
    let found = of(&[
        told(1, SharingEvent::Slot(slot)),
        exchange(SENDER, 2, "PUT", "/u/1/a%20b.txt", 201, b"bytes"),
        link("oob", url),
        exchange(RECEIVER, 4, "GET", "/u/1/a b.txt", 200, b"bytes"),
        exchange("10.0.0.9:4", 5, "GET", "http://UP.alpha.test/u/1/a%20b.txt", 200, b"bytes"),
        exchange(RECEIVER, 6, "GET", "/u/1/other.txt", 200, b"bytes"),
        exchange(RECEIVER, 7, "GET", "/u/1/a%20b.txt", 404, b"no"),
        stream(SENDER, "sam@alpha.test/x"),
        stream(RECEIVER, RITA),
    ]);
    let told: Vec<_> = found.iter().map(|one| (text(one, "method"), text(one, "request"), text(one, "to"))).collect();
    let (upload, put, get) = (Some("http-upload"), Some("PUT"), Some("GET"));
    assert_eq!(told, [(upload, put, None), (upload, get, Some(RITA)), (upload, get, None)]);
    assert!(found.iter().all(|one| text(one, "from") == SAM && text(one, "name") == Some("a b.txt")));
}

#[test]
fn links_that_were_followed_are_files_and_pages_are_not() {
    let found = of(&[
        link("oob", "http://up.alpha.test/party.jpg"),
        link("body", "http://up.alpha.test/news"),
        exchange(RECEIVER, 4, "GET", "/party.jpg", 200, b"\xff\xd8\xff\xe0...."),
        exchange(RECEIVER, 5, "GET", "/news", 200, b"<!DOCTYPE html><html>..."),
        exchange(RECEIVER, 6, "GET", "/setup", 200, b"PK\x03\x04...."),
        exchange(RECEIVER, 7, "GET", "/style", 200, b"body { }"),
    ]);
    let told: Vec<_> = found.iter().map(|one| (text(one, "method"), text(one, "name"), text(one, "to"))).collect();
    assert_eq!(told, [(Some("oob"), Some("party.jpg"), Some(RITA)), (Some("http"), Some("setup"), None)]);
}

#[test]
fn what_the_policy_does_not_allow_is_denied_with_its_rules() {
    let policy = "[transfers]\nallow = [\"http-upload\"]\nmax_bytes = 4\ndenied_extensions = [\"exe\"]\n\
                  from = [\"*@beta.test\"]\nto = [\"*@alpha.test\"]";
    let records = [offer("si", "s1", None, 1, "Setup.EXE", 100), sent((2, 4), bytes("s1", SAM, 100, true))];
    let found = with_policy(&settings(Some(policy)), &records);
    assert_eq!(kinds(&found), [Kind::TransferFile, Kind::TransferDenied]);
    assert_eq!(text(&found[1], "rule"), Some("allow, max_bytes, denied_extensions exe, from"));
    let allowed = "[transfers]\nallow = [\"si-ibb\"]\nfrom = \"*@alpha.test\"\ndenied_extensions = [\"xe\"]";
    assert_eq!(kinds(&with_policy(&settings(Some(allowed)), &records)), [Kind::TransferFile]);
}

#[test]
fn a_program_by_another_name_is_a_program() {
    let policy = "[transfers]\ndenied_extensions = [\"exe\"]";
    let program = exchange(SENDER, 2, "PUT", "/holiday.jpg", 201, b"MZ..............");
    let found = with_policy(&settings(Some(policy)), &[program]);
    assert_eq!(kinds(&found), [Kind::TransferFile, Kind::TransferDenied]);
}

#[test]
fn what_gives_away_is_told_by_name_and_by_content() {
    let found = of(&[
        offer("si", "s1", None, 1, "/etc/ejabberd/ejabberd.yml", 100),
        sent((2, 4), bytes("s1", SAM, 100, true)),
        exchange(SENDER, 5, "PUT", "/note.txt", 201, b"-----BEGIN PRIVATE KEY-----\nMII"),
    ]);
    let told: Vec<_> = found
        .iter()
        .filter(|finding| finding.kind == Kind::SensitiveFileExposed)
        .map(|finding| (text(finding, "what"), text(finding, "via"), text(finding, "by")))
        .collect();
    let (yml, key) = (Some("ejabberd.yml"), Some("private-key"));
    assert_eq!(told, [(yml, Some("si-ibb"), Some("name")), (key, Some("http"), Some("content"))]);
}

#[test]
fn a_file_in_a_stanza_is_told_once_for_all_its_legs() {
    let file = |id: &str| {
        SharingEvent::Inline(InlineFile {
            kind: InlineKind::Bob,
            from: SAM.map(str::to_owned),
            to: Some(RITA.to_owned()),
            id: Some(id.to_owned()),
            name: Some("sha1+x@bob.xmpp.org".to_owned()),
            content: FileContent::of(b"GIF89a", None),
        })
    };
    let found = of(&[told(1, file("1")), told(1, file("1")), told(2, file("2"))]);
    assert_eq!(found.len(), 2);
    assert_eq!((text(&found[0], "method"), text(&found[0], "media_type")), (Some("bob"), Some("image/gif")));
}

#[test]
fn a_file_agreed_to_go_by_ice_goes_around_the_server() {
    let agreed = |application: &str| {
        told(
            2,
            SharingEvent::Transport(Transport {
                kind: "ice-udp".to_owned(),
                application: Some(application.to_owned()),
                action: "session-accept".to_owned(),
                session: Some("j1".to_owned()),
                from: Some(RITA.to_owned()),
                to: SAM.map(str::to_owned),
                ..Transport::default()
            }),
        )
    };
    let found = of(&[offer("jingle", "j1", None, 1, "a.iso", 7), agreed("file-transfer"), agreed("file-transfer")]);
    assert_eq!(kinds(&found), [Kind::TransferPeerToPeer]);
    assert_eq!((text(&found[0], "name"), text(&found[0], "from")), (Some("a.iso"), SAM));
    assert!(has(&found[0], "complete", false) && has(&found[0], "offered_size", 7));
    assert_eq!(of(&[agreed("rtp")]), []);
}
