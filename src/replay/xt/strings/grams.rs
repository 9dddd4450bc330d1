//! The first places of many patterns in one pass.
//!
//! A packet is probed at every `stride`th byte: four bytes there are hashed into a small bitmap. Every pattern has
//! `stride` consecutive groups of four bytes in the bitmap, so that wherever it lies one of them falls on a probe; what
//! the bitmap lets through is compared. Patterns too short for that are not known here.

/// So many patterns are looked for together in the time that each would take on its own: measured.
const WORTHWHILE: usize = 8;

/// Bits of the bitmap: 4 KiB, which stays in the nearest cache.
const WORDS: usize = 512;

/// Patterns of one stride.
#[derive(Debug)]
struct Table {
    stride: usize,
    bitmap: Box<[u64; WORDS]>,
    /// Four bytes, the pattern that has them, and where in it; sorted.
    grams: Vec<Gram>,
    sorted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Gram {
    bytes: u32,
    needle: usize,
    offset: usize,
}

/// Where a pattern was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Not at all.
    Nowhere,
    /// First here.
    At(usize),
}

/// Patterns, and their first places in the bytes that were searched last.
#[derive(Debug)]
pub struct Grams {
    long: Table,
    middle: Table,
    needles: Vec<Box<[u8]>>,
    firsts: Vec<First>,
}

impl Default for Grams {
    fn default() -> Self {
        Self { long: Table::new(4), middle: Table::new(2), needles: Vec::new(), firsts: Vec::new() }
    }
}

impl Grams {
    /// Takes up the next pattern.
    pub fn add(&mut self, pattern: &[u8]) {
        let needle = self.needles.len();
        match pattern.len() {
            ..5 => {}
            5 | 6 => self.middle.add(needle, pattern),
            _ => self.long.add(needle, pattern),
        }
        self.needles.push(pattern.into());
        self.firsts.push(First::Nowhere);
    }

    /// The pattern is long enough to be looked for here, and so are enough others.
    pub fn knows(&self, needle: usize) -> bool {
        match self.needles.get(needle).map_or(0, |pattern| pattern.len()) {
            ..5 => false,
            5 | 6 => self.middle.is_worthwhile(),
            _ => self.long.is_worthwhile(),
        }
    }

    /// Where a pattern is first.
    pub fn first(&self, needle: usize) -> First {
        self.firsts.get(needle).copied().unwrap_or(First::Nowhere)
    }

    /// Looks for all patterns.
    pub fn search(&mut self, hay: &[u8]) {
        self.firsts.fill(First::Nowhere);
        for table in [&mut self.long, &mut self.middle].into_iter().filter(|table| table.is_worthwhile()) {
            table.search(hay, &self.needles, &mut self.firsts);
        }
    }
}

impl Table {
    fn new(stride: usize) -> Self {
        Self { stride, bitmap: Box::new([0; WORDS]), grams: Vec::new(), sorted: true }
    }

    /// Patterns that need twice as many probes have half as many groups.
    fn is_worthwhile(&self) -> bool {
        self.grams.len() >= WORTHWHILE * 4
    }

    /// The end of a pattern tells it from others better than its beginning.
    fn add(&mut self, needle: usize, pattern: &[u8]) {
        let first = pattern.len().saturating_sub(3 + self.stride);
        for (step, window) in pattern.get(first..).unwrap_or_default().windows(4).enumerate() {
            let Some(bytes) = window.first_chunk().map(|four| u32::from_le_bytes(*four)) else { continue };
            let (word, bit) = place(bytes);
            if let Some(word) = self.bitmap.get_mut(word) {
                *word |= bit;
            }
            self.grams.push(Gram { bytes, needle, offset: first + step });
        }
        self.sorted = false;
    }

    fn search(&mut self, hay: &[u8], needles: &[Box<[u8]>], firsts: &mut [First]) {
        if !self.sorted {
            self.grams.sort_unstable();
            self.sorted = true;
        }
        for start in (0..4).step_by(self.stride) {
            let probes = hay.get(start..).unwrap_or_default().chunks_exact(4);
            for (nth, four) in probes.enumerate() {
                let Some(bytes) = four.first_chunk().map(|four| u32::from_le_bytes(*four)) else { continue };
                let (word, bit) = place(bytes);
                if self.bitmap.get(word).is_some_and(|word| word & bit != 0) {
                    self.compare(hay, start + nth * 4, bytes, needles, firsts);
                }
            }
        }
    }

    /// Compares the patterns that have these four bytes.
    #[cold]
    fn compare(&self, hay: &[u8], at: usize, bytes: u32, needles: &[Box<[u8]>], firsts: &mut [First]) {
        let from = self.grams.partition_point(|gram| gram.bytes < bytes);
        let those = self.grams.get(from..).unwrap_or_default().iter().take_while(|gram| gram.bytes == bytes);
        for gram in those {
            let (Some(needle), Some(first)) = (needles.get(gram.needle), firsts.get_mut(gram.needle)) else { continue };
            let Some(begin) = at.checked_sub(gram.offset) else { continue };
            if matches!(first, First::At(known) if *known <= begin) {
                continue;
            }
            if hay.get(begin..begin + needle.len()) == Some(needle) {
                *first = First::At(begin);
            }
        }
    }
}

/// Word and bit of four bytes in the bitmap.
#[inline]
fn place(bytes: u32) -> (usize, u64) {
    let hash = bytes.wrapping_mul(0x9e37_79b1) >> 17;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hay() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![4 => Just(b'a'), 2 => Just(b'b'), 1 => any::<u8>()], 12..120)
    }

    proptest! {
        #[test]
        fn first_places_are_found(
            hays in prop::collection::vec(hay(), 1..4),
            len in 4..9_usize,
            places in prop::collection::vec((0..120_usize, 0..3_usize, 0..3_usize), 32..60),
        ) {
            let patterns: Vec<&[u8]> = places
                .iter()
                .map(|(place, longer, of)| {
                    let hay = &hays[of % hays.len()];
                    let len = len + longer;
                    let from = place % (hay.len() - len + 1);
                    &hay[from..from + len]
                })
                .collect();
            let mut grams = Grams::default();
            patterns.iter().for_each(|pattern| grams.add(pattern));
            for hay in &hays {
                grams.search(hay);
                for (needle, pattern) in patterns.iter().enumerate().filter(|(needle, _)| grams.knows(*needle)) {
                    let expected = hay.windows(pattern.len()).position(|window| window == *pattern);
                    prop_assert_eq!(grams.first(needle), expected.map_or(First::Nowhere, First::At));
                }
            }
        }
    }

    #[test]
    fn only_many_long_patterns_are_known() {
        let mut grams = Grams::default();
        for n in 0..7_u8 {
            grams.add(&[n; 7]);
        }
        assert!(!grams.knows(0));
        grams.add(&[7; 9]);
        grams.add(&[8; 6]);
        grams.add(&[9; 4]);
        assert_eq!((0..10).filter(|needle| grams.knows(*needle)).count(), 8);
    }
}
