//! Keys for TLS: those that were given, and those that captures bring, at every shard before the packets they open.

use super::shard::Shard;
use crate::capture::CaptureSet;
use crate::protocol::tls::Keys;
use std::sync::Arc;

/// All keys that are known so far.
pub struct KnownKeys {
    keys: Arc<Keys>,
    malformed_lines: u64,
}

impl KnownKeys {
    /// The keys that were given, handed to the shards.
    pub fn new(given: &Keys, shards: &mut [Shard]) -> Self {
        let known = Self { keys: Arc::new(given.clone()), malformed_lines: 0 };
        known.hand_out(shards);
        known
    }

    /// Takes what the batches so far brought. A batch brings all secrets that stand in its files up to its last frame,
    /// however many threads work.
    pub fn learn(&mut self, captures: &mut CaptureSet, shards: &mut [Shard]) {
        let lines = captures.take_tls_secrets();
        if lines.is_empty() {
            return;
        }
        // The shards give theirs back, so that keys are added and not copied.
        let none = Arc::new(Keys::default());
        shards.iter_mut().for_each(|shard| shard.set_keys(Arc::clone(&none)));
        let mut keys = std::mem::take(&mut self.keys);
        let known = Arc::make_mut(&mut keys);
        self.malformed_lines += lines.iter().map(|line| known.add_log(line.as_bytes()).malformed).sum::<u64>();
        self.keys = keys;
        self.hand_out(shards);
    }

    /// Lines among the secrets of captures that could not be used.
    pub fn malformed_lines(&self) -> u64 {
        self.malformed_lines
    }

    fn hand_out(&self, shards: &mut [Shard]) {
        shards.iter_mut().for_each(|shard| shard.set_keys(Arc::clone(&self.keys)));
    }
}
