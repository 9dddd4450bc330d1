//! `nft -j list ruleset` and `nft list ruleset` (1.0.6) of the same rules in the same kernel: both are read as the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

use super::super::ast::{CommandKind, Item, Rule, Script, Table};
use super::super::{Lowered, Set, lower, parse_script, print, print_rule};
use super::{json_to_script, read_json};
use crate::ruleset::error::Place;
use crate::ruleset::model;
use proptest::prelude::*;
use std::sync::Arc;

fn file() -> Arc<str> {
    Arc::from("rules.json")
}

fn text(listing: &str) -> Script {
    parse_script(listing, &file()).unwrap_or_else(|error| panic!("{error}"))
}

fn json(document: &str) -> Script {
    json_to_script(document, &file()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(document: &str) -> String {
    read_json(document, &file()).unwrap_err().to_string()
}

fn tables(script: &Script) -> impl Iterator<Item = &Table> {
    script.commands.iter().map(|command| match &command.kind {
        CommandKind::Table { table, .. } => table,
        other => panic!("{other:?}"),
    })
}

/// Every rule with its chain and handle, as text.
fn rules(script: &Script) -> Vec<String> {
    let chains = tables(script).flat_map(|table| {
        table.items.iter().filter_map(move |item| match item {
            Item::Chain(chain) => Some((table, chain)),
            _ => None,
        })
    });
    let line = |table: &Table, chain: &str, rule: &Rule| {
        format!("{} {} {chain}: {}", table.family.as_str(), table.name.text, print_rule(rule))
    };
    chains.flat_map(|(table, chain)| chain.rules.iter().map(move |rule| line(table, &chain.name.text, rule))).collect()
}

/// Tables without what a listing in JSON does not have: places, milliseconds, devices, what no rule of it tells.
fn models(lowered: Lowered) -> Vec<model::Table> {
    let mut tables = lowered.tables;
    for table in &mut tables {
        table.place = Place::default();
        table.objects.iter_mut().for_each(|object| object.place = Place::default());
        table.sets.iter_mut().for_each(without_place);
        for chain in &mut table.chains {
            chain.place = Place::default();
            chain.base.iter_mut().for_each(|base| base.devices.clear());
            for rule in &mut chain.rules {
                rule.place = Place::default();
                rule.text.clear();
            }
        }
    }
    tables
}

fn without_place(set: &mut Set) {
    set.place = Place::default();
    set.dynamic = false;
    for element in &mut set.elements {
        element.expires = element.expires.map(|millis| millis / 1000);
    }
}

/// A set that is declared by example and not used: JSON has only `integer`, or nothing, for it.
fn is_unsized(set: &Set) -> bool {
    matches!(set.name.as_deref(), Some("d4" | "d5" | "d6" | "d7"))
}

fn assert_same(listing: &str, document: &str) {
    let (of_text, of_json) = (text(listing), json(document));
    let (left, right) = (rules(&of_text), rules(&of_json));
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(&right) {
        // nft prints days of a range as numbers in text only.
        assert_eq!(&left.replace("meta day 1-5", "meta day \"Monday\"-\"Friday\""), right);
    }
    let of_text = models(lower(&of_text, &file()).unwrap_or_else(|error| panic!("{error}")));
    let of_json = models(read_json(document, &file()).unwrap_or_else(|error| panic!("{error}")));
    assert_eq!(of_text.len(), of_json.len());
    for (left, right) in of_text.iter().zip(&of_json) {
        for (left, right) in left.chains.iter().zip(&right.chains) {
            assert_eq!(format!("{left:#?}"), format!("{right:#?}"));
        }
        for (left, right) in left.sets.iter().zip(&right.sets).filter(|(set, _)| !is_unsized(set)) {
            assert_eq!(format!("{left:#?}"), format!("{right:#?}"));
        }
        assert_eq!(format!("{:#?}", left.objects), format!("{:#?}", right.objects));
        assert_eq!((&left.name, left.family), (&right.name, right.family));
    }
}

macro_rules! listings {
    ($($test:ident: $file:literal,)*) => {$(
        #[test]
        fn $test() {
            assert_same(
                include_str!(concat!("../testdata/", $file, ".list")),
                include_str!(concat!("../testdata/", $file, ".json")),
            );
        }
    )*};
}

listings! {
    rules_of_every_family: "rules",
    sets_and_objects: "objects",
    chains_of_every_hook: "more",
    flags_and_raw_payload: "m4-nft",
    connections: "m5-nft-ct",
    rates: "m7-timing",
    ports_of_fragments: "m8-fragports-nft",
    ejabberd: "r07-nft-ejabberd",
    raw: "r08-nft-raw",
    sets_declared_by_example: "used",
}

#[test]
fn sets_that_rules_fill_are_dynamic() {
    let document = include_str!("../testdata/used.json");
    let table = read_json(document, &file()).unwrap().tables.remove(0);
    let dynamic: Vec<_> = table.sets.iter().filter(|set| set.dynamic).map(|set| set.name.clone().unwrap()).collect();
    assert_eq!(dynamic, ["seen".into()]);
}

/// The rules of a chain, as text.
fn printed(family: &str, expr: &str) -> String {
    let rule = format!(
        r#"{{"nftables": [{{"table": {{"family": "{family}", "name": "t"}}}},
           {{"chain": {{"family": "{family}", "table": "t", "name": "c"}}}},
           {{"rule": {{"family": "{family}", "table": "t", "chain": "c", "expr": {expr}}}}}]}}"#
    );
    let script = json(&rule);
    let table = tables(&script).next().unwrap();
    let Some(Item::Chain(chain)) = table.items.first() else { panic!("{table:?}") };
    print_rule(&chain.rules[0])
}

/// What the kernel at hand cannot do, or other versions print, after libnftables-json(5).
#[test]
fn forms_that_no_listing_here_has() {
    for (expr, text) in [
        (r#"[{"queue": null}]"#, "queue"),
        (r#"[{"queue": {"num": 1, "flags": "bypass"}}]"#, "queue flags bypass to 1"),
        (
            r#"[{"queue": {"num": {"range": [1, 3]}, "flags": ["bypass", "fanout"]}}]"#,
            "queue flags bypass,fanout to 1-3",
        ),
        (r#"[{"flow": {"op": "add", "flowtable": "@ft"}}]"#, "flow add @ft"),
        (r#"[{"last": null}]"#, "last"),
        (r#"[{"last": {"used": 5000}}]"#, "last used 5s"),
        (r#"[{"secmark": "s"}]"#, "secmark name \"s\""),
        (r#"[{"xt": {"type": "match", "name": "string"}}]"#, "xt match string"),
        (r#"[{"xt": null}]"#, "xt match unknown"),
        (r#"["jump {\n\t\t\tip saddr 1.2.3.4 drop\n\t\t\taccept\n\t\t}"]"#, "jump { ip saddr 1.2.3.4 drop; accept; }"),
        (r#"[{"match": {"left": {"dccp option": {"type": 5}}, "right": true, "op": "=="}}]"#, "dccp option 5 exists"),
        (
            r#"[{"map": {"op": "update", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "data": 5, "map": "@m"}}]"#,
            "update @m { ip saddr : 5 }",
        ),
        (
            r#"[{"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"|": [{"meta": {"key": "mark"}}, 1, 2]}}}]"#,
            "meta mark set meta mark | 0x00000001 | 0x00000002",
        ),
        (
            r#"[{"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"&": [{"^": [{"ct": {"key": "mark"}}, 1]}, 2]}}}]"#,
            "meta mark set (ct mark ^ 0x00000001) & 0x00000002",
        ),
        (
            r#"[{"match": {"op": "==", "left": {"payload": {"tunnel": "vxlan", "protocol": "ip", "field": "saddr"}}, "right": "10.0.0.1"}}]"#,
            "vxlan ip saddr 10.0.0.1",
        ),
        (r#"[{"reject": null}]"#, "reject"),
        (r#"[{"reject": {"type": "icmp", "expr": "port-unreachable"}}]"#, "reject with icmp port-unreachable"),
    ] {
        assert_eq!(printed("inet", expr), text);
    }
    assert_eq!(printed("ip", r#"[{"reject": {"type": "icmp", "expr": "port-unreachable"}}]"#), "reject");
}

#[test]
fn commands_are_those_of_scripts() {
    let document = r#"{"nftables": [
        {"flush": {"ruleset": null}},
        {"add": {"table": {"family": "inet", "name": "t"}}},
        {"add": {"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "forward",
                           "prio": "filter + 5", "policy": "drop"}}},
        {"create": {"set": {"family": "inet", "table": "t", "name": "s", "type": ["ipv4_addr", "inet_service"]}}},
        {"add": {"map": {"family": "inet", "table": "t", "name": "m", "type": "mark", "map": "verdict"}}},
        {"add": {"element": {"family": "inet", "table": "t", "name": "m", "elem": [[1, {"drop": null}]]}}},
        {"add": {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"accept": null}]}}},
        {"add": {"flowtable": {"family": "inet", "table": "t", "name": "f", "hook": "ingress", "prio": 0, "dev": "lo"}}},
        {"add": {"secmark": {"family": "inet", "table": "t", "name": "x", "context": "a:b"}}},
        {"insert": {"rule": {"family": "inet", "table": "t", "chain": "c", "index": 0, "expr": [{"drop": null}]}}},
        {"replace": {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 7, "expr": [{"drop": null}]}}},
        {"add": {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"notrack": null}]}}},
        {"rename": {"chain": {"family": "inet", "table": "t", "name": "c", "newname": "d"}}},
        {"delete": {"rule": {"family": "inet", "table": "t", "chain": "d", "handle": 9}}},
        {"delete": {"element": {"family": "inet", "table": "t", "name": "m", "elem": {"set": [2]}}}},
        {"destroy": {"set": {"family": "inet", "table": "t", "name": "s"}}},
        {"reset": {"counters": null}},
        {"list": {"table": {"family": "inet", "name": "t"}}}
    ]}"#;
    let expected = "\
flush ruleset
table inet t {
\tchain c {
\t\ttype filter hook forward priority filter + 5; policy drop;
\t\taccept
\t}

\tmap m {
\t\ttype mark : verdict
\t}

\tflowtable f {
\t\thook ingress priority 0
\t\tdevices = { lo }
\t}

\tsecmark x {
\t\t\"a:b\"
\t}
}
create set inet t s { type ipv4_addr . inet_service; }
add element inet t m { 0x00000001 : drop }
insert rule inet t c index 0 drop
replace rule inet t c handle 7 drop
add rule inet t c notrack
rename chain inet t c d
delete rule inet t d handle 9
delete element inet t m { 2 }
destroy set inet t s
reset counter
list table inet t
";
    assert_eq!(print(&json(document)), expected);
}

#[test]
fn errors_say_where_and_what_was_expected() {
    let rule = |expr: &str| {
        format!(
            r#"{{"nftables": [{{"table": {{"family": "ip", "name": "t"}}}},
 {{"chain": {{"family": "ip", "table": "t", "name": "c"}}}},
 {{"rule": {{"family": "ip", "table": "t", "chain": "c", "expr": [{expr}]}}}}]}}"#
        )
    };
    for (document, error) in [
        (
            rule(r#"{"match": {"op": "=", "left": {"meta": {"key": "mark"}}, "right": 1}}"#),
            "rules.json:3:82: nftables[2].rule.expr[0].match.op: expected one of ==, !=, <, >, <=, >=, in, !, found \"=\"",
        ),
        (
            rule(r#"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dprt"}}, "right": 1}}"#),
            "rules.json:3:137: nftables[2].rule.expr[0].match.left.payload.field: tcp has no field \"dprt\"",
        ),
        (
            rule(r#"{"jump": {"target": "d"}}"#),
            "rules.json:3:91: nftables[2].rule.expr[0].jump.target: there is no chain \"d\": did you mean c?",
        ),
        (
            rule(r#"{"mtach": {}}"#),
            "rules.json:3:80: nftables[2].rule.expr[0].mtach: expected a statement (match, counter, limit, log, accept, \
             drop, jump, vmap, mangle, snat, dnat and the like), found \"mtach\"",
        ),
        (
            rule(r#""add @m ip saddr""#),
            "rules.json:3:71: nftables[2].rule.expr[0]: not a statement in text form: expected `{`, found `ip`",
        ),
        (
            r#"{"nftables": [{"rule": {"family": "ip4"}}]}"#.to_owned(),
            "rules.json:1:24: nftables[0].rule: expected a member \"table\"",
        ),
        (r#"{"nftables": [{"tab"#.to_owned(), "rules.json:1:16: this text is not closed: expected `\"`"),
        (r#"{"nftables": [1.5]}"#.to_owned(), "rules.json:1:15: expected a whole number, found `1`"),
        (r#"{"nftables": []} x"#.to_owned(), "rules.json:1:18: expected the end of the file, found `x`"),
        ("[]".to_owned(), "rules.json:1:1: expected {\"nftables\": […]}, found a list"),
    ] {
        assert_eq!(refused(&document), error);
    }
}

#[test]
fn depth_is_bounded() {
    assert!(refused(&"[".repeat(100_000)).contains("too deep"));
    let nested = |inner: &str, levels: usize| {
        let expr = format!("{}{inner}{}", r#"{"&": ["#.repeat(levels), ", 1]}".repeat(levels));
        format!(
            r#"{{"nftables": [{{"rule": {{"family": "ip", "table": "t", "chain": "c", "expr": [
               {{"mangle": {{"key": {{"meta": {{"key": "mark"}}}}, "value": {expr}}}}}]}}}}]}}"#
        )
    };
    let mark = r#"{"meta": {"key": "mark"}}"#;
    assert!(json_to_script(&nested(mark, 4), &file()).is_ok());
    assert!(refused(&nested(mark, 40)).contains("too deep"));
    // Many operands of one operator nest as deep as they are many.
    let operands = vec!["1"; 10_000].join(", ");
    assert!(refused(&nested(&format!("{mark}, {operands}"), 1)).contains("too deep"));
}

/// Listings with a part cut out, doubled or taken from elsewhere: read or refused, and what is read can be printed.
#[test]
fn damaged_listings_are_read_or_refused() {
    let texts = [
        include_str!("../testdata/rules.json"),
        include_str!("../testdata/objects.json"),
        include_str!("../testdata/used.json"),
    ];
    let objects: Vec<&str> = texts.iter().flat_map(|text| text.split_inclusive("}}, ")).collect();
    let parts = |text: &'static str| -> Vec<&'static str> {
        text.split_inclusive(|letter: char| " ,:[]{}\"".contains(letter)).collect()
    };
    // A fixed sequence (xorshift), so that a failure can be had again.
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut object = parts(objects[draw(objects.len())].trim_end_matches(", "));
        let other = parts(objects[draw(objects.len())]);
        let (at, part) = (draw(object.len()), other[draw(other.len())]);
        match draw(3) {
            0 if object.len() > 1 => drop(object.remove(at)),
            1 => object.insert(at, part),
            _ => object[at] = part,
        }
        let document = format!(r#"{{"nftables": [{}]}}"#, object.concat());
        match json_to_script(&document, &file()) {
            Ok(script) => {
                drop((print(&script), lower(&script, &file())));
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(read > 500 && refused > 500, "{read} {refused}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        drop(read_json(&text, &file()));
    }

    #[test]
    fn texts_are_those_that_were_written(text in any::<String>()) {
        let document = serde_json::to_string(&text).unwrap();
        let root = super::document::document(&document).unwrap();
        prop_assert!(matches!(root.value, super::document::Value::Text(read) if read == text));
    }
}
