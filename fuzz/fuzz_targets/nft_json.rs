//! Any text as `nft -j list ruleset`: no panic in reading, lowering and printing.
#![no_main]

use jabberscope::ruleset::nft::{json_to_script, lower, print};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|text: &str| {
    let file = Arc::from("fuzz.json");
    if let Ok(script) = json_to_script(text, &file) {
        let printed = print(&script);
        assert!(script.commands.is_empty() || !printed.is_empty());
        let _lowered_or_refused = lower(&script, &file);
    }
});
