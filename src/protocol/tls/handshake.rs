//! Handshake messages (RFC 8446, 4; RFC 5246, 7.4): record bodies in, what they say into a [`TlsHandshake`].

use super::certificate;
use super::event::{Certificate, TlsHandshake, TlsVersion};
use super::ja4;
use crate::evidence::{Direction, Stamp};
use tls_parser::{TlsExtension, TlsMessageHandshake};

/// Longest handshake message read: long certificate chains reach a few dozen kilobytes.
const MAX_MESSAGE: usize = 256 * 1024;
/// Offers kept of one hello; OpenSSL has about 60 suites.
const MAX_OFFERS: usize = 256;
/// Random of a server hello that asks the client to say hello again (RFC 8446, 4.1.3).
pub(super) const HELLO_RETRY_REQUEST: [u8; 32] = [
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

/// Message types that more than one reader asks for.
pub(super) mod kind {
    pub const HELLO_REQUEST: u8 = 0;
    pub const CLIENT_HELLO: u8 = 1;
    pub const SERVER_HELLO: u8 = 2;
    pub const NEW_SESSION_TICKET: u8 = 4;
    pub const END_OF_EARLY_DATA: u8 = 5;
    pub const CLIENT_KEY_EXCHANGE: u8 = 16;
    pub const FINISHED: u8 = 20;
    pub const KEY_UPDATE: u8 = 24;
}

/// A handshake message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub kind: u8,
    pub body: &'a [u8],
    /// The body with the head before it.
    pub whole: &'a [u8],
}

/// Joins handshake messages of one direction across records. Holds at most one message.
#[derive(Default)]
pub(super) struct HandshakeReader {
    pending: Vec<u8>,
}

impl HandshakeReader {
    /// Gives the messages that are complete with the next record body to `take`, up to one after which nothing is in
    /// clear.
    pub(super) fn read(&mut self, body: &[u8], mut take: impl FnMut(&Message<'_>) -> Step) -> Step {
        let mut data = body;
        let mut pending = Vec::new();
        if !self.pending.is_empty() {
            if self.pending.len() + body.len() > MAX_MESSAGE {
                return Step::Defective;
            }
            self.pending.extend_from_slice(body);
            if !too_long(&self.pending) && split_message(&self.pending).is_none() {
                return Step::More;
            }
            pending = std::mem::take(&mut self.pending);
            data = &pending;
        }
        while let Some((message, after)) = split_message(data) {
            data = after;
            match take(&message) {
                Step::More => {}
                other => return other,
            }
        }
        if too_long(data) {
            return Step::Defective;
        }
        self.pending.extend_from_slice(data);
        drop(pending);
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

fn split_message(data: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let (whole, rest) = data.split_at_checked(message_length(data)?.checked_add(4)?)?;
    Some((Message { kind: *whole.first()?, body: whole.get(4..)?, whole }, rest))
}

/// Notes what a message tells.
pub(super) fn tell(message: &Message<'_>, direction: Direction, stamp: Stamp, told: &mut TlsHandshake) -> Step {
    let body = message.body;
    let is_tls13 = told.version.is_some_and(TlsVersion::is_tls13);
    match message.kind {
        kind::CLIENT_HELLO => read_client_hello(body, stamp, told),
        kind::SERVER_HELLO => read_server_hello(body, stamp, told),
        8 if is_tls13 => read_encrypted_extensions(body, told),
        11 if is_tls13 => read_certificate_list(body, direction, told),
        11 => read_certificates(body, direction, told),
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
    keep_certificates(certificate::read_chain(chain), direction, told);
    Step::More
}

/// What TLS 1.3 no longer says in the server's hello (RFC 8446, 4.3.1).
fn read_encrypted_extensions(message: &[u8], told: &mut TlsHandshake) -> Step {
    for (kind, content) in extensions(message.get(2..).unwrap_or_default()) {
        if kind == 16 {
            told.alpn = protocols(content).into_iter().next();
        }
    }
    Step::More
}

/// Certificates of TLS 1.3 (RFC 8446, 4.4.2): a context, then each with extensions.
fn read_certificate_list(message: &[u8], direction: Direction, told: &mut TlsHandshake) -> Step {
    let entries = message.split_first().and_then(|(context, rest)| rest.get(usize::from(*context) + 3..));
    let mut rest = entries.unwrap_or_default();
    let chain = std::iter::from_fn(|| {
        let (certificate, after) = sized(rest, 3)?;
        rest = sized(after, 2)?.1;
        Some(certificate)
    });
    keep_certificates(certificate::read_chain(chain), direction, told);
    Step::More
}

/// Bytes behind their length, and what follows them.
fn sized(data: &[u8], length_bytes: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_at_checked(length_bytes)?;
    rest.split_at_checked(length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

fn keep_certificates(certificates: Vec<Certificate>, direction: Direction, told: &mut TlsHandshake) {
    match direction {
        Direction::FromOrig => told.client_certificates = certificates,
        Direction::FromResp => told.certificates = certificates,
    }
}

/// Extensions as type and content; stops where the list is damaged.
pub(super) fn extensions(list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
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
