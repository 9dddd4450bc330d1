//! Whose stream it is, and which session it carries.

use crate::protocol::xmpp::jid;
use crate::protocol::xmpp::names::{MAX_KEPT, normalized};

/// The JID bound to a stream.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// As the stream told it.
    pub bound: Option<Box<str>>,
    /// The full JID to which the server delivers.
    delivered_to: Option<Box<str>>,
    /// It delivers to several: then this tells nothing.
    ambiguous: bool,
    /// Bare JID of who logged in. A session that is resumed (XEP-0198) binds nothing anew.
    pub resumed_by: Option<Box<str>>,
}

impl Account {
    pub fn jid(&self) -> Option<&str> {
        match &self.bound {
            Some(jid) => Some(jid),
            None if self.ambiguous => None,
            None => self.delivered_to.as_deref(),
        }
    }

    pub fn bare(&self) -> Option<&str> {
        self.best().map(jid::bare)
    }

    /// The full JID, or else the bare one of a session that is resumed.
    pub fn best(&self) -> Option<&str> {
        self.jid().or(self.resumed_by.as_deref())
    }

    pub fn learn(&mut self, to: &str) {
        let jid = normalized(to);
        if !jid.contains('/') || jid.len() > MAX_KEPT {
            return;
        }
        match &self.delivered_to {
            None => self.delivered_to = Some(jid.into()),
            Some(known) if **known == *jid => {}
            Some(_) => self.ambiguous = true,
        }
    }
}

/// What is known of a session that goes on over other connections (XEP-0198).
#[derive(Debug, Default)]
pub(super) struct Resumption {
    /// The server's name for the session.
    pub resumable: Option<Box<str>>,
    /// The client asked to go on with this one.
    pub asked: Option<Box<str>>,
    /// And the server did.
    pub resumes: Option<Box<str>>,
}
