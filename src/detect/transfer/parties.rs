//! Who sits at an address: the JIDs bound to streams from there.

use crate::evidence::Stamp;
use crate::protocol::xmpp::{StreamKind, StreamSummary, jid};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Streams remembered.
const MAX_STREAMS: usize = 262_144;
/// Streams compared for one address: behind one gateway there may be many, and then none tells.
const MAX_AT_ONE: usize = 256;

/// Clients by address.
#[derive(Debug, Default)]
pub(super) struct Parties {
    by_address: HashMap<IpAddr, Vec<Bound>>,
    streams: usize,
}

#[derive(Debug)]
struct Bound {
    jid: String,
    first_ns: i64,
    last_ns: i64,
}

impl Parties {
    /// Takes a stream that ended.
    pub(super) fn add(&mut self, stream: &StreamSummary) {
        let Some(jid) = stream.jid.as_ref().filter(|_| stream.kind == StreamKind::C2s) else { return };
        let bound = self.by_address.entry(stream.client.ip()).or_default();
        if self.streams < MAX_STREAMS && bound.len() < MAX_AT_ONE {
            self.streams += 1;
            bound.push(Bound { jid: jid.clone(), first_ns: stream.first.time_ns, last_ns: stream.last.time_ns });
        }
    }

    /// `true` if a client of a server is known there.
    pub(super) fn is_client(&self, address: IpAddr) -> bool {
        self.by_address.contains_key(&address)
    }

    /// The one who sat there at the time. Of several it is the one of `expected`.
    pub(super) fn at(&self, address: SocketAddr, from: Stamp, expected: &[Option<&str>]) -> Option<&str> {
        let all = self.by_address.get(&address.ip())?;
        let online = |bound: &&Bound| bound.first_ns <= from.time_ns && from.time_ns <= bound.last_ns;
        let mut jids: Vec<&str> = all.iter().filter(online).map(|bound| bound.jid.as_str()).collect();
        if jids.is_empty() {
            jids = all.iter().map(|bound| bound.jid.as_str()).collect();
        }
        jids.sort_unstable();
        jids.dedup();
        if let [one] = jids[..] {
            return Some(one);
        }
        let is_expected = |jid: &str| expected.iter().flatten().any(|other| jid::bare(other) == jid::bare(jid));
        let mut fitting = jids.into_iter().filter(|jid| is_expected(jid));
        fitting.next().filter(|_| fitting.next().is_none())
    }
}
