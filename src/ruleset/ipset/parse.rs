//! `ipset save` and `ipset restore` scripts in; sets out, as they are after the last line.

use super::value;
use super::{Dimension, Entry, IpSet, Storage};
use crate::ruleset::error::{Place, RuleError};
use crate::ruleset::model::Family;
use std::collections::HashMap;
use std::sync::Arc;

/// Entries of all sets together, ranges not yet spread: far more than `maxelem` of any set in use.
const MAX_ENTRIES: usize = 4 << 20;
/// `maxelem` unless given.
const MAXELEM: u32 = 65_536;
/// Elements of a `list:set` unless given.
const LIST_SIZE: u32 = 8;

/// Reads a script.
pub fn parse(text: &str, file: &Arc<str>) -> Result<Vec<IpSet>, RuleError> {
    let mut script = Script { file, sets: Vec::new(), entries: 0, names: HashMap::new() };
    for (line, number) in text.lines().zip(1u32..) {
        let words = words(line, number, file)?;
        if !words.is_empty() {
            script.command(&words)?;
        }
    }
    Ok(script.sets)
}

/// A word with its place.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub text: String,
    line: u32,
    column: u32,
}

impl Word {
    pub(super) fn fault(&self, file: &Arc<str>, message: impl Into<String>) -> RuleError {
        RuleError::new(Place::new(file, self.line, self.column), message)
    }
}

/// Splits a line as ipset does: blanks, double quotes around what holds blanks, `#` for a comment line.
fn words(line: &str, number: u32, file: &Arc<str>) -> Result<Vec<Word>, RuleError> {
    let mut words = Vec::new();
    let mut letters = (1u32..).zip(line.chars()).peekable();
    if line.trim_start().starts_with('#') {
        return Ok(words);
    }
    while let Some((column, letter)) = letters.next() {
        if letter.is_whitespace() {
            continue;
        }
        let mut word = Word { text: String::new(), line: number, column };
        let quoted = letter == '"';
        if !quoted {
            word.text.push(letter);
        }
        loop {
            match letters.next() {
                Some((_, '"')) if quoted => break,
                Some((_, letter)) if !quoted && letter.is_whitespace() => break,
                Some((_, letter)) => word.text.push(letter),
                None if quoted => return Err(word.fault(file, "expected a closing quote")),
                None => break,
            }
        }
        words.push(word);
    }
    // Scripts of commands begin with the program's name.
    let program = words.first().is_some_and(|word| word.text == "ipset" || word.text.ends_with("/ipset"));
    if program {
        words.remove(0);
    }
    Ok(words)
}

struct Script<'a> {
    file: &'a Arc<str>,
    sets: Vec<IpSet>,
    names: HashMap<Arc<str>, usize>,
    entries: usize,
}

impl Script<'_> {
    fn command(&mut self, words: &[Word]) -> Result<(), RuleError> {
        let exist = words.iter().any(|word| matches!(word.text.as_str(), "-exist" | "-!"));
        let kept = words.iter().filter(|word| !matches!(word.text.as_str(), "-exist" | "-!" | "-q" | "-quiet"));
        let words: Vec<&Word> = kept.collect();
        let Some((first, rest)) = words.split_first() else { return Ok(()) };
        match first.text.as_str() {
            "create" | "-N" | "n" | "--create" => self.create(first, rest, exist),
            "add" | "-A" | "a" | "--add" => self.add(first, rest, exist),
            "del" | "-D" | "d" | "--del" => self.delete(first, rest),
            "flush" | "-F" | "f" => {
                self.each(rest.first().copied(), |set| set.entries.clear())?;
                Ok(())
            }
            "destroy" | "-X" | "x" => self.destroy(rest.first().copied()),
            "rename" | "-E" | "e" => self.rename(first, rest),
            "swap" | "-W" | "w" => self.swap(first, rest),
            "COMMIT" | "commit" | "quit" | "test" | "-T" | "list" | "save" | "version" | "help" | "restore" => Ok(()),
            other => Err(first.fault(
                self.file,
                format!("unknown command {other:?}: expected create, add, del, flush, destroy, rename or swap"),
            )),
        }
    }

    fn index(&self, name: &Word) -> Result<usize, RuleError> {
        self.names.get(name.text.as_str()).copied().ok_or_else(|| {
            let nearest = self.sets.iter().min_by_key(|set| strsim::damerau_levenshtein(&set.name, &name.text));
            let hint = nearest.map_or_else(String::new, |set| format!(": did you mean {}?", set.name));
            name.fault(self.file, format!("there is no set {:?}{hint}", name.text))
        })
    }

    fn each(&mut self, name: Option<&Word>, change: impl Fn(&mut IpSet)) -> Result<(), RuleError> {
        match name {
            None => self.sets.iter_mut().for_each(change),
            Some(name) => {
                let at = self.index(name)?;
                self.sets.get_mut(at).into_iter().for_each(change);
            }
        }
        Ok(())
    }

    fn destroy(&mut self, name: Option<&Word>) -> Result<(), RuleError> {
        match name {
            None => self.sets.clear(),
            Some(name) => {
                let at = self.index(name)?;
                self.sets.remove(at);
            }
        }
        self.number();
        Ok(())
    }

    fn number(&mut self) {
        self.names = self.sets.iter().enumerate().map(|(at, set)| (Arc::clone(&set.name), at)).collect();
    }

    fn two<'w>(&self, first: &Word, rest: &[&'w Word]) -> Result<(&'w Word, &'w Word), RuleError> {
        match rest {
            [one, other] => Ok((one, other)),
            _ => Err(first.fault(self.file, "expected the names of two sets")),
        }
    }

    fn rename(&mut self, first: &Word, rest: &[&Word]) -> Result<(), RuleError> {
        let (from, to) = self.two(first, rest)?;
        let at = self.index(from)?;
        if let Some(set) = self.sets.get_mut(at) {
            set.name = Arc::from(to.text.as_str());
        }
        self.number();
        Ok(())
    }

    fn swap(&mut self, first: &Word, rest: &[&Word]) -> Result<(), RuleError> {
        let (one, other) = self.two(first, rest)?;
        let (a, b) = (self.index(one)?, self.index(other)?);
        if let Ok([a, b]) = self.sets.get_disjoint_mut([a, b]) {
            std::mem::swap(&mut a.name, &mut b.name);
        }
        self.number();
        Ok(())
    }

    fn create(&mut self, first: &Word, rest: &[&Word], exist: bool) -> Result<(), RuleError> {
        let [name, kind, options @ ..] = rest else {
            return Err(first.fault(self.file, "expected `create NAME TYPE OPTIONS…`"));
        };
        if self.names.contains_key(name.text.as_str()) {
            return if exist {
                Ok(())
            } else {
                Err(name.fault(self.file, format!("set {:?} is there already", name.text)))
            };
        }
        let (storage, dimensions) = kind_of(&kind.text).ok_or_else(|| {
            kind.fault(
                self.file,
                format!(
                    "unknown type {:?}: expected such as hash:ip, hash:net, hash:ip,port, bitmap:port, list:set",
                    kind.text
                ),
            )
        })?;
        let mut set = IpSet {
            name: Arc::from(name.text.as_str()),
            storage,
            dimensions,
            family: Family::Ip,
            timeout: None,
            counters: false,
            comment: false,
            skbinfo: false,
            netmask: None,
            markmask: None,
            maxelem: if storage == Storage::List { LIST_SIZE } else { MAXELEM },
            forceadd: false,
            range: None,
            options: Vec::new(),
            entries: Vec::new(),
            place: Place::new(self.file, first.line, 1),
        };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            self.create_option(&mut set, option, &mut options)?;
        }
        if storage == Storage::Bitmap && set.range.is_none() {
            return Err(kind.fault(self.file, "a bitmap needs `range FIRST-LAST`"));
        }
        self.names.insert(Arc::clone(&set.name), self.sets.len());
        self.sets.push(set);
        Ok(())
    }

    fn create_option<'w>(
        &self,
        set: &mut IpSet,
        option: &Word,
        rest: &mut impl Iterator<Item = &'w &'w Word>,
    ) -> Result<(), RuleError> {
        let mut argument =
            || rest.next().copied().ok_or_else(|| option.fault(self.file, format!("{} needs a value", option.text)));
        match option.text.as_str() {
            "counters" => set.counters = true,
            "comment" => set.comment = true,
            "skbinfo" => set.skbinfo = true,
            "forceadd" => set.forceadd = true,
            "family" => {
                let word = argument()?;
                set.family = match word.text.as_str() {
                    "inet" | "ipv4" | "-4" => Family::Ip,
                    "inet6" | "ipv6" | "-6" => Family::Ip6,
                    _ => return Err(word.fault(self.file, "expected inet or inet6")),
                };
            }
            "-6" => set.family = Family::Ip6,
            "-4" => set.family = Family::Ip,
            "timeout" => set.timeout = Some(number(argument()?, self.file)?),
            "maxelem" => set.maxelem = number(argument()?, self.file)?,
            "netmask" => set.netmask = Some(number(argument()?, self.file)?),
            "markmask" => {
                set.markmask = Some(
                    value::number_of(&argument()?.text).ok_or_else(|| option.fault(self.file, "expected a number"))?
                        as u32,
                )
            }
            "range" => {
                let word = argument()?;
                set.range = Some(
                    value::bounds(&word.text)
                        .ok_or_else(|| word.fault(self.file, "expected FIRST-LAST, or a network"))?,
                );
            }
            "size" if set.storage == Storage::List => set.maxelem = number(argument()?, self.file)?,
            "hashsize" | "bucketsize" | "initval" | "probes" | "resize" | "bitmask" | "gc" => {
                set.options.push((option.text.clone(), argument()?.text.clone()));
            }
            other => return Err(option.fault(self.file, format!("unknown option {other:?} of create"))),
        }
        Ok(())
    }

    fn add(&mut self, first: &Word, rest: &[&Word], exist: bool) -> Result<(), RuleError> {
        let [name, element, options @ ..] = rest else {
            return Err(first.fault(self.file, "expected `add NAME ELEMENT OPTIONS…`"));
        };
        let at = self.index(name)?;
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(element.fault(self.file, format!("more than {MAX_ENTRIES} elements")));
        }
        let file = self.file;
        let Some(set) = self.sets.get_mut(at) else { return Ok(()) };
        let values = value::values(set, &element.text).map_err(|message| element.fault(file, message))?;
        let mut entry = Entry {
            values,
            nomatch: false,
            timeout: None,
            counters: None,
            comment: None,
            skbinfo: Vec::new(),
            place: Place::new(file, element.line, element.column),
        };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            if option.text == "nomatch" {
                entry.nomatch = true;
                continue;
            }
            let value = options.next().ok_or_else(|| option.fault(file, format!("{} needs a value", option.text)))?;
            entry_option(&mut entry, option, value, file)?;
        }
        let _ = exist; // a script that ipset has taken has no element twice
        set.entries.push(entry);
        Ok(())
    }

    fn delete(&mut self, first: &Word, rest: &[&Word]) -> Result<(), RuleError> {
        let [name, element, ..] = rest else {
            return Err(first.fault(self.file, "expected `del NAME ELEMENT`"));
        };
        let at = self.index(name)?;
        let file = self.file;
        let Some(set) = self.sets.get_mut(at) else { return Ok(()) };
        let values = value::values(set, &element.text).map_err(|message| element.fault(file, message))?;
        set.entries.retain(|entry| entry.values != values);
        Ok(())
    }
}

fn entry_option(entry: &mut Entry, option: &Word, value: &Word, file: &Arc<str>) -> Result<(), RuleError> {
    match option.text.as_str() {
        "timeout" => entry.timeout = Some(number(value, file)?),
        "packets" => entry.counters = Some((number(value, file)?, entry.counters.map_or(0, |(_, bytes)| bytes))),
        "bytes" => entry.counters = Some((entry.counters.map_or(0, |(packets, _)| packets), number(value, file)?)),
        "comment" => entry.comment = Some(value.text.clone()),
        "skbmark" | "skbprio" | "skbqueue" => entry.skbinfo.push((option.text.clone(), value.text.clone())),
        "before" | "after" => {
            if let Some(super::Value::Set(_, place)) = entry.values.last_mut() {
                *place = Some((option.text == "before", value.text.clone()));
            }
        }
        other => return Err(option.fault(file, format!("unknown option {other:?} of add"))),
    }
    Ok(())
}

fn number<T: std::str::FromStr>(word: &Word, file: &Arc<str>) -> Result<T, RuleError> {
    word.text.parse().map_err(|_| word.fault(file, format!("{:?} is not a number that fits here", word.text)))
}

fn kind_of(kind: &str) -> Option<(Storage, Vec<Dimension>)> {
    let (storage, dimensions) = kind.split_once(':')?;
    let storage = match storage {
        "bitmap" => Storage::Bitmap,
        "hash" => Storage::Hash,
        "list" => Storage::List,
        _ => return None,
    };
    let dimensions: Option<Vec<Dimension>> = dimensions
        .split(',')
        .map(|dimension| {
            Some(match dimension {
                "ip" => Dimension::Ip,
                "net" => Dimension::Net,
                "port" => Dimension::Port,
                "mac" => Dimension::Mac,
                "iface" => Dimension::Iface,
                "mark" => Dimension::Mark,
                "set" => Dimension::Set,
                _ => return None,
            })
        })
        .collect();
    dimensions.filter(|dimensions| dimensions.len() <= 3).map(|dimensions| (storage, dimensions))
}
