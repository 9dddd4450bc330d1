//! One command's words into what it does: options of iptables itself, extensions loaded, and the options given to
//! each (`do_parse` of `xshared.c`, with the abbreviations of `getopt_long`).

mod own;

use super::bounds::MAX_WORDS;
use super::extension::{self, Extension};
use super::options::{Given, Opt};
use super::words::Word;
use crate::ruleset::error::RuleError;
use crate::ruleset::model::{Family, Note};
use crate::ruleset::xt::{IfName, Inv, Masked, Match, Target};
use std::sync::Arc;

/// A command as read.
#[derive(Default)]
pub(super) struct Line {
    /// What to do.
    pub command: Option<Command>,
    /// `-t`.
    pub table: Option<Word>,
    /// `-4` or `-6`.
    pub only: Option<Family>,
    /// `-w`, `-n` or another option that goes with some commands only.
    pub aside: Option<Word>,
    /// The rule.
    pub spec: Spec,
}

/// What to do. Chains and numbers are words, so that errors can point at them.
pub(super) enum Command {
    Append(Word),
    Insert(Word, Option<Word>),
    Delete(Word, Option<Word>),
    Replace(Word, Word),
    Policy(Word, Word),
    New(Word),
    Remove(Option<Word>),
    Flush(Option<Word>),
    Rename(Word, Word),
    /// `-C`, `-L`, `-S`, `-Z`, `-V`, `-h`: changes no rule.
    Look,
}

impl Command {
    /// Adds or changes something; the others look, or take away.
    pub fn adds(&self) -> bool {
        matches!(self, Self::Append(_) | Self::Insert(..) | Self::Replace(..) | Self::Policy(..))
    }
}

/// A rule's parts as given.
#[derive(Default)]
pub(super) struct Spec {
    pub sources: Option<Inv<Vec<Masked>>>,
    pub destinations: Option<Inv<Vec<Masked>>>,
    pub in_if: Option<Inv<IfName>>,
    pub out_if: Option<Inv<IfName>>,
    pub protocol: Option<Inv<u8>>,
    /// As written, lower case: which extension it loads depends on it.
    protocol_name: String,
    pub fragment: Option<Inv<()>>,
    pub matches: Vec<Loaded<Match>>,
    pub target: Option<Jump>,
    /// Something of a rule was given.
    pub any: bool,
}

/// An extension with the options given to it.
pub(super) struct Loaded<T: 'static> {
    /// Which; `None` if not known here.
    pub extension: Option<&'static Extension<T>>,
    /// Its name where it was written.
    pub name: Word,
    /// Options, of a known one.
    pub given: Vec<Given>,
    /// Words, of an unknown one.
    pub raw: Vec<Word>,
}

/// `-j` or `-g`.
pub(super) struct Jump {
    pub goto: bool,
    pub loaded: Loaded<Target>,
}

/// Options of iptables itself: long name, letter, and whether a value follows.
const GLOBAL: &[(&str, char, bool)] = &[
    ("append", 'A', true),
    ("delete", 'D', true),
    ("check", 'C', true),
    ("insert", 'I', true),
    ("replace", 'R', true),
    ("list", 'L', false),
    ("list-rules", 'S', false),
    ("flush", 'F', false),
    ("zero", 'Z', false),
    ("new-chain", 'N', true),
    ("delete-chain", 'X', false),
    ("rename-chain", 'E', true),
    ("policy", 'P', true),
    ("source", 's', true),
    ("destination", 'd', true),
    ("src", 's', true),
    ("dst", 'd', true),
    ("protocol", 'p', true),
    ("in-interface", 'i', true),
    ("jump", 'j', true),
    ("table", 't', true),
    ("match", 'm', true),
    ("numeric", 'n', false),
    ("out-interface", 'o', true),
    ("verbose", 'v', false),
    ("wait", 'w', false),
    ("wait-interval", 'W', true),
    ("exact", 'x', false),
    ("fragments", 'f', false),
    ("version", 'V', false),
    ("help", 'h', false),
    ("line-numbers", '0', false),
    ("modprobe", 'M', true),
    ("set-counters", 'c', true),
    ("goto", 'g', true),
    ("ipv4", '4', false),
    ("ipv6", '6', false),
];

/// What an option turns out to be.
enum Found {
    Global(char, bool),
    Match(usize, &'static Opt),
    Target(&'static Opt),
}

/// Reads a command's words.
pub(super) fn parse(words: &[Word], family: Family, file: &Arc<str>, notes: &mut Vec<Note>) -> Result<Line, RuleError> {
    if let Some(word) = words.get(MAX_WORDS) {
        return Err(word.fault(file, format!("more than {MAX_WORDS} words in a command")));
    }
    let mut parser =
        Parser { words, next: 0, family, file, notes, line: Line::default(), order: Vec::new(), by_protocol: false };
    parser.run()?;
    Ok(parser.line)
}

struct Parser<'a> {
    words: &'a [Word],
    next: usize,
    family: Family,
    file: &'a Arc<str>,
    notes: &'a mut Vec<Note>,
    line: Line,
    /// Extensions in the order of loading: a match's index, `None` for the target. Later ones shadow earlier ones.
    order: Vec<Option<usize>>,
    /// The extension that `-p` names was loaded.
    by_protocol: bool,
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<(), RuleError> {
        let mut not: Option<&'a Word> = None;
        while let Some(word) = self.take() {
            if word.text == "!" {
                if not.replace(word).is_some() {
                    return Err(self.fault(word, "two `!` in a row: one inverts the option that follows"));
                }
                continue;
            }
            if let Some(long) = word.text.strip_prefix("--").filter(|long| !long.is_empty()) {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(self.part(word, value))),
                    None => (long, None),
                };
                self.long(word, name, value, not.take())?;
            } else if let Some(letter) = word.text.strip_prefix('-').and_then(|rest| rest.chars().next()) {
                self.short(word, letter, not.take())?;
            } else {
                return Err(self.fault(word, format!("`{}` stands where an option is expected", word.text)));
            }
        }
        match not {
            Some(word) => Err(self.fault(word, "an option is expected after `!`")),
            None => Ok(()),
        }
    }

    fn take(&mut self) -> Option<&'a Word> {
        let word = self.words.get(self.next)?;
        self.next = self.next.saturating_add(1);
        Some(word)
    }

    fn fault(&self, word: &Word, message: impl Into<String>) -> RuleError {
        word.fault(self.file, message)
    }

    /// A part at the end of a word.
    fn part(&self, word: &Word, text: &str) -> Word {
        let before = word.text.chars().count().saturating_sub(text.chars().count());
        Word::new(text, word.line, word.column.saturating_add(u32::try_from(before).unwrap_or(0)))
    }

    /// The value that an option must have.
    fn value(&mut self, option: &Word, inline: Option<Word>, what: &str) -> Result<Word, RuleError> {
        match inline {
            Some(word) => Ok(word),
            None => self
                .take()
                .cloned()
                .ok_or_else(|| self.fault(option, format!("`{}` expects {what} after it", option.text))),
        }
    }

    /// The next word, if it is not an option.
    fn optional(&mut self) -> Option<Word> {
        let word = self.words.get(self.next).filter(|word| !word.text.starts_with('-') && word.text != "!")?;
        self.next = self.next.saturating_add(1);
        Some(word.clone())
    }

    /// The old order, `--dport ! 80`: `!` where the value should be.
    fn inverted_value(&mut self, not: &mut bool, value: Word) -> Word {
        if value.text != "!" || *not {
            return value;
        }
        let Some(next) = self.take() else { return value };
        *not = true;
        let message =
            "`!` after an option is the old order, which iptables no longer takes: write it before the option";
        self.notes.push(Note { place: value.place(self.file), message: message.into() });
        next.clone()
    }

    fn long(&mut self, word: &'a Word, name: &str, value: Option<Word>, not: Option<&Word>) -> Result<(), RuleError> {
        let mut found = self.look_up(word, name)?;
        if found.is_none() && self.load_by_protocol(word, name) {
            found = self.look_up(word, name)?;
        }
        match found {
            Some(Found::Global(letter, takes)) => {
                if let (Some(value), false) = (&value, takes) {
                    return Err(self.fault(value, format!("`--{name}` takes no value")));
                }
                self.global(word, letter, value, not)
            }
            Some(Found::Match(index, option)) => {
                let given = self.given(word, option, value, not)?;
                let Some(loaded) = self.line.spec.matches.get_mut(index) else { return Ok(()) };
                Self::give(&mut loaded.given, given, self.file)
            }
            Some(Found::Target(option)) => {
                let given = self.given(word, option, value, not)?;
                let Some(jump) = &mut self.line.spec.target else { return Ok(()) };
                Self::give(&mut jump.loaded.given, given, self.file)
            }
            // Without `-p` it cannot be told whether a `--dport` is that of a protocol.
            None if self.line.spec.protocol_name.is_empty() && extension::of_a_protocol(name, self.family) => {
                Err(self.unknown_option(word, name))
            }
            None => self.swallow(word, not).ok_or_else(|| self.unknown_option(word, name)),
        }
    }

    fn give(all: &mut Vec<Given>, given: Given, file: &Arc<str>) -> Result<(), RuleError> {
        if !given.option.repeatable && all.iter().any(|other| other.option.name == given.option.name) {
            return Err(given.word.fault(file, format!("`--{}` is given twice", given.option.name)));
        }
        all.push(given);
        Ok(())
    }

    fn given(
        &mut self,
        word: &Word,
        option: &'static Opt,
        inline: Option<Word>,
        not: Option<&Word>,
    ) -> Result<Given, RuleError> {
        let mut inverted = not.is_some();
        if let (Some(not), false) = (not, option.invertible) {
            return Err(self.fault(not, format!("`--{}` cannot be inverted", option.name)));
        }
        let mut args = Vec::new();
        if option.args == 0 {
            if let Some(value) = inline {
                return Err(self.fault(&value, format!("`--{}` takes no value", option.name)));
            }
        } else {
            let mut value = self.value(word, inline, "a value")?;
            if option.invertible {
                value = self.inverted_value(&mut inverted, value);
            }
            args.push(value);
            for _ in 1..option.args {
                let second = self.optional();
                args.push(second.ok_or_else(|| {
                    self.fault(word, format!("`--{}` expects {} values after it", option.name, option.args))
                })?);
            }
        }
        Ok(Given { option, word: word.clone(), not: inverted, args })
    }

    /// An option by its name or the beginning of it: exact names first, iptables' own before the last extension's.
    fn look_up(&self, word: &Word, name: &str) -> Result<Option<Found>, RuleError> {
        let mut close: Vec<(&'static str, &'static str, Found)> = Vec::new();
        for &(long, letter, takes) in GLOBAL {
            if long == name {
                return Ok(Some(Found::Global(letter, takes)));
            }
            let known = close.iter().any(|(_, _, found)| matches!(found, Found::Global(other, _) if *other == letter));
            if long.starts_with(name) && !known {
                close.push(("", long, Found::Global(letter, takes)));
            }
        }
        for &slot in self.order.iter().rev() {
            for (owner, option) in self.options_of(slot) {
                for long in option.names() {
                    let found = || match slot {
                        Some(index) => Found::Match(index, option),
                        None => Found::Target(option),
                    };
                    if long == name {
                        return Ok(Some(found()));
                    }
                    let known =
                        close.iter().any(|&(other, first, _)| other == owner && option.names().any(|n| n == first));
                    if long.starts_with(name) && !known {
                        close.push((owner, long, found()));
                    }
                }
            }
        }
        if close.len() > 1 {
            let names: Vec<String> = close.iter().map(|(_, long, _)| format!("--{long}")).collect();
            return Err(self.fault(word, format!("`--{name}` may be short for {}", names.join(" or "))));
        }
        Ok(close.pop().map(|(_, _, found)| found))
    }

    fn options_of(&self, slot: Option<usize>) -> Vec<(&'static str, &'static Opt)> {
        let (name, options): (&'static str, &'static [Opt]) = match slot {
            Some(index) => match self.line.spec.matches.get(index).and_then(|loaded| loaded.extension) {
                Some(extension) => (extension.name, extension.options),
                None => return Vec::new(),
            },
            None => match self.line.spec.target.as_ref().and_then(|jump| jump.loaded.extension) {
                Some(extension) => (extension.name, extension.options),
                None => return Vec::new(),
            },
        };
        options.iter().map(|option| (name, option)).collect()
    }

    /// `-p tcp --dport` loads the match `tcp`, if that is not loaded and knows the option.
    fn load_by_protocol(&mut self, word: &Word, option: &str) -> bool {
        let spec = &mut self.line.spec;
        if self.by_protocol || spec.protocol_name.is_empty() {
            return false;
        }
        let Some(extension) = extension::find_match(&spec.protocol_name, self.family) else { return false };
        let loaded = spec.matches.iter().any(|loaded| loaded.name.text == extension.name);
        if loaded || !extension.takes(option) {
            return false;
        }
        self.by_protocol = true;
        let name = Word::new(extension.name, word.line, word.column);
        self.order.push(Some(spec.matches.len()));
        spec.matches.push(Loaded { extension: Some(extension), name, given: Vec::new(), raw: Vec::new() });
        true
    }

    /// Gives an option that nobody knows to the last extension that is not known, with the words up to the next option.
    fn swallow(&mut self, word: &Word, not: Option<&Word>) -> Option<()> {
        let spec = &mut self.line.spec;
        let slot = *self.order.iter().rev().find(|slot| match slot {
            Some(index) => spec.matches.get(*index).is_some_and(|loaded| loaded.extension.is_none()),
            None => spec.target.as_ref().is_some_and(|jump| jump.loaded.extension.is_none()),
        })?;
        let raw = match slot {
            Some(index) => &mut spec.matches.get_mut(index)?.raw,
            None => &mut spec.target.as_mut()?.loaded.raw,
        };
        raw.extend(not.cloned());
        raw.push(word.clone());
        let values = self.words.get(self.next..).unwrap_or_default();
        let count = values.iter().take_while(|value| !value.text.starts_with('-') && value.text != "!").count();
        raw.extend(values.iter().take(count).cloned());
        self.next = self.next.saturating_add(count);
        Some(())
    }

    fn unknown_option(&self, word: &Word, name: &str) -> RuleError {
        let owners = extension::owners(name, self.family);
        let hint = if owners.is_empty() {
            String::from(": neither iptables nor an extension loaded so far has it")
        } else {
            format!(": it belongs to {}, which must come before it", owners.join(", "))
        };
        self.fault(word, format!("unknown option `--{name}`{hint}"))
    }

    fn short(&mut self, word: &'a Word, letter: char, not: Option<&Word>) -> Result<(), RuleError> {
        let Some(&(_, _, takes)) = GLOBAL.iter().find(|&&(_, known, _)| known == letter && letter != '0') else {
            return Err(self.fault(word, format!("unknown option `-{letter}`")));
        };
        let rest = word.text.get(letter.len_utf8().saturating_add(1)..).unwrap_or_default();
        let value = (!rest.is_empty()).then(|| self.part(word, rest));
        match (value, takes) {
            (Some(value), true) => self.global(word, letter, Some(value), not),
            (Some(value), false) => {
                // Letters without values may be joined: `-nv`.
                self.global(word, letter, None, not)?;
                let next = value.text.chars().next().unwrap_or(letter);
                if GLOBAL.iter().any(|&(_, known, takes)| known == next && !takes) && value.text.len() == 1 {
                    return self.global(word, next, None, None);
                }
                Err(self.fault(&value, format!("`-{letter}` takes no value")))
            }
            (None, _) => self.global(word, letter, None, not),
        }
    }
}
