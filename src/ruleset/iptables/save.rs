//! Files in the format of `iptables-save`.

use super::line;
use super::tables::Tables;
use super::words::{self, Word};
use super::{Context, Parsed};
use crate::ruleset::error::{Place, RuleError};
use crate::ruleset::model::Family;
use std::sync::Arc;

/// Reads what `iptables-restore` (or `ip6tables-restore`) reads.
pub fn parse_save(text: &str, file: &Arc<str>, family: Family, context: &Context) -> Result<Parsed, RuleError> {
    let mut reader = Reader { file, family, tables: Tables::new(file, context), table: None };
    let mut number = 0;
    for line in text.lines() {
        number = u32::saturating_add(number, 1);
        reader.line(line, number)?;
    }
    if let Some((_, begun)) = reader.table {
        let message = format!("COMMIT is missing: the table begun on line {begun} does not end");
        return Err(RuleError::new(Place::new(file, number.max(1), 0), message));
    }
    reader.tables.finish()
}

struct Reader<'a> {
    file: &'a Arc<str>,
    family: Family,
    tables: Tables<'a>,
    /// The open table, and the line on which it began.
    table: Option<(usize, u32)>,
}

impl Reader<'_> {
    fn line(&mut self, line: &str, number: u32) -> Result<(), RuleError> {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return Ok(());
        }
        let indent = words::column(line.chars().count().saturating_sub(trimmed.chars().count()).saturating_sub(1));
        let column = if line.len() == trimmed.len() { 1 } else { indent.saturating_add(1) };
        let whole = Word::new(trimmed.trim_end(), number, column);
        let Some((table, _)) = self.table else {
            let Some(name) = whole.text.strip_prefix('*') else {
                return Err(whole.fault(
                    self.file,
                    "a table is expected here: `*filter`, `*nat`, `*mangle`, `*raw` or `*security`",
                ));
            };
            let name = Word::new(name.trim(), number, column.saturating_add(1));
            let table = self.tables.open(&name, self.family)?;
            self.tables.clear(table, &name);
            self.table = Some((table, number));
            return Ok(());
        };
        match whole.text.chars().next() {
            Some('*') => Err(whole.fault(self.file, "COMMIT is expected before the next table")),
            Some(':') => self.chain(&whole, table),
            Some('-' | '[') => self.command(line, number, table),
            _ if whole.text == "COMMIT" => {
                self.table = None;
                Ok(())
            }
            _ => Err(whole.fault(self.file, "`:CHAIN POLICY`, `-A CHAIN …`, COMMIT or `# comment` is expected here")),
        }
    }

    /// `:CHAIN POLICY [packets:bytes]`.
    fn chain(&mut self, whole: &Word, table: usize) -> Result<(), RuleError> {
        let blank = format!(" {}", whole.text.strip_prefix(':').unwrap_or_default());
        let words = words::split(&blank, whole.line, self.file)?;
        let shifted: Vec<Word> = words
            .into_iter()
            .map(|word| Word { column: word.column.saturating_add(whole.column).saturating_sub(1), ..word })
            .collect();
        let [chain, policy, rest @ ..] = shifted.as_slice() else {
            return Err(
                whole.fault(self.file, "`:CHAIN POLICY [packets:bytes]` is expected: a name or the policy is missing")
            );
        };
        match rest {
            [] => {}
            [counters] => check_counters(counters, self.file)?,
            [_, extra, ..] => return Err(extra.fault(self.file, "the line should end before this")),
        }
        self.tables.declare(table, chain, policy)
    }

    fn command(&mut self, line: &str, number: u32, table: usize) -> Result<(), RuleError> {
        let words = words::split(line, number, self.file)?;
        let words = match words.split_first() {
            Some((counters, rest)) if counters.text.starts_with('[') => {
                check_counters(counters, self.file)?;
                rest
            }
            _ => &words,
        };
        let Some(first) = words.first() else {
            return Err(RuleError::new(
                Place::new(self.file, number, 0),
                "`-A CHAIN …` is expected after the counters",
            ));
        };
        let line = line::parse(words, self.family, self.file, &mut self.tables.notes)?;
        if let Some(table) = &line.table {
            return Err(table.fault(self.file, "`-t` cannot be used here: the table is that of the line `*…` above"));
        }
        if let Some(word) = &line.aside {
            return Err(word.fault(self.file, format!("`{}` cannot be used here", word.text)));
        }
        // One file may serve both families; a line marked for the other one is passed over.
        if line.only.is_some_and(|only| only != self.family) {
            return Ok(());
        }
        self.tables.apply(table, first, line)
    }
}

/// `[packets:bytes]`: read, but every replay counts from zero.
fn check_counters(word: &Word, file: &Arc<str>) -> Result<(), RuleError> {
    let inner = word.text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let numbers = inner.and_then(|text| text.split_once(':'));
    match numbers {
        Some((packets, bytes)) if packets.parse::<u64>().is_ok() && bytes.parse::<u64>().is_ok() => Ok(()),
        _ => Err(word.fault(file, format!("`{}` is not `[packets:bytes]`", word.text))),
    }
}
