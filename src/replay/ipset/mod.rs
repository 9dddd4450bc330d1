//! Sets of `ipset` at work: `net/netfilter/ipset/ip_set_*.c`.
//!
//! A packet's addresses, ports and so on are looked up as the set's dimensions say, networks from the longest prefix
//! down. Elements may live for a time, count, and be excepted (`nomatch`).

mod member;

use super::skb::{HookContext, Skb};
use crate::ruleset::ipset::{Dimension, Entry, IpSet, Storage, Value};
use crate::ruleset::model::Family;
use crate::ruleset::xt::CounterOp;
use foldhash::fast::RandomState;
use member::{Key, key_of, keys_of};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Elements that one written element may spread into, as a range of addresses or ports.
const MAX_SPREAD: usize = 1 << 20;
/// Sets in sets: a `list:set` holds no other.
const MAX_DEPTH: usize = 2;

/// All sets of a candidate.
#[derive(Debug, Default)]
pub struct IpSets {
    sets: Vec<State>,
    names: HashMap<Arc<str>, usize, RandomState>,
}

/// How a rule asks a set.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// For each dimension `true` if by source.
    pub by_source: Vec<bool>,
    /// Matches of excepted elements count, others do not.
    pub return_nomatch: bool,
    /// Leaves the counters alone.
    pub no_update: bool,
    /// Leaves the counters of sets in a list alone.
    pub no_update_members: bool,
    /// What the element's packets must be.
    pub packets: Option<(CounterOp, u64)>,
    /// What the element's bytes must be.
    pub bytes: Option<(CounterOp, u64)>,
}

/// A set at work.
#[derive(Debug)]
struct State {
    set: IpSet,
    members: HashMap<Key, Member, RandomState>,
    /// Prefix lengths in use, longest first by dimension.
    prefixes: BTreeSet<std::cmp::Reverse<[u8; 3]>>,
    /// Members of a list: indexes of sets.
    list: Vec<(usize, Member)>,
    started: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Member {
    nomatch: bool,
    /// Seconds that it lives, until the first packet; then when it ends.
    timeout: Option<u32>,
    ends_ns: Option<i64>,
    packets: u64,
    bytes: u64,
}

impl Member {
    fn of(entry: &Entry, set: &IpSet) -> Self {
        let timeout = entry.timeout.or(set.timeout).filter(|seconds| *seconds > 0);
        let (packets, bytes) = entry.counters.unwrap_or_default();
        Self {
            nomatch: entry.nomatch,
            timeout: timeout.filter(|_| set.timeout.is_some()),
            ends_ns: None,
            packets,
            bytes,
        }
    }

    fn is_there(&self, now_ns: i64) -> bool {
        self.ends_ns.is_none_or(|ends| now_ns < ends)
    }

    /// Counts the packet, and compares the counters as the question asks (`ip_set_match_extensions`).
    fn fits(&mut self, question: &Question, counters: bool, update: bool, len: u32) -> bool {
        if !counters {
            return true;
        }
        if update {
            self.packets += 1;
            self.bytes += u64::from(len);
        }
        let holds = |wanted: Option<(CounterOp, u64)>, is: u64| {
            wanted.is_none_or(|(op, value)| match op {
                CounterOp::Eq => is == value,
                CounterOp::Ne => is != value,
                CounterOp::Lt => is < value,
                CounterOp::Gt => is > value,
            })
        };
        holds(question.packets, self.packets) && holds(question.bytes, self.bytes)
    }
}

impl IpSets {
    /// The sets as loaded.
    pub fn new(sets: &[IpSet]) -> Self {
        let names: HashMap<Arc<str>, usize, RandomState> =
            sets.iter().enumerate().map(|(at, set)| (Arc::clone(&set.name), at)).collect();
        let states = sets.iter().map(|set| State::new(set, &names));
        Self { sets: states.collect(), names }
    }

    /// No sets at all.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Number of a set, for the questions of a rule.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// `true` if the packet is in the set.
    pub fn test(&mut self, number: usize, question: &Question, skb: &Skb<'_>, hook: &HookContext) -> bool {
        self.ask(number, question, skb, hook, MAX_DEPTH) == Some(true)
    }

    /// `Some(false)`: an excepted element matched.
    fn ask(
        &mut self,
        number: usize,
        question: &Question,
        skb: &Skb<'_>,
        hook: &HookContext,
        depth: usize,
    ) -> Option<bool> {
        let state = self.sets.get_mut(number)?;
        state.start(skb.now_ns);
        if state.set.storage == Storage::List {
            return self.ask_list(number, question, skb, hook, depth.checked_sub(1)?);
        }
        let family = if skb.is_v6() { Family::Ip6 } else { Family::Ip };
        let ports_only = state.set.dimensions == [Dimension::Port];
        if question.by_source.len() < state.set.dimensions.len() || (state.set.family != family && !ports_only) {
            return None;
        }
        let found = state.find(question, skb, hook)?;
        Some(found != question.return_nomatch)
    }

    fn ask_list(
        &mut self,
        number: usize,
        question: &Question,
        skb: &Skb<'_>,
        hook: &HookContext,
        depth: usize,
    ) -> Option<bool> {
        let inner = Question { no_update: question.no_update_members, packets: None, bytes: None, ..question.clone() };
        let len = self.sets.get(number)?.list.len();
        for at in 0..len {
            let (member, entry) = self.sets.get(number)?.list.get(at).copied()?;
            if !entry.is_there(skb.now_ns) || self.ask(member, &inner, skb, hook, depth) != Some(true) {
                continue;
            }
            let list = self.sets.get_mut(number)?;
            let counters = list.set.counters;
            let (_, entry) = list.list.get_mut(at)?;
            if entry.fits(question, counters, !question.no_update, skb.len) {
                return Some(true);
            }
        }
        None
    }

    /// Adds the packet's element, as `-j SET --add-set`.
    pub fn add(
        &mut self,
        number: usize,
        by_source: &[bool],
        exist: bool,
        timeout: Option<u32>,
        skb: &Skb<'_>,
        hook: &HookContext,
    ) {
        let Some(state) = self.sets.get_mut(number) else { return };
        state.start(skb.now_ns);
        let Some(mut key) = key_of(&state.set, by_source, skb, hook) else { return };
        if let Some(std::cmp::Reverse(longest)) = state.prefixes.first().filter(|_| state.has_networks()) {
            key = key.cut(longest, &state.set);
        }
        let seconds = timeout.or(state.set.timeout).filter(|seconds| *seconds > 0 && state.set.timeout.is_some());
        let ends_ns = seconds.map(|seconds| skb.now_ns + i64::from(seconds) * 1_000_000_000);
        let known = state.members.get(&key).is_some_and(|member| member.is_there(skb.now_ns));
        if known && !exist {
            return;
        }
        let now = skb.now_ns;
        if !known && state.members.len() >= state.set.maxelem as usize {
            state.members.retain(|_, member| member.is_there(now));
            if state.members.len() >= state.set.maxelem as usize && !state.set.forceadd {
                return;
            }
        }
        state.prefixes.insert(std::cmp::Reverse(key.prefixes()));
        state.members.insert(key, Member { ends_ns, ..Member::default() });
    }

    /// Takes the packet's element out, as `-j SET --del-set`.
    pub fn delete(&mut self, number: usize, by_source: &[bool], skb: &Skb<'_>, hook: &HookContext) {
        let Some(state) = self.sets.get_mut(number) else { return };
        if let Some(key) = key_of(&state.set, by_source, skb, hook) {
            state.members.remove(&key);
        }
    }
}

impl State {
    fn new(set: &IpSet, names: &HashMap<Arc<str>, usize, RandomState>) -> Self {
        let mut state = Self {
            set: IpSet { entries: Vec::new(), ..set.clone() },
            members: HashMap::default(),
            prefixes: BTreeSet::new(),
            list: Vec::new(),
            started: false,
        };
        for entry in &set.entries {
            let member = Member::of(entry, set);
            if let [Value::Set(name, _)] = entry.values.as_slice() {
                state.list.extend(names.get(name.as_str()).map(|at| (*at, member)));
                continue;
            }
            for key in keys_of(set, &entry.values).take(MAX_SPREAD) {
                state.prefixes.insert(std::cmp::Reverse(key.prefixes()));
                state.members.insert(key, member);
            }
        }
        state
    }

    /// Elements begin to live with the first packet: the set counts as loaded then.
    fn start(&mut self, now_ns: i64) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let all = self.members.values_mut().chain(self.list.iter_mut().map(|(_, member)| member));
        for member in all {
            member.ends_ns = member.timeout.map(|seconds| now_ns + i64::from(seconds) * 1_000_000_000);
        }
    }

    fn has_networks(&self) -> bool {
        self.set.dimensions.contains(&Dimension::Net)
    }

    /// `Some(true)` for a member, `Some(false)` for an excepted one.
    fn find(&mut self, question: &Question, skb: &Skb<'_>, hook: &HookContext) -> Option<bool> {
        let whole = key_of(&self.set, &question.by_source, skb, hook)?;
        let (counters, update) = (self.set.counters, !question.no_update);
        if !self.has_networks() {
            let member = self.members.get_mut(&whole).filter(|member| member.is_there(skb.now_ns))?;
            return member.fits(question, counters, update, skb.len).then_some(!member.nomatch);
        }
        for std::cmp::Reverse(prefixes) in &self.prefixes {
            let key = whole.cut(prefixes, &self.set);
            if let Some(member) = self.members.get_mut(&key).filter(|member| member.is_there(skb.now_ns))
                && member.fits(question, counters, update, skb.len)
            {
                return Some(!member.nomatch);
            }
        }
        None
    }
}
