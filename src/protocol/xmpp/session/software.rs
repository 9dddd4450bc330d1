//! What a client calls itself, by the best that it said: its version (XEP-0092), the agent of its login (XEP-0388), its
//! identity (XEP-0030), the node of its caps (XEP-0115).

use crate::protocol::xmpp::StanzaKind;
use crate::protocol::xmpp::element::{Child, each_event, push_text, split_name, value_of};
use quick_xml::events::Event;

/// Longest answer that is read, and longest name that is kept.
const MAX_ANSWER: usize = 64 << 10;
const MAX_NAME: usize = 512;

/// How far a name can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Source {
    #[default]
    None,
    Caps,
    Identity,
    Agent,
    Version,
}

/// The best name so far.
#[derive(Debug, Default)]
pub(super) struct Software {
    source: Source,
    name: Option<Box<str>>,
}

impl Software {
    /// Gives the name away.
    pub fn take(&mut self) -> Option<String> {
        self.name.take().map(String::from)
    }

    /// Reads what a client's stanza says on itself.
    pub fn read(&mut self, child: &Child<'_>, kind: StanzaKind, stanza_type: Option<&str>) {
        match (kind, split_name(child.tag.name()).1, stanza_type) {
            (StanzaKind::Presence, "c", _) if self.source < Source::Caps => {
                self.learn(Source::Caps, child.tag.value("node").as_deref().unwrap_or_default());
            }
            (StanzaKind::Iq, "query", Some("result")) if child.whole.len() <= MAX_ANSWER => {
                let answer = Answer::read(child.whole);
                match (answer.identity, answer.name) {
                    (Some(identity), _) => self.learn(Source::Identity, &identity),
                    (None, Some(name)) => {
                        let version = answer.version.map(|version| format!(" {version}")).unwrap_or_default();
                        let system = answer.os.map(|os| format!(" ({os})")).unwrap_or_default();
                        self.learn(Source::Version, &format!("{name}{version}{system}"));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// The agent that a SASL2 login names.
    pub fn read_agent(&mut self, software: Option<&str>, device: Option<&str>) {
        match (software, device) {
            (Some(software), Some(device)) => self.learn(Source::Agent, &format!("{software} ({device})")),
            (Some(name), None) | (None, Some(name)) => self.learn(Source::Agent, name),
            (None, None) => {}
        }
    }

    fn learn(&mut self, source: Source, name: &str) {
        let name = name.trim();
        if source > self.source && !name.is_empty() && name.len() <= MAX_NAME {
            self.source = source;
            self.name = Some(name.into());
        }
    }
}

/// An answer on version or abilities.
#[derive(Default)]
struct Answer {
    identity: Option<String>,
    name: Option<String>,
    version: Option<String>,
    os: Option<String>,
}

impl Answer {
    fn read(xml: &str) -> Self {
        let (mut answer, mut text) = (Self::default(), None::<String>);
        each_event(xml, |event| match &event {
            Event::Start(tag) => {
                if tag.local_name().as_ref() == "identity" {
                    let mut attributes = tag.attributes();
                    attributes.with_checks(false);
                    let name = attributes.flatten().find(|attribute| attribute.key.as_ref() == "name");
                    answer.identity = answer.identity.take().or(name.map(|name| value_of(&name.value).into_owned()));
                }
                text = Some(String::new());
            }
            Event::End(tag) => {
                let field = match tag.local_name().as_ref() {
                    "name" => &mut answer.name,
                    "version" => &mut answer.version,
                    "os" => &mut answer.os,
                    _ => return,
                };
                *field = field.take().or(text.take()).filter(|text| !text.is_empty());
            }
            event => {
                if let Some(text) = &mut text {
                    push_text(text, event);
                }
            }
        });
        answer
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_name_version_and_system() {
        let answer = Answer::read(
            "<query xmlns='jabber:iq:version'><name>Ga&amp;jim</name><version>1.7.3</version><os>Debian 12</os></query>",
        );
        assert_eq!(answer.name.as_deref(), Some("Ga&jim"));
        assert_eq!((answer.version.as_deref(), answer.os.as_deref()), (Some("1.7.3"), Some("Debian 12")));
        let answer = Answer::read("<query><identity category='client' name='Psi'/><feature var='x'/></query>");
        assert_eq!(answer.identity.as_deref(), Some("Psi"));
    }

    #[test]
    fn the_better_source_wins() {
        let mut software = Software::default();
        software.learn(Source::Identity, "Psi");
        software.learn(Source::Caps, "http://psi-im.org");
        assert_eq!(software.take().as_deref(), Some("Psi"));
        software.read_agent(Some("Dino"), Some("laptop"));
        assert_eq!(software.take().as_deref(), Some("Dino (laptop)"));
    }
}
