//! Packets in, conversations out: the flow table, and TCP streams put in order.
//!
//! A [`FlowTable`] owns the conversations of one shard. Each packet goes to its flow; TCP payload passes through two
//! [`half::HalfStream`]s, and what comes out in order is handed to a [`Handler`] straight from the capture's bytes:
//! only what is out of order is copied. Ordering ([`half`]) knows nothing of connection state ([`tcp`]), and neither
//! knows what the bytes mean.

pub mod community;
pub mod half;
pub mod key;
mod lru;
pub mod segment;
pub mod table;
pub mod tcp;

pub use key::FlowKey;
pub use segment::OverlapPolicy;
pub use table::{FlowTable, Limits, PacketView};

use crate::evidence::{Direction, FlowInfo, Seen, Stamp};
use std::sync::Arc;

/// Bytes of one direction in stream order (TCP), or one datagram (UDP).
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    /// The conversation.
    pub flow: &'a Arc<FlowInfo>,
    /// Who sent the bytes.
    pub direction: Direction,
    /// The bytes, never empty. They live no longer than the call: copy what must be kept.
    pub data: &'a [u8],
    /// Position of `data` in the direction's stream, counted from its first captured byte; gaps count.
    pub offset: u64,
    /// The frame that carried the bytes.
    pub stamp: Stamp,
}

impl<'a> Chunk<'a> {
    /// An event that lies in this chunk alone.
    pub fn seen(&self) -> Seen<'a> {
        self.seen_from(self.stamp)
    }

    /// An event that began in the frame of `first` and is complete with this chunk.
    pub fn seen_from(&self, first: Stamp) -> Seen<'a> {
        Seen { flow: self.flow, direction: self.direction, first, last: self.stamp }
    }
}

/// Bytes of a stream that are not in the capture.
#[derive(Debug, Clone, Copy)]
pub struct Gap<'a> {
    /// The conversation.
    pub flow: &'a Arc<FlowInfo>,
    /// Whose bytes are missing.
    pub direction: Direction,
    /// How many.
    pub bytes: u64,
    /// The frame that showed that they are missing.
    pub stamp: Stamp,
}

/// The last word of a conversation: closed, timed out, given up, or the capture ended.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// The conversation.
    pub flow: &'a Arc<FlowInfo>,
    /// Its last frame.
    pub stamp: Stamp,
}

/// What happens to the bytes of conversations. Calls for one conversation come in this order: any number of `data`
/// and `gap`, then `end` once no more bytes are expected, then `close` when the flow leaves the table.
pub trait Handler {
    /// What the handler remembers of a conversation.
    type Conversation: Default + Send;

    /// The next bytes of a direction.
    fn data(&mut self, conversation: &mut Self::Conversation, chunk: &Chunk<'_>);
    /// Bytes are missing.
    fn gap(&mut self, conversation: &mut Self::Conversation, gap: &Gap<'_>);
    /// No more bytes are expected.
    fn end(&mut self, conversation: &mut Self::Conversation, end: &End<'_>);
    /// The flow leaves the table.
    fn close(&mut self, conversation: &mut Self::Conversation, summary: &FlowSummary);
}

/// Counts of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HalfSummary {
    /// Packets.
    pub packets: u64,
    /// Bytes of IP packets, headers included.
    pub bytes: u64,
    /// Bytes of transport payload, retransmissions included.
    pub payload_bytes: u64,
    /// All TCP flags seen, joined.
    pub flags: u8,
    /// Bytes of the stream that were handed on in order.
    pub stream_bytes: u64,
    /// Bytes of the stream that are not in the capture.
    pub missing_bytes: u64,
    /// Bytes sent again.
    pub retransmitted_bytes: u64,
    /// Times two copies of the same bytes differed.
    pub conflicting_overlaps: u64,
    /// Times bytes were sent again so late that the first copy could not be compared.
    pub unverified_overlaps: u64,
    /// Segments so far outside the window that they were left out.
    pub out_of_window: u64,
}

/// How a connection stood when it left the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Not TCP: packets one way only.
    OneWay,
    /// Not TCP: packets both ways.
    TwoWay,
    /// TCP: a SYN without an answer.
    SynOnly,
    /// TCP: the answer to the SYN was a RST.
    Refused,
    /// TCP: the handshake was seen, the end was not.
    Established,
    /// TCP: both sides sent FIN.
    Closed,
    /// TCP: one side sent FIN.
    HalfClosed,
    /// TCP: ended by RST.
    Reset,
    /// TCP: the beginning is not in the capture, nor an end.
    Midstream,
}

impl State {
    /// Name in the flow table.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one-way",
            Self::TwoWay => "two-way",
            Self::SynOnly => "syn-only",
            Self::Refused => "refused",
            Self::Established => "established",
            Self::Closed => "closed",
            Self::HalfClosed => "half-closed",
            Self::Reset => "reset",
            Self::Midstream => "midstream",
        }
    }
}

/// Why a flow left the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndedBy {
    /// Both sides closed, or one reset.
    Close,
    /// Nothing came for the timeout of its kind.
    Timeout,
    /// A new connection between the same ports.
    PortReuse,
    /// The table was full and this flow was the one that had been silent longest.
    Evicted,
    /// The captures ended.
    CaptureEnd,
}

impl EndedBy {
    /// Name in the flow table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Timeout => "timeout",
            Self::PortReuse => "port-reuse",
            Self::Evicted => "evicted",
            Self::CaptureEnd => "capture-end",
        }
    }
}

/// What is known of a flow when it leaves the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowSummary {
    /// Who with whom.
    pub info: Arc<FlowInfo>,
    /// Its first frame.
    pub first: Stamp,
    /// Its last frame.
    pub last: Stamp,
    /// Opener's direction, answerer's direction.
    pub halves: [HalfSummary; 2],
    /// How it stood.
    pub state: State,
    /// Why it left.
    pub ended_by: EndedBy,
}

/// TCP flags as letters in wire order, e.g. `SAPF` for SYN, ACK, PSH and FIN.
pub fn flag_letters(flags: u8) -> String {
    const LETTERS: [(u8, char); 8] =
        [(2, 'S'), (16, 'A'), (8, 'P'), (32, 'U'), (1, 'F'), (4, 'R'), (64, 'E'), (128, 'C')];
    LETTERS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letter)| letter).collect()
}
