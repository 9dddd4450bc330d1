//! `nft -j list ruleset` and `nft list ruleset` of the same rules in the same kernel: both are read as the same.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use super::super::ast::{CommandKind, Item, Rule, Script, Table};
use super::super::{lower, parse_script, print, print_rule};
use super::{json_to_script, read_json};
use std::sync::Arc;

fn text(listing: &str) -> Script {
    parse_script(listing, &Arc::from("rules.nft")).unwrap_or_else(|error| panic!("{error}"))
}

fn json(listing: &str) -> Script {
    json_to_script(listing, &Arc::from("rules.json")).unwrap_or_else(|error| panic!("{error}"))
}

fn tables(script: &Script) -> Vec<&Table> {
    let tables: Vec<&Table> = script
        .commands
        .iter()
        .filter_map(|command| match &command.kind {
            CommandKind::Table { table, .. } => Some(table),
            _ => None,
        })
        .collect();
    assert_eq!(tables.len(), script.commands.len());
    tables
}

/// Every rule with the name of its table and chain.
fn rules(script: &Script) -> Vec<(String, &Rule)> {
    let mut rules = Vec::new();
    for table in tables(script) {
        for item in &table.items {
            if let Item::Chain(chain) = item {
                let chain_name = format!("{} {} {}", table.family.as_str(), table.name.text, chain.name.text);
                rules.extend(chain.rules.iter().map(|rule| (chain_name.clone(), rule)));
            }
        }
    }
    rules
}

#[test]
fn explore() {
    for file in [
        "rules",
        "objects",
        "more",
        "m4-nft",
        "m5-nft-ct",
        "m7-timing",
        "m8-fragports-nft",
        "r07-nft-ejabberd",
        "r08-nft-raw",
    ] {
        let listing = std::fs::read_to_string(format!("src/ruleset/nft/testdata/{file}.list")).unwrap();
        let document = std::fs::read_to_string(format!("src/ruleset/nft/testdata/{file}.json")).unwrap();
        let (text, json) = (text(&listing), json(&document));
        let (of_text, of_json) = (rules(&text), rules(&json));
        println!("== {file} {} {}", of_text.len(), of_json.len());
        for (left, right) in of_text.iter().zip(&of_json) {
            assert_eq!(left.0, right.0);
            let (left, right) = (print_rule(left.1), print_rule(right.1));
            if left != right {
                println!("T {left}\nJ {right}");
            }
        }
        std::fs::write(format!("/tmp/wj/{file}.printed"), print(&json)).unwrap();
        match lower(&text, &Arc::from("t")) {
            Ok(_) => println!("text lowers"),
            Err(e) => println!("text: {e}"),
        };
        match read_json(&document, &Arc::from("t")) {
            Ok(_) => println!("json lowers"),
            Err(e) => println!("json: {e}"),
        };
    }
}
