//! All inputs of a case as one stream of frames in time order.
//!
//! Each file keeps its own order; between files the one goes on whose next frame is the earliest. A file is opened
//! when its first frame is due and closed after its last, so a ring buffer of thousands of files has few open.

use super::bytes::read_up_to;
use super::error::CaptureError;
use super::hashing::{FileHash, HashWork};
use super::input::{HEAD, Input};
use super::inputs::Inputs;
use super::names::short_names;
use super::reader::{Budget, Reader};
use super::source::BlockSizes;
use super::spool::Spool;
use super::{Batch, CaptureInfo, SkippedInput};
use crate::evidence::CaptureId;
use sha2::{Digest, Sha256};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::io::Read;
use std::sync::Arc;

/// How far an input is.
enum State {
    Waiting(Input),
    Reading(Box<Reader>),
    Done(CaptureInfo, Option<FileHash>),
    /// Only while it changes from one to another.
    Changing,
}

/// The inputs of a case, read once from the earliest frame to the last.
pub struct CaptureSet {
    names: Arc<[String]>,
    skipped: Vec<SkippedInput>,
    masking_key: [u8; 16],
    total_bytes: Option<u64>,
    bytes_read: u64,
    states: Vec<State>,
    /// Next frame of each input that is not done.
    next: BinaryHeap<Reverse<(i64, CaptureId)>>,
    reading: BTreeSet<CaptureId>,
    tls_secrets: Vec<String>,
    /// Frames of the last batch: the next one will have about as many.
    last_batch: usize,
    block_sizes: BlockSizes,
}

impl CaptureSet {
    /// Finds the inputs that the arguments name (files, folders, patterns, `-`) and looks into each. Fails if
    /// something named is not there, or none of it is a capture.
    pub fn open(arguments: &[String]) -> Result<Self, CaptureError> {
        Self::open_again(arguments, &Spool::default())
    }

    /// As [`CaptureSet::open`], with what cannot be read again taken from where it was kept.
    pub fn open_again(arguments: &[String], kept: &Spool) -> Result<Self, CaptureError> {
        Ok(Self::new(Inputs::find(arguments, kept)?))
    }

    /// Captures that are in memory, by name.
    pub fn from_memory(captures: Vec<(String, Vec<u8>)>) -> Result<Self, CaptureError> {
        let inputs = captures.into_iter().map(|(name, bytes)| Input::memory(name, bytes)).collect();
        let inputs = Inputs { inputs, skipped: Vec::new() };
        inputs.require_a_capture()?;
        Ok(Self::new(inputs))
    }

    /// A capture that is read from a stream, in blocks of `block_bytes` (what does not fit gets a larger one).
    pub fn from_stream(name: &str, mut reader: Box<dyn Read + Send>, block_bytes: usize) -> Result<Self, CaptureError> {
        let mut head = Vec::new();
        // An error comes again when what follows is read.
        let _ = read_up_to(&mut reader, HEAD, &mut head);
        let inputs = Inputs { inputs: vec![Input::continued(name.to_owned(), head, reader)], skipped: Vec::new() };
        inputs.require_a_capture()?;
        let block_sizes = BlockSizes { first: block_bytes, largest: block_bytes };
        Ok(Self { block_sizes, ..Self::new(inputs) })
    }

    /// How many inputs are open.
    #[cfg(test)]
    pub(super) fn open_inputs(&self) -> usize {
        self.reading.len()
    }

    /// One input that was looked into.
    #[cfg(test)]
    pub(super) fn from_input(input: Input) -> Result<Self, CaptureError> {
        let inputs = Inputs { inputs: vec![input], skipped: Vec::new() };
        inputs.require_a_capture()?;
        Ok(Self::new(inputs))
    }

    fn new(inputs: Inputs) -> Self {
        let Inputs { inputs, skipped } = inputs;
        let paths: Vec<&str> = inputs.iter().map(|input| input.path.as_str()).collect();
        let names = short_names(&paths);
        let ids = (0_u32..).map(CaptureId);
        let first = |input: &Input| input.first_ns.unwrap_or(i64::MIN); // unknown: opened at once, to find out
        Self {
            names,
            skipped,
            masking_key: masking_key(&inputs),
            total_bytes: inputs.iter().map(|input| input.size).sum(),
            bytes_read: 0,
            next: ids.zip(&inputs).map(|(id, input)| Reverse((first(input), id))).collect(),
            states: inputs.into_iter().map(State::Waiting).collect(),
            reading: BTreeSet::new(),
            tls_secrets: Vec::new(),
            last_batch: 0,
            block_sizes: BlockSizes::default(),
        }
    }

    /// Short unique names by [`CaptureId`].
    pub fn names(&self) -> Arc<[String]> {
        Arc::clone(&self.names)
    }

    /// Files that were passed over: no captures among those of a folder, or copies.
    pub fn skipped_inputs(&self) -> &[SkippedInput] {
        &self.skipped
    }

    /// Bytes of all inputs as they lie on disk; `None` if a stream is among them.
    pub fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    /// How many of them were read.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Key for [`Masker`](crate::secret::Masker): the same inputs give the same one, in whatever order they are named.
    pub fn masking_key(&self) -> [u8; 16] {
        self.masking_key
    }

    /// TLS key log lines that the batches so far came with, and were not taken yet. Those of a file's decryption
    /// secrets come no later than with the batch of the first frame after them.
    pub fn take_tls_secrets(&mut self) -> Vec<String> {
        std::mem::take(&mut self.tls_secrets)
    }

    /// The next frames: at most `max_frames`, and about `max_bytes` at most. `None` after the last. A batch may be
    /// empty, when only something was left to hash.
    pub fn next_batch(&mut self, max_frames: usize, max_bytes: usize) -> Option<(Batch, HashWork)> {
        let mut batch = Batch { blocks: Vec::new(), frames: Vec::with_capacity(self.last_batch.min(max_frames)) };
        let mut work = HashWork::default();
        let mut budget = Budget { frames: max_frames.max(1), bytes: max_bytes.max(1) };
        let mut moved = false;
        self.reading.iter().for_each(|id| begin_batch(self.states.get_mut(id.0 as usize)));
        while !budget.is_spent() {
            let Some(Reverse((_, id))) = self.next.pop() else { break };
            moved = true;
            let limit = self.next.peek().map(|Reverse(next)| *next);
            let Some(reader) = self.reader(id) else { continue };
            match reader.fill(&mut batch, limit, &mut budget) {
                Some(time_ns) => self.next.push(Reverse((time_ns, id))),
                None => self.finish(id, &mut work),
            }
        }
        self.pass(&mut work);
        self.last_batch = batch.len();
        moved.then_some((batch, work))
    }

    /// What is known of each input, by [`CaptureId`]. To be called after the last batch, when all work was done;
    /// before, what was not read has no hash.
    pub fn into_infos(self) -> Vec<CaptureInfo> {
        let names = self.names;
        let info = |(state, name): (State, &String)| match state {
            State::Done(info, hash) => CaptureInfo { sha256: hash.map(|hash| hash.hex()).unwrap_or_default(), ..info },
            State::Reading(reader) => reader.into_info(),
            State::Waiting(Input { path, size, .. }) => {
                CaptureInfo { path, name: name.clone(), size: size.unwrap_or_default(), ..CaptureInfo::default() }
            }
            State::Changing => CaptureInfo { name: name.clone(), ..CaptureInfo::default() },
        };
        self.states.into_iter().zip(names.iter()).map(info).collect()
    }

    /// The reader of an input, which is opened if it was not.
    fn reader(&mut self, id: CaptureId) -> Option<&mut Reader> {
        let state = self.states.get_mut(id.0 as usize)?;
        if let State::Waiting(_) = state
            && let State::Waiting(input) = std::mem::replace(state, State::Changing)
        {
            let name = self.names.get(id.0 as usize).cloned().unwrap_or_default();
            *state = State::Reading(Box::new(Reader::open(id, input, name, self.block_sizes)));
            self.reading.insert(id);
        }
        match state {
            State::Reading(reader) => Some(reader),
            _ => None,
        }
    }

    fn finish(&mut self, id: CaptureId, work: &mut HashWork) {
        self.reading.remove(&id);
        let Some(state) = self.states.get_mut(id.0 as usize) else { return };
        if let State::Reading(mut reader) = std::mem::replace(state, State::Changing) {
            reader.take_tls_secrets(&mut self.tls_secrets);
            let (info, hash, bytes) = reader.finish(work);
            self.bytes_read += bytes;
            *state = State::Done(info, hash);
        }
    }

    /// Takes over what the open inputs have passed in this batch.
    fn pass(&mut self, work: &mut HashWork) {
        for id in &self.reading {
            if let Some(State::Reading(reader)) = self.states.get_mut(id.0 as usize) {
                reader.take_tls_secrets(&mut self.tls_secrets);
                self.bytes_read += reader.pass(work);
            }
        }
    }
}

fn begin_batch(state: Option<&mut State>) {
    if let Some(State::Reading(reader)) = state {
        reader.begin_batch();
    }
}

/// Hash of the inputs' first bytes and sizes. Nothing that a report tells leads to it: not the hashes of the files,
/// since the heads are hashed behind a prefix.
fn masking_key(inputs: &[Input]) -> [u8; 16] {
    let mut heads: Vec<([u8; 32], u64)> =
        inputs.iter().map(|input| (input.head_hash, input.size.unwrap_or(u64::MAX))).collect();
    heads.sort_unstable();
    let mut hash = Sha256::new_with_prefix(b"jabberscope: masking key\0");
    for (head, size) in heads {
        hash.update(head);
        hash.update(size.to_le_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk::<16>().copied().unwrap_or_default()
}
