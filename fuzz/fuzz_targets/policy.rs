//! Any text as a policy: no panic; what is refused is refused with reasons, what is accepted can be asked.
#![no_main]

use jabberscope::policy::Policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match Policy::parse(text, "policy.toml") {
    Ok(policy) => {
        let _ = policy.xmpp.denied_jids.find("romeo@alpha.test/orchard");
        let _ = policy.site.is_own_domain("alpha.test");
        let _ = policy.site.is_inside([10, 0, 0, 1].into());
    }
    Err(error) => assert!(!error.problems().is_empty()),
});
