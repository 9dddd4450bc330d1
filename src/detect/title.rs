//! Names from captures in titles: short, on one line, and unable to disguise the rest of it.

use std::borrow::Cow;

/// Characters of a name that a title quotes: more than any honest bare JID has.
const MAX_CHARS: usize = 80;

/// A name as a title may show it: cut, without controls and without characters that turn the direction of writing.
pub(super) fn in_title(name: &str) -> Cow<'_, str> {
    if name.len() <= MAX_CHARS && !name.contains(is_disguise) {
        return Cow::Borrowed(name);
    }
    let mut characters = name.chars();
    let shown = characters.by_ref().take(MAX_CHARS);
    let mut shown: String = shown.map(|c| if is_disguise(c) { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if characters.next().is_some() {
        shown.push('\u{2026}');
    }
    Cow::Owned(shown)
}

fn is_disguise(character: char) -> bool {
    let turns = matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    turns || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::in_title;

    #[test]
    fn names_are_cut_and_kept_on_their_line() {
        assert_eq!(in_title("romeo@alpha.test"), "romeo@alpha.test");
        assert_eq!(in_title("a\nb\u{1B}[2J\u{202E}c"), "a\u{FFFD}b\u{FFFD}[2J\u{FFFD}c");
        assert_eq!(in_title(&"x".repeat(81)), format!("{}\u{2026}", "x".repeat(80)));
        assert_eq!(in_title(&"\u{E4}".repeat(80)), "\u{E4}".repeat(80));
    }
}
