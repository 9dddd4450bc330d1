//! Private keys of servers, by the crate `rsa`: files in, premaster secrets of RSA key exchanges out (RFC 5246, 7.4.7.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey};

/// Bytes of a premaster secret of this exchange.
const PREMASTER_BYTES: usize = 48;

/// Why a file is no RSA private key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RsaKeyError {
    /// It is protected by a passphrase.
    #[error("the private key is encrypted; decrypt it first, e.g. with openssl rsa -in KEY -out CLEAR")]
    Encrypted,
    /// It is a key of another kind.
    #[error("{0:?} is not an RSA private key")]
    OtherKind(String),
    /// There is PEM in it, but no private key.
    #[error("no private key in it")]
    NoPrivateKey,
    /// It is damaged, or something else.
    #[error("not an RSA private key in PEM or DER (PKCS#8 or PKCS#1): {0}")]
    Unreadable(String),
}

/// A private key.
#[derive(Debug, Clone)]
pub(super) struct ServerKey(RsaPrivateKey);

impl ServerKey {
    /// The premaster secret that a client encrypted with the public half; `None` if it was encrypted with another key.
    pub(super) fn premaster(&self, encrypted: &[u8]) -> Option<Box<[u8]>> {
        if encrypted.len() != self.0.size() {
            return None;
        }
        let secret = self.0.decrypt(Pkcs1v15Encrypt, encrypted).ok()?;
        // It begins with the version that the client offered.
        (secret.len() == PREMASTER_BYTES && secret.first() == Some(&3)).then(|| secret.into())
    }
}

/// Reads the private keys of a file: PEM with whatever lies beside them, or one in DER.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<ServerKey>, RsaKeyError> {
    if memmem::find(bytes, b"-----BEGIN ").is_none() {
        return Ok(vec![from_der(bytes)?]);
    }
    let mut keys = Vec::new();
    for (label, content) in pem_blocks(bytes) {
        match label.as_str() {
            "ENCRYPTED PRIVATE KEY" => return Err(RsaKeyError::Encrypted),
            "PRIVATE KEY" | "RSA PRIVATE KEY" => keys.push(from_pem(content)?),
            other if other.ends_with("PRIVATE KEY") => return Err(RsaKeyError::OtherKind(label)),
            _ => {}
        }
    }
    if keys.is_empty() { Err(RsaKeyError::NoPrivateKey) } else { Ok(keys) }
}

/// Labels and contents of what stands between BEGIN and END lines.
fn pem_blocks(bytes: &[u8]) -> Vec<(String, &[u8])> {
    let mut blocks = Vec::new();
    let mut rest = bytes;
    while let Some(at) = memmem::find(rest, b"-----BEGIN ") {
        let after = rest.get(at + 11..).unwrap_or_default();
        let Some(end) = memmem::find(after, b"-----") else { break };
        let (label, content) = after.split_at_checked(end).unwrap_or_default();
        let content = content.get(5..).unwrap_or_default();
        let end = memmem::find(content, b"-----END ").unwrap_or(content.len());
        let (content, after) = content.split_at_checked(end).unwrap_or_default();
        blocks.push((label.escape_ascii().to_string(), content));
        rest = after;
    }
    blocks
}

fn from_pem(content: &[u8]) -> Result<ServerKey, RsaKeyError> {
    // Headers of RFC 1421, which base64 cannot be.
    if memmem::find(content, b"ENCRYPTED").is_some() {
        return Err(RsaKeyError::Encrypted);
    }
    let digits: Vec<u8> = content.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(digits).map_err(|error| RsaKeyError::Unreadable(error.to_string()))?;
    from_der(&der)
}

fn from_der(der: &[u8]) -> Result<ServerKey, RsaKeyError> {
    let key = match RsaPrivateKey::from_pkcs8_der(der) {
        Ok(key) => key,
        Err(error) => RsaPrivateKey::from_pkcs1_der(der).map_err(|_| RsaKeyError::Unreadable(error.to_string()))?,
    };
    Ok(ServerKey(key))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use rsa::pkcs1::EncodeRsaPrivateKey;

    fn server_key() -> Vec<u8> {
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/captures/tls/server.key")).unwrap()
    }

    fn pem(label: &str, content: &str) -> Vec<u8> {
        format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n").into_bytes()
    }

    #[test]
    fn keys_are_read_in_every_form() {
        let ServerKey(key) = &parse(&server_key()).unwrap()[0];
        let pkcs1 = key.to_pkcs1_der().unwrap();
        let armored = pem("RSA PRIVATE KEY", &STANDARD.encode(pkcs1.as_bytes()));
        // As ejabberd wants its files: certificates and key in one.
        let with_certificate = [pem("CERTIFICATE", "AAAA"), server_key()].concat();
        for form in [pkcs1.as_bytes(), &armored, &with_certificate] {
            assert_eq!(parse(form).unwrap()[0].0, *key);
        }
    }

    #[test]
    fn what_is_no_rsa_key_says_what_it_is() {
        let error = |bytes: &[u8]| parse(bytes).unwrap_err();
        assert_eq!(error(&pem("ENCRYPTED PRIVATE KEY", "AAAA")), RsaKeyError::Encrypted);
        let old = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA";
        assert_eq!(error(&pem("RSA PRIVATE KEY", old)), RsaKeyError::Encrypted);
        assert_eq!(error(&pem("EC PRIVATE KEY", "AAAA")), RsaKeyError::OtherKind("EC PRIVATE KEY".to_owned()));
        assert_eq!(error(&pem("CERTIFICATE", "AAAA")), RsaKeyError::NoPrivateKey);
        assert!(matches!(error(&pem("PRIVATE KEY", "AAAA")), RsaKeyError::Unreadable(_)));
        assert!(matches!(error(b"CLIENT_RANDOM 00 00"), RsaKeyError::Unreadable(_)));
        assert!(matches!(error(b"-----BEGIN PRIVATE KEY"), RsaKeyError::NoPrivateKey));
    }

    #[test]
    fn what_was_encrypted_with_another_key_is_no_secret() {
        let key = &parse(&server_key()).unwrap()[0];
        assert_eq!(key.premaster(&[7; 256]), None);
        assert_eq!(key.premaster(&[7; 128]), None);
    }
}
