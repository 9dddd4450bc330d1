//! What a member of a set carries: `include/linux/netfilter/ipset/ip_set.h`.

use super::TestOptions;
use crate::replay::tick::HZ;
use crate::ruleset::xt::CounterOp;

/// What a member gives to packets (`skbinfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SkbInfo {
    /// Mark, and the bits of it that are set.
    pub mark: (u32, u32),
    /// Priority.
    pub priority: u32,
    /// Queue.
    pub queue: u16,
}

/// What a new member gets.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gain {
    /// `None` in a set without timeouts.
    pub seconds: Option<u32>,
    pub packets: u64,
    pub bytes: u64,
    pub info: Option<SkbInfo>,
    pub nomatch: bool,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Member {
    /// The last tick that it lives in, or [`FOR_EVER`]; before the first packet: ticks that it has.
    until: i64,
    packets: u64,
    bytes: u64,
    info: Option<Box<SkbInfo>>,
    pub nomatch: bool,
}

/// No end.
const FOR_EVER: i64 = i64::MAX;

impl Member {
    pub fn new(gain: &Gain, now: i64) -> Self {
        let until = match gain.seconds {
            None | Some(0) => FOR_EVER,
            Some(seconds) => now.saturating_add(i64::from(seconds) * HZ),
        };
        let info = gain.info.map(Box::new);
        Self { until, packets: gain.packets, bytes: gain.bytes, info, nomatch: gain.nomatch }
    }

    /// Makes ticks to live into a time.
    pub fn start(&mut self, now: i64) {
        if self.until != FOR_EVER {
            self.until = self.until.saturating_add(now);
        }
    }

    /// `ip_set_timeout_expired` is about what comes after the last tick.
    pub fn is_alive(&self, now: i64) -> bool {
        now <= self.until
    }

    /// When it ends, if it does.
    pub fn end(&self) -> Option<i64> {
        Some(self.until).filter(|until| *until != FOR_EVER)
    }

    pub fn info(&self) -> Option<SkbInfo> {
        self.info.as_deref().copied()
    }

    /// `ip_set_match_extensions`: it lives, counts the packet, and its counters are as wanted.
    pub fn lets(&mut self, len: u32, options: &TestOptions, counters: bool, now: i64) -> bool {
        if !self.is_alive(now) {
            return false;
        }
        if !counters {
            return true;
        }
        if !options.keep_counters {
            self.packets = self.packets.wrapping_add(1);
            self.bytes = self.bytes.wrapping_add(len.into());
        }
        fits(options.packets, self.packets) && fits(options.bytes, self.bytes)
    }
}

fn fits(wanted: Option<(CounterOp, u64)>, is: u64) -> bool {
    match wanted {
        None => true,
        Some((CounterOp::Eq, value)) => is == value,
        Some((CounterOp::Ne, value)) => is != value,
        Some((CounterOp::Lt, value)) => is < value,
        Some((CounterOp::Gt, value)) => is > value,
    }
}
