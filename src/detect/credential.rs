//! What logins give away: passwords, tokens, and answers that can be guessed against offline.
//!
//! One login is one finding, by the worst that it discloses. What is readable only with the keys of its TLS session
//! is told too, but is no weakness of the wire: its severity is low.

use super::title::in_title;
use super::{Detector, Finding, Kind, Severity};
use crate::evidence::Seen;
use crate::protocol::socks5::SocksEvent;
use crate::protocol::xmpp::{Disclosure, Login, Outcome, XmppEvent};
use crate::protocol::{Event, Record};
use std::collections::HashSet;

/// Dialback keys remembered, so that one that crosses again (`db:result`, `db:verify`, an echo) is told once. A
/// server pair needs one per connection; beyond this a key may be told twice, which is better than not at all.
const MAX_DIALBACK_KEYS: usize = 16_384;

/// `credential.cleartext`, `credential.guessable`, `credential.token`.
#[derive(Debug, Default)]
pub struct Credentials {
    dialback_keys: HashSet<(String, String, String)>,
}

impl Detector for Credentials {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        let seen = record.at.as_seen();
        match &record.event {
            Event::Xmpp(XmppEvent::Login(login)) => out.extend(disclosed_by(login, "xmpp", &seen)),
            Event::Socks(SocksEvent::Login(login)) => out.extend(disclosed_by(login, "socks5", &seen)),
            Event::Xmpp(XmppEvent::Federation(step)) => {
                let Some(key) = &step.key else { return };
                let (from, to) = (step.originating.as_str(), step.receiving.as_str());
                if self.dialback_keys.len() >= MAX_DIALBACK_KEYS {
                    self.dialback_keys.clear();
                }
                if self.dialback_keys.insert((from.to_owned(), to.to_owned(), key.clone())) {
                    out.push(dialback_key(from, to, key, &seen));
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {}
}

/// The finding that a login of any protocol is, if it gives something away.
pub fn disclosed_by(login: &Login, protocol: &'static str, seen: &Seen<'_>) -> Option<Finding> {
    let kind = match &login.disclosure {
        Disclosure::Password(_) => Kind::CredentialCleartext,
        Disclosure::Guessable => Kind::CredentialGuessable,
        Disclosure::Token(_) => Kind::CredentialToken,
        Disclosure::Nothing => return None,
    };
    let mut finding = Finding::new(kind, protocol, seen, title(login))
        .with("mechanism", login.mechanism.as_str())
        .with_some("username", login.username.as_deref());
    if let Disclosure::Token(token) = &login.disclosure {
        finding = finding.with_secret("secret", token.as_str());
    } else {
        finding = finding.with_some("jid", login.jid.as_deref());
        if let Disclosure::Password(password) = &login.disclosure {
            finding = finding.with_secret("secret", password.as_str());
        }
        finding = finding.with("outcome", login.outcome.name()).with("encrypted", login.encrypted);
    }
    if is_of_room(&login.mechanism) {
        finding.severity = Severity::Medium;
    }
    if login.encrypted {
        finding.severity = Severity::Low;
    }
    Some(finding)
}

fn dialback_key(from: &str, to: &str, key: &str, seen: &Seen<'_>) -> Finding {
    let encrypted = seen.flow.within.tls.is_some();
    let where_ = if encrypted { "inside TLS" } else { "in clear" };
    let title = format!("dialback key of {} for {} {where_}", in_title(from), in_title(to));
    let mut finding = Finding::new(Kind::CredentialToken, "xmpp", seen, title)
        .with("mechanism", "dialback")
        .with("username", from)
        .with_secret("secret", key);
    if encrypted {
        finding.severity = Severity::Low;
    }
    finding
}

fn title(login: &Login) -> String {
    let who = login.username.as_deref().or(login.jid.as_deref()).unwrap_or("somebody");
    let who = in_title(who);
    let how = in_title(&login.mechanism);
    let where_ = if login.encrypted { "inside TLS" } else { "in clear" };
    let what = match &login.disclosure {
        Disclosure::Password(_) => format!("the password {where_}"),
        Disclosure::Token(_) => format!("a bearer token {where_}"),
        Disclosure::Guessable | Disclosure::Nothing => "an answer open to offline guessing".to_owned(),
    };
    if !is_login(&login.mechanism) {
        return format!("{what} of {who} ({how}, {})", login.outcome.name());
    }
    match login.outcome {
        Outcome::Success => format!("{who} logged in with {what} ({how})"),
        Outcome::Failure => format!("{who} was refused with {what} ({how})"),
        Outcome::Unknown => format!("{who} tried to log in with {what} ({how})"),
    }
}

/// Passwords of rooms open a room, and no account.
fn is_of_room(mechanism: &str) -> bool {
    matches!(mechanism, "muc" | "bookmark")
}

/// `false` for what carries a password without being a login: accounts made or changed.
pub fn is_login(mechanism: &str) -> bool {
    !matches!(mechanism, "register" | "change-password" | "admin-command" | "ejabberdctl") && !is_of_room(mechanism)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::detect::Evidence;
    use crate::detect::scene::{dialback, login, record};

    fn findings(events: Vec<XmppEvent>) -> Vec<Finding> {
        let mut detector = Credentials::default();
        let mut out = Vec::new();
        for (n, event) in events.into_iter().enumerate() {
            detector.on_record(&record("10.0.0.7:49152", "10.0.0.1:5222", n as i64, event), &mut out);
        }
        detector.finish(&mut out);
        out
    }

    fn one(event: Login) -> Finding {
        let mut found = findings(vec![XmppEvent::Login(event)]);
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    #[test]
    fn a_password_in_clear_has_the_keys_of_the_contract() {
        let finding = one(login("alice", Disclosure::Password("s3cret".to_owned()), Outcome::Success));
        assert_eq!((finding.kind, finding.severity), (Kind::CredentialCleartext, Severity::Critical));
        assert_eq!(finding.title, "alice logged in with the password in clear (PLAIN)");
        assert_eq!(finding.src.as_deref(), Some("10.0.0.7:49152"));
        assert_eq!(
            finding.evidence,
            [
                ("mechanism", Evidence::Text("PLAIN".to_owned())),
                ("username", Evidence::Text("alice".to_owned())),
                ("jid", Evidence::Text("alice@alpha.test".to_owned())),
                ("secret", Evidence::Secret("s3cret".to_owned())),
                ("outcome", Evidence::Text("success".to_owned())),
                ("encrypted", Evidence::Flag(false)),
            ]
        );
    }

    #[test]
    fn inside_tls_it_is_mild() {
        let mut event = login("alice", Disclosure::Password("s3cret".to_owned()), Outcome::Failure);
        event.encrypted = true;
        let finding = one(event);
        assert_eq!(finding.severity, Severity::Low);
        assert_eq!(finding.title, "alice was refused with the password inside TLS (PLAIN)");
        assert!(finding.evidence.contains(&("encrypted", Evidence::Flag(true))));
    }

    #[test]
    fn a_challenge_is_guessable_and_has_no_secret() {
        let mut event = login("bob", Disclosure::Guessable, Outcome::Unknown);
        event.mechanism = "SCRAM-SHA-1".to_owned();
        let finding = one(event);
        assert_eq!(finding.kind, Kind::CredentialGuessable);
        let keys: Vec<_> = finding.evidence.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["mechanism", "username", "jid", "outcome", "encrypted"]);
    }

    #[test]
    fn tokens_are_secrets() {
        let mut event = login("bob", Disclosure::Token("ya29.x".to_owned()), Outcome::Success);
        event.mechanism = "X-OAUTH2".to_owned();
        let finding = one(event);
        assert_eq!(finding.kind, Kind::CredentialToken);
        let keys: Vec<_> = finding.evidence.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["mechanism", "username", "secret"]);
        assert!(!finding.title.contains("ya29"));
    }

    #[test]
    fn a_dialback_key_is_told_once() {
        let key = |key| XmppEvent::Federation(Box::new(dialback("alpha.test", "beta.test", Some(key), None)));
        let found = findings(vec![key("k1"), key("k1"), key("k2")]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].title, "dialback key of alpha.test for beta.test in clear");
        assert!(found[0].evidence.contains(&("mechanism", Evidence::Text("dialback".to_owned()))));
        assert!(found[0].evidence.contains(&("username", Evidence::Text("alpha.test".to_owned()))));
    }

    #[test]
    fn what_gives_nothing_away_is_nothing() {
        assert_eq!(findings(vec![XmppEvent::Login(login("carol", Disclosure::Nothing, Outcome::Success))]), []);
    }
}
