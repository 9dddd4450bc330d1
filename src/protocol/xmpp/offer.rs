//! Offers of files: stream initiation (XEP-0095, XEP-0096) and Jingle (XEP-0166, XEP-0234, XEP-0260, XEP-0261).

use super::element::{each_event, push_text, split_name, value_of};
use super::names::normalized;
use super::{Candidate, FileOffer, SharingEvent, Transport, XmppEvent};
use crate::protocol::content::hex;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;

/// Contents read of one Jingle offer; more files than that are not offered at once.
const MAX_CONTENTS: usize = 64;
/// Addresses read of one transport.
const MAX_CANDIDATES: usize = 64;

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
        hash: None,
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
                let hash = attribute(&tag, "hash").filter(|hash| is_hash(hash));
                offer.hash = hash.map(|hash| format!("md5:{}", hash.to_ascii_lowercase()));
            }
            _ => {}
        }
    });
    found.then_some(offer)
}

/// Hexadecimal digits of a digest.
fn is_hash(text: &str) -> bool {
    (8..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A hash as XEP-0300 has it, in Base64; older clients wrote hexadecimal digits.
fn hash(algorithm: &str, text: &str) -> Option<String> {
    let algorithm = algorithm.to_ascii_lowercase();
    let is_name = algorithm.len() <= 16 && algorithm.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let digits = match STANDARD.decode(text.trim()) {
        _ if is_hash(text.trim()) => text.trim().to_ascii_lowercase(),
        Ok(digest) if (4..=64).contains(&digest.len()) => hex(&digest),
        _ => return None,
    };
    is_name.then(|| format!("{algorithm}:{digits}"))
}

/// What a `<jingle/>` element tells: an offer for each file and for each change of transport, and every transport with
/// its addresses.
pub(super) fn read_jingle(xml: &str, from: Option<&str>, to: Option<&str>, tell: &mut dyn FnMut(XmppEvent)) {
    let mut reading = Jingle::default();
    each_event(xml, |event| reading.on_event(&event));
    let Jingle { session, action, contents, .. } = reading;
    let replaces = matches!(action.as_str(), "transport-replace" | "transport-accept");
    let offers = replaces || matches!(action.as_str(), "session-initiate" | "content-add");
    let (sender, receiver) = (from.map(str::to_owned), to.map(str::to_owned));
    for content in contents {
        let mut transport = content.transport;
        let is_file = content.application.as_deref().is_some_and(|name| name.starts_with("file-transfer"));
        if offers && (is_file || (replaces && transport.sid.is_some())) {
            // Who asks for a file is offered one by the other side.
            let (from, to) = if content.requested { (&receiver, &sender) } else { (&sender, &receiver) };
            tell(XmppEvent::Offer(FileOffer {
                via: "jingle",
                session: session.clone(),
                transport_sid: transport.sid.clone(),
                from: from.clone(),
                to: to.clone(),
                name: content.name,
                size: content.size,
                hash: content.hash,
            }));
        }
        if !transport.kind.is_empty() {
            transport.application = content.application;
            transport.action.clone_from(&action);
            transport.session = Some(session.clone());
            transport.from.clone_from(&sender);
            transport.to.clone_from(&receiver);
            tell(XmppEvent::Sharing(Box::new(SharingEvent::Transport(transport))));
        }
    }
}

#[derive(Default)]
struct Content {
    /// Last part of the description's namespace: `file-transfer`, `rtp`.
    application: Option<String>,
    requested: bool,
    transport: Transport,
    name: Option<String>,
    size: Option<u64>,
    hash: Option<String>,
}

#[derive(Default)]
struct Jingle {
    session: String,
    action: String,
    content: Option<Content>,
    in_file: bool,
    /// Algorithm of the hash that is being read.
    algorithm: Option<String>,
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
                self.action = attribute(tag, "action").unwrap_or_default();
                self.session = attribute(tag, "sid").unwrap_or_default();
            }
            ("content", None) => {
                let requested = attribute(tag, "senders").as_deref() == Some("responder");
                self.content = Some(Content { requested, ..Content::default() });
            }
            ("description", Some(content)) => {
                let namespace = namespace(tag);
                let name = namespace.rsplit_once("apps:").map_or(namespace.as_str(), |(_, name)| name);
                content.application = Some(without_version(name).to_owned());
            }
            ("transport", Some(content)) => content.transport = read_transport(tag),
            ("candidate", Some(content)) if content.transport.candidates.len() < MAX_CANDIDATES => {
                content.transport.candidates.push(read_candidate(tag));
            }
            ("file", Some(content)) => self.in_file = content.application.is_some(),
            ("name" | "size", Some(_)) if self.in_file => self.text = Some(String::new()),
            ("hash", Some(content)) if self.in_file && content.hash.is_none() => {
                self.algorithm = attribute(tag, "algo");
                self.text = Some(String::new());
            }
            _ => {}
        }
    }

    fn on_end(&mut self, local: &str) {
        match (local, &mut self.content) {
            ("name", Some(content)) => content.name = self.text.take().or(content.name.take()),
            ("size", Some(content)) => {
                content.size = self.text.take().and_then(|size| size.trim().parse().ok()).or(content.size);
            }
            ("hash", Some(content)) => {
                if let (Some(algorithm), Some(text)) = (self.algorithm.take(), self.text.take()) {
                    content.hash = hash(&algorithm, &text);
                }
            }
            ("file", _) => self.in_file = false,
            ("content", _) => {
                let content = self.content.take();
                if self.contents.len() < MAX_CONTENTS {
                    self.contents.extend(content);
                }
            }
            _ => {}
        }
    }
}

fn read_transport(tag: &BytesStart<'_>) -> Transport {
    let namespace = namespace(tag);
    let name = namespace.rsplit_once("transports:").map_or(namespace.as_str(), |(_, name)| name);
    Transport {
        kind: without_version(name).to_owned(),
        sid: attribute(tag, "sid"),
        dstaddr: attribute(tag, "dstaddr").map(|address| address.to_ascii_lowercase()),
        ..Transport::default()
    }
}

/// XEP-0260 and XEP-0176 name the address differently.
fn read_candidate(tag: &BytesStart<'_>) -> Candidate {
    Candidate {
        // XEP-0260, 2.2: without a type it is direct.
        kind: attribute(tag, "type").unwrap_or_else(|| "direct".to_owned()),
        host: attribute(tag, "host").or_else(|| attribute(tag, "ip")).unwrap_or_default(),
        port: attribute(tag, "port").and_then(|port| port.trim().parse().ok()),
        jid: attribute(tag, "jid").map(|jid| normalized(&jid).into_owned()),
        protocol: attribute(tag, "protocol").map(|protocol| protocol.to_ascii_lowercase()),
        related: attribute(tag, "rel-addr").map(|address| match attribute(tag, "rel-port") {
            Some(port) if address.contains(':') => format!("[{address}]:{port}"),
            Some(port) => format!("{address}:{port}"),
            None => address,
        }),
    }
}

/// `s5b:1` is version 1 of `s5b`.
fn without_version(name: &str) -> &str {
    name.rsplit_once(':')
        .filter(|(_, version)| version.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(name, |(name, _)| name)
}

/// The namespace that an element declares itself.
pub(super) fn namespace(tag: &BytesStart<'_>) -> String {
    let name = tag.name();
    let (prefix, _) = split_name(name.as_ref());
    if prefix.is_empty() { attribute(tag, "xmlns") } else { attribute(tag, &format!("xmlns:{prefix}")) }
        .unwrap_or_default()
}

/// The value of an attribute, references resolved.
pub(super) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
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

    fn told(xml: &str, from: Option<&str>, to: Option<&str>) -> (Vec<FileOffer>, Vec<Transport>) {
        let (mut offers, mut transports) = (Vec::new(), Vec::new());
        read_jingle(xml, from, to, &mut |event| match event {
            XmppEvent::Offer(offer) => offers.push(offer),
            XmppEvent::Sharing(sharing) => match *sharing {
                SharingEvent::Transport(transport) => transports.push(transport),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        });
        (offers, transports)
    }

    #[test]
    fn a_jingle_offer_tells_name_size_and_transport() {
        let xml = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='j1'><content creator='initiator' \
                   name='f'><description xmlns='urn:xmpp:jingle:apps:file-transfer:5'><file><name>a &amp; b.pdf</name>\
                   <size> 1205</size></file></description><transport xmlns='urn:xmpp:jingle:transports:ibb:1' \
                   sid='t1'/></content></jingle>";
        let (offers, transports) = told(xml, Some("a@x/1"), Some("b@x/2"));
        assert_eq!((transports[0].kind.as_str(), transports[0].application.as_deref()), ("ibb", Some("file-transfer")));
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
        let (offers, _) = told(replace, None, None);
        assert_eq!(offers[0].transport_sid.as_deref(), Some("t2"));
        assert_eq!(offers[0].name, None);
        let call = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='j1'><content name='v'>\
                    <description xmlns='urn:xmpp:jingle:apps:rtp:1'/><transport sid='x'/></content></jingle>";
        let (offers, transports) = told(call, None, None);
        assert_eq!(offers, []);
        assert_eq!(transports, [], "a transport of no namespace is none");
    }

    #[test]
    fn addresses_of_transports_are_told() {
        let xml = "<jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='j'><content name='f'><description \
                   xmlns='urn:xmpp:jingle:apps:rtp:1'/><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'>\
                   <candidate ip='192.0.2.3' port='4' type='srflx' protocol='UDP' rel-addr='10.0.1.1' rel-port='8998'/></transport></content><content><transport \
                   xmlns='urn:xmpp:jingle:transports:s5b:1' sid='s' dstaddr='AB'><candidate host='::1' port='8010' \
                   jid='A@x/1' cid='c'/></transport></content></jingle>";
        let (offers, transports) = told(xml, Some("a@x/1"), None);
        assert_eq!(offers, []);
        let [call, stream] = &transports[..] else { panic!("{transports:?}") };
        assert_eq!((call.kind.as_str(), call.application.as_deref()), ("ice-udp", Some("rtp")));
        assert_eq!((call.candidates[0].kind.as_str(), call.candidates[0].port), ("srflx", Some(4)));
        assert_eq!(call.candidates[0].protocol.as_deref(), Some("udp"));
        assert_eq!(
            (call.candidates[0].scope(), call.candidates[0].related.as_deref()),
            ("public", Some("10.0.1.1:8998"))
        );
        assert_eq!(
            (stream.kind.as_str(), stream.dstaddr.as_deref(), stream.sid.as_deref()),
            ("s5b", Some("ab"), Some("s"))
        );
        assert_eq!(stream.candidates[0].jid.as_deref(), Some("a@x/1"));
        assert_eq!(stream.candidates[0].kind, "direct");
    }

    #[test]
    fn a_stream_initiation_tells_its_file() {
        let xml = "<si xmlns='http://jabber.org/protocol/si' id='s1'><file xmlns='http://jabber.org/protocol/si/profile/\
                   file-transfer' name='n&lt;1' size='12'/></si>";
        let offer = read_si(xml, None, Some("b@x/2")).unwrap();
        assert_eq!((offer.session.as_str(), offer.name.as_deref(), offer.size), ("s1", Some("n<1"), Some(12)));
    }
}
