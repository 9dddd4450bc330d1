//! The kernel engine as a judge like the model: runs a candidate through the real kernel, and compares the two.

use super::hits::{ChainHits, ObjectHits, RulesetHits};
use super::kernel::{
    self, FileKind, Interfaces, KernelError, KernelFile, KernelResult, KernelRun, PacketVerdict, Timing,
};
use super::machine::{DecidedBy, Judge, Judged, Judgement, Settings};
use super::skb::Skb;
use super::wiring::Vantage;
use super::xt::Backend;
use crate::ruleset::iptables;
use crate::ruleset::load::{Language, Loaded};
use crate::ruleset::model::{Engine, Family, Ruleset, Table};
use std::borrow::Cow;
use std::collections::HashMap;

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
        settings: kernel::Settings::default(),
    };
    let result =
        run.run(packets.iter().map(|(time, link, packet)| (*time, link.as_slice(), packet.as_slice())), progress)?;
    Ok(Recorded::new(&loaded.ruleset, result, not_loaded(loaded, settings)))
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
        let counted: HashMap<Key, (u64, u64)> = result
            .rules
            .iter()
            .filter_map(|rule| Some(((rule.family, rule.table.clone(), rule.chain.clone(), rule.n), rule.count()?)))
            .collect();
        let counters = ruleset.rules().map(|(table, chain, rule)| {
            let key = (table.family, table.name.to_string(), chain.name.to_string(), rule.n);
            counted.get(&key).copied().unwrap_or_default()
        });
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
        Self { verdicts: result.verdicts.into_iter(), counters, chains, objects, notes }
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
}

/// Counters in which model and kernel differ, a sentence each.
pub fn disagreements(model: &RulesetHits, kernel: &RulesetHits) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: String, model: (u64, u64), kernel: (u64, u64)| {
        if model != kernel {
            let (mp, mb, kp, kb) = (model.0, model.1, kernel.0, kernel.1);
            found.push(format!("{what}: model {mp} packets {mb} bytes, kernel {kp} packets {kb} bytes"));
        }
    };
    for (one, other) in model.rules.iter().zip(&kernel.rules) {
        let what = format!("{} {} {} rule {} (line {})", one.family, one.table, one.chain, one.n, one.line);
        let counts_in_kernel = one.family != "inet" && !is_nftables(one) || one.text.contains("counter");
        if counts_in_kernel {
            differ(what, (one.packets, one.bytes), (other.packets, other.bytes));
        }
    }
    for chain in &kernel.chains {
        let same =
            |one: &&ChainHits| (&one.family, &one.table, &one.chain) == (&chain.family, &chain.table, &chain.chain);
        if let Some(one) = model.chains.iter().find(same) {
            let what = format!("{} {} {} policy", chain.family, chain.table, chain.chain);
            differ(what, (one.packets, one.bytes), (chain.packets, chain.bytes));
        }
    }
    for object in &kernel.objects {
        let same = |one: &&ObjectHits| {
            (&one.family, &one.table, &one.kind, &one.name)
                == (&object.family, &object.table, &object.kind, &object.name)
        };
        if let Some(one) = model.objects.iter().find(same) {
            let what = format!("{} {} {} {}", object.family, object.table, object.kind, object.name);
            differ(what, (one.packets, one.bytes), (object.packets, object.bytes));
        }
    }
    found
}

/// An nftables rule is printed by `nft`; those of iptables begin with an option or are empty.
fn is_nftables(rule: &super::hits::RuleHits) -> bool {
    !(rule.text.is_empty() || rule.text.starts_with('-') || rule.text.starts_with('!'))
}
