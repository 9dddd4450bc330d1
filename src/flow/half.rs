//! One direction of a TCP stream: segments in any order in, bytes in order out.
//!
//! In-order bytes are passed on as they lie in the capture; only what is ahead of its turn is copied. Sequence numbers
//! are mapped to 64-bit stream offsets, so wrap-around ends at this module's door. Nothing here knows of flags or
//! states, but for [`HalfStream::fin`].

use super::HalfSummary;
use super::segment::{Hole, OverlapPolicy, Piece, Place, Recall, Segment};
use crate::evidence::Stamp;
use std::collections::BTreeMap;

#[derive(Debug)]
struct Waiting {
    data: Box<[u8]>,
    /// Bytes after `data` that a snapshot length cut off.
    cut: u32,
    stamp: Stamp,
}

#[derive(Debug, Clone, Copy)]
struct Passed {
    offset: u64,
    len: u32,
    place: Place,
}

/// A segment further away than this is no neighbour of what was seen: TCP windows end at 1 GiB, and real ones far below.
const MAX_DISTANCE: i64 = 64 << 20;
/// So many consecutive segments at a distant place, and the stream is taken to go on there.
const STRAYS_TO_JUMP: u32 = 4;
/// Segments remembered for comparing late copies.
const PASSED_KEPT: usize = 32;

/// Reassembly of one direction.
#[derive(Debug, Default)]
pub struct HalfStream {
    next_seq: Option<u32>,
    offset: u64,
    acked: u64,
    fin: Option<u64>,
    waiting: BTreeMap<u64, Waiting>,
    waiting_bytes: usize,
    waiting_since_ns: i64,
    passed: Vec<Passed>,
    passed_next: usize,
    stray: Option<(u32, u32)>,
}

impl HalfStream {
    /// The stream begins at `seq` (the SYN's sequence number plus one), unless bytes were seen already.
    pub fn begin(&mut self, seq: u32) {
        self.next_seq.get_or_insert(seq);
    }

    /// `true` once a byte or the beginning was seen.
    pub fn begun(&self) -> bool {
        self.next_seq.is_some()
    }

    /// Bytes held because they are ahead of their turn.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Stream offset of the next byte to pass on.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Distance of a sequence number from the next expected one, in bytes; `None` before the first byte.
    pub fn distance(&self, seq: u32) -> Option<i64> {
        self.next_seq.map(|next| i64::from(seq.wrapping_sub(next) as i32))
    }

    /// The peer acknowledges all bytes before `ack`.
    pub fn acknowledged(&mut self, ack: u32) {
        if let Some(distance) = self.distance(ack)
            && distance > 0
            && distance < MAX_DISTANCE
        {
            self.acked = self.acked.max(self.offset + distance as u64);
        }
    }

    /// The stream ends before `seq`.
    pub fn fin(&mut self, seq: u32) {
        let distance = self.distance(seq).unwrap_or(0).max(0) as u64;
        self.fin.get_or_insert(self.offset + distance);
    }

    /// All bytes up to the FIN were passed on.
    pub fn finished(&self) -> bool {
        self.fin.is_some_and(|fin| self.offset >= fin)
    }

    /// The hole that holds bytes back, if there is one.
    pub fn hole(&self) -> Option<Hole> {
        let (&first, _) = self.waiting.first_key_value()?;
        let (since_ns, waiting) = (self.waiting_since_ns, self.waiting.len());
        Some(Hole { since_ns, waiting, acked: self.acked >= first })
    }

    /// Takes a segment; passes on what is in order.
    pub fn segment(
        &mut self,
        segment: &Segment<'_>,
        policy: OverlapPolicy,
        recall: &impl Recall,
        counts: &mut HalfSummary,
        emit: &mut impl FnMut(Piece<'_>),
    ) {
        let next = *self.next_seq.get_or_insert(segment.seq);
        let distance = i64::from(segment.seq.wrapping_sub(next) as i32);
        if distance == 0 && self.waiting.is_empty() {
            self.stray = None;
            self.pass(segment.data, segment.wire_len, segment.stamp, Some(segment.place), counts, emit);
            return;
        }
        if distance.abs() > MAX_DISTANCE {
            self.take_stray(segment, policy, recall, counts, emit);
            return;
        }
        self.stray = None;
        let Some(ahead) = self.drop_repeated(segment, distance, recall, counts) else { return };
        if ahead.offset == self.offset && self.waiting.is_empty() {
            let wire_len = (ahead.end() - ahead.offset) as u32;
            self.pass(ahead.data, wire_len, ahead.stamp, Some(segment.place), counts, emit);
            return;
        }
        self.wait(ahead, policy, counts);
        self.drain(counts, emit);
    }

    /// Gives up on the hole in front: what waits behind it is passed on.
    pub fn skip_hole(&mut self, counts: &mut HalfSummary, emit: &mut impl FnMut(Piece<'_>)) {
        let Some((&first, waiting)) = self.waiting.first_key_value() else { return };
        let stamp = waiting.stamp;
        let bytes = first.saturating_sub(self.offset);
        self.skip(bytes, stamp, counts, emit);
        self.drain(counts, emit);
    }

    /// Passes on all that waits, holes or not.
    pub fn flush(&mut self, counts: &mut HalfSummary, emit: &mut impl FnMut(Piece<'_>)) {
        while !self.waiting.is_empty() {
            self.skip_hole(counts, emit);
        }
    }

    fn pass(
        &mut self,
        data: &[u8],
        wire_len: u32,
        stamp: Stamp,
        place: Option<Place>,
        counts: &mut HalfSummary,
        emit: &mut impl FnMut(Piece<'_>),
    ) {
        if !data.is_empty() {
            if let Some(place) = place {
                self.remember(Passed { offset: self.offset, len: data.len() as u32, place });
            }
            emit(Piece::Data { offset: self.offset, data, stamp });
            counts.stream_bytes += data.len() as u64;
            self.advance(data.len() as u64);
        }
        let cut = u64::from(wire_len).saturating_sub(data.len() as u64);
        self.skip(cut, stamp, counts, emit);
    }

    fn skip(&mut self, bytes: u64, stamp: Stamp, counts: &mut HalfSummary, emit: &mut impl FnMut(Piece<'_>)) {
        if bytes > 0 {
            emit(Piece::Gap { bytes, stamp });
            counts.missing_bytes += bytes;
            self.advance(bytes);
        }
    }

    fn advance(&mut self, bytes: u64) {
        self.offset += bytes;
        self.next_seq = self.next_seq.map(|next| next.wrapping_add(bytes as u32));
    }

    fn remember(&mut self, passed: Passed) {
        // What came from an earlier batch can no longer be recalled.
        if self.passed.last().is_some_and(|last| last.place.batch != passed.place.batch) {
            self.passed.clear();
            self.passed_next = 0;
        }
        if self.passed.len() < PASSED_KEPT {
            self.passed.push(passed);
        } else if let Some(slot) = self.passed.get_mut(self.passed_next % PASSED_KEPT) {
            *slot = passed;
            self.passed_next += 1;
        }
    }

    /// Cuts off what was passed on already, comparing it where it can be. `None` if nothing is left.
    fn drop_repeated<'a>(
        &self,
        segment: &Segment<'a>,
        distance: i64,
        recall: &impl Recall,
        counts: &mut HalfSummary,
    ) -> Option<Ahead<'a>> {
        let ahead = Ahead {
            offset: self.offset + distance.max(0) as u64,
            data: segment.data,
            cut: segment.wire_len.saturating_sub(segment.data.len() as u32),
            stamp: segment.stamp,
        };
        if distance >= 0 {
            return Some(ahead);
        }
        let behind = distance.unsigned_abs();
        // A keep-alive repeats the last byte acknowledged, with any content.
        if behind == 1 && segment.wire_len <= 1 {
            return None;
        }
        let repeated = behind.min(segment.data.len() as u64) as usize;
        let (old, new) = segment.data.split_at_checked(repeated)?;
        counts.retransmitted_bytes += old.len() as u64;
        if let Some(start) = self.offset.checked_sub(behind) {
            self.compare(start, old, recall, counts);
        }
        if new.is_empty() {
            // What a snapshot length cut off may reach beyond what was passed on.
            let missing = u64::from(segment.wire_len).saturating_sub(behind);
            let cut = u32::try_from(missing).ok().filter(|cut| *cut > 0)?;
            return Some(Ahead { data: new, cut, ..ahead });
        }
        Some(Ahead { data: new, ..ahead })
    }

    fn compare(&self, start: u64, copy: &[u8], recall: &impl Recall, counts: &mut HalfSummary) {
        let end = start + copy.len() as u64;
        let (mut compared, mut conflict) = (0, false);
        for passed in &self.passed {
            let (from, to) = (start.max(passed.offset), end.min(passed.offset + u64::from(passed.len)));
            let Some(payload) = recall.payload(passed.place).filter(|_| from < to) else { continue };
            // The remembered bytes are the last of their packet's payload: its head may have been a repetition.
            let Some(head) = payload.len().checked_sub(passed.len as usize) else { continue };
            let first = payload.get(head + (from - passed.offset) as usize..head + (to - passed.offset) as usize);
            let second = copy.get((from - start) as usize..(to - start) as usize);
            compared += to - from;
            conflict |= first != second;
        }
        counts.conflicting_overlaps += u64::from(conflict);
        counts.unverified_overlaps += u64::from(!conflict && compared < copy.len() as u64);
    }

    fn take_stray(
        &mut self,
        segment: &Segment<'_>,
        policy: OverlapPolicy,
        recall: &impl Recall,
        counts: &mut HalfSummary,
        emit: &mut impl FnMut(Piece<'_>),
    ) {
        let count = match self.stray {
            Some((seq, count)) if seq == segment.seq => count + 1,
            _ => 1,
        };
        if count < STRAYS_TO_JUMP {
            counts.out_of_window += 1;
            self.stray = Some((segment.seq.wrapping_add(segment.wire_len), count));
            return;
        }
        self.stray = None;
        self.flush(counts, emit);
        let bytes = self.next_seq.map_or(0, |next| segment.seq.wrapping_sub(next));
        self.skip(u64::from(bytes), segment.stamp, counts, emit);
        self.segment(segment, policy, recall, counts, emit);
    }

    /// Keeps a segment until its turn; overlaps with others that wait are settled by the policy.
    fn wait(&mut self, ahead: Ahead<'_>, policy: OverlapPolicy, counts: &mut HalfSummary) {
        if ahead.data.is_empty() && ahead.cut == 0 {
            return;
        }
        if self.waiting.is_empty() {
            self.waiting_since_ns = ahead.stamp.time_ns;
        }
        self.count_overlaps(&ahead, counts);
        match policy {
            OverlapPolicy::First => self.fill_free(ahead),
            OverlapPolicy::Last => {
                self.clear_range(ahead.offset, ahead.end());
                self.insert(ahead);
            }
        }
    }

    fn insert(&mut self, ahead: Ahead<'_>) {
        self.waiting_bytes += ahead.data.len();
        let waiting = Waiting { data: ahead.data.into(), cut: ahead.cut, stamp: ahead.stamp };
        if let Some(old) = self.waiting.insert(ahead.offset, waiting) {
            self.waiting_bytes -= old.data.len();
        }
    }

    fn neighbours(&self, ahead: &Ahead<'_>) -> impl Iterator<Item = (u64, &Waiting)> {
        let before = self.waiting.range(..ahead.offset).next_back();
        let within = self.waiting.range(ahead.offset..ahead.end());
        before.into_iter().chain(within).map(|(&offset, waiting)| (offset, waiting))
    }

    fn count_overlaps(&self, ahead: &Ahead<'_>, counts: &mut HalfSummary) {
        let mut conflict = false;
        for (offset, waiting) in self.neighbours(ahead) {
            let from = offset.max(ahead.offset);
            let to = (offset + waiting.data.len() as u64).min(ahead.offset + ahead.data.len() as u64);
            if from < to {
                counts.retransmitted_bytes += to - from;
                let old = waiting.data.get((from - offset) as usize..(to - offset) as usize);
                let new = ahead.data.get((from - ahead.offset) as usize..(to - ahead.offset) as usize);
                conflict |= old != new;
            }
        }
        counts.conflicting_overlaps += u64::from(conflict);
    }

    /// Inserts only what no waiting segment covers.
    fn fill_free(&mut self, mut ahead: Ahead<'_>) {
        let taken: Vec<(u64, u64)> =
            self.neighbours(&ahead).map(|(offset, waiting)| (offset, offset + waiting.len())).collect();
        for (from, to) in taken {
            if from > ahead.offset {
                let (head, tail) = ahead.split(from - ahead.offset);
                if head.end() > head.offset {
                    self.insert(head);
                }
                ahead = tail;
            }
            if to > ahead.offset {
                ahead = ahead.split(to - ahead.offset).1;
            }
        }
        if ahead.end() > ahead.offset {
            self.insert(ahead);
        }
    }

    /// Removes what waits in a range, keeping what sticks out on either side.
    fn clear_range(&mut self, from: u64, to: u64) {
        let first = self.waiting.range(..from).next_back().map_or(from, |(&offset, _)| offset);
        let hit: Vec<u64> = self.waiting.range(first..to).map(|(&offset, _)| offset).collect();
        for offset in hit {
            let Some(old) = self.waiting.remove(&offset) else { continue };
            self.waiting_bytes -= old.data.len();
            let whole = Ahead { offset, data: &old.data, cut: old.cut, stamp: old.stamp };
            if offset < from {
                let head = whole.split(from - offset).0;
                self.insert(head);
            }
            if whole.end() > to {
                let tail = whole.split(to - offset).1;
                self.insert(tail);
            }
        }
    }

    fn drain(&mut self, counts: &mut HalfSummary, emit: &mut impl FnMut(Piece<'_>)) {
        while let Some(entry) = self.waiting.first_entry() {
            if *entry.key() > self.offset {
                break;
            }
            let (offset, waiting) = entry.remove_entry();
            self.waiting_bytes -= waiting.data.len();
            self.waiting_since_ns = waiting.stamp.time_ns;
            let behind = self.offset - offset;
            let wire_len = waiting.len().saturating_sub(behind) as u32;
            let data = waiting.data.get(behind as usize..).unwrap_or_default();
            self.pass(data, wire_len, waiting.stamp, None, counts, emit);
        }
        if let Some((_, waiting)) = self.waiting.first_key_value() {
            self.waiting_since_ns = waiting.stamp.time_ns;
        }
    }
}

impl Waiting {
    fn len(&self) -> u64 {
        self.data.len() as u64 + u64::from(self.cut)
    }
}

/// A segment's part that is not yet passed on.
#[derive(Debug, Clone, Copy)]
struct Ahead<'a> {
    offset: u64,
    data: &'a [u8],
    cut: u32,
    stamp: Stamp,
}

impl<'a> Ahead<'a> {
    fn end(&self) -> u64 {
        self.offset + self.data.len() as u64 + u64::from(self.cut)
    }

    /// The first `at` bytes, and the rest.
    fn split(&self, at: u64) -> (Ahead<'a>, Ahead<'a>) {
        let in_data = at.min(self.data.len() as u64);
        let (head, tail) = self.data.split_at(in_data as usize);
        let in_cut = (at - in_data).min(u64::from(self.cut)) as u32;
        let first = Ahead { data: head, cut: in_cut, ..*self };
        let rest = Ahead { offset: first.end(), data: tail, cut: self.cut - in_cut, stamp: self.stamp };
        (first, rest)
    }
}

#[cfg(test)]
mod tests;
