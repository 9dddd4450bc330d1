//! Any bytes as a capture file: frames lie within the file, and reading it in blocks gives the same ones.
#![no_main]

use jabberscope::capture::{CaptureError, CaptureSet};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

/// Number, time and length of each frame, and how many places of damage were found.
fn read(set: Result<CaptureSet, CaptureError>) -> Option<(Vec<(u64, i64, usize)>, usize)> {
    let mut set = set.ok()?;
    let mut frames = Vec::new();
    while let Some((batch, work)) = set.next_batch(64, 1 << 16) {
        for frame in (0..batch.len()).filter_map(|index| batch.frame(index)) {
            frames.push((frame.stamp.frame, frame.stamp.time_ns, frame.data.len()));
        }
        work.run();
    }
    let damage = set.into_infos().iter().map(|info| info.damage.len()).sum();
    Some((frames, damage))
}

fuzz_target!(|bytes: &[u8]| {
    let whole = read(CaptureSet::from_memory(vec![("fuzz".to_owned(), bytes.to_vec())]));
    // The first block shows the layout of records, so it should hold the first ones.
    let streamed = read(CaptureSet::from_stream("fuzz", Box::new(Cursor::new(bytes.to_vec())), 4096));
    if let (Some(whole), Some(streamed)) = (whole, streamed) {
        assert!(bytes.len() > 4096 || whole == streamed);
    }
});
