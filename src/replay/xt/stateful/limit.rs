//! `-m limit`: a token bucket. The legacy tool has `xt_limit.c`, which counts credits by ticks; iptables-nft hands
//! nf_tables a `limit` of its own, which counts nanoseconds.

use crate::replay::nft::LimitState;
use crate::replay::skb::{HookContext, Skb};
use crate::replay::tick::{HZ, ticks};
use crate::replay::world::{Answer, World};
use crate::replay::xt::{Backend, StatefulMatch};
use crate::ruleset::nft;
use crate::ruleset::xt::RateLimit;

/// `XT_LIMIT_SCALE`.
const SCALE: u32 = 10_000;

/// `HZ * CREDITS_PER_JIFFY`: a second's credits, the largest power of two for which a day's still fit 32 bits.
const CREDITS_PER_TICK: u32 = 1 << (u32::MAX / (HZ as u32 * 86_400)).ilog2();
const CREDITS_PER_SECOND: u32 = HZ as u32 * CREDITS_PER_TICK;

/// Either kind of bucket.
pub(super) enum Limit {
    Legacy(Credits),
    Nft(LimitState),
}

pub(super) fn prepare(limit: &RateLimit, backend: Backend) -> Limit {
    match backend {
        Backend::Legacy => Limit::Legacy(Credits::new(limit)),
        Backend::Nft => Limit::Nft(LimitState::new(&as_nft(limit))),
    }
}

/// `add_nft_limit` of iptables: the largest unit in which the rate is about a whole number.
fn as_nft(limit: &RateLimit) -> nft::Limit {
    let average = limit.average.max(1);
    let units = [86_400, 3_600, 60, 1].map(|seconds: u32| (seconds, seconds.saturating_mul(SCALE)));
    let fits = |&&(_, scaled): &&(u32, u32)| average <= scaled && scaled / average >= scaled % average;
    let (seconds, scaled) = match units.split_first() {
        Some((day, shorter)) => shorter.iter().take_while(fits).last().copied().unwrap_or(*day),
        None => (1, SCALE),
    };
    nft::Limit {
        rate: u64::from(scaled / average),
        per: u64::from(seconds),
        burst: limit.burst,
        bytes: false,
        over: false,
    }
}

/// `struct xt_rateinfo`.
pub(super) struct Credits {
    credit: u32,
    cap: u32,
    cost: u32,
    /// Tick of the last packet.
    last: Option<i64>,
}

impl Credits {
    fn new(limit: &RateLimit) -> Self {
        let cap = credits(limit.average.wrapping_mul(limit.burst));
        Self { credit: cap, cap, cost: credits(limit.average), last: None }
    }

    fn allows(&mut self, now: i64) -> bool {
        let passed = now.saturating_sub(self.last.unwrap_or(now)).max(0);
        let gained = u32::try_from(passed).unwrap_or(u32::MAX).wrapping_mul(CREDITS_PER_TICK);
        self.last = Some(now);
        let credit = self.credit.wrapping_add(gained).min(self.cap);
        let left = credit.checked_sub(self.cost);
        self.credit = left.unwrap_or(credit);
        left.is_some()
    }
}

/// `user2credits`.
fn credits(user: u32) -> u32 {
    if user > u32::MAX / CREDITS_PER_SECOND {
        (user / SCALE).wrapping_mul(CREDITS_PER_SECOND)
    } else {
        user * CREDITS_PER_SECOND / SCALE
    }
}

impl StatefulMatch for Limit {
    fn matches(&mut self, skb: &Skb<'_>, _: &HookContext, _: &mut World<'_>) -> Answer {
        Answer::from(match self {
            Self::Legacy(credits) => credits.allows(ticks(skb.now_ns)),
            Self::Nft(limit) => limit.allows(skb.len, skb.now_ns),
        })
    }
}
