//! What a file gives away: configuration, cookies, tables, keys and password files, by name and by content.

use regex::bytes::Regex;
use std::sync::LazyLock;

/// Something in a file that should not leave its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// `ejabberd.yml`, `.erlang.cookie`, `mnesia`, `private-key`, `passwords`, `prosody.cfg.lua`, `account-export`.
    pub what: &'static str,
    /// Name of the member of an archive; `None` for the file itself.
    pub member: Option<String>,
}

/// Configuration files, by a part of their name, so that copies (`ejabberd.yml.bak`) are told too.
const CONFIGURATION: &[(&str, &str)] = &[
    ("ejabberd.yml", "ejabberd.yml"),
    ("ejabberd.yaml", "ejabberd.yml"),
    ("ejabberd.cfg", "ejabberd.yml"),
    ("ejabberdctl.cfg", "ejabberd.yml"),
    ("prosody.cfg", "prosody.cfg.lua"),
    ("erlang.cookie", ".erlang.cookie"),
];

/// Files of keys and passwords, by their whole name.
const NAMES: &[(&str, &str)] = &[
    ("id_rsa", "private-key"),
    ("id_dsa", "private-key"),
    ("id_ecdsa", "private-key"),
    ("id_ed25519", "private-key"),
    ("passwd", "passwords"),
    ("shadow", "passwords"),
    ("gshadow", "passwords"),
    ("passwd-", "passwords"),
    ("shadow-", "passwords"),
    ("htpasswd", "passwords"),
    (".htpasswd", "passwords"),
    (".netrc", "passwords"),
    (".pgpass", "passwords"),
    (".my.cnf", "passwords"),
    ("schema.dat", "mnesia"),
    ("decision_tab.log", "mnesia"),
    ("decision.log", "mnesia"),
];

/// Files by the ending of their name.
const ENDINGS: &[(&str, &str)] = &[
    ("dcd", "mnesia"),
    ("dcl", "mnesia"),
    ("key", "private-key"),
    ("p12", "private-key"),
    ("pfx", "private-key"),
    ("jks", "private-key"),
    ("keystore", "private-key"),
    ("ppk", "private-key"),
    ("kdbx", "passwords"),
];

/// What lists of passwords are called, and in what they are written.
const PASSWORD_STEMS: &[&str] = &["password", "passwords", "passwort", "passwd", "credentials", "logins"];
const LIST_ENDINGS: &[&str] = &["txt", "csv", "tsv", "xls", "xlsx", "ods", "doc", "docx", "odt", "json", "xml", "yml"];

/// What a file of this name is; of a path the last part counts.
pub fn by_name(name: &str) -> Option<&'static str> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name).to_lowercase();
    let of = |list: &[(&'static str, &'static str)], fits: &dyn Fn(&str) -> bool| {
        list.iter().find(|(known, _)| fits(known)).map(|(_, what)| *what)
    };
    let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
    let is_list = LIST_ENDINGS.contains(&ending)
        && PASSWORD_STEMS.iter().any(|known| stem.split(['-', '_', ' ', '.']).any(|word| word == *known));
    let is_backup = name.contains("ejabberd") && matches!(ending, "backup" | "bup" | "dump");
    of(CONFIGURATION, &|known| name.contains(known))
        .or_else(|| of(NAMES, &|known| name == known))
        .or_else(|| of(ENDINGS, &|known| ending == known))
        .or_else(|| is_list.then_some("passwords"))
        .or_else(|| is_backup.then_some("mnesia"))
}

static PRIVATE_KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?m)^-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|^PuTTY-User-Key-File-\d").ok()
});
static PASSWORDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // passwd, shadow, htpasswd: a name and what stands for its password.
    Regex::new(r"(?m)^[A-Za-z0-9._@-]{1,64}:(?:[x*!]:0:0:[^\n:]*:/|\$(?:apr1|1|2[aby]|5|6|y|7)\$[./A-Za-z0-9$=,+-]{8,}|\{SHA\}[A-Za-z0-9+/=]{20,})").ok()
});
static EJABBERD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?m)^\s*-?\s*module: ejabberd_(?:c2s|s2s_in|http)\b|^\s*\{\d+, ejabberd_c2s,|^\s*module: 'ejabberd_")
        .ok()
});
static PROSODY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?m)^\s*modules_enabled\s*=\s*\{[\s\S]*^\s*VirtualHost\s*\(?\s*["']"#).ok());

/// What the beginning of a file of so many bytes tells.
pub(super) fn of_content(head: &[u8], bytes: u64) -> Vec<Exposure> {
    let has = |parts: &[&str]| parts.iter().any(|part| memchr::memmem::find(head, part.as_bytes()).is_some());
    let is_text = memchr::memchr(0, head).is_none();
    // Patterns are asked only where a part of them stands: most files are none of these.
    let fits = |parts: &[&str], pattern: &LazyLock<Option<Regex>>| {
        has(parts) && pattern.as_ref().is_some_and(|pattern| pattern.is_match(head))
    };
    let found = [
        (fits(&["ejabberd_"], &EJABBERD), "ejabberd.yml"),
        (fits(&["VirtualHost"], &PROSODY), "prosody.cfg.lua"),
        (is_cookie(head, bytes), ".erlang.cookie"),
        (is_mnesia(head), "mnesia"),
        (fits(&["PRIVATE KEY", "PuTTY-User-Key"], &PRIVATE_KEY), "private-key"),
        ((is_text && fits(&[":$", ":{SHA}", ":0:0:"], &PASSWORDS)) || head.starts_with(KEEPASS), "passwords"),
        (head.starts_with(b"<") && has(&["urn:xmpp:pie:0"]), "account-export"),
    ];
    found.into_iter().filter(|(is, _)| *is).map(|(_, what)| Exposure { what, member: None }).collect()
}

/// The first bytes of a KeePass database.
const KEEPASS: &[u8] = &[0x03, 0xd9, 0xa2, 0x9a];

/// Erlang makes cookies of twenty capital letters.
fn is_cookie(head: &[u8], bytes: u64) -> bool {
    let cookie = head.strip_suffix(b"\n").unwrap_or(head);
    bytes == head.len() as u64 && cookie.len() == 20 && cookie.iter().all(u8::is_ascii_uppercase)
}

/// A table on disk: `disk_log` (its magic, then opened or closed) of which Mnesia makes `.DCD`, `.DCL` and backups, or
/// `dets` (its cookie behind the free list).
fn is_mnesia(head: &[u8]) -> bool {
    let is_log = head.starts_with(&[1, 2, 3, 4, 6, 7, 8, 9]) || head.starts_with(&[1, 2, 3, 4, 99, 88, 77, 11]);
    is_log || head.get(4..8) == Some(&[0x00, 0xab, 0xcd, 0xef])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn names_tell() {
        for (name, what) in [
            ("/etc/ejabberd/ejabberd.yml", "ejabberd.yml"),
            ("Ejabberd.YML.old", "ejabberd.yml"),
            (".erlang.cookie", ".erlang.cookie"),
            ("C:\\db\\passwd.DCD", "mnesia"),
            ("server.key", "private-key"),
            ("shadow", "passwords"),
            ("our_passwords.xlsx", "passwords"),
            ("ejabberd-2026.backup", "mnesia"),
        ] {
            assert_eq!(by_name(name), Some(what), "{name}");
        }
        for name in ["notes.txt", "keyboard.png", "backup.zip", "passwordless.txt", "holiday.dat", ""] {
            assert_eq!(by_name(name), None, "{name}");
        }
    }

    #[test]
    fn contents_tell() {
        let what =
            |head: &[u8]| of_content(head, head.len() as u64).into_iter().map(|told| told.what).collect::<Vec<_>>();
        assert_eq!(what(b"-----BEGIN RSA PRIVATE KEY-----\nMII"), ["private-key"]);
        assert_eq!(what(b"x\r\n-----BEGIN PRIVATE KEY-----\r\n"), ["private-key"]);
        assert_eq!(what(b"-----BEGIN CERTIFICATE-----\nMII"), [""; 0]);
        assert_eq!(what(b"ABCDEFGHIJKLMNOPQRST"), [".erlang.cookie"]);
        assert_eq!(what(b"ABCDEFGHIJKLMNOPQRSTU"), [""; 0]);
        assert_eq!(what(b"hosts:\n  - a\nlisten:\n  -\n    port: 5222\n    module: ejabberd_c2s\n"), ["ejabberd.yml"]);
        assert_eq!(what(b"root:x:0:0:root:/root:/bin/bash\n"), ["passwords"]);
        assert_eq!(what(b"romeo:$6$salt$abcdefghijklmnop:19000:0:99999:7:::\n"), ["passwords"]);
        assert_eq!(what(&[1, 2, 3, 4, 6, 7, 8, 9, 0]), ["mnesia"]);
        assert_eq!(what(&[0, 0, 0, 0, 0, 0xab, 0xcd, 0xef]), ["mnesia"]);
        assert_eq!(what(b"modules_enabled = {\n \"roster\";\n}\nVirtualHost \"a.test\"\n"), ["prosody.cfg.lua"]);
    }
}
