//! Calls inside code that an evaluator will run: the abstract code in the free variables of `erl_eval`'s funs, and in
//! the arguments of `erl_eval:exprs/2` and the like (erts "The Abstract Format").
//!
//! What is found is what the code would call if it were run, in the order in which it is written; whether it is run
//! the bytes do not tell.

use super::event::Call;
use super::term::Term;
use super::typed::without_module;
use std::collections::HashMap;

/// Calls reported of one term.
const MAX_CALLS: usize = 64;

/// Terms looked at, so that a large payload that holds no code costs little.
const MAX_VISITED: usize = 1 << 16;

/// The calls to `Module:Function` with both written out, in all abstract code inside `term`. Arguments that are
/// written out too come as terms, others as the abstract code that computes them.
pub fn evaluated_calls(term: &Term) -> impl Iterator<Item = Call> + '_ {
    let mut waiting = vec![term];
    let mut visited = 0;
    std::iter::from_fn(move || {
        while let Some(term) = waiting.pop() {
            visited += 1;
            if visited > MAX_VISITED {
                return None;
            }
            push_parts(term, &mut waiting);
            if let Some(call) = call_in(term) {
                return Some(call);
            }
        }
        None
    })
    .take(MAX_CALLS)
}

/// Puts the parts of a term on the stack, the first on top.
fn push_parts<'a>(term: &'a Term, stack: &mut Vec<&'a Term>) {
    // What lies beyond the limit would not be visited.
    match term {
        Term::Fun { module, free, .. } if **module == *"erl_eval" => {
            stack.extend(free.iter().take(MAX_VISITED).rev().flat_map(parts_of_closure));
        }
        Term::Tuple(parts) | Term::Fun { free: parts, .. } => stack.extend(parts.iter().take(MAX_VISITED).rev()),
        Term::List(parts, tail) => {
            stack.extend(tail.as_deref());
            stack.extend(parts.iter().take(MAX_VISITED).rev());
        }
        Term::Map(pairs) => {
            stack.extend(pairs.iter().take(MAX_VISITED).rev().flat_map(|(key, value)| [value, key]));
        }
        _ => {}
    }
}

/// What the fun of an evaluator may run, of `{Anno, Bindings, LocalFunctions, .., Clauses}`, last to first. The local
/// functions are all that the module has around the fun, in a script the whole of it: those count that the fun calls.
fn parts_of_closure(closure: &Term) -> Vec<&Term> {
    let Some(parts) = closure.tuple() else { return vec![closure] };
    let mut may_run = Vec::new();
    let mut functions: HashMap<&str, Vec<&Term>> = HashMap::new();
    for part in parts.iter().rev() {
        match part.tuple() {
            Some([tag, Term::Fun { free, .. }]) if tag.is_atom("value") || tag.is_atom("eval") => {
                for (name, clauses) in free.iter().flat_map(local_functions) {
                    functions.entry(name).or_default().push(clauses);
                }
            }
            _ => may_run.push(part),
        }
    }
    if may_run.len() == parts.len() {
        return vec![closure];
    }
    let (mut called, mut reached) = (Vec::new(), Vec::new());
    may_run.iter().for_each(|part| local_calls(part, &mut called));
    while let Some(name) = called.pop() {
        for clauses in functions.remove(name).into_iter().flatten() {
            local_calls(clauses, &mut called);
            reached.push(clauses);
        }
    }
    reached.append(&mut may_run);
    reached
}

/// Name and code of the functions in `#{{local, Name, Arity} => Clauses}`, as a script has them.
fn local_functions(variable: &Term) -> impl Iterator<Item = (&str, &Term)> {
    let pairs = if let Term::Map(pairs) = variable { pairs.as_slice() } else { &[] };
    pairs.iter().take(MAX_VISITED).filter_map(|(key, clauses)| match key.tuple()? {
        [local, name, _arity] if local.is_atom("local") => Some((name.atom()?, clauses)),
        _ => None,
    })
}

/// The functions that code calls by their name alone. Code of funs that it holds is looked at in its turn.
fn local_calls<'a>(code: &'a Term, called: &mut Vec<&'a str>) {
    let mut waiting = vec![code];
    while let Some(term) = waiting.pop() {
        match term {
            Term::Tuple(parts) => {
                if let [call, _, name, _] = parts.as_slice()
                    && call.is_atom("call")
                {
                    called.extend(atom_form(name));
                }
                waiting.extend(parts);
            }
            Term::List(parts, _) => waiting.extend(parts),
            _ => {}
        }
    }
}

/// `{call,_,{remote,_,{atom,_,M},{atom,_,F}},Arguments}`, or `{call,_,{atom,_,F},Arguments}` of what a shell or any code
/// knows without a module.
fn call_in(term: &Term) -> Option<Call> {
    let [call, _, callee, arguments] = term.tuple()? else { return None };
    if !call.is_atom("call") {
        return None;
    }
    let (module, function) = match callee.tuple()? {
        [tag, _, module, function] if tag.is_atom("remote") => (atom_form(module)?, atom_form(function)?),
        _ => {
            let function = atom_form(callee)?;
            (without_module(function)?, function)
        }
    };
    let arguments = arguments.list()?.iter().map(|argument| literal(argument, 0)).collect();
    Some(Call {
        via: "fun",
        module: module.to_owned(),
        function: function.to_owned(),
        arguments: Term::List(arguments, None),
    })
}

fn atom_form(form: &Term) -> Option<&str> {
    match form.tuple()? {
        [tag, _, name] if tag.is_atom("atom") => name.atom(),
        _ => None,
    }
}

/// The value of a form that is written out; else the form.
fn literal(form: &Term, depth: usize) -> Term {
    value_of(form, depth).unwrap_or_else(|| form.clone())
}

fn value_of(form: &Term, depth: usize) -> Option<Term> {
    const MAX_DEPTH: usize = 64;
    if depth > MAX_DEPTH {
        return None;
    }
    match form.tuple()? {
        [tag, _, value] if ["atom", "integer", "char", "float", "string"].iter().any(|kind| tag.is_atom(kind)) => {
            Some(value.clone())
        }
        [tag, _] if tag.is_atom("nil") => Some(Term::List(Vec::new(), None)),
        [tag, _, elements] if tag.is_atom("tuple") => {
            Some(Term::Tuple(elements.list()?.iter().map(|element| literal(element, depth + 1)).collect()))
        }
        [tag, _, _, _] if tag.is_atom("cons") => cons(form, depth),
        [tag, _, elements] if tag.is_atom("bin") => binary(&elements.list()?),
        _ => None,
    }
}

/// A list: `{cons,_,Head,Tail}` as deep as it is long.
fn cons(form: &Term, depth: usize) -> Option<Term> {
    let mut elements = Vec::new();
    let mut rest = form;
    loop {
        match rest.tuple()? {
            [tag, _, head, tail] if tag.is_atom("cons") => {
                elements.push(literal(head, depth + 1));
                rest = tail;
            }
            [tag, _] if tag.is_atom("nil") => return Some(Term::List(elements, None)),
            _ => return Some(Term::List(elements, Some(Box::new(literal(rest, depth + 1))))),
        }
    }
}

/// A binary of one string, as `<<"text">>` is written.
fn binary(elements: &[Term]) -> Option<Term> {
    let [element] = elements else { return None };
    let [tag, _, string, size, kind] = element.tuple()? else { return None };
    let plain = tag.is_atom("bin_element") && size.is_atom("default") && kind.is_atom("default");
    match string.tuple()? {
        [tag, _, Term::String(bytes)] if plain && tag.is_atom("string") => {
            Some(Term::Binary { bytes: bytes.clone(), bits: 8 })
        }
        _ => None,
    }
}
