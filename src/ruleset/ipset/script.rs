//! Lines of an ipset script, as `ipset restore` or a shell would run them one after the other.
//!
//! A set is kept open while the script runs: its entries by their element, so that adding twice and deleting cost a
//! lookup each. `del` of what a range covers spreads the set into members first.

use super::create::{check_name, create};
use super::entry::entry;
use super::line::{Line, Word};
use super::open::Open;
use super::{Dimension, Entry, IpSet, Storage, Value, members};
use crate::ruleset::error::{Place, RuleError};
use crate::ruleset::model::Note;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// Members of all ranges of a script. The kernel has no such bound, but a machine that reads hostile files must.
const MAX_MEMBERS: u64 = 1 << 24;

/// `IPSET_INVALID_ID`: sets that a kernel can have.
const MAX_SETS: usize = 65_534;

/// Members of a list: they are asked one after the other for every packet.
const MAX_LIST: usize = 1024;

/// Notes of one kind that are worth reading.
const MAX_NOTES: usize = 100;

/// Runs a script on the sets that are there already (from the candidate's other files).
pub fn parse(text: &str, file: &Arc<str>, sets: &mut Vec<IpSet>, notes: &mut Vec<Note>) -> Result<(), RuleError> {
    let mut script = Script {
        sets: Vec::new(),
        names: HashMap::default(),
        users: HashMap::default(),
        gaps: Vec::new(),
        touched: Vec::new(),
        members: 0,
        notes,
    };
    for set in sets.drain(..) {
        script.open(set);
    }
    for (number, text) in (1..).zip(text.lines()) {
        let text = text.trim_end_matches('\r');
        if text.trim_start().starts_with('#') || text.trim().is_empty() {
            continue;
        }
        script.command(&mut Line::new(file, number, text)?)?;
    }
    sets.extend(script.sets.into_iter().flatten().map(Open::close));
    Ok(())
}

type Names = HashMap<Arc<str>, usize, RandomState>;

struct Script<'a> {
    /// Destroyed sets leave a gap.
    sets: Vec<Option<Open>>,
    names: Names,
    /// In how many lists a set is.
    users: HashMap<String, usize, RandomState>,
    /// Places of destroyed sets.
    gaps: Vec<usize>,
    /// Sets that may have entries.
    touched: Vec<usize>,
    members: u64,
    notes: &'a mut Vec<Note>,
}

/// The set that an entry of a list names.
fn listed(values: &[Value]) -> Option<&str> {
    match values.first()? {
        Value::Set(name, _) => Some(name),
        _ => None,
    }
}

fn release(users: &mut HashMap<String, usize, RandomState>, name: &str) {
    if let Some(count) = users.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            users.remove(name);
        }
    }
}

impl Script<'_> {
    fn open(&mut self, set: IpSet) {
        let at = self.gaps.pop().unwrap_or(self.sets.len());
        self.names.insert(Arc::clone(&set.name), at);
        for name in set.entries.iter().filter_map(|entry| listed(&entry.values)) {
            *self.users.entry(name.to_string()).or_default() += 1;
        }
        self.touched.push(at);
        let open = Some(Open::new(set));
        match self.sets.get_mut(at) {
            Some(gap) => *gap = open,
            None => self.sets.push(open),
        }
    }

    /// Empties a set; what was in a list is in it no more.
    fn empty(&mut self, at: usize) {
        let gone = self.sets.get_mut(at).and_then(Option::as_mut).map(Open::flush).unwrap_or_default();
        for name in gone.iter().flatten().filter_map(|entry| listed(&entry.values)) {
            release(&mut self.users, name);
        }
    }

    fn note(&mut self, place: Place, message: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(Note { place, message });
        }
    }

    fn command(&mut self, line: &mut Line<'_>) -> Result<(), RuleError> {
        if line.peek().is_some_and(|word| word.text == "ipset" || word.text.ends_with("/ipset")) {
            line.next();
        }
        let exist = line.take_all(&["-exist", "-!", "--exist"]);
        line.take_all(&["-q", "-quiet", "--quiet"]);
        let word = line.expect("a command (create, add, del, flush, destroy, rename, swap)")?;
        match word.text {
            "create" | "n" | "-N" | "--create" => self.create(line, exist),
            "add" | "a" | "-A" | "--add" => self.add(line, exist),
            "del" | "d" | "-D" | "--del" => self.delete(line, exist),
            "test" | "t" | "-T" | "--test" => {
                let at = self.find(line)?;
                let set = self.set(line, at)?;
                entry(line, &set.set).map(drop)
            }
            "flush" | "f" | "-F" | "--flush" => self.flush(line),
            "destroy" | "x" | "-X" | "--destroy" => self.destroy(line),
            "rename" | "e" | "-E" | "--rename" => self.rename(line),
            "swap" | "w" | "-W" | "--swap" => self.swap(line),
            "COMMIT" | "quit" | "save" | "list" | "restore" => Ok(()),
            other => {
                let expected = "create, add, del, flush, destroy, rename, swap or test";
                Err(line.error(word, format!("expected {expected}, found `{other}`")))
            }
        }
    }

    /// Number of the set that the next word names.
    fn find(&self, line: &mut Line<'_>) -> Result<usize, RuleError> {
        let word = line.expect("a set's name")?;
        self.lookup(line, word)
    }

    fn lookup(&self, line: &Line<'_>, word: Word<'_>) -> Result<usize, RuleError> {
        let found = self.names.get(word.text).copied();
        found
            .ok_or_else(|| line.error(word, format!("expected the name of a set, but there is no set `{}`", word.text)))
    }

    fn set(&mut self, line: &mut Line<'_>, at: usize) -> Result<&mut Open, RuleError> {
        match self.sets.get_mut(at).and_then(Option::as_mut) {
            Some(open) => Ok(open),
            None => Err(line.expect("a set").map_or_else(|error| error, |word| line.error(word, "the set is gone"))),
        }
    }

    fn create(&mut self, line: &mut Line<'_>, exist: bool) -> Result<(), RuleError> {
        let name = line.peek();
        let set = create(line, self.notes)?;
        if let (Some(&at), Some(name)) = (self.names.get(&set.name), name) {
            let same = self.set(line, at)?.set.dimensions == set.dimensions;
            if exist && same {
                return Ok(());
            }
            return Err(line.error(name, format!("there is a set `{}` already", set.name)));
        }
        if self.names.len() >= MAX_SETS {
            return Err(RuleError::new(set.place, format!("expected at most {MAX_SETS} sets")));
        }
        self.open(set);
        Ok(())
    }

    fn add(&mut self, line: &mut Line<'_>, exist: bool) -> Result<(), RuleError> {
        let at = self.find(line)?;
        let open = self.set(line, at)?;
        let entry = entry(line, &open.set)?;
        if open.set.storage == Storage::List {
            return self.add_to_list(at, entry, exist);
        }
        let place = entry.place.clone();
        let count = members::count(&open.set, &entry);
        let is_hash = open.set.storage == Storage::Hash;
        let ranged_nets = open.set.dimensions.contains(&Dimension::Net);
        if is_hash && !ranged_nets && count > u64::from(open.set.maxelem) && open.set.maxelem > 0 && !open.set.forceadd
        {
            let most = open.set.maxelem;
            return Err(RuleError::new(place, format!("{count} members are more than the set's maxelem of {most}")));
        }
        if is_hash && count == 1 && entry.values.first().is_some_and(members::is_null) {
            return Err(RuleError::new(place, "an address of zeros cannot be stored in a hash"));
        }
        self.members = self.members.saturating_add(count);
        if self.members > MAX_MEMBERS {
            return Err(RuleError::new(place, format!("expected at most {MAX_MEMBERS} members in all sets")));
        }
        let open = self.set(line, at)?;
        let was_empty = open.places.is_empty();
        let is_new = open.add(entry);
        if was_empty {
            self.touched.push(at);
        }
        if !is_new && !exist {
            let message = "already added: ipset stops here unless -exist is given; the later entry counts";
            self.note(place, message.to_string());
        }
        Ok(())
    }

    /// A list's members are sets that are there, none of them a list, each once, in an order of their own.
    fn add_to_list(&mut self, at: usize, mut entry: Entry, exist: bool) -> Result<(), RuleError> {
        let place = entry.place.clone();
        let Some(Value::Set(name, beside)) = entry.values.first_mut() else { return Ok(()) };
        let (name, beside) = (name.clone(), beside.take());
        let member = self.names.get(name.as_str()).and_then(|&member| self.sets.get(member)).and_then(Option::as_ref);
        match member {
            None => return Err(RuleError::new(place, format!("there is no set `{name}`"))),
            Some(member) if member.set.storage == Storage::List => {
                return Err(RuleError::new(place, format!("`{name}` is a list: a list cannot be in a list")));
            }
            Some(_) => {}
        }
        let Some(open) = self.sets.get_mut(at).and_then(Option::as_mut) else { return Ok(()) };
        let position =
            |open: &Open, name: &str| open.entries.iter().flatten().position(|one| listed(&one.values) == Some(name));
        open.entries.retain(Option::is_some);
        if let Some(there) = open.places.contains_key(&entry.values).then(|| position(open, &name)).flatten() {
            if !exist {
                let message = format!("`{name}` is in the list already: ipset stops here unless -exist is given");
                self.note(place, message);
            } else if let Some(slot) = open.entries.get_mut(there) {
                *slot = Some(entry);
            }
            return Ok(());
        }
        let most = MAX_LIST.min(open.set.maxelem as usize);
        if open.entries.len() >= most {
            return Err(RuleError::new(place, format!("expected at most {most} sets in the list `{}`", open.set.name)));
        }
        let index = match beside {
            None => open.entries.len(),
            Some((before, other)) => match position(open, &other) {
                Some(index) => index + usize::from(!before),
                None => return Err(RuleError::new(place, format!("`{other}` is not in the list"))),
            },
        };
        open.places.insert(entry.values.clone(), 0);
        open.entries.insert(index, Some(entry));
        *self.users.entry(name).or_default() += 1;
        self.touched.push(at);
        Ok(())
    }

    fn delete_from_list(&mut self, at: usize, entry: &Entry) -> bool {
        let Some(open) = self.sets.get_mut(at).and_then(Option::as_mut) else { return false };
        if open.places.remove(&entry.values).is_none() {
            return false;
        }
        open.entries.retain(|slot| slot.as_ref().is_some_and(|one| one.values != entry.values));
        if let Some(name) = listed(&entry.values) {
            release(&mut self.users, name);
        }
        true
    }

    fn delete(&mut self, line: &mut Line<'_>, exist: bool) -> Result<(), RuleError> {
        let at = self.find(line)?;
        let open = self.set(line, at)?;
        let mut entry = entry(line, &open.set)?;
        if let Some(Value::Set(_, beside)) = entry.values.first_mut() {
            *beside = None;
        }
        let count = members::count(&open.set, &entry);
        let place = entry.place.clone();
        self.members = self.members.saturating_add(count);
        if self.members > MAX_MEMBERS {
            return Err(RuleError::new(place, format!("expected at most {MAX_MEMBERS} members in all sets")));
        }
        let open = self.set(line, at)?;
        let is_list = open.set.storage == Storage::List;
        let was_there = if is_list { self.delete_from_list(at, &entry) } else { open.delete(&entry) };
        if !was_there && !exist {
            let message = "not in the set: ipset stops here unless -exist is given";
            self.note(place, message.to_string());
        }
        Ok(())
    }

    fn flush(&mut self, line: &mut Line<'_>) -> Result<(), RuleError> {
        match line.next() {
            Some(word) => {
                let at = self.lookup(line, word)?;
                self.empty(at);
            }
            None => std::mem::take(&mut self.touched).into_iter().for_each(|at| self.empty(at)),
        }
        line.end()
    }

    fn destroy(&mut self, line: &mut Line<'_>) -> Result<(), RuleError> {
        match line.next() {
            Some(word) => {
                let at = self.lookup(line, word)?;
                self.refuse_if_used(line, word)?;
                self.empty(at);
                self.names.remove(word.text);
                self.gaps.push(at);
                if let Some(slot) = self.sets.get_mut(at) {
                    *slot = None;
                }
            }
            None => {
                self.names = HashMap::default();
                self.users = HashMap::default();
                (self.sets, self.gaps, self.touched) = Default::default();
            }
        }
        line.end()
    }

    fn refuse_if_used(&self, line: &Line<'_>, word: Word<'_>) -> Result<(), RuleError> {
        match self.users.contains_key(word.text) {
            true => Err(line.error(word, format!("`{}` is in a list", word.text))),
            false => Ok(()),
        }
    }

    fn rename(&mut self, line: &mut Line<'_>) -> Result<(), RuleError> {
        let from = line.expect("a set's name")?;
        let to = line.expect("a new name")?;
        let at = self.lookup(line, from)?;
        check_name(line, to)?;
        self.refuse_if_used(line, from)?;
        if self.names.contains_key(to.text) {
            return Err(line.error(to, format!("there is a set `{}` already", to.text)));
        }
        let name: Arc<str> = Arc::from(to.text);
        self.names.remove(from.text);
        self.names.insert(Arc::clone(&name), at);
        self.set(line, at)?.set.name = name;
        line.end()
    }

    /// The contents change places; the names stay with those who use them.
    fn swap(&mut self, line: &mut Line<'_>) -> Result<(), RuleError> {
        let from = line.expect("a set's name")?;
        let to = line.expect("a set's name")?;
        let (a, b) = (self.lookup(line, from)?, self.lookup(line, to)?);
        let kind = |open: &Open| (open.set.storage, open.set.dimensions.clone(), open.set.family);
        let (first, second) = (self.set(line, a).map(|open| kind(open))?, self.set(line, b).map(|open| kind(open))?);
        if first != second {
            return Err(line.error(to, format!("`{}` and `{}` are of different types", from.text, to.text)));
        }
        let (first, second) = (Arc::from(from.text), Arc::from(to.text));
        self.set(line, a)?.set.name = Arc::clone(&second);
        self.set(line, b)?.set.name = Arc::clone(&first);
        self.names.insert(first, b);
        self.names.insert(second, a);
        line.end()
    }
}
