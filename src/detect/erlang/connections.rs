//! Connections between nodes: readable ones (`erlang.cleartext`), and those of strangers (`erlang.outside-cluster`).

use super::cluster::Cluster;
use crate::detect::cookie::Proof;
use crate::detect::{Detector, Finding, Kind, Settings, filter};
use crate::evidence::Sighting;
use crate::protocol::erldist::{DistEvent, Handshake, HandshakeOutcome, Message};
use crate::protocol::{Event, Record};
use std::collections::HashSet;
use std::sync::Arc;

/// Connections whose handshake is remembered, so that their messages are not taken for a connection that began before
/// the capture. Beyond, such connections are no longer reported.
const MAX_CONNECTIONS: usize = 65_536;

/// Judges who connects to whom.
#[derive(Debug)]
pub struct Connections {
    cluster: Cluster,
    /// The site's own cookies.
    known_cookies: Arc<[String]>,
    told: HashSet<Box<str>>,
    /// Connections under TLS: what is read of them was opened with keys, and crossed unreadable.
    encrypted: HashSet<Box<str>>,
}

impl Connections {
    /// The cluster comes from the policy.
    pub fn new(settings: &Settings) -> Self {
        Self {
            cluster: Cluster::new(settings),
            known_cookies: Arc::clone(&settings.known_cookies),
            told: HashSet::new(),
            encrypted: HashSet::new(),
        }
    }

    fn on_handshake(&mut self, at: &Sighting, handshake: &Handshake, out: &mut Vec<Finding>) {
        let (initiator, acceptor) = (Some(handshake.initiator.as_str()), handshake.acceptor.as_deref());
        if handshake.outcome == HandshakeOutcome::Success {
            self.remember(at);
            self.judge_secrecy(at, initiator, acceptor, out);
        }
        let proven = Proof::of(handshake).filter(|_| !self.known_cookies.is_empty());
        let knows = proven.map(|proof| self.known_cookies.iter().any(|cookie| proof.fits(cookie)));
        self.judge(at, initiator, acceptor, knows, out);
    }

    /// A message of a connection whose beginning was not captured, or not whole.
    fn on_message(&mut self, at: &Sighting, message: &Message, out: &mut Vec<Finding>) {
        if self.told.contains(&at.flow.community_id) || !self.remember(at) {
            return;
        }
        let (node, peer) = (message.node.as_deref(), message.peer.as_deref());
        let (initiator, acceptor) = if at.direction == message.initiator { (node, peer) } else { (peer, node) };
        let mut at = at.clone();
        at.direction = message.initiator;
        self.judge_secrecy(&at, initiator, acceptor, out);
        self.judge(&at, initiator, acceptor, None, out);
    }

    fn remember(&mut self, at: &Sighting) -> bool {
        let room = self.told.len() < MAX_CONNECTIONS;
        if room {
            self.told.insert(at.flow.community_id.clone());
        }
        room
    }

    fn judge_secrecy(&self, at: &Sighting, initiator: Option<&str>, acceptor: Option<&str>, out: &mut Vec<Finding>) {
        if !self.encrypted.contains(&at.flow.community_id) {
            out.push(cleartext(at, initiator, acceptor));
        }
    }

    /// `knows`: whether the initiator proved one of the site's own cookies, where that can be told.
    fn judge(
        &self,
        at: &Sighting,
        initiator: Option<&str>,
        acceptor: Option<&str>,
        knows: Option<bool>,
        out: &mut Vec<Finding>,
    ) {
        let sides = [(at.sender().ip(), initiator), (at.receiver().ip(), acceptor)];
        let address =
            sides.iter().map(|(address, _)| *address).find(|address| self.cluster.is_address_outside(*address));
        let node = sides.iter().filter_map(|(_, node)| *node).find(|node| self.cluster.is_node_outside(node));
        let who = match (address, node) {
            (Some(address), _) => format!("Address {address}"),
            (None, Some(node)) => format!("Node {node}"),
            (None, None) => return,
        };
        let holding = if knows == Some(true) { " with the site's own cookie" } else { "" };
        let title = format!(
            "{who} is not of the cluster and speaks distribution{holding} ({} to {})",
            initiator.unwrap_or("a node"),
            acceptor.unwrap_or("a node")
        );
        let finding = Finding::new(Kind::ErlangOutsideCluster, "erldist", &at.as_seen(), title)
            .with_some("initiator", initiator)
            .with_some("acceptor", acceptor)
            .with_some("known_cookie", knows);
        out.push(filter::shown(finding, &at.flow));
    }
}

fn cleartext(at: &Sighting, initiator: Option<&str>, acceptor: Option<&str>) -> Finding {
    let title = format!(
        "{} and {} talk without TLS",
        initiator.unwrap_or("A node of unknown name"),
        acceptor.unwrap_or("a node of unknown name")
    );
    let finding = Finding::new(Kind::ErlangCleartext, "erldist", &at.as_seen(), title)
        .with_some("initiator", initiator)
        .with_some("acceptor", acceptor);
    filter::shown(finding, &at.flow)
}

impl Detector for Connections {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        match &record.event {
            Event::ErlDist(DistEvent::Handshake(handshake)) => self.on_handshake(&record.at, handshake, out),
            Event::ErlDist(DistEvent::Message(message)) => self.on_message(&record.at, message, out),
            Event::Tls(_) if self.encrypted.len() < MAX_CONNECTIONS => {
                self.encrypted.insert(record.at.flow.community_id.clone());
            }
            _ => {}
        }
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {}
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::super::cluster::tests::settings;
    use super::super::testing::{handshake, message, records};
    use super::*;

    fn kinds(settings: &Settings, events: Vec<DistEvent>) -> Vec<(Kind, String)> {
        let mut detector = Connections::new(settings);
        let mut out = Vec::new();
        for record in records(events) {
            detector.on_record(&record, &mut out);
        }
        detector.finish(&mut out);
        out.into_iter().map(|finding| (finding.kind, finding.src.unwrap())).collect()
    }

    #[test]
    fn each_connection_that_succeeds_is_one_finding() {
        let inside = settings(&[("10.0.0.0", 8)], &[]);
        let events =
            vec![handshake(HandshakeOutcome::Success), message(None, None), handshake(HandshakeOutcome::Rejected)];
        assert_eq!(kinds(&inside, events), [(Kind::ErlangCleartext, "10.0.0.7:40000".to_owned())]);
    }

    #[test]
    fn a_connection_without_its_beginning_is_one_finding() {
        let inside = settings(&[("10.0.0.0", 8)], &[]);
        let events = vec![message(None, None), message(None, None)];
        assert_eq!(kinds(&inside, events), [(Kind::ErlangCleartext, "10.0.0.7:40000".to_owned())]);
    }

    #[test]
    fn strangers_are_told_by_address_or_name_whatever_the_outcome() {
        let outside = [settings(&[("10.0.0.1", 32)], &[]), settings(&[], &["b@host"]), settings(&[], &["a@host"])];
        for settings in outside {
            let found = kinds(&settings, vec![handshake(HandshakeOutcome::Rejected)]);
            assert_eq!(found, [(Kind::ErlangOutsideCluster, "10.0.0.7:40000".to_owned())]);
        }
    }

    #[test]
    fn a_stranger_with_the_sites_own_cookie_is_named() {
        let with_cookie = |cookie: &str| {
            let known_cookies = Arc::new([cookie.to_owned()]);
            let mut detector = Connections::new(&Settings { known_cookies, ..settings(&[("10.0.0.1", 32)], &[]) });
            let mut event = handshake(HandshakeOutcome::Success);
            if let DistEvent::Handshake(handshake) = &mut event {
                let digest = 0xe070_00b1_ece0_8d0a_1dc7_02e6_a85e_f5d7_u128.to_be_bytes();
                handshake.initiator_proof = Some((1_206_235_133, digest));
            }
            let mut out = Vec::new();
            records(vec![event]).iter().for_each(|record| detector.on_record(record, &mut out));
            out.into_iter().find(|finding| finding.kind == Kind::ErlangOutsideCluster).unwrap().title
        };
        assert!(with_cookie("secret").contains("with the site's own cookie"));
        assert!(!with_cookie("Secret").contains("with the site's own cookie"));
    }
}
