//! Rows of transports that are negotiated (XEP-0065, XEP-0176, XEP-0260) and of servers that help (XEP-0215): which
//! addresses leave.

use crate::evidence::Seen;
use crate::protocol::xmpp::{Candidate, Endpoint};
use crate::table::{TableId, Tables};

/// Appends a row for an address, or for a transport without any.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, told: &Endpoint) {
    let Endpoint { transport, candidate } = told;
    let candidate = candidate.as_ref();
    tables
        .row(TableId::Candidates)
        .time(seen.last.time_ns)
        .capture(seen.last.capture)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver())
        .text(transport.from.as_deref())
        .text(transport.to.as_deref())
        .text(transport.application.as_deref())
        .str(&transport.action)
        .text(transport.session.as_deref().or(transport.sid.as_deref()))
        .str(&transport.kind)
        .text(candidate.map(|candidate| candidate.kind.as_str()))
        .text(candidate.map(|candidate| candidate.host.as_str()))
        .number(candidate.and_then(|candidate| candidate.port).map(u64::from))
        .text(candidate.and_then(|candidate| candidate.protocol.as_deref()))
        .text(candidate.and_then(|candidate| candidate.jid.as_deref()))
        .text(candidate.map(Candidate::scope))
        .text(candidate.and_then(|candidate| candidate.related.as_deref()));
}
