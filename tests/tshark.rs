//! Decoding agrees with Wireshark's: frames, flows, reassembled bytes, stanzas, DNS names.
//!
//! Runs where tshark is installed, over `captures/` and, where they are there, the shared captures beside the project.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod support;

use jabberscope::capture::CaptureSet;
use jabberscope::evidence::Direction;
use jabberscope::flow::{Chunk, End, FlowSummary, FlowTable, Gap, Handler, Limits, PacketView};
use jabberscope::packet::{self, Decoded, Defragmenter, FragmentLimits};
use std::collections::BTreeMap;
use std::path::Path;
use support::tshark::{captures, tshark};

/// What the library makes of a capture.
#[derive(Default)]
struct Seen {
    frames: u64,
    streams: Vec<Stream>,
}

/// A TCP conversation's bytes, by direction.
#[derive(Default, Clone)]
struct Stream {
    first_frame: u64,
    bytes: [Vec<u8>; 2],
    gaps: bool,
}

#[derive(Default)]
struct Collect {
    streams: Vec<Stream>,
}

impl Handler for Collect {
    type Conversation = Stream;

    fn data(&mut self, stream: &mut Stream, chunk: &Chunk<'_>) {
        stream.bytes[chunk.direction.index()].extend_from_slice(chunk.data);
    }

    fn gap(&mut self, stream: &mut Stream, _: &Gap<'_>) {
        stream.gaps = true;
    }

    fn end(&mut self, _: &mut Stream, _: &End<'_>) {}

    fn close(&mut self, stream: &mut Stream, summary: &FlowSummary) {
        if summary.info.transport.number() == 6 {
            let mut stream = std::mem::take(stream);
            stream.first_frame = summary.first.frame;
            self.streams.push(stream);
        }
    }
}

fn read(capture: &Path) -> Option<Seen> {
    let mut captures = CaptureSet::open(&[capture.display().to_string()]).ok()?;
    let mut defragmenter = Defragmenter::new(FragmentLimits::default());
    // tshark has no timeouts.
    let forever = i64::MAX;
    let limits = Limits {
        tcp_timeout_ns: forever,
        datagram_timeout_ns: forever,
        closed_timeout_ns: forever,
        ..Limits::default()
    };
    let (mut table, mut collect, mut seen) = (FlowTable::new(limits), Collect::default(), Seen::default());
    while let Some((batch, hashing)) = captures.next_batch(10_000, 64 << 20) {
        hashing.run();
        for index in 0..batch.len() {
            let frame = batch.frame(index).unwrap();
            seen.frames += 1;
            let decoded = packet::decode(&frame);
            let whole;
            let (decoded, data) = match &decoded {
                Decoded::Fragment(fragment) => match defragmenter.push(&frame, fragment) {
                    Some(done) => {
                        whole = done;
                        (&whole.decoded, &*whole.data)
                    }
                    None => continue,
                },
                other => (other, frame.data),
            };
            let parts = match decoded {
                Decoded::Several(parts) => parts.as_slice(),
                one => std::slice::from_ref(one),
            };
            for part in parts {
                if let Decoded::Packet(packet) = part {
                    let view = PacketView { packet, data, stamp: frame.stamp, place: Default::default() };
                    table.packet(&view, &(), &mut collect);
                }
            }
        }
    }
    table.finish(&mut collect);
    collect.streams.sort_by_key(|stream| stream.first_frame);
    seen.streams = collect.streams;
    Some(seen)
}

#[test]
fn frames_are_counted_alike() {
    let mut wrong = Vec::new();
    for capture in captures() {
        let Some(lines) = tshark(&capture, &["-T", "fields", "-e", "frame.number"]) else { return };
        let ours = read(&capture).map_or(0, |seen| seen.frames);
        if lines.len() as u64 != ours {
            wrong.push(format!("{}: tshark {} frames, jabberscope {ours}", capture.display(), lines.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Streams of tshark's `follow`, by the frame in which they begin.
fn followed(capture: &Path) -> Option<BTreeMap<u64, [Vec<u8>; 2]>> {
    let lines =
        tshark(capture, &["-Y", "tcp && !icmp && !icmpv6", "-T", "fields", "-e", "tcp.stream", "-e", "frame.number"])?;
    let mut first = BTreeMap::new();
    for line in &lines {
        let (stream, frame) = line.split_once('\t').unwrap();
        // None where the header is cut, several where a tunnel's packets are in one frame: the innermost counts.
        let Some(stream) = stream.split(',').next_back().and_then(|number| number.parse::<u64>().ok()) else {
            continue;
        };
        first.entry(stream).or_insert_with(|| frame.parse::<u64>().unwrap());
    }
    let taps: Vec<String> = first.keys().map(|stream| format!("follow,tcp,raw,{stream}")).collect();
    let mut arguments = vec!["-q"];
    arguments.extend(taps.iter().flat_map(|tap| ["-z", tap.as_str()]));
    let mut streams = BTreeMap::new();
    let mut current = None;
    for line in tshark(capture, &arguments)? {
        if let Some(number) = line.strip_prefix("Filter: tcp.stream eq ") {
            let frame = first[&number.trim().parse::<u64>().unwrap()];
            current = Some(frame);
            streams.insert(frame, [Vec::new(), Vec::new()]);
        } else if let Some(frame) = current {
            let (side, hex) = match line.strip_prefix('\t') {
                Some(hex) => (1, hex),
                None => (0, line.as_str()),
            };
            let hex = hex.trim_end().as_bytes();
            if !hex.is_empty() && hex.len() % 2 == 0 && hex.iter().all(u8::is_ascii_hexdigit) {
                let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
                streams.get_mut(&frame).unwrap()[side].extend(hex.chunks(2).map(byte));
            }
        }
    }
    Some(streams)
}

/// Where jabberscope differs from tshark on purpose.
const DIFFERENT_ON_PURPOSE: &[(&str, &str)] = &[
    ("suricata--tcp-rst-unacked-stream", "tshark counts the payload of a RST, which is no part of the stream"),
    ("ndpi--ndpi_match_string_subprotocol__error", "a SYN-ACK an hour after the FIN begins another connection"),
];

#[test]
fn streams_hold_the_same_bytes() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for capture in captures() {
        if DIFFERENT_ON_PURPOSE.iter().any(|(name, _)| capture.display().to_string().contains(name)) {
            continue;
        }
        let Some(theirs) = followed(&capture) else { return };
        let Some(ours) = read(&capture) else { continue };
        let ours: BTreeMap<u64, &Stream> = ours.streams.iter().map(|stream| (stream.first_frame, stream)).collect();
        if theirs.len() != ours.len() {
            wrong.push(format!("{}: tshark {} streams, jabberscope {}", capture.display(), theirs.len(), ours.len()));
        }
        for (frame, bytes) in &theirs {
            let Some(stream) = ours.get(frame) else { continue };
            // What is missing is told in words by tshark, by `gap` here.
            if stream.gaps {
                continue;
            }
            compared += 1;
            let mut sides = [&stream.bytes[Direction::FromOrig.index()], &stream.bytes[Direction::FromResp.index()]];
            // tshark calls the sender of the first packet the client.
            if sides[0] != &bytes[0] {
                sides.swap(0, 1);
            }
            if sides != [&bytes[0], &bytes[1]] {
                let lengths = |sides: [&Vec<u8>; 2]| format!("{} and {}", sides[0].len(), sides[1].len());
                wrong.push(format!(
                    "{} from frame {frame}: tshark {} bytes, jabberscope {}",
                    capture.display(),
                    lengths([&bytes[0], &bytes[1]]),
                    lengths(sides)
                ));
            }
        }
    }
    assert!(compared > 50, "only {compared} streams were compared");
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
}
