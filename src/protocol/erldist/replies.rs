//! Answers, and the calls that they answer: paired by reference within one connection.

use super::control;
use super::event::{Call, Reply};
use super::meaning::reference_in;
use super::term::Term;
use std::collections::{HashMap, VecDeque};

/// Calls without an answer that are remembered of one connection; with more the oldest is forgotten. Casts are never
/// answered but not remembered either, so this is for calls that are under way, of which there are few.
const MAX_OUTSTANDING: usize = 512;

/// Of the arguments of a remembered call so much is kept: the message that made the call has all.
const KEPT_BYTES: usize = 4096;
/// See [`KEPT_BYTES`].
const KEPT_TERMS: usize = 256;

/// What makes a reference unique; or a process, for old protocols answer to that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    node: Box<str>,
    creation: u32,
    ids: Vec<u32>,
    is_process: bool,
}

impl Key {
    fn of(term: &Term) -> Option<Self> {
        match term {
            Term::Reference { node, creation, ids } => {
                Some(Self { node: node.clone(), creation: *creation, ids: ids.clone(), is_process: false })
            }
            Term::Pid { node, id, serial, creation } => {
                Some(Self { node: node.clone(), creation: *creation, ids: vec![*id, *serial], is_process: true })
            }
            _ => None,
        }
    }
}

/// A call under way.
#[derive(Debug)]
struct Outstanding {
    call: Call,
    /// The pid that a spawn answers first is not yet what the call returns.
    awaits_value: bool,
    age: u64,
}

/// The calls of one connection that were not answered yet.
#[derive(Debug, Default)]
pub struct Replies {
    calls: HashMap<Key, Outstanding>,
    order: VecDeque<(u64, Key)>,
    next_age: u64,
}

impl Replies {
    /// Remembers a call that will be answered under `reference`. A spawned process answers more than its pid if the
    /// caller monitors it.
    pub fn remember(&mut self, call: &Call, reference: &Term, control: &Term) {
        let Some(key) = Key::of(reference) else { return };
        let awaits_value = match call.via {
            "spawn-request" => control::element(control, 5).and_then(Term::list).is_some_and(|options| {
                options.iter().any(|option| {
                    option.is_atom("monitor")
                        || option.tuple().and_then(<[Term]>::first).is_some_and(|first| first.is_atom("monitor"))
                })
            }),
            _ => true,
        };
        let call = Call { arguments: call.arguments.abridged(KEPT_BYTES, KEPT_TERMS), ..call.clone_head() };
        let age = self.next_age;
        self.next_age += 1;
        self.order.push_back((age, key.clone()));
        self.calls.insert(key, Outstanding { call, awaits_value, age });
        while self.order.len() > MAX_OUTSTANDING {
            if let Some((age, key)) = self.order.pop_front()
                && self.calls.get(&key).is_some_and(|outstanding| outstanding.age == age)
            {
                self.calls.remove(&key);
            }
        }
    }

    /// The result that a message brings, if it does.
    pub fn reply_of(&mut self, operation: &str, control: &Term, payload: Option<&Term>) -> Option<Reply> {
        let reply = self.read_reply(operation, control, payload)?;
        // Where neither the call is known nor the value, nothing is told.
        (reply.call.is_some() || reply.value != Term::Elided).then_some(reply)
    }

    fn read_reply(&mut self, operation: &str, control: &Term, payload: Option<&Term>) -> Option<Reply> {
        match operation {
            "PAYLOAD_MONITOR_P_EXIT" => self.exit(control::element(control, 3)?, payload?),
            "MONITOR_P_EXIT" => self.exit(control::element(control, 3)?, control::element(control, 4)?),
            "SPAWN_REPLY" | "SPAWN_REPLY_TT" => {
                self.spawned(control::element(control, 1)?, control::element(control, 4)?)
            }
            "SEND" | "SEND_TT" | "SEND_SENDER" | "SEND_SENDER_TT" | "ALIAS_SEND" | "ALIAS_SEND_TT"
            | "ALTACT_SIG_SEND" => self.sent(control, payload?),
            _ => None,
        }
    }

    /// A monitored process ended. One that ran a remote call says in its reason how the call went.
    fn exit(&mut self, monitor: &Term, reason: &Term) -> Option<Reply> {
        let call = self.take(monitor);
        let value = match reason.tuple() {
            Some([Term::Reference { .. }, class, value]) if class.is_atom("return") => value.clone(),
            Some([Term::Reference { .. }, class, details @ ..]) if is_class(class) => {
                Term::Tuple(std::iter::once(class).chain(details).cloned().collect())
            }
            _ if call.is_none() => return None,
            _ => reason.clone(),
        };
        Some(Reply { call, value })
    }

    /// The other node has spawned, or refused to. For a remote call only a refusal is an answer.
    fn spawned(&mut self, request: &Term, result: &Term) -> Option<Reply> {
        let known = Key::of(request).and_then(|key| self.calls.get(&key));
        let refused = result.atom().is_some();
        if known.is_some_and(|outstanding| outstanding.awaits_value) && !refused {
            return None;
        }
        Some(Reply { call: self.take(request), value: result.clone() })
    }

    /// A message `{Tag, Value}` to a caller.
    fn sent(&mut self, control: &Term, message: &Term) -> Option<Reply> {
        let (reference, value) = match message.tuple()? {
            // To who asks by its pid: what is no node of OTP, and whoever asks the code server.
            [tag, value] if tag.is_atom("rex") || tag.is_atom("code_server") => {
                let call = control::receiver(control).and_then(|caller| self.take(caller));
                return Some(Reply { call, value: value.clone() });
            }
            [tag, value] => (reference_in(tag)?, value),
            [kind, tag @ Term::Pid { .. }, value] if kind.is_atom("io_reply") => (tag, value),
            [kind, tag, value] if kind.is_atom("io_reply") => (reference_in(tag)?, value),
            _ => return None,
        };
        let call = self.take(reference);
        // Where the call was not captured: a caller made the reference that it is answered with.
        let own = || control::receiver(control).and_then(Term::node).is_some_and(|node| reference.node() == Some(node));
        (call.is_some() || own()).then(|| Reply { call, value: value.clone() })
    }

    fn take(&mut self, reference: &Term) -> Option<Call> {
        let outstanding = self.calls.remove(&Key::of(reference)?)?;
        Some(outstanding.call)
    }
}

fn is_class(term: &Term) -> bool {
    matches!(term.atom(), Some("throw" | "exit" | "error"))
}

impl Call {
    /// The call without its arguments.
    fn clone_head(&self) -> Call {
        Call { via: self.via, module: self.module.clone(), function: self.function.clone(), arguments: Term::Elided }
    }
}
