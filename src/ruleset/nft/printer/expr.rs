//! Expressions and elements as text.

use super::super::ast::{
    CtExpr, Element, Expr, ExprKind, Name, Payload, PayloadField, TcpOption, TcpOptionField, Verdict,
};
use super::super::parser::LISTED_BARE;
use super::{name, put, stmt, time};

/// An expression.
pub(super) fn expr(out: &mut String, expression: &Expr) {
    match &expression.kind {
        ExprKind::Symbol(text) | ExprKind::Number(text) | ExprKind::Time(text) => out.push_str(text),
        ExprKind::Ipv4(_, text) | ExprKind::Ipv6(_, text) | ExprKind::Mac(_, text) => out.push_str(text),
        ExprKind::SymbolPrefix(text) => put(out, format_args!("\"{text}*\"")),
        ExprKind::Text(text) => put(out, format_args!("\"{text}\"")),
        ExprKind::Prefix(of, length) => {
            expr(out, of);
            put(out, format_args!("{}{length}", tight(of, "/")));
        }
        ExprKind::Range(first, last) => {
            expr(out, first);
            out.push_str(&tight(first, "-"));
            expr(out, last);
        }
        ExprKind::Wildcard => out.push('*'),
        ExprKind::SetRef(set) => put(out, format_args!("@{}", name(set))),
        ExprKind::Set(list) => elements(out, list, None),
        ExprKind::Map { key, map } => {
            expr(out, key);
            out.push_str(" map ");
            expr(out, map);
        }
        ExprKind::Concat(list) => joined(out, list, " . "),
        ExprKind::List(list) => joined(out, list, ","),
        ExprKind::Binary { op, left, right } => {
            expr(out, left);
            put(out, format_args!(" {} ", op.as_str()));
            expr(out, right);
        }
        ExprKind::Group(inner) => {
            out.push('(');
            expr(out, inner);
            out.push(')');
        }
        ExprKind::Masked { value, mask } => {
            expr(out, value);
            out.push_str(" / ");
            expr(out, mask);
        }
        ExprKind::Verdict(of) => verdict(out, of),
        question => self::question(out, question),
    }
}

/// What a packet, its connection or the kernel is asked.
fn question(out: &mut String, kind: &ExprKind) {
    match kind {
        ExprKind::Payload(of) => payload(out, of),
        ExprKind::Meta(key) if LISTED_BARE.contains(&key.text.as_str()) => out.push_str(&key.text),
        ExprKind::Meta(key) => put(out, format_args!("meta {}", key.text)),
        ExprKind::Ct(of) => ct(out, of),
        ExprKind::ExtHdr { header, field, index } => {
            match field {
                Some(field) => put(out, format_args!("{} {}", header.text, field.text)),
                None => put(out, format_args!("exthdr {}", header.text)),
            }
            index.iter().for_each(|index| put(out, format_args!("[{index}]")));
        }
        ExprKind::TcpOption(of) => tcp_option(out, of),
        ExprKind::IpOption { option, field } => put(out, format_args!("ip option {}{}", option.text, spaced(field))),
        ExprKind::SctpChunk { chunk, field } => {
            put(out, format_args!("sctp chunk {}{}", name_or_number(chunk), spaced(field)));
        }
        ExprKind::DccpOption(option) => put(out, format_args!("dccp option {}", name_or_number(option))),
        ExprKind::Fib { flags, result } => put(out, format_args!("fib {} {}", super::names(flags, " . "), result.text)),
        ExprKind::Rt { family, key } => put(out, format_args!("rt{} {}", spaced(family), key.text)),
        ExprKind::Socket { key, level } => {
            put(out, format_args!("socket {}{}", key.text, numbered(" level", *level)));
        }
        ExprKind::Osf { ttl, key } => {
            let ttl = ttl.as_ref().map_or(String::new(), |ttl| format!(" ttl {}", ttl.text));
            put(out, format_args!("osf{ttl} {}", key.text));
        }
        ExprKind::Ipsec { direction, spnum, family, key } => {
            let spnum = numbered(" spnum", *spnum);
            put(out, format_args!("ipsec {}{spnum}{} {}", direction.text, spaced(family), key.text));
        }
        ExprKind::Numgen { random, modulus, offset } => {
            let how = if *random { "random" } else { "inc" };
            put(out, format_args!("numgen {how} mod {modulus}{}", numbered(" offset", *offset)));
        }
        ExprKind::Symhash { modulus, offset } => {
            put(out, format_args!("symhash mod {modulus}{}", numbered(" offset", *offset)));
        }
        ExprKind::Jhash { of, modulus, seed, offset } => {
            out.push_str("jhash ");
            expr(out, of);
            put(out, format_args!(" mod {modulus}"));
            seed.iter().for_each(|seed| put(out, format_args!(" seed {seed:#x}")));
            out.push_str(&numbered(" offset", *offset));
        }
        _ => {}
    }
}

/// An operator that binds a prefix length or range: without blanks where a listing has none, but a word before it would
/// swallow it.
pub(super) fn tight(left: &Expr, operator: &str) -> String {
    let tight = match &left.kind {
        ExprKind::Symbol(text) => text.contains(':'),
        kind => matches!(
            kind,
            ExprKind::Number(_)
                | ExprKind::Time(_)
                | ExprKind::Text(_)
                | ExprKind::SymbolPrefix(_)
                | ExprKind::Ipv4(..)
                | ExprKind::Ipv6(..)
                | ExprKind::Mac(..)
                | ExprKind::Group(_)
        ),
    };
    if tight { operator.to_owned() } else { format!(" {operator} ") }
}

fn joined(out: &mut String, list: &[Expr], separator: &str) {
    for (index, part) in list.iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        expr(out, part);
    }
}

/// A verdict.
pub(super) fn verdict(out: &mut String, verdict: &Verdict) {
    match verdict {
        Verdict::Accept => out.push_str("accept"),
        Verdict::Drop => out.push_str("drop"),
        Verdict::Continue => out.push_str("continue"),
        Verdict::Return => out.push_str("return"),
        Verdict::Jump(chain) => put(out, format_args!("jump {}", name(chain))),
        Verdict::Goto(chain) => put(out, format_args!("goto {}", name(chain))),
        // Printed with the rule that it stands in.
        Verdict::Block { .. } => {}
    }
}

fn payload(out: &mut String, payload: &Payload) {
    if let Some(tunnel) = &payload.tunnel {
        put(out, format_args!("{} ", tunnel.text));
    }
    match &payload.field {
        PayloadField::Named { protocol, field } => put(out, format_args!("{} {}", protocol.text, field.text)),
        PayloadField::Raw { base, offset, bits } => put(out, format_args!("@{},{offset},{bits}", base.text)),
    }
}

fn ct(out: &mut String, ct: &CtExpr) {
    let direction = match ct.original {
        Some(true) => " original",
        Some(false) => " reply",
        None => "",
    };
    put(out, format_args!("ct{direction}{} {}", spaced(&ct.family), ct.key.text));
}

fn tcp_option(out: &mut String, option: &TcpOption) {
    let kind = name_or_number(&option.option);
    match &option.field {
        TcpOptionField::Whole => put(out, format_args!("tcp option {kind}")),
        TcpOptionField::Named(field) => put(out, format_args!("tcp option {kind} {}", field.text)),
        TcpOptionField::Raw { offset, bits } => put(out, format_args!("tcp option @{kind},{offset},{bits}")),
    }
}

/// A name, or a number in its place.
pub(super) fn name_or_number(of: &Name) -> String {
    let digits = of.text.strip_prefix("0x").unwrap_or(&of.text);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if number && of.text.starts_with(|c: char| c.is_ascii_digit()) { of.text.clone() } else { name(of) }
}

/// A blank and the word, if there is one.
fn spaced(word: &Option<Name>) -> String {
    word.as_ref().map_or(String::new(), |word| format!(" {}", word.text))
}

/// A word and the number, if there is one.
fn numbered(word: &str, number: Option<u32>) -> String {
    number.map_or(String::new(), |number| format!("{word} {number}"))
}

/// Elements in braces; with `wrap`, so many on a line, as in the block of a set.
pub(super) fn elements(out: &mut String, list: &[Element], wrap: Option<usize>) {
    out.push_str("{ ");
    for (index, element) in list.iter().enumerate() {
        let breaks = wrap.is_some_and(|wrap| index.checked_rem(wrap) == Some(0));
        match (index, breaks) {
            (0, _) => {}
            (_, true) => out.push_str(",\n\t\t\t     "),
            (_, false) => out.push_str(", "),
        }
        self::element(out, element);
    }
    out.push_str(if list.is_empty() { "}" } else { " }" });
}

fn element(out: &mut String, element: &Element) {
    expr(out, &element.key);
    for statement in &element.statements {
        out.push(' ');
        stmt::stmt(out, statement);
    }
    options(out, element);
    data(out, element);
}

/// The element of `add @set { … }`: its statements come last.
pub(super) fn dynamic_element(out: &mut String, element: &Element) {
    expr(out, &element.key);
    options(out, element);
    for statement in &element.statements {
        out.push(' ');
        stmt::stmt(out, statement);
    }
    data(out, element);
}

fn options(out: &mut String, element: &Element) {
    element.timeout.iter().for_each(|timeout| put(out, format_args!(" timeout {}", time(*timeout))));
    element.expires.iter().for_each(|expires| put(out, format_args!(" expires {}", time(*expires))));
    element.comment.iter().for_each(|comment| put(out, format_args!(" comment \"{comment}\"")));
}

fn data(out: &mut String, element: &Element) {
    if let Some(data) = &element.data {
        out.push_str(" : ");
        expr(out, data);
    }
}
