//! From secrets to keys: the PRF of TLS 1.0 to 1.2 (RFC 5246, 5; RFC 2246, 5) and HKDF-Expand-Label of TLS 1.3
//! (RFC 8446, 7.1), over `hmac` and `hkdf`.

use super::suite::{Bulk, Hash};
use hkdf::Hkdf;
use hmac::digest::Output;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha384};

/// Bytes of a master secret.
pub(super) const MASTER_BYTES: usize = 48;
/// A master secret of TLS 1.2 or before.
pub(super) type Master = [u8; MASTER_BYTES];

/// A secret of TLS 1.3: 32 or 48 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    bytes: [u8; MASTER_BYTES],
    length: usize,
}

impl Secret {
    /// Takes a secret of a length that a hash of TLS 1.3 has.
    pub(super) fn new(secret: &[u8]) -> Option<Self> {
        let mut bytes = [0; MASTER_BYTES];
        bytes.get_mut(..secret.len())?.copy_from_slice(secret);
        matches!(secret.len(), 32 | 48).then_some(Self { bytes, length: secret.len() })
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({} bytes)", self.length)
    }
}

/// Fills `out` with the PRF of a secret, a label and a seed.
pub(super) fn prf(hash: Hash, secret: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    let seed: Vec<u8> = [label].iter().chain(seed).flat_map(|part| part.iter().copied()).collect();
    match hash {
        Hash::Sha256 => p_hash::<Hmac<Sha256>>(secret, &seed, out),
        Hash::Sha384 => p_hash::<Hmac<Sha384>>(secret, &seed, out),
        Hash::Md5Sha1 => {
            // Two halves of the secret, which share the middle byte of an odd one.
            let half = secret.len().div_ceil(2);
            let (first, second) = (secret.get(..half), secret.get(secret.len() - half..));
            p_hash::<Hmac<Md5>>(first.unwrap_or_default(), &seed, out);
            let mut other = vec![0; out.len()];
            p_hash::<Hmac<Sha1>>(second.unwrap_or_default(), &seed, &mut other);
            out.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
        }
    }
}

fn hmac<M: Mac + KeyInit>(secret: &[u8], parts: &[&[u8]]) -> Output<M> {
    // HMAC takes a key of any length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret) else { return Output::<M>::default() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes()
}

/// P_hash (RFC 5246, 5).
fn p_hash<M: Mac + KeyInit>(secret: &[u8], seed: &[u8], out: &mut [u8]) {
    let mut a = hmac::<M>(secret, &[seed]);
    for piece in out.chunks_mut(a.len().max(1)) {
        let block = hmac::<M>(secret, &[&a, seed]);
        piece.iter_mut().zip(block.iter()).for_each(|(byte, from)| *byte = *from);
        a = hmac::<M>(secret, &[&a]);
    }
}

/// The master secret of a premaster secret: by the randoms, or with the extended master secret (RFC 7627) by the hash
/// of the handshake so far.
pub(super) fn master(hash: Hash, premaster: &[u8], seed: MasterSeed<'_>) -> Master {
    let mut master = [0; MASTER_BYTES];
    match seed {
        MasterSeed::Randoms { client, server } => {
            prf(hash, premaster, b"master secret", &[client, server], &mut master);
        }
        MasterSeed::Handshake(messages) => {
            let digest = match hash {
                Hash::Sha256 => Sha256::digest(messages).to_vec(),
                Hash::Sha384 => Sha384::digest(messages).to_vec(),
                Hash::Md5Sha1 => [Md5::digest(messages).as_slice(), Sha1::digest(messages).as_slice()].concat(),
            };
            prf(hash, premaster, b"extended master secret", &[&digest], &mut master);
        }
    }
    master
}

/// What a master secret is bound to.
#[derive(Debug, Clone, Copy)]
pub(super) enum MasterSeed<'a> {
    Randoms { client: &'a [u8; 32], server: &'a [u8; 32] },
    Handshake(&'a [u8]),
}

/// Keys of one side (RFC 5246, 6.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SideKeys {
    pub mac: Vec<u8>,
    pub key: Vec<u8>,
    pub iv: Vec<u8>,
}

/// The key block: keys of the client and of the server.
pub(super) fn key_block(
    hash: Hash,
    bulk: Bulk,
    master: &Master,
    client: &[u8; 32],
    server: &[u8; 32],
) -> [SideKeys; 2] {
    let sizes = [bulk.mac_bytes(), bulk.key_bytes(), bulk.iv_bytes()];
    let mut block = vec![0; 2 * sizes.iter().sum::<usize>()];
    prf(hash, master, b"key expansion", &[server, client], &mut block);
    let mut rest = block.as_slice();
    let mut next = |size: usize| {
        let (part, after) = rest.split_at_checked(size).unwrap_or_default();
        rest = after;
        part.to_vec()
    };
    let [mac, key, iv] = sizes.map(|size| [next(size), next(size)]);
    let ([client_mac, server_mac], [client_key, server_key], [client_iv, server_iv]) = (mac, key, iv);
    [
        SideKeys { mac: client_mac, key: client_key, iv: client_iv },
        SideKeys { mac: server_mac, key: server_key, iv: server_iv },
    ]
}

/// HKDF-Expand-Label with an empty context.
fn expand_label(hash: Hash, secret: &Secret, label: &str, out: &mut [u8]) {
    let mut info = Vec::with_capacity(32);
    info.extend_from_slice(&(out.len() as u16).to_be_bytes());
    info.push((b"tls13 ".len() + label.len()) as u8);
    info.extend_from_slice(b"tls13 ");
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    // Secrets are as long as their hash, and what is asked of them is short: neither can fail.
    match hash {
        Hash::Sha384 => drop(Hkdf::<Sha384>::from_prk(secret.bytes()).map(|hkdf| hkdf.expand(&info, out))),
        _ => drop(Hkdf::<Sha256>::from_prk(secret.bytes()).map(|hkdf| hkdf.expand(&info, out))),
    }
}

/// Key and IV of a traffic secret (RFC 8446, 7.3).
pub(super) fn traffic_keys(hash: Hash, bulk: Bulk, secret: &Secret) -> SideKeys {
    let mut keys = SideKeys { mac: Vec::new(), key: vec![0; bulk.key_bytes()], iv: vec![0; 12] };
    expand_label(hash, secret, "key", &mut keys.key);
    expand_label(hash, secret, "iv", &mut keys.iv);
    keys
}

/// The traffic secret behind a key update (RFC 8446, 7.2).
pub(super) fn updated(hash: Hash, secret: &Secret) -> Secret {
    let mut next = Secret { bytes: [0; MASTER_BYTES], length: secret.length };
    if let Some(out) = next.bytes.get_mut(..secret.length) {
        expand_label(hash, secret, "traffic upd", out);
    }
    next
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
    }

    /// The vectors that the TLS working group's list has for P_SHA256 and P_SHA384.
    #[test]
    fn the_prf_of_tls_1_2_fits_known_answers() {
        let mut out = [0; 100];
        let (secret, seed) = (hex("9bbe436ba940f017b17652849a71db35"), hex("a0ba9f936cda311827a6f796ffd5198c"));
        prf(Hash::Sha256, &secret, b"test label", &[&seed], &mut out);
        let want = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af\
                    0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66";
        assert_eq!(out[..], hex(want));
        let mut out = [0; 148];
        let (secret, seed) = (hex("b80b733d6ceefcdc71566ea48e5567df"), hex("cd665cf6a8447dd6ff8b27555edb7465"));
        prf(Hash::Sha384, &secret, b"test label", &[&seed], &mut out);
        assert_eq!(out[..16], hex("7b0c18e9ced410ed1804f2cfa34a336a"));
    }

    /// RFC 8448, 3: the server's handshake traffic secret, its key and its IV.
    #[test]
    fn the_schedule_of_tls_1_3_fits_rfc_8448() {
        let secret = hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
        let keys = traffic_keys(Hash::Sha256, Bulk::Aes128Gcm, &Secret::new(&secret).unwrap());
        assert_eq!((keys.key, keys.iv), (hex("3fce516009c21727d0f2e4e86ee403bc"), hex("5d313eb2671276ee13000b30")));
    }
}
