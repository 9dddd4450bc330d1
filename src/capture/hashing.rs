//! SHA-256 of inputs as they lie on disk, advanced beside the work on their frames.

use super::Block;
use super::bytes::Whole;
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The hash of one input.
#[derive(Clone, Default)]
pub(super) struct FileHash(Arc<Mutex<Sha256>>);

impl FileHash {
    /// Takes in the next bytes of the input.
    pub(super) fn update(&self, bytes: &[u8]) {
        self.state().update(bytes);
    }

    /// The hash of what was taken in, in lower-case hex.
    pub(super) fn hex(&self) -> String {
        hex(&self.state().clone().finalize())
    }

    fn state(&self) -> MutexGuard<'_, Sha256> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of the inputs that a batch has moved past, still to be hashed. Batches' works are run in their order,
/// one after the other; each may run beside the work on its batch.
#[derive(Default)]
#[must_use = "without it the hashes of the inputs are wrong"]
pub struct HashWork {
    pieces: Vec<(FileHash, Arc<Whole>, Range<usize>)>,
}

impl HashWork {
    pub(super) fn add(&mut self, hash: &FileHash, whole: &Arc<Whole>, range: Range<usize>) {
        if !range.is_empty() {
            self.pieces.push((hash.clone(), Arc::clone(whole), range));
        }
    }

    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes to hash.
    pub fn bytes(&self) -> u64 {
        self.pieces.iter().map(|(_, _, range)| range.len() as u64).sum()
    }

    /// Advances the hash of each input.
    pub fn run(self) {
        /// Pages that were hashed are given back in steps, so that hashing what no frame was found in stays small.
        const STEP: usize = 64 << 20;
        for (hash, whole, range) in self.pieces {
            let large = range.len() > STEP;
            for start in range.clone().step_by(STEP) {
                let part = start..range.end.min(start + STEP);
                hash.update(whole.bytes().get(part.clone()).unwrap_or_default());
                if large {
                    whole.release(part);
                }
            }
        }
    }
}
