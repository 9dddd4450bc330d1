//! What the IP header says: `xt_hl.c`, `xt_dscp.c`, `xt_ecn.c`, `xt_iprange.c`; `ipt_ah.c` and `xt_esp.c`.

use super::super::super::skb::Skb;
use super::super::super::world::Answer;
use super::super::view::View;
use super::within;
use crate::ruleset::xt::{Inv, Range, TtlOp};
use std::net::IpAddr;

/// Type of service or traffic class.
pub fn traffic_class(skb: &Skb<'_>) -> u8 {
    let [first, second] = skb.array::<2>(0).unwrap_or_default();
    if skb.is_v6() { first << 4 | second >> 4 } else { second }
}

/// TTL or hop limit.
#[derive(Debug, Clone, Copy)]
pub struct Ttl {
    pub op: TtlOp,
    pub value: u8,
}

impl Ttl {
    pub fn fits(&self, skb: &Skb<'_>) -> bool {
        let found = skb.ttl();
        match self.op {
            TtlOp::Eq => found == self.value,
            TtlOp::Ne => found != self.value,
            TtlOp::Lt => found < self.value,
            TtlOp::Gt => found > self.value,
        }
    }
}

/// Explicit congestion notification.
#[derive(Debug, Clone, Copy)]
pub struct Ecn {
    pub cwr: Option<bool>,
    pub ece: Option<bool>,
    pub ect: Option<Inv<u8>>,
}

impl Ecn {
    /// `ecn_mt4`, `ecn_mt6`.
    pub fn fits(&self, skb: &Skb<'_>, view: &View) -> bool {
        let found = traffic_class(skb) & 3;
        if self.ect.is_some_and(|ect| (found == ect.value) == ect.not) {
            return false;
        }
        if self.cwr.is_none() && self.ece.is_none() {
            return true;
        }
        let Some([.., flags, _, _, _, _, _, _]) = skb.array::<20>(view.transport) else { return false };
        let flag = |wanted: Option<bool>, bit| wanted.is_none_or(|wanted| (flags & bit != 0) == wanted);
        flag(self.ece, 0x40) && flag(self.cwr, 0x80)
    }
}

/// Ranges of addresses.
#[derive(Debug, Clone, Copy)]
pub struct IpRange {
    pub src: Option<Inv<Range<IpAddr>>>,
    pub dst: Option<Inv<Range<IpAddr>>>,
}

impl IpRange {
    pub fn fits(&self, skb: &Skb<'_>) -> bool {
        self.src.is_none_or(|range| within(&range, skb.src())) && self.dst.is_none_or(|range| within(&range, skb.dst()))
    }
}

/// A security parameter index at an offset within a header of `N` bytes.
pub fn security_index<const N: usize>(skb: &Skb<'_>, view: &View, offset: usize, wanted: &Inv<Range<u32>>) -> Answer {
    if view.is_later_fragment() {
        return Answer::No;
    }
    let Some(header) = skb.array::<N>(view.transport) else { return Answer::HotDrop };
    let index = header.get(offset..).and_then(|rest| rest.first_chunk()).copied();
    within(wanted, u32::from_be_bytes(index.unwrap_or_default())).into()
}
