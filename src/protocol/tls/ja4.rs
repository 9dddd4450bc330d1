//! JA4, the fingerprint of a client's hello by FoxIO's specification (`technical_details/JA4.md`, BSD licence): version,
//! server name or not, counts, the first application protocol, and two hashes of sorted lists. Its relatives for
//! servers and other protocols are under another licence, and not here.

use super::handshake::is_grease;
use sha2::{Digest, Sha256};
use std::fmt::Write;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
/// Characters kept of a hash.
const HASH_CHARS: usize = 12;
/// In place of the hash of an empty list.
const NOTHING: &str = "000000000000";

/// What of a hello the fingerprint is made of; GREASE is left out here.
pub(super) struct Hello<'a> {
    /// The highest number of a version that was offered; drafts count as they stand.
    pub version: u16,
    /// Cipher suites.
    pub suites: Vec<u16>,
    /// Types of extensions.
    pub extensions: Vec<u16>,
    /// The first application protocol, as on the wire.
    pub alpn: Option<&'a [u8]>,
    /// Signature algorithms, in order.
    pub signatures: Vec<u16>,
}

/// The fingerprint of a hello over TCP.
pub(super) fn fingerprint(hello: &Hello<'_>) -> String {
    let suites = sorted(&hello.suites, |_| true);
    let kinds = sorted(&hello.extensions, |kind| !matches!(kind, SERVER_NAME | ALPN));
    let signatures: Vec<u16> = hello.signatures.iter().copied().filter(|value| !is_grease(*value)).collect();
    let mut listed = list(&kinds);
    if !signatures.is_empty() {
        listed.push('_');
        listed.push_str(&list(&signatures));
    }
    let extensions = if kinds.is_empty() { NOTHING.to_owned() } else { hash(&listed) };
    let suite_hash = if suites.is_empty() { NOTHING.to_owned() } else { hash(&list(&suites)) };
    format!(
        "t{}{}{:02}{:02}{}_{suite_hash}_{extensions}",
        version(hello.version),
        if hello.extensions.contains(&SERVER_NAME) { 'd' } else { 'i' },
        suites.len().min(99),
        sorted(&hello.extensions, |_| true).len().min(99),
        alpn(hello.alpn.unwrap_or_default()),
    )
}

fn version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 | 0x0200 => "s2",
        _ => "00",
    }
}

/// First and last character of the name, or of its form in hex where these are not letters or digits.
fn alpn(name: &[u8]) -> String {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return "00".to_owned() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(*first), char::from(*last)].iter().collect();
    }
    let (first, last) = (format!("{first:02x}"), format!("{last:02x}"));
    first.chars().take(1).chain(last.chars().skip(1)).collect()
}

fn sorted(values: &[u16], keep: impl Fn(u16) -> bool) -> Vec<u16> {
    let mut values: Vec<u16> = values.iter().copied().filter(|value| !is_grease(*value) && keep(*value)).collect();
    values.sort_unstable();
    values
}

fn list(values: &[u16]) -> String {
    values.iter().map(|value| format!("{value:04x}")).collect::<Vec<_>>().join(",")
}

fn hash(text: &str) -> String {
    let mut hash = String::new();
    for byte in Sha256::digest(text).iter().take(HASH_CHARS / 2) {
        let _ = write!(hash, "{byte:02x}"); // a String takes everything
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Hello<'static> {
        Hello {
            version: 0x0304,
            suites: vec![
                0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
                0x009d, 0x002f, 0x0035,
            ],
            extensions: vec![
                0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b,
                0xff01, 0x000b, 0x000a, 0x0015,
            ],
            alpn: Some(b"h2"),
            signatures: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
        }
    }

    #[test]
    fn the_example_of_the_specification() {
        assert_eq!(fingerprint(&example()), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        let without = Hello { signatures: Vec::new(), ..example() };
        assert!(fingerprint(&without).ends_with("_6d807ffa2a79"));
    }

    #[test]
    fn application_protocols_are_two_characters() {
        let cases: [(&[u8], &str); 8] = [
            (b"", "00"),
            (b"h", "hh"),
            (b"xmpp-client", "xt"),
            (&[0xab], "ab"),
            (&[0xab, 0xcd], "ad"),
            (&[0x30, 0xab], "3b"),
            (&[0x30, 0x31, 0xab, 0xcd], "3d"),
            (&[0x30, 0xab, 0xcd, 0x31], "01"),
        ];
        for (name, want) in cases {
            assert_eq!(alpn(name), want, "{name:?}");
        }
    }

    #[test]
    fn empty_lists_are_zeros() {
        let empty = Hello { version: 0x0300, suites: vec![], extensions: vec![], alpn: None, signatures: vec![] };
        assert_eq!(fingerprint(&empty), "ts3i000000_000000000000_000000000000");
    }
}
