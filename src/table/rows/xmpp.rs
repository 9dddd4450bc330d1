//! Rows of xmpp events.

use crate::evidence::Seen;
use crate::protocol::xmpp::XmppEvent;
use crate::table::Tables;

/// Appends the rows that an event stands for.
pub fn append(_tables: &mut Tables, _seen: &Seen<'_>, _event: &XmppEvent) {}

/// Appends a stanza to the table of stanzas.
pub fn append_stanza(tables: &mut Tables, seen: &Seen<'_>, stanza: &crate::protocol::xmpp::Stanza<'_>) {
    use crate::protocol::xmpp::StanzaKind;
    use crate::table::TableId;
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
