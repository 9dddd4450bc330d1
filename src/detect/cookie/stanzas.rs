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
    needles: [memmem::Finder<'static>; 3],
}

impl Default for CookieInStanza {
    fn default() -> Self {
        Self { needles: ["setcookie", "set_cookie", "COOKIE"].map(memmem::Finder::new) }
    }
}

impl StanzaWatch for CookieInStanza {
    fn on_stanza(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>, out: &mut Vec<Finding>) {
        let Some(body) = stanza.body else { return };
        let bytes = body.as_bytes();
        if !self.needles.iter().any(|needle| needle.find(bytes).is_some())
            && memmem::find(bytes, b".erlang.cookie").is_none()
        {
            return;
        }
        for phrase in phrases::cookies_in(body) {
            out.push(leak::finding(&Leak { cookie: phrase.cookie, via: "message", node: None }, "xmpp", seen));
        }
    }
}
