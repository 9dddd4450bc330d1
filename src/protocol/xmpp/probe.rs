//! Whether a conversation is XMPP, by its first bytes.

use super::resync::begins_item;
use crate::protocol::{Opening, Probe};
use memchr::memmem;

/// Ports of XMPP by custom: there, the middle of a stream is looked for, too.
const PORTS: &[u16] = &[5222, 5223, 5269, 5270, 5275, 5347, 8888];
/// How much of one side is looked at; a stream's header comes within that.
const WINDOW: usize = 4096;

/// XMPP if one side opens with a stream's header, or with something that only stands under one; on its usual ports
/// also if the end of a stanza is in what one side says first.
pub fn probe(opening: &Opening<'_>) -> Probe {
    let on_port = opening.has_port(PORTS);
    match (probe_side(opening.from_orig, on_port), probe_side(opening.from_resp, on_port)) {
        (Probe::Yes, _) | (_, Probe::Yes) => Probe::Yes,
        (Probe::No, Probe::No) => Probe::No,
        // An answer in XMPP tells more than a question that is none.
        (Probe::No, _) | (_, Probe::No) if !on_port => Probe::No,
        _ => Probe::Unsure,
    }
}

fn probe_side(bytes: &[u8], on_port: bool) -> Probe {
    let whole = bytes.len() >= WINDOW;
    let window = bytes.get(..WINDOW).unwrap_or(bytes).trim_ascii_start();
    let window = window.strip_prefix(b"\xef\xbb\xbf").unwrap_or(window);
    let undecided = if whole { Probe::No } else { Probe::Unsure };
    if window.is_empty() {
        return undecided;
    }
    let says = |needle: &[u8]| memmem::find(window, needle).is_some();
    if window.starts_with(b"<?xml") || window.starts_with(b"<!DOCTYPE") || b"<?xml".starts_with(window) {
        return if says(b"etherx.jabber.org/streams") || says(b"stream:stream") {
            Probe::Yes
        } else if on_port && says(b"?>") && !whole {
            // A document type, or nothing at all: what else would speak XML here?
            if says(b"<!DOCTYPE") { Probe::Yes } else { Probe::Unsure }
        } else {
            undecided
        };
    }
    if begins_item(window) {
        if says(b"etherx.jabber.org/streams") || says(b"xmlns='urn:ietf:params:xml:ns:xmpp-") {
            return Probe::Yes;
        }
        let stanza = [&b"<message"[..], b"<presence", b"<iq", b"<stream:", b"</stream:", b"<db:"];
        if stanza.iter().any(|start| window.starts_with(start)) && says(b">") {
            return Probe::Yes;
        }
        let own = [&b"urn:xmpp:"[..], b"urn:ietf:params:xml:ns:xmpp-"];
        return if own.iter().any(|namespace| says(namespace)) { Probe::Yes } else { undecided };
    }
    let ends =
        [&b"</message>"[..], b"</iq>", b"</presence>", b"</stream:stream>", b"<iq ", b"<message ", b"<presence "];
    match on_port {
        true if ends.iter().any(|end| says(end)) => Probe::Yes,
        true if window.is_ascii() => undecided,
        _ => Probe::No,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::{FlowInfo, Transport};

    fn ask(port: u16, from_orig: &[u8], from_resp: &[u8]) -> Probe {
        let flow = FlowInfo {
            transport: Transport::Tcp,
            orig: "10.0.0.1:40000".parse().unwrap(),
            resp: std::net::SocketAddr::from(([10, 0, 0, 2], port)),
            community_id: "1:x".into(),
            tunnel: "".into(),
            within: crate::evidence::Within::default(),
        };
        probe(&Opening { flow: &flow, from_orig, from_resp })
    }

    #[test]
    fn content_tells_on_any_port() {
        let header = b"<?xml version='1.0'?><stream:stream to='x' xmlns:stream='http://etherx.jabber.org/streams'>";
        assert_eq!(ask(31337, header, b""), Probe::Yes);
        assert_eq!(ask(31337, b"", header), Probe::Yes);
        assert_eq!(ask(31337, header.get(..10).unwrap(), b""), Probe::Unsure);
        assert_eq!(ask(31337, b"<message to='a@b'><body>x</body></message>", b""), Probe::Yes);
        assert_eq!(ask(31337, b"GET / HTTP/1.1\r\n\r\n", b""), Probe::No);
        assert_eq!(ask(31337, b"\x16\x03\x01\x02\x00", b""), Probe::No);
        assert_eq!(ask(31337, b"<html><body>", b""), Probe::No);
    }

    #[test]
    fn ports_help_in_the_middle_of_a_stream() {
        assert_eq!(ask(5222, b"QUJD</data></iq><iq type='get'/>", b""), Probe::Yes);
        assert_eq!(ask(31337, b"QUJD</data></iq><iq type='get'/>", b""), Probe::No);
        assert_eq!(ask(5222, b"QUJD", b""), Probe::Unsure);
    }
}
