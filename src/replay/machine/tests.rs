#![allow(clippy::unwrap_used, clippy::expect_used)] // tests
//! Chains below IP, with counts that the kernel gave to the same rules and packets.

use super::*;
use crate::replay::world::Routes;
use crate::ruleset::load;

const INSIDE: [u8; 4] = [10, 1, 0, 2];
const OUTSIDE: [u8; 4] = [10, 2, 0, 2];

/// An ICMP echo request, or the fragment of one whose bytes from `offset` on are these many.
fn echo(src: [u8; 4], dst: [u8; 4], offset: u16, len: u16, more: bool) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((20 + len).to_be_bytes());
    packet.extend([0, 9]);
    packet.extend(((offset / 8) | (u16::from(more) << 13)).to_be_bytes());
    packet.extend([63, 1, 0, 0]);
    packet.extend([src, dst].concat());
    packet.extend(std::iter::once(if offset == 0 { 8 } else { 0 }).chain(std::iter::repeat_n(0, len as usize - 1)));
    packet
}

fn machine(rules: &str, vantage: Vantage) -> Machine {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("candidate.nft");
    std::fs::write(&file, rules).unwrap();
    let loaded = load::load(&file.display().to_string()).unwrap();
    let inside = vec![([10, 1, 0, 0].into(), 16)];
    let local = if vantage == Vantage::Host { vec![INSIDE.into()] } else { Vec::new() };
    let routes = Routes { local, inside, inside_if: "eth1".into(), outside_if: "eth0".into() };
    Machine::new(loaded.ruleset, &Settings { wiring: Wiring { vantage, routes }, ..Settings::default() })
}

/// Packets and bytes of every rule.
fn counts(machine: &mut Machine, packets: &[Vec<u8>]) -> Vec<(u64, u64)> {
    for packet in packets {
        machine.run(Skb::new(packet, &[], 1_000).unwrap(), &mut Vec::new());
    }
    (0..machine.rule_count() as u32).map(|rule| machine.counters(rule)).collect()
}

const NETDEV: &str = "table netdev n {
 chain in { type filter hook ingress device eth1 priority 0; policy accept;
  counter
  icmp type echo-request counter
  meta iifname eth1 counter
  meta oifname eth0 counter
  ip ttl 64 counter
  ip frag-off & 0x3fff != 0 counter
 }
 chain both { type filter hook ingress devices = { eth0, eth1 } priority -5; policy accept; counter; }
 chain none { type filter hook ingress device eth2 priority -5; policy accept; counter; }
 chain out { type filter hook egress device eth0 priority 0; policy accept;
  counter
  icmp type echo-request counter
  meta iifname eth1 counter
  meta iiftype ether counter
  meta oifname eth0 counter
  meta length 98 counter
  ip ttl 63 counter
  ip frag-off & 0x3fff != 0 counter
 }
}
table inet i {
 chain in { type filter hook ingress device eth1 priority 10; policy accept; counter; ct state invalid counter; }
 chain f { type filter hook forward priority 0; policy accept; ct state new counter; ct state established counter; }
}
";

#[test]
fn devices_see_fragments_and_egress_the_ethernet_header() {
    let mut gateway = machine(NETDEV, Vantage::Gateway);
    let big = [(0, 1480, true), (1480, 1480, true), (2960, 48, false)]
        .map(|(at, len, more)| echo(INSIDE, OUTSIDE, at, len, more));
    let small = || echo(INSIDE, OUTSIDE, 0, 64, false);
    let packets = [&[small(), small()][..], &big].concat();
    let all = (5, 3236);
    let ingress = [all, (3, 1668), all, (0, 0), all, (3, 3068)];
    let egress = [(5, 3306), (3, 1710), (0, 0), (5, 3306), (5, 3306), (2, 196), (5, 3306), (3, 3110)];
    let inet = [all, all, (3, 3196), (0, 0)];
    let expected = [&ingress[..], &[all, (0, 0)], &egress, &inet].concat();
    assert_eq!(counts(&mut gateway, &packets), expected);
    let notes = gateway.notes();
    assert!(notes.iter().any(|note| note.starts_with("netdev n none hangs on eth2,")), "{notes:?}");
    assert_eq!(notes.len(), 1);
}

#[test]
fn a_dropped_fragment_keeps_the_rest_back() {
    let rules =
        "table netdev n { chain out { type filter hook egress device eth0 priority 0; policy drop; counter; }; }
        table inet i { chain f { type filter hook forward priority 0; ct state new counter; }; }";
    let mut gateway = machine(rules, Vantage::Gateway);
    let packets = [(0, 80, true), (80, 40, false)].map(|(at, len, more)| echo(INSIDE, OUTSIDE, at, len, more));
    assert_eq!(counts(&mut gateway, &packets), [(1, 114), (1, 140)]);
    let policy = gateway.chains();
    assert_eq!(policy.first().map(|chain| (chain.packets, chain.bytes)), Some((1, 114)));
}

#[test]
fn ingress_comes_before_everything_and_its_drop_is_the_end() {
    let rules = "table netdev n { chain in { type filter hook ingress device eth0 priority 0; icmp type echo-request counter drop; }; }
        table ip f { chain p { type filter hook prerouting priority raw; counter; }; }";
    let mut host = machine(rules, Vantage::Host);
    let came = echo(OUTSIDE, INSIDE, 0, 64, false);
    let mut hits = Vec::new();
    let judged = host.run(Skb::new(&came, &[], 1_000).unwrap(), &mut hits);
    assert_eq!(judged, Judged::dropped(DecidedBy::Rule(0)));
    assert_eq!(hits, [0]);
    assert_eq!(counts(&mut host, &[]), [(1, 84), (0, 0)]);
}

#[test]
fn what_the_host_sends_has_a_device_from_postrouting_on() {
    let rules = "table inet t {
        chain o { type filter hook output priority 0; meta iiftype ether counter; iifname eth0 counter; }
        chain p { type filter hook postrouting priority 0; meta iiftype ether counter; iifname eth0 counter; }
    }";
    let mut host = machine(rules, Vantage::Host);
    let sent = echo(INSIDE, OUTSIDE, 0, 64, false);
    assert_eq!(counts(&mut host, &[sent]), [(0, 0), (0, 0), (1, 84), (0, 0)]);
}

const BRIDGE: &str = "table bridge b {
 chain pre { type filter hook prerouting priority dstnat; iifname eth1 counter; oifname eth0 counter; ip ttl 63 counter; }
 chain in { type filter hook input priority filter; counter; }
 chain f { type filter hook forward priority filter; policy drop;
  iifname eth1 oifname eth0 meta length 84 counter accept; counter; }
 chain out { type filter hook output priority filter; oifname eth0 counter; }
 chain post { type filter hook postrouting priority srcnat; iifname eth1 counter; oifname eth0 counter; ether type ip counter; }
}
";

#[test]
fn a_ruleset_for_frames_alone_is_a_bridge() {
    let mut gateway = machine(BRIDGE, Vantage::Gateway);
    let packets = [echo(INSIDE, OUTSIDE, 0, 64, false), echo(OUTSIDE, INSIDE, 0, 64, false)];
    let one = (1, 84);
    assert_eq!(counts(&mut gateway, &packets), [one, (0, 0), (2, 168), (0, 0), one, one, (0, 0), (0, 0), one, (0, 0)]);
    let mut host = machine(BRIDGE, Vantage::Host);
    let counted = counts(&mut host, &packets);
    assert_eq!(counted, [(0, 0), (0, 0), one, one, (0, 0), (0, 0), one, (0, 0), one, (0, 0)]);
}

#[test]
fn a_router_bridges_nothing() {
    let both = format!("{BRIDGE}table ip f {{ chain f {{ type filter hook forward priority 0; counter; }} }}\n");
    let mut gateway = machine(&both, Vantage::Gateway);
    let counted = counts(&mut gateway, &[echo(INSIDE, OUTSIDE, 0, 64, false)]);
    assert_eq!(counted.iter().filter(|count| **count != (0, 0)).count(), 1);
    assert_eq!(counted.last(), Some(&(1, 84)));
}
