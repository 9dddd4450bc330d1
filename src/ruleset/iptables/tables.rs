//! Chains and what commands do to them.

use super::bounds::{MAX_BYTES, MAX_PASSED, MAX_RULES};
use super::building::{Building, Growing};
use super::built_in::{is_builtin, table_names};
use super::extension;
use super::line::{Command, Line, Spec};
use super::rule::{self, Site};
use super::words::Word;
use super::{Context, Parsed, values};
use crate::ruleset::error::RuleError;
use crate::ruleset::model::{Body, ChainId, Family, Note, Policy, Rule};
use crate::ruleset::xt::Target;
use std::collections::HashMap;
use std::sync::Arc;

/// All tables of a file while it is read.
pub(super) struct Tables<'a> {
    file: &'a Arc<str>,
    context: &'a Context,
    list: Vec<Building>,
    pub notes: Vec<Note>,
    rules: usize,
    /// Bytes that rules may still take.
    room: usize,
    passed: u64,
}

impl<'a> Tables<'a> {
    pub fn new(file: &'a Arc<str>, context: &'a Context) -> Self {
        Self { file, context, list: Vec::new(), notes: Vec::new(), rules: 0, room: MAX_BYTES, passed: 0 }
    }

    /// The number of a table, which begins to exist if need be.
    pub fn open(&mut self, name: &Word, family: Family) -> Result<usize, RuleError> {
        let Some(known) = table_names().find(|known| *known == name.text) else {
            let names: Vec<&str> = table_names().collect();
            let message = format!("there is no table `{}`: one of {} is expected", name.text, names.join(", "));
            return Err(name.fault(self.file, message));
        };
        if let Some(found) = self.list.iter().position(|table| table.family == family && table.name == known) {
            return Ok(found);
        }
        let place = name.place(self.file);
        self.list.push(Building { family, name: known, place, chains: Vec::new(), by_name: HashMap::new() });
        Ok(self.list.len().saturating_sub(1))
    }

    /// Empties a table: what `iptables-restore` does at the beginning of one.
    pub fn clear(&mut self, table: usize, at: &Word) {
        let Some(building) = self.list.get_mut(table) else { return };
        if !building.chains.is_empty() {
            let message = format!("table {} stands twice in this file: only the last one stays", building.name);
            self.notes.push(Note { place: at.place(self.file), message });
        }
        building.chains.clear();
        building.by_name.clear();
        building.place = at.place(self.file);
    }

    /// `:CHAIN POLICY` of a save file.
    pub fn declare(&mut self, table: usize, chain: &Word, policy: &Word) -> Result<(), RuleError> {
        check_chain_name(chain, self.file)?;
        let place = chain.place(self.file);
        let Some(building) = self.list.get_mut(table) else { return Ok(()) };
        let builtin = is_builtin(building.name, &chain.text);
        let read = match policy.text.as_str() {
            "ACCEPT" | "-" => Policy::Accept,
            "DROP" => Policy::Drop,
            other => {
                return Err(
                    policy.fault(self.file, format!("`{other}` is not a policy: ACCEPT, DROP or - is expected"))
                );
            }
        };
        if !builtin && policy.text != "-" {
            let message =
                format!("`{}` is no built-in chain of table {}: its policy means nothing", chain.text, building.name);
            self.notes.push(Note { place: policy.place(self.file), message });
        }
        if let Some(id) = building.by_name.get(chain.text.as_str()) {
            if let Some(Some(growing)) = building.chains.get_mut(*id as usize)
                && builtin
                && policy.text != "-"
            {
                growing.policy = read;
            }
            return Ok(());
        }
        building.add(&chain.text, if builtin { read } else { Policy::Accept }, place);
        Ok(())
    }

    /// Carries out a command on a table.
    pub fn apply(&mut self, table: usize, at: &Word, line: Line) -> Result<(), RuleError> {
        let Line { command, spec, .. } = line;
        let Some(command) = command else {
            return Err(at.fault(self.file, "no command: one of -A, -I, -D, -R, -P, -N, -X, -F, -E is expected"));
        };
        let takes_rule = matches!(
            command,
            Command::Append(_) | Command::Insert(..) | Command::Delete(_, None) | Command::Replace(..) | Command::Look
        );
        if spec.any && !takes_rule {
            return Err(at.fault(self.file, "this command takes no options of a rule"));
        }
        match command {
            Command::Append(chain) => {
                let rules = self.make(table, &chain, at, spec)?;
                self.append(table, &chain, rules)
            }
            Command::Insert(chain, number) => self.insert(table, &chain, number, at, spec),
            Command::Delete(chain, Some(number)) => self.delete_number(table, &chain, &number),
            Command::Delete(chain, None) => self.delete_same(table, &chain, at, spec),
            Command::Replace(chain, number) => self.replace(table, &chain, &number, at, spec),
            Command::Policy(chain, policy) => self.policy(table, &chain, &policy),
            Command::New(chain) => self.new_chain(table, &chain),
            Command::Remove(chain) => self.remove(table, chain.as_ref(), at),
            Command::Flush(chain) => self.flush(table, chain.as_ref(), at),
            Command::Rename(old, new) => self.rename(table, &old, &new),
            Command::Look => Ok(()),
        }
    }

    fn make(&mut self, table: usize, chain: &Word, at: &Word, spec: Spec) -> Result<Vec<Rule>, RuleError> {
        self.chain_id(table, chain)?;
        let Some(building) = self.list.get(table) else { return Ok(Vec::new()) };
        let lookup = |name: &str| building.by_name.get(name).copied().map(ChainId);
        let site = Site {
            file: self.file,
            family: building.family,
            table: building.name,
            chain: &chain.text,
            place: at.place(self.file),
            room: self.room,
            context: self.context,
            chain_by_name: &lookup,
        };
        let (rules, size) = rule::make(spec, &site, &mut self.notes)?;
        self.room = self.room.saturating_sub(size);
        self.rules = self.rules.saturating_add(rules.len());
        if self.rules > MAX_RULES {
            return Err(at.fault(self.file, format!("more than {MAX_RULES} rules in one file")));
        }
        Ok(rules)
    }

    /// A chain that exists, or a built-in one, which begins to exist.
    fn chain_id(&mut self, table: usize, chain: &Word) -> Result<usize, RuleError> {
        let file = self.file;
        let missing = |name: &str| chain.fault(file, format!("there is no chain `{}` in table {name}", chain.text));
        let Some(building) = self.list.get_mut(table) else { return Err(missing("?")) };
        if let Some(&id) = building.by_name.get(chain.text.as_str()) {
            return Ok(id as usize);
        }
        if is_builtin(building.name, &chain.text) {
            return Ok(building.add(&chain.text, Policy::Accept, chain.place(file)) as usize);
        }
        Err(missing(building.name))
    }

    fn chain(&mut self, table: usize, chain: &Word) -> Result<&mut Growing, RuleError> {
        let id = self.chain_id(table, chain)?;
        let file = self.file;
        self.list
            .get_mut(table)
            .and_then(|building| building.chains.get_mut(id))
            .and_then(Option::as_mut)
            .ok_or_else(|| chain.fault(file, format!("there is no chain `{}`", chain.text)))
    }

    fn append(&mut self, table: usize, chain: &Word, rules: Vec<Rule>) -> Result<(), RuleError> {
        self.refer(table, &rules, true);
        self.chain(table, chain)?.rules.extend(rules);
        Ok(())
    }

    fn insert(
        &mut self,
        table: usize,
        chain: &Word,
        number: Option<Word>,
        at: &Word,
        spec: Spec,
    ) -> Result<(), RuleError> {
        let index = match &number {
            Some(number) => self.rule_index(number)?,
            None => 0,
        };
        let rules = self.make(table, chain, at, spec)?;
        let length = self.chain(table, chain)?.rules.len();
        if let Some(number) = number.filter(|_| index > length) {
            let message = format!(
                "chain {} has {length} rules: a number from 1 to {} is expected",
                chain.text,
                length.saturating_add(1)
            );
            return Err(number.fault(self.file, message));
        }
        self.pass(length.saturating_add(rules.len()), at)?;
        self.refer(table, &rules, true);
        // Each of several is put at the same number, so that they come to stand in reverse.
        let growing = self.chain(table, chain)?;
        let index = index.min(growing.rules.len());
        growing.rules.splice(index..index, rules.into_iter().rev());
        Ok(())
    }

    fn replace(&mut self, table: usize, chain: &Word, number: &Word, at: &Word, spec: Spec) -> Result<(), RuleError> {
        let index = self.rule_index(number)?;
        let mut rules = self.make(table, chain, at, spec)?;
        if rules.len() != 1 {
            return Err(at.fault(self.file, "a rule can only be replaced by one with one address"));
        }
        self.refer(table, &rules, true);
        let file = self.file;
        let growing = self.chain(table, chain)?;
        let count = growing.rules.len();
        let Some(slot) = growing.rules.get_mut(index) else {
            return Err(
                number.fault(file, format!("chain {} has {count} rules: there is no rule {}", chain.text, number.text))
            );
        };
        let old = rules.pop().map(|rule| std::mem::replace(slot, rule));
        self.refer(table, old.as_slice(), false);
        Ok(())
    }

    fn delete_number(&mut self, table: usize, chain: &Word, number: &Word) -> Result<(), RuleError> {
        let index = self.rule_index(number)?;
        let file = self.file;
        let growing = self.chain(table, chain)?;
        let count = growing.rules.len();
        if index >= count {
            return Err(
                number.fault(file, format!("chain {} has {count} rules: there is no rule {}", chain.text, number.text))
            );
        }
        let old = growing.rules.remove(index);
        self.refer(table, std::slice::from_ref(&old), false);
        self.pass(count, number)
    }

    fn delete_same(&mut self, table: usize, chain: &Word, at: &Word, spec: Spec) -> Result<(), RuleError> {
        for wanted in self.make(table, chain, at, spec)? {
            let file = self.file;
            let growing = self.chain(table, chain)?;
            let count = growing.rules.len();
            let Some(index) = growing.rules.iter().position(|rule| rule.text == wanted.text) else {
                return Err(at.fault(file, format!("chain {} has no such rule to delete", chain.text)));
            };
            let old = growing.rules.remove(index);
            self.refer(table, std::slice::from_ref(&old), false);
            self.pass(count, at)?;
        }
        Ok(())
    }

    fn rule_index(&self, number: &Word) -> Result<usize, RuleError> {
        values::number_in(&number.text, 1, u32::MAX.into())
            .map(|value| (value as usize).saturating_sub(1))
            .map_err(|message| number.fault(self.file, format!("number of a rule: {message}")))
    }

    fn pass(&mut self, rules: usize, at: &Word) -> Result<(), RuleError> {
        self.passed = self.passed.saturating_add(rules as u64);
        if self.passed > MAX_PASSED {
            return Err(
                at.fault(self.file, "too many insertions, deletions and the like in long chains and large tables")
            );
        }
        Ok(())
    }

    /// Commands that may concern every chain.
    fn pass_chains(&mut self, table: usize, at: &Word) -> Result<(), RuleError> {
        let chains = self.list.get(table).map_or(0, |building| building.chains.len());
        self.pass(chains, at)
    }

    /// Counts rules that lead to chains.
    fn refer(&mut self, table: usize, rules: &[Rule], more: bool) {
        let Some(building) = self.list.get_mut(table) else { return };
        for chain in rules.iter().filter_map(led_to) {
            if let Some(Some(growing)) = building.chains.get_mut(chain.0 as usize) {
                growing.references =
                    if more { growing.references.saturating_add(1) } else { growing.references.saturating_sub(1) };
            }
        }
    }

    fn policy(&mut self, table: usize, chain: &Word, policy: &Word) -> Result<(), RuleError> {
        let name = self.list.get(table).map_or("", |building| building.name);
        if !is_builtin(name, &chain.text) {
            let message = format!("`{}` is no built-in chain of table {name}: only those have a policy", chain.text);
            return Err(chain.fault(self.file, message));
        }
        let read = match policy.text.as_str() {
            "ACCEPT" => Policy::Accept,
            "DROP" => Policy::Drop,
            other => {
                return Err(policy.fault(self.file, format!("`{other}` is not a policy: ACCEPT or DROP is expected")));
            }
        };
        self.chain(table, chain)?.policy = read;
        Ok(())
    }

    fn new_chain(&mut self, table: usize, chain: &Word) -> Result<(), RuleError> {
        check_chain_name(chain, self.file)?;
        let place = chain.place(self.file);
        let Some(building) = self.list.get_mut(table) else { return Ok(()) };
        let family = building.family;
        let clash = matches!(chain.text.as_str(), "ACCEPT" | "DROP" | "RETURN" | "QUEUE")
            || extension::find_target(&chain.text, family).is_some();
        if clash {
            return Err(chain.fault(self.file, format!("`{}` is a target: a chain cannot have its name", chain.text)));
        }
        if building.by_name.contains_key(chain.text.as_str()) || is_builtin(building.name, &chain.text) {
            return Err(chain.fault(self.file, format!("there already is a chain `{}`", chain.text)));
        }
        building.add(&chain.text, Policy::Accept, place);
        Ok(())
    }

    fn remove(&mut self, table: usize, chain: Option<&Word>, at: &Word) -> Result<(), RuleError> {
        let file = self.file;
        self.pass_chains(table, at)?;
        let Some(building) = self.list.get_mut(table) else { return Ok(()) };
        if let Some(chain) = chain {
            let refuse = |why: &str| Err(chain.fault(file, format!("chain `{}` cannot be deleted: {why}", chain.text)));
            let id = building.by_name.get(chain.text.as_str()).copied();
            let Some(growing) = id.and_then(|id| building.chains.get(id as usize)).and_then(Option::as_ref) else {
                return refuse("there is none");
            };
            if is_builtin(building.name, &chain.text) {
                return refuse("it is built in");
            }
            if !growing.rules.is_empty() {
                return refuse("it has rules (-F removes them)");
            }
            if growing.references > 0 {
                return refuse("a rule leads to it");
            }
            building.by_name.remove(chain.text.as_str());
            if let Some(slot) = id.and_then(|id| building.chains.get_mut(id as usize)) {
                *slot = None;
            }
            return Ok(());
        }
        let name = building.name;
        for slot in &mut building.chains {
            let empty = slot.as_ref().is_some_and(|growing| {
                growing.rules.is_empty() && growing.references == 0 && !is_builtin(name, &growing.name)
            });
            if empty && let Some(growing) = slot.take() {
                building.by_name.remove(&growing.name);
            }
        }
        Ok(())
    }

    fn flush(&mut self, table: usize, chain: Option<&Word>, at: &Word) -> Result<(), RuleError> {
        self.pass_chains(table, at)?;
        let mut old = Vec::new();
        if let Some(chain) = chain {
            old = std::mem::take(&mut self.chain(table, chain)?.rules);
        } else if let Some(building) = self.list.get_mut(table) {
            for growing in building.chains.iter_mut().flatten() {
                old.append(&mut growing.rules);
            }
        }
        self.refer(table, &old, false);
        Ok(())
    }

    fn rename(&mut self, table: usize, old: &Word, new: &Word) -> Result<(), RuleError> {
        check_chain_name(new, self.file)?;
        let id = self.chain_id(table, old)?;
        let file = self.file;
        self.pass_chains(table, old)?;
        let Some(building) = self.list.get_mut(table) else { return Ok(()) };
        if is_builtin(building.name, &old.text) {
            return Err(old.fault(file, "a built-in chain cannot be renamed"));
        }
        if building.by_name.contains_key(new.text.as_str()) || is_builtin(building.name, &new.text) {
            return Err(new.fault(file, format!("there already is a chain `{}`", new.text)));
        }
        let name: Arc<str> = Arc::from(new.text.as_str());
        building.by_name.remove(old.text.as_str());
        building.by_name.insert(Arc::clone(&name), id as u32);
        if let Some(Some(growing)) = building.chains.get_mut(id) {
            growing.name = Arc::clone(&name);
        }
        let mut passed = 0_usize;
        for rule in building.chains.iter_mut().flatten().flat_map(|growing| &mut growing.rules) {
            passed = passed.saturating_add(1);
            if led_to(rule).is_some_and(|chain| chain.0 as usize == id) {
                let kept = rule.text.len().saturating_sub(old.text.len());
                rule.text.truncate(kept);
                rule.text.push_str(&name);
            }
        }
        self.pass(passed, old)
    }

    /// Numbers everything, puts chains in the order of listing, and refuses what leads back to itself.
    pub fn finish(self) -> Result<Parsed, RuleError> {
        let mut parsed = Parsed { notes: self.notes, ..Parsed::default() };
        for building in self.list {
            let table = building.finish();
            super::cycles::check(&table)?;
            // As `iptables-nft`: a table in which nothing happened is not there.
            if !table.chains.is_empty() {
                parsed.tables.push(table);
            }
        }
        Ok(parsed)
    }
}

/// The chain that a rule leads to.
pub(super) fn led_to(rule: &Rule) -> Option<ChainId> {
    match &rule.body {
        Body::Xt(body) => match body.target {
            Target::Chain { chain, .. } => Some(chain),
            _ => None,
        },
        Body::Nft(_) => None,
    }
}

fn check_chain_name(chain: &Word, file: &Arc<str>) -> Result<(), RuleError> {
    let name = &chain.text;
    let wrong = if name.is_empty() || name.starts_with(['-', '!']) {
        "is not the name of a chain"
    } else if name.len() > 28 {
        "is too long for a chain: at most 28 characters"
    } else if name.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\')) {
        "holds a blank or a quote"
    } else {
        return Ok(());
    };
    Err(chain.fault(file, format!("`{name}` {wrong}")))
}
