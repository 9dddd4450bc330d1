//! What lies inside a layer that was opened: bytes of the layer in, a conversation of its own fed.
//!
//! Serves the layers that hold another conversation: compression, WebSocket, tunnels.

use super::{Chunk, Conversation, End, Gap, Sink};
use crate::evidence::{Direction, FlowInfo, Stamp, Within};
use memchr::memchr;
use std::sync::Arc;

/// A conversation inside another.
#[derive(Default)]
pub(super) struct Inside {
    conversation: Conversation,
    /// The flow as seen from inside, once something came.
    flow: Option<Arc<FlowInfo>>,
    offsets: [u64; 2],
}

impl Inside {
    /// Feeds this conversation, which may have read what came before.
    pub fn new(conversation: Conversation) -> Self {
        Self { conversation, ..Self::default() }
    }

    /// Tells the layers around; to be called before anything is fed.
    pub fn enter(&mut self, outer: &Arc<FlowInfo>, within: impl FnOnce(Within) -> Within) {
        self.flow.get_or_insert_with(|| outer.opened(within(outer.within)));
    }

    /// Name of the protocol inside, if it is known.
    pub fn protocol(&self) -> Option<&'static str> {
        self.conversation.protocol()
    }

    /// Nothing more can be read inside.
    pub fn is_over(&self) -> bool {
        matches!(self.conversation, Conversation::Opaque(_) | Conversation::Unknown(_))
    }

    /// The next bytes of a direction.
    pub fn data(&mut self, direction: Direction, data: &[u8], stamp: Stamp, sink: &mut dyn Sink) {
        let (Some(flow), Some(offset)) = (&self.flow, self.offsets.get_mut(direction.index())) else { return };
        if data.is_empty() {
            return;
        }
        let chunk = Chunk { flow, direction, data, offset: *offset, stamp };
        *offset += data.len() as u64;
        self.conversation.data(&chunk, sink);
    }

    /// Bytes are missing; of some layers it is not known how many.
    pub fn gap(&mut self, direction: Direction, bytes: u64, stamp: Stamp, sink: &mut dyn Sink) {
        let (Some(flow), Some(offset)) = (&self.flow, self.offsets.get_mut(direction.index())) else { return };
        *offset = offset.saturating_add(bytes);
        self.conversation.gap(&Gap { flow, direction, bytes, stamp }, sink);
    }

    /// Text in which each NUL is a byte that is not known ([`super::inflate::Inflater::resumed`]).
    pub fn data_with_holes(&mut self, direction: Direction, data: &[u8], stamp: Stamp, sink: &mut dyn Sink) {
        let mut rest = data;
        while !rest.is_empty() {
            let (known, after) = rest.split_at_checked(memchr(0, rest).unwrap_or(rest.len())).unwrap_or((rest, &[]));
            self.data(direction, known, stamp, sink);
            let unknown = after.iter().position(|byte| *byte != 0).unwrap_or(after.len());
            if unknown > 0 {
                self.gap(direction, unknown as u64, stamp, sink);
            }
            rest = after.get(unknown..).unwrap_or_default();
        }
    }

    /// No more bytes will come.
    pub fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        let flow = self.flow.as_ref().unwrap_or(end.flow);
        self.conversation.end(&End { flow, ..*end }, sink);
    }
}
