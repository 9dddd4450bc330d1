//! What the link layer says: `xt_mac.c`, `xt_pkttype.c`, `ip6t_eui64.c`, `xt_devgroup.c`.

use super::super::super::skb::{HookContext, Skb};
use crate::ruleset::model::Hook;
use crate::ruleset::xt::Inv;
use std::net::IpAddr;

/// `PACKET_*` of `if_packet.h`.
mod packet_kind {
    pub const HOST: u8 = 0;
    pub const BROADCAST: u8 = 1;
    pub const MULTICAST: u8 = 2;
}

/// Source of the Ethernet header. A packet that the host sends has none yet.
pub fn mac(skb: &Skb<'_>, hook: &HookContext, wanted: &Inv<[u8; 6]>) -> bool {
    if is_own(hook) {
        return false;
    }
    let [_, _, _, _, _, _, source @ .., _, _] = match skb.link.first_chunk::<14>() {
        Some(header) => *header,
        None => return false,
    };
    (source == wanted.value) != wanted.not
}

/// Whom the frame was for (`eth_type_trans`). A frame for another host passes no gateway: what is captured was for this
/// one. Without an Ethernet header the IP address tells.
pub fn packet_type(skb: &Skb<'_>, hook: &HookContext) -> u8 {
    if is_own(hook) {
        return packet_kind::HOST;
    }
    match skb.link.first_chunk::<14>() {
        Some([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ..]) => packet_kind::BROADCAST,
        Some([first, ..]) if first & 1 == 1 => packet_kind::MULTICAST,
        Some(_) => packet_kind::HOST,
        None => match skb.dst() {
            IpAddr::V4(dst) if dst.is_broadcast() => packet_kind::BROADCAST,
            dst if dst.is_multicast() => packet_kind::MULTICAST,
            _ => packet_kind::HOST,
        },
    }
}

/// The host itself sends the packet.
fn is_own(hook: &HookContext) -> bool {
    hook.hook == Hook::Output || (hook.hook == Hook::Postrouting && hook.in_if.is_none())
}

/// `eui64_mt6`: the interface identifier is made of the hardware address.
pub fn is_eui64(skb: &Skb<'_>) -> bool {
    let Some([_, _, _, _, _, _, a, b, c, d, e, f, 0x86, 0xdd]) = skb.link.first_chunk::<14>().copied() else {
        return false;
    };
    skb.array::<8>(16) == Some([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// `-m devgroup`. Every interface is in group 0 unless somebody puts it elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct DevGroup {
    pub src: Option<Inv<(u32, u32)>>,
    pub dst: Option<Inv<(u32, u32)>>,
}

impl DevGroup {
    pub fn fits(&self) -> bool {
        let fits = |group: Option<Inv<(u32, u32)>>| {
            group.is_none_or(|Inv { not, value: (group, mask) }| (group & mask == 0) != not)
        };
        fits(self.src) && fits(self.dst)
    }
}
