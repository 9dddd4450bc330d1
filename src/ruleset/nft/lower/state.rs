//! Commands carried out one after the other, as `nft -f` does.

use super::{Result, nearest};
use crate::ruleset::error::RuleError;
use crate::ruleset::model::{Family, Note};
use crate::ruleset::nft::ast::{self, CommandKind, Item, Name, Pos, RuleAction, RulePosition, Thing, ThingKind};
use std::sync::Arc;

/// Tables as they are.
pub(super) struct State<'a> {
    file: &'a Arc<str>,
    pub tables: Vec<TableState>,
    pub notes: Vec<Note>,
}

/// A table.
pub(super) struct TableState {
    pub pos: Pos,
    pub family: Family,
    pub name: String,
    pub dormant: bool,
    pub chains: Vec<ChainState>,
    pub sets: Vec<ast::Set>,
    pub objects: Vec<ast::Object>,
    pub flowtables: Vec<ast::Flowtable>,
}

/// A chain.
pub(super) struct ChainState {
    pub pos: Pos,
    pub name: Name,
    pub base: Option<ast::BaseChain>,
    pub policy: Option<Name>,
    pub rules: Vec<ast::Rule>,
}

impl<'a> State<'a> {
    pub(super) fn new(file: &'a Arc<str>) -> Self {
        Self { file, tables: Vec::new(), notes: Vec::new() }
    }

    fn fault(&self, pos: Pos, message: impl Into<String>) -> RuleError {
        RuleError::new(pos.place(self.file), message)
    }

    pub(super) fn command(&mut self, command: &ast::Command) -> Result<()> {
        match &command.kind {
            CommandKind::Table { table, .. } => {
                let at = self.open(table.pos, table.family, &table.name.text);
                if let Some(state) = self.tables.get_mut(at) {
                    state.dormant |= table.dormant();
                }
                table.items.iter().try_for_each(|item| self.item(at, item))
            }
            CommandKind::Item { table, item, .. } => {
                let at = self.table(table.family, &table.name)?;
                self.item(at, item)
            }
            CommandKind::Rule { action, table, chain, at, rule } => {
                let table = self.table(table.family, &table.name)?;
                self.rule(table, chain, *action, *at, rule)
            }
            CommandKind::Elements { action, table, set, elements } => {
                let table = self.table(table.family, &table.name)?;
                self.elements(table, set, *action, elements)
            }
            CommandKind::Delete { must_exist, what } => self.remove(what, *must_exist, false),
            CommandKind::Flush(what) => self.remove(what, true, true),
            CommandKind::Rename { table, chain, to } => {
                let at = self.table(table.family, &table.name)?;
                let chain = self.chain(at, chain)?;
                chain.name = to.clone();
                Ok(())
            }
            // Nothing is listed here, and what has counted nothing needs no reset.
            CommandKind::Reset(_) | CommandKind::List(_) => Ok(()),
        }
    }

    fn open(&mut self, pos: Pos, family: Family, name: &str) -> usize {
        if let Some(at) = self.tables.iter().position(|table| table.family == family && table.name == name) {
            return at;
        }
        let (chains, sets, objects, flowtables) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let name = name.to_owned();
        self.tables.push(TableState { pos, family, name, dormant: false, chains, sets, objects, flowtables });
        self.tables.len() - 1
    }

    fn table(&self, family: Family, name: &Name) -> Result<usize> {
        let found = self.tables.iter().position(|table| table.family == family && table.name == name.text);
        found.ok_or_else(|| {
            let names = self.tables.iter().map(|table| table.name.as_str());
            let hint = nearest(&name.text, names);
            self.fault(name.pos, format!("there is no table {} {:?}{hint}", family.as_str(), name.text))
        })
    }

    fn chain(&mut self, table: usize, name: &Name) -> Result<&mut ChainState> {
        let file = self.file;
        let Some(table) = self.tables.get_mut(table) else {
            return Err(RuleError::new(name.pos.place(file), "there is no such table"));
        };
        let names: Vec<String> = table.chains.iter().map(|chain| chain.name.text.clone()).collect();
        table.chains.iter_mut().find(|chain| chain.name.text == name.text).ok_or_else(|| {
            let hint = nearest(&name.text, names.iter().map(String::as_str));
            RuleError::new(name.pos.place(file), format!("there is no chain {:?}{hint}", name.text))
        })
    }

    fn item(&mut self, table: usize, item: &Item) -> Result<()> {
        let Some(state) = self.tables.get_mut(table) else { return Ok(()) };
        match item {
            Item::Chain(chain) => {
                let at = state.chains.iter().position(|known| known.name.text == chain.name.text);
                let at = at.unwrap_or_else(|| {
                    let (name, base, policy) = (chain.name.clone(), None, None);
                    state.chains.push(ChainState { pos: chain.pos, name, base, policy, rules: Vec::new() });
                    state.chains.len() - 1
                });
                if let Some(known) = state.chains.get_mut(at) {
                    known.base = chain.base.clone().or_else(|| known.base.take());
                    known.policy = chain.policy.clone().or_else(|| known.policy.take());
                    known.rules.extend(chain.rules.iter().cloned());
                }
            }
            Item::Set(set) => match state.sets.iter_mut().find(|known| known.name.text == set.name.text) {
                Some(known) => known.elements.extend(set.elements.iter().cloned()),
                None => state.sets.push(set.clone()),
            },
            Item::Flowtable(flowtable) => state.flowtables.push(flowtable.clone()),
            Item::Object(object) => {
                let same = |known: &ast::Object| {
                    known.name.text == object.name.text && known.body.kind() == object.body.kind()
                };
                if !state.objects.iter().any(same) {
                    state.objects.push(object.clone());
                }
            }
        }
        Ok(())
    }

    fn rule(
        &mut self,
        table: usize,
        chain: &Name,
        action: RuleAction,
        at: Option<RulePosition>,
        rule: &ast::Rule,
    ) -> Result<()> {
        let pos = rule.pos;
        let file = Arc::clone(self.file);
        let chain = self.chain(table, chain)?;
        let place = match at {
            None => None,
            Some(RulePosition::Index(index)) => usize::try_from(index).ok().filter(|at| *at < chain.rules.len()),
            Some(RulePosition::Handle(handle)) => chain.rules.iter().position(|rule| rule.handle == Some(handle)),
        };
        if at.is_some() && place.is_none() {
            let message =
                "there is no rule at this place: expected an index from 0, or the handle of a rule of this file";
            return Err(RuleError::new(pos.place(&file), message));
        }
        match (action, place) {
            (RuleAction::Add, None) => chain.rules.push(rule.clone()),
            (RuleAction::Add, Some(at)) => chain.rules.insert(at + 1, rule.clone()),
            (RuleAction::Insert, at) => chain.rules.insert(at.unwrap_or(0), rule.clone()),
            (RuleAction::Replace, Some(at)) => {
                if let Some(old) = chain.rules.get_mut(at) {
                    *old = rule.clone();
                }
            }
            (RuleAction::Replace, None) => return Err(RuleError::new(pos.place(&file), "replace needs a handle")),
        }
        Ok(())
    }

    fn elements(
        &mut self,
        table: usize,
        name: &Name,
        action: ast::ElementAction,
        elements: &[ast::Element],
    ) -> Result<()> {
        let file = self.file;
        let set =
            self.tables.get_mut(table).and_then(|table| table.sets.iter_mut().find(|set| set.name.text == name.text));
        let Some(set) = set else {
            return Err(RuleError::new(name.pos.place(file), format!("there is no set or map {:?}", name.text)));
        };
        match action {
            ast::ElementAction::Add | ast::ElementAction::Create => set.elements.extend(elements.iter().cloned()),
            ast::ElementAction::Delete | ast::ElementAction::Destroy => {
                // Literals are compared as written, which is how a script names again what it has put in.
                let written = |element: &ast::Element| format!("{:?}", without_places(&element.key));
                let gone: Vec<String> = elements.iter().map(written).collect();
                set.elements.retain(|element| !gone.contains(&written(element)));
            }
            ast::ElementAction::Get | ast::ElementAction::Reset => {}
        }
        Ok(())
    }

    /// Deletes (or, flushing, empties) what is named.
    fn remove(&mut self, what: &Thing, must_exist: bool, flush: bool) -> Result<()> {
        let family = what.family;
        let of_family = |table: &TableState| family.is_none_or(|family| table.family == family);
        let name = what.name.as_ref().map(|name| name.text.as_str());
        if what.kind == ThingKind::Ruleset {
            self.tables.retain(|table| !of_family(table));
            return Ok(());
        }
        let Some(table_name) = &what.table else { return Ok(()) };
        let at = match self.table(family.unwrap_or(Family::Ip), table_name) {
            Ok(at) => at,
            Err(_) if !must_exist => return Ok(()),
            Err(error) => return Err(error),
        };
        if what.kind == ThingKind::Table && !flush {
            self.tables.remove(at);
            return Ok(());
        }
        let Some(table) = self.tables.get_mut(at) else { return Ok(()) };
        let named = |text: &str| name.is_none_or(|name| name == text);
        match what.kind {
            ThingKind::Table => table.chains.iter_mut().for_each(|chain| chain.rules.clear()),
            ThingKind::Chain if flush => {
                table.chains.iter_mut().filter(|chain| named(&chain.name.text)).for_each(|chain| chain.rules.clear());
            }
            ThingKind::Chain => table.chains.retain(|chain| !named(&chain.name.text)),
            ThingKind::Rule => {
                let index = what.index.and_then(|index| usize::try_from(index).ok());
                for chain in table.chains.iter_mut().filter(|chain| named(&chain.name.text)) {
                    match index {
                        Some(index) if index < chain.rules.len() => drop(chain.rules.remove(index)),
                        _ => chain.rules.retain(|rule| what.handle.is_none() || rule.handle != what.handle),
                    }
                }
            }
            ThingKind::Set | ThingKind::Map | ThingKind::Meter if flush => {
                table.sets.iter_mut().filter(|set| named(&set.name.text)).for_each(|set| set.elements.clear());
            }
            ThingKind::Set | ThingKind::Map | ThingKind::Meter => table.sets.retain(|set| !named(&set.name.text)),
            ThingKind::Flowtable => table.flowtables.retain(|flowtable| !named(&flowtable.name.text)),
            ThingKind::Object(kind) => {
                table.objects.retain(|object| object.body.kind() != kind || !named(&object.name.text));
            }
            ThingKind::Ruleset | ThingKind::Hooks => {}
        }
        Ok(())
    }
}

/// A key without the places of its words, for comparison.
fn without_places(expr: &ast::Expr) -> ast::Expr {
    let mut expr = expr.clone();
    expr.pos = Pos::default();
    match &mut expr.kind {
        ast::ExprKind::Concat(parts) => parts.iter_mut().for_each(|part| *part = without_places(part)),
        ast::ExprKind::Prefix(of, _) => **of = without_places(of),
        ast::ExprKind::Range(low, high) => {
            **low = without_places(low);
            **high = without_places(high);
        }
        _ => {}
    }
    expr
}
