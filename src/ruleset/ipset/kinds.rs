//! Types of sets by name.

use super::{Dimension, Storage};

/// The kernel's types, and what ipset 4 called them.
const KINDS: &[(&str, Storage, &[Dimension])] = {
    use Dimension::{Iface, Ip, Mac, Mark, Net, Port, Set};
    use Storage::{Bitmap, Hash, List};
    &[
        ("bitmap:ip", Bitmap, &[Ip]),
        ("ipmap", Bitmap, &[Ip]),
        ("bitmap:ip,mac", Bitmap, &[Ip, Mac]),
        ("macipmap", Bitmap, &[Ip, Mac]),
        ("bitmap:port", Bitmap, &[Port]),
        ("portmap", Bitmap, &[Port]),
        ("hash:ip", Hash, &[Ip]),
        ("iphash", Hash, &[Ip]),
        ("hash:mac", Hash, &[Mac]),
        ("hash:net", Hash, &[Net]),
        ("nethash", Hash, &[Net]),
        ("hash:ip,port", Hash, &[Ip, Port]),
        ("ipporthash", Hash, &[Ip, Port]),
        ("hash:ip,port,ip", Hash, &[Ip, Port, Ip]),
        ("ipportiphash", Hash, &[Ip, Port, Ip]),
        ("hash:ip,port,net", Hash, &[Ip, Port, Net]),
        ("ipportnethash", Hash, &[Ip, Port, Net]),
        ("hash:ip,mark", Hash, &[Ip, Mark]),
        ("hash:ip,mac", Hash, &[Ip, Mac]),
        ("hash:net,port", Hash, &[Net, Port]),
        ("hash:net,net", Hash, &[Net, Net]),
        ("hash:net,port,net", Hash, &[Net, Port, Net]),
        ("hash:net,iface", Hash, &[Net, Iface]),
        ("list:set", List, &[Set]),
        ("setlist", List, &[Set]),
    ]
};

/// Storage and dimensions of a type.
pub(super) fn named(name: &str) -> Option<(Storage, &'static [Dimension])> {
    KINDS.iter().find(|kind| kind.0 == name).map(|kind| (kind.1, kind.2))
}

/// Name of a type.
pub(super) fn name(storage: Storage, dimensions: &[Dimension]) -> &'static str {
    KINDS.iter().find(|kind| kind.1 == storage && kind.2 == dimensions).map_or("hash:ip", |kind| kind.0)
}

/// All names, for an error message.
pub(super) fn all() -> String {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.0).filter(|name| name.contains(':')).collect();
    names.join(", ")
}
