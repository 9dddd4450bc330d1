//! Text from captures made safe to show: in a terminal, in HTML, in SVG.
//!
//! Attackers choose names, bodies and titles. Escape sequences could rewrite a terminal, bidirectional overrides make
//! `exe.gnp` of `png.exe`, markup could run in the report. Nothing is dropped: what cannot be shown is spelled out.

use std::borrow::Cow;
use std::fmt::Write;

/// `true` for characters that act instead of showing: controls, bidirectional marks, invisible and tag characters.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}' | '\u{E0000}'..='\u{E0FFF}')
}

/// One line of text with everything that acts instead of showing spelled out: `\n`, `\u{1b}`, `\u{202e}`.
pub fn safe_text(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if acts(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// [`safe_text`], cut to so many characters with an ellipsis in place of the rest.
pub fn shortened(text: &str, max_chars: usize) -> String {
    let safe = safe_text(text);
    if safe.chars().nth(max_chars).is_none() {
        return safe.into_owned();
    }
    let mut cut: String = safe.chars().take(max_chars.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// [`safe_text`], escaped for HTML text and quoted attributes.
pub fn html(text: &str) -> String {
    let safe = safe_text(text);
    let mut out = String::with_capacity(safe.len() + 16);
    for c in safe.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_spelled_out() {
        assert_eq!(safe_text("plain ünïcode 漢字 🙂"), "plain ünïcode 漢字 🙂");
        assert!(matches!(safe_text("plain"), Cow::Borrowed(_)));
        assert_eq!(safe_text("\u{1b}[31mred\u{7}\n"), "\\u{1b}[31mred\\u{7}\\n");
        assert_eq!(safe_text("a\u{202e}gnp.exe"), "a\\u{202e}gnp.exe");
        assert_eq!(safe_text("zero\u{200b}width\u{9b}31m"), "zero\\u{200b}width\\u{9b}31m");
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(
            html("<script>alert('x\"&')</script>"),
            "&lt;script&gt;alert(&#39;x&quot;&amp;&#39;)&lt;/script&gt;"
        );
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(shortened("äöüß", 4), "äöüß");
        assert_eq!(shortened("äöüßx", 4), "äöü…");
    }

    proptest::proptest! {
        #[test]
        fn no_text_gets_through_acting(text in "\\PC*|[\\x00-\\x7f]*|.*") {
            proptest::prop_assert!(!safe_text(&text).chars().any(acts));
            let html = html(&text);
            proptest::prop_assert!(!html.contains(['<', '>', '"', '\'']));
            proptest::prop_assert!(shortened(&text, 10).chars().count() <= 10);
        }
    }
}
