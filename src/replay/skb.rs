//! A packet as netfilter sees it: an IP packet with what the kernel's `sk_buff` and `nft_pktinfo` know about it.
//!
//! This is the outermost IP packet of a frame: a gateway filters tunnels, not what is in them.

use super::conntrack::{ConnId, CtInfo};
use crate::ruleset::model::Hook;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// A packet on its way.
#[derive(Debug, Clone)]
pub struct Skb<'a> {
    /// From the first byte of the IP header; never longer than `len`. Shorter if the capture cut it: what lies beyond
    /// reads as not there.
    pub bytes: Cow<'a, [u8]>,
    /// Length of the packet as counters count it: IPv4 total length, IPv6 payload length + 40.
    pub len: u32,
    /// Link-layer header (Ethernet: 14 bytes, VLAN tags taken out as the kernel does); empty if there is none.
    pub link: &'a [u8],
    /// Outermost VLAN tag control information, if there was one.
    pub vlan: Option<u16>,
    /// Headers within `bytes`.
    pub headers: Headers,
    /// Capture time in nanoseconds since 1970.
    pub now_ns: i64,
    /// `skb->mark`.
    pub mark: u32,
    /// `skb->priority`.
    pub priority: u32,
    /// The connection, once tracked. `None` and [`CtInfo::None`]: INVALID (or before tracking).
    pub ct: Option<ConnId>,
    /// Its part in the connection.
    pub ct_info: CtInfo,
    /// `meta nftrace`.
    pub trace: bool,
    /// Offsets within `bytes` at which the second and further fragments of a packet begin that was put together: the
    /// kernel keeps them as separate blocks, and Boyer-Moore searches find nothing across them. Mostly empty.
    pub seams: Vec<u32>,
}

/// Where the headers are: `nft_set_pktinfo_ipv4_validate` and `_ipv6_validate`, `ipv6_find_hdr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Headers {
    /// 4 or 6.
    pub version: u8,
    /// Protocol above IP; IPv6: after the extension headers. `None` if it cannot be told (a cut or absurd header).
    pub protocol: Option<u8>,
    /// First byte of that header (in a non-first fragment: of the fragment's data).
    pub transport: u32,
    /// Byte offset of a fragment; 0 for whole packets and first fragments.
    pub fragment_offset: u16,
    /// It is a fragment, first or not.
    pub is_fragment: bool,
    /// Identification of the datagram (IPv4: 16 bits).
    pub fragment_id: u32,
}

/// At which hook a packet is, and by which interfaces it travels.
#[derive(Debug, Clone)]
pub struct HookContext {
    /// The hook.
    pub hook: Hook,
    /// Interface that it came in by; `None` where there is none (OUTPUT, POSTROUTING of local packets).
    pub in_if: Option<Arc<str>>,
    /// Interface that it leaves by; `None` where there is none yet.
    pub out_if: Option<Arc<str>>,
}

impl<'a> Skb<'a> {
    /// A packet from the bytes after the link header. `None` if it is not IPv4 or IPv6 with a whole IP header; trailing
    /// bytes (Ethernet padding) are cut off, a total length of 0 (segmentation offload) is what was captured.
    pub fn new(packet: &'a [u8], link: &'a [u8], now_ns: i64) -> Option<Self> {
        let len = wire_length(packet)?;
        let bytes = packet.get(..len as usize).unwrap_or(packet);
        let mut skb = Self {
            bytes: Cow::Borrowed(bytes),
            len,
            link,
            vlan: None,
            headers: Headers::default(),
            now_ns,
            mark: 0,
            priority: 0,
            ct: None,
            ct_info: CtInfo::None,
            trace: false,
            seams: Vec::new(),
        };
        skb.find_headers()?;
        Some(skb)
    }

    /// Reads the headers anew, after the packet was changed or put together. `None` if it is no IP packet.
    pub fn find_headers(&mut self) -> Option<()> {
        self.headers = Headers::of(&self.bytes)?;
        Some(())
    }

    /// `len` bytes at an offset from the IP header, if they are all there.
    pub fn at(&self, offset: usize, len: usize) -> Option<&[u8]> {
        self.bytes.get(offset..offset.checked_add(len)?)
    }

    /// `N` bytes at an offset from the IP header, if they are all there.
    pub fn array<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.bytes.get(offset..)?.first_chunk().copied()
    }

    /// A byte at an offset from the IP header.
    pub fn byte(&self, offset: usize) -> Option<u8> {
        self.bytes.get(offset).copied()
    }

    /// Bytes from the transport header on; empty if there is none.
    pub fn transport(&self) -> &[u8] {
        self.bytes.get(self.headers.transport as usize..).unwrap_or_default()
    }

    /// Source address.
    pub fn src(&self) -> IpAddr {
        match self.headers.version {
            4 => IpAddr::V4(Ipv4Addr::from(self.array::<4>(12).unwrap_or_default())),
            _ => IpAddr::V6(Ipv6Addr::from(self.array::<16>(8).unwrap_or_default())),
        }
    }

    /// Destination address.
    pub fn dst(&self) -> IpAddr {
        match self.headers.version {
            4 => IpAddr::V4(Ipv4Addr::from(self.array::<4>(16).unwrap_or_default())),
            _ => IpAddr::V6(Ipv6Addr::from(self.array::<16>(24).unwrap_or_default())),
        }
    }

    /// `true` for IPv6.
    pub fn is_v6(&self) -> bool {
        self.headers.version == 6
    }

    /// TTL or hop limit.
    pub fn ttl(&self) -> u8 {
        self.byte(if self.is_v6() { 7 } else { 8 }).unwrap_or_default()
    }

    /// Changes TTL or hop limit, and the header's checksum with it. Borrowed bytes are copied first.
    pub fn set_ttl(&mut self, ttl: u8) {
        let is_v6 = self.is_v6();
        match self.bytes.to_mut().as_mut_slice() {
            [_, _, _, _, _, _, _, limit, ..] if is_v6 => *limit = ttl,
            [_, _, _, _, _, _, _, _, old, _, high, low, ..] => {
                // RFC 1624, equation 3: what was wrong stays wrong.
                let sum = u32::from(!u16::from_be_bytes([*high, *low]))
                    + u32::from(!u16::from_be_bytes([*old, 0]))
                    + u32::from(u16::from_be_bytes([ttl, 0]));
                let sum = (sum & 0xffff) + (sum >> 16);
                [*high, *low] = (!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes();
                *old = ttl;
            }
            _ => {}
        }
    }
}

/// Length of the packet on the wire by its own header.
fn wire_length(packet: &[u8]) -> Option<u32> {
    let told = |high: u8, low: u8| u32::from(u16::from_be_bytes([high, low]));
    match packet.first()? >> 4 {
        4 => {
            let [_, _, high, low, ..] = *packet.first_chunk::<20>()?;
            Some(match told(high, low) {
                0 => u32::try_from(packet.len()).ok()?,
                len => len,
            })
        }
        6 => {
            let [_, _, _, _, high, low, ..] = *packet.first_chunk::<40>()?;
            Some(match told(high, low) {
                0 => u32::try_from(packet.len()).ok()?,
                len => len + 40,
            })
        }
        _ => None,
    }
}

impl Headers {
    /// Headers of an IP packet. `None` if there is no whole IPv4 or IPv6 header.
    pub fn of(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::of_v4(packet),
            6 => Self::of_v6(packet),
            _ => None,
        }
    }

    fn of_v4(packet: &[u8]) -> Option<Self> {
        let head = packet.first_chunk::<20>()?;
        let header_len = u32::from(head[0] & 15) * 4;
        if header_len < 20 {
            return None;
        }
        let field = u16::from_be_bytes([head[6], head[7]]);
        Some(Self {
            version: 4,
            protocol: Some(head[9]),
            transport: header_len,
            fragment_offset: (field & 0x1fff).wrapping_mul(8),
            is_fragment: field & 0x3fff != 0,
            fragment_id: u32::from(u16::from_be_bytes([head[4], head[5]])),
        })
    }

    /// Walks the extension headers as `ipv6_find_hdr` does: an authentication header counts as an extension, ESP, a
    /// mobility header and "no next header" end the walk, and so does a fragment that is not the first.
    fn of_v6(packet: &[u8]) -> Option<Self> {
        let head = packet.first_chunk::<40>()?;
        let mut found = Self { version: 6, transport: 40, ..Self::default() };
        let mut next = head[6];
        loop {
            let rest = packet.get(found.transport as usize..).unwrap_or_default();
            let len = match (next, rest) {
                (0 | 43 | 60, [_, len, ..]) => (u32::from(*len) + 1) * 8,
                (51, [_, len, ..]) => (u32::from(*len) + 2) * 4,
                (44, [_, _, high, low, a, b, c, d, ..]) => {
                    let field = u16::from_be_bytes([*high, *low]);
                    found.fragment_offset = field & 0xfff8;
                    found.is_fragment = field & 0xfff9 != 0;
                    found.fragment_id = u32::from_be_bytes([*a, *b, *c, *d]);
                    8
                }
                (0 | 43 | 44 | 51 | 60, _) => return Some(found), // cut: the protocol is not told
                _ => {
                    found.protocol = Some(next);
                    return Some(found);
                }
            };
            next = rest.first().copied().unwrap_or(59);
            found.transport += len;
            if found.fragment_offset > 0 {
                found.protocol = Some(next);
                return Some(found);
            }
        }
    }
}
