//! What is remembered of one connection, and what its elements mean (RFC 6120, 6121).
//!
//! Which side is the client is told by what it says, not by who opened the connection: captures may begin in the
//! middle. The JID bound to the stream is the one of the binding (or of `jabber:iq:auth`, or the component's domain);
//! where none was seen, it is the one full JID to which the server delivers.

mod account;
mod commands;
pub(super) mod defects;
mod federation;
mod negotiation;
mod rooms;
mod sasl2;
mod software;
mod stanza;
#[cfg(test)]
mod tests;

use super::element::{Element, Outline, split_name};
use super::file_sharing::Sharing;
use super::ibb::{Sessions, Told};
use super::login::{Attempt, BOOKMARK, Exchange, Logins, ROOM};
use super::names::kept;
use super::namespace::{Bindings, Namespace};
use super::scan::Item;
use super::tape::Tape;
use super::{Flaw, Leg, Outcome, StanzaKind, StreamKind, StreamSummary, XmppEvent};
use crate::evidence::{Direction, FlowInfo, HttpBinding, Seen, Stamp, TlsLayer};
use crate::protocol::{Event, Sink};
use account::{Account, Resumption};
use commands::Commands;
use defects::Defects;
use software::Software;
use stanza::Head;
use std::borrow::Cow;
use std::sync::Arc;

/// Server ports by custom: only asked when the contents do not tell who is who.
const SERVER_PORTS: &[u16] = &[5222, 5223, 5269, 5270, 5275, 5347, 8888];

/// What the decoder is to do after an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Go on.
    Continue,
    /// What was read cannot stand here: find the next stanza.
    Lost,
    /// TLS begins with the next byte.
    Tls,
    /// zlib begins with the next byte.
    Compressed,
}

/// Space for reading stanzas, used again and again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    outline: Outline,
    namespaces: String,
    told: Vec<Told>,
}

/// State of one connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    kind: Option<StreamKind>,
    client: Option<Direction>,
    /// `starttls` or `direct`, if the stream lies in TLS, or came to it.
    pub tls: Option<&'static str>,
    /// What is read lies in TLS that was opened.
    encrypted: bool,
    /// Its version.
    tls_version: Option<&'static str>,
    compression: Option<&'static str>,
    domain: Option<Box<str>>,
    from_domain: Option<Box<str>>,
    stream_id: Option<Box<str>>,
    account: Account,
    bindings: [Bindings; 2],
    logins: Logins,
    last_login: Option<(Box<str>, Outcome)>,
    /// Bare JID of who logged in last.
    logged_in: Option<Box<str>>,
    authenticated: bool,
    /// Mechanism for which a token was asked (XEP-0484).
    token_mechanism: Option<Box<str>>,
    ibb: Option<Box<Sessions>>,
    rooms: rooms::Told,
    sharing: Sharing,
    commands: Commands,
    offered_starttls: Option<bool>,
    required_starttls: bool,
    refused_starttls: bool,
    login_offered: bool,
    /// The client asked for TLS and waits.
    pub starttls_requested: bool,
    /// The client asked for compression and waits.
    compression_requested: bool,
    /// What is wrong with the stream.
    pub defects: Defects,
    /// The server ended the stream for its policy.
    pub policy_violated: bool,
    stanzas: [u64; 2],
    first_stanza: Option<Stamp>,
    error: Option<Box<str>>,
    resumption: Resumption,
    software: Software,
    /// Who closed the stream first.
    closed_by: Option<Direction>,
    first: Option<Stamp>,
    told: bool,
}

impl Session {
    /// Notes the first byte of the conversation, and the layers around what comes now.
    pub fn begin(&mut self, flow: &FlowInfo, stamp: Stamp) {
        self.first.get_or_insert(stamp);
        if let Some(layer) = flow.within.tls {
            self.encrypted = true;
            self.tls = Some(if layer.starttls { "starttls" } else { "direct" });
            self.tls_version = Some(layer.version);
        }
        // Who asks is who is the client.
        if flow.within.http == Some(HttpBinding::Bosh) {
            self.client.get_or_insert(Direction::FromOrig);
        }
    }

    /// The stream goes on in TLS that stays closed.
    pub fn sealed(&mut self, layer: TlsLayer) {
        self.tls_version = Some(layer.version);
    }

    /// Takes an item that stands directly under the stream.
    pub fn on_item(
        &mut self,
        item: Item,
        bytes: &[u8],
        tape: &Tape,
        scratch: &mut Scratch,
        seen: &Seen<'_>,
        sink: &mut dyn Sink,
    ) -> Reaction {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(error) => {
                sink.skipped("xmpp.malformed", seen.last);
                let place = error.valid_up_to();
                self.on_flaw(Flaw::InvalidUtf8, bytes.get(place..).and_then(|rest| rest.get(..4)), seen, sink);
                return Reaction::Continue;
            }
        };
        if tape.has_comment && item != Item::Comment {
            sink.skipped("xmpp.comment", seen.last);
        }
        if tape.has_instruction && item != Item::Instruction {
            sink.skipped("xmpp.processing-instruction", seen.last);
        }
        if tape.overflowed {
            sink.skipped("xmpp.limit", seen.last);
        }
        match item {
            Item::Element => {
                self.inspect(&text, tape, seen, sink);
                match scratch.outline.read(&text, tape) {
                    Some(element) => self.on_element(&element, &mut scratch.namespaces, &mut scratch.told, seen, sink),
                    None => {
                        sink.skipped("xmpp.malformed", seen.last);
                        self.on_flaw(Flaw::MismatchedTags, None, seen, sink);
                        Reaction::Continue
                    }
                }
            }
            Item::Header => {
                if let Some(header) = Element::header(&text, tape) {
                    self.on_header(&header.tag(), seen.direction);
                    self.inspect_header(&header.tag(), seen, sink);
                }
                Reaction::Continue
            }
            Item::EndTag => {
                let name = text.trim_start_matches("</").trim_end_matches('>').trim_ascii_end();
                if split_name(name).1 == "stream" {
                    self.closed_by.get_or_insert(seen.direction);
                    return Reaction::Continue;
                }
                self.on_flaw(Flaw::MismatchedTags, Some(bytes), seen, sink);
                Reaction::Lost
            }
            Item::Instruction => {
                let is_declaration =
                    text.strip_prefix("<?xml").is_some_and(|rest| rest.starts_with(char::is_whitespace));
                if !is_declaration {
                    sink.skipped("xmpp.processing-instruction", seen.last);
                    self.on_flaw(Flaw::Instruction, Some(bytes), seen, sink);
                }
                Reaction::Continue
            }
            Item::Comment => {
                sink.skipped("xmpp.comment", seen.last);
                self.on_flaw(Flaw::Comment, Some(bytes), seen, sink);
                Reaction::Continue
            }
            Item::Doctype => {
                sink.skipped("xmpp.doctype", seen.last);
                self.on_doctype(&text, seen, sink);
                Reaction::Continue
            }
        }
    }

    /// The client is who speaks in this direction, unless that was known before.
    fn client_is(&mut self, direction: Direction) {
        self.client.get_or_insert(direction);
    }

    /// The side that speaks in this direction has asked for compression, and may speak compressed next.
    pub fn waits_for_compression(&self, direction: Direction) -> bool {
        self.compression_requested && self.is_from_client(direction) == Some(true)
    }

    fn is_from_client(&self, direction: Direction) -> Option<bool> {
        self.client.map(|client| client == direction)
    }

    fn on_element(
        &mut self,
        element: &Element<'_>,
        namespaces: &mut String,
        told: &mut Vec<Told>,
        seen: &Seen<'_>,
        sink: &mut dyn Sink,
    ) -> Reaction {
        let tag = element.tag();
        let (prefix, local) = split_name(tag.name());
        let kind = match local {
            "message" => Some(StanzaKind::Message),
            "presence" => Some(StanzaKind::Presence),
            "iq" => Some(StanzaKind::Iq),
            _ => None,
        };
        let head = Head::read(&tag);
        let Some(bindings) = self.bindings.get(seen.direction.index()) else { return Reaction::Continue };
        let inherited = bindings.without_prefix(head.xmlns);
        let namespace = if prefix.is_empty() { inherited } else { bindings.resolve(&tag, &tag, inherited) };
        // A prefix that only a header before the capture could have bound.
        let unseen = namespace == Namespace::Unbound && !bindings.known;
        match (kind, namespace) {
            (Some(kind), namespace) if namespace == Namespace::Stanza || unseen => {
                self.on_stanza(kind, &head, element, namespaces, told, seen, sink);
                Reaction::Continue
            }
            (_, Namespace::Unbound) if !unseen => {
                sink.skipped("xmpp.malformed", seen.last);
                self.on_flaw(Flaw::UndeclaredPrefix, Some(tag.name().as_bytes()), seen, sink);
                Reaction::Continue
            }
            (_, Namespace::Named(namespace)) => {
                let namespace = namespace.to_owned();
                self.on_negotiation(&namespace, local, element, seen, sink)
            }
            (_, Namespace::Stanza) if local == "handshake" => {
                self.on_handshake(element, seen, sink);
                Reaction::Continue
            }
            _ => Reaction::Continue,
        }
    }

    fn begin_login(&mut self, attempt: Attempt, seen: &Seen<'_>, sink: &mut dyn Sink) {
        if let Some(replaced) = self.logins.begin(attempt) {
            let last = replaced.last;
            self.end_login(replaced, Outcome::Unknown, last, seen, sink);
        }
    }

    fn end_login(&mut self, mut attempt: Attempt, outcome: Outcome, last: Stamp, seen: &Seen<'_>, sink: &mut dyn Sink) {
        self.on_server_login(&attempt, outcome, seen, sink);
        if !matches!(attempt.mechanism.as_str(), "register" | "change-password" | "admin-command" | ROOM | BOOKMARK) {
            self.last_login = Some((attempt.mechanism.as_str().into(), outcome));
            if outcome == Outcome::Success {
                self.logged_in = kept(attempt.jid.as_deref().map(Cow::Borrowed));
                // SASL2 resumes a session while it logs in.
                if self.resumption.resumes.is_some() {
                    self.account.resumed_by.clone_from(&self.logged_in);
                }
            }
        }
        attempt.last = last;
        self.tell_login(attempt, outcome, seen, sink);
    }

    fn tell_login(&self, attempt: Attempt, outcome: Outcome, seen: &Seen<'_>, sink: &mut dyn Sink) {
        let last = attempt.last;
        let seen = Seen { flow: seen.flow, direction: self.client_direction(seen.flow), first: attempt.first, last };
        sink.event(&seen, Event::Xmpp(XmppEvent::Login(attempt.finish(outcome, self.encrypted))));
    }

    /// The client's direction; where nothing was said that tells, by port, and else by who opened.
    fn client_direction(&self, flow: &FlowInfo) -> Direction {
        let by_port = || {
            let of_server = |port| SERVER_PORTS.contains(&port);
            let reversed = of_server(flow.orig.port()) && !of_server(flow.resp.port());
            if reversed { Direction::FromResp } else { Direction::FromOrig }
        };
        self.client.unwrap_or_else(by_port)
    }

    fn ended(&self, client: Direction) -> Option<&'static str> {
        match self.closed_by {
            _ if self.error.is_some() => Some("error"),
            Some(direction) if direction == client => Some("client"),
            Some(_) => Some("server"),
            None => None,
        }
    }

    /// Which part of a stanza's way this direction is.
    fn leg(&self, seen: &Seen<'_>) -> Leg {
        let ports = [seen.flow.orig.port(), seen.flow.resp.port()];
        let is_between = match self.kind {
            // A component is a server of its own domain.
            Some(kind) => kind != StreamKind::C2s,
            None => ports.contains(&5269),
        };
        match self.is_from_client(seen.direction) {
            _ if is_between => Leg::Between,
            Some(true) => Leg::Sent,
            Some(false) => Leg::Delivered,
            None => Leg::Unknown,
        }
    }

    /// Says what is known, once: the stream ends, or goes on where it cannot be read.
    pub fn finish(&mut self, flow: &Arc<FlowInfo>, last: Stamp, sink: &mut dyn Sink) {
        if self.told {
            return;
        }
        self.told = true;
        let client = self.client_direction(flow);
        let seen = Seen { flow, direction: client, first: self.first.unwrap_or(last), last };
        for attempt in self.logins.drain().collect::<Vec<_>>() {
            let last = attempt.last;
            // To whom the server binds a resource, or delivers, has logged in, whether it was seen to say so or not.
            let has_account = attempt.exchange == Exchange::Sasl && attempt.jid.as_deref() == self.account.bare();
            let outcome = if has_account && attempt.jid.is_some() { Outcome::Success } else { Outcome::Unknown };
            self.end_login(attempt, outcome, last, &seen, sink);
        }
        self.finish_commands(flow, sink);
        if let Some(mut ibb) = self.ibb.take() {
            let mut told = Vec::new();
            ibb.finish(&mut told);
            report(&mut told, flow, sink);
        }
        let seen_anything = self.client.is_some() || self.kind.is_some() || self.first_stanza.is_some();
        if !seen_anything {
            return;
        }
        let is_s2s = flow.orig.port() == 5269 || flow.resp.port() == 5269;
        let (mechanism, outcome) = self.last_login.take().unzip();
        let summary = StreamSummary {
            kind: self.kind.unwrap_or(if is_s2s { StreamKind::S2s } else { StreamKind::C2s }),
            client: flow.sender(client),
            server: flow.receiver(client),
            domain: self.domain.take().map(String::from),
            from_domain: self.from_domain.take().map(String::from),
            jid: self.account.best().map(str::to_owned),
            stream_id: self.stream_id.take().map(String::from),
            tls: self.tls,
            tls_version: self.tls_version.map(str::to_owned),
            compression: self.compression,
            offered_starttls: self.offered_starttls,
            required_starttls: self.required_starttls,
            refused_starttls: self.refused_starttls,
            login_offered: self.login_offered,
            mechanism: mechanism.map(String::from),
            outcome,
            stanzas: [self.stanzas[client.index()], self.stanzas[client.reversed().index()]],
            first_stanza: self.first_stanza,
            first: seen.first,
            last,
            ended: self.ended(client),
            error: self.error.take().map(String::from),
            software: self.software.take(),
            resumable: self.resumption.resumable.take().map(String::from),
            resumes: self.resumption.resumes.take().map(String::from),
        };
        sink.event(&seen, Event::Xmpp(XmppEvent::Stream(Box::new(summary))));
    }
}

fn report(told: &mut Vec<Told>, flow: &Arc<FlowInfo>, sink: &mut dyn Sink) {
    for Told { transfer, direction, first, last } in told.drain(..) {
        let seen = Seen { flow, direction, first, last };
        sink.event(&seen, Event::Xmpp(XmppEvent::Ibb(Box::new(transfer))));
    }
}
