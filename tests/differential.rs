//! The model against the kernel: random rules and packets through both, compared counter for counter.
//!
//! `JABBERSCOPE_SEEDS=FIRST-LAST` runs other seeds than those of every day, as many as one has time for; all that
//! disagree are then told, each cut down to the rules and packets that matter.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // tests
mod support;

use jabberscope::replay::kernel::available;
use std::ops::RangeInclusive;
use support::random_rules::{Wanted, case, coverage};

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

#[test]
fn model_and_kernel_agree_on_random_rules() {
    if !possible() {
        return;
    }
    let (mut rules, mut hit, mut wrong) = (0, 0, 0);
    for seed in seeds("1000-1119") {
        let mut case = case(seed, Wanted::default());
        case.accepted().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        match case.compare() {
            Ok(compared) if compared.disagreements.is_empty() => {
                rules += compared.rules.0;
                hit += compared.rules.1;
            }
            Ok(_) => {
                wrong += 1;
                eprintln!("DISAGREE {}", case.shrunk().report());
            }
            Err(failure) => {
                wrong += 1;
                eprintln!("DISAGREE seed {seed}: {failure:?}");
            }
        }
    }
    eprintln!("{hit} of {rules} rules counted");
    assert_eq!(wrong, 0, "cases on which model and kernel disagree");
    assert!(hit * 4 > rules, "too few of the rules are reached for the comparison to be worth much");
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
