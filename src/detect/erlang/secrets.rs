//! Whether a quoted call or result shows a secret, so that evidence is masked where it must be.

/// What introduces a secret in a command or an answer.
const SHOWN: &[&str] =
    &["setcookie", "--cookie", "COOKIE=", "BEGIN PRIVATE", "BEGIN RSA", "BEGIN EC", "password", "passwd="];

/// Files and calls whose answer is one.
const ASKED: &[&str] = &[
    ".erlang.cookie",
    "/etc/shadow",
    "/etc/gshadow",
    ".pem",
    ".key",
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    ".p12",
    ".pfx",
    "ejabberd.yml",
    ".pgpass",
    ".netrc",
    "environ",
    "printenv",
];

/// `true` if the text shows a secret by itself.
pub fn shows_secret(text: &str) -> bool {
    SHOWN.iter().any(|mark| text.contains(mark))
}

/// `true` if the arguments of a call ask for one.
pub fn asks_for_secret(arguments: &str) -> bool {
    ASKED.iter().any(|mark| arguments.contains(mark))
}
