//! DNS: datagrams and TCP streams in, queries with their answers out.
//!
//! Follows RFC 1035 (messages, TCP framing in 4.2.2), RFC 6891 (EDNS), RFC 7766 (several messages a connection),
//! RFC 6762 (multicast DNS) and RFC 4795 (LLMNR). Messages are parsed by the `domain` crate; DNS inside TLS, HTTPS or
//! QUIC is not seen. Told by content on any port: the header must be plausible and the message must be read to its last
//! byte; on the ports of DNS less will do, so that damaged messages are counted as what they are.

pub mod event;
mod session;
mod stream;
mod text;
pub mod wire;

pub use event::*;

use super::{Chunk, Decoder, End, Gap, Next, Opening, Probe, Sink};
use crate::evidence::FlowInfo;
use session::Session;
use wire::Header;

/// Ports of DNS, multicast DNS and LLMNR.
const PORTS: &[u16] = &[53, 5353, 5355];

/// Tells whether a datagram is a DNS message.
pub fn probe_datagram(flow: &FlowInfo, data: &[u8]) -> Probe {
    let Some(header) = Header::parse(data).filter(is_plausible) else { return Probe::No };
    let on_port = PORTS.contains(&flow.resp.port()) || PORTS.contains(&flow.orig.port());
    let message = wire::parse(data);
    let as_message = if on_port {
        message.error.is_none() || !message.questions.is_empty()
    } else {
        header.fits(data.len()) && is_flawless(&message)
    };
    if as_message { Probe::Yes } else { Probe::No }
}

/// Starts a decoder for datagrams.
pub fn start_datagram() -> Box<dyn Decoder> {
    Box::new(DatagramDecoder { session: Session::new() })
}

/// Tells whether a TCP stream carries DNS messages.
pub fn probe_stream(opening: &Opening<'_>) -> Probe {
    let on_port = opening.has_port(PORTS);
    let (from_orig, from_resp) = (opening.from_orig, opening.from_resp);
    match (stream::probe(from_orig, on_port), stream::probe(from_resp, on_port)) {
        (Probe::No, _) if !from_orig.is_empty() => Probe::No,
        (_, Probe::No) if !from_resp.is_empty() => Probe::No,
        (Probe::Yes, _) | (_, Probe::Yes) => Probe::Yes,
        _ => Probe::Unsure,
    }
}

/// Starts a decoder for a TCP stream.
pub fn start_stream() -> Box<dyn Decoder> {
    Box::new(stream::StreamDecoder::new())
}

/// A header as DNS software writes it: a known operation, one question at most (multicast DNS: a few dozen), and
/// something in it.
fn is_plausible(header: &Header) -> bool {
    let [questions, records @ ..] = header.counts;
    let has_records = records.iter().any(|count| *count > 0);
    let known_operation = matches!(header.flags.opcode(), 0 | 2 | 4 | 5);
    let is_empty_answer = header.flags.is_response() && questions == 0 && !has_records;
    // Refusals may leave everything out but the header, with an error code.
    let is_refusal = is_empty_answer && header.flags.0 & 0xf != 0;
    known_operation && questions <= wire::MAX_QUESTIONS as u16 && (questions > 0 || has_records || is_refusal)
}

/// A message that was read to its last byte and holds nothing odd: random bytes do not come out so.
fn is_flawless(message: &DnsMessage) -> bool {
    let known_class = |class: u16| matches!(class & 0x7fff, 1 | 3 | 4 | 254 | 255);
    let known_type = |rtype: u16| text::is_known_type(rtype.into());
    let mut records = message.answers.iter().chain(&message.authority).chain(&message.additional);
    message.error.is_none()
        && message.trailing_bytes == 0
        && (!message.questions.is_empty() || message.flags.is_response())
        && message.questions.iter().all(|question| known_class(question.class) && known_type(question.rtype))
        && records.all(|record| known_class(record.class) && known_type(record.rtype))
}

/// One message a datagram.
struct DatagramDecoder {
    session: Session,
}

impl Decoder for DatagramDecoder {
    fn protocol(&self) -> &'static str {
        "dns"
    }

    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next {
        self.session.message(chunk, chunk.stamp, wire::parse(chunk.data), sink);
        Next::Continue
    }

    fn gap(&mut self, _gap: &Gap<'_>, _sink: &mut dyn Sink) {}

    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink) {
        self.session.end(end.flow, sink);
    }
}

#[cfg(test)]
mod tests;
