//! WebSocket (RFC 6455): bytes behind the granted upgrade in, the payload of its messages out to a conversation inside.
//!
//! Messages may be masked, in fragments with control frames between, and deflated (permessage-deflate, RFC 7692) with a
//! window that lasts over messages or not. With the subprotocol `xmpp` (RFC 7395) the XMPP decoder reads them; of
//! another subprotocol the first bytes tell. Payload is handed on as it comes: no frame is collected, whatever length it
//! claims.
//!
//! Lost bytes within a payload leave the frames as they are. Behind others a direction goes on at a chunk that
//! plausibly begins with a frame; a deflated one then lacks what its window held, as compressed streams do.

mod frame;
mod lane;

use super::early::Early;
use super::inside::Inside;
use super::{Chunk, Conversation, Decoder, End, Gap, Next, Sink, xmpp};
use crate::evidence::{Direction, HttpBinding, Stamp, Within};
use lane::Lane;

/// What the upgrade has settled.
#[derive(Debug, Default)]
pub(super) struct Upgrade {
    /// Who asked for it.
    pub client: Option<Direction>,
    /// `Sec-WebSocket-Protocol` as chosen by the server.
    pub subprotocol: Option<String>,
    /// `Sec-WebSocket-Extensions` as chosen by the server.
    pub extensions: String,
    /// What the client said before the server's answer came.
    pub early: Option<Box<Early>>,
}

/// Starts a decoder at the first frame.
pub(super) fn start(upgrade: Upgrade) -> Box<dyn Decoder> {
    let is_xmpp = upgrade.subprotocol.as_deref().is_some_and(|name| name.trim().eq_ignore_ascii_case("xmpp"));
    let inside = if is_xmpp { Conversation::Decoded(xmpp::start()) } else { Conversation::default() };
    let has = |parameter: &str| upgrade.extensions.split([',', ';']).any(|part| part.trim() == parameter);
    let lane = |direction: Direction| {
        let from_client = upgrade.client.unwrap_or(Direction::FromOrig) == direction;
        Lane::new(
            from_client,
            has(if from_client { "client_no_context_takeover" } else { "server_no_context_takeover" }),
        )
    };
    Box::new(WebSocketDecoder {
        lanes: [lane(Direction::FromOrig), lane(Direction::FromResp)],
        inside: Inside::new(inside),
        is_xmpp,
        early: upgrade.early,
    })
}

/// Reads both directions of a WebSocket.
struct WebSocketDecoder {
    lanes: [Lane; 2],
    inside: Inside,
    is_xmpp: bool,
    early: Option<Box<Early>>,
}

impl WebSocketDecoder {
    fn read(&mut self, direction: Direction, data: &[u8], stamp: Stamp, sink: &mut dyn Sink) {
        if let Some(lane) = self.lanes.get_mut(direction.index()) {
            lane.read(data, &mut lane::Place { direction, stamp, inside: &mut self.inside, sink });
        }
    }
}

impl Decoder for WebSocketDecoder {
    fn protocol(&self) -> &'static str {
        self.inside.protocol().unwrap_or("websocket")
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        let binding = self.is_xmpp.then_some(HttpBinding::WebSocket);
        self.inside.enter(chunk.flow, |within| Within { http: binding, ..within });
        if let Some(early) = self.early.take() {
            for (stamp, data) in &early.pieces {
                self.read(early.direction, data, *stamp, sink);
            }
        }
        self.read(chunk.direction, chunk.data, chunk.stamp, sink);
        let is_over = self.inside.is_over() || self.lanes.iter().all(Lane::is_closed);
        if is_over { Next::Opaque } else { Next::Continue }
    }

    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        if let Some(lane) = self.lanes.get_mut(gap.direction.index()) {
            let (direction, stamp) = (gap.direction, gap.stamp);
            lane.gap(gap.bytes, &mut lane::Place { direction, stamp, inside: &mut self.inside, sink });
        }
    }

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        self.inside.end(end, sink);
    }
}

#[cfg(test)]
mod tests;
