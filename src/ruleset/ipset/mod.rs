//! Sets of `ipset save` and of scripts of `ipset` commands: what is in them. How they are asked is `replay`'s business.
//!
//! | file | does |
//! |---|---|
//! | `script` | lines of commands in, sets out |
//! | `line` | a line and its words, with their columns |
//! | `create`, `entry`, `value` | options of a set, of an entry, and the parts of an entry |
//! | `kinds`, `names`, `icmp` | types of sets, names of protocols and ports, names of ICMP types |
//! | `members` | which members an entry stands for |
//! | `print` | as `ipset save` prints it |

mod create;
mod entry;
mod icmp;
mod kinds;
mod line;
pub mod members;
mod names;
mod open;
mod print;
mod script;
mod value;

#[cfg(test)]
mod tests;

pub use entry::skbinfo;
pub use print::print;
pub use script::parse;

use super::error::Place;
use super::model::Family;
use std::net::IpAddr;
use std::sync::Arc;

/// A set as `create` and `add` made it.
#[derive(Debug, Clone)]
pub struct IpSet {
    /// Name.
    pub name: Arc<str>,
    /// How entries are stored.
    pub storage: Storage,
    /// What an entry is made of, in order.
    pub dimensions: Vec<Dimension>,
    /// Addresses in it: [`Family::Ip`] or [`Family::Ip6`].
    pub family: Family,
    /// Seconds that an entry lives unless it says otherwise; `None` if entries live on.
    pub timeout: Option<u32>,
    /// Entries count packets and bytes.
    pub counters: bool,
    /// Entries may carry a comment.
    pub comment: bool,
    /// Entries may carry a mark, priority and queue.
    pub skbinfo: bool,
    /// Prefix length that addresses of `hash:ip` are cut to.
    pub netmask: Option<u8>,
    /// Mask that addresses are cut to, of any shape; excludes `netmask`.
    pub bitmask: Option<IpAddr>,
    /// Mask of `hash:ip,mark`.
    pub markmask: Option<u32>,
    /// Most entries (`size` of a list); `forceadd` replaces one when full.
    pub maxelem: u32,
    /// See `maxelem`.
    pub forceadd: bool,
    /// First and last member of a bitmap.
    pub range: Option<(u64, u64)>,
    /// Hash sizes and seeds as written: `hashsize 1024 bucketsize 12 initval 0x…`, kept for printing.
    pub options: Vec<(String, String)>,
    /// Entries in order.
    pub entries: Vec<Entry>,
    /// Where it is created.
    pub place: Place,
}

/// How a set stores its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// `bitmap:…`
    Bitmap,
    /// `hash:…`
    Hash,
    /// `list:set`
    List,
}

/// A part of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// An address.
    Ip,
    /// A network.
    Net,
    /// A port with its protocol.
    Port,
    /// A hardware address.
    Mac,
    /// An interface name.
    Iface,
    /// A packet mark.
    Mark,
    /// Another set's name.
    Set,
}

/// An entry. Ranges are kept as written; how a range spreads into members is the kernel's (and `replay`'s) business.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// One value a dimension.
    pub values: Vec<Value>,
    /// Excepted (`nomatch`).
    pub nomatch: bool,
    /// The interface is the beginning of a name (`wildcard`).
    pub wildcard: bool,
    /// Seconds to live; 0 for ever.
    pub timeout: Option<u32>,
    /// Packets and bytes at the start.
    pub counters: Option<(u64, u64)>,
    /// Comment.
    pub comment: Option<String>,
    /// Mark and mask, class, queue as written.
    pub skbinfo: Vec<(String, String)>,
    /// Where it stands.
    pub place: Place,
}

/// A value of one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Addresses from first to last.
    Range(IpAddr, IpAddr),
    /// A network: address and prefix length.
    Net(IpAddr, u8),
    /// Protocol number (`None`: any, as in `bitmap:port`) and ports (or ICMP type << 8 | code) from first to last.
    Ports(Option<u8>, u16, u16),
    /// Hardware address.
    Mac([u8; 6]),
    /// Interface; `true` if it is a bridge port (`physdev:`).
    Iface(String, bool),
    /// Mark.
    Mark(u32),
    /// Name of a set. A list's entries stand in its order; a place told by `before` (`true`) or `after` is used up.
    Set(String, Option<(bool, String)>),
}
