//! Stub: to be written.
use super::*;

/// What this protocol reports.
#[derive(Debug, Clone)]
pub enum DnsEvent {}

struct Stub;

impl Decoder for Stub {
    fn protocol(&self) -> &'static str {
        "dns"
    }
    fn data(&mut self, _chunk: &Chunk<'_>, _sink: &mut dyn Sink) -> Next {
        Next::Opaque
    }
    fn gap(&mut self, _gap: &Gap<'_>, _sink: &mut dyn Sink) {}
    fn end(&mut self, _end: &End<'_>, _sink: &mut dyn Sink) {}
}

/// Probe.
pub fn probe_stream(_opening: &Opening<'_>) -> Probe {
    Probe::No
}
/// Start.
pub fn start_stream() -> Box<dyn Decoder> {
    Box::new(Stub)
}
/// Probe.
pub fn probe_datagram(_flow: &FlowInfo, _data: &[u8]) -> Probe {
    Probe::No
}
/// Start.
pub fn start_datagram() -> Box<dyn Decoder> {
    Box::new(Stub)
}
