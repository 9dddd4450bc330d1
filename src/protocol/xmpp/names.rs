//! JIDs and ids as attributes give them.

use super::element::value_of;
use super::jid;
use std::borrow::Cow;

/// Longest name or id that is kept with a connection: the longest JID there can be (RFC 7622, 3.1).
pub(super) const MAX_KEPT: usize = 3071;

/// A name or id in the form that is kept, unless it is absurdly long.
pub(super) fn kept(name: Option<Cow<'_, str>>) -> Option<Box<str>> {
    name.filter(|name| name.len() <= MAX_KEPT).map(Into::into)
}

/// A JID of an attribute, references resolved and normalised. Nearly all are written in their normal form, and that
/// is told without a copy.
pub(super) fn normalized(raw: &str) -> Cow<'_, str> {
    if is_plainly_normal(raw) {
        return Cow::Borrowed(raw);
    }
    match value_of(raw) {
        Cow::Borrowed(value) => jid::normalize(value),
        Cow::Owned(value) => Cow::Owned(jid::normalize(&value).into_owned()),
    }
}

/// Lower-case letters, digits and a few marks before the slash, printable ASCII without references behind it: nothing
/// that RFC 7622 would change. `xn--` labels and final dots of domains are left to the full rules.
fn is_plainly_normal(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    let (bare, resource) = bytes.split_at(memchr::memchr(b'/', bytes).unwrap_or(bytes.len()));
    let plain =
        |byte: u8| byte.is_ascii_lowercase() | byte.is_ascii_digit() | matches!(byte, b'.' | b'@' | b'_' | b'-');
    bare.iter().fold(true, |all, byte| all & plain(*byte))
        && resource.iter().fold(true, |all, byte| all & (0x21..0x7f).contains(byte) & (*byte != b'&'))
        && bare.last().is_some_and(|last| *last != b'.')
        && (memchr::memchr(b'-', bare).is_none() || !bare.windows(4).any(|window| window == b"xn--"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_rule_changes_is_plainly_normal() {
        for plain in ["a@x.test/Phone.12", "x.test", "a_b-c@conference.x.test/N|ck<"] {
            assert!(is_plainly_normal(plain), "{plain}");
        }
        for other in ["A@x.test", "a@x.test.", "a@xn--tda.test", "é@x.test", "a@x/R&amp;D", "a@x/b c", ""] {
            assert!(!is_plainly_normal(other), "{other}");
        }
    }
}
