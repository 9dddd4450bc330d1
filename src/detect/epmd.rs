//! The Erlang port mapper: who asks it for names, who tries to stop it, who registers another's name.
//!
//! In: exchanges of EPMD. EPMD trusts every local process and tells everybody what it knows; what it refuses (names and
//! control from afar) is reported as well, for the attempt is what counts.

use super::erlang::Cluster;
use super::{Detector, Finding, Kind, Settings, filter};
use crate::evidence::{CaptureId, Sighting, is_loopback};
use crate::protocol::epmd::{EpmdAnswer, EpmdEvent, EpmdRequest, listed};
use crate::protocol::{Event, Record};
use std::collections::HashMap;
use std::net::IpAddr;

/// Names known: a host has a handful, so this is room for thousands of hosts. Beyond, new ones are not learned.
const MAX_NAMES: usize = 16_384;

/// Length to which a listing is quoted, in characters.
const MAX_QUOTE: usize = 2048;

/// Judges what is asked of EPMD.
#[derive(Debug)]
pub struct Epmd {
    cluster: Cluster,
    names: HashMap<Key, Registration>,
}

/// A name at one EPMD. Loopback addresses mean another host in every capture.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    server: IpAddr,
    capture: Option<CaptureId>,
    name: String,
}

/// What is known of a name.
#[derive(Debug, Clone, Copy)]
struct Registration {
    port: u16,
    /// Its connection was seen to register it, so that its end would be seen as well.
    witnessed: bool,
}

impl Epmd {
    /// The cluster comes from the policy.
    pub fn new(settings: &Settings) -> Self {
        Self { cluster: Cluster::new(settings), names: HashMap::new() }
    }

    fn on_exchange(
        &mut self,
        at: &Sighting,
        request: &EpmdRequest,
        answer: Option<&EpmdAnswer>,
        out: &mut Vec<Finding>,
    ) {
        match request {
            EpmdRequest::Names | EpmdRequest::PortPlease2 { .. } => {
                if self.cluster.is_address_outside(at.sender().ip()) {
                    let title = format!("{} outside the cluster asks EPMD for {}", at.sender(), asked(request));
                    out.push(told(Kind::EpmdEnumeration, at, title, request, answer));
                }
            }
            EpmdRequest::Dump | EpmdRequest::Kill | EpmdRequest::Stop { .. } => {
                let title = format!("{} asks EPMD for {}", at.sender(), asked(request));
                out.push(told(Kind::EpmdControl, at, title, request, answer));
            }
            EpmdRequest::Alive2 { name, port, .. } => self.on_registration(at, name, *port, answer, out),
        }
        self.learn(at, answer);
    }

    fn on_registration(
        &mut self,
        at: &Sighting,
        name: &str,
        port: u16,
        answer: Option<&EpmdAnswer>,
        out: &mut Vec<Finding>,
    ) {
        let accepted = match answer {
            Some(EpmdAnswer::Alive2 { result, .. }) => Some(*result == 0),
            _ => None,
        };
        let key = key(at, name);
        if let Some(reason) = self.why_impostor(at, &key, port, accepted) {
            let refused = if accepted == Some(false) { " and is refused" } else { "" };
            let title = format!("{} registers the node name {name}{refused}: {reason}", at.sender());
            let finding = Finding::new(Kind::EpmdImpostor, "epmd", &at.as_seen(), title)
                .with("name", name)
                .with("port", u64::from(port));
            out.push(filter::shown(finding, &at.flow));
        }
        if accepted == Some(true) && (self.names.len() < MAX_NAMES || self.names.contains_key(&key)) {
            self.names.insert(key, Registration { port, witnessed: true });
        }
    }

    /// Why a name is not the asker's.
    fn why_impostor(&self, at: &Sighting, key: &Key, port: u16, accepted: Option<bool>) -> Option<String> {
        let asker = at.sender().ip();
        if self.cluster.is_address_outside(asker) {
            return Some("its address is outside the cluster".to_owned());
        }
        if let Some(host) = self.foreign_host(&key.name, asker, key.server) {
            return Some(format!("the policy gives it to {host}"));
        }
        let known = self.names.get(key);
        let holder = known.map_or("another node".to_owned(), |known| format!("the node at port {}", known.port));
        let from_afar = asker != key.server && !is_loopback(asker);
        match accepted {
            Some(false) => Some(format!("{holder} holds it")),
            Some(true) if known.is_some_and(|known| known.witnessed && known.port != port) => {
                Some(format!("{holder} held it until now"))
            }
            None if from_afar && known.is_some() => Some(format!("{holder} holds it, on another host")),
            _ => None,
        }
    }

    /// Where the policy's only node of this name has an address for a host, and it is not this one: that address.
    fn foreign_host(&self, name: &str, asker: IpAddr, server: IpAddr) -> Option<IpAddr> {
        let of_name =
            |node: &String| node.split_once('@').filter(|(own, _)| *own == name).map(|(_, host)| host.to_owned());
        let hosts: Vec<String> = self.cluster.nodes().iter().filter_map(of_name).collect();
        let addresses: Vec<IpAddr> = hosts.iter().filter_map(|host| host.parse().ok()).collect();
        let elsewhere = addresses.len() == hosts.len() && !addresses.contains(&asker) && !addresses.contains(&server);
        addresses.first().copied().filter(|_| elsewhere && !is_loopback(asker))
    }

    /// Names that an answer tells.
    fn learn(&mut self, at: &Sighting, answer: Option<&EpmdAnswer>) {
        match answer {
            Some(EpmdAnswer::Port { name, port, .. }) => self.learn_name(at, name, *port),
            Some(EpmdAnswer::Listing { text, .. }) => {
                for (name, port) in text.lines().filter_map(listed) {
                    self.learn_name(at, name, port);
                }
            }
            _ => {}
        }
    }

    fn learn_name(&mut self, at: &Sighting, name: &str, port: u16) {
        if self.names.len() < MAX_NAMES {
            self.names.entry(key(at, name)).or_insert(Registration { port, witnessed: false });
        }
    }
}

fn key(at: &Sighting, name: &str) -> Key {
    let server = at.receiver().ip();
    Key { server, capture: is_loopback(server).then_some(at.last.capture), name: name.to_owned() }
}

fn told(kind: Kind, at: &Sighting, title: String, request: &EpmdRequest, answer: Option<&EpmdAnswer>) -> Finding {
    let finding = Finding::new(kind, "epmd", &at.as_seen(), title)
        .with("request", asked(request))
        .with_some("answer", answer.map(answered));
    filter::shown(finding, &at.flow)
}

/// A request as its name in the protocol.
fn asked(request: &EpmdRequest) -> String {
    match request {
        EpmdRequest::Alive2 { name, port, .. } => format!("ALIVE2 {name} at port {port}"),
        EpmdRequest::PortPlease2 { name } => format!("PORT_PLEASE2 {name}"),
        EpmdRequest::Names => "NAMES".to_owned(),
        EpmdRequest::Dump => "DUMP".to_owned(),
        EpmdRequest::Kill => "KILL".to_owned(),
        EpmdRequest::Stop { name } => format!("STOP {name}"),
    }
}

fn answered(answer: &EpmdAnswer) -> String {
    match answer {
        EpmdAnswer::Alive2 { result, .. } => format!("result {result}"),
        EpmdAnswer::Port { port, name, .. } => format!("{name} at port {port}"),
        EpmdAnswer::NoSuchNode { .. } => "no such node".to_owned(),
        EpmdAnswer::Listing { text, .. } => text.replace('\0', "").trim_end().chars().take(MAX_QUOTE).collect(),
        EpmdAnswer::Word(word) => word.clone(),
    }
}

impl Detector for Epmd {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        let (Event::Epmd(event), at) = (&record.event, &record.at) else { return };
        match event {
            EpmdEvent::Exchange { request, answer } => self.on_exchange(at, request, answer.as_ref(), out),
            EpmdEvent::Unregistered { name, .. } => {
                self.names.remove(&key(at, name));
            }
            EpmdEvent::Malformed { reason } => {
                let title = format!("{} sends EPMD what is not its protocol: {reason}", at.sender());
                let finding =
                    Finding::new(Kind::EpmdMalformed, "epmd", &at.as_seen(), title).with("reason", reason.as_str());
                out.push(filter::shown(finding, &at.flow));
            }
        }
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {}
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::super::erlang::settings;
    use super::*;
    use crate::evidence::{Direction, FlowInfo, Stamp, Transport};
    use std::sync::Arc;

    const SERVER: &str = "10.0.0.1:4369";

    fn record(client: &str, server: &str, event: EpmdEvent) -> Record {
        let flow = Arc::new(FlowInfo {
            transport: Transport::Tcp,
            orig: client.parse().unwrap(),
            resp: server.parse().unwrap(),
            community_id: "1:x".into(),
            tunnel: "".into(),
            within: crate::evidence::Within::default(),
        });
        let at = Sighting { flow, direction: Direction::FromOrig, first: Stamp::default(), last: Stamp::default() };
        Record { at, event: Event::Epmd(event) }
    }

    fn ask(client: &str, server: &str, request: EpmdRequest, answer: Option<EpmdAnswer>) -> Record {
        record(client, server, EpmdEvent::Exchange { request, answer })
    }

    fn alive(name: &str, port: u16) -> EpmdRequest {
        EpmdRequest::Alive2 { name: name.into(), port, node_type: 77, highest: 6, lowest: 5 }
    }

    fn result(result: u8) -> Option<EpmdAnswer> {
        Some(EpmdAnswer::Alive2 { result, creation: 1 })
    }

    fn listing(text: &str) -> Option<EpmdAnswer> {
        Some(EpmdAnswer::Listing { epmd_port: 4369, text: text.into() })
    }

    fn kinds(settings: &Settings, records: &[Record]) -> Vec<Kind> {
        let mut detector = Epmd::new(settings);
        let mut out = Vec::new();
        records.iter().for_each(|record| detector.on_record(record, &mut out));
        detector.finish(&mut out);
        out.iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn only_strangers_enumerate() {
        let settings = settings(&[("10.0.0.0", 8)], &[]);
        let names = |client| ask(client, SERVER, EpmdRequest::Names, listing("name a at port 1\n"));
        let port = |client| ask(client, SERVER, EpmdRequest::PortPlease2 { name: "a".into() }, None);
        let records = [names("10.0.0.2:5"), port("10.0.0.2:6"), names("203.0.113.7:5"), port("203.0.113.7:6")];
        assert_eq!(kinds(&settings, &records), [Kind::EpmdEnumeration; 2]);
    }

    #[test]
    fn control_is_told_from_everywhere() {
        let requests = [EpmdRequest::Dump, EpmdRequest::Kill, EpmdRequest::Stop { name: "a".into() }];
        let records = requests.map(|request| ask("127.0.0.1:5", "127.0.0.1:4369", request, None));
        assert_eq!(kinds(&settings(&[], &[]), &records), [Kind::EpmdControl; 3]);
    }

    #[test]
    fn a_name_that_another_holds_makes_an_impostor() {
        let nobody = settings(&[], &[]);
        let local = |request, answer| ask("127.0.0.1:5", "127.0.0.1:4369", request, answer);
        let ended = |name: &str| {
            record("127.0.0.1:5", "127.0.0.1:4369", EpmdEvent::Unregistered { name: name.into(), port: 1 })
        };
        let refused = [local(alive("a", 1), result(0)), local(alive("a", 2), result(1))];
        assert_eq!(kinds(&nobody, &refused), [Kind::EpmdImpostor]);
        let replaced = [local(alive("a", 1), result(0)), local(alive("a", 2), result(0))];
        assert_eq!(kinds(&nobody, &replaced), [Kind::EpmdImpostor]);
        let restarted = [local(alive("a", 1), result(0)), ended("a"), local(alive("a", 2), result(0))];
        assert_eq!(kinds(&nobody, &restarted), []);
        let listed = [local(EpmdRequest::Names, listing("name a at port 1\n")), local(alive("a", 2), result(0))];
        assert_eq!(kinds(&nobody, &listed), [], "may have restarted unseen");
        let afar = [
            ask("10.0.0.1:5", SERVER, EpmdRequest::Dump, listing("active name     <a> at port 1, fd = 5\n\0")),
            ask("10.0.0.2:5", SERVER, alive("a", 2), None),
        ];
        assert_eq!(kinds(&nobody, &afar), [Kind::EpmdControl, Kind::EpmdImpostor]);
    }

    #[test]
    fn names_belong_to_whom_the_policy_says() {
        let outside = settings(&[("10.0.0.1", 32)], &[]);
        assert_eq!(kinds(&outside, &[ask("203.0.113.7:5", SERVER, alive("new", 1), None)]), [Kind::EpmdImpostor]);
        let by_address = settings(&[], &["a@10.0.0.9", "b@host"]);
        let register = |name| ask("10.0.0.1:5", SERVER, alive(name, 1), result(0));
        assert_eq!(kinds(&by_address, &[register("a"), register("b"), register("c")]), [Kind::EpmdImpostor]);
    }

    #[test]
    fn malformed_bytes_are_told() {
        let event = EpmdEvent::Malformed { reason: "length 0".into() };
        assert_eq!(kinds(&settings(&[], &[]), &[record("10.0.0.2:5", SERVER, event)]), [Kind::EpmdMalformed]);
    }
}
