//! Namespaces: names of those that matter, and what prefixes a stream's header binds.

use super::element::{TagView, split_name};

pub(super) const STREAMS: &str = "http://etherx.jabber.org/streams";
pub(super) const CLIENT: &str = "jabber:client";
pub(super) const SERVER: &str = "jabber:server";
pub(super) const COMPONENT: &str = "jabber:component:accept";
pub(super) const DIALBACK: &str = "jabber:server:dialback";
pub(super) const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
pub(super) const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
pub(super) const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
pub(super) const COMPRESS: &str = "http://jabber.org/protocol/compress";
/// What stands for the stream's header and end over WebSocket (RFC 7395).
pub(super) const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
pub(super) const IQ_AUTH: &str = "jabber:iq:auth";
pub(super) const IQ_REGISTER: &str = "jabber:iq:register";
pub(super) const IBB: &str = "http://jabber.org/protocol/ibb";
pub(super) const SI: &str = "http://jabber.org/protocol/si";
pub(super) const IQ_AUTH_FEATURE: &str = "http://jabber.org/features/iq-auth";
pub(super) const DIALBACK_FEATURE: &str = "urn:xmpp:features:dialback";
pub(super) const OOB: &str = "jabber:x:oob";
pub(super) const OOB_IQ: &str = "jabber:iq:oob";
pub(super) const JINGLE: &str = "urn:xmpp:jingle:1";
pub(super) const COMMANDS: &str = "http://jabber.org/protocol/commands";
pub(super) const JINGLE_MESSAGE: &str = "urn:xmpp:jingle-message:0";
pub(super) const EXTERNAL_SERVICES: &[&str] = &["urn:xmpp:extdisco:2", "urn:xmpp:extdisco:1", "google:jingleinfo"];
pub(super) const VERSION: &str = "jabber:iq:version";
pub(super) const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
pub(super) const CAPS: &str = "http://jabber.org/protocol/caps";
pub(super) const SASL2: &str = "urn:xmpp:sasl:2";
pub(super) const BIND2: &str = "urn:xmpp:bind:0";
pub(super) const FAST: &str = "urn:xmpp:fast:0";
/// Beginning of those of stream management, whatever the version.
pub(super) const MANAGEMENT: &str = "urn:xmpp:sm:";
pub(super) const BIDI: &str = "urn:xmpp:bidi";

/// Prefixes kept of one header. Real ones bind two.
const MAX_PREFIXES: usize = 16;

/// Longest declaration that is kept.
const MAX_BINDING: usize = 1024;

/// What a stream's header binds, for all that stands under it.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    /// A header was seen: what it does not bind is not bound.
    pub known: bool,
    /// The default namespace, where it is not one of those that stanzas are in.
    default: Option<Box<str>>,
    /// Prefixes other than the usual `stream` and `db`.
    prefixes: Vec<(Box<str>, Box<str>)>,
}

impl Bindings {
    /// Reads a header.
    pub fn read(header: &TagView<'_>) -> Self {
        let mut bindings = Self { known: true, ..Self::default() };
        for (name, value) in header.attributes() {
            if name == "xmlns" {
                let value = value.get(..MAX_BINDING).unwrap_or(value);
                bindings.default = (!is_stanza_namespace(value)).then(|| value.into());
            } else if let Some(prefix) = name.strip_prefix("xmlns:")
                && !matches!((prefix, value), ("stream", STREAMS) | ("db", DIALBACK))
                && bindings.prefixes.len() < MAX_PREFIXES
                && name.len() + value.len() <= MAX_BINDING
            {
                bindings.prefixes.push((prefix.into(), value.into()));
            }
        }
        bindings
    }

    /// What holds over WebSocket, where each message declares its namespaces itself.
    pub fn of_framing() -> Self {
        Self { known: true, ..Self::default() }
    }

    /// The namespace of an element without prefix that declares this one, or none.
    pub fn without_prefix<'a>(&'a self, declared: Option<&'a str>) -> Namespace<'a> {
        match declared.or(self.default.as_deref()) {
            Some(namespace) => Namespace::of(namespace),
            None => Namespace::Stanza,
        }
    }

    /// The namespace of a child of `around`, where names without prefix are in `inherited`; for an element directly
    /// under the stream `around` is the element itself.
    pub fn resolve<'a>(&'a self, tag: &TagView<'a>, around: &TagView<'a>, inherited: Namespace<'a>) -> Namespace<'a> {
        let (prefix, _) = split_name(tag.name());
        if prefix.is_empty() {
            return tag.attribute("xmlns").map_or(inherited, Namespace::of);
        }
        let declared = |tag: &TagView<'a>| {
            tag.attributes().find(|(name, _)| name.strip_prefix("xmlns:") == Some(prefix)).map(|(_, value)| value)
        };
        let header = || self.prefixes.iter().find(|(bound, _)| **bound == *prefix).map(|(_, namespace)| &**namespace);
        match declared(tag).or_else(|| declared(around)).or_else(header) {
            Some(namespace) => Namespace::of(namespace),
            None if prefix == "stream" => Namespace::Named(STREAMS),
            None if prefix == "db" => Namespace::Named(DIALBACK),
            None => Namespace::Unbound,
        }
    }
}

/// The namespace of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace<'a> {
    /// One of those that stanzas are in.
    Stanza,
    /// Another one.
    Named(&'a str),
    /// The prefix is bound nowhere that was seen.
    Unbound,
}

impl<'a> Namespace<'a> {
    fn of(namespace: &'a str) -> Self {
        if is_stanza_namespace(namespace) { Self::Stanza } else { Self::Named(namespace) }
    }
}

fn is_stanza_namespace(namespace: &str) -> bool {
    matches!(namespace, CLIENT | SERVER | COMPONENT)
}
