//! Values. JSON has numbers in decimal and words without quotes, whatever their type; text has each type's own form, which
//! is taken here by what stands on the left, so that both give the same syntax tree.

use super::super::ast::{Expr, ExprKind, KeyType, PayloadField, Pos};
use super::super::lexer::{self, Kind};
use super::super::printer::time;
use std::sync::Arc;

/// How nft writes a type's values as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Numbers in decimal, bare words.
    Plain,
    /// Numbers in eight hexadecimal digits.
    Mark,
    /// Numbers in hexadecimal with at least so many digits.
    Hex(usize),
    /// Words in quotes.
    Quoted,
    /// Words in quotes; what has no name is a bare number.
    Device,
    /// Numbers are seconds.
    Span,
}

/// The form of the values that an expression is compared with; one for each field.
pub(super) fn forms(of: &Expr) -> Vec<Form> {
    match &of.kind {
        ExprKind::Concat(parts) => parts.iter().map(first).collect(),
        _ => vec![first(of)],
    }
}

fn first(of: &Expr) -> Form {
    match &of.kind {
        ExprKind::Meta(key) => match key.text.as_str() {
            "mark" => Form::Mark,
            "iif" | "oif" | "iifgroup" | "oifgroup" | "sdif" | "rtclassid" => Form::Device,
            "iifname" | "oifname" | "iifkind" | "oifkind" | "ibrname" | "obrname" | "sdifname" | "time" | "day"
            | "hour" => Form::Quoted,
            "protocol" | "ibrvproto" => Form::Hex(4),
            _ => Form::Plain,
        },
        ExprKind::Ct(ct) => match ct.key.text.as_str() {
            "mark" => Form::Mark,
            "expiration" => Form::Span,
            "helper" => Form::Quoted,
            "state" | "status" | "event" => Form::Hex(1),
            _ => Form::Plain,
        },
        ExprKind::Payload(payload) => match &payload.field {
            PayloadField::Raw { .. } => Form::Hex(1),
            PayloadField::Named { protocol, field } => match (protocol.text.as_str(), field.text.as_str()) {
                (_, "dscp") => Form::Hex(2),
                ("tcp" | "comp", "flags") => Form::Hex(1),
                ("ether" | "vlan", "type") | ("arp", "ptype") => Form::Hex(4),
                _ => Form::Plain,
            },
        },
        ExprKind::Fib { result, .. } if result.text == "oif" => Form::Device,
        ExprKind::Fib { result, .. } if result.text == "oifname" => Form::Quoted,
        ExprKind::Osf { .. } => Form::Quoted,
        ExprKind::Rt { key, .. } if key.text == "classid" => Form::Device,
        ExprKind::Group(inner) => first(inner),
        ExprKind::Binary { left, .. } => first(left),
        _ => Form::Plain,
    }
}

/// The forms of the keys of a set, by the names of their types.
pub(super) fn forms_of_types(key: &KeyType) -> Vec<Form> {
    match key {
        KeyType::Type(names) => names.iter().map(|name| form_of_type(&name.text)).collect(),
        KeyType::TypeOf(of) => forms(of),
    }
}

/// The form of a type's values.
pub(super) fn form_of_type(name: &str) -> Form {
    match name {
        "mark" => Form::Mark,
        "iface_index" | "devgroup" | "realm" => Form::Device,
        "ifname" | "string" | "ifkind" | "day" | "hour" => Form::Quoted,
        "time" => Form::Span,
        "ether_type" => Form::Hex(4),
        "dscp" => Form::Hex(2),
        _ => Form::Plain,
    }
}

/// A number of the document.
pub(super) fn number(pos: Pos, digits: &str, form: Form) -> Expr {
    let value: Option<u64> = digits.parse().ok();
    let kind = match (form, value) {
        (Form::Mark, Some(value)) => ExprKind::Number(format!("{value:#010x}")),
        (Form::Hex(width), Some(value)) => ExprKind::Number(format!("0x{value:0width$x}")),
        (Form::Span, Some(seconds)) => match seconds.checked_mul(1000) {
            Some(millis) => ExprKind::Time(time(millis)),
            None => ExprKind::Number(digits.to_owned()),
        },
        _ => ExprKind::Number(digits.to_owned()),
    };
    Expr { pos, kind }
}

/// A text of the document: a word, an address, a number too large for JSON, or something that needs quotes.
pub(super) fn text(pos: Pos, text: &str, form: Form) -> Expr {
    if text == "*" {
        return Expr { pos, kind: ExprKind::Wildcard };
    }
    let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let kind = match form {
        Form::Quoted => ExprKind::Text(text.to_owned()),
        Form::Device if !number => ExprKind::Text(text.to_owned()),
        _ => bare(text).unwrap_or_else(|| ExprKind::Text(text.to_owned())),
    };
    Expr { pos, kind }
}

/// What a script's lexer makes of the text, if that is one value.
fn bare(text: &str) -> Option<ExprKind> {
    let tokens = lexer::tokens(text, &Arc::from("")).ok()?;
    let [token, end] = tokens.list.as_slice() else { return None };
    if end.kind != Kind::End || text.starts_with([' ', '\t', '\r', '#']) || text.ends_with([' ', '\t', '\r']) {
        return None;
    }
    Some(match token.kind {
        Kind::Word(word) => ExprKind::Symbol(word.to_owned()),
        Kind::Number(digits) => ExprKind::Number(digits.to_owned()),
        Kind::Time(time) => ExprKind::Time(time.to_owned()),
        Kind::Ipv4(address, text) => ExprKind::Ipv4(address, text.to_owned()),
        Kind::Ipv6(address, text) => ExprKind::Ipv6(address, text.to_owned()),
        Kind::Mac(address, text) => ExprKind::Mac(address, text.to_owned()),
        _ => return None,
    })
}
