//! Reassembly against a naive model, and the named cases.

use super::*;
use proptest::prelude::*;

/// What came out: bytes by offset, `None` where they are missing.
#[derive(Default)]
struct Out {
    bytes: Vec<Option<u8>>,
    pieces: usize,
}

impl Out {
    fn take(&mut self, piece: Piece<'_>) {
        self.pieces += 1;
        match piece {
            Piece::Data { offset, data, .. } => {
                assert_eq!(offset, self.bytes.len() as u64, "bytes come in order");
                assert!(!data.is_empty());
                self.bytes.extend(data.iter().map(|byte| Some(*byte)));
            }
            Piece::Gap { bytes, .. } => {
                assert!(bytes > 0);
                self.bytes.extend(std::iter::repeat_n(None, bytes as usize));
            }
        }
    }
}

fn segment(seq: u32, data: &[u8]) -> Segment<'_> {
    Segment { seq, data, wire_len: data.len() as u32, stamp: Stamp::default(), place: Place::default() }
}

struct Run {
    half: HalfStream,
    counts: HalfSummary,
    out: Out,
    policy: OverlapPolicy,
}

impl Run {
    fn new(isn: u32, policy: OverlapPolicy) -> Self {
        let mut half = HalfStream::default();
        half.begin(isn);
        Self { half, counts: HalfSummary::default(), out: Out::default(), policy }
    }

    fn feed(&mut self, seq: u32, data: &[u8]) {
        let (out, policy) = (&mut self.out, self.policy);
        self.half.segment(&segment(seq, data), policy, &(), &mut self.counts, &mut |piece| out.take(piece));
        let waiting: usize = self.half.waiting.values().map(|waiting| waiting.data.len()).sum();
        assert_eq!(self.half.waiting_bytes, waiting);
    }

    fn flush(&mut self) {
        let out = &mut self.out;
        self.half.flush(&mut self.counts, &mut |piece| out.take(piece));
    }

    fn text(&self) -> String {
        self.out.bytes.iter().map(|byte| byte.map_or('.', char::from)).collect()
    }
}

#[test]
fn in_order_bytes_pass_at_once() {
    let mut run = Run::new(1000, OverlapPolicy::First);
    run.feed(1000, b"abc");
    run.feed(1003, b"def");
    assert_eq!((run.text().as_str(), run.out.pieces), ("abcdef", 2));
}

#[test]
fn early_segment_waits_for_its_turn() {
    let mut run = Run::new(1000, OverlapPolicy::First);
    run.feed(1003, b"def");
    assert_eq!(run.text(), "");
    assert!(run.half.hole().is_some_and(|hole| !hole.acked));
    run.half.acknowledged(1006);
    assert!(run.half.hole().is_some_and(|hole| hole.acked));
    run.feed(1000, b"abc");
    assert_eq!(run.text(), "abcdef");
    assert_eq!(run.half.hole(), None);
}

#[test]
fn hole_becomes_a_gap_when_given_up() {
    let mut run = Run::new(u32::MAX - 1, OverlapPolicy::First);
    run.feed(u32::MAX - 1, b"ab");
    run.feed(2, b"ef");
    run.feed(6, b"ij");
    run.flush();
    assert_eq!(run.text(), "ab..ef..ij");
    assert_eq!(run.counts.missing_bytes, 4);
}

#[test]
fn waiting_copies_that_differ_are_settled_by_the_policy_and_counted() {
    for (policy, want) in [(OverlapPolicy::First, "abcdefgh"), (OverlapPolicy::Last, "abcXYZWh")] {
        let mut run = Run::new(0, policy);
        run.feed(2, b"cdefgh");
        run.feed(3, b"XYZW");
        run.feed(0, b"ab");
        assert_eq!(run.text(), want, "{policy:?}");
        assert_eq!(run.counts.conflicting_overlaps, 1);
    }
}

struct Batch(Vec<&'static [u8]>);

impl Recall for Batch {
    fn payload(&self, place: Place) -> Option<&[u8]> {
        self.0.get(place.packet as usize).copied()
    }
}

#[test]
fn late_copy_that_differs_is_counted_though_its_first_copy_is_long_gone() {
    let batch = Batch(vec![b"secret", b"SECRET", b"retry", b"et??"]);
    let mut half = HalfStream::default();
    let (mut counts, mut out) = (HalfSummary::default(), Out::default());
    let mut feed = |half: &mut HalfStream, seq, packet: u32| {
        let place = Place { batch: 1, packet };
        let data = batch.0[packet as usize];
        let segment = Segment { place, ..segment(seq, data) };
        half.segment(&segment, OverlapPolicy::First, &batch, &mut counts, &mut |piece| out.take(piece));
        counts
    };
    feed(&mut half, 10, 0);
    assert_eq!(feed(&mut half, 10, 0).conflicting_overlaps, 0, "a true copy");
    assert_eq!(feed(&mut half, 10, 1).conflicting_overlaps, 1, "another content");
    assert_eq!(feed(&mut half, 14, 3).conflicting_overlaps, 1, "a true head, and new bytes");
    assert_eq!(feed(&mut half, 9 + 4, 2).conflicting_overlaps, 2);
    assert_eq!(out.bytes.iter().flatten().copied().collect::<Vec<_>>(), b"secret??");
}

#[test]
fn keep_alive_is_no_retransmission() {
    let mut run = Run::new(0, OverlapPolicy::First);
    run.feed(0, b"abc");
    run.feed(2, b"\0");
    assert_eq!((run.counts.retransmitted_bytes, run.counts.conflicting_overlaps), (0, 0));
}

#[test]
fn bytes_cut_by_a_snapshot_length_are_a_gap() {
    let mut run = Run::new(0, OverlapPolicy::First);
    let cut = Segment { wire_len: 10, ..segment(0, b"abcd") };
    let later = Segment { wire_len: 5, ..segment(12, b"mno") };
    for segment in [later, cut] {
        let out = &mut run.out;
        run.half.segment(&segment, OverlapPolicy::First, &(), &mut run.counts, &mut |piece| out.take(piece));
    }
    run.feed(10, b"kl");
    run.feed(17, b"r");
    assert_eq!(run.text(), "abcd......klmno..r");
}

#[test]
fn one_stray_segment_is_left_out_but_a_stream_that_goes_on_elsewhere_is_followed() {
    let mut run = Run::new(0, OverlapPolicy::First);
    run.feed(0, b"ab");
    run.feed(1 << 30, b"stray");
    run.feed(2, b"cd");
    assert_eq!((run.text().as_str(), run.counts.out_of_window), ("abcd", 1));
    let far = 4 + (100 << 20);
    for step in 0..4 {
        run.feed(far + step * 2, b"xy");
    }
    assert_eq!(run.counts.missing_bytes, (100 << 20) + 6);
    assert_eq!(run.out.bytes.iter().rev().take(2).flatten().count(), 2);
}

#[test]
fn fin_is_reached_when_all_before_it_was_passed_on() {
    let mut run = Run::new(0, OverlapPolicy::First);
    run.half.fin(4);
    run.feed(2, b"cd");
    assert!(!run.half.finished());
    run.feed(0, b"ab");
    assert!(run.half.finished());
}

/// Segments of a stream: where each begins and how long it is, in any order, with repeats and overlaps.
fn segments(len: usize) -> impl Strategy<Value = Vec<(usize, usize)>> {
    proptest::collection::vec((0..len, 1..40usize), 0..60)
}

proptest! {
    /// Any order, duplication, overlap and segmentation of a stream gives back the stream, or the stream with gaps
    /// exactly where no segment covered it.
    #[test]
    fn stream_comes_back(
        stream in proptest::collection::vec(any::<u8>(), 1..400),
        cuts in segments(400),
        isn in prop_oneof![any::<u32>(), (u32::MAX - 300)..=u32::MAX],
        last in any::<bool>(),
    ) {
        let policy = if last { OverlapPolicy::Last } else { OverlapPolicy::First };
        let mut run = Run::new(isn, policy);
        let mut covered = vec![false; stream.len()];
        for (from, len) in cuts {
            let from = from.min(stream.len() - 1);
            let to = (from + len).min(stream.len());
            covered[from..to].fill(true);
            run.feed(isn.wrapping_add(from as u32), &stream[from..to]);
        }
        run.flush();
        let end = covered.iter().rposition(|seen| *seen).map_or(0, |at| at + 1);
        let want: Vec<Option<u8>> = (0..end).map(|at| covered[at].then_some(stream[at])).collect();
        prop_assert_eq!(&run.out.bytes, &want);
        prop_assert_eq!(run.counts.conflicting_overlaps, 0);
        prop_assert_eq!(run.counts.missing_bytes, want.iter().filter(|byte| byte.is_none()).count() as u64);
        prop_assert_eq!(run.half.waiting_bytes(), 0);
    }

    /// Segments of any content anywhere never break the order or the books.
    #[test]
    fn hostile_segments_keep_order(
        parts in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u8>(), 0..20), 0..30u32), 0..80),
        near in any::<bool>(),
        last in any::<bool>(),
    ) {
        let policy = if last { OverlapPolicy::Last } else { OverlapPolicy::First };
        let mut run = Run::new(0, policy);
        for (seq, data, cut) in &parts {
            let seq = if near { seq % 200 } else { *seq };
            let part = Segment { wire_len: data.len() as u32 + cut, ..segment(seq, data) };
            let (out, policy) = (&mut run.out, run.policy);
            let mut emit = |piece: Piece<'_>| match piece {
                Piece::Data { data, .. } => out.pieces += data.len(),
                Piece::Gap { .. } => {}
            };
            run.half.segment(&part, policy, &(), &mut run.counts, &mut emit);
        }
        let passed: usize = parts.iter().map(|(_, data, _)| data.len()).sum();
        prop_assert!(run.half.waiting_bytes() <= passed);
        prop_assert!(run.counts.stream_bytes <= passed as u64);
    }
}
