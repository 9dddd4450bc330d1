//! Masking of secrets: passwords, cookies, tokens, message bodies.
//!
//! A masked secret keeps its length class and a keyed hash, so that two uses of one password can be seen as one,
//! and nothing more. The key comes from the inputs of the case: the same captures give the same masks, and who has
//! only the report cannot try a dictionary.

use siphasher::sip::SipHasher24;
use std::borrow::Cow;
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
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(secret.as_bytes());
        let tag = hasher.finish() as u32;
        Cow::Owned(format!("[masked {} bytes #{tag:08x}]", length_class(secret.len())))
    }
}

/// Lengths are told in powers of two: exact ones would help to guess.
fn length_class(bytes: usize) -> String {
    if bytes < 8 {
        return "1-7".to_owned();
    }
    let floor = 1usize << bytes.ilog2();
    format!("{floor}-{}", floor.saturating_mul(2) - 1)
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
