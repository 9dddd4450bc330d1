//! iptables-save files and scripts of iptables commands: read or refused; and what is printed reads the same.
#![no_main]

use jabberscope::ruleset::iptables::{Context, parse_save, parse_script, print_save};
use jabberscope::ruleset::model::Family;
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let file = Arc::from("fuzz");
    let context = Context::default();
    let family = if first & 1 == 0 { Family::Ip } else { Family::Ip6 };
    let _ = parse_script(text, &file, &context);
    let Ok(parsed) = parse_save(text, &file, family, &context) else { return };
    let printed = print_save(&parsed.tables, None);
    // The one value that the real tool prints but does not take, either.
    if printed.contains(" 0b/s") {
        return;
    }
    match parse_save(&printed, &file, family, &context) {
        Ok(again) => assert_eq!(print_save(&again.tables, None), printed),
        Err(error) => panic!("{error} in\n{printed}"),
    }
});
