//! From the script to the rule model: commands are carried out in order on tables, then every rule is turned into what
//! the kernel would be handed (`evaluate.c`, `netlink_linearize.c`).
//!
//! | file | does |
//! |---|---|
//! | `state` | commands: what is there after the last one |
//! | `value` | literals to bytes, by the type that stands on their left |
//! | `expr` | what is asked, with the protocols that must be there for it |
//! | `stmt` | statements |
//! | `set` | sets, maps and their elements |

mod expr;
mod set;
mod state;
mod stmt;
#[cfg(test)]
mod tests;
mod value;

use super::ast::{self, Name, Pos};
use super::fields;
use super::{Object, ObjectBody, Quota, Set};
use crate::ruleset::error::RuleError;
use crate::ruleset::model::{
    Base, Body, Chain, ChainId, ChainKind, Engine, Family, Hook, Note, ObjectId, Policy, Rule, SetId, Table, Unknown,
};
use state::{ChainState, State, TableState};
use std::collections::VecDeque;
use std::sync::Arc;

/// What a script leaves behind.
#[derive(Debug, Clone, Default)]
pub struct Lowered {
    /// Tables, in the order in which they were made.
    pub tables: Vec<Table>,
    /// What a person should know.
    pub notes: Vec<Note>,
}

/// Carries out a script.
pub fn lower(script: &ast::Script, file: &Arc<str>) -> Result<Lowered, RuleError> {
    let mut state = State::new(file);
    script.commands.iter().try_for_each(|command| state.command(command))?;
    let mut lowered = Lowered { tables: Vec::new(), notes: state.notes };
    for table in &state.tables {
        let table = Lower::new(table, file).table(table, &mut lowered.notes)?;
        lowered.tables.push(table);
    }
    Ok(lowered)
}

/// A table being turned into the model.
struct Lower<'a> {
    file: &'a Arc<str>,
    family: Family,
    chains: Vec<String>,
    /// Chains without a name, that rules hold within them; they come after those with one.
    blocks: VecDeque<Vec<ast::Rule>>,
    sets: Vec<Set>,
    /// Types of keys and data of the sets, beside them.
    types: Vec<set::Types>,
    objects: Vec<Object>,
    /// What of the rule at hand is not modelled.
    unknown: Vec<Unknown>,
    /// Protocols that the rule at hand has made sure of.
    sure: Vec<fields::Needs>,
}

type Result<T, E = RuleError> = std::result::Result<T, E>;

impl<'a> Lower<'a> {
    fn new(table: &'a TableState, file: &'a Arc<str>) -> Self {
        Self {
            file,
            family: table.family,
            chains: table.chains.iter().map(|chain| chain.name.text.clone()).collect(),
            blocks: VecDeque::new(),
            sets: Vec::new(),
            types: Vec::new(),
            objects: Vec::new(),
            unknown: Vec::new(),
            sure: Vec::new(),
        }
    }

    fn fault(&self, pos: Pos, message: impl Into<String>) -> RuleError {
        RuleError::new(pos.place(self.file), message)
    }

    fn table(mut self, table: &'a TableState, notes: &mut Vec<Note>) -> Result<Table> {
        self.objects = table.objects.iter().map(|object| self.object(object)).collect::<Result<_>>()?;
        self.declare_sets(&table.sets)?;
        self.fill_sets(&table.sets)?;
        let mut chains = Vec::new();
        for chain in &table.chains {
            chains.push(self.chain(chain)?);
        }
        while let Some(rules) = self.blocks.pop_front() {
            let pos = rules.first().map_or(table.pos, |rule| rule.pos);
            let name = Name { pos, text: self.chains.get(chains.len()).cloned().unwrap_or_default() };
            chains.push(self.chain(&ChainState { pos, name, base: None, policy: None, rules })?);
        }
        for flowtable in &table.flowtables {
            let message = format!("flowtable {}: not modelled; every packet takes the whole way", flowtable.name.text);
            notes.push(Note { place: flowtable.pos.place(self.file), message });
        }
        Ok(Table {
            family: table.family,
            name: Arc::from(table.name.as_str()),
            engine: Engine::Nftables,
            dormant: table.dormant,
            chains,
            sets: self.sets,
            objects: self.objects,
            place: table.pos.place(self.file),
        })
    }

    fn object(&self, object: &ast::Object) -> Result<Object> {
        let body = match &object.body {
            ast::ObjectBody::Counter(numbers) => {
                let (packets, bytes) = numbers.unwrap_or_default();
                ObjectBody::Counter { packets, bytes }
            }
            ast::ObjectBody::Quota(quota) => ObjectBody::Quota(self.quota(object.pos, quota)?),
            ast::ObjectBody::Limit(limit) => ObjectBody::Limit(self.limit(object.pos, limit)?),
            other => ObjectBody::Other(other.kind()),
        };
        Ok(Object { name: Arc::from(object.name.text.as_str()), object: body, place: object.pos.place(self.file) })
    }

    fn quota(&self, pos: Pos, quota: &ast::QuotaValue) -> Result<Quota> {
        let bytes =
            |count: ast::ByteCount| count.bytes().ok_or_else(|| self.fault(pos, "more bytes than 64 bits hold"));
        Ok(Quota {
            bytes: bytes(quota.limit)?,
            used: quota.used.map(bytes).transpose()?.unwrap_or(0),
            over: quota.over,
        })
    }

    fn chain(&mut self, chain: &ChainState) -> Result<Chain> {
        let base = chain.base.as_ref().map(|base| self.base(chain, base)).transpose()?;
        let mut rules = Vec::new();
        for (n, rule) in (1u32..).zip(&chain.rules) {
            rules.push(self.rule(n, rule)?);
        }
        let name = Arc::from(chain.name.text.as_str());
        Ok(Chain { name, base, rules, place: chain.pos.place(self.file) })
    }

    fn base(&self, chain: &ChainState, base: &ast::BaseChain) -> Result<Base> {
        let kind = match base.kind.text.as_str() {
            "filter" => ChainKind::Filter,
            "nat" => ChainKind::Nat,
            "route" => ChainKind::Route,
            _ => return Err(self.fault(base.kind.pos, "expected filter, nat or route")),
        };
        let hook = match base.hook.text.as_str() {
            "ingress" => Hook::Ingress,
            "prerouting" => Hook::Prerouting,
            "input" => Hook::Input,
            "forward" => Hook::Forward,
            "output" => Hook::Output,
            "postrouting" => Hook::Postrouting,
            "egress" => Hook::Egress,
            _ => {
                let expected = "expected ingress, prerouting, input, forward, output, postrouting or egress";
                return Err(self.fault(base.hook.pos, expected));
            }
        };
        let named = match &base.priority.base {
            Some(name) => fields::priority(&name.text, self.family)
                .ok_or_else(|| self.fault(name.pos, format!("{:?} is no priority of this family", name.text)))?,
            None => 0,
        };
        let policy = match chain.policy.as_ref().map(|policy| policy.text.as_str()) {
            Some("drop") => Policy::Drop,
            _ => Policy::Accept,
        };
        let devices = base.devices.iter().map(|device| Arc::from(device.text.as_str())).collect();
        Ok(Base { kind, hook, priority: named.saturating_add(base.priority.offset), policy, devices })
    }

    fn rule(&mut self, n: u32, rule: &ast::Rule) -> Result<Rule> {
        self.unknown.clear();
        self.sure.clear();
        let mut statements = Vec::new();
        for statement in &rule.statements {
            self.statement(statement, &mut statements)?;
        }
        Ok(Rule {
            n,
            text: super::print_rule(rule),
            place: rule.pos.place(self.file),
            body: Body::Nft(statements),
            unknown: std::mem::take(&mut self.unknown),
            comment: rule.comment.clone(),
        })
    }

    fn not_modelled(&mut self, what: impl Into<String>, effect: &str) {
        self.unknown.push(Unknown { what: what.into(), effect: effect.to_owned() });
    }

    /// A chain for the rules of a block; numbered in the order in which blocks are met.
    fn block(&mut self, rules: &[ast::Rule]) -> ChainId {
        let id = ChainId(self.chains.len() as u32);
        self.chains.push(format!("__chain{}", id.0));
        self.blocks.push_back(rules.to_vec());
        id
    }

    fn chain_id(&self, name: &Name) -> Result<ChainId> {
        let found = (0u32..).zip(&self.chains).find(|(_, chain)| chain.as_str() == name.text.as_str());
        found.map(|(at, _)| ChainId(at)).ok_or_else(|| {
            self.fault(
                name.pos,
                format!(
                    "there is no chain {:?}{}",
                    name.text,
                    nearest(&name.text, self.chains.iter().map(String::as_str))
                ),
            )
        })
    }

    fn set_id(&self, name: &Name) -> Result<SetId> {
        let is = |set: &Set| set.name.as_deref() == Some(name.text.as_str());
        let found = (0u32..).zip(&self.sets).find(|(_, set)| is(set));
        found.map(|(at, _)| SetId(at)).ok_or_else(|| {
            let names = self.sets.iter().filter_map(|set| set.name.as_deref());
            self.fault(name.pos, format!("there is no set or map {:?}{}", name.text, nearest(&name.text, names)))
        })
    }

    fn object_id(&self, pos: Pos, name: &str) -> Result<ObjectId> {
        let found = (0u32..).zip(&self.objects).find(|(_, object)| &*object.name == name);
        found.map(|(at, _)| ObjectId(at)).ok_or_else(|| {
            let names = self.objects.iter().map(|object| &*object.name);
            self.fault(pos, format!("there is no object {name:?}{}", nearest(name, names)))
        })
    }
}

/// A hint at what may have been meant.
fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> String {
    let close = names.map(|name| (strsim::damerau_levenshtein(name, wanted), name)).min();
    close.filter(|(distance, _)| *distance <= 3).map_or_else(String::new, |(_, name)| format!(": did you mean {name}?"))
}
