//! Chains that hang on a device rather than on a hook of layer 3: `ingress` and `egress` of the netdev family, `ingress`
//! of inet (`nf_hook_ingress`, `nf_hook_egress`).
//!
//! Ingress sees a frame as it came, before IP looks at it, with fragments one by one; egress sees it as it goes out, with
//! its Ethernet header counted and put apart into the fragments that it came in.

use crate::replay::skb::Skb;
use crate::replay::wiring::Wiring;
use crate::ruleset::model::{Base, Family, Hook, Ruleset};
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes of an Ethernet header, which are before the packet on its way out.
pub const ETHERNET: u32 = 14;

/// Base chains that hang on devices.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    ingress: Vec<Hung>,
    egress: Vec<Hung>,
}

/// A base chain with its devices.
#[derive(Debug, Clone)]
struct Hung {
    priority: i32,
    table: usize,
    chain: usize,
    devices: Vec<Arc<str>>,
}

impl Devices {
    /// The chains of a ruleset, in the order in which they are asked.
    pub fn new(ruleset: &Ruleset) -> Self {
        let mut devices = Self::default();
        for (table_at, table) in ruleset.tables.iter().enumerate().filter(|(_, table)| !table.dormant) {
            for (chain_at, chain) in table.chains.iter().enumerate() {
                if let Some(base) = &chain.base {
                    devices.hang(table.family, base, table_at, chain_at);
                }
            }
        }
        devices
    }

    fn hang(&mut self, family: Family, base: &Base, table: usize, chain: usize) {
        let list = match (family, base.hook) {
            (Family::Netdev | Family::Inet, Hook::Ingress) => &mut self.ingress,
            (Family::Netdev, Hook::Egress) => &mut self.egress,
            _ => return,
        };
        // Of equal priorities the one that came last goes first, as at layer 3.
        let at = list.partition_point(|other| other.priority < base.priority);
        list.insert(at, Hung { priority: base.priority, table, chain, devices: base.devices.clone() });
    }

    /// Table and chain of the next that hangs on a device, from a number on; and the number after it.
    pub fn next(&self, hook: Hook, device: &str, from: usize) -> Option<((usize, usize), usize)> {
        let list = if hook == Hook::Ingress { &self.ingress } else { &self.egress };
        let hangs_here = |hung: &Hung| hung.devices.iter().any(|name| **name == *device);
        let (at, hung) = list.iter().enumerate().skip(from).find(|(_, hung)| hangs_here(hung))?;
        Some(((hung.table, hung.chain), at + 1))
    }

    /// Nothing hangs at the way out.
    pub fn has_no_egress(&self) -> bool {
        self.egress.is_empty()
    }

    /// What is to be said of chains that see nothing, because the host has none of their devices.
    pub fn notes(&self, ruleset: &Ruleset, wiring: &Wiring) -> Vec<String> {
        let (inside, outside) = (&wiring.routes.inside_if, &wiring.routes.outside_if);
        let is_here = |name: &Arc<str>| name == outside || name == inside;
        let all = self.ingress.iter().chain(&self.egress);
        let elsewhere = all.filter(|hung| !hung.devices.iter().any(is_here));
        let note = |hung: &Hung| {
            let table = ruleset.tables.get(hung.table)?;
            let chain = table.chains.get(hung.chain)?;
            Some(format!(
                "{} {} {} hangs on {}, and the replayed host has {inside} (inside) and {outside} (outside): it saw nothing",
                table.family.as_str(),
                table.name,
                chain.name,
                hung.devices.join(", "),
            ))
        };
        elsewhere.filter_map(note).collect()
    }
}

/// A packet that was put together, apart again as it goes out (`ip_do_fragment`, `ip6_fragment`): each fragment as long as
/// it came. Empty if it was never put together, or is no packet any more.
pub fn apart(skb: &Skb<'_>) -> Vec<Vec<u8>> {
    let header = skb.headers.transport as usize;
    let end = skb.len as usize;
    let ends = skb.seams.iter().skip(1).map(|seam| *seam as usize).chain([end]);
    let later = skb.seams.iter().map(|seam| *seam as usize).zip(ends);
    let all = skb.seams.first().map(|seam| (header, *seam as usize)).into_iter().chain(later);
    all.filter_map(|(from, to)| fragment(skb, header, from, to, to == end)).collect()
}

/// The fragment with the bytes `from..to` of the whole packet, as far as they were captured.
fn fragment(skb: &Skb<'_>, header: usize, from: usize, to: usize, last: bool) -> Option<Vec<u8>> {
    let mut bytes = skb.bytes.get(..header)?.to_vec();
    let data = skb.bytes.get(from..to.min(skb.bytes.len())).unwrap_or_default();
    let offset = u16::try_from(from.checked_sub(header)?).ok()?;
    let len = to.checked_sub(from)?;
    if skb.is_v6() {
        let next = std::mem::replace(bytes.get_mut(6)?, 44);
        let [high, low] = (offset | u16::from(!last)).to_be_bytes();
        // The identification is not kept with the whole packet.
        bytes.extend([next, 0, high, low, 0, 0, 0, 0]);
        let len = u16::try_from(header.checked_sub(40)? + 8 + len).ok()?;
        bytes.get_mut(4..6)?.copy_from_slice(&len.to_be_bytes());
    } else {
        let field = (offset / 8) | if last { 0 } else { 0x2000 };
        bytes.get_mut(2..4)?.copy_from_slice(&u16::try_from(header + len).ok()?.to_be_bytes());
        bytes.get_mut(6..8)?.copy_from_slice(&field.to_be_bytes());
    }
    bytes.extend_from_slice(data);
    Some(bytes)
}

/// A fragment as a packet of its own, with what the whole one had besides bytes.
pub fn as_skb<'p>(bytes: &'p [u8], whole: &Skb<'p>) -> Option<Skb<'p>> {
    let made = Skb::new(bytes, whole.link, whole.now_ns)?;
    let (bytes, len, headers) = (Cow::Borrowed(bytes), made.len, made.headers);
    Some(Skb { bytes, len, headers, seams: Vec::new(), ..whole.clone() })
}
