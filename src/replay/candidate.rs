//! One ruleset under test: every packet judged, and what came of it tallied by rule, conversation and finding.

use super::enforce::{Course, Fate};
use super::flows::{FlowId, Part};
use super::machine::{DecidedBy, Judge, Judgement};
use super::skb::Skb;
use super::watch::Mark;
use crate::evidence::Stamp;
use foldhash::fast::RandomState;
use std::collections::{BTreeSet, HashMap};

/// Whether a drop has consequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Each packet is judged as captured.
    Observe,
    /// What could not have been sent after a drop is not judged.
    #[default]
    Enforce,
}

impl Mode {
    /// As `--mode` and `hits.json` write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Enforce => "enforce",
        }
    }
}

/// A packet with what is known of it before any rule.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The packet.
    pub skb: Skb<'a>,
    /// Its frame.
    pub stamp: Stamp,
    /// Its conversation.
    pub part: Part,
}

/// What a rule came to.
#[derive(Debug, Clone, Default)]
pub struct RuleTally {
    /// Distinct conversations.
    pub flows: u64,
    /// First and last frame that it counted.
    pub frames: Option<(Stamp, Stamp)>,
    /// Findings whose evidence it counted.
    pub findings: BTreeSet<u32>,
}

/// What came of a conversation of which a packet was stopped.
#[derive(Debug, Clone, Copy)]
pub struct FlowTally {
    /// Packets stopped.
    pub stopped: u64,
    /// Packets never sent.
    pub unsent: u64,
    /// The first packet stopped, and by what.
    pub first: (Stamp, DecidedBy),
    /// The last packet stopped.
    pub last: (Stamp, DecidedBy),
}

/// What came of a finding's evidence.
#[derive(Debug, Clone, Default)]
pub struct FindingTally {
    /// Payload bytes from first to last evidence frame that arrived.
    pub bytes_passed: u64,
    /// Evidence frames that arrived.
    pub arrived: u32,
    /// Evidence frames that did not.
    pub stopped: u32,
    /// The first packet of it that did not arrive: stopped itself, or for want of an earlier one.
    pub first_stop: Option<(Stamp, Option<DecidedBy>)>,
    /// The rules that had counted that packet.
    pub way: Vec<u32>,
    /// The last rule that counted the first evidence packet which arrived.
    pub passed_by: Option<u32>,
    /// A rule with a part that is not modelled might have stopped it.
    pub doubtful: bool,
}

/// Rules beyond which the conversations of a rule are not counted one by one (a bit a rule and conversation).
const MAX_FLOW_BITS: usize = 1 << 31;

/// A candidate at work.
pub struct Candidate {
    /// Judges packets.
    pub judge: Box<dyn Judge>,
    mode: Mode,
    courses: Vec<Course>,
    /// Rules by number.
    pub rules: Vec<RuleTally>,
    /// Conversations of which something was stopped.
    pub flows: HashMap<FlowId, FlowTally, RandomState>,
    /// Findings by number.
    pub findings: Vec<FindingTally>,
    /// Packets by fate.
    pub verdicts: super::hits::Verdicts,
    seen: FlowBits,
    hits: Vec<u32>,
}

impl Candidate {
    /// A candidate before its first packet.
    pub fn new(judge: Box<dyn Judge>, mode: Mode, findings: usize) -> Self {
        let rules = judge.rule_count();
        Self {
            mode,
            courses: Vec::new(),
            rules: vec![RuleTally::default(); rules],
            flows: HashMap::default(),
            findings: vec![FindingTally::default(); findings],
            verdicts: Default::default(),
            seen: FlowBits::new(rules),
            hits: Vec::new(),
            judge,
        }
    }

    /// Judges the packets of a batch. `marks` are those of the batch, by packet.
    pub fn run(&mut self, subjects: &[Subject<'_>], marks: &[Mark]) {
        let mut marks = marks.iter().peekable();
        for (index, subject) in (0u32..).zip(subjects) {
            let (fate, by) = self.fate(subject);
            self.count(subject, fate, by);
            while let Some(mark) = marks.next_if(|mark| mark.packet <= index) {
                self.mark(subject, mark, fate, by);
            }
        }
    }

    fn fate(&mut self, subject: &Subject<'_>) -> (Fate, Option<DecidedBy>) {
        self.hits.clear();
        let at = subject.part.flow.0 as usize;
        if self.courses.len() <= at {
            self.courses.resize(at + 1, Course::default());
        }
        let enforce = self.mode == Mode::Enforce;
        let Some(course) = self.courses.get_mut(at) else { return (Fate::Passed, None) };
        if enforce && !course.is_plausible(&subject.part) {
            return (course.note(&subject.part, Fate::Unsent, false), None);
        }
        let judged = self.judge.run(subject.skb.clone(), &mut self.hits);
        let (fate, reset) = match judged.judgement {
            Judgement::Accept => (Fate::Passed, false),
            Judgement::Drop => (Fate::Dropped, false),
            Judgement::Reject { reset } => (Fate::Rejected, reset),
            Judgement::Held => (Fate::Held, false),
        };
        let fate = if enforce { course.note(&subject.part, fate, reset) } else { fate };
        (fate, judged.by)
    }

    fn count(&mut self, subject: &Subject<'_>, fate: Fate, by: Option<DecidedBy>) {
        let counter = match fate {
            Fate::Passed | Fate::Behind => &mut self.verdicts.accept,
            Fate::Dropped => &mut self.verdicts.drop,
            Fate::Rejected => &mut self.verdicts.reject,
            Fate::Unsent => &mut self.verdicts.unsent,
            Fate::Held => &mut self.verdicts.held,
        };
        *counter += 1;
        for &rule in &self.hits {
            if let Some(tally) = self.rules.get_mut(rule as usize) {
                let first = tally.frames.map_or(subject.stamp, |(first, _)| first);
                tally.frames = Some((first, subject.stamp));
                tally.flows += u64::from(self.seen.is_new(subject.part.flow, rule));
            }
        }
        if fate == Fate::Unsent {
            if let Some(flow) = self.flows.get_mut(&subject.part.flow) {
                flow.unsent += 1;
            }
        } else if fate.is_stopped() {
            let stop = (subject.stamp, by.unwrap_or(DecidedBy::Kernel("drop")));
            let new = FlowTally { stopped: 0, unsent: 0, first: stop, last: stop };
            let flow = self.flows.entry(subject.part.flow).or_insert(new);
            flow.stopped += 1;
            flow.last = stop;
        }
    }

    fn mark(&mut self, subject: &Subject<'_>, mark: &Mark, fate: Fate, by: Option<DecidedBy>) {
        let Some(tally) = self.findings.get_mut(mark.finding as usize) else { return };
        if mark.evidence {
            for &rule in &self.hits {
                if let Some(rule) = self.rules.get_mut(rule as usize) {
                    rule.findings.insert(mark.finding);
                }
            }
        }
        tally.doubtful |= self.judge.last_was_doubtful();
        if fate.arrived() {
            tally.bytes_passed += u64::from(subject.skb.len.saturating_sub(subject.part.payload));
            if mark.evidence && tally.arrived == 0 {
                tally.passed_by = self.hits.last().copied();
            }
            tally.arrived += u32::from(mark.evidence);
        } else {
            if tally.first_stop.is_none() {
                tally.first_stop = Some((subject.stamp, by));
                tally.way.clone_from(&self.hits);
            }
            tally.stopped += u32::from(mark.evidence);
        }
    }
}

/// Which rules have counted which conversations: a bit each.
struct FlowBits {
    rules: usize,
    bits: Vec<u64>,
}

impl FlowBits {
    fn new(rules: usize) -> Self {
        Self { rules, bits: Vec::new() }
    }

    /// `true` the first time. Past the limit of memory: always `false`, so that the number stays a lower bound.
    fn is_new(&mut self, flow: FlowId, rule: u32) -> bool {
        let words = self.rules.div_ceil(64);
        let at = flow.0 as usize * words + rule as usize / 64;
        if at >= MAX_FLOW_BITS / 64 {
            return false;
        }
        if self.bits.len() <= at {
            self.bits.resize((flow.0 as usize + 1) * words, 0);
        }
        let Some(word) = self.bits.get_mut(at) else { return false };
        let bit = 1 << (rule % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}
