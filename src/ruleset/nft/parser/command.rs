//! Commands of a script.

use super::super::ast::{
    Command, CommandKind, ElementAction, ExprKind, Item, RuleAction, RulePosition, Script, TableRef, ThingKind,
};
use super::super::lexer::Kind;
use super::{Parsed, Parser};
use crate::ruleset::model::Family;

impl Parser<'_> {
    pub(super) fn script(&mut self) -> Parsed<Script> {
        self.scoped(|parser| {
            let mut script = Script::default();
            let mut notice = None;
            loop {
                match parser.peek() {
                    Kind::End => return Ok(script),
                    Kind::Notice(text) => notice = Some(text.to_owned()),
                    Kind::Newline | Kind::Punct(";") => {}
                    _ => {
                        script.commands.extend(parser.command(notice.take())?);
                        parser.end_of_statement("the end of the line or `;`")?;
                        if parser.is("}") {
                            return Err(parser.unexpected("the end of the line or `;`"));
                        }
                        continue;
                    }
                }
                parser.bump();
            }
        })
    }

    /// A command; `None` for a define.
    fn command(&mut self, notice: Option<String>) -> Parsed<Option<Command>> {
        self.nft_itself()?;
        if self.define()? {
            return Ok(None);
        }
        let pos = self.pos();
        let Some(word) = self.word() else { return Err(self.unexpected("a command like `table` or `add`")) };
        let kind = match word {
            "add" => {
                self.bump();
                self.add(false, notice)?
            }
            "create" => {
                self.bump();
                self.add(true, notice)?
            }
            "insert" => self.placed_rule(RuleAction::Insert)?,
            "replace" => self.placed_rule(RuleAction::Replace)?,
            "delete" | "destroy" => self.delete(word == "delete")?,
            "get" => self.element_command(ElementAction::Get)?,
            "reset" if self.word_at(1) == Some("element") => self.element_command(ElementAction::Reset)?,
            "flush" | "reset" | "list" => {
                self.bump();
                let thing = self.thing()?;
                match word {
                    "flush" => CommandKind::Flush(thing),
                    "reset" => CommandKind::Reset(thing),
                    _ => CommandKind::List(thing),
                }
            }
            "rename" => self.rename()?,
            "include" => return Err(self.include()),
            _ => self.add(false, notice)?,
        };
        Ok(Some(Command { pos, kind }))
    }

    /// The word `nft` before a command, as in a shell script.
    fn nft_itself(&mut self) -> Parsed<()> {
        if self.accept_word("nft") && self.is("-") {
            return Err(self.unexpected("a command like `add`: options of nft are not understood"));
        }
        Ok(())
    }

    fn include(&mut self) -> super::RuleError {
        self.error("`include` is not followed: give the included file too, joined to this one by a comma")
    }

    /// What follows `add` or `create`; the word `add` may be left out.
    fn add(&mut self, create: bool, notice: Option<String>) -> Parsed<CommandKind> {
        match self.word() {
            Some("table") => {
                self.bump();
                Ok(CommandKind::Table { create, table: self.table(notice)? })
            }
            Some("chain") => {
                self.bump();
                let table = self.table_ref()?;
                Ok(CommandKind::Item { create, table, item: Item::Chain(self.chain()?) })
            }
            Some("rule") => {
                self.bump();
                self.rule_command(RuleAction::Add)
            }
            Some("set" | "map") => {
                let mut set = self.set_head()?;
                let table = self.table_ref()?;
                set.name = self.name("the name of a set or map")?;
                self.set_body(&mut set)?;
                Ok(CommandKind::Item { create, table, item: Item::Set(set) })
            }
            Some("element") => {
                self.bump();
                self.elements_of(if create { ElementAction::Create } else { ElementAction::Add })
            }
            Some("flowtable") => {
                self.bump();
                let table = self.table_ref()?;
                let name = self.name("the name of a flowtable")?;
                Ok(CommandKind::Item { create, table, item: Item::Flowtable(self.flowtable_body(name)?) })
            }
            _ => self.add_object(create),
        }
    }

    fn add_object(&mut self, create: bool) -> Parsed<CommandKind> {
        if let Some(kind) = self.object_kind() {
            let table = self.table_ref()?;
            let name = self.name("a name")?;
            return Ok(CommandKind::Item { create, table, item: Item::Object(self.object(kind, name)?) });
        }
        // `add ip filter input accept`: the word `rule` may be left out too.
        let family = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];
        if self.word().is_some_and(|word| family.contains(&word)) {
            return self.rule_command(RuleAction::Add);
        }
        Err(self.unexpected("a command like `table`, `add`, `insert`, `delete` or `flush`"))
    }

    fn placed_rule(&mut self, action: RuleAction) -> Parsed<CommandKind> {
        self.bump();
        self.expect_word("rule")?;
        self.rule_command(action)
    }

    fn rule_command(&mut self, action: RuleAction) -> Parsed<CommandKind> {
        let table = self.table_ref()?;
        let chain = self.name("the name of a chain")?;
        let at = match self.accept_any(&["handle", "position", "index"]) {
            Some(word) if word.text == "index" => Some(RulePosition::Index(self.number("the index of a rule")?)),
            Some(_) => Some(RulePosition::Handle(self.number("the handle of a rule")?)),
            None if action == RuleAction::Replace => return Err(self.unexpected("`handle`")),
            None => None,
        };
        Ok(CommandKind::Rule { action, table, chain, at, rule: self.rule()? })
    }

    pub(super) fn table_ref(&mut self) -> Parsed<TableRef> {
        let family = self.family().unwrap_or(Family::Ip);
        Ok(TableRef { family, name: self.name("the name of a table")? })
    }

    fn element_command(&mut self, action: ElementAction) -> Parsed<CommandKind> {
        self.bump();
        self.expect_word("element")?;
        self.elements_of(action)
    }

    fn elements_of(&mut self, action: ElementAction) -> Parsed<CommandKind> {
        let table = self.table_ref()?;
        let set = self.name("the name of a set or map")?;
        let list = self.nested(Self::set_or_name)?;
        let ExprKind::Set(elements) = list.kind else {
            return Err(self.error_at(list.pos, "expected elements in `{ }`"));
        };
        Ok(CommandKind::Elements { action, table, set, elements })
    }

    fn delete(&mut self, must_exist: bool) -> Parsed<CommandKind> {
        if self.word_at(1) == Some("element") {
            return self.element_command(if must_exist { ElementAction::Delete } else { ElementAction::Destroy });
        }
        self.bump();
        let what = self.thing()?;
        if what.kind == ThingKind::Rule && what.handle.is_none() && what.index.is_none() {
            return Err(self.unexpected("`handle` and the handle of a rule"));
        }
        Ok(CommandKind::Delete { must_exist, what })
    }

    fn rename(&mut self) -> Parsed<CommandKind> {
        self.bump();
        self.expect_word("chain")?;
        let table = self.table_ref()?;
        let chain = self.name("the name of a chain")?;
        Ok(CommandKind::Rename { table, chain, to: self.name("a new name")? })
    }
}
