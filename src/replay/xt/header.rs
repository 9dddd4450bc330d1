//! Fields of headers: `xt_length.c`, `xt_hl.c`, `xt_dscp.c`, `xt_ecn.c`, `ip_tables.c` (icmp), `ipt_ah.c`, `xt_esp.c`,
//! `xt_tcpmss.c`.

use crate::replay::skb::Skb;
use crate::replay::world::Answer;
use crate::ruleset::xt::{Inv, Match, Range, TtlOp};

/// Judges by an extension that reads one header.
pub(super) fn judge(extension: &Match, skb: &Skb<'_>) -> Answer {
    match extension {
        Match::Length(wanted) => {
            let len = skb.len.min(u32::from(u16::MAX)) as u16;
            Answer::from(within(wanted, len))
        }
        Match::Ttl { op, value } => Answer::from(ttl(*op, *value, skb.ttl())),
        Match::Dscp(wanted) => Answer::from((traffic_class(skb) >> 2 == wanted.value) != wanted.not),
        Match::Tos { value, mask } => Answer::from((traffic_class(skb) & mask == value.value) != value.not),
        Match::Ecn { tcp_cwr, tcp_ece, ip_ect } => ecn(tcp_cwr.as_ref(), tcp_ece.as_ref(), ip_ect.as_ref(), skb),
        Match::Icmp { icmp_type } => icmp(icmp_type, skb),
        Match::Esp { spi } => first_fragment(skb, |skb| {
            let [a, b, c, d, ..] = skb.array::<8>(skb.headers.transport as usize)?;
            Some(within(spi, u32::from_be_bytes([a, b, c, d])))
        }),
        Match::Ah { spi, length, reserved } => ah(spi, length.as_ref(), *reserved, skb),
        Match::TcpMss(wanted) => tcp_mss(wanted, skb),
        _ => Answer::No,
    }
}

/// IPv4 TOS or IPv6 traffic class.
pub(super) fn traffic_class(skb: &Skb<'_>) -> u8 {
    let [first, second] = skb.array::<2>(0).unwrap_or_default();
    if skb.is_v6() { first << 4 | second >> 4 } else { second }
}

fn within<T: PartialOrd + Copy>(wanted: &Inv<Range<T>>, value: T) -> bool {
    (wanted.value.low <= value && value <= wanted.value.high) != wanted.not
}

/// Not in further fragments; a header that is cut drops the packet.
fn first_fragment(skb: &Skb<'_>, judge: impl Fn(&Skb<'_>) -> Option<bool>) -> Answer {
    if skb.headers.fragment_offset > 0 {
        return Answer::No;
    }
    judge(skb).map_or(Answer::HotDrop, Answer::from)
}

fn ttl(op: TtlOp, wanted: u8, is: u8) -> bool {
    match op {
        TtlOp::Eq => is == wanted,
        TtlOp::Ne => is != wanted,
        TtlOp::Lt => is < wanted,
        TtlOp::Gt => is > wanted,
    }
}

fn ecn(cwr: Option<&Inv<()>>, ece: Option<&Inv<()>>, ect: Option<&Inv<u8>>, skb: &Skb<'_>) -> Answer {
    const ECE: u8 = 0x40;
    const CWR: u8 = 0x80;
    if ect.is_some_and(|wanted| (traffic_class(skb) & 3 == wanted.value) == wanted.not) {
        return Answer::No;
    }
    if cwr.is_none() && ece.is_none() {
        return Answer::Yes;
    }
    // The module reads the header wherever it is, and does not drop what is cut.
    let Some(head) = skb.array::<20>(skb.headers.transport as usize) else { return Answer::No };
    let fits = |wanted: Option<&Inv<()>>, bit: u8| wanted.is_none_or(|wanted| (head[13] & bit != 0) != wanted.not);
    Answer::from(fits(ece, ECE) && fits(cwr, CWR))
}

fn icmp(wanted: &Inv<(u8, Range<u8>)>, skb: &Skb<'_>) -> Answer {
    const ANY: u8 = 255;
    first_fragment(skb, |skb| {
        let [kind, code, ..] = skb.array::<8>(skb.headers.transport as usize)?;
        let (named, codes) = wanted.value;
        // In ICMPv6, 255 is a type like others.
        let any = named == ANY && !skb.is_v6();
        Some((any || kind == named && codes.low <= code && code <= codes.high) != wanted.not)
    })
}

fn ah(spi: &Inv<Range<u32>>, length: Option<&Inv<u32>>, reserved: bool, skb: &Skb<'_>) -> Answer {
    if skb.is_v6() {
        return super::extension::ah(spi, length, reserved, skb);
    }
    first_fragment(skb, |skb| {
        let [_, _, _, _, a, b, c, d, ..] = skb.array::<12>(skb.headers.transport as usize)?;
        Some(within(spi, u32::from_be_bytes([a, b, c, d])))
    })
}

/// The MSS of a SYN's options. Without one: as if it did not lie in the range.
fn tcp_mss(wanted: &Inv<Range<u16>>, skb: &Skb<'_>) -> Answer {
    let at = skb.headers.transport as usize;
    let Some(head) = skb.array::<20>(at) else { return Answer::HotDrop };
    let Some(len) = (usize::from(head[12] >> 4) * 4).checked_sub(20) else { return Answer::HotDrop };
    let Some(options) = skb.at(at + 20, len) else { return Answer::HotDrop };
    match mss(options) {
        Some(mss) => Answer::from(within(wanted, mss)),
        None => Answer::from(wanted.not),
    }
}

fn mss(options: &[u8]) -> Option<u16> {
    let mut rest = options;
    loop {
        rest = match rest {
            [2, 4, high, low, ..] => return Some(u16::from_be_bytes([*high, *low])),
            [0 | 1, more @ ..] => more,
            [_, len, ..] => rest.get(usize::from(*len).max(1)..)?,
            _ => return None,
        };
    }
}
