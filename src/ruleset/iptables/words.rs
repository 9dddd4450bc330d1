//! A line of an `iptables-save` file into words (`add_param_to_argv` of `xshared.c`).

use crate::ruleset::error::{Place, RuleError};
use std::sync::Arc;

/// A word and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Without quotes.
    pub text: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Word {
    /// A word that begins at a place.
    pub fn new(text: impl Into<String>, line: u32, column: u32) -> Self {
        Self { text: text.into(), line, column }
    }

    /// Its place in a file.
    pub fn place(&self, file: &Arc<str>) -> Place {
        Place::new(file, self.line, self.column)
    }

    /// An error about it.
    pub fn fault(&self, file: &Arc<str>, message: impl Into<String>) -> RuleError {
        RuleError::new(self.place(file), message)
    }
}

/// A column counted from 0, as places have it.
pub(super) fn column(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)
}

/// Words between blanks. `"` quotes, a backslash within quotes takes the next character as it is; `'` means nothing.
pub(super) fn split(line: &str, number: u32, file: &Arc<str>) -> Result<Vec<Word>, RuleError> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote: Option<u32> = None;
    let mut chars = line.chars().enumerate();
    while let Some((index, c)) = chars.next() {
        let at = column(index);
        if quote.is_none() && c.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        let open = word.get_or_insert_with(|| Word::new("", number, at));
        match c {
            '"' => quote = if quote.is_some() { None } else { Some(at) },
            '\\' if quote.is_some() => open.text.extend(chars.next().map(|(_, escaped)| escaped)),
            '\0' => {
                return Err(RuleError::new(Place::new(file, number, at), "a NUL character: this is not a text file"));
            }
            _ => open.text.push(c),
        }
    }
    if let Some(at) = quote {
        return Err(RuleError::new(Place::new(file, number, at), "the quote `\"` is not closed on this line"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<(String, u32)> {
        split(line, 1, &Arc::from("f")).unwrap().into_iter().map(|word| (word.text, word.column)).collect()
    }

    #[test]
    fn quotes_join_and_escape() {
        assert_eq!(texts("-A  x\ty"), [("-A".into(), 1), ("x".into(), 5), ("y".into(), 7)]);
        assert_eq!(
            texts(r#"a "b c" d"e"f "" "q\"\\""#)[1..],
            [("b c".into(), 3), ("def".into(), 9), (String::new(), 15), ("q\"\\".into(), 18)]
        );
        assert_eq!(texts(r"a\b 'c d'"), [("a\\b".into(), 1), ("'c".into(), 5), ("d'".into(), 8)]);
    }

    #[test]
    fn an_open_quote_is_an_error_where_it_opens() {
        let error = split("-A x \"y", 7, &Arc::from("f")).unwrap_err();
        assert_eq!((error.place.line, error.place.column), (7, 6));
    }
}
