//! Where a packet's headers are, as the rules of one backend see them.
//!
//! `ip_packet_match` and `ip6_packet_match` of iptables-legacy, `nft_set_pktinfo_ipv4` and `_ipv6` for iptables-nft;
//! for IPv6 both rest on `ipv6_find_hdr` (`net/ipv6/exthdrs_core.c`).

use super::super::skb::Skb;
use super::Backend;

/// IPv6 extension headers and what ends a chain of them.
pub(super) mod next {
    pub const HOP: u8 = 0;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const ESP: u8 = 50;
    pub const AUTH: u8 = 51;
    pub const NONE: u8 = 59;
    pub const DEST: u8 = 60;
}

/// `thoff` and `fragoff` of `struct xt_action_param`, and the protocol that `-p` is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// `None` if the chain of IPv6 headers is broken.
    pub protocol: Option<u8>,
    /// First byte of the transport header. In IPv6 fragments that are not the first the kernel leaves it 0.
    pub transport: usize,
    /// Byte offset of the fragment.
    pub fragment: u16,
}

impl View {
    #[inline]
    pub fn of(skb: &Skb<'_>, backend: Backend) -> Self {
        let headers = &skb.headers;
        if headers.version == 6 && skb.byte(6) != headers.protocol {
            return Self::of_extended(skb, backend);
        }
        Self { protocol: headers.protocol, transport: headers.transport as usize, fragment: headers.fragment_offset }
    }

    /// An IPv6 packet with extension headers. nf_tables stops at an authentication header, ip6tables walks on.
    fn of_extended(skb: &Skb<'_>, backend: Backend) -> Self {
        match find_header(skb, None, backend == Backend::Nft) {
            Ok(found) => Self { protocol: Some(found.kind), transport: found.offset, fragment: found.fragment },
            Err(_) => Self { protocol: None, transport: 0, fragment: 0 },
        }
    }

    /// A fragment that is not the first.
    #[inline]
    pub fn is_later_fragment(&self) -> bool {
        self.fragment != 0
    }
}

/// A header of an IPv6 packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Its protocol number.
    pub kind: u8,
    /// Where it begins; 0 if it is not in this fragment.
    pub offset: usize,
    /// Byte offset of the fragment, if a fragment header was passed.
    pub fragment: u16,
}

/// Why a header was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// `-ENOENT`: the chain ends without it.
    NotThere,
    /// `-EBADMSG`: a header before it is cut.
    Cut,
}

/// `ipv6_find_hdr`: the header of a kind or, without a kind, the first that is no extension.
pub(super) fn find_header(skb: &Skb<'_>, target: Option<u8>, stop_at_auth: bool) -> Result<Found, Missing> {
    let mut kind = skb.byte(6).ok_or(Missing::Cut)?;
    let mut offset = 40_usize;
    loop {
        let found = target == Some(kind);
        if !is_extension(kind) || kind == next::NONE {
            let wanted = found || target.is_none();
            return if wanted { Ok(Found { kind, offset, fragment: 0 }) } else { Err(Missing::NotThere) };
        }
        let [after, len] = skb.array::<2>(offset).ok_or(Missing::Cut)?;
        let step = match kind {
            next::FRAGMENT => {
                let fragment = u16::from_be_bytes(skb.array(offset + 2).ok_or(Missing::Cut)?) & !7;
                if fragment != 0 {
                    return later_fragment(target, found, Found { kind, offset, fragment }, after);
                }
                8
            }
            next::AUTH if stop_at_auth && target.is_none() => return Ok(Found { kind, offset, fragment: 0 }),
            next::AUTH => (usize::from(len) + 2) * 4,
            _ => (usize::from(len) + 1) * 8,
        };
        if found {
            return Ok(Found { kind, offset, fragment: 0 });
        }
        kind = after;
        offset += step;
    }
}

/// What can be told of a fragment that is not the first, at its fragment header.
fn later_fragment(target: Option<u8>, found: bool, at: Found, after: u8) -> Result<Found, Missing> {
    match target {
        None if !is_extension(after) || after == next::NONE => Ok(Found { kind: after, offset: 0, ..at }),
        _ if found => Ok(at),
        _ => Err(Missing::NotThere),
    }
}

/// `ipv6_ext_hdr`.
fn is_extension(kind: u8) -> bool {
    matches!(kind, next::HOP | next::ROUTING | next::FRAGMENT | next::AUTH | next::NONE | next::DEST)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    /// An IPv6 packet with these bytes after its header.
    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&[0x60, 0, 0, 0, len[0], len[1], first, 64][..], &[1; 32], rest].concat()
    }

    fn view(packet: &[u8], backend: Backend) -> (Option<u8>, usize, u16) {
        let view = View::of(&Skb::new(packet, &[], 0).unwrap(), backend);
        (view.protocol, view.transport, view.fragment)
    }

    #[test]
    fn extension_headers_are_passed() {
        let hop_then_udp = packet(0, &[17, 0, 1, 4, 0, 0, 0, 0, 0, 7, 0, 8, 0, 8, 0, 0]);
        assert_eq!(view(&hop_then_udp, Backend::Legacy), (Some(17), 48, 0));
        assert_eq!(view(&hop_then_udp, Backend::Nft), (Some(17), 48, 0));
    }

    #[test]
    fn only_nf_tables_stops_at_an_authentication_header() {
        let auth_then_tcp = packet(51, &[[6, 4, 0, 0].as_slice(), &[0; 20], &[0; 20]].concat());
        assert_eq!(view(&auth_then_tcp, Backend::Legacy), (Some(6), 64, 0));
        assert_eq!(view(&auth_then_tcp, Backend::Nft), (Some(51), 40, 0));
    }

    #[test]
    fn later_fragments_have_a_protocol_but_no_header() {
        let fragment = packet(44, &[17, 0, 0, 8, 0, 0, 0, 1, 9, 9, 9, 9]);
        assert_eq!(view(&fragment, Backend::Nft), (Some(17), 0, 8));
        let before_an_extension = packet(44, &[60, 0, 0, 8, 0, 0, 0, 1, 9, 9, 9, 9]);
        assert_eq!(view(&before_an_extension, Backend::Nft).0, None);
    }

    #[test]
    fn a_cut_chain_has_no_protocol() {
        assert_eq!(view(&packet(0, &[17]), Backend::Legacy).0, None);
        assert_eq!(view(&packet(44, &[17, 0, 0]), Backend::Legacy).0, None);
    }

    #[test]
    fn a_kind_is_found_where_it_stands() {
        let bytes = packet(0, &[43, 0, 0, 0, 0, 0, 0, 0, 59, 0, 0, 0, 0, 0, 0, 0]);
        let skb = Skb::new(&bytes, &[], 0).unwrap();
        let offset = |kind| find_header(&skb, Some(kind), false).map(|found| found.offset);
        assert_eq!(offset(next::ROUTING), Ok(48));
        assert_eq!(offset(next::NONE), Ok(56));
        assert_eq!(offset(next::DEST), Err(Missing::NotThere));
    }
}
