//! What an iptables rule is made of: the matches and targets of xtables with their parameters.
//!
//! Parameters are kept as the kernel module gets them, so that a rule can be printed as `iptables-save` prints it and
//! judged as the kernel judges it.

mod matches;
mod parameters;
mod targets;

pub use matches::Match;
pub use parameters::*;
pub use targets::{ConnMarkOp, NatRange, Target, TtlChange};

use std::net::IpAddr;
use std::sync::Arc;

/// A value that may be negated with `!`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Inv<T> {
    /// `!` stands before it.
    pub not: bool,
    /// The value.
    pub value: T,
}

/// An address and a mask of any shape (iptables allows non-contiguous ones).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Masked {
    /// Address, already masked.
    pub addr: IpAddr,
    /// Mask, same family.
    pub mask: IpAddr,
}

/// An inclusive range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range<T> {
    /// First.
    pub low: T,
    /// Last.
    pub high: T,
}

/// An interface name, or what it begins with (`eth+`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IfName {
    /// Name without the `+`.
    pub name: Arc<str>,
    /// Any interface that begins so.
    pub prefix: bool,
}

/// A rule's body.
#[derive(Debug, Clone)]
pub struct RuleBody {
    /// The part that is compared before any extension.
    pub head: Head,
    /// Extensions in order.
    pub matches: Vec<Match>,
    /// What to do; [`Target::None`] for a rule that only counts.
    pub target: Target,
}

/// `-s -d -i -o -p -f`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Source.
    pub src: Option<Inv<Masked>>,
    /// Destination.
    pub dst: Option<Inv<Masked>>,
    /// Interface in.
    pub in_if: Option<Inv<IfName>>,
    /// Interface out.
    pub out_if: Option<Inv<IfName>>,
    /// Protocol; `None` for any. IPv6: the header after the extension headers.
    pub protocol: Option<Inv<u8>>,
    /// `-f` (`true` with `!`): second and further fragments.
    pub fragment: Option<Inv<()>>,
}
