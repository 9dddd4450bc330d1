//! `meta` and `ct`: `nft_meta.c`, `nft_ct.c`.

use super::fib::interface_index;
use super::hash::random;
use super::packet::Info;
use super::value::name_number;
use crate::replay::conntrack::{Conn, CtInfo, Tuple, Zone, status};
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::World;
use crate::ruleset::model::{Family, Hook};
use crate::ruleset::nft::{Ct, Meta};
use std::net::IpAddr;
use std::sync::Arc;

/// Bytes of a `meta` value.
pub(super) fn meta_width(key: Meta) -> usize {
    match key {
        Meta::NfProto | Meta::L4Proto | Meta::PktType | Meta::Day | Meta::NfTrace | Meta::SecPath | Meta::BriBroute => {
            1
        }
        Meta::Protocol | Meta::IifType | Meta::OifType | Meta::IbrPvid | Meta::IbrVproto => 2,
        Meta::Time => 8,
        Meta::IifName
        | Meta::OifName
        | Meta::IifKind
        | Meta::OifKind
        | Meta::IbrName
        | Meta::ObrName
        | Meta::SdIfName => 16,
        _ => 4,
    }
}

/// Kept in the machine's byte order in registers (only hashes see it).
pub(super) fn meta_is_host_order(key: Meta) -> bool {
    !matches!(
        key,
        Meta::Protocol
            | Meta::IbrVproto
            | Meta::IifName
            | Meta::OifName
            | Meta::IifKind
            | Meta::OifKind
            | Meta::IbrName
            | Meta::ObrName
            | Meta::SdIfName
    )
}

/// `ARPHRD_ETHER`.
const ETHERNET: u128 = 1;

/// What `meta` gives; `None` breaks. What only the machine that sends or receives knows breaks too.
pub(super) fn meta(
    key: Meta,
    skb: &Skb,
    info: &Info,
    hook: &HookContext,
    family: Family,
    world: &World,
    seed: &mut u64,
) -> Option<u128> {
    let index =
        |name: &Option<Arc<str>>| u128::from(name.as_deref().map_or(0, |name| interface_index(name, world.routes)));
    let name = |name: &Option<Arc<str>>| name_number(name.as_deref().unwrap_or_default());
    let device_type = |name: &Option<Arc<str>>| match name.as_deref()? {
        "lo" => Some(772),
        _ => Some(ETHERNET),
    };
    let is_routed = !matches!(hook.hook, Hook::Prerouting | Hook::Ingress);
    Some(match key {
        Meta::Length => skb.len.into(),
        Meta::NfProto => match family {
            Family::Bridge => 7,
            Family::Netdev => 5,
            _ if skb.is_v6() => 10,
            _ => 2,
        },
        Meta::L4Proto => info.protocol?.into(),
        Meta::Protocol if skb.is_v6() => 0x86dd,
        Meta::Protocol => 0x0800,
        Meta::Priority => skb.priority.into(),
        Meta::Mark => skb.mark.into(),
        Meta::Iif => index(&hook.in_if),
        Meta::Oif => index(&hook.out_if),
        Meta::IifName => name(&hook.in_if),
        Meta::OifName => name(&hook.out_if),
        Meta::IifType => device_type(device(hook))?,
        Meta::OifType => device_type(&hook.out_if)?,
        Meta::IifGroup => hook.in_if.as_ref().map(|_| 0)?,
        Meta::OifGroup => hook.out_if.as_ref().map(|_| 0)?,
        Meta::NfTrace => skb.trace.into(),
        Meta::RtClassId => is_routed.then_some(0)?,
        Meta::PktType if family == Family::Bridge => bridged_type(skb, hook, world),
        Meta::PktType => packet_type(skb, hook),
        Meta::Random => random(seed).into(),
        Meta::Time => u64::try_from(skb.now_ns).unwrap_or(0).into(),
        Meta::Day => u128::try_from((skb.now_ns.div_euclid(86_400_000_000_000) + 4).rem_euclid(7)).unwrap_or(0),
        Meta::Hour => u128::try_from(skb.now_ns.div_euclid(1_000_000_000).rem_euclid(86_400)).unwrap_or(0),
        Meta::Cpu | Meta::SecMark | Meta::SecPath | Meta::SdIf | Meta::SdIfName => 0,
        Meta::SkUid
        | Meta::SkGid
        | Meta::CGroup
        | Meta::IifKind
        | Meta::OifKind
        | Meta::IbrName
        | Meta::ObrName
        | Meta::IbrPvid
        | Meta::IbrVproto
        | Meta::BriBroute => return None,
    })
}

/// `skb->dev`: from POSTROUTING on the device that a packet leaves by, even if it came in by none.
fn device(hook: &HookContext) -> &Option<Arc<str>> {
    let leaves = matches!(hook.hook, Hook::Postrouting | Hook::Egress) && hook.in_if.is_none();
    if leaves { &hook.out_if } else { &hook.in_if }
}

/// The type of a bridged frame: mostly for another host (3).
fn bridged_type(skb: &Skb, hook: &HookContext, world: &World) -> u128 {
    let is_own = world.routes.is_local(skb.src()) || world.routes.is_local(skb.dst());
    let comes_in = HookContext { in_if: hook.in_if.clone().or_else(|| hook.out_if.clone()), ..hook.clone() };
    match packet_type(skb, &comes_in) {
        0 if !is_own => 3,
        kind => kind,
    }
}

/// `skb->pkt_type`: 0 for this host, 1 broadcast, 2 multicast.
fn packet_type(skb: &Skb, hook: &HookContext) -> u128 {
    if hook.in_if.is_none() {
        return 0;
    }
    match skb.link {
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ..] => 1,
        [first, ..] => u128::from(first & 1) * 2,
        [] => match skb.dst() {
            IpAddr::V4(dst) if dst.is_broadcast() => 1,
            dst => u128::from(dst.is_multicast()) * 2,
        },
    }
}

/// Bytes of a `ct` value.
pub(super) fn ct_width(key: Ct, family: Family) -> usize {
    match key {
        Ct::Direction | Ct::L3Proto | Ct::Protocol => 1,
        Ct::ProtoSrc | Ct::ProtoDst | Ct::Zone => 2,
        Ct::Packets | Ct::Bytes | Ct::AvgPkt => 8,
        Ct::Helper | Ct::Label | Ct::SrcIp6 | Ct::DstIp6 => 16,
        Ct::Src | Ct::Dst if family != Family::Ip => 16,
        _ => 4,
    }
}

/// Kept in the machine's byte order in registers.
pub(super) fn ct_is_host_order(key: Ct) -> bool {
    !matches!(
        key,
        Ct::Helper | Ct::Src | Ct::Dst | Ct::SrcIp | Ct::DstIp | Ct::SrcIp6 | Ct::DstIp6 | Ct::ProtoSrc | Ct::ProtoDst
    )
}

/// `NF_CT_STATE_BIT` of a packet.
#[inline]
pub(super) fn state_bit(skb: &Skb) -> u8 {
    match skb.ct_info {
        CtInfo::None => 1,
        CtInfo::Established | CtInfo::EstablishedReply => 2,
        CtInfo::Related | CtInfo::RelatedReply => 4,
        CtInfo::New => 8,
        CtInfo::Untracked => 64,
    }
}

/// What `ct` gives; `None` breaks.
pub(super) fn ct(key: Ct, direction: Option<bool>, skb: &Skb, world: &World) -> Option<u128> {
    if key == Ct::State {
        return Some(state_bit(skb).into());
    }
    let conn = world.connections.get(skb.ct?)?;
    // `Some(true)` is the original direction, as `nft` writes it first.
    let [original, reply] = &conn.tuples;
    let tuple = if direction == Some(false) { reply } else { original };
    Some(match key {
        Ct::State | Ct::Count => return None,
        Ct::Direction => skb.ct_info.is_reply().into(),
        Ct::Status => conn.status.into(),
        Ct::Mark => conn.mark.into(),
        Ct::Expiration => {
            let left = world.connections.remaining(conn.id, skb.now_ns)?;
            u128::try_from(left / 1_000_000).unwrap_or(0).min(u32::MAX.into())
        }
        Ct::Helper => name_number(world.connections.get(conn.master?)?.helper?),
        Ct::Label => conn.labels,
        Ct::L3Proto => {
            if original.src.is_ipv4() {
                2
            } else {
                10
            }
        }
        Ct::Protocol => original.protocol.into(),
        Ct::Packets => counters(conn, direction).0.into(),
        Ct::Bytes => counters(conn, direction).1.into(),
        Ct::AvgPkt => {
            let (packets, bytes) = counters(conn, direction);
            bytes.checked_div(packets).unwrap_or(0).into()
        }
        Ct::Zone => original.zone.into(),
        Ct::EventMask | Ct::SecMark => 0,
        Ct::Id => conn.id.serial as u32 as u128,
        _ => return of_tuple(key, tuple),
    })
}

fn of_tuple(key: Ct, tuple: &Tuple) -> Option<u128> {
    match (key, tuple.src, tuple.dst) {
        (Ct::Src | Ct::SrcIp, IpAddr::V4(src), _) => Some(u32::from(src).into()),
        (Ct::Src | Ct::SrcIp6, IpAddr::V6(src), _) => Some(src.into()),
        (Ct::Dst | Ct::DstIp, _, IpAddr::V4(dst)) => Some(u32::from(dst).into()),
        (Ct::Dst | Ct::DstIp6, _, IpAddr::V6(dst)) => Some(dst.into()),
        (Ct::ProtoSrc, ..) => Some(tuple.src_port.into()),
        (Ct::ProtoDst, ..) => Some(tuple.dst_port.into()),
        _ => None,
    }
}

/// Packets and bytes of a direction, or of both.
fn counters(conn: &Conn, direction: Option<bool>) -> (u64, u64) {
    let [original, reply] = conn.counters;
    match direction {
        Some(true) => original,
        Some(false) => reply,
        None => (original.0.saturating_add(reply.0), original.1.saturating_add(reply.1)),
    }
}

/// `meta X set`.
pub(super) fn set_meta(key: Meta, value: u128, skb: &mut Skb) {
    match key {
        Meta::Mark => skb.mark = value as u32,
        Meta::Priority => skb.priority = value as u32,
        Meta::NfTrace => skb.trace = value != 0,
        _ => {}
    }
}

/// `ct X set`: without a connection, nothing happens; a zone is chosen before there is one.
pub(super) fn set_ct(key: Ct, direction: Option<bool>, value: u128, skb: &mut Skb, world: &mut World) {
    if key == Ct::Zone {
        return set_zone(direction, value, skb, world);
    }
    let Some(conn) = skb.ct.and_then(|id| world.connections.get_mut(id)) else { return };
    if conn.status & status::TEMPLATE != 0 {
        return;
    }
    match key {
        Ct::Mark => conn.mark = value as u32,
        Ct::Label => conn.labels |= value,
        _ => {}
    }
}

fn set_zone(direction: Option<bool>, value: u128, skb: &mut Skb, world: &mut World) {
    if skb.ct.is_some() {
        return;
    }
    let zone = Zone { id: value as u16, original_only: direction == Some(true), reply_only: direction == Some(false) };
    if let Some(template) = world.connections.template(zone) {
        skb.ct = Some(template);
        skb.ct_info = CtInfo::New;
    }
}
