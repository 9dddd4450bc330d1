//! HTTP/1: stream bytes in, requests with their responses out.
//!
//! Follows RFC 9112. A direction that lost bytes goes on at the next start line; within a body of known length it goes
//! on at once. What follows an upgrade or a CONNECT that was granted is not read. HTTP/0.9, HTTP/2 and contents in
//! other codings (gzip) are not decoded; RTSP and SIP, which look alike, are told apart by the version.

mod body;
mod coding;
mod decoded;
pub mod event;
mod exchange;
mod head;
mod range;
mod session;
mod tunnel;

pub use event::*;

use super::{Decoder, Opening, Probe};

/// Tells whether a stream is HTTP/1.
pub fn probe(opening: &Opening<'_>) -> Probe {
    let probe_side = |data: &[u8]| match data {
        // Some clients send a line end behind the body of their last request (RFC 9112, 2.2).
        [b'\r', b'\n', rest @ ..] => head::probe(rest),
        data => head::probe(data),
    };
    match (probe_side(opening.from_orig), probe_side(opening.from_resp)) {
        (Probe::Yes, _) => Probe::Yes,
        (Probe::No, _) => Probe::No,
        (Probe::Unsure, Probe::Yes) => Probe::Yes,
        (Probe::Unsure, Probe::No) => Probe::No,
        (Probe::Unsure, Probe::Unsure) => Probe::Unsure,
    }
}

/// Starts a decoder at a start line of either direction.
pub fn start() -> Box<dyn Decoder> {
    Box::new(session::HttpDecoder::new())
}

#[cfg(test)]
mod tests;
