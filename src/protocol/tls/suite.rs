//! Which cryptography a cipher suite stands for. The registry is `tls-parser`'s, which is IANA's.

use super::event::TlsVersion;
use tls_parser::{TlsCipherEnc, TlsCipherEncMode, TlsCipherKx, TlsCipherMac, TlsCipherSuite, TlsPRF};

/// A cipher of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bulk {
    Aes128Gcm,
    Aes256Gcm,
    Aes128Ccm,
    Aes256Ccm,
    Aes128Ccm8,
    Aes256Ccm8,
    ChaCha20Poly1305,
    Aes128Cbc(Mac),
    Aes256Cbc(Mac),
}

/// Hash of a record's HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mac {
    Sha1,
    Sha256,
    Sha384,
}

/// Hash of a key schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// Both, as TLS 1.0 and 1.1 have it.
    Md5Sha1,
    Sha256,
    Sha384,
}

/// A suite that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suite {
    pub bulk: Bulk,
    pub hash: Hash,
    /// The client sends the premaster secret, encrypted with the server's RSA key.
    pub rsa_key_exchange: bool,
}

impl Bulk {
    /// Bytes of a key.
    pub(super) fn key_bytes(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Ccm | Self::Aes128Ccm8 | Self::Aes128Cbc(_) => 16,
            Self::Aes256Gcm | Self::Aes256Ccm | Self::Aes256Ccm8 | Self::Aes256Cbc(_) | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Bytes of an IV in the key block of a version before TLS 1.3.
    pub(super) fn iv_bytes(self) -> usize {
        match self {
            Self::ChaCha20Poly1305 => 12,
            Self::Aes128Cbc(_) | Self::Aes256Cbc(_) => 16,
            _ => 4,
        }
    }

    /// Bytes of a MAC key.
    pub(super) fn mac_bytes(self) -> usize {
        match self {
            Self::Aes128Cbc(mac) | Self::Aes256Cbc(mac) => mac.bytes(),
            _ => 0,
        }
    }

    fn of(suite: &TlsCipherSuite) -> Option<Self> {
        let short_tag = suite.name.contains("_CCM_8");
        match (&suite.enc, &suite.enc_mode, suite.enc_size) {
            (TlsCipherEnc::Chacha20_Poly1305, ..) => Some(Self::ChaCha20Poly1305),
            (TlsCipherEnc::Aes, TlsCipherEncMode::Gcm, 128) => Some(Self::Aes128Gcm),
            (TlsCipherEnc::Aes, TlsCipherEncMode::Gcm, 256) => Some(Self::Aes256Gcm),
            (TlsCipherEnc::Aes, TlsCipherEncMode::Ccm, 128) if short_tag => Some(Self::Aes128Ccm8),
            (TlsCipherEnc::Aes, TlsCipherEncMode::Ccm, 256) if short_tag => Some(Self::Aes256Ccm8),
            (TlsCipherEnc::Aes, TlsCipherEncMode::Ccm, 128) => Some(Self::Aes128Ccm),
            (TlsCipherEnc::Aes, TlsCipherEncMode::Ccm, 256) => Some(Self::Aes256Ccm),
            (TlsCipherEnc::Aes, TlsCipherEncMode::Cbc, 128) => Some(Self::Aes128Cbc(Mac::of(suite)?)),
            (TlsCipherEnc::Aes, TlsCipherEncMode::Cbc, 256) => Some(Self::Aes256Cbc(Mac::of(suite)?)),
            _ => None,
        }
    }
}

impl Mac {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    fn of(suite: &TlsCipherSuite) -> Option<Self> {
        match suite.mac {
            TlsCipherMac::HmacSha1 => Some(Self::Sha1),
            TlsCipherMac::HmacSha256 => Some(Self::Sha256),
            TlsCipherMac::HmacSha384 => Some(Self::Sha384),
            _ => None,
        }
    }
}

impl Suite {
    /// The suite of an IANA number in a version; `None` if it cannot be opened.
    pub(super) fn find(number: u16, version: TlsVersion) -> Option<Self> {
        let suite = TlsCipherSuite::from_id(number)?;
        let is_tls13 = suite.kx == TlsCipherKx::Tls13;
        if is_tls13 != version.is_tls13() || version.0 < TlsVersion::TLS10.0 {
            return None;
        }
        let hash = match suite.prf {
            _ if version.0 < TlsVersion::TLS12.0 => Hash::Md5Sha1,
            TlsPRF::Sha384 => Hash::Sha384,
            TlsPRF::Default | TlsPRF::Sha256 | TlsPRF::Null => Hash::Sha256,
            _ => return None,
        };
        Some(Self { bulk: Bulk::of(suite)?, hash, rsa_key_exchange: suite.kx == TlsCipherKx::Rsa })
    }

    /// Suites of TLS 1.3 whose secrets are so long: for early data, where the choice is not told yet.
    pub(super) fn of_tls13(secret_bytes: usize) -> &'static [Self] {
        const fn suite(bulk: Bulk, hash: Hash) -> Suite {
            Suite { bulk, hash, rsa_key_exchange: false }
        }
        const SHA256: [Suite; 4] = [
            suite(Bulk::Aes128Gcm, Hash::Sha256),
            suite(Bulk::ChaCha20Poly1305, Hash::Sha256),
            suite(Bulk::Aes128Ccm, Hash::Sha256),
            suite(Bulk::Aes128Ccm8, Hash::Sha256),
        ];
        const SHA384: [Suite; 1] = [suite(Bulk::Aes256Gcm, Hash::Sha384)];
        if secret_bytes == 48 { &SHA384 } else { &SHA256 }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn suites_are_what_their_names_say() {
        let find = |number, version| Suite::find(number, version).map(|suite| (suite.bulk, suite.hash));
        let tls12 = TlsVersion::TLS12;
        assert_eq!(find(0xc030, tls12), Some((Bulk::Aes256Gcm, Hash::Sha384)));
        assert_eq!(find(0xcca8, tls12), Some((Bulk::ChaCha20Poly1305, Hash::Sha256)));
        assert_eq!(find(0xc0a0, tls12), Some((Bulk::Aes128Ccm8, Hash::Sha256)));
        assert_eq!(find(0xc028, tls12), Some((Bulk::Aes256Cbc(Mac::Sha384), Hash::Sha384)));
        assert_eq!(find(0x002f, tls12), Some((Bulk::Aes128Cbc(Mac::Sha1), Hash::Sha256)));
        assert_eq!(find(0x002f, TlsVersion::TLS10), Some((Bulk::Aes128Cbc(Mac::Sha1), Hash::Md5Sha1)));
        assert_eq!(find(0x1304, TlsVersion::TLS13), Some((Bulk::Aes128Ccm, Hash::Sha256)));
        assert!(Suite::find(0x009d, tls12).unwrap().rsa_key_exchange);
        assert!(!Suite::find(0xc02f, tls12).unwrap().rsa_key_exchange);
        // Not of this version, not AES, not known.
        for (number, version) in [(0x1301, tls12), (0x009c, TlsVersion::TLS13), (0x000a, tls12), (0xfefe, tls12)] {
            assert_eq!(Suite::find(number, version), None, "{number:04x}");
        }
    }

    /// Every AES and ChaCha20 suite of RSA, DHE and ECDHE in the registry has a key and IV length that was thought of.
    #[test]
    fn the_registry_agrees_on_key_lengths() {
        let mut found = 0;
        for number in 0..=u16::MAX {
            let Some(suite) = Suite::find(number, TlsVersion::TLS12) else { continue };
            found += 1;
            let known = TlsCipherSuite::from_id(number).unwrap();
            if known.enc == TlsCipherEnc::Aes {
                assert_eq!(suite.bulk.key_bytes(), usize::from(known.enc_size) / 8, "{}", known.name);
            }
            assert_eq!(suite.bulk.mac_bytes(), known.mac_length(), "{}", known.name);
        }
        assert!(found > 100, "{found}");
    }
}
