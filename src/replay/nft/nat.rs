//! Rewriting of addresses: `nft_nat.c`, `nft_masq.c`, `nft_redir.c`. Only what is asked for is found out here;
//! connection tracking does it.

use super::load::{Context, Load};
use super::make::Maker;
use super::set::Data;
use super::value::number_of;
use crate::ruleset::model::Family;
use crate::ruleset::nft::{Expr, Nat, NatKind};
use std::net::IpAddr;

/// What a `snat`, `dnat`, `masquerade` or `redirect` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatRequest {
    /// Which of them.
    pub kind: NatKind,
    /// First and last address.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// First and last port.
    pub ports: Option<(u16, u16)>,
    /// `random`: any port of the range, chosen by a hash.
    pub random: bool,
    /// `fully-random`: any port of the range.
    pub fully_random: bool,
    /// `persistent`: a client always gets the same address.
    pub persistent: bool,
}

/// A NAT statement made ready.
#[derive(Debug, Clone)]
pub(super) struct PreparedNat {
    kind: NatKind,
    family: Option<Family>,
    addresses: Option<(Load, Option<Load>)>,
    ports: Option<(Load, Option<Load>)>,
    random: bool,
    fully_random: bool,
    persistent: bool,
    prefix: bool,
}

/// What became of a NAT statement.
pub(super) enum Asked {
    Request(NatRequest),
    /// Of another family than the packet: the rule goes on.
    NotMine,
    Break,
}

impl PreparedNat {
    pub fn new(nat: &Nat, maker: &Maker) -> Self {
        let pair = |pair: &Option<(Expr, Option<Expr>)>| {
            pair.as_ref().map(|(first, last)| (maker.load(first), last.as_ref().map(|last| maker.load(last))))
        };
        let has = |flag: &str| nat.flags.iter().any(|word| word == flag);
        Self {
            kind: nat.kind,
            family: nat.family,
            addresses: pair(&nat.addresses),
            ports: pair(&nat.ports),
            random: has("random"),
            fully_random: has("fully-random"),
            persistent: has("persistent"),
            prefix: has("prefix"),
        }
    }

    pub fn request(&mut self, cx: &mut Context) -> Asked {
        let mine = match self.family {
            Some(Family::Ip) => !cx.skb.is_v6(),
            Some(Family::Ip6) => cx.skb.is_v6(),
            _ => true,
        };
        if !mine {
            return Asked::NotMine;
        }
        match self.read(cx) {
            Some(request) => Asked::Request(request),
            None => Asked::Break,
        }
    }

    fn read(&mut self, cx: &mut Context) -> Option<NatRequest> {
        let mut request = NatRequest {
            kind: self.kind,
            addresses: None,
            ports: None,
            random: self.random,
            fully_random: self.fully_random,
            persistent: self.persistent,
        };
        if let Some((first, last)) = &mut self.addresses {
            let (low, high) = bounds(first, last.as_mut(), cx)?;
            let (first, first_port) = address_and_port(&low, cx)?;
            let (last, last_port) = address_and_port(&high, cx)?;
            let addresses = (first, last);
            request.addresses = Some(if self.prefix { mapped(addresses, self.kind, cx)? } else { addresses });
            request.ports = first_port.zip(last_port);
        }
        if let Some((first, last)) = &mut self.ports {
            let low = port(first.number(cx)?)?;
            let high = last.as_mut().map_or(Some(low), |last| port(last.number(cx)?))?;
            request.ports = Some((low, high));
        }
        Some(request)
    }
}

fn port(number: u128) -> Option<u16> {
    u16::try_from(number).ok()
}

/// First and last value; one map may give both.
fn bounds(first: &mut Load, last: Option<&mut Load>, cx: &mut Context) -> Option<(Vec<u8>, Vec<u8>)> {
    if let (Load::Map(lookup, _), None) = (&mut *first, &last) {
        let place = lookup.hit(cx)?;
        return match &cx.sets.get(lookup.set)?.entry_at(place)?.data {
            Data::Value(value) => Some((value.to_vec(), value.to_vec())),
            Data::Range(low, high) => Some((low.to_vec(), high.to_vec())),
            _ => None,
        };
    }
    let mut value = |load: &mut Load| {
        let mut buffer = super::value::Buffer::new();
        load.bytes(cx, &mut buffer)?;
        Some(buffer.as_slice().to_vec())
    };
    let low = value(first)?;
    let high = last.map_or(Some(low.clone()), value)?;
    Some((low, high))
}

/// An address of the packet's family, and the port that may follow it in a map's value.
fn address_and_port(value: &[u8], cx: &Context) -> Option<(IpAddr, Option<u16>)> {
    let (addr, rest) = if cx.skb.is_v6() {
        let (addr, rest) = value.split_first_chunk::<16>()?;
        (IpAddr::from(*addr), rest)
    } else {
        let (addr, rest) = value.split_first_chunk::<4>()?;
        (IpAddr::from(*addr), rest)
    };
    let port = rest.first_chunk::<2>().map(|port| u16::from_be_bytes(*port));
    Some((addr, port))
}

/// `nft_nat_setup_netmap`: the network of the range, the host part of the packet's address.
fn mapped((first, last): (IpAddr, IpAddr), kind: NatKind, cx: &Context) -> Option<(IpAddr, IpAddr)> {
    let own = if kind == NatKind::Snat { cx.skb.src() } else { cx.skb.dst() };
    let number = |addr: IpAddr| match addr {
        IpAddr::V4(v4) => number_of(&v4.octets()),
        IpAddr::V6(v6) => number_of(&v6.octets()),
    };
    let host = number(first)? ^ number(last)?;
    let new = number(own)? & host | number(first)? & !host;
    let addr = match own {
        IpAddr::V4(_) => IpAddr::from(u32::try_from(new).ok()?.to_be_bytes()),
        IpAddr::V6(_) => IpAddr::from(new.to_be_bytes()),
    };
    Some((addr, addr))
}
