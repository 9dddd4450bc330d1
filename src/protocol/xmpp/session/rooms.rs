//! Passwords of rooms: said on entering (XEP-0045, 7.2.5), set by the owner (10), handed on with invitations (7.8,
//! XEP-0249), kept in bookmarks (XEP-0048, XEP-0402). They are told as logins are, with the room's JID.

use super::Session;
use crate::evidence::Seen;
use crate::protocol::Sink;
use crate::protocol::xmpp::element::{Element, each_event, push_text};
use crate::protocol::xmpp::login::{Attempt, BOOKMARK, Exchange, ROOM};
use crate::protocol::xmpp::meaning::{Meaning, Meanings};
use crate::protocol::xmpp::names::{MAX_KEPT, kept, normalized};
use crate::protocol::xmpp::offer::attribute;
use crate::protocol::xmpp::{Disclosure, Outcome, StanzaKind, jid};
use memchr::memmem;
use quick_xml::events::Event;
use std::borrow::Cow;

/// Longest stanza that is looked into.
const MAX_SECRET: usize = 64 << 10;
/// Rooms whose passwords are known to have been told: bookmarks come again and again.
const MAX_TOLD: usize = 64;

/// The stanza in which a password may stand.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// Message, presence or iq.
    pub kind: StanzaKind,
    /// `type` as sent.
    pub stanza_type: Option<&'a str>,
    /// Sender.
    pub from: Option<&'a str>,
    /// Addressee.
    pub to: Option<&'a str>,
    /// `id` as sent.
    pub id: Option<&'a str>,
    /// What it is for.
    pub meaning: Meanings,
}

/// Rooms with their passwords.
pub(super) type Told = Vec<(Box<str>, Box<str>)>;

/// Whether a stanza may hold the password of a room.
pub(super) fn concerns(meaning: Meanings) -> bool {
    [Meaning::MucJoin, Meaning::MucOwner, Meaning::MucInvite, Meaning::Bookmarks]
        .into_iter()
        .any(|room| meaning.contains(room))
}

impl Session {
    /// Tells the passwords of rooms in a stanza, but not those that the stream has told before, and whether a room
    /// took one.
    pub(super) fn on_room(&mut self, around: Around<'_>, element: &Element<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        let answers = around.kind == StanzaKind::Presence && self.is_from_client(seen.direction) == Some(false);
        if answers && let Some(attempt) = around.from.and_then(|from| self.logins.take_room(from)) {
            let outcome = if around.stanza_type == Some("error") { Outcome::Failure } else { Outcome::Success };
            self.end_login(attempt, outcome, seen.last, seen, sink);
        }
        let xml = element.inner();
        let has = |what: &[u8]| memmem::find(xml.as_bytes(), what).is_some();
        let is_error = around.stanza_type == Some("error");
        if is_error || !(has(b"password") || has(b"roomsecret")) || !concerns(around.meaning) {
            return;
        }
        if xml.len() > MAX_SECRET {
            sink.skipped("xmpp.limit", seen.last);
            return;
        }
        let enters = around.kind == StanzaKind::Presence;
        let from_client = self.is_from_client(seen.direction) == Some(true);
        let mechanism = if around.meaning.contains(Meaning::Bookmarks) { BOOKMARK } else { ROOM };
        // The room itself hands on what it was told, and shows its owner what he set.
        let party = if from_client || enters { around.to } else { around.from };
        for (room, password) in passwords(xml) {
            let Some(room) = kept(room.as_deref().or(party).map(|room| Cow::Borrowed(jid::bare(room)))) else {
                continue;
            };
            let known = (room.clone(), Box::from(password.as_str()));
            if !enters {
                if self.rooms.contains(&known) {
                    continue;
                }
                if self.rooms.len() >= MAX_TOLD {
                    self.rooms.remove(0);
                }
            }
            self.rooms.push(known);
            let exchange = match (enters, around.stanza_type, around.id) {
                (true, ..) => around.to.filter(|to| to.len() <= MAX_KEPT).map(|to| Exchange::Room(to.into())),
                (false, Some("set"), Some(id)) if from_client => Some(Exchange::Iq(id.into())),
                _ => None,
            };
            let waits = exchange.is_some();
            let exchange = exchange.unwrap_or_else(|| Exchange::Room(room.clone()));
            let mut attempt = Attempt::new(exchange, mechanism, seen.first, seen.last);
            attempt.jid = Some(room.into());
            attempt.disclosure = Disclosure::Password(password);
            if waits {
                self.begin_login(attempt, seen, sink);
            } else {
                self.tell_login(attempt, Outcome::Unknown, seen, sink);
            }
        }
    }
}

/// Rooms, where they stand with it, and passwords.
fn passwords(xml: &str) -> Vec<(Option<String>, String)> {
    let mut found = Vec::new();
    let (mut room, mut item, mut text) = (None::<String>, None::<String>, None::<String>);
    let mut is_secret = false;
    each_event(xml, |event| match &event {
        Event::Start(tag) => {
            let room_of = |name| attribute(tag, name).map(|jid| normalized(&jid).into_owned());
            match tag.local_name().as_ref() {
                // The item of a bookmark (XEP-0402) has the room's JID for an id.
                "item" => item = room_of("id").filter(|id| id.contains('@')),
                "conference" => room = room_of("jid").or(item.take()),
                "x" => {
                    if let (Some(room), Some(password)) = (room_of("jid"), attribute(tag, "password")) {
                        found.push((Some(room), password));
                    }
                }
                "field" => is_secret = attribute(tag, "var").as_deref() == Some("muc#roomconfig_roomsecret"),
                "password" => text = Some(String::new()),
                "value" if is_secret => text = Some(String::new()),
                _ => {}
            }
        }
        Event::End(tag) => match tag.local_name().as_ref() {
            "password" | "value" => found.extend(text.take().map(|text| (room.clone(), text))),
            "conference" => room = None,
            "field" => is_secret = false,
            _ => {}
        },
        event => {
            if let Some(text) = &mut text {
                push_text(text, event);
            }
        }
    });
    found.retain(|(_, password)| !password.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(xml: &str) -> Vec<(String, String)> {
        passwords(xml).into_iter().map(|(room, password)| (room.unwrap_or_default(), password)).collect()
    }

    fn pair(room: &str, password: &str) -> (String, String) {
        (room.to_owned(), password.to_owned())
    }

    #[test]
    fn every_place_of_a_rooms_password_is_known() {
        assert_eq!(told("<x xmlns='muc'><password>a&amp;b</password></x>"), [pair("", "a&b")]);
        assert_eq!(told("<x xmlns='jabber:x:conference' jid='R@c.x' password='p'/>"), [pair("r@c.x", "p")]);
        assert_eq!(
            told("<pubsub><item id='r@c.x'><conference name='r'><password>p</password></conference></item></pubsub>"),
            [pair("r@c.x", "p")]
        );
        assert_eq!(
            told(
                "<storage><conference jid='a@c.x'/><conference jid='b@c.x'><password>p</password></conference></storage>"
            ),
            [pair("b@c.x", "p")]
        );
        assert_eq!(
            told(
                "<x><field var='muc#roomconfig_roomname'><value>n</value></field>\
                  <field var='muc#roomconfig_roomsecret'><value>p</value></field></x>"
            ),
            [pair("", "p")]
        );
        assert_eq!(told("<x xmlns='muc'><password/></x><value>v</value>"), []);
    }
}
