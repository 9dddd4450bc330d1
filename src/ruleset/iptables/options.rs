//! What options an extension has, and what was given for them.

use super::Context;
use super::words::Word;
use crate::ruleset::error::RuleError;
use crate::ruleset::model::{Family, Note};
use crate::ruleset::xt::Inv;
use std::cell::RefCell;
use std::sync::Arc;

/// An option of an extension.
#[derive(Debug)]
pub(super) struct Opt {
    /// Name without `--`, by which the extension's code asks for it.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Words that follow.
    pub args: u8,
    /// `!` may stand before it.
    pub invertible: bool,
    /// It may be given more than once.
    pub repeatable: bool,
}

impl Opt {
    /// Without a value.
    pub const fn flag(name: &'static str) -> Self {
        Self { name, aliases: &[], args: 0, invertible: false, repeatable: false }
    }

    /// With a value.
    pub const fn value(name: &'static str) -> Self {
        Self { name, aliases: &[], args: 1, invertible: false, repeatable: false }
    }

    /// With two values.
    pub const fn pair(name: &'static str) -> Self {
        Self { name, aliases: &[], args: 2, invertible: false, repeatable: false }
    }

    /// Known by other names, too.
    pub const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// May be inverted.
    pub const fn not(mut self) -> Self {
        self.invertible = true;
        self
    }

    /// May be repeated.
    pub const fn many(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// All its names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// An option as given.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// Which.
    pub option: &'static Opt,
    /// The word itself.
    pub word: Word,
    /// `!` before it.
    pub not: bool,
    /// Its values.
    pub args: Vec<Word>,
}

impl Given {
    /// The first value, or the option itself if it has none.
    pub fn first(&self) -> &Word {
        self.args.first().unwrap_or(&self.word)
    }

    /// The second value, or the first.
    pub fn second(&self) -> &Word {
        self.args.get(1).unwrap_or_else(|| self.first())
    }
}

/// Where a rule stands, for extensions that ask.
#[derive(Debug)]
pub(super) struct Env<'a> {
    /// File.
    pub file: &'a Arc<str>,
    /// IPv4 or IPv6.
    pub family: Family,
    /// `-p`.
    pub protocol: Option<Inv<u8>>,
    /// What other files give.
    pub context: &'a Context,
    /// Remarks.
    pub notes: &'a RefCell<Vec<Note>>,
}

/// All options given to one use of an extension.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// `-m tcp`, `-j LOG`: for messages.
    pub title: String,
    /// The extension's name where it was loaded.
    pub at: &'a Word,
    /// In order.
    pub given: &'a [Given],
    /// Where.
    pub env: &'a Env<'a>,
}

impl Options<'_> {
    /// An option, if it was given (the last, if repeated).
    pub fn find(&self, name: &str) -> Option<&Given> {
        self.given.iter().rev().find(|given| given.option.name == name)
    }

    /// Whether a flag was given.
    pub fn flag(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// A flag that may be inverted.
    pub fn inv_flag(&self, name: &str) -> Option<Inv<()>> {
        self.find(name).map(|given| Inv { not: given.not, value: () })
    }

    /// An option's value.
    pub fn value<T>(&self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, RuleError> {
        Ok(self.inv(name, read)?.map(|inv| inv.value))
    }

    /// An option's value, and whether it is inverted.
    pub fn inv<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<Inv<T>>, RuleError> {
        let Some(given) = self.find(name) else { return Ok(None) };
        self.read(given, read).map(|value| Some(Inv { not: given.not, value }))
    }

    /// The value of an option that must be there.
    pub fn need<T>(&self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<T, RuleError> {
        self.need_inv(name, read).map(|inv| inv.value)
    }

    /// The value of an option that must be there, and whether it is inverted.
    pub fn need_inv<T>(&self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Inv<T>, RuleError> {
        self.inv(name, read)?.ok_or_else(|| self.missing(&format!("--{name}")))
    }

    /// The one of several options that exclude each other.
    pub fn one_of(&self, names: &[&str]) -> Result<Option<&Given>, RuleError> {
        let mut found = self.given.iter().filter(|given| names.contains(&given.option.name));
        let first = found.next();
        match (first, found.next()) {
            (Some(first), Some(second)) => Err(self.fault(
                &second.word,
                format!("--{} cannot be used together with --{}", second.option.name, first.option.name),
            )),
            _ => Ok(first),
        }
    }

    /// Reads a value of an option.
    pub fn read<T>(&self, given: &Given, read: impl FnOnce(&str) -> Result<T, String>) -> Result<T, RuleError> {
        self.read_word(given, given.first(), read)
    }

    /// Reads one of several values of an option.
    pub fn read_word<T>(
        &self,
        given: &Given,
        word: &Word,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, RuleError> {
        read(&word.text).map_err(|message| self.fault(word, format!("--{}: {message}", given.option.name)))
    }

    /// An error at a word.
    pub fn fault(&self, word: &Word, message: impl AsRef<str>) -> RuleError {
        word.fault(self.env.file, format!("{}: {}", self.title, message.as_ref()))
    }

    /// An error that something was not given.
    pub fn missing(&self, what: &str) -> RuleError {
        self.fault(self.at, format!("{what} is missing"))
    }

    /// A remark.
    pub fn note(&self, word: &Word, message: impl AsRef<str>) {
        let message = format!("{}: {}", self.title, message.as_ref());
        self.env.notes.borrow_mut().push(Note { place: word.place(self.env.file), message });
    }

    /// IPv6?
    pub fn v6(&self) -> bool {
        self.env.family == Family::Ip6
    }
}
