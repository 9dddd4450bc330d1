//! `-m hashlimit`: a token bucket for each address, network or port (`xt_hashlimit.c`, revision 3).
//!
//! Rules with the same name share one table, which has the parameters of the first; the rule's own are whether bytes are
//! counted and which side of the limit matches. A bucket that was idle goes with the table's next collection and begins
//! full again, so that collections show in the counters.

use crate::replay::ipset::{bits, prefix_mask};
use crate::replay::skb::{HookContext, Skb};
use crate::replay::tick::{HZ, of_milliseconds, ticks};
use crate::replay::world::{Answer, World};
use crate::replay::xt::StatefulMatch;
use crate::ruleset::xt::HashLimit;
use foldhash::fast::RandomState;
use std::collections::{HashMap, VecDeque};

/// `XT_HASHLIMIT_SCALE_v2`.
const SCALE: u64 = 1_000_000;

/// `CREDITS_PER_JIFFY`: the largest power of two for which a day's credits fit 64 bits.
const CREDITS_PER_TICK: u64 = 1 << (u64::MAX / (HZ as u64 * 86_400)).ilog2();

/// `CREDITS_PER_JIFFY_BYTES`: the same for a second's and 32 bits.
const BYTE_CREDITS_PER_TICK: u64 = 1 << (u32::MAX / HZ as u32).ilog2();
const BYTE_CREDITS_PER_SECOND: u64 = HZ as u64 * BYTE_CREDITS_PER_TICK;

/// `XT_HASHLIMIT_BYTE_SHIFT`: bytes are counted in chunks of 16.
const BYTE_SHIFT: u32 = 4;

/// Buckets of a table that a host with more than a gigabyte of memory makes, and entries a bucket.
const BUCKETS: u32 = 8192;
const ENTRIES_PER_BUCKET: u32 = 8;

/// Entries at most, whatever a rule says.
const MOST: usize = 1 << 22;

/// Milliseconds between collections, and seconds until an idle entry of a byte limit goes (without and with a burst).
const GC_INTERVAL: u32 = 1000;
const BYTE_EXPIRE: u32 = 15;
const BYTE_EXPIRE_BURST: u32 = 60;

/// `NEXTHDR_NONE`.
const NO_NEXT_HEADER: u8 = 59;

mod mode {
    pub const DESTINATION: u32 = 1;
    pub const DESTINATION_PORT: u32 = 2;
    pub const SOURCE: u32 = 4;
    pub const SOURCE_PORT: u32 = 8;
}

/// All tables by name and family.
#[derive(Debug, Default)]
pub(super) struct HashLimits {
    tables: Vec<Table>,
    names: HashMap<(String, bool), usize, RandomState>,
}

impl HashLimits {
    pub fn prepare(&mut self, limit: &HashLimit, v6: bool) -> Limited {
        let tables = &mut self.tables;
        let table = *self.names.entry((limit.name.clone(), v6)).or_insert_with(|| {
            tables.push(Table::new(limit, v6));
            tables.len() - 1
        });
        Limited { table, above: limit.above, bytes: limit.bytes, by_rate: limit.rate_match.is_some() }
    }

    /// Collections are counted from the first packet on.
    pub fn start(&mut self, now_ns: i64) {
        for table in &mut self.tables {
            table.epoch = ticks(now_ns);
        }
    }
}

/// A rule's match.
pub(super) struct Limited {
    table: usize,
    above: bool,
    bytes: bool,
    by_rate: bool,
}

/// What a bucket is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Key {
    src: u128,
    dst: u128,
    ports: u32,
}

/// `struct xt_hashlimit_htable`.
#[derive(Debug)]
struct Table {
    limit: HashLimit,
    width: u8,
    most: usize,
    /// Ticks between collections, and until an idle bucket goes.
    gc_interval: i64,
    expire: i64,
    epoch: i64,
    buckets: HashMap<Key, Bucket, RandomState>,
    /// Buckets in the order of their end as it was when they were put here.
    ends: VecDeque<(i64, Key)>,
}

/// `struct dsthash_ent`.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    expires: i64,
    last: i64,
    credit: u64,
    cap: u64,
    cost: u64,
    /// Of `--hashlimit-rate-match`: what this interval had, and whether the last had too much.
    current: u64,
    was_over: bool,
}

impl StatefulMatch for Limited {
    fn matches(&mut self, skb: &Skb<'_>, _: &HookContext, world: &mut World<'_>) -> Answer {
        let Some(table) = world.shared.hashlimits.tables.get_mut(self.table) else { return Answer::No };
        let now = ticks(skb.now_ns);
        table.collect(now);
        let Some(key) = table.key(skb) else { return Answer::HotDrop };
        match table.bucket(key, now) {
            Some(bucket) => Answer::from(self.is_below(bucket, skb.len) != self.above),
            None => Answer::HotDrop,
        }
    }
}

/// What a table and a rule ask of a bucket.
struct Filled<'a> {
    bucket: &'a mut Bucket,
    rate_burst: u64,
}

impl Limited {
    fn is_below(&self, filled: Filled<'_>, len: u32) -> bool {
        let Filled { bucket, rate_burst } = filled;
        if self.by_rate {
            bucket.current = bucket.current.saturating_add(if self.bytes { len.into() } else { 1 });
            return !bucket.was_over && bucket.current <= rate_burst;
        }
        let cost = if self.bytes { bucket.byte_cost(len) } else { bucket.cost };
        match bucket.credit.checked_sub(cost) {
            Some(left) => {
                bucket.credit = left;
                true
            }
            None => false,
        }
    }
}

impl Bucket {
    /// `hashlimit_byte_cost`: when the credit is used up, the burst refills it.
    fn byte_cost(&mut self, len: u32) -> u64 {
        let chunks = u64::from(len >> BYTE_SHIFT) + 1;
        let cost = chunks.saturating_mul(self.cost).min(BYTE_CREDITS_PER_SECOND);
        if self.credit < cost && self.cap > 0 {
            self.cap -= 1;
            self.credit = BYTE_CREDITS_PER_SECOND;
        }
        cost
    }
}

impl Table {
    fn new(limit: &HashLimit, v6: bool) -> Self {
        let buckets = if limit.size > 0 { limit.size } else { BUCKETS };
        let most = match limit.max {
            0 => buckets.saturating_mul(ENTRIES_PER_BUCKET),
            max => max.max(buckets),
        };
        let gc_interval = if limit.gc_interval > 0 { limit.gc_interval } else { GC_INTERVAL };
        Self {
            width: if v6 { 128 } else { 32 },
            most: (most as usize).min(MOST),
            gc_interval: of_milliseconds(gc_interval).max(1),
            expire: of_milliseconds(expire(limit)),
            epoch: 0,
            buckets: HashMap::default(),
            ends: VecDeque::new(),
            limit: limit.clone(),
        }
    }

    /// Takes out what had ended at the last collection (`htable_selective_cleanup`).
    fn collect(&mut self, now: i64) {
        let last = now - (now - self.epoch).rem_euclid(self.gc_interval);
        while let Some((end, key)) = self.ends.front().copied() {
            if end > last {
                break;
            }
            self.ends.pop_front();
            match self.buckets.get(&key).map(|bucket| bucket.expires) {
                Some(expires) if expires <= last => drop(self.buckets.remove(&key)),
                Some(expires) => self.ends.push_back((expires, key)),
                None => {}
            }
        }
    }

    /// `hashlimit_init_dst`. `None`: the ports are cut off, or IPv6 headers lead to none (`ipv6_skip_exthdr`).
    fn key(&self, skb: &Skb<'_>) -> Option<Key> {
        let mut key = Key::default();
        let wants = |bit: u32| self.limit.mode & bit != 0;
        if wants(mode::DESTINATION) {
            key.dst = bits(skb.dst()) & prefix_mask(self.limit.dst_mask, self.width);
        }
        if wants(mode::SOURCE) {
            key.src = bits(skb.src()) & prefix_mask(self.limit.src_mask, self.width);
        }
        if !wants(mode::DESTINATION_PORT | mode::SOURCE_PORT) {
            return Some(key);
        }
        let protocol = skb.headers.protocol.filter(|protocol| !skb.is_v6() || *protocol != NO_NEXT_HEADER)?;
        let at = match protocol {
            _ if skb.is_v6() && skb.headers.fragment_offset > 0 => return Some(key),
            6 | 17 | 33 | 50 | 132 | 136 => 0,
            51 => 4,
            _ => return Some(key),
        };
        let [a, b, c, d] = *skb.transport().get(at..)?.first_chunk::<4>()?;
        let source = if wants(mode::SOURCE_PORT) { u16::from_be_bytes([a, b]) } else { 0 };
        let destination = if wants(mode::DESTINATION_PORT) { u16::from_be_bytes([c, d]) } else { 0 };
        key.ports = u32::from(source) << 16 | u32::from(destination);
        Some(key)
    }

    /// The bucket of a key, filled up to now. `None` if the table is full.
    fn bucket(&mut self, key: Key, now: i64) -> Option<Filled<'_>> {
        let rate_burst = self.rate_burst();
        let expires = now.saturating_add(self.expire);
        if !self.buckets.contains_key(&key) {
            if self.buckets.len() >= self.most {
                return None;
            }
            self.ends.push_back((expires, key));
        }
        let limit = &self.limit;
        let bucket = self.buckets.entry(key).or_insert_with(|| new_bucket(limit, now));
        bucket.expires = expires;
        refill(bucket, limit, now);
        Some(Filled { bucket, rate_burst })
    }

    /// What an interval may have (`rateinfo_init`).
    fn rate_burst(&self) -> u64 {
        let rate = rate(&self.limit);
        match (self.limit.bytes, self.limit.burst) {
            (false, burst) => burst.saturating_add(rate),
            (true, 0) => rate,
            (true, burst) => burst.saturating_mul(rate),
        }
    }
}

/// `user2rate` and `user2rate_bytes`: packets or bytes a second.
fn rate(limit: &HashLimit) -> u64 {
    if !limit.bytes {
        return SCALE.checked_div(limit.average).unwrap_or(0);
    }
    let max = u64::from(u32::MAX);
    max.checked_div(limit.average & max).unwrap_or(max).saturating_sub(1) << BYTE_SHIFT
}

/// `rateinfo_init`.
fn new_bucket(limit: &HashLimit, now: i64) -> Bucket {
    let (credit, cap, cost) = if limit.bytes {
        let average = limit.average & u64::from(u32::MAX);
        let cost = average.wrapping_mul(BYTE_CREDITS_PER_SECOND) >> 32;
        (BYTE_CREDITS_PER_SECOND, limit.burst, cost)
    } else {
        let full = credits(limit.average.wrapping_mul(limit.burst));
        (full, full, credits(limit.average))
    };
    Bucket { expires: now, last: now, credit, cap, cost, current: 0, was_over: false }
}

/// `user2credits`.
fn credits(user: u64) -> u64 {
    user.wrapping_mul(HZ as u64 * CREDITS_PER_TICK / SCALE)
}

/// `rateinfo_recalc`.
fn refill(bucket: &mut Bucket, limit: &HashLimit, now: i64) {
    let passed = u64::try_from(now.saturating_sub(bucket.last)).unwrap_or(0);
    if passed == 0 {
        return;
    }
    if let Some(seconds) = limit.rate_match {
        let interval = u64::from(seconds) * HZ as u64;
        if passed >= interval {
            bucket.last = now;
            bucket.was_over = bucket.current.saturating_mul(interval) > passed.saturating_mul(rate(limit));
            bucket.current = 0;
        }
        return;
    }
    bucket.last = now;
    let (gain, cap) =
        if limit.bytes { (BYTE_CREDITS_PER_TICK, BYTE_CREDITS_PER_SECOND) } else { (CREDITS_PER_TICK, bucket.cap) };
    bucket.credit = bucket.credit.saturating_add(gain.saturating_mul(passed)).min(cap);
}

/// Milliseconds until an idle bucket goes, as user space computes them when a rule does not say: the unit of the rate.
fn expire(limit: &HashLimit) -> u32 {
    if limit.expire > 0 {
        return limit.expire;
    }
    if limit.bytes {
        return 1000 * if limit.burst > 0 { BYTE_EXPIRE_BURST } else { BYTE_EXPIRE };
    }
    let average = limit.average.max(1);
    let fits = |seconds: &&u32| {
        let scaled = u64::from(**seconds) * SCALE;
        average <= scaled && scaled / average >= scaled % average
    };
    1000 * [3_600, 60, 1].iter().take_while(fits).last().copied().unwrap_or(86_400)
}
