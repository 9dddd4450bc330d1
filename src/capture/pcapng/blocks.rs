//! Bodies of blocks.

use super::super::notes::Notes;
use super::super::order::ByteOrder;
use super::super::parse::RawFrame;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Type of a section header: the same in either byte order.
pub(super) const SECTION_HEADER: u32 = 0x0A0D_0D0A;
/// First field of a section header, as its byte order stores it.
const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;
/// Secrets of a TLS key log: `TLSK`.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// Blocks by what is done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    SectionHeader,
    InterfaceDescription,
    ObsoletePacket,
    SimplePacket,
    NameResolution,
    InterfaceStatistics,
    EnhancedPacket,
    DecryptionSecrets,
    /// Records that Wireshark numbers like frames: journal entries, custom blocks, Sysdig's system calls.
    FrameLike,
    /// Registered, and of no use here.
    Known,
    Unknown,
}

impl BlockKind {
    #[inline]
    pub(super) fn from_number(number: u32) -> Self {
        match number {
            SECTION_HEADER => Self::SectionHeader,
            1 => Self::InterfaceDescription,
            2 => Self::ObsoletePacket,
            3 => Self::SimplePacket,
            4 => Self::NameResolution,
            5 => Self::InterfaceStatistics,
            6 => Self::EnhancedPacket,
            0xA => Self::DecryptionSecrets,
            0x9 | 0xBAD | 0x4000_0BAD | 0x204 | 0x208 | 0x216 | 0x217 | 0x221 | 0x222 => Self::FrameLike,
            0x7 | 0x8 | 0xB..=0x12 | 0x201..=0x222 | 0x8000_0001 => Self::Known,
            _ => Self::Unknown,
        }
    }
}

impl ByteOrder {
    /// The order that a section header's body tells.
    pub(super) fn of_section(body: &[u8]) -> Option<Self> {
        let magic = *body.first_chunk::<4>()?;
        match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
            (BYTE_ORDER_MAGIC, _) => Some(Self::Little),
            (_, BYTE_ORDER_MAGIC) => Some(Self::Big),
            _ => None,
        }
    }
}

/// Whether a section header begins at an offset.
pub(super) fn is_section(bytes: &[u8], at: usize) -> bool {
    ByteOrder::Big.u32_at(bytes, at) == Some(SECTION_HEADER)
}

/// The byte order of the section that begins at an offset.
pub(super) fn section_order(bytes: &[u8], at: usize) -> Option<ByteOrder> {
    if is_section(bytes, at) { ByteOrder::of_section(bytes.get(at + 8..)?) } else { None }
}

/// A packet as its block describes it.
pub(super) struct Packet {
    pub(super) interface: u32,
    pub(super) ticks: Option<u64>,
    captured_len: u32,
    original_len: u32,
    data_at: usize,
    pub(super) options_at: usize,
}

impl Packet {
    pub(super) fn frame(&self, time_ns: i64, link: u16, body_at: usize) -> RawFrame {
        let Self { captured_len, original_len, .. } = *self;
        RawFrame { time_ns, link, offset: body_at + self.data_at, captured_len, original_len }
    }

    /// `None` if the bytes of the packet do not lie within the body.
    #[inline]
    fn fitting(self, body: &[u8]) -> Option<Self> {
        let options_at = self.data_at + (self.captured_len as usize).next_multiple_of(4);
        (self.data_at + self.captured_len as usize <= body.len()).then_some(Self { options_at, ..self })
    }
}

/// Enhanced packet block: interface, time (upper half first), captured and original length, packet, options.
#[inline]
pub(super) fn enhanced(body: &[u8], order: ByteOrder) -> Option<Packet> {
    let [interface, high, low, captured_len] = order.four_u32(body.first_chunk::<16>()?);
    let original_len = order.u32_at(body, 16)?;
    let ticks = Some(u64::from(high) << 32 | u64::from(low));
    Packet { interface, ticks, captured_len, original_len, data_at: 20, options_at: 0 }.fitting(body)
}

/// Packet block, obsolete: as the enhanced one, but with 16 bits each for interface and drops.
pub(super) fn obsolete(body: &[u8], order: ByteOrder) -> Option<Packet> {
    let interface = order.u16_at(body, 0)?.into();
    Packet { interface, ..enhanced(body, order)? }.fitting(body)
}

/// Simple packet block: original length, packet. Its interface is the section's first, which also tells how much of
/// the packet was captured.
pub(super) fn simple(body: &[u8], order: ByteOrder, snaplen: u32) -> Option<Packet> {
    let original_len = order.u32_at(body, 0)?;
    let snaplen = if snaplen == 0 { u32::MAX } else { snaplen };
    let stored = u32::try_from(body.len().saturating_sub(4)).unwrap_or(u32::MAX);
    let captured_len = original_len.min(snaplen).min(stored);
    let options_at = body.len(); // it has none
    Some(Packet { interface: 0, ticks: None, captured_len, original_len, data_at: 4, options_at })
}

/// Whether what is there of a block bears out its length: a packet block is as long as its packet and a few options.
/// Of other blocks, small ones are believed.
pub(super) fn bears_out(kind: BlockKind, length: u32, body: &[u8], order: ByteOrder) -> bool {
    /// Fixed fields, padding and a comment.
    const BESIDE_THE_PACKET: u32 = 1024;
    let packet = match kind {
        BlockKind::EnhancedPacket | BlockKind::ObsoletePacket => order.u32_at(body, 12),
        // A simple packet may be stored in part.
        BlockKind::SimplePacket => order.u32_at(body, 0).map(|original| original.min(length)),
        _ => Some(0),
    };
    // A block that is cut before it tells leaves nothing to search in.
    packet.is_none_or(|packet| length.checked_sub(packet).is_some_and(|beside| beside <= BESIDE_THE_PACKET))
}

/// Name resolution block: records of type, length and value, then options. Gives where the options begin.
pub(super) fn names(body: &[u8], order: ByteOrder, notes: &mut Notes) -> usize {
    let mut at = 0;
    while let (Some(kind), Some(length)) = (order.u16_at(body, at), order.u16_at(body, at + 2)) {
        let length = usize::from(length);
        let Some(value) = body.get(at + 4..at + 4 + length) else { break };
        at += 4 + length.next_multiple_of(4);
        let (address, names) = match kind {
            0 => return at,
            1 => match value.split_first_chunk::<4>() {
                Some((address, names)) => (IpAddr::V4(Ipv4Addr::from(*address)), names),
                None => continue,
            },
            2 => match value.split_first_chunk::<16>() {
                Some((address, names)) => (IpAddr::V6(Ipv6Addr::from(*address)), names),
                None => continue,
            },
            _ => continue,
        };
        names.split(|byte| *byte == 0).for_each(|name| notes.name(address, name));
    }
    body.len()
}

/// Decryption secrets block: kind, length, secrets, options. Key log lines are kept. Gives where the options begin.
pub(super) fn secrets(body: &[u8], order: ByteOrder, notes: &mut Notes) -> usize {
    let (Some(kind), Some(length)) = (order.u32_at(body, 0), order.u32_at(body, 4)) else { return body.len() };
    let value = body.get(8..).unwrap_or_default();
    let value = value.get(..length as usize).unwrap_or(value);
    if kind == TLS_KEY_LOG {
        for line in value.split(|byte| matches!(byte, b'\n' | b'\r')) {
            if let Ok(line) = std::str::from_utf8(line)
                && !line.trim().is_empty()
                && !line.starts_with('#')
            {
                notes.tls_secret(line.trim());
            }
        }
    }
    8 + (length as usize).next_multiple_of(4)
}
