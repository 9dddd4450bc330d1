//! Random rulesets and packets through the kernel: they load, they count, and sending many packets in one call counts
//! as sending them one by one.
//!
//! `JABBERSCOPE_SEEDS=FIRST-LAST` runs others than the few of every day.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // tests
mod support;

use jabberscope::replay::kernel::{KernelResult, available};
use std::ops::RangeInclusive;
use std::time::Instant;
use support::random_rules::{OwnedPacket, RandomCase, Wanted, case};

fn seeds() -> RangeInclusive<u64> {
    let asked = std::env::var("JABBERSCOPE_SEEDS").unwrap_or_else(|_| "1-12".to_owned());
    let (first, last) = asked.split_once('-').expect("FIRST-LAST");
    first.parse().unwrap()..=last.parse().unwrap()
}

fn run(case: &RandomCase) -> KernelResult {
    let result = case.kernel_run().run(case.packets.iter().map(OwnedPacket::borrowed), &mut |_| {});
    result.unwrap_or_else(|error| panic!("seed {}: {error}", case.seed))
}

/// Names what differs, and no more.
fn assert_same(seed: u64, one: &KernelResult, other: &KernelResult) {
    assert_eq!(one.rules.len(), other.rules.len());
    for (a, b) in one.rules.iter().zip(&other.rules) {
        assert_eq!(a, b, "seed {seed}");
    }
    assert_eq!((&one.chains, &one.objects), (&other.chains, &other.objects), "seed {seed}");
    assert_eq!(one.verdicts, other.verdicts, "seed {seed}");
}

#[test]
fn the_same_seed_gives_the_same_case() {
    let text = |seed| format!("{:?}", case(seed, Wanted::default()));
    assert_eq!(text(7), text(7));
    assert_ne!(text(7), text(8));
}

#[test]
fn random_rules_load_and_count() {
    if let Err(why) = available() {
        assert!(why.is_unavailable(), "{why}");
        eprintln!("SKIPPED: {why}");
        return;
    }
    let (mut rules, mut refused, mut packets, mut counting, mut counted) = (0, 0, 0, 0, 0);
    for seed in seeds() {
        let start = Instant::now();
        let mut case = case(seed, Wanted::default());
        let made: usize = case.files.iter().map(|file| file.rules()).sum();
        let dropped = case.accepted().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for (rule, why) in &dropped {
            eprintln!("seed {seed}: refused: {}: {}", rule.trim(), why.lines().next().unwrap_or_default());
        }
        let found = Instant::now();
        let result = run(&case);
        let took = found.elapsed();
        assert_eq!(result.verdicts.len(), case.packets.len());
        let hit = result.rules.iter().filter(|rule| rule.count().is_some_and(|(packets, _)| packets > 0)).count();
        let letters: String = result.verdicts.iter().map(|verdict| verdict.letter()).collect();
        let of = |letter| letters.matches(letter).count();
        eprintln!(
            "seed {seed}: {:?} {:?}: {made} rules, {} refused, {hit} of {} counted; {} packets: {} accepted, {} dropped, \
             {} rejected, {} skipped; {took:?}, {:?} with dropping",
            case.files.iter().map(|file| file.kind).collect::<Vec<_>>(),
            case.backend,
            dropped.len(),
            result.rules.len(),
            case.packets.len(),
            of('A'),
            of('D'),
            of('R'),
            of('S'),
            start.elapsed(),
        );
        let again = run(&case);
        assert_same(seed, &again, &result);
        rules += made;
        refused += dropped.len();
        packets += case.packets.len();
        counting += result.rules.len();
        counted += hit;
    }
    eprintln!("{rules} rules, {refused} refused by the tools, {counted} of {counting} counted; {packets} packets");
    assert!(counted * 4 > counting, "too few of the rules are reached for a comparison to be worth much");
    assert!(refused * 10 < rules, "too many of the rules are refused");
}

#[test]
fn many_at_once_count_as_one_by_one() {
    if let Err(why) = available() {
        assert!(why.is_unavailable(), "{why}");
        eprintln!("SKIPPED: {why}");
        return;
    }
    for seed in seeds().take(4) {
        let mut case = case(seed, Wanted { packets: 40, ..Wanted::default() });
        case.accepted().unwrap();
        let at_once = run(&case);
        case.settings.per_packet = true;
        let single = run(&case);
        assert_same(seed, &single, &at_once);
        let moved: u64 = single.per_packet.unwrap().iter().flatten().map(|moved| moved.packets).sum();
        assert!(moved > 0, "seed {seed}");
    }
}
