//! Any text as an nftables script: no panic, and what is printed of it is read again as the same.
#![no_main]

use jabberscope::ruleset::nft::{parse_script, print};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|text: &str| {
    let file = Arc::from("fuzz.nft");
    if let Ok(script) = parse_script(text, &file) {
        let printed = print(&script);
        let again = parse_script(&printed, &file).map(|script| print(&script));
        assert_eq!(again.as_ref(), Ok(&printed));
    }
});
