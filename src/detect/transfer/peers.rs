//! Files that the two sides agree to move by ICE (XEP-0176, XEP-0371): the bytes are not read, but that they go around
//! the server is told.

use super::moved::safe_name;
use super::offers::{Offers, Wanted};
use crate::detect::title::in_title;
use crate::detect::{Finding, Kind};
use crate::evidence::Sighting;
use crate::protocol::xmpp::{Transport, jid};
use std::collections::HashSet;

/// Sessions held.
const MAX_HELD: usize = 16_384;

/// Sessions that were accepted.
#[derive(Debug, Default)]
pub(super) struct Peers {
    held: Vec<(Transport, Sighting)>,
    known: HashSet<(Option<String>, Option<String>, Option<String>)>,
}

impl Peers {
    /// Takes what a stanza says: an agreement is told once, by the leg that was seen first.
    pub(super) fn negotiate(&mut self, told: &Transport, at: &Sighting) {
        let is_file = told.application.as_deref().is_some_and(|name| name.starts_with("file-transfer"));
        let is_ice = told.kind == "ice" || told.kind.starts_with("ice-") || told.kind == "raw-udp";
        let agrees = matches!(told.action.as_str(), "session-accept" | "content-accept" | "transport-accept");
        if !is_file || !is_ice || !agrees || self.held.len() >= MAX_HELD {
            return;
        }
        if self.known.insert((told.session.clone(), told.from.clone(), told.to.clone())) {
            self.held.push((told.clone(), at.clone()));
        }
    }

    /// Tells what was agreed.
    pub(super) fn finish(&mut self, offers: &Offers, out: &mut Vec<Finding>) {
        for (told, at) in std::mem::take(&mut self.held) {
            let session = told.session.as_deref().unwrap_or_default();
            let time = at.last.time_ns;
            let (from, to) = (told.to.as_deref(), told.from.as_deref());
            let wanted = Wanted { sid: session, from, to, first_ns: time, last_ns: time };
            let offer = offers.find(wanted).map(|(offer, _)| offer);
            let name = offer.and_then(|offer| offer.name.as_deref());
            let (from, to) = offer.map_or((from, to), |offer| (offer.from.as_deref(), offer.to.as_deref()));
            let addresses: Vec<String> = told
                .candidates
                .iter()
                .map(|candidate| match candidate.port {
                    Some(port) => format!("{} {}:{port}", candidate.kind, candidate.host),
                    None => format!("{} {}", candidate.kind, candidate.host),
                })
                .collect();
            let party = |party: Option<&str>| in_title(jid::bare(party.unwrap_or("somebody"))).into_owned();
            let what = name.map_or_else(|| "a file".to_owned(), |name| format!("`{}`", in_title(name)));
            let title = format!("{what} goes by ICE from {} to {}, around the server", party(from), party(to));
            out.push(
                Finding::new(Kind::TransferPeerToPeer, "xmpp", &at.as_seen(), title)
                    .with("method", "jingle-ice")
                    .with_some("name", name)
                    .with_some("offered_size", offer.and_then(|offer| offer.size))
                    .with_some("from", from)
                    .with_some("to", to)
                    .with("complete", false)
                    .with_some("safe_name", name.map(safe_name))
                    .with_some("offered_hash", offer.and_then(|offer| offer.hash.as_deref()))
                    .with("addresses", addresses),
            );
        }
    }
}
