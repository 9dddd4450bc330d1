//! Cookies in Erlang terms: answers of `get_cookie`, arguments of `set_cookie`, cookie files read or written by remote
//! calls, command lines of nodes.

use super::leak::Leak;
use super::phrases::{self, COOKIE_FILE, Form, is_generated};
use crate::protocol::erldist::term::Term;
use crate::protocol::erldist::{Call, Message, Reply};
use memchr::memmem;

/// Terms looked at in one message, and how deep: the decoder's limits are of this order, this one makes it certain.
const MAX_TERMS: usize = 50_000;
const MAX_DEPTH: usize = 64;

/// What a node without a cookie answers.
const NO_COOKIE: &str = "nocookie";

/// The cookies that a message shows.
pub(super) fn cookies_in(message: &Message) -> Vec<Leak> {
    let mut found = Vec::new();
    if let Some(call) = &message.call {
        let given = in_arguments(call);
        found.extend(given.map(|(cookie, node)| Leak {
            cookie,
            via: "rpc-argument",
            node: node.or_else(|| message.peer.clone()),
        }));
    }
    if let Some(Reply { call: Some(call), value }) = &message.reply {
        found.extend(in_answer(call, value).map(|(cookie, via)| Leak { cookie, via, node: message.node.clone() }));
    }
    if let Some(payload) = &message.payload {
        let via = if message.reply.is_some() { "rpc-reply" } else { "rpc-argument" };
        walk(payload, &mut |term| in_term(term, via, &mut found));
    }
    found.dedup();
    found
}

/// Calls `visit` for a term and all terms in it, within the limits.
pub(super) fn walk(term: &Term, visit: &mut dyn FnMut(&Term)) {
    let mut left = MAX_TERMS;
    walk_within(term, visit, &mut left, 0);
}

fn walk_within(term: &Term, visit: &mut dyn FnMut(&Term), left: &mut usize, depth: usize) {
    if *left == 0 || depth > MAX_DEPTH {
        return;
    }
    *left -= 1;
    visit(term);
    let mut inner = |term: &Term| walk_within(term, visit, left, depth + 1);
    match term {
        // Text: visited as a whole.
        Term::List(elements, _) if matches!(elements.first(), Some(Term::Integer(_))) => {}
        Term::List(elements, tail) => {
            elements.iter().for_each(&mut inner);
            tail.iter().for_each(|tail| inner(tail));
        }
        Term::Tuple(elements) => elements.iter().for_each(inner),
        Term::Map(pairs) => pairs.iter().for_each(|(key, value)| {
            inner(key);
            inner(value);
        }),
        Term::Fun { free, .. } => free.iter().for_each(inner),
        _ => {}
    }
}

/// A cookie among the arguments of a call, and the node that it is for.
pub(super) fn in_arguments(call: &Call) -> Option<(String, Option<String>)> {
    let arguments = call.arguments.list()?;
    match (call.module.as_str(), call.function.as_str(), &*arguments) {
        ("erlang" | "auth" | "Elixir.Node", "set_cookie", [cookie]) => Some((cookie_atom(cookie)?, None)),
        ("erlang" | "auth" | "Elixir.Node", "set_cookie", [node, cookie]) => {
            Some((cookie_atom(cookie)?, node.atom().map(str::to_owned)))
        }
        ("file" | "prim_file" | "Elixir.File", "write_file" | "write" | "write!", [path, content, ..])
            if path.text()?.ends_with(COOKIE_FILE) =>
        {
            Some((file_word(content)?, None))
        }
        _ => None,
    }
}

/// A cookie in what a call returned, and in which way.
pub(super) fn in_answer(call: &Call, value: &Term) -> Option<(String, &'static str)> {
    let arguments = call.arguments.list()?;
    let first_text = || arguments.first().and_then(Term::text);
    match (call.module.as_str(), call.function.as_str()) {
        (_, "get_cookie") => Some((cookie_atom(value)?, "rpc-reply")),
        (_, "read_file" | "read" | "read!") if first_text()?.ends_with(COOKIE_FILE) => {
            let content = match value {
                Term::Tuple(elements) => elements.get(1)?,
                other => other,
            };
            Some((file_word(content)?, "file"))
        }
        ("os", "cmd") | ("Elixir.System", "shell" | "cmd") if first_text()?.contains(COOKIE_FILE) => {
            let output = match value {
                Term::Tuple(elements) => elements.first()?.text()?,
                other => other.text()?,
            };
            Some((printed(&output, &first_text()?)?, "rpc-reply"))
        }
        ("os", "getenv") | ("Elixir.System", "get_env") if first_text()?.ends_with("COOKIE") => {
            Some((file_word(value)?, "rpc-reply"))
        }
        _ => None,
    }
}

/// The cookie in the output of a command that prints its file: the whole output, or a word that looks generated.
fn printed(output: &str, command: &str) -> Option<String> {
    let plain = command.starts_with("cat ") && !command.contains(['|', ';', '&']);
    let whole = || phrases::file_content(output.as_bytes()).filter(|_| plain);
    let generated = || output.split_whitespace().find(|word| is_generated(word));
    whole().or_else(generated).map(str::to_owned)
}

/// Cookies that a term shows by itself, wherever it stands.
fn in_term(term: &Term, via: &'static str, found: &mut Vec<Leak>) {
    match term {
        Term::Tuple(elements) => match elements.as_slice() {
            // init:get_arguments/0: {setcookie, ["X"]}; init:get_argument/1 leaves the name out
            [name, Term::List(values, None)] if name.is_atom("setcookie") => {
                let cookies = values.iter().filter_map(file_word);
                found.extend(cookies.map(|cookie| Leak { cookie, via, node: None }));
            }
            [name, .., cookie] if name.is_atom("set_cookie") => {
                found.extend(cookie_atom(cookie).map(|cookie| Leak { cookie, via, node: None }));
            }
            _ => {}
        },
        Term::String(_) | Term::Binary { .. } | Term::List(..) => {
            if !may_name_cookie(term) {
                return;
            }
            let Some(text) = term_text(term) else { return };
            for phrase in phrases::cookies_in(&text) {
                let via = match phrase.form {
                    Form::CommandLine => "command-line",
                    Form::Environment => "environment",
                    _ => via,
                };
                found.push(Leak { cookie: phrase.cookie, via, node: None });
            }
        }
        _ => {}
    }
}

/// `false` for bytes without the word: most texts are, and some are large.
fn may_name_cookie(term: &Term) -> bool {
    match term {
        Term::String(bytes) | Term::Binary { bytes, .. } => {
            memmem::find(bytes, b"ookie").is_some() || memmem::find(bytes, b"OOKIE").is_some()
        }
        _ => true,
    }
}

/// The text of a term, if it is a text by itself and not a list of texts (which are visited one by one).
pub(super) fn term_text(term: &Term) -> Option<String> {
    match term {
        Term::List(elements, _) if !matches!(elements.first(), Some(Term::Integer(_))) => None,
        Term::String(_) | Term::Binary { .. } | Term::List(..) => term.text(),
        _ => None,
    }
}

fn cookie_atom(term: &Term) -> Option<String> {
    term.atom().filter(|name| *name != NO_COOKIE && !name.is_empty()).map(str::to_owned)
}

fn file_word(term: &Term) -> Option<String> {
    phrases::file_content(term.text()?.as_bytes()).map(str::to_owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::Direction;

    fn atom(name: &str) -> Term {
        Term::Atom(name.into())
    }

    fn text(content: &str) -> Term {
        Term::String(content.as_bytes().into())
    }

    fn list(elements: &[Term]) -> Term {
        Term::List(elements.to_vec(), None)
    }

    fn call(module: &str, function: &str, arguments: &[Term]) -> Call {
        Call { via: "spawn-request", module: module.into(), function: function.into(), arguments: list(arguments) }
    }

    fn message(payload: Option<Term>, call: Option<Call>, reply: Option<Reply>) -> Message {
        Message {
            node: Some("a@x".into()),
            peer: Some("b@y".into()),
            initiator: Direction::FromOrig,
            operation: "SEND",
            size: 0,
            control: Term::Elided,
            payload,
            call,
            reply,
        }
    }

    fn answered(module: &str, function: &str, arguments: &[Term], value: Term) -> Vec<(String, &'static str)> {
        let reply = Reply { call: Some(call(module, function, arguments)), value };
        cookies_in(&message(None, None, Some(reply))).into_iter().map(|leak| (leak.cookie, leak.via)).collect()
    }

    #[test]
    fn answers_show_cookies() {
        let cookie = |via| vec![("Kx1".to_owned(), via)];
        assert_eq!(answered("erlang", "get_cookie", &[], atom("Kx1")), cookie("rpc-reply"));
        assert_eq!(answered("erlang", "get_cookie", &[], atom("nocookie")), []);
        let path = text("/root/.erlang.cookie");
        let content = Term::Binary { bytes: b"Kx1\n".to_vec().into(), bits: 8 };
        let read = Term::Tuple(vec![atom("ok"), content]);
        assert_eq!(answered("file", "read_file", &[path], read), cookie("file"));
        assert_eq!(answered("os", "cmd", &[text("cat ~/.erlang.cookie")], text("Kx1")), cookie("rpc-reply"));
        assert_eq!(answered("os", "cmd", &[text("ls -l ~/.erlang.cookie")], text("Kx1")), []);
        assert_eq!(answered("os", "cmd", &[text("id")], text("Kx1")), []);
        assert_eq!(answered("os", "getenv", &[text("RELEASE_COOKIE")], text("Kx1")), cookie("rpc-reply"));
    }

    #[test]
    fn arguments_show_cookies() {
        let set = call("erlang", "set_cookie", &[atom("c@z"), atom("Kx1")]);
        let leaks = cookies_in(&message(None, Some(set), None));
        assert_eq!(leaks, [Leak { cookie: "Kx1".into(), via: "rpc-argument", node: Some("c@z".into()) }]);
        let set = call("auth", "set_cookie", &[atom("Kx1")]);
        assert_eq!(cookies_in(&message(None, Some(set), None)).first().unwrap().node.as_deref(), Some("b@y"));
    }

    #[test]
    fn command_lines_and_start_arguments_show_cookies() {
        let port = Term::Tuple(vec![atom("spawn"), text("erl -sname x -setcookie Kx1 -noshell")]);
        let leaks = cookies_in(&message(Some(list(&[atom("open_port"), port])), None, None));
        assert_eq!(leaks, [Leak { cookie: "Kx1".into(), via: "command-line", node: None }]);
        let arguments = list(&[Term::Tuple(vec![atom("setcookie"), list(&[text("Kx1")])])]);
        assert_eq!(cookies_in(&message(Some(arguments), None, None)).len(), 1);
    }

    #[test]
    fn other_terms_do_not() {
        let talk = list(&[atom("cookie"), text("cookie"), Term::Tuple(vec![atom("cookie"), atom("KX")])]);
        assert_eq!(cookies_in(&message(Some(talk), None, None)), []);
    }

    #[test]
    fn deep_terms_are_walked_within_limits() {
        let mut term = atom("x");
        for _ in 0..10_000 {
            term = Term::Tuple(vec![term]);
        }
        let mut seen = 0;
        walk(&term, &mut |_| seen += 1);
        assert_eq!(seen, MAX_DEPTH + 1);
        std::mem::forget(term); // dropping it recurses as deep as it is; the decoder makes none like it
    }
}
