//! Requests and answers as bytes (erts "EPMD Protocol"): no state, nothing copied but names.

use super::event::{EpmdAnswer, EpmdRequest};

/// ALIVE2_REQ.
pub const ALIVE2_REQ: u8 = b'x';
/// PORT_PLEASE2_REQ.
pub const PORT_PLEASE2_REQ: u8 = b'z';
/// NAMES_REQ.
pub const NAMES_REQ: u8 = b'n';
/// DUMP_REQ.
pub const DUMP_REQ: u8 = b'd';
/// KILL_REQ.
pub const KILL_REQ: u8 = b'k';
/// STOP_REQ.
pub const STOP_REQ: u8 = b's';

const ALIVE2_RESP: u8 = b'y';
const ALIVE2_X_RESP: u8 = b'v';
const PORT2_RESP: u8 = b'w';

/// Bytes of the longest answer to NAMES and DUMP that is kept: more than a thousand nodes.
pub const MAX_LISTING: usize = 64 << 10;

/// EPMD's own buffer: longer requests are none.
pub const MAX_REQUEST: usize = 1024;

/// Whether a request begins with this tag.
pub fn is_request_tag(tag: u8) -> bool {
    [ALIVE2_REQ, DUMP_REQ, KILL_REQ, NAMES_REQ, PORT_PLEASE2_REQ, STOP_REQ].contains(&tag)
}

/// Parses a request without its length: the tag and what follows. The error says what is wrong with it.
pub fn parse_request(body: &[u8]) -> Result<EpmdRequest, String> {
    let Some((tag, rest)) = body.split_first() else { return Err("length 0".to_owned()) };
    let alone = |name: &str, request: EpmdRequest| {
        if rest.is_empty() { Ok(request) } else { Err(format!("length {} but {name} carries nothing", body.len())) }
    };
    match *tag {
        ALIVE2_REQ => parse_alive2(rest),
        PORT_PLEASE2_REQ => Ok(EpmdRequest::PortPlease2 { name: parse_name("PORT_PLEASE2_REQ", rest)? }),
        STOP_REQ => Ok(EpmdRequest::Stop { name: parse_name("STOP_REQ", rest)? }),
        NAMES_REQ => alone("NAMES_REQ", EpmdRequest::Names),
        DUMP_REQ => alone("DUMP_REQ", EpmdRequest::Dump),
        KILL_REQ => alone("KILL_REQ", EpmdRequest::Kill),
        b'a' => Err("ALIVE_REQ is obsolete".to_owned()),
        b'p' => Err("PORT_PLEASE_REQ is obsolete".to_owned()),
        other => Err(format!("unknown request {other}")),
    }
}

fn parse_alive2(rest: &[u8]) -> Result<EpmdRequest, String> {
    let fields = || -> Option<(EpmdRequest, usize)> {
        let (port, rest) = u16_of(rest)?;
        let ([node_type, _protocol], rest) = rest.split_first_chunk()?;
        let (highest, rest) = u16_of(rest)?;
        let (lowest, rest) = u16_of(rest)?;
        let (name, rest) = counted(rest)?;
        let (_extra, rest) = counted(rest)?;
        let name = String::from_utf8_lossy(name).into_owned();
        Some((EpmdRequest::Alive2 { name, port, node_type: *node_type, highest, lowest }, rest.len()))
    };
    match fields() {
        Some((_, 1..)) => Err("ALIVE2_REQ is longer than its fields".to_owned()),
        Some((EpmdRequest::Alive2 { name, .. }, 0)) if !is_name(&name) => Err("ALIVE2_REQ without a name".to_owned()),
        Some((request, 0)) => Ok(request),
        None => Err("ALIVE2_REQ is shorter than its fields".to_owned()),
    }
}

fn parse_name(request: &str, bytes: &[u8]) -> Result<String, String> {
    // Old clients end the name with a zero.
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    let name = String::from_utf8_lossy(bytes);
    if is_name(&name) { Ok(name.into_owned()) } else { Err(format!("{request} without a name")) }
}

/// A node name without its host, as far as EPMD cares: at most 255 characters, none of them a control.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= 255 && !name.chars().any(char::is_control)
}

/// The tag of a request that may answer, as [`parse_answer`] needs to know it.
pub fn answer_kind(request: &EpmdRequest) -> AnswerKind {
    match request {
        EpmdRequest::Alive2 { .. } => AnswerKind::Alive2,
        EpmdRequest::PortPlease2 { .. } => AnswerKind::Port,
        EpmdRequest::Names | EpmdRequest::Dump => AnswerKind::Listing,
        EpmdRequest::Kill => AnswerKind::Word(2),
        EpmdRequest::Stop { .. } => AnswerKind::Word(7),
    }
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// To ALIVE2_REQ.
    Alive2,
    /// To PORT_PLEASE2_REQ.
    Port,
    /// To NAMES_REQ and DUMP_REQ: runs until EPMD closes.
    Listing,
    /// A word of so many letters, or until EPMD closes.
    Word(usize),
}

/// An answer so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// It is all there, in so many bytes.
    Whole(EpmdAnswer, usize),
    /// More bytes are needed.
    Partial,
    /// It is no answer to such a request.
    Wrong,
}

/// Parses the answer that `bytes` begin with. After `closed` no more bytes come.
pub fn parse_answer(kind: AnswerKind, bytes: &[u8], closed: bool) -> Parsed {
    let parsed = match kind {
        AnswerKind::Alive2 => parse_alive2_answer(bytes),
        AnswerKind::Port => parse_port_answer(bytes),
        AnswerKind::Listing => match bytes.split_first_chunk() {
            Some((port, text)) if closed => Parsed::Whole(listing(u32::from_be_bytes(*port), text), bytes.len()),
            _ => Parsed::Partial,
        },
        AnswerKind::Word(length) => match bytes.get(..length) {
            Some(word) => Parsed::Whole(EpmdAnswer::Word(text_of(word)), length),
            None if closed && !bytes.is_empty() => Parsed::Whole(EpmdAnswer::Word(text_of(bytes)), bytes.len()),
            None => Parsed::Partial,
        },
    };
    if closed && parsed == Parsed::Partial && !bytes.is_empty() { Parsed::Wrong } else { parsed }
}

fn parse_alive2_answer(bytes: &[u8]) -> Parsed {
    let creation = bytes.get(2..).unwrap_or_default();
    match bytes {
        [ALIVE2_RESP, result, ..] => u16_of(creation).map(|(creation, _)| (*result, u32::from(creation), 4)),
        [ALIVE2_X_RESP, result, ..] => {
            creation.first_chunk().map(|creation| (*result, u32::from_be_bytes(*creation), 6))
        }
        [] | [ALIVE2_RESP | ALIVE2_X_RESP] => None,
        _ => return Parsed::Wrong,
    }
    .map_or(Parsed::Partial, |(result, creation, used)| Parsed::Whole(EpmdAnswer::Alive2 { result, creation }, used))
}

fn parse_port_answer(bytes: &[u8]) -> Parsed {
    match bytes {
        [] | [PORT2_RESP] => return Parsed::Partial,
        [PORT2_RESP, 0, ..] => {}
        [PORT2_RESP, result, ..] => return Parsed::Whole(EpmdAnswer::NoSuchNode { result: *result }, 2),
        _ => return Parsed::Wrong,
    }
    let fields = || -> Option<Parsed> {
        let (port, rest) = u16_of(bytes.get(2..)?)?;
        let ([node_type, _protocol], rest) = rest.split_first_chunk()?;
        let (highest, rest) = u16_of(rest)?;
        let (lowest, rest) = u16_of(rest)?;
        let (name, rest) = counted(rest)?;
        let (_extra, rest) = counted(rest)?;
        let answer = EpmdAnswer::Port { port, node_type: *node_type, versions: (highest, lowest), name: text_of(name) };
        Some(Parsed::Whole(answer, bytes.len() - rest.len()))
    };
    fields().unwrap_or(Parsed::Partial)
}

/// DUMP ends its lines with a zero too, which is no text.
fn listing(epmd_port: u32, text: &[u8]) -> EpmdAnswer {
    EpmdAnswer::Listing { epmd_port, text: text_of(text).replace('\0', "") }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn u16_of(bytes: &[u8]) -> Option<(u16, &[u8])> {
    bytes.split_first_chunk().map(|(value, rest)| (u16::from_be_bytes(*value), rest))
}

fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = u16_of(bytes)?;
    rest.split_at_checked(usize::from(length))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    /// ALIVE2_REQ: port 31339, hidden, protocol 0, versions 6 to 5, name, three bytes of extra.
    const ALIVE2: &[u8] = b"xzkH\0\0\x06\0\x05\0\x03hid\0\x03\x01\x02\x03";
    /// PORT2_RESP with the same.
    const PORT2: &[u8] = b"w\0zkH\0\0\x06\0\x05\0\x03hid\0\x03\x01\x02\x03";

    #[test]
    fn requests() {
        let alive = EpmdRequest::Alive2 { name: "hid".into(), port: 31339, node_type: 72, highest: 6, lowest: 5 };
        assert_eq!(parse_request(ALIVE2), Ok(alive));
        assert_eq!(parse_request(b"zhid"), Ok(EpmdRequest::PortPlease2 { name: "hid".into() }));
        assert_eq!(parse_request(b"n"), Ok(EpmdRequest::Names));
        assert_eq!(parse_request(b"d"), Ok(EpmdRequest::Dump));
        assert_eq!(parse_request(b"k"), Ok(EpmdRequest::Kill));
        assert_eq!(parse_request(b"shid"), Ok(EpmdRequest::Stop { name: "hid".into() }));
        assert_eq!(parse_request(b"nn").unwrap_err(), "length 2 but NAMES_REQ carries nothing");
        assert_eq!(parse_request(b"\xee123").unwrap_err(), "unknown request 238");
        assert_eq!(parse_request(b"").unwrap_err(), "length 0");
        assert_eq!(parse_request(b"z").unwrap_err(), "PORT_PLEASE2_REQ without a name");
    }

    #[test]
    fn a_registration_cut_anywhere_is_too_short_and_one_byte_more_too_long() {
        for end in 1..ALIVE2.len() {
            assert_eq!(parse_request(&ALIVE2[..end]).unwrap_err(), "ALIVE2_REQ is shorter than its fields");
        }
        let long = [ALIVE2, b"!"].concat();
        assert_eq!(parse_request(&long).unwrap_err(), "ALIVE2_REQ is longer than its fields");
    }

    #[test]
    fn answers_cut_anywhere_are_partial_until_the_end() {
        let port = EpmdAnswer::Port { port: 31339, node_type: 72, versions: (6, 5), name: "hid".into() };
        let cases: [(AnswerKind, &[u8], EpmdAnswer); 4] = [
            (AnswerKind::Port, PORT2, port),
            (AnswerKind::Port, b"w\x01", EpmdAnswer::NoSuchNode { result: 1 }),
            (AnswerKind::Alive2, b"y\0\0\x03", EpmdAnswer::Alive2 { result: 0, creation: 3 }),
            (AnswerKind::Alive2, b"v\x01\0\0\0c", EpmdAnswer::Alive2 { result: 1, creation: 99 }),
        ];
        for (kind, bytes, answer) in cases {
            for end in 0..bytes.len() {
                assert_eq!(parse_answer(kind, &bytes[..end], false), Parsed::Partial, "{bytes:?} cut at {end}");
            }
            assert_eq!(parse_answer(kind, bytes, false), Parsed::Whole(answer, bytes.len()));
        }
        assert_eq!(parse_answer(AnswerKind::Port, b"y\0", false), Parsed::Wrong);
        assert_eq!(parse_answer(AnswerKind::Alive2, b"w\0", false), Parsed::Wrong);
    }

    #[test]
    fn listings_and_words_run_until_the_end() {
        let text = b"\0\0\x11\x11name a at port 5\n\0";
        assert_eq!(parse_answer(AnswerKind::Listing, text, false), Parsed::Partial);
        let listing = EpmdAnswer::Listing { epmd_port: 4369, text: "name a at port 5\n".into() };
        assert_eq!(parse_answer(AnswerKind::Listing, text, true), Parsed::Whole(listing, text.len()));
        assert_eq!(parse_answer(AnswerKind::Listing, b"\0\0", true), Parsed::Wrong);
        assert_eq!(parse_answer(AnswerKind::Word(2), b"NO", false), Parsed::Whole(EpmdAnswer::Word("NO".into()), 2));
        assert_eq!(parse_answer(AnswerKind::Word(7), b"STOP", false), Parsed::Partial);
    }
}
