//! Stub: to be written.
pub mod event;

pub use event::*;

use super::*;

struct Stub;

impl Decoder for Stub {
    fn protocol(&self) -> &'static str {
        "epmd"
    }
    fn data(&mut self, _chunk: &Chunk<'_>, _sink: &mut dyn Sink) -> Next {
        Next::Opaque
    }
    fn gap(&mut self, _gap: &Gap<'_>, _sink: &mut dyn Sink) {}
    fn end(&mut self, _end: &End<'_>, _sink: &mut dyn Sink) {}
}

/// Probe.
pub fn probe(_opening: &Opening<'_>) -> Probe {
    Probe::No
}
/// Start.
pub fn start() -> Box<dyn Decoder> {
    Box::new(Stub)
}
