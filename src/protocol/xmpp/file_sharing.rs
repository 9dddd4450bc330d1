//! Files beside bytestreams, as stanzas tell them: upload slots (XEP-0363 and its forerunner), links (XEP-0066,
//! XEP-0385, XEP-0447, plain text), bits of binary (XEP-0231), avatars (XEP-0084, XEP-0153), and the negotiation of
//! SOCKS 5 bytestreams (XEP-0065).
//!
//! In goes every stanza; what its direct children are decides whether it is read at all.

use super::element::{Child, Element, each_event, push_text, split_name, text_of};
use super::ibb::{Taken, decode};
use super::names::{MAX_KEPT, kept, normalized};
use super::offer::{attribute, namespace};
use super::{
    Candidate, FileLink, InlineFile, InlineKind, SharingEvent, Stanza, StanzaKind, Transport, UploadSlot, XmppEvent,
    jid,
};
use crate::evidence::Seen;
use crate::protocol::content::FileContent;
use crate::protocol::{Event, Sink};
use quick_xml::events::Event as XmlEvent;
use std::collections::VecDeque;

/// Requests for slots that wait for their answers; clients have one or two.
const MAX_REQUESTS: usize = 64;
/// Links told of one stanza.
const MAX_LINKS: usize = 32;
/// Longest link.
const MAX_URL: usize = 4096;
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
        let concerned = stanza.children.split(' ').any(|namespace| concern_of(namespace).is_some());
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
                if self.found.len() < MAX_LINKS {
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

/// Links in XML: elements of XEP-0066, XEP-0385 and XEP-0447, and texts of messages that are wrapped in it.
fn read_links(xml: &str, from: Option<String>, to: Option<String>, out: &mut Vec<FileLink>) {
    let (mut from, mut to) = (from, to);
    let mut reading: Option<(&'static str, String)> = None;
    let (mut name, mut size) = (None, None);
    let first = out.len();
    each_event(xml, |event| match event {
        XmlEvent::Start(tag) => {
            let local = tag.local_name();
            reading = match local.as_ref() {
                "url" => Some(("url", String::new())),
                "name" => Some(("name", String::new())),
                "size" => Some(("size", String::new())),
                "body" => Some(("body", String::new())),
                _ => None,
            };
            match local.as_ref() {
                "message" => {
                    from = attribute(&tag, "from").map(|jid| normalized(&jid).into_owned()).or(from.take());
                    to = attribute(&tag, "to").map(|jid| normalized(&jid).into_owned()).or(to.take());
                }
                "url-data" => push_link(attribute(&tag, "target"), "sfs", &from, &to, out),
                "reference" if attribute(&tag, "type").as_deref() == Some("data") || namespace(&tag).is_empty() => {
                    push_link(attribute(&tag, "uri"), "sims", &from, &to, out);
                }
                _ => {}
            }
        }
        XmlEvent::End(_) => match reading.take() {
            Some(("url", text)) => push_link(Some(text), "oob", &from, &to, out),
            Some(("body", text)) => links_in_text(&text, &from, &to, out),
            Some(("name", text)) => name = Some(text),
            Some((_, text)) => size = text.trim().parse().ok(),
            None => {}
        },
        event => {
            if let Some((_, text)) = &mut reading {
                push_text(text, &event);
            }
        }
    });
    for link in out.get_mut(first..).unwrap_or_default() {
        if matches!(link.via, "sfs" | "sims") {
            link.name = name.clone();
            link.size = size;
        }
    }
}

fn push_link(
    url: Option<String>,
    via: &'static str,
    from: &Option<String>,
    to: &Option<String>,
    out: &mut Vec<FileLink>,
) {
    let Some(url) = url else { return };
    let url = url.trim();
    let known = out.iter().any(|link| link.url == url);
    if has_scheme(url) && url.len() <= MAX_URL && out.len() < MAX_LINKS && !known {
        let (from, to) = (from.clone(), to.clone());
        out.push(FileLink { url: url.to_owned(), via, from, to, name: None, size: None });
    }
}

/// `http`, `https`, and `aesgcm` (XEP-0454), which is the second of them with a key for the receiver.
fn has_scheme(text: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), b"://").is_some()
}

/// Links in a text: from the scheme to white space or a mark that cannot stand in one.
fn links_in_text(text: &str, from: &Option<String>, to: &Option<String>, out: &mut Vec<FileLink>) {
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`' | '|')) {
        let starts = ["https://", "http://", "aesgcm://"].into_iter();
        let start = starts.filter_map(|scheme| word.find(scheme)).min();
        let Some(url) = start.and_then(|start| word.get(start..)) else { continue };
        let url = url.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'']);
        push_link(Some(url.to_owned()), "body", from, to, out);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::Transport as IpProtocol;
    use crate::protocol::testing::{Step, flow, orig, play, resp};

    const HEADER: &str = "<stream:stream to='x.test' xmlns='jabber:client' \
                          xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
    const BOUND: &str = "<iq type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@x.test/1</jid>\
                         </bind></iq>";

    /// What stanzas tell: `true` for those of the client.
    fn told(stanzas: &[(bool, &str)]) -> Vec<SharingEvent> {
        let mut steps: Vec<Step> = vec![orig(HEADER), resp(HEADER), resp(BOUND)];
        steps.extend(stanzas.iter().map(|(client, xml)| if *client { orig(*xml) } else { resp(*xml) }));
        let noted = play(super::super::start(), &flow(IpProtocol::Tcp, "10.0.0.7:4000", "10.0.0.1:5222"), &steps);
        let events = noted.events.into_iter().filter_map(|(_, event)| match event {
            Event::Xmpp(XmppEvent::Sharing(event)) => Some(*event),
            _ => None,
        });
        events.collect()
    }

    #[test]
    fn slots_of_every_version_are_joined_with_their_requests() {
        let requests = [
            "<request xmlns='urn:xmpp:http:upload:0' filename='a&amp;b.txt' size='5' content-type='text/plain'/>",
            "<request xmlns='urn:xmpp:http:upload'><filename>a&amp;b.txt</filename><size>5</size>\
             <content-type>text/plain</content-type></request>",
        ];
        let slots = [
            "<slot xmlns='urn:xmpp:http:upload:0'><put url='https://u.test/p'><header name='A'>b</header></put>\
             <get url='https://u.test/g'/></slot>",
            "<slot xmlns='urn:xmpp:http:upload'><put>https://u.test/p</put><get>https://u.test/g</get></slot>",
        ];
        for (request, slot) in requests.iter().zip(slots) {
            let told = told(&[
                (true, &format!("<iq type='get' id='1' to='u.test'>{request}</iq>")),
                (false, &format!("<iq type='result' id='1' from='u.test' to='a@x.test/1'>{slot}</iq>")),
            ]);
            let wish = UploadSlot {
                requester: Some("a@x.test/1".to_owned()),
                name: Some("a&b.txt".to_owned()),
                size: Some(5),
                media_type: Some("text/plain".to_owned()),
                put: "https://u.test/p".to_owned(),
                get: "https://u.test/g".to_owned(),
            };
            assert_eq!(told, [SharingEvent::Slot(wish)]);
        }
        let refused = "<iq type='error' id='1' from='u.test'><request xmlns='urn:xmpp:http:upload:0'/></iq>";
        assert_eq!(told(&[(true, &format!("<iq type='get' id='1'>{}</iq>", requests[0])), (false, refused)]), []);
    }

    #[test]
    fn links_are_told_wherever_they_stand() {
        let links = |xml: &str| -> Vec<(String, &'static str, Option<String>, Option<u64>)> {
            let events = told(&[(true, xml)]).into_iter();
            let links = events.filter_map(|event| match event {
                SharingEvent::Link(link) => {
                    assert_eq!((link.from.as_deref(), link.to.as_deref()), (Some("a@x.test/1"), Some("b@x.test")));
                    Some((link.url, link.via, link.name, link.size))
                }
                _ => None,
            });
            links.collect()
        };
        let url = "https://u.test/x?a=1&b=2".to_owned();
        let (oob, body) = (vec![(url.clone(), "oob", None, None)], vec![(url.clone(), "body", None, None)]);
        let wire = "https://u.test/x?a=1&amp;b=2";
        assert_eq!(
            links(&format!("<message to='b@x.test'><x xmlns='jabber:x:oob'><url>{wire}</url></x></message>")),
            oob
        );
        let iq =
            format!("<iq type='set' id='1' to='b@x.test'><query xmlns='jabber:iq:oob'><url>{wire}</url></query></iq>");
        assert_eq!(links(&iq), oob);
        let both = format!("<x xmlns='jabber:x:oob'><url>{wire}</url></x><body>{wire}</body>");
        assert_eq!(links(&format!("<message to='b@x.test'>{both}</message>")), oob, "once");
        assert_eq!(links(&format!("<message to='b@x.test'><body>see (\"{wire}\").</body></message>")), body);
        let file = "<file><name>x.png</name><size>9</size></file>";
        let sfs = format!(
            "<message to='b@x.test'><file-sharing xmlns='urn:xmpp:sfs:0'>{file}<sources><url-data \
             xmlns='http://jabber.org/protocol/url-data' target='{wire}'/></sources></file-sharing></message>"
        );
        assert_eq!(links(&sfs), [(url.clone(), "sfs", Some("x.png".to_owned()), Some(9))]);
        let sims = format!(
            "<message to='b@x.test'><reference xmlns='urn:xmpp:reference:0' type='data'><media-sharing \
             xmlns='urn:xmpp:sims:1'>{file}<sources><reference xmlns='urn:xmpp:reference:0' type='data' uri='{wire}'/>\
             </sources></media-sharing></reference></message>"
        );
        assert_eq!(links(&sims), [(url, "sims", Some("x.png".to_owned()), Some(9))]);
        assert_eq!(links("<message to='b@x.test'><body>no link: // or ://</body></message>"), []);
    }

    #[test]
    fn a_forwarded_link_is_of_who_sent_it_first() {
        let archived = "<message from='a@x.test' to='a@x.test/1'><result xmlns='urn:xmpp:mam:2'><forwarded \
                        xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='c@x.test/2' to='a@x.test'><body>\
                        https://u.test/y</body></message></forwarded></result></message>";
        let [SharingEvent::Link(link)] = &told(&[(false, archived)])[..] else { panic!("one link") };
        assert_eq!((link.from.as_deref(), link.to.as_deref()), (Some("c@x.test/2"), Some("a@x.test")));
    }

    #[test]
    fn files_in_stanzas_are_told_with_their_bytes() {
        let bob =
            "<message to='b@x.test'><data xmlns='urn:xmpp:bob' cid='c' type='image/gif'>R0lG\nODlh</data></message>";
        let photo = "<vCard xmlns='vcard-temp'><FN>n</FN><LOGO><BINVAL>eHh4</BINVAL></LOGO><PHOTO><TYPE>image/gif</TYPE>\
                     <BINVAL>R0lGODlh</BINVAL></PHOTO></vCard>";
        let avatar = "<data xmlns='urn:xmpp:avatar:data'>R0lGODlh</data>";
        let publish = format!(
            "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish \
             node='urn:xmpp:avatar:data'><item id='h'>{avatar}</item></publish></pubsub></iq>"
        );
        let pushed = |to: &str| {
            format!(
                "<message from='a@x.test' to='{to}'><event xmlns='http://jabber.org/protocol/pubsub#event'><items \
                 node='urn:xmpp:avatar:data'><item id='h'>{avatar}</item></items></event></message>"
            )
        };
        let told = told(&[
            (true, bob),
            (true, &format!("<iq type='set' id='2'>{photo}</iq>")),
            (false, &format!("<iq type='result' id='3' from='b@x.test' to='a@x.test/1'>{photo}</iq>")),
            (true, &publish),
            (false, &pushed("a@x.test/1")),
            (false, &pushed("b@x.test")),
        ]);
        let (a, full, b) = (Some("a@x.test"), Some("a@x.test/1"), Some("b@x.test"));
        let wish = [
            (InlineKind::Bob, full, b, Some("c")),
            (InlineKind::VcardPhoto, a, None, None),
            (InlineKind::VcardPhoto, b, full, None),
            (InlineKind::Avatar, a, None, Some("h")),
            (InlineKind::Avatar, a, b, Some("h")),
        ];
        assert_eq!(told.len(), wish.len());
        for (event, wish) in told.iter().zip(wish) {
            let SharingEvent::Inline(file) = event else { panic!("{event:?}") };
            assert_eq!((file.kind, file.from.as_deref(), file.to.as_deref(), file.name.as_deref()), wish);
            assert_eq!(file.content, FileContent::of(b"GIF89a", None));
        }
    }

    #[test]
    fn bytestreams_tell_hosts_and_activation() {
        let query =
            |inner: &str| format!("<query xmlns='http://jabber.org/protocol/bytestreams' sid='s'>{inner}</query>");
        let told = told(&[
            (
                true,
                &format!(
                    "<iq type='set' id='1' to='b@x.test/2'>{}</iq>",
                    query("<streamhost jid='p.x.test' host='10.0.0.1' port='7777'/>")
                ),
            ),
            (
                false,
                &format!(
                    "<iq type='result' id='1' from='b@x.test/2'>{}</iq>",
                    query("<streamhost-used jid='p.x.test'/>")
                ),
            ),
            (true, &format!("<iq type='set' id='2' to='p.x.test'>{}</iq>", query("<activate>B@x.test/2</activate>"))),
            // A proxy that says where it is, is no offer.
            (
                false,
                "<iq type='result' id='3' from='p.x.test'><query xmlns='http://jabber.org/protocol/bytestreams'>\
                     <streamhost jid='p.x.test' host='10.0.0.1'/></query></iq>",
            ),
        ]);
        let told: Vec<_> = told
            .iter()
            .map(|event| {
                let SharingEvent::Transport(told) = event else { panic!("{event:?}") };
                (told.action.as_str(), told.from.as_deref(), told.to.as_deref(), told.candidates.len())
            })
            .collect();
        let (a, b) = (Some("a@x.test/1"), Some("b@x.test/2"));
        assert_eq!(told, [("offer", a, b, 1), ("used", b, a, 0), ("activate", a, b, 0)]);
    }
}
