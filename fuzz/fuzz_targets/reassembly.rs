//! One direction of a TCP stream: any segments in any order keep the books right, and those that are pieces of one
//! stream give that stream back.
#![no_main]

use jabberscope::evidence::Stamp;
use jabberscope::flow::half::HalfStream;
use jabberscope::flow::segment::{OverlapPolicy, Piece, Place, Segment};
use jabberscope::flow::HalfSummary;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    let policy = if mode & 1 == 0 { OverlapPolicy::First } else { OverlapPolicy::Last };
    let honest = mode & 2 == 0;
    let isn = u32::from_be_bytes([*mode, 0xff, 0xff, 0xf0]);
    let mut half = HalfStream::default();
    half.begin(isn);
    let (mut counts, mut covered, mut fed) = (HalfSummary::default(), vec![false; 4096], 0u64);
    let mut out: Vec<Option<u8>> = Vec::new();
    let mut take = |piece: Piece<'_>| match piece {
        Piece::Data { offset, data, .. } if honest => {
            assert_eq!(offset, out.len() as u64);
            out.extend(data.iter().map(|byte| Some(*byte)));
        }
        Piece::Gap { bytes, .. } if honest => out.extend(std::iter::repeat_n(None, bytes as usize)),
        _ => {}
    };
    for step in data.chunks_exact(6) {
        let (place, len) = (usize::from(u16::from_be_bytes([step[0], step[1]])), usize::from(step[2]));
        let bytes: Vec<u8>;
        let (seq, wire_len) = if honest {
            let from = place % 4096;
            let to = (from + len).min(4096);
            covered[from..to].fill(true);
            bytes = (from..to).map(|at| (at * 31 % 251) as u8).collect();
            (isn.wrapping_add(from as u32), bytes.len() as u32)
        } else {
            bytes = vec![step[3]; len];
            (isn.wrapping_add((place as u32) << (step[4] % 17)), len as u32 + u32::from(step[5]))
        };
        fed += bytes.len() as u64;
        let segment = Segment { seq, data: &bytes, wire_len, stamp: Stamp::default(), place: Place::default() };
        half.segment(&segment, policy, &(), &mut counts, &mut take);
        if step[5] == 0 {
            half.acknowledged(seq);
        }
        assert!(half.waiting_bytes() as u64 <= fed);
    }
    half.flush(&mut counts, &mut take);
    assert_eq!(half.waiting_bytes(), 0);
    assert!(counts.stream_bytes <= fed);
    if honest {
        let end = covered.iter().rposition(|seen| *seen).map_or(0, |at| at + 1);
        let want: Vec<Option<u8>> =
            (0..end).map(|at| covered[at].then_some((at * 31 % 251) as u8)).collect();
        assert_eq!(out, want);
    }
});
