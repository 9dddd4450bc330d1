//! `nft -j list ruleset` and `nft list ruleset` (1.0.6) of the same rules in the same kernel: both are read as the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

use super::super::ast::{CommandKind, ElementAction, Item, Rule, RuleAction, RulePosition, Script, Table};
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
        for (left, right) in left.sets.iter().zip(&right.sets) {
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
}
