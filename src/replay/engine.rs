//! The kernel engine as a judge like the model: runs a candidate through the real kernel, and compares the two.

use super::conntrack::Checksums;
use super::hits::{ChainHits, ObjectHits};
use super::kernel::{
    self, FileKind, Interfaces, KernelError, KernelFile, KernelResult, KernelRun, PacketVerdict, Timing,
};
use super::machine::{DecidedBy, Judge, Judged, Judgement, Machine, Settings};
use super::skb::Skb;
use super::wiring::Vantage;
use super::xt::Backend;
use crate::ruleset::iptables;
use crate::ruleset::load::{Language, Loaded};
use crate::ruleset::model::{Engine, Family, Ruleset, Table};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// A packet kept for the kernel: capture time, link header, IP packet.
pub type Kept = (i64, Vec<u8>, Vec<u8>);

/// Key of a counter: family, table, chain, number of the rule.
type Key = (Family, String, String, u32);

/// What the kernel counted and said, packet by packet.
pub struct Recorded {
    verdicts: std::vec::IntoIter<PacketVerdict>,
    counters: Vec<(u64, u64)>,
    chains: Vec<ChainHits>,
    objects: Vec<ObjectHits>,
    notes: Vec<String>,
    disagreements: Vec<String>,
}

/// Runs a candidate through the kernel.
pub fn run(
    loaded: &Loaded,
    settings: &Settings,
    packets: &[Kept],
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Recorded, KernelError> {
    let routes = &settings.wiring.routes;
    let run = KernelRun {
        rules: files(loaded),
        backend: match settings.backend {
            Backend::Nft => kernel::Backend::Nft,
            Backend::Legacy => kernel::Backend::Legacy,
        },
        vantage: match settings.wiring.vantage {
            Vantage::Gateway => kernel::Vantage::Gateway { inside: routes.inside.clone() },
            Vantage::Host => kernel::Vantage::Host { local: routes.local.clone() },
        },
        interfaces: Interfaces { inside: routes.inside_if.to_string(), outside: routes.outside_if.to_string() },
        bridges: loaded.ruleset.is_for_bridge(),
        timing: Timing::Max,
        settings: kernel::Settings {
            liberal: settings.conntrack.tcp_be_liberal,
            loose: settings.conntrack.tcp_loose,
            keep_checksums: settings.conntrack.checksums == Checksums::Verified,
            ..kernel::Settings::default()
        },
    };
    let result =
        run.run(packets.iter().map(|(time, link, packet)| (*time, link.as_slice(), packet.as_slice())), progress)?;
    let disagreements = disagreements(loaded, settings, packets, &result);
    Ok(Recorded { disagreements, ..Recorded::new(&loaded.ruleset, result, not_loaded(loaded, settings)) })
}

/// The files as the kernel's tools take them. A script of commands goes in as what it leaves behind.
fn files(loaded: &Loaded) -> Vec<KernelFile<'_>> {
    let mut files = Vec::new();
    for file in &loaded.files {
        let kind = match file.language {
            Language::Ipset => FileKind::Ipset,
            Language::IptablesSave(Family::Ip6) => FileKind::Iptables6,
            Language::IptablesSave(_) => FileKind::Iptables4,
            Language::Nft => FileKind::NftScript,
            Language::NftJson => FileKind::NftJson,
            Language::IptablesScript => {
                files.extend(of_script(loaded, &file.path));
                continue;
            }
            Language::L7Pattern => continue,
        };
        files.push(KernelFile { name: file.path.clone(), text: Cow::Borrowed(file.text.as_bytes()), kind });
    }
    files
}

fn of_script(loaded: &Loaded, path: &str) -> Vec<KernelFile<'static>> {
    let of = |family: Family, kind: FileKind| {
        let is_of =
            |table: &&Table| table.engine == Engine::Xtables && table.family == family && &*table.place.file == path;
        let tables: Vec<Table> = loaded.ruleset.tables.iter().filter(is_of).cloned().collect();
        let text = iptables::print_save(&tables, None);
        (!tables.is_empty()).then(|| KernelFile { name: path.to_owned(), text: Cow::Owned(text.into_bytes()), kind })
    };
    [of(Family::Ip, FileKind::Iptables4), of(Family::Ip6, FileKind::Iptables6)].into_iter().flatten().collect()
}

fn not_loaded(loaded: &Loaded, settings: &Settings) -> Vec<String> {
    let patterns = loaded.files.iter().filter(|file| file.language == Language::L7Pattern);
    let mut notes: Vec<String> =
        patterns.map(|file| format!("{}: no kernel of today knows l7-filter patterns", file.path)).collect();
    if loaded.ruleset.is_for_bridge() && settings.wiring.vantage == Vantage::Host {
        notes.push("the kernel was asked as a host without a bridge: bridge chains saw nothing".to_owned());
    }
    notes.push(
        "packets were sent one after the other without pause: what depends on time is not as captured".to_owned(),
    );
    notes
}

impl Recorded {
    fn new(ruleset: &Ruleset, result: KernelResult, mut notes: Vec<String>) -> Self {
        notes.extend(result.versions.clone());
        notes.extend(result.notes.clone());
        let counted = counts(&result);
        let counters = ruleset
            .rules()
            .map(|(table, chain, rule)| counted.get(&key(table, &chain.name, rule.n)).copied().unwrap_or_default());
        let counters = counters.collect();
        let chains = result.chains.iter().map(|chain| ChainHits {
            family: chain.family.as_str().to_owned(),
            table: chain.table.clone(),
            chain: chain.chain.clone(),
            policy: chain.policy.to_ascii_lowercase(),
            packets: chain.packets,
            bytes: chain.bytes,
        });
        let chains = chains.collect();
        let objects = result.objects.iter().map(|object| ObjectHits {
            family: object.family.as_str().to_owned(),
            table: object.table.clone(),
            kind: object.kind.to_owned(),
            name: object.name.clone(),
            packets: object.packets,
            bytes: object.bytes,
        });
        let objects = objects.collect();
        let verdicts = result.verdicts.into_iter();
        Self { verdicts, counters, chains, objects, notes, disagreements: Vec::new() }
    }
}

impl Judge for Recorded {
    fn run(&mut self, _skb: Skb<'_>, _hits: &mut Vec<u32>) -> Judged {
        let by = Some(DecidedBy::Kernel("the kernel"));
        match self.verdicts.next() {
            Some(PacketVerdict::Dropped) => Judged { judgement: Judgement::Drop, by },
            Some(PacketVerdict::Rejected) => Judged { judgement: Judgement::Reject { reset: false }, by },
            Some(PacketVerdict::Accepted | PacketVerdict::Skipped(_)) | None => {
                Judged { judgement: Judgement::Accept, by: None }
            }
        }
    }

    fn last_was_doubtful(&self) -> bool {
        false
    }

    fn rule_count(&self) -> usize {
        self.counters.len()
    }

    fn counters(&self, rule: u32) -> (u64, u64) {
        self.counters.get(rule as usize).copied().unwrap_or_default()
    }

    fn chains(&self) -> Vec<ChainHits> {
        self.chains.clone()
    }

    fn objects(&self) -> Vec<ObjectHits> {
        self.objects.clone()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn disagreements(&self) -> Option<Vec<String>> {
        Some(self.disagreements.clone())
    }
}

/// Between two packets at the kernel's pace.
const STEP_NS: i64 = 10_000;

/// Counters in which model and kernel differ, a sentence each. The model judges anew what the kernel was sent, as fast
/// as the kernel got it: what a capture holds only in part, and what time passed in it, is not among the differences.
fn disagreements(loaded: &Loaded, settings: &Settings, packets: &[Kept], result: &KernelResult) -> Vec<String> {
    let mut machine = Machine::new(Arc::clone(&loaded.ruleset), settings);
    let mut now_ns = packets.first().map_or(0, |(time, ..)| *time);
    for ((_, link, packet), verdict) in packets.iter().zip(&result.verdicts) {
        now_ns = now_ns.saturating_add(STEP_NS);
        let sent = !matches!(verdict, PacketVerdict::Skipped(_));
        if let Some(skb) = Skb::new(packet, link, now_ns).filter(|_| sent) {
            machine.run(skb, &mut Vec::new());
        }
    }
    let counted = counts(result);
    let rules = (0u32..).zip(loaded.ruleset.rules()).filter_map(|(number, (table, chain, rule))| {
        let kernel = counted.get(&key(table, &chain.name, rule.n))?;
        let (family, table, chain) = (table.family.as_str(), &table.name, &chain.name);
        let what = format!("{family} {table} {chain} rule {} (line {})", rule.n, rule.place.line);
        differ(&what, machine.counters(number), *kernel)
    });
    let policies = machine.chains();
    let chains = result.chains.iter().filter_map(|chain| {
        let same = |one: &&ChainHits| {
            (&*one.family, &*one.table, &*one.chain) == (chain.family.as_str(), &*chain.table, &*chain.chain)
        };
        let model = policies.iter().find(same)?;
        let what = format!("{} {} {} policy", model.family, model.table, model.chain);
        differ(&what, (model.packets, model.bytes), (chain.packets, chain.bytes))
    });
    let tallies = machine.objects();
    let objects = result.objects.iter().filter_map(|object| {
        let same = |one: &&ObjectHits| {
            (&*one.family, &*one.table, &*one.kind, &*one.name)
                == (object.family.as_str(), &*object.table, object.kind, &*object.name)
        };
        let model = tallies.iter().find(same)?;
        let what = format!("{} {} {} {}", model.family, model.table, model.kind, model.name);
        differ(&what, (model.packets, model.bytes), (object.packets, object.bytes))
    });
    rules.chain(chains).chain(objects).collect()
}

fn differ(what: &str, model: (u64, u64), kernel: (u64, u64)) -> Option<String> {
    let ((mp, mb), (kp, kb)) = (model, kernel);
    (model != kernel).then(|| format!("{what}: model {mp} packets {mb} bytes, kernel {kp} packets {kb} bytes"))
}

fn key(table: &Table, chain: &str, n: u32) -> Key {
    (table.family, table.name.to_string(), chain.to_owned(), n)
}

/// What the rules that count have counted.
fn counts(result: &KernelResult) -> HashMap<Key, (u64, u64)> {
    let counted = result
        .rules
        .iter()
        .filter_map(|rule| Some(((rule.family, rule.table.clone(), rule.chain.clone(), rule.n), rule.count()?)));
    counted.collect()
}
