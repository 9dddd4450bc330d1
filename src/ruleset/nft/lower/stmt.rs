//! Statements.

use super::expr::{Asked, masked};
use super::{Lower, Result};
use crate::ruleset::model::{Family, Verdict};
use crate::ruleset::nft::ast::{self, ExprKind, RejectWith, RelOp, Stmt, StmtKind};
use crate::ruleset::nft::fields::{self, Needs};
use crate::ruleset::nft::types::Type;
use crate::ruleset::nft::{DynSetOp, Expr, Limit, Nat, NatKind, ObjectKind, Op, Reject, SetData, Statement, Value};
use std::sync::Arc;

/// `NFTA_FIB_F_PRESENT`.
const FIB_PRESENT: u32 = 32;

impl Lower<'_> {
    pub(super) fn statement(&mut self, statement: &Stmt, out: &mut Vec<Statement>) -> Result<()> {
        let pos = statement.pos;
        let lowered = match &statement.kind {
            StmtKind::Match { left, op, right } => return self.relation(left, *op, right, out),
            StmtKind::Verdict(verdict) => Statement::Verdict(self.verdict(verdict)?),
            StmtKind::Vmap { key, map } => {
                let asked = self.ask(key, out)?;
                let set = self.verdict_map(map, &asked.types)?;
                Statement::VerdictMap { key: asked.expr, set }
            }
            StmtKind::Counter(numbers) => {
                let (packets, bytes) = numbers.unwrap_or_default();
                Statement::Counter { packets, bytes }
            }
            StmtKind::Limit(limit) => Statement::Limit(self.limit(pos, limit)?),
            StmtKind::Quota(quota) => Statement::Quota(self.quota(pos, quota)?),
            StmtKind::CtCount { over, count } => Statement::ConnLimit { count: *count, over: *over },
            StmtKind::Last(_) => Statement::Last,
            StmtKind::Log(_) => Statement::Log,
            StmtKind::Reject(with) => return self.reject(with, out),
            StmtKind::Nat(nat) => Statement::Nat(Box::new(self.nat(nat, out)?)),
            StmtKind::SetMeta { key, value } => {
                let (meta, of) = fields::meta(&key.text)
                    .ok_or_else(|| self.fault(key.pos, format!("{:?} is no key of meta", key.text)))?;
                let value = self.given(value, of, out)?;
                Statement::SetMeta { key: meta, value }
            }
            StmtKind::SetCt { original, key, value } => {
                let (ct, of) = fields::ct(&key.text, None, self.family)
                    .ok_or_else(|| self.fault(key.pos, format!("{:?} is no key of ct", key.text)))?;
                let value = self.given(value, of, out)?;
                Statement::SetCt { key: ct, direction: *original, value }
            }
            StmtKind::SetField { field, value } => return self.set_field(field, value, out),
            StmtKind::ResetTcpOption(option) => {
                let kind = fields::tcp_option(&option.text)
                    .ok_or_else(|| self.fault(option.pos, format!("{:?} is no TCP option", option.text)))?;
                Statement::ResetTcpOption { kind }
            }
            StmtKind::NoTrack => Statement::NoTrack,
            StmtKind::Dup { .. } => Statement::Dup,
            StmtKind::Fwd { .. } => Statement::Fwd,
            StmtKind::Tproxy { .. } => {
                self.not_modelled(
                    "tproxy",
                    "the sockets of a host are not in a capture: the rule is taken as not matching",
                );
                Statement::Tproxy
            }
            StmtKind::Queue { flags, .. } => {
                Statement::Queue { bypass: flags.iter().any(|flag| flag.text == "bypass") }
            }
            StmtKind::Synproxy(_) => {
                self.not_modelled("synproxy", "handshakes are not answered in a replay");
                Statement::Synproxy
            }
            StmtKind::FlowAdd(table) => {
                let effect = "flowtables are not modelled: every packet takes the whole way";
                self.not_modelled(format!("flow add @{}", table.text), effect);
                Statement::FlowOffload(Arc::from(table.text.as_str()))
            }
            StmtKind::DynSet { op, set, element } => {
                let id = self.set_id(set)?;
                self.dynset(*op, id, element, out)?
            }
            StmtKind::Meter { name, size, element } => {
                let asked = self.ask(&element.key, out)?;
                let id = self.meter(name, *size, &asked.types, element, pos);
                self.dynset(DynSetOp::Update, id, element, out)?
            }
            StmtKind::Object { kind, name } => self.object_of(*kind, name, out)?,
            StmtKind::Xt { kind, name } => {
                let what = format!("xt {} {:?}", kind.text, name.text);
                let effect =
                    "an extension of iptables that nft does not spell out: give the output of iptables-save instead";
                self.not_modelled(what.clone(), effect);
                Statement::Unknown { what, stops: kind.text == "match" }
            }
        };
        out.push(lowered);
        Ok(())
    }

    pub(super) fn verdict(&mut self, verdict: &ast::Verdict) -> Result<Verdict> {
        Ok(match verdict {
            ast::Verdict::Accept => Verdict::Accept,
            ast::Verdict::Drop => Verdict::Drop,
            ast::Verdict::Continue => Verdict::Continue,
            ast::Verdict::Return => Verdict::Return,
            ast::Verdict::Jump(chain) => Verdict::Jump(self.chain_id(chain)?),
            ast::Verdict::Goto(chain) => Verdict::Goto(self.chain_id(chain)?),
            ast::Verdict::Block { goto, rules } => {
                let chain = self.block(rules);
                if *goto { Verdict::Goto(chain) } else { Verdict::Jump(chain) }
            }
        })
    }

    fn relation(&mut self, left: &ast::Expr, op: RelOp, right: &ast::Expr, out: &mut Vec<Statement>) -> Result<()> {
        let asked = self.ask(left, out)?;
        let statement = self.compare(asked, matches!(left.kind, ExprKind::Binary { .. }), op, right, out)?;
        out.push(statement);
        Ok(())
    }

    fn compare(
        &mut self,
        asked: Asked,
        computed: bool,
        op: RelOp,
        right: &ast::Expr,
        out: &mut Vec<Statement>,
    ) -> Result<Statement> {
        let of = asked.first();
        let not = op == RelOp::Op(Op::Ne);
        let plain = match op {
            RelOp::Op(op) => op,
            RelOp::Implicit | RelOp::Not => Op::Eq,
        };
        match &right.kind {
            ExprKind::Symbol(word) if matches!(asked.expr, Expr::Fib { .. }) && of != Type::FibType => {
                if let Some(present) = presence(word) {
                    return Ok(Statement::Compare { left: only_presence(asked.expr), op: plain, right: vec![present] });
                }
            }
            ExprKind::Set(_) | ExprKind::SetRef(_) => {
                let set = self.set_of(right, &asked.types)?;
                return Ok(Statement::Lookup { of: asked.expr, not, set });
            }
            ExprKind::Concat(parts) => {
                let mut fields = Vec::new();
                for (part, of) in parts.iter().zip(&asked.types) {
                    fields.extend(self.value(part, *of)?);
                }
                return Ok(Statement::Compare { left: asked.expr, op: plain, right: fields });
            }
            ExprKind::Masked { value, mask } => {
                let (value, mask) = (self.value(value, of)?, self.value(mask, of)?);
                return Ok(Statement::Compare { left: bitwise(asked.expr, mask), op: plain, right: value });
            }
            ExprKind::Prefix(address, bits) => {
                let (low, _) = self.bounds(right, of)?;
                let _ = address;
                let left = masked(asked.expr, low.len(), *bits);
                let len = match &left {
                    Expr::Payload(payload) => (payload.bits / 8) as usize,
                    _ => low.len(),
                };
                return Ok(Statement::Compare { left, op: plain, right: low.into_iter().take(len).collect() });
            }
            ExprKind::Range(..) => {
                let (low, high) = self.bounds(right, of)?;
                return Ok(Statement::Range { of: asked.expr, not, low, high });
            }
            ExprKind::SymbolPrefix(name) => {
                return Ok(Statement::Compare { left: asked.expr, op: plain, right: name.as_bytes().to_vec() });
            }
            ExprKind::Text(text) if of == Type::IfName && text.ends_with('*') && !text.ends_with("\\*") => {
                let name = text.trim_end_matches('*').as_bytes().to_vec();
                return Ok(Statement::Compare { left: asked.expr, op: plain, right: name });
            }
            _ => {}
        }
        if of.is_bitmask() && !computed && matches!(op, RelOp::Implicit | RelOp::Not) {
            let bits = match &right.kind {
                ExprKind::List(parts) => self.bits(parts, of)?,
                _ => self.value(right, of)?,
            };
            let zero: Value = vec![0; bits.len()];
            let op = if op == RelOp::Not { Op::Eq } else { Op::Ne };
            return Ok(Statement::Compare { left: bitwise(asked.expr, bits), op, right: zero });
        }
        match self.value(right, of) {
            Ok(value) => Ok(Statement::Compare { left: asked.expr, op: plain, right: value }),
            Err(error) if matches!(right.kind, ExprKind::Symbol(_) | ExprKind::Number(_) | ExprKind::Text(_)) => {
                Err(error)
            }
            Err(_) => {
                let other = self.ask(right, out)?;
                Ok(Statement::CompareExprs { left: asked.expr, op: plain, right: other.expr })
            }
        }
    }

    pub(super) fn limit(&self, pos: ast::Pos, limit: &ast::LimitStmt) -> Result<Limit> {
        let bytes =
            |count: ast::ByteCount| count.bytes().ok_or_else(|| self.fault(pos, "more bytes than 64 bits hold"));
        let (rate, of_bytes) = match limit.rate {
            ast::Amount::Packets(packets) => (packets, false),
            ast::Amount::Bytes(count) => (bytes(count)?, true),
        };
        let burst = match limit.burst {
            None => {
                if of_bytes {
                    0
                } else {
                    5
                }
            }
            Some(ast::Amount::Packets(packets)) => packets,
            Some(ast::Amount::Bytes(count)) => bytes(count)?,
        };
        if rate == 0 {
            return Err(self.fault(pos, "a rate of 0: expected at least 1"));
        }
        let burst = u32::try_from(burst).map_err(|_| self.fault(pos, "the burst is more than 32 bits hold"))?;
        Ok(Limit { rate, per: limit.per.seconds(), burst, bytes: of_bytes, over: limit.over })
    }

    fn reject(&mut self, with: &RejectWith, out: &mut Vec<Statement>) -> Result<()> {
        let how = match with {
            RejectWith::TcpReset => {
                self.need(Needs::Transport(6, None), out);
                Reject::TcpReset
            }
            RejectWith::Unsaid => match self.family {
                Family::Ip => Reject::Icmp(3),
                Family::Ip6 => Reject::Icmpv6(4),
                _ => Reject::Icmpx(1),
            },
            RejectWith::Icmp { protocol, code, .. } => {
                let kind = protocol.text.as_str();
                let number = match (kind, &code.kind) {
                    ("icmpx", ExprKind::Symbol(word)) => match word.as_str() {
                        "no-route" => 0,
                        "port-unreachable" => 1,
                        "host-unreachable" => 2,
                        "admin-prohibited" => 3,
                        _ => {
                            return Err(self.fault(
                                code.pos,
                                "expected port-unreachable, admin-prohibited, no-route or host-unreachable",
                            ));
                        }
                    },
                    ("icmpv6", _) => byte_of(&self.value(code, Type::Icmpv6Code)?),
                    _ => byte_of(&self.value(code, Type::IcmpCode)?),
                };
                match kind {
                    "icmp" => {
                        self.need(Needs::Network(fields::IPV4), out);
                        Reject::Icmp(number)
                    }
                    "icmpv6" => {
                        self.need(Needs::Network(fields::IPV6), out);
                        Reject::Icmpv6(number)
                    }
                    _ => Reject::Icmpx(number),
                }
            }
        };
        out.push(Statement::Reject(how));
        Ok(())
    }

    fn nat(&mut self, nat: &ast::NatStmt, out: &mut Vec<Statement>) -> Result<Nat> {
        let family = match nat.family.as_ref().map(|family| family.text.as_str()) {
            Some("ip") => Some(Family::Ip),
            Some("ip6") => Some(Family::Ip6),
            _ => None,
        };
        let v6_literal = nat.address.as_ref().is_some_and(is_v6);
        let v6 = family == Some(Family::Ip6) || family.is_none() && (self.family == Family::Ip6 || v6_literal);
        let of = if v6 { Type::Ipv6Addr } else { Type::Ipv4Addr };
        if self.family == Family::Inet && nat.address.is_some() {
            self.need(Needs::Network(if v6 { fields::IPV6 } else { fields::IPV4 }), out);
        }
        let with_port = nat.addr_port || nat.address.as_ref().is_some_and(gives_port);
        let types: Vec<Type> = if with_port { vec![of, Type::InetService] } else { vec![of] };
        let addresses = nat.address.as_ref().map(|address| self.nat_range(address, &types, out)).transpose()?;
        let ports = nat.port.as_ref().map(|port| self.nat_range(port, &[Type::InetService], out)).transpose()?;
        let mut flags: Vec<String> = nat.flags.iter().map(|flag| flag.text.clone()).collect();
        if nat.prefix {
            flags.push("prefix".to_owned());
        }
        let family = family.or_else(|| addresses.is_some().then_some(if v6 { Family::Ip6 } else { Family::Ip }));
        Ok(Nat { kind: nat.kind, family: family.filter(|_| nat.kind != NatKind::Masquerade), addresses, ports, flags })
    }

    fn nat_range(
        &mut self,
        expr: &ast::Expr,
        types: &[Type],
        out: &mut Vec<Statement>,
    ) -> Result<(Expr, Option<Expr>)> {
        let of = types.first().copied().unwrap_or(Type::Ipv4Addr);
        match &expr.kind {
            ExprKind::Map { key, map } => Ok((self.map(key, map, Some(types), out)?.expr, None)),
            ExprKind::Range(..) | ExprKind::Prefix(..) => {
                let (low, high) = self.bounds(expr, of)?;
                Ok((Expr::Constant(low), Some(Expr::Constant(high))))
            }
            _ => Ok((self.given(expr, of, out)?, None)),
        }
    }

    fn set_field(&mut self, field: &ast::Expr, value: &ast::Expr, out: &mut Vec<Statement>) -> Result<()> {
        let asked = self.ask(field, out)?;
        let given = self.given(value, asked.first(), out)?;
        let lowered = match asked.expr {
            Expr::Payload(field) => Statement::SetPayload { field, value: given },
            Expr::TcpOption { kind, offset, bits, .. } => Statement::SetTcpOption { kind, offset, bits, value: given },
            _ => {
                self.not_modelled("set of this field", "not modelled: it has no effect in a replay");
                Statement::Unknown { what: "set of a field".to_owned(), stops: false }
            }
        };
        out.push(lowered);
        Ok(())
    }

    fn dynset(
        &mut self,
        op: DynSetOp,
        set: crate::ruleset::model::SetId,
        element: &ast::Element,
        out: &mut Vec<Statement>,
    ) -> Result<Statement> {
        let key = self.ask(&element.key, out)?.expr;
        let of_data = self.types.get(set.0 as usize).map(|types| types.data.clone()).unwrap_or_default();
        let data = match &element.data {
            None => None,
            Some(data) => Some(self.given(data, of_data.first().copied().unwrap_or(Type::Integer(32)), out)?),
        };
        let mut statements = Vec::new();
        for statement in &element.statements {
            self.statement(statement, &mut statements)?;
        }
        Ok(Statement::DynSet { op, set, key, data, timeout: element.timeout, statements })
    }

    fn object_of(&mut self, kind: ObjectKind, name: &ast::Expr, out: &mut Vec<Statement>) -> Result<Statement> {
        if !matches!(kind, ObjectKind::Counter | ObjectKind::Quota | ObjectKind::Limit) {
            self.not_modelled(format!("{kind:?}"), "not modelled: it has no effect in a replay");
        }
        match &name.kind {
            ExprKind::Symbol(text) | ExprKind::Text(text) | ExprKind::Number(text) => {
                Ok(Statement::Object(self.object_id(name.pos, text)?))
            }
            ExprKind::Map { key, map } => {
                let asked = self.ask(key, out)?;
                let set = self.object_map(map, &asked.types, SetData::Object(kind))?;
                Ok(Statement::ObjectMap { kind, key: asked.expr, set })
            }
            _ => Err(self.fault(name.pos, "expected the name of an object, or a map to them")),
        }
    }
}

/// `exists` and `missing` as the kernel answers whether there is a route.
fn presence(word: &str) -> Option<u8> {
    match word {
        "exists" => Some(1),
        "missing" => Some(0),
        _ => None,
    }
}

/// Not which interface a route leads to, but whether there is one (`NFTA_FIB_F_PRESENT`).
fn only_presence(expr: Expr) -> Expr {
    match expr {
        Expr::Fib { flags, result } => Expr::Fib { flags: flags | FIB_PRESENT, result },
        other => other,
    }
}

fn bitwise(of: Expr, mask: Value) -> Expr {
    let xor = vec![0; mask.len()];
    Expr::Bitwise { of: Box::new(of), mask, xor }
}

fn byte_of(value: &[u8]) -> u8 {
    value.last().copied().unwrap_or(0)
}

/// A map to addresses with ports: `map { 80 : 10.0.0.1 . 8080 }`.
fn gives_port(address: &ast::Expr) -> bool {
    let ExprKind::Map { map, .. } = &address.kind else { return false };
    let ExprKind::Set(elements) = &map.kind else { return false };
    let data = elements.iter().filter_map(|element| element.data.as_ref()).next();
    data.is_some_and(|data| matches!(data.kind, ExprKind::Concat(_)))
}

/// An IPv6 literal somewhere in it.
fn is_v6(expr: &ast::Expr) -> bool {
    match &expr.kind {
        ExprKind::Ipv6(..) => true,
        ExprKind::Prefix(of, _) => is_v6(of),
        ExprKind::Range(low, _) => is_v6(low),
        _ => false,
    }
}
