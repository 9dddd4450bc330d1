//! Fragments in, datagrams out (RFC 791 section 3.2, RFC 8200 section 4.5, RFC 5722).
//!
//! Works in frame order. Where copies of a byte differ the first one stays and the conflict is counted: hosts disagree
//! on which one they take, so a difference is worth knowing in itself. Datagrams that the capture holds in part (a
//! snapshot length) are put together as far as their bytes go.

#[cfg(test)]
mod tests;

use super::{Decoded, Fragment, decode_datagram, part};
use crate::capture::Frame;
use crate::evidence::Stamp;
use foldhash::fast::RandomState;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

/// The payload of an IP datagram ends here, header included.
const MAX_DATAGRAM: u32 = 65_535;

/// What a fragment costs beside its bytes: its place, the gap beside it, its stamp, its share of the table.
const FRAGMENT_OVERHEAD: usize = 128;

/// Datagrams may lie in each other's fragments, as tunnels do.
const MAX_NESTING: u8 = 4;

/// What unfinished datagrams may take up.
#[derive(Debug, Clone, Copy)]
pub struct FragmentLimits {
    /// Unfinished datagrams. The oldest go first.
    pub datagrams: usize,
    /// Bytes in unfinished datagrams.
    pub bytes: usize,
    /// Capture time after which a datagram is given up.
    pub timeout_ns: i64,
}

impl Default for FragmentLimits {
    /// As many as arrive in 30 seconds, which is how long Linux waits, on a busy link; 64 MiB, sixteen times what
    /// Linux allows.
    fn default() -> Self {
        Self { datagrams: 65_536, bytes: 64 << 20, timeout_ns: 30_000_000_000 }
    }
}

/// What became of fragments, for `case.json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct FragmentCounts {
    /// Fragments taken in.
    pub received: u64,
    /// Datagrams put together.
    pub completed: u64,
    /// Fragments that brought only bytes that were there, and the same.
    pub duplicates: u64,
    /// Fragments that lie partly over others.
    pub overlaps: u64,
    /// Fragments whose bytes, or end, differ from what was there: the first copy was kept.
    pub conflicts: u64,
    /// Fragments that cannot be: empty, not of a multiple of 8 bytes in the middle.
    pub malformed: u64,
    /// Fragments that reach beyond the largest datagram, or the datagram's end.
    pub out_of_range: u64,
    /// Datagrams given up because parts did not come in time.
    pub timed_out: u64,
    /// Datagrams of which parts were missing when the capture ended.
    pub unfinished: u64,
    /// Datagrams given up because there were too many.
    pub dropped_by_limit: u64,
}

/// A datagram put together.
#[derive(Debug, Clone)]
pub struct Reassembled {
    /// The IP packet: header of the first fragment, payload of all.
    pub data: Arc<[u8]>,
    /// What it is; offsets are places in `data`. Never a fragment.
    pub decoded: Decoded,
    /// The frames that brought it, in the order in which they came: the last one completed it.
    pub frames: Vec<Stamp>,
}

/// What fragments of one datagram share. IPv6 leaves the protocol out (RFC 8200 section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    protocol: Option<u8>,
    id: u32,
    context: u64,
}

impl Key {
    fn of(fragment: &Fragment) -> Self {
        Self {
            src: fragment.src,
            dst: fragment.dst,
            protocol: fragment.src.is_ipv4().then_some(fragment.protocol),
            id: fragment.id,
            context: fragment.context,
        }
    }
}

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
struct Datagram {
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
    bytes: usize,
    bad_checksum: bool,
    /// Tells it from a later datagram of the same key in the queue of ages.
    serial: u64,
}

/// Puts fragments together, within limits.
pub struct Defragmenter {
    limits: FragmentLimits,
    counts: FragmentCounts,
    datagrams: HashMap<Key, Datagram, RandomState>,
    /// Datagrams by age: when begun, which key, which of that key. Some are already complete.
    ages: VecDeque<(i64, Key, u64)>,
    bytes: usize,
    serial: u64,
}

impl Defragmenter {
    /// One without fragments.
    pub fn new(limits: FragmentLimits) -> Self {
        Self {
            limits,
            counts: FragmentCounts::default(),
            datagrams: HashMap::default(),
            ages: VecDeque::new(),
            bytes: 0,
            serial: 0,
        }
    }

    /// Takes a fragment that was decoded from `frame`; gives the datagram that it completes.
    pub fn push(&mut self, frame: &Frame<'_>, fragment: &Fragment) -> Option<Reassembled> {
        self.expire(frame.stamp.time_ns);
        let mut whole = self.take(frame.data, frame.stamp, fragment)?;
        // A tunnel's packet may have been cut into fragments which each were cut again.
        for _ in 0..MAX_NESTING {
            let Decoded::Fragment(inner) = &whole.decoded else { return Some(whole) };
            let completed = self.take(&whole.data, frame.stamp, inner)?;
            let mut frames = std::mem::take(&mut whole.frames);
            frames.extend(&completed.frames);
            frames.retain(|stamp| *stamp != frame.stamp);
            frames.sort_unstable_by_key(Stamp::order);
            frames.dedup();
            frames.push(frame.stamp);
            whole = Reassembled { frames, ..completed };
        }
        (!matches!(whole.decoded, Decoded::Fragment(_))).then_some(whole)
    }

    /// The counts so far.
    pub fn counts(&self) -> FragmentCounts {
        self.counts
    }

    /// The capture has ended: what is unfinished stays so.
    pub fn finish(mut self) -> FragmentCounts {
        self.counts.unfinished += self.datagrams.len() as u64;
        self.counts
    }

    fn take(&mut self, data: &[u8], stamp: Stamp, fragment: &Fragment) -> Option<Reassembled> {
        self.counts.received += 1;
        let span = self.span(fragment)?;
        let key = Key::of(fragment);
        if !self.datagrams.contains_key(&key) {
            self.begin(key, stamp);
        }
        let datagram = self.datagrams.get_mut(&key)?;
        let before = datagram.bytes;
        let payload = part(data, fragment.payload_offset, fragment.payload_len);
        datagram.insert(span, payload, fragment, stamp, &mut self.counts);
        if fragment.offset == 0 {
            datagram.keep_head(data, fragment);
        }
        self.bytes = self.bytes + datagram.bytes - before;
        if datagram.is_complete() {
            let datagram = self.remove(&key)?;
            self.counts.completed += 1;
            return datagram.assemble(fragment);
        }
        self.make_room(self.limits.datagrams, self.limits.bytes);
        None
    }

    /// Where the fragment lies in its datagram, if it can lie there.
    fn span(&mut self, fragment: &Fragment) -> Option<(u32, u32)> {
        let is_v4 = fragment.src.is_ipv4();
        let len = match fragment.wire_payload_len {
            // IPv4 hosts round down, IPv6 ones refuse.
            len if fragment.more && is_v4 => len & !7,
            len if fragment.more && len % 8 != 0 => 0,
            len => len,
        };
        if len == 0 {
            self.counts.malformed += 1;
            return None;
        }
        let end = fragment.offset.saturating_add(len);
        let header_in_length = if is_v4 { fragment.header_len } else { fragment.header_len.saturating_sub(40) };
        if end > MAX_DATAGRAM - header_in_length.min(MAX_DATAGRAM) {
            self.counts.out_of_range += 1;
            return None;
        }
        Some((fragment.offset, end))
    }

    fn begin(&mut self, key: Key, stamp: Stamp) {
        self.make_room(self.limits.datagrams.saturating_sub(1), self.limits.bytes);
        self.serial += 1;
        self.ages.push_back((stamp.time_ns, key, self.serial));
        let datagram = Datagram::new(self.serial);
        self.bytes += datagram.bytes;
        self.datagrams.insert(key, datagram);
        // Complete datagrams leave the queue when they are its oldest; hold it to a multiple of the table.
        if self.ages.len() > 2 * self.limits.datagrams.max(16) {
            let datagrams = &self.datagrams;
            self.ages.retain(|(_, key, serial)| datagrams.get(key).is_some_and(|one| one.serial == *serial));
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.datagrams.remove(key)?;
        self.bytes -= datagram.bytes;
        Some(datagram)
    }

    /// Removes the oldest datagram; `false` if the queue's first entry was of one that is complete.
    fn remove_oldest(&mut self) -> bool {
        let Some((_, key, serial)) = self.ages.pop_front() else { return false };
        let is_current = self.datagrams.get(&key).is_some_and(|datagram| datagram.serial == serial);
        is_current && self.remove(&key).is_some()
    }

    fn expire(&mut self, now_ns: i64) {
        while let Some((begun_ns, _, _)) = self.ages.front()
            && now_ns.saturating_sub(*begun_ns) > self.limits.timeout_ns
        {
            self.counts.timed_out += u64::from(self.remove_oldest());
        }
    }

    fn make_room(&mut self, datagrams: usize, bytes: usize) {
        while (self.datagrams.len() > datagrams || self.bytes > bytes) && !self.ages.is_empty() {
            self.counts.dropped_by_limit += u64::from(self.remove_oldest());
        }
    }
}

impl Datagram {
    fn new(serial: u64) -> Self {
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
        }
    }

    /// Takes what of `start..end` was not there, of which `payload` was captured.
    fn insert(
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

    fn keep_head(&mut self, data: &[u8], fragment: &Fragment) {
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

    fn is_complete(&self) -> bool {
        self.end == Some(self.covered) && self.head.is_some()
    }

    /// The datagram as it would have been sent whole; `fragment` is the one that completed it.
    fn assemble(self, fragment: &Fragment) -> Option<Reassembled> {
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
        let checksum = super::checksum::Sum::default().add(header).checksum();
        *header.get_mut(10..)?.first_chunk_mut()? = checksum;
    }
    Some(())
}
