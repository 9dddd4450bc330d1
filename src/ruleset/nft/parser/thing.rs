//! What `delete`, `flush`, `reset` and `list` name.

use super::super::ObjectKind;
use super::super::ast::{Thing, ThingKind};
use super::super::lexer::Kind;
use super::{Parsed, Parser};

impl Parser<'_> {
    pub(super) fn thing(&mut self) -> Parsed<Thing> {
        let kind = self.thing_kind()?;
        let family = self.family();
        let mut thing = Thing { kind, family, table: None, name: None, handle: None, index: None };
        // `list sets table inet t`.
        self.accept_word("table");
        if thing.family.is_none() {
            thing.family = self.family();
        }
        if !self.at_end() && self.word() != Some("handle") {
            thing.table = Some(self.name("the name of a table")?);
        }
        let named = !matches!(kind, ThingKind::Table | ThingKind::Ruleset);
        if named && matches!(self.peek(), Kind::Word(_) | Kind::Text(_)) && self.word() != Some("handle") {
            thing.name = Some(self.name("a name")?);
        }
        if self.accept_word("handle") {
            thing.handle = Some(self.number("a handle")?);
        } else if self.accept_word("index") {
            thing.index = Some(self.number("the index of a rule")?);
        }
        Ok(thing)
    }

    fn thing_kind(&mut self) -> Parsed<ThingKind> {
        let kind = match self.word().unwrap_or("") {
            "ruleset" => ThingKind::Ruleset,
            "table" | "tables" => ThingKind::Table,
            "chain" | "chains" => ThingKind::Chain,
            "rule" | "rules" => ThingKind::Rule,
            "set" | "sets" => ThingKind::Set,
            "map" | "maps" => ThingKind::Map,
            "flowtable" | "flowtables" => ThingKind::Flowtable,
            "flow" if self.word_at(1) == Some("table") => {
                self.bump();
                ThingKind::Meter
            }
            "meter" | "meters" => ThingKind::Meter,
            "hooks" => ThingKind::Hooks,
            "counters" => ThingKind::Object(ObjectKind::Counter),
            "quotas" => ThingKind::Object(ObjectKind::Quota),
            "limits" => ThingKind::Object(ObjectKind::Limit),
            "secmarks" => ThingKind::Object(ObjectKind::SecMark),
            "synproxys" => ThingKind::Object(ObjectKind::Synproxy),
            _ => {
                let kind = self.object_kind();
                return kind
                    .map(ThingKind::Object)
                    .ok_or_else(|| self.unexpected("`ruleset`, `table`, `chain`, `rule`, `set` or the like"));
            }
        };
        self.bump();
        Ok(kind)
    }
}
