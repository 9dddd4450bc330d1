//! Stanzas: who speaks to whom, and the children that mean something to the connection.

use super::commands::{Request, announce};
use super::rooms;
use super::{Session, report};
use crate::evidence::{Direction, Seen};
use crate::protocol::xmpp::element::{Child, Element, TagView, split_name, text_of, value_of};
use crate::protocol::xmpp::ibb::{Route, Sessions, Taken, Told};
use crate::protocol::xmpp::login::{Attempt, Exchange, Fields, bare_jid};
use crate::protocol::xmpp::meaning::{Around, Meaning, Meanings};
use crate::protocol::xmpp::names::{MAX_KEPT, kept, normalized};
use crate::protocol::xmpp::namespace::{self as ns, Namespace};
use crate::protocol::xmpp::{
    Disclosure, Flaw, Outcome, OversizedStanza, Stanza, StanzaKind, StreamKind, XmppEvent, copies, jid, offer, signal,
};
use crate::protocol::{Event, Sink};
use std::borrow::Cow;

/// Longest query with a password that is read.
const MAX_SECRET: usize = 64 << 10;

/// Attributes of a stanza, as on the wire.
#[derive(Default)]
pub(super) struct Head<'a> {
    from: Option<&'a str>,
    to: Option<&'a str>,
    stanza_type: Option<&'a str>,
    id: Option<&'a str>,
    /// Default namespace that the stanza itself declares.
    pub xmlns: Option<&'a str>,
}

impl<'a> Head<'a> {
    /// Reads them in one pass.
    pub fn read(tag: &TagView<'a>) -> Self {
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
    Command,
    Software,
    Signal,
}

/// What the direct children of a stanza tell.
#[derive(Default)]
struct Children<'a> {
    /// Text of the first body.
    body: Option<Cow<'a, str>>,
    /// The first that means something to the session.
    concern: Option<(Concern, Child<'a>)>,
    meaning: Meanings,
    /// The first name whose prefix is bound nowhere.
    unbound: Option<&'a str>,
    /// Address of out-of-band data.
    oob: Option<Cow<'a, str>>,
}

/// The `<url/>` of out-of-band data (XEP-0066).
fn oob_url(inner: &str) -> Option<Cow<'_, str>> {
    let (_, after) = inner.split_once("<url")?;
    let (_, url) = after.split_once('>')?;
    let (url, _) = url.split_once("</")?;
    Some(text_of(url))
}

fn concern_of(namespace: &str) -> Option<Concern> {
    match namespace {
        ns::BIND => Some(Concern::Bind),
        ns::IQ_AUTH => Some(Concern::IqAuth),
        ns::IQ_REGISTER => Some(Concern::Register),
        ns::IBB => Some(Concern::Ibb),
        ns::SI => Some(Concern::Si),
        ns::JINGLE => Some(Concern::Jingle),
        ns::COMMANDS => Some(Concern::Command),
        ns::VERSION | ns::DISCO_INFO | ns::CAPS => Some(Concern::Software),
        ns::JINGLE_MESSAGE => Some(Concern::Signal),
        namespace if ns::EXTERNAL_SERVICES.contains(&namespace) => Some(Concern::Signal),
        _ => None,
    }
}

impl Session {
    /// Tells a stanza, and then what it means for logins, bindings and transfers.
    #[allow(clippy::too_many_arguments)] // the parts of one stanza, and where they go
    pub(super) fn on_stanza(
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
        let from_client = self.is_from_client(seen.direction);
        let around = Around { kind, stanza_type: stanza_type.as_deref(), from_client };
        let Children { body, concern, mut meaning, unbound, oob } =
            self.read_children(around, head, element, namespaces, seen.direction);
        if let Some(name) = unbound {
            sink.skipped("xmpp.malformed", seen.last);
            self.on_flaw(Flaw::UndeclaredPrefix, Some(name.as_bytes()), seen, sink);
        }
        let from = match (head.from, from_client) {
            (Some(from), _) => Some(normalized(from)),
            (None, Some(true)) => self.account.best().map(Cow::Borrowed),
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
        meaning.add_head(around, to.as_deref());
        let stanza = Stanza {
            kind,
            from: from.as_deref(),
            to: to.as_deref(),
            stanza_type: stanza_type.as_deref(),
            id: id.as_deref(),
            body: body.as_deref(),
            children: namespaces,
            bytes: element.len() as u64,
            meaning,
            leg: self.leg(seen),
            oob: oob.as_deref(),
        };
        sink.stanza(seen, &stanza);
        self.sharing.on_stanza(&stanza, element, seen, sink);
        self.defects.note_size(seen.direction, element.len(), || OversizedStanza {
            bytes: element.len() as u64,
            from: from.as_deref().map(str::to_owned),
            to: to.as_deref().map(str::to_owned),
            id: id.as_deref().map(str::to_owned),
            refused: true,
        });
        if !self.encrypted {
            self.first_stanza.get_or_insert(seen.first);
        }
        if let Some(count) = self.stanzas.get_mut(seen.direction.index()) {
            *count += 1;
        }
        if meaning.contains(Meaning::Announce) && from_client == Some(true) {
            announce(from.as_deref(), to.as_deref(), id.as_deref(), seen, sink);
        }
        if let Some(via) = copies::via(meaning) {
            match copies::read(element, via, to.as_deref()) {
                Some(found) => {
                    found.into_iter().for_each(|copy| sink.event(seen, Event::Xmpp(XmppEvent::Copy(Box::new(copy)))));
                }
                None => sink.skipped("xmpp.limit", seen.last),
            }
        }
        let (mut request, mut software) = (None, None);
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
                    offer::read_jingle(child.whole, from, to, &mut |event| sink.event(seen, Event::Xmpp(event)));
                    on_signal(&child, from, to, seen, sink);
                }
                Concern::Signal => on_signal(&child, from, to, seen, sink),
                Concern::Command if is_set => {
                    request = Some(Request::new(child, from, to, id.as_deref().unwrap_or_default()));
                }
                Concern::Software if from_client == Some(true) => {
                    software = Some(child);
                }
                _ => {}
            }
        }
        if rooms::concerns(meaning) || kind == StanzaKind::Presence && !self.logins.is_empty() {
            let (from, to) = (from.map(Cow::into_owned), to.map(Cow::into_owned));
            let (from, to, id) = (from.as_deref(), to.as_deref(), id.as_deref());
            let around = rooms::Around { kind, stanza_type: stanza_type.as_deref(), from, to, id, meaning };
            self.on_room(around, element, seen, sink);
        } else {
            drop((from, to));
        }
        if let Some(child) = software {
            self.software.read(&child, kind, stanza_type.as_deref());
        }
        if let Some(request) = request {
            self.on_command(request, seen, sink);
        }
        if kind == StanzaKind::Iq && self.commands.are_open() {
            let command = concern.and_then(|(concern, child)| (concern == Concern::Command).then_some(child));
            self.on_command_answer(stanza_type.as_deref(), id.as_deref(), command, seen, sink);
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

    /// Reads the direct children. Their namespaces go to `namespaces`, but for the one that stanzas themselves are in.
    fn read_children<'a>(
        &self,
        around: Around<'_>,
        head: &Head<'_>,
        element: &Element<'a>,
        namespaces: &mut String,
        direction: Direction,
    ) -> Children<'a> {
        namespaces.clear();
        let mut children = Children::default();
        let Some(bindings) = self.bindings.get(direction.index()) else { return children };
        let inherited = bindings.without_prefix(head.xmlns);
        let tag = element.tag();
        for child in element.children() {
            match bindings.resolve(&child.tag, &tag, inherited) {
                Namespace::Stanza => {
                    let is_body = around.kind == StanzaKind::Message && split_name(child.tag.name()).1 == "body";
                    if is_body && children.body.is_none() {
                        let body = text_of(child.inner);
                        children.meaning.add_body(&body);
                        children.body = Some(body);
                    }
                }
                Namespace::Named(namespace) => {
                    if !namespaces.is_empty() {
                        namespaces.push(' ');
                    }
                    namespaces.push_str(namespace);
                    children.meaning.add_child(namespace, &child, around);
                    if matches!(namespace, ns::OOB | ns::OOB_IQ) && children.oob.is_none() {
                        children.oob = oob_url(child.inner);
                    }
                    if children.concern.is_none() {
                        children.concern = concern_of(namespace).map(|concern| (concern, child));
                    }
                }
                Namespace::Unbound => {
                    if bindings.known {
                        children.unbound.get_or_insert(child.tag.name());
                    }
                }
            }
        }
        children
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
        if child.whole.len() > MAX_SECRET {
            sink.skipped("xmpp.limit", seen.last);
            return;
        }
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
        let id = kept(head.id.map(value_of)).unwrap_or_default();
        let mut attempt = Attempt::new(Exchange::Iq(id), mechanism, seen.first, seen.last);
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
            self.account.bound = kept(Some(jid::normalize(jid.trim_ascii())));
        }
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
    if [Some(&*sid), head.from, head.to, head.id].into_iter().flatten().any(|name| name.len() > MAX_KEPT) {
        sink.skipped("xmpp.limit", seen.last);
        return;
    }
    let spool = sink.spool().cloned();
    let route = Route { seen, sid: &sid, from: head.from, to: head.to, spool: spool.as_ref() };
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

fn on_signal(child: &Child<'_>, from: Option<&str>, to: Option<&str>, seen: &Seen<'_>, sink: &mut dyn Sink) {
    if [from, to].into_iter().flatten().any(|jid| jid.len() > MAX_KEPT) {
        sink.skipped("xmpp.limit", seen.last);
        return;
    }
    if let Some(event) = signal::read(child.whole, from, to) {
        sink.event(seen, Event::Xmpp(event));
    }
}
