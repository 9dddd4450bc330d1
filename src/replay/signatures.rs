//! Signatures of string rules that cross where a packet filter cannot see them: split over two packets of a TCP
//! stream, or in a conversation that is encrypted or compressed.
//!
//! Every in-order payload is searched together with the end of the one before it, for what lies across the border. A
//! gap or a segment out of order ends a stream's memory: what is reported was there, what was there may be missed.

use super::flows::{Flow, FlowId, Flows, Part};
use crate::evidence::{Stamp, Transport};
use crate::ruleset::model::{Body, Ruleset};
use crate::ruleset::xt::{Head, Inv, Match, PortSide, Range};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use foldhash::fast::RandomState;
use std::collections::{BTreeSet, HashMap};

/// A string that a rule looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Bytes.
    pub pattern: Vec<u8>,
    /// Letters of either case.
    pub icase: bool,
    /// The rule, by its number within the ruleset.
    pub rule: u32,
}

/// The signatures of a ruleset: rules of iptables with `-m string` that is not negated.
pub fn signatures(ruleset: &Ruleset) -> Vec<Signature> {
    let mut found = Vec::new();
    for (number, (_, _, rule)) in (0u32..).zip(ruleset.rules()) {
        let Body::Xt(body) = &rule.body else { continue };
        found.extend(body.matches.iter().filter_map(|extension| match extension {
            Match::String(string) if !string.pattern.not && string.pattern.value.len() > 1 => {
                Some(Signature { pattern: string.pattern.value.clone(), icase: string.icase, rule: number })
            }
            _ => None,
        }));
    }
    found
}

/// Where a signature was found across a border.
#[derive(Debug, Clone, Default)]
pub struct Split {
    /// Conversations.
    pub flows: BTreeSet<FlowId>,
    /// The packet that completed it first.
    pub first: Option<Stamp>,
}

#[derive(Debug, Default)]
struct Tail {
    next: Option<u32>,
    bytes: Vec<u8>,
}

/// Conversations whose ends of payload are kept. Beyond it the memory is emptied.
const MAX_TAILS: usize = 65_536;

/// Searches streams for signatures of one ruleset.
#[derive(Debug)]
pub struct Splits {
    exact: Option<(AhoCorasick, Vec<usize>)>,
    folded: Option<(AhoCorasick, Vec<usize>)>,
    longest: usize,
    tails: HashMap<(FlowId, u8), Tail, RandomState>,
    /// By signature.
    pub found: Vec<Split>,
    window: Vec<u8>,
}

impl Splits {
    /// Looks for signatures.
    pub fn new(signatures: &[Signature]) -> Self {
        let build = |icase: bool| {
            let chosen: Vec<usize> =
                signatures.iter().enumerate().filter(|(_, one)| one.icase == icase).map(|(at, _)| at).collect();
            let patterns = signatures.iter().filter(|one| one.icase == icase).map(|one| &one.pattern);
            let automaton = AhoCorasick::builder()
                .ascii_case_insensitive(icase)
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(patterns)
                .ok()?;
            (!chosen.is_empty()).then_some((automaton, chosen))
        };
        Self {
            exact: build(false),
            folded: build(true),
            longest: signatures.iter().map(|one| one.pattern.len()).max().unwrap_or(0),
            tails: HashMap::default(),
            found: vec![Split::default(); signatures.len()],
            window: Vec::new(),
        }
    }

    /// The next packet of a conversation.
    pub fn packet(&mut self, stamp: Stamp, part: &Part, payload: &[u8]) {
        let Some(segment) = part.segment.filter(|_| self.longest > 0 && !payload.is_empty()) else { return };
        if self.tails.len() >= MAX_TAILS {
            self.tails.clear();
        }
        let edge = self.longest - 1;
        let tail = self.tails.entry((part.flow, part.direction)).or_default();
        let next = segment.seq.wrapping_add(payload.len() as u32);
        if tail.next.is_some_and(|expected| (expected.wrapping_sub(segment.seq) as i32) > 0) {
            return; // sent again
        }
        if tail.next != Some(segment.seq) {
            tail.bytes.clear();
        }
        tail.next = Some(next);
        let border = tail.bytes.len();
        self.window.clear();
        self.window.extend_from_slice(&tail.bytes);
        self.window.extend_from_slice(payload.get(..edge).unwrap_or(payload));
        if payload.len() >= edge {
            tail.bytes.clear();
        }
        tail.bytes.extend_from_slice(payload.get(payload.len().saturating_sub(edge)..).unwrap_or_default());
        let surplus = tail.bytes.len().saturating_sub(edge);
        tail.bytes.drain(..surplus);
        if border == 0 {
            return;
        }
        for (automaton, numbers) in [&self.exact, &self.folded].into_iter().flatten() {
            let hits = automaton.find_overlapping_iter(self.window.as_slice());
            for hit in hits.filter(|hit| hit.start() < border && hit.end() > border) {
                let number = numbers.get(hit.pattern().as_usize());
                if let Some(split) = number.and_then(|number| self.found.get_mut(*number)) {
                    split.flows.insert(part.flow);
                    split.first.get_or_insert(stamp);
                }
            }
        }
    }
}

/// `true` if a rule's protocol and ports let it look at packets of a conversation, in either direction.
pub fn concerns(head: &Head, matches: &[Match], flow: &Flow) -> bool {
    let protocol = head.protocol.is_none_or(|wanted| wanted.not != (wanted.value == flow.transport.number()));
    let ends = [(flow.orig.port(), flow.resp.port()), (flow.resp.port(), flow.orig.port())];
    protocol && ends.into_iter().any(|(src, dst)| matches.iter().all(|one| allows(one, flow.transport, src, dst)))
}

fn allows(extension: &Match, transport: Transport, src: u16, dst: u16) -> bool {
    let fits = |wanted: &Option<Inv<Range<u16>>>, port: u16| {
        wanted.is_none_or(|wanted| wanted.not != (wanted.value.low <= port && port <= wanted.value.high))
    };
    match extension {
        Match::Tcp { sports, dports, .. } => transport == Transport::Tcp && fits(sports, src) && fits(dports, dst),
        Match::Udp { sports, dports } => transport == Transport::Udp && fits(sports, src) && fits(dports, dst),
        Match::MultiPort { side, ports } => {
            let within = |port: u16| ports.value.iter().any(|range| range.low <= port && port <= range.high);
            let hit = match side {
                PortSide::Source => within(src),
                PortSide::Destination => within(dst),
                PortSide::Either => within(src) || within(dst),
            };
            hit != ports.not
        }
        _ => true,
    }
}

/// Conversations that rules cannot read from some packet on: how many, and the first such packet.
pub fn unreadable<'a>(flows: &'a Flows, mark: impl Fn(&'a Flow) -> Option<Stamp>) -> Vec<(&'a Flow, Stamp)> {
    flows.all().iter().filter_map(|flow| Some((flow, mark(flow)?))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests
    use super::super::flows::Segment;
    use super::*;

    fn part(seq: u32, len: usize) -> Part {
        let segment = Some(Segment { seq, len: len as u32, ack: Some(1), flags: 0x18 });
        Part { flow: FlowId(0), direction: 0, segment, payload: 40 }
    }

    fn run(pattern: &str, icase: bool, packets: &[(u32, &str)]) -> usize {
        let one = Signature { pattern: pattern.into(), icase, rule: 0 };
        let mut splits = Splits::new(&[one]);
        for (seq, payload) in packets {
            splits.packet(Stamp::default(), &part(*seq, payload.len()), payload.as_bytes());
        }
        splits.found.first().unwrap().flows.len()
    }

    #[test]
    fn a_signature_over_a_border_is_found() {
        assert_eq!(run("password", false, &[(0, "xxpass"), (6, "word")]), 1);
        assert_eq!(run("password", false, &[(0, "pa"), (2, "s"), (3, "sw"), (5, "ord")]), 1);
        assert_eq!(run("password", true, &[(0, "xxPASS"), (6, "word")]), 1);
    }

    #[test]
    fn what_one_packet_holds_is_not_split() {
        assert_eq!(run("password", false, &[(0, "password"), (8, "password")]), 0);
        assert_eq!(run("password", false, &[(0, "xxPASS"), (6, "word")]), 0);
    }

    #[test]
    fn a_gap_or_a_copy_does_not_make_one() {
        assert_eq!(run("password", false, &[(0, "pass"), (5, "word")]), 0);
        assert_eq!(run("passpass", false, &[(0, "pass"), (0, "pass")]), 0);
        assert_eq!(run("password", false, &[(u32::MAX - 1, "pass"), (2, "word")]), 1, "numbers wrap");
    }
}
