//! Any text as a JID: no panic, and the normal form of a normal form is itself.
#![no_main]

use jabberscope::protocol::xmpp::jid;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let once = jid::normalize(text).into_owned();
    assert_eq!(jid::normalize(&once), once);
    let (local, domain, resource) = jid::parts(text);
    let put_together = [
        local.map(|local| format!("{local}@")),
        Some(domain.to_owned()),
        resource.map(|resource| format!("/{resource}")),
    ];
    assert_eq!(put_together.into_iter().flatten().collect::<String>(), text);
});
