//! TLS: stream bytes in, what the handshake shows and, with keys, what is inside out.
//!
//! Follows RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2) and their forerunners to SSL 3.0; messages are parsed by
//! `tls-parser`, certificates by `x509-parser`. SSL 2 hellos are not recognised. From the outside in:
//!
//! | module | takes | gives |
//! |---|---|---|
//! | `record` | stream bytes | records; behind a gap, places where one may begin |
//! | `handshake`, `certificate` | record bodies | messages, and what they tell in [`TlsHandshake`] |
//! | `keys` | key logs, RSA private keys | [`Keys`] |
//! | `agreement`, `schedule`, `suite` | hello messages and keys | secrets, and keys of records |
//! | `open`, `lane`, `cipher` | records | their text, found by authentication where their number is in doubt |
//! | `inside` | text | the [`Conversation`] inside |
//! | `decoder` | stream bytes, through all of these | the handshake as an event, and what is inside |
//!
//! Without keys the conversation is opaque once both sides encrypt.

mod agreement;
mod certificate;
mod cipher;
mod decoder;
pub mod event;
mod handshake;
mod inside;
mod ja4;
mod keys;
mod lane;
mod open;
mod record;
mod schedule;
mod suite;

pub use event::*;
pub use keys::{KeyFileError, KeyRing, Keys, LogReading, MalformedLine, RsaKeyError, Sessions};

use super::{Conversation, Decoder, Opening, Probe};
use decoder::TlsDecoder;
use record::content;

/// Tells whether a stream begins with a TLS hello, or amid TLS.
pub fn probe(opening: &Opening<'_>) -> Probe {
    if record::is_application_data(opening.from_orig) || record::is_application_data(opening.from_resp) {
        return Probe::Yes;
    }
    match (probe_hello(opening.from_orig), probe_hello(opening.from_resp)) {
        (Probe::No, _) | (_, Probe::No) => Probe::No,
        (Probe::Yes, _) | (_, Probe::Yes) => Probe::Yes,
        _ => Probe::Unsure,
    }
}

/// A handshake record with a client's or a server's hello. Whose it is, is not asked: a capture may begin amid a
/// connection, with the server taken for its opener.
fn probe_hello(data: &[u8]) -> Probe {
    const FIELDS: [fn(u8) -> bool; 11] = [
        |kind| kind == content::HANDSHAKE,
        |major| major == 3,
        |minor| minor <= 4,
        |_| true,
        |_| true,
        |message| message == 1 || message == 2,
        // A hello is shorter than 64 KiB, even with every extension there is.
        |length| length == 0,
        |_| true,
        |_| true,
        |major| major == 3 || major == 0x7f,
        |_| true,
    ];
    // An alert in plain text may be all that a server says to a hello.
    if let [content::ALERT, 3, minor, 0, 2, ..] = data
        && *minor <= 4
    {
        return Probe::Unsure;
    }
    if !data.iter().zip(FIELDS).all(|(byte, fits)| fits(*byte)) {
        return Probe::No;
    }
    if data.len() < FIELDS.len() { Probe::Unsure } else { Probe::Yes }
}

/// Starts a decoder at the first record.
pub fn start() -> Box<dyn Decoder> {
    Box::new(TlsDecoder::new(false, Conversation::default()))
}

/// Starts a decoder for the TLS that follows STARTTLS (XMPP's `<proceed/>`), where the first record may come from
/// either side. `inner` has read what was in clear and is to read what lies inside; it is told the end in any case.
pub fn start_around(inner: Box<dyn Decoder>) -> Box<dyn Decoder> {
    Box::new(TlsDecoder::new(true, Conversation::Decoded(inner)))
}

#[cfg(test)]
mod tests;
