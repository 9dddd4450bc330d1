//! What rules and the limits of the table do to entries.

use super::*;
use crate::replay::conntrack::Zone;
use std::net::IpAddr;

const NOW: i64 = 1_700_000_000 * SECOND_NS;

/// A UDP packet between 10.0.0.1 and 10.0.0.2.
fn udp(answer: bool, port: u16) -> Vec<u8> {
    let (src, dst) = if answer { (2, 1) } else { (1, 2) };
    let (from, to) = if answer { (53, port) } else { (port, 53) };
    let mut packet = vec![0x45, 0, 0, 29, 0, 7, 0, 0, 64, 17, 0, 0, 10, 0, 0, src, 10, 0, 0, dst];
    packet.extend_from_slice(&u16::to_be_bytes(from));
    packet.extend_from_slice(&u16::to_be_bytes(to));
    packet.extend_from_slice(&[0, 9, 0, 0, b'x']);
    packet
}

fn tcp(flags: u8, port: u16) -> Vec<u8> {
    let mut packet = udp(false, port);
    (packet[9], packet[3]) = (6, 40);
    packet.truncate(24);
    packet.extend_from_slice(&[0, 0, 0, 9, 0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    packet
}

fn send<'p>(tracker: &mut Conntrack, packet: &'p [u8], now_ns: i64) -> (Skb<'p>, Verdict) {
    let mut skb = Skb::new(packet, &[], now_ns).unwrap();
    let verdict = tracker.track(&mut skb);
    if verdict == Verdict::Accept {
        tracker.confirm(&mut skb);
    }
    (skb, verdict)
}

fn conn<'t>(tracker: &'t Conntrack, skb: &Skb<'_>) -> &'t Conn {
    tracker.get(skb.ct.unwrap()).unwrap()
}

#[test]
fn counters_are_by_direction() {
    let mut tracker = Conntrack::new(Settings::default());
    send(&mut tracker, &udp(false, 1), NOW);
    send(&mut tracker, &udp(true, 1), NOW);
    let packet = udp(false, 1);
    let (skb, _) = send(&mut tracker, &packet, NOW);
    assert_eq!(conn(&tracker, &skb).counters, [(2, 58), (1, 29)]);
}

#[test]
fn a_dropped_packet_leaves_nothing() {
    let mut tracker = Conntrack::new(Settings::default());
    let packet = udp(false, 1);
    let mut skb = Skb::new(&packet, &[], NOW).unwrap();
    tracker.track(&mut skb);
    let id = skb.ct.unwrap();
    assert_eq!((tracker.len(), tracker.remaining(id, NOW)), (1, Some(0)));
    tracker.forget(&mut skb);
    assert!(tracker.is_empty() && tracker.get(id).is_none());
    assert_eq!((skb.ct, skb.ct_info), (None, CtInfo::None));
}

#[test]
fn entries_are_found_until_they_expire() {
    let mut tracker = Conntrack::new(Settings::default());
    let packet = udp(false, 1);
    let (skb, _) = send(&mut tracker, &packet, NOW);
    let [original, answers] = conn(&tracker, &skb).tuples;
    let last = NOW + 30 * SECOND_NS - 1;
    assert_eq!(tracker.remaining(skb.ct.unwrap(), last), Some(1));
    assert!(tracker.lookup(&original, last).is_some() && tracker.lookup(&answers, last).is_some());
    assert!(tracker.lookup(&original, last + 1).is_none());
    let (again, _) = send(&mut tracker, &packet, last + 1);
    assert_eq!(again.ct_info, CtInfo::New);
    assert_ne!(again.ct, skb.ct);
}

#[test]
fn dead_entries_do_not_pile_up() {
    let mut tracker = Conntrack::new(Settings::default());
    for n in 0..10_000 {
        let packet = udp(false, n as u16);
        let mut skb = Skb::new(&packet, &[], NOW + n * SECOND_NS).unwrap();
        tracker.track(&mut skb);
        let elsewhere = Some((IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 1])));
        tracker.nat_setup(&skb, Manip::Src, &NatRange { addresses: elsewhere, ..NatRange::default() });
        tracker.confirm(&mut skb);
    }
    assert!(tracker.len() < 100, "{}", tracker.len());
    assert!(tracker.sources.len() < 2000, "{}", tracker.sources.len());
}

#[test]
fn a_full_table_gives_up_what_is_not_assured() {
    let mut tracker = Conntrack::new(Settings { max_entries: 10, ..Settings::default() });
    for port in 0..100 {
        assert_eq!(send(&mut tracker, &udp(false, port), NOW).1, Verdict::Accept);
    }
    assert_eq!((tracker.len(), tracker.counts().early_dropped), (10, 90));
}

#[test]
fn a_full_table_of_assured_entries_refuses() {
    let mut tracker = Conntrack::new(Settings { max_entries: 10, ..Settings::default() });
    for port in 0..10 {
        send(&mut tracker, &udp(false, port), NOW);
        send(&mut tracker, &udp(true, port), NOW);
        send(&mut tracker, &udp(false, port), NOW + 3 * SECOND_NS);
    }
    assert_eq!(send(&mut tracker, &udp(false, 99), NOW + 3 * SECOND_NS).1, Verdict::Drop);
    assert_eq!((tracker.len(), tracker.counts().refused), (10, 1));
    assert_eq!(send(&mut tracker, &udp(false, 99), NOW + 200 * SECOND_NS).1, Verdict::Accept);
}

#[test]
fn packets_that_nobody_ends_are_bounded() {
    let mut tracker = Conntrack::new(Settings::default());
    for port in 0..5000 {
        let packet = udp(false, port);
        tracker.track(&mut Skb::new(&packet, &[], NOW).unwrap());
    }
    assert_eq!(tracker.len(), 1024);
}

#[test]
fn zones_keep_equal_tuples_apart() {
    let mut tracker = Conntrack::new(Settings::default());
    let packet = udp(false, 1);
    let zone = tracker.template(Zone { id: 7, ..Zone::default() });
    let original_only = tracker.template(Zone { id: 8, original_only: true, ..Zone::default() });
    let mut seen = Vec::new();
    for template in [None, Some(zone), Some(original_only)] {
        let mut skb = Skb::new(&packet, &[], NOW).unwrap();
        if let Some(template) = template {
            (skb.ct, skb.ct_info) = (Some(template), CtInfo::New);
        }
        tracker.track(&mut skb);
        tracker.confirm(&mut skb);
        seen.push(skb.ct);
        let zones = skb.ct.and_then(|id| tracker.get(id)).map(|conn| conn.tuples.map(|tuple| tuple.zone));
        let expected = [Some([0, 0]), Some([7, 7]), None]; // the third's answers are those of the first: it clashes
        assert_eq!(zones, expected[seen.len() - 1]);
    }
    assert_ne!(seen[0], seen[1]);
    // An answer without a zone belongs to the first, one of zone 7 to the second.
    let answer = udp(true, 1);
    for (template, expected) in [(None, seen[0]), (Some(zone), seen[1])] {
        let mut skb = Skb::new(&answer, &[], NOW).unwrap();
        if let Some(template) = template {
            (skb.ct, skb.ct_info) = (Some(template), CtInfo::New);
        }
        tracker.track(&mut skb);
        assert_eq!((skb.ct, skb.ct_info), (expected, CtInfo::EstablishedReply));
    }
}

#[test]
fn untracked_stays_untracked() {
    let mut tracker = Conntrack::new(Settings::default());
    let packet = udp(false, 1);
    let mut skb = Skb::new(&packet, &[], NOW).unwrap();
    skb.ct_info = CtInfo::Untracked;
    tracker.track(&mut skb);
    tracker.confirm(&mut skb);
    assert_eq!((skb.ct, skb.ct_info), (None, CtInfo::Untracked));
    assert!(tracker.is_empty());
}

#[test]
fn rejected_connections_close() {
    let mut tracker = Conntrack::new(Settings::default());
    let syn = tcp(2, 1);
    let (skb, _) = send(&mut tracker, &syn, NOW);
    let mut reset = Skb::new(&syn, &[], NOW).unwrap();
    tracker.attach(&mut reset, &skb);
    assert_eq!((reset.ct, reset.ct_info), (skb.ct, CtInfo::RelatedReply));
    let id = skb.ct.unwrap();
    assert!(!tracker.is_closed(conn(&tracker, &skb)));
    tracker.set_closing(id, NOW);
    assert_eq!((tracker.tcp_state(id), tracker.remaining(id, NOW)), (Some(TcpState::Close), Some(10 * SECOND_NS)));
    assert!(tracker.is_closed(conn(&tracker, &skb)));
}

#[test]
fn a_refused_connection_can_be_asked_by_its_last_packet() {
    let mut tracker = Conntrack::new(Settings::default());
    let (syn, reset) = (tcp(2, 1), tcp(4, 1));
    send(&mut tracker, &syn, NOW);
    let mut skb = Skb::new(&reset, &[], NOW).unwrap();
    tracker.track(&mut skb);
    assert_ne!(conn(&tracker, &skb).status & status::DYING, 0);
    assert_eq!((tracker.len(), tracker.confirm(&mut skb)), (0, Verdict::Accept));
}

#[test]
fn addresses_of_other_families_are_other_keys() {
    let tuple = |src: &str, dst: &str| Tuple {
        src: src.parse::<IpAddr>().unwrap(),
        dst: dst.parse().unwrap(),
        protocol: 6,
        src_port: 1,
        dst_port: 2,
        zone: 0,
    };
    let keys = [tuple("0.0.0.1", "0.0.0.2"), tuple("::1", "::2"), tuple("::2", "::1")];
    let keys = keys.map(|tuple| tuple::Key::from(&tuple));
    assert!(keys[0] != keys[1] && keys[1] != keys[2]);
}
