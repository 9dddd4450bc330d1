//! `-m icmp` and `-m icmp6` (`icmp_match` and `icmp6_match` of `xt_tcpudp.c`).

use super::super::super::skb::Skb;
use super::super::super::world::Answer;
use super::super::view::View;
use crate::ruleset::xt::{Inv, Range};

/// Type 255 of ICMP stands for any.
const ANY: u8 = 255;

/// A type and its codes.
#[derive(Debug, Clone, Copy)]
pub struct Icmp {
    pub wanted: Inv<(u8, Range<u8>)>,
    pub v6: bool,
}

impl Icmp {
    pub fn matches(&self, skb: &Skb<'_>, view: &View) -> Answer {
        if view.is_later_fragment() {
            return Answer::No;
        }
        let Some([kind, code, ..]) = skb.array::<8>(view.transport) else { return Answer::HotDrop };
        let (wanted, codes) = self.wanted.value;
        let any = wanted == ANY && !self.v6;
        let fits = any || (kind == wanted && codes.low <= code && code <= codes.high);
        (fits != self.wanted.not).into()
    }
}
