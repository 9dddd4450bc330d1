//! Domain names: who is asked for them.

use super::{Detector, Finding, Kind, Settings};
use crate::evidence::{Seen, Stamp, Transport};
use crate::policy::{Dns, Network};
use crate::protocol::dns::{DnsEvent, DnsExchange, DnsQuestion, DnsService};
use crate::protocol::{Event, Record};
use std::collections::HashMap;
use std::net::IpAddr;

/// Frames named in a finding that sums up many queries.
const MAX_FRAMES: usize = 50;
/// Different queries told apart between one client and one server. A tunnel asks a new name each time: what is over is
/// summed up in one finding.
const MAX_QUESTIONS: u64 = 1000;
/// Different queries told apart in a case.
const MAX_FINDINGS: usize = 100_000;

/// `dns.unapproved-resolver`: a query to a server that the policy does not let the client ask. Summed up per client,
/// server, name, type and transport. Multicast queries ask no resolver.
pub struct UnapprovedResolver {
    /// `None` without a policy for DNS: then every resolver is approved.
    policy: Option<Dns>,
    places: HashMap<Asked, usize, foldhash::fast::RandomState>,
    /// How many different questions each client asked each server.
    questions: HashMap<(IpAddr, IpAddr), u64, foldhash::fast::RandomState>,
    found: Vec<Summed>,
    /// Queries that would have made further findings.
    left_out: u64,
}

/// What makes queries the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    client: IpAddr,
    server: IpAddr,
    transport: Transport,
    /// Name and type; `None` stands for all that are not told apart.
    question: Option<(Box<str>, u16)>,
}

/// A finding that still grows.
struct Summed {
    finding: Finding,
    count: u64,
}

impl UnapprovedResolver {
    /// Judges by the `[dns]` section of the policy.
    pub fn new(settings: &Settings) -> Self {
        Self {
            policy: settings.policy.as_ref().and_then(|policy| policy.dns.clone()),
            places: HashMap::default(),
            questions: HashMap::default(),
            found: Vec::new(),
            left_out: 0,
        }
    }

    fn is_approved(&self, client: IpAddr, server: IpAddr) -> bool {
        let Some(policy) = &self.policy else { return true };
        let is_resolver = |address| contains_any(&policy.resolvers, address);
        is_resolver(server) || (is_resolver(client) && contains_any(&policy.resolver_upstreams, server))
    }

    fn on_query(&mut self, seen: &Seen<'_>, question: &DnsQuestion, asked: Stamp) {
        let (client, server) = (seen.sender().ip().to_canonical(), seen.receiver().ip().to_canonical());
        let mut key = Asked {
            client,
            server,
            transport: seen.flow.transport,
            question: Some((question.name.clone(), question.rtype)),
        };
        let mut place = self.places.get(&key).copied();
        if place.is_none() {
            if self.found.len() >= MAX_FINDINGS {
                self.left_out += 1;
                return;
            }
            let told_apart = self.questions.entry((client, server)).or_default();
            *told_apart += 1;
            if *told_apart > MAX_QUESTIONS {
                key.question = None;
                place = self.places.get(&key).copied();
            }
        }
        if let Some(summed) = place.and_then(|place| self.found.get_mut(place)) {
            summed.add(asked);
            return;
        }
        let told_apart = key.question.is_some();
        self.places.insert(key, self.found.len());
        self.found.push(Summed::new(seen, question, asked, told_apart));
    }
}

impl Summed {
    fn new(seen: &Seen<'_>, question: &DnsQuestion, asked: Stamp, told_apart: bool) -> Self {
        let (client, server) = (seen.sender().ip().to_canonical(), seen.receiver().ip().to_canonical());
        let rtype = question.type_name();
        let name: &str = if told_apart { &question.name } else { "*" };
        let shown = if name.is_empty() { "." } else { name };
        let title = format!("{client} asks {server}, which is no approved resolver, for {shown} {rtype}");
        let seen = Seen { first: asked, last: asked, ..*seen };
        let finding = Finding::new(Kind::DnsUnapprovedResolver, "dns", &seen, title)
            .with("name", name)
            .with("type", if told_apart { rtype } else { "*".to_owned() })
            .with("resolver", server.to_string())
            .with("transport", seen.flow.transport.to_string())
            .with_filter(filter(client, server));
        Self { finding, count: 1 }
    }

    fn add(&mut self, asked: Stamp) {
        self.count += 1;
        if self.finding.frames.len() < MAX_FRAMES {
            self.finding.add_frame(asked);
        }
    }
}

fn filter(client: IpAddr, server: IpAddr) -> String {
    let field = if server.is_ipv4() { "ip" } else { "ipv6" };
    format!("dns && {field}.src == {client} && {field}.dst == {server}")
}

impl Detector for UnapprovedResolver {
    fn on_record(&mut self, record: &Record, _out: &mut Vec<Finding>) {
        let Event::Dns(DnsEvent::Exchange(exchange)) = &record.event else { return };
        let Some((questions, asked)) = asked_of_a_server(exchange) else { return };
        let seen = record.at.as_seen();
        if self.is_approved(seen.sender().ip(), seen.receiver().ip()) {
            return;
        }
        for question in questions {
            self.on_query(&seen, question, asked);
        }
    }

    fn finish(&mut self, out: &mut Vec<Finding>) {
        self.places = HashMap::default();
        let found = self.found.drain(..).map(|summed| summed.finding.with("count", summed.count));
        let before = out.len();
        out.extend(found);
        if self.left_out > 0
            && let Some(last) = out.get_mut(before..).and_then(|found| found.last_mut())
        {
            last.evidence.push(("queries_left_out", self.left_out.into()));
        }
    }
}

/// The questions of a query to a chosen server, once a query: further answers do not count again.
fn asked_of_a_server(exchange: &DnsExchange) -> Option<(&[DnsQuestion], Stamp)> {
    const QUERY: u8 = 0;
    let query = exchange.query.as_deref().filter(|query| query.flags.opcode() == QUERY)?;
    let counts = exchange.service == DnsService::Unicast && exchange.earlier_answers == 0;
    counts.then_some((&query.questions, exchange.asked?))
}

fn contains_any(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

#[cfg(test)]
mod tests;
