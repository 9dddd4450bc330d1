//! XMPP in clear (RFC 6120, 6121): streams of clients, servers (XEP-0220) and components (XEP-0114).
//!
//! In: the bytes of a connection, both directions in order. Out: every stanza, borrowed, and events: logins with what
//! they give away, files offered and moved in-band, dialback keys, and at the end what is known of the stream.
//!
//! Bytes pass through three rooms. `scan` finds where items under the stream end, and notes their tags on a `tape`; `decoder`
//! keeps what is cut over chunks, and finds the way back after gaps (`resync`); `session` knows what the items
//! mean, with `element`, `names` and `namespace` to read them, `login`, `ibb` and `offer` for what lasts longer than
//! one. Only items that matter in depth are read event by event.
//!
//! At STARTTLS the decoder moves into a TLS decoder, which feeds it again if it can open what comes; at stream
//! compression (XEP-0138) it moves into one that inflates.

mod calls;
pub mod copies;
mod decoder;
mod element;
pub mod event;
mod file_sharing;
mod forms;
mod ibb;
pub mod jid;
mod login;
pub mod meaning;
mod names;
mod namespace;
mod offer;
mod probe;
mod resync;
mod salvage;
mod scan;
mod session;
mod sessions;
mod sharing_event;
mod signal;
mod tape;
#[cfg(test)]
mod tests;

pub use copies::CopiedStanza;
pub use event::*;
pub use meaning::{Meaning, Meanings};
pub use probe::probe;

use super::Decoder;

/// Starts a decoder of a stream, in clear or inside a layer that was opened ([`crate::evidence::Within`]).
pub fn start() -> Box<dyn Decoder> {
    Box::<decoder::XmppDecoder>::default()
}

/// Starts the join of streams into sessions.
pub fn sessions() -> Box<dyn super::Join> {
    Box::<sessions::Sessions>::default()
}

/// Starts the join of signals into calls, and of addresses given away.
pub fn calls() -> Box<dyn super::Join> {
    Box::<calls::Calls>::default()
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

/// Part of the way of a stanza: it is sent, carried between servers, and delivered, and each may be captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Leg {
    /// From a client to its server: here it is sent, once.
    Sent,
    /// Between servers, or a server and a component.
    Between,
    /// From a server to a client.
    Delivered,
    /// Who is the client does not show.
    #[default]
    Unknown,
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
    /// What it is for, as its children tell.
    pub meaning: Meanings,
    /// Which part of its way this is.
    pub leg: Leg,
    /// Address of out-of-band data (XEP-0066) that it names.
    pub oob: Option<&'a str>,
}

impl<'a> Stanza<'a> {
    /// Namespaces of the direct children.
    pub fn namespaces(&self) -> impl Iterator<Item = &'a str> {
        let mut rest = Some(self.children).filter(|children| !children.is_empty());
        std::iter::from_fn(move || {
            let all = rest.take()?;
            let end = all.bytes().position(|byte| byte == b' ').unwrap_or(all.len());
            rest = all.get(end + 1..);
            all.get(..end)
        })
    }
}
