//! The reader from the outside: bytes in, frames and damage out.

mod damage;
mod formats;
mod inputs;
mod properties;
mod samples;

use super::{CaptureInfo, CaptureSet, Frame};
use crate::evidence::CaptureId;

/// A frame as tests compare it.
#[derive(Clone, PartialEq, Eq)]
struct Read {
    capture: u32,
    number: u64,
    time_ns: i64,
    link: u16,
    original_len: u32,
    data: Vec<u8>,
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { capture, number, time_ns, link, original_len, data } = self;
        write!(f, "{capture}:{number} at {time_ns} link {link}, {} of {original_len} bytes", data.len())
    }
}

impl From<Frame<'_>> for Read {
    fn from(frame: Frame<'_>) -> Self {
        let Frame { stamp, link, original_len, data } = frame;
        let CaptureId(capture) = stamp.capture;
        Self { capture, number: stamp.frame, time_ns: stamp.time_ns, link, original_len, data: data.to_vec() }
    }
}

/// All frames of a set, and what is known of its inputs.
fn read_all(mut set: CaptureSet, max_frames: usize, max_bytes: usize) -> (Vec<Read>, Vec<CaptureInfo>) {
    let mut frames = Vec::new();
    while let Some((batch, work)) = set.next_batch(max_frames, max_bytes) {
        assert!(batch.len() <= max_frames.max(1));
        frames.extend((0..batch.len()).filter_map(|index| batch.frame(index)).map(Read::from));
        work.run();
    }
    if let Some(total) = set.total_bytes() {
        assert_eq!(set.bytes_read(), total, "every byte is passed");
    }
    (frames, set.into_infos())
}

/// All frames of one file in memory.
fn read(bytes: &[u8]) -> (Vec<Read>, CaptureInfo) {
    let set = CaptureSet::from_memory(vec![("test".to_owned(), bytes.to_vec())]).expect("a capture");
    let (frames, mut infos) = read_all(set, 1000, 1 << 20);
    (frames, infos.remove(0))
}

/// The same by a stream in small blocks: every frame straddles some.
fn read_stream(bytes: &[u8], block_bytes: usize) -> (Vec<Read>, CaptureInfo) {
    let stream = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let set = CaptureSet::from_stream("test", stream, block_bytes).expect("a capture");
    let (frames, mut infos) = read_all(set, 3, 1 << 10);
    (frames, infos.remove(0))
}
