//! Cookies in text that people and programs write: command lines, environments, calls in a shell, settings.
//!
//! Only forms that Erlang, Elixir and what is built on them read are taken. HTTP cookies, `--cookie` of other programs,
//! placeholders and talk about cookies are not.

use memchr::memmem;
use regex::Regex;
use std::cell::LazyCell;
use std::ops::Deref;
use std::sync::LazyLock;

/// Where in a text a cookie stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `-setcookie X`, `--cookie X`.
    CommandLine,
    /// `RELEASE_COOKIE=X`.
    Environment,
    /// `erlang:set_cookie(node(), 'X')`.
    Call,
    /// A line that is written into a cookie file.
    FileWrite,
    /// `node.cookie = X`.
    Setting,
}

/// A cookie in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phrase {
    pub(super) cookie: String,
    pub(super) form: Form,
}

/// Text searched per call, in bytes: an HTTP body as far as it is kept. Searches are linear in it.
const MAX_TEXT: usize = 64 * 1024;

/// A cookie is an atom, and an atom has at most 255 characters.
const MAX_COOKIE: usize = 255;

/// Cookies taken from one text: a process list of many nodes has fewer.
const MAX_PHRASES: usize = 16;

/// A cookie behind its separator. It begins with nothing that begins an option, a variable or a placeholder.
macro_rules! value {
    () => {
        r#"([^\x00-\x20'"`,;|&<>()\[\]{}\\$%*:=-][^\x00-\x20'"`,;|&<>()\[\]{}\\]*)"#
    };
}

const PATTERNS: &[(Form, &str)] = &[
    // Words of a command line, of /proc/PID/cmdline (NUL between them), of a list in JSON or Erlang.
    (
        Form::CommandLine,
        concat!(r#"(?:^|[^\w-])--?setcookie(?:[\s\x00]+\\?["']?|=\\?["']?|\\?["']\s*,?\s*\\?["'])"#, value!()),
    ),
    (Form::CommandLine, concat!(r#"(?:^|[^\w-])--cookie(?:[\s\x00]+["']?|=["']?|["']\s*,?\s*["'])"#, value!())),
    (
        Form::Environment,
        concat!(
            r"\b(?:[A-Z0-9]+_+)*(?:ERLANG|ERL|RELEASE|RABBITMQ|EMQX|EMQX_+NODE|VERNEMQ|DISTRIBUTED|EJABBERD|COUCHDB",
            r#"|MONGOOSEIM)_+COOKIE["']?\s{0,8}(?:=|:\s)\s{0,8}["']?"#,
            value!()
        ),
    ),
    (
        Form::Call,
        concat!(
            r"\b(?:erlang:|auth:|Node\.)set_cookie\s{0,8}\(\s{0,8}(?:[^()]*(?:\(\))?\s{0,8},\s{0,8})?",
            r#"(?::?['"]|:)?"#,
            value!(),
            r#"['"]?\s{0,8}\)"#
        ),
    ),
    (
        Form::FileWrite,
        concat!(
            r#"\b(?:echo|printf)\s{1,8}(?:-[neE]{1,3}\s{1,8})?["']?"#,
            value!(),
            r#"["']?\s{0,8}(?:>{1,2}|\|\s{0,8}(?:sudo\s{1,8})?tee\s(?:-a\s)?)\s{0,8}[^\s;|&]*\.erlang\.cookie"#
        ),
    ),
    (
        Form::Setting,
        concat!(
            r#"(?:^|[\s{,"'.])(?:node\.cookie|distributed_cookie|erlang_?[cC]ookie)["']?\s{0,8}[=:]\s{0,8}["']?"#,
            value!()
        ),
    ),
];

static COMPILED: LazyLock<Vec<(Form, Regex)>> = LazyLock::new(|| {
    let compile = |(form, pattern): &(Form, &str)| Some((*form, Regex::new(pattern).ok()?));
    PATTERNS.iter().filter_map(compile).collect()
});

/// What a command line that starts an Erlang or Elixir node has beside the cookie.
static NODE_COMMAND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\b(?:erl|werl|erlexec|run_erl|to_erl|beam|beam\.smp|iex|elixir|mix|escript|livebook|erl_call)\b",
        r"|(?:^|[\s\x00])--?(?:s?name|remsh|noshell|noinput|hidden|detached|heart|kernel|proto_dist)\b|^\s*--?setcookie",
    ))
    .ok()
});

/// Words that follow an option's name when people write about it.
const TALK: &[&str] = &[
    "a",
    "an",
    "and",
    "are",
    "argument",
    "as",
    "but",
    "command",
    "does",
    "flag",
    "for",
    "from",
    "if",
    "in",
    "is",
    "it",
    "might",
    "must",
    "not",
    "of",
    "on",
    "option",
    "or",
    "parameter",
    "setting",
    "should",
    "so",
    "switch",
    "that",
    "the",
    "then",
    "to",
    "value",
    "was",
    "when",
    "will",
    "with",
    "your",
];

/// The cookies that a text names.
pub(super) fn cookies_in(text: &str) -> Vec<Phrase> {
    let text = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default();
    let bytes = text.as_bytes();
    let mut found: Vec<Phrase> = Vec::new();
    if !["cookie", "COOKIE", "Cookie"].iter().any(|word| memmem::find(bytes, word.as_bytes()).is_some()) {
        return found;
    }
    for line in text.lines() {
        // Asked at most once a line: lines can be long and hold many options.
        let starts_node = LazyCell::new(|| NODE_COMMAND.as_ref().is_some_and(|pattern| pattern.is_match(line)));
        for (form, pattern) in COMPILED.iter() {
            for groups in pattern.captures_iter(line) {
                let (Some(whole), Some(value)) = (groups.get(0), groups.get(1)) else { continue };
                let cookie = value.as_str().trim_end_matches(['.', '!', '?']);
                let phrase = Phrase { cookie: cookie.to_owned(), form: *form };
                if found.len() < MAX_PHRASES
                    && is_meant(cookie, *form, whole.as_str(), &starts_node)
                    && !found.contains(&phrase)
                {
                    found.push(phrase);
                }
            }
        }
    }
    found
}

/// `false` for talk about cookies and for other programs' options.
fn is_meant(cookie: &str, form: Form, whole: &str, starts_node: &dyn Deref<Target = bool>) -> bool {
    if cookie.is_empty() || cookie.len() > MAX_COOKIE || TALK.contains(&cookie.to_ascii_lowercase().as_str()) {
        return false;
    }
    form != Form::CommandLine || (**starts_node && !(whole.contains("--cookie") && cookie.contains('=')))
}

/// `true` for what `erl` makes for itself when there is no cookie file: 20 upper-case letters.
pub(super) fn is_generated(word: &str) -> bool {
    word.len() == 20 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The cookie that the content of a cookie file is: one word, perhaps with a line end.
pub(super) fn file_content(content: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(content).ok()?.trim_end_matches(['\r', '\n', ' ', '\0']);
    is_cookie_word(text).then_some(text)
}

/// A word that can be a whole cookie file: visible ASCII, no markup.
pub(super) fn is_cookie_word(word: &str) -> bool {
    (1..=MAX_COOKIE).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>{}\"'`\\".contains(&byte))
}

/// Name of the file in which a node looks for its cookie.
pub(super) const COOKIE_FILE: &str = ".erlang.cookie";

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        cookies_in(text).into_iter().map(|phrase| phrase.cookie).collect()
    }

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(COMPILED.len(), PATTERNS.len());
        assert!(NODE_COMMAND.is_some());
    }

    #[test]
    fn cookies_are_found_where_they_are_given() {
        let cases = [
            ("erl -sname tmp1 -setcookie tigera77 -noshell", "tigera77"),
            ("<1 -setcookie tigera77 -noshell -eval \"init:stop().\"", "tigera77"),
            ("root 1 /usr/lib/erlang/erts-13/bin/beam.smp -K true -- -setcookie 'x y' -name a@b", "x"),
            ("-setcookie VMARGS_one", "VMARGS_one"),
            ("erl\0-name\0a@b\0-setcookie\0NUL_sep\0", "NUL_sep"),
            (r#"{"cmd":["erl","-name","a@b","-setcookie","json1"]}"#, "json1"),
            ("iex --sname a --cookie elixir9", "elixir9"),
            ("elixir --name a@b --cookie=\"quoted\" -S mix", "quoted"),
            ("export RELEASE_COOKIE=rel-2024", "rel-2024"),
            ("RABBITMQ_ERLANG_COOKIE: 'hare'", "hare"),
            ("EMQX_NODE__COOKIE=emq1", "emq1"),
            ("docker run -e ERLANG_COOKIE=dock3r ejabberd/ecs", "dock3r"),
            ("erlang:set_cookie(node(), 'Sh ll').", ""),
            ("erlang:set_cookie(node(), 'Shell1').", "Shell1"),
            ("erlang:set_cookie(plain).", "plain"),
            ("Node.set_cookie(:mine)", "mine"),
            ("echo -n FILED > /var/lib/ejabberd/.erlang.cookie", "FILED"),
            ("echo 'FILED' | sudo tee ~/.erlang.cookie", "FILED"),
            ("node.cookie = emqxsecretcookie", "emqxsecretcookie"),
            ("  erlangCookie: \"helm\"", "helm"),
        ];
        for (text, cookie) in cases {
            let expected: Vec<&str> = [cookie].into_iter().filter(|cookie| !cookie.is_empty()).collect();
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn other_cookies_and_talk_are_not_taken() {
        for text in [
            "Cookie: session=abcdef; other=1",
            "Set-Cookie: id=5; HttpOnly",
            "curl --cookie JSESSIONID=1 http://x/",
            "curl --cookie jar.txt http://x/",
            "you need the -setcookie option for that",
            "start erl with -setcookie and a name",
            "erl -setcookie $COOKIE",
            "erl -setcookie -noshell",
            "erl -setcookie <cookie>",
            "RELEASE_COOKIE=${COOKIE}",
            "response.set_cookie('name', 'value')",
            "I ate your cookie, monster!",
            "set_cookie(name, value)",
            "cookie_secret = 12",
        ] {
            assert_eq!(words(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_cookie_file_is_one_word() {
        assert_eq!(file_content(b"HKXTOQBZRMPWUVEDNYCA\n"), Some("HKXTOQBZRMPWUVEDNYCA"));
        assert_eq!(file_content(b"two words"), None);
        assert_eq!(file_content(b"<html>"), None);
        assert_eq!(file_content(b""), None);
        assert_eq!(file_content(b"\xff\xfe"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_searched(text in ".*(-setcookie|COOKIE=|set_cookie\\().*") {
            prop_assert!(cookies_in(&text).len() <= MAX_PHRASES);
        }
    }
}
