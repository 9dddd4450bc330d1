//! Ports, flags and chunk types: `xt_tcpudp.c`, `xt_multiport.c`, `xt_sctp.c`, `xt_dccp.c`.
//!
//! The xtables modules do not match fragments but the first, and drop a packet whose header they cannot read whole.
//! iptables-nft turns `-m tcp` without options and `-m udp` into loads of nf_tables: these read what is there.

use super::Backend;
use crate::replay::skb::Skb;
use crate::replay::world::Answer;
use crate::ruleset::xt::{Inv, PortSide, Range, SctpChunks};

type Ports<'a> = Option<&'a Inv<Range<u16>>>;

fn fits(wanted: Ports<'_>, port: u16) -> bool {
    wanted.is_none_or(|wanted| (wanted.value.low <= port && port <= wanted.value.high) != wanted.not)
}

fn both(sports: Ports<'_>, dports: Ports<'_>, head: &[u8; 4]) -> bool {
    let [a, b, c, d] = *head;
    fits(sports, u16::from_be_bytes([a, b])) && fits(dports, u16::from_be_bytes([c, d]))
}

/// `-m tcp`.
pub(super) fn tcp(
    skb: &Skb<'_>,
    sports: Ports<'_>,
    dports: Ports<'_>,
    flags: Option<&Inv<(u8, u8)>>,
    option: Option<&Inv<u8>>,
    backend: Backend,
) -> Answer {
    if backend == Backend::Nft && option.is_none() {
        return Answer::from(native_ports(skb, sports, dports) && native_flags(skb, flags));
    }
    match skb.headers.fragment_offset {
        0 => {}
        8 => return Answer::HotDrop, // a fragment that would overwrite the flags
        _ => return Answer::No,
    }
    let at = skb.headers.transport as usize;
    let (Some(ports), Some(head)) = (skb.array::<4>(at), skb.array::<20>(at)) else { return Answer::HotDrop };
    if !both(sports, dports, &ports) || flags.is_some_and(|wanted| !flags_fit(wanted, head[13])) {
        return Answer::No;
    }
    match option {
        None => Answer::Yes,
        Some(wanted) => {
            let len = usize::from(head[12] >> 4) * 4;
            let Some(options) = len.checked_sub(20).and_then(|len| skb.at(at + 20, len)) else {
                return Answer::HotDrop;
            };
            Answer::from(has_option(options, wanted.value) != wanted.not)
        }
    }
}

fn flags_fit(wanted: &Inv<(u8, u8)>, flags: u8) -> bool {
    let (mask, value) = wanted.value;
    (flags & mask == value) != wanted.not
}

/// `tcp_find_option`: stops at a length below two as if it were one, and at the end of the options.
fn has_option(options: &[u8], kind: u8) -> bool {
    let mut at = 0;
    while let Some(&found) = options.get(at) {
        if found == kind {
            return true;
        }
        at += if found < 2 { 1 } else { usize::from(options.get(at + 1).copied().unwrap_or(0)).max(1) };
    }
    false
}

/// Loads of nf_tables: two bytes each, also from the data of a fragment (IPv4), but never beyond the packet.
fn native_ports(skb: &Skb<'_>, sports: Ports<'_>, dports: Ports<'_>) -> bool {
    let port = |wanted: Ports<'_>, offset: usize| match wanted {
        None => true,
        Some(_) => native(skb, offset).is_some_and(|bytes| fits(wanted, u16::from_be_bytes(bytes))),
    };
    port(sports, 0) && port(dports, 2)
}

fn native_flags(skb: &Skb<'_>, flags: Option<&Inv<(u8, u8)>>) -> bool {
    flags.is_none_or(|wanted| native::<1>(skb, 13).is_some_and(|[byte]| flags_fit(wanted, byte)))
}

fn native<const N: usize>(skb: &Skb<'_>, offset: usize) -> Option<[u8; N]> {
    skb.headers.protocol?;
    // The transport of an IPv6 fragment is looked for from the start of the packet, where none is.
    if skb.is_v6() && skb.headers.fragment_offset > 0 {
        return None;
    }
    skb.array(skb.headers.transport as usize + offset)
}

/// `-m udp`, and UDP-Lite.
pub(super) fn udp(skb: &Skb<'_>, sports: Ports<'_>, dports: Ports<'_>, backend: Backend) -> Answer {
    if backend == Backend::Nft {
        return Answer::from(native_ports(skb, sports, dports));
    }
    if skb.headers.fragment_offset > 0 {
        return Answer::No;
    }
    let at = skb.headers.transport as usize;
    match (skb.array::<4>(at), skb.array::<8>(at)) {
        (Some(ports), Some(_)) => Answer::from(both(sports, dports, &ports)),
        _ => Answer::HotDrop,
    }
}

/// `-m multiport`.
pub(super) fn multiport(skb: &Skb<'_>, side: PortSide, wanted: &Inv<Vec<Range<u16>>>) -> Answer {
    if skb.headers.fragment_offset > 0 {
        return Answer::No;
    }
    let Some([a, b, c, d]) = skb.array::<4>(skb.headers.transport as usize) else { return Answer::HotDrop };
    let (source, destination) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let among = |port: u16| wanted.value.iter().any(|range| range.low <= port && port <= range.high);
    let hit = match side {
        PortSide::Source => among(source),
        PortSide::Destination => among(destination),
        PortSide::Either => among(source) || among(destination),
    };
    Answer::from(hit != wanted.not)
}

/// `-m sctp`.
pub(super) fn sctp(skb: &Skb<'_>, sports: Ports<'_>, dports: Ports<'_>, chunks: Option<&Inv<SctpChunks>>) -> Answer {
    if skb.headers.fragment_offset > 0 {
        return Answer::No;
    }
    let at = skb.headers.transport as usize;
    let (Some(ports), Some(_)) = (skb.array::<4>(at), skb.array::<12>(at)) else { return Answer::HotDrop };
    if !both(sports, dports, &ports) {
        return Answer::No;
    }
    let Some(wanted) = chunks else { return Answer::Yes };
    match match_chunks(skb, at + 12, &wanted.value) {
        Some(hit) => Answer::from(hit != wanted.not),
        None => Answer::HotDrop,
    }
}

/// `match_packet` of `xt_sctp.c`. `None` if a chunk header is cut or says no length.
fn match_chunks(skb: &Skb<'_>, mut at: usize, wanted: &SctpChunks) -> Option<bool> {
    const ANY: u8 = 0;
    const ONLY: u8 = 2;
    let mut missing: Vec<u8> = wanted.chunks.iter().map(|(kind, _)| *kind).collect();
    loop {
        let [kind, flags, high, low] = skb.array::<4>(at)?;
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len == 0 {
            return None;
        }
        at += len.next_multiple_of(4);
        let named = wanted.chunks.iter().find(|(named, _)| *named == kind);
        match named {
            Some((_, fit)) => {
                let fits = fit.is_none_or(|(mask, value)| flags & mask == value);
                match wanted.mode {
                    ANY if fits => return Some(true),
                    ANY => {}
                    _ if fits => missing.retain(|one| *one != kind),
                    ONLY => return Some(false),
                    _ => {}
                }
            }
            None if wanted.mode == ONLY => return Some(false),
            None => {}
        }
        if at >= skb.len as usize {
            break;
        }
    }
    Some(wanted.mode != ANY && missing.is_empty())
}

/// `-m dccp`.
pub(super) fn dccp(
    skb: &Skb<'_>,
    sports: Ports<'_>,
    dports: Ports<'_>,
    types: Option<&Inv<u16>>,
    option: Option<&Inv<u8>>,
) -> Answer {
    if skb.headers.fragment_offset > 0 {
        return Answer::No;
    }
    let at = skb.headers.transport as usize;
    let (Some(ports), Some(head)) = (skb.array::<4>(at), skb.array::<12>(at)) else { return Answer::HotDrop };
    let kind = (head[8] >> 1) & 15;
    if !both(sports, dports, &ports) || types.is_some_and(|wanted| (wanted.value & (1 << kind) != 0) == wanted.not) {
        return Answer::No;
    }
    let Some(wanted) = option else { return Answer::Yes };
    let begin = at + if head[8] & 1 != 0 { 16 } else { 12 };
    let end = at + usize::from(head[4]) * 4;
    let Some(options) = end.checked_sub(begin).and_then(|len| skb.at(begin, len)) else { return Answer::HotDrop };
    Answer::from(has_option(options, wanted.value) != wanted.not)
}
