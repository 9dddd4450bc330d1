//! Extensible SASL (XEP-0388): login, binding (XEP-0386) and resumption (XEP-0198) in one exchange, and tokens for the
//! next login (XEP-0484).

use super::Session;
use crate::evidence::Seen;
use crate::protocol::xmpp::element::{Child, Element, each_event, push_text, split_name, text_of};
use crate::protocol::xmpp::login::{Attempt, Exchange};
use crate::protocol::xmpp::names::{MAX_KEPT, kept};
use crate::protocol::xmpp::namespace as ns;
use crate::protocol::xmpp::{Disclosure, Login, Outcome, XmppEvent, jid};
use crate::protocol::{Event, Sink};
use quick_xml::events::Event as Xml;

impl Session {
    /// An element of the exchange.
    pub(super) fn on_sasl2(&mut self, name: &str, element: &Element<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        match name {
            "authenticate" => self.on_authenticate(element, seen, sink),
            "response" | "next" | "abort" => {
                self.client_is(seen.direction);
                if name == "abort" {
                    self.end_sasl2(Outcome::Failure, seen, sink);
                    return;
                }
                let domain = self.account_domain().map(str::to_owned);
                if let Some(attempt) = self.logins.sasl() {
                    attempt.take_response(&text_of(element.inner()), domain.as_deref());
                    attempt.last = seen.last;
                }
            }
            "challenge" | "continue" => {
                self.client_is(seen.direction.reversed());
                if let Some(attempt) = self.logins.sasl() {
                    attempt.last = seen.last;
                }
            }
            "success" => self.on_success(element, seen, sink),
            "failure" => {
                self.client_is(seen.direction.reversed());
                self.end_sasl2(Outcome::Failure, seen, sink);
            }
            _ => {}
        }
    }

    fn on_authenticate(&mut self, element: &Element<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        self.client_is(seen.direction);
        let mechanism = kept(element.tag().value("mechanism")).unwrap_or_default();
        let mut attempt = Attempt::new(Exchange::Sasl, &mechanism, seen.first, seen.last);
        for child in element.children() {
            let namespace = child.tag.attribute("xmlns").unwrap_or(ns::SASL2);
            match (namespace, split_name(child.tag.name()).1) {
                (ns::SASL2, "initial-response") => {
                    // Empty is a message here, where RFC 6120 writes a sign for it.
                    let text = text_of(child.inner);
                    let message = if text.trim_ascii().is_empty() { "=" } else { &text };
                    attempt.take_response(message, self.account_domain());
                }
                (ns::SASL2, "user-agent") => {
                    let agent = Texts::read(child.whole);
                    self.software.read_agent(agent.get("software"), agent.get("device"));
                }
                (ns::FAST, "request-token") => self.token_mechanism = kept(child.tag.value("mechanism")),
                (sm, name) if sm.starts_with(ns::MANAGEMENT) => self.on_management(name, &child.tag, seen.direction),
                _ => {}
            }
        }
        self.begin_login(attempt, seen, sink);
    }

    fn on_success(&mut self, element: &Element<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        self.client_is(seen.direction.reversed());
        self.authenticated = true;
        for child in element.children() {
            let namespace = child.tag.attribute("xmlns").unwrap_or(ns::SASL2);
            match (namespace, split_name(child.tag.name()).1) {
                (ns::SASL2, "authorization-identifier") => self.authorize(&text_of(child.inner)),
                (ns::BIND2, "bound") => self.on_bound(&child, seen),
                (ns::FAST, "token") => self.on_token(&child, seen, sink),
                (sm, name) if sm.starts_with(ns::MANAGEMENT) => self.on_management(name, &child.tag, seen.direction),
                _ => {}
            }
        }
        self.end_sasl2(Outcome::Success, seen, sink);
    }

    /// The account that the server found the login to be for, with its resource if one was bound.
    fn authorize(&mut self, text: &str) {
        let jid = jid::normalize(text.trim_ascii()).into_owned();
        if jid.is_empty() || jid.len() > MAX_KEPT {
            return;
        }
        if let Some(attempt) = self.logins.sasl() {
            attempt.jid = Some(jid::bare(&jid).to_owned());
        }
        if jid.contains('/') {
            self.account.bound = Some(jid.into());
        }
    }

    /// What was switched on together with the binding: the server's name for the session among it.
    fn on_bound(&mut self, bound: &Child<'_>, seen: &Seen<'_>) {
        let mut id = None;
        each_event(bound.whole, |event| {
            let Xml::Start(tag) = event else { return };
            if tag.local_name().as_ref() == "enabled" {
                let mut attributes = tag.attributes();
                attributes.with_checks(false);
                let found = attributes.flatten().find(|attribute| attribute.key.as_ref() == "id");
                id = found.and_then(|attribute| kept(Some(attribute.value)));
            }
        });
        self.client_is(seen.direction.reversed());
        if id.is_some() {
            self.resumption.resumable = id;
        }
    }

    /// A token that logs in the next time.
    fn on_token(&mut self, child: &Child<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        let Some(token) = kept(child.tag.value("token")).filter(|token| !token.is_empty()) else { return };
        let attempt = self.logins.sasl();
        let (username, jid) =
            attempt.map(|attempt| (attempt.username.clone(), attempt.jid.clone())).unwrap_or_default();
        let login = Login {
            mechanism: self.token_mechanism.take().map_or_else(|| "FAST".to_owned(), String::from),
            username,
            jid,
            disclosure: Disclosure::Token(token.into()),
            outcome: Outcome::Success,
            encrypted: self.encrypted,
        };
        // Told as logins are, in the client's direction.
        let seen = Seen { direction: seen.direction.reversed(), ..*seen };
        sink.event(&seen, Event::Xmpp(XmppEvent::Login(login)));
    }

    fn end_sasl2(&mut self, outcome: Outcome, seen: &Seen<'_>, sink: &mut dyn Sink) {
        if let Some(attempt) = self.logins.take(&Exchange::Sasl) {
            self.end_login(attempt, outcome, seen.last, seen, sink);
        }
    }
}

/// Texts of elements by name: the first of each.
#[derive(Default)]
struct Texts(Vec<(String, String)>);

impl Texts {
    fn read(xml: &str) -> Self {
        const MAX_TEXTS: usize = 16;
        let (mut texts, mut text) = (Self::default(), None::<String>);
        each_event(xml, |event| match &event {
            Xml::Start(_) => text = Some(String::new()),
            Xml::End(tag) => {
                if let Some(text) = text.take().filter(|text| !text.is_empty() && texts.0.len() < MAX_TEXTS) {
                    texts.0.push((tag.local_name().as_ref().to_owned(), text));
                }
            }
            event => {
                if let Some(text) = &mut text {
                    push_text(text, event);
                }
            }
        });
        texts
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, text)| text.as_str())
    }
}
