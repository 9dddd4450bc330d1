//! Expressions: values, operators, concatenations, sets and maps.

use super::super::ast::{BinaryOp, Element, Expr, ExprKind, Name, Pos, Verdict};
use super::document::{Node, Value};
use super::literal::{self, Form};
use super::{Read, Reader};

/// What an expression may be, for messages.
const EXPRESSION: &str = "an expression like {\"payload\": …}, a value, or a list";

pub(super) fn at(pos: Pos, kind: ExprKind) -> Expr {
    Expr { pos, kind }
}

impl Reader {
    /// An expression whose values have no form of their own.
    pub(super) fn plain(&mut self, node: &Node) -> Read<Expr> {
        self.expr(node, &[Form::Plain])
    }

    /// An expression. `forms`: of the values in it, one for each field of a concatenation.
    pub(super) fn expr(&mut self, node: &Node, forms: &[Form]) -> Read<Expr> {
        let form = forms.first().copied().unwrap_or(Form::Plain);
        let pos = node.pos;
        match &node.value {
            Value::Null => Err(node.unexpected(EXPRESSION)),
            Value::Bool(exists) => Ok(at(pos, ExprKind::Symbol(if *exists { "exists" } else { "missing" }.to_owned()))),
            Value::Number(digits) => Ok(literal::number(pos, digits, form)),
            Value::Text(_) => {
                let text = node.text("a value")?;
                match text.strip_prefix('@') {
                    Some(name) => Ok(at(pos, ExprKind::SetRef(Name { pos, text: name.to_owned() }))),
                    None => Ok(literal::text(pos, text, form)),
                }
            }
            Value::List(list) => self.nested(pos, |reader| {
                let list: Vec<Expr> = list.iter().map(|part| reader.expr(part, forms)).collect::<Read<_>>()?;
                match <[Expr; 1]>::try_from(list) {
                    Ok([only]) => Ok(only),
                    Err(list) if list.is_empty() => Err(node.fault("expected at least one value in this list")),
                    Err(list) => Ok(at(pos, ExprKind::List(list))),
                }
            }),
            Value::Object(_) => self.nested(pos, |reader| reader.object_expr(node, forms, form)),
        }
    }

    fn object_expr(&mut self, node: &Node, forms: &[Form], form: Form) -> Read<Expr> {
        let (name, inner) = node.only_member("an expression")?;
        let pos = node.pos;
        let kind = match name {
            "prefix" => {
                let members = inner.members("an address and its length")?;
                let address = self.expr(members.need("addr")?, &[form])?;
                ExprKind::Prefix(Box::new(address), members.need_number("len")?)
            }
            "range" => {
                let [first, last] = inner.list("two values")? else { return Err(inner.unexpected("two values")) };
                ExprKind::Range(Box::new(self.expr(first, &[form])?), Box::new(self.expr(last, &[form])?))
            }
            "concat" => {
                let parts = inner.list("the fields of a concatenation")?;
                let fields = parts.iter().enumerate().map(|(at, part)| {
                    let form = forms.get(at).copied().unwrap_or(Form::Plain);
                    self.expr(part, &[form])
                });
                let fields: Vec<Expr> = fields.collect::<Read<_>>()?;
                match fields.len() {
                    0 | 1 => return Err(inner.fault("expected at least two fields")),
                    _ => ExprKind::Concat(fields),
                }
            }
            "set" => ExprKind::Set(self.elements(inner, forms, &[Form::Plain])?),
            "map" => self.map(inner, forms)?,
            "&" | "|" | "^" | "<<" | ">>" => return self.operator(pos, name, inner, form),
            "accept" | "drop" | "continue" | "return" | "jump" | "goto" => {
                ExprKind::Verdict(self.verdict(name, inner)?)
            }
            "elem" => return Err(node.unexpected("an expression: an element stands only in a set or map")),
            _ => self.question(node, name, inner)?,
        };
        Ok(at(pos, kind))
    }

    /// `key map { … }`; `forms` are of what it gives.
    fn map(&mut self, node: &Node, forms: &[Form]) -> Read<ExprKind> {
        let members = node.members("a map's key and data")?;
        let key = self.plain(members.need("key")?)?;
        let map = self.set_or_name(members.need("data")?, &literal::forms(&key), forms)?;
        Ok(ExprKind::Map { key: Box::new(key), map: Box::new(map) })
    }

    /// Elements, or the name of a set after `@`.
    pub(super) fn set_or_name(&mut self, node: &Node, keys: &[Form], data: &[Form]) -> Read<Expr> {
        let expr = match &node.value {
            Value::Object(members) => match members.as_slice() {
                [(name, inner)] if name == "set" => at(node.pos, ExprKind::Set(self.elements(inner, keys, data)?)),
                _ => return Err(node.unexpected("{\"set\": […]} or \"@NAME\"")),
            },
            Value::List(_) => at(node.pos, ExprKind::Set(self.elements(node, keys, data)?)),
            _ => self.expr(node, keys)?,
        };
        match &expr.kind {
            ExprKind::Set(_) | ExprKind::SetRef(_) => Ok(expr),
            _ => Err(node.unexpected("{\"set\": […]} or \"@NAME\"")),
        }
    }

    fn operator(&mut self, pos: Pos, name: &str, node: &Node, form: Form) -> Read<Expr> {
        let op = match name {
            "&" => BinaryOp::And,
            "|" => BinaryOp::Or,
            "^" => BinaryOp::Xor,
            "<<" => BinaryOp::ShiftLeft,
            _ => BinaryOp::ShiftRight,
        };
        let operands = node.list("two operands")?;
        let (Some((first, rest)), true) = (operands.split_first(), operands.len() >= 2) else {
            return Err(node.unexpected("two operands"));
        };
        // The first operand will lie as deep as there are operators.
        let deeper = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        self.depth = self.depth.saturating_add(deeper);
        let mut left = self.nested(pos, |reader| reader.expr(first, &[form]))?;
        self.depth = self.depth.saturating_sub(deeper);
        // Values take the form of what they are combined with.
        let form = match &left.kind {
            kind if is_value(kind) => form,
            _ => literal::forms(&left).first().copied().unwrap_or(form),
        };
        let shift = matches!(op, BinaryOp::ShiftLeft | BinaryOp::ShiftRight);
        for operand in rest {
            let right = self.expr(operand, &[if shift { Form::Plain } else { form }])?;
            left = combined(pos, op, left, right);
        }
        Ok(left)
    }

    /// Elements of a set (`[1, 2]`) or map (`[[1, {"accept": null}], …]`).
    pub(super) fn elements(&mut self, node: &Node, keys: &[Form], data: &[Form]) -> Read<Vec<Element>> {
        self.nested(node.pos, |reader| {
            node.one_or_more().iter().map(|element| reader.element(element, keys, data)).collect()
        })
    }

    fn element(&mut self, node: &Node, keys: &[Form], data: &[Form]) -> Read<Element> {
        if let Value::List(pair) = &node.value {
            let [key, value] = pair.as_slice() else { return Err(node.unexpected("a key and its value")) };
            let mut element = self.key(key, keys)?;
            element.data = Some(self.expr(value, data)?);
            return Ok(element);
        }
        self.key(node, keys)
    }

    /// An element's key, alone or with options: `{"elem": {"val": …, "timeout": 5}}`.
    pub(super) fn key(&mut self, node: &Node, forms: &[Form]) -> Read<Element> {
        let mut element = Element {
            pos: node.pos,
            key: at(node.pos, ExprKind::Wildcard),
            timeout: None,
            expires: None,
            comment: None,
            statements: Vec::new(),
            data: None,
        };
        let options = match &node.value {
            Value::Object(members) => members.iter().find(|(name, _)| name == "elem").map(|(_, inner)| inner),
            _ => None,
        };
        let Some(options) = options else {
            element.key = self.expr(node, forms)?;
            return Ok(element);
        };
        let members = options.members("an element: an object with \"val\"")?;
        element.key = self.expr(members.need("val")?, forms)?;
        element.timeout = members.seconds("timeout")?;
        element.expires = members.seconds("expires")?;
        element.comment = members.text("comment")?;
        for (name, inner) in members.list {
            // Whatever else is there is a statement of the element.
            if !matches!(name.as_str(), "val" | "timeout" | "expires" | "comment") {
                element.statements.push(self.stateful(inner.pos, name, inner)?);
            }
        }
        Ok(element)
    }

    pub(super) fn verdict(&mut self, name: &str, inner: &Node) -> Read<Verdict> {
        let target = || inner.members("{\"target\": CHAIN}")?.need_name("target");
        Ok(match name {
            "accept" => Verdict::Accept,
            "drop" => Verdict::Drop,
            "continue" => Verdict::Continue,
            "return" => Verdict::Return,
            "jump" => Verdict::Jump(target()?),
            "goto" => Verdict::Goto(target()?),
            _ => return Err(inner.fault("expected a verdict")),
        })
    }
}

/// Nothing that is asked of a packet.
fn is_value(kind: &ExprKind) -> bool {
    match kind {
        ExprKind::Binary { left, .. } => is_value(&left.kind),
        ExprKind::Group(inner) => is_value(&inner.kind),
        ExprKind::List(list) => list.iter().all(|part| is_value(&part.kind)),
        kind => matches!(
            kind,
            ExprKind::Symbol(_)
                | ExprKind::Text(_)
                | ExprKind::Number(_)
                | ExprKind::Time(_)
                | ExprKind::Ipv4(..)
                | ExprKind::Ipv6(..)
                | ExprKind::Mac(..)
        ),
    }
}

/// Two operands, with brackets where the operators' strength asks for them.
fn combined(pos: Pos, op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let left = match &left.kind {
        ExprKind::Binary { op: inner, .. } if strength(*inner) < strength(op) => grouped(left),
        ExprKind::List(_) => grouped(left),
        _ => left,
    };
    let right = match &right.kind {
        ExprKind::Binary { op: inner, .. } if strength(*inner) <= strength(op) => grouped(right),
        ExprKind::List(_) => grouped(right),
        _ => right,
    };
    at(pos, ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) })
}

fn grouped(inner: Expr) -> Expr {
    at(inner.pos, ExprKind::Group(Box::new(inner)))
}

/// As in nft's grammar: shifts bind strongest, then `&`, `^`, `|`.
fn strength(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::Xor => 2,
        BinaryOp::And => 3,
        BinaryOp::ShiftLeft | BinaryOp::ShiftRight => 4,
    }
}
