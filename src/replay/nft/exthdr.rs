//! Options and extension headers: `nft_exthdr.c`.

use super::packet::{Info, protocol};
use super::value::number_of;
use crate::replay::skb::Skb;

/// Where an option is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ipv6,
    Tcp,
    Ipv4,
    Sctp,
    Dccp,
}

/// A field of an option or extension header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub family: Family,
    pub kind: u8,
    first: u16,
    len: u8,
    shift: u8,
    bits: u8,
    pub exists: bool,
}

impl Field {
    /// `None` if the field has no bits, or more than 16 bytes.
    pub fn new(family: Family, kind: u8, offset: u32, bits: u32, exists: bool) -> Option<Self> {
        let (offset, bits) = if exists { (offset, bits.clamp(1, 8)) } else { (offset, bits) };
        let end = offset.checked_add(bits)?;
        let (first, past) = (offset / 8, end.div_ceil(8));
        let len = u8::try_from(past - first).ok().filter(|len| (1..=16).contains(len))?;
        let shift = u8::try_from((8 - end % 8) % 8).ok()?;
        Some(Self {
            family,
            kind,
            first: u16::try_from(first).ok()?,
            len,
            shift,
            bits: u8::try_from(bits).ok()?,
            exists,
        })
    }

    /// Bytes of the value.
    pub fn width(&self) -> usize {
        if self.exists { 1 } else { usize::from(self.bits.div_ceil(8)) }
    }

    /// Value of the field; of `exists`, 0 or 1. `None` breaks.
    pub fn number(&self, skb: &Skb, info: &Info) -> Option<u128> {
        let at = match self.family {
            Family::Ipv6 => {
                if !skb.is_v6() {
                    return None;
                }
                find_ipv6(skb, self.kind).map(|start| start + self.first())
            }
            Family::Ipv4 => {
                if skb.is_v6() {
                    return None;
                }
                ipv4_option(skb, self.kind).map(|start| start + self.first())
            }
            Family::Tcp => self.in_tcp(skb, info),
            Family::Sctp => self.in_sctp(skb, info),
            Family::Dccp => dccp_option(skb, info, self.kind),
        };
        if self.exists {
            return Some(at.is_some().into());
        }
        let raw = number_of(skb.at(at?, self.len.into())?)? >> self.shift;
        Some(if self.bits >= 128 { raw } else { raw & ((1 << self.bits) - 1) })
    }

    fn first(&self) -> usize {
        usize::from(self.first)
    }

    fn past(&self) -> usize {
        self.first() + usize::from(self.len)
    }

    /// Offset of the field from the IP header.
    fn in_tcp(&self, skb: &Skb, info: &Info) -> Option<usize> {
        let TcpOption::Found { place, len } = tcp_option(skb, info, self.kind) else { return None };
        (self.past() <= len).then_some(place + self.first())
    }

    fn in_sctp(&self, skb: &Skb, info: &Info) -> Option<usize> {
        if !info.starts_with(protocol::SCTP) {
            return None;
        }
        let mut at = info.transport as usize + 12;
        while at < skb.len as usize {
            let [kind, _, high, low] = skb.array(at)?;
            let len = usize::from(u16::from_be_bytes([high, low]));
            if len == 0 {
                return None;
            }
            if kind == self.kind {
                let inside = self.exists || (self.past() <= len && at + len <= skb.len as usize);
                return inside.then_some(at + self.first());
            }
            at += len.next_multiple_of(4);
        }
        None
    }
}

/// The TCP header with its options (`nft_tcp_header_pointer`): where it begins and how long it is.
fn tcp_header(skb: &Skb, info: &Info) -> Option<(usize, usize)> {
    if !info.starts_with(protocol::TCP) {
        return None;
    }
    let start = info.transport as usize;
    let len = usize::from(skb.array::<20>(start)?[12] >> 4) * 4;
    (len >= 20 && skb.at(start, len).is_some()).then_some((start, len))
}

/// A TCP option as the header has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TcpOption {
    /// No TCP header, or a cut one.
    NoHeader,
    Missing,
    /// It goes beyond the header.
    TooLong,
    Found {
        /// Offset from the IP header.
        place: usize,
        len: usize,
    },
}

/// Looks for a TCP option.
pub(super) fn tcp_option(skb: &Skb, info: &Info, kind: u8) -> TcpOption {
    let Some((start, header_len)) = tcp_header(skb, info) else { return TcpOption::NoHeader };
    let mut at = 20;
    while at + 1 < header_len {
        let Some([found, told]) = skb.array(start + at) else { return TcpOption::NoHeader };
        let len = if found <= 1 || told == 0 { 1 } else { usize::from(told) };
        if found == kind {
            let fits = at + len <= header_len;
            return if fits { TcpOption::Found { place: start + at, len } } else { TcpOption::TooLong };
        }
        at += len;
    }
    TcpOption::Missing
}

/// `ipv6_find_hdr` with a target: offset of the header.
fn find_ipv6(skb: &Skb, target: u8) -> Option<usize> {
    let mut next = skb.byte(6)?;
    let mut at = 40;
    loop {
        if next == target {
            return Some(at);
        }
        let len = match next {
            0 | 43 | 60 | 135 => (usize::from(skb.byte(at + 1)?) + 1) * 8,
            51 => (usize::from(skb.byte(at + 1)?) + 2) * 4,
            44 if u16::from_be_bytes(skb.array(at + 2)?) & 0xfff8 != 0 => return None,
            44 => 8,
            _ => return None,
        };
        next = skb.byte(at)?;
        at += len;
    }
}

/// Options of IPv4 that nf_tables knows.
mod ipv4 {
    pub const END: u8 = 0;
    pub const NOP: u8 = 1;
    pub const RECORD_ROUTE: u8 = 7;
    pub const LOOSE_ROUTE: u8 = 131;
    pub const STRICT_ROUTE: u8 = 137;
    pub const ROUTER_ALERT: u8 = 148;
}

/// `ipv4_find_option`: offset of the option. Options that `__ip_options_compile` refuses hide all of them.
fn ipv4_option(skb: &Skb, kind: u8) -> Option<usize> {
    let mut at = 20;
    let end = skb.headers.transport as usize;
    let mut found = None;
    while at < end {
        let option = skb.byte(at)?;
        match option {
            ipv4::END => break,
            ipv4::NOP => {
                at += 1;
                continue;
            }
            _ => {}
        }
        let len = usize::from(skb.byte(at + 1)?);
        if len < 2 || at + len > end || !is_well_formed(option, skb.at(at, len)?) {
            return None;
        }
        if option == kind {
            match (found, kind, skb.at(at, 4)) {
                // An alert counts only with the value 0; the last one is taken.
                (_, ipv4::ROUTER_ALERT, Some([_, _, 0, 0])) => found = Some(at),
                (_, ipv4::ROUTER_ALERT, _) => {}
                (None, ..) => found = Some(at),
                (Some(_), ..) => return None,
            }
        }
        at += len;
    }
    found
}

/// What `__ip_options_compile` asks of an option of a packet that was received.
fn is_well_formed(kind: u8, option: &[u8]) -> bool {
    let pointer = option.get(2).copied().map_or(0, usize::from);
    match kind {
        ipv4::LOOSE_ROUTE | ipv4::STRICT_ROUTE => option.len() >= 3 && pointer >= 4,
        ipv4::RECORD_ROUTE => {
            option.len() >= 3 && pointer >= 4 && (pointer > option.len() || pointer + 3 <= option.len())
        }
        ipv4::ROUTER_ALERT => option.len() >= 4,
        _ => true,
    }
}

/// `nft_exthdr_dccp_eval`: offset of the option.
fn dccp_option(skb: &Skb, info: &Info, kind: u8) -> Option<usize> {
    if !info.starts_with(protocol::DCCP) {
        return None;
    }
    let start = info.transport as usize;
    let head = skb.array::<12>(start)?;
    let basic = if head[8] & 1 != 0 { 16 } else { 12 };
    let own = match head[8] >> 1 & 15 {
        2 => 0,
        0 => 4,
        1 => 12,
        3 | 4 | 5 | 6 | 8 | 9 => 8,
        _ => 12,
    };
    let (mut at, end) = (start + basic + own, start + usize::from(head[4]) * 4);
    while at < end {
        let found = skb.byte(at)?;
        if found == kind {
            return Some(at);
        }
        if found < 32 {
            at += 1;
            continue;
        }
        let len = usize::from(*skb.bytes.get(at + 1).filter(|_| at + 1 < end)?);
        if len < 2 {
            return None;
        }
        at += len;
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn fields_at_the_end_of_numbers_are_refused_not_computed() {
        assert!(Field::new(Family::Tcp, 2, u32::MAX - 8, 8, false).is_none());
        assert!(Field::new(Family::Tcp, 2, u32::MAX, 8, false).is_none());
        let odd = Field::new(Family::Tcp, 2, 12, 4, false).unwrap();
        assert_eq!((odd.first, odd.len, odd.shift), (1, 1, 0));
    }
}
