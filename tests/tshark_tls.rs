//! TLS that keys open gives the same bytes as Wireshark's.
//!
//! Every `captures/tls/NAME.pcap` has its key log in `NAME.keys`; the shared captures beside the project are looked at
//! where they are there. Runs where tshark is installed.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod support;

use jabberscope::capture::CaptureSet;
use jabberscope::evidence::{Seen, Stamp};
use jabberscope::flow::{Chunk, End, FlowSummary, FlowTable, Gap, Handler, Limits, PacketView};
use jabberscope::packet::{self, Decoded};
use jabberscope::protocol::tls::{self, KeyRing, Keys, Sessions};
use jabberscope::protocol::{Decoder, Event, Next, Sink, xmpp};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use support::tshark::tshark;
use support::{captures_folder, shared_captures};

/// Opened bytes, by direction.
type Texts = [Vec<u8>; 2];

/// A connection: a TLS decoder around something that only collects, from the first record on.
#[derive(Default)]
struct Connection {
    decoder: Option<Box<dyn Decoder>>,
    texts: Arc<Mutex<Texts>>,
}

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

/// Has keys, and ignores what is reported.
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

/// What was opened of each connection, by its first frame.
#[derive(Default)]
struct Opened {
    sink: Keyed,
    connections: Vec<(u64, Texts)>,
}

impl Handler for Opened {
    type Conversation = Connection;

    fn data(&mut self, connection: &mut Connection, chunk: &Chunk<'_>) {
        if connection.decoder.is_none() && chunk.data.starts_with(&[22, 3]) {
            connection.decoder = Some(tls::start_around(Box::new(Collect(Arc::clone(&connection.texts)))));
        }
        if let Some(decoder) = &mut connection.decoder {
            decoder.data(chunk, &mut self.sink);
        }
    }

    fn gap(&mut self, connection: &mut Connection, gap: &Gap<'_>) {
        if let Some(decoder) = &mut connection.decoder {
            decoder.gap(gap, &mut self.sink);
        }
    }

    fn end(&mut self, _: &mut Connection, _: &End<'_>) {}

    fn close(&mut self, connection: &mut Connection, summary: &FlowSummary) {
        if summary.info.transport.number() == 6 {
            let texts = std::mem::take(&mut *connection.texts.lock().unwrap());
            self.connections.push((summary.first.frame, texts));
        }
    }
}

fn open(capture: &Path, keys: Keys) -> Opened {
    let mut captures = CaptureSet::open(&[capture.display().to_string()]).unwrap();
    let mut opened = Opened { sink: Keyed { keys, ..Keyed::default() }, ..Opened::default() };
    let mut table = FlowTable::new(Limits::default());
    while let Some((batch, _)) = captures.next_batch(10_000, 64 << 20) {
        captures.take_tls_secrets().iter().for_each(|line| drop(opened.sink.keys.add_log(line.as_bytes())));
        for frame in (0..batch.len()).filter_map(|index| batch.frame(index)) {
            if let Decoded::Packet(packet) = packet::decode(&frame) {
                let view =
                    PacketView { packet: &packet, data: frame.data, stamp: frame.stamp, place: Default::default() };
                table.packet(&view, &(), &mut opened);
            }
        }
    }
    table.finish(&mut opened);
    opened.connections.sort_by_key(|(first, _)| *first);
    opened
}

fn logged(path: &Path) -> Keys {
    let mut keys = Keys::default();
    if path.exists() {
        keys.load_log(path).unwrap();
    }
    keys
}

/// tshark's view of so many connections: the side that sent first, then the other, which is indented.
fn followed(capture: &Path, keylog: &Path, connections: usize) -> Option<Vec<Texts>> {
    let preference = format!("tls.keylog_file:{}", keylog.display());
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

fn pairs() -> Vec<(PathBuf, PathBuf)> {
    let mut folders = vec![captures_folder().join("tls")];
    folders.extend(shared_captures().map(|folder| folder.join("xmpp")));
    let mut found = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder).unwrap() {
            let capture = entry.unwrap().path();
            let keylog = capture.with_extension("keys");
            let has_secrets = capture.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("-dsb"));
            if capture.extension().is_some_and(|end| end == "pcap" || end == "pcapng")
                && (keylog.exists() || has_secrets)
            {
                found.push((capture, keylog));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn opened_bytes_are_wiresharks() {
    let (mut wrong, mut bytes) = (Vec::new(), 0);
    let pairs = pairs();
    assert!(pairs.len() >= 20, "only {} captures", pairs.len());
    for (capture, keylog) in pairs {
        let ours = open(&capture, logged(&keylog));
        let Some(theirs) = followed(&capture, &keylog, ours.connections.len()) else { return };
        for (number, ((_, ours), theirs)) in ours.connections.iter().zip(&theirs).enumerate() {
            bytes += ours.concat().len();
            // Who sent first is not who opened the connection.
            let swapped = [&theirs[1], &theirs[0]];
            if ours != theirs && [&ours[0], &ours[1]] != swapped {
                let lengths = [ours[0].len(), ours[1].len(), theirs[0].len(), theirs[1].len()];
                wrong.push(format!("{} connection {number}: ours and theirs are {lengths:?} bytes", capture.display()));
            }
        }
        if !ours.sink.skipped.is_empty() {
            wrong.push(format!("{}: skipped {:?}", capture.display(), ours.sink.skipped));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(bytes > 50_000, "only {bytes} bytes were opened");
}

#[test]
fn private_keys_open_what_key_logs_do() {
    let mut opened = 0;
    for entry in std::fs::read_dir(captures_folder().join("tls")).unwrap() {
        let capture = entry.unwrap().path();
        let name = capture.file_stem().unwrap().to_string_lossy().into_owned();
        if !name.contains("rsa") || capture.extension().is_none_or(|end| end != "pcap") {
            continue;
        }
        opened += 1;
        let mut keys = Keys::default();
        keys.load_rsa_key(&captures_folder().join("tls/server.key")).unwrap();
        let by_key = open(&capture, keys);
        let by_log = open(&capture, logged(&capture.with_extension("keys")));
        assert!(by_log.connections.iter().all(|(_, texts)| !texts[0].is_empty()), "{name}");
        assert_eq!(by_key.connections, by_log.connections, "{name}");
    }
    assert!(opened >= 4, "only {opened} captures");
}
