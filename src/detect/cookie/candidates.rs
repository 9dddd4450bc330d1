//! Words seen in clear that turn out to be the cookie behind a captured handshake, whatever form they were seen in.

use super::leak::Leak;
use super::proof::Proof;
use super::terms;
use crate::evidence::{Sighting, Stamp};
use crate::protocol::erldist::term::Term;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};

/// Words remembered of a protocol, the first ones of a case: with [`super::guess::MAX_UNSOLVED`] proofs, the tries at
/// the end stay within seconds. Each protocol has its share, so that a busy web server does not crowd out the others.
const MAX_WORDS: usize = 6_000;

/// Lengths of words that may be cookies: shorter ones are in the lists, longer ones are not typed by people nor made by
/// `erl`, and base64 of 32 or 48 random bytes is within.
const LENGTHS: std::ops::RangeInclusive<usize> = 6..=64;

/// Text that is split into words, in bytes per text.
const MAX_TEXT: usize = 4096;

/// A word and where it was first seen.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) word: String,
    pub(super) via: &'static str,
    pub(super) protocol: &'static str,
    pub(super) at: Sighting,
}

/// Words to be held against handshakes at the end.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    words: Vec<Candidate>,
    counts: HashMap<&'static str, usize>,
    seen: HashSet<String>,
    /// Texts and terms that were not looked at because there were enough words, and the first of them.
    beyond: Option<(u64, Stamp)>,
}

impl Candidates {
    /// Takes the words of a text.
    pub(super) fn add_text(&mut self, text: &str, via: &'static str, protocol: &'static str, at: &Sighting) {
        if self.is_full(protocol) {
            return self.pass_over(at);
        }
        let text = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default();
        let ends = |letter: char| letter.is_whitespace() || "'\"`,;|<>()[]{}\\=".contains(letter);
        for word in text.split(ends) {
            self.add(word, via, protocol, at);
        }
    }

    /// Takes the atoms and texts of a term.
    pub(super) fn add_term(&mut self, term: &Term, via: &'static str, at: &Sighting) {
        if self.is_full("erldist") {
            return self.pass_over(at);
        }
        terms::walk(term, &mut |term| match term {
            Term::Atom(name) => self.add(name, via, "erldist", at),
            Term::String(bytes) | Term::Binary { bytes, .. } if bytes.len() > MAX_TEXT => {}
            _ => {
                if let Some(text) = terms::term_text(term) {
                    self.add_text(&text, via, "erldist", at);
                }
            }
        });
    }

    /// What was not looked at.
    pub(super) fn beyond(&self) -> Option<(&'static str, u64, Stamp)> {
        self.beyond.map(|(count, first)| ("cookie.words-beyond-limit", count, first))
    }

    fn pass_over(&mut self, at: &Sighting) {
        self.beyond.get_or_insert((0, at.last)).0 += 1;
    }

    fn is_full(&self, protocol: &str) -> bool {
        self.counts.get(protocol).is_some_and(|count| *count >= MAX_WORDS)
    }

    fn add(&mut self, word: &str, via: &'static str, protocol: &'static str, at: &Sighting) {
        let plausible = LENGTHS.contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic());
        if plausible && !self.is_full(protocol) && !self.seen.contains(word) {
            *self.counts.entry(protocol).or_default() += 1;
            self.seen.insert(word.to_owned());
            self.words.push(Candidate { word: word.to_owned(), via, protocol, at: at.clone() });
        }
    }

    /// The words that are cookies, in the order in which they were seen.
    pub(super) fn proven(&self, proofs: &[Proof]) -> Vec<(&Candidate, Leak)> {
        let fits = |candidate: &&Candidate| proofs.iter().any(|proof| proof.fits(&candidate.word));
        let proven: Vec<&Candidate> = self.words.par_iter().filter(fits).collect();
        let leak = |candidate: &Candidate| Leak { cookie: candidate.word.clone(), via: candidate.via, node: None };
        proven.into_iter().map(|candidate| (candidate, leak(candidate))).collect()
    }
}
