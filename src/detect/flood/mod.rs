//! Stanzas of one sender over the policy's rate.
//!
//! A stanza is sent once, but may be captured on every leg of its way; and a sender may use several connections. So the
//! legs are counted apart: what a sender's own connections carry is added up, between servers and at a receiver each
//! connection stands for itself, and of those that show the same the fullest is told.
//!
//! [`FloodWatch`] counts in the shards, by slots of a few seconds, and lets go what belongs to connections that carry
//! a good part of the limit; [`Floods`] puts that together. Answers, bounces, files (IBB), archives and what rooms
//! repeat to each occupant are not the sender's doing, and do not count.

mod detector;
mod passed;
#[cfg(test)]
mod tests;
mod watch;

pub use detector::Floods;
pub use watch::FloodWatch;

use super::Settings;
use crate::evidence::Stamp;
use crate::policy::DEFAULT_STANZAS_PER_MINUTE;

/// A minute is this many slots, which begin with the clock's.
const SLOTS: i64 = 12;
const SLOT_NS: i64 = 60_000_000_000 / SLOTS;

/// The slot in which something was seen.
fn slot_of(stamp: Stamp) -> i64 {
    stamp.time_ns.div_euclid(SLOT_NS)
}

fn limit(settings: &Settings) -> u64 {
    settings.policy.as_ref().map_or(DEFAULT_STANZAS_PER_MINUTE, |policy| policy.xmpp.stanzas_per_minute)
}
