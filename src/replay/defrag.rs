//! Fragments in, whole packets out, as connection tracking has it done before any rule but raw ones of its own user:
//! `nf_defrag_ipv4.c` with `ip_fragment.c`, `nf_conntrack_reasm.c`, `inet_fragment.c`.
//!
//! The first pieces are held; the whole packet goes on when and where the last missing piece arrived, with its real
//! length, and with the headers of the piece at offset 0. IPv6 packets lose their fragment header. A piece that lies
//! within others is a duplicate; one that lies over others in part makes the datagram vanish (RFC 5722).
//!
//! `packet::defrag` puts datagrams together for decoders, as complete as a capture allows; this one loses what the
//! kernel loses.

mod pieces;
mod queue;
#[cfg(test)]
mod tests;

use super::skb::Skb;
use foldhash::fast::RandomState;
use queue::{Added, Fragment, Queue};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// What the kernel takes for a queue without its pieces.
const QUEUE_BYTES: usize = 224;
/// Senders whose fragments are counted; past this the counts begin anew.
const MAX_SENDERS: usize = 65_536;
/// Ends of queues that are gone, before they are cleared away.
const MAX_STALE_ENDS: usize = 1024;

/// `sysctl net.ipv4.ipfrag_*` and `net.netfilter.nf_conntrack_frag6_*`, with their defaults.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long an IPv4 datagram may be incomplete, in nanoseconds of capture time since its first piece.
    pub ipv4_timeout_ns: i64,
    /// The same for IPv6.
    pub ipv6_timeout_ns: i64,
    /// Memory for pieces of each family; beyond it fragments are dropped.
    pub bytes: usize,
    /// An IPv4 datagram begins anew if its sender sent more other fragments between two of its pieces; 0: never.
    pub max_distance: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ipv4_timeout_ns: 30_000_000_000, ipv6_timeout_ns: 60_000_000_000, bytes: 4 << 20, max_distance: 64 }
    }
}

/// Where a packet is put together: pieces seen at different hooks do not mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum User {
    /// PREROUTING.
    Prerouting,
    /// OUTPUT.
    Output,
}

/// What becomes of a packet.
#[derive(Debug)]
pub enum Outcome {
    /// It goes on as it is: no fragment, or one that IPv6 lets pass.
    Pass,
    /// It is held, or was there already.
    Held,
    /// It is dropped, perhaps with what was held of its datagram.
    Dropped,
    /// It was the last missing piece.
    Whole(Box<Whole>),
}

/// A packet put together.
#[derive(Debug, Clone)]
pub struct Whole {
    /// From the IP header; shorter than `len` if the capture cut a piece.
    bytes: Vec<u8>,
    /// Where the second and further pieces begin.
    seams: Vec<u32>,
    len: u32,
    link: Vec<u8>,
    vlan: Option<u16>,
    mark: u32,
    priority: u32,
    now_ns: i64,
    /// Numbers that the pieces came with, in order of arrival: the last is that of the piece that completed it.
    pub frames: Vec<u64>,
}

impl Whole {
    /// The packet as the next hook sees it: what belongs to the frame is that of the piece at offset 0, the time that of
    /// the last to arrive. `None` cannot be, unless the pieces' header was no IP header.
    pub fn skb(&self) -> Option<Skb<'_>> {
        let mut skb = Skb::new(&self.bytes, &self.link, self.now_ns)?;
        skb.len = self.len;
        skb.seams = self.seams.clone();
        skb.vlan = self.vlan;
        skb.mark = self.mark;
        skb.priority = self.priority;
        Some(skb)
    }
}

/// What names a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    user: User,
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    /// IPv4 only.
    protocol: u8,
}

/// Datagrams of one family.
#[derive(Debug, Default)]
struct Family {
    queues: HashMap<Key, Queue, RandomState>,
    /// When queues end, in the order in which they began; those that ended otherwise are still listed.
    ends: VecDeque<(i64, Key)>,
    bytes: usize,
}

/// Incomplete datagrams.
#[derive(Debug, Default)]
pub struct Defrag {
    limits: Limits,
    v4: Family,
    v6: Family,
    /// Fragments by IPv4 sender.
    senders: HashMap<IpAddr, u32, RandomState>,
}

impl Defrag {
    /// Nothing held.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes a packet in, at priority -400 of PREROUTING or OUTPUT. `frame` is the caller's number for it.
    pub fn push(&mut self, skb: &Skb<'_>, user: User, frame: u64) -> Outcome {
        if skb.ct.is_some() || skb.ct_info != super::conntrack::CtInfo::None {
            return Outcome::Pass; // seen already, or not to be tracked
        }
        if skb.is_v6() { self.push_v6(skb, user, frame) } else { self.push_v4(skb, user, frame) }
    }

    /// Datagrams that are incomplete, also such as have timed out and were not asked for since.
    pub fn held(&self) -> usize {
        self.v4.queues.len() + self.v6.queues.len()
    }

    fn push_v4(&mut self, skb: &Skb<'_>, user: User, frame: u64) -> Outcome {
        let Some(fragment) = Fragment::of_v4(skb) else { return Outcome::Pass };
        let protocol = skb.byte(9).unwrap_or_default();
        let key = Key { user, src: skb.src(), dst: skb.dst(), id: skb.headers.fragment_id, protocol };
        let count = self.count_sender(key.src);
        let (limits, now_ns) = (&self.limits, skb.now_ns);
        let ends_ns = now_ns.saturating_add(limits.ipv4_timeout_ns);
        let Some(queue) = self.v4.queue(key, limits.bytes, now_ns, ends_ns) else { return Outcome::Dropped };
        if limits.max_distance != 0 && queue.is_too_far(count, limits.max_distance) {
            let freed = queue.restart(ends_ns);
            self.v4.bytes = self.v4.bytes.saturating_sub(freed);
            self.v4.ends.push_back((ends_ns, key));
        }
        self.v4.add(key, skb, &fragment, frame)
    }

    fn push_v6(&mut self, skb: &Skb<'_>, user: User, frame: u64) -> Outcome {
        let Some(fragment) = Fragment::of_v6(skb) else { return Outcome::Pass };
        let key = Key { user, src: skb.src(), dst: skb.dst(), id: fragment.id, protocol: 0 };
        let (limits, now_ns) = (&self.limits, skb.now_ns);
        let ends_ns = now_ns.saturating_add(limits.ipv6_timeout_ns);
        if self.v6.queue(key, limits.bytes, now_ns, ends_ns).is_none() {
            return Outcome::Dropped;
        }
        self.v6.add(key, skb, &fragment, frame)
    }

    /// Fragments that a sender has sent so far (`ip_frag_too_far`).
    fn count_sender(&mut self, src: IpAddr) -> u32 {
        if self.senders.len() >= MAX_SENDERS && !self.senders.contains_key(&src) {
            self.senders.clear();
        }
        let count = self.senders.entry(src).or_default();
        *count = count.wrapping_add(1);
        *count
    }
}

impl Family {
    /// The queue of a datagram, begun if need be. `None` if there is no memory for fragments.
    fn queue(&mut self, key: Key, limit: usize, now_ns: i64, ends_ns: i64) -> Option<&mut Queue> {
        self.expire(now_ns);
        if self.bytes > limit {
            return None;
        }
        if !self.queues.contains_key(&key) {
            self.bytes += QUEUE_BYTES;
            self.ends.push_back((ends_ns, key));
        }
        Some(self.queues.entry(key).or_insert_with(|| Queue::new(ends_ns)))
    }

    fn add(&mut self, key: Key, skb: &Skb<'_>, fragment: &Fragment, frame: u64) -> Outcome {
        let Some(queue) = self.queues.get_mut(&key) else { return Outcome::Dropped };
        match queue.add(skb, fragment, frame) {
            Added::Kept(bytes) => {
                self.bytes += bytes;
                Outcome::Held
            }
            Added::Duplicate => Outcome::Held,
            Added::Refused => Outcome::Dropped,
            Added::Corrupt => {
                self.end(&key);
                Outcome::Dropped
            }
            Added::Unaligned => {
                self.end(&key);
                Outcome::Pass
            }
            Added::Complete => {
                let whole = self.end(&key).and_then(|queue| queue.whole(skb.now_ns));
                whole.map_or(Outcome::Dropped, |whole| Outcome::Whole(Box::new(whole)))
            }
        }
    }

    fn end(&mut self, key: &Key) -> Option<Queue> {
        let queue = self.queues.remove(key)?;
        self.bytes = self.bytes.saturating_sub(queue.bytes() + QUEUE_BYTES);
        Some(queue)
    }

    fn expire(&mut self, now_ns: i64) {
        if self.ends.len() > 2 * self.queues.len() + MAX_STALE_ENDS {
            let queues = &self.queues;
            self.ends.retain(|(ends_ns, key)| queues.get(key).is_some_and(|queue| queue.ends_ns == *ends_ns));
        }
        while let Some((ends_ns, key)) = self.ends.front().copied()
            && (ends_ns <= now_ns || !self.waits(&key, ends_ns))
        {
            self.ends.pop_front();
            if self.waits(&key, ends_ns) {
                self.end(&key);
            }
        }
    }

    /// `true` if the queue that was to end then is still there.
    fn waits(&self, key: &Key, ends_ns: i64) -> bool {
        self.queues.get(key).is_some_and(|queue| queue.ends_ns == ends_ns)
    }
}
