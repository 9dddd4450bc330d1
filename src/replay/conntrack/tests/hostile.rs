//! Whatever comes: no panic, bounds hold.

use super::*;
use crate::ruleset::model::Hook;
use proptest::prelude::*;

/// A packet that is more often meant for a tracker than chance would make it.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let protocol = prop::sample::select(vec![1u8, 6, 17, 47, 50, 58, 132, 136]);
    let header = (any::<bool>(), protocol, 0u8..3, 0u8..3, prop_oneof![9 => Just(0u16), 1 => any::<u16>()]);
    (header, prop::collection::vec(any::<u8>(), 0..60)).prop_map(|((v6, protocol, src, dst, field), mut rest)| {
        if let Some(ports) = rest.get_mut(..4) {
            ports.iter_mut().for_each(|byte| *byte &= 1);
        }
        let len = rest.len() as u16;
        let mut packet = if v6 {
            let mut head = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
            head[4..6].copy_from_slice(&len.to_be_bytes());
            head.extend([0; 15].into_iter().chain([src]).chain([0; 15]).chain([dst]));
            head
        } else {
            let mut head = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, src, 10, 0, 0, dst];
            head[2..4].copy_from_slice(&(len + 20).to_be_bytes());
            head[6..8].copy_from_slice(&field.to_be_bytes());
            head
        };
        packet.append(&mut rest);
        packet
    })
}

proptest! {
    #[test]
    fn any_row_of_packets_is_survived(packets in prop::collection::vec((packet(), 0..40i64, any::<bool>()), 0..60)) {
        let settings = Settings { max_entries: 8, checksums: Checksums::Ignored, ..Settings::default() };
        let (mut tracker, mut defrag) = (Conntrack::new(settings), Defrag::new(Limits { bytes: 4096, ..Limits::default() }));
        let mut now_ns = 0;
        for (n, (packet, seconds, kept)) in packets.iter().enumerate() {
            now_ns += seconds * SECOND_NS;
            let Some(mut skb) = Skb::new(packet, &[], now_ns) else { continue };
            if !matches!(defrag.push(&skb, User::Prerouting, n as u64), Outcome::Pass) {
                continue;
            }
            tracker.track(&mut skb);
            for hook in [Hook::Prerouting, Hook::Postrouting] {
                if tracker.nat_begin(&mut skb, hook) == NatStep::Ask {
                    let range = NatRange { ports: Some((1, 2)), ..NatRange::default() };
                    tracker.nat_setup(&skb, Manip::of(hook), &range);
                    tracker.nat_finish(&mut skb, hook);
                }
            }
            if *kept { tracker.confirm(&mut skb); } else { tracker.forget(&mut skb); }
            prop_assert!(tracker.len() <= 8);
        }
    }

    #[test]
    fn an_inverted_tuple_inverts_back(packet in packet()) {
        let v6 = packet[0] >> 4 == 6;
        let tuple = tuple::Transport::of(&packet, packet.len(), v6).and_then(|at| Tuple::of(&packet, at, v6));
        if let Some(answers) = tuple.and_then(|tuple| tuple.inverted()) {
            prop_assert_eq!(answers.inverted(), tuple);
        }
    }
}
