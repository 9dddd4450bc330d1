//! What a message asks the other node to do: a control message and its payload in, a [`Call`] out.
//!
//! Releases since OTP 23 spawn `erpc:execute_call/4` by a SPAWN_REQUEST; older ones ask the `rex` server, or
//! `net_kernel` to spawn. What is wrapped in `apply`, in another remote call or in `proc_lib` is unwrapped: the call
//! reported is the innermost whose function is known.

use super::control;
use super::event::Call;
use super::printed::printed;
use super::term::Term;
use std::borrow::Cow;

/// Wrappers around a call that are taken off; who nests deeper gets the rest shown as arguments.
const MAX_UNWRAPPED: usize = 32;

/// Function name of a call to a fun, which has none.
pub const FUN: &str = "-fun-";

/// The call that a message makes, if it is one, and the identifier that its answer will carry, if it will have one.
pub fn call_of<'a>(operation: &str, control: &'a Term, payload: Option<&'a Term>) -> Option<(Call, Option<&'a Term>)> {
    match operation {
        "SPAWN_REQUEST" | "SPAWN_REQUEST_TT" => {
            let [module, function, _arity] = control::element(control, 4)?.tuple()? else { return None };
            let arguments = payload.cloned().unwrap_or(Term::Elided);
            let call = innermost("spawn-request", name_of(module)?, name_of(function)?, arguments);
            Some((call, control::element(control, 1)))
        }
        "REG_SEND" | "REG_SEND_TT" => to_name(control::receiver(control)?.atom()?, payload?),
        "SEND" | "SEND_TT" | "SEND_SENDER" | "SEND_SENDER_TT" | "ALIAS_SEND" | "ALIAS_SEND_TT" => {
            let call = io_request(payload?)?;
            Some((call, payload?.tuple()?.get(2)))
        }
        "ALTACT_SIG_SEND" => match control::receiver(control)? {
            Term::Atom(name) => to_name(name, payload?),
            _ => Some((io_request(payload?)?, payload?.tuple()?.get(2))),
        },
        _ => None,
    }
}

/// A message to a registered name.
fn to_name<'a>(name: &str, message: &'a Term) -> Option<(Call, Option<&'a Term>)> {
    match message.tuple()? {
        [tag, from, request] if tag.is_atom("$gen_call") => {
            let answer_to = from.tuple().and_then(|from| from.get(1)).and_then(reference_in);
            Some((request_to("gen-call", name, request), answer_to))
        }
        [tag, request] if tag.is_atom("$gen_cast") => Some((request_to("gen-cast", name, request), None)),
        // What erl_interface (`erl_call`, nodes in C) and nodes of old ask, and `rex` answers still.
        [from @ Term::Pid { .. }, request] if name == "rex" => Some((request_to("message", name, request), Some(from))),

        [tag, from @ Term::Pid { .. }, request] if name == "code_server" && tag.is_atom("code_call") => {
            Some((request_to("message", name, request), Some(from)))
        }
        [stop, how] if name == "init" && stop.is_atom("stop") => Some((stop_of(how), None)),
        _ => {
            let call = io_request(message)?;
            Some((call, message.tuple()?.get(2)))
        }
    }
}

/// The message behind `init:stop/0,1`, `init:restart/0` and `init:reboot/0`.
fn stop_of(how: &Term) -> Call {
    let function = how.atom().filter(|how| matches!(*how, "restart" | "reboot")).unwrap_or("stop");
    let arguments = match how.tuple() {
        Some([_, status]) => vec![status.clone()],
        _ => Vec::new(),
    };
    let arguments = Term::List(arguments, None);
    Call { via: "message", module: "init".to_owned(), function: function.to_owned(), arguments }
}

/// A request to a server: of the two servers that run what they are asked to, the call; else the server's name and the
/// request's.
fn request_to(kind: &'static str, server: &str, request: &Term) -> Call {
    let elements = request.tuple().unwrap_or_default();
    let tag = elements.first().and_then(Term::atom).unwrap_or_default();
    let mfa = match (server, tag, elements) {
        ("rex", "call" | "block_call" | "nonblocking_call" | "cast", [_, module, function, arguments, ..]) => {
            Some(("rex", module, function, arguments))
        }
        (
            "net_kernel",
            "spawn" | "spawn_link" | "spawn_monitor" | "spawn_opt" | "spawn_opt_link",
            [_, module, function, arguments, ..],
        ) => Some(("spawn", module, function, arguments)),
        _ => None,
    };
    if let Some((via, module, function, arguments)) = mfa
        && let (Some(module), Some(function)) = (name_of(module), name_of(function))
    {
        return innermost(via, module, function, arguments.clone());
    }
    let (function, arguments) = match request {
        Term::Tuple(elements) if !tag.is_empty() => (tag.to_owned(), elements.iter().skip(1).cloned().collect()),
        Term::Atom(name) => (name.to_string(), Vec::new()),
        other => (String::new(), vec![other.clone()]),
    };
    Call { via: kind, module: server.to_owned(), function, arguments: Term::List(arguments, None) }
}

/// What a process on one node asks of its group leader on the other: to write, or to read what is typed there (stdlib
/// "The Erlang I/O Protocol"). Requests for the device's properties are no calls.
fn io_request(message: &Term) -> Option<Call> {
    let [tag, _from, _reply_as, request] = message.tuple()? else { return None };
    if !tag.is_atom("io_request") {
        return None;
    }
    // Several requests may come in one: what they write is put together.
    let requests = match request.tuple()? {
        [tag, requests] if tag.is_atom("requests") => requests.list()?,
        _ => Cow::Borrowed(std::slice::from_ref(request)),
    };
    let mut asked = requests.iter().filter_map(|request| match request.tuple()? {
        [tag, arguments @ ..] => Some((tag.atom()?, arguments)).filter(|(name, _)| IO_REQUESTS.contains(name)),
        [] => None,
    });
    let (function, first) = asked.next()?;
    let arguments = match function {
        "put_chars" => written_by(first, asked.filter(|(name, _)| *name == function).map(|(_, arguments)| arguments)),
        _ => first.to_vec(),
    };
    let arguments = Term::List(arguments, None);
    Some(Call { via: "group-leader", module: "io".to_owned(), function: function.to_owned(), arguments })
}

/// Requests of the I/O protocol that move characters.
const IO_REQUESTS: &[&str] = &["put_chars", "get_until", "get_line", "get_chars", "get_password"];

/// The arguments of one `put_chars` that stands for several; for the first, where others cannot be added to it.
fn written_by<'a>(first: &[Term], others: impl Iterator<Item = &'a [Term]>) -> Vec<Term> {
    let text_of = |arguments: &[Term]| printed(&Term::List(arguments.to_vec(), None));
    let mut others = others.peekable();
    let whole = others.peek().is_some().then(|| text_of(first)).flatten();
    match whole {
        Some(mut whole) => {
            whole.extend(others.map_while(text_of));
            vec![Term::Atom("unicode".into()), Term::Binary { bytes: whole.into_bytes().into(), bits: 8 }]
        }
        None => first.to_vec(),
    }
}

/// Takes wrappers off a call until its function is no wrapper.
pub fn innermost(via: &'static str, module: String, function: String, arguments: Term) -> Call {
    let mut call = Call { via, module, function, arguments };
    for _ in 0..MAX_UNWRAPPED {
        match unwrapped(&call) {
            Some(inner) => call = inner,
            None => break,
        }
    }
    call
}

/// The call inside a call that only passes it on.
fn unwrapped(call: &Call) -> Option<Call> {
    let arguments = call.arguments.list()?;
    let (callee, applied_to) = match wrapper(&call.module, &call.function, &arguments)? {
        Wrapped::Function(module, function, arguments) => {
            let inner = (name_of(module)?, name_of(function)?, arguments.clone());
            return Some(Call { via: call.via, module: inner.0, function: inner.1, arguments: inner.2 });
        }
        Wrapped::Fun(fun, arguments) => (fun, arguments),
    };
    let applied_to = applied_to.cloned().unwrap_or_else(|| Term::List(Vec::new(), None));
    match callee {
        Term::Export { module, function, .. } => Some(Call {
            via: call.via,
            module: module.to_string(),
            function: function.to_string(),
            arguments: applied_to,
        }),
        // The fun itself goes with the arguments: it holds the code.
        Term::Fun { module, .. } => Some(Call {
            via: call.via,
            module: module.to_string(),
            function: FUN.to_owned(),
            arguments: Term::List(vec![callee.clone(), applied_to], None),
        }),
        _ => None,
    }
}

/// What a wrapper passes on.
enum Wrapped<'a> {
    Function(&'a Term, &'a Term, &'a Term),
    Fun(&'a Term, Option<&'a Term>),
}

/// The functions of OTP that call what their arguments say.
fn wrapper<'a>(module: &str, function: &str, arguments: &'a [Term]) -> Option<Wrapped<'a>> {
    use Wrapped::{Fun, Function};
    let is_fun = |term: &Term| matches!(term, Term::Fun { .. } | Term::Export { .. });
    Some(match (module, function, arguments) {
        ("erpc", "execute_call", [_, m, f, a] | [m, f, a]) => Function(m, f, a),
        ("erpc", "execute_cast", [m, f, a]) => Function(m, f, a),
        (
            "erlang",
            "apply" | "spawn" | "spawn_link" | "spawn_monitor" | "spawn_opt" | "spawn_request" | "hibernate",
            [m, f, a],
        ) => Function(m, f, a),
        ("erlang", "apply", [fun, a]) if is_fun(fun) => Fun(fun, Some(a)),
        ("erlang", "spawn" | "spawn_link" | "spawn_monitor" | "spawn_request", [fun]) if is_fun(fun) => Fun(fun, None),
        ("erlang", "spawn" | "spawn_link" | "spawn_monitor", [_node, fun]) if is_fun(fun) => Fun(fun, None),
        ("erlang", "spawn" | "spawn_link" | "spawn_monitor" | "spawn_opt", [_, m, f, a, ..]) => Function(m, f, a),
        ("rpc" | "erpc", "call" | "cast" | "block_call" | "async_call" | "send_request", [_node, fun, ..])
            if is_fun(fun) =>
        {
            Fun(fun, None)
        }
        (
            "rpc" | "erpc",
            "call" | "cast" | "block_call" | "async_call" | "multicall" | "multicast" | "send_request",
            [_nodes, m, f, a, ..],
        ) => Function(m, f, a),
        ("rpc", "multicall" | "eval_everywhere", [m, f, a]) => Function(m, f, a),
        ("rpc", "eval_everywhere", [_nodes, m, f, a]) => Function(m, f, a),
        ("proc_lib", "init_p", [_parent, _ancestors, fun]) if is_fun(fun) => Fun(fun, None),
        ("proc_lib", "init_p", [_parent, _ancestors, m, f, a]) => Function(m, f, a),
        ("proc_lib", "spawn" | "spawn_link" | "start" | "start_link", [m, f, a, ..]) => Function(m, f, a),
        ("supervisor", "start_child", [_supervisor, child]) => {
            let [m, f, a] = start_of(child)? else { return None };
            Function(m, f, a)
        }
        ("timer", "tc", [m, f, a]) => Function(m, f, a),
        ("timer", "apply_after" | "apply_interval", [_time, m, f, a]) => Function(m, f, a),
        _ => return None,
    })
}

/// `{Module, Function, Arguments}` of a child specification: a map with `start`, or the second of a tuple.
fn start_of(child: &Term) -> Option<&[Term]> {
    match child {
        Term::Map(pairs) => pairs.iter().find(|(key, _)| key.is_atom("start"))?.1.tuple(),
        other => other.tuple()?.get(1)?.tuple(),
    }
}

/// An atom as the name of a module or function; one whose slot is unknown still makes a call.
fn name_of(term: &Term) -> Option<String> {
    match term {
        Term::Atom(name) => Some(name.to_string()),
        Term::UnknownAtom(_) => Some(term.to_string()),
        _ => None,
    }
}

/// The reference in the tag of a `From`: bare, or in `[alias|Ref]` and what is built around that.
pub fn reference_in(tag: &Term) -> Option<&Term> {
    match tag {
        Term::Reference { .. } => Some(tag),
        Term::List(elements, tail) => {
            tail.as_deref().into_iter().chain(elements.first()).find_map(|inner| match inner {
                Term::Reference { .. } => Some(inner),
                // One level more: a request id with a label.
                Term::List(_, Some(tail)) if matches!(**tail, Term::Reference { .. }) => Some(&**tail),
                _ => None,
            })
        }
        Term::Tuple(elements) => elements.first().filter(|first| matches!(first, Term::Reference { .. })),
        _ => None,
    }
}
