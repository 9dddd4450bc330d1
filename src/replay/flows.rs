//! Conversations of a replay: which packet belongs to which, named as `analyze` names them.
//!
//! All candidates share one table, for it does not depend on rules. A conversation keeps a number and its ends; what a
//! ruleset made of it is the candidate's.

use super::skb::Skb;
use crate::evidence::{Stamp, Transport};
use crate::flow::FlowKey;
use crate::flow::community::community_id;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Number of a conversation, in the order of their first packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId(pub u32);

/// A conversation.
#[derive(Debug, Clone)]
pub struct Flow {
    /// IP protocol.
    pub transport: Transport,
    /// Who sent its first packet (for a SYN-ACK: who received it).
    pub orig: SocketAddr,
    /// The other end.
    pub resp: SocketAddr,
    /// First packet.
    pub first: Stamp,
    /// Packets.
    pub packets: u64,
    /// IP bytes.
    pub bytes: u64,
    /// The first packet that carried TLS.
    pub encrypted: Option<Stamp>,
    /// The first packet after which the stream was compressed (XEP-0138).
    pub compressed: Option<Stamp>,
    /// First sequence numbers, opener's and answerer's.
    isn: [Option<u32>; 2],
}

impl Flow {
    /// Community ID v1, as findings carry it.
    pub fn community_id(&self) -> String {
        community_id(self.transport, self.orig, self.resp)
    }
}

/// A TCP segment's place in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// First sequence number.
    pub seq: u32,
    /// Sequence numbers that it takes: payload, SYN and FIN.
    pub len: u32,
    /// What it acknowledges.
    pub ack: Option<u32>,
    /// FIN 1, SYN 2, RST 4, PSH 8, ACK 16.
    pub flags: u8,
}

impl Segment {
    /// SYN without ACK: somebody opens a connection.
    pub fn opens(&self) -> bool {
        self.flags & 0x12 == 0x02
    }
}

/// What is known of a packet before any rule.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its conversation.
    pub flow: FlowId,
    /// 0 if the opener sent it, 1 if the answerer did.
    pub direction: u8,
    /// For TCP with a whole header.
    pub segment: Option<Segment>,
    /// Bytes from the IP header to the payload of the transport.
    pub payload: u32,
}

/// Datagrams whose first fragment told the ports. Beyond this many the oldest knowledge goes at once: fragments
/// follow each other closely.
const MAX_DATAGRAMS: usize = 4_096;

/// Finds the conversations of packets.
#[derive(Debug, Default)]
pub struct Flows {
    flows: Vec<Flow>,
    open: HashMap<FlowKey, FlowId, RandomState>,
    datagrams: HashMap<(IpAddr, IpAddr, u8, u32), (u16, u16), RandomState>,
}

impl Flows {
    /// Puts a packet into its conversation.
    pub fn add(&mut self, skb: &Skb<'_>, stamp: Stamp) -> Part {
        let protocol = skb.headers.protocol.unwrap_or(0);
        let transport = Transport::from_number(protocol);
        let (ports, payload) = self.ports(skb, transport);
        let (key, src, dst) = FlowKey::of_ends(transport, (skb.src(), ports.0), (skb.dst(), ports.1));
        let segment = segment(skb, transport, payload);
        let flow = self.flow(key, src, dst, segment, stamp);
        let mut direction = 0;
        if let Some(flow) = self.flows.get_mut(flow.0 as usize) {
            direction = u8::from(flow.orig != src);
            flow.packets += 1;
            flow.bytes += u64::from(skb.len);
            let isn = &mut flow.isn[usize::from(direction)];
            *isn = isn.or(segment.filter(|segment| segment.flags & 2 != 0).map(|segment| segment.seq));
            flow.watch(skb.bytes.get(payload as usize..).unwrap_or_default(), stamp);
        }
        Part { flow, direction, segment, payload }
    }

    /// A conversation by its number.
    pub fn get(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(id.0 as usize)
    }

    /// All conversations, by number.
    pub fn all(&self) -> &[Flow] {
        &self.flows
    }

    fn flow(
        &mut self,
        key: FlowKey,
        src: SocketAddr,
        dst: SocketAddr,
        segment: Option<Segment>,
        stamp: Stamp,
    ) -> FlowId {
        if let Some(&id) = self.open.get(&key)
            && let Some(flow) = self.flows.get(id.0 as usize)
            && !flow.is_reopened_by(src, segment)
        {
            return id;
        }
        let id = FlowId(u32::try_from(self.flows.len()).unwrap_or(u32::MAX));
        let answers = segment.is_some_and(|segment| segment.flags & 0x12 == 0x12);
        let (orig, resp) = if answers { (dst, src) } else { (src, dst) };
        let transport = key.transport;
        let (encrypted, compressed, isn) = (None, None, [None; 2]);
        self.flows.push(Flow { transport, orig, resp, first: stamp, packets: 0, bytes: 0, encrypted, compressed, isn });
        self.open.insert(key, id);
        id
    }

    /// Ports (ICMP: type and code) and where the payload begins. A fragment's come from the first of its datagram.
    fn ports(&mut self, skb: &Skb<'_>, transport: Transport) -> ((u16, u16), u32) {
        let at = skb.headers.transport;
        let datagram = (skb.src(), skb.dst(), transport.number(), skb.headers.fragment_id);
        if skb.headers.fragment_offset > 0 {
            return (self.datagrams.get(&datagram).copied().unwrap_or_default(), at);
        }
        let head = skb.transport();
        let pair = |at: usize| head.get(at..).and_then(|rest| rest.first_chunk()).map(|two| u16::from_be_bytes(*two));
        let (ports, header) = match transport {
            Transport::Icmp | Transport::Icmpv6 => {
                let byte = |at: usize| u16::from(head.get(at).copied().unwrap_or_default());
                ((byte(0), byte(1)), 8)
            }
            Transport::Tcp | Transport::Udp | Transport::Sctp => {
                let tcp_header = u32::from(head.get(12).copied().unwrap_or(0x50) >> 4) * 4;
                let header = match transport {
                    Transport::Tcp => tcp_header.max(20),
                    Transport::Udp => 8,
                    _ => 12,
                };
                ((pair(0).unwrap_or_default(), pair(2).unwrap_or_default()), header)
            }
            Transport::Other(_) => ((0, 0), 0),
        };
        if skb.headers.is_fragment {
            if self.datagrams.len() >= MAX_DATAGRAMS {
                self.datagrams.clear();
            }
            self.datagrams.insert(datagram, ports);
        }
        (ports, at + header)
    }
}

impl Flow {
    /// `true` if a SYN with another first sequence number says that the ports are used anew.
    fn is_reopened_by(&self, src: SocketAddr, segment: Option<Segment>) -> bool {
        let Some(segment) = segment.filter(Segment::opens) else { return false };
        let known = self.isn[usize::from(self.orig != src)];
        self.packets > 0 && known != Some(segment.seq)
    }

    /// Notes where a stream becomes unreadable for rules that look at bytes.
    fn watch(&mut self, payload: &[u8], stamp: Stamp) {
        const HANDSHAKE: u8 = 22;
        match payload {
            [HANDSHAKE, 3, 0..=4, _, _, 1 | 2, ..] if self.transport == Transport::Tcp => {
                self.encrypted.get_or_insert(stamp);
            }
            [b'<', b'c', b'o', b'm', b'p', b'r', b'e', b's', b's', b'e', b'd', ..] => {
                self.compressed.get_or_insert(stamp);
            }
            _ => {}
        }
    }
}

fn segment(skb: &Skb<'_>, transport: Transport, payload: u32) -> Option<Segment> {
    if transport != Transport::Tcp || skb.headers.fragment_offset > 0 {
        return None;
    }
    let head: [u8; 20] = skb.array(skb.headers.transport as usize)?;
    let number =
        |at: usize| head.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_be_bytes(*four));
    let flags = head[13] & 0x3f;
    let carried = skb.len.saturating_sub(payload);
    Some(Segment {
        seq: number(4),
        len: carried + u32::from(flags & 2 != 0) + u32::from(flags & 1 != 0),
        ack: (flags & 16 != 0).then(|| number(8)),
        flags,
    })
}
