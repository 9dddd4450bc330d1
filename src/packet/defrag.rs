//! Fragments in, datagrams out (RFC 791 section 3.2, RFC 8200 section 4.5, RFC 5722).
//!
//! Works in frame order. Where copies of a byte differ the first one stays and the conflict is counted: hosts disagree
//! on which one they take, so a difference is worth knowing in itself. Datagrams that the capture holds in part (a
//! snapshot length) are put together as far as their bytes go.

mod datagram;
#[cfg(test)]
mod tests;

use super::{Decoded, Fragment, part};
use crate::capture::Frame;
use crate::evidence::Stamp;
use datagram::Datagram;
use foldhash::fast::RandomState;
use serde::Serialize;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

/// The payload of an IP datagram ends here, header included.
const MAX_DATAGRAM: u32 = 65_535;

/// Complete datagrams that are remembered, and how long: fragments that a capture holds twice, as those of mirrored
/// ports and bridges, come within milliseconds, and what the second copies leave behind is not a loss.
const MAX_RECENT: usize = 64;
const RECENT_NS: i64 = 1_000_000_000;

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
    /// Fragments that brought only bytes that were there, and the same, also after the datagram was complete.
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

/// A datagram that was completed not long ago.
struct Recent {
    time_ns: i64,
    key: Key,
    header_len: u32,
    data: Arc<[u8]>,
}

/// Puts fragments together, within limits.
pub struct Defragmenter {
    limits: FragmentLimits,
    counts: FragmentCounts,
    datagrams: HashMap<Key, Datagram, RandomState>,
    /// Datagrams by age: when begun, which key, which of that key. Some are already complete.
    ages: VecDeque<(i64, Key, u64)>,
    recent: VecDeque<Recent>,
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
            recent: VecDeque::new(),
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
        for datagram in self.datagrams.values() {
            match datagram.is_echo {
                true => self.counts.duplicates += datagram.fragments(),
                false => self.counts.unfinished += 1,
            }
        }
        self.counts
    }

    fn take(&mut self, data: &[u8], stamp: Stamp, fragment: &Fragment) -> Option<Reassembled> {
        self.counts.received += 1;
        let span = self.span(fragment)?;
        let key = Key::of(fragment);
        let payload = part(data, fragment.payload_offset, fragment.payload_len);
        if !self.datagrams.contains_key(&key) {
            self.begin(key, stamp);
        }
        let datagram = self.datagrams.get_mut(&key)?;
        datagram.is_echo = datagram.is_echo && echoes(&self.recent, &key, fragment.offset, payload, stamp);
        let before = datagram.bytes;
        datagram.insert(span, payload, fragment, stamp, &mut self.counts);
        if fragment.offset == 0 {
            datagram.keep_head(data, fragment);
        }
        self.bytes = self.bytes + datagram.bytes - before;
        if datagram.is_complete() {
            let datagram = self.remove(&key)?;
            let header_len = datagram.header_len();
            let whole = datagram.assemble(fragment)?;
            self.counts.completed += 1;
            self.remember(key, &whole, header_len, stamp);
            return Some(whole);
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

    fn remember(&mut self, key: Key, whole: &Reassembled, header_len: u32, stamp: Stamp) {
        if self.recent.len() == MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent { time_ns: stamp.time_ns, key, header_len, data: Arc::clone(&whole.data) });
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

    /// Removes the oldest datagram; `false` if nothing is lost with it: the queue's first entry was of one that is
    /// complete, or echoes one.
    fn lose_oldest(&mut self) -> bool {
        let Some((_, key, serial)) = self.ages.pop_front() else { return false };
        let is_current = self.datagrams.get(&key).is_some_and(|datagram| datagram.serial == serial);
        match if is_current { self.remove(&key) } else { None } {
            Some(echo) if echo.is_echo => {
                self.counts.duplicates += echo.fragments();
                false
            }
            lost => lost.is_some(),
        }
    }

    fn expire(&mut self, now_ns: i64) {
        while let Some((begun_ns, _, _)) = self.ages.front()
            && now_ns.saturating_sub(*begun_ns) > self.limits.timeout_ns
        {
            self.counts.timed_out += u64::from(self.lose_oldest());
        }
    }

    fn make_room(&mut self, datagrams: usize, bytes: usize) {
        while (self.datagrams.len() > datagrams || self.bytes > bytes) && !self.ages.is_empty() {
            self.counts.dropped_by_limit += u64::from(self.lose_oldest());
        }
    }
}

/// `true` if the fragment repeats one of a datagram that was complete a moment ago.
fn echoes(recent: &VecDeque<Recent>, key: &Key, offset: u32, payload: &[u8], stamp: Stamp) -> bool {
    recent.iter().any(|recent| {
        recent.key == *key
            && stamp.time_ns.saturating_sub(recent.time_ns) <= RECENT_NS
            && part(&recent.data, recent.header_len.saturating_add(offset), payload.len() as u32) == payload
    })
}
