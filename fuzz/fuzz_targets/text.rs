//! Readable streams: any bytes, in pieces, from both sides; and the cookie detector on the lines that come out.
#![no_main]

use jabberscope::detect::cookie::CookieDetector;
use jabberscope::detect::{Detector, Settings};
use jabberscope::evidence::{Direction, FlowInfo, Seen, Stamp, Transport};
use jabberscope::protocol::{Chunk, End, Event, Next, Record, Sink, text, xmpp};
use libfuzzer_sys::fuzz_target;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

struct Lines(Vec<Record>);

impl Sink for Lines {
    fn stanza(&mut self, _: &Seen<'_>, _: &xmpp::Stanza<'_>) {}
    fn event(&mut self, seen: &Seen<'_>, event: Event) {
        if let Event::Text(line) = &event {
            assert!(line.line.len() <= 4096);
        }
        self.0.push(Record { at: seen.keep(), event });
    }
    fn skipped(&mut self, _: &'static str, _: Stamp) {}
}

fuzz_target!(|pieces: Vec<(bool, Vec<u8>)>| {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let flow = Arc::new(FlowInfo {
        transport: Transport::Tcp,
        orig: address(40_000),
        resp: address(23),
        community_id: "1:fuzz".into(),
        tunnel: "".into(), within: jabberscope::evidence::Within::default(),
    });
    let (mut decoder, mut lines, stamp) = (text::start(), Lines(Vec::new()), Stamp::default());
    for (orig, data) in pieces.iter().filter(|(_, data)| !data.is_empty()) {
        let direction = if *orig { Direction::FromOrig } else { Direction::FromResp };
        let chunk = Chunk { flow: &flow, direction, data, offset: 0, stamp };
        if !matches!(decoder.data(&chunk, &mut lines), Next::Continue) {
            break;
        }
    }
    decoder.end(&End { flow: &flow, stamp }, &mut lines);
    let mut detector = CookieDetector::new(&Settings { quote_chars: 100, ..Settings::default() });
    let mut findings = Vec::new();
    for record in &lines.0 {
        detector.on_record(record, &mut findings);
    }
    detector.finish(&mut findings);
});
