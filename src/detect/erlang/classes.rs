//! Which remote calls run commands or code: the built-in table `exec_classes.txt`, and files of the same form that a
//! person adds to it.

use crate::protocol::erldist::Call;
use crate::protocol::erldist::term::Term;
use std::borrow::Cow;
use std::collections::HashMap;

/// Class of functions that a broader line would take in but that do no harm.
const IGNORE: &str = "ignore";

/// Stands for every function of a module.
const ANY: &str = "*";

const BUILT_IN: &str = include_str!("exec_classes.txt");

/// What a function is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    class: Box<str>,
    /// Atoms of which one must be among the arguments; empty: none.
    if_argument: Vec<Box<str>>,
}

/// The functions of one module, by name.
type Functions = HashMap<Box<str>, Entry>;

/// The table of classes, by module.
#[derive(Debug, Clone)]
pub struct CallClasses {
    modules: HashMap<Box<str>, Functions>,
}

/// A line of a file of classes that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: line {line}: {cause}")]
pub struct ClassesError {
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub cause: &'static str,
}

impl Default for CallClasses {
    /// The built-in table, of which a test says that it is sound.
    fn default() -> Self {
        let mut classes = Self { modules: HashMap::new() };
        let built_in = classes.extend(BUILT_IN, "exec_classes.txt");
        debug_assert_eq!(built_in, Ok(()));
        classes
    }
}

impl CallClasses {
    /// Adds the lines of a text; `file` is its name in errors. They go before all that was there: a line for a function
    /// replaces that function's, a line with `*` all of the module's.
    pub fn extend(&mut self, text: &str, file: &str) -> Result<(), ClassesError> {
        let mut added: HashMap<Box<str>, Functions> = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let failure = |cause| ClassesError { file: file.to_owned(), line: index + 1, cause };
            let Some((module, function, entry)) = read_line(line).map_err(failure)? else { continue };
            if added.entry(module).or_default().insert(function, entry).is_some() {
                return Err(failure("this function has a line already"));
            }
        }
        for (module, functions) in added {
            let known = self.modules.entry(module).or_default();
            if functions.contains_key(ANY) {
                known.clear();
            }
            known.extend(functions);
        }
        Ok(())
    }

    /// What kind of execution a call is (`command`, `eval`, `file-write` …), or `None` if it is none.
    pub(super) fn class_of(&self, call: &Call) -> Option<&str> {
        let functions = self.modules.get(call.module.as_str())?;
        let entry = functions.get(call.function.as_str()).or_else(|| functions.get(ANY))?;
        let meant =
            entry.if_argument.is_empty() || entry.if_argument.iter().any(|atom| has_atom(&call.arguments, atom));
        (meant && *entry.class != *IGNORE).then_some(&*entry.class)
    }
}

/// Module, function, and what it is.
type Line = (Box<str>, Box<str>, Entry);

/// What a line says; nothing where it is empty or a comment.
fn read_line(line: &str) -> Result<Option<Line>, &'static str> {
    let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
    let (module, function, class, atoms) = match words.as_slice() {
        [] => return Ok(None),
        [module, function, class] => (*module, *function, *class, ""),
        [module, function, class, "if-argument", atoms] => (*module, *function, *class, *atoms),
        [_, _, _, "if-argument"] => return Err("if-argument without atoms"),
        [_, _, _, ..] => return Err("only if-argument ATOM,ATOM may follow the class"),
        _ => return Err("expected MODULE FUNCTION CLASS [if-argument ATOM,ATOM]"),
    };
    if module == ANY {
        return Err("* stands for functions, not for modules");
    }
    if [module, function].iter().any(|name| name.contains([':', '(', '/', '\''])) {
        return Err("module and function are two words without arity and quotes");
    }
    if !class.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'-') {
        return Err("a class is a word of small letters and hyphens");
    }
    let if_argument: Vec<Box<str>> = atoms.split(',').filter(|atom| !atom.is_empty()).map(Box::from).collect();
    Ok(Some((module.into(), function.into(), Entry { class: class.into(), if_argument })))
}

/// A class in words, to begin a title with.
pub(super) fn describe(class: &str) -> Cow<'static, str> {
    Cow::Borrowed(match class {
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
        own => return Cow::Owned(format!("Call of class {own} to")),
    })
}

/// `true` if an atom is an argument, or an element of a list that is one. Arguments that are known as source text only
/// have it if the text does.
fn has_atom(arguments: &Term, atom: &str) -> bool {
    let words =
        |text: &str| text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == atom);
    match arguments {
        Term::List(arguments, _) => arguments.iter().any(|argument| match argument {
            Term::List(options, _) => options.iter().any(|option| option.is_atom(atom)),
            other => other.is_atom(atom),
        }),
        Term::String(source) => words(&String::from_utf8_lossy(source)),
        _ => false,
    }
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
        let mut classes = CallClasses { modules: HashMap::new() };
        assert_eq!(classes.extend(BUILT_IN, "exec_classes.txt"), Ok(()));
        let entries: Vec<&Entry> = classes.modules.values().flat_map(HashMap::values).collect();
        assert!(entries.len() > 100);
        let is_described = |entry: &&Entry| *entry.class == *IGNORE || describe(&entry.class).ends_with(" by");
        assert!(entries.iter().all(is_described));
    }

    #[test]
    fn what_runs_code_has_a_class() {
        for (module, function) in [("os", "cmd"), ("erlang", "open_port"), ("erl_eval", "eval_str"), ("init", "stop")] {
            assert!(CallClasses::default().class_of(&call(module, function, vec![])).is_some(), "{module}:{function}");
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
            assert_eq!(CallClasses::default().class_of(&call(module, function, vec![])), None, "{module}:{function}");
        }
    }

    #[test]
    fn opening_a_file_counts_when_it_is_for_writing() {
        let open = |mode: &str| {
            let path = Term::String(b"/etc/passwd".to_vec().into());
            call("file", "open", vec![path, Term::List(vec![Term::Atom(mode.into())], None)])
        };
        assert_eq!(CallClasses::default().class_of(&open("read")), None);
        assert_eq!(CallClasses::default().class_of(&open("append")), Some("file-write"));
        let typed = Call { arguments: Term::String(b"Name, [append]".to_vec().into()), ..open("read") };
        assert_eq!(CallClasses::default().class_of(&typed), Some("file-write"));
    }

    #[test]
    fn lines_of_a_person_go_before_the_built_in_ones() {
        let mut classes = CallClasses::default();
        let lines =
            "# ours\n\nshop_admin * payroll\nshop_admin ping ignore # harmless\nos cmd ignore\nheart * ignore\n";
        classes.extend(lines, "site.txt").unwrap();
        let class = |module, function| classes.class_of(&call(module, function, vec![])).map(str::to_owned);
        assert_eq!(class("shop_admin", "pay").as_deref(), Some("payroll"));
        assert_eq!(class("shop_admin", "ping"), None);
        assert_eq!(class("os", "cmd"), None);
        assert_eq!(class("os", "putenv").as_deref(), Some("environment"));
        assert_eq!(class("heart", "set_cmd"), None, "the star takes in what the built-in table names");
        assert_eq!(describe("payroll"), "Call of class payroll to");
    }

    #[test]
    fn what_is_no_line_is_told_with_its_place() {
        let error = |text: &str| CallClasses::default().extend(text, "site.txt").unwrap_err().to_string();
        assert_eq!(error("a b c\na b"), "site.txt: line 2: expected MODULE FUNCTION CLASS [if-argument ATOM,ATOM]");
        assert_eq!(error("a b c\na b d"), "site.txt: line 2: this function has a line already");
        for (line, part) in [
            ("os:cmd * command", "two words"),
            ("* cmd command", "not for modules"),
            ("os cmd Command", "small letters"),
            ("os cmd command when x", "only if-argument"),
            ("os cmd command if-argument", "without atoms"),
        ] {
            assert!(error(line).contains(part), "{line}: {}", error(line));
        }
    }
}
