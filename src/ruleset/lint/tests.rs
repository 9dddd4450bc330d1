#![allow(clippy::unwrap_used)] // tests
use super::*;
use crate::ruleset::load::{self, RuleFile};

/// What is said of each rule, by line: `shadowed`, `redundant`, `doubtful`; and of the ruleset.
fn said(text: &str) -> (Vec<(u32, Kind)>, Vec<String>) {
    let language = load::told_by(text, "fw", None).unwrap();
    let file = RuleFile { path: "fw".to_owned(), language, text: text.to_owned() };
    let ruleset = load::assemble(&[file]).unwrap();
    let lines: Vec<u32> = ruleset.rules().map(|(_, _, rule)| rule.place.line).collect();
    let lints = lint(&ruleset);
    let rules = lints.iter().filter_map(|lint| Some((lines[lint.rule? as usize], lint.kind)));
    let whole = lints.iter().filter(|lint| lint.rule.is_none()).map(|lint| lint.message.clone());
    (rules.collect(), whole.collect())
}

fn nft(rules: &str) -> Vec<(u32, Kind)> {
    said(&format!("table inet f {{\nchain c {{ type filter hook input priority 0; policy drop;\n{rules}\n}}\n}}")).0
}

#[test]
fn an_earlier_rule_that_takes_all_shadows() {
    assert_eq!(nft("tcp dport 1-1024 accept\ntcp dport 80 drop"), [(4, Kind::Shadowed)]);
    assert_eq!(nft("ip saddr 10.0.0.0/8 accept\nip saddr 10.1.0.0/16 tcp dport 80 drop"), [(4, Kind::Shadowed)]);
    assert_eq!(nft("tcp dport { 80, 443 } accept\ntcp dport 443 drop"), [(4, Kind::Shadowed)]);
    assert_eq!(nft("accept\nudp dport 53 accept"), [(4, Kind::Shadowed)]);
}

#[test]
fn what_may_not_match_does_not_shadow() {
    assert_eq!(nft("tcp dport 80 limit rate 1/second accept\ntcp dport 80 accept"), []);
    assert_eq!(nft("tcp dport 80-90 accept\ntcp dport 85-95 accept"), []);
    assert_eq!(nft("tcp dport 80 counter\ntcp dport 80 accept"), []);
    assert_eq!(nft("ip saddr 10.1.0.0/16 accept\nip saddr 10.0.0.0/8 accept"), [(3, Kind::Redundant)]);
}

#[test]
fn what_comes_next_may_make_a_rule_needless() {
    assert_eq!(nft("tcp dport 80 accept\ntcp dport 1-1024 accept"), [(3, Kind::Redundant)]);
    assert_eq!(nft("udp dport 80 drop"), [(3, Kind::Redundant)], "the policy drops it anyway");
    assert_eq!(nft("tcp dport 80 accept\ntcp dport 80 log drop\ntcp dport 1-1024 accept"), [(4, Kind::Shadowed)]);
}

#[test]
fn chains_that_nothing_reaches() {
    let text = "table ip f {\nchain lost {\ntcp dport 1 drop\n}\nchain also {\njump lost\n}\n}";
    assert_eq!(said(text).0, [(3, Kind::Shadowed), (6, Kind::Shadowed)]);
}

#[test]
fn a_ruleset_of_one_version_is_told() {
    let (_, whole) =
        said("table ip f {\nchain c { type filter hook input priority 0; policy accept;\ntcp dport 1 drop\n}\n}");
    assert!(whole[0].contains("IPv6") || whole[1].contains("IPv6"), "{whole:?}");
    assert!(whole.iter().any(|message| message.contains("what no rule names is accepted")), "{whole:?}");
}
