//! Links to files in stanzas: elements of XEP-0066, XEP-0385 and XEP-0447, and plain text.

use super::MAX_URL;
use crate::protocol::xmpp::FileLink;
use crate::protocol::xmpp::element::{each_event, push_text};
use crate::protocol::xmpp::names::normalized;
use crate::protocol::xmpp::offer::{attribute, namespace};
use quick_xml::events::Event as XmlEvent;

/// Links told of one stanza.
const MAX_LINKS: usize = 32;

/// Links in XML: elements of XEP-0066, XEP-0385 and XEP-0447, and texts of messages that are wrapped in it.
pub(super) fn read_links(xml: &str, from: Option<String>, to: Option<String>, out: &mut Vec<FileLink>) {
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
pub(super) fn has_scheme(text: &str) -> bool {
    // Asked of each message, most of which have no colon at all.
    let text = text.as_bytes();
    memchr::memchr_iter(b':', text).any(|colon| text.get(colon..).is_some_and(|rest| rest.starts_with(b"://")))
}

/// Links in a text: from the scheme to white space or a mark that cannot stand in one.
pub(super) fn links_in_text(text: &str, from: &Option<String>, to: &Option<String>, out: &mut Vec<FileLink>) {
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`' | '|')) {
        let starts = ["https://", "http://", "aesgcm://"].into_iter();
        let start = starts.filter_map(|scheme| word.find(scheme)).min();
        let Some(url) = start.and_then(|start| word.get(start..)) else { continue };
        let url = url.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'']);
        push_link(Some(url.to_owned()), "body", from, to, out);
    }
}
