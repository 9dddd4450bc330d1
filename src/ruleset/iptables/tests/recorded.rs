//! Rules against what the real tools make of them.

use crate::ruleset::error::RuleError;
use crate::ruleset::iptables::{Context, Parsed, parse_save, print_save};
use crate::ruleset::model::Family;
use std::sync::Arc;

const RECORDED: &str = include_str!("../testdata/recorded.txt");

/// A rule as given, and what came of it.
#[derive(Default)]
struct Case {
    head: String,
    given: String,
    refused: bool,
    /// Nothing is left of it (a line for the other family).
    nothing: bool,
    same: bool,
    both: Vec<String>,
    nft: Vec<String>,
    legacy: Vec<String>,
    /// What this reader makes of it on purpose; `None` within if it refuses it.
    own: Option<Option<String>>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut head = String::new();
    for line in RECORDED.lines().filter(|line| !line.starts_with('#')) {
        let (mark, text) = line.split_once(' ').unwrap_or((line, ""));
        if mark == "<" {
            cases.push(Case { head: head.clone(), given: text.into(), ..Case::default() });
            continue;
        }
        let case = cases.last_mut();
        match (mark, case) {
            ("X", Some(case)) => case.refused = true,
            ("0", Some(case)) => case.nothing = true,
            ("=", Some(case)) => case.same = true,
            (">", Some(case)) => case.both.push(text.into()),
            ("N>", Some(case)) => case.nft.push(text.into()),
            ("O>", Some(case)) => case.own = Some(Some(text.into())),
            ("OX", Some(case)) => case.own = Some(None),
            ("L>", Some(case)) => case.legacy.push(text.into()),
            _ => head = line.into(),
        }
    }
    cases
}

fn parse(case: &Case) -> Result<Parsed, RuleError> {
    let words: Vec<&str> = case.head.split(' ').collect();
    let [family, table, chain] = words.as_slice() else { panic!("head {}", case.head) };
    let family = if *family == "6" { Family::Ip6 } else { Family::Ip };
    let text = format!("*{table}\n:other - [0:0]\n-A {chain} {}\nCOMMIT\n", case.given);
    let context = Context { sets: Some(["s4", "s4b", "s6"].map(Arc::from).to_vec()), ..Context::default() };
    parse_save(&text, &Arc::from("test"), family, &context)
}

#[test]
fn rules_come_out_as_recorded() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases() {
        count += 1;
        let parsed = parse(&case);
        let texts = parsed.as_ref().map(|parsed| {
            let rules = parsed.tables.iter().flat_map(|table| &table.chains).flat_map(|chain| &chain.rules);
            rules.map(|rule| rule.text.clone()).collect::<Vec<String>>()
        });
        let given = vec![case.given.clone()];
        let right = match (&texts, case.refused) {
            (texts, _) if case.own.is_some() => {
                let own = case.own.clone().flatten();
                texts.as_ref().ok().map(|texts| texts.join("")) == own
            }
            (Ok(texts), false) if case.nothing => texts.is_empty(),
            (Ok(texts), false) if case.same => *texts == given,
            (Ok(texts), false) if !case.both.is_empty() => *texts == case.both,
            (Ok(texts), false) => *texts == case.nft || *texts == case.legacy,
            (Err(_), true) => true,
            (Err(_), false) => case.nft.is_empty() != case.legacy.is_empty(),
            (Ok(_), true) => false,
        };
        if !right {
            let texts = texts.map_or_else(|error| format!("error: {error}"), |texts| texts.join(" | "));
            wrong.push(format!("{} < {}\n    {texts}", case.head, case.given));
        }
    }
    assert!(count > 1_000);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn printed_rules_read_the_same() {
    for case in cases() {
        let Ok(parsed) = parse(&case) else { continue };
        let printed = print_save(&parsed.tables, None);
        // Less than 16 bytes a second is stored as none, and days may be none: the tool prints that but does not take it
        // back.
        if printed.contains(" 0b/s") || printed.contains("days  ") {
            continue;
        }
        let family = parsed.tables.first().map_or(Family::Ip, |table| table.family);
        let again = parse_save(&printed, &Arc::from("test"), family, &Context::default());
        let again = again.unwrap_or_else(|error| panic!("{printed}: {error}"));
        assert_eq!(print_save(&again.tables, None), printed, "{}", case.given);
    }
}
