//! Rows of transports that are negotiated (XEP-0065, XEP-0176, XEP-0260): which addresses leave.

use crate::evidence::Seen;
use crate::protocol::xmpp::{Candidate, SharingEvent, Transport};
use crate::table::{TableId, Tables};

/// Appends a row for each address, or one for a transport without any.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, told: &SharingEvent) {
    let SharingEvent::Transport(told) = told else { return };
    if told.candidates.is_empty() {
        append_one(tables, seen, told, None);
    }
    for candidate in &told.candidates {
        append_one(tables, seen, told, Some(candidate));
    }
}

fn append_one(tables: &mut Tables, seen: &Seen<'_>, told: &Transport, candidate: Option<&Candidate>) {
    tables
        .row(TableId::Candidates)
        .time(seen.last.time_ns)
        .capture(seen.last.capture)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .display(seen.sender())
        .display(seen.receiver())
        .text(told.from.as_deref())
        .text(told.to.as_deref())
        .text(told.application.as_deref())
        .str(&told.action)
        .text(told.session.as_deref().or(told.sid.as_deref()))
        .str(&told.kind)
        .text(candidate.map(|candidate| candidate.kind.as_str()))
        .text(candidate.map(|candidate| candidate.host.as_str()))
        .number(candidate.and_then(|candidate| candidate.port).map(u64::from))
        .text(candidate.and_then(|candidate| candidate.protocol.as_deref()))
        .text(candidate.and_then(|candidate| candidate.jid.as_deref()));
}
