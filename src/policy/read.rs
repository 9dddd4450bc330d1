//! TOML values with their place, and what is wrong with them.
//!
//! A mistake never ends the reading: it is noted, the key counts as left out, and the next key is read.

use super::error::Problem;
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Collects mistakes and knows where in the text they are.
pub(super) struct Report<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    problems: Vec<(usize, String)>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let line_starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1));
        Self { text, line_starts: line_starts.collect(), problems: Vec::new() }
    }

    /// Notes a mistake at a place of the text.
    pub(super) fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.push((span.start, message.into()));
    }

    /// All mistakes in the order of the text.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        let mut noted = std::mem::take(&mut self.problems);
        noted.sort_by_key(|(offset, _)| *offset);
        noted.into_iter().map(|(offset, message)| self.problem(offset, message)).collect()
    }

    fn problem(&self, offset: usize, message: String) -> Problem {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or("");
        Problem { line, column: before.chars().count() + 1, message }
    }
}

/// A table of the file whose keys are known.
pub(super) struct Fields<'f, 'i> {
    /// How messages call it, e.g. `[site]`.
    name: Cow<'static, str>,
    table: &'f DeTable<'i>,
}

impl<'f, 'i> Fields<'f, 'i> {
    /// Takes a table and reports every key that is not known.
    pub(super) fn new(
        name: impl Into<Cow<'static, str>>,
        table: &'f DeTable<'i>,
        known: &[&'static str],
        elsewhere: &[(&'static str, &[&'static str])],
        report: &mut Report<'_>,
    ) -> Self {
        let name = name.into();
        for key in table.keys() {
            let text = key.get_ref();
            if known.contains(&text.as_ref()) {
                continue;
            }
            let home = elsewhere.iter().find(|(_, keys)| keys.contains(&text.as_ref()));
            let advice = match home {
                Some((section, _)) => format!("it belongs to [{section}]"),
                None => nearest_known(text, known),
            };
            report.add(key.span(), format!("unknown key `{text}` in {name}: {advice}"));
        }
        Self { name, table }
    }

    /// `true` if the key is there, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A value that must be converted; `expected` says to what.
    pub(super) fn value<T>(
        &self,
        key: &str,
        expected: &str,
        report: &mut Report<'_>,
        convert: impl FnOnce(&DeValue<'i>) -> Option<Result<T, String>>,
    ) -> Option<T> {
        let value = self.table.get(key)?;
        self.item(key, expected, value, report, convert)
    }

    fn item<T>(
        &self,
        key: &str,
        expected: &str,
        value: &Spanned<DeValue<'i>>,
        report: &mut Report<'_>,
        convert: impl FnOnce(&DeValue<'i>) -> Option<Result<T, String>>,
    ) -> Option<T> {
        let found = match convert(value.get_ref()) {
            Some(Ok(converted)) => return Some(converted),
            Some(Err(reason)) => reason,
            None => format!("found {}", kind_of(value.get_ref())),
        };
        report.add(value.span(), format!("{} {key}: expected {expected}; {found}", self.name));
        None
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &str, report: &mut Report<'_>) -> Option<bool> {
        self.value(key, "true or false", report, |value| value.as_bool().map(Ok))
    }

    /// A whole number of at least 1.
    pub(super) fn count(&self, key: &str, report: &mut Report<'_>) -> Option<u64> {
        self.value(key, "a whole number of at least 1", report, |value| Some(positive(value)?))
    }

    /// A text, converted by `parse`.
    pub(super) fn text<T>(
        &self,
        key: &str,
        expected: &str,
        report: &mut Report<'_>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.value(key, expected, report, |value| value.as_str().map(parse))
    }

    /// A list of texts, each converted by `parse`; wrong ones are reported and left out. `None` if the key is absent.
    pub(super) fn texts<T>(
        &self,
        key: &str,
        expected: &str,
        report: &mut Report<'_>,
        mut parse: impl FnMut(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.list(key, expected, report, |value| value.as_str().map(&mut parse))
    }

    /// A list, each item converted by `convert`; wrong ones are reported and left out.
    pub(super) fn list<T>(
        &self,
        key: &str,
        expected: &str,
        report: &mut Report<'_>,
        mut convert: impl FnMut(&DeValue<'i>) -> Option<Result<T, String>>,
    ) -> Option<Vec<T>> {
        let value = self.table.get(key)?;
        let Some(items) = value.get_ref().as_array() else {
            let found = kind_of(value.get_ref());
            report.add(
                value.span(),
                format!("{} {key}: expected a list, each item {expected}; found {found}", self.name),
            );
            return None;
        };
        Some(items.iter().filter_map(|item| self.item(key, expected, item, report, &mut convert)).collect())
    }

    /// A list of tables, with their places; what is no table is reported and left out.
    pub(super) fn tables(
        &self,
        key: &str,
        expected: &str,
        report: &mut Report<'_>,
    ) -> Vec<(&'f DeTable<'i>, Range<usize>)> {
        let checked = self.list(key, expected, report, |value| value.as_table().map(|_| Ok(())));
        let items = self.table.get(key).filter(|_| checked.is_some()).and_then(|value| value.get_ref().as_array());
        let items = items.into_iter().flat_map(|items| items.iter());
        items.filter_map(|item| Some((item.get_ref().as_table()?, item.span()))).collect()
    }

    /// A key that must be there; `place` is where its absence is reported.
    pub(super) fn require(&self, key: &str, place: Range<usize>, report: &mut Report<'_>) {
        if !self.has(key) {
            report.add(place, format!("{}: `{key}` is missing", self.name));
        }
    }
}

/// What a value is, as messages call it.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A whole number of at least 1; `None` if it is no whole number at all.
pub(super) fn positive(value: &DeValue<'_>) -> Option<Result<u64, String>> {
    let number = value.as_integer()?;
    Some(match u64::from_str_radix(number.as_str(), number.radix()) {
        Ok(count) if (1..=i64::MAX as u64).contains(&count) => Ok(count),
        _ => Err(format!("{number} is out of range")),
    })
}

/// Advice for a name that is not known: the nearest one that is.
pub(super) fn nearest_known(name: &str, known: &[&'static str]) -> String {
    // Comparing takes time by the square of the length; no known name is nearly this long.
    let start: String = name.chars().take(64).collect();
    match known.iter().min_by_key(|candidate| strsim::damerau_levenshtein(&start, candidate)) {
        Some(nearest) => format!("the nearest known is `{nearest}`"),
        None => "none is known here".to_owned(),
    }
}
