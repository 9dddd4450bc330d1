//! External terms: read strictly and leniently, printed, abridged, searched for calls, also as typed at a shell.
#![no_main]

use jabberscope::protocol::erldist::external::{CachedAtom, TermReader};
use jabberscope::protocol::erldist::{Reply, evaluated_calls, printed, typed_calls};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let atoms = [CachedAtom::Known("ok".into()), CachedAtom::Unknown(7)];
    let _ = TermReader::strict(data, &atoms).versioned();
    if let Ok(term) = TermReader::lenient(data, &atoms).term() {
        assert!(term.to_text(512).chars().count() <= 515);
        let _ = term.abridged(1024, 64);
        let _ = term.text();
        evaluated_calls(&term).for_each(drop);
        let _ = printed(&term);
        typed_calls(&Reply { call: None, value: term }).into_iter().for_each(drop);
    }
});
