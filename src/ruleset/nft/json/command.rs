//! Commands. A listing has bare objects (table, its sets, its chains, then the rules one by one); they and what is added
//! without a place are put together to tables with blocks, as the text form has them.

use super::super::ast::{
    Chain, Command, CommandKind, ElementAction, Item, Pos, Rule, RuleAction, RulePosition, Script, Set, TableRef,
};
use super::document::Node;
use super::members::Members;
use super::{Fault, Read, Reader, object, thing};
use crate::ruleset::model::Family;
use std::collections::HashMap;

/// The commands of a document.
pub(super) fn script(root: &Node) -> Read<Script> {
    let members = root.members("{\"nftables\": […]}")?;
    let mut commands = Commands::default();
    for node in members.need("nftables")?.list("a list of objects and commands")? {
        commands.read(node)?;
    }
    Ok(Script { commands: commands.list })
}

/// What has been read.
#[derive(Default)]
struct Commands {
    list: Vec<Command>,
    /// Tables whose blocks still take what comes, with their places in the list.
    tables: HashMap<(Family, String), Open>,
}

/// A table's block.
struct Open {
    /// Place in the list of commands.
    at: usize,
    /// Places of its chains.
    chains: HashMap<String, usize>,
    /// Places of its sets.
    sets: HashMap<String, usize>,
}

/// How an object is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    /// A bare object of a listing: its handle is its own.
    Listed,
    Add,
    Create,
}

impl Commands {
    fn read(&mut self, node: &Node) -> Read<()> {
        let (name, inner) = node.only_member("an object or a command")?;
        match name {
            "metainfo" => Ok(()),
            "add" => self.added(Verb::Add, node.pos, inner),
            "create" => self.added(Verb::Create, node.pos, inner),
            "insert" => self.placed(RuleAction::Insert, node.pos, inner),
            "replace" => self.placed(RuleAction::Replace, node.pos, inner),
            "delete" | "destroy" | "flush" | "reset" | "list" | "rename" => self.other(name, node.pos, inner),
            _ => self.object(Verb::Listed, node.pos, name, inner),
        }
    }

    fn added(&mut self, verb: Verb, pos: Pos, node: &Node) -> Read<()> {
        let (name, inner) = node.only_member("what is added")?;
        self.object(verb, pos, name, inner)
    }

    /// A table or something in a table.
    fn object(&mut self, verb: Verb, pos: Pos, name: &str, node: &Node) -> Read<()> {
        let members = node.members("an object of nftables")?;
        match name {
            "table" => self.table(verb, pos, members),
            "chain" => {
                let chain = object::chain(members)?;
                self.item(verb, pos, members, Item::Chain(chain))
            }
            "rule" => {
                let index = members.number("index")?.map(RulePosition::Index);
                let handle = members.number("handle")?.or(members.number("position")?).map(RulePosition::Handle);
                let at = if verb == Verb::Listed { None } else { index.or(handle) };
                self.rule(RuleAction::Add, at, pos, members)
            }
            "set" | "map" | "meter" => {
                let set = Reader::new(object::family(members)?).set(name == "map", members)?;
                self.item(verb, pos, members, Item::Set(set))
            }
            "element" => {
                let create = verb == Verb::Create;
                self.elements(if create { ElementAction::Create } else { ElementAction::Add }, pos, members)
            }
            "flowtable" => {
                let table = object::flowtable(members)?;
                self.item(verb, pos, members, Item::Flowtable(table))
            }
            _ => match object::object_kind(name) {
                Some(kind) => {
                    let object = object::object(kind, members)?;
                    self.item(verb, pos, members, Item::Object(object))
                }
                None => {
                    let known = "table, chain, rule, set, map, element, flowtable, counter and the like, or a command";
                    Err(node.fault(format!("expected an object of nftables ({known}), found {name:?}")))
                }
            },
        }
    }

    fn table(&mut self, verb: Verb, pos: Pos, members: Members<'_>) -> Read<()> {
        let table = object::table(members)?;
        let open = Open { at: self.list.len(), chains: HashMap::new(), sets: HashMap::new() };
        // A table that is added again keeps what it has.
        self.tables.entry((table.family, table.name.text.clone())).or_insert(open);
        self.list.push(Command { pos, kind: CommandKind::Table { create: verb == Verb::Create, table } });
        Ok(())
    }

    fn item(&mut self, verb: Verb, pos: Pos, members: Members<'_>, item: Item) -> Read<()> {
        let table = table_ref(members)?;
        let open = self.tables.get_mut(&(table.family, table.name.text.clone()));
        let block = open.and_then(|open| match &mut self.list.get_mut(open.at)?.kind {
            CommandKind::Table { table, .. } if verb != Verb::Create => Some((open, table)),
            _ => None,
        });
        match block {
            Some((open, block)) => {
                match &item {
                    Item::Chain(chain) => drop(open.chains.insert(chain.name.text.clone(), block.items.len())),
                    Item::Set(set) => drop(open.sets.insert(set.name.text.clone(), block.items.len())),
                    _ => {}
                }
                block.items.push(item);
            }
            None => {
                let kind = CommandKind::Item { create: verb == Verb::Create, table, item };
                self.list.push(Command { pos, kind });
            }
        }
        Ok(())
    }

    fn rule(&mut self, action: RuleAction, at: Option<RulePosition>, pos: Pos, members: Members<'_>) -> Read<()> {
        let table = table_ref(members)?;
        let chain = members.need_name("chain")?;
        let mut rule = Rule {
            pos: members.pos,
            handle: members.number("handle")?,
            statements: Vec::new(),
            comment: members.text("comment")?,
        };
        Reader::new(table.family).statements(members.need("expr")?, &mut rule.statements)?;
        if rule.statements.is_empty() {
            return Err(members.need("expr")?.fault("expected at least one statement"));
        }
        if action == RuleAction::Add && at.is_none() {
            if let Some(chain) = self.open_chain(&table, &chain.text) {
                chain.rules.push(rule);
                return Ok(());
            }
        } else {
            // What is placed by its neighbours must stand after them in the script.
            self.tables.clear();
        }
        self.list.push(Command { pos, kind: CommandKind::Rule { action, table, chain, at, rule } });
        Ok(())
    }

    fn open_chain(&mut self, table: &TableRef, chain: &str) -> Option<&mut Chain> {
        let open = self.tables.get(&(table.family, table.name.text.clone()))?;
        let at = *open.chains.get(chain)?;
        match &mut self.list.get_mut(open.at)?.kind {
            CommandKind::Table { table, .. } => match table.items.get_mut(at)? {
                Item::Chain(chain) => Some(chain),
                _ => None,
            },
            _ => None,
        }
    }

    fn open_set(&self, table: &TableRef, set: &str) -> Option<&Set> {
        let open = self.tables.get(&(table.family, table.name.text.clone()))?;
        let at = *open.sets.get(set)?;
        match &self.list.get(open.at)?.kind {
            CommandKind::Table { table, .. } => match table.items.get(at)? {
                Item::Set(set) => Some(set),
                _ => None,
            },
            _ => None,
        }
    }

    fn placed(&mut self, action: RuleAction, pos: Pos, node: &Node) -> Read<()> {
        let (name, inner) = node.only_member("a rule")?;
        if name != "rule" {
            return Err(inner.fault(format!("expected a rule, found {name:?}")));
        }
        let members = inner.members("a rule")?;
        let index = members.number("index")?.map(RulePosition::Index);
        let handle = members.number("handle")?.or(members.number("position")?).map(RulePosition::Handle);
        if action == RuleAction::Replace && handle.is_none() {
            return Err(inner.fault("expected a member \"handle\""));
        }
        self.rule(action, if action == RuleAction::Replace { handle } else { index.or(handle) }, pos, members)
    }

    fn elements(&mut self, action: ElementAction, pos: Pos, members: Members<'_>) -> Read<()> {
        let table = table_ref(members)?;
        let set = members.need_name("name")?;
        let known = self.open_set(&table, &set.text);
        let elements = Reader::new(table.family).elements_of(members.need("elem")?, known)?;
        let kind = CommandKind::Elements { action, table, set, elements };
        self.list.push(Command { pos, kind });
        Ok(())
    }

    fn other(&mut self, verb: &str, pos: Pos, node: &Node) -> Read<()> {
        let (name, inner) = node.only_member("what is meant")?;
        let of_elements = match verb {
            "delete" => Some(ElementAction::Delete),
            "destroy" => Some(ElementAction::Destroy),
            "reset" => Some(ElementAction::Reset),
            _ => None,
        };
        if let (Some(action), "element") = (of_elements, name) {
            self.elements(action, pos, inner.members("a set and elements")?)?;
        } else if verb == "rename" {
            self.rename(pos, name, inner)?;
        } else {
            let what = thing::thing(name, inner)?;
            let kind = match verb {
                "delete" | "destroy" => CommandKind::Delete { must_exist: verb == "delete", what },
                "flush" => CommandKind::Flush(what),
                "reset" => CommandKind::Reset(what),
                _ => CommandKind::List(what),
            };
            self.list.push(Command { pos, kind });
        }
        self.tables.clear();
        Ok(())
    }

    fn rename(&mut self, pos: Pos, name: &str, node: &Node) -> Read<()> {
        if name != "chain" {
            return Err(node.fault(format!("expected a chain, found {name:?}")));
        }
        let members = node.members("a chain and its new name")?;
        let (table, chain, to) = (table_ref(members)?, members.need_name("name")?, members.need_name("newname")?);
        self.list.push(Command { pos, kind: CommandKind::Rename { table, chain, to } });
        Ok(())
    }
}

fn table_ref(members: Members<'_>) -> Result<TableRef, Fault> {
    Ok(TableRef { family: object::family(members)?, name: members.need_name("table")? })
}
