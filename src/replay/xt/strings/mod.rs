//! `-m string` (`xt_string.c`, `skb_find_text`): where the patterns of a ruleset are in a packet.
//!
//! The pattern lies entirely within the bytes from `--from` to before `--to`, counted from the IP header. Both algorithms
//! of the kernel give the same answer, but for a packet that was put together of fragments: `bm` finds nothing that lies
//! across two of them. Asking many rules about one packet would read it many times; after a few
//! questions about a packet one pass finds the first place of every pattern ([`grams`]), and the rest is looked up.
//!
//! `--icase` folds as the kernel's `toupper` does: Latin-1, whatever the bytes mean ([`fold`]).

mod fold;
mod grams;

use super::super::skb::Skb;
use crate::ruleset::xt::StringMatch;
use fold::fold;
use grams::{First, Grams};
use memchr::memmem::Finder;
use std::collections::HashMap;

/// So many questions about a packet are answered one by one; more, and all patterns are looked for at once.
const FEW: u32 = 2;

/// Name of a pattern with its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StringId(u32);

/// The strings of a ruleset, and where they are in the packet at hand.
#[derive(Debug, Default)]
pub struct Strings {
    asked: Vec<Question>,
    plain: Searched,
    folded: Searched,
    /// The packet in upper case, once somebody asked for it.
    upper: Vec<u8>,
    has_upper: bool,
}

#[derive(Debug, Clone, Copy)]
struct Question {
    folded: bool,
    /// Boyer-Moore.
    by_block: bool,
    needle: usize,
    from: usize,
    to: usize,
}

/// Patterns that are looked for in the same form of a packet.
#[derive(Debug, Default)]
struct Searched {
    needles: Vec<Finder<'static>>,
    places: HashMap<Vec<u8>, usize>,
    grams: Grams,
    /// Questions about this packet so far.
    questions: u32,
    found: bool,
}

impl Strings {
    /// Takes up a pattern.
    pub fn add(&mut self, of: &StringMatch) -> StringId {
        let folded = of.icase;
        let mut pattern = of.pattern.value.clone();
        if folded {
            fold(&mut pattern);
        }
        let searched = if folded { &mut self.folded } else { &mut self.plain };
        let needle = searched.add(pattern);
        self.asked.push(Question { folded, by_block: !of.kmp, needle, from: of.from as usize, to: of.to as usize });
        StringId(u32::try_from(self.asked.len() - 1).unwrap_or(u32::MAX))
    }

    /// Forgets the packet at hand: the next one comes, or its bytes have changed.
    #[inline]
    pub fn next_packet(&mut self) {
        self.has_upper = false;
        self.plain.forget();
        self.folded.forget();
    }

    /// Whether a pattern is in the packet at hand, within its window.
    pub fn contains(&mut self, id: StringId, skb: &Skb<'_>) -> bool {
        let Some(&Question { folded, by_block, needle, from, to }) = self.asked.get(id.0 as usize) else {
            return false;
        };
        let by_block = by_block && !skb.seams.is_empty();
        if !folded && !by_block {
            return self.plain.contains(needle, &skb.bytes, from, to);
        }
        if !folded {
            return self.plain.is_in_block(needle, &skb.bytes, from, to, &skb.seams);
        }
        if !self.has_upper {
            self.upper.clear();
            self.upper.extend_from_slice(&skb.bytes);
            fold(&mut self.upper);
            self.has_upper = true;
        }
        if by_block {
            return self.folded.is_in_block(needle, &self.upper, from, to, &skb.seams);
        }
        self.folded.contains(needle, &self.upper, from, to)
    }
}

impl Searched {
    fn add(&mut self, pattern: Vec<u8>) -> usize {
        if let Some(place) = self.places.get(&pattern) {
            return *place;
        }
        let place = self.needles.len();
        self.grams.add(&pattern);
        self.needles.push(Finder::new(&pattern).into_owned());
        self.places.insert(pattern, place);
        place
    }

    fn forget(&mut self) {
        self.questions = 0;
        self.found = false;
    }

    fn contains(&mut self, needle: usize, hay: &[u8], from: usize, to: usize) -> bool {
        let Some(finder) = self.needles.get(needle) else { return false };
        let len = finder.needle().len();
        let in_window = || hay.get(from..to.min(hay.len())).is_some_and(|window| finder.find(window).is_some());
        if len == 0 {
            return false;
        }
        self.questions = self.questions.saturating_add(1);
        if self.questions <= FEW || !self.grams.knows(needle) {
            return in_window();
        }
        if !self.found {
            self.grams.search(hay);
            self.found = true;
        }
        match self.grams.first(needle) {
            First::Nowhere => false,
            First::At(at) if at + len > to => false,
            First::At(at) if at >= from => true,
            First::At(_) => in_window(),
        }
    }
}

impl Searched {
    /// The pattern lies in the window, and within one of the blocks that begin at `seams`.
    fn is_in_block(&self, needle: usize, hay: &[u8], from: usize, to: usize, seams: &[u32]) -> bool {
        let Some(finder) = self.needles.get(needle).filter(|finder| !finder.needle().is_empty()) else { return false };
        let ends = seams.iter().map(|seam| *seam as usize).chain([hay.len()]);
        let mut begin = 0;
        for end in ends {
            let window = hay.get(from.max(begin)..to.min(end));
            if window.is_some_and(|window| finder.find(window).is_some()) {
                return true;
            }
            begin = end;
        }
        false
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::ruleset::xt::Inv;
    use proptest::prelude::*;

    fn wanted(pattern: &[u8], from: u32, to: u32, icase: bool) -> StringMatch {
        let pattern = Inv { not: false, value: pattern.to_vec() };
        StringMatch { pattern, hex: false, kmp: false, from, to, icase }
    }

    fn packet(data: &[u8]) -> Vec<u8> {
        let len = u16::try_from(20 + data.len()).unwrap().to_be_bytes();
        [&[0x45, 0, len[0], len[1]][..], &[0; 16], data].concat()
    }

    fn answers(packet: &[u8], questions: &[StringMatch]) -> Vec<bool> {
        let mut strings = Strings::default();
        let ids: Vec<StringId> = questions.iter().map(|of| strings.add(of)).collect();
        let skb = Skb::new(packet, &[], 0).unwrap();
        strings.next_packet();
        ids.iter().map(|id| strings.contains(*id, &skb)).collect()
    }

    #[test]
    fn the_whole_pattern_lies_in_the_window() {
        let packet = packet(b"..HELLO....WORLD");
        let windows = [(0, 65535), (22, 27), (22, 26), (23, 27), (21, 65535), (27, 65535), (70, 90), (9, 3)];
        let questions: Vec<StringMatch> =
            windows.iter().map(|(from, to)| wanted(b"HELLO", *from, *to, false)).collect();
        assert_eq!(answers(&packet, &questions), [true, true, false, false, true, false, false, false]);
    }

    #[test]
    fn a_later_place_counts_if_the_first_is_before_the_window() {
        let packet = packet(b"jabber:client jabber:client");
        let question = |from| wanted(b"jabber:client", from, 65535, false);
        let questions: Vec<StringMatch> = (19..37).map(question).collect();
        assert_eq!(answers(&packet, &questions).iter().filter(|yes| **yes).count(), 16);
    }

    /// As measured: a datagram of two fragments, tracked and so put together.
    #[test]
    fn only_kmp_finds_what_lies_across_fragments() {
        let data = [&[b'A'; 100][..], b"SIGNATURE", &[b'B'; 99]].concat();
        let bytes = packet(&data);
        let mut skb = Skb::new(&bytes, &[], 0).unwrap();
        let found = |skb: &Skb<'_>, pattern: &[u8], kmp, icase| {
            let mut strings = Strings::default();
            let id = strings.add(&StringMatch { kmp, ..wanted(pattern, 100, 65535, icase) });
            strings.contains(id, skb)
        };
        for (seam, bm_finds) in [(124, false), (120, true), (129, true)] {
            skb.seams = vec![seam];
            assert_eq!(found(&skb, b"SIGNATURE", false, false), bm_finds);
            assert_eq!(found(&skb, b"signature", false, true), bm_finds);
            assert!(found(&skb, b"SIGNATURE", true, false) && found(&skb, b"BBBB", false, false));
        }
    }

    #[test]
    fn another_packet_is_another_answer() {
        let mut strings = Strings::default();
        let ids: Vec<StringId> = (0..6).map(|at| strings.add(&wanted(b"password", at, 65535, false))).collect();
        for data in [&b"password"[..], b"passport"] {
            let bytes = packet(data);
            let skb = Skb::new(&bytes, &[], 0).unwrap();
            strings.next_packet();
            let all = ids.iter().all(|id| strings.contains(*id, &skb));
            assert_eq!(all, data == b"password");
        }
    }

    proptest! {
        /// However many are asked, and whatever they have in common: as looking for each on its own.
        #[test]
        fn all_at_once_is_as_one_by_one(
            data in prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'A'), any::<u8>()], 0..200),
            patterns in prop::collection::vec(
                (prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 1..12), any::<bool>(), 0..60_u32, 0..240_u32),
                1..50,
            ),
            slices in prop::collection::vec((0..200_usize, 1..20_usize, any::<bool>(), 0..60_u32), 0..40),
        ) {
            let bytes = packet(&data);
            let mut questions: Vec<StringMatch> =
                patterns.iter().map(|(pattern, icase, from, to)| wanted(pattern, *from, *to, *icase)).collect();
            for (from, len, icase, offset) in slices {
                if let Some(slice) = bytes.get(from..(from + len).min(bytes.len())).filter(|slice| !slice.is_empty()) {
                    questions.push(wanted(slice, offset, 65535, icase));
                }
            }
            let naive = |of: &StringMatch| {
                let (mut hay, mut pattern) = (bytes.clone(), of.pattern.value.clone());
                if of.icase {
                    fold(&mut hay);
                    fold(&mut pattern);
                }
                (of.from as usize..hay.len()).any(|at| hay[at..].starts_with(&pattern) && at + pattern.len() <= of.to as usize)
            };
            let expected: Vec<bool> = questions.iter().map(naive).collect();
            prop_assert_eq!(answers(&bytes, &questions), expected);
        }
    }
}
