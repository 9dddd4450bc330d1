//! One capture, frame by frame, into batches.

use super::hashing::{FileHash, HashWork};
use super::input::{Input, not_a_capture};
use super::notes::Notes;
use super::parse::{Parser, RawFrame, RecordParser, Step};
use super::source::{BlockSizes, Source};
use super::{Batch, CaptureInfo, FrameRecord};
use crate::evidence::{CaptureId, Stamp};
use std::sync::Arc;

/// What a batch may still take.
pub(super) struct Budget {
    pub(super) frames: usize,
    pub(super) bytes: usize,
}

impl Budget {
    #[inline]
    pub(super) fn is_spent(&self) -> bool {
        self.frames == 0 || self.bytes == 0
    }
}

/// Reads one input.
pub(super) struct Reader {
    id: CaptureId,
    source: Source,
    /// The input could be opened: what was read of it is all of it.
    opened: bool,
    parser: Option<Parser>,
    notes: Notes,
    info: CaptureInfo,
    /// A frame whose time has not come. It lies in the source's current block.
    pending: Option<RawFrame>,
    /// Place of the current block in the current batch.
    slot: Option<u32>,
    /// The current block has not been in a batch.
    fresh: bool,
    last_link: Option<u16>,
}

impl Reader {
    /// Opens an input. What cannot be opened, or is no capture, is a reader without frames, with the damage noted.
    pub(super) fn open(id: CaptureId, input: Input, name: String, sizes: BlockSizes) -> Self {
        let Input { path, place, size, compression, unreadable, .. } = input;
        let mut notes = Notes::new(id);
        let (origin, compression) = match (place.open(), unreadable) {
            (Ok(origin), None) => (Ok(origin), compression),
            (Ok(origin), Some(reason)) => {
                notes.damage(0, reason);
                // Only hashed, as it lies on disk.
                return Self::without_frames(id, Source::open(origin, None, sizes), notes, path, name, size);
            }
            (Err(error), reason) => (Err(reason.unwrap_or_else(|| error.to_string())), None),
        };
        let mut source = match origin {
            Ok(origin) => Source::open(origin, compression, sizes),
            Err(reason) => {
                notes.damage(0, reason);
                let reader = Self::without_frames(id, Source::unreadable(), notes, path, name, size);
                return Self { opened: false, ..reader };
            }
        };
        let window = source.window();
        let parser = match Parser::recognise(&window) {
            Some((parser, first)) => {
                source.at = first;
                Some(parser)
            }
            None => {
                notes.damage(0, not_a_capture(&window, source.failure().map(|(_, cause)| cause)));
                None
            }
        };
        let mut reader = Self::without_frames(id, source, notes, path, name, size);
        let format = parser.as_ref().map_or("unknown", Parser::format);
        let packed = compression.map(|compression| format!("+{}", compression.name())).unwrap_or_default();
        reader.info.format = format!("{format}{packed}");
        reader.parser = parser;
        reader
    }

    fn without_frames(
        id: CaptureId,
        source: Source,
        notes: Notes,
        path: String,
        name: String,
        size: Option<u64>,
    ) -> Self {
        let size = size.unwrap_or_default();
        let info = CaptureInfo { path, name, size, format: "unknown".to_owned(), ..CaptureInfo::default() };
        let (pending, slot, last_link) = (None, None, None);
        Self { id, source, opened: true, parser: None, notes, info, pending, slot, fresh: true, last_link }
    }

    /// A new batch has begun.
    pub(super) fn begin_batch(&mut self) {
        self.slot = None;
    }

    /// Puts frames into the batch until it is full, or the next frame comes after `limit`. Gives the time of the
    /// next frame, or `None` at the end.
    pub(super) fn fill(
        &mut self,
        batch: &mut Batch,
        limit: Option<(i64, CaptureId)>,
        budget: &mut Budget,
    ) -> Option<i64> {
        loop {
            let frame = match self.pending.take() {
                Some(frame) => frame,
                None => self.next_frame()?,
            };
            if budget.is_spent() || limit.is_some_and(|limit| (frame.time_ns, self.id) > limit) {
                self.pending = Some(frame);
                return Some(frame.time_ns);
            }
            self.put(&frame, batch, budget);
        }
    }

    fn next_frame(&mut self) -> Option<RawFrame> {
        let parser = self.parser.as_mut()?;
        loop {
            let mut at = self.source.at;
            let step = parser.step(&self.source.window(), &mut at, &mut self.notes);
            self.source.at = at;
            match step {
                Step::Frame(frame) => return Some(frame),
                Step::End => return None,
                Step::More(needed) => {
                    self.source.refill(needed);
                    self.slot = None;
                    self.fresh = true;
                }
            }
        }
    }

    fn put(&mut self, frame: &RawFrame, batch: &mut Batch, budget: &mut Budget) {
        let block = match self.slot {
            Some(slot) => slot,
            None => {
                let slot = batch.blocks.len() as u32;
                batch.blocks.push(Arc::clone(self.source.block()));
                self.slot = Some(slot);
                // A block is held as a whole, however few frames lie in it.
                if std::mem::replace(&mut self.fresh, false) {
                    budget.bytes = budget.bytes.saturating_sub(self.source.block_cost());
                }
                slot
            }
        };
        self.notes.number += 1;
        self.count(frame);
        budget.frames = budget.frames.saturating_sub(1);
        budget.bytes = budget.bytes.saturating_sub(frame.captured_len as usize);
        batch.frames.push(FrameRecord {
            stamp: Stamp { capture: self.id, frame: self.notes.number, time_ns: frame.time_ns },
            link: frame.link,
            block,
            offset: frame.offset,
            captured_len: frame.captured_len,
            original_len: frame.original_len,
        });
    }

    #[inline]
    fn count(&mut self, frame: &RawFrame) {
        let info = &mut self.info;
        info.frames += 1;
        info.frame_bytes += u64::from(frame.captured_len);
        info.truncated_frames += u64::from(frame.captured_len < frame.original_len);
        let (first, last) = info.time_range_ns.unwrap_or((frame.time_ns, frame.time_ns));
        info.time_range_ns = Some((first.min(frame.time_ns), last.max(frame.time_ns)));
        if self.last_link != Some(frame.link) {
            self.last_link = Some(frame.link);
            if let Err(place) = info.link_types.binary_search(&frame.link) {
                info.link_types.insert(place, frame.link);
            }
        }
    }

    /// TLS key log lines that were read since the last call.
    pub(super) fn take_tls_secrets(&mut self, into: &mut Vec<String>) {
        self.notes.take_tls_secrets(into);
    }

    /// Adds what was passed to the work; gives how many bytes.
    pub(super) fn pass(&mut self, work: &mut HashWork) -> u64 {
        self.source.pass(false, work)
    }

    /// No more frames are wanted: the rest of the input is only hashed. Gives what is known, the hash to be (of what
    /// could be opened), and how many bytes were passed.
    pub(super) fn finish(mut self, work: &mut HashWork) -> (CaptureInfo, Option<FileHash>, u64) {
        let bytes = self.source.pass(true, work);
        let hash = self.opened.then(|| self.source.hash().clone());
        let passed = self.source.passed();
        (self.into_info_with(passed), hash, bytes)
    }

    /// What is known of an input that was not read to its end.
    pub(super) fn into_info(self) -> CaptureInfo {
        let passed = self.info.size;
        self.into_info_with(passed)
    }

    fn into_info_with(mut self, size: u64) -> CaptureInfo {
        if let (Some(_), Some((offset, cause))) = (&self.parser, self.source.failure()) {
            self.notes.damage(offset, format!("could not be read on: {cause}"));
        }
        self.info.size = size;
        self.notes.finish(&mut self.info);
        self.info
    }
}
