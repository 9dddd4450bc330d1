#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::*;
use crate::policy::Policy;
use crate::protocol::dns::{start_datagram, start_stream};
use crate::protocol::testing::{Step, flow, orig, play, resp};
use std::sync::Arc;

fn network(text: &str) -> Network {
    let (address, prefix) = text.split_once('/').unwrap();
    Network { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
}

fn settings(with_policy: bool) -> Settings {
    let dns = Dns {
        resolvers: vec![network("10.0.0.53/32"), network("fd00::53/128")],
        resolver_upstreams: vec![network("192.0.2.0/24")],
        ..Dns::default()
    };
    let policy = Policy { dns: Some(dns), ..Policy::default() };
    Settings { policy: with_policy.then(|| Arc::new(policy)), quote_chars: 100, ..Settings::default() }
}

/// A query or an answer for `n.test`, with `n` the number of the name.
fn message(flags: u16, name: u32, rtype: u16) -> Vec<u8> {
    let name = name.to_string();
    let mut bytes = vec![0, 7];
    bytes.extend(flags.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 0, 0, 0, 0, name.len() as u8]);
    bytes.extend(name.bytes());
    bytes.extend(b"\x04test\0");
    bytes.extend([rtype.to_be_bytes(), [0, 1]].concat());
    bytes
}

fn query(name: u32, rtype: u16) -> Vec<u8> {
    message(0x0100, name, rtype)
}

fn judge(detector: &mut UnapprovedResolver, transport: Transport, client: &str, server: &str, steps: &[Step]) {
    let flow = flow(transport, client, server);
    let decoder = if transport == Transport::Udp { start_datagram() } else { start_stream() };
    for (at, event) in play(decoder, &flow, steps).events {
        detector.on_record(&Record { at, event }, &mut Vec::new());
    }
}

fn found(detector: &mut UnapprovedResolver) -> Vec<Finding> {
    let mut out = Vec::new();
    detector.finish(&mut out);
    out
}

fn evidence<'a>(finding: &'a Finding, key: &str) -> &'a super::super::Evidence {
    finding.evidence.iter().find(|(name, _)| *name == key).map(|(_, value)| value).unwrap()
}

#[test]
fn who_may_ask_whom_follows_the_policy() {
    let asked = |client: &str, server: &str| {
        let mut detector = UnapprovedResolver::new(&settings(true));
        judge(&mut detector, Transport::Udp, client, server, &[orig(query(1, 33)), resp(message(0x8180, 1, 33))]);
        found(&mut detector)
    };
    assert!(asked("10.0.0.7:4000", "10.0.0.53:53").is_empty());
    assert!(asked("[fd00::7]:4000", "[fd00::53]:53").is_empty());
    assert!(asked("10.0.0.53:4000", "192.0.2.77:53").is_empty());
    assert!(asked("10.0.0.7:5353", "224.0.0.251:5353").is_empty());
    // Only resolvers may ask their upstreams, and those only.
    assert_eq!(asked("10.0.0.7:4000", "192.0.2.77:53").len(), 1);
    assert_eq!(asked("10.0.0.53:4000", "198.51.100.1:53").len(), 1);
    // A port of multicast DNS does not make a server a group.
    assert_eq!(asked("10.0.0.7:4000", "198.51.100.1:5353").len(), 1);
    let finding = asked("10.0.0.7:4000", "198.51.100.1:53").remove(0);
    assert_eq!(finding.kind, Kind::DnsUnapprovedResolver);
    assert_eq!(evidence(&finding, "name"), &"1.test".into());
    assert_eq!(evidence(&finding, "type"), &"SRV".into());
    assert_eq!(evidence(&finding, "resolver"), &"198.51.100.1".into());
    assert_eq!(evidence(&finding, "transport"), &"udp".into());
    assert_eq!(finding.src.as_deref(), Some("10.0.0.7:4000"));
    assert_eq!(finding.frames, [1]);
}

#[test]
fn without_a_policy_every_resolver_is_approved() {
    let mut detector = UnapprovedResolver::new(&settings(false));
    judge(&mut detector, Transport::Udp, "10.0.0.7:4000", "198.51.100.1:53", &[orig(query(1, 1))]);
    assert!(found(&mut detector).is_empty());
}

#[test]
fn the_same_query_is_summed_up_and_others_are_told_apart() {
    let mut detector = UnapprovedResolver::new(&settings(true));
    let again: Vec<Step> = (0..80).map(|_| orig(query(1, 1))).collect();
    judge(&mut detector, Transport::Udp, "10.0.0.7:4000", "198.51.100.1:53", &again);
    judge(&mut detector, Transport::Udp, "10.0.0.7:4001", "198.51.100.1:53", &[orig(query(1, 1)), orig(query(1, 28))]);
    let framed = [&[0, 24][..], &query(1, 1)].concat();
    judge(&mut detector, Transport::Tcp, "10.0.0.7:4002", "198.51.100.1:53", &[orig(framed)]);
    judge(&mut detector, Transport::Udp, "10.0.0.8:4000", "198.51.100.1:53", &[orig(query(1, 1))]);
    let found = found(&mut detector);
    let counts: Vec<_> = found.iter().map(|finding| evidence(finding, "count").clone()).collect();
    assert_eq!(counts, [81u64.into(), 1u64.into(), 1u64.into(), 1u64.into()]);
    assert_eq!(found[0].frames.len(), MAX_FRAMES);
}

#[test]
fn further_answers_and_other_operations_do_not_count() {
    let mut detector = UnapprovedResolver::new(&settings(true));
    let answer = message(0x8180, 1, 252);
    let update = message(0x2800, 2, 6);
    let steps = [orig(query(1, 252)), resp(answer.clone()), resp(answer.clone()), resp(answer), orig(update)];
    judge(&mut detector, Transport::Udp, "10.0.0.7:4000", "198.51.100.1:53", &steps);
    let found = found(&mut detector);
    assert_eq!(found.len(), 1);
    assert_eq!((evidence(&found[0], "type"), evidence(&found[0], "count")), (&"AXFR".into(), &1u64.into()));
}

#[test]
fn names_without_end_become_one_finding() {
    let mut detector = UnapprovedResolver::new(&settings(true));
    let steps: Vec<Step> = (0..1500).map(|name| orig(query(name, 16))).collect();
    judge(&mut detector, Transport::Udp, "10.0.0.7:4000", "198.51.100.1:53", &steps);
    let found = found(&mut detector);
    assert_eq!(found.len(), 1001);
    assert_eq!((evidence(&found[1000], "name"), evidence(&found[1000], "count")), (&"*".into(), &500u64.into()));
}
