//! Patterns of l7-filter (`.pat` files): a name and one regular expression over the start of a connection.
//!
//! A file is comments, a line with the name, a line with the expression. What follows is for the user-space filter
//! (`userspace pattern=`, `userspace flags=`) and is not read: the kernel module has no such thing.

mod spencer;

#[cfg(test)]
mod tests;

use super::error::{Place, RuleError};
use super::model::Note;
use std::path::Path;
use std::sync::Arc;

/// Longest expression that `libipt_layer7` hands to the kernel.
const MAX_PATTERN: usize = 8191;

/// Memory of a compiled expression: ten times what the largest of l7-filter's own patterns takes.
const MAX_COMPILED: usize = 4 << 20;

/// A pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// Name, as `--l7proto` gives it.
    pub name: Arc<str>,
    /// The regular expression as written, for people.
    pub source: String,
    /// The regular expression, compiled as the kernel module's Henry Spencer engine understands it: case folded, `.` is
    /// any byte, no NUL in the data.
    pub regex: regex::bytes::Regex,
    /// Where it stands.
    pub place: Place,
}

/// Reads a pattern file.
pub fn parse(text: &str, file: &Arc<str>, notes: &mut Vec<Note>) -> Result<Arc<Pattern>, RuleError> {
    let lines = (1..).zip(text.lines().map(|line| line.trim_end_matches('\r')));
    let mut lines = lines.filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    let at_end = || Place::new(file, 0, 0);
    let Some((number, name)) = lines.next() else {
        return Err(RuleError::new(at_end(), "expected a line with the pattern's name, found the end of the file"));
    };
    let place = Place::new(file, number, 1);
    let name = name.trim();
    let Some((number, source)) = lines.next() else {
        return Err(RuleError::new(at_end(), format!("expected a regular expression after the name `{name}`")));
    };
    if source.len() > MAX_PATTERN {
        let message = format!("expected a regular expression of at most {MAX_PATTERN} bytes");
        return Err(RuleError::new(Place::new(file, number, 1), message));
    }
    let translated = spencer::translate(source)
        .map_err(|(column, message)| RuleError::new(Place::new(file, number, column), message))?;
    for message in translated.notes {
        notes.push(Note { place: Place::new(file, number, 1), message });
    }
    let regex = regex::bytes::RegexBuilder::new(&translated.expression)
        .unicode(false)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .build()
        .map_err(|_| RuleError::new(Place::new(file, number, 1), "the regular expression is too large"))?;
    check_name(name, file, &place, notes);
    for (number, line) in lines.take(8) {
        let what = if line.starts_with("userspace ") { "is for the user-space filter" } else { "is after the pattern" };
        let message = format!("this line {what}; the kernel module does not read it");
        notes.push(Note { place: Place::new(file, number, 1), message });
    }
    Ok(Arc::new(Pattern { name: Arc::from(name), source: source.to_string(), regex, place }))
}

/// iptables looks for the pattern of `--l7proto NAME` in `NAME.pat`.
fn check_name(name: &str, file: &Arc<str>, place: &Place, notes: &mut Vec<Note>) {
    let stem = Path::new(&**file).file_stem().and_then(|stem| stem.to_str());
    if stem.is_some_and(|stem| stem != name) {
        let message = format!("iptables refuses a pattern `{name}` in a file that is not called `{name}.pat`");
        notes.push(Note { place: place.clone(), message });
    }
}
