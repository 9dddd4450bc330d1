//! Syntax tree in, text out, laid out as `nft list ruleset` of 1.0.6 does: what was read from a listing is printed as the
//! same bytes. Literals keep the form in which they were written, so a script prints tidied up, not translated.

mod block;
mod expr;
mod stmt;
mod wrap;

use super::ObjectKind;
use super::ast::{
    Command, CommandKind, ElementAction, Item, Name, Rule, RuleAction, RulePosition, Script, TableRef, Thing, ThingKind,
};
use std::fmt::Write as _;

/// A script as text.
pub fn print(script: &Script) -> String {
    let mut out = String::new();
    for command in &script.commands {
        self::command(&mut out, command);
    }
    out
}

/// A rule on one line, without its handle.
pub fn print_rule(rule: &Rule) -> String {
    let mut out = String::new();
    stmt::rule(&mut out, rule, None);
    out
}

fn command(out: &mut String, command: &Command) {
    match &command.kind {
        CommandKind::Table { create, table } => {
            let verb = match (create, table.block) {
                (true, _) => "create ",
                (false, true) => "",
                (false, false) => "add ",
            };
            block::table(out, verb, table);
        }
        CommandKind::Item { create, table, item } => {
            out.push_str(if *create { "create " } else { "add " });
            self::item(out, table, item);
        }
        CommandKind::Rule { action, table, chain, at, rule } => {
            let verb = match action {
                RuleAction::Add => "add",
                RuleAction::Insert => "insert",
                RuleAction::Replace => "replace",
            };
            put(out, format_args!("{verb} rule {} {}", table_ref(table), name(chain)));
            match at {
                Some(RulePosition::Handle(handle)) => put(out, format_args!(" handle {handle}")),
                Some(RulePosition::Index(index)) => put(out, format_args!(" index {index}")),
                None => {}
            }
            out.push(' ');
            stmt::rule(out, rule, None);
        }
        CommandKind::Elements { action, table, set, elements } => {
            let verb = match action {
                ElementAction::Add => "add",
                ElementAction::Create => "create",
                ElementAction::Delete => "delete",
                ElementAction::Destroy => "destroy",
                ElementAction::Get => "get",
                ElementAction::Reset => "reset",
            };
            put(out, format_args!("{verb} element {} {} ", table_ref(table), name(set)));
            expr::elements(out, elements, None);
        }
        CommandKind::Delete { must_exist, what } => thing(out, if *must_exist { "delete" } else { "destroy" }, what),
        CommandKind::Flush(what) => thing(out, "flush", what),
        CommandKind::Reset(what) => thing(out, "reset", what),
        CommandKind::List(what) => thing(out, "list", what),
        CommandKind::Rename { table, chain, to } => {
            put(out, format_args!("rename chain {} {} {}", table_ref(table), name(chain), name(to)));
        }
    }
    out.push('\n');
}

fn item(out: &mut String, table: &TableRef, item: &Item) {
    let (kind, item_name) = match item {
        Item::Chain(chain) => ("chain", &chain.name),
        Item::Set(set) if set.map => ("map", &set.name),
        Item::Set(set) => ("set", &set.name),
        Item::Flowtable(flowtable) => ("flowtable", &flowtable.name),
        Item::Object(object) => (object_kind(object.body.kind()), &object.name),
    };
    put(out, format_args!("{kind} {} {}", table_ref(table), name(item_name)));
    let lines = block::lines(item, false);
    match (lines.is_empty(), item) {
        (true, Item::Chain(chain)) if !chain.block => {}
        (true, Item::Flowtable(_)) => {}
        (true, _) => out.push_str(" { }"),
        (false, _) => {
            out.push_str(" {");
            for line in lines {
                put(out, format_args!(" {line}{}", if line.ends_with(';') { "" } else { ";" }));
            }
            out.push_str(" }");
        }
    }
}

fn thing(out: &mut String, verb: &str, thing: &Thing) {
    let kind = match thing.kind {
        ThingKind::Ruleset => "ruleset",
        ThingKind::Table => "table",
        ThingKind::Chain => "chain",
        ThingKind::Rule => "rule",
        ThingKind::Set => "set",
        ThingKind::Map => "map",
        ThingKind::Flowtable => "flowtable",
        ThingKind::Meter => "meter",
        ThingKind::Object(kind) => object_kind(kind),
        ThingKind::Hooks => "hooks",
    };
    put(out, format_args!("{verb} {kind}"));
    if let Some(family) = thing.family {
        put(out, format_args!(" {}", family.as_str()));
    }
    for part in [&thing.table, &thing.name].into_iter().flatten() {
        put(out, format_args!(" {}", name(part)));
    }
    if let Some(handle) = thing.handle {
        put(out, format_args!(" handle {handle}"));
    }
    if let Some(index) = thing.index {
        put(out, format_args!(" index {index}"));
    }
}

fn object_kind(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Counter => "counter",
        ObjectKind::Quota => "quota",
        ObjectKind::Limit => "limit",
        ObjectKind::CtHelper => "ct helper",
        ObjectKind::CtTimeout => "ct timeout",
        ObjectKind::CtExpectation => "ct expectation",
        ObjectKind::SecMark => "secmark",
        ObjectKind::Synproxy => "synproxy",
        ObjectKind::FlowTable => "flowtable",
    }
}

fn table_ref(table: &TableRef) -> String {
    format!("{} {}", table.family.as_str(), name(&table.name))
}

/// A name, in quotes if it is no bare word.
fn name(name: &Name) -> String {
    let text = name.text.as_str();
    let bare = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if begins && text.chars().all(bare) { text.to_owned() } else { format!("\"{text}\"") }
}

/// Names with commas between.
fn names(list: &[Name], separator: &str) -> String {
    list.iter().map(name).collect::<Vec<_>>().join(separator)
}

/// Milliseconds as nft writes a time: `1h30m`.
pub(super) fn time(millis: u64) -> String {
    let mut rest = millis;
    let mut out = String::new();
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            put(&mut out, format_args!("{count}{unit}"));
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// Writes to a string, which cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _infallible = out.write_fmt(text);
}
