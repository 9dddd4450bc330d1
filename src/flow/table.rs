//! The conversations of one shard: which packet belongs to which, when they end, and what they may cost.

mod flow;

use super::key::FlowKey;
use super::lru::{Link, Lru};
use super::segment::{OverlapPolicy, Place, Recall};
use super::tcp::{self, Connection};
use super::{EndedBy, FlowSummary, Handler};
use crate::evidence::{FlowInfo, Stamp, Transport};
use crate::packet::Packet;
use flow::Flow;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

/// What a table may hold, and for how long. Times are capture time in nanoseconds.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Conversations at once; beyond, the one that has been silent longest is given up.
    pub max_flows: usize,
    /// Out-of-order bytes held for one conversation; beyond, its first hole is given up.
    pub max_waiting_per_flow: usize,
    /// Out-of-order bytes held in all; beyond, the conversation that has waited longest is given up on.
    pub max_waiting: usize,
    /// An open TCP connection that is silent for this long is over. Idle XMPP sessions keep alive within two hours.
    pub tcp_timeout_ns: i64,
    /// Anything but TCP.
    pub datagram_timeout_ns: i64,
    /// A closed or reset TCP connection; late segments are still its own.
    pub closed_timeout_ns: i64,
    /// How long bytes the peer has acknowledged may be missing before they are a gap: multi-queue captures disorder
    /// packets by milliseconds.
    pub acked_hole_patience_ns: i64,
    /// The same for bytes of which no acknowledgement was seen (captures of one direction).
    pub hole_patience_ns: i64,
    /// Segments that may wait behind a hole whose bytes the peer has acknowledged.
    pub acked_hole_segments: usize,
    /// Which copy of overlapping bytes counts.
    pub overlap: OverlapPolicy,
}

const SECOND_NS: i64 = 1_000_000_000;

impl Limits {
    /// Limits of one shard among so many: a million conversations and 256 MiB of waiting bytes in all.
    pub fn of_one_among(shards: usize) -> Self {
        let shards = shards.max(1);
        Self { max_flows: (1 << 20) / shards, max_waiting: (256 << 20) / shards, ..Self::default() }
    }
}

impl Default for Limits {
    /// Limits of one shard among 64.
    fn default() -> Self {
        Self {
            max_flows: 16_384,
            max_waiting_per_flow: 2 << 20,
            max_waiting: 4 << 20,
            tcp_timeout_ns: 7_800 * SECOND_NS,
            datagram_timeout_ns: 180 * SECOND_NS,
            closed_timeout_ns: 5 * SECOND_NS,
            acked_hole_patience_ns: SECOND_NS,
            hole_patience_ns: 30 * SECOND_NS,
            acked_hole_segments: 64,
            overlap: OverlapPolicy::First,
        }
    }
}

/// A packet with the bytes that its offsets point into.
#[derive(Debug, Clone, Copy)]
pub struct PacketView<'a> {
    /// The decoded headers.
    pub packet: &'a Packet,
    /// The frame, or the datagram put together from fragments.
    pub data: &'a [u8],
    /// The frame (of a datagram in fragments: the one that completed it).
    pub stamp: Stamp,
    /// By which the packet is found again within its batch.
    pub place: Place,
}

impl<'a> PacketView<'a> {
    /// Transport payload as captured.
    pub fn payload(&self) -> &'a [u8] {
        self.packet.payload(self.data)
    }
}

/// What was given up, over the life of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableCounts {
    /// Conversations seen.
    pub flows: u64,
    /// Conversations given up because the table was full.
    pub evicted: u64,
    /// Times waiting bytes were passed on with a gap because too many waited.
    pub waits_given_up: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Tcp,
    Datagram,
    Closed,
}

/// The conversations of one shard.
pub struct FlowTable<C> {
    limits: Limits,
    by_key: HashMap<FlowKey, u32, foldhash::fast::RandomState>,
    flows: Vec<Option<Box<Flow<C>>>>,
    free: Vec<u32>,
    links: Vec<Link>,
    lists: [Lru; 3],
    waiting: usize,
    waiting_queue: VecDeque<(u32, FlowKey)>,
    counts: TableCounts,
}

impl<C: Default + Send> FlowTable<C> {
    /// An empty table.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            by_key: HashMap::default(),
            flows: Vec::new(),
            free: Vec::new(),
            links: Vec::new(),
            lists: [Lru::new(), Lru::new(), Lru::new()],
            waiting: 0,
            waiting_queue: VecDeque::new(),
            counts: TableCounts::default(),
        }
    }

    /// What was seen and given up so far.
    pub fn counts(&self) -> TableCounts {
        self.counts
    }

    /// Takes the next packet, in capture order.
    pub fn packet<H: Handler<Conversation = C>>(
        &mut self,
        view: &PacketView<'_>,
        recall: &impl Recall,
        handler: &mut H,
    ) {
        self.expire(view.stamp.time_ns, handler);
        let (key, src, dst) = FlowKey::of(view.packet);
        let slot = self.slot_for(&key, src, dst, view, handler);
        let list = self.feed(slot, src, view, recall, handler);
        self.relist(slot, list);
        self.limit_waiting(handler);
    }

    /// The captures end: every conversation does.
    pub fn finish<H: Handler<Conversation = C>>(&mut self, handler: &mut H) {
        let mut open: Vec<u32> = (0..self.flows.len() as u32).filter(|slot| self.flow(*slot).is_some()).collect();
        // In the order in which they began, so that rows come in time order.
        open.sort_by_key(|slot| self.flow(*slot).map(|flow| (flow.first.order(), flow.key.low, flow.key.high)));
        for slot in open {
            self.close(slot, EndedBy::CaptureEnd, handler);
        }
    }

    fn flow(&self, slot: u32) -> Option<&Flow<C>> {
        self.flows.get(slot as usize)?.as_deref()
    }

    fn flow_mut(&mut self, slot: u32) -> Option<&mut Flow<C>> {
        self.flows.get_mut(slot as usize)?.as_deref_mut()
    }

    fn timeout_ns(&self, list: List) -> i64 {
        match list {
            List::Tcp => self.limits.tcp_timeout_ns,
            List::Datagram => self.limits.datagram_timeout_ns,
            List::Closed => self.limits.closed_timeout_ns,
        }
    }

    fn expire<H: Handler<Conversation = C>>(&mut self, now_ns: i64, handler: &mut H) {
        for list in [List::Closed, List::Datagram, List::Tcp] {
            let timeout_ns = self.timeout_ns(list);
            while let Some(slot) = self.lists[list as usize].oldest() {
                let Some(flow) = self.flow(slot) else { break };
                if now_ns.saturating_sub(flow.last.time_ns) <= timeout_ns {
                    break;
                }
                let why = if list == List::Closed { EndedBy::Close } else { EndedBy::Timeout };
                self.close(slot, why, handler);
            }
        }
    }

    /// The slot of the packet's conversation; a new one if there is none, or if this packet begins another.
    fn slot_for<H: Handler<Conversation = C>>(
        &mut self,
        key: &FlowKey,
        src: SocketAddr,
        dst: SocketAddr,
        view: &PacketView<'_>,
        handler: &mut H,
    ) -> u32 {
        if let Some(&slot) = self.by_key.get(key) {
            let reuse = self.flow(slot).is_some_and(|flow| flow.is_reused_by(src, view.packet.tcp.as_ref()));
            if !reuse {
                return slot;
            }
            self.close(slot, EndedBy::PortReuse, handler);
        }
        if self.by_key.len() >= self.limits.max_flows {
            self.evict(handler);
        }
        self.open(key, src, dst, view)
    }

    fn open(&mut self, key: &FlowKey, src: SocketAddr, dst: SocketAddr, view: &PacketView<'_>) -> u32 {
        self.counts.flows += 1;
        let opened = tcp::sender_opened(key.transport, view.packet.tcp.as_ref(), src, dst);
        let (orig, resp) = if opened { (src, dst) } else { (dst, src) };
        let info = FlowInfo {
            transport: key.transport,
            orig,
            resp,
            community_id: super::community::community_id(key.transport, src, dst).into(),
            tunnel: view.packet.tunnel.as_deref().unwrap_or_default().into(),
            within: crate::evidence::Within::default(),
        };
        let list = if key.transport == Transport::Tcp { List::Tcp } else { List::Datagram };
        let flow = Box::new(Flow {
            key: *key,
            info: Arc::new(info),
            first: view.stamp,
            last: view.stamp,
            list,
            ended: false,
            queued: false,
            connection: Connection::default(),
            halves: Default::default(),
            counts: Default::default(),
            conversation: C::default(),
        });
        let slot = self.free.pop().unwrap_or_else(|| {
            self.flows.push(None);
            self.links.push(Link::default());
            (self.flows.len() - 1) as u32
        });
        if let Some(place) = self.flows.get_mut(slot as usize) {
            *place = Some(flow);
        }
        self.by_key.insert(*key, slot);
        self.lists[list as usize].push(slot, &mut self.links);
        slot
    }

    fn feed<H: Handler<Conversation = C>>(
        &mut self,
        slot: u32,
        src: SocketAddr,
        view: &PacketView<'_>,
        recall: &impl Recall,
        handler: &mut H,
    ) -> List {
        let limits = self.limits.clone();
        let Some(flow) = self.flow_mut(slot) else { return List::Datagram };
        let before = flow.waiting_bytes();
        flow.last = view.stamp;
        flow.feed(src, view, &limits, recall, handler);
        let (after, list, key) = (flow.waiting_bytes(), flow.list_now(), flow.key);
        if after > 0 && !flow.queued {
            flow.queued = true;
            self.waiting_queue.push_back((slot, key));
        }
        self.waiting = self.waiting + after - before;
        list
    }

    fn relist(&mut self, slot: u32, list: List) {
        let Some(old) = self.flow(slot).map(|flow| flow.list) else { return };
        if old == list {
            self.lists[list as usize].touch(slot, &mut self.links);
            return;
        }
        self.lists[old as usize].remove(slot, &mut self.links);
        self.lists[list as usize].push(slot, &mut self.links);
        if let Some(flow) = self.flow_mut(slot) {
            flow.list = list;
        }
    }

    fn limit_waiting<H: Handler<Conversation = C>>(&mut self, handler: &mut H) {
        while self.waiting > self.limits.max_waiting {
            let Some((slot, key)) = self.waiting_queue.pop_front() else { return };
            let Some(flow) = self.flow_mut(slot).filter(|flow| flow.key == key) else { continue };
            flow.queued = false;
            let before = flow.waiting_bytes();
            if before == 0 {
                continue;
            }
            flow.flush(handler);
            self.waiting -= before;
            self.counts.waits_given_up += 1;
        }
        // Flows that wait no longer leave the queue from its front, so that it cannot grow beyond the flows.
        while let Some(&(slot, key)) = self.waiting_queue.front() {
            match self.flow_mut(slot).filter(|flow| flow.key == key) {
                Some(flow) if flow.waiting_bytes() > 0 => break,
                Some(flow) => flow.queued = false,
                None => {}
            }
            self.waiting_queue.pop_front();
        }
    }

    fn evict<H: Handler<Conversation = C>>(&mut self, handler: &mut H) {
        let oldest = [List::Closed, List::Datagram, List::Tcp]
            .iter()
            .filter_map(|list| self.lists[*list as usize].oldest())
            .min_by_key(|slot| self.flow(*slot).map(|flow| flow.last.order()));
        if let Some(slot) = oldest {
            self.counts.evicted += 1;
            self.close(slot, EndedBy::Evicted, handler);
        }
    }

    fn close<H: Handler<Conversation = C>>(&mut self, slot: u32, ended_by: EndedBy, handler: &mut H) {
        let Some(mut flow) = self.flows.get_mut(slot as usize).and_then(Option::take) else { return };
        self.by_key.remove(&flow.key);
        self.lists[flow.list as usize].remove(slot, &mut self.links);
        self.free.push(slot);
        self.waiting -= flow.waiting_bytes();
        flow.flush(handler);
        flow.end(handler);
        let summary = FlowSummary {
            info: Arc::clone(&flow.info),
            first: flow.first,
            last: flow.last,
            halves: flow.counts,
            state: flow.state(),
            ended_by,
        };
        handler.close(&mut flow.conversation, &summary);
    }
}

#[cfg(test)]
mod tests;
