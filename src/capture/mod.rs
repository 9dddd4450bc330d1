//! Bytes on disk in, frames in time order out.
//!
//! Inputs are files, folders, patterns and `-`; what a file is, is told by its content. Frames borrow from the map of
//! their file, or from a block of decompressed bytes that is shared by reference count.

//!
//! [`CaptureSet`] is the way in. Beside it, from the outside in:
//!
//! | module | takes | gives |
//! |---|---|---|
//! | `inputs`, `input`, `names` | arguments | single inputs, each once, each with a short name |
//! | `spool` | a pipe | its bytes, to be read as often as wanted |
//! | `bytes`, `compression`, `source` | an input | a window over its bytes |
//! | `pcap`, `pcapng`, `parse`, `resync` | a window | frames; after damage, the next place that makes sense |
//! | `notes`, `reader` | one input | its frames in batches, and what is known of it |
//! | `merge`, `hashing` | all inputs | one stream of batches, and the hashes of the files |

mod bytes;
mod compression;
mod error;
mod hashing;
mod input;
mod inputs;
mod merge;
mod names;
mod notes;
mod order;
mod parse;
mod pcap;
mod pcapng;
mod reader;
mod resync;
mod source;
mod spool;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests;

pub use error::CaptureError;
pub use hashing::HashWork;
pub use merge::CaptureSet;
pub use spool::Spool;

use crate::evidence::{CaptureId, Stamp};
use std::sync::Arc;

/// Bytes that frames lie in.
pub trait Block: Send + Sync {
    /// The bytes.
    fn bytes(&self) -> &[u8];
}

/// Where a frame lies.
#[derive(Debug, Clone, Copy)]
pub struct FrameRecord {
    /// Capture, number and time.
    pub stamp: Stamp,
    /// LINKTYPE_ value of its interface, without the bits that tell the FCS length.
    pub link: u16,
    /// Index of its block in the batch.
    pub block: u32,
    /// First byte within the block.
    pub offset: usize,
    /// Bytes that were captured.
    pub captured_len: u32,
    /// Bytes that were on the wire.
    pub original_len: u32,
}

/// A captured frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Capture, number and time.
    pub stamp: Stamp,
    /// LINKTYPE_ value.
    pub link: u16,
    /// Bytes that were on the wire.
    pub original_len: u32,
    /// Bytes that were captured.
    pub data: &'a [u8],
}

/// Frames that are worked on together, in time order.
#[derive(Default, Clone)]
pub struct Batch {
    /// What the frames lie in.
    pub blocks: Vec<Arc<dyn Block>>,
    /// Where.
    pub frames: Vec<FrameRecord>,
}

impl Batch {
    /// Number of frames.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// A frame by its place in the batch. A record that points outside its block gives an empty frame.
    pub fn frame(&self, index: usize) -> Option<Frame<'_>> {
        let record = self.frames.get(index)?;
        let block = self.blocks.get(record.block as usize)?.bytes();
        let data =
            block.get(record.offset..).unwrap_or_default().get(..record.captured_len as usize).unwrap_or_default();
        Some(Frame { stamp: record.stamp, link: record.link, original_len: record.original_len, data })
    }
}

/// Something wrong in an input that did not stop the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Which capture.
    pub capture: CaptureId,
    /// Byte offset in the file (after decompression, if it is compressed).
    pub offset: u64,
    /// What is wrong, e.g. `record of 3,735,928,559 bytes, more than any link carries`.
    pub cause: String,
}

/// A file that was found and is not part of the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedInput {
    /// Path as found.
    pub path: String,
    /// Why it was passed over.
    pub reason: String,
}

/// What is known of an input once it has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaptureInfo {
    /// Path as given or found; `-` for standard input.
    pub path: String,
    /// Short name, unique within the case: the file name, with as many parent folders as needed to tell it apart.
    pub name: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file as it lies on disk, lower-case hex.
    pub sha256: String,
    /// `pcap`, `pcap-ns`, `pcap-modified`, `pcapng`, with the compression behind a `+`, e.g. `pcap+gzip`.
    pub format: String,
    /// LINKTYPE_ values seen, ascending.
    pub link_types: Vec<u16>,
    /// Frames read.
    pub frames: u64,
    /// Frames cut short by a snapshot length.
    pub truncated_frames: u64,
    /// Bytes of frame data read.
    pub frame_bytes: u64,
    /// Time of the earliest and the latest frame, nanoseconds since 1970.
    pub time_range_ns: Option<(i64, i64)>,
    /// Damage found, in order of offset.
    pub damage: Vec<Damage>,
    /// TLS key log lines from decryption secrets blocks: kept for the TLS layer.
    pub tls_secrets: Vec<String>,
    /// Comments of sections, interfaces and packets, with the frame number where there is one.
    pub comments: Vec<(Option<u64>, String)>,
    /// Names from name resolution blocks.
    pub names: Vec<(std::net::IpAddr, String)>,
}
