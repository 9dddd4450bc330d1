//! What is wrong with a stream: XML that XMPP forbids (RFC 6120, 11.1), and bytes that are no XML.
//!
//! A sender is blamed only for what the capture shows whole: a direction is *sound* from its stream's header on, until
//! bytes are missing or made no sense. Nothing is expanded, whatever a document type declares.

use super::Session;
use crate::evidence::{Direction, Seen};
use crate::protocol::xmpp::element::TagView;
use crate::protocol::xmpp::namespace::STREAMS;
use crate::protocol::xmpp::tape::Tape;
use crate::protocol::xmpp::{Flaw, OversizedStanza, StreamDefect, XmppEvent};
use crate::protocol::{Event, Sink};
use memchr::{memchr, memchr2, memmem};

/// Longest attribute that is no attack: JIDs have 3071 bytes at most, and nothing else comes near.
const MAX_ATTRIBUTE: usize = 16 << 10;
/// Characters of a quote.
const MAX_QUOTE: usize = 160;
/// Longest name of an entity that is looked for behind an ampersand.
const MAX_ENTITY: usize = 64;
/// Every server takes stanzas up to this size (RFC 6120, 13.12): a smaller one is not refused for its size.
pub(in crate::protocol::xmpp) const ALWAYS_TAKEN: usize = 10_000;

/// Conditions of stream errors by which a server says that what it got is not XMPP (RFC 6120, 4.9.3; RFC 3920, 4.7.3).
const REFUSALS: &[&str] = &[
    "not-well-formed",
    "xml-not-well-formed",
    "bad-format",
    "bad-namespace-prefix",
    "invalid-namespace",
    "invalid-xml",
    "restricted-xml",
    "unsupported-encoding",
];

/// What was told of a connection, and which directions may be blamed.
#[derive(Debug, Default)]
pub(in crate::protocol::xmpp) struct Defects {
    told: [Vec<Flaw>; 2],
    sound: [bool; 2],
    /// The last stanza of a direction, if servers may refuse it for its size.
    large: [Option<Box<OversizedStanza>>; 2],
}

impl Defects {
    /// A header was read.
    pub fn is_sound_from_here(&mut self, direction: Direction) {
        self.set(direction, true);
    }

    /// Bytes are missing, or made no sense.
    pub fn is_unsound(&mut self, direction: Direction) {
        self.set(direction, false);
    }

    /// What follows may be wrapped in a layer: both sides begin again.
    pub fn begin_again(&mut self) {
        self.sound = [false; 2];
    }

    fn set(&mut self, direction: Direction, sound: bool) {
        if let Some(place) = self.sound.get_mut(direction.index()) {
            *place = sound;
        }
    }

    fn is_sound(&self, direction: Direction) -> bool {
        self.sound.get(direction.index()) == Some(&true)
    }

    fn told(&self, direction: Direction) -> &[Flaw] {
        self.told.get(direction.index()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The last stanza of a direction, if it was a large one.
    pub fn take_large(&mut self, direction: Direction) -> Option<Box<OversizedStanza>> {
        self.large.get_mut(direction.index())?.take()
    }

    /// Notes a stanza, in case that the other side refuses it for its size.
    pub fn note_size(&mut self, direction: Direction, bytes: usize, told: impl FnOnce() -> OversizedStanza) {
        if let Some(large) = self.large.get_mut(direction.index())
            && (bytes > ALWAYS_TAKEN || large.is_some())
        {
            *large = (bytes > ALWAYS_TAKEN).then(|| Box::new(told()));
        }
    }
}

impl Session {
    /// Tells a flaw, once a direction. Faults count only where the capture is whole.
    pub fn on_flaw(&mut self, flaw: Flaw, quote: Option<&[u8]>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        let blamed = flaw.is_attack()
            || matches!(flaw, Flaw::Refused(_) | Flaw::Encoding)
            || self.defects.is_sound(seen.direction);
        // Behind a request for compression nothing tells whether it was granted in a segment that comes late.
        if !blamed || (self.compression_requested && !flaw.is_attack()) {
            return;
        }
        let Some(told) = self.defects.told.get_mut(seen.direction.index()).filter(|told| !told.contains(&flaw)) else {
            return;
        };
        told.push(flaw);
        let quote = quote.map(quoted);
        sink.event(seen, Event::Xmpp(XmppEvent::Defect(Box::new(StreamDefect { flaw, quote }))));
    }

    /// Looks at an element as it stands on the wire.
    pub(super) fn inspect(&mut self, text: &str, tape: &Tape, seen: &Seen<'_>, sink: &mut dyn Sink) {
        if tape.has_comment {
            self.on_flaw(Flaw::Comment, excerpt(text, "<!--", "-->"), seen, sink);
        }
        if tape.has_instruction {
            self.on_flaw(Flaw::Instruction, excerpt(text, "<?", "?>"), seen, sink);
        }
        if tape.has_many_attributes {
            self.on_flaw(Flaw::Attributes, None, seen, sink);
        }
        if text.len() > MAX_ATTRIBUTE {
            let long = |(open, close): &(u32, u32)| close.saturating_sub(*open) as usize > MAX_ATTRIBUTE;
            if tape.values.iter().any(long) {
                self.on_flaw(Flaw::AttributeLength, None, seen, sink);
            }
        }
        if memchr(b'&', text.as_bytes()).is_some()
            && let Some((flaw, place)) = find_undefined_reference(text)
        {
            let is_told = |flaw: &Flaw| matches!(flaw, Flaw::EntityDeclaration | Flaw::ExternalEntity);
            // An entity that was declared is told with its declaration.
            if flaw != Flaw::EntityReference || !self.defects.told(seen.direction).iter().any(is_told) {
                self.on_flaw(flaw, Some(place.as_bytes()), seen, sink);
            }
        }
    }

    /// A document type.
    pub(super) fn on_doctype(&mut self, text: &str, seen: &Seen<'_>, sink: &mut dyn Sink) {
        let has_entity = memmem::find(text.as_bytes(), b"<!ENTITY").is_some();
        let is_external = ["SYSTEM", "PUBLIC"].iter().any(|word| text.contains(word));
        let flaw = match (has_entity, is_external) {
            (true, true) => Flaw::ExternalEntity,
            (true, false) => Flaw::EntityDeclaration,
            (false, _) => Flaw::Doctype,
        };
        self.on_flaw(flaw, Some(text.as_bytes()), seen, sink);
    }

    /// A stream's header: its own prefix must be bound to the namespace of streams.
    pub(super) fn inspect_header(&mut self, tag: &TagView<'_>, seen: &Seen<'_>, sink: &mut dyn Sink) {
        self.defects.is_sound_from_here(seen.direction);
        let declares = |(name, _): &(&str, &str)| match tag.name().split_once(':') {
            Some((prefix, _)) => name.strip_prefix("xmlns:") == Some(prefix),
            None => *name == "xmlns",
        };
        // What stands under it: clients, servers, components and their kin all have a namespace of `jabber:`.
        let is_foreign = |(name, value): &(&str, &str)| {
            *name == "xmlns" && !value.is_empty() && !value.starts_with("jabber:") && *value != STREAMS
        };
        let of_header = tag.attributes().find(declares).filter(|(_, namespace)| *namespace != STREAMS);
        if let Some((_, namespace)) = of_header.or_else(|| tag.attributes().find(is_foreign)) {
            self.on_flaw(Flaw::WrongNamespace, Some(namespace.as_bytes()), seen, sink);
        }
    }

    /// The other side says that what it got is no XMPP; told unless the reason was found.
    pub(super) fn on_refusal(&mut self, condition: &str, seen: &Seen<'_>, sink: &mut dyn Sink) {
        let Some(condition) = REFUSALS.iter().find(|known| **known == condition) else { return };
        let refused = Seen { direction: seen.direction.reversed(), ..*seen };
        if self.defects.told(refused.direction).is_empty() {
            self.on_flaw(Flaw::Refused(condition), None, &refused, sink);
        }
    }
}

/// The first reference that XML does not define (XML 1.0, 4.1), outside of comments, CDATA and instructions.
fn find_undefined_reference(text: &str) -> Option<(Flaw, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(skip) = memchr2(b'&', b'<', bytes.get(at..)?) {
        at += skip;
        let rest = text.get(at..)?;
        let aside =
            [("<![CDATA[", "]]>"), ("<!--", "-->"), ("<?", "?>")].iter().find(|(open, _)| rest.starts_with(open));
        if let Some((open, close)) = aside {
            at += open.len() + memmem::find(rest.get(open.len()..)?.as_bytes(), close.as_bytes())? + close.len();
            continue;
        }
        if let Some(reference) = rest.strip_prefix('&')
            && let Some(flaw) = judge_reference(reference)
        {
            let end = rest.bytes().take(MAX_ENTITY).position(|byte| byte == b';').map_or(1, |end| end + 1);
            return Some((flaw, rest.get(..end)?));
        }
        at += 1;
    }
    None
}

fn judge_reference(after: &str) -> Option<Flaw> {
    let name = after.as_bytes().get(..MAX_ENTITY).unwrap_or(after.as_bytes());
    let Some(end) = memchr(b';', name) else { return Some(Flaw::BadReference) };
    match name.get(..end)? {
        b"amp" | b"lt" | b"gt" | b"quot" | b"apos" => None,
        [b'#', b'x', hex @ ..] if !hex.is_empty() && hex.iter().all(u8::is_ascii_hexdigit) => None,
        [b'#', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => None,
        [first, rest @ ..] if is_name(*first, rest) => Some(Flaw::EntityReference),
        _ => Some(Flaw::BadReference),
    }
}

fn is_name(first: u8, rest: &[u8]) -> bool {
    let starts = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || byte >= 0x80;
    starts(first) && rest.iter().all(|byte| starts(*byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

/// From the first `open` to the `close` behind it.
fn excerpt<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a [u8]> {
    let start = text.find(open)?;
    let rest = text.get(start..)?;
    let end = rest.find(close).map_or(rest.len(), |end| end + close.len());
    rest.get(..end).map(str::as_bytes)
}

fn quoted(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..MAX_QUOTE * 4).unwrap_or(bytes)).chars().take(MAX_QUOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_reference_that_is_told_stands_in_the_text(text in "(&|;|#|x|a|<!\\[CDATA\\[|\\]\\]>|<!--|-->|<|\\PC){0,40}") {
            if let Some((_, place)) = find_undefined_reference(&text) {
                proptest::prop_assert!(place.starts_with('&') && text.contains(place));
            }
        }
    }

    #[test]
    fn references_are_told_apart() {
        let judged = |text| find_undefined_reference(text);
        for fine in [
            "<a b='&lt;&#10;&#xFf;'>&amp;</a>",
            "<a><![CDATA[ a & b &xxe; ]]></a>",
            "<a><!-- &xxe; --></a>",
            "<a>no reference</a>",
        ] {
            assert_eq!(judged(fine), None, "{fine}");
        }
        assert_eq!(judged("<a>&xxe;</a>"), Some((Flaw::EntityReference, "&xxe;")));
        assert_eq!(judged("<a><![CDATA[&]]>&lol9;</a>"), Some((Flaw::EntityReference, "&lol9;")));
        assert_eq!(judged("<a>fish & chips</a>"), Some((Flaw::BadReference, "&")));
        assert_eq!(judged("<a>&#;</a>"), Some((Flaw::BadReference, "&#;")));
        assert_eq!(judged("<a>&#xZZ;</a>"), Some((Flaw::BadReference, "&#xZZ;")));
    }
}
