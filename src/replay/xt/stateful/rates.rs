//! `-m limit` (`xt_limit.c`; with iptables-nft `nft_limit.c`) and `-m hashlimit` revision 3 (`xt_hashlimit.c`).

use super::{HZ, Shared, jiffies};
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, World};
use crate::replay::xt::{Backend, Preparation, StatefulMatch};
use crate::ruleset::xt::{self, RateLimit};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::net::IpAddr;

/// The largest power of two not above a number.
const fn power_below(number: u64) -> u64 {
    1 << (63 - number.leading_zeros())
}

/// `-m limit`.
pub(super) enum Limit {
    /// Tokens in nanoseconds.
    Native { tokens: u64, most: u64, cost: u64, last_ns: Option<i64> },
    /// Credits by tick.
    Legacy { credit: u64, most: u64, cost: u64, last: Option<i64> },
}

impl Limit {
    pub(super) fn new(limit: RateLimit, backend: Backend) -> Self {
        /// `XT_LIMIT_SCALE`: averages are in ten-thousandths of a second a packet.
        const SCALE: u64 = 10_000;
        let (average, burst) = (u64::from(limit.average), u64::from(limit.burst));
        match backend {
            Backend::Nft => {
                let cost = average * (1_000_000_000 / SCALE);
                let most = cost.saturating_mul(burst);
                Self::Native { tokens: most, most, cost, last_ns: None }
            }
            Backend::Legacy => {
                let credits = |user: u64| user.saturating_mul(HZ * Self::CREDITS_A_TICK) / SCALE;
                let most = credits(average.saturating_mul(burst));
                Self::Legacy { credit: most, most, cost: credits(average), last: None }
            }
        }
    }

    const CREDITS_A_TICK: u64 = power_below(u32::MAX as u64 / (HZ * 60 * 60 * 24));
}

impl StatefulMatch for Limit {
    fn matches(&mut self, skb: &Skb<'_>, _hook: &HookContext, _world: &mut World<'_>) -> Answer {
        let (level, most, cost, gained) = match self {
            Self::Native { tokens, most, cost, last_ns } => {
                let since = last_ns.replace(skb.now_ns).map_or(0, |last| skb.now_ns.saturating_sub(last));
                (tokens, *most, *cost, u64::try_from(since).unwrap_or(0))
            }
            Self::Legacy { credit, most, cost, last } => {
                let now = jiffies(skb.now_ns);
                let since = last.replace(now).map_or(0, |last| now.saturating_sub(last));
                (credit, *most, *cost, u64::try_from(since).unwrap_or(0).saturating_mul(Self::CREDITS_A_TICK))
            }
        };
        *level = level.saturating_add(gained).min(most);
        let enough = *level >= cost;
        if enough {
            *level -= cost;
        }
        Answer::from(enough)
    }
}

/// A table of `hashlimit`: buckets by source, destination and ports.
#[derive(Debug, Default)]
pub(super) struct Table {
    buckets: HashMap<Key, Bucket, RandomState>,
    swept: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    src: u128,
    dst: u128,
    src_port: u16,
    dst_port: u16,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    expires: i64,
    last: i64,
    credit: u64,
    /// Bytes: bursts left.
    cap: u64,
    /// Rate match: packets or chunks in this window, and in the one before.
    window: (u64, u64),
}

/// `-m hashlimit`.
pub(super) struct HashLimit {
    config: xt::HashLimit,
    key: (String, bool),
    cost: u64,
    most: u64,
    expire_ticks: i64,
    sweep_ticks: i64,
    most_buckets: usize,
}

const CREDITS_A_TICK: u64 = power_below(u64::MAX / (HZ * 60 * 60 * 24));
const CREDITS_A_TICK_BYTES: u64 = power_below(u32::MAX as u64 / HZ);
/// Buckets that a table holds if the rule does not say: the kernel's number depends on its memory.
const DEFAULT_BUCKETS: usize = 65_536;

/// Bits of the mode.
mod mode {
    pub const DST: u32 = 1;
    pub const DST_PORT: u32 = 2;
    pub const SRC: u32 = 4;
    pub const SRC_PORT: u32 = 8;
}

impl HashLimit {
    pub(super) fn new(limit: &xt::HashLimit, with: &mut Preparation<'_>) -> Self {
        /// `XT_HASHLIMIT_SCALE_v2`.
        const SCALE: u128 = 1_000_000;
        let credits = |user: u64| {
            let credits = u128::from(user) * u128::from(HZ * CREDITS_A_TICK) / SCALE;
            u64::try_from(credits).unwrap_or(u64::MAX)
        };
        let (cost, most) = if limit.bytes {
            let cost = (u128::from(limit.average) * u128::from(HZ * CREDITS_A_TICK_BYTES)) >> 32;
            (cost as u64, CREDITS_A_TICK_BYTES * HZ)
        } else {
            (credits(limit.average), credits(limit.average.saturating_mul(limit.burst)))
        };
        let ticks = |milliseconds: u32, standard: i64| match milliseconds {
            0 => standard,
            given => (i64::from(given) * HZ as i64).div_euclid(1000).max(1),
        };
        let key = (limit.name.clone(), with.v6);
        with.shared.hashlimit.entry(key.clone()).or_default();
        Self {
            key,
            cost,
            most,
            expire_ticks: ticks(limit.expire, unit_seconds(limit) * HZ as i64),
            sweep_ticks: ticks(limit.gc_interval, HZ as i64),
            most_buckets: if limit.max == 0 { DEFAULT_BUCKETS } else { limit.max as usize },
            config: limit.clone(),
        }
    }

    fn key_of(&self, skb: &Skb<'_>) -> Option<Key> {
        let config = &self.config;
        let has = |bit: u32| config.mode & bit != 0;
        let mut key = Key { src: 0, dst: 0, src_port: 0, dst_port: 0 };
        if has(mode::SRC) {
            key.src = masked(skb.src(), config.src_mask);
        }
        if has(mode::DST) {
            key.dst = masked(skb.dst(), config.dst_mask);
        }
        if has(mode::SRC_PORT) || has(mode::DST_PORT) {
            let ported = matches!(skb.headers.protocol, Some(6 | 17 | 33 | 132 | 136 | 51 | 50));
            if ported && skb.headers.fragment_offset == 0 {
                let [a, b, c, d] = skb.array::<4>(skb.headers.transport as usize)?;
                key.src_port = if has(mode::SRC_PORT) { u16::from_be_bytes([a, b]) } else { 0 };
                key.dst_port = if has(mode::DST_PORT) { u16::from_be_bytes([c, d]) } else { 0 };
            }
        }
        Some(key)
    }

    fn fresh(&self, now: i64) -> Bucket {
        let (credit, cap) = if self.config.bytes { (self.most, self.config.burst) } else { (self.most, self.most) };
        Bucket { expires: now + self.expire_ticks, last: now, credit, cap, window: (0, 0) }
    }

    /// `rateinfo_recalc`.
    fn refill(&self, bucket: &mut Bucket, now: i64) {
        let since = u64::try_from(now - bucket.last).unwrap_or(0);
        if since == 0 {
            return;
        }
        if let Some(interval) = self.rate_interval() {
            let span = interval.max(1) * HZ;
            if since < span {
                return;
            }
            bucket.last = now;
            bucket.window = (0, if since >= 2 * span { 0 } else { bucket.window.0 });
            return;
        }
        bucket.last = now;
        let gain = if self.config.bytes { CREDITS_A_TICK_BYTES } else { CREDITS_A_TICK };
        let cap = if self.config.bytes { self.most } else { bucket.cap };
        bucket.credit = bucket.credit.saturating_add(since.saturating_mul(gain)).min(cap);
    }

    fn rate_interval(&self) -> Option<u64> {
        self.config.rate_match.map(u64::from)
    }

    /// `true` if the packet is within the rate.
    fn spend(&self, bucket: &mut Bucket, len: u32) -> bool {
        let cost = if self.config.bytes { self.byte_cost(bucket, len) } else { self.cost };
        let enough = bucket.credit >= cost;
        if enough {
            bucket.credit -= cost;
        }
        enough
    }

    /// `hashlimit_byte_cost`: costs by 16 bytes; a burst left fills the bucket up at once.
    fn byte_cost(&self, bucket: &mut Bucket, len: u32) -> u64 {
        let cost = (u64::from(len >> 4) + 1).saturating_mul(self.cost).min(self.most);
        if bucket.credit < cost && bucket.cap > 0 {
            bucket.cap -= 1;
            bucket.credit = self.most;
        }
        cost
    }
}

/// Seconds of the unit that the rate was given in, which idle buckets outlive: user space does not hand it over, so it is
/// the smallest unit in which the rate is a whole number.
fn unit_seconds(limit: &xt::HashLimit) -> i64 {
    const SCALE: u64 = 1_000_000;
    if limit.bytes {
        return 1;
    }
    [1, 60, 3_600, 86_400].into_iter().find(|seconds| limit.average <= SCALE * seconds).unwrap_or(86_400) as i64
}

fn masked(address: IpAddr, bits: u8) -> u128 {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            u128::from(v4.to_bits() & mask)
        }
        IpAddr::V6(v6) => v6.to_bits() & u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0),
    }
}

impl StatefulMatch for HashLimit {
    fn matches(&mut self, skb: &Skb<'_>, _hook: &HookContext, world: &mut World<'_>) -> Answer {
        let Some(key) = self.key_of(skb) else { return Answer::HotDrop };
        let now = jiffies(skb.now_ns);
        let shared: &mut Shared = world.shared;
        let Some(table) = shared.hashlimit.get_mut(&self.key) else { return Answer::No };
        if table.swept.is_none_or(|swept| now - swept >= self.sweep_ticks) {
            if table.swept.is_some() {
                table.buckets.retain(|_, bucket| now < bucket.expires);
            }
            table.swept = Some(now);
        }
        let full = table.buckets.len() >= self.most_buckets;
        let bucket = match table.buckets.get_mut(&key) {
            Some(bucket) => {
                bucket.expires = now + self.expire_ticks;
                self.refill(bucket, now);
                bucket
            }
            None if full => return Answer::HotDrop,
            None => table.buckets.entry(key).or_insert(self.fresh(now)),
        };
        Answer::from(self.spend(bucket, skb.len) != self.config.above)
    }
}
