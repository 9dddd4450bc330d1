//! A complete element as the scanner noted it: names, attributes and direct children, borrowed from the stream.

use super::scan::{Tag, TagKind, Tape, is_name_end};
use memchr::memchr3;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::Event;
use std::borrow::Cow;

/// The places of a direct child's tags on the tape; the same twice for `<a/>`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChildPlace {
    open: u32,
    close: u32,
}

/// Space for reading elements, used again and again.
#[derive(Debug, Default)]
pub(super) struct Outline {
    stack: Vec<u32>,
    children: Vec<ChildPlace>,
}

impl Outline {
    /// Reads an item's tape: pairs the tags and checks that their names agree.
    /// `None` where they do not: the element is not well-formed, though its tags are even in number.
    pub fn read<'a>(&'a mut self, text: &'a str, tape: &'a Tape) -> Option<Element<'a>> {
        self.stack.clear();
        self.children.clear();
        for (index, tag) in (0u32..).zip(&tape.tags) {
            match tag.kind {
                TagKind::Start => self.stack.push(index),
                TagKind::Empty => {
                    if self.stack.len() == 1 {
                        self.children.push(ChildPlace { open: index, close: index });
                    }
                }
                TagKind::End => {
                    let open = self.stack.pop()?;
                    if !names_agree(text.as_bytes(), tape.tags.get(open as usize)?, tag) {
                        return None;
                    }
                    if self.stack.len() == 1 {
                        self.children.push(ChildPlace { open, close: index });
                    }
                }
            }
        }
        Some(Element { text, tape, head: *tape.tags.first()?, children: &self.children })
    }
}

/// `</name >` closes `<name …>`.
fn names_agree(text: &[u8], open: &Tag, close: &Tag) -> bool {
    let Some(name) = text.get(close.start as usize + 2..(close.end as usize).saturating_sub(1)) else { return false };
    let name = name.trim_ascii_end();
    text.get(open.start as usize + 1..)
        .and_then(|opened| opened.strip_prefix(name))
        .is_some_and(|rest| rest.first().is_some_and(|byte| is_name_end(*byte)))
}

/// An element with its direct children.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    text: &'a str,
    tape: &'a Tape,
    head: Tag,
    children: &'a [ChildPlace],
}

impl<'a> Element<'a> {
    /// An element of which only the start tag is there: the stream's header.
    pub fn header(text: &'a str, tape: &'a Tape) -> Option<Self> {
        Some(Self { text, tape, head: *tape.tags.first()?, children: &[] })
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Name with its prefix, and the attributes.
    pub fn tag(&self) -> TagView<'a> {
        TagView::new(self.text, self.tape, &self.head)
    }

    /// What stands between start tag and end tag, as on the wire.
    pub fn inner(&self) -> &'a str {
        let end = match self.tape.tags.last() {
            Some(last) if last.kind == TagKind::End => last.start,
            _ => self.head.end,
        };
        self.text.get(self.head.end as usize..end as usize).unwrap_or_default()
    }

    /// The direct children, in order.
    pub fn children(&self) -> impl Iterator<Item = Child<'a>> + use<'a> {
        let (text, tape) = (self.text, self.tape);
        self.children.iter().filter_map(move |place| {
            let open = tape.tags.get(place.open as usize)?;
            let close = tape.tags.get(place.close as usize)?;
            let inner = if place.open == place.close { open.end..open.end } else { open.end..close.start };
            Some(Child {
                tag: TagView::new(text, tape, open),
                inner: text.get(inner.start as usize..inner.end as usize)?,
                whole: text.get(open.start as usize..close.end as usize)?,
            })
        })
    }
}

/// A direct child.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child<'a> {
    /// Name and attributes.
    pub tag: TagView<'a>,
    /// What stands between its tags, as on the wire.
    pub inner: &'a str,
    /// The child with its tags.
    pub whole: &'a str,
}

/// Name and attributes of a start tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct TagView<'a> {
    text: &'a str,
    name: &'a str,
    attributes_at: usize,
    values: &'a [(u32, u32)],
}

impl<'a> TagView<'a> {
    fn new(text: &'a str, tape: &'a Tape, tag: &Tag) -> Self {
        let start = tag.start as usize + 1;
        let bytes = text.as_bytes().get(start..tag.end as usize).unwrap_or_default();
        let length = bytes.iter().position(|byte| is_name_end(*byte)).unwrap_or(bytes.len());
        let first = tag.values_at as usize;
        Self {
            text,
            name: text.get(start..start + length).unwrap_or_default(),
            attributes_at: start + length,
            values: tape.values.get(first..first + usize::from(tag.values)).unwrap_or_default(),
        }
    }

    /// Name with its prefix.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Names and values as on the wire: references are not resolved.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let text = self.text;
        let mut at = self.attributes_at;
        self.values.iter().filter_map(move |(open, close)| {
            let (open, close) = (*open as usize, *close as usize);
            let name = text.get(at..open)?.trim_ascii().strip_suffix('=')?;
            at = close + 1;
            Some((name.trim_ascii_end(), text.get(open + 1..close)?))
        })
    }

    /// The value of one attribute, as on the wire.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The value of one attribute, references resolved.
    pub fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        self.attribute(name).map(value_of)
    }
}

/// Prefix (empty if none) and local name.
pub(super) fn split_name(name: &str) -> (&str, &str) {
    match memchr::memchr(b':', name.as_bytes()) {
        Some(at) => (name.get(..at).unwrap_or_default(), name.get(at + 1..).unwrap_or_default()),
        None => ("", name),
    }
}

/// An attribute's value: white space made even and references resolved (XML 1.0, 3.3.3). References that nothing
/// explains stay as they are.
pub(super) fn value_of(raw: &str) -> Cow<'_, str> {
    let bytes = raw.as_bytes();
    if memchr3(b'&', b'\n', b'\t', bytes).is_none() && memchr::memchr(b'\r', bytes).is_none() {
        return Cow::Borrowed(raw);
    }
    let even = raw.replace("\r\n", " ").replace(['\n', '\t', '\r'], " ");
    match unescape(&even) {
        Ok(value) => Cow::Owned(value.into_owned()),
        Err(_) => Cow::Owned(even),
    }
}

/// The text directly in an element's content: references resolved, CDATA unwrapped, line ends made even; what stands
/// in elements inside of it is left out. References that nothing explains stay as they are.
pub(super) fn text_of(inner: &str) -> Cow<'_, str> {
    if memchr3(b'&', b'<', b'\r', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut level = 0u32;
    each_event(inner, |event| match event {
        Event::Start(_) => level += 1,
        Event::End(_) => level = level.saturating_sub(1),
        event if level == 0 => push_text(&mut text, &event),
        _ => {}
    });
    Cow::Owned(text)
}

/// Appends what an event adds to text.
pub(super) fn push_text(text: &mut String, event: &Event<'_>) {
    match event {
        Event::Text(part) => text.push_str(&part.xml10_content()),
        Event::CData(part) => text.push_str(&part.xml10_content()),
        Event::GeneralRef(reference) => match (reference.resolve_char_ref(), resolve_predefined_entity(reference)) {
            (Ok(Some(character)), _) => text.push(character),
            (_, Some(character)) => text.push_str(character),
            _ => {
                text.push('&');
                text.push_str(reference);
                text.push(';');
            }
        },
        _ => {}
    }
}

/// Reads XML that lies whole in memory, event by event, as far as it is well-formed. `<a/>` comes as start and end.
pub(super) fn each_event(xml: &str, mut on_event: impl FnMut(Event<'_>)) {
    let mut reader = quick_xml::Reader::from_str(xml);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.expand_empty_elements = true;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) | Err(_) => return,
            Ok(event) => on_event(event),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::super::scan::{Item, Scanner, Step};
    use super::*;

    fn with_element(xml: &str, check: impl FnOnce(Option<Element<'_>>)) {
        let (mut tape, mut scanner, mut outline) = (Tape::default(), Scanner::default(), Outline::default());
        let step = scanner.scan(&mut tape, &[], xml.as_bytes(), 0);
        assert_eq!(step, Step::Item { kind: Item::Element, start: 0, end: xml.len() });
        check(outline.read(xml, &tape));
    }

    #[test]
    fn attributes_and_children_are_read() {
        let xml = "<message from = \"a'b\" to='c>d'><x xmlns='n:1' k='v'/>t<body>5 &lt; <![CDATA[<6&]]> &#x1F44D;</body></message>";
        with_element(xml, |element| {
            let element = element.unwrap();
            assert_eq!(element.tag().name(), "message");
            let attributes: Vec<_> = element.tag().attributes().collect();
            assert_eq!(attributes, [("from", "a'b"), ("to", "c>d")]);
            let children: Vec<_> = element.children().collect();
            assert_eq!(children.len(), 2);
            assert_eq!(children[0].tag.attribute("k"), Some("v"));
            assert_eq!(children[0].inner, "");
            assert_eq!(text_of(children[1].inner), "5 < <6& 👍");
        });
    }

    #[test]
    fn names_that_do_not_agree_are_refused() {
        with_element("<a><b><c></b></c></a>", |element| assert!(element.is_none()));
        with_element("<a><bc></b></a>", |element| assert!(element.is_none()));
        with_element("<a><b c='d'></b ></a>", |element| assert!(element.is_some()));
    }

    #[test]
    fn references_in_attributes_are_resolved() {
        assert_eq!(value_of("a&amp;b&#10;c\td"), "a&b\nc d");
        assert_eq!(value_of("&unknown;"), "&unknown;");
        assert_eq!(text_of("&unknown; &lt;\r\nx"), "&unknown; <\nx");
    }
}
