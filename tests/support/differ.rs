//! A random case through the model and through the kernel, and what they disagree on.

use super::random_rules::{OwnedPacket, RandomCase, coverage};
use jabberscope::replay::conntrack::{self, Checksums};
use jabberscope::replay::kernel::{self, FileKind, KernelError, KernelResult, PacketVerdict};
use jabberscope::replay::machine::{self, Judge, Judgement, Machine};
use jabberscope::replay::skb::Skb;
use jabberscope::replay::wiring::{self, Wiring};
use jabberscope::replay::world::Routes;
use jabberscope::replay::xt::Backend;
use jabberscope::ruleset::error::RuleError;
use jabberscope::ruleset::load::{Language, RuleFile, assemble};
use jabberscope::ruleset::model::{Family, Ruleset};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// What is counted: a rule as `ip filter FORWARD 3`, a policy, an object, or a packet's verdict.
pub type Counts = BTreeMap<String, (u64, u64)>;

/// What both said to a case.
pub struct Compared {
    /// What they disagree on, a sentence each.
    pub disagreements: Vec<String>,
    /// Rules of the case, and how many of them counted.
    pub rules: (usize, usize),
}

/// Why a case cannot be compared.
#[derive(Debug)]
pub enum Failure {
    /// The model's parser refuses what the kernel's tools take.
    Refused(RuleError),
    /// The kernel engine failed.
    Kernel(KernelError),
}

impl RandomCase {
    /// The rules as the model reads them.
    pub fn ruleset(&self) -> Result<Ruleset, RuleError> {
        let files = self.files.iter().map(|file| RuleFile {
            path: format!("seed-{}.{:?}", self.seed, file.kind),
            language: match file.kind {
                FileKind::Ipset => Language::Ipset,
                FileKind::Iptables4 => Language::IptablesSave(Family::Ip),
                FileKind::Iptables6 => Language::IptablesSave(Family::Ip6),
                FileKind::NftScript => Language::Nft,
                FileKind::NftJson => Language::NftJson,
            },
            text: file.text(),
        });
        assemble(&files.collect::<Vec<_>>())
    }

    fn model_settings(&self) -> machine::Settings {
        let mut routes = Routes { inside_if: "eth1".into(), outside_if: "eth0".into(), ..Routes::default() };
        let vantage = match &self.vantage {
            kernel::Vantage::Gateway { inside } => {
                routes.inside.clone_from(inside);
                wiring::Vantage::Gateway
            }
            kernel::Vantage::Host { local } => {
                routes.local.clone_from(local);
                wiring::Vantage::Host
            }
        };
        machine::Settings {
            wiring: Wiring { vantage, routes },
            backend: match self.backend {
                kernel::Backend::Nft => Backend::Nft,
                kernel::Backend::Legacy => Backend::Legacy,
            },
            conntrack: conntrack::Settings {
                tcp_be_liberal: self.settings.liberal,
                tcp_loose: self.settings.loose,
                checksums: if self.settings.keep_checksums { Checksums::Verified } else { Checksums::Assumed },
                ..conntrack::Settings::default()
            },
        }
    }

    /// Runs both.
    pub fn compare(&self) -> Result<Compared, Failure> {
        let model = self.model()?;
        let kernel = self.kernel()?;
        Ok(Compared { disagreements: disagreements(&model, &kernel), rules: counted(&kernel) })
    }

    /// What the model counts.
    pub fn model_counts(&self) -> Result<Counts, Failure> {
        Ok(self.model()?.counts())
    }

    fn kernel(&self) -> Result<KernelResult, Failure> {
        let packets = self.packets.iter().map(OwnedPacket::borrowed);
        self.kernel_run().run(packets, &mut |_| {}).map_err(Failure::Kernel)
    }

    fn model(&self) -> Result<Model, Failure> {
        let ruleset = Arc::new(self.ruleset().map_err(Failure::Refused)?);
        let mut model = Model::new(ruleset, &self.model_settings());
        for packet in &self.packets {
            model.judge(packet);
        }
        Ok(model)
    }

    /// The number (from 1) of the first packet after which the two disagree on what they have counted, and on what.
    pub fn first_difference(&self) -> Option<(usize, Vec<String>)> {
        let mut slow = self.clone();
        slow.settings.per_packet = true;
        let kernel = slow.kernel().ok()?;
        let mut model = Model::new(Arc::new(self.ruleset().ok()?), &self.model_settings());
        let mut so_far = KernelResult { verdicts: Vec::new(), ..zeroed(&kernel) };
        for (at, packet) in self.packets.iter().enumerate() {
            model.judge(packet);
            so_far.verdicts.extend(kernel.verdicts.get(at));
            for moved in kernel.per_packet.as_ref()?.get(at)? {
                let (packets, bytes) = match moved.counter {
                    kernel::Counter::Rule(rule, which) => {
                        let counter = &mut so_far.rules[rule].counters[which];
                        (&mut counter.0, &mut counter.1)
                    }
                    kernel::Counter::Chain(chain) => {
                        let chain = &mut so_far.chains[chain];
                        (&mut chain.packets, &mut chain.bytes)
                    }
                    kernel::Counter::Object(object) => {
                        let object = &mut so_far.objects[object];
                        (&mut object.packets, &mut object.bytes)
                    }
                };
                *packets += moved.packets;
                *bytes += moved.bytes;
            }
            let differ = disagreements(&model, &so_far);
            if !differ.is_empty() {
                return Some((at + 1, differ));
            }
        }
        None
    }

    /// The case without what is not needed for a disagreement: packets after the first difference, then single rules
    /// and packets for as long as something is left to disagree on.
    pub fn shrunk(&self) -> Self {
        let mut small = self.clone();
        let differs = |case: &Self| case.compare().is_ok_and(|compared| !compared.disagreements.is_empty());
        if let Some((frame, _)) = small.first_difference() {
            let mut cut = small.clone();
            cut.packets.truncate(frame);
            if differs(&cut) {
                small = cut;
            }
        }
        for file in 0..small.files.len() {
            without_pieces(
                &mut small,
                |case| case.files[file].lines.len(),
                differs,
                |case, range| {
                    let lines = &mut case.files[file].lines;
                    let all_optional = lines[range.clone()].iter().all(|line| line.optional);
                    if all_optional {
                        lines.drain(range);
                    }
                    all_optional
                },
            );
        }
        without_pieces(
            &mut small,
            |case| case.packets.len(),
            differs,
            |case, range| {
                case.packets.drain(range);
                true
            },
        );
        small
    }

    /// All that is needed to look into a disagreement.
    pub fn report(&self) -> String {
        let mut text = format!(
            "seed {}, {:?}, {:?}, {:?}\n{} packets\n",
            self.seed,
            self.backend,
            self.vantage,
            self.settings,
            self.packets.len()
        );
        for file in &self.files {
            writeln!(text, "---- {:?}\n{}", file.kind, file.text()).unwrap();
        }
        match self.compare() {
            Ok(compared) => writeln!(text, "---- whole run\n{}", compared.disagreements.join("\n")).unwrap(),
            Err(failure) => writeln!(text, "---- {failure:?}").unwrap(),
        }
        let Some((frame, differ)) = self.first_difference() else { return text + "same packet by packet\n" };
        writeln!(text, "---- first with packet {frame}\n{}", differ.join("\n")).unwrap();
        for (number, packet) in self.packets.iter().enumerate().take(frame).skip(frame.saturating_sub(12)) {
            let hex: String = packet.ip.iter().take(400).map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "packet {}: {hex}", number + 1).unwrap();
        }
        text
    }
}

/// Takes pieces out, large ones first, while the case still differs.
fn without_pieces(
    case: &mut RandomCase,
    len: impl Fn(&RandomCase) -> usize,
    differs: impl Fn(&RandomCase) -> bool,
    drop: impl Fn(&mut RandomCase, std::ops::Range<usize>) -> bool,
) {
    let mut piece = len(case).div_ceil(2);
    while piece > 0 {
        let mut end = len(case);
        while end > 0 {
            let start = end.saturating_sub(piece);
            let mut without = case.clone();
            if drop(&mut without, start..end) && differs(&without) {
                *case = without;
            }
            end = start.min(len(case));
        }
        piece /= 2;
    }
}

/// The model at work.
struct Model {
    ruleset: Arc<Ruleset>,
    machine: Machine,
    verdicts: Vec<Option<Judgement>>,
    wiring: Wiring,
    /// What is sent elsewhere, or to a host, is not seen where it is looked for.
    verdicts_blur: bool,
}

impl Model {
    fn new(ruleset: Arc<Ruleset>, settings: &machine::Settings) -> Self {
        Self {
            machine: Machine::new(Arc::clone(&ruleset), settings),
            verdicts_blur: settings.wiring.vantage == wiring::Vantage::Host || sends_elsewhere(&ruleset),
            ruleset,
            verdicts: Vec::new(),
            wiring: settings.wiring.clone(),
        }
    }

    fn judge(&mut self, packet: &OwnedPacket) {
        let skb = Skb::new(&packet.ip, &packet.link, packet.time_ns);
        let sent = skb.filter(|skb| {
            skb.bytes.len() == skb.len as usize && !matches!(self.wiring.way(skb), wiring::Way::Nowhere(_))
        });
        let judged = sent.map(|skb| self.machine.run(skb, &mut Vec::new()).judgement);
        self.verdicts.push(judged);
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for (number, (table, chain, rule)) in (0u32..).zip(self.ruleset.rules()) {
            let key = format!("{} {} {} rule {}", table.family.as_str(), table.name, chain.name, rule.n);
            counts.insert(key, self.machine.counters(number));
        }
        for chain in self.machine.chains() {
            let key = format!("{} {} {} policy", chain.family, chain.table, chain.chain);
            counts.insert(key, (chain.packets, chain.bytes));
        }
        for object in self.machine.objects() {
            let key = format!("{} {} {} {}", object.family, object.table, object.kind, object.name);
            counts.insert(key, (object.packets, object.bytes));
        }
        counts
    }
}

fn zeroed(result: &KernelResult) -> KernelResult {
    let mut zero = result.clone();
    zero.rules.iter_mut().flat_map(|rule| &mut rule.counters).for_each(|counter| *counter = (0, 0));
    zero.chains.iter_mut().for_each(|chain| (chain.packets, chain.bytes) = (0, 0));
    zero.objects.iter_mut().for_each(|object| (object.packets, object.bytes) = (0, 0));
    zero
}

/// Keys as those of the model, with the text of rules.
fn kernel_counts(result: &KernelResult) -> Vec<(String, String, (u64, u64))> {
    let rules = result.rules.iter().filter_map(|rule| {
        let key = format!("{} {} {} rule {}", rule.family.as_str(), rule.table, rule.chain, rule.n);
        Some((key, format!(" ({})", rule.text), rule.count()?))
    });
    let chains = result.chains.iter().map(|chain| {
        let key = format!("{} {} {} policy", chain.family.as_str(), chain.table, chain.chain);
        (key, String::new(), (chain.packets, chain.bytes))
    });
    let objects = result.objects.iter().map(|object| {
        let key = format!("{} {} {} {}", object.family.as_str(), object.table, object.kind, object.name);
        (key, String::new(), (object.packets, object.bytes))
    });
    rules.chain(chains).chain(objects).collect()
}

/// Rules that count, and those that counted something.
fn counted(result: &KernelResult) -> (usize, usize) {
    let counts = result.rules.iter().filter_map(|rule| rule.count());
    counts.fold((0, 0), |(all, hit), (packets, _)| (all + 1, hit + usize::from(packets > 0)))
}

fn disagreements(model: &Model, kernel: &KernelResult) -> Vec<String> {
    let mine = model.counts();
    let mut found = Vec::new();
    for (key, text, theirs) in kernel_counts(kernel) {
        match mine.get(&key) {
            Some(mine) if *mine == theirs => {}
            Some(mine) => found.push(format!(
                "{key}{text}: model {} packets {} bytes, kernel {} packets {} bytes",
                mine.0, mine.1, theirs.0, theirs.1
            )),
            // The kernel has all built-in chains of a table, a file perhaps not.
            None if key.ends_with(" policy") => {}
            None => found.push(format!("{key}{text}: the model does not know it")),
        }
    }
    for (at, (mine, theirs)) in model.verdicts.iter().zip(&kernel.verdicts).enumerate() {
        if !same_verdict(*mine, *theirs) && !model.verdicts_blur {
            found.push(format!("verdict on packet {}: model {mine:?}, kernel {theirs:?}", at + 1));
        }
    }
    found
}

fn same_verdict(model: Option<Judgement>, kernel: PacketVerdict) -> bool {
    match (model, kernel) {
        (None, PacketVerdict::Skipped(_)) | (Some(Judgement::Accept), PacketVerdict::Accepted) => true,
        (Some(Judgement::Drop | Judgement::Held), PacketVerdict::Dropped) => true,
        (Some(Judgement::Reject { .. }), PacketVerdict::Rejected) => true,
        // Not every packet is answered; an answer may be rejected itself, with an answer that leaves the other way.
        (Some(Judgement::Reject { .. }), PacketVerdict::Dropped | PacketVerdict::Accepted) => true,
        _ => false,
    }
}

fn sends_elsewhere(ruleset: &Ruleset) -> bool {
    const ELSEWHERE: [&str; 8] = ["Dnat", "Snat", "Masquerade", "Redirect", "Netmap", "Tee", "Nat", "Dup"];
    let rewrites = |name: &String| name.rsplit(':').next().is_some_and(|variant| ELSEWHERE.contains(&variant));
    coverage::of(ruleset).iter().any(rewrites) || coverage::of(ruleset).contains("Statement::SetPayload")
}
