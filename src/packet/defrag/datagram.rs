//! One datagram on its way to being whole: which of its bytes are there, and whether copies agree.

use super::{FragmentCounts, MAX_DATAGRAM, Reassembled};
use crate::evidence::Stamp;
use crate::packet::checksum::Sum;
use crate::packet::{Decoded, Fragment, decode_datagram, part};
use std::collections::BTreeMap;

/// What a fragment costs beside its bytes: its place, the gap beside it, its stamp, its share of the table.
const FRAGMENT_OVERHEAD: usize = 128;

/// Bytes of a datagram that one fragment brought first.
struct Piece {
    /// Where they end on the wire.
    end: u32,
    /// What was captured of them.
    bytes: Box<[u8]>,
}

/// The header of the first fragment.
struct Head {
    bytes: Box<[u8]>,
    protocol: u8,
    next_header: usize,
}

/// A datagram of which parts are missing.
pub(super) struct Datagram {
    /// By their first byte; they do not overlap.
    pieces: BTreeMap<u32, Piece>,
    /// What no piece covers, first byte to end. Kept beside the pieces so that a fragment costs what it fills, not
    /// what lies under it.
    gaps: BTreeMap<u32, u32>,
    /// Sum of the pieces' lengths on the wire.
    covered: u32,
    /// Where the datagram ends, once the last fragment came.
    end: Option<u32>,
    head: Option<Head>,
    frames: Vec<Stamp>,
    /// Memory accounted for.
    pub bytes: usize,
    bad_checksum: bool,
    /// Tells it from a later datagram of the same key in the queue of ages.
    pub serial: u64,
    /// All that came repeats a datagram that was complete shortly before.
    pub is_echo: bool,
}

impl Datagram {
    pub fn new(serial: u64) -> Self {
        Self {
            pieces: BTreeMap::new(),
            gaps: BTreeMap::from([(0, MAX_DATAGRAM)]),
            covered: 0,
            end: None,
            head: None,
            frames: Vec::new(),
            bytes: FRAGMENT_OVERHEAD,
            bad_checksum: false,
            serial,
            is_echo: true,
        }
    }

    /// Length of the header of the first fragment, 0 if it did not come yet.
    pub fn header_len(&self) -> u32 {
        self.head.as_ref().map_or(0, |head| head.bytes.len() as u32)
    }

    /// Fragments that brought something.
    pub fn fragments(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Takes what of `start..end` was not there, of which `payload` was captured.
    pub fn insert(
        &mut self,
        (start, end): (u32, u32),
        payload: &[u8],
        fragment: &Fragment,
        stamp: Stamp,
        counts: &mut FragmentCounts,
    ) {
        if !self.agree_on_end(end, fragment.more) {
            counts.conflicts += u64::from(!fragment.more);
            counts.out_of_range += u64::from(fragment.more);
            return;
        }
        let holes = self.holes(start, end);
        let is_new = holes.first() == Some(&(start, end));
        let conflicts = !is_new && self.differs(start, payload);
        counts.conflicts += u64::from(conflicts);
        if holes.is_empty() {
            counts.duplicates += u64::from(!conflicts);
            return;
        }
        counts.overlaps += u64::from(!is_new);
        for (from, to) in holes {
            self.close_gap(from, to);
            let bytes = sub(payload, start, from, to);
            self.bytes += bytes.len() + FRAGMENT_OVERHEAD;
            self.covered += to - from;
            self.pieces.insert(from, Piece { end: to, bytes: bytes.into() });
        }
        if !fragment.more {
            self.end = Some(end);
        }
        self.bad_checksum |= fragment.bad_checksum;
        self.frames.push(stamp);
    }

    /// The end is where the first last fragment says, unless there are bytes behind it.
    fn agree_on_end(&self, end: u32, more: bool) -> bool {
        match self.end {
            Some(known) => end <= known && (more || end == known),
            None => more || self.pieces.last_key_value().is_none_or(|(_, last)| last.end <= end),
        }
    }

    /// Parts of `start..end` that no piece covers, ascending.
    fn holes(&self, start: u32, end: u32) -> Vec<(u32, u32)> {
        let first = self.gaps.range(..=start).next_back().map_or(start, |(&from, _)| from);
        self.gaps
            .range(first..end)
            .map(|(&from, &to)| (from.max(start), to.min(end)))
            .filter(|(from, to)| from < to)
            .collect()
    }

    /// `from..to`, which lies in one gap, is covered from now on.
    fn close_gap(&mut self, from: u32, to: u32) {
        let Some((&gap_start, &gap_end)) = self.gaps.range(..=from).next_back() else { return };
        self.gaps.remove(&gap_start);
        if gap_start < from {
            self.gaps.insert(gap_start, from);
        }
        if to < gap_end {
            self.gaps.insert(to, gap_end);
        }
    }

    /// Pieces that share bytes with `start..end`.
    fn touching(&self, start: u32, end: u32) -> impl Iterator<Item = (&u32, &Piece)> {
        let first = self.pieces.range(..=start).next_back().map_or(start, |(&from, _)| from);
        self.pieces.range(first..end).filter(move |(_, piece)| piece.end > start)
    }

    /// `true` if captured bytes of a fragment at `start` are not those that were there.
    fn differs(&self, start: u32, payload: &[u8]) -> bool {
        let end = start.saturating_add(payload.len() as u32);
        self.touching(start, end).any(|(&from, piece)| {
            let new = sub(payload, start, from.max(start), piece.end.min(end));
            let old = sub(&piece.bytes, from, from.max(start), piece.end.min(end));
            new.iter().zip(old).any(|(new, old)| new != old)
        })
    }

    pub fn keep_head(&mut self, data: &[u8], fragment: &Fragment) {
        if self.head.is_none() {
            let bytes = part(data, fragment.ip_offset, fragment.header_len);
            self.bytes += bytes.len();
            self.head = Some(Head {
                bytes: bytes.into(),
                protocol: fragment.protocol,
                next_header: fragment.next_header as usize,
            });
        }
    }

    pub fn is_complete(&self) -> bool {
        self.end == Some(self.covered) && self.head.is_some()
    }

    /// The datagram as it would have been sent whole; `fragment` is the one that completed it.
    pub fn assemble(self, fragment: &Fragment) -> Option<Reassembled> {
        let head = self.head?;
        let payload_len = self.end? as usize;
        let mut data = Vec::with_capacity(head.bytes.len() + payload_len);
        data.extend_from_slice(&head.bytes);
        rewrite_header(&mut data, &head, payload_len)?;
        for (from, piece) in &self.pieces {
            data.extend_from_slice(&piece.bytes);
            if piece.bytes.len() < (piece.end - from) as usize {
                break;
            }
        }
        let wire_len = head.bytes.len() + payload_len;
        let mut decoded = decode_datagram(&data, wire_len, fragment.tunnel.clone(), fragment.context);
        if let Decoded::Packet(packet) = &mut decoded {
            packet.bad_checksum |= self.bad_checksum;
        }
        Some(Reassembled { data: data.into(), decoded, frames: self.frames })
    }
}

/// Bytes `from..to` of a datagram, out of `bytes` which begin at `start` and may be cut.
fn sub(bytes: &[u8], start: u32, from: u32, to: u32) -> &[u8] {
    let tail = bytes.get(from.saturating_sub(start) as usize..).unwrap_or_default();
    tail.get(..to.saturating_sub(from) as usize).unwrap_or(tail)
}

/// Makes the header of the first fragment that of the whole datagram.
fn rewrite_header(header: &mut [u8], head: &Head, payload_len: usize) -> Option<()> {
    let (length_at, length) = match header.first()? >> 4 {
        4 => (2, header.len() + payload_len),
        _ => (4, header.len().checked_sub(40)? + payload_len),
    };
    let is_v4 = length_at == 2;
    *header.get_mut(length_at..)?.first_chunk_mut()? = u16::try_from(length).ok()?.to_be_bytes();
    *header.get_mut(head.next_header)? = head.protocol;
    if is_v4 {
        // Neither offset nor flags, then the checksum of what now stands there.
        *header.get_mut(6..)?.first_chunk_mut()? = [0; 2];
        *header.get_mut(10..)?.first_chunk_mut()? = [0; 2];
        let checksum = Sum::default().add(header).checksum();
        *header.get_mut(10..)?.first_chunk_mut()? = checksum;
    }
    Some(())
}
