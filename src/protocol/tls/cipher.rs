//! Record protection (RFC 5246, 6.2.3; RFC 7366; RFC 8446, 5.2): a sealed record and its number in, plain text out,
//! over the ciphers of RustCrypto. The record is left as it is, so that another number can be tried.

use super::event::TlsVersion;
use super::record::Record;
use super::schedule::SideKeys;
use super::suite::{self, Bulk};
use aes::cipher::consts::{U8, U12, U16};
use aes::cipher::{Array, BlockCipherDecrypt, BlockModeDecrypt, BlockSizeUser, InOutBuf, InnerIvInit, KeyInit};
use aes::{Aes128, Aes128Dec, Aes256, Aes256Dec};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384};

const BLOCK: usize = 16;
type Block = [u8; BLOCK];

/// Opens records of one direction under one key.
pub(super) struct Opener {
    version: TlsVersion,
    cipher: Cipher,
}

enum Cipher {
    Aead(Box<Aead>, Nonce),
    Cbc(Box<Cbc>),
}

enum Aead {
    Aes128Gcm(Aes128Gcm),
    Aes256Gcm(Aes256Gcm),
    Aes128Ccm(Ccm<Aes128, U16, U12>),
    Aes256Ccm(Ccm<Aes256, U16, U12>),
    Aes128Ccm8(Ccm<Aes128, U8, U12>),
    Aes256Ccm8(Ccm<Aes256, U8, U12>),
    ChaCha20Poly1305(ChaCha20Poly1305),
}

/// How a record's nonce is made.
enum Nonce {
    /// Four bytes of the key block, and eight that the record begins with (RFC 5288).
    Explicit([u8; 4]),
    /// The record's number, xored into an IV (RFC 7905, RFC 8446).
    Numbered([u8; 12]),
}

struct Cbc {
    cipher: CbcCipher,
    mac: RecordMac,
    encrypt_then_mac: bool,
    /// Last cipher block, where records have no IV of their own (TLS 1.0).
    chained: Option<Block>,
}

enum CbcCipher {
    Aes128(Aes128Dec),
    Aes256(Aes256Dec),
}

/// HMACs with their keys taken in.
enum RecordMac {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
}

impl Opener {
    /// `None` if the keys are not as long as the cipher wants them.
    pub(super) fn new(bulk: Bulk, version: TlsVersion, keys: &SideKeys, encrypt_then_mac: bool) -> Option<Self> {
        let key = keys.key.as_slice();
        let aead = match bulk {
            Bulk::Aes128Gcm => Aead::Aes128Gcm(keyed(key)?),
            Bulk::Aes256Gcm => Aead::Aes256Gcm(keyed(key)?),
            Bulk::Aes128Ccm => Aead::Aes128Ccm(keyed(key)?),
            Bulk::Aes256Ccm => Aead::Aes256Ccm(keyed(key)?),
            Bulk::Aes128Ccm8 => Aead::Aes128Ccm8(keyed(key)?),
            Bulk::Aes256Ccm8 => Aead::Aes256Ccm8(keyed(key)?),
            Bulk::ChaCha20Poly1305 => Aead::ChaCha20Poly1305(keyed(key)?),
            Bulk::Aes128Cbc(mac) => {
                return Self::cbc(CbcCipher::Aes128(keyed(key)?), mac, version, keys, encrypt_then_mac);
            }
            Bulk::Aes256Cbc(mac) => {
                return Self::cbc(CbcCipher::Aes256(keyed(key)?), mac, version, keys, encrypt_then_mac);
            }
        };
        let iv = keys.iv.as_slice();
        let nonce = match (iv.first_chunk::<12>(), iv.first_chunk::<4>()) {
            (Some(iv), _) => Nonce::Numbered(*iv),
            (None, Some(salt)) => Nonce::Explicit(*salt),
            (None, None) => return None,
        };
        Some(Self { version, cipher: Cipher::Aead(Box::new(aead), nonce) })
    }

    fn cbc(
        cipher: CbcCipher,
        mac: suite::Mac,
        version: TlsVersion,
        keys: &SideKeys,
        encrypt_then_mac: bool,
    ) -> Option<Self> {
        let mac = match mac {
            suite::Mac::Sha1 => RecordMac::Sha1(keyed(&keys.mac)?),
            suite::Mac::Sha256 => RecordMac::Sha256(keyed(&keys.mac)?),
            suite::Mac::Sha384 => RecordMac::Sha384(keyed(&keys.mac)?),
        };
        let chained = if version == TlsVersion::TLS10 { Some(*keys.iv.first_chunk::<BLOCK>()?) } else { None };
        Some(Self { version, cipher: Cipher::Cbc(Box::new(Cbc { cipher, mac, encrypt_then_mac, chained })) })
    }

    /// Opens the record of a number into the front of `out`, and gives how many bytes that are; `None` if it is not the
    /// record of that number under this key. What lies in `out` then has no meaning.
    pub(super) fn open(&mut self, number: u64, record: &Record<'_>, out: &mut [u8]) -> Option<usize> {
        match &mut self.cipher {
            Cipher::Aead(aead, nonce) => {
                let (nonce, sealed) = match nonce {
                    Nonce::Numbered(iv) => (numbered(iv, number), record.body),
                    Nonce::Explicit(salt) => {
                        let (explicit, sealed) = record.body.split_at_checked(8)?;
                        let mut nonce = [0; 12];
                        nonce.iter_mut().zip(salt.iter().chain(explicit)).for_each(|(to, from)| *to = *from);
                        (nonce, sealed)
                    }
                };
                let text = sealed.len().checked_sub(aead.tag_bytes())?;
                if self.version.is_tls13() {
                    aead.open(&nonce, &record.header(), sealed, out)?;
                } else {
                    aead.open(&nonce, &pseudo_header(number, record, text)?, sealed, out)?;
                }
                Some(text)
            }
            Cipher::Cbc(cbc) => cbc.open(number, record, out),
        }
    }

    /// The part of the nonce that the record itself tells, where that is how the suite does it: implementations count it
    /// up from record to record.
    pub(super) fn told_nonce(&self, record: &Record<'_>) -> Option<u64> {
        match self.cipher {
            Cipher::Aead(_, Nonce::Explicit(_)) => {
                record.body.first_chunk::<8>().map(|nonce| u64::from_be_bytes(*nonce))
            }
            _ => None,
        }
    }

    /// The record before this one cannot be opened: what chains to it goes on from its last bytes.
    pub(super) fn pass_over(&mut self, record: &Record<'_>) {
        if let Cipher::Cbc(cbc) = &mut self.cipher
            && let Some(chained) = &mut cbc.chained
            && let Some(last) = record.body.last_chunk::<BLOCK>()
        {
            *chained = *last;
        }
    }
}

fn keyed<C: KeyInit>(key: &[u8]) -> Option<C> {
    C::new_from_slice(key).ok()
}

fn numbered(iv: &[u8; 12], number: u64) -> [u8; 12] {
    let mut nonce = *iv;
    nonce.iter_mut().skip(4).zip(number.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
    nonce
}

/// What TLS before 1.3 authenticates beside a record's text: number, type, version, length of the text.
fn pseudo_header(number: u64, record: &Record<'_>, text: usize) -> Option<[u8; 13]> {
    let mut header = [0; 13];
    let [high, low] = u16::try_from(text).ok()?.to_be_bytes();
    let [major, minor] = record.version;
    let rest = [record.content_type, major, minor, high, low];
    header.iter_mut().zip(number.to_be_bytes().into_iter().chain(rest)).for_each(|(to, from)| *to = from);
    Some(header)
}

impl Aead {
    fn tag_bytes(&self) -> usize {
        match self {
            Self::Aes128Ccm8(_) | Self::Aes256Ccm8(_) => 8,
            _ => 16,
        }
    }

    fn open(&self, nonce: &[u8; 12], beside: &[u8], sealed: &[u8], out: &mut [u8]) -> Option<()> {
        match self {
            Self::Aes128Gcm(cipher) => open_aead(cipher, nonce, beside, sealed, out),
            Self::Aes256Gcm(cipher) => open_aead(cipher, nonce, beside, sealed, out),
            Self::Aes128Ccm(cipher) => open_aead(cipher, nonce, beside, sealed, out),
            Self::Aes256Ccm(cipher) => open_aead(cipher, nonce, beside, sealed, out),
            Self::Aes128Ccm8(cipher) => open_aead(cipher, nonce, beside, sealed, out),
            Self::Aes256Ccm8(cipher) => open_aead(cipher, nonce, beside, sealed, out),
            Self::ChaCha20Poly1305(cipher) => open_aead(cipher, nonce, beside, sealed, out),
        }
    }
}

fn open_aead<A: AeadInOut<NonceSize = U12>>(
    cipher: &A,
    nonce: &[u8; 12],
    beside: &[u8],
    sealed: &[u8],
    out: &mut [u8],
) -> Option<()> {
    let text = sealed.len().checked_sub(aes_gcm::aead::Tag::<A>::default().len())?;
    let (sealed, tag) = sealed.split_at_checked(text)?;
    let buffer = InOutBuf::new(sealed, out.get_mut(..text)?).ok()?;
    cipher.decrypt_inout_detached(&Array(*nonce), beside, buffer, tag.try_into().ok()?).ok()
}

impl Cbc {
    fn open(&mut self, number: u64, record: &Record<'_>, out: &mut [u8]) -> Option<usize> {
        let mac_bytes = self.mac.bytes();
        let sealed = if self.encrypt_then_mac {
            let (sealed, mac) = record.body.split_at_checked(record.body.len().checked_sub(mac_bytes)?)?;
            let header = pseudo_header(number, record, sealed.len())?;
            self.mac.fits(&[&header, sealed], mac).then_some(sealed)?
        } else {
            record.body
        };
        let (iv, sealed) = match self.chained {
            Some(iv) => (iv, sealed),
            None => sealed.split_first_chunk::<BLOCK>().map(|(iv, rest)| (*iv, rest))?,
        };
        let text = self.cipher.decrypt(&iv, sealed, out)?;
        let text = without_padding(text)?;
        let text = if self.encrypt_then_mac {
            text
        } else {
            let (text, mac) = text.split_at_checked(text.len().checked_sub(mac_bytes)?)?;
            let header = pseudo_header(number, record, text.len())?;
            self.mac.fits(&[&header, text], mac).then_some(text)?
        };
        let bytes = text.len();
        if let Some(chained) = &mut self.chained {
            *chained = *sealed.last_chunk::<BLOCK>()?;
        }
        Some(bytes)
    }
}

/// Takes off padding: its length, so often and once more (RFC 5246, 6.2.3.2).
fn without_padding(text: &[u8]) -> Option<&[u8]> {
    let length = text.last()?;
    let (text, padding) = text.split_at_checked(text.len().checked_sub(usize::from(*length) + 1)?)?;
    padding.iter().all(|byte| byte == length).then_some(text)
}

impl CbcCipher {
    fn decrypt<'o>(&self, iv: &Block, sealed: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
        match self {
            Self::Aes128(cipher) => decrypt_cbc(cipher, iv, sealed, out),
            Self::Aes256(cipher) => decrypt_cbc(cipher, iv, sealed, out),
        }
    }
}

fn decrypt_cbc<'o, C: BlockCipherDecrypt + BlockSizeUser<BlockSize = U16>>(
    cipher: &C,
    iv: &Block,
    sealed: &[u8],
    out: &'o mut [u8],
) -> Option<&'o [u8]> {
    let out = out.get_mut(..sealed.len())?;
    let (blocks, rest) = Array::slice_as_chunks(sealed);
    let (texts, _) = Array::slice_as_chunks_mut(out);
    if blocks.is_empty() || !rest.is_empty() {
        return None;
    }
    cbc::Decryptor::inner_iv_init(cipher, &Array(*iv)).decrypt_blocks_b2b(blocks, texts).ok()?;
    Some(out)
}

impl RecordMac {
    fn bytes(&self) -> usize {
        match self {
            Self::Sha1(_) => 20,
            Self::Sha256(_) => 32,
            Self::Sha384(_) => 48,
        }
    }

    fn fits(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        match self {
            Self::Sha1(keyed) => fits(keyed, parts, mac),
            Self::Sha256(keyed) => fits(keyed, parts, mac),
            Self::Sha384(keyed) => fits(keyed, parts, mac),
        }
    }
}

fn fits<M: Mac + Clone>(keyed: &M, parts: &[&[u8]], mac: &[u8]) -> bool {
    let mut state = keyed.clone();
    parts.iter().for_each(|part| state.update(part));
    state.verify_slice(mac).is_ok()
}
