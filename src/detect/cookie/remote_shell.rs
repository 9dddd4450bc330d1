//! Cookies in a remote shell: in what is typed there, and in what it prints of the value.

use super::leak::Leak;
use super::terms;
use crate::evidence::Sighting;
use crate::protocol::erldist::term::Term;
use crate::protocol::erldist::{Call, INPUT, Message, typed_calls};
use std::collections::HashMap;

/// Connections with a shell that are remembered; a shell is a person, so this is room for many.
const MAX_SHELLS: usize = 4096;

/// What was typed last, by connection.
#[derive(Debug, Default)]
pub(super) struct RemoteShells {
    asked: HashMap<Box<str>, Vec<Call>>,
}

impl RemoteShells {
    /// The cookies that a message shows.
    pub(super) fn on_message(&mut self, at: &Sighting, message: &Message) -> Vec<Leak> {
        let Some(reply) = &message.reply else { return Vec::new() };
        let is_input = |call: &Option<Call>| call.as_ref().is_some_and(|call| call.function == INPUT);
        let leak = |(cookie, node): (String, Option<String>)| Leak { cookie, via: "shell", node };
        if is_input(&message.call) {
            let calls = typed_calls(reply);
            let given = calls.iter().filter_map(terms::in_arguments);
            let given = given.map(|(cookie, node)| leak((cookie, node.or_else(|| message.peer.clone())))).collect();
            if self.asked.len() < MAX_SHELLS || self.asked.contains_key(&at.flow.community_id) {
                self.asked.insert(at.flow.community_id.clone(), calls);
            }
            return given;
        }
        let Some(calls) = is_input(&reply.call).then(|| self.asked.get(&at.flow.community_id)).flatten() else {
            return Vec::new();
        };
        let Some(value) = reply.value.text().as_deref().and_then(value_of) else { return Vec::new() };
        let answers = calls.iter().filter_map(|call| terms::in_answer(call, &value));
        answers.map(|(cookie, _)| leak((cookie, message.node.clone()))).collect()
    }
}

/// The value that a shell has printed, if it is an atom, a text, or what `file:read_file/1` returns.
fn value_of(printed: &str) -> Option<Term> {
    let printed = printed.trim();
    let quoted = |quote: char| printed.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(name) = quoted('\'') {
        return Some(Term::Atom(plain(name).into()));
    }
    if let Some(text) = quoted('"') {
        return Some(Term::String(plain(text).into_bytes().into()));
    }
    let content = |printed: &str| Some(printed.strip_prefix("{ok,<<\"")?.strip_suffix("\">>}")?.to_owned());
    if let Some(content) = content(printed) {
        let bytes = Term::Binary { bytes: plain(&content).into_bytes().into(), bits: 8 };
        return Some(Term::Tuple(vec![Term::Atom("ok".into()), bytes]));
    }
    let is_bare = printed.starts_with(|first: char| first.is_ascii_lowercase())
        && printed.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '@'));
    is_bare.then(|| Term::Atom(printed.into()))
}

/// Text without the escapes that Erlang prints.
fn plain(escaped: &str) -> String {
    let mut text = String::new();
    let mut letters = escaped.chars();
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\\' => match letters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => break,
            },
            other => other,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_values_are_read_back() {
        let shown = |printed| value_of(printed).map(|value| value.to_string());
        assert_eq!(shown("'My Cookie'\n").as_deref(), Some("'My Cookie'"));
        assert_eq!(shown("cookie1").as_deref(), Some("cookie1"));
        assert_eq!(shown("\"AB\\n\"").as_deref(), Some("\"AB\\n\""));
        assert_eq!(shown("{ok,<<\"AB\">>}").as_deref(), Some("{ok,<<\"AB\">>}"));
        for other in ["{ok,[]}", "** exception error", "Cookie", "[1,2]", ""] {
            assert_eq!(value_of(other), None, "{other}");
        }
    }
}
