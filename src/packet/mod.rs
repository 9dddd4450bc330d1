//! Frames in; addresses, ports and payload out.
//!
//! Tunnels are peeled: the innermost IP packet is what counts, and the way to it is kept.
//!
//! [`decode`] knows one frame and no other, so that frames are decoded in parallel. Fragments are then put together in
//! the order of frames by a [`Defragmenter`]. What is not decoded is told and counted: [`DecodeCounts`],
//! [`FragmentCounts`].
//!
//! | file | reads |
//! |---|---|
//! | `link` | link types: cooked, loopback, raw, PPI, log devices |
//! | `wifi` | 802.11 and the radio headers before it |
//! | `ether`, `ppp` | Ethernet, VLANs, MPLS, PPPoE; PPP |
//! | `ip`, `tunnel` | IPv4, IPv6, extension headers; GRE, IP in IP, VXLAN, Geneve, GTP, Teredo, L2TP |
//! | `transport`, `icmp`, `checksum` | TCP, UDP, ICMP, SCTP; packets inside ICMP errors |
//! | `defrag` | fragments |
//! | `outer` | the outermost IP packet only, for filters |
//!
//! Left out: encrypted links (WPA, MACsec, ESP), compressed headers, fragments of 802.11 and of multilink PPP.

pub(crate) mod checksum;
mod counts;
mod defrag;
mod ether;
mod icmp;
mod ip;
mod layer;
mod link;
mod outer;
mod path;
mod ppp;
mod transport;
mod tunnel;
mod wifi;

#[cfg(test)]
mod tests;

pub use counts::DecodeCounts;
pub use defrag::{Defragmenter, FragmentCounts, FragmentLimits, Reassembled};
pub use icmp::{Embedded, embedded};
pub use outer::{Outer, outer};

use crate::capture::Frame;
use layer::Layer;
use path::Path;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// IP protocol numbers of the transports that are decoded.
pub(crate) mod number {
    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const DCCP: u8 = 33;
    pub const ICMPV6: u8 = 58;
    pub const SCTP: u8 = 132;
    pub const UDP_LITE: u8 = 136;
}

/// TCP fields that reassembly needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpHead {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Window as sent, unscaled.
    pub window: u16,
    /// FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128.
    pub flags: u8,
}

/// A decoded packet: numbers, and places in the bytes it was decoded from.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Source address of the innermost IP header.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// IP protocol above the IP headers and their extensions.
    pub protocol: u8,
    /// Source port (ICMP: type), 0 where there is none.
    pub src_port: u16,
    /// Destination port (ICMP: code).
    pub dst_port: u16,
    /// Innermost IP header: first byte in the frame (or in the reassembled datagram).
    pub ip_offset: u32,
    /// Length of the IP packet as its header tells it (offload: as captured).
    pub ip_len: u32,
    /// Header above IP: first byte.
    pub transport_offset: u32,
    /// Payload of the transport: first byte.
    pub payload_offset: u32,
    /// Bytes of payload that were captured.
    pub payload_len: u32,
    /// Bytes of payload that were on the wire: more than captured if a snapshot length cut it.
    pub wire_payload_len: u32,
    /// TCP only.
    pub tcp: Option<TcpHead>,
    /// The IP header's or the transport's checksum is wrong (not told where it was not checked).
    pub bad_checksum: bool,
    /// Tunnels around it, outermost first, e.g. `vlan 8/vxlan 8808`; `None` for a plain packet.
    pub tunnel: Option<Arc<str>>,
}

impl Packet {
    /// `true` if its transport's header could not be read: cut, or with an impossible length. Ports may be known, the
    /// payload is empty.
    pub fn is_headless(&self) -> bool {
        transport::is_headed(self.protocol) && self.payload_offset == self.transport_offset
    }

    /// `true` if the capture lacks bytes of it.
    pub fn is_truncated(&self) -> bool {
        self.wire_payload_len > self.payload_len
    }

    /// The captured payload. `data` is what the packet was decoded from: the frame's bytes, or the datagram's.
    pub fn payload<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        part(data, self.payload_offset, self.payload_len)
    }
}

/// A part of what a packet was decoded from; empty if it lies outside.
fn part(data: &[u8], offset: u32, len: u32) -> &[u8] {
    data.get(offset as usize..).and_then(|rest| rest.get(..len as usize)).unwrap_or_default()
}

/// A fragment of an IP datagram: numbers, and places in the bytes of its frame.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// IP protocol of the datagram, as this fragment tells it.
    pub protocol: u8,
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// Place of the payload in the datagram's.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
    /// The IP header: first byte.
    pub ip_offset: u32,
    /// Bytes from there that the datagram's own header is made of.
    pub header_len: u32,
    /// Place of the protocol number in these bytes.
    pub next_header: u32,
    /// First byte of the payload.
    pub payload_offset: u32,
    /// Bytes of payload that were captured.
    pub payload_len: u32,
    /// Bytes of payload that were on the wire.
    pub wire_payload_len: u32,
    /// The IP header's checksum is wrong.
    pub bad_checksum: bool,
    /// As in [`Packet::tunnel`].
    pub tunnel: Option<Arc<str>>,
    /// Tells tunnels and VLANs apart that use the same addresses.
    pub(crate) context: u64,
}

/// What is not IP, by the number that says what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotIp {
    /// An Ethernet type, or a cooked capture's number for what has none.
    EtherType(u16),
    /// 802.2 LLC, by its destination SAP.
    Llc(u8),
    /// SNAP of some vendor.
    Snap,
    /// A PPP protocol, most often control.
    Ppp(u16),
    /// An address family of a loopback device.
    Family(u32),
    /// A frame of a cooked capture, by the kind of device.
    Device(u16),
    /// 802.11 frames without data, or with a part of it.
    Wifi(&'static str),
    /// Encrypted on the link.
    Encrypted(&'static str),
    /// A link type that is not known.
    Link(u32),
    /// More kinds than are told apart.
    Other,
}

impl fmt::Display for NotIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EtherType(number) => write!(f, "ether-type 0x{number:04x}"),
            Self::Llc(sap) => write!(f, "llc 0x{sap:02x}"),
            Self::Snap => f.write_str("snap"),
            Self::Ppp(number) => write!(f, "ppp 0x{number:04x}"),
            Self::Family(number) => write!(f, "address-family {number}"),
            Self::Device(number) => write!(f, "device {number}"),
            Self::Wifi(kind) => write!(f, "wifi {kind}"),
            Self::Encrypted(link) => write!(f, "encrypted {link}"),
            Self::Link(number) => write!(f, "link-type {number}"),
            Self::Other => f.write_str("other"),
        }
    }
}

/// What a frame is.
#[derive(Debug, Clone)]
pub enum Decoded {
    /// An IP packet, whole as far as IP is concerned.
    Packet(Packet),
    /// A fragment, for the [`Defragmenter`].
    Fragment(Box<Fragment>),
    /// Several packets in one frame (802.11 aggregates), in order.
    Several(Vec<Decoded>),
    /// Something else: ARP, spanning tree, encrypted links.
    NotIp(NotIp),
    /// A header that is cut or cannot be.
    Undecodable {
        /// Which one, by a stable name such as `ipv4.header`.
        what: &'static str,
    },
}

impl Decoded {
    /// `true` if there is an IP packet in it.
    fn is_ip(&self) -> bool {
        matches!(self, Self::Packet(_) | Self::Fragment(_) | Self::Several(_))
    }

    /// Source and destination, if it is one packet or fragment.
    fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        match self {
            Self::Packet(packet) => Some((packet.src, packet.dst)),
            Self::Fragment(fragment) => Some((fragment.src, fragment.dst)),
            _ => None,
        }
    }
}

/// Decodes a frame. Depends on nothing but the frame.
pub fn decode(frame: &Frame<'_>) -> Decoded {
    let mut path = Path::new(None, 0);
    link::decode(&mut path, u32::from(frame.link), Layer::whole(frame.data, frame.original_len as usize))
}

/// Decodes an IP packet of which `wire_len` bytes were sent, and which came through the tunnels `outer`.
fn decode_datagram(data: &[u8], wire_len: usize, outer: Option<Arc<str>>, context: u64) -> Decoded {
    ip::decode(&mut Path::new(outer, context), Layer::whole(data, wire_len))
}
