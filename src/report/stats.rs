//! What charts show beside findings: traffic over time, by protocol, by address.
//!
//! Every shard fills its own accumulators; they are merged in shard order and frozen into [`CaseStats`].

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What is known of the traffic of a case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseStats {
    /// Traffic by protocol, most bytes first.
    pub traffic_by_protocol: Vec<ProtocolTraffic>,
    /// Addresses that sent and received most, most bytes first.
    pub top_talkers: Vec<Talker>,
    /// Bytes over time.
    pub timeline: Timeline,
}

/// Traffic of one protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolTraffic {
    /// Name as in the flow table.
    pub protocol: String,
    /// Bytes of packets.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Conversations.
    pub flows: u64,
}

/// Traffic of one address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talker {
    /// IPv4 or IPv6 address.
    pub address: String,
    /// Bytes it sent.
    pub sent: u64,
    /// Bytes it received.
    pub received: u64,
    /// Erlang nodes that were seen to listen there, without host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
}

/// Bytes over time, in buckets of one width.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Where the first bucket begins, nanoseconds since 1970.
    pub start_ns: i64,
    /// Width of a bucket.
    pub bucket_ns: u64,
    /// Bytes in each bucket.
    pub bytes: Vec<u64>,
}

/// Most buckets a timeline has: more cannot be told apart on a chart.
const MAX_BUCKETS: usize = 512;
/// Narrowest bucket, as a power of two of nanoseconds: about a millisecond.
const MIN_SHIFT: u32 = 20;

/// Gathers a [`Timeline`]. Buckets are 2^n ns wide and aligned to 1970, and n is the least that fits all times into
/// `MAX_BUCKETS`: so the result depends neither on the order of packets nor on how they were spread over shards.
#[derive(Debug, Clone)]
pub struct TimelineBuilder {
    shift: u32,
    /// Number of the first bucket, counted from 1970.
    first: i64,
    bytes: Vec<u64>,
}

impl Default for TimelineBuilder {
    fn default() -> Self {
        Self { shift: MIN_SHIFT, first: 0, bytes: Vec::new() }
    }
}

impl TimelineBuilder {
    /// Adds the bytes of a packet.
    pub fn add(&mut self, time_ns: i64, bytes: u64) {
        let place = (time_ns >> self.shift).wrapping_sub(self.first);
        match usize::try_from(place).ok().and_then(|place| self.bytes.get_mut(place)) {
            Some(bucket) => *bucket = bucket.saturating_add(bytes),
            None => self.add_outside(time_ns, bytes),
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.widen_to(other.shift);
        for (place, bytes) in other.bytes.iter().enumerate() {
            self.add((other.first + place as i64) << other.shift, *bytes);
        }
    }

    /// The timeline so far.
    pub fn finish(&self) -> Timeline {
        Timeline { start_ns: self.first << self.shift, bucket_ns: 1 << self.shift, bytes: self.bytes.clone() }
    }

    fn add_outside(&mut self, time_ns: i64, bytes: u64) {
        if self.bytes.is_empty() {
            self.first = time_ns >> self.shift;
            self.bytes.push(bytes);
            return;
        }
        let last = self.first + self.bytes.len() as i64 - 1;
        let mut shift = self.shift;
        let span = |shift: u32| {
            let widened = |bucket: i64| bucket >> (shift - self.shift);
            let now = time_ns >> shift;
            (widened(self.first).min(now), widened(last).max(now))
        };
        while span(shift).1 - span(shift).0 >= MAX_BUCKETS as i64 {
            shift += 1;
        }
        let (first, last) = span(shift);
        self.widen_to(shift);
        let in_front = usize::try_from(self.first - first).unwrap_or_default();
        self.bytes.splice(0..0, std::iter::repeat_n(0, in_front));
        self.first = first;
        self.bytes.resize(usize::try_from(last - first).unwrap_or_default() + 1, 0);
        let place = usize::try_from((time_ns >> shift) - first).unwrap_or_default();
        if let Some(bucket) = self.bytes.get_mut(place) {
            *bucket = bucket.saturating_add(bytes);
        }
    }

    fn widen_to(&mut self, shift: u32) {
        if shift <= self.shift {
            return;
        }
        let by = shift - self.shift;
        let first = self.first >> by;
        let mut bytes = Vec::new();
        for (place, old) in self.bytes.iter().enumerate() {
            let place = usize::try_from(((self.first + place as i64) >> by) - first).unwrap_or_default();
            bytes.resize(bytes.len().max(place + 1), 0u64);
            if let Some(bucket) = bytes.get_mut(place) {
                *bucket = bucket.saturating_add(*old);
            }
        }
        (self.shift, self.first, self.bytes) = (shift, first, bytes);
    }
}

/// Addresses counted one by one before the quietest half is folded: 64 K entries of some 50 bytes a shard.
const MAX_ADDRESSES: usize = 65_536;

/// Gathers traffic by protocol and address, one call a conversation.
///
/// Below `MAX_ADDRESSES` addresses the result is exact. Above, whoever carries little is forgotten (and its number
/// counted), so a flood of made-up sources can neither fill memory nor push out those who move data.
#[derive(Debug, Clone, Default)]
pub struct TrafficBuilder {
    protocols: BTreeMap<&'static str, (u64, u64, u64)>,
    addresses: BTreeMap<IpAddr, (u64, u64)>,
    folded: u64,
}

/// One conversation, as it counts in the traffic of a case.
#[derive(Debug, Clone, Copy)]
pub struct FlowTraffic {
    /// Name as in the flow table.
    pub protocol: &'static str,
    /// The opener's address.
    pub orig: IpAddr,
    /// The answerer's address.
    pub resp: IpAddr,
    /// Bytes of packets that the opener sent.
    pub bytes_out: u64,
    /// Bytes of packets that the answerer sent.
    pub bytes_in: u64,
    /// Packets of both.
    pub packets: u64,
}

impl TrafficBuilder {
    /// Adds a conversation.
    pub fn add(&mut self, flow: &FlowTraffic) {
        let protocol = self.protocols.entry(flow.protocol).or_default();
        let bytes = flow.bytes_out.saturating_add(flow.bytes_in);
        add_to(protocol, (bytes, flow.packets, 1));
        self.add_address(flow.orig, flow.bytes_out, flow.bytes_in);
        self.add_address(flow.resp, flow.bytes_in, flow.bytes_out);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (protocol, numbers) in &other.protocols {
            add_to(self.protocols.entry(protocol).or_default(), *numbers);
        }
        for (address, (sent, received)) in &other.addresses {
            self.add_address(*address, *sent, *received);
        }
        self.folded = self.folded.saturating_add(other.folded);
    }

    /// Times an address was forgotten because there were too many: belongs among what was skipped.
    pub fn folded_addresses(&self) -> u64 {
        self.folded
    }

    /// Traffic by protocol, most bytes first.
    pub fn by_protocol(&self) -> Vec<ProtocolTraffic> {
        let row = |(protocol, (bytes, packets, flows)): (&&str, &(u64, u64, u64))| ProtocolTraffic {
            protocol: (*protocol).to_owned(),
            bytes: *bytes,
            packets: *packets,
            flows: *flows,
        };
        let mut rows: Vec<ProtocolTraffic> = self.protocols.iter().map(row).collect();
        rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.protocol.cmp(&b.protocol)));
        rows
    }

    /// The `most` addresses that moved most bytes, most first.
    pub fn top_talkers(&self, most: usize, nodes_of: impl Fn(IpAddr) -> Vec<String>) -> Vec<Talker> {
        let mut all: Vec<(&IpAddr, &(u64, u64))> = self.addresses.iter().collect();
        // Stable: equal volumes stay in the order of addresses.
        all.sort_by_key(|(_, volume)| std::cmp::Reverse(total(volume)));
        let row = |(address, (sent, received)): (&IpAddr, &(u64, u64))| Talker {
            address: address.to_string(),
            sent: *sent,
            received: *received,
            nodes: nodes_of(*address),
        };
        all.into_iter().take(most).map(row).collect()
    }

    fn add_address(&mut self, address: IpAddr, sent: u64, received: u64) {
        let volume = self.addresses.entry(address).or_default();
        volume.0 = volume.0.saturating_add(sent);
        volume.1 = volume.1.saturating_add(received);
        if self.addresses.len() > MAX_ADDRESSES {
            self.fold();
        }
    }

    /// Forgets the half of the addresses that moved least; of equal ones, the higher addresses.
    fn fold(&mut self) {
        let mut ranked: Vec<(u64, std::cmp::Reverse<IpAddr>)> =
            self.addresses.iter().map(|(address, volume)| (total(volume), std::cmp::Reverse(*address))).collect();
        let half = ranked.len() / 2;
        ranked.select_nth_unstable(half);
        for (_, address) in ranked.into_iter().take(half) {
            self.addresses.remove(&address.0);
            self.folded += 1;
        }
    }
}

fn total(volume: &(u64, u64)) -> u64 {
    volume.0.saturating_add(volume.1)
}

fn add_to(sum: &mut (u64, u64, u64), more: (u64, u64, u64)) {
    sum.0 = sum.0.saturating_add(more.0);
    sum.1 = sum.1.saturating_add(more.1);
    sum.2 = sum.2.saturating_add(more.2);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    proptest! {
        #[test]
        fn a_timeline_does_not_depend_on_order_or_shards(
            mut packets in prop::collection::vec(
                (prop_oneof![any::<i64>(), 1_772_359_331_000_000_000i64..1_772_359_391_000_000_000], 0u64..2000), 0..80),
            cut in 0usize..80,
        ) {
            let gather = |packets: &[(i64, u64)]| {
                let mut builder = TimelineBuilder::default();
                for (time, bytes) in packets {
                    builder.add(*time, *bytes);
                }
                builder
            };
            let whole = gather(&packets);
            let (left, right) = packets.split_at(cut.min(packets.len()));
            let (mut left, right) = (gather(left), gather(right));
            left.merge(&right);
            prop_assert_eq!(left.finish(), whole.finish());
            packets.reverse();
            prop_assert_eq!(gather(&packets).finish(), whole.finish());
            prop_assert!(whole.bytes.len() <= MAX_BUCKETS);
            prop_assert_eq!(whole.bytes.iter().sum::<u64>(), packets.iter().map(|(_, bytes)| bytes).sum::<u64>());
        }
    }

    #[test]
    fn made_up_sources_do_not_push_out_who_moves_data() {
        let server = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        let mut traffic = TrafficBuilder::default();
        for number in 0..200_000u32 {
            let orig = IpAddr::V4(Ipv4Addr::from_bits(0xC000_0000 + number));
            traffic.add(&FlowTraffic { protocol: "xmpp", orig, resp: server, bytes_out: 60, bytes_in: 0, packets: 1 });
        }
        assert!(traffic.addresses.len() <= MAX_ADDRESSES && traffic.folded_addresses() > 100_000);
        let top = traffic.top_talkers(1, |_| vec!["ejabberd".to_owned()]);
        assert_eq!(
            top,
            [Talker {
                address: "10.0.0.1".to_owned(),
                sent: 0,
                received: 12_000_000,
                nodes: vec!["ejabberd".to_owned()],
            }]
        );
        let all = ProtocolTraffic { protocol: "xmpp".to_owned(), bytes: 12_000_000, packets: 200_000, flows: 200_000 };
        assert_eq!(traffic.by_protocol(), [all]);
    }
}
