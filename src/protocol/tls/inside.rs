//! What lies inside TLS: opened text in, the conversation that it is out.

use crate::evidence::{Direction, FlowInfo, Stamp, TlsLayer, Within};
use crate::protocol::{Chunk, Conversation, End, Gap, Sink};
use std::sync::Arc;

/// The conversation inside, and how far it is.
pub(super) struct Inside {
    conversation: Conversation,
    /// The flow as it is told inside; there once something was opened.
    flow: Option<Arc<FlowInfo>>,
    offsets: [u64; 2],
}

impl Inside {
    pub(super) fn new(conversation: Conversation) -> Self {
        Self { conversation, flow: None, offsets: [0; 2] }
    }

    /// Protocol inside, once it was opened and recognised.
    pub(super) fn protocol(&self) -> Option<&'static str> {
        self.flow.as_ref().and_then(|_| self.conversation.protocol())
    }

    /// Text of a record that was complete with `chunk`.
    pub(super) fn data(&mut self, chunk: &Chunk<'_>, layer: TlsLayer, text: &[u8], sink: &mut dyn Sink) {
        if text.is_empty() {
            return;
        }
        let Some(offset) = self.offsets.get_mut(chunk.direction.index()) else { return };
        let within = Within { tls: Some(layer), ..chunk.flow.within };
        let flow = self.flow.get_or_insert_with(|| chunk.flow.opened(within));
        let inner = Chunk { flow, direction: chunk.direction, data: text, offset: *offset, stamp: chunk.stamp };
        *offset = offset.saturating_add(text.len() as u64);
        self.conversation.data(&inner, sink);
    }

    /// Text is missing, about as much as bytes around it.
    pub(super) fn gap(&mut self, direction: Direction, bytes: u64, stamp: Stamp, sink: &mut dyn Sink) {
        let (Some(flow), Some(offset)) = (&self.flow, self.offsets.get_mut(direction.index())) else { return };
        *offset = offset.saturating_add(bytes);
        self.conversation.gap(&Gap { flow, direction, bytes, stamp }, sink);
    }

    /// The layer is not opened: who reads inside is told of it only.
    pub(super) fn sealed(&mut self, layer: TlsLayer) {
        if self.flow.is_none() {
            self.conversation.sealed(layer);
        }
    }

    pub(super) fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        let flow = self.flow.as_ref().unwrap_or(end.flow);
        self.conversation.end(&End { flow, stamp: end.stamp }, sink);
    }
}
