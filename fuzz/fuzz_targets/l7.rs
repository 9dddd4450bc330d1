//! Arbitrary text as an l7-filter pattern; what compiles is run on the text itself.
#![no_main]

use jabberscope::ruleset::l7::parse;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|text: &str| {
    if let Ok(pattern) = parse(text, &Arc::from("fuzz.pat"), &mut Vec::new()) {
        let _ = pattern.regex.is_match(text.as_bytes());
    }
});
