//! Rows of tls events: one a handshake.

use crate::evidence::Seen;
use crate::protocol::tls::{TlsEvent, certificate_time};
use crate::table::{TableId, Tables};

/// Appends the rows that an event stands for.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, event: &TlsEvent) {
    let TlsEvent::Handshake(told) = event;
    let certificate = told.certificates.first().filter(|certificate| !certificate.is_unreadable);
    let offered = (!told.offered_alpn.is_empty()).then(|| told.offered_alpn.join(","));
    tables
        .row(TableId::Tls)
        .time(seen.first.time_ns)
        .capture(seen.first.capture)
        .number(seen.first.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver())
        .text(told.version.map(|version| version.to_string()).as_deref())
        .text(told.cipher_name().as_deref())
        .text(told.sni.as_deref())
        .text(told.alpn.as_deref().or(offered.as_deref()))
        .text(certificate.map(|certificate| certificate.subject.as_str()))
        .text(certificate.map(|certificate| certificate.issuer.as_str()))
        .text(certificate.map(|certificate| certificate_time(certificate.not_before)).as_deref())
        .text(certificate.map(|certificate| certificate_time(certificate.not_after)).as_deref())
        .flag(told.via_starttls)
        .text(told.ja4.as_deref())
        .text(certificate.map(|certificate| certificate.names.join(", ")).as_deref());
}
