//! The life of one conversation: its first bytes are held until a protocol knows them, then a decoder reads on.

use super::{
    Chunk, DATAGRAM_PROTOCOLS, Decoder, End, Gap, Next, Opening, Probe, STREAM_PROTOCOLS, Sink, StreamProtocol,
};
use crate::evidence::{Direction, Stamp, TlsLayer, Transport};

/// Bytes held while no protocol is sure. A stanza of one byte a segment is known long before; what needs more is none
/// of ours.
const MAX_HELD: usize = 4096;
/// Decoders that may follow each other within one chunk; more is a loop.
const MAX_HANDOVERS: usize = 8;
/// First bytes of an unknown conversation that are kept to be shown.
const SHOWN_BYTES: usize = 48;

/// What is known of a conversation's bytes.
#[derive(Default)]
pub enum Conversation {
    /// No bytes yet.
    #[default]
    Fresh,
    /// No protocol is sure yet.
    Held(Held),
    /// A decoder reads.
    Decoded(Box<dyn Decoder>),
    /// A decoder was sure, but can read no further.
    Opaque(Box<dyn Decoder>),
    /// No protocol of ours. Keeps the first bytes to show them.
    Unknown(Box<[u8]>),
}

/// Chunks that wait for a protocol to know them.
#[derive(Default)]
pub struct Held {
    items: Vec<HeldItem>,
    /// First bytes of each direction.
    openings: [Vec<u8>; 2],
}

enum HeldItem {
    Data { direction: Direction, data: Box<[u8]>, offset: u64, stamp: Stamp },
    Gap { direction: Direction, bytes: u64, stamp: Stamp },
}

enum Verdict {
    Start(&'static StreamProtocol),
    Wait,
    Unknown,
}

impl Conversation {
    /// Name for the flow table; `None` if the protocol is not known.
    pub fn protocol(&self) -> Option<&'static str> {
        match self {
            Self::Decoded(decoder) | Self::Opaque(decoder) => Some(decoder.protocol()),
            Self::Fresh | Self::Held(_) | Self::Unknown(_) => None,
        }
    }

    /// First bytes of a conversation of no known protocol.
    pub fn first_bytes(&self) -> &[u8] {
        match self {
            Self::Unknown(bytes) => bytes,
            _ => &[],
        }
    }

    /// The next bytes of a direction, or a datagram.
    pub fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        match self {
            Self::Decoded(_) => self.decode(chunk, sink),
            Self::Opaque(_) | Self::Unknown(_) => {}
            Self::Fresh if chunk.flow.transport == Transport::Udp => self.start_datagrams(chunk, sink),
            Self::Fresh | Self::Held(_) => self.probe(chunk, sink),
        }
    }

    /// Bytes are missing.
    pub fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink) {
        match self {
            Self::Decoded(decoder) => decoder.gap(gap, sink),
            Self::Held(held) => {
                held.items.push(HeldItem::Gap { direction: gap.direction, bytes: gap.bytes, stamp: gap.stamp });
            }
            Self::Fresh | Self::Opaque(_) | Self::Unknown(_) => {}
        }
    }

    /// The conversation goes on inside TLS that stays closed.
    pub fn sealed(&mut self, layer: TlsLayer) {
        if let Self::Decoded(decoder) | Self::Opaque(decoder) = self {
            decoder.sealed(layer);
        }
    }

    /// No more bytes will come.
    pub fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        if let Self::Held(held) = self {
            let held = std::mem::take(held);
            match held.verdict(end.flow, true) {
                Verdict::Start(protocol) => self.start(protocol, held, end.flow, sink),
                Verdict::Wait | Verdict::Unknown => *self = held.unknown(),
            }
        }
        if let Self::Decoded(decoder) | Self::Opaque(decoder) = self {
            decoder.end(end, sink);
        }
    }

    fn decode(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        let mut rest = *chunk;
        for _ in 0..MAX_HANDOVERS {
            let Self::Decoded(decoder) = self else { return };
            match decoder.data(&rest, sink) {
                Next::Continue => return,
                Next::Opaque => {
                    if let Self::Decoded(decoder) = std::mem::take(self) {
                        *self = Self::Opaque(decoder);
                    }
                    return;
                }
                Next::Handover { consumed, to } => {
                    *self = Self::Decoded(to);
                    let left = rest.data.get(consumed..).unwrap_or_default();
                    if left.is_empty() {
                        return;
                    }
                    rest = Chunk { data: left, offset: rest.offset + consumed as u64, ..rest };
                }
            }
        }
        sink.skipped("protocol.handover-loop", chunk.stamp);
        *self = Self::Unknown(Box::default());
    }

    fn start_datagrams(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        let known = DATAGRAM_PROTOCOLS.iter().find(|protocol| (protocol.probe)(chunk.flow, chunk.data) == Probe::Yes);
        match known {
            Some(protocol) => {
                *self = Self::Decoded((protocol.start)());
                self.decode(chunk, sink);
            }
            None => *self = Self::Unknown(chunk.data.get(..SHOWN_BYTES).unwrap_or(chunk.data).into()),
        }
    }

    fn probe(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) {
        let mut held = match std::mem::take(self) {
            Self::Held(held) => held,
            _ => {
                // The usual case: the first bytes tell, and nothing is copied.
                if let Verdict::Start(protocol) = judge(&chunk.opening(), false) {
                    *self = Self::Decoded((protocol.start)());
                    self.decode(chunk, sink);
                    return;
                }
                Held::default()
            }
        };
        held.push(chunk);
        match held.verdict(chunk.flow, held.is_full()) {
            Verdict::Start(protocol) => self.start(protocol, held, chunk.flow, sink),
            Verdict::Wait => *self = Self::Held(held),
            Verdict::Unknown => *self = held.unknown(),
        }
    }

    fn start(
        &mut self,
        protocol: &StreamProtocol,
        held: Held,
        flow: &std::sync::Arc<crate::evidence::FlowInfo>,
        sink: &mut dyn Sink,
    ) {
        *self = Self::Decoded((protocol.start)());
        for item in &held.items {
            match item {
                HeldItem::Data { direction, data, offset, stamp } => {
                    let chunk = Chunk { flow, direction: *direction, data, offset: *offset, stamp: *stamp };
                    self.data(&chunk, sink);
                }
                HeldItem::Gap { direction, bytes, stamp } => {
                    self.gap(&Gap { flow, direction: *direction, bytes: *bytes, stamp: *stamp }, sink);
                }
            }
        }
    }
}

impl Held {
    fn push(&mut self, chunk: &Chunk<'_>) {
        if let Some(opening) = self.openings.get_mut(chunk.direction.index()) {
            opening.extend_from_slice(chunk.data);
        }
        self.items.push(HeldItem::Data {
            direction: chunk.direction,
            data: chunk.data.into(),
            offset: chunk.offset,
            stamp: chunk.stamp,
        });
    }

    fn is_full(&self) -> bool {
        self.openings.iter().map(Vec::len).sum::<usize>() >= MAX_HELD
    }

    fn verdict(&self, flow: &crate::evidence::FlowInfo, last: bool) -> Verdict {
        let [from_orig, from_resp] = &self.openings;
        judge(&Opening { flow, from_orig, from_resp }, last)
    }

    fn unknown(&self) -> Conversation {
        let [from_orig, from_resp] = &self.openings;
        let bytes = if from_orig.is_empty() { from_resp } else { from_orig };
        Conversation::Unknown(bytes.get(..SHOWN_BYTES).unwrap_or(bytes).into())
    }
}

impl<'a> Chunk<'a> {
    fn opening(&self) -> Opening<'a> {
        match self.direction {
            Direction::FromOrig => Opening { flow: self.flow, from_orig: self.data, from_resp: &[] },
            Direction::FromResp => Opening { flow: self.flow, from_orig: &[], from_resp: self.data },
        }
    }
}

/// Asks the registry in its order. A protocol that is sure starts unless one before it still may be; when no more
/// bytes are waited for (`last`), the doubts of others no longer count.
fn judge(opening: &Opening<'_>, last: bool) -> Verdict {
    let mut unsure = false;
    for protocol in STREAM_PROTOCOLS {
        match (protocol.probe)(opening) {
            Probe::Yes if !unsure || last => return Verdict::Start(protocol),
            Probe::Yes => return Verdict::Wait,
            Probe::Unsure => unsure = true,
            Probe::No => {}
        }
    }
    if unsure && !last { Verdict::Wait } else { Verdict::Unknown }
}
