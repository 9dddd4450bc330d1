//! What messages ask and answer.

use super::encoder::build::{alias, atom, binary, int, list, pid, reference, string, tuple};
use super::encoder::message;
use super::{Collector, Step, run};
use crate::protocol::erldist::evaluated_calls;
use crate::protocol::erldist::event::Call;
use crate::protocol::erldist::term::Term;

fn shown(call: &Call) -> String {
    format!("{} {}:{} {}", call.via, call.module, call.function, call.arguments)
}

/// Runs messages from `a@h`, then answers from `b@h`, without a handshake.
fn exchange(asked: &[(Term, Term)], answered: &[(Term, Option<Term>)]) -> Collector {
    let mut steps = Vec::new();
    steps.extend(asked.iter().map(|(control, payload)| Step::Orig(message(control, Some(payload)))));
    steps.extend(answered.iter().map(|(control, payload)| Step::Resp(message(control, payload.as_ref()))));
    run(&steps, usize::MAX)
}

fn call_to(name: &str, payload: Term) -> String {
    let control = tuple([int(6), pid("a@h", 9), atom(""), atom(name)]);
    let sink = exchange(&[(control, payload)], &[]);
    sink.messages[0].call.as_ref().map(shown).unwrap_or_default()
}

fn spawn_request(id: u32, module: &str, function: &str, arity: i64, options: Term) -> Term {
    let mfa = tuple([atom(module), atom(function), int(arity)]);
    tuple([int(29), reference("a@h", id), pid("a@h", 9), pid("a@h", 8), mfa, options])
}

fn spawned(module: &str, function: &str, arguments: Term) -> String {
    let control = spawn_request(1, module, function, 0, list([]));
    let sink = exchange(&[(control, arguments)], &[]);
    sink.messages[0].call.as_ref().map(shown).unwrap_or_default()
}

fn gen_call(request: Term) -> Term {
    tuple([atom("$gen_call"), tuple([pid("a@h", 9), alias(reference("a@h", 5))]), request])
}

#[test]
fn remote_calls_of_every_release() {
    let mfa = || [atom("os"), atom("cmd"), list([string("id")])];
    let [m, f, a] = mfa();
    let request = tuple([atom("call"), m.clone(), f.clone(), a.clone(), pid("a@h", 8)]);
    assert_eq!(call_to("rex", gen_call(request)), "rex os:cmd [\"id\"]");
    let cast = tuple([atom("cast"), m.clone(), f.clone(), a.clone(), pid("a@h", 8)]);
    assert_eq!(call_to("rex", tuple([atom("$gen_cast"), cast])), "rex os:cmd [\"id\"]");
    let spawn = tuple([atom("spawn_link"), m.clone(), f.clone(), a.clone(), pid("a@h", 8)]);
    assert_eq!(call_to("net_kernel", gen_call(spawn)), "spawn os:cmd [\"id\"]");
    let arguments = list([reference("a@h", 3), m.clone(), f.clone(), a.clone()]);
    assert_eq!(spawned("erpc", "execute_call", arguments), "spawn-request os:cmd [\"id\"]");
    assert_eq!(spawned("erpc", "execute_cast", list(mfa())), "spawn-request os:cmd [\"id\"]");
    assert_eq!(spawned("os", "cmd", a), "spawn-request os:cmd [\"id\"]");
}

#[test]
fn wrappers_are_taken_off() {
    let innermost = [atom("os"), atom("cmd"), list([string("id")])];
    assert_eq!(spawned("erlang", "apply", list(innermost.clone())), "spawn-request os:cmd [\"id\"]");
    let twice = list([atom("erlang"), atom("apply"), list(innermost.clone())]);
    assert_eq!(spawned("erlang", "apply", twice.clone()), "spawn-request os:cmd [\"id\"]");
    let Term::List(mut nested, None) = twice else { unreachable!() };
    nested.insert(0, atom("c@h"));
    assert_eq!(spawned("rpc", "call", list(nested)), "spawn-request os:cmd [\"id\"]");
    let export = Term::Export { module: "os".into(), function: "cmd".into(), arity: 1 };
    assert_eq!(spawned("erlang", "apply", list([export, list([string("id")])])), "spawn-request os:cmd [\"id\"]");
    let start = tuple([atom("os"), atom("cmd"), list([string("id")])]);
    let map = Term::Map(vec![(atom("id"), atom("x")), (atom("start"), start.clone())]);
    let old = tuple([atom("x"), start, atom("temporary"), int(1), atom("worker"), list([])]);
    for child in [map, old] {
        let call = spawned("supervisor", "start_child", list([atom("kernel_safe_sup"), child]));
        assert_eq!(call, "spawn-request os:cmd [\"id\"]");
    }
    // Deeper than anyone wraps: the work ends, and the rest is still to be seen.
    let mut deep = list(innermost);
    for _ in 0..40 {
        deep = list([atom("erlang"), atom("apply"), deep]);
    }
    assert!(spawned("erlang", "apply", deep).starts_with("spawn-request erlang:apply [erlang,apply,"));
}

#[test]
fn requests_to_servers_and_output() {
    let request = tuple([atom("route"), binary(b"alice"), int(1)]);
    assert_eq!(call_to("router", gen_call(request.clone())), "gen-call router:route [<<\"alice\">>,1]");
    assert_eq!(call_to("router", tuple([atom("$gen_cast"), atom("stop")])), "gen-cast router:stop []");
    assert_eq!(call_to("router", tuple([atom("$gen_cast"), int(5)])), "gen-cast router: [5]");
    assert_eq!(call_to("router", request), "");
    let put = tuple([atom("put_chars"), atom("unicode"), binary(b"done\n")]);
    let io = tuple([atom("io_request"), pid("a@h", 9), reference("a@h", 4), put]);
    assert_eq!(call_to("user", io), "group-leader io:put_chars [unicode,<<\"done\\n\">>]");
}

#[test]
fn a_remote_call_is_answered_when_its_process_ends() {
    let arguments = list([reference("a@h", 3), atom("os"), atom("cmd"), list([string("id")])]);
    let request = spawn_request(7, "erpc", "execute_call", 4, list([atom("monitor")]));
    let accepted = tuple([int(31), reference("a@h", 7), pid("a@h", 9), int(2), pid("b@h", 50)]);
    let ended = tuple([int(28), pid("b@h", 50), pid("a@h", 9), reference("a@h", 7)]);
    let reason = tuple([reference("a@h", 3), atom("return"), string("uid=0")]);
    let sink = exchange(&[(request, arguments)], &[(accepted, None), (ended.clone(), Some(reason))]);
    assert!(sink.messages[1].reply.is_none(), "the pid is not the answer");
    let reply = sink.messages[2].reply.as_ref().unwrap();
    assert_eq!(reply.call.as_ref().map(shown).as_deref(), Some("spawn-request os:cmd [\"id\"]"));
    assert_eq!(reply.value.to_string(), "\"uid=0\"");

    // An error, of a call that was not captured.
    let reason = tuple([reference("a@h", 3), atom("error"), atom("undef"), list([])]);
    let sink = exchange(&[], &[(ended.clone(), Some(reason))]);
    let reply = sink.messages[0].reply.as_ref().unwrap();
    assert_eq!((reply.call.is_none(), reply.value.to_string()), (true, "{error,undef,[]}".to_owned()));
    // Any process that ends.
    assert!(exchange(&[], &[(ended, Some(atom("normal")))]).messages[0].reply.is_none());
}

#[test]
fn a_spawn_is_answered_with_its_pid() {
    let request = spawn_request(7, "os", "cmd", 1, list([]));
    let accepted = tuple([int(31), reference("a@h", 7), pid("a@h", 9), int(0), pid("b@h", 50)]);
    let sink = exchange(&[(request, list([string("id")]))], &[(accepted, None)]);
    let reply = sink.messages[1].reply.as_ref().unwrap();
    assert_eq!(reply.call.as_ref().map(shown).as_deref(), Some("spawn-request os:cmd [\"id\"]"));
    assert_eq!(reply.value.to_string(), "<b@h.50.0>");
}

#[test]
fn servers_answer_under_the_callers_reference() {
    let request = tuple([atom("call"), atom("erlang"), atom("get_cookie"), list([]), pid("a@h", 8)]);
    let asked = (tuple([int(6), pid("a@h", 9), atom(""), atom("rex")]), gen_call(request));
    let aliased = tuple([alias(reference("a@h", 5)), atom("SECRET")]);
    let by_alias = tuple([int(33), pid("b@h", 4), reference("a@h", 5)]);
    let sink = exchange(std::slice::from_ref(&asked), &[(by_alias, Some(aliased))]);
    let reply = sink.messages[1].reply.as_ref().unwrap();
    assert_eq!(reply.call.as_ref().map(shown).as_deref(), Some("rex erlang:get_cookie []"));
    assert_eq!(reply.value, atom("SECRET"));
    // Before aliases, and where the call is not in the capture.
    let plain = tuple([reference("a@h", 5), atom("SECRET")]);
    let by_pid = tuple([int(2), atom(""), pid("a@h", 9)]);
    let answer = [(by_pid, Some(plain))];
    assert!(exchange(&[asked], &answer).messages[1].reply.as_ref().is_some_and(|reply| reply.call.is_some()));
    assert!(exchange(&[], &answer).messages[0].reply.as_ref().is_some_and(|reply| reply.call.is_none()));
}

#[test]
fn calls_that_are_never_answered_are_forgotten() {
    let asked: Vec<_> =
        (0..2000).map(|id| (spawn_request(id, "os", "cmd", 1, list([])), list([string("id")]))).collect();
    let answer = |id: u32| (tuple([int(31), reference("a@h", id), pid("a@h", 9), int(0), pid("b@h", 50)]), None);
    let sink = exchange(&asked, &[answer(0), answer(1999)]);
    let known = |at: usize| sink.messages[at].reply.as_ref().is_some_and(|reply| reply.call.is_some());
    assert_eq!((known(2000), known(2001)), (false, true));
}

#[test]
fn calls_in_the_code_of_a_fun() {
    let line = || int(1);
    let form = |tag: &str, value: Term| tuple([atom(tag), line(), value]);
    let remote = tuple([atom("remote"), line(), form("atom", atom("os")), form("atom", atom("cmd"))]);
    let argument = form("string", string("echo hi"));
    let call = tuple([atom("call"), line(), remote, list([argument])]);
    let clause = tuple([atom("clause"), line(), list([]), list([]), list([call])]);
    let fun = Term::Fun {
        module: "erl_eval".into(),
        arity: 0,
        index: 43,
        uniq: 3_316_493,
        free: vec![tuple([list([]), list([clause])])],
    };
    assert_eq!(
        spawned("erlang", "apply", list([fun.clone(), list([])])),
        "spawn-request erl_eval:-fun- [#Fun<erl_eval.43.3316493>,[]]"
    );
    let calls: Vec<_> = evaluated_calls(&fun).map(|call| shown(&call)).collect();
    assert_eq!(calls, ["fun os:cmd [\"echo hi\"]"]);
}

#[test]
fn of_a_scripts_functions_those_count_that_its_fun_calls() {
    let form = |tag: &str, value: Term| tuple([atom(tag), int(1), value]);
    let call = |callee: Term| tuple([atom("call"), int(1), callee, list([form("string", string("x"))])]);
    let remote = |function: &str| {
        call(tuple([atom("remote"), int(1), form("atom", atom("file")), form("atom", atom(function))]))
    };
    let clauses = |body: Term| list([tuple([atom("clause"), int(1), list([]), list([]), list([body])])]);
    let local = |name: &str, body: Term| (tuple([atom("local"), atom(name), int(1)]), clauses(body));
    let fun = |free: Term| Term::Fun { module: "erl_eval".into(), arity: 0, index: 43, uniq: 1, free: vec![free] };
    let map = Term::Map(vec![
        local("main", remote("read_file")),
        local("first", call(form("atom", atom("second")))),
        local("second", remote("delete")),
        local("third", remote("rename")),
    ]);
    let script = Term::Fun { module: "escript".into(), arity: 2, index: 7, uniq: 2, free: vec![map] };
    let handler = tuple([atom("value"), script]);
    let run = |body: Term| {
        let closure = tuple([int(1), list([]), handler.clone(), atom("none"), Term::Map(vec![]), clauses(body)]);
        evaluated_calls(&fun(closure)).map(|call| shown(&call)).collect::<Vec<_>>()
    };
    assert_eq!(run(remote("list_dir")), ["fun file:list_dir [\"x\"]"]);
    assert_eq!(run(call(form("atom", atom("first")))), ["fun file:delete [\"x\"]"]);
    assert_eq!(run(call(form("atom", atom("open_port")))), ["fun erlang:open_port [\"x\"]"]);
    assert_eq!(run(call(form("atom", atom("length")))), Vec::<String>::new());
}

#[test]
fn literals_in_code_come_as_terms() {
    let form = |tag: &str, value: Term| tuple([atom(tag), int(1), value]);
    let element = tuple([atom("bin_element"), int(1), form("string", string("x")), atom("default"), atom("default")]);
    let cons = tuple([atom("cons"), int(1), form("integer", int(7)), tuple([atom("nil"), int(1)])]);
    let arguments = list([
        form("tuple", list([form("atom", atom("a")), cons])),
        form("bin", list([element])),
        form("var", atom("X")),
    ]);
    let remote = tuple([atom("remote"), int(1), form("atom", atom("m")), form("atom", atom("f"))]);
    let call = tuple([atom("call"), int(1), remote, arguments]);
    let calls: Vec<_> = evaluated_calls(&call).map(|call| shown(&call)).collect();
    assert_eq!(calls, ["fun m:f [{a,[7]},<<\"x\">>,{var,1,'X'}]"]);
}
