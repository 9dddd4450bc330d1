//! How servers come to trust each other: dialback (XEP-0220), SASL EXTERNAL (XEP-0178), both directions over one
//! connection (XEP-0288).

use super::Session;
use crate::evidence::Seen;
use crate::protocol::xmpp::element::{Element, text_of};
use crate::protocol::xmpp::login::Attempt;
use crate::protocol::xmpp::names::{kept, normalized};
use crate::protocol::xmpp::{FederationStep, FederationStepKind, Outcome, StreamKind, XmppEvent};
use crate::protocol::{Event, Sink};

impl Session {
    /// `db:result` and `db:verify`, which ask without a `type` and answer with one.
    pub(super) fn on_dialback(&mut self, name: &str, element: &Element<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        self.kind.get_or_insert(StreamKind::S2s);
        let tag = element.tag();
        let domain = |name| kept(tag.attribute(name).map(normalized)).map(String::from).unwrap_or_default();
        let (from, to) = (domain("from"), domain("to"));
        let verdict = kept(tag.value("type")).map(String::from);
        let key = text_of(element.inner());
        let key = kept(Some(key.trim_ascii().into())).filter(|key| !key.is_empty()).map(String::from);
        if key.is_none() && verdict.is_none() {
            return;
        }
        let (kind, from_originating) = match name {
            "result" => (FederationStepKind::Result, verdict.is_none()),
            _ => (FederationStepKind::Verify, verdict.is_some()),
        };
        // Who wants to be believed cannot say that it is.
        if verdict.is_some() && self.is_from_client(seen.direction) == Some(true) {
            return;
        }
        self.client_is(if verdict.is_some() { seen.direction.reversed() } else { seen.direction });
        let (originating, receiving) = if from_originating { (from, to) } else { (to, from) };
        let stream_id = kept(tag.value("id")).filter(|_| kind == FederationStepKind::Verify).map(String::from);
        tell(FederationStep { kind, originating, receiving, stream_id, key, verdict }, seen, sink);
    }

    /// The opener says that it takes stanzas on this connection too.
    pub(super) fn on_bidi(&mut self, seen: &Seen<'_>, sink: &mut dyn Sink) {
        self.client_is(seen.direction);
        let step = FederationStep {
            kind: FederationStepKind::Bidi,
            originating: self.from_domain.as_deref().unwrap_or_default().to_owned(),
            receiving: self.domain.as_deref().unwrap_or_default().to_owned(),
            stream_id: None,
            key: None,
            verdict: None,
        };
        tell(step, seen, sink);
    }

    /// A login between servers has ended.
    pub(super) fn on_server_login(&self, attempt: &Attempt, outcome: Outcome, seen: &Seen<'_>, sink: &mut dyn Sink) {
        if self.kind != Some(StreamKind::S2s) || attempt.mechanism != "EXTERNAL" {
            return;
        }
        let named = attempt.username.as_deref().or(self.from_domain.as_deref());
        let step = FederationStep {
            kind: FederationStepKind::External,
            originating: named.unwrap_or_default().to_owned(),
            receiving: self.domain.as_deref().unwrap_or_default().to_owned(),
            stream_id: None,
            key: None,
            verdict: (outcome != Outcome::Unknown).then(|| outcome.name().to_owned()),
        };
        tell(step, seen, sink);
    }
}

fn tell(step: FederationStep, seen: &Seen<'_>, sink: &mut dyn Sink) {
    sink.event(seen, Event::Xmpp(XmppEvent::Federation(Box::new(step))));
}
