//! Namespaces of the XMPP registrar and of XEPs, with the older ones that clients still send.

use super::Meaning;

/// What a child in this namespace is for.
pub(super) fn of_namespace(namespace: &str) -> Option<Meaning> {
    let key = (namespace.len(), namespace);
    let place = NAMESPACES.binary_search_by(|(known, _)| (known.len(), *known).cmp(&key)).ok()?;
    NAMESPACES.get(place).map(|(_, meaning)| *meaning)
}

/// By length and then by name: most of a search compares lengths alone.
const NAMESPACES: &[(&str, Meaning)] = &[
    ("vcard-temp", Meaning::Vcard),
    ("jabber:x:oob", Meaning::Oob),
    ("urn:xmpp:bob", Meaning::Bob),
    ("jabber:iq:oob", Meaning::Oob),
    ("jabber:iq:rpc", Meaning::Rpc),
    ("jabber:x:data", Meaning::Form),
    ("urn:xmpp:caps", Meaning::Caps),
    ("urn:xmpp:ping", Meaning::Ping),
    ("urn:xmpp:time", Meaning::Time),
    ("jabber:iq:auth", Meaning::Login),
    ("jabber:iq:last", Meaning::Last),
    ("jabber:iq:time", Meaning::Time),
    ("jabber:x:delay", Meaning::Delayed),
    ("jabber:x:event", Meaning::ChatState),
    ("urn:xmpp:delay", Meaning::Delayed),
    ("urn:xmpp:eme:0", Meaning::Encrypted),
    ("urn:xmpp:mam:0", Meaning::Mam),
    ("urn:xmpp:mam:1", Meaning::Mam),
    ("urn:xmpp:mam:2", Meaning::Mam),
    ("urn:xmpp:otr:0", Meaning::Otr),
    ("urn:xmpp:sfs:0", Meaning::Sfs),
    ("jabber:x:avatar", Meaning::Avatar),
    ("jabber:x:roster", Meaning::RosterExchange),
    ("jabber:x:signed", Meaning::Signed),
    ("urn:xmpp:esfs:0", Meaning::Sfs),
    ("urn:xmpp:push:0", Meaning::Push),
    ("urn:xmpp:sims:1", Meaning::Sims),
    ("jabber:iq:agents", Meaning::DiscoItems),
    ("jabber:iq:avatar", Meaning::Avatar),
    ("jabber:iq:browse", Meaning::DiscoItems),
    ("jabber:iq:roster", Meaning::Roster),
    ("jabber:iq:search", Meaning::Search),
    ("urn:xmpp:archive", Meaning::Mam),
    ("urn:xmpp:captcha", Meaning::Captcha),
    ("urn:xmpp:mam:tmp", Meaning::Mam),
    ("urn:xmpp:omemo:0", Meaning::Omemo),
    ("urn:xmpp:omemo:1", Meaning::Omemo),
    ("urn:xmpp:omemo:2", Meaning::Omemo),
    ("urn:xmpp:reply:0", Meaning::Reply),
    ("google:jingleinfo", Meaning::ExternalServices),
    ("jabber:iq:gateway", Meaning::Gateway),
    ("jabber:iq:privacy", Meaning::Privacy),
    ("jabber:iq:private", Meaning::Private),
    ("jabber:iq:version", Meaning::Version),
    ("urn:xmpp:blocking", Meaning::Block),
    ("urn:xmpp:jingle:0", Meaning::Jingle),
    ("urn:xmpp:jingle:1", Meaning::Jingle),
    ("urn:xmpp:receipts", Meaning::Receipt),
    ("jabber:iq:register", Meaning::Register),
    ("jabber:x:encrypted", Meaning::OpenPgp),
    ("urn:xmpp:carbons:1", Meaning::Carbons),
    ("urn:xmpp:carbons:2", Meaning::Carbons),
    ("urn:xmpp:forward:0", Meaning::Forwarded),
    ("urn:xmpp:mix:pam:2", Meaning::Mix),
    ("urn:xmpp:openpgp:0", Meaning::OpenPgp),
    ("jabber:x:conference", Meaning::MucInvite),
    ("urn:xmpp:extdisco:1", Meaning::ExternalServices),
    ("urn:xmpp:extdisco:2", Meaning::ExternalServices),
    ("urn:xmpp:mix:core:0", Meaning::Mix),
    ("urn:xmpp:mix:core:1", Meaning::Mix),
    ("vcard-temp:x:update", Meaning::VcardUpdate),
    ("urn:xmpp:attention:0", Meaning::Attention),
    ("urn:xmpp:http:upload", Meaning::HttpUpload),
    ("urn:xmpp:reactions:0", Meaning::Reaction),
    ("urn:xmpp:reference:0", Meaning::Sims),
    ("urn:xmpp:reporting:0", Meaning::Report),
    ("urn:xmpp:reporting:1", Meaning::Report),
    ("urn:xmpp:http:upload:0", Meaning::HttpUpload),
    ("urn:xmpp:chat-markers:0", Meaning::Marker),
    ("urn:xmpp:jingle-message:0", Meaning::JingleMessage),
    ("urn:xmpp:jingle-message:1", Meaning::JingleMessage),
    ("urn:xmpp:message-correct:0", Meaning::Correction),
    ("urn:xmpp:message-retract:0", Meaning::Retraction),
    ("urn:xmpp:message-retract:1", Meaning::Retraction),
    ("urn:xmpp:message-moderate:0", Meaning::Retraction),
    ("urn:xmpp:message-moderate:1", Meaning::Retraction),
    ("http://jabber.org/protocol/si", Meaning::Si),
    ("http://www.google.com/session", Meaning::Jingle),
    ("eu.siacs.conversations.axolotl", Meaning::Omemo),
    ("http://jabber.org/protocol/ibb", Meaning::Ibb),
    ("http://jabber.org/protocol/muc", Meaning::MucJoin),
    ("http://jabber.org/protocol/caps", Meaning::Caps),
    ("urn:ietf:params:xml:ns:xmpp-e2e", Meaning::Smime),
    ("urn:ietf:params:xml:ns:vcard-4.0", Meaning::Vcard),
    ("urn:ietf:params:xml:ns:xmpp-bind", Meaning::Bind),
    ("http://jabber.org/protocol/pubsub", Meaning::Pubsub),
    ("eu:siacs:conversations:http:upload", Meaning::HttpUpload),
    ("http://jabber.org/protocol/offline", Meaning::Offline),
    ("http://jabber.org/protocol/rosterx", Meaning::RosterExchange),
    ("http://jabber.org/protocol/commands", Meaning::Adhoc),
    ("http://jabber.org/protocol/muc#user", Meaning::MucUser),
    ("http://jabber.org/protocol/xhtml-im", Meaning::Xhtml),
    ("urn:ietf:params:xml:ns:xmpp-session", Meaning::Session),
    ("http://jabber.org/protocol/muc#admin", Meaning::MucAdmin),
    ("http://jabber.org/protocol/muc#owner", Meaning::MucOwner),
    ("http://jabber.org/protocol/chatstates", Meaning::ChatState),
    ("http://jabber.org/protocol/disco#info", Meaning::DiscoInfo),
    ("http://jabber.org/protocol/bytestreams", Meaning::Socks5),
    ("http://jabber.org/protocol/disco#items", Meaning::DiscoItems),
    ("http://jabber.org/protocol/jinglenodes", Meaning::ExternalServices),
    ("http://jabber.org/protocol/pubsub#event", Meaning::PubsubEvent),
    ("http://jabber.org/protocol/pubsub#owner", Meaning::PubsubOwner),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_namespace_is_found() {
        assert!(NAMESPACES.is_sorted_by(|(a, _), (b, _)| (a.len(), a) < (b.len(), b)));
        for (namespace, meaning) in NAMESPACES {
            assert_eq!(of_namespace(namespace), Some(*meaning));
        }
        assert_eq!(of_namespace("urn:xmpp:sid:0"), None);
    }
}
