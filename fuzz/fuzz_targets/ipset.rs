//! Arbitrary bytes as an ipset script; what is read prints and reads the same.
#![no_main]

use jabberscope::ruleset::ipset::{parse, print};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let (mut sets, mut notes) = (Vec::new(), Vec::new());
    if parse(&String::from_utf8_lossy(data), &Arc::from("fuzz"), &mut sets, &mut notes).is_ok() {
        let text = print(&sets);
        let mut again = Vec::new();
        parse(&text, &Arc::from("printed"), &mut again, &mut notes).expect("what was printed is read");
        assert_eq!(print(&again), text);
    }
});
