//! Blocks of tables and chains.

use super::super::ast::{BaseChain, Chain, Item, Name, Priority, Table};
use super::super::lexer::Kind;
use super::{Parsed, Parser};
use crate::ruleset::model::Family;

const CHAIN_TYPES: &[&str] = &["filter", "nat", "route"];
const HOOKS: &[&str] = &["ingress", "prerouting", "input", "forward", "output", "postrouting", "egress"];

impl Parser<'_> {
    /// `inet filter { … }`, after the word `table`.
    pub(super) fn table(&mut self, notice: Option<String>) -> Parsed<Table> {
        let pos = self.pos();
        let family = self.family().unwrap_or(Family::Ip);
        let name = self.name("the name of a table")?;
        let mut table = Table {
            pos,
            notice,
            family,
            name,
            handle: None,
            flags: Vec::new(),
            comment: None,
            items: Vec::new(),
            block: false,
        };
        if self.is("{") {
            table.block = true;
            table.handle = self.handle(self.pos().line);
            self.bump();
            self.scoped(|parser| parser.table_block(&mut table))?;
        }
        Ok(table)
    }

    fn table_block(&mut self, table: &mut Table) -> Parsed<()> {
        loop {
            self.skip_separators();
            if self.accept("}") {
                return Ok(());
            }
            if self.define()? {
            } else if self.accept_word("flags") {
                table.flags = self.words("a flag like `dormant`")?;
            } else if self.accept_word("comment") {
                table.comment = Some(self.text("a comment in quotes")?);
            } else {
                table.items.push(self.item()?);
            }
            self.end_of_statement("the end of the line or `;`")?;
        }
    }

    fn item(&mut self) -> Parsed<Item> {
        let expected = "`chain`, `set`, `map`, `counter` or another part of a table, or `}`";
        match self.word() {
            Some("chain") => {
                self.bump();
                Ok(Item::Chain(self.chain()?))
            }
            Some("set" | "map" | "meter") => Ok(Item::Set(self.set()?)),
            Some("flowtable") => Ok(Item::Flowtable(self.flowtable()?)),
            _ => match self.object_kind() {
                Some(kind) => {
                    let name = self.name("a name")?;
                    Ok(Item::Object(self.object(kind, name)?))
                }
                None => Err(self.unexpected(expected)),
            },
        }
    }

    /// Name and block of a chain.
    pub(super) fn chain(&mut self) -> Parsed<Chain> {
        let pos = self.pos();
        let name = self.name("the name of a chain")?;
        let mut chain = Chain {
            pos,
            name,
            handle: None,
            base: None,
            policy: None,
            flags: Vec::new(),
            comment: None,
            rules: Vec::new(),
            block: false,
        };
        if self.is("{") {
            chain.block = true;
            chain.handle = self.handle(self.pos().line);
            self.bump();
            self.scoped(|parser| parser.chain_block(&mut chain))?;
        }
        Ok(chain)
    }

    fn chain_block(&mut self, chain: &mut Chain) -> Parsed<()> {
        loop {
            self.skip_separators();
            if self.accept("}") {
                return Ok(());
            }
            if self.define()? {
            } else if self.accept_word("type") {
                chain.base = Some(self.base()?);
            } else if self.accept_word("policy") {
                chain.policy = Some(self.name("`accept` or `drop`")?);
            } else if self.word() == Some("flags") && self.word_at(1) == Some("offload") {
                self.bump();
                chain.flags = self.words("`offload`")?;
            } else if self.accept_word("comment") {
                chain.comment = Some(self.text("a comment in quotes")?);
            } else if self.peek() == Kind::End {
                return Err(self.unexpected("`}`"));
            } else {
                chain.rules.push(self.rule()?);
            }
            self.end_of_statement("the end of the line or `;`")?;
        }
    }

    /// `filter hook ingress device "eth0" priority filter - 10`.
    fn base(&mut self) -> Parsed<BaseChain> {
        let kind = self.expect_any(CHAIN_TYPES)?;
        self.expect_word("hook")?;
        let hook = self.expect_any(HOOKS)?;
        let mut devices = Vec::new();
        let mut device_list = false;
        if self.accept_word("device") {
            devices.push(self.name("the name of a device")?);
        } else if self.accept_word("devices") {
            self.expect("=")?;
            device_list = true;
            devices = self.device_list()?;
        }
        self.expect_word("priority")?;
        Ok(BaseChain { kind, hook, devices, device_list, priority: self.priority()? })
    }

    /// `filter - 10`, `-10`, or a variable that holds one of them.
    pub(super) fn priority(&mut self) -> Parsed<Priority> {
        let pos = self.pos();
        let word = match self.peek() {
            Kind::Word(_) | Kind::Text(_) | Kind::Punct("$") => self.name("a priority")?,
            _ => return Ok(Priority { pos, base: None, offset: self.signed()? }),
        };
        if let Ok(offset) = word.text.parse() {
            return Ok(Priority { pos, base: None, offset });
        }
        // A variable may hold `filter - 10` as text.
        let compact: String = word.text.split_whitespace().collect();
        let sign = if word.pos == pos { None } else { compact.find(['+', '-']) };
        if let Some((base, offset)) = sign.and_then(|at| compact.split_at_checked(at)) {
            let offset = offset.parse().map_err(|_| self.error_at(pos, "expected a priority"))?;
            return Ok(Priority { pos, base: Some(Name { text: base.to_owned(), ..word }), offset });
        }
        let offset = if self.is("+") || self.is("-") { self.signed()? } else { 0 };
        Ok(Priority { pos, base: Some(word), offset })
    }

    fn signed(&mut self) -> Parsed<i32> {
        let negative = self.accept("-");
        if !negative {
            self.accept("+");
        }
        let number: i32 = self.number("a priority: a name like `filter`, or a number")?;
        Ok(if negative { -number } else { number })
    }

    /// `{ "eth0", $wan }`, or a variable that holds that.
    pub(super) fn device_list(&mut self) -> Parsed<Vec<Name>> {
        use super::super::ast::ExprKind;
        let list = self.nested(Self::set_or_name)?;
        let ExprKind::Set(elements) = list.kind else {
            return Err(self.error_at(list.pos, "expected devices in `{ }`"));
        };
        elements
            .into_iter()
            .map(|element| match element.key.kind {
                ExprKind::Symbol(text) | ExprKind::Text(text) => Ok(Name { pos: element.key.pos, text }),
                _ => Err(self.error_at(element.pos, "expected the name of a device")),
            })
            .collect()
    }

    /// `a, b`.
    pub(super) fn words(&mut self, what: &str) -> Parsed<Vec<Name>> {
        let mut words = vec![self.name(what)?];
        while self.accept(",") {
            words.push(self.name(what)?);
        }
        Ok(words)
    }
}
