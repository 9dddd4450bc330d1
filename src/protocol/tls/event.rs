//! What the TLS decoder reports.

use crate::evidence::Stamp;
use std::borrow::Cow;
use tls_parser::TlsCipherSuite;

/// TLS handshakes.
#[derive(Debug, Clone)]
pub enum TlsEvent {
    /// What the handshake showed in clear. Sighted in the client's direction, from its first hello to the last
    /// message that was read.
    Handshake(Box<TlsHandshake>),
}

/// The part of a handshake that crosses in clear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsHandshake {
    /// Version that the server chose; `None` if its hello was not seen.
    pub version: Option<TlsVersion>,
    /// Cipher suite that the server chose, by IANA number.
    pub cipher: Option<u16>,
    /// Highest version that the client offered.
    pub offered_version: Option<TlsVersion>,
    /// Cipher suites that the client offered, in its order, without GREASE.
    pub offered_ciphers: Vec<u16>,
    /// Server name that the client asked for.
    pub sni: Option<String>,
    /// Application protocols that the client offered.
    pub offered_alpn: Vec<String>,
    /// Application protocol that the server chose; TLS 1.3 encrypts it.
    pub alpn: Option<String>,
    /// Certificates of the server, its own first; TLS 1.3 encrypts them.
    pub certificates: Vec<Certificate>,
    /// Certificates of the client, its own first.
    pub client_certificates: Vec<Certificate>,
    /// The server asked for a client certificate.
    pub client_certificate_wanted: bool,
    /// Alert that ended the handshake, in clear: level and description (RFC 8446, 6).
    pub alert: Option<(u8, u8)>,
    /// JA4 of the client's first hello.
    pub ja4: Option<String>,
    /// TLS followed STARTTLS.
    pub via_starttls: bool,
    /// Frame that completed the client's hello.
    pub client_hello: Option<Stamp>,
    /// Frame that completed the server's hello.
    pub server_hello: Option<Stamp>,
}

impl TlsHandshake {
    /// IANA name of the chosen suite, or its number in hex.
    pub fn cipher_name(&self) -> Option<Cow<'static, str>> {
        self.cipher.map(cipher_name)
    }
}

/// A protocol version as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsVersion(pub u16);

impl TlsVersion {
    /// TLS 1.0.
    pub const TLS10: Self = Self(0x0301);
    /// TLS 1.2.
    pub const TLS12: Self = Self(0x0303);
    /// TLS 1.3.
    pub const TLS13: Self = Self(0x0304);

    /// `true` for TLS 1.3 and its drafts, which encrypt all behind the server's hello.
    pub fn is_tls13(self) -> bool {
        self.rank() >= Self::TLS13.0
    }

    /// Name without the number of a draft.
    pub(super) fn name(self) -> &'static str {
        match self.rank() {
            0x0300 => "SSLv3",
            0x0301 => "TLSv1.0",
            0x0302 => "TLSv1.1",
            0x0303 => "TLSv1.2",
            0x0304 => "TLSv1.3",
            _ => "unknown",
        }
    }

    /// Drafts of TLS 1.3 count as TLS 1.3.
    pub(super) fn rank(self) -> u16 {
        if matches!(self.0 >> 8, 0x7f | 0xfb) { Self::TLS13.0 } else { self.0 }
    }
}

impl std::fmt::Display for TlsVersion {
    /// `TLSv1.2`, as OpenSSL writes it; drafts with their number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0x0200 => f.write_str("SSLv2"),
            0x0300 => f.write_str("SSLv3"),
            0x0301..=0x0304 => write!(f, "TLSv1.{}", self.0 - 0x0301),
            0x7f00..=0x7fff => write!(f, "TLSv1.3-draft{}", self.0 & 0xff),
            // Facebook's own draft, still in use by its clients.
            0xfb00..=0xfbff => write!(f, "TLSv1.3-fb{}", self.0 & 0xff),
            other => write!(f, "0x{other:04x}"),
        }
    }
}

/// IANA name of a cipher suite, or its number in hex.
pub fn cipher_name(suite: u16) -> Cow<'static, str> {
    match TlsCipherSuite::from_id(suite) {
        Some(known) => Cow::Borrowed(known.name),
        None => Cow::Owned(format!("0x{suite:04x}")),
    }
}

/// An X.509 certificate (RFC 5280).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the DER form.
    pub sha256: [u8; 32],
    /// Subject as `CN=…, O=…`.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// Start of its validity in seconds since 1970.
    pub not_before: i64,
    /// End of its validity.
    pub not_after: i64,
    /// Alternative names: DNS names, addresses, JIDs (id-on-xmppAddr), mail addresses, URIs.
    pub names: Vec<String>,
    /// Serial number, hex.
    pub serial: String,
    /// Subject and issuer are the same: nobody else vouches for it.
    pub is_self_issued: bool,
    /// The DER form could not be read: only the hash is known.
    pub is_unreadable: bool,
}

/// A time of a certificate in RFC 3339, or the number of seconds where that has no form for it.
pub fn certificate_time(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{seconds}s"),
    }
}
