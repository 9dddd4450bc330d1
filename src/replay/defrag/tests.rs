//! What the records of `conntrack::tests` do not show: bytes, frames, limits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // tests

use super::*;
use crate::packet::checksum::Sum;
use proptest::prelude::*;

const SECOND_NS: i64 = 1_000_000_000;

/// A piece of an IPv4 datagram of which byte n is n.
fn piece(id: u8, start: u16, len: u8, more: bool) -> Vec<u8> {
    let total = 20 + len;
    let mut packet = vec![0x45, 0, 0, total, 0, id, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    packet[6..8].copy_from_slice(&((start / 8) | u16::from(more) << 13).to_be_bytes());
    packet.extend((start..start + u16::from(len)).map(|n| n as u8));
    packet
}

fn push(defrag: &mut Defrag, packet: &[u8], now_ns: i64, frame: u64) -> Outcome {
    let mut skb = Skb::new(packet, &[1; 14], now_ns).unwrap();
    skb.vlan = Some(frame as u16);
    defrag.push(&skb, User::Prerouting, frame)
}

#[test]
fn the_whole_has_the_first_piece_s_frame_and_the_last_to_arrive_s_time() {
    let mut defrag = Defrag::new(Limits::default());
    assert!(matches!(push(&mut defrag, &piece(1, 16, 4, false), 5, 1), Outcome::Held));
    assert!(matches!(push(&mut defrag, &piece(1, 0, 8, true), 6, 2), Outcome::Held));
    let Outcome::Whole(whole) = push(&mut defrag, &piece(1, 8, 8, true), 7, 3) else { panic!("not whole") };
    let skb = whole.skb().unwrap();
    assert_eq!(whole.frames, [1, 2, 3]);
    assert_eq!((skb.len, skb.now_ns, skb.vlan, skb.link), (40, 7, Some(2), &[1; 14][..]));
    assert!(!skb.headers.is_fragment && Sum::default().add(&skb.bytes[..20]).is_right());
    assert!(skb.transport().iter().copied().eq(0..20));
    assert_eq!((defrag.held(), defrag.v4.bytes), (0, 0));
}

#[test]
fn a_cut_piece_makes_a_cut_packet_of_full_length() {
    let mut defrag = Defrag::new(Limits::default());
    let first = piece(1, 0, 16, true);
    push(&mut defrag, &first[..28], 0, 1);
    let Outcome::Whole(whole) = push(&mut defrag, &piece(1, 16, 8, false), 0, 2) else { panic!("not whole") };
    let skb = whole.skb().unwrap();
    assert_eq!((skb.len, skb.bytes.len()), (44, 28));
}

#[test]
fn datagrams_end_30_seconds_after_their_first_piece() {
    let mut defrag = Defrag::new(Limits::default());
    push(&mut defrag, &piece(1, 0, 8, true), 0, 1);
    push(&mut defrag, &piece(1, 8, 8, true), 29 * SECOND_NS, 2);
    let last = piece(1, 16, 8, false);
    assert!(matches!(push(&mut defrag, &last, 30 * SECOND_NS, 3), Outcome::Held));
    assert_eq!(defrag.held(), 1);
}

#[test]
fn users_do_not_mix() {
    let mut defrag = Defrag::new(Limits::default());
    push(&mut defrag, &piece(1, 0, 8, true), 0, 1);
    let last = piece(1, 8, 8, false);
    let skb = Skb::new(&last, &[], 0).unwrap();
    assert!(matches!(defrag.push(&skb, User::Output, 2), Outcome::Held));
    assert!(matches!(defrag.push(&skb, User::Prerouting, 3), Outcome::Whole(_)));
}

#[test]
fn memory_is_bounded() {
    let mut defrag = Defrag::new(Limits { bytes: 10_000, ..Limits::default() });
    let outcomes: Vec<_> = (0..100).map(|id| push(&mut defrag, &piece(id, 0, 8, true), 0, 0)).collect();
    assert!(matches!(outcomes[0], Outcome::Held) && matches!(outcomes[99], Outcome::Dropped));
    assert!(defrag.v4.bytes < 11_000);
    assert!(matches!(push(&mut defrag, &piece(200, 0, 8, true), 31 * SECOND_NS, 0), Outcome::Held));
}

proptest! {
    #[test]
    fn pieces_in_any_order_make_the_datagram(mut order in Just((0..10u16).collect::<Vec<_>>()).prop_shuffle(), again: u8) {
        let again = usize::from(again) % order.len();
        let twice = order[again];
        order.insert(again, twice); // at once: a duplicate, whatever else came
        let mut defrag = Defrag::new(Limits::default());
        let mut wholes = Vec::new();
        for n in order {
            match push(&mut defrag, &piece(1, n * 8, 8, n != 9), 0, 0) {
                Outcome::Whole(whole) => wholes.push(whole),
                Outcome::Held => {}
                other => panic!("{other:?}"),
            }
        }
        prop_assert_eq!(wholes.len(), 1);
        prop_assert!(wholes[0].skb().unwrap().transport().iter().copied().eq(0..80));
    }

    #[test]
    fn any_pieces_are_survived(pieces in prop::collection::vec((0..4u8, 0..20u16, 0..40u8, any::<bool>(), 0..9i64), 0..80)) {
        let mut defrag = Defrag::new(Limits { bytes: 20_000, max_distance: 4, ..Limits::default() });
        let mut now_ns = 0;
        for (id, start, len, more, seconds) in pieces {
            now_ns += seconds * SECOND_NS;
            push(&mut defrag, &piece(id, start * 8, len, more), now_ns, 0);
            let (queues, bytes) = (defrag.v4.queues.len(), defrag.v4.bytes);
            let counted: usize = defrag.v4.queues.values().map(|queue| queue.bytes() + QUEUE_BYTES).sum();
            prop_assert_eq!(counted, bytes);
            prop_assert!(queues <= 4);
        }
    }
}
