//! `-m tcp` and `-m tcpmss` (`xt_tcpudp.c`, `xt_tcpmss.c`), and what `iptables-nft` makes of ports and flags.

use super::super::super::skb::Skb;
use super::super::super::world::Answer;
use super::super::Backend;
use super::super::view::View;
use super::options::{self, Search};
use super::{within, within_any};
use crate::ruleset::xt::{Inv, Range};

/// Every port.
const ANY_PORT: Range<u16> = Range { low: 0, high: u16::MAX };

/// `TCPOPT_MSS`.
const MSS: u8 = 2;

/// `-m tcp` as the xtables module runs it.
#[derive(Debug, Clone, Copy)]
pub struct Tcp {
    pub sports: Option<Inv<Range<u16>>>,
    pub dports: Option<Inv<Range<u16>>>,
    pub flags: Option<Inv<(u8, u8)>>,
    pub option: Option<Inv<u8>>,
}

/// Ports and flags as nf_tables expressions of `iptables-nft` 1.8.9 (`add_nft_tcp`, `add_nft_udp`): loads of one and two
/// bytes at the transport header, which do not care for fragments; what lies beyond the packet does not match.
#[derive(Debug, Clone, Copy)]
pub struct Native {
    sports: Option<Inv<Range<u16>>>,
    dports: Option<Inv<Range<u16>>>,
    flags: Option<Inv<(u8, u8)>>,
}

impl Native {
    /// `None` if user space leaves it to the xtables module: there is nothing to compare.
    pub fn new(
        sports: Option<Inv<Range<u16>>>,
        dports: Option<Inv<Range<u16>>>,
        flags: Option<Inv<(u8, u8)>>,
    ) -> Option<Self> {
        let idle = |ports: Option<Inv<Range<u16>>>| ports.is_none_or(|ports| ports.value == ANY_PORT && !ports.not);
        if idle(sports) && idle(dports) && flags.is_none_or(|flags| flags.value.0 == 0 && !flags.not) {
            return None;
        }
        // Whole ranges and empty masks are not compared, even if they are negated.
        let ports = |ports: Option<Inv<Range<u16>>>| ports.filter(|ports| ports.value != ANY_PORT);
        Some(Self { sports: ports(sports), dports: ports(dports), flags: flags.filter(|flags| flags.value.0 != 0) })
    }

    #[inline]
    pub fn fits(&self, skb: &Skb<'_>, view: &View) -> bool {
        let port = |ports: &Option<Inv<Range<u16>>>, offset| match ports {
            Some(range) => {
                skb.array(view.transport + offset).is_some_and(|port| within(range, u16::from_be_bytes(port)))
            }
            None => true,
        };
        port(&self.dports, 2)
            && port(&self.sports, 0)
            && self.flags.is_none_or(|flags| {
                let found = skb.byte(view.transport + 13);
                found.is_some_and(|found| (found & flags.value.0 == flags.value.1) != flags.not)
            })
    }
}

impl Tcp {
    /// The form that `iptables-nft` gives the kernel, if it is not the xtables module.
    pub fn native(&self, backend: Backend) -> Option<Native> {
        if !backend.is_native() || self.option.is_some() {
            return None;
        }
        Native::new(self.sports, self.dports, self.flags)
    }

    /// `tcp_mt`.
    #[inline]
    pub fn matches(&self, skb: &Skb<'_>, view: &View) -> Answer {
        if view.is_later_fragment() {
            return overwrites_flags(skb, view);
        }
        let Some(header) = skb.array::<20>(view.transport) else { return Answer::HotDrop };
        let [s0, s1, d0, d1, .., offset, flags, _, _, _, _, _, _] = header;
        let fits = within_any(self.sports.as_ref(), u16::from_be_bytes([s0, s1]))
            && within_any(self.dports.as_ref(), u16::from_be_bytes([d0, d1]))
            && self.flags.is_none_or(|wanted| (flags & wanted.value.0 == wanted.value.1) != wanted.not);
        match self.option {
            Some(option) if fits => has_option(skb, view, offset, option),
            _ => fits.into(),
        }
    }
}

/// A fragment of data that would overwrite the flags of the first is dropped.
fn overwrites_flags(skb: &Skb<'_>, view: &View) -> Answer {
    if !skb.is_v6() && view.fragment == 8 { Answer::HotDrop } else { Answer::No }
}

/// `tcp_find_option`.
fn has_option(skb: &Skb<'_>, view: &View, offset: u8, option: Inv<u8>) -> Answer {
    let Some(len) = (usize::from(offset >> 4) * 4).checked_sub(20) else { return Answer::HotDrop };
    if len == 0 {
        return option.not.into();
    }
    match options::find(skb.at(view.transport + 20, len), option.value) {
        Search::Cut => Answer::HotDrop,
        Search::Found => (!option.not).into(),
        Search::Missing => option.not.into(),
    }
}

/// `tcpmss_mt`.
pub fn segment_size(skb: &Skb<'_>, view: &View, wanted: &Inv<Range<u16>>) -> Answer {
    let Some(header) = skb.array::<20>(view.transport) else { return Answer::HotDrop };
    let [.., offset, _, _, _, _, _, _, _] = header;
    let Some(len) = (usize::from(offset >> 4) * 4).checked_sub(20) else { return Answer::HotDrop };
    let Some(all) = skb.at(view.transport + 20, len) else { return Answer::HotDrop };
    for option in options::each(all) {
        if let [MSS, 4, high, low, ..] = option {
            return within(wanted, u16::from_be_bytes([*high, *low])).into();
        }
    }
    wanted.not.into()
}
