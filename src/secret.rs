//! Masking of secrets: passwords, cookies, tokens, message bodies.
//!
//! A masked secret keeps its length class and a keyed hash, so that two uses of one password can be seen as one,
//! and nothing more. The key comes from the inputs of the case: the same captures give the same masks, and who has
//! only the report cannot try a dictionary.

use siphasher::sip::SipHasher24;
use std::borrow::Cow;
use std::fmt;
use std::hash::Hasher;

/// Turns secrets into what may be shown.
#[derive(Debug, Clone)]
pub struct Masker {
    reveal: bool,
    key: [u8; 16],
}

impl Masker {
    /// `reveal` shows secrets as they are (`--reveal-secrets`); `key` seeds the hash.
    pub fn new(reveal: bool, key: [u8; 16]) -> Self {
        Self { reveal, key }
    }

    /// `true` when secrets are shown as they are.
    pub fn reveals(&self) -> bool {
        self.reveal
    }

    /// The secret as it may be shown, e.g. `[masked 8-15 bytes #5f3a09c1]`; an empty secret stays empty.
    pub fn show<'a>(&self, secret: &'a str) -> Cow<'a, str> {
        if self.reveal || secret.is_empty() {
            return Cow::Borrowed(secret);
        }
        Cow::Owned(self.masked(secret).to_string())
    }

    /// What stands for a secret, to be written in place; nothing for an empty one.
    pub fn masked(&self, secret: &str) -> Masked {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(secret.as_bytes());
        Masked { bytes: secret.len(), tag: hasher.finish() as u32 }
    }
}

/// What stands for a secret: a class of lengths, and a tag by which equal ones are known.
#[derive(Debug, Clone, Copy)]
pub struct Masked {
    bytes: usize,
    tag: u32,
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = self.tag;
        // Lengths are told in powers of two: exact ones would help to guess.
        match self.bytes {
            0 => Ok(()),
            1..8 => write!(f, "[masked 1-7 bytes #{tag:08x}]"),
            bytes => {
                let floor = 1usize << bytes.ilog2();
                write!(f, "[masked {floor}-{} bytes #{tag:08x}]", floor.saturating_mul(2) - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_secrets_look_equal_and_others_differ() {
        let masker = Masker::new(false, [7; 16]);
        let shown = masker.show("Wonder-land7");
        assert!(shown.starts_with("[masked 8-15 bytes #"), "{shown}");
        assert_eq!(shown, masker.show("Wonder-land7"));
        assert_ne!(shown, masker.show("Wonder-land8"));
        assert_ne!(shown, Masker::new(false, [8; 16]).show("Wonder-land7"));
        assert_eq!(Masker::new(true, [7; 16]).show("Wonder-land7"), "Wonder-land7");
    }
}
