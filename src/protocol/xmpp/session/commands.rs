//! Ad-hoc commands (XEP-0050), which administration is done with (XEP-0133): from the first request over the forms to
//! the end. Passwords in the forms are told as logins are.

use super::Session;
use crate::evidence::{Direction, FlowInfo, Seen, Stamp};
use crate::protocol::xmpp::element::Child;
use crate::protocol::xmpp::forms::Form;
use crate::protocol::xmpp::login::{Attempt, Exchange, bare_jid};
use crate::protocol::xmpp::names::{MAX_KEPT, kept};
use crate::protocol::xmpp::{Command, Disclosure, Outcome, XmppEvent};
use crate::protocol::{Event, Sink};
use std::sync::Arc;

/// Commands under way at once; who gives them finishes one before the next.
const MAX_OPEN: usize = 16;
/// Longest form that is read.
const MAX_FORM: usize = 256 << 10;

/// A stanza that gives a command or goes on with one.
pub(super) struct Request<'a> {
    command: Child<'a>,
    from: Option<String>,
    to: Option<String>,
    id: String,
}

impl<'a> Request<'a> {
    /// A request as it came.
    pub fn new(command: Child<'a>, from: Option<&str>, to: Option<&str>, id: &str) -> Self {
        let short = |jid: &&str| jid.len() <= MAX_KEPT;
        let id = if id.len() <= MAX_KEPT { id } else { "" };
        let (from, to) = (from.filter(short).map(str::to_owned), to.filter(short).map(str::to_owned));
        Self { command, from, to, id: id.to_owned() }
    }
}

/// Commands that have not ended.
#[derive(Debug, Default)]
pub(super) struct Commands {
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    command: Command,
    direction: Direction,
    /// The server's name for it, once it gave one.
    session: Option<Box<str>>,
    /// `id` of the request that waits for an answer.
    awaits: Box<str>,
    /// A password that was told already: forms of several steps carry it along.
    told: Option<String>,
    first: Stamp,
    last: Stamp,
}

impl Commands {
    /// `true` if any has not ended.
    pub fn are_open(&self) -> bool {
        !self.open.is_empty()
    }
}

impl Session {
    /// A command is given, or gone on with.
    pub(super) fn on_command(&mut self, request: Request<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        let Request { command: child, from, to, id } = request;
        let Some(node) = kept(child.tag.value("node")) else { return };
        let tag = &child.tag;
        let session = kept(tag.value("sessionid"));
        let goes_on = |open: &Open| session.is_some() && open.session == session && open.direction == seen.direction;
        let place = self.commands.open.iter().position(goes_on).unwrap_or_else(|| {
            if self.commands.open.len() >= MAX_OPEN {
                let oldest = self.commands.open.remove(0);
                tell(oldest, Outcome::Unknown, seen.flow, sink);
            }
            let command = Command {
                node: node.into(),
                jid: from,
                to,
                id: id.clone(),
                accounts: Vec::new(),
                outcome: Outcome::Unknown,
            };
            self.commands.open.push(Open {
                command,
                direction: seen.direction,
                session: session.clone(),
                awaits: id.as_str().into(),
                told: None,
                first: seen.first,
                last: seen.last,
            });
            self.commands.open.len() - 1
        });
        let Some(open) = self.commands.open.get_mut(place) else { return };
        open.awaits = id.into();
        open.last = seen.last;
        if let Some(login) = open.read_form(&child, seen, sink) {
            self.begin_login(login, seen, sink);
        }
    }

    /// An iq that may answer a request.
    pub(super) fn on_command_answer(
        &mut self,
        stanza_type: Option<&str>,
        id: Option<&str>,
        command: Option<Child<'_>>,
        seen: &Seen<'_>,
        sink: &mut dyn Sink,
    ) {
        let (Some(id), Some(stanza_type @ ("result" | "error"))) = (id, stanza_type) else { return };
        let answers = |open: &Open| *open.awaits == *id && open.direction != seen.direction;
        let Some(place) = self.commands.open.iter().position(answers) else { return };
        let Some(open) = self.commands.open.get_mut(place) else { return };
        open.last = seen.last;
        let status = command.and_then(|command| command.tag.value("status"));
        if stanza_type == "result"
            && status.as_deref() == Some("executing")
            && let Some(command) = command
        {
            open.session = kept(command.tag.value("sessionid")).or(open.session.take());
            return;
        }
        let completed = stanza_type == "result" && status.as_deref() != Some("canceled");
        if completed
            && let Some(command) = command
            && let Some(mut login) = open.read_form(&command, seen, sink)
        {
            // The server shows a password to who asked for it: there is no answer to wait for.
            login.last = seen.last;
            self.end_login(login, Outcome::Success, seen.last, seen, sink);
        }
        let open = self.commands.open.remove(place);
        tell(open, if completed { Outcome::Success } else { Outcome::Failure }, seen.flow, sink);
    }

    /// The stream ends.
    pub(super) fn finish_commands(&mut self, flow: &Arc<FlowInfo>, sink: &mut dyn Sink) {
        for open in std::mem::take(&mut self.commands.open) {
            tell(open, Outcome::Unknown, flow, sink);
        }
    }
}

impl Open {
    /// Notes the accounts of a form, and gives its password if it is a new one.
    fn read_form(&mut self, command: &Child<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) -> Option<Attempt> {
        if command.inner.trim_ascii().is_empty() {
            return None;
        }
        if command.inner.len() > MAX_FORM {
            sink.skipped("xmpp.limit", seen.last);
            return None;
        }
        let form = Form::read(command.inner);
        let accounts = form.accounts();
        if !accounts.is_empty() {
            self.command.accounts = accounts;
        }
        let password = form.password()?.to_owned();
        if self.told.as_ref() == Some(&password) {
            return None;
        }
        self.told = Some(password.clone());
        let mut attempt = Attempt::new(Exchange::Iq(self.awaits.clone()), "admin-command", seen.first, seen.last);
        attempt.username = self.command.accounts.first().cloned();
        let host = self.command.to.as_deref().filter(|to| !to.contains(['@', '/']));
        attempt.jid = attempt.username.as_deref().and_then(|username| bare_jid(username, host));
        attempt.disclosure = Disclosure::Password(password);
        Some(attempt)
    }
}

/// A message to `domain/announce/…`: an order too, though no ad-hoc command. Whether it is obeyed does not show.
pub(super) fn announce(from: Option<&str>, to: Option<&str>, id: Option<&str>, seen: &Seen<'_>, sink: &mut dyn Sink) {
    let short = |text: &&str| text.len() <= MAX_KEPT;
    let Some((domain, node)) = to.filter(short).and_then(|to| to.split_once('/')) else { return };
    let command = Command {
        node: node.to_owned(),
        jid: from.filter(short).map(str::to_owned),
        to: Some(domain.to_owned()),
        id: id.filter(short).unwrap_or_default().to_owned(),
        accounts: Vec::new(),
        outcome: Outcome::Unknown,
    };
    sink.event(seen, Event::Xmpp(XmppEvent::Command(Box::new(command))));
}

fn tell(open: Open, outcome: Outcome, flow: &Arc<FlowInfo>, sink: &mut dyn Sink) {
    let seen = Seen { flow, direction: open.direction, first: open.first, last: open.last };
    let command = Command { outcome, ..open.command };
    sink.event(&seen, Event::Xmpp(XmppEvent::Command(Box::new(command))));
}
