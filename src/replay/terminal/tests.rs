#![allow(clippy::unwrap_used)] // tests
use super::*;
use crate::replay::hits::{Change, Evasion, LayerReach, RuleHits, StoppedFlow, Verdicts};
use crate::report::demo;

fn rule(n: u32, packets: u64, state: RuleState, text: &str, note: &str) -> RuleHits {
    RuleHits {
        family: "ip".into(),
        table: "filter".into(),
        chain: "INPUT".into(),
        n,
        text: text.into(),
        file: "fw.rules".into(),
        line: n + 4,
        packets,
        bytes: packets * 60,
        state,
        note: note.into(),
        ..RuleHits::default()
    }
}

fn hurt(between_others: bool) -> StoppedFlow {
    StoppedFlow {
        flow: "1:x".into(),
        transport: "tcp".into(),
        src: "10.0.0.7:1".into(),
        dst: "10.0.0.1:5222".into(),
        capture: "a.pcap".into(),
        frame: 9,
        packets: 1,
        packets_total: 2,
        rule: "policy of filter FORWARD".into(),
        between_others,
    }
}

/// Two rulesets over the demo case: one stops every other finding, the other none.
fn hits(findings: &[FindingRecord]) -> Hits {
    let outcomes = |stops: bool| {
        findings.iter().enumerate().map(move |(at, finding)| {
            let (outcome, reason, detail) = match (stops, at % 3) {
                (true, 0) => (Outcome::Stopped, "filter INPUT rule 2 (fw.rules:6)", ""),
                (true, 1) => (Outcome::Late, "filter INPUT rule 2 (fw.rules:6)", ""),
                _ => (Outcome::Missed, "no rule matched", "let through by the policy"),
            };
            FindingOutcome {
                id: finding.id.clone(),
                outcome,
                frame: (outcome != Outcome::Missed).then_some(7),
                bytes_passed: if outcome == Outcome::Late { 2_048 } else { 0 },
                reason: reason.to_owned(),
                detail: detail.to_owned(),
            }
        })
    };
    let reach = LayerReach { stoppable: 5, stoppable_unharmed: 3, stopped: 1 };
    let mut named = rule(
        1,
        159,
        RuleState::Redundant,
        "-i eth0 -j ACCEPT",
        "by the capture: its 159 packets fare the same without it",
    );
    named.assumed = vec!["interface eth0: assumed, for no --iface names it".into()];
    let careful = RulesetHits {
        name: "fw".into(),
        engine: "model".into(),
        mode: "enforce".into(),
        rules: vec![
            named,
            rule(2, 4, RuleState::Hit, "-p tcp -j DROP", ""),
            rule(3, 0, RuleState::Shadowed, "-p tcp -j ACCEPT", "provably: rule 2 (line 6) takes every packet"),
            rule(
                4,
                0,
                RuleState::Unknown,
                "-m owner --uid-owner 5",
                "-m owner: the sending process is not in a capture",
            ),
        ],
        verdicts: Verdicts { accept: 1_234, drop: 4, reject: 1, unsent: 20, held: 0 },
        findings: outcomes(true).collect(),
        collateral: vec![hurt(true), hurt(false)],
        layers: ["ip", "transport", "application"].into_iter().map(|layer| (layer.to_owned(), reach)).collect(),
        evasions: vec![Evasion {
            rule: "filter INPUT rule 2 (fw.rules:6)".into(),
            how: "split".into(),
            flows: 1,
            capture: "a.pcap".into(),
            frame: 12,
            note: "the signature is in the stream, but no packet holds all of it".into(),
        }],
        notes: vec!["IPv6 is not filtered at all: no table of family ip6 or inet".into()],
        disagreements: Some(vec![
            "ip filter INPUT policy: model 1 packets 60 bytes, kernel 2 packets 120 bytes".into(),
        ]),
        ..RulesetHits::default()
    };
    let open = RulesetHits {
        name: "evil\u{1b}[2J".into(),
        engine: "kernel".into(),
        mode: "observe".into(),
        verdicts: Verdicts { accept: 1_259, ..Verdicts::default() },
        findings: outcomes(false).collect(),
        ..RulesetHits::default()
    };
    let change = Change {
        what: "flow".into(),
        id: "1:x".into(),
        title: "tcp 10.0.0.7:1 to 10.0.0.1:5222".into(),
        outcomes: [("fw", "cut"), ("evil\u{1b}[2J", "passed")]
            .map(|(name, what)| (name.to_owned(), what.to_owned()))
            .into(),
    };
    Hits {
        rulesets: vec![careful, open],
        not_replayed: [("multicast".to_owned(), 3)].into(),
        assumptions: vec!["no --inside was given, so every packet comes in and leaves by eth0".into()],
        changes: vec![change],
    }
}

#[test]
fn a_person_sees_what_a_ruleset_does() {
    let findings = demo::case().1;
    let text = summary(&hits(&findings), &findings, false);
    assert!(!text.contains('\u{1b}'));
    insta::assert_snapshot!(text);
}

#[test]
fn verbose_shows_every_rule() {
    let findings = demo::case().1;
    let text = summary(&hits(&findings), &findings, true);
    assert_eq!(text.matches("fw.rules:6 filter INPUT: -p tcp -j DROP").count(), 1);
}

#[test]
fn no_findings_are_told_as_such() {
    let mut none = hits(&[]);
    none.rulesets.truncate(1);
    none.rulesets[0].layers.clear();
    let text = summary(&none, &[], false);
    assert!(text.contains("Findings none in these captures") && !text.contains("Layers"), "{text}");
}
