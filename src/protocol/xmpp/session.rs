//! What is remembered of one connection, and what its elements mean (RFC 6120, 6121).
//!
//! Which side is the client is told by what it says, not by who opened the connection: captures may begin in the
//! middle. The JID bound to the stream is the one of the binding (or of `jabber:iq:auth`, or the component's domain);
//! where none was seen, it is the one full JID to which the server delivers.

use super::element::{Child, Element, Outline, TagView, split_name, text_of, value_of};
use super::ibb::{Route, Sessions, Taken, Told};
use super::login::{Attempt, Exchange, Fields, Logins, bare_jid};
use super::namespace::{self as ns, Bindings, Namespace};
use super::scan::{Item, Tape};
use super::{Disclosure, Outcome, Stanza, StanzaKind, StreamKind, StreamSummary, XmppEvent, jid, offer};
use crate::evidence::{Direction, FlowInfo, Seen, Stamp};
use crate::protocol::{Event, Sink};
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

/// The JID bound to a stream.
#[derive(Debug, Default)]
struct Account {
    /// As the stream told it.
    bound: Option<Box<str>>,
    /// The full JID to which the server delivers.
    delivered_to: Option<Box<str>>,
    /// It delivers to several: then this tells nothing.
    ambiguous: bool,
}

impl Account {
    fn jid(&self) -> Option<&str> {
        match &self.bound {
            Some(jid) => Some(jid),
            None if self.ambiguous => None,
            None => self.delivered_to.as_deref(),
        }
    }

    fn bare(&self) -> Option<&str> {
        self.jid().map(|jid| jid.split_once('/').map_or(jid, |(bare, _)| bare))
    }

    fn learn(&mut self, to: &str) {
        let jid = normalized(to);
        if !jid.contains('/') {
            return;
        }
        match &self.delivered_to {
            None => self.delivered_to = Some(jid.into()),
            Some(known) if **known == *jid => {}
            Some(_) => self.ambiguous = true,
        }
    }
}

/// State of one connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    kind: Option<StreamKind>,
    client: Option<Direction>,
    /// `starttls` or `direct`, if the stream lies in TLS that was opened.
    pub tls: Option<&'static str>,
    /// Its version.
    pub tls_version: Option<Box<str>>,
    compression: Option<&'static str>,
    domain: Option<Box<str>>,
    from_domain: Option<Box<str>>,
    stream_id: Option<Box<str>>,
    account: Account,
    bindings: [Bindings; 2],
    logins: Logins,
    last_login: Option<(Box<str>, Outcome)>,
    authenticated: bool,
    ibb: Option<Box<Sessions>>,
    offered_starttls: Option<bool>,
    /// The client asked for TLS and waits.
    pub starttls_requested: bool,
    stanzas: [u64; 2],
    first_stanza: Option<Stamp>,
    error: Option<Box<str>>,
    first: Option<Stamp>,
    told: bool,
}

/// Attributes of a stanza, as on the wire.
#[derive(Default)]
struct Head<'a> {
    from: Option<&'a str>,
    to: Option<&'a str>,
    stanza_type: Option<&'a str>,
    id: Option<&'a str>,
    xmlns: Option<&'a str>,
}

impl<'a> Head<'a> {
    fn read(tag: &TagView<'a>) -> Self {
        let mut head = Self::default();
        for (name, value) in tag.attributes() {
            match name {
                "from" => head.from = Some(value),
                "to" => head.to = Some(value),
                "type" => head.stanza_type = Some(value),
                "id" => head.id = Some(value),
                "xmlns" => head.xmlns = Some(value),
                _ => {}
            }
        }
        head
    }
}

/// A child of a stanza that means something to the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concern {
    Bind,
    IqAuth,
    Register,
    Ibb,
    Si,
    Jingle,
}

fn concern_of(namespace: &str) -> Option<Concern> {
    match namespace {
        ns::BIND => Some(Concern::Bind),
        ns::IQ_AUTH => Some(Concern::IqAuth),
        ns::IQ_REGISTER => Some(Concern::Register),
        ns::IBB => Some(Concern::Ibb),
        ns::SI => Some(Concern::Si),
        ns::JINGLE => Some(Concern::Jingle),
        _ => None,
    }
}

impl Session {
    /// Notes the first byte of the conversation.
    pub fn begin(&mut self, stamp: Stamp) {
        self.first.get_or_insert(stamp);
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
            Err(_) => {
                sink.skipped("xmpp.malformed", seen.last);
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
            Item::Element => match scratch.outline.read(&text, tape) {
                Some(element) => self.on_element(&element, &mut scratch.namespaces, &mut scratch.told, seen, sink),
                None => {
                    sink.skipped("xmpp.malformed", seen.last);
                    Reaction::Continue
                }
            },
            Item::Header => {
                if let Some(header) = Element::header(&text, tape) {
                    self.on_header(&header.tag(), seen.direction);
                }
                Reaction::Continue
            }
            Item::EndTag => {
                let name = text.trim_start_matches("</").trim_end_matches('>').trim_ascii_end();
                if split_name(name).1 == "stream" { Reaction::Continue } else { Reaction::Lost }
            }
            Item::Instruction => {
                if !text.starts_with("<?xml") {
                    sink.skipped("xmpp.processing-instruction", seen.last);
                }
                Reaction::Continue
            }
            Item::Comment => {
                sink.skipped("xmpp.comment", seen.last);
                Reaction::Continue
            }
            Item::Doctype => {
                sink.skipped("xmpp.doctype", seen.last);
                Reaction::Continue
            }
        }
    }

    /// The client is who speaks in this direction, unless that was known before.
    fn client_is(&mut self, direction: Direction) {
        self.client.get_or_insert(direction);
    }

    fn is_from_client(&self, direction: Direction) -> Option<bool> {
        self.client.map(|client| client == direction)
    }

    fn on_header(&mut self, tag: &TagView<'_>, direction: Direction) {
        let id = tag.value("id").filter(|id| !id.is_empty());
        let (from, to) = (tag.attribute("from").map(normalized), tag.attribute("to").map(normalized));
        // Only servers give ids; a client names no one but the server, unless it is one itself.
        let from_server = id.is_some() || (tag.attribute("id").is_some() && to.is_none());
        self.client_is(if from_server { direction.reversed() } else { direction });
        let kind = match tag.attribute("xmlns") {
            Some(ns::SERVER) => StreamKind::S2s,
            Some(ns::COMPONENT) => StreamKind::Component,
            _ => StreamKind::C2s,
        };
        self.kind.get_or_insert(kind);
        if let Some(bindings) = self.bindings.get_mut(direction.index()) {
            *bindings = Bindings::read(tag);
        }
        if self.is_from_client(direction) == Some(true) {
            self.domain = to.map(Into::into).or(self.domain.take());
            if kind == StreamKind::S2s {
                self.from_domain = from.map(Into::into).or(self.from_domain.take());
            }
        } else {
            self.stream_id = id.map(Into::into).or(self.stream_id.take());
            if self.domain.is_none() {
                self.domain = from.map(Into::into);
            }
        }
        if kind == StreamKind::Component && self.account.bound.is_none() {
            self.account.bound.clone_from(&self.domain);
        }
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

    #[allow(clippy::too_many_arguments)] // the parts of one stanza, and where they go
    fn on_stanza(
        &mut self,
        kind: StanzaKind,
        head: &Head<'_>,
        element: &Element<'_>,
        namespaces: &mut String,
        told: &mut Vec<Told>,
        seen: &Seen<'_>,
        sink: &mut dyn Sink,
    ) {
        let stanza_type = head.stanza_type.map(value_of);
        if self.client.is_none() && head.from.is_none() {
            // Servers say from whom they deliver; only the answers they give themselves may leave it out.
            let asks = matches!(stanza_type.as_deref(), Some("get" | "set")) && head.to.is_some();
            if kind != StanzaKind::Iq || asks {
                self.client_is(seen.direction);
            }
        }
        let (body, concern, unbound) = self.read_children(kind, head, element, namespaces, seen.direction);
        if unbound {
            sink.skipped("xmpp.malformed", seen.last);
        }
        let from_client = self.is_from_client(seen.direction);
        let from = match (head.from, from_client) {
            (Some(from), _) => Some(normalized(from)),
            (None, Some(true)) => self.account.jid().map(Cow::Borrowed),
            // RFC 6120, 8.1.2.1: what a server sends without sender is from the account itself.
            (None, Some(false)) => self.account.bare().map(Cow::Borrowed),
            (None, None) => None,
        };
        let to = match (head.to, from_client) {
            (Some(to), _) => Some(normalized(to)),
            (None, Some(false)) => self.account.jid().map(Cow::Borrowed),
            _ => None,
        };
        let id = head.id.map(value_of);
        sink.stanza(
            seen,
            &Stanza {
                kind,
                from: from.as_deref(),
                to: to.as_deref(),
                stanza_type: stanza_type.as_deref(),
                id: id.as_deref(),
                body: body.as_deref(),
                children: namespaces,
                bytes: element.len() as u64,
            },
        );
        self.first_stanza.get_or_insert(seen.first);
        if let Some(count) = self.stanzas.get_mut(seen.direction.index()) {
            *count += 1;
        }
        let is_error = stanza_type.as_deref() == Some("error");
        if !is_error && let Some((concern, child)) = concern {
            let is_set = stanza_type.as_deref() == Some("set");
            let (from, to) = (from.as_deref(), to.as_deref());
            match concern {
                Concern::Ibb => {
                    let ibb = self.ibb.get_or_insert_default();
                    on_ibb(ibb, &child, Head { from, to, id: id.as_deref(), ..Head::default() }, told, seen, sink);
                }
                Concern::Si if is_set => {
                    let offer = offer::read_si(child.whole, from, to);
                    offer.into_iter().for_each(|offer| sink.event(seen, Event::Xmpp(XmppEvent::Offer(offer))));
                }
                Concern::Jingle if is_set => {
                    let offers = offer::read_jingle(child.whole, from, to);
                    offers.into_iter().for_each(|offer| sink.event(seen, Event::Xmpp(XmppEvent::Offer(offer))));
                }
                _ => {}
            }
        }
        match from_client {
            Some(true) if stanza_type.as_deref() == Some("set") => self.on_request(head, concern, seen, sink),
            Some(false) => self.on_delivery(head, stanza_type.as_deref(), id.as_deref(), concern, seen, sink),
            _ => {
                // A binding tells who is who, if nothing did before.
                if let Some((Concern::Bind, child)) = concern
                    && stanza_type.as_deref() == Some("result")
                {
                    self.client_is(seen.direction.reversed());
                    self.bind(&child);
                }
            }
        }
    }

    /// Reads the direct children: text of the first body, the one that means something here, and whether a prefix is
    /// bound nowhere. Their namespaces go to `namespaces`, but for the one that stanzas themselves are in.
    fn read_children<'a>(
        &self,
        kind: StanzaKind,
        head: &Head<'_>,
        element: &Element<'a>,
        namespaces: &mut String,
        direction: Direction,
    ) -> (Option<Cow<'a, str>>, Option<(Concern, Child<'a>)>, bool) {
        namespaces.clear();
        let (mut body, mut concern, mut unbound) = (None, None, false);
        let Some(bindings) = self.bindings.get(direction.index()) else { return (body, concern, unbound) };
        let inherited = bindings.without_prefix(head.xmlns);
        let around = element.tag();
        for child in element.children() {
            match bindings.resolve(&child.tag, &around, inherited) {
                Namespace::Stanza => {
                    let is_body = kind == StanzaKind::Message && split_name(child.tag.name()).1 == "body";
                    if is_body && body.is_none() {
                        body = Some(text_of(child.inner));
                    }
                }
                Namespace::Named(namespace) => {
                    if !namespaces.is_empty() {
                        namespaces.push(' ');
                    }
                    namespaces.push_str(namespace);
                    if concern.is_none() {
                        concern = concern_of(namespace).map(|concern| (concern, child));
                    }
                }
                Namespace::Unbound => unbound |= bindings.known,
            }
        }
        (body, concern, unbound)
    }

    /// A request of the client that may hold a password.
    fn on_request(
        &mut self,
        head: &Head<'_>,
        concern: Option<(Concern, Child<'_>)>,
        seen: &Seen<'_>,
        sink: &mut dyn Sink,
    ) {
        let Some((concern @ (Concern::IqAuth | Concern::Register), child)) = concern else { return };
        let fields = Fields::read(child.whole);
        let host = head.to.map(normalized);
        let domain = host.as_deref().or(self.domain.as_deref());
        let (mechanism, disclosure) = match (concern, fields.password, fields.digest) {
            (Concern::IqAuth, Some(password), _) => ("iq-auth", Disclosure::Password(password)),
            (Concern::IqAuth, None, Some(_)) => ("iq-auth-digest", Disclosure::Guessable),
            (Concern::Register, Some(password), _) => {
                let own = host.is_none() || host.as_deref() == self.domain.as_deref();
                let mechanism = if self.authenticated && own { "change-password" } else { "register" };
                (mechanism, Disclosure::Password(password))
            }
            _ => return,
        };
        let id = head.id.map(value_of).unwrap_or_default();
        let mut attempt = Attempt::new(Exchange::Iq(id.into()), mechanism, seen.first, seen.last);
        attempt.jid = fields.username.as_deref().and_then(|username| bare_jid(username, domain));
        if concern == Concern::IqAuth
            && let (Some(jid), Some(resource)) = (&attempt.jid, fields.resource)
        {
            attempt.binds = Some(jid::normalize(&format!("{jid}/{resource}")).into_owned());
        }
        attempt.username = fields.username;
        attempt.disclosure = disclosure;
        self.begin_login(attempt, seen, sink);
    }

    /// A stanza of the server: it may answer a request, and it tells to whom it delivers.
    fn on_delivery(
        &mut self,
        head: &Head<'_>,
        stanza_type: Option<&str>,
        id: Option<&str>,
        concern: Option<(Concern, Child<'_>)>,
        seen: &Seen<'_>,
        sink: &mut dyn Sink,
    ) {
        if self.account.bound.is_none() && self.kind != Some(StreamKind::S2s) {
            if let Some((Concern::Bind, child)) = &concern
                && stanza_type == Some("result")
            {
                self.bind(child);
            } else if let Some(to) = head.to {
                self.account.learn(to);
            }
        }
        let outcome = match stanza_type {
            Some("result") => Outcome::Success,
            Some("error") => Outcome::Failure,
            _ => return,
        };
        let Some(id) = id else { return };
        if outcome == Outcome::Failure
            && let Some(ibb) = &mut self.ibb
        {
            ibb.refused(id);
        }
        if !self.logins.is_empty()
            && let Some(attempt) = self.logins.take_iq(id)
        {
            if outcome == Outcome::Success
                && let Some(jid) = &attempt.binds
            {
                self.account.bound = Some(jid.as_str().into());
                self.authenticated = true;
            }
            self.end_login(attempt, outcome, seen.last, seen, sink);
        }
    }

    /// The answer to a resource binding (RFC 6120, section 7).
    fn bind(&mut self, child: &Child<'_>) {
        let Some(jid) = child.inner.split_once("<jid").and_then(|(_, rest)| rest.split_once('>')) else { return };
        let Some((jid, _)) = jid.1.split_once("</") else { return };
        let jid = text_of(jid);
        if !jid.trim_ascii().is_empty() {
            self.account.bound = Some(normalized(jid.trim_ascii()).into());
        }
    }

    /// Whatever is not a stanza: features, TLS, SASL, dialback, errors.
    fn on_negotiation(
        &mut self,
        namespace: &str,
        name: &str,
        element: &Element<'_>,
        seen: &Seen<'_>,
        sink: &mut dyn Sink,
    ) -> Reaction {
        let direction = seen.direction;
        match (namespace, name) {
            (ns::STREAMS, "features") => {
                self.client_is(direction.reversed());
                let is_starttls = |child: Child<'_>| child.tag.attribute("xmlns") == Some(ns::TLS);
                let offered = element.children().any(is_starttls);
                self.offered_starttls = Some(offered || self.offered_starttls == Some(true));
            }
            (ns::STREAMS, "error") => self.on_error(element, seen, sink),
            (ns::SASL, name) => self.on_sasl(name, element, seen, sink),
            (ns::TLS, "starttls") => {
                self.client_is(direction);
                self.starttls_requested = true;
            }
            (ns::TLS, "proceed") => {
                self.client_is(direction.reversed());
                return Reaction::Tls;
            }
            (ns::TLS, "failure") => self.starttls_requested = false,
            (ns::COMPRESS, "compressed") => {
                self.client_is(direction.reversed());
                self.compression = Some("zlib");
                return Reaction::Compressed;
            }
            (ns::DIALBACK, "result") => {
                self.kind.get_or_insert(StreamKind::S2s);
                let key = text_of(element.inner());
                let tag = element.tag();
                if tag.attribute("type").is_none() && !key.trim_ascii().is_empty() {
                    let domain = |name| tag.attribute(name).map(|jid| normalized(jid).into_owned()).unwrap_or_default();
                    let (from, to, key) = (domain("from"), domain("to"), key.trim_ascii().to_owned());
                    sink.event(seen, Event::Xmpp(XmppEvent::DialbackKey { from, to, key }));
                }
            }
            (sm, "enable" | "resume") if sm.starts_with("urn:xmpp:sm:") => self.client_is(direction),
            (sm, "enabled" | "resumed") if sm.starts_with("urn:xmpp:sm:") => self.client_is(direction.reversed()),
            _ => {}
        }
        Reaction::Continue
    }

    fn on_error(&mut self, element: &Element<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        let condition = element.children().next().map(|child| split_name(child.tag.name()).1);
        self.error = condition.map(Into::into);
        if condition == Some("not-authorized") {
            for exchange in [Exchange::Component, Exchange::Sasl] {
                if let Some(attempt) = self.logins.take(&exchange) {
                    self.end_login(attempt, Outcome::Failure, seen.last, seen, sink);
                }
            }
        }
    }

    fn on_sasl(&mut self, name: &str, element: &Element<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        match name {
            "auth" => {
                self.client_is(seen.direction);
                let mechanism = element.tag().value("mechanism").unwrap_or_default();
                let mut attempt = Attempt::new(Exchange::Sasl, &mechanism, seen.first, seen.last);
                attempt.take_response(&text_of(element.inner()), self.account_domain());
                self.begin_login(attempt, seen, sink);
            }
            "response" => {
                self.client_is(seen.direction);
                let domain = self.account_domain().map(str::to_owned);
                if let Some(attempt) = self.logins.sasl() {
                    attempt.take_response(&text_of(element.inner()), domain.as_deref());
                    attempt.last = seen.last;
                }
            }
            "challenge" => {
                self.client_is(seen.direction.reversed());
                if let Some(attempt) = self.logins.sasl() {
                    attempt.last = seen.last;
                }
            }
            "success" | "failure" | "abort" => {
                self.client_is(if name == "abort" { seen.direction } else { seen.direction.reversed() });
                let outcome = if name == "success" { Outcome::Success } else { Outcome::Failure };
                self.authenticated |= outcome == Outcome::Success;
                if let Some(attempt) = self.logins.take(&Exchange::Sasl) {
                    self.end_login(attempt, outcome, seen.last, seen, sink);
                }
            }
            _ => {}
        }
    }

    /// The domain whose accounts log in here: none on streams between servers.
    fn account_domain(&self) -> Option<&str> {
        if self.kind == Some(StreamKind::S2s) { None } else { self.domain.as_deref() }
    }

    /// XEP-0114: the component sends a digest, the server an empty element.
    fn on_handshake(&mut self, element: &Element<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        if element.inner().trim_ascii().is_empty() {
            if let Some(attempt) = self.logins.take(&Exchange::Component) {
                self.end_login(attempt, Outcome::Success, seen.last, seen, sink);
            }
            return;
        }
        self.client_is(seen.direction);
        let mut attempt = Attempt::new(Exchange::Component, "component", seen.first, seen.last);
        attempt.username = self.domain.as_deref().map(str::to_owned);
        attempt.jid.clone_from(&attempt.username);
        attempt.disclosure = Disclosure::Guessable;
        self.begin_login(attempt, seen, sink);
    }

    fn begin_login(&mut self, attempt: Attempt, seen: &Seen<'_>, sink: &mut dyn Sink) {
        if let Some(replaced) = self.logins.begin(attempt) {
            let last = replaced.last;
            self.end_login(replaced, Outcome::Unknown, last, seen, sink);
        }
    }

    fn end_login(&mut self, attempt: Attempt, outcome: Outcome, last: Stamp, seen: &Seen<'_>, sink: &mut dyn Sink) {
        if !matches!(attempt.mechanism.as_str(), "register" | "change-password") {
            self.last_login = Some((attempt.mechanism.as_str().into(), outcome));
        }
        let seen = Seen { flow: seen.flow, direction: self.client_direction(seen.flow), first: attempt.first, last };
        sink.event(&seen, Event::Xmpp(XmppEvent::Login(attempt.finish(outcome, self.tls.is_some()))));
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
            self.end_login(attempt, Outcome::Unknown, last, &seen, sink);
        }
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
            jid: self.account.jid().map(str::to_owned),
            stream_id: self.stream_id.take().map(String::from),
            tls: self.tls,
            tls_version: self.tls_version.take().map(String::from),
            compression: self.compression,
            offered_starttls: self.offered_starttls,
            mechanism: mechanism.map(String::from),
            outcome,
            stanzas: [self.stanzas[client.index()], self.stanzas[client.reversed().index()]],
            first_stanza: self.first_stanza,
            first: seen.first,
            last,
            error: self.error.take().map(String::from),
        };
        sink.event(&seen, Event::Xmpp(XmppEvent::Stream(Box::new(summary))));
    }
}

fn on_ibb(
    sessions: &mut Sessions,
    child: &Child<'_>,
    head: Head<'_>,
    told: &mut Vec<Told>,
    seen: &Seen<'_>,
    sink: &mut dyn Sink,
) {
    let Some(sid) = child.tag.value("sid") else { return };
    let route = Route { seen, sid: &sid, from: head.from, to: head.to };
    match split_name(child.tag.name()).1 {
        "open" => sessions.open(route, head.id, told),
        "data" => {
            let Some(seq) = child.tag.attribute("seq").and_then(|seq| seq.trim_ascii().parse().ok()) else { return };
            if sessions.data(route, seq, &text_of(child.inner), told) == Taken::NotBase64 {
                sink.skipped("xmpp.ibb.base64", seen.last);
            }
        }
        "close" => sessions.close(route, told),
        _ => {}
    }
    report(told, seen.flow, sink);
}

fn report(told: &mut Vec<Told>, flow: &Arc<FlowInfo>, sink: &mut dyn Sink) {
    for Told { transfer, direction, first, last } in told.drain(..) {
        let seen = Seen { flow, direction, first, last };
        sink.event(&seen, Event::Xmpp(XmppEvent::Ibb(Box::new(transfer))));
    }
}

/// A JID of an attribute, references resolved and normalised. Nearly all are written in their normal form, and that
/// is told without a copy.
fn normalized(raw: &str) -> Cow<'_, str> {
    if is_plainly_normal(raw) {
        return Cow::Borrowed(raw);
    }
    match value_of(raw) {
        Cow::Borrowed(value) => jid::normalize(value),
        Cow::Owned(value) => Cow::Owned(jid::normalize(&value).into_owned()),
    }
}

/// Lower-case letters, digits and a few marks before the slash, printable ASCII without references behind it: nothing
/// that RFC 7622 would change. `xn--` labels and final dots of domains are left to the full rules.
fn is_plainly_normal(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    let (bare, resource) = bytes.split_at(memchr::memchr(b'/', bytes).unwrap_or(bytes.len()));
    let plain =
        |byte: u8| byte.is_ascii_lowercase() | byte.is_ascii_digit() | matches!(byte, b'.' | b'@' | b'_' | b'-');
    bare.iter().fold(true, |all, byte| all & plain(*byte))
        && resource.iter().fold(true, |all, byte| all & (0x21..0x7f).contains(byte) & (*byte != b'&'))
        && bare.last().is_some_and(|last| *last != b'.')
        && (memchr::memchr(b'-', bare).is_none() || !bare.windows(4).any(|window| window == b"xn--"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_rule_changes_is_plainly_normal() {
        for plain in ["a@x.test/Phone.12", "x.test", "a_b-c@conference.x.test/N|ck<"] {
            assert!(is_plainly_normal(plain), "{plain}");
        }
        for other in ["A@x.test", "a@x.test.", "a@xn--tda.test", "é@x.test", "a@x/R&amp;D", "a@x/b c", ""] {
            assert!(!is_plainly_normal(other), "{other}");
        }
    }
}
