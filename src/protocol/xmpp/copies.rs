//! Stanzas inside stanzas (XEP-0297): carbons (XEP-0280), results of an archive (XEP-0313), and what is forwarded by
//! hand. What was said then stands nowhere else, if the capture began later or saw another client.

use super::element::{Element, each_event, push_text};
use super::names::normalized;
use super::offer::attribute;
use super::{Meaning, Meanings};
use quick_xml::events::{BytesStart, Event};

/// Longest stanza that is looked into.
const MAX_WRAPPED: usize = 256 << 10;
/// Stanzas told of one.
const MAX_COPIES: usize = 64;

/// A stanza inside another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopiedStanza {
    /// `carbon-sent`, `carbon-received`, `mam-result`, `forwarded`.
    pub via: &'static str,
    /// To whom the copy was sent: the account whose archive or other client it is.
    pub owner: Option<String>,
    /// Sender as the copy says.
    pub from: Option<String>,
    /// Addressee as the copy says.
    pub to: Option<String>,
    /// `type` of the copy.
    pub stanza_type: Option<String>,
    /// `id` of the copy.
    pub id: Option<String>,
    /// Text of its first body.
    pub body: Option<String>,
    /// When it was said (XEP-0203), as written there.
    pub stamp: Option<String>,
}

/// Which copies a stanza holds, if any.
pub(super) fn via(meaning: Meanings) -> Option<&'static str> {
    [Meaning::CarbonSent, Meaning::CarbonReceived, Meaning::MamResult, Meaning::Forwarded]
        .into_iter()
        .find(|via| meaning.contains(*via))
        .map(Meaning::name)
}

/// Reads the copies out of a stanza. `None` if it is too long to look into.
pub(super) fn read(element: &Element<'_>, via: &'static str, owner: Option<&str>) -> Option<Vec<CopiedStanza>> {
    let inner = element.inner();
    if inner.len() > MAX_WRAPPED {
        return None;
    }
    let mut reading = Reading { via, owner, ..Reading::default() };
    each_event(inner, |event| reading.on_event(&event));
    Some(reading.found)
}

#[derive(Default)]
struct Reading<'a> {
    via: &'static str,
    owner: Option<&'a str>,
    depth: usize,
    /// Depth of a wrapper: what stands outside of one is the stanza's own.
    wrapper: Option<usize>,
    /// Copies found before it.
    before: usize,
    /// Depth of the copy that is read.
    copy: Option<usize>,
    text: Option<String>,
    stamp: Option<String>,
    current: CopiedStanza,
    found: Vec<CopiedStanza>,
}

impl Reading<'_> {
    fn on_event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(tag) => {
                self.depth += 1;
                self.on_start(tag);
            }
            Event::End(_) => {
                self.on_end();
                self.depth = self.depth.saturating_sub(1);
            }
            event => {
                if let Some(text) = &mut self.text {
                    push_text(text, event);
                }
            }
        }
    }

    fn on_start(&mut self, tag: &BytesStart<'_>) {
        let local = tag.local_name();
        match (local.as_ref(), self.wrapper, self.copy) {
            // Copies of the forerunners of XEP-0280 stand without a wrapper of their own.
            ("forwarded" | "sent" | "received" | "result", None, None) => {
                self.wrapper = Some(self.depth);
                self.before = self.found.len();
            }
            // It stands before the copy or behind it.
            ("delay", Some(_), None) => match self.found.get_mut(self.before..).and_then(<[_]>::last_mut) {
                Some(copy) => copy.stamp = copy.stamp.take().or_else(|| attribute(tag, "stamp")),
                None => self.stamp = attribute(tag, "stamp"),
            },
            ("message" | "presence" | "iq", Some(_), None) => {
                let jid = |name| attribute(tag, name).map(|jid| normalized(&jid).into_owned());
                self.copy = Some(self.depth);
                self.current = CopiedStanza {
                    via: self.via,
                    owner: self.owner.map(str::to_owned),
                    from: jid("from"),
                    to: jid("to"),
                    stanza_type: attribute(tag, "type"),
                    id: attribute(tag, "id"),
                    body: None,
                    stamp: self.stamp.take(),
                };
            }
            ("body", _, Some(copy)) if self.depth == copy + 1 && self.current.body.is_none() => {
                self.text = Some(String::new());
            }
            _ => {}
        }
    }

    fn on_end(&mut self) {
        if self.text.is_some() && self.copy.is_some_and(|copy| self.depth == copy + 1) {
            self.current.body = self.text.take();
        }
        if self.copy == Some(self.depth) {
            self.copy = None;
            if self.found.len() < MAX_COPIES {
                self.found.push(std::mem::take(&mut self.current));
            }
        }
        if self.wrapper == Some(self.depth) {
            self.wrapper = None;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::super::element::Outline;
    use super::super::scan::Scanner;
    use super::super::tape::Tape;
    use super::*;

    fn copies(xml: &str) -> Vec<CopiedStanza> {
        let (mut tape, mut scanner, mut outline) = (Tape::default(), Scanner::default(), Outline::default());
        scanner.scan(&mut tape, &[], xml.as_bytes(), 0);
        read(&outline.read(xml, &tape).unwrap(), "mam-result", Some("ann@x.test")).unwrap()
    }

    #[test]
    fn a_message_of_the_archive_is_read_with_its_time() {
        let found = copies(
            "<message to='ann@x.test/r'><result xmlns='urn:xmpp:mam:2' id='7'><forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/><message from='Bob@x.test/p' to='ann@x.test' \
             type='chat' id='m1'><body>a &lt;b&gt;</body><body xml:lang='de'>c</body></message></forwarded></result>\
             </message>",
        );
        let [copy] = found.as_slice() else { unreachable!("{found:?}") };
        assert_eq!((copy.from.as_deref(), copy.to.as_deref()), (Some("bob@x.test/p"), Some("ann@x.test")));
        assert_eq!((copy.body.as_deref(), copy.stamp.as_deref()), (Some("a <b>"), Some("2010-07-10T23:08:25Z")));
        assert_eq!((copy.id.as_deref(), copy.stanza_type.as_deref()), (Some("m1"), Some("chat")));
    }

    #[test]
    fn the_time_may_stand_behind() {
        let copy = |id| format!("<result><forwarded><message id='{id}'/><delay stamp='at {id}'/></forwarded></result>");
        let found = copies(&format!("<message>{}{}</message>", copy(1), copy(2)));
        let stamps: Vec<_> = found.iter().map(|copy| copy.stamp.as_deref()).collect();
        assert_eq!(stamps, [Some("at 1"), Some("at 2")]);
    }

    #[test]
    fn a_copy_inside_a_copy_is_not_the_copy() {
        let found = copies(
            "<message><body>own</body><forwarded><message id='1'><forwarded><message id='2'><body>in</body></message>\
             </forwarded><body>out</body></message></forwarded><message id='3'/></message>",
        );
        let told: Vec<_> = found.iter().map(|copy| (copy.id.as_deref(), copy.body.as_deref())).collect();
        assert_eq!(told, [(Some("1"), Some("out"))]);
    }
}
