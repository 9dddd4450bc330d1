//! Targets.

use super::Range;
use crate::ruleset::model::{ChainId, Verdict};
use std::net::IpAddr;
use std::sync::Arc;

/// A target. Terminating or not is said by `replay`.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // one variant a target, fields named as its options in iptables-extensions(8)
pub enum Target {
    /// No `-j`: counts only.
    None,
    /// ACCEPT, DROP, RETURN, or a chain of the table.
    Verdict(Verdict),
    /// A chain, by `-j` or `-g`; kept apart from built-in verdicts for printing.
    Chain {
        chain: ChainId,
        goto: bool,
    },
    /// `accept 0, drop 1, reject 2`.
    Audit {
        kind: u8,
    },
    Checksum,
    Classify {
        class: u32,
    },
    ConnMark {
        op: ConnMarkOp,
        ct_mask: u32,
        nf_mask: u32,
        value: u32,
        shift: Option<(bool, u8)>,
    },
    Ct {
        notrack: bool,
        helper: Option<String>,
        ctevents: Option<String>,
        expevents: Option<String>,
        zone: Option<String>,
        timeout: Option<String>,
    },
    /// Destination NAT.
    Dnat(NatRange),
    Dscp {
        value: u8,
    },
    /// `--ecn-tcp-remove`.
    Ecn {
        remove: bool,
    },
    Log {
        level: u8,
        prefix: String,
        flags: u8,
    },
    /// MARK: `mark = (mark & !mask) ^ value`.
    Mark {
        mask: u32,
        value: u32,
    },
    Masquerade {
        ports: Option<Range<u16>>,
        random: bool,
        random_fully: bool,
    },
    Netmap {
        to: IpAddr,
        prefix: u8,
    },
    Nflog {
        group: u16,
        prefix: String,
        range: Option<u32>,
        size: Option<u32>,
        threshold: Option<u16>,
    },
    /// `bypass`: accept when no program listens; without it the packet is dropped then.
    Nfqueue {
        first: u16,
        total: u16,
        bypass: bool,
        cpu_fanout: bool,
    },
    Redirect {
        ports: Option<Range<u16>>,
        random: bool,
    },
    /// Name as `--reject-with` gives it.
    Reject {
        with: String,
    },
    Set {
        add: Option<(Arc<str>, Vec<bool>)>,
        del: Option<(Arc<str>, Vec<bool>)>,
        map: Option<(Arc<str>, Vec<bool>)>,
        exist: bool,
        timeout: Option<u32>,
        map_flags: Vec<String>,
    },
    /// Source NAT.
    Snat(NatRange),
    SynProxy {
        options: String,
    },
    /// `None`: `--clamp-mss-to-pmtu`.
    TcpMss {
        mss: Option<u16>,
    },
    TcpOptStrip {
        options: Vec<u8>,
    },
    Tee {
        gateway: IpAddr,
        oif: Option<String>,
    },
    /// `tos = (tos & !mask) ^ value`.
    Tos {
        value: u8,
        mask: u8,
    },
    Tproxy {
        options: String,
    },
    Trace,
    /// TTL and HL.
    Ttl {
        op: TtlChange,
        value: u8,
    },
    /// Passes the packet on and changes nothing that a later rule sees (LED, IDLETIMER, RATEEST, SECMARK …), as written.
    Passive {
        name: String,
        options: String,
    },
    /// Not modelled, as written: the packet goes on.
    Unknown {
        name: String,
        options: String,
    },
}

/// What `CONNMARK` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // words of the option
pub enum ConnMarkOp {
    Set,
    Save,
    Restore,
}

/// What `TTL` and `HL` do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // words of the option
pub enum TtlChange {
    Set,
    Inc,
    Dec,
}

/// Where `SNAT` and `DNAT` lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatRange {
    /// Addresses.
    pub addresses: Option<Range<IpAddr>>,
    /// Ports.
    pub ports: Option<Range<u16>>,
    /// Port base of shifted ranges (`--to-destination :1000-2000/3000`).
    pub port_base: Option<u16>,
    /// `--random`.
    pub random: bool,
    /// `--random-fully`.
    pub random_fully: bool,
    /// `--persistent`.
    pub persistent: bool,
}
