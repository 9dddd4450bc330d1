//! Where something was seen: what every event and finding carries to stand on evidence.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Index of a capture among the inputs of a case, in the order of `case.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CaptureId(pub u32);

/// One frame of one capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The capture file.
    pub capture: CaptureId,
    /// Frame number within the capture, from 1, as Wireshark counts.
    pub frame: u64,
    /// Capture time in nanoseconds since 1970-01-01T00:00:00Z.
    pub time_ns: i64,
}

impl Stamp {
    /// The key that puts everything seen into one order: time, then capture, then frame.
    pub fn order(&self) -> (i64, CaptureId, u64) {
        (self.time_ns, self.capture, self.frame)
    }
}

/// Side of a conversation, by who opened it (or spoke first, where the opening was not captured).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the side that opened the conversation.
    FromOrig,
    /// From the side that answered.
    FromResp,
}

impl Direction {
    /// The other direction.
    pub fn reversed(self) -> Self {
        match self {
            Self::FromOrig => Self::FromResp,
            Self::FromResp => Self::FromOrig,
        }
    }

    /// 0 for the opener's direction, 1 for the answerer's: index into per-direction arrays.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// IP protocol of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP, protocol 6.
    Tcp,
    /// UDP, protocol 17.
    Udp,
    /// ICMP, protocol 1.
    Icmp,
    /// ICMPv6, protocol 58.
    Icmpv6,
    /// SCTP, protocol 132.
    Sctp,
    /// Any other protocol, by number.
    Other(u8),
}

impl Transport {
    /// IANA protocol number.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmp => 1,
            Self::Icmpv6 => 58,
            Self::Sctp => 132,
            Self::Other(number) => number,
        }
    }

    /// The transport of an IANA protocol number.
    pub fn from_number(number: u8) -> Self {
        match number {
            6 => Self::Tcp,
            17 => Self::Udp,
            1 => Self::Icmp,
            58 => Self::Icmpv6,
            132 => Self::Sctp,
            other => Self::Other(other),
        }
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::Icmp => f.write_str("icmp"),
            Self::Icmpv6 => f.write_str("icmpv6"),
            Self::Sctp => f.write_str("sctp"),
            Self::Other(number) => write!(f, "ip-{number}"),
        }
    }
}

/// What does not change over the life of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowInfo {
    /// IP protocol.
    pub transport: Transport,
    /// Who opened the conversation. Port 0 where the transport has none.
    pub orig: SocketAddr,
    /// Who answered.
    pub resp: SocketAddr,
    /// Community ID v1, seed 0: `1:` and the base64 of a SHA-1.
    pub community_id: Box<str>,
    /// Tunnels around the packets, outermost first, e.g. `vlan 8/vxlan 8808`; empty if none.
    pub tunnel: Box<str>,
    /// What was opened around the bytes before they were read; nothing for bytes as they crossed the wire.
    pub within: Within,
}

/// Layers that were opened around bytes. A decoder that opens one feeds the decoder inside with the flow of
/// [`FlowInfo::opened`], so that everything seen inside tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Within {
    /// TLS that keys opened: who reads along without them sees nothing of what is inside.
    pub tls: Option<TlsLayer>,
    /// zlib (XEP-0138), alone or inside TLS.
    pub zlib: bool,
    /// A binding of XMPP to HTTP.
    pub http: Option<HttpBinding>,
}

/// TLS that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsLayer {
    /// `TLSv1.2`, `TLSv1.3` and so on.
    pub version: &'static str,
    /// It began behind STARTTLS, not with the connection.
    pub starttls: bool,
}

/// How XMPP lies in HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpBinding {
    /// XEP-0124, XEP-0206.
    Bosh,
    /// RFC 7395.
    WebSocket,
}

impl FlowInfo {
    /// The same conversation, for what lies inside a layer that was opened.
    pub fn opened(&self, within: Within) -> Arc<Self> {
        Arc::new(Self { within, ..self.clone() })
    }

    /// Address and port of the side that sends in `direction`.
    pub fn sender(&self, direction: Direction) -> SocketAddr {
        match direction {
            Direction::FromOrig => self.orig,
            Direction::FromResp => self.resp,
        }
    }

    /// Address and port of the side that receives in `direction`.
    pub fn receiver(&self, direction: Direction) -> SocketAddr {
        self.sender(direction.reversed())
    }
}

/// What an event was seen in. Copied freely; [`Sighting`] is the form that is kept.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The conversation.
    pub flow: &'a Arc<FlowInfo>,
    /// Who sent what was seen.
    pub direction: Direction,
    /// The frame where it begins.
    pub first: Stamp,
    /// The frame that completed it.
    pub last: Stamp,
}

impl Seen<'_> {
    /// The form that outlives the packet.
    pub fn keep(&self) -> Sighting {
        Sighting { flow: Arc::clone(self.flow), direction: self.direction, first: self.first, last: self.last }
    }

    /// Address and port of the sender.
    pub fn sender(&self) -> SocketAddr {
        self.flow.sender(self.direction)
    }

    /// Address and port of the receiver.
    pub fn receiver(&self) -> SocketAddr {
        self.flow.receiver(self.direction)
    }
}

/// What a kept event was seen in: plain data that leaves a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The conversation.
    pub flow: Arc<FlowInfo>,
    /// Who sent what was seen.
    pub direction: Direction,
    /// The frame where it begins.
    pub first: Stamp,
    /// The frame that completed it.
    pub last: Stamp,
}

impl Sighting {
    /// The borrowed form.
    pub fn as_seen(&self) -> Seen<'_> {
        Seen { flow: &self.flow, direction: self.direction, first: self.first, last: self.last }
    }

    /// Address and port of the sender.
    pub fn sender(&self) -> SocketAddr {
        self.flow.sender(self.direction)
    }

    /// Address and port of the receiver.
    pub fn receiver(&self) -> SocketAddr {
        self.flow.receiver(self.direction)
    }
}

/// RFC 3339 in UTC with microseconds, as findings and tables show times: `2026-03-01T10:02:11.123456Z`.
/// Times outside the years -9999..=9999 come out as `<n>ns`.
pub fn format_time(time_ns: i64) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(time_ns)) {
        Ok(time) => format!("{time:.6}"),
        Err(_) => format!("{time_ns}ns"),
    }
}

/// `true` for addresses of one host only, which never cross a network.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_microseconds_and_zulu() {
        assert_eq!(format_time(1_772_359_331_123_456_789), "2026-03-01T10:02:11.123456Z");
        assert_eq!(format_time(0), "1970-01-01T00:00:00.000000Z");
    }
}
