//! Changes of a packet's bytes. Checksums are left alone: nothing here looks at them again.

use super::header::traffic_class;
use crate::replay::skb::Skb;

fn set_byte(skb: &mut Skb<'_>, at: usize, change: impl FnOnce(u8) -> u8) {
    if let Some(byte) = skb.bytes.to_mut().get_mut(at) {
        *byte = change(*byte);
    }
}

/// Changes IPv4 TOS or IPv6 traffic class.
pub(super) fn set_traffic_class(skb: &mut Skb<'_>, change: impl FnOnce(u8) -> u8) {
    let class = change(traffic_class(skb));
    if skb.is_v6() {
        set_byte(skb, 0, |byte| byte & 0xf0 | class >> 4);
        set_byte(skb, 1, |byte| byte & 0x0f | class << 4);
    } else {
        set_byte(skb, 1, |_| class);
    }
}

/// `ECN --ecn-tcp-remove`: clears ECE, CWR and the reserved bits.
pub(super) fn remove_tcp_ecn(skb: &mut Skb<'_>) {
    let at = skb.headers.transport as usize;
    set_byte(skb, at + 12, |byte| byte & 0xf0);
    set_byte(skb, at + 13, |byte| byte & 0x3f);
}

/// Where the options of an unfragmented TCP header lie.
fn tcp_options(skb: &Skb<'_>) -> Option<(usize, usize)> {
    if skb.headers.protocol != Some(6) || skb.headers.fragment_offset > 0 {
        return None;
    }
    let at = skb.headers.transport as usize;
    let len = (usize::from(skb.byte(at + 12)? >> 4) * 4).checked_sub(20)?;
    skb.at(at + 20, len)?;
    Some((at + 20, len))
}

/// `xt_TCPMSS.c`: lowers the MSS of a SYN; adds the option where there is none. Without a value (clamping to the path's
/// MTU) an Ethernet is assumed.
pub(super) fn tcp_mss(skb: &mut Skb<'_>, mss: Option<u16>) {
    const SYN_RST: u8 = 6;
    const ETHERNET_MTU: u16 = 1500;
    let Some((at, len)) = tcp_options(skb) else { return };
    let header = at - 20;
    if skb.byte(header + 13).is_none_or(|flags| flags & SYN_RST != 2) {
        return;
    }
    let (headers, smallest) = if skb.is_v6() { (60, 1220) } else { (40, 536) };
    let mss = mss.unwrap_or(ETHERNET_MTU - headers);
    let mut place = at;
    while place < at + len {
        match (skb.byte(place), skb.byte(place + 1)) {
            (Some(2), Some(4)) => {
                let is = skb.array::<2>(place + 2).map_or(0, u16::from_be_bytes);
                if is > mss {
                    let [high, low] = mss.to_be_bytes();
                    set_byte(skb, place + 2, |_| high);
                    set_byte(skb, place + 3, |_| low);
                }
                return;
            }
            (Some(0 | 1), _) => place += 1,
            (Some(_), Some(len)) => place += usize::from(len).max(1),
            _ => break,
        }
    }
    // A SYN with data is left alone; a header that is full has no room.
    if skb.len as usize == at + len && len <= 36 {
        insert_mss(skb, at, mss.min(smallest));
    }
}

fn insert_mss(skb: &mut Skb<'_>, at: usize, mss: u16) {
    let [high, low] = mss.to_be_bytes();
    let bytes = skb.bytes.to_mut();
    if at > bytes.len() {
        return;
    }
    bytes.splice(at..at, [2, 4, high, low]);
    set_byte(skb, at - 8, |byte| byte.wrapping_add(0x10));
    skb.len += 4;
    let (place, len) = if skb.is_v6() { (4, skb.len - 40) } else { (2, skb.len) };
    let [high, low] = (len as u16).to_be_bytes();
    set_byte(skb, place, |_| high);
    set_byte(skb, place + 1, |_| low);
}

/// `xt_TCPOPTSTRIP.c`: options become padding.
pub(super) fn strip_tcp_options(skb: &mut Skb<'_>, kinds: &[u8]) {
    let Some((at, len)) = tcp_options(skb) else { return };
    let mut place = at;
    while place < at + len {
        let Some(kind) = skb.byte(place) else { return };
        let size = if kind < 2 { 1 } else { usize::from(skb.byte(place + 1).unwrap_or(0)) };
        if size == 0 || place + size > at + len {
            return;
        }
        if kinds.contains(&kind) {
            (place..place + size).for_each(|byte| set_byte(skb, byte, |_| 1));
        }
        place += size;
    }
}
