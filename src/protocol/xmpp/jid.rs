//! Normalised JIDs (RFC 7622).

use std::borrow::Cow;

/// The normalised form of a JID; one that is not valid comes back as it is.
pub fn normalize(jid: &str) -> Cow<'_, str> {
    let bare = jid.split_once('/').map_or(jid, |(bare, _)| bare);
    if !bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Borrowed(jid);
    }
    let rest = jid.get(bare.len()..).unwrap_or_default();
    Cow::Owned(format!("{}{rest}", bare.to_ascii_lowercase()))
}
