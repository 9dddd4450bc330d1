//! The one shape that every rule language becomes: tables of chains of rules, sets and objects.
//!
//! A rule's body keeps the form of its kernel engine, because the two engines differ in what a match means (which reads
//! are beyond the packet, when a rule counts): xtables matches and a target, or nftables statements.

use super::error::Place;
use super::ipset::IpSet;
use super::l7::Pattern;
use super::nft;
use super::xt;
use std::sync::Arc;

/// One candidate: what a host would have loaded.
#[derive(Debug, Clone, Default)]
pub struct Ruleset {
    /// Tables in the order of the files.
    pub tables: Vec<Table>,
    /// Sets of `ipset`, used by `-m set` and `-j SET`.
    pub ipsets: Vec<IpSet>,
    /// Patterns of l7-filter, used by `-m layer7`.
    pub patterns: Vec<Arc<Pattern>>,
    /// What a person should know that is no error: things that are accepted but not modelled, doubtful constructs.
    pub notes: Vec<Note>,
}

/// A remark on a place of a ruleset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
}

/// Address family of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both (nftables).
    Inet,
    /// ARP; never sees an IP packet.
    Arp,
    /// Frames that a bridge forwards.
    Bridge,
    /// Frames at a device's ingress or egress.
    Netdev,
}

impl Family {
    /// As nftables and `hits.json` write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Arp => "arp",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
        }
    }
}

/// Which kernel engine runs a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// iptables, by either backend.
    Xtables,
    /// nftables.
    Nftables,
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Address family.
    pub family: Family,
    /// Name: `filter`, `nat`, … or any for nftables.
    pub name: Arc<str>,
    /// Who runs it.
    pub engine: Engine,
    /// `flags dormant`: loaded, but not hooked.
    pub dormant: bool,
    /// Chains, in the order in which they are listed.
    pub chains: Vec<Chain>,
    /// nftables sets and maps, anonymous ones too.
    pub sets: Vec<nft::Set>,
    /// nftables objects with a name.
    pub objects: Vec<nft::Object>,
    /// Where it begins.
    pub place: Place,
}

/// Index of a chain within its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub u32);

/// Index of a set within its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(pub u32);

/// Index of an object within its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

/// A chain.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Name.
    pub name: Arc<str>,
    /// How it hangs in the kernel; `None` for a chain that others jump to.
    pub base: Option<Base>,
    /// Rules in order.
    pub rules: Vec<Rule>,
    /// Where it is declared.
    pub place: Place,
}

/// How a base chain hangs in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// What may be done in it.
    pub kind: ChainKind,
    /// When it is asked.
    pub hook: Hook,
    /// Lower is earlier; see [`priority`].
    pub priority: i32,
    /// What happens to a packet that runs out of its end.
    pub policy: Policy,
    /// Interfaces of a netdev chain; empty for all.
    pub devices: Vec<Arc<str>>,
}

/// What a base chain may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChainKind {
    /// Judge packets.
    Filter,
    /// Judge the first packet of a connection, and rewrite addresses.
    Nat,
    /// Judge local packets and route them anew if changed.
    Route,
}

/// When a base chain is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// A device's receive path, before anything else.
    Ingress,
    /// After a packet came in.
    Prerouting,
    /// A packet for the host itself.
    Input,
    /// A packet on its way through.
    Forward,
    /// A packet that the host sends.
    Output,
    /// Before a packet leaves.
    Postrouting,
    /// A device's transmit path, after anything else.
    Egress,
}

impl Hook {
    /// As nftables writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
            Self::Egress => "egress",
        }
    }
}

/// Priorities of the kernel's own hooks and of iptables' tables (`enum nf_ip_hook_priorities`).
pub mod priority {
    /// Defragmentation for connection tracking.
    pub const CONNTRACK_DEFRAG: i32 = -400;
    /// Table raw.
    pub const RAW: i32 = -300;
    /// Connection tracking.
    pub const CONNTRACK: i32 = -200;
    /// Table mangle.
    pub const MANGLE: i32 = -150;
    /// Destination NAT (OUTPUT and PREROUTING).
    pub const NAT_DST: i32 = -100;
    /// Table filter.
    pub const FILTER: i32 = 0;
    /// Table security.
    pub const SECURITY: i32 = 50;
    /// Source NAT (INPUT and POSTROUTING).
    pub const NAT_SRC: i32 = 100;
    /// A new connection is put into the table.
    pub const CONNTRACK_CONFIRM: i32 = i32::MAX;
}

/// What a base chain does at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Policy {
    /// Let through.
    #[default]
    Accept,
    /// Drop.
    Drop,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Number within the chain, from 1.
    pub n: u32,
    /// As a person reads it, on one line: iptables without `-A CHAIN`… exactly what `iptables-save` or
    /// `nft list ruleset` would print for it where that is known, else as written.
    pub text: String,
    /// Where it stands.
    pub place: Place,
    /// What it does.
    pub body: Body,
    /// What of it is not modelled: each makes the rule count as unknown.
    pub unknown: Vec<Unknown>,
    /// Its comment, if it has one.
    pub comment: Option<String>,
}

/// What a rule does.
#[derive(Debug, Clone)]
pub enum Body {
    /// iptables: if all matches match, the rule counts the packet and its target acts.
    Xt(Box<xt::RuleBody>),
    /// nftables: statements in order until one does not match.
    Nft(Vec<nft::Statement>),
}

/// A part of a rule that is not modelled, or whose answer a capture cannot give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The extension or expression: `-m owner`, `socket cgroupv2`.
    pub what: String,
    /// Why, and what follows: `the sending process is not in a capture; the rule is taken as not matching`.
    pub effect: String,
}

/// What a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// This chain's hook lets the packet through.
    Accept,
    /// The packet ends here.
    Drop,
    /// Go on with the next rule.
    Continue,
    /// Back to the rule after the jump, or to the policy.
    Return,
    /// Into a chain, and back.
    Jump(ChainId),
    /// Into a chain, not back.
    Goto(ChainId),
}

impl Ruleset {
    /// `true` if rules are made for bridged frames and none for IP: the host is a bridge between its interfaces.
    pub fn is_for_bridge(&self) -> bool {
        let hangs = |table: &&Table| !table.dormant && table.chains.iter().any(|chain| chain.base.is_some());
        let mut families = self.tables.iter().filter(hangs).map(|table| table.family);
        let is_below_ip = |family| matches!(family, Family::Bridge | Family::Netdev | Family::Arp);
        families.clone().any(|family| family == Family::Bridge) && families.all(is_below_ip)
    }

    /// Every rule with its table and chain.
    pub fn rules(&self) -> impl Iterator<Item = (&Table, &Chain, &Rule)> {
        self.tables.iter().flat_map(|table| {
            table.chains.iter().flat_map(move |chain| chain.rules.iter().map(move |rule| (table, chain, rule)))
        })
    }
}
