//! What a stanza is for, told by the namespaces of its children in the pass that reads them anyway: nothing is copied,
//! and only pubsub and references are looked into.
//!
//! In: a child's namespace and name. Out: a set of [`Meaning`]s. Namespaces are those of the XMPP registrar and of the
//! XEPs named beside them, with the older ones that clients still send.

mod namespaces;

use super::StanzaKind;
use super::element::{Child, split_name};
use memchr::memmem;
use namespaces::of_namespace;

macro_rules! meanings {
    ($($variant:ident = $name:literal, $what:literal;)*) => {
        /// One thing that a stanza is for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Meaning { $(#[doc = $what] $variant),* }

        impl Meaning {
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Name in the table of stanzas.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

meanings! {
    Encrypted = "encrypted", "A payload that only its receiver can read.";
    Omemo = "omemo", "OMEMO (XEP-0384): a message, keys or devices.";
    OpenPgp = "openpgp", "OpenPGP (XEP-0373, XEP-0027).";
    Otr = "otr", "Off-the-Record Messaging (XEP-0364).";
    Smime = "smime", "S/MIME (RFC 3923).";
    Signed = "signed", "An OpenPGP signature.";
    MucGroupchat = "muc-groupchat", "Said in a room.";
    MucJoin = "muc-join", "Enters a room.";
    MucUser = "muc-user", "A room tells of its occupants.";
    MucInvite = "muc-invite", "An invitation to a room.";
    MucAdmin = "muc-admin", "Affiliations and roles in a room.";
    MucOwner = "muc-owner", "Configuration of a room.";
    Mix = "mix", "MIX channels (XEP-0369).";
    CarbonSent = "carbon-sent", "A copy of what another client of the account sent (XEP-0280).";
    CarbonReceived = "carbon-received", "A copy of what another client of the account received.";
    Carbons = "carbons", "Copies are switched on or off.";
    Forwarded = "forwarded", "A stanza inside another (XEP-0297).";
    MamResult = "mam-result", "A message of the archive (XEP-0313).";
    Mam = "mam", "The archive is asked, or has answered.";
    Delayed = "delayed", "Delivered later than sent (XEP-0203).";
    ReceiptRequest = "receipt-request", "Asks for a receipt (XEP-0184).";
    Receipt = "receipt", "A receipt.";
    Marker = "marker", "Chat markers (XEP-0333).";
    ChatState = "chat-state", "Typing, paused and so on (XEP-0085).";
    Correction = "correction", "Replaces an earlier message (XEP-0308).";
    Retraction = "retraction", "Takes an earlier message back (XEP-0424, XEP-0425).";
    Reaction = "reaction", "Reacts to a message (XEP-0444).";
    Reply = "reply", "Answers a message (XEP-0461).";
    Attention = "attention", "Wants attention (XEP-0224).";
    Xhtml = "xhtml", "Formatted text (XEP-0071).";
    Form = "form", "A data form (XEP-0004).";
    Captcha = "captcha", "A challenge against robots (XEP-0158).";
    PubsubPublish = "pubsub-publish", "Publishes an item (XEP-0060, XEP-0163).";
    PubsubEvent = "pubsub-event", "Notifies of an item.";
    PubsubOwner = "pubsub-owner", "Manages a node.";
    Pubsub = "pubsub", "Any other use of pubsub.";
    Vcard = "vcard", "A card (XEP-0054, XEP-0292).";
    VcardUpdate = "vcard-update", "The hash of a card's photo (XEP-0153).";
    Avatar = "avatar", "A picture of the account (XEP-0084).";
    Bookmarks = "bookmarks", "Bookmarked rooms (XEP-0048, XEP-0402).";
    Geoloc = "geoloc", "Where the user is (XEP-0080).";
    Roster = "roster", "The contact list (RFC 6121).";
    RosterPush = "roster-push", "A change of the contact list, told by the server.";
    RosterExchange = "roster-exchange", "Contacts are suggested (XEP-0144).";
    Subscription = "subscription", "Presence is asked for, given or refused.";
    Probe = "probe", "A server asks for presence.";
    DiscoInfo = "disco-info", "What an entity can do (XEP-0030).";
    DiscoItems = "disco-items", "What belongs to an entity.";
    Caps = "caps", "The client's abilities as a hash (XEP-0115, XEP-0390).";
    Version = "version", "Software and its version (XEP-0092).";
    Last = "last", "Last activity (XEP-0012).";
    Time = "time", "The entity's clock (XEP-0202).";
    Adhoc = "adhoc", "An ad-hoc command (XEP-0050).";
    Announce = "announce", "An announcement to all users (ejabberd's and others' `announce/`).";
    HttpUpload = "http-upload", "A slot for an upload (XEP-0363).";
    Jingle = "jingle", "A session between two clients (XEP-0166).";
    JingleMessage = "jingle-message", "A call is proposed or taken (XEP-0353).";
    Ibb = "ibb", "Bytes in stanzas (XEP-0047).";
    Socks5 = "socks5", "A SOCKS5 bytestream (XEP-0065).";
    Si = "si", "A stream is offered (XEP-0095).";
    Oob = "oob", "A link beside the text (XEP-0066).";
    Sims = "sims", "A shared file (XEP-0385).";
    Sfs = "sfs", "A shared file (XEP-0447, XEP-0448).";
    Bob = "bob", "Bits of binary (XEP-0231).";
    ExternalServices = "external-services", "Addresses of STUN and TURN servers (XEP-0215).";
    Ping = "ping", "Is anybody there (XEP-0199).";
    Register = "register", "An account is made, changed or removed (XEP-0077).";
    Login = "login", "Login without SASL (XEP-0078).";
    Bind = "bind", "A resource is bound.";
    Session = "session", "A session is begun (RFC 3921).";
    Private = "private", "Data kept at the server (XEP-0049).";
    Block = "block", "Somebody is blocked, or no longer (XEP-0191).";
    Privacy = "privacy", "Privacy lists (XEP-0016).";
    Report = "report", "Spam or abuse is reported (XEP-0377).";
    Push = "push", "Notifications to a telephone (XEP-0357).";
    Search = "search", "Users are searched (XEP-0055).";
    Gateway = "gateway", "An address in another network (XEP-0100).";
    Rpc = "rpc", "A remote procedure is called (XEP-0009).";
    Offline = "offline", "Stored messages (XEP-0013).";
}

// The set is one word of 128 bits.
const _: () = assert!(Meaning::ALL.len() <= 128);

/// The stanza around a child.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    /// Message, presence or iq.
    pub kind: StanzaKind,
    /// `type` as sent.
    pub stanza_type: Option<&'a str>,
    /// Whether a client says it; `None` where that is not known.
    pub from_client: Option<bool>,
}

/// All that a stanza is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meanings(u128);

impl Meanings {
    /// Adds a meaning.
    pub fn insert(&mut self, meaning: Meaning) {
        self.0 |= 1 << meaning as u32;
    }

    /// `true` if this is among them.
    pub fn contains(self, meaning: Meaning) -> bool {
        self.0 & (1 << meaning as u32) != 0
    }

    /// The meanings, always in the same order.
    pub fn iter(self) -> impl Iterator<Item = Meaning> {
        Meaning::ALL.iter().copied().filter(move |meaning| self.contains(*meaning))
    }

    /// The name of the only meaning; `None` if there is none, or more than one.
    pub fn only(self) -> Option<&'static str> {
        let only = self.0.is_power_of_two().then(|| self.0.trailing_zeros() as usize)?;
        Meaning::ALL.get(only).map(|meaning| meaning.name())
    }

    /// `true` if nothing tells what it is for.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The stanza is a copy of another: a carbon, or of an archive.
    pub fn is_copy(self) -> bool {
        [Meaning::CarbonSent, Meaning::CarbonReceived, Meaning::MamResult].into_iter().any(|copy| self.contains(copy))
    }

    /// Adds what the stanza's own attributes tell.
    pub(super) fn add_head(&mut self, around: Around<'_>, to: Option<&str>) {
        let kind = around.kind;
        match (kind, around.stanza_type) {
            (StanzaKind::Message, Some("groupchat")) => self.insert(Meaning::MucGroupchat),
            (StanzaKind::Presence, Some("subscribe" | "subscribed" | "unsubscribe" | "unsubscribed")) => {
                self.insert(Meaning::Subscription);
            }
            (StanzaKind::Presence, Some("probe")) => self.insert(Meaning::Probe),
            _ => {}
        }
        if kind == StanzaKind::Message && to.is_some_and(is_announcement) {
            self.insert(Meaning::Announce);
        }
    }

    /// Adds what a text tells: OTR has no elements of its own.
    pub(super) fn add_body(&mut self, body: &str) {
        if body.starts_with("?OTR") {
            self.insert(Meaning::Otr);
            if body.starts_with("?OTR:") {
                self.insert(Meaning::Encrypted);
            }
        }
    }

    /// Adds what a direct child in a namespace tells.
    pub(super) fn add_child(&mut self, namespace: &str, child: &Child<'_>, around: Around<'_>) {
        let Some(meaning) = of_namespace(namespace) else { return };
        let Around { kind, stanza_type, from_client } = around;
        let local = split_name(child.tag.name()).1;
        let meaning = match (meaning, local) {
            (Meaning::Omemo | Meaning::OpenPgp | Meaning::Smime, _) if kind == StanzaKind::Message => {
                self.insert(Meaning::Encrypted);
                meaning
            }
            (Meaning::MucUser, _) if kind == StanzaKind::Message && has(child.inner, b"<invite") => Meaning::MucInvite,
            (Meaning::Carbons, "sent") => self.copy(Meaning::CarbonSent, child),
            (Meaning::Carbons, "received") => self.copy(Meaning::CarbonReceived, child),
            (Meaning::Mam, "result") => self.copy(Meaning::MamResult, child),
            (Meaning::Forwarded, _) => self.copy(Meaning::Forwarded, child),
            // Only where the message lies in the archive.
            (Meaning::Mam, "archived") => return,
            (Meaning::Receipt, "request") => Meaning::ReceiptRequest,
            (Meaning::Marker, "markable") => Meaning::ReceiptRequest,
            (Meaning::Roster, _) if stanza_type == Some("set") && from_client == Some(false) => Meaning::RosterPush,
            (Meaning::Pubsub | Meaning::PubsubEvent | Meaning::PubsubOwner, _) => {
                self.add_payload(child.inner);
                let publishes = meaning == Meaning::Pubsub && has(child.inner, b"<publish ");
                if publishes { Meaning::PubsubPublish } else { meaning }
            }
            (Meaning::Sims, "reference") if !has(child.inner, b"urn:xmpp:sims:") => return,
            (Meaning::Private, _) if has(child.inner, b"storage:bookmarks") => Meaning::Bookmarks,
            (meaning, _) => meaning,
        };
        self.insert(meaning);
    }

    /// A copy of another stanza: whether what was copied can be read.
    fn copy(&mut self, meaning: Meaning, child: &Child<'_>) -> Meaning {
        const PAYLOADS: &[(&[u8], Meaning)] = &[
            (b"eu.siacs.conversations.axolotl", Meaning::Omemo),
            (b"urn:xmpp:omemo:", Meaning::Omemo),
            (b"urn:xmpp:openpgp:", Meaning::OpenPgp),
            (b"jabber:x:encrypted", Meaning::OpenPgp),
            (b">?OTR:", Meaning::Otr),
        ];
        for (mark, payload) in PAYLOADS {
            if has(child.inner, mark) {
                self.insert(*payload);
                self.insert(Meaning::Encrypted);
            }
        }
        meaning
    }

    /// What a pubsub item or node is of.
    fn add_payload(&mut self, inner: &str) {
        const PAYLOADS: &[(&[u8], Meaning)] = &[
            (b"urn:xmpp:avatar:", Meaning::Avatar),
            (b"axolotl", Meaning::Omemo),
            (b"urn:xmpp:omemo:", Meaning::Omemo),
            (b"urn:xmpp:openpgp:", Meaning::OpenPgp),
            (b"/geoloc", Meaning::Geoloc),
            (b"bookmarks", Meaning::Bookmarks),
            (b"vcard", Meaning::Vcard),
        ];
        // The node's name stands in the first tag.
        let head = inner.as_bytes().get(..MAX_NODE).unwrap_or(inner.as_bytes());
        for (name, meaning) in PAYLOADS {
            if memmem::find(head, name).is_some() {
                self.insert(*meaning);
            }
        }
    }
}

impl std::fmt::Display for Meanings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut left = self.0;
        while left != 0 {
            let next = left.trailing_zeros();
            left &= left - 1;
            let name = Meaning::ALL.get(next as usize).map_or("", |meaning| meaning.name());
            f.write_str(name)?;
            if left != 0 {
                f.write_str(" ")?;
            }
        }
        Ok(())
    }
}

/// Bytes of a pubsub element in which its node is looked for.
const MAX_NODE: usize = 160;

fn has(inner: &str, what: &[u8]) -> bool {
    memmem::find(inner.as_bytes(), what).is_some()
}

/// `domain/announce/…`: what mod_announce of ejabberd, jabberd and others takes as an order to tell all users.
pub(super) fn is_announcement(to: &str) -> bool {
    to.split_once('/').is_some_and(|(domain, resource)| !domain.contains('@') && resource.starts_with("announce/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_shows_its_names_in_one_order() {
        let mut meanings = Meanings::default();
        assert_eq!(meanings.to_string(), "");
        for meaning in [Meaning::Offline, Meaning::Receipt, Meaning::Omemo, Meaning::Encrypted] {
            meanings.insert(meaning);
        }
        assert_eq!(meanings.to_string(), "encrypted omemo receipt offline");
        assert_eq!((meanings.iter().count(), meanings.only()), (4, None));
        let mut one = Meanings::default();
        one.insert(Meaning::Ping);
        assert_eq!((one.only(), one.is_empty(), Meanings::default().only()), (Some("ping"), false, None));
    }

    #[test]
    fn announcements_go_to_a_server() {
        assert!(is_announcement("x.test/announce/all-hosts/online"));
        assert!(!is_announcement("a@x.test/announce/online"));
        assert!(!is_announcement("x.test/announced"));
    }
}
