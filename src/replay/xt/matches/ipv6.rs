//! Matches on IPv6 extension headers: `ip6t_ah.c`, `ip6t_frag.c`, `ip6t_hbh.c`, `ip6t_ipv6header.c`, `ip6t_mh.c`,
//! `ip6t_rt.c`.

use super::super::super::skb::Skb;
use super::super::super::world::Answer;
use super::super::view::{Missing, View, find_header, next};
use super::within;
use crate::ruleset::xt::{Inv, Range};
use std::net::IpAddr;

/// Where a header is; what to answer if it is not there.
fn place(skb: &Skb<'_>, kind: u8) -> Result<usize, Answer> {
    match find_header(skb, Some(kind), false) {
        Ok(found) => Ok(found.offset),
        Err(Missing::NotThere) => Err(Answer::No),
        Err(Missing::Cut) => Err(Answer::HotDrop),
    }
}

/// The first bytes of a header; a cut one drops the packet.
fn header<const N: usize>(skb: &Skb<'_>, kind: u8) -> Result<(usize, [u8; N]), Answer> {
    let at = place(skb, kind)?;
    skb.array(at).map(|bytes| (at, bytes)).ok_or(Answer::HotDrop)
}

fn len_fits(wanted: Option<Inv<u32>>, len: usize) -> bool {
    wanted.is_none_or(|wanted| (usize::try_from(wanted.value) == Ok(len)) != wanted.not)
}

fn settle(answer: Result<Answer, Answer>) -> Answer {
    match answer {
        Ok(answer) | Err(answer) => answer,
    }
}

/// Authentication header.
#[derive(Debug, Clone, Copy)]
pub struct Auth {
    pub spi: Inv<Range<u32>>,
    pub length: Option<Inv<u32>>,
    pub reserved: bool,
}

impl Auth {
    pub fn matches(&self, skb: &Skb<'_>) -> Answer {
        settle(self.ask(skb))
    }

    fn ask(&self, skb: &Skb<'_>) -> Result<Answer, Answer> {
        let (_, [_, len, r0, r1, a, b, c, d, ..]) = header::<12>(skb, next::AUTH)?;
        let length = self.length.filter(|length| length.value != 0);
        let fits = within(&self.spi, u32::from_be_bytes([a, b, c, d]))
            && len_fits(length, (usize::from(len) + 2) * 4)
            && !(self.reserved && (r0, r1) != (0, 0));
        Ok(fits.into())
    }
}

/// Fragment header. The kernel does not look at its length.
#[derive(Debug, Clone, Copy)]
pub struct Frag {
    pub id: Inv<Range<u32>>,
    pub reserved: bool,
    pub first: Option<bool>,
    pub more: Option<bool>,
}

impl Frag {
    pub fn matches(&self, skb: &Skb<'_>) -> Answer {
        settle(self.ask(skb))
    }

    fn ask(&self, skb: &Skb<'_>) -> Result<Answer, Answer> {
        let (_, [_, reserved, high, low, a, b, c, d]) = header::<8>(skb, next::FRAGMENT)?;
        let field = u16::from_be_bytes([high, low]);
        let fits = within(&self.id, u32::from_be_bytes([a, b, c, d]))
            && !(self.reserved && (reserved != 0 || field & 6 != 0))
            && !(self.first == Some(true) && field & 0xfff8 != 0)
            && self.more.is_none_or(|more| (field & 1 != 0) == more);
        Ok(fits.into())
    }
}

/// Hop-by-hop or destination options.
#[derive(Debug)]
pub struct Extension {
    kind: u8,
    length: Option<Inv<u32>>,
    options: Box<[(u8, Option<u8>)]>,
}

impl Extension {
    pub fn new(kind: u8, length: Option<Inv<u32>>, options: &[(u8, Option<u8>)]) -> Self {
        Self { kind, length, options: options.into() }
    }

    pub fn matches(&self, skb: &Skb<'_>) -> Answer {
        settle(self.ask(skb))
    }

    /// `hbh_mt6`.
    fn ask(&self, skb: &Skb<'_>) -> Result<Answer, Answer> {
        let (at, [_, len]) = header::<2>(skb, self.kind)?;
        let len = (usize::from(len) + 1) * 8;
        if (skb.len as usize).saturating_sub(at) < len {
            return Ok(Answer::No);
        }
        let fits = len_fits(self.length, len);
        Ok((fits && self.options_fit(skb, at + 2, len - 2)).into())
    }

    /// The first options are these, in this order.
    fn options_fit(&self, skb: &Skb<'_>, mut at: usize, mut left: usize) -> bool {
        let last = self.options.len().saturating_sub(1);
        for (place, (kind, wanted_len)) in self.options.iter().enumerate() {
            if left < 1 || skb.byte(at) != Some(*kind) {
                return false;
            }
            let mut step = 1;
            if *kind != 0 {
                let Some(len) = skb.byte(at + 1).filter(|_| left >= 2) else { return false };
                if wanted_len.is_some_and(|wanted| wanted != 255 && wanted != len) {
                    return false;
                }
                step = usize::from(len) + 2;
            }
            let ends = at + step > skb.len as usize || left < step;
            if ends && place < last {
                return false;
            }
            at += step;
            left = left.saturating_sub(step);
        }
        true
    }
}

/// Which extension headers there are.
#[derive(Debug, Clone, Copy)]
pub struct Headers {
    pub wanted: Inv<u8>,
    pub soft: bool,
}

impl Headers {
    /// `ipv6header_mt6`.
    pub fn matches(&self, skb: &Skb<'_>) -> Answer {
        let there = match Self::of(skb) {
            Ok(there) => there,
            Err(answer) => return answer,
        };
        let Inv { not, value: wanted } = self.wanted;
        if self.soft {
            let inverted = if not { 0xff } else { 0 };
            return ((there ^ wanted ^ inverted) & wanted == 0).into();
        }
        ((there == wanted) != not).into()
    }

    /// `MASK_*` bits of `ip6t_ipv6header.h`.
    fn of(skb: &Skb<'_>) -> Result<u8, Answer> {
        let (hop, dest, routing, fragment, auth, esp, none, proto) = (128, 64, 32, 16, 8, 4, 2, 1);
        let mut kind = skb.byte(6).ok_or(Answer::No)?;
        let mut at = 40_usize;
        let mut there = 0;
        loop {
            let bit = match kind {
                next::NONE => return Ok(there | none),
                next::HOP => hop,
                next::ROUTING => routing,
                next::FRAGMENT => fragment,
                next::ESP => esp,
                next::AUTH => auth,
                next::DEST => dest,
                _ => return Ok(there | proto),
            };
            if (skb.len as usize).saturating_sub(at) < 2 {
                return Err(Answer::No);
            }
            there |= bit;
            if kind == next::ESP {
                return Ok(there);
            }
            let [after, len] = skb.array::<2>(at).ok_or(Answer::HotDrop)?;
            at += match kind {
                next::FRAGMENT => 8,
                next::AUTH => (usize::from(len) + 2) * 4,
                _ => (usize::from(len) + 1) * 8,
            };
            kind = after;
            if at > skb.len as usize {
                let ends = kind == next::NONE || kind == next::ESP;
                return Ok(if ends { there } else { there | proto });
            }
        }
    }
}

/// Mobility header type; one with a payload is no mobility header.
pub fn mobility(skb: &Skb<'_>, view: &View, types: &Inv<Range<u8>>) -> Answer {
    if view.is_later_fragment() {
        return Answer::No;
    }
    match skb.array::<6>(view.transport) {
        Some([next::NONE, _, kind, ..]) => within(types, kind).into(),
        _ => Answer::HotDrop,
    }
}

/// Routing header.
#[derive(Debug)]
pub struct Rt {
    pub kind: Option<Inv<u32>>,
    pub segments_left: Inv<Range<u32>>,
    pub length: Option<Inv<u32>>,
    pub reserved: bool,
    pub addresses: Box<[[u8; 16]]>,
    pub not_strict: bool,
}

impl Rt {
    /// Addresses as they stand in a packet.
    pub fn addresses(of: &[IpAddr]) -> Box<[[u8; 16]]> {
        of.iter().filter_map(|addr| if let IpAddr::V6(addr) = addr { Some(addr.octets()) } else { None }).collect()
    }

    pub fn matches(&self, skb: &Skb<'_>) -> Answer {
        settle(self.ask(skb))
    }

    /// `rt_mt6`.
    fn ask(&self, skb: &Skb<'_>) -> Result<Answer, Answer> {
        let (at, [_, len, kind, left]) = header::<4>(skb, next::ROUTING)?;
        let len = (usize::from(len) + 1) * 8;
        if (skb.len as usize).saturating_sub(at) < len {
            return Ok(Answer::No);
        }
        let kind_fits = self.kind.is_none_or(|wanted| (wanted.value == u32::from(kind)) != wanted.not);
        if !kind_fits || !within(&self.segments_left, u32::from(left)) || !len_fits(self.length, len) {
            return Ok(Answer::No);
        }
        if self.reserved && skb.array::<4>(at + 4).ok_or(Answer::HotDrop)? != [0; 4] {
            return Ok(Answer::No);
        }
        if self.addresses.is_empty() {
            return Ok(Answer::Yes);
        }
        let mut found = Vec::new();
        for place in 0..(len - 8) / 16 {
            found.push(skb.array::<16>(at + 8 + place * 16).ok_or(Answer::HotDrop)?);
        }
        Ok(self.addresses_fit(&found).into())
    }

    /// The header has exactly these addresses or, not strictly, has them in this order among others.
    fn addresses_fit(&self, found: &[[u8; 16]]) -> bool {
        if !self.not_strict {
            return found == &*self.addresses;
        }
        let mut wanted = self.addresses.iter();
        let mut next = wanted.next();
        for address in found {
            if next == Some(address) {
                next = wanted.next();
            }
        }
        next.is_none()
    }
}
