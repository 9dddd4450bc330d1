//! What `delete`, `flush`, `reset` and `list` name.

use super::super::ast::{Thing, ThingKind};
use super::document::Node;
use super::object::{family, object_kind};
use super::{Fault, Read};

/// `{"table": {"family": "inet", "name": "t"}}`, `{"ruleset": null}`.
pub(super) fn thing(name: &str, inner: &Node) -> Read<Thing> {
    let kind = kind(name).ok_or_else(|| inner.fault(format!("expected a ruleset, table, chain …, found {name:?}")))?;
    let mut thing = Thing { kind, family: None, table: None, name: None, handle: None, index: None };
    if inner.is_null() {
        return Ok(thing);
    }
    let members = inner.members("the names of what is meant")?;
    if members.get("family").is_some() {
        thing.family = Some(family(members)?);
    }
    thing.handle = members.number("handle")?;
    thing.index = members.number("index")?;
    match kind {
        ThingKind::Ruleset | ThingKind::Hooks => {}
        ThingKind::Table => thing.table = members.name("name")?,
        ThingKind::Rule => (thing.table, thing.name) = (members.name("table")?, members.name("chain")?),
        _ => (thing.table, thing.name) = (members.name("table")?, members.name("name")?),
    }
    // Text cannot name a thing without its table either.
    match thing.table.is_none() && (thing.name.is_some() || thing.index.is_some()) {
        true => Err(Fault { pos: members.pos, message: "expected a member \"table\"".to_owned() }),
        false => Ok(thing),
    }
}

fn kind(name: &str) -> Option<ThingKind> {
    Some(match name {
        "ruleset" => ThingKind::Ruleset,
        "table" | "tables" => ThingKind::Table,
        "chain" | "chains" => ThingKind::Chain,
        "rule" | "rules" => ThingKind::Rule,
        "set" | "sets" => ThingKind::Set,
        "map" | "maps" => ThingKind::Map,
        "flowtable" | "flowtables" => ThingKind::Flowtable,
        "meter" | "meters" => ThingKind::Meter,
        "hooks" => ThingKind::Hooks,
        plural => ThingKind::Object(object_kind(plural).or_else(|| object_kind(plural.strip_suffix('s')?))?),
    })
}
