//! Code inside calls: modules that are sent, funs of an evaluator, functions handed over to be called.

use crate::protocol::erldist::Call;
use crate::protocol::erldist::evaluated_calls;
use crate::protocol::erldist::term::Term;
use sha2::{Digest, Sha256};

/// Modules told of one call: `code:atomic_load/1` takes a list.
const MAX_MODULES: usize = 64;

/// Terms looked at for functions that are handed over.
const MAX_TERMS: usize = 4096;
const MAX_DEPTH: usize = 32;

/// A module that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) module: String,
    /// SHA-256 of the object code, in hex; `None` where the decoder did not keep it whole.
    pub(super) sha256: Option<String>,
}

/// The modules that a call loads from its arguments.
pub(super) fn loaded_by(call: &Call) -> Vec<Loaded> {
    let Some(arguments) = call.arguments.list() else { return Vec::new() };
    let module = |name: &Term, code: &Term| Some(Loaded { module: name.atom()?.to_owned(), sha256: sha256_of(code) });
    match (call.module.as_str(), call.function.as_str(), &*arguments) {
        ("code" | "code_server", "load_binary" | "load_module", [name, _, code, ..])
        | ("erlang", "load_module" | "prepare_loading", [name, code, ..])
        | ("erts_internal", "prepare_loading", [name, code])
        | ("Elixir.Code", "load_binary", [name, _, code]) => module(name, code).into_iter().collect(),
        ("code", "atomic_load" | "prepare_loading", [modules]) => {
            let modules = modules.list().unwrap_or_default();
            let sent = modules.iter().filter_map(|element| match element.tuple()? {
                [name, _, code] => module(name, code),
                _ => None,
            });
            sent.take(MAX_MODULES).collect()
        }
        _ => Vec::new(),
    }
}

fn sha256_of(code: &Term) -> Option<String> {
    let bytes = code.binary()?;
    Some(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Calls that the called function will or may make: those in an evaluator's funs, and functions handed over by name
/// (`lists:foreach(fun os:cmd/1, …)`).
pub(super) fn calls_within(call: &Call) -> Vec<Call> {
    let mut found: Vec<Call> = evaluated_calls(&call.arguments).collect();
    let mut left = MAX_TERMS;
    exports(&call.arguments, &call.arguments, &mut left, 0, &mut found);
    found
}

fn exports(term: &Term, arguments: &Term, left: &mut usize, depth: usize, found: &mut Vec<Call>) {
    if *left == 0 || depth > MAX_DEPTH {
        return;
    }
    *left -= 1;
    match term {
        Term::Export { module, function, .. } => found.push(Call {
            via: "fun",
            module: module.to_string(),
            function: function.to_string(),
            arguments: arguments.clone(),
        }),
        Term::List(elements, _) | Term::Tuple(elements) => {
            elements.iter().for_each(|element| exports(element, arguments, left, depth + 1, found));
        }
        _ => {}
    }
}

/// `true` for a call of a fun that an evaluator made: code typed in a shell, run on the other node.
pub(super) fn is_evaluated(call: &Call) -> bool {
    let Some(arguments) = call.arguments.list() else { return false };
    let evaluator = |term: &Term| matches!(term, Term::Fun { module, .. } if matches!(&**module, "erl_eval" | "elixir" | "Elixir.Code"));
    arguments.iter().any(evaluator)
}
