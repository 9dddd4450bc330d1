//! Statements: matches, verdicts, counters, rates and what is set.

use super::super::ast::{
    Amount, BinaryOp, ByteCount, ByteUnit, CommandKind, Expr, ExprKind, LastUsed, LimitStmt, PayloadField, Pos,
    QuotaValue, RelOp, Stmt, StmtKind, TimeUnit,
};
use super::super::parser::parse_at;
use super::super::{ObjectKind, Op};
use super::document::{Node, Value};
use super::literal::{self, Form};
use super::members::Members;
use super::question::as_whole;
use super::{Fault, Read, Reader};
use std::sync::Arc;

impl Reader {
    /// Statements of a rule. One that nft has no JSON for, it prints as text.
    pub(super) fn statements(&mut self, node: &Node, out: &mut Vec<Stmt>) -> Read<()> {
        for statement in node.list("the statements of a rule")? {
            match &statement.value {
                Value::Text(text) => out.extend(of_text(statement, text)?),
                _ => out.push(self.stmt(statement)?),
            }
        }
        Ok(())
    }

    fn stmt(&mut self, node: &Node) -> Read<Stmt> {
        let (name, inner) = node.only_member("a statement")?;
        self.stateful(node.pos, name, inner)
    }

    /// A statement by its name. All that may stand in an element are among them.
    pub(super) fn stateful(&mut self, pos: Pos, name: &str, inner: &Node) -> Read<Stmt> {
        let kind = match name {
            "match" => self.relation(inner)?,
            "accept" | "drop" | "continue" | "return" | "jump" | "goto" => {
                StmtKind::Verdict(self.verdict(name, inner)?)
            }
            "vmap" => {
                let members = inner.members("a map's key and data")?;
                let key = self.plain(members.need("key")?)?;
                let map = self.set_or_name(members.need("data")?, &literal::forms(&key), &[Form::Plain])?;
                StmtKind::Vmap { key, map }
            }
            "mangle" => self.assignment(inner)?,
            "counter" => match &inner.value {
                Value::Object(list) if list.iter().any(|(name, _)| name == "packets" || name == "bytes") => {
                    let counts = inner.members("packets and bytes")?;
                    let packets = counts.number("packets")?.unwrap_or(0);
                    StmtKind::Counter(Some((packets, counts.number("bytes")?.unwrap_or(0))))
                }
                Value::Null => StmtKind::Counter(None),
                _ => self.object_reference(ObjectKind::Counter, inner)?,
            },
            "limit" => match &inner.value {
                Value::Object(list) if list.iter().any(|(name, _)| name == "rate") => {
                    StmtKind::Limit(limit(inner.members("a rate")?)?)
                }
                _ => self.object_reference(ObjectKind::Limit, inner)?,
            },
            "quota" => match &inner.value {
                Value::Object(list) if list.iter().any(|(name, _)| name == "val") => {
                    StmtKind::Quota(quota(inner.members("a quota")?)?)
                }
                _ => self.object_reference(ObjectKind::Quota, inner)?,
            },
            "ct count" => {
                let members = inner.members("a number of connections")?;
                StmtKind::CtCount { over: members.is("inv")?, count: members.need_number("val")? }
            }
            "last" => StmtKind::Last(last(inner)?),
            _ => self.action(name, pos, inner)?,
        };
        Ok(Stmt { pos, kind })
    }

    /// The name of an object, or a map to names.
    pub(super) fn object_reference(&mut self, kind: ObjectKind, inner: &Node) -> Read<StmtKind> {
        let name = self.expr(inner, &[Form::Quoted])?;
        match name.kind {
            ExprKind::Text(_) | ExprKind::Map { .. } => Ok(StmtKind::Object { kind, name }),
            _ => Err(inner.unexpected("the name of an object, or a map to names")),
        }
    }

    fn relation(&mut self, node: &Node) -> Read<StmtKind> {
        let members = node.members("a match: an object with \"op\", \"left\" and \"right\"")?;
        let mut left = self.plain(members.need("left")?)?;
        let value = members.need("right")?;
        if matches!(value.value, Value::Bool(_)) {
            as_whole(&mut left);
        }
        let right = self.expr(value, &literal::forms(&left))?;
        let op = match members.get("op") {
            None => None,
            Some(op) => match op.text("an operator")? {
                "in" => None,
                "==" => Some(Op::Eq),
                "!=" => Some(Op::Ne),
                "<" => Some(Op::Lt),
                "<=" => Some(Op::Le),
                ">" => Some(Op::Gt),
                ">=" => Some(Op::Ge),
                "!" => return Ok(StmtKind::Match { left, op: RelOp::Not, right }),
                _ => return Err(op.unexpected("one of ==, !=, <, >, <=, >=, in, !")),
            },
        };
        Ok(masked(left, op, right))
    }

    fn assignment(&mut self, node: &Node) -> Read<StmtKind> {
        let members = node.members("an assignment: an object with \"key\" and \"value\"")?;
        let node = members.need("key")?;
        let field = self.plain(node)?;
        let value = self.expr(members.need("value")?, &literal::forms(&field))?;
        Ok(match field.kind {
            ExprKind::Meta(key) => StmtKind::SetMeta { key, value },
            ExprKind::Ct(ct) => StmtKind::SetCt { original: ct.original, key: ct.key, value },
            ExprKind::Payload(_) | ExprKind::TcpOption(_) | ExprKind::ExtHdr { .. } => {
                StmtKind::SetField { field, value }
            }
            _ => return Err(node.unexpected("something that can be set: meta, ct, payload, tcp option or exthdr")),
        })
    }
}

/// JSON says `==` where text says nothing, and `flags & mask == value` where text says `flags value / mask`.
fn masked(left: Expr, op: Option<Op>, right: Expr) -> StmtKind {
    let flags = has_flags(&left);
    let written = |op: Option<Op>, equal: bool| match op {
        None => RelOp::Implicit,
        Some(Op::Eq) if !equal => RelOp::Implicit,
        Some(op) => RelOp::Op(op),
    };
    match left.kind {
        ExprKind::Binary { op: BinaryOp::And, left: of, right: mask }
            if has_flags(&of) && matches!(mask.kind, ExprKind::Group(_)) && !matches!(right.kind, ExprKind::Set(_)) =>
        {
            let mask = match mask.kind {
                ExprKind::Group(inner) => inner,
                _ => mask,
            };
            let pos = right.pos;
            let right = Expr { pos, kind: ExprKind::Masked { value: Box::new(right), mask } };
            StmtKind::Match { left: *of, op: written(op, false), right }
        }
        kind => {
            let is_set = matches!(right.kind, ExprKind::Set(_) | ExprKind::SetRef(_));
            let equal = !is_set && (flags || matches!(kind, ExprKind::Binary { .. }));
            StmtKind::Match { left: Expr { pos: left.pos, kind }, op: written(op, equal), right }
        }
    }
}

/// Named bits: to be equal to them and to have some of them are two questions.
fn has_flags(of: &Expr) -> bool {
    match &of.kind {
        ExprKind::Ct(ct) => matches!(ct.key.text.as_str(), "state" | "status" | "event" | "label"),
        ExprKind::Payload(payload) => matches!(
            &payload.field,
            PayloadField::Named { protocol, field } if protocol.text == "tcp" && field.text == "flags"
        ),
        _ => false,
    }
}

/// A statement in text form, which nft 1.0.6 prints where it has no JSON (`add @map { … }`, `jump { … }`).
fn of_text(node: &Node, text: &str) -> Read<Vec<Stmt>> {
    let script = parse_at(&format!("add rule t c {text}"), node.pos, &Arc::from(""));
    let script = script.map_err(|error| node.fault(format!("not a statement in text form: {}", error.message)))?;
    let mut commands = script.commands.into_iter();
    match (commands.next().map(|command| command.kind), commands.next()) {
        (Some(CommandKind::Rule { rule, at: None, .. }), None) if rule.comment.is_none() => Ok(rule.statements),
        _ => Err(node.unexpected("a statement: an object like {\"match\": …}, or one in text form")),
    }
}

/// `{"rate": 10, "per": "minute", "burst": 5, "inv": true}`.
pub(super) fn limit(members: Members<'_>) -> Read<LimitStmt> {
    let amount = |number: u64, unit: &str| -> Read<Amount> {
        let unit = members.get(unit).map(byte_unit).transpose()?.flatten();
        Ok(unit.map_or(Amount::Packets(number), |unit| Amount::Bytes(ByteCount { number, unit })))
    };
    let rate = amount(members.need_number("rate")?, "rate_unit")?;
    let per = match members.get("per") {
        None => TimeUnit::Second,
        Some(node) => match node.text("a unit of time")? {
            "second" => TimeUnit::Second,
            "minute" => TimeUnit::Minute,
            "hour" => TimeUnit::Hour,
            "day" => TimeUnit::Day,
            "week" => TimeUnit::Week,
            _ => return Err(node.unexpected("\"second\", \"minute\", \"hour\", \"day\" or \"week\"")),
        },
    };
    // What text leaves out: five packets, no bytes.
    let burst = members.number("burst")?.map(|burst| amount(burst, "burst_unit")).transpose()?;
    let burst = match (rate, burst) {
        (Amount::Packets(_), Some(Amount::Packets(0 | 5))) | (Amount::Bytes(_), Some(Amount::Packets(0))) => None,
        (Amount::Bytes(_), Some(Amount::Bytes(ByteCount { number: 0, .. }))) => None,
        (Amount::Bytes(_), Some(Amount::Packets(number))) => {
            Some(Amount::Bytes(ByteCount { number, unit: ByteUnit::Bytes }))
        }
        (_, burst) => burst,
    };
    Ok(LimitStmt { over: members.is("inv")?, rate, per, burst })
}

/// `{"val": 25, "val_unit": "mbytes", "inv": true, "used": 1, "used_unit": "kbytes"}`.
fn quota(members: Members<'_>) -> Read<QuotaValue> {
    let count = |value: &str, unit: &str| -> Read<Option<ByteCount>> {
        let Some(number) = members.number(value)? else { return Ok(None) };
        let unit = members.get(unit).map(byte_unit).transpose()?.flatten().unwrap_or(ByteUnit::Bytes);
        Ok(Some(ByteCount { number, unit }))
    };
    let nothing = ByteCount { number: 0, unit: ByteUnit::Bytes };
    let limit = count("val", "val_unit")?.unwrap_or(nothing);
    let used = count("used", "used_unit")?.filter(|used| used.number != 0);
    Ok(QuotaValue { over: members.is("inv")?, limit, used })
}

/// `None` for packets.
fn byte_unit(node: &Node) -> Read<Option<ByteUnit>> {
    Ok(Some(match node.text("a unit of a rate")? {
        "packets" => return Ok(None),
        "bytes" => ByteUnit::Bytes,
        "kbytes" => ByteUnit::KBytes,
        "mbytes" => ByteUnit::MBytes,
        _ => return Err(node.unexpected("\"packets\", \"bytes\", \"kbytes\" or \"mbytes\"")),
    }))
}

/// `null`, `{"used": "never"}`, `{"used": 5000}`: milliseconds.
fn last(node: &Node) -> Result<LastUsed, Fault> {
    if node.is_null() {
        return Ok(LastUsed::Unsaid);
    }
    match node.members("when it was used last, or null")?.get("used") {
        None => Ok(LastUsed::Unsaid),
        Some(Node { value: Value::Text(word), .. }) if word == "never" => Ok(LastUsed::Never),
        Some(used) => Ok(LastUsed::Ago(used.number("milliseconds or \"never\"")?)),
    }
}
