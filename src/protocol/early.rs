//! Bytes of one direction that came before the other direction said how to read them.
//!
//! On the wire a side waits for consent to a change of protocol. Captures of several points, and those whose packets are
//! out of order, may show its next bytes first.

use crate::evidence::{Direction, Stamp};

/// Bytes that wait at most: consent comes before a side has said that much.
const MAX_BYTES: usize = 64 << 10;

/// Bytes that wait.
#[derive(Debug)]
pub(super) struct Early {
    /// Who sent them.
    pub direction: Direction,
    /// The bytes, by frame.
    pub pieces: Vec<(Stamp, Box<[u8]>)>,
    bytes: usize,
}

impl Early {
    /// Nothing yet from this direction.
    pub fn new(direction: Direction) -> Self {
        Self { direction, pieces: Vec::new(), bytes: 0 }
    }

    /// Keeps bytes; `false` if there is no room.
    pub fn keep(&mut self, data: &[u8], stamp: Stamp) -> bool {
        self.bytes = self.bytes.saturating_add(data.len());
        let fits = self.bytes <= MAX_BYTES;
        if fits {
            self.pieces.push((stamp, data.into()));
        }
        fits
    }
}
