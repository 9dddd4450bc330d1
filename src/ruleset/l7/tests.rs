//! Patterns of l7-filter's collection and what the V8 engine makes of odd ones.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::{Pattern, parse};
use proptest::prelude::*;
use std::sync::Arc;

fn read(expression: &str) -> Arc<Pattern> {
    parse(&format!("x\n{expression}\n"), &Arc::from("x.pat"), &mut Vec::new()).unwrap()
}

fn refused(expression: &str) -> String {
    parse(&format!("# c\nx\n{expression}\n"), &Arc::from("x.pat"), &mut Vec::new()).unwrap_err().to_string()
}

#[test]
fn a_file_is_a_name_and_an_expression_among_comments() {
    let text = "# Jabber (XMPP)\r\n\r\njabber\r\n# more\r\n<stream:stream[\\x09-\\x0d ][ -~]*[\\x09-\\x0d ]xmlns=['\"]jabber\r\n\
                userspace pattern=<stream\r\nuserspace flags=REG_NOSUB\r\n";
    let mut notes = Vec::new();
    let pattern = parse(text, &Arc::from("pats/jabber.pat"), &mut notes).unwrap();
    assert_eq!((&*pattern.name, pattern.place.line), ("jabber", 3));
    assert!(pattern.regex.is_match(b"<stream:stream to='a' xmlns='jabber:client'"));
    assert!(!pattern.regex.is_match(b"<stream:stream to='a' xmlns='other'"));
    let lines: Vec<u32> = notes.iter().map(|note| note.place.line).collect();
    assert_eq!(lines, [6, 7]);
    parse(text, &Arc::from("other.pat"), &mut notes).unwrap();
    assert!(notes.iter().any(|note| note.message.contains("`jabber.pat`")));
}

#[test]
fn the_language_is_that_of_the_v8_engine() {
    let cases: &[(&str, &[u8], bool)] = &[
        ("^GET", b"get / http", true), // folded when compiled
        ("^get", b" get", false),      // only at the beginning of the data
        ("a$", b"a\nb", false),        // and at its end
        ("a$", b"b\na", true),
        ("a.b", b"a\nb", true),
        ("a.b", b"a\xffb", true),
        ("\\xff\\x53", b"\xffs", true), // decoded, then folded
        ("a{2}", b"aa", false),         // no counted repetition
        ("a{2}", b"a{2}", true),
        ("\\d", b"5", false), // an escaped letter is the letter
        ("\\d", b"d", true),
        ("\\.", b"x", false),
        ("[]a]", b"]", true),
        ("[-a]", b"-", true),
        ("[a-]", b"-", true),
        ("[^a]", b"a", false),
        ("[\\.]", b"\\", true),       // a backslash in brackets is a backslash
        ("[[:alpha:]]", b"x", false), // no named classes: one of `[:alph`, then `]`
        ("[[:alpha:]]", b"a]", true),
        ("a\\x2b", b"aaa", true), // an operator, though in hexadecimal
        ("a\\x2b", b"+", false),
        ("ab\\x00cd", b"ab", true), // a NUL ends the expression
        ("(a|)b", b"b", true),
        ("(ab?c*)+x", b"abccabx", true),
        ("\u{e9}", "\u{e9}".as_bytes(), true),
    ];
    for (expression, data, expected) in cases {
        assert_eq!(read(expression).regex.is_match(data), *expected, "{expression} {data:?}");
    }
}

#[test]
fn what_the_engine_refuses_is_refused_at_its_place() {
    let cases = [
        ("a**", "x.pat:3:3: expected no second `*`, `+` or `?`"),
        ("*a", "x.pat:3:1: expected something to repeat before `*`"),
        ("(a*)+", "x.pat:3:5: what `+` repeats could be empty"),
        ("(a|b?)*", "x.pat:3:7: what `*` repeats could be empty"),
        ("x(a", "x.pat:3:2: expected `)` for this `(`"),
        ("a)", "x.pat:3:2: expected `(` before this `)`"),
        ("\u{e9}[a", "x.pat:3:2: expected `]` for this `[`"),
        ("[z-a]", "x.pat:3:3: expected a range that goes up"),
        ("a\\", "x.pat:3:2: expected a character after `\\`"),
    ];
    for (expression, message) in cases {
        assert_eq!(refused(expression), message);
    }
    assert!(parse("# only\n", &Arc::from("x.pat"), &mut Vec::new()).is_err());
    assert!(parse("x\n", &Arc::from("x.pat"), &mut Vec::new()).is_err());
    assert!(refused(&"(".repeat(5000)).contains("expected `)`"));
    assert!(refused(&format!("{}a{}", "(".repeat(4000), ")".repeat(4000))).contains("too large"));
}

proptest! {
    #[test]
    fn nothing_panics_and_every_accepted_expression_compiles(text in "([a-c.*+?|()\\[\\]^$\\\\-]|\\\\x[0-9a-f]{2}){0,16}") {
        match parse(&format!("x\n{text}x"), &Arc::from("x.pat"), &mut Vec::new()) {
            Ok(pattern) => prop_assert!(pattern.source.ends_with('x')),
            Err(error) => prop_assert!(!error.message.contains("too large"), "{}", error),
        }
    }

    #[test]
    fn any_file_is_read_or_refused(text in ".{0,60}(\n.{0,60}){0,4}") {
        let _ = parse(&text, &Arc::from("x.pat"), &mut Vec::new());
    }
}
