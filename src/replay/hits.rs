//! What `hits.json` says. Field names and their order are the contract's.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Hits {
    /// One entry a candidate, in the order of the command line.
    pub rulesets: Vec<RulesetHits>,
    /// Packets of the captures that no ruleset was asked about, by reason.
    pub not_replayed: BTreeMap<String, u64>,
    /// What was assumed of the host and its place in the network, for nobody said it.
    #[serde(default)]
    pub assumptions: Vec<String>,
    /// How candidates differ, if there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// A candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct RulesetHits {
    /// Name of its first file, without folder and ending; numbered if two are equal.
    pub name: String,
    /// Its files.
    pub files: Vec<String>,
    /// `model` or `kernel`.
    pub engine: String,
    /// `observe` or `enforce`.
    pub mode: String,
    /// Base chains.
    pub chains: Vec<ChainHits>,
    /// Rules.
    pub rules: Vec<RuleHits>,
    /// Named counters, quotas and sets.
    pub objects: Vec<ObjectHits>,
    /// What became of the packets.
    pub verdicts: Verdicts,
    /// What became of the findings.
    pub findings: Vec<FindingOutcome>,
    /// Conversations without any finding of which packets were stopped.
    pub collateral: Vec<StoppedFlow>,
    /// Conversations of which packets were stopped, whose findings say only that they could be read by others.
    pub exposed: Vec<StoppedFlow>,
    /// Conversations of which packets were stopped and that have findings of what somebody did.
    pub hostile: Vec<StoppedFlow>,
    /// What rules could do at each layer.
    pub layers: BTreeMap<String, LayerReach>,
    /// Signatures that a rule looks for and that crossed where it cannot see them.
    pub evasions: Vec<Evasion>,
    /// What a person should know: constructs that are accepted and not modelled, answers that a capture cannot give.
    pub notes: Vec<String>,
    /// Differences between model and kernel, with `--engine both`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disagreements: Option<Vec<String>>,
}

/// A base chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[allow(missing_docs)] // the contract's words
pub struct ChainHits {
    pub family: String,
    pub table: String,
    pub chain: String,
    pub policy: String,
    /// Packets that its policy judged.
    pub packets: u64,
    pub bytes: u64,
}

/// What is known of a rule after a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum RuleState {
    /// Counted something.
    Hit,
    /// Counted nothing in these captures.
    #[default]
    NeverHit,
    /// Cannot count anything: an earlier rule takes all of it.
    Shadowed,
    /// Changes nothing: what follows decides the same.
    Redundant,
    /// Holds something that is not modelled, or that a capture cannot answer.
    Unknown,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[allow(missing_docs)] // the contract's words
pub struct RuleHits {
    pub family: String,
    pub table: String,
    pub chain: String,
    pub n: u32,
    pub text: String,
    pub file: String,
    pub line: u32,
    pub packets: u64,
    pub bytes: u64,
    pub flows: u64,
    pub first_frame: Option<u64>,
    pub last_frame: Option<u64>,
    /// Ids of findings whose evidence it counted.
    pub findings: Vec<String>,
    pub state: RuleState,
    pub note: String,
    /// The part of `note` that says what the rule's answer rests on.
    #[serde(skip)]
    pub assumed: Vec<String>,
}

impl RuleHits {
    /// Where it stands, for a sentence.
    pub fn place(&self) -> String {
        format!("{} {} rule {} ({}:{})", self.table, self.chain, self.n, self.file, self.line)
    }
}

/// A named object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[allow(missing_docs)] // the contract's words
pub struct ObjectHits {
    pub family: String,
    pub table: String,
    pub kind: String,
    pub name: String,
    pub packets: u64,
    pub bytes: u64,
}

/// What became of the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Verdicts {
    /// Reached their peer.
    pub accept: u64,
    /// Dropped without a word.
    pub drop: u64,
    /// Dropped, and the sender was told.
    pub reject: u64,
    /// Never sent, because of an earlier drop (`enforce`).
    pub unsent: u64,
    /// Fragments that still waited for others when the capture ended.
    pub held: u64,
}

/// What became of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing of its evidence arrived.
    Stopped,
    /// A part of its evidence arrived.
    Late,
    /// All of its evidence arrived.
    Missed,
}

/// What became of a finding, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingOutcome {
    /// Id, as in `findings.ndjson`.
    pub id: String,
    /// Outcome.
    pub outcome: Outcome,
    /// Frame where it was stopped.
    pub frame: Option<u64>,
    /// Payload bytes of the evidence that had arrived before.
    pub bytes_passed: u64,
    /// For `missed` the reason of the contract; else the rule that stopped it.
    pub reason: String,
    /// For `missed`: more of the reason, such as the rule that let the evidence through.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A conversation of which packets were stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoppedFlow {
    /// Community ID.
    pub flow: String,
    /// Transport.
    pub transport: String,
    /// Opener.
    pub src: String,
    /// Answerer.
    pub dst: String,
    /// Capture of the first packet stopped.
    pub capture: String,
    /// Frame of the first packet stopped.
    pub frame: u64,
    /// Packets stopped, or never sent because of it.
    pub packets: u64,
    /// All its packets.
    pub packets_total: u64,
    /// The rule that stopped the first.
    pub rule: String,
    /// Neither end is the host's own, in the host vantage: the host is no party to it.
    #[serde(default)]
    pub between_others: bool,
}

/// What a layer could do about the findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct LayerReach {
    /// Findings that some rule at this layer could stop at best.
    pub stoppable: u64,
    /// Of these, findings that it could stop without stopping a conversation that has no finding.
    pub stoppable_unharmed: u64,
    /// Findings that a rule of this ruleset at this layer did stop, or cut short.
    pub stopped: u64,
}

/// A signature that crossed where its rule cannot see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evasion {
    /// The rule, as `table chain n`.
    pub rule: String,
    /// `split`, `encrypted` or `compressed`.
    pub how: String,
    /// Conversations.
    pub flows: u64,
    /// The first of them: capture and frame.
    pub capture: String,
    /// See `capture`.
    pub frame: u64,
    /// In words.
    pub note: String,
}

/// Something that one candidate does and another does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `finding` or `flow`.
    pub what: String,
    /// Id of the finding, or Community ID of the conversation.
    pub id: String,
    /// What it is, on one line.
    pub title: String,
    /// Outcome by ruleset name.
    pub outcomes: BTreeMap<String, String>,
}
