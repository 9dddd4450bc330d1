//! The model against the kernel: random rules and packets through both, compared counter for counter.
//!
//! `JABBERSCOPE_SEEDS=FIRST-LAST` runs other seeds than those of every day, as many as one has time for; all that
//! disagree are then told, each cut down to the rules and packets that matter.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // tests
mod support;

use jabberscope::replay::kernel::available;
use std::ops::RangeInclusive;
use support::random_rules::{Wanted, case};

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
