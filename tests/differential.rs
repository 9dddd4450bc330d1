//! The model against the kernel: random rules and packets through both, compared counter for counter.
//!
//! `JABBERSCOPE_SEEDS=FIRST-LAST cargo test --test differential -- --nocapture` runs other seeds than those of every
//! day, as many as one has time for (a second each). All that disagree are told, each cut down to the rules and packets
//! that matter; what was found so is kept in `agreed`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // tests
mod support;

use jabberscope::capture::Spool;
use jabberscope::replay::candidate::Mode;
use jabberscope::replay::kernel::available;
use jabberscope::replay::machine::Settings;
use jabberscope::replay::place::Named;
use jabberscope::replay::run::{Engine, Replay, run};
use jabberscope::replay::wiring::{self, Wiring};
use jabberscope::replay::world::Routes;
use jabberscope::ruleset::load::load;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use support::frames::packets_of;
use support::random_rules::{RandomCase, Wanted, case, case_for, coverage};

fn seeds(of_every_day: &str) -> RangeInclusive<u64> {
    let asked = std::env::var("JABBERSCOPE_SEEDS").unwrap_or_else(|_| of_every_day.to_owned());
    let (first, last) = asked.split_once('-').expect("FIRST-LAST");
    first.parse().unwrap()..=last.parse().unwrap()
}

/// `false`, and says so, where the engine cannot work.
fn possible() -> bool {
    match available() {
        Ok(()) => true,
        Err(why) => {
            assert!(why.is_unavailable(), "{why}");
            eprintln!("SKIPPED: the model is not compared with the kernel: {why}");
            false
        }
    }
}

/// What was compared.
#[derive(Default)]
struct Tally {
    rules: usize,
    counted: usize,
    wrong: usize,
}

impl Tally {
    /// Rules that the tools refuse are left out.
    fn compare(&mut self, mut case: RandomCase) {
        let seed = case.seed;
        case.accepted().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        match case.compare() {
            Ok(compared) if compared.disagreements.is_empty() => {
                self.rules += compared.rules.0;
                self.counted += compared.rules.1;
                return;
            }
            Ok(_) => eprintln!("DISAGREE {}", case.shrunk().report()),
            Err(failure) => eprintln!("DISAGREE seed {seed}: {failure:?}"),
        }
        self.wrong += 1;
    }

    /// One rule in so many must have counted something, or the comparison is not worth much.
    fn check(&self, one_in: usize) {
        eprintln!("{} of {} rules counted", self.counted, self.rules);
        assert_eq!(self.wrong, 0, "cases on which model and kernel disagree");
        assert!(self.counted * one_in > self.rules, "too few rules are reached");
    }
}

#[test]
fn model_and_kernel_agree_on_random_packets() {
    if !possible() {
        return;
    }
    let mut tally = Tally::default();
    seeds("1000-1079").for_each(|seed| tally.compare(case(seed, Wanted::default())));
    tally.check(5);
}

/// Captures by name, in an order that does not depend on the file system.
fn captures() -> Vec<PathBuf> {
    let folders = ["xmpp", "erlang"].map(|name| support::captures_folder().join(name));
    let files = folders.into_iter().flat_map(|folder| folder.read_dir().unwrap()).map(|entry| entry.unwrap().path());
    let mut captures: Vec<PathBuf> = files.filter(|path| path.to_string_lossy().contains(".pcap")).collect();
    captures.sort();
    captures
}

#[test]
fn model_and_kernel_agree_on_captured_packets() {
    if !possible() {
        return;
    }
    let (captures, mut tally) = (captures(), Tally::default());
    for seed in seeds("2000-2046") {
        let capture = &captures[seed as usize % captures.len()];
        tally.compare(case_for(seed, Wanted::default(), &packets_of(capture)));
    }
    tally.check(12);
}

/// Sample rulesets of the project; the files of one are joined by commas.
const SAMPLES: [&str; 6] = [
    "ejabberd-host.rules,ejabberd-host.rules6",
    "ejabberd-host.nft",
    "ejabberd-cluster.rules,ejabberd-cluster.ipset",
    "ejabberd-cluster.nft",
    "in-a-hurry.rules",
    "in-a-hurry.nft",
];

#[test]
fn model_and_kernel_agree_on_the_samples() {
    if !possible() {
        return;
    }
    let captures: Vec<String> = captures().iter().map(|path| path.display().to_string()).collect();
    let path = |name: &str| support::project_folder().join("rulesets").join(name).display().to_string();
    let rulesets = SAMPLES.map(|sample| load(&sample.split(',').map(path).collect::<Vec<_>>().join(",")).unwrap());
    let address = |text: &str| text.parse().unwrap();
    let mut counted = 0;
    for vantage in [wiring::Vantage::Gateway, wiring::Vantage::Host] {
        let routes = Routes {
            local: if vantage == wiring::Vantage::Host {
                ["10.77.0.10", "10.88.1.11"].map(address).to_vec()
            } else {
                Vec::new()
            },
            inside: ["10.77.0.0", "10.88.1.0"].map(|network| (address(network), 24)).to_vec(),
            inside_if: "eth1".into(),
            outside_if: "eth0".into(),
        };
        let settings = Settings { wiring: Wiring { vantage, routes }, ..Settings::default() };
        let (mode, engine) = (Mode::Observe, Engine::Both);
        let (kept, named) = (&Spool::default(), Named { inside: true, outside: true });
        let replay =
            Replay { captures: &captures, kept, rulesets: &rulesets, findings: &[], settings, named, mode, engine };
        let hits = run(&replay, &|_, _| {}).unwrap().hits;
        let model: Vec<_> = hits.rulesets.iter().filter(|one| one.engine == "model").collect();
        assert_eq!(model.len(), SAMPLES.len());
        for ruleset in model {
            counted += ruleset.rules.iter().filter(|rule| rule.packets > 0).count();
            assert_eq!(ruleset.disagreements.as_deref(), Some(&[][..]), "{:?}, {vantage:?}", ruleset.files);
        }
    }
    assert!(counted > 30, "{counted} rules counted");
}

/// What random rules do not hold, and why.
const NOT_COMPARED: &[(&str, &[&str])] = &[
    (
        "not in a capture, told as unknown in `hits.json`",
        &[
            "Match::Cpu",
            "Match::DevGroup",
            "Match::Realm",
            "Match::Socket",
            "Match::Unknown",
            "Meta::CGroup",
            "Meta::Cpu",
            "Meta::IifGroup",
            "Meta::IifKind",
            "Meta::OifKind",
            "Meta::OifGroup",
            "Meta::RtClassId",
            "Meta::SecMark",
            "Meta::SkGid",
            "Meta::SkUid",
            "Ct::SecMark",
            "Expr::Socket",
            "Expr::Osf",
            "Expr::Xfrm",
            "Expr::Unknown",
        ],
    ),
    ("chance", &["Meta::Random"]),
    ("their copies pass OUTPUT in the kernel, not in the model", &["Statement::Dup", "Target::Tee"]),
    (
        "not modelled, told as unknown",
        &[
            "ObjectKind::CtExpectation",
            "ObjectKind::CtHelper",
            "ObjectKind::CtTimeout",
            "ObjectKind::FlowTable",
            "ObjectKind::SecMark",
            "ObjectKind::Synproxy",
            "Statement::FlowOffload",
            "Statement::Synproxy",
            "Statement::Tproxy",
            "Statement::Unknown",
            "Target::SynProxy",
            "Target::Tproxy",
            "Target::Unknown",
        ],
    ),
    ("no kernel of today has l7-filter", &["Match::Layer7"]),
    (
        "of bridges, which the bench has none of",
        &["Meta::BriBroute", "Meta::IbrName", "Meta::IbrPvid", "Meta::IbrVproto", "Meta::ObrName"],
    ),
    ("of devices' hooks only", &["Statement::Fwd"]),
    ("not written so: `ct count` is a statement", &["Ct::Count"]),
    ("nft 1.0.6 wants a constant on the right", &["Expr::Binary", "Statement::CompareExprs"]),
    ("not in every kernel", &["Statement::Queue"]),
];

#[test]
fn random_rules_hold_all_that_is_modelled() {
    let mut seen = coverage::Variants::new();
    for seed in 1..=1500 {
        let case = case(seed, Wanted { conncount: true, packets: 0, ..Wanted::default() });
        // What the model refuses is found by the comparison, not here.
        seen.extend(case.ruleset().iter().flat_map(coverage::of));
    }
    let excused: coverage::Variants =
        NOT_COMPARED.iter().flat_map(|(_, names)| *names).map(|name| (*name).to_owned()).collect();
    let missing: Vec<_> =
        coverage::all().into_iter().filter(|name| !seen.contains(name) && !excused.contains(name)).collect();
    assert!(missing.is_empty(), "no random rule holds {missing:#?}");
    let stale: Vec<_> = excused.intersection(&seen).collect();
    assert!(stale.is_empty(), "excused, but made: {stale:?}");
}
