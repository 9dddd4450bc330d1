//! What a granted CONNECT opens (RFC 9110, 9.3.6): bytes of another conversation, as if nothing were around it.

use crate::protocol::early::Early;
use crate::protocol::inside::Inside;
use crate::protocol::{Chunk, Decoder, End, Gap, Next, Sink};

/// Starts a decoder behind the answer. `early` is what the client said before that.
pub(super) fn start(early: Option<Box<Early>>) -> Box<dyn Decoder> {
    Box::new(Tunnel { early, inside: Inside::default() })
}

struct Tunnel {
    early: Option<Box<Early>>,
    inside: Inside,
}

impl Decoder for Tunnel {
    fn protocol(&self) -> &'static str {
        self.inside.protocol().unwrap_or("http")
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        self.inside.enter(chunk.flow, |within| within);
        if let Some(early) = self.early.take() {
            for (stamp, data) in &early.pieces {
                self.inside.data(early.direction, data, *stamp, sink);
            }
        }
        self.inside.data(chunk.direction, chunk.data, chunk.stamp, sink);
        if self.inside.is_over() { Next::Opaque } else { Next::Continue }
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        self.inside.gap(gap.direction, gap.bytes, gap.stamp, sink);
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        self.inside.end(end, sink);
    }
}
