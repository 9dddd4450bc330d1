//! Words to write rules with, as nft lowers them.

use super::super::meta::{ct_width, meta_width};
use crate::ruleset::error::Place;
use crate::ruleset::model::{Family, SetId};
use crate::ruleset::nft::{
    Ct, DynSetOp, Element, ElementData, Expr, Limit, Meta, Op, Payload, PayloadBase, Quota, Set, SetData, Statement,
};

pub fn th(offset: u32, bits: u32) -> Expr {
    Expr::Payload(Payload { base: PayloadBase::Transport, offset, bits })
}

pub fn nh(offset: u32, bits: u32) -> Expr {
    Expr::Payload(Payload { base: PayloadBase::Network, offset, bits })
}

pub fn ll(offset: u32, bits: u32) -> Expr {
    Expr::Payload(Payload { base: PayloadBase::Link, offset, bits })
}

pub fn ih(offset: u32, bits: u32) -> Expr {
    Expr::Payload(Payload { base: PayloadBase::Inner, offset, bits })
}

pub fn width(expr: &Expr) -> usize {
    match expr {
        Expr::Payload(field) => field.bits.div_ceil(8) as usize,
        Expr::Meta(key) => meta_width(*key),
        Expr::Ct { key, .. } => ct_width(*key, Family::Ip),
        Expr::TcpOption { exists: true, .. } | Expr::IpOption { exists: true, .. } => 1,
        Expr::SctpChunk { exists: true, .. } | Expr::ExtHdr { exists: true, .. } => 1,
        Expr::TcpOption { bits, .. }
        | Expr::IpOption { bits, .. }
        | Expr::SctpChunk { bits, .. }
        | Expr::ExtHdr { bits, .. } => bits.div_ceil(8) as usize,
        Expr::Bitwise { of, .. } => width(of),
        _ => 4,
    }
}

pub fn value(number: u128, width: usize) -> Vec<u8> {
    number.to_be_bytes()[16 - width..].to_vec()
}

pub fn cmp(left: Expr, op: Op, number: u128) -> Statement {
    let right = value(number, width(&left));
    Statement::Compare { left, op, right }
}

pub fn is(left: Expr, number: u128) -> Statement {
    cmp(left, Op::Eq, number)
}

pub fn not(left: Expr, number: u128) -> Statement {
    cmp(left, Op::Ne, number)
}

pub fn and(of: Expr, mask: u128) -> Expr {
    let width = width(&of);
    Expr::Bitwise { of: Box::new(of), mask: value(mask, width), xor: value(0, width) }
}

pub fn range(of: Expr, low: u128, high: u128) -> Statement {
    let width = width(&of);
    Statement::Range { of, not: false, low: value(low, width), high: value(high, width) }
}

pub fn meta(key: Meta) -> Expr {
    Expr::Meta(key)
}

pub fn ct(key: Ct) -> Expr {
    Expr::Ct { key, direction: None }
}

pub fn proto(number: u128) -> Statement {
    is(meta(Meta::L4Proto), number)
}

pub fn tcp() -> Statement {
    proto(6)
}

pub fn udp() -> Statement {
    proto(17)
}

pub fn dport() -> Expr {
    th(16, 16)
}

pub fn saddr() -> Expr {
    nh(96, 32)
}

pub fn flags() -> Expr {
    th(104, 8)
}

pub fn tcp_option(kind: u8, offset: u32, bits: u32) -> Expr {
    Expr::TcpOption { kind, offset, bits, exists: false }
}

pub fn has_tcp_option(kind: u8) -> Expr {
    Expr::TcpOption { kind, offset: 0, bits: 8, exists: true }
}

pub fn has_ip_option(kind: u8) -> Expr {
    Expr::IpOption { kind, offset: 0, bits: 8, exists: true }
}

pub fn has_chunk(kind: u8) -> Expr {
    Expr::SctpChunk { kind, offset: 0, bits: 8, exists: true }
}

pub fn has_header(header: u8) -> Expr {
    Expr::ExtHdr { header, offset: 0, bits: 8, exists: true }
}

pub fn within(of: Expr, set: u32) -> Statement {
    Statement::Lookup { of, not: false, set: SetId(set) }
}

pub fn without(of: Expr, set: u32) -> Statement {
    Statement::Lookup { of, not: true, set: SetId(set) }
}

pub fn set_mark(value: Expr) -> Statement {
    Statement::SetMeta { key: Meta::Mark, value }
}

pub fn mark() -> Expr {
    meta(Meta::Mark)
}

pub fn limit(rate: u64, per: u64, burst: u32) -> Limit {
    Limit { rate, per, burst, bytes: false, over: false }
}

pub fn quota(bytes: u64, over: bool) -> Statement {
    Statement::Quota(Quota { bytes, used: 0, over })
}

pub fn counter() -> Statement {
    Statement::Counter { packets: 0, bytes: 0 }
}

pub fn dynset(op: DynSetOp, set: u32, key: Expr, statements: Vec<Statement>) -> Statement {
    Statement::DynSet { op, set: SetId(set), key, data: None, timeout: None, statements }
}

/// A set with keys of these widths.
pub fn set(key: &[u32]) -> Set {
    Set {
        name: None,
        key: key.to_vec(),
        data: SetData::None,
        interval: false,
        dynamic: false,
        constant: false,
        timeout: None,
        has_timeout: false,
        size: None,
        statements: Vec::new(),
        elements: Vec::new(),
        place: Place::default(),
    }
}

/// An element by first and last value of each field.
pub fn element(set: &Set, fields: &[(u128, u128)], data: ElementData) -> Element {
    let fields = fields.iter().zip(&set.key);
    let key = fields.map(|((low, high), width)| (value(*low, *width as usize), value(*high, *width as usize)));
    Element { key: Some(key.collect()), data, timeout: None, expires: None, statements: Vec::new(), comment: None }
}

/// A set of single values.
pub fn set_of(width: u32, values: &[u128]) -> Set {
    let mut made = set(&[width]);
    made.elements = values.iter().map(|value| element(&made, &[(*value, *value)], ElementData::None)).collect();
    made
}

/// A set of ranges.
pub fn set_of_ranges(width: u32, ranges: &[(u128, u128)]) -> Set {
    let mut made = set(&[width]);
    made.interval = true;
    made.elements = ranges.iter().map(|range| element(&made, &[*range], ElementData::None)).collect();
    made
}
