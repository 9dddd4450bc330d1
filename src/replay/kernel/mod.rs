//! The same packets through the real kernel: rule files and packets in; counters and verdicts out.
//!
//! Three network namespaces are made: a router or host with the rules, a generator whose packets come in and go out by
//! virtual links, and one that only bounces markers (see `wire`). None has a name: they live as long as this process'
//! thread and file descriptors do, so that the kernel takes them away however the process ends. The host's own rules
//! are never touched: before each load it is checked that the thread is in a namespace that is not the host's.
//!
//! | file | does |
//! |---|---|
//! | `prepare` | a captured packet to one that can be sent, or why it is not sent |
//! | `bench` | namespaces, links, routes, settings |
//! | `tool` | runs `ip`, `iptables`, `nft`, `ipset` |
//! | `load` | rule files into the kernel |
//! | `counters`, `listing` | the kernel's counters |
//! | `wire` | packets into the kernel, and what becomes of each |
//! | `session` | a whole run |
//! | `sys` | system calls: all unsafe code |

mod error;
mod result;

#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod counters;
#[cfg(target_os = "linux")]
mod listing;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod prepare;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod tool;
#[cfg(target_os = "linux")]
mod wire;

pub use error::KernelError;
pub use result::{Counter, KernelChain, KernelObject, KernelResult, KernelRule, Moved, PacketVerdict, SkipReason};

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

/// A ruleset and how it is to be asked.
#[derive(Debug, Clone)]
pub struct KernelRun<'a> {
    /// Rule files. Sets are loaded first, then iptables, ip6tables and nft, each in the order given.
    pub rules: Vec<KernelFile<'a>>,
    /// Who carries iptables rules.
    pub backend: Backend,
    /// Where the rules stand.
    pub vantage: Vantage,
    /// Names of the interfaces.
    pub interfaces: Interfaces,
    /// A gateway bridges its interfaces instead of routing between them.
    pub bridges: bool,
    /// How fast packets are sent.
    pub timing: Timing,
    /// Settings of connection tracking and of sending.
    pub settings: Settings,
}

/// A rule file.
#[derive(Debug, Clone)]
pub struct KernelFile<'a> {
    /// As it is named in errors.
    pub name: String,
    /// Its content.
    pub text: Cow<'a, [u8]>,
    /// Its language.
    pub kind: FileKind,
}

/// Which tool loads a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// `ipset save`.
    Ipset,
    /// `iptables-save`.
    Iptables4,
    /// `ip6tables-save`.
    Iptables6,
    /// A script of nft.
    NftScript,
    /// `nft -j`.
    NftJson,
}

/// Who carries iptables rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Backend {
    /// nf_tables, as on current distributions.
    #[default]
    Nft,
    /// x_tables.
    Legacy,
}

/// Where the rules stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vantage {
    /// On a router: packets go in by one interface and out by another (FORWARD).
    Gateway {
        /// Networks behind the inside interface, as address and prefix length.
        inside: Vec<(IpAddr, u8)>,
    },
    /// On a host: packets to it come in (INPUT), packets from it go out (OUTPUT), others pass through.
    Host {
        /// The host's own addresses.
        local: Vec<IpAddr>,
    },
}

/// Names of the interfaces, as rules know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces {
    /// Behind it are the inside networks.
    pub inside: String,
    /// The default route.
    pub outside: String,
}

impl Default for Interfaces {
    fn default() -> Self {
        Self { inside: "eth1".to_owned(), outside: "eth0".to_owned() }
    }
}

/// How fast packets are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timing {
    /// One after the other without a pause: what depends on time (`limit`, `hashlimit`, timeouts) is not as captured.
    #[default]
    Max,
    /// At the capture's own times.
    Real {
        /// Longest capture that is replayed so.
        limit: Duration,
    },
}

/// Settings of connection tracking and of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `nf_conntrack_tcp_be_liberal`: segments out of the window are taken as valid.
    pub liberal: bool,
    /// `nf_conntrack_tcp_loose`: connections may be picked up in the middle.
    pub loose: bool,
    /// Packets keep checksums that are wrong. Otherwise checksums are put right, because most wrong ones in captures
    /// were left to a network card.
    pub keep_checksums: bool,
    /// Counters are read after every packet: slow, and tells which rules counted which packet.
    pub per_packet: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { liberal: false, loose: true, keep_checksums: false, per_packet: false }
    }
}

/// A packet to send: capture time in nanoseconds since 1970, its link-layer header, and the IP packet as captured. An
/// Ethernet header's source address is sent with the packet; of other link headers and an empty one nothing is.
pub type CapturedPacket<'p> = (i64, &'p [u8], &'p [u8]);

impl KernelRun<'_> {
    /// Frames pass by a bridge.
    #[cfg(target_os = "linux")]
    fn is_bridge(&self) -> bool {
        self.bridges && matches!(self.vantage, Vantage::Gateway { .. })
    }

    /// Sends the packets through the rules. Works in a thread of its own, because namespaces are a thread's; `progress`
    /// is told now and then how many packets have been sent.
    #[cfg(target_os = "linux")]
    pub fn run<'p>(
        &self,
        packets: impl Iterator<Item = CapturedPacket<'p>> + Send,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<KernelResult, KernelError> {
        in_own_thread(|| session::run(self, packets, progress))
    }

    /// Not on this operating system.
    #[cfg(not(target_os = "linux"))]
    pub fn run<'p>(
        &self,
        _packets: impl Iterator<Item = CapturedPacket<'p>> + Send,
        _progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<KernelResult, KernelError> {
        Err(KernelError::NotLinux)
    }
}

/// `Ok` if the kernel engine works here: a bench is built and taken down again.
#[cfg(target_os = "linux")]
pub fn available() -> Result<(), KernelError> {
    let run = KernelRun {
        rules: Vec::new(),
        backend: Backend::Nft,
        vantage: Vantage::Gateway { inside: Vec::new() },
        interfaces: Interfaces::default(),
        bridges: false,
        timing: Timing::Max,
        settings: Settings::default(),
    };
    run.run(std::iter::empty(), &mut |_| {}).map(drop)
}

/// Not on this operating system.
#[cfg(not(target_os = "linux"))]
pub fn available() -> Result<(), KernelError> {
    Err(KernelError::NotLinux)
}

#[cfg(target_os = "linux")]
fn in_own_thread<T: Send>(work: impl FnOnce() -> Result<T, KernelError> + Send) -> Result<T, KernelError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("kernel engine".to_owned()).spawn_scoped(scope, work);
        match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => Err(KernelError::Setup { what: "thread", message: error.to_string() }),
        }
    })
}
