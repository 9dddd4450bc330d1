//! BOSH sessions: any messages in exchanges in any order.
#![no_main]

use jabberscope::evidence::{Direction, FlowInfo, Seen, Sighting, Stamp, Transport};
use jabberscope::protocol::http::{HttpEvent, HttpExchange, HttpMessage};
use jabberscope::protocol::{Event, Record, Sink, joins, xmpp};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

struct Ignore;

impl Sink for Ignore {
    fn stanza(&mut self, _: &Seen<'_>, _: &xmpp::Stanza<'_>) {}
    fn event(&mut self, _: &Seen<'_>, _: Event) {}
    fn skipped(&mut self, _: &'static str, _: Stamp) {}
}

fn message(open: String, content: &[u8], stamp: Stamp) -> HttpMessage {
    let body = [open.as_bytes(), content, b"</body>"].concat();
    HttpMessage { body_bytes: body.len() as u64, body, complete: true, frames: (stamp, stamp), ..Default::default() }
}

fuzz_target!(|data: &[u8]| {
    let flow = Arc::new(FlowInfo {
        transport: Transport::Tcp,
        orig: ([10, 0, 0, 7], 40000).into(),
        resp: ([10, 0, 0, 1], 5280).into(),
        community_id: "1:fuzz".into(),
        tunnel: "".into(),
        within: Default::default(),
    });
    let mut joins = joins();
    let mut rest = data;
    // Each exchange: its number, its session and kind, its times, and the length of what is said both ways.
    while let Some((&[rid, kind, asked, answered, length], after)) = rest.split_first_chunk() {
        let (content, after) = after.split_at(after.len().min(usize::from(length)));
        rest = after;
        let stamp = |time: u8| Stamp { frame: u64::from(time), time_ns: i64::from(time), ..Stamp::default() };
        let sid = if kind & 1 == 0 { format!("sid='{}'", kind >> 5) } else { String::new() };
        let open = format!("<body xmlns='http://jabber.org/protocol/httpbind' rid='{rid}' {sid} to='x.test'>");
        let answer = format!("<body xmlns='http://jabber.org/protocol/httpbind' sid='{}'>", kind >> 5);
        let last = stamp(asked.max(answered));
        let told = HttpExchange {
            request: message(open, content, stamp(asked)),
            status: (kind & 2 == 0).then_some(200),
            response: (kind & 4 == 0).then(|| message(answer, content, stamp(answered))),
            ..Default::default()
        };
        let direction = if kind & 8 == 0 { Direction::FromOrig } else { Direction::FromResp };
        let at = Sighting { flow: Arc::clone(&flow), direction, first: stamp(asked), last };
        let record = Record { at, event: Event::Http(HttpEvent::Exchange(Box::new(told))) };
        joins.iter_mut().for_each(|join| join.on_record(&record, &mut Ignore));
    }
    joins.iter_mut().for_each(|join| join.finish(&mut Ignore));
});
