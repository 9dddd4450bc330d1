//! A set and the sides of the packet that it is asked for: `--match-set NAME src,dst`.

use super::options::{Given, Options};
use super::values;
use crate::ruleset::error::RuleError;
use std::sync::Arc;

/// Reads the name and the flags, `true` for `src`.
pub(super) fn read(o: &Options<'_>, given: &Given) -> Result<(Arc<str>, Vec<bool>), RuleError> {
    let name = given.first();
    o.read_word(given, name, |text| values::plain_name(text, 31))?;
    if let Some(sets) = &o.env.context.sets
        && !sets.iter().any(|set| **set == *name.text)
    {
        let known: Vec<&str> = sets.iter().map(AsRef::as_ref).collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        return Err(o.fault(name, format!("there is no set `{}`; sets of the ipset file: {known}", name.text)));
    }
    let flags = given.second();
    let sides: Option<Vec<bool>> = flags
        .text
        .split(',')
        .map(|side| match side {
            "src" => Some(true),
            "dst" => Some(false),
            _ => None,
        })
        .collect();
    match sides.filter(|sides| sides.len() <= 6) {
        Some(sides) => Ok((Arc::from(name.text.as_str()), sides)),
        None => Err(o.fault(flags, format!("`{}` is not a list of at most 6 `src` and `dst`", flags.text))),
    }
}

/// `src,dst`.
pub(super) fn flags_text(flags: &[bool]) -> String {
    let words: Vec<&str> = flags.iter().map(|&source| if source { "src" } else { "dst" }).collect();
    words.join(",")
}
