//! Sets of a candidate, made ready: ranges spread into members, lists bound to their sets.

use super::element::Shape;
use super::interfaces::Interfaces;
use super::member::{Gain, Member, SkbInfo};
use super::store::{Beside, Store};
use super::{Body, Set, SetRef, Sets};
use crate::ruleset::ipset::{Dimension, Entry, IpSet, Storage, Value, members, skbinfo};
use std::sync::Arc;

pub(super) fn load(sets: &[IpSet]) -> Sets {
    let mut loaded = Sets::default();
    for (number, set) in sets.iter().enumerate() {
        loaded.names.insert(Arc::clone(&set.name), SetRef(number));
        loaded.sets.push(Set {
            family: family(set),
            dimensions: set.dimensions.clone(),
            timeout: set.timeout,
            counters: set.counters,
            body: body(set),
        });
    }
    for (number, set) in sets.iter().enumerate().filter(|(_, set)| set.storage == Storage::List) {
        let members = set.entries.iter().filter_map(|entry| match entry.values.first()? {
            Value::Set(name, _) => Some((loaded.find(name)?, Member::new(&gain(set, entry), 0))),
            _ => None,
        });
        // A list in a list would be asked without end; the parser refuses it, and so does the kernel.
        let is_list = |at: &SetRef| sets.get(at.0).is_some_and(|set| set.storage == Storage::List);
        let list = members.filter(|(at, _)| !is_list(at)).collect();
        if let Some(set) = loaded.sets.get_mut(number) {
            set.body = Body::List(list);
        }
    }
    loaded
}

/// Types without addresses take packets of both families.
fn family(set: &IpSet) -> Option<crate::ruleset::model::Family> {
    let has_addresses = set.dimensions.iter().any(|one| matches!(one, Dimension::Ip | Dimension::Net));
    has_addresses.then_some(set.family)
}

fn body(set: &IpSet) -> Body {
    let most = set.maxelem as usize;
    let shape = Shape::of(set);
    if set.storage == Storage::List {
        return Body::List(Vec::new());
    }
    if set.dimensions.contains(&Dimension::Iface) {
        return Body::Interfaces(Box::new(interfaces(set, shape, most)));
    }
    let mut store = Store::new(shape, most, set.forceadd);
    for entry in &set.entries {
        let mut gain = gain(set, entry);
        let beside = match entry.values.get(1) {
            Some(Value::Mac(mac)) => Beside::Known(mac.iter().fold(0, |all, one| all << 8 | u64::from(*one))),
            _ => Beside::Unknown(gain.seconds),
        };
        let has_macs_beside = store.shape.has_macs_beside();
        if has_macs_beside && matches!(beside, Beside::Unknown(_)) {
            gain.seconds = None;
        }
        members::each(set, entry, &mut |values| {
            let Some(element) = store.shape.of_member(values) else { return true };
            if has_macs_beside {
                store.set_beside(element, beside);
            }
            store.add(element, &gain, true, 0)
        });
    }
    Body::Store(Box::new(store))
}

fn interfaces(set: &IpSet, shape: Shape, most: usize) -> Interfaces {
    let mut interfaces = Interfaces::new(shape.clone(), most);
    for entry in &set.entries {
        let gain = gain(set, entry);
        members::each(set, entry, &mut |values| {
            // No packet of a model comes through a bridge's port.
            if let (Some(element), Some(Value::Iface(name, false))) = (shape.of_member(values), values.get(1)) {
                interfaces.add(element, name, entry.wildcard, &gain, true, 0);
            }
            true
        });
    }
    interfaces
}

/// What a member of a file begins with.
fn gain(set: &IpSet, entry: &Entry) -> Gain {
    let (packets, bytes) = entry.counters.unwrap_or_default();
    let mut info = SkbInfo::default();
    for (name, value) in &entry.skbinfo {
        match (name.as_str(), skbinfo(name, value)) {
            ("skbmark", Some(mark)) => info.mark = mark,
            ("skbprio", Some((priority, _))) => info.priority = priority,
            ("skbqueue", Some((queue, _))) => info.queue = u16::try_from(queue).unwrap_or(u16::MAX),
            _ => {}
        }
    }
    Gain {
        seconds: set.timeout.map(|own| entry.timeout.unwrap_or(own)),
        packets,
        bytes,
        info: set.skbinfo.then_some(info),
        nomatch: entry.nomatch,
    }
}
