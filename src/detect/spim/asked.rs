//! Who was spoken to by whom: an answer is no mailing, though a helper gives the same one to everybody who asks.

use crate::evidence::{Direction, Seen};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

/// How long a question may wait for its answer.
const ANSWER_NS: i64 = 600_000_000_000;
/// Questions remembered in a shard.
const MAX_ASKED: usize = 16_384;

/// Questions of late, by connection and both sides.
#[derive(Debug, Default)]
pub(super) struct Asked {
    when: HashMap<u64, i64, RandomState>,
}

impl Asked {
    /// Somebody says something to somebody, bare JIDs both.
    pub fn note(&mut self, seen: &Seen<'_>, from: &str, to: &str) {
        let now_ns = seen.last.time_ns;
        if self.when.len() >= MAX_ASKED {
            self.when.retain(|_, when| now_ns.saturating_sub(*when) < ANSWER_NS);
            if self.when.len() > MAX_ASKED / 2 {
                self.when.clear();
            }
        }
        let key = self.key(seen, seen.direction, from, to);
        self.when.insert(key, now_ns);
    }

    /// Whether what the one says to the other may be an answer.
    pub fn was_asked(&self, seen: &Seen<'_>, from: &str, to: &str) -> bool {
        let asked = self.when.get(&self.key(seen, seen.direction.reversed(), to, from));
        asked.is_some_and(|when| seen.last.time_ns.saturating_sub(*when) < ANSWER_NS)
    }

    /// Over the same connection, for what another shard has seen is not known here, and from its other end, where the
    /// sender cannot make somebody ask.
    fn key(&self, seen: &Seen<'_>, direction: Direction, from: &str, to: &str) -> u64 {
        let mut hasher = self.when.hasher().build_hasher();
        hasher.write_u8(direction.index() as u8);
        for part in [&seen.flow.community_id, from, to] {
            hasher.write(part.as_bytes());
            hasher.write_u8(0xff);
        }
        hasher.finish()
    }
}
