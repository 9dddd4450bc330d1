//! What nf_tables knows of a packet before the first rule (`nft_set_pktinfo_ipv4`, `nft_set_pktinfo_ipv6`), and reading
//! its bytes (`nft_payload.c` and the fast path `nft_payload_fast_eval` of `nf_tables_core.c`).

use super::value::{MAX_WIDTH, number_of};
use crate::replay::skb::Skb;
use crate::ruleset::nft::{Payload, PayloadBase};

/// Protocol numbers that reading a packet depends on.
pub(super) mod protocol {
    pub const ICMP: u8 = 1;
    pub const IPIP: u8 = 4;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const DCCP: u8 = 33;
    pub const IPV6: u8 = 41;
    pub const GRE: u8 = 47;
    pub const ICMPV6: u8 = 58;
    pub const NO_NEXT: u8 = 59;
    pub const SCTP: u8 = 132;
}

/// `struct nft_pktinfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Info {
    /// `tprot`; `None` without `NFT_PKTINFO_L4PROTO`.
    pub protocol: Option<u8>,
    /// `thoff`.
    pub transport: u32,
    /// `fragoff`.
    pub fragment: u16,
}

impl Info {
    /// Of a packet as it is when a base chain begins.
    pub fn of(skb: &Skb) -> Self {
        let headers = &skb.headers;
        if headers.version == 6 && skb.byte(6) != headers.protocol {
            return Self::of_v6(skb);
        }
        Self { protocol: headers.protocol, transport: headers.transport, fragment: headers.fragment_offset }
    }

    /// As `ipv6_find_hdr` with `IP6_FH_F_AUTH`: unlike for ip6tables, an authentication header ends the walk. In a
    /// fragment that is not the first the kernel leaves the offset 0, so that aligned reads of 1, 2 and 4 bytes see the
    /// IPv6 header itself.
    fn of_v6(skb: &Skb) -> Self {
        let mut found = Self { protocol: None, transport: 40, fragment: 0 };
        let mut next = skb.byte(6).unwrap_or(protocol::NO_NEXT);
        loop {
            let rest = skb.bytes.get(found.transport as usize..).unwrap_or_default();
            let len = match (next, rest) {
                (0 | 43 | 60 | 135, [_, len, ..]) => (u32::from(*len) + 1) * 8,
                (44, [_, _, high, low, ..]) => {
                    found.fragment = u16::from_be_bytes([*high, *low]) & 0xfff8;
                    8
                }
                (0 | 43 | 44 | 60 | 135, _) => return Self { protocol: None, transport: 0, fragment: 0 },
                _ => return Self { protocol: Some(next), ..found },
            };
            next = rest.first().copied().unwrap_or(protocol::NO_NEXT);
            found.transport = found.transport.saturating_add(len);
            if found.fragment > 0 {
                let extension = matches!(next, 0 | 43 | 44 | 51 | 60 | 135);
                return Self { protocol: (!extension).then_some(next), transport: 0, ..found };
            }
        }
    }

    /// The protocol, if it is this one and the packet begins with its header.
    pub fn starts_with(&self, protocol: u8) -> bool {
        self.protocol == Some(protocol) && self.fragment == 0
    }
}

/// Bytes of a packet that hold a [`Payload`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Read {
    base: PayloadBase,
    first: u32,
    len: u8,
    /// Bits to the right of the field in the last byte.
    shift: u8,
    /// Bits of the field.
    bits: u16,
    /// The fast path reads it, which does not look at the fragment offset.
    fast: bool,
}

impl Read {
    /// `None` if it is wider than a register file.
    pub fn new(field: &Payload) -> Option<Self> {
        let end = field.offset.checked_add(field.bits)?;
        let (first, past) = (field.offset / 8, end.div_ceil(8));
        let len = u8::try_from(past.checked_sub(first)?).ok()?;
        if len == 0 || usize::from(len) > MAX_WIDTH {
            return None;
        }
        let fast = matches!(field.base, PayloadBase::Network | PayloadBase::Transport)
            && matches!(len, 1 | 2 | 4)
            && first.is_multiple_of(u32::from(len));
        let shift = u8::try_from(past.checked_mul(8)?.checked_sub(end)?).ok()?;
        Some(Self { base: field.base, first, len, shift, bits: u16::try_from(field.bits).ok()?, fast })
    }

    /// Bytes of the value.
    pub fn width(&self) -> usize {
        usize::from(self.bits.div_ceil(8))
    }

    /// Bytes from the field's first to its last.
    pub fn span(&self) -> usize {
        usize::from(self.len)
    }

    /// First byte, counted from the base.
    pub fn first(&self) -> usize {
        self.first as usize
    }

    /// What the offset counts from.
    pub fn base(&self) -> PayloadBase {
        self.base
    }

    /// Read without a look at the fragment offset.
    pub fn is_fast(&self) -> bool {
        self.fast
    }

    /// Whole bytes, nothing to mask or shift.
    pub fn is_whole(&self) -> bool {
        self.shift == 0 && self.bits.is_multiple_of(8)
    }

    /// Bits to the right of the field.
    pub fn shift(&self) -> u32 {
        u32::from(self.shift)
    }

    /// The field's bits, not shifted.
    pub fn mask(&self) -> u128 {
        match self.bits {
            128.. => u128::MAX,
            bits => (1 << bits) - 1,
        }
    }

    /// The field as a number, if it has at most 8 bytes.
    #[inline]
    pub fn small(&self, skb: &Skb, info: &Info, link: &[u8]) -> Option<u64> {
        let place = self.place(skb, info)?;
        let raw = match (place, self.len) {
            (Some(at), 1) => u64::from(skb.byte(at)?),
            (Some(at), 2) => u64::from(u16::from_be_bytes(skb.array(at)?)),
            (Some(at), 4) => u64::from(u32::from_be_bytes(skb.array(at)?)),
            (Some(at), len) => u64::try_from(number_of(skb.at(at, usize::from(len))?)?).ok()?,
            (None, _) => u64::try_from(self.link_number(skb, link)?).ok()?,
        };
        if self.is_whole() { Some(raw) } else { Some(raw >> self.shift & self.mask() as u64) }
    }

    /// The field as a number, if it has at most 16 bytes.
    pub fn number(&self, skb: &Skb, info: &Info, link: &[u8]) -> Option<u128> {
        let raw = match self.place(skb, info)? {
            Some(at) => number_of(skb.at(at, self.span())?)?,
            None => self.link_number(skb, link)?,
        };
        Some(raw >> self.shift & self.mask())
    }

    /// The field's bytes, if they are whole.
    pub fn bytes(&self, skb: &Skb, info: &Info, link: &[u8], out: &mut [u8]) -> Option<()> {
        match self.place(skb, info)? {
            Some(at) => out.copy_from_slice(skb.at(at, out.len())?),
            None => read_link(skb, link, self.first(), out)?,
        }
        Some(())
    }

    fn link_number(&self, skb: &Skb, link: &[u8]) -> Option<u128> {
        let mut raw = [0; 16];
        let raw = raw.get_mut(..self.span())?;
        read_link(skb, link, self.first(), raw)?;
        number_of(raw)
    }

    /// Offset from the IP header; `Some(None)` for the link-layer header.
    #[inline]
    fn place(&self, skb: &Skb, info: &Info) -> Option<Option<usize>> {
        let from = match self.base {
            PayloadBase::Network => 0,
            PayloadBase::Transport => {
                info.protocol?;
                if info.fragment != 0 && !self.fast {
                    return None;
                }
                info.transport as usize
            }
            PayloadBase::Inner => inner_offset(skb, info)?,
            PayloadBase::Link => return Some(None),
        };
        Some(Some(from + self.first as usize))
    }
}

/// `__nft_payload_inner_offset`: where the payload of the transport begins.
pub(super) fn inner_offset(skb: &Skb, info: &Info) -> Option<usize> {
    if info.fragment != 0 {
        return None;
    }
    let transport = info.transport as usize;
    match info.protocol? {
        protocol::UDP => Some(transport + 8),
        protocol::TCP => Some(transport + usize::from(skb.array::<20>(transport)?[12] >> 4) * 4),
        protocol::GRE => {
            let [flags, version, ..] = skb.array::<4>(transport)?;
            let word = |bit: u8| usize::from(flags & bit != 0) * 4;
            match version & 7 {
                0 => Some(transport + 4 + word(0x80) + word(0x20) + word(0x10)),
                _ => None,
            }
        }
        protocol::IPIP | protocol::IPV6 => Some(transport),
        _ => None,
    }
}

/// Bytes counted from the Ethernet header, which the kernel shows with its VLAN tag even though the tag was taken out
/// (`nft_payload_copy_vlan`).
fn read_link(skb: &Skb, link: &[u8], first: usize, out: &mut [u8]) -> Option<()> {
    if link.is_empty() {
        return None;
    }
    let mut tagged = [0; 18];
    let head: &[u8] = match (skb.vlan, link.split_at_checked(12)) {
        (Some(tag), Some((addresses, [high, low]))) => {
            let [tag_high, tag_low] = tag.to_be_bytes();
            let (left, right) = tagged.split_at_mut_checked(12)?;
            left.copy_from_slice(addresses);
            right.copy_from_slice(&[0x81, 0, tag_high, tag_low, *high, *low]);
            &tagged
        }
        _ => link,
    };
    for (place, byte) in (first..).zip(out) {
        *byte = match head.get(place) {
            Some(byte) => *byte,
            None => skb.byte(place - head.len())?,
        };
    }
    Some(())
}
