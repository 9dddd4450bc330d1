//! Rows of XMPP events: streams and credentials. Transfers are joined over conversations first, so they come later.

use crate::evidence::Seen;
use crate::protocol::xmpp::{Disclosure, Login, StreamSummary, XmppEvent};
use crate::table::{TableId, Tables};

/// Appends the rows that an event stands for.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, event: &XmppEvent) {
    match event {
        XmppEvent::Stream(summary) => append_stream(tables, seen, summary),
        XmppEvent::Login(login) => append_login(tables, seen, login),
        XmppEvent::DialbackKey { from, key, .. } => {
            let secret = Secret { mechanism: "dialback", username: Some(from), jid: None, secret: Some(key) };
            append_secret(tables, seen, &secret, None, false);
        }
        XmppEvent::Offer(_)
        | XmppEvent::Ibb(_)
        | XmppEvent::Defect(_)
        | XmppEvent::Oversized(_)
        | XmppEvent::Burst(_)
        | XmppEvent::Mailing(_) => {}
    }
}

fn append_stream(tables: &mut Tables, seen: &Seen<'_>, summary: &StreamSummary) {
    let [out, back] = summary.stanzas;
    tables
        .row(TableId::XmppStreams)
        .time(summary.first.time_ns)
        .time(summary.last.time_ns)
        .capture(summary.first.capture)
        .number(summary.first.frame)
        .number(summary.last.frame)
        .str(&seen.flow.community_id)
        .str(summary.kind.name())
        .display(summary.client)
        .display(summary.server)
        .text(summary.domain.as_deref())
        .text(summary.from_domain.as_deref())
        .text(summary.jid.as_deref())
        .text(summary.stream_id.as_deref())
        .text(summary.tls)
        .text(summary.tls_version.as_deref())
        .text(summary.compression)
        .flag(summary.offered_starttls)
        .text(summary.mechanism.as_deref())
        .text(summary.outcome.map(|outcome| outcome.name()))
        .number(out)
        .number(back)
        .text(summary.error.as_deref())
        .flag(summary.offered_starttls.map(|_| summary.required_starttls));
}

fn append_login(tables: &mut Tables, seen: &Seen<'_>, login: &Login) {
    let secret = match &login.disclosure {
        Disclosure::Password(secret) | Disclosure::Token(secret) => Some(secret.as_str()),
        Disclosure::Guessable | Disclosure::Nothing => None,
    };
    let secret =
        Secret { mechanism: &login.mechanism, username: login.username.as_deref(), jid: login.jid.as_deref(), secret };
    append_secret(tables, seen, &secret, Some(login.outcome.name()), login.encrypted);
}

struct Secret<'a> {
    mechanism: &'a str,
    username: Option<&'a str>,
    jid: Option<&'a str>,
    secret: Option<&'a str>,
}

/// The frame is the one in which the attempt begins: there the secret is.
fn append_secret(
    tables: &mut Tables,
    seen: &Seen<'_>,
    secret: &Secret<'_>,
    outcome: Option<&'static str>,
    encrypted: bool,
) {
    tables
        .row(TableId::Credentials)
        .time(seen.first.time_ns)
        .capture(seen.first.capture)
        .number(seen.first.frame)
        .str(&seen.flow.community_id)
        .display(seen.sender())
        .display(seen.receiver())
        .str("xmpp")
        .str(secret.mechanism)
        .text(secret.username)
        .text(secret.jid)
        .secret(secret.secret)
        .text(outcome)
        .flag(encrypted);
}

/// Appends a stanza to the table of stanzas.
pub fn append_stanza(tables: &mut Tables, seen: &Seen<'_>, stanza: &crate::protocol::xmpp::Stanza<'_>) {
    use crate::protocol::xmpp::StanzaKind;
    let kind = match stanza.kind {
        StanzaKind::Message => "message",
        StanzaKind::Presence => "presence",
        StanzaKind::Iq => "iq",
    };
    tables
        .row(TableId::Stanzas)
        .time(seen.last.time_ns)
        .capture(seen.last.capture)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .display(seen.sender())
        .display(seen.receiver())
        .str(kind)
        .text(stanza.from)
        .text(stanza.to)
        .text(stanza.stanza_type)
        .text(stanza.id)
        .secret(stanza.body)
        .str(stanza.children)
        .number(stanza.bytes);
}
