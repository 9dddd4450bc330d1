//! Records behind handshakes that are opened: the hellos are fixed and their secrets are known; the rest, any bytes in any
//! pieces, with gaps, reaches the state machine, the record ciphers, and what is read inside.
#![no_main]

#[path = "support/conversation.rs"]
mod conversation;

use jabberscope::protocol::tls::{self, Keys};

const RANDOM: &str = "0707070707070707070707070707070707070707070707070707070707070707";
const SECRET: &str = "0909090909090909090909090909090909090909090909090909090909090909";

fn keys() -> Keys {
    let mut log = format!("CLIENT_RANDOM {RANDOM} {SECRET}{}\n", &SECRET[..32]);
    for label in [
        "CLIENT_EARLY_TRAFFIC_SECRET",
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
    ] {
        log += &format!("{label} {RANDOM} {SECRET}\n");
    }
    let mut keys = Keys::default();
    keys.add_log(log.as_bytes());
    keys
}

fn hello(kind: u8, version: [u8; 2], suite: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let mut body = [&[3, 3], &[7; 32][..], &[0]].concat();
    match kind {
        1 => body.extend([0, 2, suite[0], suite[1], 1, 0]),
        _ => body.extend([suite[0], suite[1], 0]),
    }
    let mut all = extensions.to_vec();
    if version == [3, 4] {
        all.extend_from_slice(if kind == 1 { &[0, 43, 0, 3, 2, 3, 4] } else { &[0, 43, 0, 2, 3, 4] });
    }
    body.extend((all.len() as u16).to_be_bytes());
    body.extend(all);
    let length = body.len() as u8;
    [&[22, 3, 3, 0, length + 4, kind, 0, 0, length], body.as_slice()].concat()
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    let (version, suite) = match choice % 12 {
        0 => ([3, 3], [0xc0, 0x2f]),
        1 => ([3, 3], [0xc0, 0xac]),
        2 => ([3, 3], [0xcc, 0xa8]),
        3 => ([3, 3], [0x00, 0x2f]),
        4 => ([3, 3], [0xc0, 0x28]),
        5 => ([3, 1], [0x00, 0x35]),
        6 => ([3, 4], [0x13, 0x01]),
        7 => ([3, 4], [0x13, 0x03]),
        8 => ([3, 4], [0x13, 0x04]),
        9 => ([3, 4], [0x13, 0x05]),
        10 => ([3, 3], [0x00, 0x9c]),
        _ => ([3, 3], [0x00, 0x3c]),
    };
    // Early data, encrypt-then-MAC, extended master secret.
    let early: &[u8] = if choice & 0x10 == 0 { &[] } else { &[0, 42, 0, 0] };
    let server: &[u8] = if choice & 0x20 == 0 { &[] } else { &[0, 22, 0, 0, 0, 23, 0, 0] };
    let (mut client_hello, mut server_hello) = (hello(1, version, suite, early), hello(2, version, suite, server));
    if version == [3, 1] {
        server_hello[10] = 1;
        client_hello[10] = 1;
    }
    let change = [20, 3, 3, 0, 1, 1];
    let mut steps = Vec::new();
    let mut step = |from: u8, bytes: &[u8]| {
        for piece in bytes.chunks(256) {
            steps.extend([from, (piece.len() - 1) as u8]);
            steps.extend_from_slice(piece);
        }
    };
    step(0, &client_hello);
    step(1, &server_hello);
    if version != [3, 4] {
        step(1, &change);
        step(0, &change);
    }
    steps.extend_from_slice(rest);
    conversation::play_with(tls::start(), 5223, &steps, keys());
});
