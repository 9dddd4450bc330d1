//! SOCKS 5 bytestreams (XEP-0065, XEP-0260): joined to their negotiation by DST.ADDR, and a relay's two connections to
//! each other.
//!
//! DST.ADDR is SHA-1(sid + requester + target). Every negotiation that was seen, on whatever connection, gives the
//! hashes that it may lead to, in both orders, and those that it names itself.

use super::moved::Moved;
use super::offers::{Offers, Wanted};
use super::parties::Parties;
use crate::evidence::{Sighting, Stamp};
use crate::protocol::content::hex;
use crate::protocol::socks5::{SocksSession, SocksStream};
use crate::protocol::xmpp::{FileOffer, Transport, jid};
use sha1::{Digest, Sha1};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;

/// Connections held for others of the same bytestream.
const MAX_HELD: usize = 65_536;
/// Connections of one bytestream: a relay has two, a client that tries every address some more.
const MAX_OF_ONE: usize = 32;
/// Negotiations remembered.
const MAX_NEGOTIATIONS: usize = 65_536;
/// Hosts remembered of one negotiation.
const MAX_HOSTS: usize = 64;

/// Bytestreams and what was negotiated for them.
#[derive(Debug, Default)]
pub(super) struct Bytestreams {
    /// Connections by DST.ADDR, in the order of the digits so that findings have one.
    legs: BTreeMap<String, Vec<Leg>>,
    held: usize,
    negotiations: HashMap<String, Negotiation>,
    beyond: u64,
}

#[derive(Debug)]
struct Leg {
    /// In the client's direction.
    at: Sighting,
    accepted: bool,
    streams: [Option<SocksStream>; 2],
}

/// What stanzas say of a bytestream.
#[derive(Debug, Clone, Default)]
struct Negotiation {
    sid: String,
    from: Option<String>,
    to: Option<String>,
    frame: Stamp,
    /// Hosts by address and port, and whether they are proxies.
    hosts: Vec<(String, u16, bool)>,
    /// A proxy was told to go on.
    activated: bool,
}

/// SHA-1(sid + requester + target) in hexadecimal digits.
fn dst_addr(sid: &str, requester: &str, target: &str) -> String {
    hex(&Sha1::new().chain_update(sid).chain_update(requester).chain_update(target).finalize())
}

impl Bytestreams {
    /// Takes what a stanza says.
    pub(super) fn negotiate(&mut self, told: &Transport, at: &Sighting) {
        let Some(sid) = &told.sid else { return };
        if !matches!(told.kind.as_str(), "bytestreams" | "s5b") {
            return;
        }
        let hosts: Vec<_> = told
            .candidates
            .iter()
            .map(|candidate| {
                let party = |party: &Option<String>| candidate.jid.is_some() && candidate.jid == *party;
                let is_proxy = match candidate.kind.as_str() {
                    "streamhost" => !party(&told.from) && !party(&told.to),
                    kind => kind == "proxy",
                };
                (candidate.host.to_ascii_lowercase(), candidate.port.unwrap_or(1080), is_proxy)
            })
            .collect();
        for hash in self.hashes(sid, told.from.as_deref(), told.to.as_deref(), told.dstaddr.as_deref()) {
            let Some(known) = self.negotiation(hash, sid, told.from.as_ref(), told.to.as_ref(), at) else { return };
            let room = MAX_HOSTS.saturating_sub(known.hosts.len());
            known.hosts.extend(
                hosts.iter().filter(|host| !known.hosts.contains(host)).take(room).cloned().collect::<Vec<_>>(),
            );
            known.activated |= told.action == "activate";
        }
    }

    /// Takes an offer: where no stanza with addresses was seen, it has all that the hash is made of.
    pub(super) fn offer(&mut self, offer: &FileOffer, at: &Sighting) {
        let sid = offer.transport_sid.as_ref().unwrap_or(&offer.session);
        for hash in self.hashes(sid, offer.from.as_deref(), offer.to.as_deref(), None) {
            self.negotiation(hash, sid, offer.from.as_ref(), offer.to.as_ref(), at);
        }
    }

    fn hashes(&self, sid: &str, from: Option<&str>, to: Option<&str>, named: Option<&str>) -> Vec<String> {
        let mut hashes: Vec<String> = named.filter(|name| name.len() == 40).map(str::to_owned).into_iter().collect();
        if let (Some(from), Some(to)) = (from, to) {
            hashes.extend([dst_addr(sid, from, to), dst_addr(sid, to, from)]);
        }
        hashes
    }

    fn negotiation(
        &mut self,
        hash: String,
        sid: &str,
        from: Option<&String>,
        to: Option<&String>,
        at: &Sighting,
    ) -> Option<&mut Negotiation> {
        if self.negotiations.len() >= MAX_NEGOTIATIONS && !self.negotiations.contains_key(&hash) {
            self.beyond += 1;
            return None;
        }
        Some(self.negotiations.entry(hash).or_insert_with(|| Negotiation {
            sid: sid.to_owned(),
            from: from.cloned(),
            to: to.cloned(),
            frame: at.first,
            ..Negotiation::default()
        }))
    }

    /// Takes a connection.
    pub(super) fn add(&mut self, session: &SocksSession, at: &Sighting) {
        let Some(hash) = &session.bytestream else { return };
        if self.held >= MAX_HELD {
            self.beyond += 1;
            return;
        }
        let legs = self.legs.entry(hash.clone()).or_default();
        if legs.len() < MAX_OF_ONE {
            self.held += 1;
            let accepted = session.reply.is_none_or(|reply| reply == 0);
            legs.push(Leg { at: at.clone(), accepted, streams: session.streams.clone() });
        }
    }

    /// Everything that moved.
    pub(super) fn drain(&mut self, offers: &Offers, parties: &Parties) -> Vec<Moved> {
        let mut moved = Vec::new();
        for (hash, legs) in std::mem::take(&mut self.legs) {
            let negotiation = self.negotiations.get(&hash);
            for passage in passages(&legs, self.is_empty_file(negotiation, offers, &legs)) {
                moved.push(describe(&passage, negotiation, offers, parties));
            }
        }
        moved.sort_by_key(|moved| moved.at.first.order());
        moved
    }

    /// A file of no bytes was offered for it.
    fn is_empty_file(&self, negotiation: Option<&Negotiation>, offers: &Offers, legs: &[Leg]) -> bool {
        let times = legs.first().zip(legs.last()).map(|(first, last)| (first.at.first.time_ns, last.at.last.time_ns));
        let offer = negotiation.zip(times).and_then(|(known, times)| offers.find(known.wanted(times)));
        offer.is_some_and(|(offer, _)| offer.size == Some(0))
    }
}

impl Negotiation {
    fn wanted(&self, (first_ns, last_ns): (i64, i64)) -> Wanted<'_> {
        Wanted { sid: &self.sid, from: self.from.as_deref(), to: self.to.as_deref(), first_ns, last_ns }
    }

    /// Whether the host there is a proxy, if it was offered.
    fn is_proxy(&self, address: SocketAddr) -> Option<bool> {
        let ip = address.ip().to_string();
        let offered = |host: &&(String, u16, bool)| host.0.trim_matches(['[', ']']) == ip && host.1 == address.port();
        self.hosts.iter().find(offered).map(|host| host.2)
    }
}

/// Bytes on their way: over one connection, or in at a relay and out again.
struct Passage<'a> {
    /// The connection nearest to the sender, sighted in the direction of the bytes.
    at: Sighting,
    /// Where the bytes were read best.
    stream: Option<&'a SocksStream>,
    /// Where the client of the connection asked for the bytestream.
    server: SocketAddr,
    /// Where the relay's other connection goes, if it was seen.
    receiver: Option<SocketAddr>,
}

/// Pairs what a client sent to a relay with what the relay sent to another client.
fn passages(legs: &[Leg], is_empty_file: bool) -> Vec<Passage<'_>> {
    let moves = |index: usize| {
        legs.iter().filter_map(move |leg| {
            let stream = leg.streams.get(index)?.as_ref().filter(|stream| stream.content.bytes > 0)?;
            Some((leg, stream))
        })
    };
    let mut taken = HashSet::new();
    let mut all: Vec<Passage<'_>> = Vec::new();
    for (leg, sent) in moves(0) {
        let is_other =
            |(_, (other, _)): &(usize, (&Leg, &SocksStream))| *other.at.flow.community_id != *leg.at.flow.community_id;
        let pair = moves(1).enumerate().filter(|(n, _)| !taken.contains(n)).find(is_other);
        let mut stream = sent;
        if let Some((n, (_, received))) = pair {
            taken.insert(n);
            let reach = |stream: &SocksStream| (stream.missing == 0, stream.content.bytes);
            if reach(received) > reach(sent) {
                stream = received;
            }
        }
        all.push(Passage {
            at: Sighting { first: sent.frames.0, last: sent.frames.1, ..leg.at.clone() },
            stream: Some(stream),
            server: leg.at.receiver(),
            receiver: pair.map(|(_, (other, _))| other.at.sender()),
        });
    }
    for (n, (leg, stream)) in moves(1).enumerate() {
        if !taken.contains(&n) {
            let direction = leg.at.direction.reversed();
            let at = Sighting { first: stream.frames.0, last: stream.frames.1, direction, ..leg.at.clone() };
            all.push(Passage { at, stream: Some(stream), server: leg.at.receiver(), receiver: None });
        }
    }
    if all.is_empty() && is_empty_file {
        let mut accepted = legs.iter().filter(|leg| leg.accepted);
        let first = accepted.next();
        let receiver = accepted.next().map(|leg| leg.at.sender());
        all.extend(first.map(|leg| Passage { at: leg.at.clone(), stream: None, server: leg.at.receiver(), receiver }));
    }
    all
}

fn describe(passage: &Passage<'_>, known: Option<&Negotiation>, offers: &Offers, parties: &Parties) -> Moved {
    let at = &passage.at;
    let times = (at.first.time_ns, at.last.time_ns);
    let offered = known.and_then(|known| offers.find(known.wanted(times)));
    let method = match offered.map(|(offer, _)| offer.via) {
        None => "socks5",
        Some("jingle") => "jingle-socks5",
        Some(_) => "si-socks5",
    };
    let content = passage
        .stream
        .map_or_else(|| crate::protocol::content::FileContent::of(b"", None), |stream| stream.content.clone());
    let mut moved = Moved::new(method, "socks5", at, content);
    let missing = passage.stream.map_or(0, |stream| stream.missing);
    if let Some((offer, at)) = offered {
        moved.offered(offer, at);
        (moved.from, moved.to) = (offer.from.clone(), offer.to.clone());
    }
    moved.complete = missing == 0 && moved.offered_size.is_none_or(|size| moved.content.bytes >= size);
    let relay =
        if passage.receiver.is_some() { Some(true) } else { known.and_then(|known| known.is_proxy(passage.server)) };
    moved.relay = relay
        .or_else(|| parties.is_client(passage.server.ip()).then_some(false))
        .or_else(|| known.and_then(|known| known.activated.then_some(true)));
    let receiver = passage.receiver.or((moved.relay == Some(false)).then(|| at.receiver()));
    let is_relays = moved.relay == Some(true) && at.sender() == passage.server;
    moved.addresses = if is_relays { (None, Some(at.receiver())) } else { (Some(at.sender()), receiver) };
    moved.peer_to_peer = moved.relay == Some(false);
    if let Some(known) = known {
        moved.frames.push(known.frame);
        if offered.is_none() {
            name_parties(&mut moved, known, parties);
        }
    } else {
        let sender = at.sender();
        moved.from = parties.at(sender, at.first, &[]).map(str::to_owned);
        moved.to = parties.at(at.receiver(), at.first, &[]).map(str::to_owned);
    }
    moved
}

/// Without an offer the addresses tell which of the two sends.
fn name_parties(moved: &mut Moved, known: &Negotiation, parties: &Parties) {
    let (one, other) = (known.from.clone(), known.to.clone());
    let expected = [one.as_deref(), other.as_deref()];
    let sender = parties.at(moved.at.sender(), moved.at.first, &expected);
    let receiver = parties.at(moved.at.receiver(), moved.at.first, &expected);
    let is = |party: Option<&str>, jid: &Option<String>| {
        party.zip(jid.as_deref()).is_some_and(|(one, other)| jid::bare(one) == jid::bare(other))
    };
    let turned = is(sender, &other) || is(receiver, &one);
    (moved.from, moved.to) = if turned { (other, one) } else { (one, other) };
}
