//! What an administrator may set by `sysctl net.netfilter`, with the kernel's defaults.

const SECOND_NS: i64 = 1_000_000_000;

/// How connections are tracked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `nf_conntrack_tcp_loose`: a connection without its SYN is picked up in the middle.
    pub tcp_loose: bool,
    /// `nf_conntrack_tcp_be_liberal`: what lies outside the window is not INVALID for that.
    pub tcp_be_liberal: bool,
    /// `nf_conntrack_tcp_ignore_invalid_rst`: a reset that lies before what was acknowledged is not INVALID.
    pub tcp_ignore_invalid_rst: bool,
    /// `nf_conntrack_tcp_max_retrans`: after as many equal segments the entry lives shorter.
    pub tcp_max_retrans: u8,
    /// How long entries live.
    pub timeouts: Timeouts,
    /// `nf_conntrack_max`: the most entries; one that is not ASSURED makes room, else the packet is dropped.
    pub max_entries: usize,
    /// `nf_conntrack_checksum`.
    pub checksums: Checksums,
}

/// Whether wrong checksums make a packet INVALID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksums {
    /// TCP, UDP and ICMP are taken as right: captures of hosts that leave checksums to their network card hold wrong
    /// ones that were right on the wire. Those of SCTP and UDP-Lite, which few cards do, are verified.
    #[default]
    Assumed,
    /// All are verified as far as the capture holds the packet.
    Verified,
    /// None is (`nf_conntrack_checksum=0`).
    Ignored,
}

/// How long an entry lives after its last packet, in nanoseconds.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the kernel's names
pub struct Timeouts {
    pub tcp: TcpTimeouts,
    pub udp: i64,
    pub udp_stream: i64,
    pub icmp: i64,
    pub icmpv6: i64,
    pub generic: i64,
    pub gre: i64,
    pub gre_stream: i64,
    pub sctp: SctpTimeouts,
}

/// By TCP state, and two that shorten it.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the kernel's names
pub struct TcpTimeouts {
    pub syn_sent: i64,
    pub syn_recv: i64,
    pub established: i64,
    pub fin_wait: i64,
    pub close_wait: i64,
    pub last_ack: i64,
    pub time_wait: i64,
    pub close: i64,
    pub max_retrans: i64,
    pub unacknowledged: i64,
}

/// By SCTP state.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the kernel's names
pub struct SctpTimeouts {
    pub closed: i64,
    pub cookie_wait: i64,
    pub cookie_echoed: i64,
    pub established: i64,
    pub shutdown_sent: i64,
    pub shutdown_recd: i64,
    pub shutdown_ack_sent: i64,
    pub heartbeat_sent: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tcp_loose: true,
            tcp_be_liberal: false,
            tcp_ignore_invalid_rst: false,
            tcp_max_retrans: 3,
            timeouts: Timeouts::default(),
            max_entries: 262_144, // of a machine with more than 4 GiB
            checksums: Checksums::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp: TcpTimeouts::default(),
            udp: 30 * SECOND_NS,
            udp_stream: 120 * SECOND_NS,
            icmp: 30 * SECOND_NS,
            icmpv6: 30 * SECOND_NS,
            generic: 600 * SECOND_NS,
            gre: 30 * SECOND_NS,
            gre_stream: 180 * SECOND_NS,
            sctp: SctpTimeouts::default(),
        }
    }
}

impl Default for TcpTimeouts {
    fn default() -> Self {
        Self {
            syn_sent: 120 * SECOND_NS,
            syn_recv: 60 * SECOND_NS,
            established: 5 * 24 * 3600 * SECOND_NS,
            fin_wait: 120 * SECOND_NS,
            close_wait: 60 * SECOND_NS,
            last_ack: 30 * SECOND_NS,
            time_wait: 120 * SECOND_NS,
            close: 10 * SECOND_NS,
            max_retrans: 300 * SECOND_NS,
            unacknowledged: 300 * SECOND_NS,
        }
    }
}

impl Default for SctpTimeouts {
    fn default() -> Self {
        Self {
            closed: 10 * SECOND_NS,
            cookie_wait: 3 * SECOND_NS,
            cookie_echoed: 3 * SECOND_NS,
            established: 210 * SECOND_NS,
            shutdown_sent: 3 * SECOND_NS,
            shutdown_recd: 3 * SECOND_NS,
            shutdown_ack_sent: 3 * SECOND_NS,
            heartbeat_sent: 30 * SECOND_NS,
        }
    }
}
