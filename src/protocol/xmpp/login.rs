//! Logins: SASL (RFC 6120 section 6 and the mechanisms' own documents), `jabber:iq:auth` (XEP-0078), component
//! handshakes (XEP-0114), and passwords set by in-band registration (XEP-0077).

mod fields;

pub(super) use fields::Fields;

use super::{Disclosure, Login, Outcome, jid};
use crate::evidence::Stamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Attempts without an outcome that are kept; clients wait for one before the next.
const MAX_OPEN: usize = 8;
/// Longest payload that is looked into: tokens are a few KiB.
const MAX_PAYLOAD: usize = 64 * 1024;

/// Mechanism of the passwords of rooms (XEP-0045).
pub(super) const ROOM: &str = "muc";
/// Mechanism of those that are kept in bookmarks (XEP-0048, XEP-0402).
pub(super) const BOOKMARK: &str = "bookmark";

/// What opens an attempt, and thus what ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exchange {
    /// SASL: `<success/>` or `<failure/>`.
    Sasl,
    /// A request by iq: the answer with this id.
    Iq(Box<str>),
    /// A component's handshake.
    Component,
    /// A room is entered under this JID: the presence of who has it.
    Room(Box<str>),
}

/// A login that has not reached its outcome.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// What ends it.
    pub exchange: Exchange,
    /// Name in findings.
    pub mechanism: String,
    /// Identity as sent.
    pub username: Option<String>,
    /// Bare JID it stands for.
    pub jid: Option<String>,
    /// Full JID that is bound if it succeeds (`jabber:iq:auth`).
    pub binds: Option<String>,
    /// What was given away so far.
    pub disclosure: Disclosure,
    /// Client messages of a SASL exchange so far.
    steps: u8,
    /// First frame.
    pub first: Stamp,
    /// Last frame so far.
    pub last: Stamp,
}

impl Attempt {
    /// An attempt of which nothing is known but how it is made.
    pub fn new(exchange: Exchange, mechanism: &str, first: Stamp, last: Stamp) -> Self {
        Self {
            exchange,
            mechanism: mechanism.to_owned(),
            username: None,
            jid: None,
            binds: None,
            disclosure: Disclosure::Nothing,
            steps: 0,
            first,
            last,
        }
    }

    /// Takes a SASL message of the client, Base64 as on the wire. An empty one is no message but the word that one
    /// will follow; `=` is an empty message (RFC 6120, 6.4.2).
    pub fn take_response(&mut self, text: &str, domain: Option<&str>) {
        let text = text.trim_ascii();
        if text.is_empty() || text.len() > MAX_PAYLOAD {
            return;
        }
        let message = if text == "=" { Vec::new() } else { decode_base64(text).unwrap_or_default() };
        self.take_message(&message);
        self.steps = self.steps.saturating_add(1);
        if self.jid.is_none() {
            self.jid = self.username.as_deref().and_then(|username| bare_jid(username, domain));
        }
    }

    fn take_message(&mut self, message: &[u8]) {
        let name = self.mechanism.to_ascii_uppercase();
        match name.as_str() {
            "PLAIN" => self.take_plain(message, Disclosure::Password),
            "X-OAUTH2" | "X-GOOGLE-TOKEN" | "X-FACEBOOK-TOKEN" | "X-TOKEN" => {
                self.take_plain(message, Disclosure::Token);
            }
            "OAUTHBEARER" | "XOAUTH2" => self.take_bearer(message),
            "LOGIN" if self.steps == 0 => self.username = Some(text(message)),
            "LOGIN" if self.steps == 1 => self.disclosure = Disclosure::Password(text(message)),
            "DIGEST-MD5" => self.take_digest(message),
            "CRAM-MD5" => {
                let answer = text(message);
                if let Some((username, _)) = answer.rsplit_once(' ') {
                    self.username = Some(username.to_owned());
                    self.disclosure = Disclosure::Guessable;
                }
            }
            "EXTERNAL" if !message.is_empty() => self.username = Some(text(message)),
            scram if scram.starts_with("SCRAM-") => self.take_scram(message),
            hashed if hashed.starts_with("HT-") => {
                self.username = message.split(|byte| *byte == 0).next().map(text);
            }
            _ => {}
        }
    }

    /// RFC 4616: authorization identity, authentication identity, password, with NUL between them.
    fn take_plain(&mut self, message: &[u8], disclose: fn(String) -> Disclosure) {
        let mut parts = message.splitn(3, |byte| *byte == 0);
        let (Some(_), Some(username), Some(secret)) = (parts.next(), parts.next(), parts.next()) else { return };
        self.username = Some(text(username));
        self.disclosure = disclose(text(secret));
    }

    /// RFC 7628 and its forerunner: fields with 0x01 between them.
    fn take_bearer(&mut self, message: &[u8]) {
        for field in message.split(|byte| *byte == 1) {
            let field = text(field);
            if let Some(token) = field.strip_prefix("auth=") {
                let token = token.strip_prefix("Bearer ").unwrap_or(token);
                self.disclosure = Disclosure::Token(token.to_owned());
            } else if let Some(username) = field.strip_prefix("user=") {
                self.username = Some(username.to_owned());
            } else if let Some(identity) = field.split(',').find_map(|part| part.strip_prefix("a=")) {
                self.username = Some(unescape_scram(identity));
            }
        }
    }

    /// RFC 2831, 2.1.2: directives with commas between them.
    fn take_digest(&mut self, message: &[u8]) {
        let message = text(message);
        let directives = directives(&message);
        let value = |name: &str| directives.iter().find(|(found, _)| *found == name).map(|(_, value)| value.clone());
        if value("response").is_some() {
            self.username = value("username").or(self.username.take());
            self.disclosure = Disclosure::Guessable;
        }
    }

    /// RFC 5802, section 7: `n,,n=user,r=nonce`, then `c=…,r=…,p=proof`.
    fn take_scram(&mut self, message: &[u8]) {
        let message = text(message);
        if self.username.is_none() {
            let bare = message.splitn(3, ',').nth(2).unwrap_or_default();
            self.username = bare.split(',').find_map(|part| part.strip_prefix("n=")).map(unescape_scram);
        }
        let is_final = message.starts_with("c=");
        if is_final && message.split(',').any(|part| part.starts_with("p=")) {
            self.disclosure = Disclosure::Guessable;
        }
    }

    /// The event, now that it ended.
    pub fn finish(self, outcome: Outcome, encrypted: bool) -> Login {
        Login {
            mechanism: self.mechanism,
            username: self.username,
            jid: self.jid,
            disclosure: self.disclosure,
            outcome,
            encrypted,
        }
    }
}

/// Attempts that wait for their outcome.
#[derive(Debug, Default)]
pub(super) struct Logins {
    open: Vec<Attempt>,
}

impl Logins {
    /// Begins an attempt; gives back one that will not see its outcome any more.
    pub fn begin(&mut self, attempt: Attempt) -> Option<Attempt> {
        let replaced = match attempt.exchange {
            Exchange::Iq(_) => None,
            _ => self.take(&attempt.exchange),
        };
        let replaced = replaced.or_else(|| (self.open.len() >= MAX_OPEN).then(|| self.open.remove(0)));
        self.open.push(attempt);
        replaced
    }

    /// `true` if none waits.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The SASL attempt that is under way.
    pub fn sasl(&mut self) -> Option<&mut Attempt> {
        self.open.iter_mut().find(|attempt| attempt.exchange == Exchange::Sasl)
    }

    /// Takes out the attempt that such an exchange ends.
    pub fn take(&mut self, exchange: &Exchange) -> Option<Attempt> {
        let place = self.open.iter().position(|attempt| attempt.exchange == *exchange)?;
        Some(self.open.remove(place))
    }

    /// Takes out the attempt that an iq answers.
    pub fn take_iq(&mut self, id: &str) -> Option<Attempt> {
        let is_it = |attempt: &Attempt| matches!(&attempt.exchange, Exchange::Iq(open) if **open == *id);
        let place = self.open.iter().position(is_it)?;
        Some(self.open.remove(place))
    }

    /// Takes out the attempt to enter a room under this JID.
    pub fn take_room(&mut self, occupant: &str) -> Option<Attempt> {
        let is_it = |attempt: &Attempt| matches!(&attempt.exchange, Exchange::Room(open) if **open == *occupant);
        let place = self.open.iter().position(is_it)?;
        Some(self.open.remove(place))
    }

    /// Takes out all.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Attempt> {
        self.open.drain(..)
    }
}

/// `username@domain`, or the username itself where it is a JID already.
pub(super) fn bare_jid(username: &str, domain: Option<&str>) -> Option<String> {
    if username.is_empty() {
        return None;
    }
    if username.contains('@') {
        return Some(jid::normalize(username).into_owned());
    }
    domain.map(|domain| jid::normalize(&format!("{username}@{domain}")).into_owned())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Clients leave out the padding now and then.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let dense: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(&dense).or_else(|_| LENIENT.decode(&dense)).ok()
}

/// `=2C` is a comma, `=3D` an equals sign (RFC 5802, 5.1).
fn unescape_scram(name: &str) -> String {
    name.replace("=2C", ",").replace("=2c", ",").replace("=3D", "=").replace("=3d", "=")
}

/// `name=value` and `name="value"`, with backslashes in quoted values.
fn directives(message: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut rest = message;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t', '\r', '\n']);
        let mut value = String::new();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut end = quoted.len();
            let mut escaped = false;
            for (at, character) in quoted.char_indices() {
                match character {
                    '\\' if !escaped => escaped = true,
                    '"' if !escaped => {
                        end = at;
                        break;
                    }
                    _ => {
                        escaped = false;
                        value.push(character);
                    }
                }
            }
            rest = quoted.get(end + 1..).unwrap_or_default();
        } else {
            let (plain, after) = after.split_once(',').unwrap_or((after, ""));
            value.push_str(plain.trim());
            rest = after;
        }
        found.push((name, value));
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use crate::protocol::xmpp::StreamKind;

    fn attempt(mechanism: &str, messages: &[&[u8]]) -> Attempt {
        let mut attempt = Attempt::new(Exchange::Sasl, mechanism, Stamp::default(), Stamp::default());
        for message in messages {
            attempt.take_response(&STANDARD.encode(message), Some("x.test"));
        }
        attempt
    }

    #[test]
    fn each_mechanism_tells_its_user_and_what_it_gives_away() {
        let plain = attempt("PLAIN", &["\0carol\0çarôl pässwörd".as_bytes()]);
        assert_eq!(plain.username.as_deref(), Some("carol"));
        assert_eq!(plain.jid.as_deref(), Some("carol@x.test"));
        assert_eq!(plain.disclosure, Disclosure::Password("çarôl pässwörd".to_owned()));

        let login = attempt("LOGIN", &[b"ann", b"secret"]);
        assert_eq!(login.username.as_deref(), Some("ann"));
        assert_eq!(login.disclosure, Disclosure::Password("secret".to_owned()));

        let digest = attempt("DIGEST-MD5", &[br#"username="a\"b,c",realm="x",response=00ff,nc=1"#, b""]);
        assert_eq!(digest.username.as_deref(), Some("a\"b,c"));
        assert_eq!(digest.disclosure, Disclosure::Guessable);

        let scram = attempt("SCRAM-SHA-1-PLUS", &[b"p=tls-unique,,n=a=2Cb=3D,r=x", b"c=cD0=,r=xy,p=AAAA"]);
        assert_eq!(scram.username.as_deref(), Some("a,b="));
        assert_eq!(scram.disclosure, Disclosure::Guessable);
        assert_eq!(attempt("SCRAM-SHA-1", &[b"n,,n=a,r=x"]).disclosure, Disclosure::Nothing);

        let cram = attempt("CRAM-MD5", &[b"tim b913a602c7eda7a495b4e6e7334d3890"]);
        assert_eq!(cram.username.as_deref(), Some("tim"));
        assert_eq!(cram.disclosure, Disclosure::Guessable);

        let token = attempt("X-OAUTH2", &[b"\0tom\0tok"]);
        assert_eq!(token.disclosure, Disclosure::Token("tok".to_owned()));
        let bearer = attempt("OAUTHBEARER", &[b"n,a=tom@x.test,\x01host=h\x01auth=Bearer tok\x01\x01"]);
        assert_eq!(bearer.username.as_deref(), Some("tom@x.test"));
        assert_eq!(bearer.disclosure, Disclosure::Token("tok".to_owned()));
        assert_eq!(attempt("ANONYMOUS", &[b"trace"]).username, None);
    }

    #[test]
    fn queries_are_read_as_elements_and_as_forms() {
        let plain = Fields::read(
            "<query xmlns='jabber:iq:auth'><username>old</username><password>a&amp;b<![CDATA[<]]></password>\
             <resource>R</resource></query>",
        );
        assert_eq!(plain.username.as_deref(), Some("old"));
        assert_eq!(plain.password.as_deref(), Some("a&b<"));
        assert_eq!(plain.resource.as_deref(), Some("R"));
        let form = Fields::read(
            "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field var='username'>\
             <value>new</value></field><field var='password'><value>p</value></field></x></query>",
        );
        assert_eq!((form.username.as_deref(), form.password.as_deref()), (Some("new"), Some("p")));
        assert_eq!(StreamKind::C2s.name(), "c2s");
    }
}
