//! Ports: `-m udp` (`xt_tcpudp.c`), `-m multiport` (`xt_multiport.c`), `-m dccp` (`xt_dccp.c`).

use super::super::super::skb::Skb;
use super::super::super::world::Answer;
use super::super::Backend;
use super::super::view::View;
use super::options::{self, Search};
use super::tcp::Native;
use super::within_any;
use crate::ruleset::xt::{Inv, PortSide, Range};

/// `-m udp` as the xtables module runs it.
#[derive(Debug, Clone, Copy)]
pub struct Udp {
    pub sports: Option<Inv<Range<u16>>>,
    pub dports: Option<Inv<Range<u16>>>,
}

impl Udp {
    /// The form that `iptables-nft` gives the kernel, if it is not the xtables module.
    pub fn native(&self, backend: Backend) -> Option<Native> {
        if backend.is_native() { Native::new(self.sports, self.dports, None) } else { None }
    }

    /// `udp_mt`.
    #[inline]
    pub fn matches(&self, skb: &Skb<'_>, view: &View) -> Answer {
        if view.is_later_fragment() {
            return Answer::No;
        }
        let Some([s0, s1, d0, d1, ..]) = skb.array::<8>(view.transport) else { return Answer::HotDrop };
        let fits = within_any(self.sports.as_ref(), u16::from_be_bytes([s0, s1]))
            && within_any(self.dports.as_ref(), u16::from_be_bytes([d0, d1]));
        fits.into()
    }
}

/// `-m multiport`.
#[derive(Debug)]
pub struct MultiPort {
    pub side: PortSide,
    pub not: bool,
    pub ports: Box<[Range<u16>]>,
}

impl MultiPort {
    /// `multiport_mt`.
    pub fn matches(&self, skb: &Skb<'_>, view: &View) -> Answer {
        if view.is_later_fragment() {
            return Answer::No;
        }
        let Some([s0, s1, d0, d1]) = skb.array::<4>(view.transport) else { return Answer::HotDrop };
        let source = || self.has(u16::from_be_bytes([s0, s1]));
        let destination = || self.has(u16::from_be_bytes([d0, d1]));
        let found = match self.side {
            PortSide::Source => source(),
            PortSide::Destination => destination(),
            PortSide::Either => source() || destination(),
        };
        (found != self.not).into()
    }

    fn has(&self, port: u16) -> bool {
        self.ports.iter().any(|range| range.low <= port && port <= range.high)
    }
}

/// `-m dccp`.
#[derive(Debug, Clone, Copy)]
pub struct Dccp {
    pub sports: Option<Inv<Range<u16>>>,
    pub dports: Option<Inv<Range<u16>>>,
    /// Bit n: packet type n.
    pub types: Option<Inv<u16>>,
    pub option: Option<Inv<u8>>,
}

impl Dccp {
    /// `dccp_mt`.
    pub fn matches(&self, skb: &Skb<'_>, view: &View) -> Answer {
        if view.is_later_fragment() {
            return Answer::No;
        }
        let Some(header) = skb.array::<12>(view.transport) else { return Answer::HotDrop };
        let [s0, s1, d0, d1, offset, _, _, _, kind, ..] = header;
        let fits = within_any(self.sports.as_ref(), u16::from_be_bytes([s0, s1]))
            && within_any(self.dports.as_ref(), u16::from_be_bytes([d0, d1]))
            && self.types.is_none_or(|types| (types.value >> (kind >> 1 & 15) & 1 == 1) != types.not);
        match self.option {
            Some(option) if fits => match find_option(skb, view, offset, kind, option.value) {
                Search::Cut => Answer::HotDrop,
                found => ((found == Search::Found) != option.not).into(),
            },
            _ => fits.into(),
        }
    }
}

/// `dccp_find_option`.
fn find_option(skb: &Skb<'_>, view: &View, offset: u8, kind: u8, option: u8) -> Search {
    let extended = if kind & 1 == 1 { 4 } else { 0 };
    let of_type = match kind >> 1 & 15 {
        2 => 0,                     // data
        3 | 4 | 5 | 6 | 8 | 9 => 8, // ack, dataack, closereq, close, sync, syncack
        0 => 4,                     // request
        _ => 12,                    // response, reset
    };
    let fixed = 12 + extended + of_type;
    match (usize::from(offset) * 4).checked_sub(fixed) {
        None => Search::Cut,
        Some(0) => Search::Missing,
        Some(len) => options::find(skb.at(view.transport + fixed, len), option),
    }
}
