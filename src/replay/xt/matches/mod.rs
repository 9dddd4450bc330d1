//! Matches that remember nothing: each is a question about the packet at hand.
//!
//! Offsets, cut headers and fragments are treated as the kernel modules named in each file treat them: what lies beyond
//! the packet's end is not there.

mod address;
pub(super) mod bpf;
mod connection;
mod datagram;
mod icmp;
mod ip;
mod ipv6;
mod link;
mod options;
mod sctp;
mod tcp;
mod u32;

use super::super::skb::{HookContext, Skb};
use super::super::world::{Answer, World};
use super::strings::StringId;
use super::view::View;
use super::{Backend, Preparation, StatefulMatch, stateful};
use crate::ruleset::xt::{Inv, Match, Range};

/// A match made ready. Those that nearly every ruleset has come first and need no further memory.
pub(super) enum Matcher {
    /// `comment`: says nothing.
    Always,
    /// Not modelled, or not to be known from a capture.
    Never,
    NativePorts(tcp::Native),
    Tcp(tcp::Tcp),
    Udp(datagram::Udp),
    State(connection::State),
    Mark {
        mark: Inv<u32>,
        mask: u32,
    },
    Length(Inv<Range<u16>>),
    String {
        id: StringId,
        not: bool,
    },
    Rare(Box<Rare>),
    Stateful(Box<dyn StatefulMatch + Send>),
}

/// Matches that are seldom used.
pub(super) enum Rare {
    AddrType(address::AddrType),
    AuthV4(Inv<Range<u32>>),
    AuthV6(ipv6::Auth),
    Bpf(bpf::Program),
    Cluster(connection::Cluster),
    ConnMark { mark: Inv<u32>, mask: u32 },
    ConnTrack(connection::Whole),
    Dccp(datagram::Dccp),
    DevGroup(link::DevGroup),
    Dscp(Inv<u8>),
    Ecn(ip::Ecn),
    Esp(Inv<Range<u32>>),
    Eui64,
    Extension(ipv6::Extension),
    Frag(ipv6::Frag),
    Icmp(icmp::Icmp),
    IpRange(ip::IpRange),
    Ipv6Header(ipv6::Headers),
    Mac(Inv<[u8; 6]>),
    Mh(Inv<Range<u8>>),
    MultiPort(datagram::MultiPort),
    PhysDev(bool),
    PktType(Inv<u8>),
    RpFilter(address::RpFilter),
    Rt(ipv6::Rt),
    Sctp(sctp::Sctp),
    TcpMss(Inv<Range<u16>>),
    Tos { value: Inv<u8>, mask: u8 },
    Ttl(ip::Ttl),
    U32(u32::U32),
}

/// `NF_INVF` over a range.
#[inline]
fn within<T: PartialOrd + Copy>(range: &Inv<Range<T>>, value: T) -> bool {
    (range.value.low <= value && value <= range.value.high) != range.not
}

/// As [`within`]; without a range anything fits.
#[inline]
fn within_any<T: PartialOrd + Copy>(range: Option<&Inv<Range<T>>>, value: T) -> bool {
    range.is_none_or(|range| within(range, value))
}

impl Matcher {
    pub fn new(of: &Match, with: &mut Preparation<'_>) -> Self {
        if let Some(stateful) = stateful::prepare(of, with) {
            return Self::Stateful(stateful);
        }
        match of {
            Match::Comment(_) => Self::Always,
            Match::Tcp { sports, dports, flags, option } => {
                let tcp = tcp::Tcp { sports: *sports, dports: *dports, flags: *flags, option: *option };
                match tcp.native(with.backend) {
                    Some(native) => Self::NativePorts(native),
                    None => Self::Tcp(tcp),
                }
            }
            Match::Udp { sports, dports } => {
                let udp = datagram::Udp { sports: *sports, dports: *dports };
                match udp.native(with.backend) {
                    Some(native) => Self::NativePorts(native),
                    None => Self::Udp(udp),
                }
            }
            Match::State(state) => Self::State(connection::State::without_nat(*state)),
            Match::ConnTrack(whole) => match connection::State::only(whole) {
                Some(state) => Self::State(state),
                None => Self::Rare(Box::new(Rare::ConnTrack(connection::Whole::new(whole)))),
            },
            Match::Mark { mark, mask } => Self::Mark { mark: *mark, mask: *mask },
            Match::Length(range) => Self::Length(*range),
            Match::String(string) => Self::String { id: with.strings.add(string), not: string.pattern.not },
            other => Rare::new(other, with.v6),
        }
    }

    /// Asks it.
    #[inline]
    pub fn matches(&mut self, skb: &Skb<'_>, view: &View, hook: &HookContext, world: &mut World<'_>) -> Answer {
        match self {
            Self::Always => Answer::Yes,
            Self::Never => Answer::No,
            Self::NativePorts(native) => native.fits(skb, view).into(),
            Self::Tcp(tcp) => tcp.matches(skb, view),
            Self::Udp(udp) => udp.matches(skb, view),
            Self::State(state) => state.fits(skb, world.connections).into(),
            Self::Mark { mark, mask } => ((skb.mark & *mask == mark.value) != mark.not).into(),
            Self::Length(range) => {
                let len = skb.len;
                let inside = u32::from(range.value.low) <= len && len <= u32::from(range.value.high);
                (inside != range.not).into()
            }
            Self::String { id, not } => (world.strings.contains(*id, skb) != *not).into(),
            Self::Rare(rare) => rare.matches(skb, view, hook, world),
            Self::Stateful(stateful) => stateful.matches(skb, hook, world),
        }
    }
}

impl Rare {
    #[allow(clippy::new_ret_no_self)] // what cannot be asked is no variant of this
    fn new(of: &Match, v6: bool) -> Matcher {
        let rare = match of {
            Match::AddrType { src, dst, limit_iface_in, limit_iface_out } => Self::AddrType(address::AddrType {
                src: *src,
                dst: *dst,
                limit_in: *limit_iface_in,
                limit_out: *limit_iface_out,
            }),
            Match::Ah { spi, .. } if !v6 => Self::AuthV4(*spi),
            Match::Ah { spi, length, reserved } => {
                Self::AuthV6(ipv6::Auth { spi: *spi, length: *length, reserved: *reserved })
            }
            Match::Bpf { program } => match bpf::Program::new(program) {
                Some(program) => Self::Bpf(program),
                None => return Matcher::Never,
            },
            Match::Cluster { total, node_mask, seed } => {
                Self::Cluster(connection::Cluster { total: *total, node_mask: *node_mask, seed: *seed })
            }
            Match::ConnMark { mark, mask } => Self::ConnMark { mark: *mark, mask: *mask },
            Match::Dccp { sports, dports, types, option } => {
                Self::Dccp(datagram::Dccp { sports: *sports, dports: *dports, types: *types, option: *option })
            }
            Match::DevGroup { src, dst } => Self::DevGroup(link::DevGroup { src: *src, dst: *dst }),
            Match::Dscp(value) => Self::Dscp(*value),
            Match::Dst { length, options, .. } => {
                Self::Extension(ipv6::Extension::new(super::view::next::DEST, *length, options))
            }
            Match::Hbh { length, options, .. } => {
                Self::Extension(ipv6::Extension::new(super::view::next::HOP, *length, options))
            }
            Match::Ecn { tcp_cwr, tcp_ece, ip_ect } => {
                let wanted = |set: &Option<Inv<()>>| set.map(|set| !set.not);
                Self::Ecn(ip::Ecn { cwr: wanted(tcp_cwr), ece: wanted(tcp_ece), ect: *ip_ect })
            }
            Match::Esp { spi } => Self::Esp(*spi),
            Match::Eui64 => Self::Eui64,
            Match::Frag { id, reserved, first, more, .. } => {
                Self::Frag(ipv6::Frag { id: *id, reserved: *reserved, first: *first, more: *more })
            }
            Match::Ttl { op, value } => Self::Ttl(ip::Ttl { op: *op, value: *value }),
            Match::Icmp { icmp_type } => Self::Icmp(icmp::Icmp { wanted: *icmp_type, v6 }),
            Match::IpRange { src, dst } => Self::IpRange(ip::IpRange { src: *src, dst: *dst }),
            Match::Ipv6Header { headers, soft } => Self::Ipv6Header(ipv6::Headers { wanted: *headers, soft: *soft }),
            Match::Mac(address) => Self::Mac(*address),
            Match::Mh(types) => Self::Mh(*types),
            Match::MultiPort { side, ports } => Self::MultiPort(datagram::MultiPort {
                side: *side,
                not: ports.not,
                ports: ports.value.as_slice().into(),
            }),
            Match::PhysDev { in_if, out_if, is_in, is_out, is_bridged } => {
                // No frame is bridged here: only what is negated fits (`physdev_mt` without bridge data).
                let names = [in_if, out_if].into_iter().flatten().map(|name| name.not);
                let kinds = [is_in, is_out, is_bridged].into_iter().flatten().map(|kind| kind.not);
                Self::PhysDev(names.chain(kinds).all(|not| not))
            }
            Match::PktType(kind) => Self::PktType(*kind),
            // Nothing here is under IPsec (`policy_mt` without a security path).
            Match::Policy { none: true, .. } => return Matcher::Always,
            // Routes have no realm here: it is 0.
            Match::Realm { realm, .. } if (realm.value == 0) != realm.not => return Matcher::Always,
            Match::RpFilter { loose, accept_local, invert, .. } => {
                Self::RpFilter(address::RpFilter { loose: *loose, accept_local: *accept_local, not: *invert })
            }
            Match::Rt { routing_type, segments_left, length, reserved, addresses, not_strict } => Self::Rt(ipv6::Rt {
                kind: *routing_type,
                segments_left: *segments_left,
                length: *length,
                reserved: *reserved,
                addresses: ipv6::Rt::addresses(addresses),
                not_strict: *not_strict,
            }),
            Match::Sctp { sports, dports, chunks } => Self::Sctp(sctp::Sctp::new(*sports, *dports, chunks.as_ref())),
            Match::TcpMss(range) => Self::TcpMss(*range),
            Match::Tos { value, mask } => Self::Tos { value: *value, mask: *mask },
            Match::U32(tests) => Self::U32(u32::U32::new(tests)),
            _ => return Matcher::Never,
        };
        Matcher::Rare(Box::new(rare))
    }

    fn matches(&self, skb: &Skb<'_>, view: &View, hook: &HookContext, world: &mut World<'_>) -> Answer {
        match self {
            Self::AddrType(of) => of.fits(skb, hook, world.routes).into(),
            Self::AuthV4(spi) => ip::security_index::<12>(skb, view, 4, spi),
            Self::AuthV6(auth) => auth.matches(skb),
            Self::Bpf(program) => (program.run(skb) != 0).into(),
            Self::Cluster(cluster) => cluster.fits(skb, world.connections).into(),
            Self::ConnMark { mark, mask } => {
                let conn = skb.ct.and_then(|id| world.connections.get(id));
                conn.is_some_and(|conn| (conn.mark & mask == mark.value) != mark.not).into()
            }
            Self::ConnTrack(whole) => whole.fits(skb, world.connections).into(),
            Self::Dccp(dccp) => dccp.matches(skb, view),
            Self::DevGroup(groups) => groups.fits().into(),
            Self::Dscp(dscp) => ((ip::traffic_class(skb) >> 2 == dscp.value) != dscp.not).into(),
            Self::Ecn(ecn) => ecn.fits(skb, view).into(),
            Self::Esp(spi) => ip::security_index::<8>(skb, view, 0, spi),
            Self::Eui64 => link::is_eui64(skb).into(),
            Self::Extension(extension) => extension.matches(skb),
            Self::Frag(frag) => frag.matches(skb),
            Self::Icmp(icmp) => icmp.matches(skb, view),
            Self::IpRange(ranges) => ranges.fits(skb).into(),
            Self::Ipv6Header(headers) => headers.matches(skb),
            Self::Mac(address) => link::mac(skb, hook, address).into(),
            Self::Mh(types) => ipv6::mobility(skb, view, types),
            Self::MultiPort(ports) => ports.matches(skb, view),
            Self::PhysDev(fits) => (*fits).into(),
            Self::PktType(kind) => ((link::packet_type(skb, hook) == kind.value) != kind.not).into(),
            Self::RpFilter(filter) => filter.fits(skb, hook, world.routes).into(),
            Self::Rt(routing) => routing.matches(skb),
            Self::Sctp(sctp) => sctp.matches(skb, view),
            Self::TcpMss(range) => tcp::segment_size(skb, view, range),
            Self::Tos { value, mask } => ((ip::traffic_class(skb) & mask == value.value) != value.not).into(),
            Self::Ttl(ttl) => ttl.fits(skb).into(),
            Self::U32(tests) => tests.fits(skb).into(),
        }
    }
}

impl Backend {
    /// It hands what it can to nf_tables' own expressions.
    fn is_native(self) -> bool {
        self == Self::Nft
    }
}
