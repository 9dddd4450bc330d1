//! SOCKS 5 (RFC 1928, RFC 1929): stream bytes in; logins, requests and what went through out.
//!
//! Where the destination is forty hexadecimal digits it is no host but the name of a bytestream of XEP-0065, and the
//! bytes behind the handshake are a file: they are hashed and counted as they flow. Behind any other destination lies
//! a conversation of its own, which is probed like one. SOCKS 4 and GSSAPI are not read.

pub mod event;
mod session;
#[cfg(test)]
mod tests;
mod wire;

pub use event::*;

use super::{Decoder, Opening, Probe};

/// Tells by a greeting that is answered, or that a request follows at once.
pub fn probe(opening: &Opening<'_>) -> Probe {
    match (probe_sides(opening.from_orig, opening.from_resp), probe_sides(opening.from_resp, opening.from_orig)) {
        (Probe::Yes, _) | (_, Probe::Yes) => Probe::Yes,
        (Probe::Unsure, _) | (_, Probe::Unsure) => Probe::Unsure,
        _ => Probe::No,
    }
}

fn probe_sides(client: &[u8], server: &[u8]) -> Probe {
    // The server is silent until it was greeted, so the greeting is what a conversation begins with.
    let Some(greeting) = wire::Greeting::parse(client) else { return Probe::No };
    let wire::Parsed::Whole(greeting, length) = greeting else {
        return if client.is_empty() || !server.is_empty() { Probe::No } else { Probe::Unsure };
    };
    let after = client.get(length..).unwrap_or_default();
    let goes_on = match after {
        [] => Probe::Unsure,
        [wire::VERSION, ..] => match wire::Request::parse(after) {
            Some(wire::Parsed::Whole(..)) => Probe::Yes,
            Some(wire::Parsed::Part) => Probe::Unsure,
            None => Probe::No,
        },
        [wire::AUTH_VERSION, ..] => Probe::Unsure,
        _ => Probe::No,
    };
    let answered = match server {
        [] | [wire::VERSION] => Probe::Unsure,
        [wire::VERSION, method, ..] if greeting.offers(*method) || *method == wire::NO_METHOD => Probe::Yes,
        _ => Probe::No,
    };
    match (goes_on, answered) {
        (Probe::No, _) | (_, Probe::No) => Probe::No,
        (Probe::Yes, _) | (_, Probe::Yes) => Probe::Yes,
        _ => Probe::Unsure,
    }
}

/// A decoder for one conversation.
pub fn start() -> Box<dyn Decoder> {
    Box::<session::Session>::default()
}
