//! Which node listens on which port, at a time: EPMD's exchanges and handshakes in, names out.
//!
//! A registration lasts as long as the connection that made it. Mostly that crosses the loopback of its host, which
//! nobody captures; then what EPMD answers tells, from then on and, where nothing else is known, before. A handshake
//! gives the acceptor's full name.

use super::{EpmdAnswer, EpmdEvent, EpmdRequest};
use crate::evidence::{Sighting, is_loopback};
use crate::protocol::erldist::DistEvent;
use crate::protocol::{Event, Record};
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

/// Listening ports remembered: a site has dozens.
const MAX_PORTS: usize = 16_384;
/// Nodes remembered of one port; a port that changes hands more often keeps the first ones.
const MAX_TERMS: usize = 64;

/// Names of nodes by where they listen.
#[derive(Debug, Default)]
pub struct Register {
    ports: HashMap<SocketAddr, Vec<Term>>,
}

/// A time for which a port is a node's.
#[derive(Debug)]
struct Term {
    name: Box<str>,
    from_ns: i64,
    until_ns: i64,
    /// The registration itself was seen, so it did not hold before.
    witnessed: bool,
}

impl Register {
    /// Learns from the next record, in time order.
    pub fn on_record(&mut self, record: &Record) {
        let at = &record.at;
        match &record.event {
            Event::Epmd(EpmdEvent::Exchange { request, answer: Some(answer) }) => self.on_exchange(at, request, answer),
            Event::Epmd(EpmdEvent::Unregistered { name, port }) => {
                let listens = SocketAddr::new(host_of(at), *port);
                let terms = self.ports.get_mut(&listens).into_iter().flatten();
                let ended = terms.filter(|term| short(&term.name) == name && term.until_ns == i64::MAX);
                ended.for_each(|term| term.until_ns = at.last.time_ns);
            }
            Event::ErlDist(DistEvent::Handshake(handshake)) => {
                if let Some(acceptor) = handshake.acceptor.as_deref().filter(|name| !name.is_empty()) {
                    self.learn(at.receiver(), acceptor, at.first.time_ns, false);
                }
            }
            _ => {}
        }
    }

    /// The node that listens there at a time.
    pub fn node_at(&self, listens: SocketAddr, time_ns: i64) -> Option<&str> {
        let terms = self.ports.get(&listens)?;
        let then = terms.iter().rev().find(|term| term.from_ns <= time_ns);
        let term = then.or_else(|| terms.first().filter(|first| !first.witnessed))?;
        (time_ns <= term.until_ns).then_some(&*term.name)
    }

    /// Names of all nodes that were seen to listen on an address, without host.
    pub fn nodes_of(&self, address: IpAddr) -> BTreeSet<&str> {
        let of_address = self.ports.iter().filter(|(listens, _)| listens.ip() == address);
        of_address.flat_map(|(_, terms)| terms).map(|term| short(&term.name)).collect()
    }

    /// `true` if nothing was learned.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    fn on_exchange(&mut self, at: &Sighting, request: &EpmdRequest, answer: &EpmdAnswer) {
        let host = at.receiver().ip();
        match (request, answer) {
            (EpmdRequest::Alive2 { name, port, .. }, EpmdAnswer::Alive2 { result: 0, .. }) => {
                self.learn(SocketAddr::new(host_of(at), *port), name, at.last.time_ns, true);
            }
            (_, EpmdAnswer::Port { port, name, .. }) => {
                self.learn(SocketAddr::new(host, *port), name, at.last.time_ns, false);
            }
            (_, EpmdAnswer::Listing { text, .. }) => {
                for (name, port) in text.lines().filter_map(listed) {
                    self.learn(SocketAddr::new(host, port), name, at.last.time_ns, false);
                }
            }
            _ => {}
        }
    }

    fn learn(&mut self, listens: SocketAddr, name: &str, from_ns: i64, witnessed: bool) {
        if self.ports.len() >= MAX_PORTS && !self.ports.contains_key(&listens) {
            return;
        }
        let terms = self.ports.entry(listens).or_default();
        if let Some(last) = terms.last_mut() {
            let same = short(&last.name) == short(name);
            if same && !witnessed && last.until_ns == i64::MAX {
                // A handshake tells the host too.
                if name.len() > last.name.len() {
                    last.name = name.into();
                }
                return;
            }
            last.until_ns = last.until_ns.min(from_ns);
        }
        if terms.len() < MAX_TERMS {
            terms.push(Term { name: name.into(), from_ns, until_ns: i64::MAX, witnessed });
        }
    }
}

/// The host whose node registers: over loopback, and from its own address, the EPMD's host.
fn host_of(at: &Sighting) -> IpAddr {
    let asker = at.sender().ip();
    if is_loopback(asker) { at.receiver().ip() } else { asker }
}

/// A node's name without its host.
fn short(name: &str) -> &str {
    name.split_once('@').map_or(name, |(short, _)| short)
}

/// A line of a listing: `name NAME at port PORT`, and DUMP's `active name     <NAME> at port PORT, fd = 5`.
pub fn listed(line: &str) -> Option<(&str, u16)> {
    let line = line.trim_start_matches('\0');
    let (name, port) = line.strip_prefix("active ").unwrap_or(line).strip_prefix("name ")?.rsplit_once(" at port ")?;
    let name = name.trim().trim_start_matches('<').trim_end_matches('>');
    let port = port.split(',').next()?.trim().parse().ok()?;
    Some((name, port))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::{Direction, Stamp, Transport};
    use crate::protocol::testing::flow;

    fn record(from: &str, time_ns: i64, event: EpmdEvent) -> Record {
        let stamp = Stamp { time_ns, ..Stamp::default() };
        let flow = flow(Transport::Tcp, from, "10.0.0.1:4369");
        let at = Sighting { flow, direction: Direction::FromOrig, first: stamp, last: stamp };
        Record { at, event: Event::Epmd(event) }
    }

    fn registered(name: &str, port: u16) -> EpmdEvent {
        let request = EpmdRequest::Alive2 { name: name.into(), port, node_type: 77, highest: 6, lowest: 5 };
        EpmdEvent::Exchange { request, answer: Some(EpmdAnswer::Alive2 { result: 0, creation: 1 }) }
    }

    fn answered(name: &str, port: u16) -> EpmdEvent {
        let answer = EpmdAnswer::Port { port, node_type: 77, versions: (6, 5), name: name.into() };
        EpmdEvent::Exchange { request: EpmdRequest::PortPlease2 { name: name.into() }, answer: Some(answer) }
    }

    #[test]
    fn a_registration_lasts_as_long_as_its_connection() {
        let mut register = Register::default();
        let own = "10.0.0.1:40000";
        register.on_record(&record(own, 10, registered("a", 9100)));
        register.on_record(&record(own, 20, EpmdEvent::Unregistered { name: "a".into(), port: 9100 }));
        register.on_record(&record(own, 30, registered("b", 9100)));
        let at = |time| register.node_at("10.0.0.1:9100".parse().unwrap(), time);
        assert_eq!([at(5), at(15), at(25), at(35)], [None, Some("a"), None, Some("b")]);
        assert_eq!(register.nodes_of("10.0.0.1".parse().unwrap()).len(), 2);
    }

    #[test]
    fn what_is_only_answered_held_before() {
        let mut register = Register::default();
        register.on_record(&record("10.0.0.9:40000", 10, answered("a", 9100)));
        assert_eq!(register.node_at("10.0.0.1:9100".parse().unwrap(), 5), Some("a"));
        assert_eq!(register.node_at("10.0.0.1:9101".parse().unwrap(), 15), None);
        register.on_record(&record("10.0.0.9:40000", 20, answered("b", 9100)));
        assert_eq!(register.node_at("10.0.0.1:9100".parse().unwrap(), 15), Some("a"));
        assert_eq!(register.node_at("10.0.0.1:9100".parse().unwrap(), 25), Some("b"));
    }
}
