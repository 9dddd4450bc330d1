//! Files inside stanzas: bits of binary (XEP-0231) and avatars (XEP-0084, XEP-0153).
//!
//! A relayed stanza crosses several connections with one id: it is told once, by the leg that was seen first.

use super::moved::Moved;
use crate::evidence::Sighting;
use crate::protocol::xmpp::{InlineFile, InlineKind};
use std::collections::HashSet;

/// Stanzas remembered, so that their further legs are not told again.
const MAX_REMEMBERED: usize = 65_536;

/// Stanzas with files so far.
#[derive(Debug, Default)]
pub(super) struct Inline {
    told: HashSet<Key>,
}

/// Kind, hash, sender, receiver, id.
type Key = (InlineKind, [u8; 32], Option<String>, Option<String>, Option<String>);

impl Inline {
    /// What moved, unless it is a further leg.
    pub(super) fn moved(&mut self, file: &InlineFile, at: &Sighting) -> Option<Moved> {
        let key = (file.kind, file.content.sha256, file.from.clone(), file.to.clone(), file.id.clone());
        if self.told.len() >= MAX_REMEMBERED {
            self.told.clear();
        }
        if !self.told.insert(key) {
            return None;
        }
        let (method, place) = match file.kind {
            InlineKind::Bob => ("bob", None),
            InlineKind::Avatar => ("avatar", Some("(PEP node urn:xmpp:avatar:data)")),
            InlineKind::VcardPhoto => ("vcard", Some("(vCard)")),
        };
        let mut moved = Moved::new(method, "xmpp", at, file.content.clone());
        moved.name.clone_from(&file.name);
        moved.from.clone_from(&file.from);
        // What is published goes to no one yet.
        moved.to = file.to.clone().or(place.map(str::to_owned));
        Some(moved)
    }
}
