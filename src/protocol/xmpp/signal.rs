//! What two clients say of a session between them: Jingle calls (XEP-0166, XEP-0167, XEP-0353); and the STUN and TURN
//! servers that help them to meet (XEP-0215 and its forerunner). The addresses in Jingle's transports are read with
//! its offers.

use super::element::each_event;
use super::offer::{attribute, namespace};
use super::{Candidate, SharingEvent, Signal, Transport, XmppEvent};
use quick_xml::events::{BytesStart, Event};

/// Longest element that is read, and servers and media read of it.
const MAX_SIGNAL: usize = 256 << 10;
const MAX_SERVERS: usize = 64;
const MAX_MEDIA: usize = 8;
/// Longest name that is kept.
const MAX_NAME: usize = 512;

/// Reads a child of a stanza; `None` if it says nothing of sessions or servers.
pub(super) fn read(xml: &str, from: Option<&str>, to: Option<&str>) -> Option<XmppEvent> {
    if xml.len() > MAX_SIGNAL {
        return None;
    }
    let mut reading = Reading::default();
    each_event(xml, |event| match event {
        Event::Start(tag) => reading.on_start(&tag),
        Event::End(tag) => reading.in_reason &= tag.local_name().as_ref() != "reason",
        _ => {}
    });
    let (from, to) = (from.map(str::to_owned), to.map(str::to_owned));
    let Reading { action, session, media, reason, servers, .. } = reading;
    if !servers.is_empty() {
        let (kind, action) = ("external-service".to_owned(), "services".to_owned());
        let told = Transport { kind, action, from, to, candidates: servers, ..Transport::default() };
        return Some(XmppEvent::Sharing(Box::new(SharingEvent::Transport(told))));
    }
    let signal = Signal { action, session, from, to, media, reason };
    (!signal.action.is_empty()).then(|| XmppEvent::Signal(Box::new(signal)))
}

#[derive(Default)]
struct Reading {
    begun: bool,
    action: String,
    session: String,
    media: Vec<String>,
    reason: Option<String>,
    in_reason: bool,
    /// What Google's lists of servers are of: `stun`, `relay`.
    list: &'static str,
    servers: Vec<Candidate>,
}

impl Reading {
    fn on_start(&mut self, tag: &BytesStart<'_>) {
        let local = tag.local_name();
        let local = local.as_ref();
        if !self.begun {
            self.begun = true;
            return self.on_outermost(local, tag);
        }
        match local {
            "description" if !self.action.is_empty() => self.on_description(tag),
            "service" => self.on_server(tag, name(tag, "type").unwrap_or_default()),
            "stun" => self.list = "stun",
            "relay" => self.list = "relay",
            "server" if !self.list.is_empty() => self.on_server(tag, self.list.to_owned()),
            "reason" => self.in_reason = true,
            // The condition is the reason's first element; a text and more may stand beside it.
            condition if self.in_reason && condition.len() <= MAX_NAME => {
                self.reason.get_or_insert_with(|| condition.to_owned());
            }
            _ => {}
        }
    }

    fn on_outermost(&mut self, local: &str, tag: &BytesStart<'_>) {
        match local {
            "jingle" => {
                self.action = name(tag, "action").unwrap_or_default();
                self.session = name(tag, "sid").unwrap_or_default();
            }
            "query" | "services" => {}
            _ if local.len() > MAX_NAME => {}
            _ => {
                self.action = local.to_owned();
                self.session = name(tag, "id").unwrap_or_default();
            }
        }
    }

    fn on_description(&mut self, tag: &BytesStart<'_>) {
        if !namespace(tag).contains(":apps:rtp:") {
            return;
        }
        let media = name(tag, "media").unwrap_or_else(|| "audio".to_owned());
        if self.media.len() < MAX_MEDIA && !self.media.contains(&media) {
            self.media.push(media);
        }
    }

    fn on_server(&mut self, tag: &BytesStart<'_>, kind: String) {
        let Some(host) = name(tag, "host").filter(|host| !host.is_empty()) else { return };
        if self.servers.len() >= MAX_SERVERS {
            return;
        }
        let port = ["port", "udp", "tcp"].into_iter().find_map(|port| name(tag, port)?.trim().parse().ok());
        let protocol = name(tag, "transport").map(|protocol| protocol.to_ascii_lowercase());
        self.servers.push(Candidate { kind, host, port, protocol, ..Candidate::default() });
    }
}

fn name(tag: &BytesStart<'_>, which: &str) -> Option<String> {
    attribute(tag, which).filter(|value| value.len() <= MAX_NAME)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)] // tests
mod tests {
    use super::*;

    fn signal(xml: &str) -> Signal {
        match read(xml, Some("a@x/1"), Some("b@y/2")) {
            Some(XmppEvent::Signal(signal)) => *signal,
            other => panic!("{other:?}"),
        }
    }

    fn servers(xml: &str) -> Vec<Candidate> {
        match read(xml, None, None) {
            Some(XmppEvent::Sharing(told)) => match *told {
                SharingEvent::Transport(told) => told.candidates,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_has_media() {
        let jingle = signal(
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='j1'><content name='v'>\
             <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'><payload-type id='96' name='VP8'/>\
             </description></content></jingle>",
        );
        assert_eq!((jingle.action.as_str(), jingle.session.as_str()), ("session-initiate", "j1"));
        assert_eq!(jingle.media, ["video"]);
        let propose = signal(
            "<propose xmlns='urn:xmpp:jingle-message:0' id='c1'><description xmlns='urn:xmpp:jingle:apps:rtp:1' \
             media='audio'/></propose>",
        );
        assert_eq!((propose.action.as_str(), propose.session.as_str()), ("propose", "c1"));
        assert_eq!(propose.media, ["audio"]);
    }

    #[test]
    fn servers_that_help_have_addresses() {
        let services = servers(
            "<services xmlns='urn:xmpp:extdisco:2'><service type='turn' transport='udp' host='turn.x' port='3478' \
             username='u' password='p'/></services>",
        );
        assert_eq!((services[0].kind.as_str(), services[0].scope()), ("turn", "name"));
        let google =
            servers("<query xmlns='google:jingleinfo'><stun><server host='192.0.2.9' udp='3478'/></stun></query>");
        assert_eq!((google[0].kind.as_str(), google[0].port), ("stun", Some(3478)));
        assert!(read("<query xmlns='google:jingleinfo'/>", None, None).is_none());
    }

    #[test]
    fn an_end_has_its_reason() {
        let end =
            signal("<jingle action='session-terminate' sid='j1'><reason><busy/><text>later</text></reason></jingle>");
        assert_eq!(end.reason.as_deref(), Some("busy"));
    }
}
