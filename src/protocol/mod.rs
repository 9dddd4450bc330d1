//! Conversation bytes in, events out: one folder a protocol, and how they stack.
//!
//! A conversation has one [`Decoder`] at a time. It starts as a probe that asks every entry of the registry whether
//! the first bytes are its own (content first, ports as a hint), and a decoder may hand the rest of the conversation
//! to another one: XMPP to TLS after STARTTLS, TLS (with keys) to XMPP, HTTP to WebSocket.

mod bosh;
pub mod content;
pub mod conversation;
pub mod dns;
mod early;
pub mod epmd;
pub mod erldist;
pub mod http;
mod inflate;
mod inside;
pub mod socks5;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod tls;
mod websocket;
pub mod xmpp;
mod zlib;

pub use crate::flow::{Chunk, End, Gap};
pub use conversation::Conversation;

use crate::evidence::{FlowInfo, Seen, Sighting, Stamp, TlsLayer};

/// What a decoder wants done after a chunk.
pub enum Next {
    /// Go on with this decoder.
    Continue,
    /// The bytes of the chunk from `consumed` on, and all that follow in both directions, belong to another decoder.
    Handover {
        /// Bytes of the chunk that this decoder has used, at most its length.
        consumed: usize,
        /// Who goes on.
        to: Box<dyn Decoder>,
    },
    /// Nothing more can be read from this conversation (encrypted without keys, or not what it seemed):
    /// the rest is counted, not decoded. The decoder still gets its `end`.
    Opaque,
}

/// Reads one conversation. Implementations hold bounded state and never panic, whatever the bytes.
pub trait Decoder: Send {
    /// Name in the flow table and in findings: `xmpp`, `epmd`, `erldist`, `dns`, `tls`, `http`, `text`.
    fn protocol(&self) -> &'static str;
    /// The next bytes of a direction, in order; for UDP, one datagram a call.
    fn data(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Next;
    /// Bytes are missing before the next chunk of that direction: find the next message head before trusting bytes.
    fn gap(&mut self, gap: &Gap<'_>, sink: &mut dyn Sink);
    /// No more bytes will come: say what is known of what was unfinished.
    fn end(&mut self, end: &End<'_>, sink: &mut dyn Sink);
    /// What this decoder was reading goes on inside TLS that stays closed: only `end` follows.
    fn sealed(&mut self, _layer: TlsLayer) {}
}

/// Whether bytes are of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Certainly, or as surely as bytes can tell.
    Yes,
    /// Certainly not.
    No,
    /// More bytes may tell.
    Unsure,
}

/// The first bytes of a conversation, for a probe.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The conversation: ports are a hint.
    pub flow: &'a FlowInfo,
    /// First bytes from the opener; empty if none came yet.
    pub from_orig: &'a [u8],
    /// First bytes from the answerer; empty if none came yet.
    pub from_resp: &'a [u8],
}

impl Opening<'_> {
    /// `true` if either side uses one of these ports.
    pub fn has_port(&self, ports: &[u16]) -> bool {
        ports.contains(&self.flow.resp.port()) || ports.contains(&self.flow.orig.port())
    }
}

/// What decoders report to. The pipeline's implementation fills tables, asks detectors, and keeps what crosses flows.
pub trait Sink {
    /// A stanza, borrowed: there are millions, and few are kept.
    fn stanza(&mut self, seen: &Seen<'_>, stanza: &xmpp::Stanza<'_>);
    /// Anything else.
    fn event(&mut self, seen: &Seen<'_>, event: Event);
    /// Something that could not be decoded, by a stable name such as `dns.unparsed` or `xmpp.resync`: counted in
    /// `case.json` with the place where it was first seen, never silent.
    fn skipped(&mut self, what: &'static str, stamp: Stamp);
    /// Where the bytes of files go, if they are wanted; for [`content::Intake::new`].
    fn spool(&self) -> Option<&content::FileSpool> {
        None
    }
    /// Keys for what is encrypted; `None` where none can have been given.
    fn keys(&mut self) -> Option<tls::KeyRing<'_>> {
        None
    }
}

/// An event that is kept: what was seen, and where.
#[derive(Debug, Clone)]
pub struct Record {
    /// Where and when.
    pub at: Sighting,
    /// What.
    pub event: Event,
}

/// Reads what is spread over several conversations, such as an XMPP stream in the requests of BOSH. It sees all records
/// of a case in time order, after the shards, and reports as decoders do; what it reports is read by the joins behind it.
pub trait Join: Send {
    /// The next record.
    fn on_record(&mut self, record: &Record, sink: &mut dyn Sink);
    /// No more records will come.
    fn finish(&mut self, sink: &mut dyn Sink);
}

/// Every join, in a fixed order: each reads what those before it report. Sessions and calls are last, for what makes
/// streams out of other protocols comes before them.
pub fn joins() -> Vec<Box<dyn Join>> {
    vec![Box::<erldist::Ejabberdctl>::default(), bosh::start(), xmpp::sessions(), xmpp::calls()]
}

/// All that decoders report, but for stanzas. Plain data: it leaves the shard.
#[derive(Debug, Clone)]
pub enum Event {
    /// XMPP streams, logins, sessions, transfers.
    Xmpp(xmpp::XmppEvent),
    /// Erlang port mapper.
    Epmd(epmd::EpmdEvent),
    /// Erlang distribution.
    ErlDist(erldist::DistEvent),
    /// Domain names.
    Dns(dns::DnsEvent),
    /// TLS handshakes.
    Tls(tls::TlsEvent),
    /// HTTP requests and responses.
    Http(http::HttpEvent),
    /// Lines of a readable stream of no known protocol.
    Text(text::TextEvent),
    /// SOCKS 5 requests and what went through.
    Socks(socks5::SocksEvent),
}

/// A protocol that can be told from the first bytes of a TCP stream.
pub struct StreamProtocol {
    /// As in [`Decoder::protocol`].
    pub name: &'static str,
    /// Tells whether an opening is of this protocol.
    pub probe: fn(&Opening<'_>) -> Probe,
    /// Starts a decoder; it is then fed from the first byte.
    pub start: fn() -> Box<dyn Decoder>,
}

/// A protocol that can be told from one datagram.
pub struct DatagramProtocol {
    /// As in [`Decoder::protocol`].
    pub name: &'static str,
    /// Tells whether a datagram is of this protocol; the flow's ports are a hint.
    pub probe: fn(&FlowInfo, &[u8]) -> Probe,
    /// Starts a decoder for the flow; it is then fed every datagram.
    pub start: fn() -> Box<dyn Decoder>,
}

/// Stream protocols in the order in which they are asked: strict formats before loose ones. EPMD is first for what comes
/// to its port: whatever it looks like, it was sent to EPMD.
pub const STREAM_PROTOCOLS: &[StreamProtocol] = &[
    StreamProtocol { name: "epmd", probe: epmd::probe, start: epmd::start },
    StreamProtocol { name: "tls", probe: tls::probe, start: tls::start },
    StreamProtocol { name: "xmpp", probe: xmpp::probe, start: xmpp::start },
    StreamProtocol { name: "socks5", probe: socks5::probe, start: socks5::start },
    StreamProtocol { name: "http", probe: http::probe, start: http::start },
    StreamProtocol { name: "erldist", probe: erldist::probe, start: erldist::start },
    StreamProtocol { name: "dns", probe: dns::probe_stream, start: dns::start_stream },
    StreamProtocol { name: "text", probe: text::probe, start: text::start },
];

/// Datagram protocols in the order in which they are asked.
pub const DATAGRAM_PROTOCOLS: &[DatagramProtocol] =
    &[DatagramProtocol { name: "dns", probe: dns::probe_datagram, start: dns::start_datagram }];
