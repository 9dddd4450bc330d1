//! Listings that nft 1.0.6 printed of rules in a kernel, and the scripts that were loaded for them: what is read and
//! printed again is the same text.

#![allow(clippy::unwrap_used)] // tests

use super::{parse_script, print};
use proptest::prelude::*;
use std::sync::Arc;

/// Rules that are damaged and read.
const DAMAGED: usize = 20_000;

fn parsed_and_printed(text: &str) -> String {
    match parse_script(text, &Arc::from("script.nft")) {
        Ok(script) => print(&script),
        Err(error) => panic!("{error}"),
    }
}

/// Says the first line that differs.
fn assert_same(printed: &str, listed: &str) {
    for (number, (printed, listed)) in printed.lines().zip(listed.lines()).enumerate() {
        assert_eq!(printed, listed, "line {}", number + 1);
    }
    assert_eq!(printed, listed);
}

/// Listings are printed byte for byte.
macro_rules! listings {
    ($($test:ident: $file:literal,)*) => {$(
        #[test]
        fn $test() {
            let listing = include_str!(concat!("testdata/", $file, ".list"));
            assert_same(&parsed_and_printed(listing), listing);
        }
    )*};
}

listings! {
    rules_of_every_family: "rules",
    sets_and_objects: "objects",
    sets_and_objects_with_handles: "objects-handles",
    sets_and_objects_stateless: "objects-stateless",
    chains_of_every_hook: "more",
    chains_with_handles: "more-handles",
    chains_stateless: "more-stateless",
    flags_and_raw_payload: "m4-nft",
    connections: "m5-nft-ct",
    rates: "m7-timing",
    ports_of_fragments: "m8-fragports-nft",
    ejabberd: "r07-nft-ejabberd",
    raw: "r08-nft-raw",
}

/// What is not in nft's present layout is printed in it, and then stays.
macro_rules! scripts {
    ($($test:ident: $file:literal,)*) => {$(
        #[test]
        fn $test() {
            let printed = parsed_and_printed(include_str!(concat!("testdata/", $file)));
            assert_same(&parsed_and_printed(&printed), &printed);
        }
    )*};
}

scripts! {
    numeric_rules: "rules-numeric.list",
    numeric_sets: "objects-numeric.list",
    numeric_chains: "more-numeric.list",
    tables_of_iptables: "iptables.list",
    tables_of_iptables_with_handles: "iptables-handles.list",
    script_of_rules: "rules.nft",
    script_of_objects: "objects.nft",
    script_of_chains: "more.nft",
    script_m4: "m4-nft.nft",
    script_m5: "m5-nft-ct.nft",
    script_m7: "m7-timing.nft",
    script_m8: "m8-fragports-nft.nft",
    script_r07: "r07-nft-ejabberd.nft",
    script_r08: "r08-nft-raw.nft",
}

/// Words that scripts are made of, so that what is drawn gets far into the grammar.
const WORDS: &[&str] = &[
    "table",
    "inet",
    "ip",
    "ip6",
    "t",
    "{",
    "}",
    "chain",
    "c",
    "type",
    "filter",
    "hook",
    "forward",
    "priority",
    "policy",
    ";",
    "accept",
    "drop",
    "\n",
    "tcp",
    "dport",
    "saddr",
    "22",
    "0x16",
    "10.0.0.1",
    "fe80::1",
    "/",
    "8",
    "-",
    ":",
    ",",
    ".",
    "(",
    ")",
    "&",
    "|",
    "==",
    "!=",
    "set",
    "map",
    "vmap",
    "elements",
    "=",
    "@",
    "s",
    "th",
    "meta",
    "mark",
    "ct",
    "state",
    "new",
    "counter",
    "packets",
    "bytes",
    "limit",
    "rate",
    "10/minute",
    "burst",
    "define",
    "X",
    "$",
    "$X",
    "\"text\"",
    "eth*",
    "*",
    "jump",
    "dnat",
    "snat",
    "to",
    "random",
    "log",
    "prefix",
    "add",
    "update",
    "delete",
    "rule",
    "element",
    "flush",
    "ruleset",
    "timeout",
    "10s",
    "comment",
    "typeof",
    "flags",
    "syn",
    "option",
    "exists",
    "fib",
    "oif",
    "jhash",
    "mod",
    "numgen",
    "inc",
    "quota",
    "over",
    "25",
    "mbytes",
    "1:10",
    "00:11:22:33:44:55",
    "[",
    "]",
    "reject",
    "with",
    "icmp",
    "queue",
    "num",
    "bypass",
    "tproxy",
    "redirect",
    "meter",
    "size",
    "handle",
    "<<",
    "!",
    "<",
    "# handle 5\n",
    "\\\n",
    "name",
    "verdict",
    "ipv4_addr",
    "interval",
    "face",
    "synproxy",
    "mss",
    "used",
    "until",
];

/// A rule of drawn words in a chain, or the words alone.
fn script() -> impl Strategy<Value = String> {
    let words = || proptest::collection::vec(proptest::sample::select(WORDS), 0..24).prop_map(|words| words.join(" "));
    prop_oneof![
        words(),
        words().prop_map(|rule| format!("table ip t {{\n chain c {{\n  {rule}\n }}\n}}")),
        words().prop_map(|rule| format!("table ip t {{\n chain c {{\n  ip saddr {rule}\n }}\n}}")),
        words().prop_map(|rule| format!("table ip t {{\n chain c {{\n  meta mark set {rule}\n }}\n}}")),
        words().prop_map(|rule| format!("table ip t {{\n chain c {{\n  dnat to {rule}\n }}\n}}")),
        words().prop_map(|elements| format!("add element t s {{ {elements} }}")),
        words().prop_map(|set| format!("add set t s {{ type mark; {set} }}")),
    ]
}

fn assert_stable(text: &str) -> Result<(), TestCaseError> {
    let file = Arc::from("script.nft");
    if let Ok(script) = parse_script(text, &file) {
        let printed = print(&script);
        match parse_script(&printed, &file) {
            Ok(again) => prop_assert_eq!(print(&again), printed),
            Err(error) => prop_assert!(false, "{}\n{}", error, printed),
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        assert_stable(&text)?;
    }

    #[test]
    fn what_is_printed_is_read_again(text in script()) {
        assert_stable(&text)?;
    }
}

/// A listing that is cut off somewhere is only taken if no block is open.
#[test]
fn cut_listings_are_refused() {
    let file = Arc::from("script.nft");
    let listing = include_str!("testdata/objects.list");
    for cut in (0..listing.len()).step_by(7) {
        let text = &listing[..cut];
        let open = text.matches('{').count() > text.matches('}').count();
        assert!(!open || parse_script(text, &file).is_err(), "{text}");
    }
}

/// Real rules with parts left out, doubled, or taken from other rules.
#[test]
fn damaged_rules_are_stable() {
    let texts = [
        include_str!("testdata/rules.list"),
        include_str!("testdata/objects.list"),
        include_str!("testdata/rules.nft"),
        include_str!("testdata/iptables.list"),
    ];
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("\t\t")).collect();
    let parts = |line: &'static str| -> Vec<&'static str> {
        line.split_inclusive(|c: char| " ,:/-.{}()[]@&|".contains(c)).collect()
    };
    // A fixed sequence (xorshift), so that a failure can be had again.
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..DAMAGED {
        let mut rule = parts(lines[draw(lines.len())]);
        let other = parts(lines[draw(lines.len())]);
        for _ in 0..=draw(3) {
            let (at, part) = (draw(rule.len()), other[draw(other.len())]);
            match draw(3) {
                0 if rule.len() > 1 => drop(rule.remove(at)),
                1 => rule.insert(at, part),
                _ => rule[at] = part,
            }
        }
        let rule = rule.concat();
        for text in [
            format!("table ip t {{ chain c {{\n{rule}\n}} }}\n"),
            format!("add set ip t s {{\ntype mark; {rule}\n}}\n"),
        ] {
            assert_stable(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        }
    }
}
