//! DNS messages alone, and conversations of them over UDP and TCP.
#![no_main]

#[path = "support/conversation.rs"]
mod conversation;

use jabberscope::protocol::dns;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let message = dns::wire::parse(data);
    let records = message.answers.iter().chain(&message.authority).chain(&message.additional);
    assert!(records.clone().count() <= dns::wire::MAX_RECORDS);
    assert!(records.into_iter().all(|record| record.data.len() <= dns::wire::MAX_DATA_TEXT));
    conversation::play(dns::start_datagram(), 53, data);
    conversation::play(dns::start_stream(), 53, data);
});
