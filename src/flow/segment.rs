//! What reassembly takes and gives: segments in, pieces and holes out.

use crate::evidence::Stamp;

/// Which copy counts when a segment repeats bytes that wait for their turn with other content. Bytes that were passed
/// on already always count as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverlapPolicy {
    /// The copy that came first, as Linux does.
    #[default]
    First,
    /// The copy that came last, as some old stacks do.
    Last,
}

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The next bytes of the stream.
    Data {
        /// Their place in the stream.
        offset: u64,
        /// The bytes.
        data: &'a [u8],
        /// The frame that carried them.
        stamp: Stamp,
    },
    /// Bytes that are not in the capture.
    Gap {
        /// How many.
        bytes: u64,
        /// The frame that showed it.
        stamp: Stamp,
    },
}

/// A segment's payload.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// Sequence number of the first payload byte.
    pub seq: u32,
    /// Payload as captured.
    pub data: &'a [u8],
    /// Payload on the wire: longer than `data` if a snapshot length cut it.
    pub wire_len: u32,
    /// Its frame.
    pub stamp: Stamp,
    /// Batch and packet, by which [`Recall`] finds the payload again while the batch lives.
    pub place: Place,
}

/// A packet of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Number of the batch.
    pub batch: u32,
    /// Index of the packet in it.
    pub packet: u32,
}

/// Finds the payload of an earlier packet, if its batch is still there: so overlaps are compared without keeping copies.
pub trait Recall {
    /// The TCP payload of the packet.
    fn payload(&self, place: Place) -> Option<&[u8]>;
}

/// Nothing can be recalled.
impl Recall for () {
    fn payload(&self, _place: Place) -> Option<&[u8]> {
        None
    }
}

/// A hole in front of bytes that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Capture time at which the first waiting segment came.
    pub since_ns: i64,
    /// Segments that wait.
    pub waiting: usize,
    /// The peer has acknowledged the missing bytes: they were sent, and the capture lost them.
    pub acked: bool,
}
