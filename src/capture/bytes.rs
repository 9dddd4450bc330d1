//! Owners of the bytes that frames borrow: a file mapped whole, or a block of a stream.

use super::Block;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;

/// A whole input, as it lies on disk.
pub(super) enum Whole {
    /// Mapped: the kernel reads what is touched.
    Mapped(memmap2::Mmap),
    /// In memory already.
    Memory(Vec<u8>),
}

impl Whole {
    /// Maps a regular file; where the file system cannot map, the caller falls back to reading it as a stream.
    pub(super) fn map(file: &File) -> io::Result<Self> {
        // SAFETY: the map is read-only and lives in an `Arc` beside every borrow of it. That nobody shortens the file
        // meanwhile cannot be ensured by any program; it is evidence, and a reader that copied it would only see the
        // change later.
        let map = unsafe { memmap2::MmapOptions::new().map(file)? };
        #[cfg(unix)]
        let _ = map.advise(memmap2::Advice::Sequential); // a hint: works as well without, only slower
        Ok(Self::Mapped(map))
    }

    /// Lets the kernel take back the pages of bytes that were read: a file larger than memory stays readable, and the
    /// process does not grow by what it has passed. Bytes in the range stay valid, they are read again when touched.
    pub(super) fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            let end = range.end.min(map.len());
            let length = end.saturating_sub(range.start);
            if length > 0 {
                // SAFETY: the map is of a file and read-only, so dropped pages come back with the same content.
                let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, length) };
            }
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

impl Block for Whole {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Memory(bytes) => bytes,
        }
    }
}

/// A piece of a stream, with the bytes of a frame that straddles its start moved into it.
pub(super) struct StreamBlock(pub(super) Vec<u8>);

impl Block for StreamBlock {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends up to `wanted` bytes of `reader` to `bytes`. What came before an error is kept; `Ok(false)` is the end.
pub(super) fn read_up_to(reader: &mut dyn Read, wanted: usize, bytes: &mut Vec<u8>) -> io::Result<bool> {
    bytes.reserve(wanted);
    let got = reader.take(wanted as u64).read_to_end(bytes)?;
    Ok(got == wanted)
}
