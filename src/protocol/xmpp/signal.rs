//! What two clients say to reach each other: Jingle calls (XEP-0166, XEP-0167, XEP-0353) and the addresses in them
//! (XEP-0176 and XEP-0371 ICE, XEP-0177 raw UDP, XEP-0260 SOCKS5), stream hosts (XEP-0065), STUN and TURN servers
//! (XEP-0215).

use super::element::{each_event, value_of};
use super::{Address, Signal};
use quick_xml::events::{BytesStart, Event};
use std::net::IpAddr;

/// Longest element that is read, and addresses and media read of it.
const MAX_SIGNAL: usize = 256 << 10;
const MAX_ADDRESSES: usize = 64;
const MAX_MEDIA: usize = 8;
/// Longest value that is kept.
const MAX_VALUE: usize = 512;

/// Reads a child of a stanza; `None` if it says nothing on calls or addresses.
pub(super) fn read(xml: &str, from: Option<&str>, to: Option<&str>) -> Option<Signal> {
    if xml.len() > MAX_SIGNAL {
        return None;
    }
    let mut reading = Reading { via: "socks5", ..Reading::default() };
    each_event(xml, |event| match event {
        Event::Start(tag) => reading.on_start(&tag),
        Event::End(tag) => {
            reading.in_reason &= tag.local_name().as_ref() != "reason";
        }
        _ => {}
    });
    let Reading { action, session, media, reason, endpoints, .. } = reading;
    if action.is_empty() && endpoints.is_empty() {
        return None;
    }
    let (from, to) = (from.map(str::to_owned), to.map(str::to_owned));
    Some(Signal { action, session, from, to, media, reason, endpoints })
}

#[derive(Default)]
struct Reading {
    begun: bool,
    action: String,
    session: String,
    media: Vec<String>,
    reason: Option<String>,
    in_reason: bool,
    /// How the addresses being read are reached.
    via: &'static str,
    endpoints: Vec<Address>,
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
            "description" => self.on_description(&Attributes::of(tag)),
            "transport" => self.on_transport(&Attributes::of(tag)),
            "candidate" | "streamhost" | "service" | "server" => self.on_address(local, &Attributes::of(tag)),
            "stun" | "relay" if self.via == GOOGLE => self.reason = Some(local.to_owned()),
            "reason" => self.in_reason = true,
            // The condition is the reason's first element; a text and more may stand beside it.
            condition if self.in_reason => {
                self.reason.get_or_insert_with(|| condition.to_owned());
            }
            _ => {}
        }
    }

    fn on_outermost(&mut self, local: &str, tag: &BytesStart<'_>) {
        let attributes = Attributes::of(tag);
        match local {
            "jingle" => {
                self.action = attributes.get("action").unwrap_or_default();
                self.session = attributes.get("sid").unwrap_or_default();
            }
            "query" if attributes.get("xmlns").as_deref() == Some("google:jingleinfo") => self.via = GOOGLE,
            // XEP-0065; `services` of XEP-0215 stand for themselves.
            "query" => self.session = attributes.get("sid").unwrap_or_default(),
            "services" => {}
            _ => {
                self.action = local.to_owned();
                self.session = attributes.get("id").unwrap_or_default();
            }
        }
    }

    fn on_description(&mut self, attributes: &Attributes) {
        let namespace = attributes.get("xmlns").unwrap_or_default();
        let is_call = namespace.contains(":apps:rtp:") || namespace.contains("google.com/session/phone");
        let media = attributes.get("media").or(is_call.then(|| "audio".to_owned()));
        if let Some(media) = media
            && is_call
            && self.media.len() < MAX_MEDIA
            && !self.media.contains(&media)
        {
            self.media.push(media);
        }
    }

    fn on_transport(&mut self, attributes: &Attributes) {
        let namespace = attributes.get("xmlns").unwrap_or_default();
        self.via = match () {
            () if namespace.contains(":raw-udp:") => "raw-udp",
            () if namespace.contains(":s5b:") => "socks5",
            () => "ice",
        };
        if self.session.is_empty() {
            self.session = attributes.get("sid").unwrap_or_default();
        }
    }

    fn on_address(&mut self, local: &str, attributes: &Attributes) {
        let host = attributes.get("ip").or_else(|| attributes.get("host")).or_else(|| attributes.get("address"));
        let Some(host) = host.filter(|host| !host.is_empty()) else { return };
        if self.endpoints.len() >= MAX_ADDRESSES {
            return;
        }
        let number = |name: &str| attributes.get(name).and_then(|port| port.trim().parse::<u16>().ok());
        let kind = attributes.get("type");
        let (via, kind, transport) = match (local, self.via) {
            ("streamhost", _) => ("socks5", "streamhost".to_owned(), Some("tcp".to_owned())),
            ("service", _) => {
                ("external-service", kind.unwrap_or_default().to_ascii_lowercase(), attributes.get("transport"))
            }
            ("server", GOOGLE) => ("external-service", self.reason.clone().unwrap_or_default(), None),
            ("server", _) => return,
            (_, "socks5") => ("socks5", kind.unwrap_or_else(|| "direct".to_owned()), Some("tcp".to_owned())),
            (_, via) => (via, kind.unwrap_or_else(|| "host".to_owned()), attributes.get("protocol")),
        };
        let related = attributes.get("rel-addr").map(|address| match attributes.get("rel-port") {
            Some(port) if address.contains(':') => format!("[{address}]:{port}"),
            Some(port) => format!("{address}:{port}"),
            None => address,
        });
        let port = number("port").or_else(|| number("udp")).or_else(|| number("tcp"));
        let owner = attributes.get("jid");
        self.endpoints.push(Address { via, kind, host, port, transport, related, owner });
    }
}

/// Google's forerunner of XEP-0215, of which prosody and older clients still know.
const GOOGLE: &str = "google";

/// Attributes of a tag, the first dozen or so.
struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn of(tag: &BytesStart<'_>) -> Self {
        const MAX_ATTRIBUTES: usize = 24;
        let mut attributes = tag.attributes();
        attributes.with_checks(false);
        let read = attributes.flatten().take(MAX_ATTRIBUTES).filter(|attribute| attribute.value.len() <= MAX_VALUE);
        Self(
            read.map(|attribute| (attribute.key.as_ref().to_owned(), value_of(&attribute.value).into_owned()))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone())
    }
}

impl Address {
    /// `private`, `public`, or `name` for what is no address.
    pub fn scope(&self) -> &'static str {
        match self.host.trim_matches(['[', ']']).parse::<IpAddr>().map(|address| address.to_canonical()) {
            Err(_) => "name",
            Ok(IpAddr::V4(v4)) if v4.is_private() || v4.is_loopback() || v4.is_link_local() => "private",
            Ok(IpAddr::V4(v4)) if matches!(v4.octets(), [100, 64..=127, _, _]) => "private",
            Ok(IpAddr::V6(v6)) if v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() => "private",
            Ok(_) => "public",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn a_call_gives_addresses_away() {
        let xml = "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='j1'><content name='v'>\
            <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'><payload-type id='96' name='VP8'/></description>\
            <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='secret' ufrag='u'>\
            <candidate ip='10.0.1.1' port='8998' protocol='udp' type='host'/>\
            <candidate ip='192.0.2.3' port='45664' protocol='udp' type='srflx' rel-addr='10.0.1.1' rel-port='8998'/>\
            </transport></content></jingle>";
        let signal = read(xml, Some("a@x/1"), Some("b@y/2")).unwrap();
        assert_eq!((signal.action.as_str(), signal.session.as_str()), ("session-initiate", "j1"));
        assert_eq!(signal.media, ["video"]);
        let told: Vec<_> = signal.endpoints.iter().map(|a| (a.via, a.kind.as_str(), a.port, a.scope())).collect();
        assert_eq!(told, [("ice", "host", Some(8998), "private"), ("ice", "srflx", Some(45664), "public")]);
        assert_eq!(signal.endpoints[1].related.as_deref(), Some("10.0.1.1:8998"));
    }

    #[test]
    fn stream_hosts_relays_and_services_are_addresses_too() {
        let hosts = "<query xmlns='http://jabber.org/protocol/bytestreams' sid='s1'><streamhost jid='p.x' \
                     host='198.51.100.7' port='7777'/></query>";
        let signal = read(hosts, None, None).unwrap();
        assert_eq!((signal.action.as_str(), signal.session.as_str()), ("", "s1"));
        assert_eq!(signal.endpoints[0].owner.as_deref(), Some("p.x"));
        let services = "<services xmlns='urn:xmpp:extdisco:2'><service type='turn' transport='udp' host='turn.x' \
                        port='3478' username='u' password='p'/></services>";
        let address = &read(services, None, None).unwrap().endpoints[0];
        assert_eq!((address.via, address.kind.as_str(), address.scope()), ("external-service", "turn", "name"));
        let google = "<query xmlns='google:jingleinfo'><stun><server host='192.0.2.9' udp='3478'/></stun></query>";
        let address = &read(google, None, None).unwrap().endpoints[0];
        assert_eq!((address.kind.as_str(), address.port), ("stun", Some(3478)));
        assert_eq!(read("<query xmlns='http://jabber.org/protocol/bytestreams'/>", None, None), None);
    }

    #[test]
    fn an_end_has_its_reason() {
        let xml = "<jingle action='session-terminate' sid='j1'><reason><busy/><text>later</text></reason></jingle>";
        assert_eq!(read(xml, None, None).unwrap().reason.as_deref(), Some("busy"));
        let propose = "<propose xmlns='urn:xmpp:jingle-message:0' id='c1'><description \
                       xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>";
        let signal = read(propose, None, None).unwrap();
        assert_eq!((signal.action.as_str(), signal.session.as_str()), ("propose", "c1"));
        assert_eq!(signal.media, ["audio"]);
    }
}
