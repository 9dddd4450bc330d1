//! Frames built byte by byte, layer in layer.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod hostile;
mod links;
mod packets;
mod tunnels;

use super::*;
use crate::evidence::{CaptureId, Stamp};
use etherparse::PacketBuilder;

pub(super) const CLIENT: [u8; 4] = [10, 0, 0, 7];
pub(super) const SERVER: [u8; 4] = [10, 0, 0, 1];
pub(super) const CLIENT6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
pub(super) const SERVER6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A frame as the capture holds it whole.
pub(super) fn frame(link: u16, data: &[u8]) -> Frame<'_> {
    Frame { stamp: stamp(1, 0), link, original_len: data.len() as u32, data }
}

pub(super) fn stamp(frame: u64, time_ns: i64) -> Stamp {
    Stamp { capture: CaptureId(0), frame, time_ns }
}

/// An IPv4 packet from client to server: TCP, 49152 to 5222, sequence number 1000.
fn tcp4(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4(CLIENT, SERVER, 64)
        .tcp(49_152, 5222, 1000, 8192)
        .ack(2000)
        .psh()
        .write(&mut bytes, payload)
        .unwrap();
    bytes
}

/// The same over IPv6.
fn tcp6(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv6(CLIENT6, SERVER6, 64)
        .tcp(49_152, 5222, 1000, 8192)
        .ack(2000)
        .psh()
        .write(&mut bytes, payload)
        .unwrap();
    bytes
}

/// An IPv4 packet from 192.0.2.1 to 192.0.2.2 that carries `payload` over UDP.
fn udp4(src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(src_port, dst_port).write(&mut bytes, payload).unwrap();
    bytes
}

/// An IPv4 packet from 192.0.2.1 to 192.0.2.2 of any protocol.
fn ip4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = etherparse::Ipv4Header::new(
        payload.len() as u16,
        64,
        etherparse::IpNumber(protocol),
        [192, 0, 2, 1],
        [192, 0, 2, 2],
    )
    .unwrap();
    header.header_checksum = header.calc_header_checksum();
    join(&[&header.to_bytes(), payload])
}

/// An IPv6 packet of any protocol.
fn ip6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    join(&[&[0x60, 0, 0, 0], &length, &[next_header, 64], &CLIENT6, &SERVER6, payload])
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &ether_type.to_be_bytes(), payload])
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[track_caller]
fn packet(link: u16, data: &[u8]) -> Packet {
    match decode(&frame(link, data)) {
        Decoded::Packet(packet) => packet,
        other => panic!("no packet: {other:?}"),
    }
}

/// Asserts that a frame holds [`tcp4`] or [`tcp6`] with this payload, behind these tunnels.
#[track_caller]
fn assert_holds(link: u16, data: &[u8], payload: &[u8], tunnel: Option<&str>) {
    let packet = packet(link, data);
    let ends = (packet.src_port, packet.dst_port, packet.protocol);
    assert_eq!(ends, (49_152, 5222, number::TCP));
    assert!(packet.src == IpAddr::from(CLIENT) || packet.src == IpAddr::from(CLIENT6));
    assert!(packet.dst == IpAddr::from(SERVER) || packet.dst == IpAddr::from(SERVER6));
    assert_eq!(packet.payload(data), payload);
    assert_eq!(packet.wire_payload_len, packet.payload_len);
    assert_eq!(packet.tcp, Some(TcpHead { seq: 1000, ack: 2000, window: 8192, flags: 0x18 }));
    assert!(!packet.bad_checksum);
    assert_eq!(packet.tunnel.as_deref(), tunnel);
}
