//! What is typed at a shell that runs on the other node: answers of an I/O server in, source text and calls out.
//!
//! A remote shell (`erl -remsh`) is a process of the node that is administered, with a group leader on the node of who
//! types. It asks for expressions with `get_until` and `erl_scan:tokens` (stdlib "The Erlang I/O Protocol"), so what
//! crosses is not text but tokens (`erl_scan:tokens/3`), each with its text and place since OTP 24. Elixir's IEx asks for
//! lines.
//!
//! Calls are found by their form, `Module:Function(`; what a variable holds the bytes do not tell.

mod values;

use super::event::{Call, Reply};
use super::meaning::innermost;
use super::term::Term;
use values::Values;

/// Function name of what is typed, which has none.
pub const INPUT: &str = "-input-";

/// How a typed call comes to the node.
const VIA: &str = "remote-shell";

/// Longest source text that is put together of one answer.
const MAX_TEXT: usize = 64 << 10;
/// Calls reported of one answer.
const MAX_CALLS: usize = 64;
/// Tokens looked at for the end of a call's arguments.
const MAX_ARGUMENT_TOKENS: usize = 4096;

/// Functions that a shell knows without their module: those of `c`, and of `erlang` what runs something.
const LOCAL: &[(&str, &[&str])] = &[
    ("c", &["c", "l", "lc", "lm", "nc", "nl"]),
    (
        "erlang",
        &[
            "apply",
            "delete_module",
            "get_cookie",
            "halt",
            "load_module",
            "open_port",
            "purge_module",
            "set_cookie",
            "spawn",
            "spawn_link",
            "spawn_monitor",
            "spawn_opt",
            "spawn_request",
        ],
    ),
];

/// The module of a function that needs none to be called.
pub fn without_module(function: &str) -> Option<&'static str> {
    LOCAL.iter().find(|(_, functions)| functions.contains(&function)).map(|(module, _)| *module)
}

/// What was typed, as a call of the shell with the source as its argument; `None` if a reply brings nothing typed.
pub fn input(reply: &Reply) -> Option<Call> {
    let (module, source) = match tokens_of(&reply.value) {
        Some(tokens) => ("shell", source_of(tokens)),
        None => ("Elixir.IEx", iex_line(reply)?),
    };
    let arguments = Term::List(vec![Term::String(source.into_bytes().into())], None);
    Some(Call { via: VIA, module: module.to_owned(), function: INPUT.to_owned(), arguments })
}

/// The calls in what was typed.
pub fn typed_calls(reply: &Reply) -> Vec<Call> {
    match tokens_of(&reply.value) {
        Some(tokens) => (0..tokens.len()).filter_map(|at| call_at(tokens, at)).take(MAX_CALLS).collect(),
        None => iex_line(reply).map_or_else(Vec::new, |line| elixir_calls(&line)),
    }
}

/// The tokens of `{ok, Tokens, EndLocation}`.
fn tokens_of(value: &Term) -> Option<&[Term]> {
    match value.tuple()? {
        [ok, Term::List(tokens, None), _end] if ok.is_atom("ok") => {
            let all_are = tokens.iter().take(8).all(|token| annotation(token).is_some());
            (all_are && !tokens.is_empty()).then_some(tokens.as_slice())
        }
        _ => None,
    }
}

/// Category and annotation of `{Category, Annotation, Symbol}` or `{Category, Annotation}`.
fn annotation(token: &Term) -> Option<(&str, &Term)> {
    let [category, annotation, ..] = token.tuple()? else { return None };
    let is_place = match annotation {
        Term::Integer(_) | Term::Tuple(_) => true,
        Term::List(items, None) => items.iter().all(|item| matches!(item.tuple(), Some([_, _]))),
        _ => false,
    };
    (is_place && token.tuple().is_some_and(|parts| parts.len() <= 3)).then_some((category.atom()?, annotation))
}

fn category(token: &Term) -> &str {
    annotation(token).map(|(category, _)| category).unwrap_or_default()
}

/// The atom that an `atom` token stands for.
fn atom_token(token: &Term) -> Option<&str> {
    (category(token) == "atom").then(|| symbol(token)?.atom()).flatten()
}

fn symbol(token: &Term) -> Option<&Term> {
    token.tuple()?.get(2)
}

/// An item of an annotation that is a list.
fn item<'a>(annotation: &'a Term, name: &str) -> Option<&'a Term> {
    let Term::List(items, _) = annotation else { return None };
    items.iter().filter_map(Term::tuple).find_map(|pair| match pair {
        [key, value] if key.is_atom(name) => Some(value),
        _ => None,
    })
}

/// Line and column, as far as they are told.
fn place(annotation: &Term) -> (Option<i64>, Option<i64>) {
    match item(annotation, "location").unwrap_or(annotation) {
        Term::Integer(line) => (Some(*line), None),
        Term::Tuple(pair) => match pair.as_slice() {
            [line, column] => (line.integer(), column.integer()),
            _ => (None, None),
        },
        _ => (None, None),
    }
}

/// The source that tokens were read from, with its blanks where the places tell them.
fn source_of(tokens: &[Term]) -> String {
    let mut source = String::new();
    let (mut last_line, mut next_column) = (None, None);
    for token in tokens {
        let Some((category, annotation)) = annotation(token) else { continue };
        let text = item(annotation, "text").and_then(Term::text).unwrap_or_else(|| written(category, symbol(token)));
        let (line, column) = place(annotation);
        if !source.is_empty() {
            let is_apart = match (column, next_column) {
                (Some(column), Some(next)) => column > next,
                _ => needs_blank(&source, &text),
            };
            match last_line != line {
                true => source.push('\n'),
                false if is_apart => source.push(' '),
                false => {}
            }
        }
        if source.len() + text.len() > MAX_TEXT {
            source.push_str("...");
            break;
        }
        next_column =
            column.map(|column| column.saturating_add(i64::try_from(text.chars().count()).unwrap_or(i64::MAX)));
        last_line = line;
        source.push_str(&text);
    }
    source.truncate(source.trim_end().len());
    source
}

/// Two words must not run together.
fn needs_blank(before: &str, after: &str) -> bool {
    let is_word = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    (is_word(before.chars().next_back()) && is_word(after.chars().next())) || before.ends_with(',')
}

/// A token as it is written, where it does not bring its text.
fn written(category: &str, symbol: Option<&Term>) -> String {
    match (category, symbol) {
        ("dot", _) => ".".to_owned(),
        ("var", Some(Term::Atom(name))) => name.to_string(),
        ("char", Some(Term::Integer(code))) => {
            let letter = u32::try_from(*code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            format!("${letter}")
        }
        (_, Some(symbol)) => symbol.to_text(MAX_TEXT),
        (operator, None) => operator.to_owned(),
    }
}

/// The call that begins at a token: `module:function(`, `function(` of those that a shell knows, `fun module:function/`.
fn call_at(tokens: &[Term], at: usize) -> Option<Call> {
    let before = at.checked_sub(1).and_then(|before| tokens.get(before)).map(category).unwrap_or_default();
    let rest = tokens.get(at..)?;
    let (module, function, arguments) = match rest {
        [module, colon, function, after, arguments @ ..]
            if category(colon) == ":" && matches!(category(after), "(" | "/") && before != ":" =>
        {
            let open = category(after) == "(";
            (atom_token(module)?, atom_token(function)?, open.then_some(arguments))
        }
        [function, open, arguments @ ..] if category(open) == "(" && !matches!(before, ":" | "#" | "?") => {
            let function = atom_token(function)?;
            match function {
                "q" => ("init", "stop", Some(arguments)),
                _ => (without_module(function)?, function, Some(arguments)),
            }
        }
        _ => return None,
    };
    let arguments = arguments.map_or(Term::Elided, arguments_of);
    Some(innermost(VIA, module.to_owned(), function.to_owned(), arguments))
}

/// The arguments behind an opening parenthesis: their values if all are written out, else their source as one text.
fn arguments_of(tokens: &[Term]) -> Term {
    let tokens = tokens.get(..MAX_ARGUMENT_TOKENS).unwrap_or(tokens);
    if let Some(values) = Values::of(tokens).until(")", 0) {
        return Term::List(values, None);
    }
    let mut depth = 0_usize;
    let end = tokens.iter().position(|token| match category(token) {
        "(" | "[" | "{" | "<<" => {
            depth += 1;
            false
        }
        ")" | "]" | "}" | ">>" => match depth.checked_sub(1) {
            Some(outer) => {
                depth = outer;
                false
            }
            None => true,
        },
        _ => false,
    });
    let source = source_of(tokens.get(..end.unwrap_or(tokens.len())).unwrap_or_default());
    Term::String(source.into_bytes().into())
}

/// A line that IEx has asked for.
fn iex_line(reply: &Reply) -> Option<String> {
    let call = reply.call.as_ref().filter(|call| call.module == "io" && call.function == "get_line")?;
    let prompt = call.arguments.list()?.last().and_then(Term::text)?;
    let is_iex = prompt.starts_with("iex") || (prompt.starts_with("...") && prompt.trim_end().ends_with('>'));
    let line = reply.value.text().filter(|_| is_iex)?;
    Some(line.chars().take(MAX_TEXT).collect::<String>().trim_end().to_owned())
}

/// `Module.function(` and `:module.function(` in a line of Elixir. Arguments are given as they are written.
fn elixir_calls(line: &str) -> Vec<Call> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '!' | '?' | '.' | ':');
    let mut calls = Vec::new();
    for (open, _) in line.match_indices('(').take(MAX_CALLS) {
        let (head, arguments) = line.split_at(open);
        let start = head.rfind(|letter| !is_name(letter)).map_or(0, |at| at + 1);
        let name = head.get(start..).unwrap_or_default();
        let Some((module, function)) = name.rsplit_once('.') else { continue };
        let module = match module.strip_prefix(':') {
            Some(erlang) => erlang.to_owned(),
            None if module.starts_with(|first: char| first.is_ascii_uppercase()) => format!("Elixir.{module}"),
            None => continue,
        };
        let arguments = Term::String(arguments.get(1..).unwrap_or_default().trim_end_matches(')').as_bytes().into());
        calls.push(Call { via: VIA, module, function: function.to_owned(), arguments });
    }
    calls
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    fn atom(name: &str) -> Term {
        Term::Atom(name.into())
    }

    fn text(content: &str) -> Term {
        Term::String(content.as_bytes().into())
    }

    fn list(elements: Vec<Term>) -> Term {
        Term::List(elements, None)
    }

    /// `{ok, Tokens, End}` of a source that is split at blanks, as a new shell sends it: text and column.
    fn tokens(source: &str, old: bool) -> Reply {
        let mut column = 1;
        let token = |word: &str| {
            let place = Term::Tuple(vec![Term::Integer(1), Term::Integer(column)]);
            column += word.chars().count() as i64 + i64::from(matches!(word, "=" | "fun"));
            let annotation = match old {
                true => Term::Integer(1),
                false => {
                    list(vec![Term::Tuple(vec![atom("text"), text(word)]), Term::Tuple(vec![atom("location"), place])])
                }
            };
            let parts = match word.chars().next().unwrap() {
                '"' => vec![atom("string"), annotation, text(word.trim_matches('"'))],
                'a'..='z' => vec![atom("atom"), annotation, atom(word)],
                'A'..='Z' => vec![atom("var"), annotation, atom(word)],
                '0'..='9' => vec![atom("integer"), annotation, Term::Integer(word.parse().unwrap())],
                '.' => vec![atom("dot"), annotation],
                _ => vec![atom(word), annotation],
            };
            Term::Tuple(parts)
        };
        let tokens = source.split(' ').map(token).collect();
        Reply { call: None, value: Term::Tuple(vec![atom("ok"), list(tokens), Term::Integer(2)]) }
    }

    fn calls(source: &str) -> Vec<String> {
        let shown = |call: Call| format!("{}:{} {}", call.module, call.function, call.arguments);
        typed_calls(&tokens(source, false)).into_iter().map(shown).collect()
    }

    #[test]
    fn tokens_become_the_source_again() {
        let typed = "A = os : cmd ( \"id\" ) .";
        let argument = |reply| input(&reply).unwrap().arguments.to_string();
        assert_eq!(argument(tokens(typed, false)), r#"["A= os:cmd(\"id\")."]"#);
        assert_eq!(argument(tokens(typed, true)), r#"["A=os:cmd(\"id\")."]"#);
    }

    #[test]
    fn calls_are_found_with_the_arguments_that_are_written_out() {
        assert_eq!(calls("os : cmd ( \"id\" ) ."), ["os:cmd [\"id\"]"]);
        assert_eq!(calls("file : write_file ( \"x\" , << \"abc\" >> ) ."), ["file:write_file [\"x\",<<\"abc\">>]"]);
        assert_eq!(calls("apply ( file , delete , [ \"x\" ] ) ."), ["file:delete [\"x\"]"]);
        assert_eq!(calls("lists : map ( fun os : cmd / 1 , L ) ."), ["lists:map \"fun os:cmd/1,L\"", "os:cmd ..."]);
        assert_eq!(calls("os : cmd ( X ++ \"y\" ) ."), ["os:cmd \"X++\\\"y\\\"\""]);
        assert_eq!(calls("q ( ) ."), ["init:stop []"]);
        assert_eq!(calls("foo ( 1 ) ."), Vec::<String>::new());
        assert_eq!(calls("halt ( { 1 , ["), ["erlang:halt \"{1,[\""]);
    }

    #[test]
    fn other_answers_are_nothing_typed() {
        for value in [atom("ok"), Term::Tuple(vec![atom("ok"), list(vec![atom("x")]), Term::Integer(1)]), text("line")]
        {
            let reply = Reply { call: None, value };
            assert_eq!(input(&reply), None);
            assert_eq!(typed_calls(&reply), []);
        }
    }

    #[test]
    fn lines_of_iex_are_read_for_calls() {
        let asked = Call {
            via: "group-leader",
            module: "io".into(),
            function: "get_line".into(),
            arguments: list(vec![atom("unicode"), text("iex(shop@host)1> ")]),
        };
        let reply = Reply { call: Some(asked), value: text("x = System.cmd(\"id\", []); :os.cmd('ls')\n") };
        let found: Vec<_> =
            typed_calls(&reply).into_iter().map(|call| format!("{}:{}", call.module, call.function)).collect();
        assert_eq!(found, ["Elixir.System:cmd", "os:cmd"]);
        assert_eq!(input(&reply).unwrap().module, "Elixir.IEx");
    }
}
