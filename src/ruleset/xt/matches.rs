//! Match extensions.

use super::parameters::*;
use super::{IfName, Inv, Range};
use crate::ruleset::l7::Pattern;
use std::net::IpAddr;
use std::sync::Arc;

/// A match extension. Bits, flags and modes are the kernel's numbers where a name is not of use.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // one variant an extension, fields named as its options in iptables-extensions(8)
pub enum Match {
    AddrType {
        src: Option<Inv<u16>>,
        dst: Option<Inv<u16>>,
        limit_iface_in: bool,
        limit_iface_out: bool,
    },
    /// `res` as IPv6 only.
    Ah {
        spi: Inv<Range<u32>>,
        length: Option<Inv<u32>>,
        reserved: bool,
    },
    /// Classic BPF: code, jt, jf, k.
    Bpf {
        program: Vec<(u16, u8, u8, u32)>,
    },
    Cluster {
        total: u32,
        node_mask: Inv<u32>,
        seed: u32,
    },
    Comment(String),
    ConnBytes {
        range: Inv<Range<u64>>,
        mode: ConnBytesMode,
        direction: ConnBytesDirection,
    },
    ConnLabel {
        label: Inv<u16>,
        name: String,
        set: bool,
    },
    /// `limit.not` means `upto`; mask as a prefix length.
    ConnLimit {
        limit: Inv<u32>,
        mask: u8,
        by_destination: bool,
    },
    ConnMark {
        mark: Inv<u32>,
        mask: u32,
    },
    ConnTrack(Box<ConnTrack>),
    Cpu(Inv<u32>),
    DevGroup {
        src: Option<Inv<(u32, u32)>>,
        dst: Option<Inv<(u32, u32)>>,
    },
    Dccp {
        sports: Option<Inv<Range<u16>>>,
        dports: Option<Inv<Range<u16>>>,
        types: Option<Inv<u16>>,
        option: Option<Inv<u8>>,
    },
    Dscp(Inv<u8>),
    /// IPv6 destination options: length, and options as (type, length) in order.
    Dst {
        length: Option<Inv<u32>>,
        options: Vec<(u8, Option<u8>)>,
        strict: bool,
    },
    Hbh {
        length: Option<Inv<u32>>,
        options: Vec<(u8, Option<u8>)>,
        strict: bool,
    },
    Ecn {
        tcp_cwr: Option<Inv<()>>,
        tcp_ece: Option<Inv<()>>,
        ip_ect: Option<Inv<u8>>,
    },
    Esp {
        spi: Inv<Range<u32>>,
    },
    Eui64,
    /// IPv6 fragment header.
    Frag {
        id: Inv<Range<u32>>,
        length: Option<Inv<u32>>,
        reserved: bool,
        first: Option<bool>,
        more: Option<bool>,
    },
    HashLimit(Box<HashLimit>),
    Helper(Inv<String>),
    /// Hop limit (`hl`) and `ttl`: comparison and value.
    Ttl {
        op: TtlOp,
        value: u8,
    },
    /// ICMP and ICMPv6; code range 0–255 for any; type 255 is any (IPv4).
    Icmp {
        icmp_type: Inv<(u8, Range<u8>)>,
    },
    IpRange {
        src: Option<Inv<Range<IpAddr>>>,
        dst: Option<Inv<Range<IpAddr>>>,
    },
    /// Mask of `MASK_*` bits as in `ip6t_ipv6header.h`; `soft`: at least these.
    Ipv6Header {
        headers: Inv<u8>,
        soft: bool,
    },
    /// l7-filter.
    Layer7 {
        pattern: Inv<Arc<Pattern>>,
        packets: Option<u32>,
    },
    Length(Inv<Range<u16>>),
    Limit(RateLimit),
    Mac(Inv<[u8; 6]>),
    Mark {
        mark: Inv<u32>,
        mask: u32,
    },
    Mh(Inv<Range<u8>>),
    MultiPort {
        side: PortSide,
        ports: Inv<Vec<Range<u16>>>,
    },
    /// Flags of `xt_physdev.h`: is-in 1, is-out 2, is-bridged.
    PhysDev {
        in_if: Option<Inv<IfName>>,
        out_if: Option<Inv<IfName>>,
        is_in: Option<Inv<()>>,
        is_out: Option<Inv<()>>,
        is_bridged: Option<Inv<()>>,
    },
    /// `PACKET_*` numbers of `if_packet.h`: host 0, broadcast 1, multicast 2.
    PktType(Inv<u8>),
    /// A match without a security association: `--pol none` is what a capture can answer; the rest is unknown.
    Policy {
        outbound: bool,
        none: bool,
        options: String,
    },
    Quota {
        quota: Inv<u64>,
    },
    Realm {
        realm: Inv<u32>,
        mask: u32,
    },
    Recent(Box<Recent>),
    RpFilter {
        loose: bool,
        validmark: bool,
        accept_local: bool,
        invert: bool,
    },
    /// IPv6 routing header.
    Rt {
        routing_type: Option<Inv<u32>>,
        segments_left: Inv<Range<u32>>,
        length: Option<Inv<u32>>,
        reserved: bool,
        addresses: Vec<IpAddr>,
        not_strict: bool,
    },
    Sctp {
        sports: Option<Inv<Range<u16>>>,
        dports: Option<Inv<Range<u16>>>,
        chunks: Option<Inv<SctpChunks>>,
    },
    Set(Box<SetMatch>),
    Socket {
        transparent: bool,
        nowildcard: bool,
        restore_skmark: bool,
    },
    /// Bits as in [`CtState`].
    State(Inv<u8>),
    Statistic(Statistic),
    String(Box<StringMatch>),
    Tcp {
        sports: Option<Inv<Range<u16>>>,
        dports: Option<Inv<Range<u16>>>,
        flags: Option<Inv<(u8, u8)>>,
        option: Option<Inv<u8>>,
    },
    TcpMss(Inv<Range<u16>>),
    Time(Box<Time>),
    Tos {
        value: Inv<u8>,
        mask: u8,
    },
    U32(Inv<Vec<U32Test>>),
    Udp {
        sports: Option<Inv<Range<u16>>>,
        dports: Option<Inv<Range<u16>>>,
    },
    /// Not modelled, with its options as written: taken as not matching.
    Unknown {
        name: String,
        options: String,
    },
}
