//! MD5 (RFC 1321) of many short words at once: words and the digest that one of them must have in, the first that fits
//! out.
//!
//! A digest of one word is a chain of steps that each wait for the last one; eight words side by side keep the processor
//! busy, and the compiler turns each step into a few vector instructions. Only what fits one block is done so, which
//! every cookie does that people type.

/// Words that go side by side.
pub(super) const LANES: usize = 8;

/// Bytes that fit one block beside the padding.
const MAX_MESSAGE: usize = 55;

type Lane = [u32; LANES];

/// `floor(2^32 * abs(sin(i + 1)))`.
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
];

const INITIAL: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The first word that `fits`, of those of which MD5(word ++ suffix) begins as `digest` does, and of those that are too
/// long for one block and their neighbours.
pub(super) fn find_first<'a>(
    words: impl Iterator<Item = &'a [u8]>,
    suffix: &[u8],
    digest: &[u8; 16],
    fits: impl Fn(&[u8]) -> bool,
) -> Option<&'a [u8]> {
    let [first, second, third, fourth, ..] = *digest;
    let wanted = u32::from_le_bytes([first, second, third, fourth]);
    let mut words = words.fuse();
    let mut block = Block::new(suffix);
    loop {
        let mut group: [&[u8]; LANES] = [&[]; LANES];
        let mut count = 0;
        for (place, word) in group.iter_mut().zip(&mut words) {
            *place = word;
            count += 1;
        }
        let mut long = false;
        for (lane, word) in group.iter().take(count).enumerate() {
            long |= !block.set(lane, word);
        }
        if count > 0
            && (long || block.heads().contains(&wanted))
            && let Some(word) = group.into_iter().take(count).find(|word| fits(word))
        {
            return Some(word);
        }
        if count < LANES {
            return None;
        }
    }
}

/// Eight messages of one block each, side by side.
struct Block<'a> {
    suffix: &'a [u8],
    rows: [Lane; 16],
}

impl<'a> Block<'a> {
    fn new(suffix: &'a [u8]) -> Self {
        Self { suffix, rows: [[0; LANES]; 16] }
    }

    /// Puts a word into a lane; `false` if it does not fit.
    fn set(&mut self, lane: usize, word: &[u8]) -> bool {
        let mut message = [0u8; 64];
        let length = word.len() + self.suffix.len();
        if length > MAX_MESSAGE {
            return false;
        }
        let (place, rest) = message.split_at_mut(word.len());
        place.copy_from_slice(word);
        let (place, rest) = rest.split_at_mut(self.suffix.len());
        place.copy_from_slice(self.suffix);
        if let Some(mark) = rest.first_mut() {
            *mark = 0x80;
        }
        message[56..].copy_from_slice(&(length as u64 * 8).to_le_bytes());
        for (row, bytes) in self.rows.iter_mut().zip(message.as_chunks::<4>().0) {
            if let Some(place) = row.get_mut(lane) {
                *place = u32::from_le_bytes(*bytes);
            }
        }
        true
    }

    /// The first 32 bits of each lane's digest (RFC 1321, 3.4).
    fn heads(&self) -> Lane {
        let [a, b, c, d] = INITIAL.map(|word| [word; LANES]);
        let state = self.round::<0, 1, 7, 12, 17, 22>([a, b, c, d], 0, |x, y, z| (x & y) | (!x & z));
        let state = self.round::<1, 5, 5, 9, 14, 20>(state, 1, |x, y, z| (x & z) | (y & !z));
        let state = self.round::<2, 3, 4, 11, 16, 23>(state, 5, |x, y, z| x ^ y ^ z);
        let [a, ..] = self.round::<3, 7, 6, 10, 15, 21>(state, 0, |x, y, z| y ^ (x | !z));
        a.map(|word| word.wrapping_add(INITIAL[0]))
    }

    /// Sixteen steps. They take the rows from `first` on in strides; the shifts repeat every four steps. All numbers are
    /// known when this is compiled, so that a step is a few vector instructions.
    #[inline(always)]
    fn round<const ROUND: usize, const STRIDE: usize, const S0: u32, const S1: u32, const S2: u32, const S3: u32>(
        &self,
        [mut a, mut b, mut c, mut d]: [Lane; 4],
        first: usize,
        mix: impl Fn(u32, u32, u32) -> u32 + Copy,
    ) -> [Lane; 4] {
        for group in 0..4 {
            let row = |place: usize| &self.rows[(first + STRIDE * (4 * group + place)) % 16];
            let sine = |place: usize| SINES[ROUND * 16 + 4 * group + place];
            a = step::<S0>(a, b, c, d, row(0), sine(0), mix);
            d = step::<S1>(d, a, b, c, row(1), sine(1), mix);
            c = step::<S2>(c, d, a, b, row(2), sine(2), mix);
            b = step::<S3>(b, c, d, a, row(3), sine(3), mix);
        }
        [a, b, c, d]
    }
}

#[inline(always)]
fn step<const SHIFT: u32>(
    a: Lane,
    b: Lane,
    c: Lane,
    d: Lane,
    row: &Lane,
    sine: u32,
    mix: impl Fn(u32, u32, u32) -> u32,
) -> Lane {
    std::array::from_fn(|lane| {
        let mixed = mix(b[lane], c[lane], d[lane]);
        let sum = a[lane].wrapping_add(mixed).wrapping_add(row[lane]).wrapping_add(sine);
        b[lane].wrapping_add(sum.rotate_left(SHIFT))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use md5::{Digest, Md5};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digests_are_those_of_the_crate(words in prop::collection::vec("[ -~]{0,60}", 1..40), at: prop::sample::Index, challenge: u32) {
            let suffix = challenge.to_string();
            let digest_of = |word: &str| <[u8; 16]>::from(Md5::digest(format!("{word}{suffix}")));
            let hidden: &String = at.get(words.as_slice());
            let wanted = digest_of(hidden.as_str());
            let found = find_first(words.iter().map(String::as_bytes), suffix.as_bytes(), &wanted, |word| {
                digest_of(std::str::from_utf8(word).unwrap()) == wanted
            });
            prop_assert_eq!(found, Some(hidden.as_bytes()));
        }
    }

    #[test]
    fn no_word_is_found_that_is_not_there() {
        let words: Vec<String> = (0..1000).map(|number| format!("word{number}")).collect();
        assert_eq!(find_first(words.iter().map(String::as_bytes), b"1", &[7; 16], |_| true), None);
    }
}
