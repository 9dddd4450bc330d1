//! The replay itself: captures once through, every packet to every candidate, in capture order.
//!
//! What depends on no rule is done once a packet: headers, conversation, evidence. Then the candidates run side by
//! side. One candidate judges its packets in order on one thread, for limits, sets and connections are shared by all
//! of them.

use super::candidate::{Candidate, Mode, Subject};
use super::flows::Flows;
use super::hits::{Hits, RulesetHits};
use super::machine::{Machine, Settings};
use super::outcome::{self, Scene};
use super::signatures::{Signature, Splits, signatures};
use super::skb::Skb;
use super::watch::{Mark, Watch};
use super::wiring::Way;
use crate::capture::{Batch, CaptureError, CaptureSet};
use crate::packet::outer;
use crate::report::FindingRecord;
use crate::ruleset::load::Loaded;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Frames and bytes of a batch.
const BATCH_FRAMES: usize = 16_384;
const BATCH_BYTES: usize = 32 << 20;

/// What to replay, and how.
pub struct Replay<'a> {
    /// Files, folders, patterns.
    pub captures: &'a [String],
    /// Candidates.
    pub rulesets: &'a [Loaded],
    /// Findings of these captures.
    pub findings: &'a [FindingRecord],
    /// Where the host stands, and which backend and sysctls it has.
    pub settings: Settings,
    /// Whether a drop has consequences.
    pub mode: Mode,
}

/// A candidate with what looks over its shoulder.
struct Runner<'a> {
    loaded: &'a Loaded,
    candidate: Candidate,
    signatures: Vec<Signature>,
    splits: Splits,
}

/// What came of a replay.
pub struct Replayed {
    /// What `hits.json` says.
    pub hits: Hits,
    /// Conversations of the captures.
    pub flows: Flows,
}

/// Runs the captures through the candidates. `progress` is told bytes read and bytes in all.
pub fn run(replay: &Replay<'_>, progress: &(dyn Fn(u64, Option<u64>) + Sync)) -> Result<Replayed, CaptureError> {
    let mut captures = CaptureSet::open(replay.captures)?;
    let names = captures.names();
    let mut runners: Vec<Runner<'_>> = replay.rulesets.iter().map(|loaded| Runner::new(loaded, replay)).collect();
    let mut common =
        Common { flows: Flows::default(), watch: Watch::new(replay.findings, &names), left: BTreeMap::new() };
    while let Some((batch, _)) = captures.next_batch(BATCH_FRAMES, BATCH_BYTES) {
        progress(captures.bytes_read(), captures.total_bytes());
        let (subjects, marks) = common.prepare(&batch, &replay.settings);
        runners.par_iter_mut().for_each(|runner| runner.run(&subjects, &marks));
    }
    let scene =
        Scene { findings: replay.findings, watched: common.watch.watched(), flows: &common.flows, captures: &names };
    let mut rulesets: Vec<RulesetHits> = runners.iter().map(|runner| runner.describe(&scene, replay.mode)).collect();
    number_equal_names(&mut rulesets);
    let changes =
        super::compare::changes(&scene, &rulesets, &runners.iter().map(|one| &one.candidate).collect::<Vec<_>>());
    let hits = Hits { rulesets, not_replayed: common.left, changes };
    Ok(Replayed { hits, flows: common.flows })
}

/// What is known of packets before any rule.
struct Common {
    flows: Flows,
    watch: Watch,
    left: BTreeMap<String, u64>,
}

impl Common {
    fn prepare<'a>(&mut self, batch: &'a Batch, settings: &Settings) -> (Vec<Subject<'a>>, Vec<Mark>) {
        let mut subjects = Vec::with_capacity(batch.len());
        let mut marks = Vec::new();
        for frame in (0..batch.len()).filter_map(|index| batch.frame(index)) {
            let found =
                outer(&frame).and_then(|found| Some((found, Skb::new(found.packet, found.link, frame.stamp.time_ns)?)));
            let Some((found, mut skb)) = found else {
                *self.left.entry("no IP packet".to_owned()).or_default() += 1;
                continue;
            };
            skb.vlan = found.vlan;
            if let Way::Nowhere(reason) = settings.wiring.way(&skb) {
                *self.left.entry(reason.to_owned()).or_default() += 1;
                continue;
            }
            let part = self.flows.add(&skb, frame.stamp);
            let payload = found.packet.get(part.payload as usize..skb.bytes.len()).unwrap_or_default();
            let number = u32::try_from(subjects.len()).unwrap_or(u32::MAX);
            self.watch.packet(number, frame.stamp, &part, payload, &mut marks);
            subjects.push(Subject { skb, stamp: frame.stamp, part });
        }
        (subjects, marks)
    }
}

impl<'a> Runner<'a> {
    fn new(loaded: &'a Loaded, replay: &Replay<'_>) -> Self {
        let machine = Machine::new(Arc::clone(&loaded.ruleset), &replay.settings);
        let signatures = signatures(&loaded.ruleset);
        let splits = Splits::new(&signatures);
        Self { loaded, candidate: Candidate::new(machine, replay.mode, replay.findings.len()), signatures, splits }
    }

    fn run(&mut self, subjects: &[Subject<'_>], marks: &[Mark]) {
        if !self.signatures.is_empty() {
            for subject in subjects {
                let payload = subject.skb.bytes.get(subject.part.payload as usize..).unwrap_or_default();
                self.splits.packet(subject.stamp, &subject.part, payload);
            }
        }
        self.candidate.run(subjects, marks);
    }

    fn describe(&self, scene: &Scene<'_>, mode: Mode) -> RulesetHits {
        let mut hits = RulesetHits {
            name: self.loaded.name.clone(),
            files: self.loaded.files.iter().map(|file| file.path.clone()).collect(),
            engine: "model".to_owned(),
            mode: mode.as_str().to_owned(),
            notes: self.loaded.ruleset.notes.iter().map(|note| format!("{}: {}", note.place, note.message)).collect(),
            ..RulesetHits::default()
        };
        hits.notes.extend(self.candidate.machine.notes());
        let found = (self.signatures.as_slice(), self.splits.found.as_slice());
        outcome::describe(scene, &self.loaded.ruleset, &self.candidate, found, &mut hits);
        hits
    }
}

/// Two candidates of one name would be told apart by nobody.
fn number_equal_names(rulesets: &mut [RulesetHits]) {
    let mut used: BTreeMap<String, u32> = BTreeMap::new();
    for ruleset in rulesets {
        let count = used.entry(ruleset.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            ruleset.name = format!("{}-{count}", ruleset.name);
        }
    }
}
