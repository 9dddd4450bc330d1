//! What is asked: expressions of the left side, their types, and the protocols that must be there for them.

use super::value::{prefix_mask, shown};
use super::{Lower, Result};
use crate::ruleset::model::Family;
use crate::ruleset::nft::ast::{self, BinaryOp, ExprKind, PayloadField, Pos, TcpOptionField};
use crate::ruleset::nft::fields::{self, IPV4, IPV6, Needs};
use crate::ruleset::nft::types::Type;
use crate::ruleset::nft::{Expr, FibResult, Meta, Op, Payload, PayloadBase, Statement, Value};

/// An expression with its type; a concatenation has one for each field.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub expr: Expr,
    pub types: Vec<Type>,
}

impl Asked {
    pub(super) fn one(expr: Expr, of: Type) -> Self {
        Self { expr, types: vec![of] }
    }

    /// The type, of the first field.
    pub(super) fn first(&self) -> Type {
        self.types.first().copied().unwrap_or(Type::Integer(32))
    }
}

impl Lower<'_> {
    /// An expression; what it needs is put before it.
    pub(super) fn ask(&mut self, expr: &ast::Expr, out: &mut Vec<Statement>) -> Result<Asked> {
        match &expr.kind {
            ExprKind::Payload(payload) => self.payload(expr.pos, payload, out),
            ExprKind::Meta(key) => {
                let (key, of) = fields::meta(&key.text)
                    .ok_or_else(|| self.fault(key.pos, format!("{:?} is no key of meta", key.text)))?;
                self.beyond_a_capture(key);
                Ok(Asked::one(Expr::Meta(key), of))
            }
            ExprKind::Ct(ct) => {
                let named = ct.family.as_ref().map(|family| family.text.as_str());
                let (key, of) = fields::ct(&ct.key.text, named, self.family)
                    .ok_or_else(|| self.fault(ct.key.pos, format!("{:?} is no key of ct", ct.key.text)))?;
                Ok(Asked::one(Expr::Ct { key, direction: ct.original }, of))
            }
            ExprKind::Concat(parts) => self.concat(parts, out),
            ExprKind::Group(inner) => self.ask(inner, out),
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right, out),
            ExprKind::Map { key, map } => self.map(key, map, None, out),
            ExprKind::ExtHdr { header, field, index } => self.exthdr(expr.pos, header, field.as_ref(), *index, out),
            ExprKind::TcpOption(option) => self.tcp_option(expr.pos, option, out),
            ExprKind::IpOption { option, field } => {
                self.need_first(Needs::Network(IPV4), out);
                let field = field.as_ref().map(|field| field.text.as_str());
                let (kind, offset, bits, of) = fields::ip_option(&option.text, field)
                    .ok_or_else(|| self.fault(option.pos, "no such option, or no such field of it"))?;
                Ok(Asked::one(Expr::IpOption { kind, offset, bits, exists: field.is_none() }, of))
            }
            ExprKind::SctpChunk { chunk, field } => self.sctp_chunk(chunk, field.as_ref()),
            ExprKind::DccpOption(option) => {
                let kind =
                    option.text.parse().map_err(|_| self.fault(option.pos, "expected the number of an option"))?;
                Ok(Asked::one(Expr::DccpOption { kind }, Type::Boolean))
            }
            ExprKind::Fib { flags, result } => self.fib(flags, result),
            ExprKind::Rt { family, key } => {
                let what =
                    family.as_ref().map_or_else(|| key.text.clone(), |family| format!("{} {}", family.text, key.text));
                let of = match (key.text.as_str(), family.as_ref().map(|family| family.text.as_str())) {
                    ("classid", _) => Type::Realm,
                    ("mtu", _) => Type::Integer(16),
                    ("ipsec", _) => Type::Boolean,
                    (_, Some("ip6")) => Type::Ipv6Addr,
                    _ if self.family == Family::Ip6 => Type::Ipv6Addr,
                    _ => Type::Ipv4Addr,
                };
                Ok(Asked::one(Expr::Rt(what), of))
            }
            ExprKind::Socket { key, .. } => {
                let effect = "the sockets of a host are not in a capture: the rule is taken as not matching";
                self.not_modelled(format!("socket {}", key.text), effect);
                Ok(Asked::one(Expr::Socket(key.text.clone()), Type::Integer(32)))
            }
            ExprKind::Osf { key, .. } => {
                self.not_modelled("osf", "fingerprints are not modelled: the rule is taken as not matching");
                let _ = key;
                Ok(Asked::one(Expr::Osf, Type::Text))
            }
            ExprKind::Ipsec { key, family, .. } => {
                let effect = "security associations are not in a capture: the rule is taken as not matching";
                self.not_modelled(format!("ipsec {}", key.text), effect);
                let of = match family.as_ref().map(|family| family.text.as_str()) {
                    Some("ip") => Type::Ipv4Addr,
                    Some("ip6") => Type::Ipv6Addr,
                    _ => Type::Integer(32),
                };
                Ok(Asked::one(Expr::Xfrm(key.text.clone()), of))
            }
            ExprKind::Numgen { random, modulus, offset } => {
                let expr = Expr::NumGen { random: *random, modulus: *modulus, offset: offset.unwrap_or(0) };
                Ok(Asked::one(expr, Type::Integer(32)))
            }
            ExprKind::Jhash { of, modulus, seed, offset } => {
                let asked = self.ask(of, out)?;
                let (of, modulus, offset) = (Some(Box::new(asked.expr)), *modulus, offset.unwrap_or(0));
                if seed.is_none() {
                    self.not_modelled(
                        "jhash without seed",
                        "the kernel draws a seed of its own: which packets match is not to be known",
                    );
                }
                Ok(Asked::one(Expr::Hash { of, seed: *seed, modulus, offset }, Type::Integer(32)))
            }
            ExprKind::Symhash { modulus, offset } => {
                self.not_modelled(
                    "symhash",
                    "the kernel draws a seed of its own: which packets match is not to be known",
                );
                let (modulus, offset) = (*modulus, offset.unwrap_or(0));
                Ok(Asked::one(Expr::Hash { of: None, seed: None, modulus, offset }, Type::Integer(32)))
            }
            _ => Err(self.fault(
                expr.pos,
                format!("{} says nothing about a packet: expected such as tcp dport, ip saddr, ct state", shown(expr)),
            )),
        }
    }

    fn beyond_a_capture(&mut self, key: Meta) {
        let effect = match key {
            Meta::SkUid | Meta::SkGid | Meta::CGroup => {
                "the sending process is not in a capture: the rule is taken as not matching"
            }
            Meta::RtClassId
            | Meta::SecMark
            | Meta::IifGroup
            | Meta::OifGroup
            | Meta::IifKind
            | Meta::OifKind
            | Meta::Cpu => "not to be known from a capture: the rule is taken as not matching",
            Meta::Random => "drawn from a fixed row, not as the kernel would",
            _ => return,
        };
        self.not_modelled(format!("meta {key:?}").to_lowercase(), effect);
    }

    /// Puts a dependency before what needs it, once a rule.
    pub(super) fn need(&mut self, needs: Needs, out: &mut Vec<Statement>) {
        if self.sure.contains(&needs) {
            return;
        }
        self.sure.push(needs);
        let compare = |left: Expr, right: Value| Statement::Compare { left, op: Op::Eq, right };
        let word = |number: u16| number.to_be_bytes().to_vec();
        match needs {
            Needs::Nothing => {}
            Needs::Ethernet if matches!(self.family, Family::Bridge | Family::Netdev) => {}
            Needs::Ethernet => out.push(compare(Expr::Meta(Meta::IifType), word(1))),
            Needs::Vlan => {
                self.need(Needs::Ethernet, out);
                let field = Payload { base: PayloadBase::Link, offset: 96, bits: 16 };
                out.push(compare(Expr::Payload(field), word(0x8100)));
            }
            Needs::Network(protocol) => match self.family {
                Family::Inet => {
                    let version = if protocol == IPV6 { 10 } else { 2 };
                    out.push(compare(Expr::Meta(Meta::NfProto), vec![version]));
                }
                Family::Bridge | Family::Netdev => out.push(compare(Expr::Meta(Meta::Protocol), word(protocol))),
                _ => {}
            },
            Needs::Transport(protocol, version) => {
                if let Some(version) = version {
                    self.need(Needs::Network(version), out);
                }
                out.push(compare(Expr::Meta(Meta::L4Proto), vec![protocol]));
            }
        }
    }

    /// The same before all else in the rule: where nft puts what options and extension headers need
    /// (`expr_evaluate_exthdr`), so that a counter before them counts that family alone.
    fn need_first(&mut self, needs: Needs, out: &mut Vec<Statement>) {
        let mut before = Vec::new();
        self.need(needs, &mut before);
        out.splice(0..0, before);
    }

    fn payload(&mut self, pos: Pos, payload: &ast::Payload, out: &mut Vec<Statement>) -> Result<Asked> {
        if let Some(tunnel) = &payload.tunnel {
            self.not_modelled(
                format!("{} inner headers", tunnel.text),
                "not modelled: the rule is taken as not matching",
            );
            return Ok(Asked::one(Expr::Unknown(tunnel.text.clone()), Type::Integer(32)));
        }
        match &payload.field {
            PayloadField::Raw { base, offset, bits } => {
                let base = match base.text.as_str() {
                    "ll" => PayloadBase::Link,
                    "nh" => PayloadBase::Network,
                    "th" => PayloadBase::Transport,
                    "ih" => PayloadBase::Inner,
                    _ => return Err(self.fault(base.pos, "expected ll, nh, th or ih")),
                };
                let field = Payload { base, offset: *offset, bits: *bits };
                Ok(Asked::one(Expr::Payload(field), Type::Integer(*bits)))
            }
            PayloadField::Named { protocol, field } => {
                let found = fields::payload(&protocol.text, &field.text).zip(fields::needs(&protocol.text));
                let Some(((base, offset, bits, of), needs)) = found else {
                    if matches!(protocol.text.as_str(), "vxlan" | "geneve" | "gre" | "gretap") {
                        let effect = "not modelled: the rule is taken as not matching";
                        self.not_modelled(format!("{} {}", protocol.text, field.text), effect);
                        return Ok(Asked::one(Expr::Unknown(protocol.text.clone()), Type::Integer(32)));
                    }
                    return Err(self.fault(field.pos, format!("{} has no field {:?}", protocol.text, field.text)));
                };
                let _ = pos;
                self.need(needs, out);
                self.icmp_kind(&protocol.text, &field.text, out);
                Ok(Asked::one(Expr::Payload(Payload { base, offset, bits }), of))
            }
        }
    }

    /// Some fields of ICMP exist in messages of certain types only.
    fn icmp_kind(&mut self, protocol: &str, field: &str, out: &mut Vec<Statement>) {
        let kinds: &[u8] = match (protocol, field) {
            ("icmp", "id" | "sequence") => &[8, 0],
            ("icmp", "gateway") => &[5],
            ("icmp", "mtu") => &[3],
            ("icmpv6", "id" | "sequence") => &[128, 129],
            ("icmpv6", "mtu") => &[2],
            ("icmpv6", "parameter-problem") => &[4],
            ("icmpv6", "max-delay") => &[130],
            _ => return,
        };
        let of = Expr::Payload(Payload { base: PayloadBase::Transport, offset: 0, bits: 8 });
        match kinds {
            [kind] => out.push(Statement::Compare { left: of, op: Op::Eq, right: vec![*kind] }),
            kinds => {
                let set = self.anonymous(kinds.iter().map(|kind| vec![*kind]).collect());
                out.push(Statement::Lookup { of, not: false, set });
            }
        }
    }

    fn concat(&mut self, parts: &[ast::Expr], out: &mut Vec<Statement>) -> Result<Asked> {
        let (mut exprs, mut types) = (Vec::new(), Vec::new());
        for part in parts {
            let asked = self.ask(part, out)?;
            exprs.push(asked.expr);
            types.extend(asked.types);
        }
        Ok(Asked { expr: Expr::Concat(exprs), types })
    }

    fn binary(&mut self, op: BinaryOp, left: &ast::Expr, right: &ast::Expr, out: &mut Vec<Statement>) -> Result<Asked> {
        let asked = self.ask(left, out)?;
        let of = asked.first();
        if let BinaryOp::ShiftLeft | BinaryOp::ShiftRight = op {
            let by = self.value(right, Type::Integer(32))?;
            let by = by.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
            let left = op == BinaryOp::ShiftLeft;
            return Ok(Asked::one(Expr::Shift { of: Box::new(asked.expr), left, by }, of));
        }
        let Ok(value) = self.value(right, of) else {
            let other = self.ask(right, out)?;
            let op = op.as_str().chars().next().unwrap_or('&');
            let expr = Expr::Binary { op, left: Box::new(asked.expr), right: Box::new(other.expr) };
            return Ok(Asked::one(expr, of));
        };
        let ones = vec![0xff; value.len()];
        let (mask, xor): (Value, Value) = match op {
            BinaryOp::And => (value.clone(), vec![0; value.len()]),
            BinaryOp::Or => (value.iter().map(|byte| !byte).collect(), value.clone()),
            _ => (ones, value.clone()),
        };
        Ok(Asked::one(Expr::Bitwise { of: Box::new(asked.expr), mask, xor }, of))
    }

    /// `key map { … }`. `wanted` is the type that the place of the map asks for, which an anonymous map takes.
    pub(super) fn map(
        &mut self,
        key: &ast::Expr,
        map: &ast::Expr,
        wanted: Option<&[Type]>,
        out: &mut Vec<Statement>,
    ) -> Result<Asked> {
        let asked = self.ask(key, out)?;
        let (set, types) = self.map_of(map, &asked.types, wanted)?;
        Ok(Asked { expr: Expr::Map { key: Box::new(asked.expr), set }, types })
    }

    /// The value of `set` statements: a constant, or something asked.
    pub(super) fn given(&mut self, value: &ast::Expr, of: Type, out: &mut Vec<Statement>) -> Result<Expr> {
        if let ExprKind::Map { key, map } = &value.kind {
            return Ok(self.map(key, map, Some(&[of]), out)?.expr);
        }
        match self.value(value, of) {
            Ok(constant) => Ok(Expr::Constant(constant)),
            Err(error) => match &value.kind {
                ExprKind::Symbol(_) | ExprKind::Number(_) | ExprKind::Text(_) => Err(error),
                _ => Ok(self.ask(value, out)?.expr),
            },
        }
    }

    fn exthdr(
        &mut self,
        pos: Pos,
        header: &ast::Name,
        field: Option<&ast::Name>,
        index: Option<u32>,
        out: &mut Vec<Statement>,
    ) -> Result<Asked> {
        self.need_first(Needs::Network(IPV6), out);
        let Some(number) = fields::exthdr_number(&header.text) else {
            return Err(self.fault(header.pos, "expected hbh, rt, rt0, rt2, rt4, srh, frag, dst or mh"));
        };
        let Some(field) = field else {
            return Ok(Asked::one(Expr::ExtHdr { header: number, offset: 0, bits: 8, exists: true }, Type::Boolean));
        };
        let (header, offset, bits, of) = fields::exthdr(&header.text, &field.text, index)
            .ok_or_else(|| self.fault(pos, format!("{} has no field {:?}", header.text, field.text)))?;
        Ok(Asked::one(Expr::ExtHdr { header, offset, bits, exists: false }, of))
    }

    fn tcp_option(&mut self, pos: Pos, option: &ast::TcpOption, out: &mut Vec<Statement>) -> Result<Asked> {
        let name = option.option.text.as_str();
        let kind = fields::tcp_option(name)
            .ok_or_else(|| self.fault(option.option.pos, format!("{name:?} is no TCP option")))?;
        match &option.field {
            TcpOptionField::Whole => {
                Ok(Asked::one(Expr::TcpOption { kind, offset: 0, bits: 8, exists: true }, Type::Boolean))
            }
            TcpOptionField::Raw { offset, bits } => {
                let expr = Expr::TcpOption { kind, offset: *offset, bits: *bits, exists: false };
                Ok(Asked::one(expr, Type::Integer(*bits)))
            }
            // How nft lists raw bits of an option that are none of its fields.
            TcpOptionField::Named(field) if field.text == "unknown" => {
                let what = format!("tcp option {name} unknown");
                self.not_modelled(what.clone(), "which bits are meant is not said: the rule is taken as not matching");
                Ok(Asked::one(Expr::Unknown(what), Type::Integer(32)))
            }
            TcpOptionField::Named(field) => {
                let _ = out;
                let (offset, bits) = fields::tcp_option_field(name, &field.text)
                    .ok_or_else(|| self.fault(pos, format!("{name} has no field {:?}", field.text)))?;
                Ok(Asked::one(Expr::TcpOption { kind, offset, bits, exists: false }, Type::Integer(bits)))
            }
        }
    }

    fn sctp_chunk(&mut self, chunk: &ast::Name, field: Option<&ast::Name>) -> Result<Asked> {
        let kind = fields::sctp_chunk(&chunk.text)
            .ok_or_else(|| self.fault(chunk.pos, format!("{:?} is no SCTP chunk", chunk.text)))?;
        let Some(field) = field else {
            return Ok(Asked::one(Expr::SctpChunk { kind, offset: 0, bits: 8, exists: true }, Type::Boolean));
        };
        let (offset, bits) = fields::sctp_field(&chunk.text, &field.text)
            .ok_or_else(|| self.fault(field.pos, format!("{} has no field {:?}", chunk.text, field.text)))?;
        Ok(Asked::one(Expr::SctpChunk { kind, offset, bits, exists: false }, Type::Integer(bits)))
    }

    fn fib(&mut self, flags: &[ast::Name], result: &ast::Name) -> Result<Asked> {
        let mut bits = 0;
        for flag in flags {
            bits |= match flag.text.as_str() {
                "saddr" => 1,
                "daddr" => 2,
                "mark" => 4,
                "iif" => 8,
                "oif" => 16,
                _ => return Err(self.fault(flag.pos, "expected saddr, daddr, mark, iif or oif")),
            };
        }
        let (result, of) = match result.text.as_str() {
            "oif" => (FibResult::Oif, Type::IfIndex),
            "oifname" => (FibResult::OifName, Type::IfName),
            "type" => (FibResult::Type, Type::FibType),
            _ => return Err(self.fault(result.pos, "expected oif, oifname or type")),
        };
        Ok(Asked::one(Expr::Fib { flags: bits, result }, of))
    }
}

/// Only the first bits of a value: `& mask`.
pub(super) fn masked(expr: Expr, bytes: usize, bits: u32) -> Expr {
    // Whole bytes of the packet are read as such, no further than needed.
    if let Expr::Payload(payload) = &expr
        && bits.is_multiple_of(8)
        && bits > 0
        && payload.bits == bytes as u32 * 8
    {
        return Expr::Payload(Payload { bits, ..*payload });
    }
    Expr::Bitwise { of: Box::new(expr), mask: prefix_mask(bytes, bits), xor: vec![0; bytes] }
}
