//! One input as a window that moves over its (decompressed) bytes, and what of it on disk has been passed.
//!
//! A plain file is one window: its map. Anything else is a stream, read in blocks; when a parser needs more than is at
//! hand, the bytes it has not used begin the next block.

use super::Block;
use super::bytes::{StreamBlock, Whole, read_up_to};
use super::compression::Compression;
use super::hashing::{FileHash, HashWork};
use super::resync::Window;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Sizes of the blocks of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockSizes {
    pub(super) first: usize,
    pub(super) largest: usize,
}

impl Default for BlockSizes {
    /// The first is small, since each of thousands of files may need one; they double.
    fn default() -> Self {
        Self { first: 256 << 10, largest: 4 << 20 }
    }
}

/// Bytes that tell the format: the first window has them, if the input does.
const FORMAT_HEAD: usize = 24;
/// Mapped pages are given back to the kernel in steps of this size.
const RELEASE_STEP: usize = 64 << 20;
/// What a compressed stream is read in.
const RAW_BUFFER: usize = 256 << 10;

/// Where the bytes of an input come from.
pub(super) enum Origin {
    /// All of it can be addressed.
    Whole(Arc<Whole>),
    /// Read once, from the front: standard input, pipes, file systems that cannot map.
    Stream(Box<dyn Read + Send>),
}

/// The bytes of one input.
pub(super) struct Source {
    block: Arc<dyn Block>,
    /// First byte of the block that was not used.
    pub(super) at: usize,
    base: u64,
    last: bool,
    failure: Option<String>,
    stream: Option<Box<dyn Read + Send>>,
    next_block: usize,
    largest_block: usize,
    disk: Disk,
}

/// The input as it lies on disk.
struct Disk {
    hash: FileHash,
    passed: u64,
    kind: DiskKind,
}

enum DiskKind {
    /// Hashed later, by the work of each batch; `used` is how far a decoder has come.
    Whole { whole: Arc<Whole>, used: Option<Arc<AtomicU64>>, released: usize },
    /// Hashed as it is read: it cannot be read again.
    Stream(SharedStream),
}

impl Source {
    /// Begins to read. The first window holds what a look at the format needs.
    pub(super) fn open(origin: Origin, compression: Option<Compression>, sizes: BlockSizes) -> Self {
        let hash = FileHash::default();
        match (origin, compression) {
            (Origin::Whole(whole), None) => {
                let kind = DiskKind::Whole { whole: Arc::clone(&whole), used: None, released: 0 };
                Self {
                    block: whole,
                    at: 0,
                    base: 0,
                    last: true,
                    failure: None,
                    stream: None,
                    next_block: 0,
                    largest_block: 0,
                    disk: Disk { hash, passed: 0, kind },
                }
            }
            (Origin::Whole(whole), Some(compression)) => {
                let used = Arc::new(AtomicU64::new(0));
                let raw = WholeReader { whole: Arc::clone(&whole), at: 0, used: Arc::clone(&used) };
                let kind = DiskKind::Whole { whole, used: Some(used), released: 0 };
                Self::streamed(compression.decoder(raw), Disk { hash, passed: 0, kind }, sizes)
            }
            (Origin::Stream(reader), compression) => {
                let raw = SharedStream(Arc::new(Mutex::new(RawStream { reader, hash: hash.clone(), read: 0 })));
                let kind = DiskKind::Stream(SharedStream(Arc::clone(&raw.0)));
                let reader = match compression {
                    None => Ok(Box::new(raw) as Box<dyn Read + Send>),
                    Some(compression) => compression.decoder(BufReader::with_capacity(RAW_BUFFER, raw)),
                };
                Self::streamed(reader, Disk { hash, passed: 0, kind }, sizes)
            }
        }
    }

    /// An input that could not be opened.
    pub(super) fn unreadable() -> Self {
        Self::open(Origin::Whole(Arc::new(Whole::Memory(Vec::new()))), None, BlockSizes::default())
    }

    fn streamed(reader: io::Result<Box<dyn Read + Send>>, disk: Disk, sizes: BlockSizes) -> Self {
        let (stream, failure) = match reader {
            Ok(reader) => (Some(reader), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let mut source = Self {
            block: Arc::new(StreamBlock(Vec::new())),
            at: 0,
            base: 0,
            last: stream.is_none(),
            failure,
            stream,
            next_block: sizes.first.max(1),
            largest_block: sizes.largest,
            disk,
        };
        source.refill(FORMAT_HEAD);
        source
    }

    /// The bytes at hand, and the block that holds them.
    pub(super) fn window(&self) -> Window<'_> {
        Window { bytes: self.block.bytes(), base: self.base, last: self.last, failed: self.failure.is_some() }
    }

    pub(super) fn block(&self) -> &Arc<dyn Block> {
        &self.block
    }

    /// Bytes that a batch keeps alive with the current block: nothing for a map, which the kernel can take back.
    pub(super) fn block_cost(&self) -> usize {
        if self.stream.is_some() { self.block.bytes().len() } else { 0 }
    }

    /// Makes at least `needed` bytes available from `at` on, and more than there were, or the window the last one.
    pub(super) fn refill(&mut self, needed: usize) {
        let Some(stream) = self.stream.as_mut().filter(|_| !self.last) else {
            self.last = true;
            return;
        };
        let rest = self.block.bytes().get(self.at..).unwrap_or_default();
        // At least as much new as is moved, so that moving costs no more than reading.
        let fresh = self.next_block.max(rest.len()).max(needed.saturating_sub(rest.len()));
        let mut bytes = Vec::with_capacity(rest.len() + fresh);
        bytes.extend_from_slice(rest);
        match read_up_to(stream, fresh, &mut bytes) {
            Ok(more) => self.last = !more,
            Err(error) => {
                self.failure = Some(error.to_string());
                self.last = true;
            }
        }
        self.base += self.at as u64;
        self.at = 0;
        self.block = Arc::new(StreamBlock(bytes));
        self.next_block = (self.next_block * 2).min(self.largest_block.max(1));
    }

    /// Offset of the end of what could be read, and why no more could, if an error stopped it.
    pub(super) fn failure(&self) -> Option<(u64, &str)> {
        let end = self.base + self.block.bytes().len() as u64;
        self.failure.as_deref().map(|cause| (end, cause))
    }

    /// Hands over the bytes on disk that were passed since the last call; with `all`, up to the end of the input,
    /// whatever a parser made of it. Gives how many they are.
    pub(super) fn pass(&mut self, all: bool, work: &mut HashWork) -> u64 {
        let Disk { hash, passed, kind } = &mut self.disk;
        let before = *passed;
        *passed = match kind {
            DiskKind::Whole { whole, used, released } => {
                let position = match used {
                    _ if all => whole.bytes().len(),
                    Some(used) => used.load(Ordering::Relaxed) as usize,
                    None => self.at,
                };
                // Up to what the batch before has passed: the frames of this one are still wanted.
                if before as usize >= released.saturating_add(RELEASE_STEP) {
                    whole.release(*released..before as usize);
                    *released = before as usize;
                }
                work.add(hash, whole, before as usize..position);
                position as u64
            }
            DiskKind::Stream(stream) => stream.position(all),
        };
        passed.saturating_sub(before)
    }

    /// The hash of the input, once all of it was passed and the work is done.
    pub(super) fn hash(&self) -> &FileHash {
        &self.disk.hash
    }

    /// Bytes on disk that were passed.
    pub(super) fn passed(&self) -> u64 {
        self.disk.passed
    }
}

/// Reads a map for a decoder, and tells how far it came.
struct WholeReader {
    whole: Arc<Whole>,
    at: usize,
    used: Arc<AtomicU64>,
}

impl BufRead for WholeReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let rest = self.whole.bytes().get(self.at..).unwrap_or_default();
        Ok(rest.get(..RAW_BUFFER).unwrap_or(rest))
    }

    fn consume(&mut self, amount: usize) {
        self.at = self.at.saturating_add(amount).min(self.whole.bytes().len());
        self.used.store(self.at as u64, Ordering::Relaxed);
    }
}

impl Read for WholeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

/// A stream that is hashed as it is read.
struct RawStream {
    reader: Box<dyn Read + Send>,
    hash: FileHash,
    read: u64,
}

/// Shared by the decoder that reads it and the disk side that counts, and reads what the decoder leaves.
struct SharedStream(Arc<Mutex<RawStream>>);

impl Read for SharedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = stream.reader.read(buffer)?;
        stream.hash.update(buffer.get(..read).unwrap_or_default());
        stream.read += read as u64;
        Ok(read)
    }
}

impl SharedStream {
    /// Bytes read so far; with `all`, after the rest was read and hashed.
    fn position(&mut self, all: bool) -> u64 {
        if all {
            // What cannot be read cannot be hashed either: the failure was noted by who read it first.
            let _ = io::copy(self, &mut io::sink());
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read
    }
}
