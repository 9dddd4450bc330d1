//! TLS that keys open gives the same bytes as Wireshark's, and goes on behind lost ones.
//!
//! Every `captures/tls/NAME.pcap` has its key log in `NAME.keys`; the shared captures beside the project are looked at
//! where they are there. What asks Wireshark runs where tshark is installed.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod support;

use jabberscope::capture::CaptureSet;
use jabberscope::evidence::{Direction, FlowInfo, Seen, Stamp};
use jabberscope::flow::{Chunk, End, FlowSummary, FlowTable, Gap, Handler, Limits, PacketView};
use jabberscope::packet::{self, Decoded};
use jabberscope::protocol::tls::{self, KeyRing, Keys, Sessions};
use jabberscope::protocol::{Decoder, Event, Next, Sink, xmpp};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use support::tshark::tshark;
use support::{Run, captures_folder, shared_captures};

/// Opened bytes, by direction.
type Texts = [Vec<u8>; 2];

/// The decoder inside TLS: it only collects.
struct Collect(Arc<Mutex<Texts>>);

impl Decoder for Collect {
    fn protocol(&self) -> &'static str {
        "collected"
    }

    fn data(&mut self, chunk: &Chunk<'_>, _: &mut dyn Sink) -> Next {
        self.0.lock().unwrap()[chunk.direction.index()].extend_from_slice(chunk.data);
        Next::Continue
    }

    fn gap(&mut self, _: &Gap<'_>, _: &mut dyn Sink) {}
    fn end(&mut self, _: &End<'_>, _: &mut dyn Sink) {}
}

/// Has keys, and notes what was skipped.
#[derive(Default)]
struct Keyed {
    keys: Keys,
    sessions: Sessions,
    skipped: Vec<&'static str>,
}

impl Sink for Keyed {
    fn stanza(&mut self, _: &Seen<'_>, _: &xmpp::Stanza<'_>) {}
    fn event(&mut self, _: &Seen<'_>, _: Event) {}
    fn skipped(&mut self, what: &'static str, _: Stamp) {
        self.skipped.push(what);
    }
    fn keys(&mut self) -> Option<KeyRing<'_>> {
        Some(KeyRing { keys: &self.keys, sessions: &mut self.sessions })
    }
}

/// A connection's pieces from the first TLS record on.
#[derive(Default, Clone)]
struct Connection {
    first_frame: u64,
    flow: Option<Arc<FlowInfo>>,
    pieces: Vec<(Direction, Vec<u8>)>,
}

impl Connection {
    /// What is opened when some pieces are missing from the capture.
    fn open(&self, sink: &mut Keyed, is_lost: impl Fn(usize) -> bool) -> Texts {
        let texts = Arc::new(Mutex::new(Texts::default()));
        let mut decoder = tls::start_around(Box::new(Collect(Arc::clone(&texts))));
        let Some(flow) = &self.flow else { return Texts::default() };
        let (stamp, mut offsets) = (Stamp::default(), [0; 2]);
        for (index, (direction, data)) in self.pieces.iter().enumerate() {
            let offset = offsets[direction.index()];
            offsets[direction.index()] += data.len() as u64;
            if is_lost(index) {
                decoder.gap(&Gap { flow, direction: *direction, bytes: data.len() as u64, stamp }, sink);
                continue;
            }
            let chunk = Chunk { flow, direction: *direction, data, offset, stamp };
            if !matches!(decoder.data(&chunk, sink), Next::Continue) {
                break;
            }
        }
        decoder.end(&End { flow, stamp }, sink);
        drop(decoder);
        Arc::into_inner(texts).unwrap().into_inner().unwrap()
    }
}

/// The connections of a capture, and the secrets that it brings.
#[derive(Default)]
struct Recorded {
    connections: Vec<Connection>,
    secrets: Vec<String>,
}

impl Handler for Recorded {
    type Conversation = Connection;

    fn data(&mut self, connection: &mut Connection, chunk: &Chunk<'_>) {
        if !connection.pieces.is_empty() || chunk.data.starts_with(&[22, 3]) {
            connection.flow = Some(Arc::clone(chunk.flow));
            connection.pieces.push((chunk.direction, chunk.data.to_vec()));
        }
    }

    fn gap(&mut self, _: &mut Connection, _: &Gap<'_>) {
        panic!("the captures are whole");
    }

    fn end(&mut self, _: &mut Connection, _: &End<'_>) {}

    fn close(&mut self, connection: &mut Connection, summary: &FlowSummary) {
        if summary.info.transport.number() == 6 {
            self.connections.push(Connection { first_frame: summary.first.frame, ..std::mem::take(connection) });
        }
    }
}

fn record(capture: &Path) -> Recorded {
    let mut captures = CaptureSet::open(&[capture.display().to_string()]).unwrap();
    let mut recorded = Recorded::default();
    let mut table = FlowTable::new(Limits::default());
    while let Some((batch, _)) = captures.next_batch(10_000, 64 << 20) {
        recorded.secrets.extend(captures.take_tls_secrets());
        for frame in (0..batch.len()).filter_map(|index| batch.frame(index)) {
            if let Decoded::Packet(packet) = packet::decode(&frame) {
                let view =
                    PacketView { packet: &packet, data: frame.data, stamp: frame.stamp, place: Default::default() };
                table.packet(&view, &(), &mut recorded);
            }
        }
    }
    table.finish(&mut recorded);
    recorded.connections.sort_by_key(|connection| connection.first_frame);
    recorded
}

/// What keys open of each connection, and what was skipped.
fn open(capture: &Path, keys: Keys) -> (Vec<Texts>, Vec<&'static str>) {
    let recorded = record(capture);
    let mut sink = Keyed { keys, ..Keyed::default() };
    recorded.secrets.iter().for_each(|line| drop(sink.keys.add_log(line.as_bytes())));
    let texts = recorded.connections.iter().map(|connection| connection.open(&mut sink, |_| false)).collect();
    (texts, sink.skipped)
}

/// The keys of a key log or of a private key.
fn loaded(path: &Path) -> Keys {
    let mut keys = Keys::default();
    match path.extension().is_some_and(|end| end == "key") {
        true => keys.load_rsa_key(path).unwrap(),
        false if path.exists() => drop(keys.load_log(path).unwrap()),
        false => {}
    }
    keys
}

/// tshark's view of so many connections: the side that sent first, then the other, which is indented.
fn followed(capture: &Path, beside: &Path, connections: usize) -> Option<Vec<Texts>> {
    let preference = match beside.extension().is_some_and(|end| end == "key") {
        true => format!("uat:rsa_keys:\"{}\",\"\"", beside.display()),
        false => format!("tls.keylog_file:{}", beside.display()),
    };
    let asked: Vec<String> = (0..connections).map(|number| format!("follow,tls,raw,{number}")).collect();
    let mut arguments = vec!["-o", &preference, "-q"];
    arguments.extend(asked.iter().flat_map(|one| ["-z", one]));
    let mut followed = vec![Texts::default(); connections];
    let mut current = None;
    for line in tshark(capture, &arguments)? {
        if let Some(number) = line.strip_prefix("Filter: tcp.stream eq ") {
            current = followed.get_mut(number.parse::<usize>().unwrap());
        } else if let Some(texts) = &mut current
            && line.trim().bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            let (pairs, _) = line.trim().as_bytes().as_chunks::<2>();
            let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            texts[usize::from(line.starts_with('\t'))].extend(pairs.iter().map(byte));
        }
    }
    Some(followed)
}

/// Captures, and the key log or private key that lies beside them.
fn pairs() -> Vec<(PathBuf, PathBuf)> {
    let mut folders = vec![captures_folder().join("tls")];
    folders.extend(shared_captures().map(|folder| folder.join("xmpp")));
    let mut found = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder).unwrap() {
            let capture = entry.unwrap().path();
            let (keylog, key) = (capture.with_extension("keys"), capture.with_extension("server.key"));
            let has_secrets = capture.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("-dsb"));
            if capture.extension().is_some_and(|end| end == "pcap" || end == "pcapng")
                && (keylog.exists() || key.exists() || has_secrets)
            {
                found.push((capture, if key.exists() { key } else { keylog }));
            }
        }
    }
    found.sort();
    found
}

/// Captures of which tshark opens less, and why.
const OPENED_FURTHER: &[(&str, &str)] =
    &[("t13-late-clientcert", "tshark takes the Finished of a late client certificate for a change of keys")];

#[test]
fn opened_bytes_are_wiresharks() {
    let (mut wrong, mut bytes) = (Vec::new(), 0);
    let pairs = pairs();
    assert!(pairs.len() >= 20, "only {} captures", pairs.len());
    for (capture, beside) in pairs {
        if OPENED_FURTHER.iter().any(|(name, _)| capture.display().to_string().contains(name)) {
            continue;
        }
        let (ours, skipped) = open(&capture, loaded(&beside));
        let Some(theirs) = followed(&capture, &beside, ours.len()) else { return };
        for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            bytes += ours.concat().len();
            // Who sent first is not who opened the connection.
            let swapped = [&theirs[1], &theirs[0]];
            if ours != theirs && [&ours[0], &ours[1]] != swapped {
                let lengths = [ours[0].len(), ours[1].len(), theirs[0].len(), theirs[1].len()];
                wrong.push(format!("{} connection {number}: ours and theirs are {lengths:?} bytes", capture.display()));
            }
        }
        if !skipped.is_empty() {
            wrong.push(format!("{}: skipped {skipped:?}", capture.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(bytes > 50_000, "only {bytes} bytes were opened");
}

/// Captures of OpenSSL's conversations.
fn samples() -> Vec<PathBuf> {
    let paths = std::fs::read_dir(captures_folder().join("tls")).unwrap().map(|entry| entry.unwrap().path());
    let mut samples: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "pcap")).collect();
    samples.sort();
    samples
}

#[test]
fn private_keys_open_what_key_logs_do() {
    let mut opened = 0;
    for capture in samples().iter().filter(|path| path.display().to_string().contains("rsa")) {
        let mut keys = Keys::default();
        keys.load_rsa_key(&captures_folder().join("tls/server.key")).unwrap();
        let by_key = open(capture, keys);
        let by_log = open(capture, loaded(&capture.with_extension("keys")));
        assert!(by_log.0.iter().all(|texts| !texts[0].is_empty()), "{}", capture.display());
        assert_eq!(by_key, by_log, "{}", capture.display());
        opened += 1;
    }
    assert!(opened >= 6, "only {opened} captures");
}

/// Every segment is lost in turn. What was in it is missing; what came before and after is not.
#[test]
fn what_follows_lost_segments_is_opened() {
    let lines =
        |text: &[u8]| -> Vec<Vec<u8>> { text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() };
    let (mut wrong, mut tried, mut recovered) = (Vec::new(), 0, 0);
    // New keys cannot be had where the hellos of a renegotiation are lost.
    for capture in samples().into_iter().filter(|path| !path.display().to_string().contains("renegotiate")) {
        // TLS 1.0 sends the first byte of a line in a record of its own, and its records chain to each other.
        let chained = capture.file_stem().unwrap().to_string_lossy().starts_with("tls1-");
        for connection in record(&capture).connections {
            let sink = || Keyed { keys: loaded(&capture.with_extension("keys")), ..Keyed::default() };
            let whole = connection.open(&mut sink(), |_| false);
            for lost in 0..connection.pieces.len() {
                tried += 1;
                let mut sink = sink();
                let texts = connection.open(&mut sink, |index| index == lost);
                let mut missing = 0;
                for (text, whole) in texts.iter().zip(&whole) {
                    let (text, whole) = (lines(text), lines(whole));
                    let mut rest = whole.iter();
                    if !chained && !text.iter().all(|line| rest.any(|one| one == line)) {
                        wrong.push(format!("{}: without {lost}: made up", capture.display()));
                    }
                    missing += whole.len().saturating_sub(text.len());
                }
                let data = connection.pieces[lost].1.first() == Some(&23) || lost > connection.pieces.len() / 2;
                let least = if chained { 2 } else { 1 };
                // Early data is one segment of several lines.
                if data && missing > least + 1 {
                    wrong.push(format!(
                        "{}: without {lost}: {missing} lines missing, {:?}",
                        capture.display(),
                        sink.skipped
                    ));
                }
                recovered += usize::from(missing <= least);
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(recovered * 10 > tried * 7, "only {recovered} of {tried} losses cost no more than a line");
}

#[test]
fn private_keys_open_sessions_that_are_resumed_elsewhere() {
    let capture = captures_folder().join("tls/t12-rsa-resume-hosts.pcap").display().to_string();
    let key = captures_folder().join("tls/server.key").display().to_string();
    let run = Run::analyze(&[&capture, "--rsa-key", &key, "--tables", "ndjson"]);
    let servers: Vec<_> = run.table("xmpp_streams").iter().map(|stream| stream["server"].to_string()).collect();
    assert_eq!(servers, ["\"127.0.0.1:22001\"", "\"127.0.0.2:22001\""]);
    assert_eq!(run.table("stanzas").len(), 24);
}

#[test]
fn what_follows_a_late_client_certificate_is_opened() {
    let capture = captures_folder().join("tls/t13-late-clientcert.pcap");
    let (texts, skipped) = open(&capture, loaded(&capture.with_extension("keys")));
    assert_eq!(skipped, [""; 0]);
    for text in texts.iter().flatten() {
        assert!(text.ends_with(b"</stream:stream>\n"), "{}", text.escape_ascii());
    }
}
