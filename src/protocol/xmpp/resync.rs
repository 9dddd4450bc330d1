//! Where to go on after bytes that are missing or make no sense.

use super::tape::is_name_end;
use memchr::{memchr, memrchr};

/// Names of what stands directly under the stream, without prefixes.
const NAMES: &[&[u8]] = &[
    b"message",
    b"presence",
    b"iq",
    b"stream",
    b"features",
    b"error",
    b"auth",
    b"challenge",
    b"response",
    b"success",
    b"failure",
    b"abort",
    b"starttls",
    b"proceed",
    b"compress",
    b"compressed",
    b"handshake",
    b"enable",
    b"enabled",
    b"resume",
    b"resumed",
    b"failed",
    b"r",
    b"a",
    b"result",
    b"verify",
    b"authenticate",
    b"continue",
    b"inactive",
    b"active",
];
/// Longest name that is looked at, prefix and all: the work at each `<` is bounded.
const MAX_NAME: usize = 64;
/// Those of them that have content of which an end may be seen.
const STANZAS: &[&[u8]] = &[b"message", b"presence", b"iq"];

/// The next place from `from` on where an item plausibly begins: at the start of the data, or behind the end of
/// another item. Elsewhere a stanza may stand inside another.
pub(super) fn find_stanza(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr(b'<', data.get(at..)?)?;
        let rest = data.get(at..)?;
        if begins_item(rest) && (at == 0 || is_behind_item(data.get(..at)?)) {
            return Some(at);
        }
        at += 1;
    }
}

/// Whether data begins in UTF-16, which XMPP forbids (RFC 6120, 11.6) and parsers of XML take all the same.
pub(super) fn is_utf_16(data: &[u8]) -> bool {
    let marks = [&b"\xff\xfe<\0"[..], b"\xfe\xff\0<", b"<\0?\0", b"\0<\0?", b"<\0s\0", b"\0<\0s"];
    marks.iter().any(|mark| data.starts_with(mark))
}

/// Whether what follows a stanza shows that it stood inside another: the end of something around it.
pub(super) fn is_inside_another(rest: Option<&[u8]>) -> bool {
    let rest = rest.unwrap_or_default().trim_ascii_start();
    rest.strip_prefix(b"</").is_some_and(|end| local_name(end) != b"stream")
}

/// Whether a TLS handshake record begins here.
pub(super) fn is_tls(rest: Option<&[u8]>) -> bool {
    matches!(rest, Some([0x16, 0x03, ..]) | Some([0x16]))
}

/// `<name` of something that stands directly under the stream, or `<?xml`; cut names are given the benefit.
pub(super) fn begins_item(bytes: &[u8]) -> bool {
    let Some(after) = bytes.strip_prefix(b"<") else { return false };
    if after.starts_with(b"?xml") {
        return true;
    }
    let after = after.strip_prefix(b"/").unwrap_or(after);
    let after = after.get(..MAX_NAME).unwrap_or(after);
    let closes = bytes.starts_with(b"</");
    let local = local_name(after);
    let cut = after.iter().all(|byte| !is_name_end(*byte));
    if closes {
        return local == b"stream";
    }
    NAMES.iter().any(|name| *name == local || (cut && name.starts_with(local)))
}

/// Whether the tag that ends right before is the end of an item.
fn is_behind_item(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    if before.last() != Some(&b'>') {
        return false;
    }
    let Some(tag) = memrchr(b'<', before).and_then(|open| before.get(open + 1..)) else { return false };
    match tag.strip_prefix(b"/") {
        Some(name) => STANZAS.contains(&local_name(name)),
        None => tag.ends_with(b"/>") && STANZAS.contains(&local_name(tag)),
    }
}

/// The name at the start of these bytes, without prefix.
fn local_name(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.get(..MAX_NAME).unwrap_or(bytes);
    let name = bytes.split(|byte| is_name_end(*byte)).next().unwrap_or_default();
    match memchr(b':', name) {
        Some(colon) => name.get(colon + 1..).unwrap_or_default(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_are_found_behind_stanzas_only() {
        assert_eq!(find_stanza(b"<message to='a'/>", 0), Some(0));
        assert_eq!(find_stanza(b"x</body></message><iq id='1'/>", 0), Some(18));
        assert_eq!(find_stanza(b"x' id='1'/></a></message>\n<presence/>", 0), Some(26));
        assert_eq!(find_stanza(b"x'/><forwarded><message><body/></message></forwarded></message><iq/>", 0), Some(63));
        assert_eq!(find_stanza(b"<forwarded><delay/><message/></forwarded>", 0), None);
        assert_eq!(find_stanza(b"abc", 0), None);
        assert!(is_inside_another(Some(b"</forwarded>")));
        assert!(!is_inside_another(Some(b"</stream:stream>")));
    }
}
