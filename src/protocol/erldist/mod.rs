//! Erlang distribution: what nodes say to each other on a connection of their own, on any port.
//!
//! Followed are the erts chapters "Distribution Protocol" (handshakes of version 5 and 6, headers, fragments, control
//! messages of OTP 20 to 27) and "External Term Format", and what `erpc`, `rpc`, `gen_server` and the I/O protocol of
//! OTP put into payloads. Connections under TLS are for [`super::tls`].
//!
//! Flow: `framing` cuts a direction into frames, `handshake` reads those before the acknowledgement, `header` and
//! `fragments` bring the others to terms, [`external`] reads these, `meaning` and `replies` tell what is asked and
//! answered, `typed` what was typed at a remote shell, `session` reports it; `ejabberdctl` puts administration commands together from these reports. Ticks are read and not reported.

mod atoms;
mod control;
mod ejabberdctl;
pub mod evaluated;
pub mod event;
pub mod external;
mod flags;
mod fragments;
mod framing;
mod handshake;
mod header;
mod meaning;
mod numbers;
mod print;
mod printed;
mod replies;
mod session;
mod skip;
mod tag;
pub mod term;
mod typed;

pub use ejabberdctl::Ejabberdctl;
pub use evaluated::evaluated_calls;
pub use event::*;
pub use flags::flag_names;
pub use meaning::FUN;
pub use printed::printed;
pub use typed::{INPUT, typed_calls};

use super::{Decoder, Opening, Probe};
use framing::{Found, check_head, find_message};
use handshake::Role;

/// Tells by either side's first bytes: a frame of a handshake, or the head of a message, also one that follows on the
/// rest of another where the capture begins inside a connection.
pub fn probe(opening: &Opening<'_>) -> Probe {
    match (probe_side(opening.from_orig), probe_side(opening.from_resp)) {
        (Some(Probe::Yes), _) | (_, Some(Probe::Yes)) => Probe::Yes,
        (Some(Probe::Unsure), _) | (_, Some(Probe::Unsure)) | (None, None) => Probe::Unsure,
        _ => Probe::No,
    }
}

/// What one side's bytes tell, if there are any.
fn probe_side(bytes: &[u8]) -> Option<Probe> {
    if bytes.is_empty() {
        return None;
    }
    Some(match probe_handshake(bytes) {
        Probe::No => probe_messages(bytes),
        verdict => verdict,
    })
}

fn probe_handshake(bytes: &[u8]) -> Probe {
    let width = handshake::length_width(bytes);
    let Some((length, body)) = handshake::split_length(bytes, width) else { return Probe::Unsure };
    // Alone a digest is too little to go by, and any byte can be a tag: what follows it will tell.
    if matches!((body.first(), length), (Some(b'r'), 21) | (Some(b'a'), 17)) {
        return if body.len() <= length { Probe::Unsure } else { Probe::No };
    }
    let least = match body.first() {
        None => 3,
        Some(b'n' | b'N') => 10,
        Some(b's') => 3,
        Some(_) => return Probe::No,
    };
    if !(least..=handshake::MAX_FRAME).contains(&length) {
        return Probe::No;
    }
    match body.get(..length) {
        Some(frame) => match handshake::parse(frame, Role::Unknown) {
            Some(_) => Probe::Yes,
            None => Probe::No,
        },
        None => Probe::Unsure,
    }
}

fn probe_messages(bytes: &[u8]) -> Probe {
    // More than an hour of ticks is more likely a stream of zeros.
    const MAX_TICKS: usize = 256;

    let ticks = bytes.chunks_exact(4).take_while(|chunk| **chunk == [0; 4]).count() * 4;
    if ticks > MAX_TICKS * 4 {
        return Probe::No;
    }
    let after_ticks = bytes.get(ticks..).unwrap_or_default();
    match check_head(after_ticks) {
        Some(true) => Probe::Yes,
        None => Probe::Unsure,
        Some(false) => match find_message(bytes) {
            Found::At(_) => Probe::Yes,
            Found::PerhapsFrom(_) => Probe::No,
        },
    }
}

/// A decoder for one connection.
pub fn start() -> Box<dyn Decoder> {
    Box::<session::Session>::default()
}

#[cfg(test)]
mod tests;
