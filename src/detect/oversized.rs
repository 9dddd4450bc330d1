//! Stanzas that are too large: by the policy's limit, too large to be put together, or refused by the server for it.
//!
//! A stanza may be captured when it is sent and when it is delivered; [`join_key`] makes that one finding.

use super::title::in_title;
use super::{Detector, Evidence, Finding, Kind, Settings, StanzaWatch};
use crate::evidence::Seen;
use crate::policy::DEFAULT_MAX_STANZA_BYTES;
use crate::protocol::xmpp::{OversizedStanza, Stanza, XmppEvent, jid};
use crate::protocol::{Event, Record};

/// Characters of an id that tell stanzas apart: it may be what makes the stanza large.
const MAX_ID: usize = 128;

/// `xmpp.oversized-stanza` for stanzas that came whole.
#[derive(Debug)]
pub struct OversizedStanzas {
    limit: u64,
}

impl OversizedStanzas {
    /// Judges by the policy's limit, or by its default.
    pub fn new(settings: &Settings) -> Self {
        let limit = settings.policy.as_ref().map_or(DEFAULT_MAX_STANZA_BYTES, |policy| policy.xmpp.max_stanza_bytes);
        Self { limit }
    }
}

impl StanzaWatch for OversizedStanzas {
    fn on_stanza(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>, out: &mut Vec<Finding>) {
        // A bounce holds what was sent; that was judged when it was sent.
        if stanza.bytes <= self.limit || stanza.stanza_type == Some("error") {
            return;
        }
        let stanza = OversizedStanza {
            bytes: stanza.bytes,
            from: stanza.from.map(str::to_owned),
            to: stanza.to.map(str::to_owned),
            id: stanza.id.map(str::to_owned),
            refused: false,
        };
        out.push(finding(&stanza, seen));
    }
}

/// `xmpp.oversized-stanza` for those that did not come whole, or were refused.
#[derive(Debug, Default)]
pub struct RefusedStanzas;

impl Detector for RefusedStanzas {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        if let Event::Xmpp(XmppEvent::Oversized(stanza)) = &record.event {
            out.push(finding(stanza, &record.at.as_seen()));
        }
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {}
}

fn finding(stanza: &OversizedStanza, seen: &Seen<'_>) -> Finding {
    let who = stanza.from.as_deref().map_or_else(|| seen.sender().to_string(), |from| in_title(from).into_owned());
    let whom = stanza.to.as_deref().map(|to| format!(" to {}", in_title(to))).unwrap_or_default();
    let refused = if stanza.refused { ", refused by the server" } else { "" };
    let title = format!("stanza of {} bytes of {who}{whom}{refused}", stanza.bytes);
    Finding::new(Kind::XmppOversizedStanza, "xmpp", seen, title)
        .with("bytes", stanza.bytes)
        .with_some("from", stanza.from.as_deref())
        .with_some("to", stanza.to.as_deref())
        .with_some("id", stanza.id.as_deref().map(|id| id.chars().take(MAX_ID).collect::<String>()))
        .with("refused", stanza.refused)
}

/// Findings of equal keys are of one stanza, as it was sent, carried and delivered. `None` where nothing tells it.
pub fn join_key(finding: &Finding) -> Option<String> {
    if finding.kind != Kind::XmppOversizedStanza {
        return None;
    }
    let text = |wanted: &str| {
        finding.evidence.iter().find_map(|(key, value)| match value {
            Evidence::Text(text) if *key == wanted => Some(text.as_str()),
            _ => None,
        })
    };
    let party = |name| text(name).map(jid::bare).unwrap_or_default();
    Some(format!("{}\n{}\n{}\n{}", finding.kind.name(), party("from"), party("to"), text("id")?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::detect::scene::{flow, settings, stamp};
    use crate::evidence::Direction;
    use crate::protocol::xmpp::{Leg, StanzaKind};

    fn judged(policy: Option<&str>, bytes: u64, stanza_type: Option<&str>, leg: Leg) -> Option<Finding> {
        let flow = flow("10.0.0.7:4000", "10.0.0.1:5222");
        let seen = Seen { flow: &flow, direction: Direction::FromOrig, first: stamp(1), last: stamp(1) };
        let stanza = Stanza {
            meaning: Default::default(),
            kind: StanzaKind::Message,
            from: Some("ann@x.test/r"),
            to: Some(if leg == Leg::Sent { "bob@x.test" } else { "bob@x.test/home" }),
            stanza_type,
            id: Some("m1"),
            body: None,
            children: "",
            bytes,
            leg,
            oob: None,
        };
        let mut out = Vec::new();
        OversizedStanzas::new(&settings(policy)).on_stanza(&seen, &stanza, &mut out);
        out.pop()
    }

    #[test]
    fn the_policy_or_its_default_sets_the_limit() {
        assert_eq!(judged(None, 262_144, None, Leg::Sent), None);
        let finding = judged(None, 262_145, None, Leg::Sent).unwrap();
        assert_eq!(finding.title, "stanza of 262145 bytes of ann@x.test/r to bob@x.test");
        assert!(judged(Some("[xmpp]\nmax_stanza_bytes = 1000"), 1001, None, Leg::Sent).is_some());
        assert_eq!(judged(Some("[xmpp]\nmax_stanza_bytes = 1000"), 1001, Some("error"), Leg::Sent), None);
    }

    #[test]
    fn a_delivered_copy_is_the_same_stanza() {
        let sent = judged(None, 300_000, None, Leg::Sent).unwrap();
        let delivered = judged(None, 300_090, None, Leg::Delivered).unwrap();
        assert!(join_key(&sent).is_some());
        assert_eq!(join_key(&sent), join_key(&delivered));
    }
}
