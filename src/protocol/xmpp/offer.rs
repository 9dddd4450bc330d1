//! Offers of files: stream initiation (XEP-0095, XEP-0096) and Jingle (XEP-0166, XEP-0234, XEP-0260, XEP-0261).

use super::FileOffer;
use super::element::{each_event, push_text, split_name, value_of};
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;

/// Contents read of one Jingle offer; more files than that are not offered at once.
const MAX_CONTENTS: usize = 64;

/// The offer in an `<si/>` element.
pub(super) fn read_si(xml: &str, from: Option<&str>, to: Option<&str>) -> Option<FileOffer> {
    let mut offer = FileOffer {
        via: "si",
        session: String::new(),
        transport_sid: None,
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
        name: None,
        size: None,
    };
    let mut found = false;
    each_event(xml, |event| {
        let Event::Start(tag) = event else { return };
        match tag.local_name().as_ref() {
            "si" => offer.session = attribute(&tag, "id").unwrap_or_default(),
            "file" if !found => {
                found = true;
                offer.name = attribute(&tag, "name");
                offer.size = attribute(&tag, "size").and_then(|size| size.trim().parse().ok());
            }
            _ => {}
        }
    });
    found.then_some(offer)
}

/// The offers in a `<jingle/>` element: one for each file, and one for each change of transport.
pub(super) fn read_jingle(xml: &str, from: Option<&str>, to: Option<&str>) -> Vec<FileOffer> {
    let mut reading = Jingle::default();
    each_event(xml, |event| reading.on_event(&event));
    let session = reading.session;
    let offer = |content: Content| {
        // Who asks for a file is offered one by the other side.
        let (from, to) = if content.requested { (to, from) } else { (from, to) };
        FileOffer {
            via: "jingle",
            session: session.clone(),
            transport_sid: content.transport_sid,
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            name: content.name,
            size: content.size,
        }
    };
    reading.contents.into_iter().map(offer).collect()
}

#[derive(Default)]
struct Content {
    is_file: bool,
    requested: bool,
    transport_sid: Option<String>,
    name: Option<String>,
    size: Option<u64>,
}

#[derive(Default)]
struct Jingle {
    session: String,
    /// The action is about transports alone: its contents need no description.
    transport_only: bool,
    ignored: bool,
    content: Option<Content>,
    in_file: bool,
    /// Text of the element in `<file/>` that is being read.
    text: Option<String>,
    contents: Vec<Content>,
}

impl Jingle {
    fn on_event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(tag) => self.on_start(tag),
            Event::End(tag) => self.on_end(tag.local_name().as_ref()),
            event => {
                if let Some(text) = &mut self.text {
                    push_text(text, event);
                }
            }
        }
    }

    fn on_start(&mut self, tag: &BytesStart<'_>) {
        let local = tag.local_name();
        match (local.as_ref(), &mut self.content) {
            ("jingle", None) => {
                let action = attribute(tag, "action").unwrap_or_default();
                self.session = attribute(tag, "sid").unwrap_or_default();
                self.transport_only = matches!(action.as_str(), "transport-replace" | "transport-accept");
                self.ignored = !self.transport_only && !matches!(action.as_str(), "session-initiate" | "content-add");
            }
            ("content", None) if !self.ignored => {
                let requested = attribute(tag, "senders").as_deref() == Some("responder");
                self.content = Some(Content { requested, ..Content::default() });
            }
            ("description", Some(content)) => content.is_file = namespace(tag).contains(":file-transfer"),
            ("transport", Some(content)) => content.transport_sid = attribute(tag, "sid"),
            ("file", Some(content)) if content.is_file => self.in_file = true,
            ("name" | "size", Some(_)) if self.in_file => self.text = Some(String::new()),
            _ => {}
        }
    }

    fn on_end(&mut self, local: &str) {
        match (local, &mut self.content) {
            ("name", Some(content)) => content.name = self.text.take().or(content.name.take()),
            ("size", Some(content)) => {
                content.size = self.text.take().and_then(|size| size.trim().parse().ok()).or(content.size);
            }
            ("file", _) => self.in_file = false,
            ("content", _) => {
                let moved = self.transport_only;
                let content = self.content.take();
                let tells = |content: &Content| content.is_file || (moved && content.transport_sid.is_some());
                if self.contents.len() < MAX_CONTENTS {
                    self.contents.extend(content.filter(tells));
                }
            }
            _ => {}
        }
    }
}

fn namespace(tag: &BytesStart<'_>) -> String {
    let name = tag.name();
    let (prefix, _) = split_name(name.as_ref());
    if prefix.is_empty() { attribute(tag, "xmlns") } else { attribute(tag, &format!("xmlns:{prefix}")) }
        .unwrap_or_default()
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    attributes.with_checks(false);
    let found = attributes.flatten().find(|attribute| attribute.key.as_ref() == name)?;
    match found.value {
        Cow::Borrowed(raw) => Some(value_of(raw).into_owned()),
        Cow::Owned(raw) => Some(value_of(&raw).into_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn a_jingle_offer_tells_name_size_and_transport() {
        let xml = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='j1'><content creator='initiator' \
                   name='f'><description xmlns='urn:xmpp:jingle:apps:file-transfer:5'><file><name>a &amp; b.pdf</name>\
                   <size> 1205</size></file></description><transport xmlns='urn:xmpp:jingle:transports:ibb:1' \
                   sid='t1'/></content></jingle>";
        let offers = read_jingle(xml, Some("a@x/1"), Some("b@x/2"));
        assert_eq!(offers.len(), 1);
        let offer = &offers[0];
        assert_eq!((offer.via, offer.session.as_str(), offer.size), ("jingle", "j1", Some(1205)));
        assert_eq!(offer.name.as_deref(), Some("a & b.pdf"));
        assert_eq!(offer.transport_sid.as_deref(), Some("t1"));
        assert_eq!(offer.from.as_deref(), Some("a@x/1"));
    }

    #[test]
    fn a_new_transport_is_told_and_a_call_is_not() {
        let replace = "<jingle xmlns='urn:xmpp:jingle:1' action='transport-replace' sid='j1'><content name='f'>\
                       <transport xmlns='urn:xmpp:jingle:transports:ibb:1' sid='t2'/></content></jingle>";
        let offers = read_jingle(replace, None, None);
        assert_eq!(offers[0].transport_sid.as_deref(), Some("t2"));
        assert_eq!(offers[0].name, None);
        let call = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='j1'><content name='v'>\
                    <description xmlns='urn:xmpp:jingle:apps:rtp:1'/><transport sid='x'/></content></jingle>";
        assert!(read_jingle(call, None, None).is_empty());
    }

    #[test]
    fn a_stream_initiation_tells_its_file() {
        let xml = "<si xmlns='http://jabber.org/protocol/si' id='s1'><file xmlns='http://jabber.org/protocol/si/profile/\
                   file-transfer' name='n&lt;1' size='12'/></si>";
        let offer = read_si(xml, None, Some("b@x/2")).unwrap();
        assert_eq!((offer.session.as_str(), offer.name.as_deref(), offer.size), ("s1", Some("n<1"), Some(12)));
    }
}
