//! Which remote calls run commands or code: the table in `exec_classes.txt`, which is made to be extended.

use crate::protocol::erldist::Call;
use crate::protocol::erldist::term::Term;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Class of functions that a broader line would take in but that do no harm.
const IGNORE: &str = "ignore";

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    class: &'static str,
    /// Atoms of which one must be among the arguments, comma-separated; empty: none.
    if_argument: &'static str,
}

type Table = HashMap<(&'static str, &'static str), Entry>;

static TABLE: LazyLock<Table> = LazyLock::new(|| parse(include_str!("exec_classes.txt")).0);

/// What kind of execution a call is (`command`, `eval`, `file-write` …), or `None` if it is none.
pub(super) fn class_of(call: &Call) -> Option<&'static str> {
    let (module, function) = (call.module.as_str(), call.function.as_str());
    let entry = TABLE.get(&(module, function)).or_else(|| TABLE.get(&(module, "*")))?;
    let meant =
        entry.if_argument.is_empty() || entry.if_argument.split(',').any(|atom| has_atom(&call.arguments, atom));
    (meant && entry.class != IGNORE).then_some(entry.class)
}

/// A class in words, to begin a title with.
pub(super) fn describe(class: &'static str) -> &'static str {
    match class {
        "command" => "Operating system command by",
        "native-code" => "Native code loaded by",
        "eval" => "Code evaluated by",
        "shell" => "Erlang shell opened by",
        "compile" => "Code compiled by",
        "load-from-disk" => "Code loaded from disk by",
        "code-path" => "Code path changed by",
        "code-removal" => "Code removed by",
        "release" => "Release changed by",
        "file-write" => "Files changed by",
        "node-control" => "Node stopped or restarted by",
        "environment" => "Environment changed by",
        other => other,
    }
}

/// `true` if an atom is an argument, or an element of a list that is one.
fn has_atom(arguments: &Term, atom: &str) -> bool {
    let Term::List(arguments, _) = arguments else { return false };
    arguments.iter().any(|argument| match argument {
        Term::List(options, _) => options.iter().any(|option| option.is_atom(atom)),
        other => other.is_atom(atom),
    })
}

/// The table, and the lines that are none.
fn parse(text: &'static str) -> (Table, Vec<&'static str>) {
    let (mut table, mut wrong) = (Table::new(), Vec::new());
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let words: Vec<&'static str> = line.split_whitespace().collect();
        let (module, function, class, if_argument) = match words.as_slice() {
            [module, function, class] => (*module, *function, *class, ""),
            [module, function, class, "if-argument", atoms] => (*module, *function, *class, *atoms),
            _ => {
                wrong.push(line);
                continue;
            }
        };
        if table.insert((module, function), Entry { class, if_argument }).is_some() {
            wrong.push(line);
        }
    }
    (table, wrong)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    fn call(module: &str, function: &str, arguments: Vec<Term>) -> Call {
        let arguments = Term::List(arguments, None);
        Call { via: "rex", module: module.into(), function: function.into(), arguments }
    }

    #[test]
    fn the_table_is_sound() {
        let (table, wrong) = parse(include_str!("exec_classes.txt"));
        assert_eq!(wrong, Vec::<&str>::new(), "not in the form, or there twice");
        assert!(table.len() > 100);
        assert!(table.values().all(|entry| entry.class == IGNORE || describe(entry.class).ends_with(" by")));
    }

    #[test]
    fn what_runs_code_has_a_class() {
        for (module, function) in [("os", "cmd"), ("erlang", "open_port"), ("erl_eval", "eval_str"), ("init", "stop")] {
            assert!(class_of(&call(module, function, vec![])).is_some(), "{module}:{function}");
        }
    }

    #[test]
    fn what_reads_and_what_clusters_do_has_none() {
        for (module, function) in [
            ("net_kernel", "is_auth"),
            ("global_name_server", "init_connect"),
            ("file", "read_file"),
            ("file", "list_dir"),
            ("init", "get_argument"),
            ("ejabberd_ctl", "process"),
            ("mnesia_monitor", "negotiate_protocol"),
            ("erlang", "get_cookie"),
        ] {
            assert_eq!(class_of(&call(module, function, vec![])), None, "{module}:{function}");
        }
    }

    #[test]
    fn opening_a_file_counts_when_it_is_for_writing() {
        let open = |mode: &str| {
            let path = Term::String(b"/etc/passwd".to_vec().into());
            call("file", "open", vec![path, Term::List(vec![Term::Atom(mode.into())], None)])
        };
        assert_eq!(class_of(&open("read")), None);
        assert_eq!(class_of(&open("append")), Some("file-write"));
    }
}
