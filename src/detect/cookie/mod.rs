//! Erlang cookies: readable ones (`cookie.leaked`), guessable ones (`cookie.weak`), and refused handshakes
//! (`cookie.rejected`).
//!
//! In: handshakes and messages of the distribution, HTTP exchanges, lines of readable streams; stanzas, inside the
//! shards. A cookie gives full control of every node that has it, so whatever shows one is critical; therefore nothing
//! is taken for a cookie that only has the word near it.

mod candidates;
mod guess;
mod http;
mod leak;
mod phrases;
mod shell;
mod stanzas;
mod terms;

pub use stanzas::CookieInStanza;

use super::{Detector, Finding, Kind, Settings, filter};
use crate::evidence::Sighting;
use crate::protocol::erldist::{DistEvent, Handshake, HandshakeOutcome, Message};
use crate::protocol::http::{HttpEvent, HttpExchange};
use crate::protocol::{Event, Record};
use candidates::Candidates;
use guess::Guesser;
use leak::{Leak, Leaks};
use phrases::Form;
use shell::Shells;

/// Finds cookies, and handshakes that failed on one.
#[derive(Debug)]
pub struct CookieDetector {
    guesser: Guesser,
    leaks: Leaks,
    shells: Shells,
    candidates: Candidates,
}

impl CookieDetector {
    /// Words of the settings are tried beside the built-in ones.
    pub fn new(settings: &Settings) -> Self {
        Self {
            guesser: Guesser::new(settings),
            leaks: Leaks::default(),
            shells: Shells::default(),
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
        for leak in terms::cookies_in(message) {
            self.leaks.tell(&leak, "erldist", at, out);
        }
        if let Some(payload) = &message.payload {
            let via = match (&message.call, &message.reply) {
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
}

fn rejected(at: &Sighting, handshake: &Handshake) -> Finding {
    let acceptor = handshake.acceptor.as_deref().unwrap_or("its peer");
    let title = format!("{acceptor} refused {}: wrong cookie", handshake.initiator);
    let finding = Finding::new(Kind::CookieRejected, "erldist", &at.as_seen(), title)
        .with("initiator", handshake.initiator.as_str())
        .with_some("acceptor", handshake.acceptor.as_deref());
    filter::shown(finding, &at.flow)
}
