//! Erlang cookies: readable ones (`cookie.leaked`), guessable ones (`cookie.weak`), and refused handshakes
//! (`cookie.rejected`).
//!
//! In: handshakes and messages of the distribution, HTTP exchanges, lines of readable streams; stanzas, inside the
//! shards. A cookie gives full control of every node that has it, so whatever shows one is critical; therefore nothing
//! is taken for a cookie that only has the word near it.

mod candidates;
mod guess;
mod http;
mod lanes;
mod leak;
mod phrases;
mod proof;
mod remote_shell;
mod shell;
mod stanzas;
mod terms;
mod words;

pub use proof::Proof;
pub use stanzas::CookieInStanza;
pub use words::WordList;

use super::{Detector, Finding, Kind, Settings, filter};
use crate::evidence::{Sighting, Stamp};
use crate::protocol::erldist::{DistEvent, Handshake, HandshakeOutcome, INPUT, Message};
use crate::protocol::http::{HttpEvent, HttpExchange};
use crate::protocol::{Event, Record};
use candidates::Candidates;
use guess::Guesser;
use leak::{Leak, Leaks};
use phrases::Form;
use remote_shell::RemoteShells;
use shell::Shells;

/// Finds cookies, and handshakes that failed on one.
#[derive(Debug)]
pub struct CookieDetector {
    guesser: Guesser,
    leaks: Leaks,
    shells: Shells,
    remote_shells: RemoteShells,
    candidates: Candidates,
}

impl CookieDetector {
    /// Words of the settings are tried beside the built-in ones.
    pub fn new(settings: &Settings) -> Self {
        Self {
            guesser: Guesser::new(settings),
            leaks: Leaks::default(),
            shells: Shells::default(),
            remote_shells: RemoteShells::default(),
            candidates: Candidates::default(),
        }
    }

    fn on_handshake(&mut self, at: &Sighting, handshake: &Handshake, out: &mut Vec<Finding>) {
        if handshake.outcome == HandshakeOutcome::Rejected {
            out.push(rejected(at, handshake));
        }
        self.guesser.add(at, handshake, out);
    }

    fn on_message(&mut self, at: &Sighting, message: &Message, out: &mut Vec<Finding>) {
        for leak in terms::cookies_in(message).into_iter().chain(self.remote_shells.on_message(at, message)) {
            self.leaks.tell(&leak, "erldist", at, out);
        }
        if let Some(payload) = &message.payload {
            let via = match (&message.call, &message.reply) {
                (Some(call), _) if call.function == INPUT => "shell",
                // What a process there prints here.
                (Some(call), _) if call.via == "group-leader" => "rpc-reply",
                (Some(_), _) => "rpc-argument",
                (None, Some(_)) => "rpc-reply",
                (None, None) => "message",
            };
            self.candidates.add_term(payload, via, at);
        }
    }

    fn on_line(&mut self, at: &Sighting, line: &str, out: &mut Vec<Finding>) {
        for phrase in phrases::cookies_in(line) {
            let via = match phrase.form {
                Form::CommandLine => "command-line",
                Form::Environment => "environment",
                Form::FileWrite | Form::Setting => "file",
                Form::Call => "shell",
            };
            self.leaks.tell(&Leak { cookie: phrase.cookie, via, node: None }, "text", at, out);
        }
        if let Some(cookie) = self.shells.on_line(&at.flow.community_id, at.direction, line) {
            self.leaks.tell(&Leak { cookie, via: "shell", node: None }, "text", at, out);
        }
        self.candidates.add_text(line, "shell", "text", at);
    }

    fn on_exchange(&mut self, at: &Sighting, exchange: &HttpExchange, out: &mut Vec<Finding>) {
        for cookie in http::cookies_in(exchange) {
            self.leaks.tell(&Leak { cookie, via: "http", node: None }, "http", at, out);
        }
        for message in std::iter::once(&exchange.request).chain(exchange.response.as_ref()) {
            if let Ok(text) = std::str::from_utf8(&message.body) {
                self.candidates.add_text(text, "http", "http", at);
            }
        }
    }
}

impl Detector for CookieDetector {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        let at = &record.at;
        match &record.event {
            Event::ErlDist(DistEvent::Handshake(handshake)) => self.on_handshake(at, handshake, out),
            Event::ErlDist(DistEvent::Message(message)) => self.on_message(at, message, out),
            Event::Http(HttpEvent::Exchange(exchange)) => self.on_exchange(at, exchange, out),
            Event::Text(event) => self.on_line(at, &event.line, out),
            _ => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<Finding>) {
        self.guesser.finish(out);
        for (candidate, leak) in self.candidates.proven(self.guesser.unsolved()) {
            if !self.leaks.has_told(&leak.cookie, &candidate.at) {
                self.leaks.tell(&leak, candidate.protocol, &candidate.at, out);
            }
        }
    }

    fn left_out(&self) -> Vec<(&'static str, u64, Stamp)> {
        let beyond = self.guesser.beyond_list().map(|(count, first)| ("cookie.list-beyond-limit", count, first));
        beyond.into_iter().chain(self.candidates.beyond()).collect()
    }
}

fn rejected(at: &Sighting, handshake: &Handshake) -> Finding {
    let acceptor = handshake.acceptor.as_deref().unwrap_or("its peer");
    let title = format!("{acceptor} refused {}: wrong cookie", handshake.initiator);
    let finding = Finding::new(Kind::CookieRejected, "erldist", &at.as_seen(), title)
        .with("initiator", handshake.initiator.as_str())
        .with_some("acceptor", handshake.acceptor.as_deref());
    filter::shown(finding, &at.flow)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use crate::detect::Evidence;
    use crate::evidence::{CaptureId, Direction, FlowInfo, Transport};
    use crate::protocol::text::TextEvent;
    use md5::{Digest, Md5};
    use std::sync::Arc;

    fn record(frame: u64, event: Event) -> Record {
        let flow = Arc::new(FlowInfo {
            transport: Transport::Tcp,
            orig: "10.0.0.7:40000".parse().unwrap(),
            resp: "10.0.0.1:9100".parse().unwrap(),
            community_id: format!("1:{}", matches!(event, Event::Text(_))).into(),
            tunnel: "".into(),
            within: crate::evidence::Within::default(),
        });
        let stamp = Stamp { capture: CaptureId(0), frame, time_ns: frame as i64 };
        Record { at: Sighting { flow, direction: Direction::FromOrig, first: stamp, last: stamp }, event }
    }

    fn handshake(cookie: &str, outcome: HandshakeOutcome) -> Event {
        let digest = Md5::digest(format!("{cookie}12345")).into();
        Event::ErlDist(DistEvent::Handshake(Box::new(Handshake {
            initiator: "a@host".into(),
            acceptor: Some("b@host".into()),
            version: 6,
            initiator_flags: 0,
            acceptor_flags: 0,
            status: Some("ok".into()),
            initiator_proof: Some((12345, digest)),
            acceptor_proof: None,
            outcome,
        })))
    }

    fn line(text: &str) -> Event {
        Event::Text(TextEvent { line: text.into() })
    }

    /// Kinds, and the cookie where one is told.
    fn findings(list: &[&str], events: Vec<Event>) -> Vec<(Kind, String)> {
        let cookie_words = Arc::new(WordList::from(list.join("\n").into_bytes()));
        let mut detector = CookieDetector::new(&Settings { cookie_words, quote_chars: 100, ..Settings::default() });
        let mut out = Vec::new();
        for (number, event) in events.into_iter().enumerate() {
            detector.on_record(&record(number as u64 + 1, event), &mut out);
        }
        detector.finish(&mut out);
        let cookie = |finding: &Finding| match finding.evidence.first() {
            Some(("cookie", Evidence::Secret(cookie))) => cookie.clone(),
            _ => String::new(),
        };
        out.iter().map(|finding| (finding.kind, cookie(finding))).collect()
    }

    #[test]
    fn every_failed_handshake_is_one_and_its_guess_is_told() {
        let events = vec![handshake("Zq7!unlisted", HandshakeOutcome::Rejected); 2];
        assert_eq!(findings(&[], events), vec![(Kind::CookieRejected, String::new()); 2]);
        let events = vec![handshake("monster", HandshakeOutcome::Rejected)];
        let expected = [(Kind::CookieRejected, String::new()), (Kind::CookieWeak, "monster".to_owned())];
        assert_eq!(findings(&[], events), expected);
    }

    #[test]
    fn words_of_the_list_and_of_the_site_are_tried() {
        let handshake = || vec![handshake("Zq7!listed", HandshakeOutcome::Success)];
        assert_eq!(findings(&[], handshake()), []);
        assert_eq!(findings(&["x", "Zq7!listed"], handshake()), [(Kind::CookieWeak, "Zq7!listed".to_owned())]);
        let many: Vec<String> = (0..10_000).map(|number| format!("word{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).chain(["Zq7!listed"]).collect();
        assert_eq!(findings(&many, handshake()), [(Kind::CookieWeak, "Zq7!listed".to_owned())]);
        let site = vec![super::tests::handshake("hostcookie", HandshakeOutcome::Success)];
        assert_eq!(findings(&[], site), [(Kind::CookieWeak, "hostcookie".to_owned())]);
    }

    #[test]
    fn a_word_that_a_handshake_proves_is_a_leak_whatever_its_form() {
        let cookie = "Zq7!unlisted";
        let leaked = [(Kind::CookieLeaked, cookie.to_owned())];
        let (proof, said) =
            (handshake(cookie, HandshakeOutcome::Success), line("the magic word is 'Zq7!unlisted', ok?"));
        assert_eq!(findings(&[], vec![proof.clone(), said.clone()]), leaked);
        assert_eq!(findings(&[], vec![said.clone(), proof]), leaked);
        assert_eq!(findings(&[], vec![said]), []);
    }

    #[test]
    fn a_weak_cookie_is_no_leak_wherever_its_word_stands() {
        let events = vec![handshake("ejabberd", HandshakeOutcome::Success), line("systemctl restart ejabberd")];
        assert_eq!(findings(&[], events), [(Kind::CookieWeak, "ejabberd".to_owned())]);
    }

    #[test]
    fn a_leak_is_told_once_a_conversation_and_way() {
        let command = || line("erl -sname x -setcookie tigera77");
        let shown = vec![command(), command(), line("cat .erlang.cookie")];
        assert_eq!(findings(&[], shown), [(Kind::CookieLeaked, "tigera77".to_owned())]);
    }
}
