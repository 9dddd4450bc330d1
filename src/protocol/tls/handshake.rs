//! Handshake messages (RFC 8446, 4; RFC 5246, 7.4): record bodies in, what they say into a [`TlsHandshake`].

use super::certificate;
use super::event::{TlsHandshake, TlsVersion};
use super::ja4;
use crate::evidence::{Direction, Stamp};
use tls_parser::{TlsExtension, TlsMessageHandshake};

/// Longest handshake message read: long certificate chains reach a few dozen kilobytes.
const MAX_MESSAGE: usize = 256 * 1024;
/// Offers kept of one hello; OpenSSL has about 60 suites.
const MAX_OFFERS: usize = 256;
/// Random of a server hello that asks the client to say hello again (RFC 8446, 4.1.3).
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a handshake message does to the reading of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// More is to come in clear.
    More,
    /// All that follows is encrypted.
    Encrypted,
    /// The message is not what its type demands, or too long.
    Defective,
}

/// Joins handshake messages of one direction across records. Holds at most one message.
#[derive(Default)]
pub(super) struct HandshakeReader {
    pending: Vec<u8>,
}

impl HandshakeReader {
    /// The next record body. Reading stops behind a message after which nothing is in clear.
    pub(super) fn read(&mut self, body: &[u8], direction: Direction, stamp: Stamp, told: &mut TlsHandshake) -> Step {
        let mut rest = body;
        if !self.pending.is_empty() {
            if self.pending.len() + body.len() > MAX_MESSAGE {
                return Step::Defective;
            }
            self.pending.extend_from_slice(body);
            rest = &[];
        }
        let pending = std::mem::take(&mut self.pending);
        let mut data: &[u8] = if pending.is_empty() { rest } else { &pending };
        while let Some((kind, message, after)) = split_message(data) {
            data = after;
            match read_message(kind, message, direction, stamp, told) {
                Step::More => {}
                other => return other,
            }
        }
        if too_long(data) {
            return Step::Defective;
        }
        self.pending.extend_from_slice(data);
        Step::More
    }
}

fn message_length(data: &[u8]) -> Option<usize> {
    let [_, high, middle, low] = data.first_chunk::<4>()?;
    Some(u32::from_be_bytes([0, *high, *middle, *low]) as usize)
}

fn too_long(data: &[u8]) -> bool {
    message_length(data).is_some_and(|length| length > MAX_MESSAGE)
}

fn split_message(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let length = message_length(data)?;
    let (message, rest) = data.get(4..)?.split_at_checked(length)?;
    Some((*data.first()?, message, rest))
}

fn read_message(kind: u8, message: &[u8], direction: Direction, stamp: Stamp, told: &mut TlsHandshake) -> Step {
    match kind {
        1 => read_client_hello(message, stamp, told),
        2 => read_server_hello(message, stamp, told),
        11 => read_certificates(message, direction, told),
        13 => {
            told.client_certificate_wanted = true;
            Step::More
        }
        _ => Step::More,
    }
}

fn read_client_hello(message: &[u8], stamp: Stamp, told: &mut TlsHandshake) -> Step {
    let Ok((_, hello)) = tls_parser::parse_tls_handshake_client_hello(message) else { return Step::Defective };
    told.client_hello.get_or_insert(stamp);
    let mut offered = TlsVersion(hello.version.0);
    let ciphers = hello.ciphers.iter().map(|suite| suite.0).filter(|suite| !is_grease(*suite));
    told.offered_ciphers = ciphers.take(MAX_OFFERS).collect();
    let (mut kinds, mut signatures, mut versions, mut first_alpn) = (Vec::new(), Vec::new(), Vec::new(), None);
    for (kind, content) in extensions(hello.ext.unwrap_or_default()) {
        kinds.push(kind);
        match kind {
            13 => signatures = numbers(content.get(2..).unwrap_or_default()),
            43 => versions = numbers(content.get(1..).unwrap_or_default()),
            16 => first_alpn = first_protocol(content),
            _ => {}
        }
        match kind {
            0 => told.sni = server_name(content).or(told.sni.take()),
            16 => told.offered_alpn = protocols(content),
            43 => offered = highest_version(content).unwrap_or(offered),
            _ => {}
        }
    }
    told.offered_version = Some(offered);
    if told.ja4.is_none() {
        let suites = hello.ciphers.iter().map(|suite| suite.0).collect();
        let highest = versions.into_iter().filter(|version| !is_grease(*version)).max();
        let version = highest.unwrap_or(hello.version.0);
        let hello = ja4::Hello { version, suites, extensions: kinds, alpn: first_alpn, signatures };
        told.ja4 = Some(ja4::fingerprint(&hello));
    }
    Step::More
}

/// Numbers of two bytes.
fn numbers(list: &[u8]) -> Vec<u16> {
    list.chunks_exact(2).filter_map(|pair| pair.first_chunk::<2>().map(|pair| u16::from_be_bytes(*pair))).collect()
}

/// The first of a client's application protocols, as on the wire.
fn first_protocol(content: &[u8]) -> Option<&[u8]> {
    let (length, rest) = content.get(2..)?.split_first()?;
    rest.get(..usize::from(*length))
}

fn read_server_hello(message: &[u8], stamp: Stamp, told: &mut TlsHandshake) -> Step {
    let Ok((_, hello)) = tls_parser::parse_tls_handshake_server_hello(message) else {
        return read_draft_hello(message, stamp, told);
    };
    let mut version = TlsVersion(hello.version.0);
    for (kind, content) in extensions(hello.ext.unwrap_or_default()) {
        match (kind, content) {
            (16, content) => told.alpn = protocols(content).into_iter().next(),
            (43, [high, low]) => version = TlsVersion(u16::from_be_bytes([*high, *low])),
            _ => {}
        }
    }
    told.version = Some(version);
    told.cipher = Some(hello.cipher.0);
    if hello.random == HELLO_RETRY_REQUEST.as_slice() {
        return Step::More;
    }
    told.server_hello.get_or_insert(stamp);
    if version.is_tls13() { Step::Encrypted } else { Step::More }
}

/// Drafts of TLS 1.3 up to 21 have a hello of their own.
fn read_draft_hello(message: &[u8], stamp: Stamp, told: &mut TlsHandshake) -> Step {
    match tls_parser::parse_tls_handshake_msg_server_hello(message) {
        Ok((_, TlsMessageHandshake::ServerHelloV13Draft18(hello))) => {
            told.version = Some(TlsVersion(hello.version.0));
            told.cipher = Some(hello.cipher.0);
            told.server_hello.get_or_insert(stamp);
            Step::Encrypted
        }
        _ => Step::Defective,
    }
}

fn read_certificates(message: &[u8], direction: Direction, told: &mut TlsHandshake) -> Step {
    let Ok((_, TlsMessageHandshake::Certificate(chain))) = tls_parser::parse_tls_handshake_msg_certificate(message)
    else {
        return Step::Defective;
    };
    let chain = chain.cert_chain.iter().map(|certificate| certificate.data);
    let certificates = certificate::read_chain(chain);
    match direction {
        Direction::FromOrig => told.client_certificates = certificates,
        Direction::FromResp => told.certificates = certificates,
    }
    Step::More
}

/// Extensions as type and content; stops where the list is damaged.
fn extensions(list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let (content, after) = after.split_at_checked(length)?;
        rest = after;
        Some((u16::from_be_bytes([head[0], head[1]]), content))
    })
}

fn server_name(content: &[u8]) -> Option<String> {
    let Ok((_, TlsExtension::SNI(names))) = tls_parser::parse_tls_extension_sni_content(content) else { return None };
    let (_, name) = names.into_iter().find(|(kind, _)| kind.0 == 0)?;
    Some(printable(name).to_ascii_lowercase())
}

fn protocols(content: &[u8]) -> Vec<String> {
    match tls_parser::parse_tls_extension_alpn_content(content) {
        Ok((_, TlsExtension::ALPN(names))) => {
            let names = names.into_iter().filter(|name| !is_grease_name(name));
            names.take(MAX_OFFERS).map(printable).collect()
        }
        _ => Vec::new(),
    }
}

/// The best of a client's supported_versions: a length, then versions.
fn highest_version(content: &[u8]) -> Option<TlsVersion> {
    let (_, list) = content.split_first()?;
    let versions =
        list.chunks_exact(2).filter_map(|pair| pair.first_chunk::<2>().map(|pair| u16::from_be_bytes(*pair)));
    versions.filter(|version| !is_grease(*version)).map(TlsVersion).max_by_key(|version| version.rank())
}

/// Values that mean nothing and keep servers tolerant (RFC 8701): 0x0a0a, 0x1a1a, and so on.
pub(super) fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && high & 0xf == 0xa
}

fn is_grease_name(name: &[u8]) -> bool {
    name.first_chunk::<2>().is_some_and(|value| name.len() == 2 && is_grease(u16::from_be_bytes(*value)))
}

/// Bytes of a hello as text: what does not print is escaped.
pub(super) fn printable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
