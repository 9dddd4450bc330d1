//! Data types of nftables: how long a value is, and what its words mean (`src/datatype.c` and the files beside it).

use super::Value;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A type. Bit masks are compared by bits where a rule names them without an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, clippy::enum_variant_names)] // nft's own names
pub(super) enum Type {
    Ipv4Addr,
    Ipv6Addr,
    EtherAddr,
    EtherType,
    InetProto,
    InetService,
    Mark,
    /// A number of so many bits.
    Integer(u32),
    TcpFlag,
    IcmpType,
    Icmpv6Type,
    IcmpCode,
    Icmpv6Code,
    CtState,
    CtDir,
    CtStatus,
    CtLabel,
    CtEvent,
    Dscp,
    Ecn,
    IfName,
    IfIndex,
    IfaceType,
    PktType,
    NfProto,
    FibType,
    Boolean,
    /// A span in milliseconds.
    Span,
    /// A moment in nanoseconds since 1970.
    Moment,
    Day,
    Hour,
    ArpOp,
    Realm,
    /// Handle of a traffic class: major and minor number.
    ClassId,
    DevGroup,
    IgmpType,
    DccpType,
    MhType,
    Text,
    Verdict,
}

impl Type {
    /// Bytes of a value.
    pub(super) fn bytes(self) -> u32 {
        match self {
            Self::Integer(bits) => bits.div_ceil(8).max(1),
            Self::Ipv6Addr | Self::IfName | Self::CtLabel | Self::Text => 16,
            Self::EtherAddr => 6,
            Self::Moment => 8,
            Self::Ipv4Addr
            | Self::Mark
            | Self::CtState
            | Self::CtStatus
            | Self::CtEvent
            | Self::IfIndex
            | Self::FibType
            | Self::Span
            | Self::Hour
            | Self::Realm
            | Self::ClassId
            | Self::DevGroup => 4,
            Self::EtherType | Self::InetService | Self::IfaceType | Self::ArpOp => 2,
            Self::Verdict => 0,
            _ => 1,
        }
    }

    /// Named bits rather than values.
    pub(super) fn is_bitmask(self) -> bool {
        matches!(self, Self::TcpFlag | Self::CtState | Self::CtStatus | Self::CtLabel | Self::CtEvent)
    }

    /// The type of a `type …` declaration.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "ipv4_addr" => Self::Ipv4Addr,
            "ipv6_addr" => Self::Ipv6Addr,
            "ether_addr" | "ll_addr" => Self::EtherAddr,
            "ether_type" => Self::EtherType,
            "inet_proto" => Self::InetProto,
            "inet_service" => Self::InetService,
            "mark" => Self::Mark,
            "tcp_flag" => Self::TcpFlag,
            "icmp_type" => Self::IcmpType,
            "icmpv6_type" => Self::Icmpv6Type,
            "icmp_code" | "icmpx_code" => Self::IcmpCode,
            "icmpv6_code" => Self::Icmpv6Code,
            "ct_state" => Self::CtState,
            "ct_dir" => Self::CtDir,
            "ct_status" => Self::CtStatus,
            "ct_label" => Self::CtLabel,
            "ct_event" => Self::CtEvent,
            "ct_id" | "uid" | "gid" => Self::Integer(32),
            "classid" => Self::ClassId,
            "devgroup" => Self::DevGroup,
            "igmp_type" => Self::IgmpType,
            "dccp_pkttype" => Self::DccpType,
            "mh_type" => Self::MhType,
            "dscp" => Self::Dscp,
            "ecn" => Self::Ecn,
            "ifname" => Self::IfName,
            "iface_index" => Self::IfIndex,
            "iface_type" => Self::IfaceType,
            "pkt_type" => Self::PktType,
            "nf_proto" => Self::NfProto,
            "fib_addrtype" => Self::FibType,
            "boolean" => Self::Boolean,
            "time" => Self::Moment,
            "day" => Self::Day,
            "hour" => Self::Hour,
            "arp_op" => Self::ArpOp,
            "realm" => Self::Realm,
            "string" | "ifkind" | "cgroupsv2" => Self::Text,
            "verdict" => Self::Verdict,
            "integer" => Self::Integer(32),
            _ => return None,
        })
    }

    /// A number as a value; `None` if it does not fit.
    pub(super) fn number(self, number: u128) -> Option<Value> {
        let bytes = self.bytes() as usize;
        let bits = match self {
            Self::Integer(bits) => bits,
            Self::Dscp => 6,
            Self::Ecn => 2,
            Self::DccpType => 4,
            _ => self.bytes() * 8,
        };
        if number.checked_shr(bits).unwrap_or(0) != 0 {
            return None;
        }
        let all = number.to_be_bytes();
        if bytes > all.len() {
            let mut value = vec![0; bytes - all.len()];
            value.extend(all);
            return Some(value);
        }
        all.get(all.len() - bytes..).map(<[u8]>::to_vec)
    }

    /// A word as a value.
    pub(super) fn symbol(self, word: &str) -> Option<Value> {
        if let Ok(address) = word.parse::<Ipv4Addr>()
            && self == Self::Ipv4Addr
        {
            return Some(address.octets().to_vec());
        }
        if let Ok(address) = word.parse::<Ipv6Addr>()
            && self == Self::Ipv6Addr
        {
            return Some(address.octets().to_vec());
        }
        match self {
            Self::IfName | Self::Text => {
                let mut value = word.as_bytes().to_vec();
                value.resize(16, 0);
                (word.len() <= 16).then_some(value)
            }
            Self::CtLabel => self.number(1u128.checked_shl(word.parse().ok()?)?),
            Self::ClassId if word.contains(':') => {
                let (major, minor) = word.split_once(':')?;
                let part = |part: &str| u16::from_str_radix(part, 16).ok();
                self.number(u128::from(part(major)?) << 16 | u128::from(part(minor)?))
            }
            _ => {
                let found = self.words().iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
                self.number(u128::from(found?))
            }
        }
    }
}
