//! Rows of XMPP events: streams and credentials. Transfers are joined over conversations first, so they come later.

use crate::evidence::{HttpBinding, Seen};
use crate::protocol::xmpp::{
    Call, Command, CopiedStanza, Disclosure, FederationStep, FederationStepKind, Login, SessionSummary, SharingEvent,
    StreamKind, StreamSummary, XmppEvent, jid,
};
use crate::table::{TableId, Tables};

/// Appends the rows that an event stands for.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, event: &XmppEvent) {
    match event {
        XmppEvent::Stream(summary) => append_stream(tables, seen, summary),
        XmppEvent::Login(login) => append_login(tables, seen, login, "xmpp"),
        XmppEvent::Federation(step) => append_federation(tables, seen, step),
        XmppEvent::Command(command) => append_command(tables, seen, command),
        XmppEvent::Session(session) => append_session(tables, seen, session),
        XmppEvent::Call(call) => append_call(tables, seen, call),
        XmppEvent::Endpoint(endpoint) => super::candidates::append(tables, seen, endpoint),
        XmppEvent::Copy(copy) => append_copy(tables, seen, copy),
        XmppEvent::Sharing(sharing) => append_sharing(tables, seen, sharing),
        XmppEvent::Offer(_)
        | XmppEvent::Ibb(_)
        | XmppEvent::Signal(_)
        | XmppEvent::Defect(_)
        | XmppEvent::Oversized(_)
        | XmppEvent::Burst(_)
        | XmppEvent::Mailing(_) => {}
    }
}

fn append_federation(tables: &mut Tables, seen: &Seen<'_>, step: &FederationStep) {
    let encrypted = seen.flow.within.tls.is_some();
    tables
        .row(TableId::Federation)
        .time(seen.last.time_ns)
        .capture(seen.last.capture)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver())
        .str(step.kind.name())
        .str(&step.originating)
        .str(&step.receiving)
        .text(step.stream_id.as_deref())
        .secret(step.key.as_deref())
        .text(step.verdict.as_deref())
        .flag(encrypted);
    if step.kind == FederationStepKind::Result && step.verdict.is_none() {
        let (username, secret) = (Some(step.originating.as_str()), step.key.as_deref());
        append_secret(
            tables,
            seen,
            &Secret { protocol: "xmpp", mechanism: "dialback", username, jid: None, secret },
            None,
            encrypted,
        );
    }
}

fn append_copy(tables: &mut Tables, seen: &Seen<'_>, copy: &CopiedStanza) {
    tables
        .row(TableId::Copies)
        .time(seen.last.time_ns)
        .capture(seen.last.capture)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver())
        .str(copy.via)
        .text(copy.owner.as_deref())
        .text(copy.from.as_deref())
        .text(copy.to.as_deref())
        .text(copy.stanza_type.as_deref())
        .text(copy.id.as_deref())
        .secret(copy.body.as_deref())
        .text(copy.stamp.as_deref());
}

fn append_sharing(tables: &mut Tables, seen: &Seen<'_>, sharing: &SharingEvent) {
    let SharingEvent::Link(link) = sharing else { return };
    tables
        .row(TableId::Links)
        .time(seen.last.time_ns)
        .capture(seen.last.capture)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver())
        .text(link.from.as_deref())
        .text(link.to.as_deref())
        .str(link.via)
        .str(&link.url)
        .text(link.name.as_deref())
        .number(link.size);
}

fn append_session(tables: &mut Tables, seen: &Seen<'_>, session: &SessionSummary) {
    let (Some(first), Some(last)) = (session.streams.first(), session.streams.last()) else { return };
    let account = session.first(|stream| stream.jid.as_deref());
    let mut addresses: Vec<String> = session.streams.iter().map(|stream| stream.client.ip().to_string()).collect();
    addresses.dedup();
    let [out, back] = session.stanzas();
    tables
        .row(TableId::Sessions)
        .time(first.first.time_ns)
        .time(seen.last.time_ns)
        .capture(first.first.capture)
        .number(first.first.frame)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .str(first.kind.name())
        .text(account)
        .text(account.map(jid::bare))
        .text(account.and_then(|jid| jid::parts(jid).2))
        .text(first.domain.as_deref())
        .display(first.client)
        .display(first.server)
        .str(&addresses.join(" "))
        .text(session.last(|stream| stream.software.as_deref()))
        .text(session.first(|stream| stream.mechanism.as_deref()))
        .text(first.tls)
        .text(first.compression)
        .str(session.binding)
        .number(session.streams.len() as u64)
        .number(out)
        .number(back)
        .text(last.ended)
        .text(last.error.as_deref());
}

fn append_call(tables: &mut Tables, seen: &Seen<'_>, call: &Call) {
    let duration = call.answered.zip(call.ended).map(|(from, to)| to.time_ns.saturating_sub(from.time_ns));
    tables
        .row(TableId::Calls)
        .time(seen.first.time_ns)
        .time(seen.last.time_ns)
        .capture(seen.first.capture)
        .number(seen.first.frame)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .text(call.from.as_deref())
        .text(call.to.as_deref())
        .str(&call.session)
        .str(&call.media.join(" "))
        .str(call.outcome())
        .text(call.reason.as_deref())
        .number(duration.and_then(|duration| u64::try_from(duration).ok()));
}

fn append_command(tables: &mut Tables, seen: &Seen<'_>, command: &Command) {
    let accounts = command.accounts.join(" ");
    tables
        .row(TableId::Commands)
        .time(seen.first.time_ns)
        .time(seen.last.time_ns)
        .capture(seen.first.capture)
        .number(seen.first.frame)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver())
        .text(command.jid.as_deref())
        .text(command.to.as_deref())
        .str(&command.node)
        .text((!accounts.is_empty()).then_some(accounts.as_str()))
        .str(command.outcome.name())
        .flag(seen.flow.within.tls.is_some());
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
        .str(stream_kind(summary.kind, seen.flow.within.http))
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
        .text(summary.software.as_deref())
        .text(summary.resumable.as_deref())
        .text(summary.resumes.as_deref())
        .text(summary.ended)
        .flag(summary.offered_starttls.map(|_| summary.required_starttls));
}

/// Clients that come over HTTP are told apart from those that do not.
fn stream_kind(kind: StreamKind, binding: Option<HttpBinding>) -> &'static str {
    match (kind, binding) {
        (StreamKind::C2s, Some(HttpBinding::Bosh)) => "bosh",
        (StreamKind::C2s, Some(HttpBinding::WebSocket)) => "websocket",
        (kind, _) => kind.name(),
    }
}

/// Appends a login of any protocol.
pub(super) fn append_login(tables: &mut Tables, seen: &Seen<'_>, login: &Login, protocol: &str) {
    let secret = match &login.disclosure {
        Disclosure::Password(secret) | Disclosure::Token(secret) => Some(secret.as_str()),
        Disclosure::Guessable | Disclosure::Nothing => None,
    };
    let secret = Secret {
        protocol,
        mechanism: &login.mechanism,
        username: login.username.as_deref(),
        jid: login.jid.as_deref(),
        secret,
    };
    append_secret(tables, seen, &secret, Some(login.outcome.name()), login.encrypted);
}

struct Secret<'a> {
    protocol: &'a str,
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
        .address(seen.sender())
        .address(seen.receiver())
        .str(secret.protocol)
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
    let mut row = tables.row(TableId::Stanzas);
    row.time(seen.last.time_ns)
        .capture(seen.last.capture)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver())
        .str(kind)
        .text(stanza.from)
        .text(stanza.to)
        .text(stanza.stanza_type)
        .text(stanza.id)
        .secret(stanza.body)
        .str(stanza.children)
        .number(stanza.bytes);
    match stanza.meaning.only() {
        None if stanza.meaning.is_empty() => row.text(None),
        None => row.display(stanza.meaning),
        only => row.text(only),
    };
}
