//! A line of an ipset script and its words, each with its column.

use crate::ruleset::error::{Place, RuleError};
use std::sync::Arc;

/// A word, without the quotes around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    pub text: &'a str,
    pub column: u32,
}

/// A line while it is read word by word.
#[derive(Debug)]
pub(super) struct Line<'a> {
    file: &'a Arc<str>,
    number: u32,
    words: std::vec::IntoIter<Word<'a>>,
    end: u32,
}

impl<'a> Line<'a> {
    /// Splits a line at blanks; what stands in double quotes is one word (nothing can be escaped in it).
    pub fn new(file: &'a Arc<str>, number: u32, text: &'a str) -> Result<Self, RuleError> {
        let mut words = Vec::new();
        let mut column = 1;
        let mut rest = text;
        loop {
            let blank = rest.len() - rest.trim_start().len();
            column += count(rest.get(..blank));
            rest = rest.trim_start();
            if rest.is_empty() {
                break;
            }
            let (text, len) = match rest.strip_prefix('"') {
                Some(quoted) => match quoted.find('"') {
                    Some(end) => (quoted.get(..end), end + 2),
                    None => {
                        let place = Place::new(file, number, column);
                        return Err(RuleError::new(place, "expected a closing `\"`, found the end of the line"));
                    }
                },
                None => {
                    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                    (rest.get(..end), end)
                }
            };
            words.push(Word { text: text.unwrap_or_default(), column });
            column += count(rest.get(..len));
            rest = rest.get(len..).unwrap_or_default();
        }
        Ok(Self { file, number, words: words.into_iter(), end: column })
    }

    /// The next word, if there is one.
    pub fn next(&mut self) -> Option<Word<'a>> {
        self.words.next()
    }

    /// The next word, left where it is.
    pub fn peek(&self) -> Option<Word<'a>> {
        self.words.as_slice().first().copied()
    }

    /// The next word, which must be there.
    pub fn expect(&mut self, what: &str) -> Result<Word<'a>, RuleError> {
        match self.words.next() {
            Some(word) => Ok(word),
            None => Err(RuleError::new(
                Place::new(self.file, self.number, self.end),
                format!("expected {what}, found the end of the line"),
            )),
        }
    }

    /// Takes words out wherever they stand; `true` if there was one.
    pub fn take_all(&mut self, wanted: &[&str]) -> bool {
        let before = self.words.len();
        let rest: Vec<Word<'a>> = self.words.as_slice().iter().filter(|w| !wanted.contains(&w.text)).copied().collect();
        self.words = rest.into_iter();
        self.words.len() != before
    }

    /// Place of a word.
    pub fn place(&self, word: Word<'_>) -> Place {
        Place::new(self.file, self.number, word.column)
    }

    /// An error at a word.
    pub fn error(&self, word: Word<'_>, message: impl Into<String>) -> RuleError {
        RuleError::new(self.place(word), message)
    }

    /// Refuses words that are left.
    pub fn end(&mut self) -> Result<(), RuleError> {
        match self.next() {
            Some(word) => Err(self.error(word, format!("expected the end of the line, found `{}`", word.text))),
            None => Ok(()),
        }
    }
}

fn count(text: Option<&str>) -> u32 {
    u32::try_from(text.unwrap_or_default().chars().count()).unwrap_or(u32::MAX)
}
