//! The replay itself: captures once through, every packet to every candidate, in capture order.
//!
//! What depends on no rule is done once a packet: headers, conversation, evidence. Then the candidates run side by
//! side. One candidate judges its packets in order on one thread, for limits, sets and connections are shared by all
//! of them.

use super::candidate::{Candidate, Mode, Subject};
use super::engine::{self, Kept};
use super::flows::Flows;
use super::hits::{Hits, RulesetHits};
use super::kernel::KernelError;
use super::machine::{Judge, Machine, Settings};
use super::outcome::{self, Scene};
use super::place::{Named, Place};
use super::signatures::{Signature, Splits, signatures};
use super::skb::Skb;
use super::watch::{Mark, Watch};
use super::wiring::Way;
use crate::capture::{Batch, CaptureError, CaptureSet, Frame, Spool};
use crate::packet::{Outer, outer};
use crate::report::FindingRecord;
use crate::ruleset::load::Loaded;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Frames and bytes of a batch.
const BATCH_FRAMES: usize = 16_384;
const BATCH_BYTES: usize = 32 << 20;

/// What to replay, and how.
pub struct Replay<'a> {
    /// Files, folders, patterns.
    pub captures: &'a [String],
    /// What was kept of those that can be read only once.
    pub kept: &'a Spool,
    /// Candidates.
    pub rulesets: &'a [Loaded],
    /// Findings of these captures.
    pub findings: &'a [FindingRecord],
    /// Where the host stands, and which backend and sysctls it has.
    pub settings: Settings,
    /// Interfaces whose names somebody gave.
    pub named: Named,
    /// Whether a drop has consequences.
    pub mode: Mode,
    /// Who judges.
    pub engine: Engine,
}

/// Who judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// The model.
    #[default]
    Model,
    /// The kernel of this machine, packet by packet as captured.
    Kernel,
    /// Both, compared.
    Both,
}

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The captures could not be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The kernel engine failed.
    #[error("kernel engine: {0}")]
    Kernel(#[from] KernelError),
    /// More packets than the kernel engine takes.
    #[error("kernel engine: the captures hold more than {limit} bytes of packets, which are kept in memory for it")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// A candidate with what looks over its shoulder.
struct Runner<'a> {
    loaded: &'a Loaded,
    engine: &'static str,
    mode: Mode,
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
pub fn run(replay: &Replay<'_>, progress: &(dyn Fn(u64, Option<u64>) + Sync)) -> Result<Replayed, ReplayError> {
    let mut captures = CaptureSet::open_again(replay.captures, replay.kept)?;
    let names = captures.names();
    let mut runners = runners(replay, progress)?;
    let mut common = Common {
        flows: Flows::default(),
        watch: Watch::new(replay.findings, &names),
        left: BTreeMap::new(),
        through: 0,
    };
    while let Some((batch, _)) = captures.next_batch(BATCH_FRAMES, BATCH_BYTES) {
        progress(captures.bytes_read(), captures.total_bytes());
        let (subjects, marks) = common.prepare(&batch, &replay.settings);
        runners.par_iter_mut().for_each(|runner| runner.run(&subjects, &marks));
    }
    let place = Place { wiring: &replay.settings.wiring, named: replay.named };
    let scene = Scene {
        findings: replay.findings,
        watched: common.watch.watched(),
        flows: &common.flows,
        captures: &names,
        place: &place,
    };
    let mut rulesets: Vec<RulesetHits> = runners.iter().map(|runner| runner.describe(&scene)).collect();
    number_equal_names(&mut rulesets);
    compare_engines(&mut rulesets);
    let changes =
        super::compare::changes(&scene, &rulesets, &runners.iter().map(|one| &one.candidate).collect::<Vec<_>>());
    let mut assumptions = place.assumptions(common.through);
    if replay.engine != Engine::Model && replay.mode == Mode::Enforce {
        let why = "a kernel judges every packet as captured: observe instead of enforce, for the model beside it too";
        assumptions.push(why.to_owned());
    }
    let hits = Hits { rulesets, not_replayed: common.left, assumptions, changes };
    Ok(Replayed { hits, flows: common.flows })
}

/// What is known of packets before any rule.
struct Common {
    flows: Flows,
    watch: Watch,
    left: BTreeMap<String, u64>,
    /// Packets that the host forwards.
    through: u64,
}

impl Common {
    fn prepare<'a>(&mut self, batch: &'a Batch, settings: &Settings) -> (Vec<Subject<'a>>, Vec<Mark>) {
        let mut subjects = Vec::with_capacity(batch.len());
        let mut marks = Vec::new();
        for frame in (0..batch.len()).filter_map(|index| batch.frame(index)) {
            let Some((found, skb)) = packet_of(&frame) else {
                *self.left.entry("no IP packet".to_owned()).or_default() += 1;
                continue;
            };
            match settings.wiring.way(&skb) {
                Way::Nowhere(reason) => {
                    *self.left.entry(reason.to_owned()).or_default() += 1;
                    continue;
                }
                way => self.through += u64::from(matches!(way, Way::Through { .. })),
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

/// The candidates with their judges. The kernel's verdicts are taken down first, for all packets.
fn runners<'a>(
    replay: &Replay<'a>,
    progress: &(dyn Fn(u64, Option<u64>) + Sync),
) -> Result<Vec<Runner<'a>>, ReplayError> {
    let mut runners = Vec::new();
    let packets = if replay.engine == Engine::Model { Vec::new() } else { packets_for_kernel(replay)? };
    for loaded in replay.rulesets {
        if replay.engine != Engine::Kernel {
            let machine = Machine::audited(&loaded.ruleset, &replay.settings);
            // The kernel judges packets as captured; only so can the two be compared.
            let mode = if replay.engine == Engine::Both { Mode::Observe } else { replay.mode };
            runners.push(Runner::new(loaded, "model", Box::new(machine), mode, replay.findings.len()));
        }
        if replay.engine != Engine::Model {
            let total = packets.len() as u64;
            let mut sent = |count: u64| progress(count, Some(total));
            let recorded = engine::run(loaded, &replay.settings, &packets, &mut sent)?;
            runners.push(Runner::new(loaded, "kernel", Box::new(recorded), Mode::Observe, replay.findings.len()));
        }
    }
    Ok(runners)
}

/// Bytes of packets that are kept for the kernel engine.
const KERNEL_BYTES: usize = 2 << 30;

fn packets_for_kernel(replay: &Replay<'_>) -> Result<Vec<Kept>, ReplayError> {
    let mut captures = CaptureSet::open_again(replay.captures, replay.kept)?;
    let (mut packets, mut bytes) = (Vec::new(), 0usize);
    while let Some((batch, _)) = captures.next_batch(BATCH_FRAMES, BATCH_BYTES) {
        for frame in (0..batch.len()).filter_map(|index| batch.frame(index)) {
            let Some((found, skb)) = packet_of(&frame) else { continue };
            if !matches!(replay.settings.wiring.way(&skb), Way::Nowhere(_)) {
                bytes += found.packet.len();
                packets.push((frame.stamp.time_ns, found.link.to_vec(), found.packet.to_vec()));
            }
        }
        if bytes > KERNEL_BYTES {
            return Err(ReplayError::TooLarge { limit: KERNEL_BYTES });
        }
    }
    Ok(packets)
}

/// A frame's outermost IP packet, as found and as netfilter sees it.
fn packet_of<'a>(frame: &Frame<'a>) -> Option<(Outer<'a>, Skb<'a>)> {
    let found = outer(frame)?;
    let mut skb = Skb::new(found.packet, found.link, frame.stamp.time_ns)?;
    skb.vlan = found.vlan;
    Some((found, skb))
}

/// With both engines, the model's entry tells where the kernel's, which comes next, differs.
fn compare_engines(rulesets: &mut [RulesetHits]) {
    for at in 1..rulesets.len() {
        if let Some([model, kernel]) = rulesets.get_mut(at - 1..=at)
            && model.engine == "model"
            && kernel.engine == "kernel"
        {
            model.disagreements = kernel.disagreements.take();
        }
    }
    // Of the kernel alone nothing is compared.
    rulesets.iter_mut().filter(|one| one.engine == "kernel").for_each(|kernel| kernel.disagreements = None);
}

impl<'a> Runner<'a> {
    fn new(loaded: &'a Loaded, engine: &'static str, judge: Box<dyn Judge>, mode: Mode, findings: usize) -> Self {
        let signatures = signatures(&loaded.ruleset);
        let splits = Splits::new(&signatures);
        Self { loaded, engine, mode, candidate: Candidate::new(judge, mode, findings), signatures, splits }
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

    fn describe(&self, scene: &Scene<'_>) -> RulesetHits {
        let mut hits = RulesetHits {
            name: self.loaded.name.clone(),
            files: self.loaded.files.iter().map(|file| file.path.clone()).collect(),
            engine: self.engine.to_owned(),
            mode: self.mode.as_str().to_owned(),
            notes: self.loaded.ruleset.notes.iter().map(|note| format!("{}: {}", note.place, note.message)).collect(),
            ..RulesetHits::default()
        };
        hits.notes.extend(self.candidate.judge.notes());
        hits.disagreements = self.candidate.judge.disagreements();
        let found = (self.signatures.as_slice(), self.splits.found.as_slice());
        outcome::describe(scene, &self.loaded.ruleset, &self.candidate, found, &mut hits);
        hits
    }
}

/// Two candidates of one name would be told apart by nobody. Beside a model, the kernel's entry says so.
fn number_equal_names(rulesets: &mut [RulesetHits]) {
    let mut used: BTreeMap<String, u32> = BTreeMap::new();
    let has_model = rulesets.iter().any(|ruleset| ruleset.engine == "model");
    for ruleset in rulesets {
        if has_model && ruleset.engine == "kernel" {
            ruleset.name.push_str("-kernel");
        }
        let count = used.entry(ruleset.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            ruleset.name = format!("{}-{count}", ruleset.name);
        }
    }
}
