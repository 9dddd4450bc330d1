//! Cookies that people paste into chats: judged inside the shards, for stanzas are not kept.

use super::leak::{self, Leak};
use super::phrases;
use crate::detect::{Finding, StanzaWatch};
use crate::evidence::Seen;
use crate::protocol::xmpp::Stanza;
use memchr::memmem;

/// Looks for command lines with a cookie in message bodies.
#[derive(Debug)]
pub struct CookieInStanza {
    needles: [memmem::Finder<'static>; 2],
}

impl Default for CookieInStanza {
    fn default() -> Self {
        Self { needles: ["cookie", "COOKIE"].map(memmem::Finder::new) }
    }
}

impl StanzaWatch for CookieInStanza {
    fn on_stanza(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>, out: &mut Vec<Finding>) {
        let Some(body) = stanza.body else { return };
        if !self.needles.iter().any(|needle| needle.find(body.as_bytes()).is_some()) {
            return;
        }
        for phrase in phrases::cookies_in(body) {
            out.push(leak::finding(&Leak { cookie: phrase.cookie, via: "message", node: None }, "xmpp", seen));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::{Direction, FlowInfo, Stamp, Transport};
    use crate::protocol::xmpp::StanzaKind;
    use std::sync::Arc;

    fn findings(body: &str) -> usize {
        let flow = Arc::new(FlowInfo {
            transport: Transport::Tcp,
            orig: "10.0.0.7:40000".parse().unwrap(),
            resp: "10.0.0.1:5222".parse().unwrap(),
            community_id: "1:x".into(),
            tunnel: "".into(),
            within: crate::evidence::Within::default(),
        });
        let seen =
            Seen { flow: &flow, direction: Direction::FromOrig, first: Stamp::default(), last: Stamp::default() };
        let stanza = Stanza {
            kind: StanzaKind::Message,
            from: Some("a@x/r"),
            to: Some("b@x"),
            stanza_type: Some("chat"),
            id: None,
            body: Some(body),
            children: "",
            bytes: 100,
            meaning: Default::default(),
            leg: crate::protocol::xmpp::Leg::Sent,
            oob: None,
        };
        let mut out = Vec::new();
        CookieInStanza::default().on_stanza(&seen, &stanza, &mut out);
        out.len()
    }

    #[test]
    fn a_pasted_command_line_is_a_leak_and_talk_is_not() {
        assert_eq!(findings("run this: erl -sname x -setcookie tigera77 -remsh a@b"), 1);
        assert_eq!(findings("export RELEASE_COOKIE=tigera77"), 1);
        for talk in ["I baked a cookie", "what does -setcookie do?", "look into ~/.erlang.cookie", "clear your cookies"]
        {
            assert_eq!(findings(talk), 0, "{talk}");
        }
    }
}
