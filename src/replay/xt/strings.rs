//! `-m string` (`xt_string.c` over `skb_find_text`), made quick for many rules.
//!
//! The pattern must lie within [from, to), counted from the IP header. All patterns of a ruleset share one index: a
//! packet is searched once for all of them when the first string rule asks, and again only by rules whose pattern is
//! there and whose window is narrower than the packet.

use crate::replay::skb::Skb;
use crate::replay::world::World;
use crate::ruleset::xt::StringMatch;
use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;

/// Patterns of a ruleset, and what is known of the packet at hand.
#[derive(Debug, Default)]
pub struct Strings {
    exact: Patterns,
    folded: Patterns,
    /// Bytes of the packet in upper case, for the patterns that ignore it.
    upper: Vec<u8>,
}

/// Patterns of one kind.
#[derive(Debug, Default)]
struct Patterns {
    patterns: Vec<Vec<u8>>,
    automaton: Option<AhoCorasick>,
    /// Found in the packet at hand, by pattern.
    present: Vec<bool>,
    searched: bool,
}

/// Below so many patterns single searches are quicker than one for all.
const WORTH_AN_AUTOMATON: usize = 3;

impl Strings {
    /// Forgets the packet at hand: the next one comes, or its bytes have changed.
    pub fn next_packet(&mut self) {
        self.exact.searched = false;
        self.folded.searched = false;
    }

    fn add(&mut self, pattern: &[u8], icase: bool) -> usize {
        if icase { self.folded.add(fold(pattern)) } else { self.exact.add(pattern.to_owned()) }
    }

    /// Whether a pattern is anywhere in the packet. `None` if there are too few patterns to know.
    fn is_present(&mut self, number: usize, icase: bool, bytes: &[u8]) -> Option<bool> {
        if icase {
            if !self.folded.searched {
                self.upper.clear();
                self.upper.extend(bytes.iter().map(|byte| upper(*byte)));
            }
            return self.folded.is_present(number, &self.upper);
        }
        self.exact.is_present(number, bytes)
    }
}

impl Patterns {
    fn add(&mut self, pattern: Vec<u8>) -> usize {
        if let Some(known) = self.patterns.iter().position(|known| *known == pattern) {
            return known;
        }
        self.patterns.push(pattern);
        self.present.push(false);
        self.automaton = None;
        self.patterns.len() - 1
    }

    fn is_present(&mut self, number: usize, bytes: &[u8]) -> Option<bool> {
        if self.patterns.len() < WORTH_AN_AUTOMATON {
            self.searched = true;
            return None;
        }
        if !self.searched {
            self.search(bytes);
        }
        self.present.get(number).copied()
    }

    fn search(&mut self, bytes: &[u8]) {
        if self.automaton.is_none() {
            self.automaton = AhoCorasick::new(&self.patterns).ok();
        }
        self.searched = true;
        let Some(automaton) = &self.automaton else {
            // It could not be built: let every rule search for itself.
            self.present.fill(true);
            return;
        };
        self.present.fill(false);
        // Most packets hold none of the patterns, and that is found out fastest.
        if automaton.find(bytes).is_none() {
            return;
        }
        let mut missing = self.present.len();
        for hit in automaton.find_overlapping_iter(bytes) {
            if let Some(present) = self.present.get_mut(hit.pattern().as_usize())
                && !*present
            {
                *present = true;
                missing -= 1;
                if missing == 0 {
                    break;
                }
            }
        }
    }
}

/// `toupper` of the kernel's `lib/ctype.c`: ASCII and the letters of Latin-1.
fn upper(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | 0xe0..=0xf6 | 0xf8..=0xfe => byte - 32,
        other => other,
    }
}

fn fold(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| upper(*byte)).collect()
}

/// A string match made ready.
pub(super) struct TextMatch {
    number: usize,
    finder: Finder<'static>,
    icase: bool,
    not: bool,
    from: usize,
    to: usize,
}

impl TextMatch {
    pub(super) fn new(string: &StringMatch, index: &mut Strings) -> Self {
        let pattern = &string.pattern.value;
        let searched = if string.icase { fold(pattern) } else { pattern.clone() };
        Self {
            number: index.add(pattern, string.icase),
            finder: Finder::new(&searched).into_owned(),
            icase: string.icase,
            not: string.pattern.not,
            from: string.from as usize,
            to: string.to as usize,
        }
    }

    pub(super) fn matches(&self, skb: &Skb<'_>, world: &mut World<'_>) -> bool {
        self.is_there(skb, world.strings) != self.not
    }

    fn is_there(&self, skb: &Skb<'_>, index: &mut Strings) -> bool {
        let known = index.is_present(self.number, self.icase, &skb.bytes);
        let whole = self.from == 0 && self.to >= skb.bytes.len();
        match known {
            Some(false) => return false,
            Some(true) if whole => return true,
            _ => {}
        }
        let bytes = if self.icase { index.upper.as_slice() } else { &skb.bytes };
        let window = bytes.get(self.from..self.to.min(bytes.len())).unwrap_or_default();
        self.finder.find(window).is_some()
    }
}
