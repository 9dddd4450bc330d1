//! The little of a shell that a list of commands needs: words, quotes, comments, lines continued by a backslash.
//!
//! Nothing is evaluated. A word that holds a variable is marked, for it may stand where it does no harm (`echo`);
//! commands within commands, pipes and blocks are refused at once.

use super::words::{Word, column};
use crate::ruleset::error::{Place, RuleError};
use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

/// What a refusal advises.
pub(super) const EXPAND: &str =
    "variables and loops are not evaluated: expand the script first, e.g. give the output of iptables-save";

/// A command.
#[derive(Debug, Default)]
pub(super) struct Statement {
    /// Name and arguments.
    pub words: Vec<Word>,
    /// The first word that holds a variable.
    pub variable: Option<Word>,
    /// Where output goes, `/dev/null` and other descriptors (`&1`) left out.
    pub output: Option<Word>,
    /// Errors go to /dev/null.
    pub quiet: bool,
    /// What separates it from the next one is `||`.
    pub or: bool,
}

/// Splits a script.
pub(super) fn split(text: &str, file: &Arc<str>) -> Result<Vec<Statement>, RuleError> {
    let mut lexer = Lexer {
        chars: text.chars().peekable(),
        file,
        line: 1,
        column: 0,
        done: Vec::new(),
        now: Statement::default(),
        word: None,
        redirect: None,
    };
    lexer.run()?;
    Ok(lexer.done)
}

/// A redirection whose target follows: of errors, and where it stands.
struct Redirect {
    errors: bool,
    both: bool,
    at: Word,
}

struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    file: &'a Arc<str>,
    line: u32,
    /// Characters read of the line.
    column: usize,
    done: Vec<Statement>,
    now: Statement,
    word: Option<Word>,
    redirect: Option<Redirect>,
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            self.line = self.line.saturating_add(1);
            self.column = 0;
        } else {
            self.column = self.column.saturating_add(1);
        }
        Some(c)
    }

    /// The place of the character just read.
    fn here(&self) -> Word {
        Word::new("", self.line, column(self.column.saturating_sub(1)))
    }

    fn fault(&self, at: &Word, message: impl Into<String>) -> RuleError {
        RuleError::new(Place::new(self.file, at.line, at.column), message)
    }

    fn push(&mut self, c: char) {
        let here = self.here();
        self.word.get_or_insert(here).text.push(c);
    }

    fn run(&mut self) -> Result<(), RuleError> {
        while let Some(c) = self.next() {
            let here = self.here();
            match c {
                '\n' => self.end_statement(false)?,
                ' ' | '\t' | '\r' => self.end_word()?,
                '#' if self.word.is_none() => {
                    while self.chars.peek().is_some_and(|&c| c != '\n') {
                        self.next();
                    }
                }
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(escaped) => self.push(escaped),
                },
                '\'' => self.single_quoted(&here)?,
                '"' => self.double_quoted(&here)?,
                '$' | '`' => self.expansion(c, &here)?,
                ';' => self.end_statement(false)?,
                '&' if self.take('&') => self.end_statement(false)?,
                '&' if self.chars.peek() == Some(&'>') => {
                    self.next();
                    self.begin_redirect(&here, true)?;
                }
                '|' if self.take('|') => self.end_statement(true)?,
                '>' => self.begin_redirect(&here, false)?,
                '<' => return Err(self.fault(&here, "input from a file cannot be read: give that file itself")),
                '|' | '&' | '(' | ')' => {
                    let message = format!("`{c}`: pipes, background commands, functions and subshells: {EXPAND}");
                    return Err(self.fault(&here, message));
                }
                '\0' => return Err(self.fault(&here, "a NUL character: this is not a script")),
                _ => self.push(c),
            }
        }
        self.end_statement(false)
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.chars.peek() == Some(&wanted);
        if found {
            self.next();
        }
        found
    }

    fn single_quoted(&mut self, open: &Word) -> Result<(), RuleError> {
        self.word.get_or_insert_with(|| open.clone());
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                Some(c) => self.push(c),
                None => return Err(self.fault(open, "the quote `'` is not closed")),
            }
        }
    }

    fn double_quoted(&mut self, open: &Word) -> Result<(), RuleError> {
        self.word.get_or_insert_with(|| open.clone());
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.next() {
                    Some('\n') => {}
                    Some(c @ ('$' | '`' | '"' | '\\')) => self.push(c),
                    Some(c) => {
                        self.push('\\');
                        self.push(c);
                    }
                    None => return Err(self.fault(open, "the quote `\"` is not closed")),
                },
                Some(c @ ('$' | '`')) => {
                    let here = self.here();
                    self.expansion(c, &here)?;
                }
                Some(c) => self.push(c),
                None => return Err(self.fault(open, "the quote `\"` is not closed")),
            }
        }
    }

    /// `$NAME` is marked, `$(…)` and backticks are refused; a `$` alone is itself.
    fn expansion(&mut self, c: char, here: &Word) -> Result<(), RuleError> {
        let next = self.chars.peek().copied();
        if c == '`' || matches!(next, Some('(' | '\'' | '"')) {
            return Err(self.fault(here, format!("the output of a command is asked for: {EXPAND}")));
        }
        self.push(c);
        let named = next
            .is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '{' | '@' | '*' | '#' | '?' | '$' | '!'));
        if named {
            self.now.variable.get_or_insert_with(|| here.clone());
        }
        if named && self.chars.peek() == Some(&'#') {
            self.next();
            self.push('#');
        }
        Ok(())
    }

    fn begin_redirect(&mut self, here: &Word, both: bool) -> Result<(), RuleError> {
        // Digits right before `>` are a descriptor, not a word.
        let errors = self.word.as_ref().is_some_and(|word| word.text == "2");
        if self.word.as_ref().is_some_and(|word| word.text.bytes().all(|b| b.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word()?;
        let _append = self.take('>') || self.take('|');
        if self.take('&') {
            // `2>&1`: to another descriptor.
            while self.chars.peek().is_some_and(|c| c.is_ascii_digit() || *c == '-') {
                self.next();
            }
            return Ok(());
        }
        self.redirect = Some(Redirect { errors, both, at: here.clone() });
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), RuleError> {
        let Some(word) = self.word.take() else { return Ok(()) };
        match self.redirect.take() {
            Some(redirect) if word.text == "/dev/null" => self.now.quiet |= redirect.errors || redirect.both,
            Some(redirect) => self.now.output = Some(Word { text: word.text, ..redirect.at }),
            None => self.now.words.push(word),
        }
        Ok(())
    }

    fn end_statement(&mut self, or: bool) -> Result<(), RuleError> {
        self.end_word()?;
        if let Some(redirect) = self.redirect.take() {
            return Err(self.fault(&redirect.at, "the name of a file is expected after `>`"));
        }
        let mut statement = std::mem::take(&mut self.now);
        statement.or = or;
        if !statement.words.is_empty() {
            self.done.push(statement);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let statements = split(text, &Arc::from("f")).unwrap();
        statements.into_iter().map(|one| one.words.into_iter().map(|word| word.text).collect()).collect()
    }

    #[test]
    fn quotes_comments_continuations() {
        assert_eq!(
            words("a 'b c' \"d \\\"e\\\" \\x\" f\\ g#h # i\n\n\tj;k && l"),
            [vec!["a", "b c", "d \"e\" \\x", "f g#h"], vec!["j"], vec!["k"], vec!["l"]]
        );
        assert_eq!(words("a b \\\n  c\r\nd\n"), [vec!["a", "b", "c"], vec!["d"]]);
        assert_eq!(words("a '' \"\""), [vec!["a", "", ""]]);
    }

    #[test]
    fn places_and_redirections() {
        let statements = split("x\n a  2>/dev/null b >&2 || true\ne 1 > /proc/x", &Arc::from("f")).unwrap();
        let a = statements.get(1).unwrap();
        assert_eq!(
            a.words.iter().map(|w| (w.text.as_str(), w.line, w.column)).collect::<Vec<_>>(),
            [("a", 2, 2), ("b", 2, 17)]
        );
        assert!(a.quiet && a.or && a.output.is_none());
        let e = statements.last().unwrap();
        assert_eq!((e.words.len(), e.output.as_ref().unwrap().text.as_str()), (2, "/proc/x"));
    }

    #[test]
    fn what_must_be_evaluated_is_marked_or_refused() {
        let statements = split("a \"x $Y\" '$z' \\$q 5$", &Arc::from("f")).unwrap();
        let variable = statements.first().unwrap().variable.clone().unwrap();
        assert_eq!((variable.line, variable.column), (1, 6));
        for (text, column) in
            [("a `b`", 3), ("a $(b)", 3), ("a | b", 3), ("f() {", 2), ("a < b", 3), ("a 'b", 3), ("a &", 3)]
        {
            let error = split(text, &Arc::from("f")).unwrap_err();
            assert_eq!(error.place.column, column, "{text}: {error}");
        }
    }
}
