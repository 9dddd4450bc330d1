//! Stub: to be written.
pub mod event;
pub mod jid;

pub use event::*;

use super::*;

struct Stub;

impl Decoder for Stub {
    fn protocol(&self) -> &'static str {
        "xmpp"
    }
    fn data(&mut self, _chunk: &Chunk<'_>, _sink: &mut dyn Sink) -> Next {
        Next::Opaque
    }
    fn gap(&mut self, _gap: &Gap<'_>, _sink: &mut dyn Sink) {}
    fn end(&mut self, _end: &End<'_>, _sink: &mut dyn Sink) {}
}

/// Probe.
pub fn probe(_opening: &Opening<'_>) -> Probe {
    Probe::No
}
/// Start.
pub fn start() -> Box<dyn Decoder> {
    Box::new(Stub)
}

/// Kind of a stanza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StanzaKind {
    /// `<message/>`
    Message,
    /// `<presence/>`
    Presence,
    /// `<iq/>`
    Iq,
}

/// One top-level stanza as it crossed the wire.
#[derive(Debug, Clone, Copy)]
pub struct Stanza<'a> {
    /// Message, presence or iq.
    pub kind: StanzaKind,
    /// Sender as delivered or, where the sender left it out, the JID bound to the stream. Normalised (RFC 7622).
    pub from: Option<&'a str>,
    /// Addressee. Normalised.
    pub to: Option<&'a str>,
    /// `type` as sent.
    pub stanza_type: Option<&'a str>,
    /// `id` as sent.
    pub id: Option<&'a str>,
    /// Text of the first `<body/>` child, references resolved.
    pub body: Option<&'a str>,
    /// Namespaces of the direct children, space separated.
    pub children: &'a str,
    /// Size on the wire in bytes.
    pub bytes: u64,
}
