//! Words tried against captured handshakes.
//!
//! In: handshakes. Out: `cookie.weak` for those whose proof fits a word, and the proofs that none fits.

use super::proof::Proof;
use super::words::{WordList, words_of};
use crate::detect::{Finding, Kind, Settings, Severity, filter};
use crate::evidence::{Sighting, Stamp};
use crate::protocol::erldist::{Handshake, HandshakeOutcome};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// Handshakes collected before words are tried: bounds what is held of a flood of them.
const BATCH: usize = 1024;

/// Proofs that no word fits, kept for [`super::candidates`].
pub(super) const MAX_UNSOLVED: usize = 1024;

/// Bytes of `--cookie-list` that are tried in one run, some billions of words and minutes of one core: a capture full of
/// handshakes and a long list would otherwise take days. The built-in words are always tried.
const LIST_BYTES: u64 = 1 << 36;

/// Cookies found so far that are tried first: sites have one or a few.
const MAX_KNOWN: usize = 256;

static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("../cookie_words.txt").lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
});

/// A handshake whose proof waits to be tried.
#[derive(Debug)]
struct Attempt {
    at: Sighting,
    initiator: String,
    acceptor: Option<String>,
    outcome: HandshakeOutcome,
    proof: Proof,
}

/// Tries words on handshakes.
#[derive(Debug)]
pub(super) struct Guesser {
    list: Arc<WordList>,
    list_bytes_left: u64,
    /// Handshakes on which not all of the list was tried, and the first of them.
    beyond_list: Option<(u64, Stamp)>,
    waiting: Vec<Attempt>,
    known: Vec<String>,
    unsolved: Vec<Proof>,
}

impl Guesser {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            list: Arc::clone(&settings.cookie_words),
            list_bytes_left: LIST_BYTES,
            beyond_list: None,
            waiting: Vec::new(),
            known: Vec::new(),
            unsolved: Vec::new(),
        }
    }

    /// Takes a handshake; words are tried when enough have come, or at [`Guesser::finish`].
    pub(super) fn add(&mut self, at: &Sighting, handshake: &Handshake, out: &mut Vec<Finding>) {
        let Some(proof) = Proof::of(handshake) else { return };
        self.waiting.push(Attempt {
            at: at.clone(),
            initiator: handshake.initiator.clone(),
            acceptor: handshake.acceptor.clone(),
            outcome: handshake.outcome,
            proof,
        });
        if self.waiting.len() >= BATCH {
            self.finish(out);
        }
    }

    /// Tries words on what is waiting.
    pub(super) fn finish(&mut self, out: &mut Vec<Finding>) {
        for attempt in std::mem::take(&mut self.waiting) {
            match self.guess(&attempt) {
                Some(cookie) => out.push(weak(&attempt, &cookie)),
                None if self.unsolved.len() < MAX_UNSOLVED => self.unsolved.push(attempt.proof),
                None => {}
            }
        }
    }

    /// Proofs that no word fits.
    pub(super) fn unsolved(&self) -> &[Proof] {
        &self.unsolved
    }

    fn guess(&mut self, attempt: &Attempt) -> Option<String> {
        let proof = attempt.proof;
        let names = [Some(attempt.initiator.as_str()), attempt.acceptor.as_deref()];
        let known = self.known.iter().find(|word| proof.fits(word)).cloned();
        let cookie = known
            .or_else(|| WORDS.iter().find(|word| proof.fits(word)).map(|word| (*word).to_owned()))
            .or_else(|| site_words(names.into_iter().flatten()).into_iter().find(|word| proof.fits(word)))
            .or_else(|| self.guess_from_list(attempt))?;
        if self.known.len() < MAX_KNOWN && !self.known.contains(&cookie) {
            self.known.push(cookie.clone());
        }
        Some(cookie)
    }

    /// The first word of the list that fits.
    fn guess_from_list(&mut self, attempt: &Attempt) -> Option<String> {
        let bytes = usize::try_from(self.list_bytes_left).unwrap_or(usize::MAX).min(self.list.len());
        self.list_bytes_left = self.list_bytes_left.saturating_sub(bytes as u64);
        let found = self.list.find_first(bytes, |piece| attempt.proof.first_of(words_of(piece)));
        if found.is_none() && bytes < self.list.len() {
            self.beyond_list.get_or_insert((0, attempt.at.last)).0 += 1;
        }
        found.map(|word| String::from_utf8_lossy(word).into_owned())
    }

    /// How many handshakes were not tried with all of the list, and the first of them.
    pub(super) fn beyond_list(&self) -> Option<(u64, Stamp)> {
        self.beyond_list
    }
}

/// Words that people make from the names of their nodes: parts of name and host, without digits at the end, and in
/// the usual spellings.
fn site_words<'a>(nodes: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    // A name is an atom of at most 255 characters, so it has at most so many parts; a handful is usual.
    const MAX_PARTS: usize = 16;
    let mut words = BTreeSet::new();
    for node in nodes {
        let (name, host) = node.split_once('@').unwrap_or((node, ""));
        let domain = host.split_once('.').map_or("", |(_, domain)| domain);
        let parts = node.split(['@', '.', '-', '_']).take(MAX_PARTS);
        for part in [node, name, host, domain].into_iter().chain(parts) {
            let stem = part.trim_end_matches(|last: char| last.is_ascii_digit());
            for word in [part, stem].into_iter().filter(|word| !word.is_empty()) {
                for base in [word.to_owned(), word.to_ascii_lowercase(), word.to_ascii_uppercase(), capitalized(word)] {
                    for suffix in ["", "cookie", "_cookie", "secret", "_secret", "1", "123"] {
                        words.insert(format!("{base}{suffix}"));
                    }
                }
            }
        }
    }
    words
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn weak(attempt: &Attempt, cookie: &str) -> Finding {
    let acceptor = attempt.acceptor.as_deref().unwrap_or("its peer");
    let (outcome, title) = match attempt.outcome {
        HandshakeOutcome::Success => ("success", "is a well-known word: anyone can join and run code"),
        HandshakeOutcome::Rejected => ("failure", "was a well-known word, and was refused"),
        HandshakeOutcome::Unfinished => ("unknown", "is a well-known word; how the handshake ended was not captured"),
    };
    let title = format!("Cookie of {} towards {acceptor} {title}", attempt.initiator);
    let mut finding = Finding::new(Kind::CookieWeak, "erldist", &attempt.at.as_seen(), title)
        .with_secret("cookie", cookie)
        .with("initiator", attempt.initiator.as_str())
        .with_some("acceptor", attempt.acceptor.as_deref())
        .with("outcome", outcome);
    if attempt.outcome == HandshakeOutcome::Rejected {
        finding.severity = Severity::Low; // a wrong guess opens nothing
    }
    filter::shown(finding, &attempt.at.flow)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use crate::protocol::Event;
    use crate::protocol::erldist::DistEvent;

    #[test]
    fn the_list_is_sound() {
        assert!(WORDS.len() > 100);
        assert_eq!(WORDS.iter().collect::<BTreeSet<_>>().len(), WORDS.len(), "a word stands twice");
        assert!(WORDS.iter().all(|word| !word.contains(char::is_whitespace)));
        for word in ["monster", "ejabberd", "secret", "RABBITMQCOOKIE", "emqxsecretcookie"] {
            assert!(WORDS.contains(&word), "{word}");
        }
    }

    #[test]
    fn handshakes_beyond_the_limit_of_tries_are_counted() {
        use crate::detect::erlang::testing::{handshake, records};
        let cookie_words = Arc::new(WordList::from(b"Zq7-one\nZq7-two\n".to_vec()));
        let settings = Settings { cookie_words, ..Settings::default() };
        let mut guesser = Guesser::new(&settings);
        guesser.list_bytes_left = 20;
        let mut handshake = handshake(HandshakeOutcome::Success);
        let DistEvent::Handshake(shaken) = &mut handshake else { panic!() };
        shaken.initiator_proof = Some((1, [7; 16]));
        let mut found = Vec::new();
        for record in records(vec![handshake; 2]) {
            let Event::ErlDist(DistEvent::Handshake(handshake)) = &record.event else { panic!() };
            guesser.add(&record.at, handshake, &mut found);
        }
        guesser.finish(&mut found);
        assert_eq!(guesser.beyond_list().map(|(count, first)| (count, first.frame)), Some((1, 2)));
        assert_eq!(found, []);
    }

    #[test]
    fn names_of_nodes_give_words() {
        let words = site_words(["ejabberd@xmpp1.alpha.lab"].into_iter());
        for word in ["xmpp1", "xmpp", "alpha", "ALPHA", "Alpha", "alpha_cookie", "alpha.lab", "ejabberd123"] {
            assert!(words.contains(word), "{word}");
        }
        assert!(site_words([".".repeat(255).as_str()].into_iter()).len() < 1000);
    }
}
