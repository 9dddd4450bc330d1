//! Tables and what is in them, as blocks.

use super::super::ast::{Chain, DataType, Flowtable, Item, KeyType, Object, ObjectBody, Priority, Set, Table};
use super::{expr, name, names, object_kind, put, stmt, time, wrap};

/// A table with its block.
pub(super) fn table(out: &mut String, verb: &str, table: &Table) {
    if let Some(notice) = &table.notice {
        put(out, format_args!("{notice}\n"));
    }
    put(out, format_args!("{verb}table {} {}", table.family.as_str(), name(&table.name)));
    if !table.block {
        return;
    }
    put(out, format_args!(" {{{}\n", handle(table.handle)));
    if !table.flags.is_empty() {
        put(out, format_args!("\tflags {}\n", names(&table.flags, ",")));
    }
    if let Some(comment) = &table.comment {
        put(out, format_args!("\tcomment \"{comment}\"\n"));
    }
    for (index, item) in table.items.iter().enumerate() {
        // nft sets the first item apart from flags, but not from a comment.
        if index > 0 || !table.flags.is_empty() {
            out.push('\n');
        }
        put(out, format_args!("\t{}\n", head(item)));
        for line in lines(item, true) {
            put(out, format_args!("\t\t{line}\n"));
        }
        out.push_str("\t}\n");
    }
    out.push('}');
}

/// First line of an item's block.
fn head(item: &Item) -> String {
    let (kind, item_name, number) = match item {
        Item::Chain(chain) => ("chain", &chain.name, chain.handle),
        Item::Set(set) if set.map => ("map", &set.name, set.handle),
        Item::Set(set) if set.meter => ("meter", &set.name, set.handle),
        Item::Set(set) => ("set", &set.name, set.handle),
        Item::Flowtable(table) => ("flowtable", &table.name, table.handle),
        Item::Object(object) => (object_kind(object.body.kind()), &object.name, object.handle),
    };
    format!("{kind} {} {{{}", name(item_name), handle(number))
}

fn handle(handle: Option<u64>) -> String {
    handle.map_or(String::new(), |handle| format!(" # handle {handle}"))
}

/// Lines of an item's block; as a block of its own, elements are wrapped and rules have handles.
pub(super) fn lines(item: &Item, block: bool) -> Vec<String> {
    match item {
        Item::Chain(chain) => self::chain(chain, block),
        Item::Set(set) => self::set(set, block),
        Item::Flowtable(table) => flowtable(table),
        Item::Object(object) => self::object(object),
    }
}

fn chain(chain: &Chain, block: bool) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(chain.comment.as_ref().map(|comment| format!("comment \"{comment}\"")));
    let mut parts = Vec::new();
    if let Some(base) = &chain.base {
        let devices = match base.devices.as_slice() {
            [device] if !base.device_list => format!(" device \"{}\"", device.text),
            [] if !base.device_list => String::new(),
            list => format!(" devices = {{ {} }}", names(list, ", ")),
        };
        let priority = priority(&base.priority);
        parts.push(format!("type {} hook {}{devices} priority {priority};", base.kind.text, base.hook.text));
    }
    parts.extend(chain.policy.as_ref().map(|policy| format!("policy {};", name(policy))));
    if !chain.flags.is_empty() {
        parts.push(format!("flags {};", names(&chain.flags, ",")));
    }
    if !parts.is_empty() {
        lines.push(parts.join(" "));
    }
    for rule in &chain.rules {
        let mut line = String::new();
        stmt::rule(&mut line, rule, block.then_some(2));
        if block {
            line.push_str(&handle(rule.handle));
        }
        lines.push(line);
    }
    lines
}

fn priority(priority: &Priority) -> String {
    match (&priority.base, priority.offset) {
        (None, offset) => offset.to_string(),
        (Some(base), 0) => name(base),
        (Some(base), offset) => {
            format!("{} {} {}", name(base), if offset < 0 { '-' } else { '+' }, offset.unsigned_abs())
        }
    }
}

fn set(set: &Set, block: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let data = set.data.as_ref().map_or(String::new(), |data| format!(" : {}", self::data(data)));
    match &set.key {
        Some(KeyType::Type(types)) => lines.push(format!("type {}{data}", names(types, " . "))),
        Some(KeyType::TypeOf(of)) => lines.push(format!("typeof {}{data}", text(of))),
        None => {}
    }
    lines.extend(set.policy.as_ref().map(|policy| format!("policy {}", policy.text)));
    lines.extend(set.size.map(|size| format!("size {size}")));
    if !set.flags.is_empty() {
        lines.push(format!("flags {}", names(&set.flags, ",")));
    }
    if !set.statements.is_empty() {
        let mut line = String::new();
        for (index, statement) in set.statements.iter().enumerate() {
            if index > 0 {
                line.push(' ');
            }
            stmt::stmt(&mut line, statement);
        }
        lines.push(line);
    }
    lines.extend(set.auto_merge.then(|| "auto-merge".to_owned()));
    lines.extend(set.timeout.map(|timeout| format!("timeout {}", time(timeout))));
    lines.extend(set.gc_interval.map(|interval| format!("gc-interval {}", time(interval))));
    lines.extend(set.comment.as_ref().map(|comment| format!("comment \"{comment}\"")));
    if !set.elements.is_empty() {
        let mut line = String::from("elements = ");
        expr::elements(&mut line, &set.elements, block.then(|| wrap::elements_a_line(set)));
        lines.push(line);
    }
    lines
}

fn data(data: &DataType) -> String {
    let ranged = |interval: bool| if interval { "interval " } else { "" };
    match data {
        DataType::Verdict => "verdict".to_owned(),
        DataType::Type { interval, types } => format!("{}{}", ranged(*interval), names(types, " . ")),
        DataType::TypeOf { interval, of } => format!("{}{}", ranged(*interval), text(of)),
        DataType::Object(kind) => object_kind(*kind).to_owned(),
    }
}

fn text(of: &super::super::ast::Expr) -> String {
    let mut out = String::new();
    expr::expr(&mut out, of);
    out
}

fn flowtable(table: &Flowtable) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(
        table.hook.as_ref().map(|(hook, priority)| format!("hook {} priority {}", hook.text, self::priority(priority))),
    );
    if !table.devices.is_empty() {
        lines.push(format!("devices = {{ {} }}", names(&table.devices, ", ")));
    }
    if !table.flags.is_empty() {
        lines.push(format!("flags {}", names(&table.flags, ",")));
    }
    lines.extend(table.counter.then(|| "counter".to_owned()));
    lines
}

fn object(object: &Object) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(object.comment.as_ref().map(|comment| format!("comment \"{comment}\"")));
    let family = |l3proto: &Option<super::Name>| l3proto.as_ref().map(|family| format!("l3proto {}", name(family)));
    match &object.body {
        ObjectBody::Counter(counts) => {
            lines.extend(counts.map(|(packets, bytes)| format!("packets {packets} bytes {bytes}")));
        }
        ObjectBody::Quota(quota) => lines.push(stmt::quota(quota)),
        ObjectBody::Limit(limit) => lines.push(stmt::limit(limit)),
        ObjectBody::CtHelper { helper, protocol, l3proto } => {
            lines.push(format!("type \"{}\" protocol {}", helper.text, name(protocol)));
            lines.extend(family(l3proto));
        }
        ObjectBody::CtTimeout { protocol, l3proto, policy } => {
            lines.push(format!("protocol {}", name(protocol)));
            lines.extend(family(l3proto));
            if !policy.is_empty() {
                let states: Vec<_> =
                    policy.iter().map(|(state, seconds)| format!("{} : {seconds}", name(state))).collect();
                lines.push(format!("policy = {{ {} }}", states.join(", ")));
            }
        }
        ObjectBody::CtExpectation { protocol, dport, timeout, size, l3proto } => {
            lines.push(format!("protocol {}", name(protocol)));
            lines.push(format!("dport {dport}"));
            lines.push(format!("timeout {}", time(*timeout)));
            lines.push(format!("size {size}"));
            lines.extend(family(l3proto));
        }
        ObjectBody::SecMark(context) => lines.push(format!("\"{context}\"")),
        ObjectBody::Synproxy(value) => lines.extend(stmt::synproxy(value)),
    }
    lines
}
