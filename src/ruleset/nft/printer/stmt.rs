//! Rules and statements as text.

use super::super::ast::{
    Amount, ByteCount, Expr, ExprKind, LastUsed, LimitStmt, LogStmt, NatStmt, QuotaValue, RejectWith, RelOp, Rule,
    Stmt, StmtKind, SynproxyValue, Verdict,
};
use super::super::{DynSetOp, NatKind, ObjectKind};
use super::expr::{dynamic_element, expr, name_or_number, tight, verdict};
use super::{name, names, put, time};

/// A rule without its handle: on one line or, so many tabs deep, with a line for each rule of a block in it.
pub(super) fn rule(out: &mut String, rule: &Rule, tabs: Option<usize>) {
    for (index, statement) in rule.statements.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        match &statement.kind {
            StmtKind::Verdict(Verdict::Block { goto, rules }) => {
                out.push_str(if *goto { "goto {" } else { "jump {" });
                rule_block(out, rules, tabs);
            }
            _ => stmt(out, statement),
        }
    }
    if let Some(comment) = &rule.comment {
        put(out, format_args!(" comment \"{comment}\""));
    }
}

fn rule_block(out: &mut String, rules: &[Rule], tabs: Option<usize>) {
    let line = |tabs: usize| format!("\n{}", "\t".repeat(tabs));
    let inner = tabs.map(|tabs| tabs.saturating_add(1));
    for of in rules {
        out.push_str(&inner.map_or_else(|| " ".to_owned(), line));
        rule(out, of, inner);
        out.push_str(if inner.is_none() { ";" } else { "" });
    }
    out.push_str(&tabs.map_or_else(|| " ".to_owned(), line));
    out.push('}');
}

/// A statement.
pub(super) fn stmt(out: &mut String, statement: &Stmt) {
    match &statement.kind {
        StmtKind::Match { left, op, right } => {
            expr(out, left);
            out.push(' ');
            if *op != RelOp::Implicit {
                put(out, format_args!("{} ", op.as_str()));
            }
            expr(out, right);
        }
        StmtKind::Verdict(of) => verdict(out, of),
        StmtKind::Vmap { key, map } => two(out, key, " vmap ", map),
        StmtKind::Counter(None) => out.push_str("counter"),
        StmtKind::Counter(Some((packets, bytes))) => {
            put(out, format_args!("counter packets {packets} bytes {bytes}"));
        }
        StmtKind::Limit(of) => put(out, format_args!("limit {}", limit(of))),
        StmtKind::Quota(of) => put(out, format_args!("quota {}", quota(of))),
        StmtKind::CtCount { over, count } => {
            put(out, format_args!("ct count {}{count}", if *over { "over " } else { "" }));
        }
        StmtKind::Last(LastUsed::Unsaid) => out.push_str("last"),
        StmtKind::Last(LastUsed::Never) => out.push_str("last used never"),
        StmtKind::Last(LastUsed::Ago(millis)) => put(out, format_args!("last used {}", time(*millis))),
        StmtKind::SetMeta { key, value } => {
            let key = ExprKind::Meta(key.clone());
            two(out, &Expr { pos: statement.pos, kind: key }, " set ", value);
        }
        StmtKind::SetCt { original, key, value } => {
            let direction = match original {
                Some(true) => "original ",
                Some(false) => "reply ",
                None => "",
            };
            put(out, format_args!("ct {direction}{} set ", key.text));
            expr(out, value);
        }
        StmtKind::SetField { field, value } => two(out, field, " set ", value),
        other => action(out, other),
    }
}

fn two(out: &mut String, left: &Expr, between: &str, right: &Expr) {
    expr(out, left);
    out.push_str(between);
    expr(out, right);
}

fn action(out: &mut String, kind: &StmtKind) {
    match kind {
        StmtKind::Log(of) => log(out, of),
        StmtKind::Reject(RejectWith::Unsaid) => out.push_str("reject"),
        StmtKind::Reject(RejectWith::TcpReset) => out.push_str("reject with tcp reset"),
        StmtKind::Reject(RejectWith::Icmp { protocol, with_type, code }) => {
            put(out, format_args!("reject with {} {}", protocol.text, if *with_type { "type " } else { "" }));
            expr(out, code);
        }
        StmtKind::Nat(of) => nat(out, of),
        StmtKind::ResetTcpOption(option) => put(out, format_args!("reset tcp option {}", name_or_number(option))),
        StmtKind::NoTrack => out.push_str("notrack"),
        StmtKind::Dup { to, device: of } => {
            out.push_str("dup to ");
            to.iter().for_each(|to| expr(out, to));
            device(out, of.as_ref());
        }
        StmtKind::Fwd { family, to, device: of } => {
            let family = family.as_ref().map_or("", |family| &family.text);
            put(out, format_args!("fwd {family}{}to ", if family.is_empty() { "" } else { " " }));
            expr(out, to);
            device(out, of.as_ref());
        }
        StmtKind::Tproxy { family, address: to, port } => {
            out.push_str("tproxy");
            family.iter().for_each(|family| put(out, format_args!(" {}", family.text)));
            out.push_str(" to ");
            address(out, to.as_ref(), port.as_ref(), true);
        }
        StmtKind::Queue { flags, to, .. } => {
            out.push_str("queue");
            if !flags.is_empty() {
                put(out, format_args!(" flags {}", names(flags, ",")));
            }
            if let Some(to) = to {
                out.push_str(" to ");
                expr(out, to);
            }
        }
        StmtKind::Synproxy(of) => {
            out.push_str("synproxy");
            synproxy(of).iter().for_each(|part| put(out, format_args!(" {part}")));
        }
        StmtKind::FlowAdd(table) => put(out, format_args!("flow add @{}", name(table))),
        StmtKind::DynSet { op, set, element } => {
            let op = match op {
                DynSetOp::Add => "add",
                DynSetOp::Update => "update",
                DynSetOp::Delete => "delete",
            };
            put(out, format_args!("{op} @{} {{ ", name(set)));
            dynamic_element(out, element);
            out.push_str(" }");
        }
        StmtKind::Meter { name: of, size, element } => {
            let size = size.map_or(String::new(), |size| format!("size {size} "));
            put(out, format_args!("meter {} {size}{{ ", name(of)));
            dynamic_element(out, element);
            out.push_str(" }");
        }
        StmtKind::Object { kind, name } => {
            let verb = match kind {
                ObjectKind::CtHelper | ObjectKind::CtTimeout | ObjectKind::CtExpectation => "set",
                _ => "name",
            };
            put(out, format_args!("{} {verb} ", super::object_kind(*kind)));
            expr(out, name);
        }
        StmtKind::Xt { kind, name: extension } => put(out, format_args!("xt {} {}", kind.text, name(extension))),
        _ => {}
    }
}

/// `rate over 10/minute burst 5 packets`.
pub(super) fn limit(limit: &LimitStmt) -> String {
    let over = if limit.over { "over " } else { "" };
    let rate = match limit.rate {
        Amount::Packets(number) => format!("{number}/"),
        Amount::Bytes(bytes) => format!("{}/", byte_count(bytes)),
    };
    let burst = match limit.burst {
        None => String::new(),
        Some(Amount::Packets(number)) => format!(" burst {number} packets"),
        Some(Amount::Bytes(bytes)) => format!(" burst {}", byte_count(bytes)),
    };
    format!("rate {over}{rate}{}{burst}", limit.per.as_str())
}

/// `over 25 mbytes used 1 kbytes`.
pub(super) fn quota(quota: &QuotaValue) -> String {
    let over = if quota.over { "over " } else { "" };
    let used = quota.used.map_or(String::new(), |used| format!(" used {}", byte_count(used)));
    format!("{over}{}{used}", byte_count(quota.limit))
}

fn byte_count(count: ByteCount) -> String {
    format!("{} {}", count.number, count.unit.as_str())
}

/// `mss 1460`, `wscale 7`, `timestamp sack-perm`: the lines of the object.
pub(super) fn synproxy(value: &SynproxyValue) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(value.mss.map(|mss| format!("mss {mss}")));
    parts.extend(value.wscale.map(|wscale| format!("wscale {wscale}")));
    match (value.timestamp, value.sack_perm) {
        (true, true) => parts.push("timestamp sack-perm".to_owned()),
        (true, false) => parts.push("timestamp".to_owned()),
        (false, true) => parts.push("sack-perm".to_owned()),
        (false, false) => {}
    }
    parts
}

fn log(out: &mut String, log: &LogStmt) {
    out.push_str("log");
    log.prefix.iter().for_each(|prefix| put(out, format_args!(" prefix \"{prefix}\"")));
    log.group.iter().for_each(|group| put(out, format_args!(" group {group}")));
    log.snaplen.iter().for_each(|length| put(out, format_args!(" snaplen {length}")));
    log.queue_threshold.iter().for_each(|packets| put(out, format_args!(" queue-threshold {packets}")));
    log.level.iter().for_each(|level| put(out, format_args!(" level {level}")));
    let has = |flag: &str| log.flags.iter().any(|has| has == flag);
    match (has("tcp sequence"), has("tcp options")) {
        (true, true) => out.push_str(" flags tcp sequence,options"),
        (true, false) => out.push_str(" flags tcp sequence"),
        (false, true) => out.push_str(" flags tcp options"),
        (false, false) => {}
    }
    for flag in ["ip options", "skuid", "ether", "all"] {
        if has(flag) {
            put(out, format_args!(" flags {flag}"));
        }
    }
}

fn nat(out: &mut String, nat: &NatStmt) {
    out.push_str(match nat.kind {
        NatKind::Snat => "snat",
        NatKind::Dnat => "dnat",
        NatKind::Masquerade => "masquerade",
        NatKind::Redirect => "redirect",
    });
    nat.family.iter().for_each(|family| put(out, format_args!(" {}", family.text)));
    for (is, word) in [(nat.addr_port, " addr . port"), (nat.interval, " interval"), (nat.prefix, " prefix")] {
        if is {
            out.push_str(word);
        }
    }
    if nat.address.is_some() || nat.port.is_some() {
        out.push_str(" to ");
        address(out, nat.address.as_ref(), nat.port.as_ref(), false);
    }
    if !nat.flags.is_empty() {
        put(out, format_args!(" {}", names(&nat.flags, ",")));
    }
}

/// `10.0.0.1:80`, `[fe80::1]:80`, `:80`.
fn address(out: &mut String, to: Option<&Expr>, port: Option<&Expr>, brackets: bool) {
    if let Some(to) = to {
        let beside = |out: &mut String, of: &Expr| match port.is_some() || brackets {
            true => end(out, of),
            false => expr(out, of),
        };
        let last = match &to.kind {
            ExprKind::Range(first, last) => {
                beside(out, first);
                out.push_str(&tight(first, "-"));
                last
            }
            _ => to,
        };
        beside(out, last);
        let closed = matches!(
            last.kind,
            ExprKind::Ipv4(..) | ExprKind::Ipv6(..) | ExprKind::Map { .. } | ExprKind::Prefix(..) | ExprKind::Set(_)
        );
        if port.is_some() && !closed {
            out.push(' ');
        }
    }
    if let Some(port) = port {
        let mut text = String::new();
        expr(&mut text, port);
        // `::1` beside the colon would be another address.
        put(out, format_args!(":{}{text}", if text.starts_with(':') { " " } else { "" }));
    }
}

/// An address beside a colon.
fn end(out: &mut String, of: &Expr) {
    match &of.kind {
        ExprKind::Ipv6(_, text) => put(out, format_args!("[{text}]")),
        _ => expr(out, of),
    }
}

fn device(out: &mut String, device: Option<&Expr>) {
    if let Some(device) = device {
        out.push_str(" device ");
        expr(out, device);
    }
}
