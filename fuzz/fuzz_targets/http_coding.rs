//! Bodies of HTTP in gzip and deflate: any bytes, in any pieces, with gaps.
#![no_main]

#[path = "support/conversation.rs"]
mod conversation;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let coding: &[u8] = if data.first().is_some_and(|byte| byte & 0x80 == 0) { b"gzip" } else { b"deflate" };
    let request = [b"PUT / HTTP/1.1\r\nContent-Length: 600\r\nContent-Encoding: ", coding, b"\r\n\r\n"].concat();
    let response = [b"HTTP/1.1 200 OK\r\nContent-Encoding: ", coding, b"\r\n\r\n"].concat();
    conversation::play_behind(&[&request, &response], 5280, data);
});
