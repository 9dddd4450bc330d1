//! Addresses of XMPP, normalised so that two spellings of one address compare equal (RFC 7622).
//!
//! In goes a JID as it crossed the wire; out comes the same text, or its normal form: localpart by the PRECIS profile
//! UsernameCaseMapped (RFC 8265), domainpart with U-labels in lower case and without the final dot, resourcepart by
//! OpaqueString. What is not a JID is not corrected: hostile input comes back as it is.
//!
//! Nearly every JID on the wire is ASCII in lower case already. That is told in one pass, and nothing is copied.

use idna::uts46::{AsciiDenyList, Hyphens, Uts46};
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use precis_profiles::{OpaqueString, UsernameCaseMapped};
use std::borrow::Cow;
use std::net::Ipv6Addr;

/// Most bytes of each part (RFC 7622, 3.2 to 3.4).
pub const MAX_PART_BYTES: usize = 1023;

/// Characters that UsernameCaseMapped lets pass and a localpart may not hold (RFC 7622, 3.3.1).
const LOCALPART_EXCLUDED: &[char] = &['"', '&', '\'', '/', ':', '<', '>', '@'];

/// ASCII that no domainpart holds: delimiters of JIDs and of XML, brackets of IP literals, blanks, controls. The
/// underscore is not among them: host names of test sites have it.
const DOMAINPART_EXCLUDED: AsciiDenyList = AsciiDenyList::new(true, "\"&'/:<>@[]\\");

/// Rounds after which a profile that still changes its own output is given up (RFC 8264, 7: a few are enough).
const MAX_ROUNDS: usize = 4;

/// Local, domain and resource part: cut at the first `/`, then at the first `@` before it (RFC 7622, 3.2).
///
/// Any text has a domain, if an empty one; an empty local or resource part is still one that is there.
pub fn parts(jid: &str) -> (Option<&str>, &str, Option<&str>) {
    let (bare, resource) = match jid.split_once('/') {
        Some((bare, resource)) => (bare, Some(resource)),
        None => (jid, None),
    };
    match bare.split_once('@') {
        Some((local, domain)) => (Some(local), domain, resource),
        None => (None, bare, resource),
    }
}

/// The JID without its resource.
pub fn bare(jid: &str) -> &str {
    // Asked several times of each stanza.
    memchr::memchr(b'/', jid.as_bytes()).and_then(|end| jid.get(..end)).unwrap_or(jid)
}

/// Both may be of one party: they are the same, or one is the bare JID of the other.
pub fn agree(one: &str, other: &str) -> bool {
    one == other || {
        let (bare_one, bare_other) = (bare(one), bare(other));
        bare_one == bare_other && (bare_one == one || bare_other == other)
    }
}

/// The domain part.
pub fn domain(jid: &str) -> &str {
    parts(jid).1
}

/// The normal form, or the same text where it is that already or is no JID.
///
/// Holds for any text: `normalize(normalize(x)) == normalize(x)`.
pub fn normalize(jid: &str) -> Cow<'_, str> {
    if is_plainly_normal(jid) {
        return Cow::Borrowed(jid);
    }
    match try_normalize(jid) {
        Some(normal) if normal != jid => Cow::Owned(normal),
        _ => Cow::Borrowed(jid),
    }
}

/// The normal form of a domain alone, or the same text where it is that already or is no domain.
pub fn normalize_domain(domain: &str) -> Cow<'_, str> {
    if is_plainly_normal(domain) || domain.contains(['@', '/']) {
        return Cow::Borrowed(domain);
    }
    match normal_domain(domain) {
        Some(normal) if normal != domain => Cow::Owned(normal),
        _ => Cow::Borrowed(domain),
    }
}

/// The normal form of a valid JID; `None` for what is none.
pub fn try_normalize(jid: &str) -> Option<String> {
    let (local, domain, resource) = parts(jid);
    let mut normal = String::with_capacity(jid.len());
    if let Some(local) = local {
        normal.push_str(&normal_local(local)?);
        normal.push('@');
    }
    normal.push_str(&normal_domain(domain)?);
    if let Some(resource) = resource {
        normal.push('/');
        normal.push_str(&normal_resource(resource)?);
    }
    Some(normal)
}

/// `true` if normalisation certainly changes nothing, valid or not: ASCII, no upper case before the resource, and a
/// domain without A-labels, final dot or IP literal.
fn is_plainly_normal(jid: &str) -> bool {
    let (address, resource) = match memchr::memchr(b'/', jid.as_bytes()) {
        Some(slash) => jid.as_bytes().split_at_checked(slash).unwrap_or((jid.as_bytes(), b"")),
        None => (jid.as_bytes(), b"".as_slice()),
    };
    let settled = |byte: &u8| byte.is_ascii() && !byte.is_ascii_uppercase() && *byte != b'[';
    resource.is_ascii()
        && address.iter().all(settled)
        && address.last() != Some(&b'.')
        && memchr::memmem::find(address, b"xn--").is_none()
}

fn normal_local(local: &str) -> Option<Cow<'_, str>> {
    let normal = stable(local, |text| UsernameCaseMapped::enforce(text).ok())?;
    (normal.len() <= MAX_PART_BYTES && !normal.contains(LOCALPART_EXCLUDED)).then_some(normal)
}

fn normal_resource(resource: &str) -> Option<Cow<'_, str>> {
    let normal = stable(resource, |text| OpaqueString::enforce(text).ok())?;
    (normal.len() <= MAX_PART_BYTES).then_some(normal)
}

fn normal_domain(domain: &str) -> Option<String> {
    if let Some(literal) = domain.strip_prefix('[') {
        let address: Ipv6Addr = literal.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let normal = stable(domain, |text| {
        let (mapped, verdict) = Uts46::new().to_unicode(text.as_bytes(), DOMAINPART_EXCLUDED, Hyphens::Allow);
        verdict.ok()?;
        // RFC 7622, 3.2: a final dot is stripped before anything is compared. Mapping first, for other scripts
        // have full stops of their own.
        let rooted = mapped.strip_suffix('.').unwrap_or(&mapped);
        (!rooted.ends_with('.')).then(|| Cow::Owned(rooted.to_owned()))
    })?;
    (!normal.is_empty() && normal.len() <= MAX_PART_BYTES).then(|| normal.into_owned())
}

/// Applies a profile until its output no longer changes; `None` if the text is refused or never settles.
fn stable<'a>(text: &'a str, enforce: impl Fn(&str) -> Option<Cow<'_, str>>) -> Option<Cow<'a, str>> {
    // Width mapping makes one byte of three: what is longer than this cannot end up short enough.
    if text.len() > 3 * MAX_PART_BYTES {
        return None;
    }
    let mut settled = Cow::Borrowed(text);
    for _ in 0..MAX_ROUNDS {
        let next = enforce(&settled)?;
        if next == settled {
            return Some(settled);
        }
        settled = Cow::Owned(next.into_owned());
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 7622, 3.5, table 1, with the normal form of each.
    const VALID: &[(&str, &str)] = &[
        ("juliet@example.com", "juliet@example.com"),
        ("juliet@example.com/foo", "juliet@example.com/foo"),
        ("juliet@example.com/foo bar", "juliet@example.com/foo bar"),
        ("juliet@example.com/foo@bar", "juliet@example.com/foo@bar"),
        (r"foo\20bar@example.com", r"foo\20bar@example.com"),
        ("fussball@example.com", "fussball@example.com"),
        ("fu\u{DF}ball@example.com", "fu\u{DF}ball@example.com"),
        ("\u{3C0}@example.com", "\u{3C0}@example.com"),
        ("\u{3A3}@example.com/foo", "\u{3C3}@example.com/foo"),
        ("\u{3C3}@example.com/foo", "\u{3C3}@example.com/foo"),
        ("\u{3C2}@example.com/foo", "\u{3C2}@example.com/foo"),
        ("king@example.com/\u{265A}", "king@example.com/\u{265A}"),
        ("example.com", "example.com"),
        ("example.com/foobar", "example.com/foobar"),
        ("a.example.com/b@example.net", "a.example.com/b@example.net"),
    ];

    /// RFC 7622, 3.5, table 2. The leading space of a resource (row 3) is no longer wrong by RFC 8265.
    const INVALID: &[&str] = &[
        "\"juliet\"@example.com",
        "foo bar@example.com",
        "@example.com/",
        "henri\u{2163}@example.com",
        "\u{265A}@example.com",
        "juliet@",
        "/foobar",
    ];

    #[test]
    fn examples_of_the_rfc() {
        for (jid, normal) in VALID {
            assert_eq!(try_normalize(jid).as_deref(), Some(*normal), "{jid}");
            assert_eq!(normalize(jid), *normal, "{jid}");
        }
        for jid in INVALID {
            assert_eq!(try_normalize(jid), None, "{jid}");
            assert_eq!(normalize(jid), *jid, "{jid}");
        }
    }

    #[test]
    fn spellings_of_one_address_become_one() {
        for (jid, normal) in [
            ("Oscar@Alpha.TEST/Ej", "oscar@alpha.test/Ej"),
            ("oscar@alpha.test./ej", "oscar@alpha.test/ej"),
            ("\u{FF4F}scar@alpha.test", "oscar@alpha.test"),
            ("a@xn--bcher-kva.example", "a@b\u{FC}cher.example"),
            ("a@B\u{DC}CHER.example", "a@b\u{FC}cher.example"),
            ("a@alpha\u{3002}test", "a@alpha.test"),
            ("a@[FD77:0::1]/r", "a@[fd77::1]/r"),
            ("a@192.0.2.1/r", "a@192.0.2.1/r"),
            ("a@alpha.test/no\u{A0}break", "a@alpha.test/no break"),
            ("a@alpha.test/e\u{301}", "a@alpha.test/\u{E9}"),
        ] {
            assert_eq!(normalize(jid), normal, "{jid}");
        }
    }

    #[test]
    fn delimiters_cannot_be_smuggled_in_by_mapping() {
        // Full-width @ and / map to the ASCII ones; the result would be another address.
        for jid in [
            "evil\u{FF20}spam.example",
            "a@b\u{FF0F}c.example",
            "a\u{FF0F}b@c.example",
            "a@[::1",
            "a@b..",
            "a@\u{3002}",
        ] {
            assert_eq!(normalize(jid), jid);
        }
    }

    #[test]
    fn parts_that_are_too_long_stay_as_they_are() {
        let fits = "A".repeat(MAX_PART_BYTES);
        let long = "A".repeat(MAX_PART_BYTES + 1);
        assert_eq!(normalize(&format!("{fits}@x")), format!("{}@x", fits.to_lowercase()));
        assert_eq!(normalize(&format!("{long}@x")), format!("{long}@x"));
        assert_eq!(normalize(&format!("A@x/{long}")), format!("A@x/{long}"));
    }

    #[test]
    fn plain_jids_are_not_copied() {
        for jid in ["romeo@alpha.test/Orchard", "alpha.test", "a_b@under_score.test/R", "", "@", "/"] {
            assert!(matches!(normalize(jid), Cow::Borrowed(_)), "{jid}");
        }
    }

    #[test]
    fn parts_are_cut_at_the_first_slash_then_the_first_at() {
        assert_eq!(parts("a@b/c@d/e"), (Some("a"), "b", Some("c@d/e")));
        assert_eq!(parts("b/c@d"), (None, "b", Some("c@d")));
        assert_eq!(parts("a@b@c"), (Some("a"), "b@c", None));
        assert_eq!(parts(""), (None, "", None));
        assert_eq!(bare("a@b/c/d"), "a@b");
        assert_eq!(domain("a@b/c"), "b");
    }

    /// Texts that come close to JIDs, with what mapping makes trouble of.
    fn near_jids() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-zA-Z0-9.@/_-]{0,6}",
            Just("xn--".to_owned()),
            Just("xn--bcher-kva".to_owned()),
            Just("\u{FF20}".to_owned()),
            Just("\u{3002}".to_owned()),
            Just("\u{130}".to_owned()),
            Just("\u{1E9E}".to_owned()),
            Just("\u{3A3}".to_owned()),
            Just("\u{5D0}".to_owned()),
            Just("\u{200D}".to_owned()),
            Just("[::1]".to_owned()),
            any::<char>().prop_map(String::from),
        ];
        proptest::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn normal_forms_are_normal(jid in prop_oneof![near_jids(), any::<String>()]) {
            let once = normalize(&jid).into_owned();
            prop_assert_eq!(normalize(&once), once.as_str());
        }

        #[test]
        fn the_quick_answer_is_the_full_one(jid in near_jids()) {
            let full = try_normalize(&jid).unwrap_or_else(|| jid.clone());
            prop_assert_eq!(normalize(&jid), full.as_str());
        }
    }
}
