#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::*;
use crate::packet::decode;
use crate::packet::tests::{CLIENT, CLIENT6, SERVER, SERVER6, stamp};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

/// What a defragmenter is fed with: a raw IP packet, when.
fn push(defragmenter: &mut Defragmenter, number: u64, time_ns: i64, bytes: &[u8]) -> Option<Reassembled> {
    push_cut(defragmenter, number, time_ns, bytes, bytes.len())
}

fn push_cut(
    defragmenter: &mut Defragmenter,
    number: u64,
    time_ns: i64,
    bytes: &[u8],
    snapshot_len: usize,
) -> Option<Reassembled> {
    let data = bytes.get(..snapshot_len).unwrap_or(bytes);
    let frame = Frame { stamp: stamp(number, time_ns), link: 101, original_len: bytes.len() as u32, data };
    match decode(&frame) {
        Decoded::Fragment(fragment) => defragmenter.push(&frame, &fragment),
        other => panic!("no fragment: {other:?}"),
    }
}

/// UDP from port 1 to port 2, without a checksum.
fn datagram(payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16 + 8).to_be_bytes();
    [&[0, 1, 0, 2], len.as_slice(), &[0, 0], payload].concat()
}

/// A fragment of a datagram, `start..end` of its bytes.
fn v4(id: u16, whole: &[u8], start: usize, end: usize, more: bool) -> Vec<u8> {
    carried_v4(17, id, &whole[start..end], start, more)
}

fn carried_v4(protocol: u8, id: u16, part: &[u8], start: usize, more: bool) -> Vec<u8> {
    let place = (start / 8) as u16 | if more { 0x2000 } else { 0 };
    let [len, id, place] = [20 + part.len() as u16, id, place].map(u16::to_be_bytes);
    let mut bytes = [&[0x45, 0], &len[..], &id, &place, &[64, protocol, 0, 0], &CLIENT, &SERVER, part].concat();
    let checksum = crate::packet::checksum::Sum::default().add(&bytes[..20]).checksum();
    bytes[10..12].copy_from_slice(&checksum);
    bytes
}

fn v6(id: u32, whole: &[u8], start: usize, end: usize, more: bool) -> Vec<u8> {
    let part = &whole[start..end];
    let place = (start as u16 | u16::from(more)).to_be_bytes();
    // Destination options before the fragment header: they belong to every fragment.
    let options = [44, 0, 1, 4, 0, 0, 0, 0];
    let len = (16 + part.len() as u16).to_be_bytes();
    let fragment = [&[17, 0], &place[..], &id.to_be_bytes()].concat();
    [&[0x60, 0, 0, 0], &len[..], &[60, 64], &CLIENT6, &SERVER6, &options, &fragment, part].concat()
}

#[track_caller]
fn assert_is(whole: &Reassembled, payload: &[u8], frames: &[u64]) {
    let Decoded::Packet(packet) = &whole.decoded else { panic!("no packet: {:?}", whole.decoded) };
    assert_eq!((packet.src_port, packet.dst_port), (1, 2));
    assert_eq!(packet.payload(&whole.data), payload);
    assert_eq!(packet.wire_payload_len as usize, payload.len());
    assert!(!packet.bad_checksum);
    assert_eq!(whole.frames.iter().map(|stamp| stamp.frame).collect::<Vec<_>>(), frames);
}

fn new() -> Defragmenter {
    Defragmenter::new(FragmentLimits::default())
}

#[test]
fn fragments_of_both_versions_make_a_datagram() {
    let payload = [7; 40];
    let whole = datagram(&payload);
    for make in [
        (|whole: &[u8], start, end, more| v4(9, whole, start, end, more)) as fn(&[u8], usize, usize, bool) -> Vec<u8>,
        |whole, start, end, more| v6(9, whole, start, end, more),
    ] {
        let mut defragmenter = new();
        assert!(push(&mut defragmenter, 1, 0, &make(&whole, 40, 48, false)).is_none());
        assert!(push(&mut defragmenter, 2, 0, &make(&whole, 0, 16, true)).is_none());
        let done = push(&mut defragmenter, 3, 0, &make(&whole, 16, 40, true)).unwrap();
        assert_is(&done, &payload, &[1, 2, 3]);
        assert_eq!(defragmenter.bytes, 0);
        let expected = FragmentCounts { received: 3, completed: 1, ..FragmentCounts::default() };
        assert_eq!(defragmenter.finish(), expected);
    }
}

#[test]
fn the_first_copy_stays() {
    let (good, evil) = (datagram(&[b'g'; 40]), datagram(&[b'e'; 40]));
    let mut defragmenter = new();
    assert!(push(&mut defragmenter, 1, 0, &v4(1, &good, 0, 24, true)).is_none());
    assert!(push(&mut defragmenter, 2, 0, &v4(1, &good, 0, 24, true)).is_none());
    let done = push(&mut defragmenter, 3, 0, &v4(1, &evil, 16, 48, false)).unwrap();
    let mut expected = [b'g'; 40];
    expected[16..].fill(b'e');
    assert_is(&done, &expected, &[1, 3]);
    let counts = defragmenter.finish();
    assert_eq!((counts.duplicates, counts.overlaps, counts.conflicts), (1, 1, 1));
}

#[test]
fn an_overlap_that_agrees_is_no_conflict() {
    let whole = datagram(&[7; 40]);
    let mut defragmenter = new();
    assert!(push(&mut defragmenter, 1, 0, &v4(1, &whole, 0, 24, true)).is_none());
    let done = push(&mut defragmenter, 2, 0, &v4(1, &whole, 8, 48, false)).unwrap();
    assert_is(&done, &[7; 40], &[1, 2]);
    let counts = defragmenter.finish();
    assert_eq!((counts.duplicates, counts.overlaps, counts.conflicts), (0, 1, 0));
}

#[test]
fn a_capture_that_holds_everything_twice_leaves_nothing_behind() {
    let whole = datagram(&[7; 40]);
    let (first, last) = (v4(1, &whole, 0, 24, true), v4(1, &whole, 24, 48, false));
    let mut defragmenter = new();
    assert!(push(&mut defragmenter, 1, 0, &first).is_none());
    assert!(push(&mut defragmenter, 2, 0, &first).is_none());
    assert!(push(&mut defragmenter, 3, 0, &last).is_some());
    assert!(push(&mut defragmenter, 4, 0, &last).is_none());
    let counts = defragmenter.finish();
    assert_eq!((counts.completed, counts.duplicates, counts.unfinished), (1, 2, 0));
}

#[test]
fn a_second_copy_that_differs_is_a_datagram_of_its_own() {
    let whole = datagram(&[7; 40]);
    let (first, last) = (v4(1, &whole, 0, 24, true), v4(1, &whole, 24, 48, false));
    let mut defragmenter = new();
    assert!(push(&mut defragmenter, 1, 0, &first).is_none());
    assert!(push(&mut defragmenter, 2, 0, &last).is_some());
    let mut other = last.clone();
    other[27] ^= 1;
    assert!(push(&mut defragmenter, 3, 0, &other).is_none());
    assert_eq!(defragmenter.counts().duplicates, 0);
    let done = push(&mut defragmenter, 4, 0, &first).unwrap();
    assert_eq!(done.data.get(27 + 24), Some(&6));
    let counts = defragmenter.finish();
    assert_eq!((counts.completed, counts.unfinished), (2, 0));
}

#[test]
fn a_number_used_again_is_a_new_datagram() {
    let mut defragmenter = new();
    for (number, fill) in [(1, 7), (3, 8)] {
        let payload = [fill; 40];
        let whole = datagram(&payload);
        assert!(push(&mut defragmenter, number, 0, &v4(1, &whole, 24, 48, false)).is_none());
        let done = push(&mut defragmenter, number + 1, 0, &v4(1, &whole, 0, 24, true)).unwrap();
        assert_is(&done, &payload, &[number, number + 1]);
    }
}

#[test]
fn an_end_cannot_move() {
    let whole = datagram(&[7; 40]);
    let mut defragmenter = new();
    assert!(push(&mut defragmenter, 1, 0, &v4(1, &whole, 24, 48, false)).is_none());
    assert!(push(&mut defragmenter, 2, 0, &v4(1, &whole, 24, 32, false)).is_none());
    assert!(push(&mut defragmenter, 3, 0, &carried_v4(17, 1, &[0; 8], 48, true)).is_none());
    let done = push(&mut defragmenter, 4, 0, &v4(1, &whole, 0, 24, true)).unwrap();
    assert_is(&done, &[7; 40], &[1, 4]);
    let counts = defragmenter.finish();
    assert_eq!((counts.conflicts, counts.out_of_range), (1, 1));
}

#[test]
fn what_cannot_be_is_refused() {
    let mut defragmenter = new();
    assert!(push(&mut defragmenter, 1, 0, &carried_v4(17, 1, &[], 8, true)).is_none());
    assert!(push(&mut defragmenter, 2, 0, &carried_v4(17, 1, &[0; 7], 8, true)).is_none());
    assert!(push(&mut defragmenter, 3, 0, &v6(1, &[0; 9], 0, 9, true)).is_none());
    assert!(push(&mut defragmenter, 4, 0, &carried_v4(17, 1, &[0; 100], 65_528, false)).is_none());
    let counts = defragmenter.finish();
    assert_eq!((counts.malformed, counts.out_of_range, counts.unfinished), (3, 1, 0));
}

#[test]
fn what_is_late_starts_anew() {
    let whole = datagram(&[7; 40]);
    let mut defragmenter = new();
    assert!(push(&mut defragmenter, 1, 0, &v4(1, &whole, 0, 24, true)).is_none());
    assert!(push(&mut defragmenter, 2, 31 * SECOND, &v4(1, &whole, 24, 48, false)).is_none());
    assert_eq!(defragmenter.counts().timed_out, 1);
    let done = push(&mut defragmenter, 3, 32 * SECOND, &v4(1, &whole, 0, 24, true)).unwrap();
    assert_is(&done, &[7; 40], &[2, 3]);
    assert_eq!(defragmenter.finish().unfinished, 0);
}

#[test]
fn limits_hold_and_the_oldest_go_first() {
    let whole = datagram(&[7; 40]);
    let limits = FragmentLimits { datagrams: 10, bytes: 4096, ..FragmentLimits::default() };
    let mut defragmenter = Defragmenter::new(limits);
    for id in 0..1000 {
        assert!(push(&mut defragmenter, u64::from(id), 0, &v4(id, &whole, 0, 24, true)).is_none());
        assert!(defragmenter.datagrams.len() <= 10 && defragmenter.bytes <= 4096);
        assert!(defragmenter.ages.len() <= 33);
    }
    assert!(push(&mut defragmenter, 0, 0, &v4(0, &whole, 24, 48, false)).is_none(), "the first is forgotten");
    assert!(push(&mut defragmenter, 0, 0, &v4(999, &whole, 24, 48, false)).is_some(), "the last is not");
    let counts = defragmenter.finish();
    assert_eq!(counts.dropped_by_limit + counts.unfinished + counts.completed, 1001);
}

#[test]
fn many_complete_datagrams_leave_nothing() {
    let whole = datagram(&[7; 40]);
    let limits = FragmentLimits { datagrams: 10, ..FragmentLimits::default() };
    let mut defragmenter = Defragmenter::new(limits);
    for id in 0..1000 {
        assert!(push(&mut defragmenter, 1, 0, &v4(id, &whole, 0, 24, true)).is_none());
        assert!(push(&mut defragmenter, 2, 0, &v4(id, &whole, 24, 48, false)).is_some());
    }
    assert!(defragmenter.ages.len() <= 33 && defragmenter.bytes == 0);
}

#[test]
fn a_snapshot_length_leaves_the_beginning() {
    let payload: Vec<u8> = (0..200).map(|n| n as u8).collect();
    let whole = datagram(&payload);
    let mut defragmenter = new();
    assert!(push_cut(&mut defragmenter, 1, 0, &v4(1, &whole, 0, 104, true), 64).is_none());
    let done = push_cut(&mut defragmenter, 2, 0, &v4(1, &whole, 104, 208, false), 64).unwrap();
    let Decoded::Packet(packet) = &done.decoded else { panic!("no packet") };
    assert_eq!(packet.payload(&done.data), &payload[..36]);
    assert_eq!(packet.wire_payload_len, 200);
}

#[test]
fn the_same_numbers_in_another_tunnel_are_another_datagram() {
    let whole = datagram(&[7; 40]);
    let (first, last) = (v4(1, &whole, 0, 24, true), v4(1, &whole, 24, 48, false));
    let mut defragmenter = new();
    assert!(push(&mut defragmenter, 1, 0, &carried_v4(4, 50, &first, 0, false)).is_none());
    assert!(push(&mut defragmenter, 2, 0, &last).is_none());
    let done = push(&mut defragmenter, 3, 0, &carried_v4(4, 51, &last, 0, false)).unwrap();
    assert_is(&done, &[7; 40], &[1, 3]);
    let Decoded::Packet(packet) = done.decoded else { panic!("no packet") };
    assert_eq!(packet.tunnel.as_deref(), Some("ipip"));
}

#[test]
fn fragments_of_fragments() {
    let whole = datagram(&[7; 40]);
    let (first, last) = (v4(1, &whole, 0, 24, true), v4(1, &whole, 24, 48, false));
    let mut defragmenter = new();
    for (number, id, inner) in [(1, 50, &first), (3, 51, &last)] {
        assert!(push(&mut defragmenter, number, 0, &carried_v4(4, id, &inner[..24], 0, true)).is_none());
        let done = push(&mut defragmenter, number + 1, 0, &carried_v4(4, id, &inner[24..], 24, false));
        assert_eq!(done.is_some(), number == 3);
        if let Some(done) = done {
            let Decoded::Packet(packet) = &done.decoded else { panic!("no packet") };
            assert_eq!(packet.payload(&done.data), [7; 40]);
            assert_eq!(packet.tunnel.as_deref(), Some("ipip"));
            assert_eq!(done.frames.last().map(|stamp| stamp.frame), Some(4));
        }
    }
}

proptest! {
    #[test]
    fn any_cut_in_any_order_gives_the_datagram(
        payload in prop::collection::vec(any::<u8>(), 1..600),
        is_v6 in any::<bool>(),
        cuts in prop::collection::btree_set(1usize..75, 0..12),
        (order, repeats) in (any::<u64>(), prop::collection::vec(any::<u16>(), 0..6)),
    ) {
        let whole = datagram(&payload);
        let mut borders: Vec<usize> = cuts.iter().map(|cut| cut * 8).filter(|cut| *cut < whole.len()).collect();
        borders.insert(0, 0);
        borders.push(whole.len());
        prop_assume!(borders.len() > 2);
        let make = |start, end, more| if is_v6 { v6(7, &whole, start, end, more) } else { v4(7, &whole, start, end, more) };
        let mut parts: Vec<Vec<u8>> = borders.windows(2).map(|at| make(at[0], at[1], at[1] < whole.len())).collect();
        let distinct = parts.len();
        for repeat in repeats {
            parts.push(parts[usize::from(repeat) % distinct].clone());
        }
        let mut random = order | 1;
        for place in (1..parts.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            parts.swap(place, (random >> 33) as usize % (place + 1));
        }
        let mut defragmenter = new();
        let mut done = None;
        for (number, part) in parts.iter().enumerate() {
            done = push(&mut defragmenter, number as u64, 0, part);
            if done.is_some() {
                break;
            }
        }
        let done = done.expect("all parts were there");
        let Decoded::Packet(packet) = &done.decoded else { panic!("no packet") };
        prop_assert_eq!(packet.payload(&done.data), &payload[..]);
        prop_assert_eq!(done.frames.len(), distinct);
        prop_assert_eq!(defragmenter.bytes, 0);
        prop_assert_eq!(defragmenter.counts().conflicts, 0);
    }

    /// Against the plainest model: an array of bytes, the first copy of each wins.
    #[test]
    fn overlaps_are_as_the_model_says(
        parts in prop::collection::vec((0usize..12, 1usize..6, any::<u8>()), 1..24),
    ) {
        const LEN: usize = 96;
        let mut model: [Option<u8>; LEN] = [None; LEN];
        let mut defragmenter = new();
        let mut completed = None;
        for (number, (at, len, fill)) in parts.into_iter().enumerate() {
            let (start, end) = (at * 8, ((at + len) * 8).min(LEN));
            let part = vec![fill; end - start];
            for byte in &mut model[start..end] {
                byte.get_or_insert(fill);
            }
            completed = push(&mut defragmenter, number as u64, 0, &carried_v4(253, 1, &part, start, end < LEN));
            if completed.is_some() {
                break;
            }
        }
        let expected: Option<Vec<u8>> = model.iter().copied().collect();
        prop_assert_eq!(completed.map(|whole| whole.data[20..].to_vec()), expected);
    }
}
