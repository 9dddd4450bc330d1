//! Files beside bytestreams, as stanzas tell them: upload slots (XEP-0363 and its forerunner), links (XEP-0066,
//! XEP-0385, XEP-0447, plain text), bits of binary (XEP-0231), avatars (XEP-0084, XEP-0153), and the negotiation of
//! SOCKS 5 bytestreams (XEP-0065).
//!
//! In goes every stanza; what its direct children are decides whether it is read at all.

mod links;
#[cfg(test)]
mod tests;

use super::element::{Child, Element, each_event, push_text, split_name, text_of};
use super::ibb::{Taken, decode};
use super::names::{MAX_KEPT, kept, normalized};
use super::offer::attribute;
use super::{
    Candidate, FileLink, InlineFile, InlineKind, SharingEvent, Stanza, StanzaKind, Transport, UploadSlot, XmppEvent,
    jid,
};
use crate::evidence::Seen;
use crate::protocol::content::FileContent;
use crate::protocol::{Event, Sink};
use links::{has_scheme, links_in_text, read_links};
use quick_xml::events::Event as XmlEvent;
use std::collections::VecDeque;

/// Requests for slots that wait for their answers; clients have one or two.
const MAX_REQUESTS: usize = 64;
/// Longest link.
const MAX_URL: usize = 4096;
/// Texts gathered of one element.
const MAX_TEXTS: usize = 32;
/// Hosts told of one offer.
const MAX_HOSTS: usize = 64;
/// PEP node of avatars' bytes.
const AVATAR_DATA: &str = "urn:xmpp:avatar:data";

/// What is remembered of one connection.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    requests: VecDeque<(Box<str>, UploadSlot)>,
    /// Space for decoded bytes.
    bytes: Vec<u8>,
}

/// A direct child that tells of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concern {
    Upload,
    Bytestreams,
    Oob,
    Links,
    Bob,
    PubSub,
    VCard,
    /// Holds a whole stanza.
    Wrapper,
}

fn concern_of(namespace: &str) -> Option<Concern> {
    match namespace {
        "urn:xmpp:http:upload" | "urn:xmpp:http:upload:0" | "eu:siacs:conversations:http:upload" => {
            Some(Concern::Upload)
        }
        "http://jabber.org/protocol/bytestreams" => Some(Concern::Bytestreams),
        "jabber:x:oob" | "jabber:iq:oob" => Some(Concern::Oob),
        "urn:xmpp:reference:0" | "urn:xmpp:sfs:0" => Some(Concern::Links),
        "urn:xmpp:bob" => Some(Concern::Bob),
        "http://jabber.org/protocol/pubsub" | "http://jabber.org/protocol/pubsub#event" => Some(Concern::PubSub),
        "vcard-temp" => Some(Concern::VCard),
        "urn:xmpp:carbons:2" | "urn:xmpp:forward:0" | "urn:xmpp:mam:2" | "urn:xmpp:mam:1" | "urn:xmpp:mam:0" => {
            Some(Concern::Wrapper)
        }
        _ => None,
    }
}

/// Where what a stanza tells goes.
struct Desk<'a> {
    stanza: &'a Stanza<'a>,
    seen: &'a Seen<'a>,
    sink: &'a mut dyn Sink,
}

impl Desk<'_> {
    fn tell(&mut self, event: SharingEvent) {
        self.sink.event(self.seen, Event::Xmpp(XmppEvent::Sharing(Box::new(event))));
    }

    fn from(&self) -> Option<String> {
        self.stanza.from.map(str::to_owned)
    }

    fn to(&self) -> Option<String> {
        self.stanza.to.map(str::to_owned)
    }

    fn id(&self) -> Option<String> {
        self.stanza.id.filter(|id| id.len() <= MAX_KEPT).map(str::to_owned)
    }

    fn is(&self, stanza_type: &str) -> bool {
        self.stanza.stanza_type == Some(stanza_type)
    }
}

impl Sharing {
    /// Reads a stanza, if it tells of files.
    pub fn on_stanza(&mut self, stanza: &Stanza<'_>, element: &Element<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        let mut desk = Desk { stanza, seen, sink };
        if desk.is("error") {
            if let Some(id) = stanza.id {
                self.requests.retain(|(request, _)| **request != *id);
            }
            return;
        }
        let has_link = stanza.body.is_some_and(has_scheme);
        let concerned = stanza.namespaces().any(|namespace| concern_of(namespace).is_some());
        if !has_link && !concerned {
            return;
        }
        let mut told = Vec::new();
        if concerned {
            for child in element.children() {
                let own = child.tag.attributes().find(|(name, _)| name.split(':').next() == Some("xmlns"));
                if let Some(concern) = own.and_then(|(_, namespace)| concern_of(namespace)) {
                    self.on_child(concern, &child, &mut desk, &mut told);
                }
            }
        }
        if let Some(body) = stanza.body.filter(|_| has_link) {
            links_in_text(body, &desk.from(), &desk.to(), &mut told);
        }
        told.into_iter().for_each(|link| desk.tell(SharingEvent::Link(link)));
    }

    fn on_child(&mut self, concern: Concern, child: &Child<'_>, desk: &mut Desk<'_>, links: &mut Vec<FileLink>) {
        let is_iq = desk.stanza.kind == StanzaKind::Iq;
        match concern {
            Concern::Upload => self.on_upload(child, desk),
            Concern::Bytestreams if is_iq => on_bytestreams(child, desk),
            Concern::Oob | Concern::Links | Concern::Wrapper => {
                read_links(child.whole, desk.from(), desk.to(), links);
            }
            Concern::Bob if split_name(child.tag.name()).1 == "data" => {
                let file = child.tag.value("cid").map(|cid| cid.chars().take(MAX_KEPT).collect());
                let (from, to) = (desk.from(), desk.to());
                self.inline(InlineKind::Bob, file, &text_of(child.inner), from, to, desk);
            }
            Concern::PubSub => self.on_pubsub(child, desk),
            Concern::VCard => self.on_vcard(child, desk),
            Concern::Bytestreams | Concern::Bob => {}
        }
    }

    /// A request for a slot, or the slot.
    fn on_upload(&mut self, child: &Child<'_>, desk: &mut Desk<'_>) {
        let Some(id) = kept(desk.stanza.id.map(Into::into)) else { return };
        match split_name(child.tag.name()).1 {
            "request" if desk.is("get") || desk.is("set") => {
                let mut slot = UploadSlot { requester: desk.from(), ..UploadSlot::default() };
                read_request(child, &mut slot);
                if self.requests.len() >= MAX_REQUESTS {
                    self.requests.pop_front();
                }
                self.requests.push_back((id, slot));
            }
            "slot" if desk.is("result") => {
                let place = self.requests.iter().position(|(request, _)| *request == id);
                let asked = place.and_then(|place| self.requests.remove(place)).map(|(_, slot)| slot);
                let mut slot = asked.unwrap_or_default();
                slot.requester = slot.requester.or(desk.to());
                read_slot(child.whole, &mut slot);
                if !slot.put.is_empty() && slot.put.len() <= MAX_URL && slot.get.len() <= MAX_URL {
                    desk.tell(SharingEvent::Slot(slot));
                }
            }
            _ => {}
        }
    }

    /// The bytes of an avatar, published, pushed or got.
    fn on_pubsub(&mut self, child: &Child<'_>, desk: &mut Desk<'_>) {
        if memchr::memmem::find(child.whole.as_bytes(), AVATAR_DATA.as_bytes()).is_none() {
            return;
        }
        let (mut node, mut item, mut data, mut publishes) = (None, None, None, false);
        let mut reading = false;
        each_event(child.whole, |event| match event {
            XmlEvent::Start(tag) => match tag.local_name().as_ref() {
                "publish" => {
                    publishes = true;
                    node = attribute(&tag, "node");
                }
                "items" => node = attribute(&tag, "node"),
                "item" => item = attribute(&tag, "id"),
                "data" if data.is_none() && node.as_deref() == Some(AVATAR_DATA) => {
                    reading = true;
                    data = Some(String::new());
                }
                _ => {}
            },
            XmlEvent::End(_) => reading = false,
            event => {
                if let Some(text) = data.as_mut().filter(|_| reading) {
                    push_text(text, &event);
                }
            }
        });
        let Some(data) = data else { return };
        let owner = desk.stanza.from.map(|from| jid::bare(from).to_owned());
        let own = owner.as_deref().is_some_and(|owner| desk.stanza.to.map(jid::bare) == Some(owner));
        // What a server pushes to the publisher's own clients went nowhere new.
        if desk.stanza.kind == StanzaKind::Message && own {
            return;
        }
        let to = if publishes { None } else { desk.to() };
        self.inline(InlineKind::Avatar, item, &data, owner, to, desk);
    }

    /// The photo of a vCard, set or got.
    fn on_vcard(&mut self, child: &Child<'_>, desk: &mut Desk<'_>) {
        if memchr::memmem::find(child.inner.as_bytes(), b"BINVAL").is_none() {
            return;
        }
        let (mut in_photo, mut data) = (false, None);
        let mut reading = false;
        each_event(child.inner, |event| match event {
            XmlEvent::Start(tag) => match tag.local_name().as_ref() {
                "PHOTO" => in_photo = true,
                "BINVAL" if in_photo && data.is_none() => {
                    reading = true;
                    data = Some(String::new());
                }
                _ => {}
            },
            XmlEvent::End(tag) => {
                reading = false;
                in_photo &= tag.local_name().as_ref() != "PHOTO";
            }
            event => {
                if let Some(text) = data.as_mut().filter(|_| reading) {
                    push_text(text, &event);
                }
            }
        });
        let Some(data) = data else { return };
        let from = desk.stanza.from.map(|from| if desk.is("set") { jid::bare(from) } else { from }.to_owned());
        let to = if desk.is("set") { None } else { desk.to() };
        self.inline(InlineKind::VcardPhoto, None, &data, from, to, desk);
    }

    fn inline(
        &mut self,
        kind: InlineKind,
        name: Option<String>,
        base64: &str,
        from: Option<String>,
        to: Option<String>,
        desk: &mut Desk<'_>,
    ) {
        if base64.trim_ascii().is_empty() {
            return;
        }
        if decode(base64, &mut self.bytes) != Taken::Yes {
            desk.sink.skipped("xmpp.inline.base64", desk.seen.last);
            return;
        }
        let content = FileContent::of(&self.bytes, desk.sink.spool());
        let id = desk.id();
        desk.tell(SharingEvent::Inline(InlineFile { kind, from, to, id, name, content }));
        // A large one is no reason to hold as much for the life of the connection.
        if self.bytes.capacity() > MAX_SPARE {
            self.bytes = Vec::new();
        }
    }
}

/// Space kept for the next file.
const MAX_SPARE: usize = 64 << 10;

/// Name, size and type: attributes since version 0.3 of XEP-0363, elements before.
fn read_request(child: &Child<'_>, slot: &mut UploadSlot) {
    slot.name = child.tag.value("filename").map(|name| name.chars().take(MAX_KEPT).collect());
    slot.size = child.tag.value("size").and_then(|size| size.trim().parse().ok());
    slot.media_type = child.tag.value("content-type").map(|kind| kind.chars().take(256).collect());
    let mut texts = Texts::default();
    each_event(child.inner, |event| texts.on_event(&event, &["filename", "size", "content-type"]));
    for (name, text) in texts.found {
        match name {
            "filename" => slot.name = Some(text.chars().take(MAX_KEPT).collect()),
            "size" => slot.size = text.trim().parse().ok(),
            _ => slot.media_type = Some(text.chars().take(256).collect()),
        }
    }
}

/// The two addresses: attributes or text.
fn read_slot(xml: &str, slot: &mut UploadSlot) {
    let mut texts = Texts::default();
    each_event(xml, |event| {
        if let XmlEvent::Start(tag) = &event {
            let url = attribute(tag, "url");
            match (tag.local_name().as_ref(), url) {
                ("put", Some(url)) => slot.put = url,
                ("get", Some(url)) => slot.get = url,
                _ => {}
            }
        }
        texts.on_event(&event, &["put", "get"]);
    });
    for (name, text) in texts.found {
        let place = if name == "put" { &mut slot.put } else { &mut slot.get };
        if place.is_empty() {
            *place = text.trim().to_owned();
        }
    }
}

/// Gathers the texts of elements of some names.
#[derive(Default)]
struct Texts {
    open: Option<(&'static str, String)>,
    found: Vec<(&'static str, String)>,
}

impl Texts {
    fn on_event(&mut self, event: &XmlEvent<'_>, names: &[&'static str]) {
        match event {
            XmlEvent::Start(tag) => {
                let local = tag.local_name();
                let name = names.iter().find(|name| **name == local.as_ref());
                self.open = name.map(|name| (*name, String::new()));
            }
            XmlEvent::End(_) => {
                let closed = self.open.take().filter(|(_, text)| !text.is_empty());
                if self.found.len() < MAX_TEXTS {
                    self.found.extend(closed);
                }
            }
            event => {
                if let Some((_, text)) = &mut self.open {
                    push_text(text, event);
                }
            }
        }
    }
}

/// XEP-0065: hosts offered, one chosen, or the proxy told to go on.
fn on_bytestreams(child: &Child<'_>, desk: &mut Desk<'_>) {
    let mut told = Transport {
        kind: "bytestreams".to_owned(),
        sid: child.tag.value("sid").map(|sid| sid.into_owned()),
        dstaddr: child.tag.value("dstaddr").map(|address| address.to_ascii_lowercase()),
        from: desk.from(),
        to: desk.to(),
        ..Transport::default()
    };
    let mut activates = None;
    each_event(child.inner, |event| match event {
        XmlEvent::Start(tag) => match tag.local_name().as_ref() {
            "streamhost" if told.candidates.len() < MAX_HOSTS => told.candidates.push(Candidate {
                kind: "streamhost".to_owned(),
                host: attribute(&tag, "host").unwrap_or_default(),
                port: attribute(&tag, "port").and_then(|port| port.trim().parse().ok()),
                jid: attribute(&tag, "jid").map(|jid| normalized(&jid).into_owned()),
                protocol: Some("tcp".to_owned()),
                related: None,
            }),
            "streamhost-used" => told.action = "used".to_owned(),
            "activate" => activates = Some(String::new()),
            _ => {}
        },
        event => {
            if let Some(target) = &mut activates {
                push_text(target, &event);
            }
        }
    });
    if let Some(target) = activates {
        told.action = "activate".to_owned();
        told.to = Some(normalized(target.trim()).into_owned());
    } else if told.action.is_empty() {
        // A proxy that is asked for its address answers with hosts, but without a bytestream.
        told.action = "offer".to_owned();
    }
    let is_known = told.sid.as_ref().is_some_and(|sid| sid.len() <= MAX_KEPT);
    if is_known && (desk.is("set") || told.action == "used") {
        desk.tell(SharingEvent::Transport(told));
    }
}
