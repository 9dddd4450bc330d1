//! An nftables script as it is written: commands, blocks, rules. Text in (by the parser), text out (by the printer); the
//! lowering turns it into the rule model.
//!
//! The shapes follow nft's own grammar (`parser_bison.y`). Literals keep the form in which they were written, because
//! only what stands on the left of them tells their type. Defines are already expanded, and sets within sets flattened.

mod expr;
mod object;
mod stmt;

pub use expr::*;
pub use object::*;
pub use stmt::*;

use super::super::error::Place;
use super::super::model::Family;
use std::sync::Arc;

/// A place in the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pos {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Pos {
    /// The place for a message or for the rule model.
    pub fn place(self, file: &Arc<str>) -> Place {
        Place::new(file, self.line, self.column)
    }
}

/// A name or a word of the language, where it stands. Quotes are taken off.
#[derive(Debug, Clone)]
pub struct Name {
    /// Where it begins.
    pub pos: Pos,
    /// The word.
    pub text: String,
}

/// A script. What nft would do if it read the commands one after the other.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// In order.
    pub commands: Vec<Command>,
}

/// A command.
#[derive(Debug, Clone)]
pub struct Command {
    /// Where it begins.
    pub pos: Pos,
    /// What it asks for.
    pub kind: CommandKind,
}

/// What a command asks for.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // most commands of a script are the large ones
pub enum CommandKind {
    /// `table …`, `add table …`, `create table …`, with or without a block. A table of the same family and name gets
    /// the block's contents added.
    Table {
        /// `create`: it must not be there yet.
        create: bool,
        /// The table.
        table: Table,
    },
    /// `add chain …`, `add set …`, `add counter …`: something in a table. A chain of the same name gets the block's
    /// rules added (and its policy changed); a set of the same name the elements.
    Item {
        /// `create`: it must not be there yet.
        create: bool,
        /// Its table.
        table: TableRef,
        /// What.
        item: Item,
    },
    /// `add rule …`, `insert rule …`, `replace rule …`.
    Rule {
        /// Where it goes.
        action: RuleAction,
        /// The chain's table.
        table: TableRef,
        /// The chain.
        chain: Name,
        /// Relative to which rule.
        at: Option<RulePosition>,
        /// The rule.
        rule: Rule,
    },
    /// `add element …`, `delete element …`.
    Elements {
        /// What happens to them.
        action: ElementAction,
        /// The set's table.
        table: TableRef,
        /// The set or map.
        set: Name,
        /// The elements.
        elements: Vec<Element>,
    },
    /// `delete …` and `destroy …` of anything but elements.
    Delete {
        /// `delete`: it is an error if it is not there.
        must_exist: bool,
        /// What.
        what: Thing,
    },
    /// `flush …`.
    Flush(Thing),
    /// `rename chain …`.
    Rename {
        /// The chain's table.
        table: TableRef,
        /// Its name so far.
        chain: Name,
        /// Its new name.
        to: Name,
    },
    /// `reset …`: counters and quotas begin anew.
    Reset(Thing),
    /// `list …`: changes nothing.
    List(Thing),
}

/// Where a rule goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAction {
    /// After the last one, or after the one named.
    Add,
    /// Before the first one, or before the one named.
    Insert,
    /// In place of the one named (always with a handle).
    Replace,
}

/// A rule that another one is placed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulePosition {
    /// `handle N` (and `position N`, its old name).
    Handle(u64),
    /// `index N`, from 0.
    Index(u64),
}

/// What happens to elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementAction {
    /// Put in, if they are not there.
    Add,
    /// Put in; an error if they are there.
    Create,
    /// Taken out; an error if they are not there.
    Delete,
    /// Taken out, if they are there.
    Destroy,
    /// Looked up: changes nothing.
    Get,
    /// Their counters begin anew.
    Reset,
}

/// A table that is meant: `inet filter`.
#[derive(Debug, Clone)]
pub struct TableRef {
    /// Address family; `ip` if none is written.
    pub family: Family,
    /// Name.
    pub name: Name,
}

/// Something that a `delete`, `flush`, `reset` or `list` names.
#[derive(Debug, Clone)]
pub struct Thing {
    /// What it is.
    pub kind: ThingKind,
    /// Family, if written or if a table is.
    pub family: Option<Family>,
    /// Table, if written.
    pub table: Option<Name>,
    /// Name of the chain, set or object, if written. For a rule: its chain.
    pub name: Option<Name>,
    /// `handle N`: instead of the name; for a rule: which of the chain.
    pub handle: Option<u64>,
    /// `index N` of a rule.
    pub index: Option<u64>,
}

/// Kind of [`Thing`]. The plurals (`list chains`) are the singular without a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThingKind {
    /// Everything, or everything of a family.
    Ruleset,
    /// Table.
    Table,
    /// Chain; `flush chain` takes its rules.
    Chain,
    /// Rule.
    Rule,
    /// Set; `flush set` takes its elements.
    Set,
    /// Map.
    Map,
    /// Flowtable.
    Flowtable,
    /// Meter: a dynamic set that a rule made.
    Meter,
    /// Counter, quota, …
    Object(ObjectType),
    /// `hooks`: only listed.
    Hooks,
}

/// A table with its block.
#[derive(Debug, Clone)]
pub struct Table {
    /// Where it begins.
    pub pos: Pos,
    /// The line `# Warning: table ip filter is managed by iptables-nft, do not touch!` that a listing has before it.
    pub notice: Option<String>,
    /// Address family; `ip` if none is written.
    pub family: Family,
    /// Name.
    pub name: Name,
    /// `# handle N` of a listing.
    pub handle: Option<u64>,
    /// `flags dormant` and other flags.
    pub flags: Vec<Name>,
    /// Comment.
    pub comment: Option<String>,
    /// What is in it, in order.
    pub items: Vec<Item>,
    /// It has a block, even an empty one.
    pub block: bool,
}

impl Table {
    /// `flags dormant`: not hooked.
    pub fn dormant(&self) -> bool {
        self.flags.iter().any(|flag| flag.text == "dormant")
    }
}

/// Something in a table.
#[derive(Debug, Clone)]
pub enum Item {
    /// Chain.
    Chain(Chain),
    /// Set or map.
    Set(Set),
    /// Flowtable.
    Flowtable(Flowtable),
    /// Counter, quota, …
    Object(Object),
}

/// A chain.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Where it begins.
    pub pos: Pos,
    /// Name.
    pub name: Name,
    /// `# handle N` of a listing.
    pub handle: Option<u64>,
    /// `type … hook … priority …`; `None` for a chain that others jump to.
    pub base: Option<BaseChain>,
    /// `policy`: `accept` or `drop`.
    pub policy: Option<Name>,
    /// `flags offload`.
    pub flags: Vec<Name>,
    /// Comment.
    pub comment: Option<String>,
    /// Rules in order.
    pub rules: Vec<Rule>,
    /// It has a block, even an empty one.
    pub block: bool,
}

/// `type filter hook ingress device "eth0" priority filter - 10;`.
#[derive(Debug, Clone)]
pub struct BaseChain {
    /// `filter`, `nat`, `route`.
    pub kind: Name,
    /// `prerouting` …
    pub hook: Name,
    /// Devices of ingress and egress.
    pub devices: Vec<Name>,
    /// `devices = { … }` was written, rather than `device …`.
    pub device_list: bool,
    /// Priority.
    pub priority: Priority,
}

/// `filter`, `-10`, `filter + 5`.
#[derive(Debug, Clone)]
pub struct Priority {
    /// Where it stands.
    pub pos: Pos,
    /// Named priority that the number is added to.
    pub base: Option<Name>,
    /// Number.
    pub offset: i32,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where it begins.
    pub pos: Pos,
    /// `# handle N` of a listing.
    pub handle: Option<u64>,
    /// Steps in order.
    pub statements: Vec<Stmt>,
    /// Comment.
    pub comment: Option<String>,
}
