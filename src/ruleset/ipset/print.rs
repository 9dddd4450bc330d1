//! A set as `ipset save` prints it. Entries keep the order of their file; the kernel's is that of its hash table.

use super::value::width;
use super::{Dimension, Entry, IpSet, Storage, Value, icmp, kinds, names};
use crate::ruleset::model::Family;
use std::fmt;
use std::net::Ipv4Addr;

impl fmt::Display for IpSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        create(self, f)?;
        for entry in &self.entries {
            write!(f, "add {} ", self.name)?;
            print_entry(self, entry, f)?;
            f.write_str("\n")?;
        }
        Ok(())
    }
}

fn create(set: &IpSet, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "create {} {}", set.name, kinds::name(set.storage, &set.dimensions))?;
    match set.storage {
        Storage::Bitmap => range(set, f)?,
        Storage::Hash => hash(set, f)?,
        Storage::List => write!(f, " size {}", set.maxelem)?,
    }
    // The newer masks of hash:ip,port are listed last.
    let masks_last = set.storage == Storage::Hash && set.dimensions.len() > 1;
    if !masks_last {
        masks(set, f)?;
    }
    if let Some(seconds) = set.timeout {
        write!(f, " timeout {seconds}")?;
    }
    let flags = [
        (set.counters, " counters"),
        (set.comment, " comment"),
        (set.skbinfo, " skbinfo"),
        (set.forceadd, " forceadd"),
    ];
    for (_, flag) in flags.iter().filter(|(set, _)| *set) {
        f.write_str(flag)?;
    }
    if set.storage == Storage::Hash {
        write!(f, " bucketsize {}", written(set, "bucketsize").unwrap_or("12"))?;
        if let Some(seed) = written(set, "initval") {
            write!(f, " initval {seed}")?;
        }
    }
    if masks_last {
        masks(set, f)?;
    }
    f.write_str("\n")
}

fn written<'a>(set: &'a IpSet, name: &str) -> Option<&'a str> {
    set.options.iter().rev().find(|option| option.0 == name).map(|option| &*option.1)
}

fn range(set: &IpSet, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (first, last) = set.range.unwrap_or_default();
    if *set.dimensions == [Dimension::Port] {
        return write!(f, " range {first}-{last}");
    }
    let address = |number: u64| Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX));
    write!(f, " range {}-{}", address(first), address(last))
}

fn hash(set: &IpSet, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if *set.dimensions != [Dimension::Mac] {
        f.write_str(if set.family == Family::Ip6 { " family inet6" } else { " family inet" })?;
    }
    if let Some(mask) = set.markmask {
        write!(f, " markmask 0x{mask:08x}")?;
    }
    write!(f, " hashsize {} maxelem {}", written(set, "hashsize").unwrap_or("1024"), set.maxelem)
}

fn masks(set: &IpSet, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(prefix) = set.netmask {
        write!(f, " netmask {prefix}")?;
    }
    if let Some(mask) = set.bitmask {
        write!(f, " bitmask {mask}")?;
    }
    Ok(())
}

fn print_entry(set: &IpSet, entry: &Entry, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, value) in entry.values.iter().enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        print_value(set, value, f)?;
    }
    if entry.wildcard {
        f.write_str(" wildcard")?;
    }
    if let Some(seconds) = entry.timeout.or(set.timeout) {
        write!(f, " timeout {seconds}")?;
    }
    if entry.nomatch {
        f.write_str(" nomatch")?;
    }
    if set.counters {
        let (packets, bytes) = entry.counters.unwrap_or_default();
        write!(f, " packets {packets} bytes {bytes}")?;
    }
    if let Some(comment) = &entry.comment {
        write!(f, " comment \"{comment}\"")?;
    }
    for (name, value) in &entry.skbinfo {
        write!(f, " {name} {value}")?;
    }
    Ok(())
}

fn print_value(set: &IpSet, value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Value::Range(first, last) if first == last => write!(f, "{first}"),
        Value::Range(first, last) => write!(f, "{first}-{last}"),
        Value::Net(address, prefix) if *prefix == width(*address) => write!(f, "{address}"),
        Value::Net(address, prefix) => write!(f, "{address}/{prefix}"),
        Value::Ports(protocol, first, last) => {
            if let Some(protocol) = protocol {
                write!(f, "{}:", names::protocol_name(*protocol))?;
                if matches!(protocol, 1 | 58) {
                    return f.write_str(&icmp::print(*first, set.family == Family::Ip6));
                }
            }
            if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
        }
        Value::Mac([a, b, c, d, e, g]) => write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}"),
        Value::Iface(name, physdev) => write!(f, "{}{name}", if *physdev { "physdev:" } else { "" }),
        Value::Mark(mark) => write!(f, "0x{mark:08x}"),
        Value::Set(name, _) => f.write_str(name),
    }
}

/// The text of sets, lists last: their members must be there first.
pub fn print(sets: &[IpSet]) -> String {
    let (lists, others): (Vec<&IpSet>, Vec<&IpSet>) = sets.iter().partition(|set| set.storage == Storage::List);
    others.into_iter().chain(lists).map(ToString::to_string).collect()
}
