//! What rules ask: the packet, its connection, the kernel.

use crate::ruleset::model::SetId;
use std::net::IpAddr;

/// A value: big-endian bytes. Fields of a concatenation stand one after the other, each in its own type's length.
pub type Value = Vec<u8>;

/// Something that a packet, its connection or the kernel answers. If it cannot, the rule does not match ("breaks").
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A constant.
    Constant(Value),
    /// Bits of the packet. The value has `ceil(bits / 8)` bytes, right-aligned.
    Payload(Payload),
    /// About the packet.
    Meta(Meta),
    /// About its connection; `direction`: `Some(true)` original, `Some(false)` reply.
    Ct {
        /// What.
        key: Ct,
        /// Of which direction's tuple or counters.
        direction: Option<bool>,
    },
    /// A field of an IPv6 extension header, by protocol number; `exists` gives 0 or 1 instead.
    ExtHdr {
        /// Next-header number: 0 hop-by-hop, 43 routing, 44 fragment, 60 destination, 135 mobility, 51 ah.
        header: u8,
        /// First bit within the header.
        offset: u32,
        /// Bits.
        bits: u32,
        /// Only whether it is there.
        exists: bool,
    },
    /// A field of a TCP option; `exists` gives 0 or 1 instead.
    TcpOption {
        /// Option kind.
        kind: u8,
        /// First bit within the option (kind and length are its first bytes).
        offset: u32,
        /// Bits.
        bits: u32,
        /// Only whether it is there.
        exists: bool,
    },
    /// A field of an IPv4 option (lsrr 131, ra 148, rr 7, ssrr 137).
    IpOption {
        /// Option type.
        kind: u8,
        /// First bit within the option.
        offset: u32,
        /// Bits.
        bits: u32,
        /// Only whether it is there.
        exists: bool,
    },
    /// A field of the first SCTP chunk of a type.
    SctpChunk {
        /// Chunk type.
        kind: u8,
        /// First bit within the chunk.
        offset: u32,
        /// Bits.
        bits: u32,
        /// Only whether it is there.
        exists: bool,
    },
    /// DCCP option exists (0 or 1).
    DccpOption {
        /// Option type.
        kind: u8,
    },
    /// Routing table lookup.
    Fib {
        /// `NFTA_FIB_F_*` bits: saddr 1, daddr 2, mark 4, iif 8, oif 16, present 32.
        flags: u32,
        /// What is asked.
        result: FibResult,
    },
    /// Route of the packet: classid, nexthop (v4, v6), mtu, ipsec.
    Rt(String),
    /// Socket of the packet.
    Socket(String),
    /// Passive fingerprint.
    Osf,
    /// IPsec state.
    Xfrm(String),
    /// `numgen`: counts up (`random` false), or random.
    NumGen {
        /// Random instead of incrementing.
        random: bool,
        /// Values 0 to modulus − 1.
        modulus: u32,
        /// Added to each.
        offset: u32,
    },
    /// `jhash` of an expression, or of the connection's tuple (`symhash`).
    Hash {
        /// What is hashed; `None` for symhash.
        of: Option<Box<Expr>>,
        /// Seed; `None` if the kernel draws one (then the answer is unknown).
        seed: Option<u32>,
        /// Values 0 to modulus − 1.
        modulus: u32,
        /// Added to each.
        offset: u32,
    },
    /// `(of & mask) ^ xor`; all of one length.
    Bitwise {
        /// Operand.
        of: Box<Expr>,
        /// Mask.
        mask: Value,
        /// Flipped afterwards.
        xor: Value,
    },
    /// Shift by a number of bits within the value's length.
    Shift {
        /// Operand.
        of: Box<Expr>,
        /// To the left.
        left: bool,
        /// Bits.
        by: u32,
    },
    /// Bitwise operation of two expressions: `&`, `|`, `^`.
    Binary {
        /// `&`, `|` or `^`.
        op: char,
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
    },
    /// Fields one after the other.
    Concat(Vec<Expr>),
    /// Value of a map at a key. Breaks if there is none.
    Map {
        /// Key.
        key: Box<Expr>,
        /// The map.
        set: SetId,
    },
    /// Not modelled: breaks.
    Unknown(String),
}

/// Bits of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Payload {
    /// What the offset counts from.
    pub base: PayloadBase,
    /// First bit.
    pub offset: u32,
    /// Number of bits.
    pub bits: u32,
}

/// What a payload's offset counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadBase {
    /// Link-layer header.
    Link,
    /// Network header.
    Network,
    /// Transport header.
    Transport,
    /// Payload of the transport (`@ih`).
    Inner,
}

/// Keys of `meta`. Lengths in bytes: mark, priority, iif, oif, iiftype, oiftype… as nft's types; names 16 bytes padded with NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // words of nft(8)
pub enum Meta {
    Length,
    NfProto,
    L4Proto,
    Protocol,
    Priority,
    Mark,
    Iif,
    IifName,
    IifType,
    IifKind,
    IifGroup,
    Oif,
    OifName,
    OifType,
    OifKind,
    OifGroup,
    SkUid,
    SkGid,
    NfTrace,
    RtClassId,
    SecMark,
    IbrName,
    ObrName,
    IbrPvid,
    IbrVproto,
    PktType,
    Cpu,
    CGroup,
    Random,
    SecPath,
    SdIf,
    SdIfName,
    /// Nanoseconds since 1970, 8 bytes.
    Time,
    /// 0 Sunday … 6 Saturday, 1 byte.
    Day,
    /// Seconds of the day, 4 bytes.
    Hour,
    BriBroute,
}

/// Keys of `ct`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // words of nft(8)
pub enum Ct {
    /// `NF_CT_STATE_BIT` bits in 4 bytes: invalid 1, established 2, related 4, new 8, untracked 64.
    State,
    /// 1 byte: 0 original, 1 reply.
    Direction,
    /// `IPS_*` bits, 4 bytes.
    Status,
    /// 4 bytes.
    Mark,
    /// Milliseconds left, 4 bytes.
    Expiration,
    /// 16 bytes.
    Helper,
    /// 16 bytes, bit n of 128.
    Label,
    /// 1 byte, nfproto 2 or 10.
    L3Proto,
    /// 1 byte.
    Protocol,
    /// Address by the table's family: 4 or 16 bytes.
    Src,
    Dst,
    SrcIp,
    DstIp,
    SrcIp6,
    DstIp6,
    /// 2 bytes.
    ProtoSrc,
    ProtoDst,
    /// 8 bytes.
    Packets,
    Bytes,
    AvgPkt,
    /// 2 bytes.
    Zone,
    /// 4 bytes.
    EventMask,
    Id,
    SecMark,
    /// Connections with… (`ct count` is a statement, this is not it).
    Count,
}

/// What `fib` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FibResult {
    /// Interface index.
    Oif,
    /// Interface name, 16 bytes.
    OifName,
    /// `RTN_*`, 4 bytes: unicast 1, local 2, broadcast 3, anycast 4, multicast 5, blackhole 6, unreachable 7, prohibit 8.
    Type,
}

/// Comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // what they say
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Where nftables takes an address for a family: length in bytes.
pub fn address_bytes(addr: IpAddr) -> Value {
    match addr {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
