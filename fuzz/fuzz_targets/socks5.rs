//! SOCKS 5 conversations: any bytes, in any pieces, with gaps.
#![no_main]

#[path = "support/conversation.rs"]
mod conversation;

libfuzzer_sys::fuzz_target!(|data: &[u8]| conversation::play(jabberscope::protocol::socks5::start(), 7777, data));
