//! Remote calls that run commands or code (`erlang.remote-exec`), and code that is sent (`erlang.code-load`).
//!
//! A call is held until its result comes, so that one finding tells both; calls that are never answered (casts, plain
//! spawns) are told at the end.

use super::classes::{CallClasses, describe};
use super::code::{self, Loaded};
use super::secrets;
use crate::detect::{Detector, Evidence, Finding, Kind, Settings, filter};
use crate::evidence::Sighting;
use crate::protocol::erldist::term::Term;
use crate::protocol::erldist::{Call, DistEvent, FUN, Handshake, INPUT, Message, Reply, typed_calls};
use crate::protocol::{Event, Record};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Findings held for a result. With more, the oldest goes out without one.
const MAX_HELD: usize = 4096;

/// Connections whose names are remembered for messages that do not carry them.
const MAX_CONNECTIONS: usize = 65_536;

/// Modules remembered as loaded from afar: calls to them run the intruder's code.
const MAX_LOADED: usize = 4096;

/// Findings of one message: a fun can hold any number of calls.
const MAX_PER_MESSAGE: usize = 16;

/// Judges calls.
#[derive(Debug)]
pub struct Calls {
    classes: Arc<CallClasses>,
    quote_chars: usize,
    names: HashMap<Box<str>, [Option<String>; 2]>,
    loaded: HashSet<(String, String)>,
    held: VecDeque<Held>,
}

/// A finding that waits for the result of its call.
#[derive(Debug)]
struct Held {
    finding: Finding,
    at: Sighting,
    node: Option<String>,
    module: String,
    function: String,
    arguments: String,
    /// For what was typed at a shell: what the shell has printed since.
    printed: Option<String>,
}

/// Who asked whom for what.
struct Asked<'a> {
    node: Option<&'a str>,
    by: &'a str,
    call: &'a Call,
    via: &'static str,
}

impl Calls {
    /// Classes of calls come from the settings; `quote_chars` bounds what is quoted of arguments and results.
    pub fn new(settings: &Settings) -> Self {
        Self {
            classes: Arc::clone(&settings.erlang_classes),
            quote_chars: settings.quote_chars,
            names: HashMap::new(),
            loaded: HashSet::new(),
            held: VecDeque::new(),
        }
    }

    fn on_handshake(&mut self, at: &Sighting, handshake: &Handshake) {
        if self.names.len() < MAX_CONNECTIONS {
            let mut names = [Some(handshake.initiator.clone()), handshake.acceptor.clone()];
            if at.direction.index() == 1 {
                names.reverse();
            }
            self.names.insert(at.flow.community_id.clone(), names);
        }
    }

    fn on_message(&mut self, at: &Sighting, message: &Message, out: &mut Vec<Finding>) {
        match &message.reply {
            Some(Reply { call: Some(call), value }) if call.function == INPUT => self.on_printed(at, value),
            Some(Reply { call: Some(call), value }) => self.on_result(at, call, value, out),
            _ => {}
        }
        let Some(call) = &message.call else { return };
        let node = self.node_at(at, message);
        let sent = code::loaded_by(call);
        if !sent.is_empty() {
            for module in sent {
                self.on_code(at, node.as_deref(), module, out);
            }
            return;
        }
        if call.via == "group-leader" && call.function != "put_chars" {
            self.on_prompt(at, out);
        }
        let executed = match (call.function.as_str(), &message.reply) {
            (INPUT, Some(reply)) => self.typed(reply, node.as_deref()),
            _ => self.executed(call, node.as_deref()),
        };
        for (shown, via) in executed {
            let by = message.node.clone().unwrap_or_else(|| at.sender().to_string());
            let asked = Asked { node: node.as_deref(), by: &by, call, via };
            self.hold(at, &asked, &shown, out);
        }
    }

    /// What of the input of a remote shell runs commands or code.
    fn typed(&self, reply: &Reply, node: Option<&str>) -> Vec<(Cow<'static, Call>, &'static str)> {
        let runs = |call: &Call| self.classes.class_of(call).is_some() || self.is_loaded(node, &call.module);
        let calls = typed_calls(reply).into_iter().filter(runs).take(MAX_PER_MESSAGE);
        calls.map(|call| (call.via, call)).map(|(via, call)| (Cow::Owned(call), via)).collect()
    }

    /// A remote shell prints what it evaluates.
    fn on_printed(&mut self, at: &Sighting, text: &Term) {
        let Some(text) = text.text() else { return };
        for held in self.held.iter_mut().filter(|held| held.is_answered_by(at)) {
            if let Some(printed) = &mut held.printed {
                let room = self.quote_chars.saturating_sub(printed.chars().count());
                printed.extend(text.chars().take(room));
                held.finding.add_frame(at.last);
            }
        }
    }

    /// A remote shell asks for input: it is done with the last.
    fn on_prompt(&mut self, at: &Sighting, out: &mut Vec<Finding>) {
        let is_done = |held: &Held| held.printed.is_some() && held.is_answered_by(at);
        while let Some(place) = self.held.iter().position(is_done) {
            out.extend(self.held.remove(place).map(Held::told));
        }
    }

    /// A module that was compiled or loaded on the node at somebody's wish: calls to it run his code.
    fn note_installed(&mut self, node: Option<&str>, call: &Call, value: &Term) {
        let installs = matches!(self.classes.class_of(call), Some("compile" | "load-from-disk"));
        let module = match value.tuple() {
            Some([tag, module, ..]) if tag.is_atom("ok") || tag.is_atom("module") => module.atom(),
            _ => None,
        };
        if let Some(module) = module.filter(|_| installs && self.loaded.len() < MAX_LOADED) {
            self.loaded.insert((node.unwrap_or_default().to_owned(), module.to_owned()));
        }
    }

    /// What a call runs, as it is to be shown: itself, or the calls inside the code that it hands to an evaluator.
    fn executed<'a>(&self, call: &'a Call, node: Option<&str>) -> Vec<(Cow<'a, Call>, &'static str)> {
        let inner: Vec<_> = code::calls_within(call)
            .into_iter()
            .filter(|inner| self.classes.class_of(inner).is_some())
            .take(MAX_PER_MESSAGE)
            .map(|inner| (Cow::Owned(inner), "fun"))
            .collect();
        let itself = self.classes.class_of(call).is_some() || self.is_loaded(node, &call.module);
        match (inner.is_empty(), itself) {
            (true, true) if call.function == FUN => vec![(Cow::Borrowed(call), "fun")],
            (true, true) => vec![(Cow::Borrowed(call), call.via)],
            (true, false) if code::is_evaluated(call) => vec![(Cow::Borrowed(call), "fun")],
            _ => inner,
        }
    }

    /// The node that was asked: named by the message, or by the connection's handshake.
    fn node_at(&self, at: &Sighting, message: &Message) -> Option<String> {
        let by_handshake = || {
            let names = self.names.get(&at.flow.community_id)?;
            names.get(at.direction.reversed().index())?.clone()
        };
        message.peer.clone().or_else(by_handshake)
    }

    fn is_loaded(&self, node: Option<&str>, module: &str) -> bool {
        !self.loaded.is_empty() && self.loaded.contains(&(node.unwrap_or_default().to_owned(), module.to_owned()))
    }

    fn on_code(&mut self, at: &Sighting, node: Option<&str>, code: Loaded, out: &mut Vec<Finding>) {
        if self.loaded.len() < MAX_LOADED {
            self.loaded.insert((node.unwrap_or_default().to_owned(), code.module.clone()));
        }
        let title = format!("Module {} loaded into {} from {}", code.module, node.unwrap_or("a node"), at.sender());
        let finding = Finding::new(Kind::ErlangCodeLoad, "erldist", &at.as_seen(), title)
            .with_some("node", node)
            .with("module", code.module)
            .with_some("sha256", code.sha256);
        out.push(filter::shown(finding, &at.flow));
    }

    /// Keeps a finding for `shown` until the result of the call comes.
    fn hold(&mut self, at: &Sighting, asked: &Asked<'_>, shown: &Call, out: &mut Vec<Finding>) {
        let arguments = shown.arguments.to_text(self.quote_chars);
        let node = asked.node.unwrap_or("a node");
        let class = self.classes.class_of(shown);
        let what = class.map_or(Cow::Borrowed("Code that was sent, run by"), describe);
        let title = format!("{} {}:{} on {node}, asked by {}", what, shown.module, shown.function, asked.by);
        let finding = Finding::new(Kind::ErlangRemoteExec, "erldist", &at.as_seen(), title)
            .with_some("node", asked.node)
            .with("module", shown.module.as_str())
            .with("function", shown.function.as_str())
            .with("arguments", quoted(&arguments, &arguments))
            .with("via", asked.via);
        if self.held.len() >= MAX_HELD
            && let Some(oldest) = self.held.pop_front()
        {
            out.push(oldest.told());
        }
        let (module, function) = (asked.call.module.clone(), asked.call.function.clone());
        let arguments = asked.call.arguments.to_text(self.quote_chars);
        let printed = (asked.call.function == INPUT).then(String::new);
        let node = asked.node.map(str::to_owned);
        self.held.push_back(Held { finding, at: at.clone(), node, module, function, arguments, printed });
    }

    /// The first held call of this connection that a result fits.
    fn on_result(&mut self, at: &Sighting, call: &Call, value: &Term, out: &mut Vec<Finding>) {
        let fits = |held: &Held| {
            held.printed.is_none()
                && held.is_answered_by(at)
                && held.module == call.module
                && held.function == call.function
        };
        let arguments = call.arguments.to_text(self.quote_chars);
        let exact = self.held.iter().position(|held| fits(held) && held.arguments == arguments);
        // The decoder remembers long arguments abridged.
        let Some(place) = exact.or_else(|| self.held.iter().position(fits)) else { return };
        let Some(mut held) = self.held.remove(place) else { return };
        self.note_installed(held.node.as_deref(), call, value);
        let result = value.to_text(self.quote_chars);
        held.finding.add_frame(at.first);
        held.finding.add_frame(at.last);
        held.finding = held.finding.with("result", quoted(&result, &held.arguments));
        out.push(held.told());
    }
}

/// A quoted term; a secret if it shows one, or answers a command that does.
fn quoted(text: &str, asked: &str) -> Evidence {
    match secrets::shows_secret(text) || (text != asked && secrets::asks_for_secret(asked)) {
        true => Evidence::Secret(text.to_owned()),
        false => Evidence::Text(text.to_owned()),
    }
}

impl Held {
    /// On the same connection, the other way.
    fn is_answered_by(&self, at: &Sighting) -> bool {
        self.at.flow.community_id == at.flow.community_id && self.at.direction != at.direction
    }

    fn told(mut self) -> Finding {
        if let Some(printed) = self.printed.as_deref().map(str::trim_end).filter(|printed| !printed.is_empty()) {
            self.finding = self.finding.with("result", quoted(printed, &self.arguments));
        }
        filter::shown(self.finding, &self.at.flow)
    }
}

impl Detector for Calls {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        match &record.event {
            Event::ErlDist(DistEvent::Handshake(handshake)) => self.on_handshake(&record.at, handshake),
            Event::ErlDist(DistEvent::Message(message)) => self.on_message(&record.at, message, out),
            _ => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<Finding>) {
        out.extend(self.held.drain(..).map(Held::told));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::super::cluster::tests::settings;
    use super::super::testing::{atom, call, handshake, list, message, records, text};
    use super::*;
    use crate::protocol::erldist::HandshakeOutcome;

    fn findings(events: Vec<DistEvent>) -> Vec<Finding> {
        let mut detector = Calls::new(&settings(&[], &[]));
        let mut out = Vec::new();
        for record in records(events) {
            detector.on_record(&record, &mut out);
        }
        detector.finish(&mut out);
        out
    }

    fn evidence<'a>(finding: &'a Finding, key: &str) -> Option<&'a str> {
        finding.evidence.iter().find(|(name, _)| *name == key).and_then(|(_, value)| match value {
            Evidence::Text(text) | Evidence::Secret(text) => Some(text.as_str()),
            _ => None,
        })
    }

    #[test]
    fn a_command_is_told_once_with_its_result() {
        let command = call("os", "cmd", &[text("id")]);
        let answer = Reply { call: Some(command.clone()), value: text("uid=0") };
        let found = findings(vec![message(Some(command), None), message(None, Some(answer))]);
        assert_eq!(found.len(), 1);
        let finding = found.first().unwrap();
        assert_eq!(finding.kind, Kind::ErlangRemoteExec);
        assert_eq!(evidence(finding, "arguments"), Some("[\"id\"]"));
        assert_eq!(evidence(finding, "result"), Some("\"uid=0\""));
        assert_eq!(evidence(finding, "node"), Some("b@host"));
        assert_eq!(finding.frames, [1, 2]);
        assert_eq!(finding.src.as_deref(), Some("10.0.0.7:40000"));
    }

    #[test]
    fn a_call_without_answer_is_told_at_the_end() {
        let found =
            findings(vec![handshake(HandshakeOutcome::Success), message(Some(call("init", "stop", &[])), None)]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn reads_and_administration_are_not_execution() {
        let calls = [call("file", "read_file", &[text("/x")]), call("ejabberd_ctl", "process", &[list(&[text("x")])])];
        assert_eq!(findings(calls.map(|call| message(Some(call), None)).to_vec()), []);
    }

    #[test]
    fn code_that_is_sent_and_what_it_runs_later() {
        let beam = Term::Binary { bytes: b"FOR1rest".to_vec().into(), bits: 8 };
        let load = call("code", "load_binary", &[atom("upd_core"), text("upd_core.beam"), beam]);
        let found = findings(vec![
            message(Some(call("upd_core", "before", &[])), None),
            message(Some(load), None),
            message(Some(call("upd_core", "start", &[])), None),
        ]);
        let kinds: Vec<Kind> = found.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, [Kind::ErlangCodeLoad, Kind::ErlangRemoteExec]);
        let sha256 = "5fcd0c6c38f5de21973f3ecdf8265d1aef4dd1dec85b49543d6e0e61c5117691";
        assert_eq!(evidence(found.first().unwrap(), "sha256"), Some(sha256));
    }

    #[test]
    fn code_of_a_shell_is_told_by_what_it_calls() {
        let form = |module, function, argument| {
            let atom_form = |name| Term::Tuple(vec![atom("atom"), Term::Integer(1), atom(name)]);
            let remote = vec![atom("remote"), Term::Integer(1), atom_form(module), atom_form(function)];
            let argument = Term::Tuple(vec![atom("string"), Term::Integer(1), text(argument)]);
            Term::Tuple(vec![atom("call"), Term::Integer(1), Term::Tuple(remote), list(&[argument])])
        };
        let fun = |code| Term::Fun { module: "erl_eval".into(), arity: 0, index: 43, uniq: 1, free: vec![code] };
        let run = |code| findings(vec![message(Some(call("erl_eval", FUN, &[fun(code), list(&[])])), None)]);
        let shown = |found: &[Finding]| -> Vec<String> {
            let text = |finding, key| evidence(finding, key).unwrap_or_default().to_owned();
            found.iter().map(|finding| ["module", "arguments", "via"].map(|key| text(finding, key)).join(" ")).collect()
        };
        assert_eq!(shown(&run(form("os", "cmd", "id"))), ["os [\"id\"] fun"]);
        let other = run(form("lists", "sort", "id"));
        assert_eq!(other.len(), 1);
        assert_eq!(evidence(other.first().unwrap(), "module"), Some("erl_eval"));
    }

    #[test]
    fn functions_handed_over_by_name_count() {
        let export = Term::Export { module: "os".into(), function: "cmd".into(), arity: 1 };
        let found = findings(vec![message(Some(call("lists", "map", &[export, list(&[text("id")])])), None)]);
        assert_eq!(evidence(found.first().unwrap(), "function"), Some("cmd"));
    }

    #[test]
    fn results_that_show_secrets_are_masked() {
        let command = call("os", "cmd", &[text("cat /root/.erlang.cookie")]);
        let answer = Reply { call: Some(command.clone()), value: text("Kx1") };
        let found = findings(vec![message(Some(command), None), message(None, Some(answer))]);
        let result = found.first().unwrap().evidence.iter().find(|(key, _)| *key == "result");
        assert!(matches!(result, Some((_, Evidence::Secret(_)))));
    }

    #[test]
    fn held_calls_are_bounded() {
        let calls = vec![message(Some(call("os", "cmd", &[text("id")])), None); MAX_HELD + 10];
        assert_eq!(findings(calls).len(), MAX_HELD + 10);
    }
}
