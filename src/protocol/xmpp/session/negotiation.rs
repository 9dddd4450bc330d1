//! What is not a stanza: headers, features, TLS, SASL, handshakes, dialback, errors.

use super::{Reaction, Session};
use crate::evidence::{Direction, Seen};
use crate::protocol::Sink;
use crate::protocol::xmpp::element::{Child, Element, TagView, split_name, text_of};
use crate::protocol::xmpp::login::{Attempt, Exchange};
use crate::protocol::xmpp::names::{kept, normalized};
use crate::protocol::xmpp::namespace::{self as ns, Bindings};
use crate::protocol::xmpp::{Disclosure, Outcome, StreamKind};

/// Features by which a client or server says who it is; behind the login they are gone.
fn is_before_login(feature: &Child<'_>) -> bool {
    matches!(feature.tag.attribute("xmlns"), Some(ns::SASL | ns::TLS | ns::IQ_AUTH_FEATURE | ns::DIALBACK_FEATURE))
}

impl Session {
    /// A stream begins, or begins again after TLS or SASL.
    pub(super) fn on_header(&mut self, tag: &TagView<'_>, direction: Direction) {
        let id = tag.value("id").filter(|id| !id.is_empty());
        let (from, to) = (tag.attribute("from").map(normalized), tag.attribute("to").map(normalized));
        // Servers give ids and say who they are; a client names the server, and itself at most beside it.
        let from_server = from.is_some() && id.is_some() || to.is_none() && tag.attribute("id").is_some();
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
            self.domain = kept(to).or(self.domain.take());
            if kind == StreamKind::S2s {
                self.from_domain = kept(from).or(self.from_domain.take());
            }
        } else {
            self.stream_id = kept(id).or(self.stream_id.take());
            if self.domain.is_none() {
                self.domain = kept(from);
            }
        }
        if kind == StreamKind::Component && self.account.bound.is_none() {
            self.account.bound.clone_from(&self.domain);
        }
    }

    /// Whatever is not a stanza: features, TLS, SASL, dialback, errors.
    pub(super) fn on_negotiation(
        &mut self,
        namespace: &str,
        name: &str,
        element: &Element<'_>,
        seen: &Seen<'_>,
        sink: &mut dyn Sink,
    ) -> Reaction {
        let direction = seen.direction;
        let from_client = self.is_from_client(direction) == Some(true);
        match (namespace, name) {
            // What only a server may say has no meaning from a client: it must not blind who reads along.
            (ns::STREAMS, "features" | "error") | (ns::TLS, "proceed" | "failure") if from_client => {}
            (ns::COMPRESS, "compressed" | "failure") if from_client => {}
            (ns::SASL, "challenge" | "success" | "failure") if from_client => {}
            (ns::SASL2, "challenge" | "success" | "failure" | "continue") if from_client => {}
            (ns::STREAMS, "features") => {
                self.client_is(direction.reversed());
                let is_starttls = |child: &Child<'_>| child.tag.attribute("xmlns") == Some(ns::TLS);
                let starttls = element.children().find(is_starttls);
                let offered = starttls.is_some();
                self.required_starttls |= starttls.is_some_and(|child| child.inner.contains("<required"));
                // Inside TLS there is nothing left to offer.
                self.login_offered |= self.tls.is_none() && element.children().any(|child| is_before_login(&child));
                self.offered_starttls = Some(offered || self.offered_starttls == Some(true));
            }
            // Each message declares its namespaces itself: what `<open/>` declares holds for it alone.
            (ns::FRAMING, "open") => {
                self.on_header(&element.tag(), direction);
                if let Some(bindings) = self.bindings.get_mut(direction.index()) {
                    *bindings = Bindings::of_framing();
                }
            }
            (ns::FRAMING, "close") => {
                self.closed_by.get_or_insert(direction);
            }
            (ns::STREAMS, "error") => self.on_error(element, seen, sink),
            (ns::SASL, name) => self.on_sasl(name, element, seen, sink),
            (ns::SASL2, name) => self.on_sasl2(name, element, seen, sink),
            (ns::TLS, "starttls") => {
                self.client_is(direction);
                self.starttls_requested = true;
            }
            (ns::TLS, "proceed") => {
                self.client_is(direction.reversed());
                return Reaction::Tls;
            }
            (ns::TLS, "failure") => {
                self.starttls_requested = false;
                self.refused_starttls = true;
            }
            (ns::COMPRESS, "compress") => {
                self.client_is(direction);
                self.compression_requested = true;
            }
            (ns::COMPRESS, "failure") => self.compression_requested = false,
            // Once: what is compressed cannot be compressed again.
            (ns::COMPRESS, "compressed") if self.compression.is_none() => {
                self.client_is(direction.reversed());
                self.compression_requested = false;
                self.compression = Some("zlib");
                return Reaction::Compressed;
            }
            (ns::DIALBACK, "result" | "verify") => self.on_dialback(name, element, seen, sink),
            (ns::BIDI, "bidi") => self.on_bidi(seen, sink),
            (sm, name) if sm.starts_with(ns::MANAGEMENT) => self.on_management(name, &element.tag(), direction),
            _ => {}
        }
        Reaction::Continue
    }

    /// Stream management (XEP-0198): what lets a session go on over another connection.
    pub(super) fn on_management(&mut self, name: &str, tag: &TagView<'_>, direction: Direction) {
        let from_client = self.is_from_client(direction) == Some(true);
        match name {
            "enable" => self.client_is(direction),
            "resume" => {
                self.client_is(direction);
                self.resumption.asked = kept(tag.value("previd"));
            }
            "enabled" if !from_client => {
                self.client_is(direction.reversed());
                self.resumption.resumable = kept(tag.value("id").filter(|id| !id.is_empty()));
            }
            "resumed" if !from_client => {
                self.client_is(direction.reversed());
                self.authenticated = true;
                self.resumption.resumes = kept(tag.value("previd")).or(self.resumption.asked.take());
                self.account.resumed_by.clone_from(&self.logged_in);
            }
            _ => {}
        }
    }

    fn on_error(&mut self, element: &Element<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        let condition = element.children().next().map(|child| split_name(child.tag.name()).1);
        self.error = condition.map(Into::into);
        self.policy_violated |= condition == Some("policy-violation");
        if let Some(condition) = condition {
            self.on_refusal(condition, seen, sink);
        }
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
                let mechanism = kept(element.tag().value("mechanism")).unwrap_or_default();
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
                } else {
                    self.on_late_response(element, domain.as_deref(), seen, sink);
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
                if outcome == Outcome::Success {
                    // A security layer may follow (RFC 6120, 6.3.7); without one a new header does.
                    self.authenticated = true;
                    self.defects.begin_again();
                }
                if let Some(attempt) = self.logins.take(&Exchange::Sasl) {
                    self.end_login(attempt, outcome, seen.last, seen, sink);
                }
            }
            _ => {}
        }
    }

    /// A response to nothing: the server had refused by then, or the capture began behind the attempt. A password in
    /// it crosses all the same.
    fn on_late_response(&mut self, element: &Element<'_>, domain: Option<&str>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        let mechanism = self.last_login.as_ref().map_or("PLAIN", |(mechanism, _)| mechanism);
        let mut attempt = Attempt::new(Exchange::Sasl, mechanism, seen.first, seen.last);
        attempt.take_response(&text_of(element.inner()), domain);
        if matches!(attempt.disclosure, Disclosure::Password(_)) {
            self.begin_login(attempt, seen, sink);
        }
    }

    /// The domain whose accounts log in here: none on streams between servers.
    pub(super) fn account_domain(&self) -> Option<&str> {
        if self.kind == Some(StreamKind::S2s) { None } else { self.domain.as_deref() }
    }

    /// XEP-0114: the component sends a digest, the server an empty element.
    pub(super) fn on_handshake(&mut self, element: &Element<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        if element.inner().trim_ascii().is_empty() {
            if self.is_from_client(seen.direction) != Some(true)
                && let Some(attempt) = self.logins.take(&Exchange::Component)
            {
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
}
