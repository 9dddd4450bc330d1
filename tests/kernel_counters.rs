//! The kernel engine against counters that were measured by other means.
//!
//! `JABBERSCOPE_SHARED` names a folder with `rulesets/NAME--CAPTURE.counters.json` and the captures that they name. Each
//! file tells what a kernel counted for each rule; kernels of other versions may count differently.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // tests
mod support;

use jabberscope::replay::kernel::{
    Backend, Counter, FileKind, Interfaces, KernelFile, KernelResult, KernelRun, Settings, Timing, Vantage, available,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::frames::{OwnedPacket, packets_of};

/// Family, table, then chain and number, or `policy`, or the kind and name of an object.
type Key = (String, String, String, String);
type Counts = BTreeMap<Key, (u64, u64)>;

#[test]
fn counters_are_those_that_were_measured() {
    let Some(folder) = std::env::var_os("JABBERSCOPE_SHARED").map(PathBuf::from) else {
        eprintln!("SKIPPED: JABBERSCOPE_SHARED is not set");
        return;
    };
    if let Err(why) = available() {
        assert!(why.is_unavailable(), "{why}");
        eprintln!("SKIPPED: {why}");
        return;
    }
    let only = std::env::var("JABBERSCOPE_ONLY").unwrap_or_default();
    let mut files: Vec<_> = std::fs::read_dir(folder.join("rulesets")).unwrap().map(|it| it.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".counters.json") && path.to_string_lossy().contains(&only));
    files.sort();
    assert!(!files.is_empty(), "nothing in {}", folder.display());
    let mut wrong = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let case = Case::read(&path, &folder);
        match case.check() {
            Ok(told) => eprintln!("ok    {name}: {told}"),
            // What depends on the clock to the millisecond is not the same twice, and the file says so.
            Err(differences) if case.depends_on_clock() => eprintln!("CLOCK {name}: {differences}"),
            Err(differences) => {
                eprintln!("FAIL  {name}: {differences}");
                wrong.push(name);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

struct Case {
    truth: Value,
    folder: PathBuf,
    packets: Vec<OwnedPacket>,
}

impl Case {
    fn read(path: &Path, folder: &Path) -> Self {
        let truth: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let name = truth["capture"].as_str().unwrap();
        let places = ["rulesets/captures", "rulesets", "captures/erlang", "captures/xmpp", "."];
        let capture = places.iter().map(|place| folder.join(place).join(name)).find(|path| path.exists());
        let packets = packets_of(&capture.expect("the capture that the file names"));
        Self { truth, folder: folder.join("rulesets"), packets }
    }

    fn depends_on_clock(&self) -> bool {
        self.truth["note"].as_str().is_some_and(|note| note.contains("jitter"))
    }

    fn check(&self) -> Result<String, String> {
        let quick = self.run(false);
        self.compare(&quick)?;
        let took_checksums = self.truth["checksums_fixed"].as_u64().unwrap();
        if quick.checksums_fixed != took_checksums {
            return Err(format!("{} checksums fixed, not {took_checksums}", quick.checksums_fixed));
        }
        let mut told = format!("{} counters, {} packets", counts_of(&quick).len(), quick.verdicts.len());
        if let Some(per_packet) = self.truth["per_packet"].as_array() {
            let slow = self.run(true);
            self.compare(&slow)?;
            self.compare_packets(per_packet, &slow)?;
            told.push_str(", each packet's");
        }
        Ok(told)
    }

    fn run(&self, per_packet: bool) -> KernelResult {
        let text = |key: &str| self.truth[key].as_str().unwrap_or_default();
        let legacy = text("tool") == "iptables-legacy";
        let note = text("note");
        let files = self.truth["ruleset"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        let run = KernelRun {
            rules: files.map(|name| self.file(name)).collect(),
            backend: if legacy { Backend::Legacy } else { Backend::Nft },
            vantage: match text("hook") {
                "host" => Vantage::Host { local: text("host").split(',').map(|it| it.parse().unwrap()).collect() },
                _ => Vantage::Gateway { inside: text("inside").split(',').map(network).collect() },
            },
            interfaces: Interfaces::default(),
            bridges: false,
            timing: match text("timing") {
                "real" => Timing::Real { limit: Duration::from_secs(600) },
                _ => Timing::Max,
            },
            settings: Settings {
                liberal: note.contains("be_liberal=1"),
                loose: !note.contains("loose=0"),
                keep_checksums: note.contains("checksums as in the capture"),
                per_packet,
            },
        };
        run.run(self.packets.iter().map(OwnedPacket::borrowed), &mut |_| {}).unwrap()
    }

    fn file(&self, name: &str) -> KernelFile<'static> {
        let kind = match name.rsplit('.').next().unwrap() {
            "ipset" => FileKind::Ipset,
            "nft" => FileKind::NftScript,
            "rules6" => FileKind::Iptables6,
            _ if name.contains("v6") => FileKind::Iptables6,
            _ => FileKind::Iptables4,
        };
        let text = std::fs::read(self.folder.join(name)).unwrap();
        KernelFile { name: name.to_owned(), text: text.into(), kind }
    }

    fn compare(&self, result: &KernelResult) -> Result<(), String> {
        let found = counts_of(result);
        let wanted: Counts = self.rules().map(|rule| (key_of(rule), counts(rule))).collect();
        let wrong: Vec<_> = wanted
            .iter()
            .filter(|(key, counts)| found.get(*key) != Some(*counts))
            .map(|(key, counts)| format!("{key:?}: {:?}, measured {counts:?}", found.get(key)))
            .collect();
        if !wrong.is_empty() || found.len() != wanted.len() {
            return Err(format!("{} of {}: {}", wrong.len(), wanted.len(), wrong.join("; ")));
        }
        let verdicts: String = result.verdicts.iter().map(|verdict| verdict.letter()).collect();
        match self.truth["verdicts"].as_str().unwrap() {
            wanted if wanted == verdicts => Ok(()),
            wanted => Err(format!("verdicts {verdicts}, measured {wanted}")),
        }
    }

    fn compare_packets(&self, wanted: &[Value], result: &KernelResult) -> Result<(), String> {
        let found = result.per_packet.as_ref().unwrap();
        assert_eq!(found.len(), wanted.len());
        for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            let mut found: Vec<_> =
                found.iter().map(|moved| (counter_key(result, moved.counter), moved.bytes)).collect();
            let moved = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
            let rule = |moved: &Value| &self.truth["rules"][usize::try_from(moved[0].as_u64().unwrap()).unwrap()];
            let mut wanted: Vec<_> = moved.iter().map(|it| (key_of(rule(it)), it[1].as_u64().unwrap())).collect();
            found.sort();
            wanted.sort();
            if found != wanted {
                return Err(format!("packet {}: {found:?}, measured {wanted:?}", at + 1));
            }
        }
        Ok(())
    }

    fn rules(&self) -> impl Iterator<Item = &Value> {
        self.truth["rules"].as_array().unwrap().iter()
    }
}

fn network(text: &str) -> (std::net::IpAddr, u8) {
    let (address, prefix) = text.split_once('/').unwrap_or((text, if text.contains(':') { "128" } else { "32" }));
    (address.parse().unwrap(), prefix.parse().unwrap())
}

fn counts(rule: &Value) -> (u64, u64) {
    (rule["packets"].as_u64().unwrap(), rule["bytes"].as_u64().unwrap())
}

fn key_of(rule: &Value) -> Key {
    let family = match &rule["family"] {
        Value::Number(number) if number.as_u64() == Some(6) => "ip6",
        Value::Number(_) => "ip",
        other => other.as_str().unwrap(),
    };
    let text = |key: &str| rule[key].as_str().map(str::to_owned);
    let (place, number) = match (text("chain"), rule["n"].as_u64()) {
        (Some(chain), Some(n)) => (chain, n.to_string()),
        (Some(chain), None) => (chain, "policy".to_owned()),
        _ => ["counter", "quota"].iter().find_map(|kind| Some(((*kind).to_owned(), text(kind)?))).unwrap(),
    };
    (family.to_owned(), text("table").unwrap(), place, number)
}

fn counter_key(result: &KernelResult, counter: Counter) -> Key {
    match counter {
        Counter::Rule(at, _) => {
            let it = &result.rules[at];
            (it.family.as_str().to_owned(), it.table.clone(), it.chain.clone(), it.n.to_string())
        }
        Counter::Chain(at) => {
            let it = &result.chains[at];
            (it.family.as_str().to_owned(), it.table.clone(), it.chain.clone(), "policy".to_owned())
        }
        Counter::Object(at) => {
            let it = &result.objects[at];
            (it.family.as_str().to_owned(), it.table.clone(), it.kind.to_owned(), it.name.clone())
        }
    }
}

fn counts_of(result: &KernelResult) -> Counts {
    let rules = result.rules.iter().enumerate();
    let rules = rules.filter_map(|(at, it)| Some((counter_key(result, Counter::Rule(at, 0)), it.count()?)));
    let chains = result.chains.iter().enumerate();
    let chains = chains.map(|(at, it)| (counter_key(result, Counter::Chain(at)), (it.packets, it.bytes)));
    let objects = result.objects.iter().enumerate();
    let objects = objects.map(|(at, it)| (counter_key(result, Counter::Object(at)), (it.packets, it.bytes)));
    rules.chain(chains).chain(objects).collect()
}
