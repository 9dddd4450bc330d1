//! Whether an opening is readable text.

use super::telnet::Telnet;
use crate::protocol::{Opening, Probe};

/// Text without a line end or a prompt may still become a line up to here; beyond, it is data of some other kind.
const PATIENCE: usize = 2048;

/// Protocols that greet in text and go on in binary: not worth starting on.
const BINARY_AFTER_GREETING: &[&[u8]] = &[b"SSH-", b"RFB ", b"BitTorrent", b"AMQP"];

/// Yes only if what both sides sent is printable and one of them ended a line or prompts.
pub fn probe(opening: &Opening<'_>) -> Probe {
    let sides = [opening.from_orig, opening.from_resp].map(Side::of);
    if sides.iter().any(|side| !side.readable) {
        return Probe::No;
    }
    if sides.iter().any(|side| side.speaks) {
        return Probe::Yes;
    }
    match sides.iter().any(|side| side.length > PATIENCE) {
        true => Probe::No,
        false => Probe::Unsure,
    }
}

struct Side {
    length: usize,
    readable: bool,
    speaks: bool,
}

impl Side {
    fn of(bytes: &[u8]) -> Self {
        let mut telnet = Telnet::default();
        let text: Vec<u8> = bytes.iter().filter_map(|&byte| telnet.filter(byte)).collect();
        let greets = BINARY_AFTER_GREETING.iter().any(|greeting| text.starts_with(greeting));
        Self { length: text.len(), readable: !greets && is_readable(&text), speaks: ends_line(&text) || prompts(&text) }
    }
}

/// No control bytes but those of terminals, and at most one byte in ten outside ASCII that is not UTF-8.
fn is_readable(text: &[u8]) -> bool {
    let control = |byte: &u8| byte.is_ascii_control() && !is_terminal_control(*byte);
    // Terminals send NUL after CR only; elsewhere it is the mark of numbers.
    let number = |pair: &[u8]| matches!(pair, [before, 0] if *before != b'\r');
    if text.iter().any(control) || text.first() == Some(&0) || text.windows(2).any(number) {
        return false;
    }
    let foreign: usize = text.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    // A character cut by the end of the opening is up to three such bytes.
    foreign <= 3 + text.len() / 10 && foreign * 2 <= text.len() + 1
}

/// Control bytes that terminals and editors of lines use.
pub(super) fn is_terminal_control(byte: u8) -> bool {
    matches!(byte, 0 | 0x03 | 0x04 | 0x07..=0x0d | 0x15 | 0x17 | 0x1b | 0x7f)
}

/// A line end after at least two visible characters.
fn ends_line(text: &[u8]) -> bool {
    text.split_inclusive(|&byte| byte == b'\n' || byte == b'\r').any(|line| {
        line.last().is_some_and(|&end| end == b'\n' || end == b'\r')
            && line.iter().filter(|byte| byte.is_ascii_graphic() || !byte.is_ascii()).count() >= 2
    })
}

/// The end of a prompt: `$ `, `login: `.
fn prompts(text: &[u8]) -> bool {
    match text {
        [.., before, mark, b' '] => b"$#>%:?)]".contains(mark) && before.is_ascii_graphic(),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::{FlowInfo, Transport};
    use proptest::prelude::*;

    fn ask(from_orig: &[u8], from_resp: &[u8]) -> Probe {
        let flow = FlowInfo {
            transport: Transport::Tcp,
            orig: "10.0.0.7:40000".parse().unwrap(),
            resp: "10.0.0.1:2323".parse().unwrap(),
            community_id: "1:x".into(),
            tunnel: "".into(),
            within: crate::evidence::Within::default(),
        };
        probe(&Opening { flow: &flow, from_orig, from_resp })
    }

    #[test]
    fn shells_and_line_protocols_are_text() {
        for text in
            [&b"uptime\n"[..], b"220 mail.example ESMTP\r\n", b"\xff\xfd\x18\xff\xfb\x01login: ", b"root@xmpp:~# "]
        {
            assert_eq!(ask(text, b""), Probe::Yes, "{}", text.escape_ascii());
            assert_eq!(ask(b"", text), Probe::Yes, "{}", text.escape_ascii());
        }
        assert_eq!(ask("gr\u{fc}\u{df}e\n".as_bytes(), b""), Probe::Yes);
    }

    #[test]
    fn binary_is_not() {
        let openings: &[&[u8]] = &[
            b"\x16\x03\x01\x00\xc8\x01\x00",
            b"\x00\x01n\n",
            b"\x00\x15x\n\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\x05\x01\x00",
            b"J\0\0\0\n8.0.32\0\n",
            b"\0\0\0\x0bhello world\n",
            b"\xde\xad\xbe\xef\xca\xfe\x0a\x0d",
        ];
        for bytes in openings {
            assert_ne!(ask(bytes, b""), Probe::Yes, "{}", bytes.escape_ascii());
        }
        assert_eq!(ask(b"uptime\n", b"\x01\x02\x03"), Probe::No);
    }

    #[test]
    fn too_little_is_unsure_and_too_much_without_a_line_is_no() {
        assert_eq!(ask(b"", b""), Probe::Unsure);
        assert_eq!(ask(b"GET", b""), Probe::Unsure);
        assert_eq!(ask(b" \r\n", b""), Probe::Unsure);
        assert_eq!(ask(&[b'x'; PATIENCE + 1], b""), Probe::No);
    }

    proptest! {
        #[test]
        fn any_opening_gets_an_answer(orig: Vec<u8>, resp: Vec<u8>) {
            let answer = ask(&orig, &resp);
            prop_assert!(answer != Probe::Yes || !(orig.is_empty() && resp.is_empty()));
        }
    }
}
