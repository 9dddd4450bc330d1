//! Administration of ejabberd through the distribution: calls, their output and their results in, commands out.
//!
//! `ejabberdctl` starts a hidden node and calls `ejabberd_ctl:process/1` (`process2/2` and others in older and newer
//! releases) with the words of its command line; what the command prints goes to the caller's group leader, and the exit
//! status comes back as the result. Administrators and intruders also call the functions behind the commands.
//!
//! Call, output and result lie on one connection, but output belongs to the command that is under way.

use super::event::{Call, CtlCommand, CtlSecret, DistEvent, Message};
use super::printed::printed;
use super::term::Term;
use crate::evidence::{Seen, Sighting};
use crate::protocol::{Event, Join, Record, Sink};
use std::collections::HashMap;

/// Commands that wait for their result, over all connections; the longest waiting is told without one.
const MAX_OPEN: usize = 4096;
/// Bytes of output kept of a command.
const MAX_OUTPUT: usize = 64 << 10;
/// Words kept of a command line.
const MAX_WORDS: usize = 64;

/// Commands that name an account and its password: places of user, host and password among the arguments.
const WITH_PASSWORD: &[(&str, [usize; 3])] = &[
    ("register", [0, 1, 2]),
    ("change_password", [0, 1, 2]),
    ("check_password", [0, 1, 2]),
    ("set_password", [0, 1, 2]),
    ("account_register", [0, 1, 2]),
    ("change_account_password", [0, 1, 2]),
    ("check_account_password", [0, 1, 2]),
];

/// Functions behind commands: module, function, and the same places among their arguments.
const FUNCTIONS: &[(&str, &str, usize, [usize; 3])] = &[
    ("ejabberd_admin", "register", 3, [0, 1, 2]),
    ("ejabberd_auth", "try_register", 3, [0, 1, 2]),
    ("ejabberd_auth", "set_password", 3, [0, 1, 2]),
    ("ejabberd_auth", "check_password", 4, [0, 2, 3]),
    ("ejabberd_auth", "check_password", 3, [0, 1, 2]),
    ("ejabberd_auth", "remove_user", 3, [0, 1, 2]),
    ("mod_admin_extra", "set_password", 3, [0, 1, 2]),
    ("mod_admin_extra", "check_password", 3, [0, 1, 2]),
];

/// Puts commands together with what they print and how they end.
#[derive(Debug, Default)]
pub struct Ejabberdctl {
    /// By connection; several only where one node runs commands side by side.
    open: HashMap<Box<str>, Vec<Open>>,
    waiting: usize,
    started: u64,
}

#[derive(Debug)]
struct Open {
    number: u64,
    at: Sighting,
    call: Call,
    command: CtlCommand,
}

impl Join for Ejabberdctl {
    fn on_record(&mut self, record: &Record, sink: &mut dyn Sink) {
        let Event::ErlDist(DistEvent::Message(message)) = &record.event else { return };
        if let Some(call) = &message.call {
            match command_of(call) {
                Some(command) => self.begin(&record.at, message, call, command, sink),
                None if call.via == "group-leader" && call.function == "put_chars" => self.output(&record.at, call),
                None => {}
            }
        }
        if let Some(reply) = &message.reply
            && let Some(call) = &reply.call
        {
            self.end(&record.at, call, &reply.value, sink);
        }
    }

    fn finish(&mut self, sink: &mut dyn Sink) {
        let mut open: Vec<Open> = std::mem::take(&mut self.open).into_values().flatten().collect();
        open.sort_by_key(|open| open.number);
        open.into_iter().for_each(|open| open.tell(sink));
    }
}

impl Ejabberdctl {
    fn begin(&mut self, at: &Sighting, message: &Message, call: &Call, command: CtlCommand, sink: &mut dyn Sink) {
        if self.waiting >= MAX_OPEN {
            self.tell_oldest(sink);
        }
        let command = CtlCommand { node: message.peer.clone(), by: message.node.clone(), ..command };
        let open = Open { number: self.started, at: at.clone(), call: call.clone(), command };
        self.open.entry(at.flow.community_id.clone()).or_default().push(open);
        self.started += 1;
        self.waiting += 1;
    }

    /// Output of the command that was begun last.
    fn output(&mut self, at: &Sighting, call: &Call) {
        let Some(open) = self.open.get_mut(&at.flow.community_id).and_then(|open| open.last_mut()) else { return };
        if at.direction == open.at.direction {
            return;
        }
        open.at.last = at.last;
        let room = MAX_OUTPUT.saturating_sub(open.command.output.len());
        if let Some(text) = printed(&call.arguments) {
            open.command.output.extend(text.chars().scan(room, |room, character| {
                *room = room.checked_sub(character.len_utf8())?;
                Some(character)
            }));
        }
    }

    fn end(&mut self, at: &Sighting, call: &Call, value: &Term, sink: &mut dyn Sink) {
        let Some(open) = self.open.get_mut(&at.flow.community_id) else { return };
        let fits = |open: &Open| {
            (&open.call.module, &open.call.function, &open.call.arguments)
                == (&call.module, &call.function, &call.arguments)
        };
        let Some(place) = open.iter().position(fits) else { return };
        let mut ended = open.remove(place);
        if open.is_empty() {
            self.open.remove(&at.flow.community_id);
        }
        self.waiting -= 1;
        ended.at.last = at.last;
        ended.command.set_result(value);
        ended.tell(sink);
    }

    fn tell_oldest(&mut self, sink: &mut dyn Sink) {
        let oldest = self.open.iter().min_by_key(|(_, open)| open.first().map(|open| open.number));
        let Some(key) = oldest.map(|(key, _)| key.clone()) else { return };
        for open in self.open.remove(&key).unwrap_or_default() {
            self.waiting -= 1;
            open.tell(sink);
        }
    }
}

impl Open {
    fn tell(self, sink: &mut dyn Sink) {
        let Sighting { flow, direction, first, last } = &self.at;
        let seen = Seen { flow, direction: *direction, first: *first, last: *last };
        sink.event(&seen, Event::ErlDist(DistEvent::Ejabberdctl(Box::new(self.command))));
    }
}

impl CtlCommand {
    /// Exit status, or the value of a function; `process` may give the output along with the status.
    fn set_result(&mut self, value: &Term) {
        match value {
            Term::Integer(status) => self.status = Some(*status),
            Term::Tuple(pair) => match pair.as_slice() {
                [output, Term::Integer(status)] => {
                    self.status = Some(*status);
                    self.output.push_str(&output.text().unwrap_or_default());
                }
                [tag, ..] if tag.is_atom("ok") || tag.is_atom("atomic") => self.status = Some(0),
                [tag, ..] if tag.is_atom("error") || tag.is_atom("badrpc") || tag.is_atom("aborted") => {
                    self.status = Some(1);
                }
                _ => {}
            },
            Term::Atom(name) => match &**name {
                "ok" | "true" => self.status = Some(0),
                "false" | "error" | "not_allowed" => self.status = Some(1),
                _ => {}
            },
            _ => {}
        }
        if self.output.is_empty() && self.status.is_none() {
            self.output = value.to_text(MAX_OUTPUT);
        }
    }
}

/// The command that a call runs, if it is one.
fn command_of(call: &Call) -> Option<CtlCommand> {
    let arguments = call.arguments.list()?;
    if call.module == "ejabberd_ctl" && call.function.starts_with("process") {
        let words = arguments.first()?.list()?;
        let words: Vec<String> = words.iter().take(MAX_WORDS).filter_map(Term::text).collect();
        return command_line(&words);
    }
    let places = |(module, function, arity, places): &(&str, &str, usize, [usize; 3])| {
        (call.module == *module && call.function == *function && arguments.len() == *arity).then_some(*places)
    };
    let places = FUNCTIONS.iter().find_map(places)?;
    let arguments: Vec<String> =
        arguments.iter().map(|argument| argument.text().unwrap_or_else(|| argument.to_text(MAX_OUTPUT))).collect();
    let secrets = secret_at(&arguments, places).into_iter().collect();
    let name = format!("{}:{}", call.module, call.function);
    Some(CtlCommand { name, arguments, secrets, ..CtlCommand::default() })
}

/// Words of a command line: `[--auth USER HOST PASSWORD] [--version N] COMMAND ARGUMENT...`
fn command_line(words: &[String]) -> Option<CtlCommand> {
    let (mut secrets, mut rest) = (Vec::new(), words);
    let name = loop {
        match rest {
            [option, user, host, password, after @ ..] if option == "--auth" => {
                secrets.push(CtlSecret { user: user.clone(), host: host.clone(), password: password.clone() });
                rest = after;
            }
            [option, _version, after @ ..] if option == "--version" => rest = after,
            [name, after @ ..] => {
                rest = after;
                break name.clone();
            }
            [] => return None,
        }
    };
    // Newer releases take dashes for underscores.
    let plain = name.replace('-', "_");
    if let Some((_, places)) = WITH_PASSWORD.iter().find(|(command, _)| *command == plain) {
        secrets.extend(secret_at(rest, *places));
    }
    Some(CtlCommand { name, arguments: rest.to_vec(), secrets, ..CtlCommand::default() })
}

fn secret_at(arguments: &[String], [user, host, password]: [usize; 3]) -> Option<CtlSecret> {
    let word = |place: usize| arguments.get(place).cloned();
    Some(CtlSecret { user: word(user)?, host: word(host)?, password: word(password)? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    fn text(content: &str) -> Term {
        Term::String(content.as_bytes().into())
    }

    fn call(module: &str, function: &str, arguments: Vec<Term>) -> Call {
        let arguments = Term::List(arguments, None);
        Call { via: "rex", module: module.into(), function: function.into(), arguments }
    }

    fn passwords(command: &CtlCommand) -> Vec<&str> {
        command.secrets.iter().map(|secret| &*secret.password).collect()
    }

    #[test]
    fn command_lines_give_their_words_and_passwords() {
        let words = ["--auth", "root", "a.lab", "pw0", "change-password", "al", "a.lab", "pw1"].map(text).to_vec();
        let command = command_of(&call("ejabberd_ctl", "process2", vec![Term::List(words, None)])).unwrap();
        assert_eq!((command.name.as_str(), passwords(&command)), ("change-password", vec!["pw0", "pw1"]));
        assert_eq!(command.arguments, ["al", "a.lab", "pw1"]);
    }

    #[test]
    fn functions_behind_commands_count_too() {
        let binary = |content: &str| Term::Binary { bytes: content.as_bytes().into(), bits: 8 };
        let arguments = vec![binary("al"), binary(""), binary("a.lab"), binary("pw")];
        let command = command_of(&call("ejabberd_auth", "check_password", arguments)).unwrap();
        assert_eq!(passwords(&command), ["pw"]);
        assert_eq!(command_of(&call("ejabberd_auth", "user_exists", vec![])), None);
    }

    #[test]
    fn results_are_exit_statuses_or_values() {
        let ended = |value| {
            let mut command = CtlCommand::default();
            command.set_result(&value);
            (command.status, command.output)
        };
        assert_eq!(ended(Term::Integer(3)), (Some(3), String::new()));
        assert_eq!(ended(Term::Tuple(vec![text("no"), Term::Integer(1)])), (Some(1), "no".into()));
        assert_eq!(ended(Term::Atom("false".into())), (Some(1), String::new()));
        assert_eq!(ended(text("a list")), (None, "\"a list\"".into()));
    }
}
