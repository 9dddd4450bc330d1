//! Tests of the reader as a whole.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod commands;
mod errors;
mod properties;
mod recorded;

use super::{Context, Parsed, parse_save, parse_script};
use crate::ruleset::error::RuleError;
use crate::ruleset::model::{Family, Rule};
use std::sync::Arc;

fn save(text: &str) -> Result<Parsed, RuleError> {
    parse_save(text, &Arc::from("rules"), Family::Ip, &Context::default())
}

fn script(text: &str) -> Result<Parsed, RuleError> {
    parse_script(text, &Arc::from("script"), &Context::default())
}

/// The only rule of a filter table with this rule in FORWARD.
fn rule(spec: &str) -> Rule {
    let parsed = save(&format!("*filter\n-A FORWARD {spec}\nCOMMIT\n")).unwrap();
    parsed.tables.into_iter().flat_map(|table| table.chains).flat_map(|chain| chain.rules).next().unwrap()
}
