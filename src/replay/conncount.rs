//! Counting connections, for xtables' `connlimit` and nftables' `ct count`: `net/netfilter/nf_conncount.c`.
//!
//! A list remembers the connections of packets that asked it. It forgets those that are gone or closed when it is asked
//! again, so a packet that a rule drops after the question counts until then.

use super::conntrack::{Conn, Tuple, status};
use super::skb::Skb;
use super::tick::ticks;
use super::world::Connections;

/// `CONNCOUNT_GC_MAX_NODES`: a sweep stops after forgetting so many, and so many new ones make it sweep again.
const SWEEP: usize = 64;

/// Connections that one sweep looks at. The kernel has no such bound; floods in a capture must not take hours.
const LOOKS: usize = 8192;

/// `struct nf_conncount_list`.
#[derive(Debug, Clone, Default)]
pub struct ConnCount {
    saved: Vec<Tuple>,
    /// Tick and length of the list at the last sweep: it is swept at most once a tick.
    swept: Option<(i64, usize)>,
}

/// What a sweep came upon.
enum Sweep {
    AlreadyThere,
    Done,
}

impl ConnCount {
    /// A list that a packet opens (`insert_tree`): its connection counts, whatever its state.
    pub fn begin(skb: &Skb, connections: &dyn Connections) -> Self {
        let conn = skb.ct.and_then(|id| connections.get(id)).filter(|conn| conn.status & status::TEMPLATE == 0);
        Self { saved: vec![conn.map_or_else(|| tuple_of(skb), original_tuple)], swept: None }
    }

    /// Counts a packet's connection (`nf_conncount_add_skb`), and gives the number of connections.
    pub fn add(&mut self, skb: &Skb, connections: &dyn Connections) -> u32 {
        let conn = skb.ct.and_then(|id| connections.get(id)).filter(|conn| conn.status & status::TEMPLATE == 0);
        let tick = ticks(skb.now_ns);
        let just_swept = self.swept.is_some_and(|(at, _)| at == tick);
        // One that is under way was counted when it began, or is none of ours.
        if conn.is_some_and(|conn| conn.status & status::ASSURED != 0) {
            if !just_swept {
                self.sweep(None, skb.now_ns, connections);
            }
            return self.count();
        }
        let tuple = conn.map_or_else(|| tuple_of(skb), original_tuple);
        let few_since = self.swept.is_some_and(|(_, len)| self.saved.len() < len + SWEEP);
        // A second packet of a young connection would be counted again if the list were not looked through.
        let is_first = conn.is_none_or(|conn| conn.status & status::CONFIRMED == 0);
        if !(is_first && just_swept && few_since) {
            if let Sweep::AlreadyThere = self.sweep(Some(&tuple), skb.now_ns, connections) {
                return self.count();
            }
            self.swept = Some((tick, self.saved.len()));
        }
        self.saved.push(tuple);
        self.count()
    }

    /// Forgets the connections that are gone or closed, and gives the number of those that are left.
    pub fn refresh(&mut self, now_ns: i64, connections: &dyn Connections) -> u32 {
        self.sweep(None, now_ns, connections);
        self.count()
    }

    /// Connections in the list.
    pub fn count(&self) -> u32 {
        u32::try_from(self.saved.len()).unwrap_or(u32::MAX)
    }

    /// Forgets the connections that are gone or closed.
    fn sweep(&mut self, looking_for: Option<&Tuple>, now_ns: i64, connections: &dyn Connections) -> Sweep {
        let (mut forgotten, mut looked, mut there) = (0, 0, false);
        self.saved.retain(|saved| {
            looked += 1;
            if there || looked > LOOKS || forgotten > SWEEP {
                return true;
            }
            let found = connections.lookup(saved, now_ns);
            there = found.is_some() && looking_for == Some(saved);
            let keep = there || found.is_some_and(|conn| !connections.is_closed(conn));
            forgotten += usize::from(!keep);
            keep
        });
        self.swept = Some((ticks(now_ns), self.saved.len()));
        if there { Sweep::AlreadyThere } else { Sweep::Done }
    }
}

fn original_tuple(conn: &Conn) -> Tuple {
    let [original, _] = conn.tuples;
    original
}

/// `nf_ct_get_tuplepr`, for a packet that is not tracked.
fn tuple_of(skb: &Skb) -> Tuple {
    let protocol = skb.headers.protocol.unwrap_or_default();
    let word = |at: usize| {
        let bytes = skb.transport().get(at..).and_then(|rest| rest.first_chunk()).copied();
        u16::from_be_bytes(bytes.unwrap_or_default())
    };
    let (src_port, dst_port) = match protocol {
        6 | 17 | 33 | 132 | 136 => (word(0), word(2)),
        1 | 58 => (word(4), word(0)),
        _ => (0, 0),
    };
    Tuple { src: skb.src(), dst: skb.dst(), protocol, src_port, dst_port, zone: 0 }
}
