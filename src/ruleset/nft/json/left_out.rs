//! What nft 1.0.6 does not print: that a set is `dynamic`, and which `integer` its keys or data are (of a `typeof` set).
//! Both are found from the rules that use the set.

use super::super::ast::{
    CommandKind, DataType, Element, Expr, ExprKind, Item, KeyType, Name, Rule, Script, Set, Stmt, StmtKind, TableRef,
    Verdict,
};
use crate::ruleset::model::Family;
use std::collections::HashMap;

/// Puts in what is left out.
pub(super) fn complete(script: &mut Script) {
    let mut uses = Uses { table: (Family::Ip, String::new()), sets: HashMap::new() };
    for command in &script.commands {
        match &command.kind {
            CommandKind::Table { table, .. } => {
                uses.table = (table.family, table.name.text.clone());
                for item in &table.items {
                    if let Item::Chain(chain) = item {
                        chain.rules.iter().for_each(|rule| uses.rule(rule));
                    }
                }
            }
            CommandKind::Rule { table, rule, .. } => {
                uses.table = key_of(table);
                uses.rule(rule);
            }
            _ => {}
        }
    }
    for command in &mut script.commands {
        match &mut command.kind {
            CommandKind::Table { table, .. } => {
                let key = (table.family, table.name.text.clone());
                for item in &mut table.items {
                    uses.complete(&key, item);
                }
            }
            CommandKind::Item { table, item, .. } => uses.complete(&key_of(table), item),
            _ => {}
        }
    }
}

/// Family and name.
type TableKey = (Family, String);

fn key_of(table: &TableRef) -> TableKey {
    (table.family, table.name.text.clone())
}

/// How sets are used, by table and name.
struct Uses {
    /// The table at hand.
    table: TableKey,
    sets: HashMap<(TableKey, String), Use>,
}

/// How a set is used.
#[derive(Default)]
struct Use {
    /// What is looked up in it.
    key: Option<Expr>,
    /// What is set to the values of it.
    data: Option<Expr>,
    /// Rules put elements in.
    dynamic: bool,
}

impl Uses {
    fn rule(&mut self, rule: &Rule) {
        rule.statements.iter().for_each(|statement| self.stmt(statement));
    }

    fn of(&mut self, set: &Name) -> &mut Use {
        self.sets.entry((self.table.clone(), set.text.clone())).or_default()
    }

    fn lookup(&mut self, key: &Expr, set: &Expr) {
        match &set.kind {
            ExprKind::SetRef(name) => {
                self.of(name).key.get_or_insert_with(|| key.clone());
            }
            _ => self.expr(set),
        }
        self.expr(key);
    }

    fn stmt(&mut self, statement: &Stmt) {
        match &statement.kind {
            StmtKind::Match { left, right, .. } => self.lookup(left, right),
            StmtKind::Vmap { key, map } => self.lookup(key, map),
            StmtKind::SetMeta { value, .. } | StmtKind::SetCt { value, .. } => self.expr(value),
            StmtKind::SetField { field, value } => {
                if let ExprKind::Map { map, .. } = &value.kind
                    && let ExprKind::SetRef(name) = &map.kind
                {
                    self.of(name).data.get_or_insert_with(|| field.clone());
                }
                self.expr(value);
            }
            StmtKind::Nat(nat) => [&nat.address, &nat.port].into_iter().flatten().for_each(|of| self.expr(of)),
            StmtKind::Tproxy { address, port, .. } => {
                [address, port].into_iter().flatten().for_each(|of| self.expr(of));
            }
            StmtKind::Dup { to, device } => [to, device].into_iter().flatten().for_each(|of| self.expr(of)),
            StmtKind::Fwd { to, .. } => self.expr(to),
            StmtKind::Queue { to: Some(to), .. } => self.expr(to),
            StmtKind::Object { name, .. } => self.expr(name),
            StmtKind::DynSet { set, element, .. } => {
                let known = self.of(set);
                known.dynamic = true;
                known.key.get_or_insert_with(|| element.key.clone());
                self.element(element);
            }
            StmtKind::Meter { element, .. } => self.element(element),
            StmtKind::Verdict(Verdict::Block { rules, .. }) => rules.iter().for_each(|rule| self.rule(rule)),
            _ => {}
        }
    }

    fn element(&mut self, element: &Element) {
        self.expr(&element.key);
        element.data.iter().for_each(|data| self.expr(data));
    }

    /// Maps in an expression.
    fn expr(&mut self, of: &Expr) {
        match &of.kind {
            ExprKind::Map { key, map } => self.lookup(key, map),
            ExprKind::Concat(parts) | ExprKind::List(parts) => parts.iter().for_each(|part| self.expr(part)),
            ExprKind::Binary { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Group(inner) => self.expr(inner),
            ExprKind::Jhash { of, .. } => self.expr(of),
            ExprKind::Set(elements) => elements.iter().for_each(|element| self.element(element)),
            _ => {}
        }
    }

    fn complete(&self, table: &TableKey, item: &mut Item) {
        let Item::Set(set) = item else { return };
        let Some(of) = self.sets.get(&(table.clone(), set.name.text.clone())) else { return };
        if of.dynamic && !set.flags.iter().any(|flag| flag.text == "dynamic") {
            set.flags.insert(0, Name { pos: set.pos, text: "dynamic".to_owned() });
        }
        complete_types(set, of);
    }
}

/// An `integer` has no width of its own: it is as wide as what is compared with it. Of a concatenation, fields whose type
/// nft has no name for (`ct original proto-dst`) are missing altogether.
fn complete_types(set: &mut Set, of: &Use) {
    let is_integer = |names: &[Name]| names.iter().any(|name| name.text == "integer");
    if let (Some(KeyType::Type(names)), Some(key)) = (&set.key, &of.key)
        && (is_integer(names) && fields(key) == names.len() || fields(key) > names.len())
    {
        set.key = Some(KeyType::TypeOf(key.clone()));
    }
    if let (Some(DataType::Type { interval, types }), Some(data)) = (&set.data, &of.data)
        && is_integer(types)
        && fields(data) == types.len()
    {
        set.data = Some(DataType::TypeOf { interval: *interval, of: data.clone() });
    }
}

fn fields(of: &Expr) -> usize {
    match &of.kind {
        ExprKind::Concat(parts) => parts.len(),
        _ => 1,
    }
}
