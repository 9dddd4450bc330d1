//! What the kernel counted, under the keys of `hits.json`.

use crate::ruleset::model::Family;
use std::fmt;

/// What the kernel said to a capture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelResult {
    /// Rules in the order in which the tools list them.
    pub rules: Vec<KernelRule>,
    /// Built-in chains of iptables with the counters of their policies.
    pub chains: Vec<KernelChain>,
    /// Named counters and quotas of nftables.
    pub objects: Vec<KernelObject>,
    /// One for every packet that was given.
    pub verdicts: Vec<PacketVerdict>,
    /// For every packet what it moved, if that was asked for.
    pub per_packet: Option<Vec<Vec<Moved>>>,
    /// Packets whose checksums were put right.
    pub checksums_fixed: u64,
    /// The kernel's rules and counters as its tools print them.
    pub listing: String,
    /// Kernel release and versions of the tools, for the record.
    pub versions: Vec<String>,
    /// What a person should know of this run.
    pub notes: Vec<String>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelRule {
    /// Address family.
    pub family: Family,
    /// Table.
    pub table: String,
    /// Chain.
    pub chain: String,
    /// Number within the chain, from 1.
    pub n: u32,
    /// As the tool prints it, without counts.
    pub text: String,
    /// Packets and bytes. An iptables rule has one counter, an nftables rule as many as its `counter` statements.
    pub counters: Vec<(u64, u64)>,
}

impl KernelRule {
    /// The count that stands for the rule: of an nftables rule with several `counter` statements the last, which counts
    /// packets that got furthest. `None` if the rule does not count.
    pub fn count(&self) -> Option<(u64, u64)> {
        self.counters.last().copied()
    }
}

/// A built-in chain of iptables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelChain {
    /// Address family.
    pub family: Family,
    /// Table.
    pub table: String,
    /// Chain.
    pub chain: String,
    /// `ACCEPT` or `DROP`.
    pub policy: String,
    /// Packets that met the policy.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A named object of nftables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelObject {
    /// Address family.
    pub family: Family,
    /// Table.
    pub table: String,
    /// `counter` or `quota`.
    pub kind: &'static str,
    /// Name.
    pub name: String,
    /// Packets; of a quota the bytes used.
    pub packets: u64,
    /// Bytes; of a quota the bytes used.
    pub bytes: u64,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketVerdict {
    /// It passed. A datagram that was put together from fragments passes with the fragment that came last.
    Accepted,
    /// It did not come out. Fragments that wait for others are among these.
    Dropped,
    /// It did not come out, and its sender got an answer (not seen in the host vantage).
    Rejected,
    /// It was not sent.
    Skipped(SkipReason),
}

impl PacketVerdict {
    /// `A`, `D`, `R` or `S`.
    pub fn letter(self) -> char {
        match self {
            Self::Accepted => 'A',
            Self::Dropped => 'D',
            Self::Rejected => 'R',
            Self::Skipped(_) => 'S',
        }
    }
}

/// Why a packet was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// No IPv4 or IPv6 header.
    NotIp,
    /// The capture lacks a part of it.
    Truncated,
    /// A loopback address: no packet of a wire has one.
    Loopback,
    /// A multicast address: a router without multicast routing takes them for itself or drops them.
    Multicast,
    /// The broadcast address or no address.
    BroadcastOrZero,
    /// An IPv6 link-local address, or none: such packets are not routed.
    LinkLocal,
    /// From the replayed host to itself.
    HostToItself,
    /// An address that the bench itself uses.
    BenchAddress,
    /// The kernel did not take it; the error's number.
    SendFailed(i32),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotIp => "not IP",
            Self::Truncated => "truncated",
            Self::Loopback => "loopback address",
            Self::Multicast => "multicast",
            Self::BroadcastOrZero => "broadcast or zero address",
            Self::LinkLocal => "IPv6 link-local or unspecified",
            Self::HostToItself => "host to itself",
            Self::BenchAddress => "an address of the test bench",
            Self::SendFailed(number) => {
                return write!(f, "send: {}", std::io::Error::from_raw_os_error(*number));
            }
        })
    }
}

/// A counter of a [`KernelResult`], by its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// Index in `rules`, and which of the rule's counters.
    Rule(usize, usize),
    /// Index in `chains`.
    Chain(usize),
    /// Index in `objects`.
    Object(usize),
}

/// By how much a packet moved a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub counter: Counter,
    /// Packets: more than 1 if the packet passes twice, or its answer is counted too.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}
