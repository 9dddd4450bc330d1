//! Strings as `xtables_save_string` writes them.

/// Appends a blank and the string: bare if it is of letters, digits, `_` and `-`, else in quotes.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push(' ');
    let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '\'') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// A word as it must be written for `iptables-restore` to read it as one.
pub(super) fn push_word(out: &mut String, text: &str) {
    let plain = !text.is_empty() && !text.chars().any(|c| c.is_ascii_whitespace() || matches!(c, '"' | '\\'));
    if plain {
        out.push(' ');
        out.push_str(text);
    } else {
        push_string(out, text);
    }
}
