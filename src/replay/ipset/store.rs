//! Members by element: `ip_set_hash_gen.h` and `ip_set_bitmap_gen.h`.
//!
//! A set of networks knows which prefix lengths it has, and looks a packet up once for each, longest first.

use super::element::{Element, Shape};
use super::member::{Gain, Member};
use super::{Found, Question, TestOptions};
use foldhash::fast::RandomState;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

/// Members that packets may add, whatever `maxelem` says.
const MOST: usize = 1 << 22;

/// Prefix lengths that are in use, longest first.
#[derive(Debug, Clone)]
pub(super) struct Prefixes {
    counts: Vec<u32>,
    present: Vec<u8>,
}

impl Prefixes {
    pub fn new() -> Self {
        Self { counts: vec![0; 129], present: Vec::new() }
    }

    pub fn add(&mut self, prefix: u8) {
        if let Some(count) = self.counts.get_mut(usize::from(prefix)) {
            *count += 1;
            if *count == 1 {
                let at = self.present.partition_point(|one| *one > prefix);
                self.present.insert(at, prefix);
            }
        }
    }

    pub fn remove(&mut self, prefix: u8) {
        if let Some(count) = self.counts.get_mut(usize::from(prefix)) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.present.retain(|one| *one != prefix);
            }
        }
    }

    pub fn longest_first(&self) -> &[u8] {
        &self.present
    }
}

/// The hardware address of a member of `bitmap:ip,mac`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beside {
    /// Not known yet: the first packet tells it, and only then begins the member's time.
    Unknown(Option<u32>),
    Known(u64),
}

/// A hash or a bitmap.
#[derive(Debug)]
pub(super) struct Store {
    pub shape: Shape,
    members: HashMap<Element, Member, RandomState>,
    prefixes: [Prefixes; 2],
    most: usize,
    /// Elements in the order of their coming, if one makes room for another (`forceadd`).
    queue: Option<VecDeque<Element>>,
    /// Ends of members; some are out of date.
    ends: BinaryHeap<Reverse<(i64, u64)>>,
    /// Elements by their number in `ends`.
    ending: HashMap<u64, Element, RandomState>,
    serial: u64,
    beside: HashMap<Element, Beside, RandomState>,
}

impl Store {
    pub fn new(shape: Shape, most: usize, forceadd: bool) -> Self {
        Self {
            most: if shape.bitmap { MOST } else { most.min(MOST) },
            shape,
            members: HashMap::default(),
            prefixes: [Prefixes::new(), Prefixes::new()],
            queue: forceadd.then(VecDeque::new),
            ends: BinaryHeap::new(),
            ending: HashMap::default(),
            serial: 0,
            beside: HashMap::default(),
        }
    }

    /// Makes ticks to live into times.
    pub fn start(&mut self, now: i64) {
        self.members.values_mut().for_each(|member| member.start(now));
        let ends = std::mem::take(&mut self.ends);
        self.ends = ends.into_iter().map(|Reverse((end, n))| Reverse((end.saturating_add(now), n))).collect();
    }

    /// `kadt` with `IPSET_TEST`.
    pub fn test(&mut self, ask: &Question<'_>, options: &TestOptions, counters: bool, now: i64) -> Found {
        let Some(element) = self.shape.of_packet(ask) else { return Found::No };
        let len = ask.skb.len;
        if self.shape.networks == [false; 2] {
            if self.shape.has_macs_beside() {
                return self.test_with_mac(&element, ask, options, counters, now);
            }
            return found(self.members.get_mut(&element), len, options, counters, now);
        }
        let width = [self.shape.width];
        let [first, second] = &self.prefixes;
        let [network, other_network] = self.shape.networks;
        let first = if network { first.longest_first() } else { &width };
        let second = if other_network { second.longest_first() } else { &width };
        for &one in first {
            for &other in second {
                let cut = self.shape.cut(&element, [one, other]);
                let answer = found(self.members.get_mut(&cut), len, options, counters, now);
                if answer != Found::No {
                    return answer;
                }
            }
        }
        Found::No
    }

    /// `bitmap_ipmac_do_test`: an address without a hardware address takes that of the packet.
    fn test_with_mac(
        &mut self,
        element: &Element,
        ask: &Question<'_>,
        options: &TestOptions,
        counters: bool,
        now: i64,
    ) -> Found {
        let Some(mac) = self.shape.mac_of_packet(ask) else { return Found::No };
        match self.beside.get(element).copied() {
            Some(Beside::Known(known)) if known != mac => Found::No,
            Some(Beside::Unknown(seconds)) if self.members.contains_key(element) => {
                let gain = Gain { seconds, packets: 1, bytes: ask.skb.len.into(), ..Gain::default() };
                self.put(*element, &gain, now);
                self.beside.insert(*element, Beside::Known(mac));
                Found::Yes(None)
            }
            _ => found(self.members.get_mut(element), ask.skb.len, options, counters, now),
        }
    }

    /// A packet's element, with networks cut to the longest prefix that is in the set (`INIT_CIDR`).
    fn own_element(&self, ask: &Question<'_>) -> Option<Element> {
        let element = self.shape.of_packet(ask)?;
        let longest = |prefixes: &Prefixes| prefixes.longest_first().first().copied().unwrap_or(self.shape.width);
        let [first, second] = &self.prefixes;
        let [network, other_network] = self.shape.networks;
        let first = if network { longest(first) } else { self.shape.width };
        let second = if other_network { longest(second) } else { self.shape.width };
        Some(self.shape.cut(&element, [first, second]))
    }

    /// `kadt` with `IPSET_ADD`.
    pub fn add_packet(&mut self, ask: &Question<'_>, gain: Gain, exist: bool, now: i64) -> bool {
        let Some(element) = self.own_element(ask) else { return false };
        if self.shape.has_macs_beside() {
            let Some(mac) = self.shape.mac_of_packet(ask) else { return false };
            if self.is_there(&element, now) && !exist {
                return false;
            }
            self.beside.insert(element, Beside::Known(mac));
        }
        self.add(element, &gain, exist, now)
    }

    /// A hardware address as a file gives it.
    pub fn set_beside(&mut self, element: Element, beside: Beside) {
        self.beside.insert(element, beside);
    }

    /// `kadt` with `IPSET_DEL`.
    pub fn delete_packet(&mut self, ask: &Question<'_>, now: i64) -> bool {
        let Some(element) = self.own_element(ask) else { return false };
        self.is_there(&element, now) && self.remove(&element)
    }

    fn is_there(&self, element: &Element, now: i64) -> bool {
        self.members.get(element).is_some_and(|member| member.is_alive(now))
    }

    /// `mtype_add`: `false` if it is there, or the set is full.
    pub fn add(&mut self, element: Element, gain: &Gain, exist: bool, now: i64) -> bool {
        if self.members.contains_key(&element) {
            let may = exist || !self.is_there(&element, now);
            if may {
                self.put(element, gain, now);
            }
            return may;
        }
        if self.members.len() >= self.most {
            self.collect(now);
        }
        if self.members.len() >= self.most && !self.make_room() {
            return false;
        }
        self.put(element, gain, now);
        true
    }

    fn put(&mut self, element: Element, gain: &Gain, now: i64) {
        let member = Member::new(gain, now);
        if let Some(end) = member.end() {
            self.note_end(element, end);
        }
        if self.members.insert(element, member).is_none() {
            for (prefixes, prefix) in self.prefixes.iter_mut().zip(element.prefixes) {
                prefixes.add(prefix);
            }
            if let Some(queue) = &mut self.queue {
                queue.push_back(element);
            }
        }
    }

    fn remove(&mut self, element: &Element) -> bool {
        if self.members.remove(element).is_none() {
            return false;
        }
        self.beside.remove(element);
        for (prefixes, prefix) in self.prefixes.iter_mut().zip(element.prefixes) {
            prefixes.remove(prefix);
        }
        true
    }

    /// Remembers when a member ends. What is out of date goes when there is more of it than of members.
    fn note_end(&mut self, element: Element, end: i64) {
        if self.ends.len() > 2 * self.members.len() + 64 {
            let alive: Vec<(i64, Element)> =
                self.members.iter().filter_map(|(element, member)| Some((member.end()?, *element))).collect();
            self.ends.clear();
            self.ending.clear();
            for (end, element) in alive {
                self.push_end(element, end);
            }
        }
        self.push_end(element, end);
    }

    fn push_end(&mut self, element: Element, end: i64) {
        self.serial += 1;
        self.ends.push(Reverse((end, self.serial)));
        self.ending.insert(self.serial, element);
    }

    /// Takes out what has ended (`mtype_gc_do`).
    fn collect(&mut self, now: i64) {
        while let Some(Reverse((end, number))) = self.ends.peek().copied() {
            if end >= now {
                break;
            }
            self.ends.pop();
            if let Some(element) = self.ending.remove(&number)
                && self.members.get(&element).is_some_and(|member| !member.is_alive(now))
            {
                self.remove(&element);
            }
        }
    }

    /// Ends that are remembered, past ones included.
    #[cfg(test)]
    pub fn remembered_ends(&self) -> usize {
        self.ends.len().max(self.ending.len())
    }

    /// `forceadd`: the oldest member goes.
    fn make_room(&mut self) -> bool {
        while let Some(oldest) = self.queue.as_mut().and_then(VecDeque::pop_front) {
            if self.remove(&oldest) {
                return true;
            }
        }
        false
    }
}

fn found(member: Option<&mut Member>, len: u32, options: &TestOptions, counters: bool, now: i64) -> Found {
    let Some(member) = member else { return Found::No };
    if !member.lets(len, options, counters, now) {
        return Found::No;
    }
    if member.nomatch { Found::Exception } else { Found::Yes(member.info()) }
}
