//! The wrapper `<body/>` (XEP-0124, section 4): attributes, and what lies between its tags.

use memchr::{memchr, memmem};
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;

const NAMESPACE: &str = "http://jabber.org/protocol/httpbind";
/// Where the wrapper's namespace is looked for.
const MAX_TAG: usize = 8 << 10;
/// Attributes read of a wrapper.
const MAX_ATTRIBUTES: usize = 64;

/// A wrapper that was taken off.
#[derive(Debug)]
pub(super) struct Body<'a> {
    /// Name and value as written, references and all.
    attributes: Vec<(String, String)>,
    /// Bytes between the tags.
    pub content: &'a [u8],
    /// The end tag is there.
    pub closed: bool,
}

impl<'a> Body<'a> {
    /// Reads a message; `None` if it is something else.
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message).trim_ascii_start();
        // Most of what comes over HTTP is none: told before anything is parsed.
        let head = message.get(..MAX_TAG).unwrap_or(message);
        if message.first() != Some(&b'<') || memmem::find(head, NAMESPACE.as_bytes()).is_none() {
            return None;
        }
        let mut rest = message;
        while rest.starts_with(b"<?") {
            rest = rest.get(memmem::find(rest, b"?>")? + 2..)?.trim_ascii_start();
        }
        let text = valid_utf8(rest.get(..MAX_TAG).unwrap_or(rest));
        let mut reader = Reader::from_str(text);
        let (tag, empty) = match reader.read_event().ok()? {
            Event::Start(tag) => (tag, false),
            Event::Empty(tag) => (tag, true),
            _ => return None,
        };
        let attributes = attributes(&tag);
        let name = tag.local_name();
        let is_wrapper = name.as_ref() == "body" && attributes.iter().any(|(_, value)| value == NAMESPACE);
        if !is_wrapper {
            return None;
        }
        let start = usize::try_from(reader.buffer_position()).ok()?;
        let inner = rest.get(start..)?;
        let end = memmem::rfind(inner, b"</").filter(|end| is_end_of_body(inner.get(*end + 2..)));
        let content = if empty { &[] } else { inner.get(..end.unwrap_or(inner.len()))? };
        Some(Self { attributes, content, closed: empty || end.is_some() })
    }

    /// The attribute of this local name, as written.
    pub fn raw(&self, name: &str) -> Option<&str> {
        let local = |full: &str| full.rsplit(':').next() == Some(name) && !full.starts_with("xmlns");
        self.attributes.iter().find(|(full, _)| local(full)).map(|(_, value)| value.as_str())
    }

    /// The same, references resolved.
    pub fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let raw = self.raw(name)?;
        Some(unescape(raw).unwrap_or(Cow::Borrowed(raw)))
    }

    /// Number of the request.
    pub fn rid(&self) -> Option<u64> {
        self.raw("rid")?.trim().parse().ok()
    }

    /// The stream begins again (XEP-0206, section 5).
    pub fn restarts(&self) -> bool {
        matches!(self.raw("restart"), Some("true" | "1"))
    }

    /// The session ends.
    pub fn terminates(&self) -> bool {
        matches!(self.raw("type"), Some("terminate"))
    }

    /// Why the server ended the session (XEP-0124, 17.2), where it was for an error.
    pub fn condition(&self) -> Option<&str> {
        let is_name =
            |name: &&str| name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        self.raw("condition").filter(|_| self.terminates()).filter(|name| !name.is_empty()).filter(is_name)
    }

    /// A header of a stream with what the wrapper says of it; `id` stands in for one that it does not give.
    pub fn header(&self, id: Option<&str>) -> String {
        let mut header =
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'".to_owned();
        let id = self.raw("authid").or(id);
        for (name, value) in
            [("to", self.raw("to")), ("from", self.raw("from")), ("id", id), ("version", self.raw("version"))]
        {
            if let Some(value) = value {
                // A value in double quotes may hold single ones.
                header.push_str(&format!(" {name}='{}'", value.replace('\'', "&apos;")));
            }
        }
        header.push('>');
        header
    }
}

/// The part before the first byte that is no text.
fn valid_utf8(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bytes.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or(""),
    }
}

fn attributes(tag: &BytesStart<'_>) -> Vec<(String, String)> {
    let mut attributes = tag.attributes();
    let attributes = attributes.with_checks(false).filter_map(Result::ok).take(MAX_ATTRIBUTES);
    attributes.map(|attribute| (attribute.key.as_ref().to_owned(), attribute.value.to_string())).collect()
}

fn is_end_of_body(after: Option<&[u8]>) -> bool {
    let name = after.and_then(|after| after.get(..memchr(b'>', after)?)).unwrap_or_default().trim_ascii_end();
    name == b"body" || name.ends_with(b":body")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn a_wrapper_is_taken_off() {
        let message = b"<?xml version='1.0'?>\n<body rid='7' xmlns=\"http://jabber.org/protocol/httpbind\" \
            xmlns:xmpp='urn:xmpp:xbosh' xmpp:restart='true' to=\"o'x.test\" sid='a&amp;b'><message><body>x</body></message></body>\n";
        let body = Body::read(message).unwrap();
        assert_eq!((body.rid(), body.value("sid").as_deref(), body.closed), (Some(7), Some("a&b"), true));
        assert_eq!(body.content, b"<message><body>x</body></message>");
        assert!(body.restarts() && !body.terminates());
        assert!(body.header(Some("id")).contains(" to='o&apos;x.test' id='id'"), "{}", body.header(Some("id")));
    }

    #[test]
    fn empty_cut_and_other_messages() {
        let empty = Body::read(b"<body xmlns='http://jabber.org/protocol/httpbind' type='terminate'/>").unwrap();
        assert!(empty.content.is_empty() && empty.closed && empty.terminates());
        let cut = Body::read(b"<b:body xmlns:b='http://jabber.org/protocol/httpbind'><iq id='1'/><mess").unwrap();
        assert_eq!((cut.content, cut.closed), (&b"<iq id='1'/><mess"[..], false));
        for other in ["<html><body>http://jabber.org/protocol/httpbind</body></html>", "<body xmlns='x'/>", "{}", ""] {
            assert!(Body::read(other.as_bytes()).is_none(), "{other}");
        }
    }
}
