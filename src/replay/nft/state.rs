//! Statements that remember: `nft_counter.c`, `nft_limit.c`, `nft_quota.c`, `nft_connlimit.c`.
//!
//! The same ones stand in rules, in elements of sets and as named objects.

use super::packet::Info;
use crate::replay::conncount::ConnCount;
use crate::replay::skb::Skb;
use crate::replay::world::Connections;
use crate::ruleset::nft::{Limit, Quota, Statement};

/// What a step of a rule leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// `NFT_CONTINUE`.
    Go,
    /// `NFT_BREAK`.
    Break,
    /// `NF_DROP`.
    Drop,
}

impl Then {
    pub fn go_if(yes: bool) -> Self {
        if yes { Self::Go } else { Self::Break }
    }
}

/// A statement with memory.
#[derive(Debug, Clone)]
pub(super) enum State {
    Counter {
        packets: u64,
        bytes: u64,
    },
    Limit(LimitState),
    Quota(QuotaState),
    ConnLimit(Box<ConnLimitState>),
    /// `last`: the time is nowhere shown.
    Last,
}

/// What stateful statements look at.
pub(super) struct Subject<'s, 'p> {
    pub skb: &'s Skb<'p>,
    pub info: &'s Info,
    pub connections: &'s mut dyn Connections,
}

impl State {
    /// `None` if the statement has no memory.
    pub fn new(statement: &Statement) -> Option<Self> {
        Some(match statement {
            Statement::Counter { packets, bytes } => Self::Counter { packets: *packets, bytes: *bytes },
            Statement::Limit(limit) => Self::Limit(LimitState::new(limit)),
            Statement::Quota(quota) => Self::Quota(QuotaState::new(quota)),
            Statement::ConnLimit { count, over } => {
                Self::ConnLimit(Box::new(ConnLimitState { limit: *count, over: *over, list: ConnCount::default() }))
            }
            Statement::Last => Self::Last,
            _ => return None,
        })
    }

    pub fn run(&mut self, subject: &mut Subject) -> Then {
        match self {
            Self::Counter { packets, bytes } => {
                *packets += 1;
                *bytes += u64::from(subject.skb.len);
                Then::Go
            }
            Self::Limit(limit) => Then::go_if(limit.allows(subject.skb.len, subject.skb.now_ns)),
            Self::Quota(quota) => Then::go_if(quota.allows(subject.skb.len)),
            Self::ConnLimit(limit) => limit.run(subject),
            Self::Last => Then::Go,
        }
    }

    /// Packets and bytes, if it is a counter.
    pub fn tally(&self) -> Option<(u64, u64)> {
        match self {
            Self::Counter { packets, bytes } => Some((*packets, *bytes)),
            _ => None,
        }
    }
}

/// Runs the statements of an element in order (`nft_set_elem_update_expr`).
pub(super) fn run_all(states: &mut [State], subject: &mut Subject) -> Then {
    for state in states {
        match state.run(subject) {
            Then::Go => {}
            then => return then,
        }
    }
    Then::Go
}

/// Packets allowed at once if a packet limit names no burst.
const DEFAULT_BURST: u32 = 5;

/// A token bucket whose tokens are nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::replay) struct LimitState {
    tokens: u64,
    most: u64,
    last_ns: i64,
    /// Nanoseconds of the unit, and packets or bytes in it.
    unit_ns: u64,
    rate: u64,
    /// Price of a packet; 0 if bytes are counted.
    price: u64,
    over: bool,
}

impl LimitState {
    pub fn new(limit: &Limit) -> Self {
        let rate = limit.rate.max(1);
        let unit_ns = limit.per.max(1).saturating_mul(1_000_000_000);
        let burst = u64::from(if limit.burst == 0 && !limit.bytes { DEFAULT_BURST } else { limit.burst });
        let (price, most) = if limit.bytes {
            let most = u128::from(unit_ns) * (u128::from(rate) + u128::from(burst)) / u128::from(rate);
            (0, u64::try_from(most).unwrap_or(u64::MAX))
        } else {
            let price = unit_ns / rate;
            (price, price.saturating_mul(burst))
        };
        // The bucket is full when the ruleset is loaded, long before the first packet.
        Self { tokens: most, most, last_ns: i64::MIN, unit_ns, rate, price, over: limit.over }
    }

    /// Takes a packet's tokens; `true` if the rule goes on.
    pub fn allows(&mut self, len: u32, now_ns: i64) -> bool {
        let passed = u64::try_from(now_ns.saturating_sub(self.last_ns)).unwrap_or(0);
        let tokens = self.tokens.saturating_add(passed).min(self.most);
        self.last_ns = self.last_ns.max(now_ns);
        let price = if self.price > 0 { self.price } else { self.unit_ns.wrapping_mul(len.into()) / self.rate };
        match tokens.checked_sub(price) {
            Some(left) => {
                self.tokens = left;
                !self.over
            }
            None => {
                self.tokens = tokens;
                self.over
            }
        }
    }
}

/// Bytes used of a quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QuotaState {
    bytes: u64,
    used: u64,
    over: bool,
}

impl QuotaState {
    pub fn new(quota: &Quota) -> Self {
        Self { bytes: quota.bytes, used: quota.used, over: quota.over }
    }

    /// Uses a packet's bytes; `true` if the rule goes on.
    pub fn allows(&mut self, len: u32) -> bool {
        self.used = self.used.saturating_add(len.into());
        (self.used > self.bytes) == self.over
    }

    /// As the kernel lists it.
    pub fn used(&self) -> u64 {
        self.used.min(self.bytes)
    }
}

/// `ct count`.
#[derive(Debug, Clone)]
pub(super) struct ConnLimitState {
    limit: u32,
    over: bool,
    list: ConnCount,
}

impl ConnLimitState {
    fn run(&mut self, subject: &mut Subject) -> Then {
        let tuple_less = subject.skb.ct.is_none() && subject.info.protocol.is_none();
        if tuple_less {
            return Then::Drop;
        }
        let count = self.list.add(subject.skb, subject.connections);
        Then::go_if((count > self.limit) == self.over)
    }
}
