//! IPv6 extension headers: `ip6t_frag.c`, `ip6t_rt.c`, `ip6t_hbh.c`, `ip6t_ipv6header.c`, `ip6t_ah.c`, `ip6t_mh.c`,
//! `ip6t_eui64.c`.

use crate::replay::skb::Skb;
use crate::replay::world::Answer;
use crate::ruleset::xt::{Inv, Match, Range};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;

/// Judges by an extension that looks for an extension header.
pub(super) fn judge(extension: &Match, skb: &Skb<'_>) -> Answer {
    if !skb.is_v6() {
        return Answer::No;
    }
    match extension {
        Match::Frag { id, length, reserved, first, more } => found(skb, FRAGMENT, |skb, at| {
            let [_, len, a, b, c, d, e, f] = skb.array::<8>(at)?;
            let field = u16::from_be_bytes([a, b]);
            Some(
                within(id, u32::from_be_bytes([c, d, e, f]))
                    && length.is_none_or(|wanted| (wanted.value == u32::from(len)) != wanted.not)
                    && !(*reserved && (len != 0 || field & 6 != 0))
                    && first.is_none_or(|wanted| (field & 0xfff8 == 0) == wanted)
                    && more.is_none_or(|wanted| (field & 1 != 0) == wanted),
            )
        }),
        Match::Rt { routing_type, segments_left, length, reserved, addresses, not_strict } => {
            found(skb, ROUTING, |skb, at| {
                let [_, len, kind, left] = skb.array::<4>(at)?;
                let bytes = (u32::from(len) + 1) * 8;
                let fields = within(segments_left, u32::from(left))
                    && length.is_none_or(|wanted| (wanted.value == bytes) != wanted.not)
                    && routing_type.is_none_or(|wanted| (wanted.value == u32::from(kind)) != wanted.not);
                let zero = !*reserved || skb.array::<4>(at + 4)? == [0; 4];
                Some(fields && zero && route(skb, at, bytes as usize, addresses, *not_strict)?)
            })
        }
        Match::Hbh { length, options, strict } => tlv(skb, HOP_BY_HOP, length.as_ref(), options, *strict),
        Match::Dst { length, options, strict } => tlv(skb, DESTINATION, length.as_ref(), options, *strict),
        Match::Ipv6Header { headers, soft } => Answer::from(headers_fit(headers, *soft, skb)),
        Match::Mh(wanted) => mobility(wanted, skb),
        Match::Eui64 => Answer::from(eui64(skb)),
        _ => Answer::No,
    }
}

fn within(wanted: &Inv<Range<u32>>, value: u32) -> bool {
    (wanted.value.low <= value && value <= wanted.value.high) != wanted.not
}

/// Places of the extension headers, with their numbers, as `ipv6_find_hdr` walks them.
fn walk<'s>(skb: &'s Skb<'_>) -> impl Iterator<Item = (u8, usize)> + 's {
    let mut next = skb.byte(6);
    let mut at = 40;
    std::iter::from_fn(move || {
        let kind = next?;
        let here = at;
        let len = usize::from(skb.byte(at + 1).unwrap_or(0));
        match kind {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY => at += (len + 1) * 8,
            AUTHENTICATION => at += (len + 2) * 4,
            FRAGMENT => at += 8,
            _ => {
                next = None;
                return Some((kind, here));
            }
        }
        let is_later_fragment =
            kind == FRAGMENT && skb.array::<2>(here + 2).is_some_and(|field| u16::from_be_bytes(field) & 0xfff8 != 0);
        next = if is_later_fragment { None } else { skb.byte(here) };
        Some((kind, here))
    })
}

fn find(skb: &Skb<'_>, wanted: u8) -> Option<usize> {
    walk(skb).find(|(kind, _)| *kind == wanted).map(|(_, at)| at)
}

/// Judges a header; one that is cut drops the packet.
fn found(skb: &Skb<'_>, wanted: u8, judge: impl Fn(&Skb<'_>, usize) -> Option<bool>) -> Answer {
    match find(skb, wanted) {
        None => Answer::No,
        Some(at) => judge(skb, at).map_or(Answer::HotDrop, Answer::from),
    }
}

/// `-m ah` of IPv6.
pub(super) fn ah(spi: &Inv<Range<u32>>, length: Option<&Inv<u32>>, reserved: bool, skb: &Skb<'_>) -> Answer {
    found(skb, AUTHENTICATION, |skb, at| {
        let [_, len, r1, r2, a, b, c, d] = skb.array::<8>(at)?;
        let bytes = (u32::from(len) + 2) * 4;
        let fits = within(spi, u32::from_be_bytes([a, b, c, d]));
        Some(
            fits && length.is_none_or(|wanted| (wanted.value == bytes) != wanted.not)
                && !(reserved && (r1, r2) != (0, 0)),
        )
    })
}

/// Addresses of a type 0 routing header: all of them from the first (strict), or in order among others.
fn route(skb: &Skb<'_>, at: usize, bytes: usize, wanted: &[std::net::IpAddr], not_strict: bool) -> Option<bool> {
    if wanted.is_empty() {
        return Some(true);
    }
    let count = bytes.saturating_sub(8) / 16;
    let address = |index: usize| skb.array::<16>(at + 8 + index * 16).map(std::net::IpAddr::from);
    if !not_strict {
        if wanted.len() > count {
            return Some(false);
        }
        for (index, wanted) in wanted.iter().enumerate() {
            if address(index)? != *wanted {
                return Some(false);
            }
        }
        return Some(wanted.len() == count);
    }
    let mut left = wanted.iter().peekable();
    for index in 0..count {
        if left.peek().is_some_and(|wanted| address(index) == Some(**wanted)) {
            left.next();
        }
    }
    Some(left.peek().is_none())
}

/// Options of a hop-by-hop or destination header: these, in this order, from the first.
fn tlv(skb: &Skb<'_>, wanted: u8, length: Option<&Inv<u32>>, options: &[(u8, Option<u8>)], strict: bool) -> Answer {
    found(skb, wanted, |skb, at| {
        let bytes = (usize::from(skb.byte(at + 1)?) + 1) * 8;
        if length.is_some_and(|wanted| (wanted.value == bytes as u32) == wanted.not) {
            return Some(false);
        }
        let mut rest = skb.at(at + 2, bytes - 2)?;
        for (kind, len) in options {
            let Some((&is, more)) = rest.split_first() else { return Some(false) };
            if is != *kind {
                return Some(false);
            }
            // Pad1 has no length.
            let data = if is == 0 { 0 } else { usize::from(*more.first()?) };
            if is != 0 && len.is_some_and(|len| usize::from(len) != data) {
                return Some(false);
            }
            rest = if is == 0 { more } else { more.get(1 + data..).unwrap_or_default() };
        }
        Some(!strict || rest.is_empty() || options.is_empty())
    })
}

/// Bits of `ip6t_ipv6header.h`.
fn headers_fit(wanted: &Inv<u8>, soft: bool, skb: &Skb<'_>) -> bool {
    let mut present = 0u8;
    for (kind, _) in walk(skb) {
        present |= match kind {
            HOP_BY_HOP => 128,
            DESTINATION => 64,
            ROUTING => 32,
            FRAGMENT => 16,
            AUTHENTICATION => 8,
            50 => 4,
            59 => 2,
            _ => 1,
        };
    }
    let fits = if soft { present & wanted.value == wanted.value } else { present == wanted.value };
    fits != wanted.not
}

fn mobility(wanted: &Inv<Range<u8>>, skb: &Skb<'_>) -> Answer {
    const NO_NEXT: u8 = 59;
    if skb.headers.fragment_offset > 0 {
        return Answer::No;
    }
    found(skb, MOBILITY, |skb, at| {
        let [next, _, kind, _] = skb.array::<4>(at)?;
        if next != NO_NEXT {
            return None;
        }
        Some((wanted.value.low <= kind && kind <= wanted.value.high) != wanted.not)
    })
}

/// The source's interface part is made of the sender's hardware address.
fn eui64(skb: &Skb<'_>) -> bool {
    let Some([a, b, c, d, e, f]) = skb.link.get(6..12).and_then(|mac| mac.first_chunk::<6>()).copied() else {
        return false;
    };
    skb.link.len() >= 14 && skb.array::<8>(16) == Some([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}
