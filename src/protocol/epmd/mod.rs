//! EPMD, the Erlang port mapper: which nodes are there, and on which ports (erts "EPMD Protocol").
//!
//! A conversation is one request and at most one answer; a node keeps its connection open for as long as it is
//! registered. On port 4369 everything is EPMD's: what is none is reported as malformed, for only what looks for
//! weaknesses sends such. On other ports the bytes must leave no doubt.
//!
//! `wire` reads bytes, `session` remembers what was asked. EPMD reads one request of a connection; what follows it is
//! reported, not read.

pub mod event;
mod register;
mod session;
mod wire;

pub use event::*;
pub use register::{Register, listed};

use super::{Decoder, Opening, Probe};

/// Where EPMD listens.
pub const PORT: u16 = 4369;

/// Tells by the port, or by a request that fills the opening to the last byte.
pub fn probe(opening: &Opening<'_>) -> Probe {
    let (request, answer) = if opening.flow.orig.port() == PORT && opening.flow.resp.port() != PORT {
        (opening.from_resp, opening.from_orig)
    } else {
        (opening.from_orig, opening.from_resp)
    };
    if opening.has_port(&[PORT]) {
        return if request.is_empty() && answer.is_empty() { Probe::Unsure } else { Probe::Yes };
    }
    if request.is_empty() {
        return if answer.is_empty() { Probe::Unsure } else { Probe::No };
    }
    let Some((length, body)) = request.split_first_chunk() else { return Probe::Unsure };
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 || length + 2 > wire::MAX_REQUEST || body.len() > length {
        return Probe::No;
    }
    if body.first().is_some_and(|tag| !wire::is_request_tag(*tag)) {
        return Probe::No;
    }
    if body.len() < length {
        return Probe::Unsure;
    }
    match wire::parse_request(body) {
        Ok(request) if is_convincing(&request) => Probe::Yes,
        _ => Probe::No,
    }
}

/// Whether a request is told from chance, and from the status of a distribution handshake (`sok`), away from EPMD's
/// port.
fn is_convincing(request: &EpmdRequest) -> bool {
    let plain = |name: &str| name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '+'));
    match request {
        EpmdRequest::Alive2 { name, node_type, highest, lowest, .. } => {
            plain(name) && matches!(node_type, 72 | 77) && lowest <= highest && *highest < 16
        }
        EpmdRequest::PortPlease2 { name } => plain(name),
        EpmdRequest::Stop { name } => {
            plain(name)
                && !matches!(&**name, "ok" | "ok_simultaneous" | "nok" | "not_allowed" | "alive" | "true" | "false")
        }
        EpmdRequest::Names | EpmdRequest::Dump | EpmdRequest::Kill => true,
    }
}

/// A decoder for one conversation.
pub fn start() -> Box<dyn Decoder> {
    Box::<session::Session>::default()
}

#[cfg(test)]
mod tests;
