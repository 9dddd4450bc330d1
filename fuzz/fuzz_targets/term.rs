//! External terms: read strictly and leniently, printed, abridged, searched for calls.
#![no_main]

use jabberscope::protocol::erldist::evaluated_calls;
use jabberscope::protocol::erldist::external::{CachedAtom, TermReader};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let atoms = [CachedAtom::Known("ok".into()), CachedAtom::Unknown(7)];
    let _ = TermReader::strict(data, &atoms).versioned();
    if let Ok(term) = TermReader::lenient(data, &atoms).term() {
        assert!(term.to_text(512).chars().count() <= 515);
        let _ = term.abridged(1024, 64);
        let _ = term.text();
        evaluated_calls(&term).for_each(drop);
    }
});
