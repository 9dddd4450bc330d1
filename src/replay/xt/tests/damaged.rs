//! Every match and target on packets that something went wrong with: nothing panics, and nothing grows that should not.

use super::rules::{self, Row};
use super::{Act, Backend, Bench, frames, v4, v6};
use crate::replay::conntrack::Checksums;
use crate::replay::skb::Skb;
use crate::replay::xt::reject_reply;
use crate::ruleset::nft::Reject;
use crate::ruleset::xt::{RuleBody, Target, TtlChange};
use proptest::prelude::*;

fn targets() -> Vec<Target> {
    let mut targets = vec![
        Target::Dscp { value: 46 },
        Target::Tos { value: 8, mask: 0xff },
        Target::Ecn { remove: true },
        Target::TcpMss { mss: None },
        Target::TcpMss { mss: Some(100) },
        Target::TcpOptStrip { options: (2..=255).collect() },
        Target::Netmap { to: "10.0.0.0".parse().unwrap(), prefix: 40 },
        Target::Mark { mask: 1, value: 1 },
    ];
    for op in [TtlChange::Set, TtlChange::Inc, TtlChange::Dec] {
        targets.push(Target::Ttl { op, value: 200 });
    }
    targets
}

/// Bytes of a packet are overwritten, and the rest is cut off.
fn damage(packet: &[u8], writes: &[(usize, u8)], cut: usize) -> Vec<u8> {
    let mut packet = packet.to_vec();
    for (place, byte) in writes {
        let place = place % packet.len();
        packet[place] = *byte;
    }
    packet.truncate(packet.len() - cut.min(packet.len()));
    packet
}

fn sent(rows: Vec<Row>, v6: bool, backend: Backend) -> Bench {
    let mut bodies: Vec<RuleBody> = rows.into_iter().map(|row| row.body).collect();
    bodies.extend(targets().into_iter().map(|target| rules::any().j(target).0));
    Bench::new(&bodies, v6, backend)
}

proptest! {
    #[test]
    fn nothing_panics(
        n in any::<prop::sample::Index>(),
        writes in prop::collection::vec((prop_oneof![0..64_usize, any::<usize>()], any::<u8>()), 0..12),
        cut in prop_oneof![Just(0), 0..60_usize],
        legacy: bool,
    ) {
        let frames = frames(v4::CAPTURE);
        let (link, packet) = n.get(&frames);
        let packet = damage(packet, &writes, cut);
        let Some(mut skb) = Skb::new(&packet, link, 0) else { return Ok(()) };
        let v6 = skb.is_v6();
        let backend = if legacy { Backend::Legacy } else { Backend::Nft };
        let mut bench = sent(if v6 { v6::rows() } else { v4::rows() }, v6, backend);
        for how in [Reject::TcpReset, Reject::Icmp(3), Reject::Icmpv6(4), Reject::Icmpx(1)] {
            let reply = reject_reply(&skb, how, &bench.routes, Checksums::Verified);
            prop_assert!(reply.is_none_or(|reply| Skb::new(&reply, &[], 0).is_some()));
        }
        // One at a time, so that a packet that one of them drops reaches the others.
        let mut rules = std::mem::take(&mut bench.rules);
        for rule in rules.drain(..) {
            bench.rules = vec![rule];
            let (_, act) = bench.send(&mut skb);
            prop_assert!(matches!(act, Act::Accept | Act::Drop | Act::Nat(_)), "{:?}", act);
            prop_assert!(skb.bytes.len() <= skb.len as usize);
        }
    }
}
