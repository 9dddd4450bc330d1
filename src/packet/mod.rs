//! Frames in; addresses, ports and payload out.
//!
//! Tunnels are peeled: the innermost IP packet is what counts, and the way to it is kept.

use std::net::IpAddr;
use std::sync::Arc;

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
