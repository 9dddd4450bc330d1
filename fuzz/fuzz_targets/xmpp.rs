//! Any bytes in any pieces in both directions, with gaps: the decoder neither panics nor hangs.
#![no_main]

use jabberscope::evidence::{Direction, FlowInfo, Seen, Stamp, Transport};
use jabberscope::protocol::{Chunk, End, Event, Gap, Next, Sink, xmpp};
use libfuzzer_sys::fuzz_target;
use std::net::SocketAddr;
use std::sync::Arc;

struct Ignore;

impl Sink for Ignore {
    fn stanza(&mut self, _: &Seen<'_>, _: &xmpp::Stanza<'_>) {}
    fn event(&mut self, _: &Seen<'_>, _: Event) {}
    fn skipped(&mut self, _: &'static str, _: Stamp) {}
}

fuzz_target!(|bytes: &[u8]| {
    let flow = Arc::new(FlowInfo {
        transport: Transport::Tcp,
        orig: SocketAddr::from(([10, 0, 0, 1], 40000)),
        resp: SocketAddr::from(([10, 0, 0, 2], 5222)),
        community_id: "".into(),
        tunnel: "".into(), within: jabberscope::evidence::Within::default(),
    });
    let stamp = Stamp::default();
    let mut decoder = xmpp::start();
    // A byte of the input before each piece: direction, whether something is missing before it, and its length.
    let mut rest = bytes;
    while let Some((control, after)) = rest.split_first() {
        let direction = if control & 1 == 0 { Direction::FromOrig } else { Direction::FromResp };
        if control & 0x0e == 0x0e {
            decoder.gap(&Gap { flow: &flow, direction, bytes: 1, stamp }, &mut Ignore);
        }
        let (data, after) = after.split_at(after.len().min(usize::from(control >> 1)));
        rest = after;
        if !data.is_empty() {
            let chunk = Chunk { flow: &flow, direction, data, offset: 0, stamp };
            if !matches!(decoder.data(&chunk, &mut Ignore), Next::Continue) {
                break;
            }
        }
    }
    decoder.end(&End { flow: &flow, stamp }, &mut Ignore);
});
